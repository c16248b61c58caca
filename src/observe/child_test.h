/* SPDX-License-Identifier: MIT */
/* child_test.h - children in a known state, for the tests of what /proc tells about processes. */
#ifndef LAI_OBSERVE_CHILD_TEST_H
#define LAI_OBSERVE_CHILD_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T_TRIES 20000 /* of a millisecond each: what is waited for takes a few, unless loaded */
#define T_NOBODY 65534

/* A child that runs this, and is killed if we die. */
static inline pid_t t_child_start(void (*run)(void *arg), void *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(arg);
	_exit(0);
}

static inline void t_child_end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Until this holds, with a deadline. */
static inline bool t_until(bool (*holds)(void *arg), void *arg)
{
	for (int i = 0; i < T_TRIES; i++) {
		if (holds(arg))
			return true;
		(void)poll(NULL, 0, 1);
	}
	return false;
}

/* Only root can become nobody. */
static inline void t_needs_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("needs root\n");
	skip();
}

/* What this returns when a user without any privilege calls it: 0 to 127 or a negative errno. */
static inline int t_as_nobody(int (*work)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid;

	t_needs_root();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) || setresgid(T_NOBODY, T_NOBODY, T_NOBODY) ||
		    setresuid(T_NOBODY, T_NOBODY, T_NOBODY))
			_exit(127);
		_exit((int8_t)work(arg));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (int8_t)WEXITSTATUS(status);
}

static inline uint64_t t_inode(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

/* Two connections over loopback, on a port of the kernel's choice: on none is anything to read, and
   on one no more can be written. */
struct t_connection {
	int listener, client, server;
	int full, full_server;
};

#define T_SETTLED_MS 50 /* buffers grow while they are filled */

/* Until not a byte more can be written. */
static inline void t_fill(int fd)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	char bytes[4096] = "";
	int flags = fcntl(fd, F_GETFL);

	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	do {
		while (write(fd, bytes, sizeof(bytes)) > 0)
			;
	} while (poll(&writable, 1, T_SETTLED_MS) > 0);
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

static inline void t_connection_open(struct t_connection *connection)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);
	struct sockaddr *any = (struct sockaddr *)&address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connection->listener = listener;
	connection->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connection->full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0 && connection->client >= 0 && connection->full >= 0);
	assert_int_equal(bind(listener, any, length), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, any, &length), 0);
	assert_int_equal(connect(connection->client, any, length), 0);
	connection->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(connect(connection->full, any, length), 0);
	connection->full_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(connection->server >= 0 && connection->full_server >= 0);
	t_fill(connection->full);
}

static inline void t_connection_close(struct t_connection *connection)
{
	(void)close(connection->listener);
	(void)close(connection->client);
	(void)close(connection->server);
	(void)close(connection->full);
	(void)close(connection->full_server);
}

#endif
