/* SPDX-License-Identifier: MIT */
/*
 * ports.h - how far the ephemeral ports are used up, per source and destination.
 *
 * connect() needs a port that is free for this one (source, destination, port); so there are as many
 * as the range has, for each tuple. A TIME_WAIT keeps its port for 60 s, unless tcp_tw_reuse allows to
 * take it again after one. Who calls bind() before connect() takes the port from all tuples.
 */
#ifndef LAI_JUDGE_PORTS_H
#define LAI_JUDGE_PORTS_H

#include "judge/docket.h"
#include "judge/finding.h"

struct lai_ports_tuple {
	uint32_t namespace_index;
	struct lai_end source; /* port 0 */
	struct lai_end destination;
	uint32_t used;	   /* ports, whoever holds them */
	uint32_t waiting;  /* of those, in TIME_WAIT */
	uint32_t reusable; /* of those, free for the next connect() */
	uint32_t recent;   /* TIME_WAIT not older than LAI_PORTS_RECENT_MS: the rate */
};

#define LAI_PORTS_RECENT_MS 10000

/* What is taken in one namespace for every destination. */
struct lai_port_space {
	uint32_t range;
	uint32_t bound; /* by bind() before connect() */
	uint32_t taken; /* those and listeners, each port once */
	uint32_t time_wait;
	bool takers; /* there are any */
	bool near;   /* has a tuple near its end */
};

/* spaces: one per namespace, zeroes. -ENOMEM. */
int lai_port_spaces_count(const struct lai_roll *roll, struct lai_port_space *spaces);

/*
 * Those that use at least so many percent of their range, sorted by lai_ports_compare() and namespace;
 * *list is for free(). -ENOMEM.
 */
int lai_ports_count(const struct lai_roll *roll, const struct lai_listeners *listeners,
		    uint32_t percent, struct lai_ports_tuple **list, size_t *count);

/* By destination and source, whatever the namespace. */
int lai_ports_compare(const struct lai_ports_tuple *a, const struct lai_ports_tuple *b);

/* Adds ports-exhausting and time-wait-harmless. -ENOMEM. */
int lai_ports_judge(struct lai_court *court, struct lai_docket *docket);

/* The usable range of a namespace: without the reserved ports; 0: not known. */
uint32_t lai_ports_range(const struct lai_namespace *name_space);

#endif
