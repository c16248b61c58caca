/* SPDX-License-Identifier: MIT */
#include "observe/depth.h"

#include "observe/sockdiag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many TIME_WAIT are listed in a millisecond, and fewer are not worth a word. */
#define TIME_WAIT_MANY 500

/* Part of the ephemeral range that is looked at. */
#define SAMPLE_PARTS 16
/* Of the sample, in percent, to one address and port: half of what the judge warns of, since a
   sample may be emptier than the whole. */
#define SAMPLE_FULL_PERCENT 25
/* With fewer sockets than that, in percent of the range, no address can have taken many ports. */
#define SOCKETS_FEW_PERCENT 50

struct usage {
	uint64_t in_use, time_wait;
};

/* The kernel's own counters, of the network namespace of this thread; zeroes if not told. */
static struct usage usage_read(void)
{
	struct usage usage = {0};
	unsigned long long in_use, time_wait;
	FILE *file = fopen("/proc/thread-self/net/sockstat", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "TCP: inuse %llu orphan %*u tw %llu", &in_use, &time_wait) == 2)
			usage = (struct usage){.in_use = in_use, .time_wait = time_wait};
	if (file)
		(void)fclose(file);
	/* That line counts IPv4; sockets of IPv6 are in one of their own, TIME_WAIT is in both. */
	file = fopen("/proc/thread-self/net/sockstat6", "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "TCP6: inuse %llu", &in_use) == 1)
			usage.in_use += in_use;
	if (file)
		(void)fclose(file);
	return usage;
}

uint32_t lai_depth_first_states(void)
{
	uint32_t healthy = LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED) |
			   LAI_SOCKDIAG_STATE(LAI_TCP_BOUND_INACTIVE);

	if (usage_read().time_wait < TIME_WAIT_MANY)
		healthy |= LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT);
	return LAI_SOCKDIAG_ALL & ~healthy;
}

/* A CLOSE_WAIT that has carried data: its program may wait for another connection on its behalf. */
static bool may_have_a_leg(const struct lai_socket_fact *socket)
{
	return socket->state == LAI_TCP_CLOSE_WAIT && socket->has_info &&
	       (socket->received_bytes > socket->rqueue_bytes || socket->sent_bytes > 0);
}

bool lai_depth_suspects_ask(const struct lai_socket_fact *sockets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((sockets[i].state == LAI_TCP_LISTEN && sockets[i].rqueue_bytes > 0) ||
		    may_have_a_leg(&sockets[i]))
			return true;
	return false;
}

/* By where it goes, so that those of one destination stand together. */
static int destination_compare(const void *a, const void *b)
{
	const struct lai_socket_fact *x = a, *y = b;

	return memcmp(&x->remote, &y->remote, sizeof(x->remote));
}

static size_t most_to_one_destination(struct lai_socket_fact *list, size_t count)
{
	size_t most = 0, run = 0;

	if (count > 1)
		qsort(list, count, sizeof(*list), destination_compare);
	for (size_t i = 0; i < count; i++) {
		run = i > 0 && destination_compare(&list[i - 1], &list[i]) == 0 ? run + 1 : 1;
		if (run > most)
			most = run;
	}
	return most;
}

bool lai_depth_ports_ask(const struct lai_namespace *name_space)
{
	const uint32_t idle = LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN) |
			      LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE) |
			      LAI_SOCKDIAG_STATE(LAI_TCP_BOUND_INACTIVE);
	uint32_t ports = (uint32_t)name_space->port_max - name_space->port_min + 1;
	uint32_t sample = ports / SAMPLE_PARTS > 0 ? ports / SAMPLE_PARTS : 1;
	struct usage usage = usage_read();
	struct lai_sockdiag_quality quality;
	struct lai_socket_fact *list = NULL;
	size_t count = 0, most;

	if (name_space->port_min == 0 ||
	    100 * (usage.in_use + usage.time_wait) < (uint64_t)SOCKETS_FEW_PERCENT * ports)
		return false;
	if (lai_sockdiag_list_ports(LAI_SOCKDIAG_ALL & ~idle, name_space->port_min,
				    (uint16_t)(name_space->port_min + sample - 1), &quality, &list,
				    &count) != 0)
		return false;
	most = most_to_one_destination(list, count);
	free(list);
	return 100 * most >= (uint64_t)SAMPLE_FULL_PERCENT * sample;
}
