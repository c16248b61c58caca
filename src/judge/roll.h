/* SPDX-License-Identifier: MIT */
/*
 * roll.h - one pass over all sockets of a snapshot, which says whom the rest of the judge looks at.
 *
 * Of a hundred thousand sockets few matter, and reading them all costs more than everything else;
 * so it is done once.
 */
#ifndef LAI_JUDGE_ROLL_H
#define LAI_JUDGE_ROLL_H

#include "observe/facts.h"

/* Indices of sockets, in the order of the snapshot. */
struct lai_roll_list {
	uint32_t *list;
	size_t count, room;
};

struct lai_roll {
	const struct lai_snapshot *snapshot;
	struct lai_roll_list suspects;	/* lai_is_suspect() */
	struct lai_roll_list listeners; /* LISTEN */
	struct lai_roll_list bound;	/* bound, and neither listening nor connected */
	uint32_t *time_wait; /* how many, by namespace; one more at the end for none of them */
	/* How many go from an ephemeral port of theirs to a remote port, by LAI_ROLL_BUCKET(). */
	uint32_t *by_port;
};

#define LAI_PORTS 65536

/* Remote ports share buckets, so that all of them stay in the processor's first cache. */
#define LAI_ROLL_BUCKETS 4096
#define LAI_ROLL_BUCKET(port) ((port) % LAI_ROLL_BUCKETS)

/* 0 or -ENOMEM; roll is then as zeroes. */
int lai_roll_init(struct lai_roll *roll, const struct lai_snapshot *snapshot);
void lai_roll_done(struct lai_roll *roll);

/* True: the judge looks closer at this socket. */
bool lai_is_suspect(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket);

/* A connection of any age from an ephemeral port: it may use one up. */
bool lai_uses_port(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket);

/* NULL: the index is none. */
const struct lai_namespace *lai_namespace_of(const struct lai_snapshot *snapshot,
					     uint32_t namespace_index);

/* In ip_local_port_range of the namespace; false if that is not known. */
bool lai_port_is_ephemeral(const struct lai_namespace *name_space, uint16_t port);

#endif
