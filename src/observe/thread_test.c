/* SPDX-License-Identifier: MIT */
/* thread_test.c - threads in known states, and the texts and tables that tell them apart. */
#include "observe/thread.h"

#include "observe/child_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

/* --- pure --- */

static void test_call_text(void **state)
{
	struct lai_call call;

	(void)state;
	assert_true(lai_call_parse("running\n", &call));
	assert_true(call.running);
	assert_int_equal(call.number, -1);
	assert_true(lai_call_parse("-1 0x7ffe2c0b3b38 0x7f6f96b1a230\n", &call));
	assert_false(call.running);
	assert_int_equal(call.number, -1);
	assert_true(lai_call_parse("45 0x4 0x7f6f9645c890 0x5 0x0 0x0 0x0 0x7ffe2c0b3b18 "
				   "0x7f6f96b28929\n",
				   &call));
	assert_int_equal(call.number, 45);
	assert_true(call.arguments[0] == 4 && call.arguments[1] == 0x7f6f9645c890 &&
		    call.arguments[2] == 5);
}

static void test_call_of_32_bits(void **state)
{
	struct lai_call call;

	(void)state;
	if (sizeof(long) == 4)
		skip(); /* they are our own numbers there */
	assert_true(lai_call_parse("3 0x4 0x0 0x5 0x0 0x0 0x0 0xffd0b318 0xf7f28929\n", &call));
	assert_int_equal(call.number, -1);
	assert_true(call.arguments[0] == 0);
}

static void test_call_hostile(void **state)
{
	static const char *const texts[] = {
		"",	  "\n",
		"x",	  "7",
		"7 ",	  "7 0x1 0x2 0x3 0x4 0x5 0x6 0x7",
		"-1",	  "-1 0x0",
		"runnin", "7 0x1 0x2 zz 0x4 0x5 0x6 0x7 0x8",
	};
	struct lai_call call = {.number = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(lai_call_parse(texts[i], &call));
	assert_int_equal(call.number, 99);
	/* Numbers that no kernel has. */
	assert_true(lai_call_parse("4294967296 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe2c0b3b18 0x8", &call));
	assert_int_equal(call.number, -1);
}

static void test_wait_of_call(void **state)
{
	static const struct {
		int call;
		enum lai_wait wait;
		int32_t fd;
	} cases[] = {
		{SYS_futex, LAI_WAIT_LOCK, -1},
		{SYS_recvfrom, LAI_WAIT_READ, 7},
		{SYS_read, LAI_WAIT_READ, 7},
		{SYS_sendmsg, LAI_WAIT_WRITE, 7},
		{SYS_accept4, LAI_WAIT_ACCEPT, 7},
		{SYS_connect, LAI_WAIT_CONNECT, 7},
		{SYS_epoll_pwait, LAI_WAIT_EVENTS, 7},
		{SYS_ppoll, LAI_WAIT_EVENTS, -1},
		{SYS_wait4, LAI_WAIT_CHILD, -1},
		{SYS_clock_nanosleep, LAI_WAIT_SLEEP, -1},
		{SYS_fsync, LAI_WAIT_FILE, 7},
		{SYS_getpid, LAI_WAIT_UNKNOWN, -1},
		{-1, LAI_WAIT_UNKNOWN, -1},
		{100000, LAI_WAIT_UNKNOWN, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t fd = 99;

		/* The upper half of a descriptor's argument may be anything. */
		assert_int_equal(lai_wait_of_call(cases[i].call, 0xdead00000007, &fd),
				 cases[i].wait);
		assert_int_equal(fd, cases[i].fd);
	}
}

static void test_wait_of_place(void **state)
{
	(void)state;
	assert_int_equal(lai_wait_of_place("futex_wait_queue"), LAI_WAIT_LOCK);
	assert_int_equal(lai_wait_of_place("poll_schedule_timeout.constprop.0"), LAI_WAIT_EVENTS);
	assert_int_equal(lai_wait_of_place("inet_csk_accept"), LAI_WAIT_ACCEPT);
	assert_int_equal(lai_wait_of_place("wait_woken"), LAI_WAIT_UNKNOWN);
	assert_int_equal(lai_wait_of_place(""), LAI_WAIT_UNKNOWN);
}

/* --- real threads --- */

/* What a child may wait for; everything is open before it is made. */
struct scene {
	struct t_connection connection;
	int pipe[2], epoll, file;
	struct sockaddr_in full; /* a listener whose queue is full: connect() waits */
	int connecting;
};

static struct scene scene;

static int scene_open(void **state)
{
	struct sockaddr *full = (struct sockaddr *)&scene.full;
	socklen_t length = sizeof(scene.full);
	char path[] = "/tmp/lastack-thread-XXXXXX";

	(void)state;
	t_connection_open(&scene.connection);
	assert_int_equal(pipe2(scene.pipe, O_CLOEXEC), 0);
	scene.epoll = epoll_create1(EPOLL_CLOEXEC);
	scene.file = mkostemp(path, O_CLOEXEC);
	assert_true(scene.epoll >= 0 && scene.file >= 0);
	(void)unlink(path);
	assert_int_equal(getsockname(scene.connection.listener, full, &length), 0);
	scene.connecting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(scene.connecting >= 0);
	return 0;
}

static int scene_close(void **state)
{
	(void)state;
	t_connection_close(&scene.connection);
	(void)close(scene.pipe[0]);
	(void)close(scene.pipe[1]);
	(void)close(scene.epoll);
	(void)close(scene.file);
	(void)close(scene.connecting);
	return 0;
}

/* The client's end has nothing to read. */
static void do_read_socket(void)
{
	char byte;

	(void)!read(scene.connection.client, &byte, 1);
}

static void do_read_pipe(void)
{
	char byte;

	(void)!read(scene.pipe[0], &byte, 1);
}

static void do_send(void)
{
	char bytes[65536] = "";

	for (;;)
		(void)send(scene.connection.full, bytes, sizeof(bytes), 0);
}

static void do_accept(void)
{
	(void)accept(scene.connection.listener, NULL, NULL);
}

/* With a backlog of 0 one connection waits, and the next one's SYN is dropped. */
static void do_connect(void)
{
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		(void)dup2(fd, scene.connecting);
		(void)connect(scene.connecting, (struct sockaddr *)&scene.full, sizeof(scene.full));
	}
}

static void do_lock(void)
{
	int word = 1;

	(void)syscall(SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void do_epoll(void)
{
	struct epoll_event event;

	(void)epoll_wait(scene.epoll, &event, 1, -1);
}

static void do_poll(void)
{
	struct pollfd fd = {.fd = scene.connection.client, .events = POLLIN};

	(void)poll(&fd, 1, -1);
}

static void do_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(scene.connection.client, &set);
	(void)select(scene.connection.client + 1, &set, NULL, NULL, NULL);
}

static void do_sleep(void)
{
	struct timespec time = {.tv_sec = 1000};

	(void)nanosleep(&time, NULL);
}

static void do_pause(void)
{
	(void)pause();
}

static void do_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	(void)waitpid(pid, NULL, 0);
}

/* Locks of flock() belong to the open file; another one of the same file has to wait. */
static void do_flock(void)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", scene.file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)flock(fd, LOCK_EX);
}

