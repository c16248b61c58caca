/* SPDX-License-Identifier: MIT */
/*
 * poisoned-tuple.c - a CLOSE_WAIT whose peer has gone: its port is free there, and not here.
 *
 * The client has closed; a minute later the kernel ends its FIN_WAIT2, and the client's port is free
 * again. The server's end is still there, leaked. The next connect() that draws this port for this
 * server sends its SYN into the old connection and gets an ACK that means nothing to it. It answers
 * RST and tries again; where one of these packets is dropped on the way, connect() hangs until
 * ETIMEDOUT, on localhost. Cloudflare: "This is strictly a violation of the TCP specification".
 *
 * The server is that of eof-ignored, so the doctor names that as the cause, and this beside it. So as
 * not to wait a minute, the clients give their FIN_WAIT2 one second (TCP_LINGER2).
 */
#include "leak.h"

#define LINGER_S 1

static int ports[LEAK_SOCKETS]; /* of the clients */

/* Is there a socket with this local port and our listener as its peer? */
static bool peer_lives(int port)
{
	unsigned local, remote;
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/net/tcp", "re");

	leak_check(file, "/proc/net/tcp");
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, " %*d: %*x:%x %*x:%x", &local, &remote) == 2 &&
			(int)local == port && (int)remote == leak_board->ports[0];
	(void)fclose(file);
	return found;
}

static void server(void)
{
	struct sockaddr_in address = {.sin_port = 0};
	socklen_t size = sizeof(address);
	int listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		int fd = leak_accept(listener);

		leak_check(getpeername(fd, (struct sockaddr *)&address, &size) == 0, "getpeername");
		ports[i] = ntohs(address.sin_port);
		leak_read(fd, "hello");
		leak_read_eof(fd);
		/* The bug: no close(fd). */
	}
	for (int i = 0; i < LEAK_SOCKETS; i++)
		LEAK_UNTIL(!peer_lives(ports[i]));
	leak_ready();
	leak_rest_accepting(listener);
}

static void client(void)
{
	int linger_s = LINGER_S;

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		int fd = leak_connect();

		leak_check(setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &linger_s, sizeof(linger_s)) ==
				   0,
			   "TCP_LINGER2");
		leak_write(fd, "hello");
		(void)close(fd);
	}
	leak_rest(NULL, 0);
}

int main(int count, char **args)
{
	pid_t guilty;

	(void)leak_begin(count, args, "default");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
