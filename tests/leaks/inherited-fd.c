/* SPDX-License-Identifier: MIT */
/*
 * inherited-fd.c - close() was called, and another process still holds the same socket.
 *
 * A descriptor without close-on-exec goes to every child. As long as one of them holds it, the
 * server's close() sends no FIN, and nobody ends the connection when the client does. A daemon
 * started from a request handler (odpi, CherryPy, Mongoose), processes that are forked without exec
 * and keep what earlier ones had open (guacamole: one socket held by 40 of them), the parent of a
 * forking server that forgot to close its copy.
 *
 * daemons: the server has closed properly; two daemons that it started hold all. server: the server
 * forks a process per connection and keeps its own copy of each; the children inherit those too.
 */
#include "leak.h"

#define DAEMONS 2

enum { DAEMON, SERVER };

static int variant;

/* accept() and not accept4(SOCK_CLOEXEC): the bug. */
static int accept_to_inherit(int listener)
{
	int fd = accept(listener, NULL, NULL);

	leak_check(fd >= 0, "accept");
	return fd;
}

/* True in the daemon's process once it is another program: exec closes what is close-on-exec. */
static bool is_sleep(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file) {
		(void)!fgets(name, sizeof(name), file);
		(void)fclose(file);
	}
	return !strncmp(name, "sleep", strlen("sleep"));
}

static void start_daemons(void)
{
	for (int i = 0; i < DAEMONS; i++) {
		pid_t pid = leak_fork();

		if (pid == 0) {
			(void)execlp("sleep", "sleep", "1000000", (char *)NULL);
			leak_die("sleep(1) cannot be started");
		}
		LEAK_UNTIL(is_sleep(pid));
		leak_board->pids[i] = pid;
	}
}

static void serve_with_daemons(int listener)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = accept_to_inherit(listener);
		leak_read(fds[i], "hello");
	}
	start_daemons();
	for (int i = 0; i < LEAK_SOCKETS; i++)
		(void)close(fds[i]);
}

/* The child of a forking server does all it should. */
__attribute__((noreturn)) static void serve_in_child(int listener, int fd)
{
	char byte;

	(void)close(listener);
	(void)signal(SIGCHLD, SIG_DFL);
	while (read(fd, &byte, 1) > 0)
		;
	(void)close(fd);
	leak_board->step++;
	_exit(0);
}

static void serve_with_children(int listener)
{
	(void)signal(SIGCHLD, SIG_IGN); /* no zombies */
	for (int i = 0; i <= LEAK_SOCKETS; i++) {
		int fd = accept_to_inherit(listener);

		/* The bug: the parent keeps fd, so the next child has it as well. */
		if (leak_fork() == 0)
			serve_in_child(listener, fd);
	}
}

static void server(void)
{
	int listener = leak_listen();

	if (variant == DAEMON)
		serve_with_daemons(listener);
	else
		serve_with_children(listener);
	leak_board->step++;
	leak_rest_accepting(listener);
}

/* The last connection stays in use, so its child stays too and holds those of its elder brothers. */
static void client(void)
{
	int fds[LEAK_SOCKETS + 1], count = variant == DAEMON ? LEAK_SOCKETS : LEAK_SOCKETS + 1;

	for (int i = 0; i < count; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "hello");
	}
	leak_await_step(1);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_finish(fds[i]);
	if (variant == SERVER)
		leak_await_step(1 + LEAK_SOCKETS);
	leak_ready();
	leak_rest(fds, (size_t)count);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "daemons server");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
