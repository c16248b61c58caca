/* SPDX-License-Identifier: MIT */
/*
 * fin-wait2-held.c - shutdown() was called and close() was not: a FIN_WAIT2 without a timer.
 *
 * After close() the kernel gives the peer tcp_fin_timeout to send its FIN. After shutdown(SHUT_WR)
 * with the descriptor still open it waits for ever, as the program might still want to read. Node.js
 * before 0.6, node-smpp, Envoy until its idle timeout of an hour: if the peer never closes, the
 * half-closed connection never ends. The partner here is such a peer: it is in CLOSE_WAIT.
 *
 * here: the partner is in the same network namespace. namespace: it is in one of its own, at the
 * other end of a veth pair (needs root and ip(8)).
 */
#include "leak.h"

#include <sched.h>

#define GUILTY_ADDRESS "198.18.77.1" /* of the range for benchmarks, RFC 2544 */
#define PARTNER_ADDRESS "198.18.77.2"

enum { HERE, NAMESPACE };

static int variant;

/* Runs a command without a shell. True: it succeeded. */
static bool run(const char *const *command)
{
	pid_t pid = leak_fork();
	int status = -1;

	if (pid == 0) {
		(void)execvp(command[0], (char *const *)command);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static int connect_at(const char *ip)
{
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	LEAK_UNTIL(leak_board->ports[0] != 0);
	address = leak_loopback(leak_board->ports[0]);
	(void)inet_pton(AF_INET, ip, &address.sin_addr);
	leak_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, ip);
	return fd;
}

/* A listener at any address. */
static int listen_everywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	leak_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
			   listen(fd, LEAK_SOCKETS) == 0 &&
			   getsockname(fd, (struct sockaddr *)&address, &size) == 0,
		   "a listener");
	leak_board->ports[0] = ntohs(address.sin_port);
	return fd;
}

/* The partner's side of the cable: a namespace of its own. Its name is the partner's pid. */
static void move_out(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		leak_skip("no network namespace can be made: %s", strerror(errno));
	leak_board->step = 1;
	leak_await_step(2);
	if (!RUN("ip", "address", "add", PARTNER_ADDRESS "/30", "dev", "partner") ||
	    !RUN("ip", "link", "set", "partner", "up"))
		leak_skip("ip(8) cannot set up the partner's end");
}

static void lay_cable(void)
{
	char pid[16], name[32];

	leak_await_step(1);
	(void)snprintf(pid, sizeof(pid), "%d", leak_board->pids[1]);
	(void)snprintf(name, sizeof(name), "leak%s", pid);
	if (!RUN("ip", "link", "add", name, "type", "veth", "peer", "name", "partner", "netns",
		 pid))
		leak_skip("no veth pair can be made (root? ip(8)?)");
	if (!RUN("ip", "address", "add", GUILTY_ADDRESS "/30", "dev", name) ||
	    !RUN("ip", "link", "set", name, "up"))
		leak_skip("ip(8) cannot set up this end");
	leak_board->step = 2;
}

static void partner(void)
{
	int fds[LEAK_SOCKETS], listener;

	leak_board->pids[1] = (int)getpid();
	if (variant == NAMESPACE)
		move_out();
	listener = listen_everywhere();
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_accept(listener);
		leak_read_eof(fds[i]);
	}
	leak_rest_accepting(listener);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	leak_board->pids[0] = (int)getpid();
	LEAK_UNTIL(leak_board->pids[1] != 0);
	if (variant == NAMESPACE)
		lay_cable();
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = connect_at(variant == NAMESPACE ? PARTNER_ADDRESS : "127.0.0.1");
		/* The bug: half of a close. */
		leak_finish(fds[i]);
	}
	leak_ready();
	leak_rest(NULL, 0);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "here namespace");
	guilty = leak_start(NULL, client);
	(void)leak_start("partner", partner);
	return leak_tell(guilty);
}
