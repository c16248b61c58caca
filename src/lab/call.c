/* SPDX-License-Identifier: MIT */
/* call.c - one system call each, with what it gave and how long it took. */
#include "lab/call.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* What is sent: letters, so that a capture shows whether something is missing. */
#define PATTERN_BYTES 65536

const char *lai_call_errno(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "0" : name ? name : "?";
}

/* The clock of one call. */
struct watch {
	uint64_t began_ns, deadline_ns;
};

static struct watch watch_start(uint64_t wait_ns)
{
	uint64_t now_ns = lai_clock_now();

	return (struct watch){now_ns, lai_time_after(now_ns, wait_ns)};
}

static struct lai_call watch_stop(const struct watch *watch, int error, size_t bytes)
{
	return (struct lai_call){
		.error = error,
		.took_ns = lai_time_since(watch->began_ns, lai_clock_now()),
		.bytes = bytes,
	};
}

/* False: the time is over. An error of the socket is something to be woken for as well. */
static bool watch_poll(const struct watch *watch, int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int count;

	do
		count = poll(&poll_fd, 1, lai_clock_timeout_ms(watch->deadline_ns));
	while (count < 0 && errno == EINTR);
	return count > 0;
}

static bool would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

struct lai_call lai_call_bind(int fd, const struct lai_address *address)
{
	struct watch watch = watch_start(0);
	int error = bind(fd, &address->sa, address->length) < 0 ? errno : 0;

	return watch_stop(&watch, error, 0);
}

struct lai_call lai_call_connect(int fd, const struct lai_address *to, uint64_t wait_ns)
{
	struct watch watch = watch_start(wait_ns);
	int error = connect(fd, &to->sa, to->length) < 0 ? errno : 0;
	socklen_t length = sizeof(error);

	if (error != EINPROGRESS || !watch_poll(&watch, fd, POLLOUT))
		return watch_stop(&watch, error, 0);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	return watch_stop(&watch, error, 0);
}

static char pattern[PATTERN_BYTES];

static void pattern_fill(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)('a' + i % 26);
}

struct lai_call lai_call_send(int fd, size_t bytes, uint64_t wait_ns)
{
	static pthread_once_t filled = PTHREAD_ONCE_INIT;
	struct watch watch = watch_start(wait_ns);
	size_t sent = 0;

	(void)pthread_once(&filled, pattern_fill);
	while (sent < bytes) {
		size_t left = bytes - sent;
		ssize_t count = send(fd, pattern, left < sizeof(pattern) ? left : sizeof(pattern),
				     MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count >= 0)
			sent += (size_t)count;
		else if (!would_block(errno) && errno != EINTR)
			return watch_stop(&watch, errno, sent);
		else if (!watch_poll(&watch, fd, POLLOUT))
			return watch_stop(&watch, EINPROGRESS, sent);
	}
	return watch_stop(&watch, 0, sent);
}

/* Of a watch that began earlier. For TCP, MSG_TRUNC takes bytes out without a place to put them. */
static struct lai_call receive(const struct watch *watch, int fd, void *buffer, size_t size)
{
	for (;;) {
		ssize_t count = recv(fd, buffer, size, MSG_DONTWAIT | (buffer ? 0 : MSG_TRUNC));

		if (count >= 0)
			return watch_stop(watch, 0, (size_t)count);
		if (!would_block(errno) && errno != EINTR)
			return watch_stop(watch, errno, 0);
		if (!watch_poll(watch, fd, POLLIN))
			return watch_stop(watch, EINPROGRESS, 0);
	}
}

struct lai_call lai_call_receive(int fd, void *buffer, size_t size, uint64_t wait_ns)
{
	struct watch watch = watch_start(wait_ns);

	return receive(&watch, fd, buffer, size);
}

struct lai_call lai_call_receive_all(int fd, uint64_t wait_ns)
{
	struct watch watch = watch_start(wait_ns);
	struct lai_call call;
	size_t bytes = 0;

	do {
		call = receive(&watch, fd, NULL, PATTERN_BYTES);
		bytes += call.bytes;
	} while (call.error == 0 && call.bytes > 0);
	call.bytes = bytes;
	return call;
}

struct lai_call lai_call_close(int fd)
{
	struct watch watch = watch_start(0);
	int error = close(fd) < 0 ? errno : 0;

	return watch_stop(&watch, error, 0);
}
