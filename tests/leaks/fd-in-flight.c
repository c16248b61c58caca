/* SPDX-License-Identifier: MIT */
/*
 * fd-in-flight.c - the connection was handed to another process, which has not taken it.
 *
 * One process accepts and passes each connection on in a message over a UNIX socket (SCM_RIGHTS);
 * it closes its own copy, as it should. A worker that is busy for ever never receives the message,
 * and until then the socket is in no process' table at all. sbsh and libuv's handle passing had it;
 * every server with a master that accepts can.
 */
#include "leak.h"

#include <sys/un.h>

static void pass(int over, int fd)
{
	char byte = 'c';
	struct iovec vector = {.iov_base = &byte, .iov_len = 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};

	memset(&control, 0, sizeof(control));
	control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	leak_check(sendmsg(over, &message, 0) == 1, "sendmsg");
	(void)close(fd);
}

static void server(void)
{
	int ends[2], listener = leak_listen();
	pid_t worker;

	leak_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	worker = leak_fork();
	if (worker == 0) {
		(void)prctl(PR_SET_NAME, "worker");
		(void)close(listener);
		(void)close(ends[0]);
		leak_board->step = 1;
		/* The bug: recvmsg(ends[1]) is never called again. */
		for (;;)
			(void)pause();
	}
	leak_board->pids[0] = worker;
	leak_await_step(1);
	(void)close(ends[1]);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		pass(ends[0], leak_accept(listener));
	leak_board->step = 2;
	leak_rest_accepting(listener);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "hello");
	}
	leak_await_step(2);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_finish(fds[i]);
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
