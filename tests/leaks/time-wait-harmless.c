/* SPDX-License-Identifier: MIT */
/*
 * time-wait-harmless.c - no leak: thousands of TIME_WAIT on a server's own port.
 *
 * A server that closes first keeps a small memory of each connection for 60 s (some 170 bytes). They
 * all have the server's port, so they use up nobody's; a list full of them has frightened many into
 * settings that break connections (tcp_tw_recycle). See V. Bernat, "Coping with the TCP TIME-WAIT
 * state on busy Linux servers".
 *
 * Clients come and go, and the server closes each first: 2500 of them, or 10000.
 */
#include "leak.h"

#define SOURCES 8      /* addresses of the clients, so that few of their ports meet a TIME_WAIT */
#define LOOK_EVERY 100 /* connections */
#define TRIES 4	       /* as many connections as are wanted, and so many times more, will do */

static int wanted;

/* TIME_WAIT in this network namespace, as the kernel counts them. */
static int time_waits(void)
{
	char line[256];
	int found = 0;
	FILE *file = fopen("/proc/net/sockstat", "re");

	leak_check(file, "/proc/net/sockstat");
	while (fgets(line, sizeof(line), file))
		(void)sscanf(line, "TCP: inuse %*d orphan %*d tw %d", &found);
	(void)fclose(file);
	return found;
}

static void server(void)
{
	int listener = leak_listen();

	for (int i = 1; !leak_board->ready; i++) {
		(void)close(leak_accept(listener));
		if (i % LOOK_EVERY == 0 && time_waits() >= wanted)
			leak_ready();
		if (i == wanted * TRIES)
			leak_skip("no more than %d TIME_WAIT are kept here (tcp_max_tw_buckets?)",
				  time_waits());
	}
	leak_rest_accepting(listener);
}

static int connect_from(uint32_t source)
{
	struct sockaddr_in from = leak_loopback(0), to = leak_loopback(leak_board->ports[0]);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source);
	leak_check(fd >= 0 &&
			   setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ==
				   0 &&
			   bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
			   connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0,
		   "connect");
	return fd;
}

static void client(void)
{
	LEAK_UNTIL(leak_board->ports[0] != 0);
	for (uint32_t i = 0; !leak_board->ready; i++) {
		int fd = connect_from(i % SOURCES);

		leak_read_eof(fd);
		(void)close(fd);
	}
	leak_rest(NULL, 0);
}

int main(int count, char **args)
{
	pid_t innocent;

	wanted = leak_begin(count, args, "2500 10000") == 0 ? 2500 : 10000;
	innocent = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(innocent);
}
