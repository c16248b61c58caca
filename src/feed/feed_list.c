/* SPDX-License-Identifier: MIT */
/*
 * feed_list.c - standard input, or files read one after another.
 *
 * Files are tried at the start and opened again at their turn: a thousand names must not need a
 * thousand descriptors. A FIFO is only asked for permission, since opening and closing it would
 * send its writer a SIGPIPE.
 *
 * Standard input may be shared with the shell, so it stays in blocking mode; each read asks first
 * whether it would wait. What we open ourselves is non-blocking, for poll(2) can be wrong when
 * somebody else reads the same pipe.
 */
#include "feed/feed_source.h"

#include "base/error.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* What an unprivileged process may ask for (/proc/sys/fs/pipe-max-size); fewer, larger reads. */
#define PIPE_BYTES (1 << 20)

struct list {
	struct lai_feed feed;
	char **names;
	size_t count;
	size_t current;
	int stdin_fd;
	int fd;	      /* of the current file; -1: not open yet */
	bool waits;   /* no regular file: reading it may wait */
	bool no_wait; /* RWF_NOWAIT works on it, as far as we know */
};

static bool is_stdin(const char *name)
{
	return strcmp(name, "-") == 0;
}

static const char *shown(const char *name)
{
	return is_stdin(name) ? "standard input" : name;
}

static void list_close(struct list *list)
{
	if (list->fd >= 0 && list->fd != list->stdin_fd)
		(void)close(list->fd);
	list->fd = -1;
}

static void list_free(struct lai_feed *feed)
{
	struct list *list = (struct list *)feed;

	list_close(list);
	for (size_t i = 0; list->names && i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	free(list);
}

static int list_fd(const struct lai_feed *feed)
{
	const struct list *list = (const struct list *)feed;

	return list->waits ? list->fd : -1;
}

static uint64_t list_deadline(const struct lai_feed *feed)
{
	return list_fd(feed) < 0 ? 0 : LA_NEVER;
}

static const char *list_name(const struct lai_feed *feed)
{
	const struct list *list = (const struct list *)feed;

	return shown(list->names[list->current < list->count ? list->current : list->count - 1]);
}

/* The descriptor of a file and what it is; -1 and errno. */
static int open_named(const struct list *list, const char *name, struct stat *status)
{
	int fd = is_stdin(name) ? list->stdin_fd
				: open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, status) == 0)
		return fd;
	if (fd != list->stdin_fd)
		(void)close(fd);
	return -1;
}

