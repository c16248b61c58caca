/* SPDX-License-Identifier: MIT */
/*
 * owner.h - which sockets one process holds, from /proc/PID/fd (holder.h: all processes at once).
 *
 * A snapshot that is not atomic: descriptors opened or closed meanwhile may or may not be in it.
 */
#ifndef LAI_OBSERVE_OWNER_H
#define LAI_OBSERVE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a process holds. The arrays are sorted and name a socket once, whatever its descriptors. */
struct lai_owner {
	uint64_t *inodes; /* sockets of any kind */
	size_t count;
	uint64_t *tcp_inodes; /* those of TCP, in whatever state, also when in none of its tables */
	size_t tcp_count;
	uint32_t fds; /* descriptors of any kind, not counting the one that reads /proc */
};

/*
 * Reads /proc/PID/fd; pid 0 is the calling process. *owner is the caller's on success, for
 * lai_owner_done(). -ESRCH: no such process; -EACCES: it is another user's; -ENOMEM, or the errno
 * of open() (-EMFILE, ...).
 */
int lai_owner_read(pid_t pid, struct lai_owner *owner);
void lai_owner_done(struct lai_owner *owner);

/* Is this inode in a sorted array? */
bool lai_owner_has(const uint64_t *inodes, size_t count, uint64_t inode);

#endif
