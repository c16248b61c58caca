/* SPDX-License-Identifier: MIT */
/*
 * snapshot_inside.h - the steps of taking a snapshot, between the files of snapshot.
 *
 *	namespaces -> sockets ----.
 *	                           join, look again -> processes -> ghosts confirmed, evidence
 *	descriptors (a thread) ---'
 */
#ifndef LAI_OBSERVE_SNAPSHOT_INSIDE_H
#define LAI_OBSERVE_SNAPSHOT_INSIDE_H

#include "observe/holder.h"
#include "observe/snapshot.h"

/* In which network namespace a process is; the last ones asked for, by pid. */
#define LAI_SNAPSHOT_HOMES 256

struct lai_snapshot_home {
	uint32_t pid;
	uint64_t namespace_inode; /* 0: not told */
};

/* A snapshot while it is taken. */
struct lai_snapshot_draft {
	const struct lai_snapshot_request *request;
	struct lai_snapshot *snapshot;
	size_t socket_room;
	uint32_t held_states;	 /* whose holders are looked for */
	bool shallow;		 /* suspects alone are asked for */
	bool deeper;		 /* and that is not enough */
	struct lai_holders held; /* what the walk over the descriptor tables found */
	struct lai_snapshot_home homes[LAI_SNAPSHOT_HOMES];
};

/* True if the request asks for sockets in this state. */
bool lai_snapshot_wants(const struct lai_snapshot_draft *draft, enum lai_tcp_state state);

/* Appends a socket; -ENOMEM. */
int lai_snapshot_add_socket(struct lai_snapshot_draft *draft, const struct lai_socket_fact *fact);

/*
 * snapshot_join.c. Moves the holders of sockets that are in the snapshot into it, adds those that
 * are in none of the kernel's tables as LAI_TCP_CLOSE, and finds the listeners of connections that
 * wait for accept(). -ENOMEM.
 */
int lai_snapshot_join(struct lai_snapshot_draft *draft);

/*
 * snapshot_again.c. The dump and the walk are not the same moment: what was accepted or opened in
 * between has no holder yet. Looks for holders of such sockets once more, and takes those out that
 * are gone by now. -ENOMEM.
 */
int lai_snapshot_look_again(struct lai_snapshot_draft *draft);

/* snapshot_again.c. Connected sockets that no descriptor refers to: something else may hold them. */
bool lai_snapshot_has_unheld(const struct lai_snapshot *snapshot);

/*
 * Between the end of a connection and its close() every program has a descriptor without one. So
 * those are looked at once more a moment later, if there are any, and left out if they are gone.
 */
void lai_snapshot_confirm_ghosts(struct lai_snapshot_draft *draft);

/* One walk over the descriptor tables, by the way that the request asks for. */
int lai_snapshot_walk(struct lai_snapshot_draft *draft, struct lai_holders *held);

/* snapshot_evidence.c. */

/* The processes that hold a socket of the snapshot. -ENOMEM. */
int lai_snapshot_add_processes(struct lai_snapshot_draft *draft);

/* Threads, watches and stashes, where the judge will ask for them. -ENOMEM. */
int lai_snapshot_add_evidence(struct lai_snapshot_draft *draft);

#endif
