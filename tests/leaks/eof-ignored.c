/* SPDX-License-Identifier: MIT */
/*
 * eof-ignored.c - read() returned 0, and close() was never called.
 *
 * The best known leak of all: recv() says "the peer has closed" by returning 0, and the branch that
 * handles this returns, logs or breaks out of the loop without close(). Often it is an error path,
 * a reference count that never reaches 0, or a response body that is read and not closed: Go's
 * http.Response.Body in goreq, raven-go and go-fastly, refcounts in teleproxy, error paths of
 * Prometheus' client_java. The kernel shows CLOSE_WAIT with Recv-Q 0: even the FIN has been read.
 *
 * Here a server answers a request on each connection, reads the end and forgets the descriptor.
 */
#include "leak.h"

static void server(void)
{
	int listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		int fd = leak_accept(listener);

		leak_read(fd, "hello");
		leak_write(fd, "world");
		leak_read_eof(fd);
		/* The bug: nobody calls close(fd). */
		leak_await_state(fd, TCP_CLOSE_WAIT);
	}
	leak_ready();
	leak_rest_accepting(listener);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	leak_board->pids[1] = (int)getpid();
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "hello");
		leak_read(fds[i], "world");
		leak_finish(fds[i]);
	}
	leak_await_ends(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	(void)leak_begin(count, args, "default");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client); /* "ready" names it as well: the peer */
	return leak_tell(guilty);
}
