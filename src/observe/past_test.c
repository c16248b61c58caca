/* SPDX-License-Identifier: MIT */
/* past_test.c - descriptors whose connection is over, and those that never had one. */
#include "observe/past.h"

#include "observe/child_test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static struct lai_past_fact past_of(int fd)
{
	struct lai_past_fact fact;

	assert_int_equal(lai_past_of(getpid(), fd, t_inode(fd), &fact), 0);
	return fact;
}

static void assert_past(int fd, int family, enum lai_past past)
{
	struct lai_past_fact fact = past_of(fd);

	assert_int_equal(fact.family, family);
	assert_int_equal(fact.state, LAI_TCP_CLOSE);
	assert_int_equal(fact.past, past);
}

static void test_new(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	(void)state;
	assert_past(fd, AF_INET, LAI_PAST_NONE);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_past(fd, AF_INET, LAI_PAST_NONE);
	(void)close(fd);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return; /* no IPv6 here */
	assert_past(fd, AF_INET6, LAI_PAST_NONE);
	(void)close(fd);
}

static bool is_closed(void *arg)
{
	return past_of(*(int *)arg).state == LAI_TCP_CLOSE;
}

/* RST from the peer, over a connection without a byte of data: on either side. */
static void test_reset(void **state)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};
	struct t_connection connection;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int ended, left;

		t_connection_open(&connection);
		ended = i ? connection.client : connection.server;
		left = i ? connection.server : connection.client;
		assert_int_equal(past_of(left).state, LAI_TCP_ESTABLISHED);
		assert_int_equal(past_of(left).past, LAI_PAST_UNKNOWN);
		assert_int_equal(setsockopt(ended, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)),
				 0);
		(void)close(ended);
		assert_true(t_until(is_closed, &left));
		assert_past(left, AF_INET, LAI_PAST_CONNECTED);
		t_connection_close(&connection);
	}
}

static void test_shut_both(void **state)
{
	struct t_connection connection;

	(void)state;
	t_connection_open(&connection);
	(void)shutdown(connection.client, SHUT_RDWR);
	(void)shutdown(connection.server, SHUT_RDWR);
	assert_true(t_until(is_closed, &connection.server));
	assert_past(connection.server, AF_INET, LAI_PAST_CONNECTED);
	t_connection_close(&connection);
}

/* It looks, and the error is still there for the program. */
static void test_error_stays(void **state)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};
	struct t_connection connection;
	socklen_t length = sizeof(int);
	int error = 0;

	(void)state;
	t_connection_open(&connection);
	assert_int_equal(
		setsockopt(connection.server, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
	(void)close(connection.server);
	assert_true(t_until(is_closed, &connection.client));
	assert_past(connection.client, AF_INET, LAI_PAST_CONNECTED);
	assert_int_equal(getsockopt(connection.client, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(error, ECONNRESET);
	t_connection_close(&connection);
}

/* An RST answered the SYN: one segment came, but there was no connection. */
static void test_refused(void **state)
{
	struct t_connection connection;
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd done = {.fd = fd, .events = POLLOUT};

	(void)state;
	/* A port that is bound, so that nobody else listens there, and is no listener. */
	t_connection_open(&connection);
	assert_int_equal(getsockname(connection.client, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, length), -1);
	assert_int_equal(poll(&done, 1, T_TRIES), 1);
	assert_past(fd, AF_INET, LAI_PAST_NONE);
	(void)close(fd);
	t_connection_close(&connection);
}

/* connect() to AF_UNSPEC makes a new socket of it. */
static void test_disconnected(void **state)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct t_connection connection;

	(void)state;
	t_connection_open(&connection);
	assert_int_equal(connect(connection.client, &nobody, sizeof(nobody)), 0);
	assert_past(connection.client, AF_INET, LAI_PAST_NONE);
	t_connection_close(&connection);
}

static void test_no_tcp(void **state)
{
	struct lai_past_fact fact = {.family = 77};
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(lai_past_of(getpid(), udp, t_inode(udp), &fact), -ENOPROTOOPT);
	assert_int_equal(lai_past_of(getpid(), pair[0], t_inode(pair[0]), &fact), -ENOPROTOOPT);
	assert_int_equal(fact.family, 77);
	(void)close(udp);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_another_inode(void **state)
{
	struct lai_past_fact fact;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pipe_fds[2];
	uint64_t inode = t_inode(fd);

	(void)state;
	assert_int_equal(lai_past_of(getpid(), fd, inode + 1, &fact), -EBADF);
	(void)close(fd);
	assert_int_equal(lai_past_of(getpid(), fd, inode, &fact), -EBADF);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(lai_past_of(getpid(), pipe_fds[0], t_inode(pipe_fds[0]), &fact), -EBADF);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static void run_pause(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
}

struct foreign {
	pid_t pid;
	int fd;
	uint64_t inode;
	struct lai_past_fact fact;
};

static int past_of_other(void *arg)
{
	struct foreign *foreign = arg;

	return lai_past_of(foreign->pid, foreign->fd, foreign->inode, &foreign->fact);
}

/* The ghost is another process's alone, as it is with real ones. */
static void test_foreign(void **state)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};
	struct t_connection connection;
	struct foreign foreign;

	(void)state;
	t_connection_open(&connection);
	assert_int_equal(
		setsockopt(connection.server, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
	(void)close(connection.server);
	assert_true(t_until(is_closed, &connection.client));
	foreign = (struct foreign){.fd = connection.client, .inode = t_inode(connection.client)};
	foreign.pid = t_child_start(run_pause, NULL);
	t_connection_close(&connection);
	assert_int_equal(past_of_other(&foreign), 0);
	assert_int_equal(foreign.fact.family, AF_INET);
	assert_int_equal(foreign.fact.state, LAI_TCP_CLOSE);
	assert_int_equal(foreign.fact.past, LAI_PAST_CONNECTED);
	if (geteuid() == 0)
		assert_int_equal(t_as_nobody(past_of_other, &foreign), -EACCES);
	t_child_end(foreign.pid);
	assert_int_equal(past_of_other(&foreign), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a new socket, and one that is bound", .test_func = test_new},
		{.name = "reset by the peer, not a byte of data", .test_func = test_reset},
		{.name = "shut down by both", .test_func = test_shut_both},
		{.name = "the pending error stays for the program", .test_func = test_error_stays},
		{.name = "refused: there was no connection", .test_func = test_refused},
		{.name = "disconnected: as if it were new", .test_func = test_disconnected},
		{.name = "what is no TCP", .test_func = test_no_tcp},
		{.name = "another inode, closed, no socket", .test_func = test_another_inode},
		{.name = "another process's", .test_func = test_foreign},
	};

	return cmocka_run_group_tests_name("observe.past", tests, NULL, NULL);
}
