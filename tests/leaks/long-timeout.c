/* SPDX-License-Identifier: MIT */
/*
 * long-timeout.c - no leak: each connection is closed, only late, as configured.
 *
 * Whoever looks sees CLOSE_WAIT at any time, and never the same ones: the server ends a connection
 * some seconds after the client has. HAProxy with a client timeout of 12 hours, shadowsocks, workers
 * that finish after a reload. All are younger than one bound, and their number does not grow.
 *
 * Here four clients a second come and go; the server closes 5 s after the end of each.
 */
#include "leak.h"

#define CLOSE_AFTER_MS 5000
#define ARRIVAL_MS 250
#define MOST (CLOSE_AFTER_MS / ARRIVAL_MS * 4) /* at once, with room for a loaded machine */

struct connection {
	int fd;		 /* -1: free */
	int64_t ends_ms; /* 0: not known yet, the client has not closed */
};

static struct connection connections[MOST];

static void take(int listener)
{
	for (int i = 0; i < MOST; i++) {
		if (connections[i].fd >= 0)
			continue;
		connections[i] = (struct connection){.fd = leak_accept(listener)};
		leak_read_eof(connections[i].fd);
		connections[i].ends_ms = leak_now_ms() + CLOSE_AFTER_MS;
		return;
	}
	leak_die("more clients than there is room for");
}

static void close_due(void)
{
	for (int i = 0; i < MOST; i++) {
		if (connections[i].fd < 0 || leak_now_ms() < connections[i].ends_ms)
			continue;
		(void)close(connections[i].fd);
		connections[i].fd = -1;
		leak_ready(); /* from now on as many go as come */
	}
}

static void server(void)
{
	struct pollfd poll_listener = {.fd = leak_listen(), .events = POLLIN};

	for (int i = 0; i < MOST; i++)
		connections[i].fd = -1;
	for (;;) {
		if (poll(&poll_listener, 1, ARRIVAL_MS / 5) > 0)
			take(poll_listener.fd);
		close_due();
	}
}

/* Closes those whose server has. */
static void close_ended(struct pollfd *polls)
{
	for (int i = 0; i < MOST; i++) {
		if (polls[i].fd >= 0 && polls[i].revents) {
			(void)close(polls[i].fd);
			polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
		}
	}
}

/* Many clients in one: each sends its FIN at once and waits for the server's. */
static void client(void)
{
	struct pollfd polls[MOST];

	for (int i = 0; i < MOST; i++)
		polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	for (int i = 0;; i = (i + 1) % MOST) {
		int64_t next_ms = leak_now_ms() + ARRIVAL_MS, left_ms;

		if (polls[i].fd < 0) {
			polls[i].fd = leak_connect();
			leak_finish(polls[i].fd);
		}
		while ((left_ms = next_ms - leak_now_ms()) > 0) {
			(void)poll(polls, MOST, (int)left_ms);
			close_ended(polls);
		}
	}
}

int main(int count, char **args)
{
	pid_t guilty;

	(void)leak_begin(count, args, "default");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
