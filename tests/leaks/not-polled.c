/* SPDX-License-Identifier: MIT */
/*
 * not-polled.c - the event loop lives, but does not watch the descriptor for input.
 *
 * epoll tells what it was asked for. A connection whose interest was reduced to output, that was
 * paused and never resumed, whose one shot was spent, or that never got into the set, stays in
 * CLOSE_WAIT while the loop waits for other things in good health. Jetty with interest 0, Node.js
 * after socket.pause(), libuv with only EPOLLOUT armed, Envoy with reads disabled.
 *
 * out: only EPOLLOUT is left. paused: no event is. oneshot: EPOLLONESHOT fired, was not armed again.
 * forgotten: the connection was accepted and not added.
 */
#include "leak.h"

#include <sys/epoll.h>

#define REQUEST "hello"

enum { OUT, PAUSED, ONESHOT, FORGOTTEN };

static int variant;
static int set;

static void control(int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	leak_check(epoll_ctl(set, operation, fd, &event) == 0, "epoll_ctl");
}

static void take(int listener)
{
	int fd = leak_accept(listener);

	if (variant == FORGOTTEN)
		leak_board->step++; /* the bug */
	else
		control(EPOLL_CTL_ADD, fd, EPOLLIN | (variant == ONESHOT ? EPOLLONESHOT : 0u));
}

static void serve(int fd)
{
	leak_read(fd, REQUEST);
	leak_write(fd, "wait");
	/* The bug: the answer takes a while, and nobody asks for input again. For EPOLLONESHOT it is
	   enough to do nothing. Edge-triggered, or the loop would spin. */
	if (variant == OUT)
		control(EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET);
	else if (variant == PAUSED)
		control(EPOLL_CTL_MOD, fd, 0);
	leak_board->step++;
}

static void server(void)
{
	int listener = leak_listen();

	set = epoll_create1(EPOLL_CLOEXEC);
	leak_check(set >= 0, "epoll_create1");
	control(EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(set, &event, 1, -1) != 1)
			continue;
		if (event.data.fd == listener)
			take(listener);
		else if (event.events & EPOLLIN)
			serve(event.data.fd);
	}
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], REQUEST);
	}
	leak_await_step(LEAK_SOCKETS);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_finish(fds[i]);
	leak_ready();
	leak_await_ends(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "out paused oneshot forgotten");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
