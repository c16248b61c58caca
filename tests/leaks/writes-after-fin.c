/* SPDX-License-Identifier: MIT */
/*
 * writes-after-fin.c - the peer has closed, and the program goes on sending to it.
 *
 * A program that only writes never reads, so it never learns of the FIN; or it does look, with
 * MSG_PEEK, and takes no notice. What it sends queues up and will not be read by anybody: rsyslog
 * (peek returns 0, and omfwd still sends, Send-Q grows), .NET in a loop of recvmsg().
 *
 * Here a sender of logs writes a line every 50 ms to collectors which have sent their FIN and do
 * not read.
 */
#include "leak.h"

#include <linux/sockios.h>

#define LINE_MS 50
#define RECEIVE_BUFFER_BYTES 4096 /* of the collector: its window is soon full */

static const char line[1024] = "a log line";

/* The collector's window is full: bytes wait here that have not even been sent. */
static bool is_full(int fd)
{
	int waiting = 0;

	leak_check(ioctl(fd, SIOCOUTQNSD, &waiting) == 0, "SIOCOUTQNSD");
	return waiting > 0;
}

static void send_line(int fd)
{
	char byte;

	/* The bug: a look at the end, and no consequence. */
	(void)recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	(void)send(fd, line, sizeof(line), MSG_DONTWAIT);
}

static void sender(void)
{
	int fds[LEAK_SOCKETS], full = 0;

	for (int i = 0; i < LEAK_SOCKETS; i++)
		fds[i] = leak_connect();
	for (;;) {
		full = 0;
		for (int i = 0; i < LEAK_SOCKETS; i++) {
			send_line(fds[i]);
			full += leak_state(fds[i]) == TCP_CLOSE_WAIT && is_full(fds[i]);
		}
		if (full == LEAK_SOCKETS)
			leak_ready();
		(void)poll(NULL, 0, leak_board->ready ? LINE_MS : 1);
	}
}

/* It wants nothing but the sender's FIN; what comes before it does not read. */
static void collector(void)
{
	int fds[LEAK_SOCKETS], bytes = RECEIVE_BUFFER_BYTES, listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_accept(listener);
		leak_check(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0,
			   "SO_RCVBUF");
		leak_finish(fds[i]);
	}
	leak_await_ends(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	(void)leak_begin(count, args, "default");
	guilty = leak_start(NULL, sender);
	(void)leak_start("collector", collector);
	return leak_tell(guilty);
}
