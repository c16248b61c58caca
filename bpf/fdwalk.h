/* SPDX-License-Identifier: MIT */
/*
 * fdwalk.h - what the BPF program fdwalk.bpf.c and its loader (src/observe/holder_bpf.c) share.
 *
 *	records (array map, mapped by the loader):
 *	| socket | socket | ring | epoll | process | socket | ...         | room |
 *	'------------------ record_count, counted on beyond the room -----------...
 *
 * Records stand in the order of the walk: by thread, by descriptor; a process's own record comes
 * after those of its table.
 */
#ifndef LAI_FDWALK_H
#define LAI_FDWALK_H

#include <linux/types.h>

enum fdwalk_kind {
	FDWALK_OTHER, /* stands in no record */
	FDWALK_SOCKET,
	FDWALK_EPOLL,
	FDWALK_RING,
	FDWALK_PROCESS,
};

/* Every byte is assigned by the program, so nothing of the kernel's stack leaks. */
struct fdwalk_record {
	__u64 number;	 /* socket: inode; process: descriptors of one of its tables; otherwise 0 */
	__u32 pid;	 /* of the process (thread group), in the pid namespace of the reader */
	__u32 fd;	 /* process: 0 */
	__u32 net_inode; /* socket: of its network namespace; otherwise 0 */
	__u16 kind;	 /* enum fdwalk_kind */
	__u16 state;	 /* socket: the kernel's sk_state; 0: MPTCP, and otherwise */
};

_Static_assert(sizeof(struct fdwalk_record) == 24, "a record has no padding");

#endif