static void do_splice_from_socket(void)
{
	(void)splice(scene.connection.client, NULL, scene.pipe[1], NULL, 4096, 0);
}

static void do_splice_from_pipe(void)
{
	(void)splice(scene.pipe[0], NULL, scene.connection.client, NULL, 4096, 0);
}

static void do_splice_to_socket(void)
{
	for (;;) {
		(void)!write(scene.pipe[1], "x", 1);
		(void)splice(scene.pipe[0], NULL, scene.connection.full, NULL, 4096, 0);
	}
}

static void do_run(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

/* The child's state, with its descriptor: the position in struct scene. */
struct expected {
	const char *name;
	void (*run)(void);
	enum lai_wait wait;
	const int *fd;
	bool is_socket;
	bool any_fd;
	bool by_place;
	pid_t pid;
};

static struct lai_thread seen;
static bool place_told; /* this kernel fills wchan, without which some waits cannot be told apart */

static bool is_as_expected(void *arg)
{
	const struct expected *expected = arg;
	struct lai_thread *threads = NULL;
	size_t count = 0;
	int result = lai_threads_read(expected->pid, &threads, &count);
	bool same;

	assert_true(result == 0 && count == 1);
	seen = threads[0];
	place_told |= seen.place[0] != '\0';
	same = seen.pid == expected->pid && seen.tid == expected->pid &&
	       seen.wait == expected->wait &&
	       (expected->any_fd || seen.fd == (expected->fd ? *expected->fd : -1)) &&
	       (!expected->is_socket || seen.fd_inode == t_inode(*expected->fd));
	if (!expected->is_socket)
		same &= seen.fd_inode == 0;
	free(threads);
	return same;
}

static void run_expected(void *arg)
{
	((const struct expected *)arg)->run();
}

static const struct expected waits[] = {
	{.name = "read(socket)",
	 .run = do_read_socket,
	 .wait = LAI_WAIT_READ,
	 .fd = &scene.connection.client,
	 .is_socket = true},
	{.name = "read(pipe)", .run = do_read_pipe, .wait = LAI_WAIT_FILE, .fd = &scene.pipe[0]},
	{.name = "send",
	 .run = do_send,
	 .wait = LAI_WAIT_WRITE,
	 .fd = &scene.connection.full,
	 .is_socket = true},
	{.name = "accept",
	 .run = do_accept,
	 .wait = LAI_WAIT_ACCEPT,
	 .fd = &scene.connection.listener,
	 .is_socket = true},
	{.name = "futex", .run = do_lock, .wait = LAI_WAIT_LOCK},
	{.name = "epoll_wait", .run = do_epoll, .wait = LAI_WAIT_EVENTS, .fd = &scene.epoll},
	{.name = "poll", .run = do_poll, .wait = LAI_WAIT_EVENTS},
	{.name = "select", .run = do_select, .wait = LAI_WAIT_EVENTS},
	{.name = "nanosleep", .run = do_sleep, .wait = LAI_WAIT_SLEEP},
	{.name = "pause", .run = do_pause, .wait = LAI_WAIT_SLEEP},
	{.name = "waitpid", .run = do_child, .wait = LAI_WAIT_CHILD},
	{.name = "flock", .run = do_flock, .wait = LAI_WAIT_FILE, .any_fd = true},
	{.name = "splice from an idle socket",
	 .by_place = true,
	 .run = do_splice_from_socket,
	 .wait = LAI_WAIT_READ,
	 .fd = &scene.connection.client,
	 .is_socket = true},
	{.name = "splice from an empty pipe",
	 .by_place = true,
	 .run = do_splice_from_pipe,
	 .wait = LAI_WAIT_FILE,
	 .fd = &scene.pipe[0]},
	{.name = "splice to a full socket",
	 .by_place = true,
	 .run = do_splice_to_socket,
	 .wait = LAI_WAIT_WRITE,
	 .fd = &scene.connection.full,
	 .is_socket = true},
	{.name = "running", .run = do_run, .wait = LAI_WAIT_RUNNING},
};

static void expect_wait(const struct expected *row)
{
	struct expected expected = *row;
	bool same;

	expected.pid = t_child_start(run_expected, &expected);
	same = t_until(is_as_expected, &expected);
	if (!same)
		print_error("%s: wait %d, fd %d, inode %llu, call %d, state %c, place %s\n",
			    expected.name, seen.wait, seen.fd, (unsigned long long)seen.fd_inode,
			    seen.call, seen.state, seen.place);
	t_child_end(expected.pid);
	assert_true(same);
}

static void test_waits(void **state)
{
	(void)state;
	assert_int_equal(flock(scene.file, LOCK_EX), 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (!waits[i].by_place || place_told)
			expect_wait(&waits[i]);
}

/* Its descriptor becomes another socket each time, so the inode is not the scene's. */
static bool is_connecting(void *arg)
{
	struct lai_thread *threads = NULL;
	size_t count = 0;
	bool holds;

	assert_int_equal(lai_threads_read(*(pid_t *)arg, &threads, &count), 0);
	assert_int_equal(count, 1);
	holds = threads[0].wait == LAI_WAIT_CONNECT && threads[0].fd == scene.connecting &&
		threads[0].fd_inode != 0;
	free(threads);
	return holds;
}

static void run_connect(void *arg)
{
	(void)arg;
	do_connect();
}

static void test_connect(void **state)
{
	pid_t pid = t_child_start(run_connect, NULL);
	bool holds = t_until(is_connecting, &pid);

	(void)state;
	t_child_end(pid);
	assert_true(holds);
}

static void test_stopped(void **state)
{
	struct expected expected = {.run = do_read_socket,
				    .wait = LAI_WAIT_READ,
				    .fd = &scene.connection.client,
				    .is_socket = true};
	bool before, stopped, after;

	(void)state;
	expected.pid = t_child_start(run_expected, &expected);
	before = t_until(is_as_expected, &expected);
	(void)kill(expected.pid, SIGSTOP);
	expected.wait = LAI_WAIT_STOPPED;
	stopped = t_until(is_as_expected, &expected);
	(void)kill(expected.pid, SIGCONT);
	expected.wait = LAI_WAIT_READ;
	after = t_until(is_as_expected, &expected);
	t_child_end(expected.pid);
	assert_true(before && stopped && after);
}

/* A sleep or a poll() that was stopped goes on as restart_syscall. */
static void expect_restarted(void (*run)(void), enum lai_wait wait)
{
	struct expected expected = {.run = run, .wait = wait};
	bool before, stopped, after;

	expected.pid = t_child_start(run_expected, &expected);
	before = t_until(is_as_expected, &expected);
	(void)kill(expected.pid, SIGSTOP);
	expected.wait = LAI_WAIT_STOPPED;
	stopped = t_until(is_as_expected, &expected);
	(void)kill(expected.pid, SIGCONT);
	expected.wait = wait;
	after = t_until(is_as_expected, &expected);
	t_child_end(expected.pid);
	assert_true(before && stopped && after);
}

static void test_restarted(void **state)
{
	(void)state;
	expect_restarted(do_sleep, LAI_WAIT_SLEEP);
	if (place_told)
		expect_restarted(do_poll, LAI_WAIT_EVENTS);
}

static void *be_short(void *arg)
{
	return arg;
}

static void *make_threads(void *arg)
{
	for (;;) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, be_short, NULL) == 0)
			(void)pthread_join(thread, NULL);
	}
	return arg;
}

