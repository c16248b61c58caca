/* SPDX-License-Identifier: MIT */
/*
 * stash.h - what holds sockets that no table of descriptors shows.
 *
 * Each appends to an array that grows by realloc. -ESRCH, -EACCES, -ENOMEM, -EMFILE as in thread.h.
 * A descriptor that was closed meanwhile, or is of another kind, has no rows: 0.
 */
#ifndef LAI_OBSERVE_STASH_H
#define LAI_OBSERVE_STASH_H

#include "observe/facts.h"

/*
 * What a ring holds, from /proc/PID/fdinfo/FD. Measured on 6.18:
 *
 * - A registered file has a row with its socket's inode (count 1). Older kernels, 6.1 among them,
 *   print "TCP" and no inode: those count in the row with inode 0.
 * - Requests that wait for their file to become ready (recv, accept, ...) are listed as numbers of
 *   operations, without their files: one row with inode 0, count is how many. They hold their
 *   files also when every descriptor has been closed. A server at rest has some all the time.
 * - What a worker thread of the ring executes at this moment is not listed.
 *
 * While the ring is busy in another thread the kernel tells nothing; some tries are made.
 */
int lai_stashes_of_ring(pid_t pid, int32_t ring_fd, struct lai_stash **stashes, size_t *count);

/*
 * UNIX sockets of this process with files in flight (scm_fds of /proc/PID/fdinfo, Linux 5.6), each
 * once however many descriptors it has. Measured: it is the RECEIVER's end that shows them, in
 * whose queue the message lies; the sender's shows 0. A listener shows those sent to it before
 * accept(). Of which kind the files are is not told: inode is 0, and count is of any files.
 * Messages in the queue of a UNIX socket that is in flight itself are seen nowhere.
 */
int lai_stashes_in_flight(pid_t pid, struct lai_stash **stashes, size_t *count);

/* --- pure, stash_parse.c: any text ended by NUL --- */

/* What a ring's fdinfo lists. */
struct lai_ring_facts {
	bool told;	   /* false: the ring was busy */
	uint32_t nameless; /* registered TCP sockets without an inode */
	uint32_t pending;  /* requests */
};

/* Calls each() for the inode of every registered socket; what it returns unless 0 ends it and is
   returned. Then *facts is untouched. */
int lai_ring_parse(const char *text, int (*each)(void *arg, uint64_t inode), void *arg,
		   struct lai_ring_facts *facts);

/* N of the line "scm_fds: N" of a UNIX socket's fdinfo; 0: there is none. */
uint32_t lai_flight_parse(const char *text);

#endif
