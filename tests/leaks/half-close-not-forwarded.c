/* SPDX-License-Identifier: MIT */
/*
 * half-close-not-forwarded.c - a proxy that keeps the end of one leg to itself.
 *
 *	client  --FIN-->  proxy (CLOSE_WAIT)   proxy (ESTABLISHED)  ---------  backend
 *
 * The question has been answered, and the client has said all it had to say. The backend will close
 * once it sees the end. The proxy between them has read the end and does not pass it on, as it copies each
 * direction on its own, and only gives up a connection when both are done: io.Copy() twice, in
 * kube-proxy, libnetwork, sing, and a proxy that lost 300,000 descriptors that way. All three wait
 * for ever; the guilty one is in the middle.
 *
 * threads: one thread per direction. loop: one event loop for both.
 */
#include "leak.h"

#include <pthread.h>
#include <sys/epoll.h>

#define QUESTION "hello"
#define ANSWER "world"

enum { THREADS, LOOP };
enum { FRONT, BACK }; /* places of the ports on the board */

static int variant;

struct leg {
	int from, to;
	pthread_t thread;
};

static struct leg up[LEAK_SOCKETS], down[LEAK_SOCKETS];

/* False at the end of one direction. */
static bool copy_once(const struct leg *leg)
{
	char bytes[4096];
	ssize_t got = read(leg->from, bytes, sizeof(bytes));

	return got > 0 && write(leg->to, bytes, (size_t)got) == got;
}

static void *copy(void *arg)
{
	while (copy_once(arg))
		;
	/* The bug: no shutdown(leg->to, SHUT_WR). */
	return NULL;
}

static void copy_in_threads(void)
{
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_check(pthread_create(&up[i].thread, NULL, copy, &up[i]) == 0 &&
				   pthread_create(&down[i].thread, NULL, copy, &down[i]) == 0,
			   "a thread");
	for (int i = 0; i < LEAK_SOCKETS; i++)
		(void)pthread_join(up[i].thread, NULL);
}

static void copy_in_loop(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), open = LEAK_SOCKETS;

	leak_check(set >= 0, "epoll_create1");
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		struct epoll_event above = {.events = EPOLLIN, .data.ptr = &up[i]},
				   below = {.events = EPOLLIN, .data.ptr = &down[i]};

		leak_check(epoll_ctl(set, EPOLL_CTL_ADD, up[i].from, &above) == 0 &&
				   epoll_ctl(set, EPOLL_CTL_ADD, down[i].from, &below) == 0,
			   "epoll_ctl");
	}
	for (;;) {
		struct epoll_event event;
		struct leg *leg;

		if (epoll_wait(set, &event, 1, -1) != 1)
			continue;
		leg = event.data.ptr;
		if (copy_once(leg))
			continue;
		/* The bug: this direction is done, and only this end learns of it. */
		(void)epoll_ctl(set, EPOLL_CTL_DEL, leg->from, NULL);
		if (--open == 0)
			leak_ready();
	}
}

static void proxy(void)
{
	int listener = leak_listen_at(FRONT, SOMAXCONN);

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		int front = leak_accept(listener), back = leak_connect_to(BACK);

		up[i] = (struct leg){.from = front, .to = back};
		down[i] = (struct leg){.from = back, .to = front};
	}
	if (variant == LOOP)
		copy_in_loop();
	copy_in_threads();
	leak_ready();
	leak_rest_accepting(listener);
}

/* Answers each question at once, and keeps the connection for the next one. */
static void backend(void)
{
	int fds[LEAK_SOCKETS], listener = leak_listen_at(BACK, SOMAXCONN);

	for (int i = 0; i < LEAK_SOCKETS; i++)
		fds[i] = leak_accept(listener);
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		leak_read(fds[i], QUESTION);
		leak_write(fds[i], ANSWER);
	}
	leak_rest(fds, LEAK_SOCKETS);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect_to(FRONT);
		leak_write(fds[i], QUESTION);
	}
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		leak_read(fds[i], ANSWER);
		leak_finish(fds[i]);
	}
	leak_await_ends(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "threads loop");
	guilty = leak_start(NULL, proxy);
	(void)leak_start("backend", backend);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
