/* SPDX-License-Identifier: MIT */
/*
 * line_server.h - a server that takes every connection, reads numbered lines to the end of each,
 * and remembers which numbers its program has read as whole lines. It allocates nothing while it
 * runs.
 */
#ifndef T_FAULT_LINE_SERVER_H
#define T_FAULT_LINE_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define T_LINES_MAX 64
#define T_LINE_BYTES 6 /* "00042\n" */
#define T_SOCKETS_MAX 64
#define T_READ_BYTES 4096

struct t_socket {
	int fd;
	char line[T_LINE_BYTES];
	size_t bytes; /* of the line under way */
};

struct t_server {
	pthread_t thread;
	int listener, stop[2];
	uint16_t port;
	atomic_bool seen[T_LINES_MAX];
	atomic_bool torn; /* something that is no numbered line, or came out of order */
	atomic_int open;
	atomic_uint last_port; /* of the peer that was accepted last */
	struct t_socket sockets[T_SOCKETS_MAX];
};

static void t_server_line(struct t_server *server, const char *line)
{
	unsigned number = 0;

	for (int i = 0; i < T_LINE_BYTES - 1; i++) {
		if (line[i] < '0' || line[i] > '9')
			atomic_store(&server->torn, true);
		number = number * 10 + (unsigned)(line[i] - '0');
	}
	if (line[T_LINE_BYTES - 1] != '\n' || number >= T_LINES_MAX)
		atomic_store(&server->torn, true);
	else
		atomic_store(&server->seen[number], true);
}

/* A connection begins at a line; it may end in the middle of one. */
static void t_server_read(struct t_server *server, struct t_socket *socket)
{
	char data[T_READ_BYTES];
	ssize_t size = recv(socket->fd, data, sizeof(data), MSG_DONTWAIT);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < size; i++) {
		socket->line[socket->bytes++] = data[i];
		if (socket->bytes < T_LINE_BYTES)
			continue;
		t_server_line(server, socket->line);
		socket->bytes = 0;
	}
	if (size > 0)
		return;
	(void)close(socket->fd);
	socket->fd = -1;
	atomic_fetch_sub(&server->open, 1);
}

static void t_server_accept(struct t_server *server)
{
	struct sockaddr_in peer = {0};
	socklen_t length = sizeof(peer);
	int fd = accept4(server->listener, (struct sockaddr *)&peer, &length,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; fd >= 0 && i < T_SOCKETS_MAX; i++) {
		if (server->sockets[i].fd >= 0)
			continue;
		server->sockets[i] = (struct t_socket){.fd = fd};
		atomic_fetch_add(&server->open, 1);
		atomic_store(&server->last_port, ntohs(peer.sin_port));
		return;
	}
	if (fd >= 0)
		(void)close(fd);
}

static void *t_server_run(void *arg)
{
	struct t_server *server = arg;

	for (;;) {
		struct pollfd ready[T_SOCKETS_MAX + 2];

		for (int i = 0; i < T_SOCKETS_MAX; i++)
			ready[i] = (struct pollfd){.fd = server->sockets[i].fd, .events = POLLIN};
		ready[T_SOCKETS_MAX] = (struct pollfd){.fd = server->listener, .events = POLLIN};
		ready[T_SOCKETS_MAX + 1] = (struct pollfd){.fd = server->stop[0], .events = POLLIN};
		(void)poll(ready, T_SOCKETS_MAX + 2, -1);
		for (int i = 0; i < T_SOCKETS_MAX; i++)
			if (ready[i].revents)
				t_server_read(server, &server->sockets[i]);
		if (ready[T_SOCKETS_MAX].revents)
			t_server_accept(server);
		if (ready[T_SOCKETS_MAX + 1].revents)
			return NULL;
	}
}

/* false: there is no loopback, or no thread. */
static bool t_server_start(struct t_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	memset(server, 0, sizeof(*server));
	for (int i = 0; i < T_SOCKETS_MAX; i++)
		server->sockets[i].fd = -1;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(server->listener, T_SOCKETS_MAX) != 0 ||
	    getsockname(server->listener, (struct sockaddr *)&address, &length) != 0 ||
	    pipe2(server->stop, O_CLOEXEC) != 0)
		return false;
	server->port = ntohs(address.sin_port);
	return pthread_create(&server->thread, NULL, t_server_run, server) == 0;
}

static void t_server_stop(struct t_server *server)
{
	(void)!write(server->stop[1], "", 1);
	pthread_join(server->thread, NULL);
	for (int i = 0; i < T_SOCKETS_MAX; i++)
		if (server->sockets[i].fd >= 0)
			(void)close(server->sockets[i].fd);
	(void)close(server->listener);
	(void)close(server->stop[0]);
	(void)close(server->stop[1]);
}

/*
 * A connection behind all others: once the server has accepted it, it has accepted them all. Its
 * port, 0 if it could not be made; it is closed again.
 */
static unsigned t_server_probe(const struct t_server *server)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(server->port)};
	struct sockaddr_in from = {0};
	socklen_t length = sizeof(from);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		(void)getsockname(fd, (struct sockaddr *)&from, &length);
	(void)close(fd);
	return ntohs(from.sin_port);
}

/* For the next run; no connection may be open. */
static void t_server_forget(struct t_server *server)
{
	for (int i = 0; i < T_LINES_MAX; i++)
		atomic_store(&server->seen[i], false);
	atomic_store(&server->torn, false);
}

#endif
