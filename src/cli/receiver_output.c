/* SPDX-License-Identifier: MIT */
#include "cli/receiver_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Anybody may read and the umask takes away, as every tool that creates files does. */
#define MODE 0666

/* Our own way into a pipe that others have open as well. */
static int open_pipe_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static int open_standard_output(struct lai_output *output)
{
	struct lai_output result = {.fd = STDOUT_FILENO};
	struct stat status;
	int fd;

	if (fstat(STDOUT_FILENO, &status) != 0)
		return -errno;
	if (S_ISSOCK(status.st_mode)) {
		result.kind = LAI_OUTPUT_SOCKET;
	} else if (S_ISFIFO(status.st_mode)) {
		fd = open_pipe_again(STDOUT_FILENO);
		result.owns_fd = fd >= 0;
		result.fd = fd >= 0 ? fd : STDOUT_FILENO;
		result.kind = fd >= 0 ? LAI_OUTPUT_PLAIN : LAI_OUTPUT_PIECES;
	} else if (isatty(STDOUT_FILENO)) {
		result.kind = LAI_OUTPUT_PIECES;
	}
	*output = result;
	return 0;
}

/* A file whose last line was cut off, by a crash or a full disk. */
static bool lacks_newline(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	bool lacks = false;
	char last;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
		lacks = pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
	(void)close(fd);
	return lacks;
}

static int open_file(const char *path, bool ends_in_newline)
{
	/* O_NONBLOCK means nothing to files; a FIFO without a reader is said instead of
	   waited for. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, MODE);
	int status = 0;

	if (fd < 0)
		return -errno;
	if (ends_in_newline && lacks_newline(path) && write(fd, "\n", 1) != 1)
		status = -errno;
	if (status != 0)
		(void)close(fd);
	return status != 0 ? status : fd;
}

int lai_output_open(struct lai_output *output, const char *path, bool ends_in_newline)
{
	struct lai_output result = {.owns_fd = true};

	if (strcmp(path, "-") == 0)
		return open_standard_output(output);
	result.fd = open_file(path, ends_in_newline);
	if (result.fd < 0)
		return result.fd;
	result.path = strdup(path);
	if (!result.path) {
		(void)close(result.fd);
		return -ENOMEM;
	}
	*output = result;
	return 0;
}

/* A pipe that polls writable takes PIPE_BUF bytes at once (pipe(7)). */
static ssize_t write_piece(int fd, const struct iovec *iov)
{
	struct pollfd slot = {.fd = fd, .events = POLLOUT};

	if (poll(&slot, 1, 0) == 0)
		return -EAGAIN;
	return write(fd, iov->iov_base, iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF);
}

ssize_t lai_output_write(const struct lai_output *output, const struct iovec *iov, int count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	ssize_t size;

	do {
		switch (output->kind) {
		case LAI_OUTPUT_SOCKET:
			size = sendmsg(output->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case LAI_OUTPUT_PIECES: size = write_piece(output->fd, iov); break;
		default: size = writev(output->fd, iov, count);
		}
	} while (size == -1 && errno == EINTR);
	return size == -1 ? -errno : size;
}

int lai_output_reopen(struct lai_output *output, bool ends_in_newline)
{
	int fd, status;

	if (!output->path)
		return 0;
	fd = open_file(output->path, ends_in_newline);
	if (fd < 0)
		return fd;
	status = close(output->fd) == 0 ? 0 : -errno;
	output->fd = fd;
	return status;
}

int lai_output_close(struct lai_output *output)
{
	int status = 0;

	if (output->owns_fd && close(output->fd) != 0)
		status = -errno;
	free(output->path);
	*output = (struct lai_output){.fd = -1};
	return status;
}
