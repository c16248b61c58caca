/* SPDX-License-Identifier: MIT */
/*
 * unread-backlog.c - reading has stopped in the middle, and the FIN waits behind the rest.
 *
 * A parser that waits for the end of a message which does not fit its buffer, a queue downstream
 * that is full for ever: the program has read something, stopped, and will not go on, so it never
 * gets as far as the FIN. HAProxy with a partial message before the FIN (Recv-Q 13340 and 59419),
 * Cloud Foundry's gorouter (696 to 48158). close() would now send RST and destroy those bytes.
 *
 * The descriptor is in the epoll set, for input, edge-triggered: the edge has been seen, the buffer
 * was full, and no other edge comes.
 */
#include "leak.h"

#include <sys/epoll.h>

#define MESSAGE_BYTES 20000 /* what the client sends */
#define BUFFER_BYTES 4096   /* what the server can hold of it */

struct connection {
	int fd;
	size_t used;
	char buffer[BUFFER_BYTES];
};

static void fill(struct connection *connection)
{
	while (connection->used < BUFFER_BYTES) {
		ssize_t got = read(connection->fd, connection->buffer + connection->used,
				   BUFFER_BYTES - connection->used);

		if (got <= 0)
			return;
		connection->used += (size_t)got;
		if (connection->used == BUFFER_BYTES)
			leak_board->step++;
	}
	/* The bug: the message is not complete, the buffer is full, and nobody says so. */
}

static void add(int set, int fd, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
				    .data.ptr = connection};

	leak_check(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void server(void)
{
	struct connection connections[LEAK_SOCKETS];
	int listener = leak_listen(), set = epoll_create1(EPOLL_CLOEXEC);

	leak_check(set >= 0, "epoll_create1");
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		connections[i].fd = leak_accept(listener);
		connections[i].used = 0;
		leak_check(fcntl(connections[i].fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
		add(set, connections[i].fd, &connections[i]);
	}
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(set, &event, 1, -1) == 1)
			fill(event.data.ptr);
	}
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_pour(fds[i], MESSAGE_BYTES);
		leak_finish(fds[i]);
	}
	leak_await_step(LEAK_SOCKETS);
	leak_ready();
	leak_rest(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	(void)leak_begin(count, args, "default");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
