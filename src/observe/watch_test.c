/* SPDX-License-Identifier: MIT */
/* watch_test.c - lines of epoll sets, then real sets, and children in poll() and select(). */
#include "observe/watch.h"

#include "observe/child_test.h"
#include "observe/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sysmacros.h>

#define ROWS_MANY 10000

/* --- pure --- */

static void test_line(void **state)
{
	struct lai_watch watch = {.pid = 7, .set_fd = 8};
	dev_t device;

	(void)state;
	assert_true(
		lai_watch_parse("tfd:        6 events: 40000019 data:         ffffffffffffffff  "
				"pos:-1 ino:3ca24d sdev:9\nnext",
				&watch, &device));
	assert_int_equal(watch.pid, 7);
	assert_int_equal(watch.set_fd, 8);
	assert_int_equal(watch.fd, 6);
	assert_true(watch.events == (EPOLLONESHOT | EPOLLIN | EPOLLERR | EPOLLHUP));
	assert_true(watch.inode == 0x3ca24d);
	assert_true(device == makedev(0, 9));
	/* 12 bits and 20, as the kernel has it. */
	assert_true(lai_watch_parse("tfd: 2147483647 events: 80000000 data: 0 pos:0 "
				    "ino:ffffffffffffffff sdev:80a00001\n",
				    &watch, &device));
	assert_int_equal(watch.fd, INT32_MAX);
	assert_true(watch.inode == UINT64_MAX);
	assert_true(device == makedev(0x80a, 1));
}

static void test_other_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"pos:\t0",
		"tfd:",
		"tfd: x events: 1 data: 1 pos:0 ino:1 sdev:9",
		"tfd: 1 events: 1 data: 1\n", /* before Linux 4.13 */
		"tfd: 1 events:\n 1 data: 1 pos:0 ino:1 sdev:9",
		"tfd: 1 events: 1 data: 1 pos:0 ino: sdev:9",
		"tfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:\n",
		"tfd: 4294967296 events: 1 data: 1 pos:0 ino:1 sdev:9",
		"tfd: 1 events: 100000000 data: 1 pos:0 ino:1 sdev:9",
		"tfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:100000000",
		"xtfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:9",
	};
	struct lai_watch watch = {.inode = 5};
	dev_t device = 6;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(lai_watch_parse(lines[i], &watch, &device));
	assert_true(watch.inode == 5 && device == 6);
}

/* --- epoll --- */

