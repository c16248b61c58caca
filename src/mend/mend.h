/* SPDX-License-Identifier: MIT */
/*
 * mend.h - ends another program's connection, in three grades of force.
 *
 *	keepalive  arms SO_KEEPALIVE on the foreign descriptor: the kernel finds a dead peer
 *	fin        shutdown(SHUT_RDWR) on it: FIN, unread data stays readable, the owner is woken
 *	rst        SOCK_DESTROY: RST, at once; works also where nobody holds a descriptor
 *
 * The target was chosen from a snapshot, and the host has moved on since. So each grade first takes
 * hold of what it will act upon (a pidfd, a duplicate of the descriptor), then compares it with the
 * target (start time, inode, cookie, addresses, state), and acts on what it holds: whatever is
 * recycled in between, another socket is never touched. The kernel compares the cookie for rst.
 */
#ifndef LAI_MEND_MEND_H
#define LAI_MEND_MEND_H

#include "observe/facts.h"

enum lai_mend_how {
	LAI_MEND_KEEPALIVE,
	LAI_MEND_FIN,
	LAI_MEND_RST,
	LAI_MEND_COUNT
};

enum lai_mend_outcome {
	LAI_MENDED,	     /* done */
	LAI_MEND_GONE,	     /* process, descriptor or connection is no more: nothing to do */
	LAI_MEND_CHANGED,    /* the descriptor or the state is another by now: not touched */
	LAI_MEND_DENIED,     /* not permitted; error tells which errno */
	LAI_MEND_IMPOSSIBLE, /* this kernel cannot, or the grade needs a descriptor and none is there */
	LAI_MEND_FAILED,     /* another error */
	LAI_MEND_OUTCOME_COUNT
};

struct lai_mend_target {
	struct lai_socket_fact socket; /* as the snapshot had it */
	struct lai_namespace name_space;
	pid_t pid;	      /* a holder; 0: none, only rst is possible */
	uint64_t start_ticks; /* of that process */
	int32_t fd;
};

struct lai_mend_result {
	enum lai_mend_outcome outcome;
	int error; /* a negative errno, 0 if none */
};

/* keepalive: idle time and probes that are set if the socket has none of its own armed. */
struct lai_mend_keepalive {
	uint32_t idle_s, interval_s, probes;
};

/* Acts once on one target. keepalive may be NULL for the other grades. */
struct lai_mend_result lai_mend(const struct lai_mend_target *target, enum lai_mend_how how,
				const struct lai_mend_keepalive *keepalive);

/* The names that users write: "keepalive", "fin", "rst". */
extern const char *const lai_mend_names[LAI_MEND_COUNT + 1]; /* NULL at the end */
const char *lai_mend_outcome_name(enum lai_mend_outcome outcome); /* "mended", "gone", ... */

#endif
