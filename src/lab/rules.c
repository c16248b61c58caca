/* SPDX-License-Identifier: MIT */
/* rules.c - nftables in a host, by the program nft. */
#include "lab/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_BYTES 1024
#define OUTPUT_BYTES 8192

/* The table of the lab's own drops and counters. */
#define TABLE "inet lab"

/* Before conntrack (-200) and NAT: what is dropped here was never there. */
#define DROP_PRIORITY "-400"

static int nft_feed(struct lai_trial *trial, const struct lai_host *host, const char *script)
{
	const char *const args[] = {"nft", "-f", "-", NULL};

	return lai_host_run(trial, host, args, script, NULL, 0);
}

/*
 * What nft said it did stands in the kernel, or a claim would measure a network without its rules:
 * each "table FAMILY NAME" that the script begins is listed.
 */
static void rules_check(struct lai_trial *trial, const struct lai_host *host, const char *script)
{
	const char *const args[] = {"nft", "list", "tables", NULL};
	char output[OUTPUT_BYTES];

	if (lai_host_run(trial, host, args, NULL, output, sizeof(output)) != 0)
		lai_trial_fail(trial, "nft does not list the tables of the %s", host->name);
	for (const char *at = script; (at = strstr(at, "table ")); at++) {
		char table[64];
		size_t length = strcspn(at, "{\n");

		while (length > 0 && at[length - 1] == ' ')
			length--;
		if (at != script && at[-1] != '\n')
			continue;
		(void)snprintf(table, sizeof(table), "%.*s\n", (int)length, at);
		if (!strstr(output, table))
			lai_trial_fail(trial, "nft took rules, but the %s has none of them",
				       host->name);
	}
}

void lai_rules_add(struct lai_trial *trial, const struct lai_host *host, const char *script)
{
	if (nft_feed(trial, host, script) == 0) {
		rules_check(trial, host, script);
		return;
	}
	/* The kernel has no nf_tables at all, or not what this script needs of it. */
	lai_trial_say(trial, "nft was given: %s", script);
	lai_trial_lacks(trial, "the kernel or nft refuses rules that the %s needs", host->name);
}

void lai_rules_clear(struct lai_trial *trial, const struct lai_host *host)
{
	if (nft_feed(trial, host, "flush ruleset\n") != 0)
		lai_trial_fail(trial, "the %s's rules are not taken away", host->name);
}

uint64_t lai_rules_counter(struct lai_trial *trial, const struct lai_host *host, const char *name)
{
	const char *const args[] = {"nft", "list", "counter", "inet", "lab", name, NULL};
	char output[OUTPUT_BYTES], *packets;
	uint64_t count;

	if (lai_host_run(trial, host, args, NULL, output, sizeof(output)) != 0)
		lai_trial_fail(trial, "the %s has no counter %s", host->name, name);
	/* counter NAME { packets 3 bytes 156 } */
	packets = strstr(output, "packets ");
	if (!packets || sscanf(packets, "packets %" SCNu64, &count) != 1)
		lai_trial_fail(trial, "nft does not say how often %s counted", name);
	return count;
}

static void drop(struct lai_trial *trial, const struct lai_host *host, const char *match,
		 const char *limit, const char *counter)
{
	char script[SCRIPT_BYTES];
	int length = snprintf(script, sizeof(script),
			      "table " TABLE " {\n"
			      "	counter %s {}\n"
			      "	chain input_%s {\n"
			      "		type filter hook prerouting priority " DROP_PRIORITY ";\n"
			      "		%s %s counter name \"%s\" drop\n"
			      "	}\n"
			      "}\n",
			      counter, counter, match, limit, counter);

	if (length < 0 || (size_t)length >= sizeof(script))
		lai_trial_fail(trial, "the rule for %s is too long", counter);
	lai_rules_add(trial, host, script);
}

void lai_rules_drop(struct lai_trial *trial, const struct lai_host *host, const char *match,
		    const char *counter)
{
	drop(trial, host, match, "", counter);
}

/* nft's own "quota" counts bytes; a limit whose tokens come again once a day counts packets. */
void lai_rules_drop_first(struct lai_trial *trial, const struct lai_host *host, const char *match,
			  unsigned packets, const char *counter)
{
	char limit[64];

	if (packets == 0)
		lai_trial_fail(trial, "a rule that drops the first 0 packets");
	(void)snprintf(limit, sizeof(limit), "limit rate 1/day burst %u packets", packets);
	drop(trial, host, match, limit, counter);
}
