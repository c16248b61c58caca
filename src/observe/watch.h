/* SPDX-License-Identifier: MIT */
/*
 * watch.h - which sockets a process waits for events of, and what keeps sockets out of all tables.
 *
 * Each appends to an array that grows by realloc. -ESRCH, -EACCES, -ENOMEM as in process.h.
 */
#ifndef LAI_OBSERVE_WATCH_H
#define LAI_OBSERVE_WATCH_H

#include "observe/facts.h"

/* The rows of one epoll set, from /proc/PID/fdinfo/FD. */
int lai_watches_of_epoll(pid_t pid, int32_t epoll_fd, struct lai_watch **watches, size_t *count);

/* The sockets that the poll() or select() of this thread waits for, read from its memory. */
int lai_watches_of_poll(const struct lai_thread *thread, struct lai_watch **watches,
			size_t *count);

/* The files registered in a ring: rows with their inode; one with inode 0 if requests are pending.
 */
int lai_stashes_of_ring(pid_t pid, int32_t ring_fd, struct lai_stash **stashes, size_t *count);

/* UNIX sockets of this process with files in flight (scm_fds of /proc/PID/fdinfo, Linux 5.6). */
int lai_stashes_in_flight(pid_t pid, struct lai_stash **stashes, size_t *count);

/* Pure: one line of an epoll's fdinfo. False: it is another kind of line. */
bool lai_watch_parse(const char *line, struct lai_watch *watch);

#endif
