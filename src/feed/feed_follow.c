/* SPDX-License-Identifier: MIT */
/*
 * feed_follow.c - the successive files that have one name.
 *
 *	files[0]          files[1] ...        files[count - 1]
 *	is being read     wait their turn     has (or had last) the name
 *
 * A file that takes the name is opened when it is seen, so it cannot be missed even if the name
 * goes on to others before its turn. files[0] is left at its end, when
 *	the name has gone on twice, or
 *	its successor has bytes and it has been silent for a re-check interval,
 * because a daemon that is told to reopen its log still writes to the old file for a while; and
 * while the successor is empty there is no reason to leave. A file that lost its name without a
 * successor is kept.
 */
#include "feed/feed_source.h"

#include "base/clock.h"
#include "base/error.h"
#include "feed/feed_tail.h"
#include "feed/feed_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rotations in the time of one slow read; each costs a descriptor and the disk space of a file. */
#define FILES_MAX 16

struct follow {
	struct lai_feed feed;
	char *path;
	struct lai_feed_watch watch;
	struct lai_feed_tail files[FILES_MAX];
	unsigned count;
	bool had_file; /* the next file to take the name is a rotation */
	bool idle;     /* the last read found nothing: waiting makes sense */
	uint64_t recheck_ns;
	uint64_t check_at_ns; /* when to look at the name next */
	uint64_t heard_ns;    /* files[0] gave bytes, or its first successor was seen */
	uint64_t wake_ns;     /* valid while idle */
};

static void drop_first(struct follow *follow)
{
	lai_feed_watch_forget(&follow->watch, follow->files[0].watch);
	lai_feed_tail_done(&follow->files[0]);
	follow->count--;
	memmove(&follow->files[0], &follow->files[1], follow->count * sizeof(follow->files[0]));
}

static void follow_free(struct lai_feed *feed)
{
	struct follow *follow = (struct follow *)feed;

	while (follow->count > 0)
		drop_first(follow);
	lai_feed_watch_close(&follow->watch);
	free(follow->path);
	free(follow);
}

static int follow_fd(const struct lai_feed *feed)
{
	const struct follow *follow = (const struct follow *)feed;

	return follow->idle ? follow->watch.fd : -1;
}

static uint64_t follow_deadline(const struct lai_feed *feed)
{
	const struct follow *follow = (const struct follow *)feed;

	return follow->idle ? follow->wake_ns : 0;
}

static const char *follow_name(const struct lai_feed *feed)
{
	return ((const struct follow *)feed)->path;
}

/* Whether we have the file open already. */
static bool is_known(const struct follow *follow, const struct stat *status)
{
	for (unsigned i = 0; i < follow->count; i++)
		if (follow->files[i].device == status->st_dev &&
		    follow->files[i].inode == status->st_ino)
			return true;
	return false;
}

static void add_file(struct follow *follow, int fd, const struct stat *status, uint64_t now_ns)
{
	struct lai_feed_tail *tail = &follow->files[follow->count];

	lai_feed_tail_init(tail, fd, status);
	tail->watch = lai_feed_watch_file(&follow->watch, fd);
	follow->count++;
	follow->feed.counts.rotations += follow->had_file;
	follow->had_file = true;
	if (follow->count <= 2)
		follow->heard_ns = now_ns;
}

/*
 * Opens the file that has the name now, unless we have it. 0: that is done; -ENOENT: there is none;
 * or another negative errno. *error is a sentence if the result is not 0.
 */