/* Larger only: what the writer has chosen may be more than ours. */
static void grow_pipe(int fd)
{
	if (fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

/* Opens the current file. 0, or a negative errno with a sentence. */
static int list_open(struct list *list)
{
	const char *name = list->names[list->current], *refusal;
	struct stat status;
	int fd = open_named(list, name, &status);

	if (fd < 0)
		return lai_error(&list->feed.error, -errno, "cannot read %s: %s", shown(name),
				 strerror(errno));
	list->fd = fd;
	refusal = is_stdin(name) ? NULL : lai_feed_refusal(status.st_mode);
	if (refusal) {
		list_close(list);
		return lai_error(&list->feed.error, -EINVAL, "cannot read %s: it %s", name,
				 refusal);
	}
	lai_feed_unsay(&list->feed.error);
	if (S_ISFIFO(status.st_mode))
		grow_pipe(fd);
	list->waits = !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode);
	/* On a FIFO of ours poll() knows that no writer has come yet; read() reports the end. */
	list->no_wait = is_stdin(name);
	return 0;
}

/* As read(), but -EAGAIN instead of waiting. */
static ssize_t read_now(struct list *list, void *room, size_t size)
{
	struct pollfd poll_fd = {.fd = list->fd, .events = POLLIN};
	struct iovec iov = {.iov_base = room, .iov_len = size};
	ssize_t result;
	int ready;

	if (list->waits && list->no_wait) { /* one step: nobody can empty the pipe in between */
		result = preadv2(list->fd, &iov, 1, -1, RWF_NOWAIT);
		if (result >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
			return result >= 0 ? result : -errno;
		list->no_wait = false; /* pipes before Linux 6.4, terminals */
	}
	if (list->waits) {
		ready = poll(&poll_fd, 1, 0);
		if (ready <= 0)
			return ready == 0 ? -EAGAIN : -errno;
	}
	result = read(list->fd, room, size);
	return result >= 0 ? result : -errno;
}

static ssize_t list_read(struct lai_feed *feed, void *room, size_t size, bool *seam)
{
	struct list *list = (struct list *)feed;
	ssize_t result;

	if (list->current == list->count)
		return 0;
	if (list->fd < 0) {
		int error = list_open(list);

		if (error)
			return error;
	}
	result = read_now(list, room, size);
	if (result > 0 || result == -EAGAIN)
		return result;
	if (result == -EINTR)
		return -EAGAIN;
	if (result < 0)
		return lai_error(&feed->error, (int)result, "cannot read %s: %s", list_name(feed),
				 strerror((int)-result));
	list_close(list);
	list->waits = false;
	list->current++;
	*seam = list->current < list->count;
	return 0;
}

static void list_tend(struct lai_feed *feed)
{
	(void)feed;
}

static const struct lai_feed_ops list_ops = {
	.free = list_free,
	.fd = list_fd,
	.deadline = list_deadline,
	.read = list_read,
	.tend = list_tend,
	.reopen = list_tend,
	.name = list_name,
};

static int check_stdin(int fd, char **error)
{
	struct stat status;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &status) != 0)
		return lai_error(error, -EBADF, "cannot read standard input: it is closed");
	if (S_ISDIR(status.st_mode))
		return lai_error(error, -EINVAL, "cannot read standard input: it is a directory");
	if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
		return lai_error(error, -EBADF,
				 "cannot read standard input: it is not open for reading");
	return 0;
}

/* Finds out whether a file can be opened, with a sentence if not. */
static int check_file(const char *name, char **error)
{
	struct stat status;
	const char *refusal;
	int fd = -1, failed = 0;

	if (stat(name, &status) != 0)
		return lai_error(error, -errno, "cannot read %s: %s", name, strerror(errno));
	refusal = lai_feed_refusal(status.st_mode);
	if (refusal)
		return lai_error(error, -EINVAL, "cannot read %s: it %s", name, refusal);
	if (S_ISREG(status.st_mode))
		failed = (fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) < 0;
	else
		failed = faccessat(AT_FDCWD, name, R_OK, AT_EACCESS) != 0;
	if (failed)
		return lai_error(error, -errno, "cannot read %s: %s", name, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return 0;
}

static int check_all(const struct list *list, char **error)
{
	bool stdin_used = false;

	for (size_t i = 0; i < list->count; i++) {
		const char *name = list->names[i];
		int result;

		if (is_stdin(name) && stdin_used)
			return lai_error(error, -EINVAL,
					 "standard input is named twice, but has only one end");
		stdin_used |= is_stdin(name);
		result = is_stdin(name) ? check_stdin(list->stdin_fd, error)
					: check_file(name, error);
		if (result)
			return result;
	}
	return 0;
}

int lai_feed_list_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error)
{
	static const char *const stdin_alone[] = {"-"};
	const char *const *files = config->file_count ? config->files : stdin_alone;
	struct list *list = calloc(1, sizeof(*list));
	int result = -ENOMEM;

	if (!list)
		return -ENOMEM;
	list->feed = (struct lai_feed){.ops = &list_ops, .records = config->records};
	list->stdin_fd = config->stdin_fd;
	list->fd = -1;
	list->count = config->file_count ? config->file_count : 1;
	list->names = calloc(list->count, sizeof(*list->names));
	for (size_t i = 0; i < list->count; i++)
		if (!list->names || !(list->names[i] = strdup(files[i])))
			goto out;
	result = check_all(list, error);
out:
	if (result == 0)
		*feed = &list->feed;
	else
		lai_feed_free(&list->feed);
	return result;
}
