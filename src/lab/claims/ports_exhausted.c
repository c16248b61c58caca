/* SPDX-License-Identifier: MIT */
/*
 * ports_exhausted.c - the range of automatic ports bounds the connections from one address to one
 * destination, not those of the host: a connection is named by both ends.
 */
#include "lab/claims/shared_dial.h"

#include <errno.h>

/* The range has 2 * [PORTS_MIN / 2, PORTS_MAX / 2] ports. */
#define PORTS_MIN 40
#define PORTS_MAX 80
/* One more address of each host. */
#define MORE_PLACE 3

struct exhausted {
	struct lai_dial_held held;
	size_t range;
	size_t same, other_port, other_address, other_source;
	struct lai_dial_try last; /* to the first destination, when its ports had run out */
	struct lai_dial_try again;
};

static size_t fill(struct lai_trial *trial, struct exhausted *all, const char *name,
		   const struct lai_dial_way *way, const struct lai_address *to,
		   struct lai_dial_try *last)
{
	/* One more than there are, so that the last one is refused. */
	size_t made = lai_dial_hold(trial, &all->held, way, to, all->range + 1, last);
	char text[LAI_DIAL_TEXT_MAX];

	lai_trial_say(trial, "%s: %zu connections, then %s", name, made,
		      lai_dial_try_text(text, last));
	return made;
}

static void measure(struct lai_trial *trial, struct exhausted *all)
{
	struct lai_address first = lai_host_address(trial, trial->server, 0), other_port = first;
	struct lai_address source, other;
	struct lai_dial_way from_source = {.from = &source, .without_port = true};
	struct lai_dial_try last;

	other = lai_host_add_address(trial, trial->server, MORE_PLACE);
	(void)lai_dial_listen(trial, &first);
	(void)lai_dial_listen(trial, &other_port);
	(void)lai_dial_listen(trial, &other);
	all->same = fill(trial, all, "one destination", NULL, &first, &all->last);
	all->other_port = fill(trial, all, "another port there", NULL, &other_port, &last);
	all->other_address = fill(trial, all, "another address there", NULL, &other, &last);
	/* Not before: IPv6 would choose the newest address for the connections above. */
	source = lai_host_add_address(trial, trial->client, MORE_PLACE + 1);
	all->other_source = fill(trial, all, "the first destination from another address",
				 &from_source, &first, &last);
	all->again = lai_dial_try(trial, NULL, &first);
}

static void conclude(struct lai_trial *trial, const struct exhausted *all)
{
	size_t total = all->held.count;

	if (all->same == all->range && all->other_port == all->range &&
	    all->other_address == all->range && all->other_source == all->range)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "%zu ports made %zu connections at a time, %zu each to one "
				   "destination, to another port, to another address, and from "
				   "another source address",
				   all->range, total, all->same);
	else if (all->same == all->range && total == all->same)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%zu ports made %zu connections, and none to any other "
				   "destination",
				   all->range, total);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%zu ports made %zu connections to one destination, %zu to "
				   "another port, %zu to another address, %zu from another source "
				   "address",
				   all->range, all->same, all->other_port, all->other_address,
				   all->other_source);
}

static void run(struct lai_trial *trial)
{
	static struct exhausted all;
	char text[LAI_DIAL_TEXT_MAX];

	all.range = 2u * lai_trial_port(trial, PORTS_MIN / 2, PORTS_MAX / 2);
	lai_dial_range(trial, lai_trial_port(trial, 10000, 60000), (uint16_t)all.range);
	measure(trial, &all);
	lai_trial_number(trial, "ports", "ports", (double)all.range);
	lai_trial_number(trial, "one_destination", "connections", (double)all.same);
	lai_trial_number(trial, "in_all", "connections", (double)all.held.count);
	lai_trial_control(
		trial,
		lai_dial_try_was(&all.last, "connect()", EADDRNOTAVAIL) &&
			lai_dial_try_was(&all.again, "connect()", EADDRNOTAVAIL),
		"the first destination was refused after %zu of %zu ports and stayed so: %s",
		all.same, all.range, lai_dial_try_text(text, &all.again));
	conclude(trial, &all);
}

const struct lai_claim lai_claim_ports_exhausted = {
	.id = "ports-exhausted",
	.claim =
		"A host can have at most 28,232 outgoing connections at a time, or 64,512 with all "
		"ports from 1024 on.",
	.said = "freebsd-questions, March 2007: \"Outgoing connections must always grab a unique "
		"port\"; the saying that a machine makes 64 K connections",
	.decides =
		"__inet_hash_connect() and __inet_check_established() in "
		"net/ipv4/inet_hashtables.c compare the whole four-tuple. RFC 9293 section 3.4.1; "
		"RFC 6056 section 2.3",
	.setup = "Client and server on one wire with two addresses each; a range of 40 to 80 "
		 "automatic ports at the client, by the seed",
	.procedure =
		"Connect to one listener until it is refused, holding all connections; then to "
		"another port, another address, and from another source address.",
	.outcome = "EADDRNOTAVAIL after exactly as many connections as the range has ports, and as "
		   "many again for each other destination or source.",
	.control =
		"The first destination must be refused with EADDRNOTAVAIL, also after the others "
		"succeeded.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
