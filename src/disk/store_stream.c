/* SPDX-License-Identifier: MIT */
/*
 * store_stream.c - a store that is a descriptor: each record's body and a newline. It may be a pipe
 * whose reader sleeps: the thread waits for it in steps, says so, and remembers how much of the
 * batch has gone, so that a second try begins there.
 */
#include "disk/store_output.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What polls writable takes that much without blocking: a terminal, and a pipe if we are the only
   ones who write to it. */
#define STEP_BYTES PIPE_BUF
/* What cannot block takes any amount. */
#define LARGE_STEP_BYTES (256u << 10)
/* No byte taken for so long: then there is trouble to tell, or at the end nothing to wait for. */
#define PATIENCE_MS 2000

struct stream {
	struct lai_store_output output;
	int fd;
	int own_fd;  /* fd, if it is ours to close; else -1 */
	mode_t kind; /* S_IFREG, S_IFIFO ... */
	size_t step_bytes;
	enum la_durability durability;
	struct lai_buffer lines; /* of the batch, or of what is left of it */
	uint64_t ticket;	 /* whose lines these are; 0: nobody's */
};

static struct stream *stream_of(struct lai_store_output *output)
{
	return (struct stream *)output;
}

static int failed(struct stream *stream, int error)
{
	if (error == -EPIPE || error == -ECONNRESET) {
		stream->output.failed = true;
		return lai_error(&stream->output.why, error, "nobody reads the output any more");
	}
	if (error == -EAGAIN)
		return lai_error(&stream->output.why, error,
				 "whoever reads the output does not read");
	return lai_error(&stream->output.why, error, "the output says: %s", strerror(-error));
}

static bool gather(struct stream *stream, const struct lai_store_batch *batch)
{
	struct lai_store_record record;
	size_t place = 0;

	stream->ticket = 0;
	if (!lai_store_buffer_begin(&stream->lines, lai_store_batch_bytes(batch)))
		return false;
	while (lai_store_batch_next(batch, &place, &record))
		if (!lai_buffer_append(&stream->lines, record.body.data, record.body.size) ||
		    !lai_buffer_append(&stream->lines, "\n", 1))
			return false;
	stream->ticket = batch->ticket;
	return true;
}

/* 0: it can be written to; -EAGAIN: not in time. */
static int wait_for_reader(struct stream *stream)
{
	struct pollfd fd = {.fd = stream->fd, .events = POLLOUT};
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), PATIENCE_MS * LAI_MS);
	int count;

	do
		count = poll(&fd, 1, lai_clock_timeout_ms(deadline_ns));
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	return count > 0 ? 0 : -EAGAIN;
}

static ssize_t write_step(struct stream *stream)
{
	const char *data = lai_buffer_data(&stream->lines);
	size_t size = lai_buffer_used(&stream->lines);
	size_t step = stream->step_bytes;
	ssize_t written;

	if (stream->kind == S_IFSOCK)
		written = send(stream->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		written = write(stream->fd, data, size < step ? size : step);
	return written < 0 ? -errno : written;
}

static int write_lines(struct stream *stream)
{
	ssize_t written;
	int error;

	while (lai_buffer_used(&stream->lines) > 0) {
		error = stream->kind == S_IFREG ? 0 : wait_for_reader(stream);
		if (error)
			return error;
		written = write_step(stream);
		if (written > 0)
			lai_buffer_consume(&stream->lines, (size_t)written);
		else if (written < 0 && written != -EINTR && written != -EAGAIN)
			return (int)written;
	}
	return 0;
}

static int sync_file(struct stream *stream)
{
	return stream->kind == S_IFREG && fdatasync(stream->fd) != 0 ? -errno : 0;
}

static void count(const struct lai_store_batch *batch, struct lai_store_counts *counts)
{
	struct lai_store_record record;
	size_t place = 0;

	while (lai_store_batch_next(batch, &place, &record)) {
		counts->records++;
		counts->bytes += record.body.size;
	}
}

static int stream_write(struct lai_store_output *output, const struct lai_store_batch *batch,
			struct lai_store_counts *counts)
{
	struct stream *stream = stream_of(output);
	int error = 0;

	if (stream->ticket != batch->ticket && !gather(stream, batch))
		error = -ENOMEM;
	if (!error)
		error = write_lines(stream);
	if (!error && stream->durability == LA_DURABILITY_FULL)
		error = sync_file(stream);
	if (error)
		return failed(stream, error);
	count(batch, counts);
	return 0;
}

static int stream_sync(struct lai_store_output *output)
{
	struct stream *stream = stream_of(output);
	int error = sync_file(stream);

	return error ? failed(stream, error) : 0;
}

static void stream_close(struct lai_store_output *output)
{
	struct stream *stream = stream_of(output);

	if (stream->own_fd >= 0)
		(void)close(stream->own_fd);
	lai_buffer_done(&stream->lines);
	free(output->why);
	free(stream);
}

static const struct lai_store_output_kind kind = {
	.write = stream_write,
	.sync = stream_sync,
	.close = stream_close,
};

/*
 * Others use the descriptor too, perhaps, and would not expect it to become non-blocking: a pipe is
 * opened a second time. Where that is not possible small steps must do.
 */
static void adopt(struct stream *stream, int fd)
{
	char path[32];

	stream->fd = fd;
	stream->own_fd = -1;
	stream->step_bytes = stream->kind == S_IFREG ? LARGE_STEP_BYTES : STEP_BYTES;
	if (stream->kind != S_IFIFO)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	stream->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (stream->own_fd < 0)
		return;
	stream->fd = stream->own_fd;
	stream->step_bytes = LARGE_STEP_BYTES;
}

int lai_store_stream_open(struct lai_store_output **output,
			  const struct lai_store_settings *settings, char **error)
{
	struct stream *stream;
	struct stat status;

	*error = NULL;
	if (fstat(settings->output, &status) != 0)
		return lai_error(error, -errno, "the output (descriptor %d) says: %s",
				 settings->output, strerror(errno));
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->output.kind = &kind;
	stream->kind = status.st_mode & S_IFMT;
	stream->durability = settings->durability;
	adopt(stream, settings->output);
	*output = &stream->output;
	return 0;
}
