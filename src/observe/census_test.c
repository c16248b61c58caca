/* SPDX-License-Identifier: MIT */
/* census_test.c - counts of real loopback sockets, of this process and of others. */
#include "observe/census.h"

#include "observe/owner.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 3
#define DEADLINE_MS 5000
#define CHILD_FDS 64 /* more than this program ever has open when it forks */

static int listener;
static uint16_t port; /* of the listener */
static int client[PAIRS], server[PAIRS];

static int connect_one(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int setup(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 2 * PAIRS) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &length) < 0)
		return -1;
	port = ntohs(at.sin_port);
	for (int i = 0; i < PAIRS; i++) {
		client[i] = connect_one();
		server[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(server[i] >= 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		close(client[i]);
		close(server[i]);
	}
	close(listener);
	return 0;
}

static void peer_event_await(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};

	assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
}

/* The server's end of one pair is closed; the client's goes to CLOSE_WAIT. */
static void half_end(int i)
{
	close(server[i]);
	server[i] = -1;
	peer_event_await(client[i], POLLRDHUP);
}

static uint32_t descriptors_open(void)
{
	uint32_t count = 0;

	for (int fd = 0; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void own(void **state)
{
	struct lai_census before, census;
	int more;

	(void)state;
	assert_int_equal(lai_census_of_process(0, &before), 0);
	assert_int_equal(before.fds, descriptors_open());
	assert_int_equal(before.by_state[LAI_TCP_ESTABLISHED], 2 * PAIRS);
	assert_int_equal(before.by_state[LAI_TCP_LISTEN], 1);
	assert_int_equal(before.by_state[LAI_TCP_CLOSE_WAIT], 0);
	more = dup(client[0]); /* a second descriptor is no second socket */
	half_end(0);
	half_end(1);
	assert_int_equal(lai_census_of_process(getpid(), &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 2);
	assert_int_equal(census.by_state[LAI_TCP_ESTABLISHED], 2);
	assert_int_equal(census.by_state[LAI_TCP_LISTEN], 1);
	assert_int_equal(census.fds, before.fds - 2 + 1);
	close(more);
	close(client[0]);
	client[0] = -1;
	assert_int_equal(lai_census_of_process(0, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 1);
}

/* The server side's census once it has so many in this state: an ACK of a FIN may be delayed. */
static struct lai_census port_await(enum lai_tcp_state state, uint32_t count)
{
	struct lai_census census = {0};

	for (int ms = 0; ms < DEADLINE_MS && census.by_state[state] != count; ms++) {
		assert_int_equal(poll(NULL, 0, ms ? 1 : 0), 0);
		assert_int_equal(lai_census_of_port(port, 0, &census), 0);
	}
	assert_int_equal(census.by_state[state], count);
	return census;
}

/* FIN_WAIT2 of the closed ends, CLOSE_WAIT of the open ones, TIME_WAIT when both have closed. */
static void towards_port(void **state)
{
	struct lai_census census;

	(void)state;
	assert_int_equal(lai_census_of_port(0, port, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_ESTABLISHED], PAIRS);
	assert_int_equal(census.by_state[LAI_TCP_LISTEN], 0);
	assert_int_equal(census.fds, PAIRS);
	half_end(0);
	half_end(1);
	assert_int_equal(lai_census_of_port(0, port, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 2);
	assert_int_equal(census.by_state[LAI_TCP_ESTABLISHED], 1);
	census = port_await(LAI_TCP_FIN_WAIT2, 2);
	assert_int_equal(census.by_state[LAI_TCP_LISTEN], 1);
	assert_int_equal(census.fds, 2); /* the listener and one end; orphans have none */
	close(client[0]);
	client[0] = -1;
	census = port_await(LAI_TCP_TIME_WAIT, 1);
	assert_int_equal(census.by_state[LAI_TCP_FIN_WAIT2], 1);
}

/* After an RST the connection is in no table, the descriptor still is there. */
static void ghost(void **state)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};
	struct lai_census census;
	int pipes[2], udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(udp >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes), 0);
	assert_int_equal(setsockopt(server[0], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
	close(server[0]);
	server[0] = -1;
	peer_event_await(client[0], POLLHUP);
	assert_int_equal(lai_census_of_process(0, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE], 1); /* and neither UDP nor UNIX */
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 0);
	assert_int_equal(census.by_state[LAI_TCP_ESTABLISHED], 2 * PAIRS - 2);
	close(pipes[0]);
	close(pipes[1]);
	close(udp);
}

/* A child that holds one socket in CLOSE_WAIT, until the pipe closes; new_net: elsewhere. */
static pid_t child_start(int *end, bool new_net)
{
	int ready[2], finish[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(finish), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int fd = 3; fd < CHILD_FDS; fd++)
			if (fd != client[0] && fd != ready[1] && fd != finish[0])
				close(fd);
		if (new_net)
			byte = unshare(CLONE_NEWNET) < 0;
		if (write(ready[1], &byte, 1) != 1 || read(finish[0], &byte, 1) != 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	close(finish[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*end = finish[1];
	if (byte == 0)
		return pid;
	close(finish[1]); /* not allowed to leave this namespace */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return 0;
}

static void child_finish(pid_t pid, int end)
{
	int status = -1;

	close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void other_process(void **state)
{
	struct lai_census census;
	int end;
	pid_t pid;

	(void)state;
	half_end(0);
	pid = child_start(&end, false);
	assert_int_equal(lai_census_of_process(pid, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 1);
	assert_int_equal(census.by_state[LAI_TCP_ESTABLISHED], 0);
	assert_int_equal(census.by_state[LAI_TCP_LISTEN], 0);
	close(client[0]); /* ours only: the child's copy keeps it */
	client[0] = -1;
	assert_int_equal(lai_census_of_process(pid, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 1);
	child_finish(pid, end);
	assert_int_equal(lai_census_of_port(0, port, &census), 0);
	assert_int_equal(census.by_state[LAI_TCP_CLOSE_WAIT], 0);
}

static void other_namespace(void **state)
{
	struct lai_census census = {.fds = 12345};
	int end;
	pid_t pid = child_start(&end, true);

	(void)state;
	if (pid == 0) {
		skip();
		return;
	}
	assert_int_equal(lai_census_of_process(pid, &census), -EXDEV);
	assert_int_equal(census.fds, 12345); /* written only on success */
	child_finish(pid, end);
}

static void nobody(void **state)
{
	struct lai_census census = {.fds = 12345};
	struct lai_owner owner = {.fds = 12345};
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(lai_census_of_process(pid, &census), -ESRCH);
	assert_int_equal(lai_owner_read(pid, &owner), -ESRCH);
	assert_int_equal(census.fds, 12345);
	assert_int_equal(owner.fds, 12345);
}

static void inodes_sorted(void **state)
{
	enum { MANY = 300 };
	static int fds[MANY];
	struct lai_owner owner = {0};
	struct stat stat;
	int again;

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_true((fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
	again = dup(fds[0]);
	assert_int_equal(lai_owner_read(0, &owner), 0);
	assert_true(owner.count >= MANY + 2 * PAIRS + 1);
	assert_true(owner.fds > owner.count);
	for (size_t i = 1; i < owner.count; i++)
		assert_true(owner.inodes[i - 1] < owner.inodes[i]);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(fstat(fds[i], &stat), 0);
		assert_true(lai_owner_has(owner.inodes, owner.count, stat.st_ino));
		close(fds[i]);
	}
	assert_false(lai_owner_has(owner.inodes, owner.count, UINT64_MAX));
	close(again);
	lai_owner_done(&owner);
}

#define ROW(sentence, function)                                                                    \
	{                                                                                          \
		.name = sentence, .test_func = function, .setup_func = setup,                      \
		.teardown_func = teardown                                                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("our own sockets are counted by state", own),
		ROW("sockets towards a port are counted, orphans and TIME_WAIT too", towards_port),
		ROW("a descriptor whose connection was reset counts as CLOSE", ghost),
		ROW("another process's CLOSE_WAIT is found", other_process),
		ROW("a process in another network namespace is refused", other_namespace),
		ROW("a process that is gone is refused", nobody),
		ROW("inodes come sorted and once", inodes_sorted),
	};

	return cmocka_run_group_tests_name("observe.census", tests, NULL, NULL);
}
