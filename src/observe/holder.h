/* SPDX-License-Identifier: MIT */
/*
 * holder.h - every descriptor on the host that refers to a socket, by one of two ways.
 *
 * Neither is one moment: a descriptor that is opened or closed meanwhile may or may not be there.
 * Descriptors of a process are those of all its threads, each table once. Threads of the kernel are
 * no processes here. Measured with 100,000 sockets in 10 processes: BPF 16 ms if few are in the
 * mask, 25 ms for all; /proc 300 ms.
 */
#ifndef LAI_OBSERVE_HOLDER_H
#define LAI_OBSERVE_HOLDER_H

#include "observe/descriptor.h"
#include "observe/facts.h"

/* A descriptor that refers to sockets in its turn: of an epoll set or a ring. */
struct lai_set_holder {
	enum lai_descriptor_kind kind; /* LAI_DESCRIPTOR_EPOLL or _RING */
	uint32_t pid;
	uint32_t fd;
};

struct lai_holders_process {
	uint32_t pid;
	uint32_t fd_count;
};

/* What one pass found. The arrays are for lai_holders_done(). */
struct lai_holders {
	/* Sorted by inode, pid, fd. BPF: sockets of TCP and MPTCP only. /proc: of any kind, since
	   telling them apart costs a call each; the join with the dump tells. */
	struct lai_holder *list;
	size_t count;
	struct lai_set_holder *sets; /* sorted by pid, fd */
	size_t set_count;
	/* As in struct lai_coverage. If we are not even shown process 1 (hidepid), it counts as one
	   that is unreadable, standing for all that are hidden. */
	uint32_t processes, unreadable, vanished;
	uint32_t unreadable_pids[LAI_UNREADABLE_PIDS];
	/* Those processes that were read, zombies too, sorted by pid, and the number of their
	   descriptors of any kind. Of our own process BPF counts those that the reading itself
	   has open, too. */
	struct lai_holders_process *read;
	size_t read_count;
};

/*
 * With /proc: needs no privilege for one's own processes, root for all. A descriptor opened with
 * O_PATH counts as a holder here, though it holds nothing: its link looks the same.
 * 0; -ENOMEM; -ENODEV: /proc is no procfs; another negative errno: it cannot be read.
 */
int lai_holders_read_proc(struct lai_holders *holders);

/*
 * With BPF: a program of iter/task walks the tables (bpf/fdwalk.bpf.c; Linux 5.17). Only sockets of
 * TCP in the states of the mask (LAI_TCP_CLOSE included if its bit is set; the bit of
 * LAI_TCP_BOUND_INACTIVE brings those in CLOSE as well, since the kernel has one state for both),
 * and those of MPTCP, in state LAI_TCP_NONE, since each has connections in states of their own.
 * 0; -EOPNOTSUPP: built without it, or this kernel lacks something, or /proc is of another pid
 * namespace; -EPERM: CAP_BPF and CAP_PERFMON are missing; -ENOMEM. *reason (of reason_bytes) is a
 * clause without a full stop after a failure.
 */
int lai_holders_read_bpf(uint32_t state_mask, struct lai_holders *holders, char *reason,
			 size_t reason_bytes);

void lai_holders_done(struct lai_holders *holders);

/* The first of a sorted list with that inode; count if there is none. */
size_t lai_holders_find(const struct lai_holder *list, size_t count, uint64_t inode);

#endif
