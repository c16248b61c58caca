/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a file that one process at a time may use: a lock that dies with its process.
 *
 * An open file description lock on "FILE.lock" and not on FILE itself: SQLite locks that with
 * fcntl(), and whoever closes any other descriptor of it drops SQLite's locks. The lock file holds
 * the process id, and is removed with the lock. A file has one lock whatever path leads to it.
 */
#ifndef LAI_DISK_LOCK_H
#define LAI_DISK_LOCK_H

#include <stdbool.h>

/* Zeroed: not locked. */
struct lai_lock {
	char *path; /* of the lock file; NULL: not locked */
	int fd;
};

/* 0; -EBUSY: another has it; or another negative errno. *error is then a sentence as "PATH: process
   7 " and what, as "stores there" (NULL: out of memory). */
int lai_lock_take(struct lai_lock *lock, const char *path, const char *what, char **error);
/* Whether its file still is the one under the name: who removes it lets another process in. */
bool lai_lock_is_ours(const struct lai_lock *lock);
/* Not locked is fine. */
void lai_lock_release(struct lai_lock *lock);
/* Whether a process has the lock of the file at this path. */
bool lai_lock_is_held(const char *path);

#endif