static int take_named(struct follow *follow, char **error, uint64_t now_ns)
{
	struct stat status;
	int fd = -1, result = stat(follow->path, &status);

	if (result == 0 && is_known(follow, &status))
		return 0;
	/* Opening a FIFO would disturb its writer; one that comes between must not stop us. */
	if (result == 0 && S_ISREG(status.st_mode)) {
		fd = open(follow->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		result = fd < 0 ? -1 : fstat(fd, &status);
	}
	if (result != 0) {
		result = lai_error(error, -errno, "cannot follow %s: %s", follow->path,
				   strerror(errno));
		goto out;
	}
	if (!S_ISREG(status.st_mode)) {
		result = lai_error(error, -EINVAL, "cannot follow %s: it is not a regular file",
				   follow->path);
		goto out;
	}
	result = 0;
	if (is_known(follow, &status))
		goto out; /* it changed between stat() and open() */
	add_file(follow, fd, &status, now_ns);
	fd = -1;
out:
	if (fd >= 0)
		(void)close(fd);
	return result;
}

/* Looks at the name. What is wrong with it is told by lai_feed_error(), not by reads. */
static void look(struct follow *follow, uint64_t now_ns)
{
	if (now_ns >= follow->check_at_ns) {
		follow->check_at_ns = lai_time_after(now_ns, follow->recheck_ns);
		/* Before stat(), so that nothing gets between. */
		lai_feed_watch_directory(&follow->watch);
	}
	if (follow->count < FILES_MAX && take_named(follow, &follow->feed.error, now_ns) == 0)
		lai_feed_unsay(&follow->feed.error);
}

/* From when on files[0] may be left if it is at its end. */
static uint64_t leave_at(const struct follow *follow)
{
	if (follow->count > 2)
		return 0;
	if (follow->count < 2 || lai_feed_tail_size(&follow->files[1]) == 0)
		return LA_NEVER;
	return lai_time_after(follow->heard_ns, follow->recheck_ns);
}

/* One attempt at files[0]. -EAGAIN: at its end. */
static ssize_t read_first(struct follow *follow, void *room, size_t size, bool *seam)
{
	bool truncated = false;
	ssize_t result;

	if (follow->count == 0)
		return -EAGAIN;
	result = lai_feed_tail_read(&follow->files[0], room, size, &truncated);
	if (truncated) {
		follow->feed.counts.truncations++;
		*seam = true;
		return 0;
	}
	if (result == -ESTALE) { /* NFS: deleted on the server; whatever has the name now is new */
		drop_first(follow);
		follow->check_at_ns = 0;
		*seam = true;
		return 0;
	}
	if (result < 0)
		return lai_error(&follow->feed.error, (int)result, "cannot read %s: %s",
				 follow->path, strerror((int)-result));
	return result > 0 ? result : -EAGAIN;
}

static ssize_t follow_read(struct lai_feed *feed, void *room, size_t size, bool *seam)
{
	struct follow *follow = (struct follow *)feed;
	uint64_t now_ns = lai_clock_now(), leave_ns;
	bool looked = now_ns >= follow->check_at_ns;
	ssize_t result;

	follow->idle = false;
	if (looked)
		look(follow, now_ns);
	for (;;) {
		/* Before the read: the end counts only if seen after the successor's bytes. */
		leave_ns = leave_at(follow);
		result = read_first(follow, room, size, seam);
		if (result != -EAGAIN) {
			follow->heard_ns = now_ns;
			return result;
		}
		if (now_ns >= leave_ns) {
			drop_first(follow);
			follow->heard_ns = now_ns;
			*seam = true;
			return 0;
		}
		if (looked)
			break;
		/* Reports are forgotten before the last look, so that none after it gets lost. */
		lai_feed_watch_drain(&follow->watch);
		look(follow, now_ns);
		looked = true;
	}
	follow->idle = true;
	follow->wake_ns = lai_time_min(follow->check_at_ns, leave_ns);
	return -EAGAIN;
}

static void follow_tend(struct lai_feed *feed)
{
	struct follow *follow = (struct follow *)feed;
	uint64_t now_ns = lai_clock_now();

	if (now_ns >= follow->check_at_ns)
		look(follow, now_ns);
}

static void follow_reopen(struct lai_feed *feed)
{
	struct follow *follow = (struct follow *)feed;

	follow->check_at_ns = 0;
	follow->idle = false;
}

static bool follow_place(const struct lai_feed *feed, size_t left, struct lai_feed_place *place)
{
	const struct follow *follow = (const struct follow *)feed;

	return follow->count > 0 && lai_feed_tail_place(&follow->files[0], left, place);
}

static const struct lai_feed_ops follow_ops = {
	.free = follow_free,
	.fd = follow_fd,
	.deadline = follow_deadline,
	.read = follow_read,
	.tend = follow_tend,
	.reopen = follow_reopen,
	.name = follow_name,
	.place = follow_place,
};

/* ---- going on where another run stopped ------------------------------------------------- */

/* The file of this place, if it is in the directory of the name: a descriptor, or -1. */
static int open_inode(const struct follow *follow, const struct lai_feed_place *place,
		      struct stat *status)
{
	DIR *directory = opendir(follow->watch.directory_path);
	struct dirent *entry;
	int fd = -1;

	while (directory && fd < 0 && (entry = readdir(directory)) != NULL) {
		if (entry->d_ino != place->inode)
			continue;
		fd = openat(dirfd(directory), entry->d_name,
			    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
		if (fd >= 0 && (fstat(fd, status) != 0 || !S_ISREG(status->st_mode))) {
			(void)close(fd);
			fd = -1;
		}
	}
	if (directory)
		(void)closedir(directory);
	return fd;
}

/* It was rotated meanwhile: its rest comes first, under the name that it has now. */
static void resume_rotated(struct follow *follow, const struct lai_feed_place *place,
			   uint64_t now_ns)
{
	struct stat status;
	int fd = open_inode(follow, place, &status);

	if (fd < 0)
		return;
	add_file(follow, fd, &status, now_ns);
	follow->feed.resumed = lai_feed_tail_resume(&follow->files[0], place);
	if (!follow->feed.resumed)
		drop_first(follow);
	follow->had_file = follow->feed.resumed;
}

/* The first look, where a mistake is the user's: a missing file may come, a missing directory is
   a slip of the pen. */
static int first_look(struct follow *follow, const struct lai_feed_config *config, char **error)
{
	const struct lai_feed_place *place = config->resume;
	uint64_t now_ns = lai_clock_now();
	struct stat status;
	int result;

	if (place && (stat(follow->path, &status) != 0 || status.st_ino != place->inode ||
		      status.st_dev != place->device))
		resume_rotated(follow, place, now_ns);
	result = take_named(follow, error, now_ns);
	if (result == 0 && place && !follow->feed.resumed)
		follow->feed.resumed = lai_feed_tail_resume(&follow->files[0], place);
	if (result == 0 && config->from_end && !follow->feed.resumed)
		lai_feed_tail_to_end(&follow->files[0], config->records);
	if (result != -ENOENT)
		return result;
	lai_feed_unsay(error);
	if (access(follow->watch.directory_path, F_OK) != 0)
		return lai_error(error, -errno, "cannot follow %s: its directory: %s", follow->path,
				 strerror(errno));
	return 0;
}

int lai_feed_follow_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error)
{
	struct follow *follow;
	int result = -ENOMEM;

	if (strcmp(config->follow, "-") == 0)
		return lai_error(error, -EINVAL,
				 "cannot follow standard input; it is read to its end anyway");
	follow = calloc(1, sizeof(*follow));
	if (!follow)
		return -ENOMEM;
	follow->feed = (struct lai_feed){.ops = &follow_ops, .records = config->records};
	follow->watch.fd = -1;
	follow->recheck_ns = config->recheck_ns ? config->recheck_ns : LAI_FEED_RECHECK_NS;
	follow->path = strdup(config->follow);
	if (!follow->path)
		goto out;
	result = lai_feed_watch_open(&follow->watch, follow->path, config->no_inotify);
	if (result == 0)
		result = first_look(follow, config, error);
	else if (result != -ENOMEM)
		(void)lai_error(error, result, "cannot follow %s: %s", follow->path,
				strerror(-result));
out:
	if (result == 0)
		*feed = &follow->feed;
	else
		lai_feed_free(&follow->feed);
	return result;
}