static void add(int set, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

static void test_epoll(void **state)
{
	int set = epoll_create1(EPOLL_CLOEXEC), inner = epoll_create1(EPOLL_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC), pipe_fds[2];
	struct t_connection connection;
	struct lai_watch *watches = NULL;
	size_t count = 0;

	(void)state;
	t_connection_open(&connection);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	add(set, pipe_fds[0], EPOLLIN);
	add(set, event, EPOLLIN);
	add(set, inner, EPOLLIN);
	add(set, connection.server, EPOLLOUT | EPOLLET);
	add(inner, connection.client, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
	assert_int_equal(lai_watches_of_epoll(getpid(), set, &watches, &count), 0);
	assert_int_equal(count, 1); /* a pipe, an eventfd and another set are no sockets */
	assert_int_equal(lai_watches_of_epoll(getpid(), inner, &watches, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(watches[0].pid, getpid());
	assert_int_equal(watches[0].set_fd, set);
	assert_int_equal(watches[0].fd, connection.server);
	assert_true(watches[0].inode == t_inode(connection.server));
	assert_true(watches[0].events == (EPOLLOUT | EPOLLET | EPOLLERR | EPOLLHUP));
	assert_int_equal(watches[1].set_fd, inner);
	assert_true(watches[1].inode == t_inode(connection.client));
	assert_true(watches[1].events & EPOLLRDHUP);
	free(watches);
	t_connection_close(&connection);
	(void)close(set);
	(void)close(inner);
	(void)close(event);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

/* EPOLLONESHOT that has fired stands there alone; it was armed before. */
static void test_fired(void **state)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct t_connection connection;
	struct lai_watch *watches = NULL;
	struct epoll_event event;
	size_t count = 0;

	(void)state;
	t_connection_open(&connection);
	add(set, connection.server, EPOLLIN | EPOLLONESHOT);
	assert_int_equal(lai_watches_of_epoll(getpid(), set, &watches, &count), 0);
	assert_int_equal(write(connection.client, "x", 1), 1);
	assert_int_equal(epoll_wait(set, &event, 1, T_TRIES), 1);
	assert_int_equal(lai_watches_of_epoll(getpid(), set, &watches, &count), 0);
	assert_int_equal(count, 2);
	assert_true(watches[0].events & EPOLLIN);
	assert_true(watches[1].events == EPOLLONESHOT);
	free(watches);
	t_connection_close(&connection);
	(void)close(set);
}

/* The row of a descriptor that was closed stays while another one holds the socket. */
static void test_closed_row(void **state)
{
	int set = epoll_create1(EPOLL_CLOEXEC), copy;
	struct t_connection connection;
	struct lai_watch *watches = NULL;
	size_t count = 0;

	(void)state;
	t_connection_open(&connection);
	copy = dup(connection.server);
	add(set, copy, EPOLLIN);
	(void)close(copy);
	assert_int_equal(lai_watches_of_epoll(getpid(), set, &watches, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(watches[0].fd, copy);
	assert_true(watches[0].inode == t_inode(connection.server));
	free(watches);
	t_connection_close(&connection);
	(void)close(set);
}

static void test_many_rows(void **state)
{
	int set = epoll_create1(EPOLL_CLOEXEC), sock = socket(AF_INET, SOCK_STREAM, 0);
	struct rlimit limit, old;
	struct lai_watch *watches = NULL;
	size_t count = 0, rows = ROWS_MANY;
	uint64_t inode = t_inode(sock);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < rows + 100)
		rows = limit.rlim_cur - 100;
	for (size_t i = 0; i < rows; i++) {
		int copy = fcntl(sock, F_DUPFD_CLOEXEC, set + 1);

		assert_true(copy >= 0);
		add(set, copy, i % 2 ? EPOLLIN : EPOLLOUT);
	}
	assert_int_equal(lai_watches_of_epoll(getpid(), set, &watches, &count), 0);
	assert_int_equal(count, rows);
	for (size_t i = 0; i < rows; i++) {
		assert_true(watches[i].inode == inode);
		(void)close(watches[i].fd);
	}
	free(watches);
	(void)close(set);
	(void)close(sock);
	(void)setrlimit(RLIMIT_NOFILE, &old);
}

static void test_no_set(void **state)
{
	struct lai_watch *watches = NULL;
	size_t count = 0;
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(lai_watches_of_epoll(getpid(), event, &watches, &count), 0);
	(void)close(event);
	assert_int_equal(lai_watches_of_epoll(getpid(), event, &watches, &count), 0);
	assert_int_equal(lai_watches_of_epoll(getpid(), -1, &watches, &count), 0);
	assert_int_equal(count, 0);
	assert_null(watches);
}

/* --- poll and select --- */

static struct t_connection connection;
static int pipe_fds[2];

static void run_poll(void *arg)
{
	struct pollfd list[] = {
		{.fd = pipe_fds[0], .events = POLLIN},
		{.fd = -1, .events = POLLIN},
		{.fd = connection.client, .events = POLLIN | POLLRDHUP},
		{.fd = connection.listener, .events = POLLPRI},
		{.fd = 100000, .events = 0},
	};

	(void)arg;
	list[4].fd = connection.server;
	for (;;)
		(void)poll(list, 5, -1);
}

static void run_select(void *arg)
{
	fd_set reading, writing;

	(void)arg;
	for (;;) {
		FD_ZERO(&reading);
		FD_ZERO(&writing);
		FD_SET(pipe_fds[0], &reading);
		FD_SET(connection.client, &reading);
		FD_SET(connection.listener, &reading);
		FD_SET(connection.full, &writing);
		(void)select(connection.full + 1, &reading, &writing, NULL, NULL);
	}
}

static void run_select_nothing(void *arg)
{
	struct timeval time = {.tv_sec = 1000};

	(void)arg;
	(void)select(1000, NULL, NULL, NULL, &time);
}

/* The thread of a child once it sleeps in poll() or select(). */
struct sleeper {
	pid_t pid;
	struct lai_thread thread;
};

static bool is_asleep(void *arg)
{
	struct sleeper *sleeper = arg;
	struct lai_thread *threads = NULL;
	size_t count = 0;
	bool holds;

	assert_int_equal(lai_threads_read(sleeper->pid, &threads, &count), 0);
	holds = count == 1 && threads[0].wait == LAI_WAIT_EVENTS && threads[0].state == 'S';
	sleeper->thread = threads[0];
	free(threads);
	return holds;
}

static struct sleeper start_sleeper(void (*run)(void *arg))
{
	struct sleeper sleeper = {.pid = t_child_start(run, NULL)};

	assert_true(t_until(is_asleep, &sleeper));
	return sleeper;
}

static void assert_watch(const struct lai_watch *watch, pid_t pid, int fd, uint32_t events)
{
	assert_int_equal(watch->pid, pid);
	assert_int_equal(watch->set_fd, -1);
	assert_int_equal(watch->fd, fd);
	assert_true(watch->inode == t_inode(fd));
	assert_int_equal(watch->events, events);
}

static void assert_polled(const struct sleeper *sleeper)
{
	struct lai_watch *watches = NULL;
	size_t count = 0;

	assert_int_equal(lai_watches_of_poll(&sleeper->thread, &watches, &count), 0);
	assert_int_equal(count, 3);
	assert_watch(&watches[0], sleeper->pid, connection.client, EPOLLIN | EPOLLRDHUP);
	assert_watch(&watches[1], sleeper->pid, connection.listener, EPOLLPRI);
	assert_watch(&watches[2], sleeper->pid, connection.server, 0);
	free(watches);
}

static void test_poll(void **state)
{
	struct sleeper sleeper = start_sleeper(run_poll);

	(void)state;
	assert_polled(&sleeper);
	t_child_end(sleeper.pid);
}

/* After SIGSTOP and SIGCONT it is another system call, with the same arguments. */
static void test_poll_restarted(void **state)
{
	struct sleeper sleeper = start_sleeper(run_poll);
	int status;

	(void)state;
	if (sleeper.thread.place[0] == '\0') {
		t_child_end(sleeper.pid);
		print_message("this kernel does not fill wchan\n");
		skip();
	}
	assert_int_equal(kill(sleeper.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(sleeper.pid, &status, WUNTRACED), sleeper.pid);
	assert_int_equal(kill(sleeper.pid, SIGCONT), 0);
	assert_true(t_until(is_asleep, &sleeper));
	assert_polled(&sleeper);
	t_child_end(sleeper.pid);
}

static void test_select(void **state)
{
	struct sleeper sleeper = start_sleeper(run_select);
	struct lai_watch *watches = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	assert_int_equal(count, 3);
	assert_watch(&watches[0], sleeper.pid, connection.listener, EPOLLIN);
	assert_watch(&watches[1], sleeper.pid, connection.client, EPOLLIN);
	assert_watch(&watches[2], sleeper.pid, connection.full, EPOLLOUT);
	free(watches);
	t_child_end(sleeper.pid);
}

static void test_select_nothing(void **state)
{
	struct sleeper sleeper = start_sleeper(run_select_nothing);
	struct lai_watch *watches = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	assert_int_equal(count, 0);
	t_child_end(sleeper.pid);
}

/* Between the reading of the call and that of the memory the thread went on: no rows. */
static void test_poll_left(void **state)
{
	struct sleeper sleeper = start_sleeper(run_poll);
	struct lai_watch *watches = NULL;
	size_t count = 0;

	(void)state;
	sleeper.thread.arguments[2]++;
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	sleeper.thread.arguments[0] = 16; /* nothing is mapped there */
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	sleeper.thread.arguments[1] = UINT32_MAX;
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	sleeper.thread.call = -1;
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), 0);
	assert_int_equal(count, 0);
	assert_null(watches);
	t_child_end(sleeper.pid);
}

/* --- who may, and what is gone --- */

static int poll_of_other(void *arg)
{
	const struct sleeper *sleeper = arg;
	struct lai_watch *watches = NULL;
	size_t count = 0;

	return lai_watches_of_poll(&sleeper->thread, &watches, &count);
}

static int epoll_of_other(void *arg)
{
	struct lai_watch *watches = NULL;
	size_t count = 0;

	return lai_watches_of_epoll(*(pid_t *)arg, 3, &watches, &count);
}

static void test_nobody(void **state)
{
	struct sleeper sleeper;

	(void)state;
	t_needs_root();
	sleeper = start_sleeper(run_poll);
	assert_int_equal(t_as_nobody(poll_of_other, &sleeper), -EACCES);
	assert_int_equal(t_as_nobody(epoll_of_other, &sleeper.pid), -EACCES);
	t_child_end(sleeper.pid);
}

static void run_nothing(void *arg)
{
	(void)arg;
}

static void test_zombie_and_gone(void **state)
{
	struct sleeper sleeper = start_sleeper(run_poll);
	pid_t pid = t_child_start(run_nothing, NULL);
	struct lai_watch *watches = NULL;
	size_t count = 0;
	siginfo_t info;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(lai_watches_of_epoll(pid, 3, &watches, &count), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(lai_watches_of_epoll(pid, 3, &watches, &count), -ESRCH);
	t_child_end(sleeper.pid);
	assert_int_equal(lai_watches_of_poll(&sleeper.thread, &watches, &count), -ESRCH);
	assert_int_equal(count, 0);
	assert_null(watches);
}

static void *stay(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return NULL;
}

static void run_headless(void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, stay, NULL) == 0)
		pthread_exit(NULL);
}

static bool is_headless(void *arg)
{
	struct lai_thread *threads = NULL;
	size_t count = 0;
	bool holds;

	assert_true(lai_threads_read(*(pid_t *)arg, &threads, &count) >= 0);
	holds = threads[0].state == 'Z';
	free(threads);
	return holds;
}

/* Its first thread has ended; its sets are still there. */
static void test_headless(void **state)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct lai_watch *watches = NULL;
	size_t count = 0;
	pid_t pid;

	(void)state;
	add(set, connection.client, EPOLLIN);
	pid = t_child_start(run_headless, NULL);
	assert_true(t_until(is_headless, &pid));
	assert_int_equal(lai_watches_of_epoll(pid, set, &watches, &count), 0);
	assert_int_equal(count, 1);
	assert_true(watches[0].inode == t_inode(connection.client));
	free(watches);
	t_child_end(pid);
	(void)close(set);
}

static int open_all(void **state)
{
	(void)state;
	t_connection_open(&connection);
	return pipe2(pipe_fds, O_CLOEXEC);
}

static int close_all(void **state)
{
	(void)state;
	t_connection_close(&connection);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a line of an epoll's fdinfo", .test_func = test_line},
		{.name = "other lines are refused", .test_func = test_other_lines},
		{.name = "a set with sockets and other files", .test_func = test_epoll},
		{.name = "EPOLLONESHOT stands alone after it has fired", .test_func = test_fired},
		{.name = "a row outlives its descriptor", .test_func = test_closed_row},
		{.name = "10,000 rows", .test_func = test_many_rows},
		{.name = "what is no set has no rows", .test_func = test_no_set},
		{.name = "a child in poll()", .test_func = test_poll},
		{.name = "a child in poll() that was stopped and goes on",
		 .test_func = test_poll_restarted},
		{.name = "a child in select()", .test_func = test_select},
		{.name = "a child in select() without sets", .test_func = test_select_nothing},
		{.name = "a thread that has left its poll()", .test_func = test_poll_left},
		{.name = "nobody may not see root's", .test_func = test_nobody},
		{.name = "a zombie, and a process that is gone", .test_func = test_zombie_and_gone},
		{.name = "a process whose first thread has ended", .test_func = test_headless},
	};

	return cmocka_run_group_tests_name("observe.watch", tests, open_all, close_all);
}
