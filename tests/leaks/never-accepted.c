/* SPDX-License-Identifier: MIT */
/*
 * never-accepted.c - connections that the kernel has completed and no program has accepted.
 *
 * The kernel finishes the handshake, acknowledges data and even the FIN on its own; the connection
 * waits in the listener's queue for an accept(). If the thread that accepts is dead, blocked or has
 * switched itself off, the queue fills with CLOSE_WAIT that belong to no descriptor: every tool
 * prints "-" for their process. Health checks of a load balancer rotting in rsyslog's backlog,
 * HAProxy with "-" as owner, Jetty with all threads of the pool waiting.
 *
 * closed: the clients have gone (CLOSE_WAIT). open: they still wait for an answer (ESTABLISHED).
 */
#include "leak.h"

enum { CLOSED, OPEN };

static int variant;

static void server(void)
{
	(void)leak_listen_at(0, 2 * LEAK_SOCKETS);
	/* The bug: nothing here ever calls accept(). */
	leak_rest(NULL, 0);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "GET /health HTTP/1.0\r\n\r\n");
		if (variant == CLOSED)
			leak_finish(fds[i]);
	}
	leak_ready();
	leak_rest(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "closed open");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
