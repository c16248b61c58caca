/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - takes a snapshot of the host's TCP sockets, and of who holds them.
 *
 * Sockets come from sock_diag, which alone knows them all; owners by one of two ways to the same
 * structs: a BPF program that walks the descriptor tables inside the kernel, or /proc/PID/fd. The
 * kernel gives neither as one moment; what does not fit together is looked up again or left out,
 * and counted in the coverage.
 */
#ifndef LAI_OBSERVE_SNAPSHOT_H
#define LAI_OBSERVE_SNAPSHOT_H

#include "observe/facts.h"

enum lai_way_choice {
	LAI_WAY_CHOICE_AUTO, /* BPF if this kernel and our privileges allow it */
	LAI_WAY_CHOICE_BPF,
	LAI_WAY_CHOICE_PROC,
};

/* "auto", "bpf", "proc" and a NULL, in the order of the enum. */
extern const char *const lai_way_choice_names[];

struct lai_snapshot_request {
	uint32_t state_mask; /* of LAI_SOCKDIAG_STATE(); 0: all */
	enum lai_way_choice way;
	bool all_namespaces; /* every network namespace that a process or a name leads to */
	/* Suspects alone, unless what they say makes the healthy ones matter: see depth.h. The
	   snapshot's state_mask tells what it was. state_mask here must be 0. */
	bool suspects_first;
	bool evidence; /* threads, watches, stashes and pasts of suspects (the doctor's) */
};

/*
 * 0: *snapshot is the caller's, for lai_snapshot_free(). Otherwise *error is a sentence for free(),
 * or NULL if there was no memory for one, and the result is
 * -EPERM or -EOPNOTSUPP: LAI_WAY_CHOICE_BPF was asked for and cannot be had;
 * or an error of lai_sockdiag_dump() for our own namespace. What merely cannot be seen is no error
 * but coverage.
 */
int lai_snapshot_take(const struct lai_snapshot_request *request, struct lai_snapshot **snapshot,
		      char **error);

/* NULL is fine. */
void lai_snapshot_free(struct lai_snapshot *snapshot);

#endif
