/* SPDX-License-Identifier: MIT */
/*
 * feed_watch.h - a descriptor that becomes readable when something happens to some files or to the
 * names in one directory. It only says "look again"; what has happened, the caller finds out.
 *
 * Where inotify is missing or used up (fs.inotify.max_user_instances), the descriptor is one that
 * never becomes readable, so the caller needs no second way but its re-check.
 */
#ifndef LAI_FEED_FEED_WATCH_H
#define LAI_FEED_FEED_WATCH_H

#include <stdbool.h>

struct lai_feed_watch {
	int fd;
	bool works;    /* fd is an inotify */
	int directory; /* its watch descriptor; -1: none */
	char *directory_path;
};

/* Watches nothing yet. path: a file whose directory will be watched. 0, or a negative errno. */
int lai_feed_watch_open(struct lai_feed_watch *watch, const char *path, bool no_inotify);

/* Fine on one that was never opened, if fd is -1 and the path NULL. */
void lai_feed_watch_close(struct lai_feed_watch *watch);

/* Watches the directory that has the path now; to be repeated, as directories get replaced too. */
void lai_feed_watch_directory(struct lai_feed_watch *watch);

/* Watches an open file whatever becomes of its name. A watch descriptor for forget(), or -1. */
int lai_feed_watch_file(struct lai_feed_watch *watch, int fd);
void lai_feed_watch_forget(struct lai_feed_watch *watch, int descriptor);

/* Forgets what has been reported; it is not readable then. */
void lai_feed_watch_drain(struct lai_feed_watch *watch);

#endif
