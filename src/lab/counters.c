/* SPDX-License-Identifier: MIT */
/*
 * counters.c - the counters of a host: /proc/net/netstat and snmp, where a line of names is
 * followed by one of numbers, and nf_conntrack, which has names once and then a line of
 * hexadecimal numbers for each processor.
 *
 *	TcpExt: PAWSActive TW ...	entries drop ...
 *	TcpExt: 0 17 ...		00000000 00000002 ...
 */
#include "lab/gauge.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* netstat is 5 KB on Linux 6.18; nf_conntrack has 170 bytes for each processor. */
#define FILE_BYTES_MAX 131072

#define NETSTAT "/proc/thread-self/net/netstat"
#define SNMP "/proc/thread-self/net/snmp"
#define CONNTRACK "/proc/thread-self/net/stat/nf_conntrack"

/* Texts as the kernel wrote them: a claim asks for few of some 300 counters. conntrack is empty if
   the kernel has none. */
struct lai_counters {
	char *netstat, *snmp, *conntrack;
};

static char *file_read(struct lai_trial *trial, const char *path)
{
	char *text = calloc(1, FILE_BYTES_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t count = 0;

	if (!text)
		lai_trial_fail(trial, "out of memory");
	if (fd < 0)
		return text;
	do {
		length += (size_t)count;
		count = read(fd, text + length, FILE_BYTES_MAX - 1 - length);
	} while (count > 0);
	(void)close(fd);
	if (count < 0)
		lai_trial_fail(trial, "%s: %s", path, lai_call_errno(errno));
	return text;
}

static void texts_read(struct lai_trial *trial, const struct lai_host *host,
		       struct lai_counters *counters)
{
	lai_host_enter(trial, host);
	counters->netstat = file_read(trial, NETSTAT);
	counters->snmp = file_read(trial, SNMP);
	counters->conntrack = file_read(trial, CONNTRACK);
}

static void texts_free(struct lai_counters *counters)
{
	free(counters->netstat);
	free(counters->snmp);
	free(counters->conntrack);
}

struct lai_counters *lai_counters_read(struct lai_trial *trial, const struct lai_host *host)
{
	struct lai_counters *counters = calloc(1, sizeof(*counters));

	if (!counters)
		lai_trial_fail(trial, "out of memory");
	texts_read(trial, host, counters);
	return counters;
}

void lai_counters_free(struct lai_counters *counters)
{
	if (counters)
		texts_free(counters);
	free(counters);
}

static const char *line_next(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* The next word of a line, and its length; NULL: no more. */
static const char *word_next(const char *at, size_t *length)
{
	at += strspn(at, " \t");
	*length = strcspn(at, " \t\n");
	return *length > 0 ? at : NULL;
}

/* Which word of a line it is; -1: none. */
static int word_index(const char *line, const char *name)
{
	size_t length;
	int index = 0;

	for (const char *at = line; (at = word_next(at, &length)); at += length, index++)
		if (length == strlen(name) && !memcmp(at, name, length))
			return index;
	return -1;
}

static bool word_number(const char *line, int index, int base, uint64_t *number)
{
	size_t length;
	const char *at = word_next(line, &length);

	while (at && index-- > 0)
		at = word_next(at + length, &length);
	if (!at || !isxdigit((unsigned char)*at))
		return false;
	*number = strtoull(at, NULL, base);
	return true;
}

/* In lines that begin with this (TcpExt:, Tcp:, ...). */
static bool pair_find(const char *text, const char *prefix, const char *name, uint64_t *number)
{
	for (const char *names = text; *names; names = line_next(line_next(names))) {
		int index = word_index(names, name);

		if (index > 0 && !strncmp(names, prefix, strlen(prefix)))
			return word_number(line_next(names), index, 10, number);
	}
	return false;
}

static bool conntrack_find(const char *text, const char *name, uint64_t *number)
{
	int index = word_index(text, name);
	uint64_t sum = 0, one;

	if (index < 0)
		return false;
	for (const char *line = line_next(text); *line; line = line_next(line))
		if (word_number(line, index, 16, &one))
			sum += one;
	*number = sum;
	return true;
}

bool lai_counters_parse(const char *netstat, const char *snmp, const char *conntrack,
			const char *name, uint64_t *number)
{
	static const char prefix[] = "conntrack_";

	if (!strncmp(name, prefix, strlen(prefix)))
		return conntrack_find(conntrack, name + strlen(prefix), number);
	return pair_find(netstat, "TcpExt:", name, number) ||
	       pair_find(snmp, "Tcp:", name, number) || pair_find(netstat, "", name, number) ||
	       pair_find(snmp, "", name, number);
}

static bool counter_find(const struct lai_counters *counters, const char *name, uint64_t *number)
{
	return lai_counters_parse(counters->netstat, counters->snmp, counters->conntrack, name,
				  number);
}

bool lai_counters_have(const struct lai_counters *counters, const char *name)
{
	uint64_t number;

	return counter_find(counters, name, &number);
}

uint64_t lai_counters_since(struct lai_trial *trial, const struct lai_host *host,
			    const struct lai_counters *then, const char *name)
{
	struct lai_counters now;
	uint64_t before, after;

	texts_read(trial, host, &now);
	if (!counter_find(then, name, &before) || !counter_find(&now, name, &after))
		lai_trial_lacks(trial, "this kernel has no counter %s", name);
	texts_free(&now);
	return after - before;
}