static void run_threads(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		(void)pthread_create(&thread, NULL, make_threads, NULL);
	(void)!write(*(int *)arg, "", 1);
	do_pause();
}

/* Threads come and go while they are read: those that stay are there, each once, in order. */
static void test_threads_come_and_go(void **state)
{
	enum { ROUNDS = 200 };
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = t_child_start(run_threads, &ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < ROUNDS; i++) {
		struct lai_thread *threads = NULL;
		size_t count = 0;

		assert_int_equal(lai_threads_read(pid, &threads, &count), 0);
		assert_true(count >= 3);
		assert_int_equal(threads[0].tid, pid);
		for (size_t j = 1; j < count; j++)
			assert_true(threads[j].tid > threads[j - 1].tid && threads[j].pid == pid);
		free(threads);
	}
	t_child_end(pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void test_appends(void **state)
{
	struct lai_thread *threads = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(lai_threads_read(getpid(), &threads, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(lai_threads_read(getpid(), &threads, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(threads[1].tid, getpid());
	free(threads);
}

static int read_other(void *arg)
{
	struct lai_thread *threads = NULL;
	size_t count = 0;
	int result = lai_threads_read(*(pid_t *)arg, &threads, &count);

	if (count != 1 || threads[0].call != -1 || threads[0].state != 'S' ||
	    threads[0].wait != LAI_WAIT_UNKNOWN || threads[0].fd != -1)
		result = 2;
	free(threads);
	return result;
}

static void test_nobody(void **state)
{
	struct expected expected = {.run = do_pause, .wait = LAI_WAIT_SLEEP};
	bool before;

	(void)state;
	t_needs_root();
	expected.pid = t_child_start(run_expected, &expected);
	before = t_until(is_as_expected, &expected);
	assert_int_equal(t_as_nobody(read_other, &expected.pid), 1);
	t_child_end(expected.pid);
	assert_true(before);
}

static void run_nothing(void *arg)
{
	(void)arg;
}

static void test_zombie_and_gone(void **state)
{
	pid_t pid = t_child_start(run_nothing, NULL);
	struct lai_thread *threads = NULL;
	size_t count = 0;
	siginfo_t info;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(lai_threads_read(pid, &threads, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(threads[0].state, 'Z');
	assert_int_equal(threads[0].wait, LAI_WAIT_UNKNOWN);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(lai_threads_read(pid, &threads, &count), -ESRCH);
	assert_int_equal(count, 1);
	assert_false(lai_thread_is_still(&threads[0]));
	free(threads);
}

static void test_still(void **state)
{
	struct expected expected = {.run = do_read_socket,
				    .wait = LAI_WAIT_READ,
				    .fd = &scene.connection.client,
				    .is_socket = true};
	bool before, still, other;

	(void)state;
	expected.pid = t_child_start(run_expected, &expected);
	before = t_until(is_as_expected, &expected);
	still = lai_thread_is_still(&seen);
	seen.arguments[1]++;
	other = lai_thread_is_still(&seen);
	t_child_end(expected.pid);
	assert_true(before && still);
	assert_false(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "syscall: running, in none, in one", .test_func = test_call_text},
		{.name = "syscall: a 32-bit program's numbers are not ours",
		 .test_func = test_call_of_32_bits},
		{.name = "syscall: other texts are refused", .test_func = test_call_hostile},
		{.name = "what a system call waits for", .test_func = test_wait_of_call},
		{.name = "what a thread waits for, told by its place",
		 .test_func = test_wait_of_place},
		{.name = "children that wait, each in its way", .test_func = test_waits},
		{.name = "a child that connects", .test_func = test_connect},
		{.name = "a stopped child, and one that goes on", .test_func = test_stopped},
		{.name = "a sleep and a poll() go on after SIGCONT", .test_func = test_restarted},
		{.name = "threads come and go while they are read",
		 .test_func = test_threads_come_and_go},
		{.name = "threads are appended", .test_func = test_appends},
		{.name = "nobody sees of root's threads the state alone", .test_func = test_nobody},
		{.name = "a zombie, and a process that is gone", .test_func = test_zombie_and_gone},
		{.name = "is a thread still in its call?", .test_func = test_still},
	};

	return cmocka_run_group_tests_name("observe.thread", tests, scene_open, scene_close);
}
