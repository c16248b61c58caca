/* SPDX-License-Identifier: MIT */
/*
 * spool_lock.h - one sender at a time: a lock that dies with its process.
 *
 * An open file description lock on "PATH.lock" and not on the database itself: a descriptor of that
 * must not be closed, since that drops SQLite's own locks. The lock file holds the process id.
 */
#ifndef LAI_DISK_SPOOL_LOCK_H
#define LAI_DISK_SPOOL_LOCK_H

#include <stdbool.h>

struct lai_spool_lock {
	int fd; /* -1: not locked */
	char *path;
};

/* 0; -EBUSY: another has it, *holder is its process id, 0: unknown; or another negative errno. */
int lai_spool_lock_take(struct lai_spool_lock *lock, const char *path, int *holder);
/* Removes the lock file. */
void lai_spool_lock_release(struct lai_spool_lock *lock);
/* Whether a sender has the spool at this path open. */
bool lai_spool_lock_is_held(const char *path);

#endif
