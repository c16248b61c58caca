/* SPDX-License-Identifier: MIT */
/*
 * server.h - a server for replay_test.c that ends its connections at places of its own choice, and
 * keeps every byte that its program has read, connection by connection.
 *
 * How a server resets a connection with nothing lost. A byte that the server's kernel has
 * acknowledged and its program has not read is lost by an RST, and no sender can know of it. A
 * program that reads until EAGAIN and then aborts still loses what arrives between the two. So:
 *
 *   1. unplug   SO_ATTACH_FILTER with a filter that passes nothing: from now on every segment for
 *               this socket is thrown away before TCP sees it, so nothing more is acknowledged.
 *   2. barrier  membarrier(GLOBAL): a segment that had passed the filter on another CPU just before
 *               is in the queue now, since every CPU has been out of its interrupt meanwhile.
 *   3. drain    read until EAGAIN: all that was ever taken is read.
 *   4. ACK      TCP_QUICKACK sends the ACK that may have been delayed; the thread stays on one CPU,
 *               so that on loopback it cannot be overtaken by
 *   5. RST      SO_LINGER{1, 0} and close().
 *
 * What the sender believes acknowledged is now exactly what the program has read, while as much as
 * it likes is still on its way: the sender goes on writing behind the plug.
 */
#ifndef T_REPLAY_SERVER_H
#define T_REPLAY_SERVER_H

#include "base/random.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define PIECE_MAX (64 * 1024)
/* A lower bound on what is read before a reset: enough to tell where in the stream it stands. */
#define READ_MIN 32
/* Byte by byte would be slow. */
#define READS_MAX 1000
/* How long a server that wants unread data waits for it, at most: the sender may have no more. */
#define FILL_MS 10

enum ending {
	END_DRAINED, /* reset with everything read that was acknowledged, see above */
	END_UNREAD,  /* close() with unread data in the queue: the kernel answers RST */
	END_PROPER   /* read to EOF, then close */
};

struct connection {
	enum ending ending;
	bool eof; /* the sender's FIN was read */
	char *data;
	size_t size, room;
};

struct server {
	int listener;
	struct sockaddr_in address;
	struct lai_random random;
	int resets;	      /* so many connections are reset, those after them are not */
	bool drained, unread; /* which of the two ways of resetting it may choose */
	uint64_t read_max;    /* before a reset */
	bool failed;	      /* a system call failed, or there were too many connections */
	struct connection connections[CONNECTIONS_MAX];
	int count;
	pthread_t thread;
};

/* Moves the calling thread to the first (or second, ...) CPU it may use. */
static inline void stay_on_cpu(int wanted)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (wanted-- == 0)
			(void)sched_setaffinity(0, sizeof(one), &one);
	}
}

static inline bool barrier_exists(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

/* One recv(); false: EOF, an error, or nothing there now. */
static inline bool server_take(struct server *server, struct connection *connection, int fd,
			       size_t most, int flags)
{
	ssize_t n;

	if (connection->room - connection->size < most) {
		connection->room = (connection->size + most) * 2;
		connection->data = realloc(connection->data, connection->room);
		if (!connection->data)
			abort();
	}
	n = recv(fd, connection->data + connection->size, most, flags);
	connection->eof = n == 0;
	if (n < 0 && errno != EAGAIN)
		server->failed = true;
	if (n > 0)
		connection->size += (size_t)n;
	return n > 0;
}

/* Reads a number of bytes that is drawn; false: EOF came first. */
static inline bool server_read_some(struct server *server, struct connection *connection, int fd)
{
	uint64_t wanted = READ_MIN + lai_random_below(&server->random, server->read_max);
	uint64_t piece_max = 1 + wanted / READS_MAX + lai_random_below(&server->random, PIECE_MAX);

	while (connection->size < wanted) {
		uint64_t left = wanted - connection->size;

		if (!server_take(server, connection, fd, left < piece_max ? left : piece_max, 0))
			return false;
	}
	return true;
}

static inline void server_abort(int fd)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)close(fd);
}

/* See the top of this file. */
static inline void server_end_drained(struct server *server, struct connection *connection, int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = {.len = 1, .filter = &nothing};
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
	    !barrier_exists())
		server->failed = true;
	while (server_take(server, connection, fd, PIECE_MAX, MSG_DONTWAIT))
		;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	server_abort(fd);
}

/* Lets data pile up unread, more or less of it, and closes: the kernel says RST (RFC 2525, 2.17).
 */
static inline void server_end_unread(struct server *server, int fd)
{
	struct pollfd slot = {.fd = fd, .events = POLLIN};
	int low_water = 1 << lai_random_below(&server->random, 20);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
	(void)poll(&slot, 1, FILL_MS);
	(void)close(fd);
}

static inline void server_serve(struct server *server, int fd)
{
	struct connection *connection = &server->connections[server->count];
	bool drained =
		server->drained && (!server->unread || lai_random_below(&server->random, 4) == 0);

	*connection = (struct connection){.ending = END_PROPER};
	if (server->count < server->resets && server_read_some(server, connection, fd)) {
		connection->ending = drained ? END_DRAINED : END_UNREAD;
		if (drained)
			server_end_drained(server, connection, fd);
		else
			server_end_unread(server, fd);
	} else {
		while (!connection->eof && server_take(server, connection, fd, PIECE_MAX, 0))
			;
		(void)close(fd);
	}
	server->count++;
}

static inline void *server_run(void *arg)
{
	struct server *server = arg;
	int fd;

	stay_on_cpu(1);
	/* server_stop() makes accept() fail. */
	while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (server->count == CONNECTIONS_MAX) {
			server->failed = true;
			server_abort(fd);
			continue;
		}
		server_serve(server, fd);
	}
	return NULL;
}

/* The receive buffer of its connections: 0 leaves the kernel's choice. False: not possible. */
static inline bool server_start(struct server *server, int rcvbuf_bytes)
{
	socklen_t length = sizeof(server->address);

	server->address = (struct sockaddr_in){.sin_family = AF_INET,
					       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listener < 0)
		return false;
	if (rcvbuf_bytes) /* before listen(): the window scale is chosen by it */
		(void)setsockopt(server->listener, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes,
				 sizeof(rcvbuf_bytes));
	if (bind(server->listener, (struct sockaddr *)&server->address, length) == 0 &&
	    listen(server->listener, SOMAXCONN) == 0 &&
	    getsockname(server->listener, (struct sockaddr *)&server->address, &length) == 0 &&
	    pthread_create(&server->thread, NULL, server_run, server) == 0)
		return true;
	(void)close(server->listener);
	return false;
}

static inline void server_stop(struct server *server)
{
	(void)shutdown(server->listener, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	(void)close(server->listener);
}

static inline void server_free(struct server *server)
{
	for (int i = 0; i < server->count; i++)
		free(server->connections[i].data);
}

#endif
