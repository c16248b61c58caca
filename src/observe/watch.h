/* SPDX-License-Identifier: MIT */
/*
 * watch.h - which sockets a process waits for events of.
 *
 * Each appends to an array that grows by realloc. -ESRCH, -EACCES, -ENOMEM, -EMFILE as in thread.h.
 * A descriptor that was closed meanwhile, or is of another kind, has no rows: 0.
 */
#ifndef LAI_OBSERVE_WATCH_H
#define LAI_OBSERVE_WATCH_H

#include "observe/facts.h"

/*
 * The sockets in one epoll set, from /proc/PID/fdinfo/FD (with inodes since Linux 4.13). A row
 * stays after close() of its fd while another descriptor holds the same socket. Files of other
 * kinds, other epoll sets too, are left out; UDP and UNIX sockets are not.
 */
int lai_watches_of_epoll(pid_t pid, int32_t epoll_fd, struct lai_watch **watches, size_t *count);

/*
 * The sockets that the poll() or select() of this thread waits for, read from its memory
 * (PTRACE_MODE_ATTACH). It must still be in that call afterwards, otherwise there are no rows. A
 * thread in any other call has none. select(): EPOLLIN, EPOLLOUT or both; its third set, of
 * exceptions, is not looked at.
 */
int lai_watches_of_poll(const struct lai_thread *thread, struct lai_watch **watches, size_t *count);

/* --- pure: any text ended by NUL --- */

/* One line of an epoll's fdinfo: fd, inode, events of *watch, and the device of the inode's file
   system. False: it is another kind of line, and nothing was written. */
bool lai_watch_parse(const char *line, struct lai_watch *watch, dev_t *device);

#endif
