/* SPDX-License-Identifier: MIT */
#include "feed/feed_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Written, truncated, renamed, unlinked, permissions. */
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
/* A name appears or goes away. Not IN_MODIFY: other logs in it would wake us all the time. */
#define DIRECTORY_EVENTS                                                                           \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF |     \
	 IN_ONLYDIR)
/* Some dozens of events a read; one event needs at most the header and NAME_MAX + 1. */
#define EVENTS_BYTES 4096

/* "dir" of "dir/file", "/" of "/file", "." of "file". */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int lai_feed_watch_open(struct lai_feed_watch *watch, const char *path, bool no_inotify)
{
	char *directory_path = directory_of(path);
	int fd = no_inotify ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	bool works = fd >= 0;

	if (!works)
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!directory_path || fd < 0) {
		int error = directory_path ? -errno : -ENOMEM;

		free(directory_path);
		if (fd >= 0)
			(void)close(fd);
		return error;
	}
	*watch = (struct lai_feed_watch){
		.fd = fd, .works = works, .directory = -1, .directory_path = directory_path};
	return 0;
}

void lai_feed_watch_close(struct lai_feed_watch *watch)
{
	free(watch->directory_path);
	watch->directory_path = NULL;
	if (watch->fd >= 0)
		(void)close(watch->fd);
	watch->fd = -1;
}

void lai_feed_watch_directory(struct lai_feed_watch *watch)
{
	int descriptor;

	if (!watch->works)
		return;
	/* For the directory that is watched already this is the same descriptor. */
	descriptor = inotify_add_watch(watch->fd, watch->directory_path, DIRECTORY_EVENTS);
	if (descriptor != watch->directory && watch->directory >= 0)
		(void)inotify_rm_watch(watch->fd, watch->directory);
	watch->directory = descriptor;
}

int lai_feed_watch_file(struct lai_feed_watch *watch, int fd)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];

	if (!watch->works)
		return -1;
	/* Through /proc it is the file we have open; its name may be another's by now. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return inotify_add_watch(watch->fd, path, FILE_EVENTS);
}

void lai_feed_watch_forget(struct lai_feed_watch *watch, int descriptor)
{
	/* Fails, harmlessly, if the file was deleted and its watch with it. */
	if (descriptor >= 0)
		(void)inotify_rm_watch(watch->fd, descriptor);
}

void lai_feed_watch_drain(struct lai_feed_watch *watch)
{
	char events[EVENTS_BYTES];

	while (watch->works && read(watch->fd, events, sizeof(events)) > 0)
		;
}
