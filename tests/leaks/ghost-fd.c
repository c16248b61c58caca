/* SPDX-License-Identifier: MIT */
/*
 * ghost-fd.c - the descriptor is open, the connection is gone.
 *
 * After a reset, or when both directions have been shut down, the connection disappears from the
 * kernel's tables; the descriptor stays until close(). No list of connections shows it ("ss -s"
 * counts it as "closed"), and yet it counts against the limit of descriptors. Shutdown taken for
 * close in WasmEdge and weechat, errors that nobody asks for in hackney and polipo.
 *
 * rst: the peer has reset the connection. shutdown: both ends have shut down in good order.
 */
#include "leak.h"

enum { RST, SHUTDOWN };

static int variant;

static void server(void)
{
	int fds[LEAK_SOCKETS], listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_accept(listener);
		leak_read(fds[i], "hello");
		if (variant == SHUTDOWN)
			leak_check(shutdown(fds[i], SHUT_RDWR) == 0, "shutdown");
	}
	leak_board->step = 1;
	/* The bug: no close(), and no look at the descriptor either. */
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_await_state(fds[i], TCP_CLOSE);
	leak_ready();
	leak_rest_accepting(listener);
}

static void client(void)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "hello");
	}
	leak_await_step(1);
	for (int i = 0; i < LEAK_SOCKETS && variant == RST; i++) {
		(void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fds[i]);
	}
	leak_rest(fds, variant == RST ? 0 : LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "rst shutdown");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
