/* SPDX-License-Identifier: MIT */
/*
 * holder_ways_test.c - both ways find the same holders, those that this test made.
 *
 * Other tests open and close sockets at the same time, so only processes and inodes of our own are
 * looked at.
 */
#include "observe/holder.h"

#include "../tests/support/holding.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_STATES UINT32_MAX
#define REASON_BYTES 128
#define CHURN_LOOKS 15

static pid_t child_start(void (*work)(void))
{
	pid_t pid = t_holding_child(work);

	assert_true(pid > 0);
	return pid;
}

static const struct lai_holders_process *read_of(const struct lai_holders *holders, pid_t pid)
{
	for (size_t i = 0; i < holders->read_count; i++)
		if (holders->read[i].pid == (uint32_t)pid)
			return &holders->read[i];
	return NULL;
}

static void proc_read(struct lai_holders *holders)
{
	assert_int_equal(lai_holders_read_proc(holders), 0);
	t_holding_keep(holders);
}

/* False: not to be had here, and the test cannot be run. */
static bool bpf_read(uint32_t states, struct lai_holders *holders)
{
	char reason[REASON_BYTES] = "";
	int error = lai_holders_read_bpf(states, holders, reason, sizeof(reason));

	if (error) {
		assert_true(error == -EPERM || error == -EOPNOTSUPP);
		print_message("# no BPF: %s\n", reason);
		return false;
	}
	t_holding_keep(holders);
	return true;
}

static void expect_equal(const struct lai_holders *a, const struct lai_holders *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->list[i].inode, b->list[i].inode);
		assert_int_equal(a->list[i].pid, b->list[i].pid);
		assert_int_equal(a->list[i].fd, b->list[i].fd);
	}
	assert_int_equal(a->set_count, b->set_count);
	for (size_t i = 0; i < a->set_count; i++) {
		assert_int_equal(a->sets[i].kind, b->sets[i].kind);
		assert_int_equal(a->sets[i].pid, b->sets[i].pid);
		assert_int_equal(a->sets[i].fd, b->sets[i].fd);
	}
	for (unsigned i = 0; i < t_holding->child_count; i++) {
		const struct lai_holders_process *x = read_of(a, t_holding->children[i]);
		const struct lai_holders_process *y = read_of(b, t_holding->children[i]);

		assert_non_null(x);
		assert_non_null(y);
		assert_int_equal(x->fd_count, y->fd_count);
	}
}

/* Our processes hold so many descriptors of our TCP sockets, by both ways; the rows of /proc. */
static struct lai_holders both_ways(size_t count)
{
	struct lai_holders by_proc = {0}, by_bpf = {0};

	proc_read(&by_proc);
	assert_int_equal(by_proc.count, count);
	if (bpf_read(ALL_STATES, &by_bpf))
		expect_equal(&by_proc, &by_bpf);
	lai_holders_done(&by_bpf);
	return by_proc;
}

/* ---- who holds what ---- */

static void inherited(void **state)
{
	struct lai_holders holders;
	int v4 = t_holding_socket(AF_INET), v6 = t_holding_socket(AF_INET6), again = dup(v4);
	int sockets = v6 < 0 ? 1 : 2; /* a host may be without IPv6 */
	pid_t one = child_start(t_holding_stay), two = child_start(t_holding_stay);

	(void)state;
	assert_true(v4 >= 0 && again >= 0);
	holders = both_ways(3 * (size_t)(sockets + 1));
	for (int i = 0; i < 3; i++) {
		pid_t pid = i == 0 ? getpid() : i == 1 ? one : two;

		assert_true(t_holds(&holders, pid, v4, t_holding->tcp[0]));
		assert_true(t_holds(&holders, pid, again, t_holding->tcp[0]));
		assert_true(v6 < 0 || t_holds(&holders, pid, v6, t_holding->tcp[1]));
	}
	lai_holders_done(&holders);
	close(v4);
	close(again);
	if (v6 >= 0)
		close(v6);
}

/* Sockets that are not TCP's: BPF must not name them, whatever they have in common with it. */
static void others(void **state)
{
	int others[] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0),
			socket(AF_INET, SOCK_RAW, IPPROTO_TCP)};
	int tcp = t_holding_socket(AF_INET);
	struct lai_holders by_bpf = {0};
	bool seen = false;

	(void)state;
	/* As if they were, or t_holding_keep() would hide a mistake. */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] >= 0)
			t_holding->tcp[t_holding->tcp_count++] = t_holding_inode(others[i]);
	seen = bpf_read(ALL_STATES, &by_bpf);
	if (seen) {
		assert_int_equal(by_bpf.count, 1);
		assert_true(t_holds(&by_bpf, getpid(), tcp, t_holding->tcp[0]));
	}
	lai_holders_done(&by_bpf);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] >= 0)
			close(others[i]);
	close(tcp);
	if (!seen)
		skip();
}

static void states(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int listener = t_holding_socket(AF_INET), client = t_holding_socket(AF_INET),
	    bound = t_holding_socket(AF_INET);
	const struct {
		enum lai_tcp_state state;
		int fd;
	} rows[] = {{LAI_TCP_LISTEN, listener},
		    {LAI_TCP_ESTABLISHED, client},
		    {LAI_TCP_CLOSE, bound},
		    {LAI_TCP_BOUND_INACTIVE, bound}};
	bool seen = true;
	struct stat net;

	(void)state;
	assert_int_equal(stat("/proc/self/ns/net", &net), 0);
	assert_int_equal(bind(bound, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	for (size_t i = 0; seen && i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_holders by_bpf = {0};

		seen = bpf_read(1u << rows[i].state, &by_bpf);
		if (seen) {
			assert_int_equal(by_bpf.count, 1);
			assert_true(t_holds(&by_bpf, getpid(), rows[i].fd,
					    t_holding_inode(rows[i].fd)));
			assert_int_equal(by_bpf.list[0].namespace_inode, net.st_ino);
			assert_int_equal(by_bpf.list[0].state,
					 rows[i].fd == bound ? LAI_TCP_CLOSE : rows[i].state);
		}
		lai_holders_done(&by_bpf);
	}
	close(bound);
	close(client);
	close(listener);
	if (!seen)
		skip();
}

/* In whatever state its connections are: the kernel lists those with the inode of the whole. */
static void multipath(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	struct lai_holders holders = {0};
	bool seen;

	(void)state;
	if (fd < 0) {
		print_message("# no MPTCP: %s\n", strerror(errno));
		skip();
	}
	t_holding->tcp[t_holding->tcp_count++] = t_holding_inode(fd);
	seen = bpf_read(1u << LAI_TCP_CLOSE_WAIT, &holders);
	if (seen) {
		assert_int_equal(holders.count, 1);
		assert_true(t_holds(&holders, getpid(), fd, t_holding->tcp[0]));
		assert_int_equal(holders.list[0].state, LAI_TCP_NONE);
	}
	lai_holders_done(&holders);
	holders = both_ways(1);
	lai_holders_done(&holders);
	close(fd);
	if (!seen)
		skip();
}

/* An ordinary file of that name is no epoll set, and hides none. */
static void sets(void **state)
{
	struct io_uring_params params = {0};
	char path[] = "/tmp/lastack-XXXXXX", name[64];
	int set = epoll_create1(0), file, ring;
	struct lai_holders holders;
	size_t rings = 0;

	(void)state;
	assert_true(set >= 0);
	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/[eventpoll]", path);
	file = open(name, O_CREAT | O_RDWR, 0600);
	assert_true(file >= 0);
	unlink(name);
	rmdir(path);
	ring = (int)syscall(SYS_io_uring_setup, 1, &params); /* may be forbidden */
	child_start(t_holding_stay);
	holders = both_ways(0);
	for (size_t i = 0; i < holders.set_count; i++) {
		bool is_ring = holders.sets[i].kind == LAI_DESCRIPTOR_RING;

		assert_int_equal(holders.sets[i].fd, is_ring ? ring : set);
		rings += is_ring;
	}
	assert_int_equal(holders.set_count - rings, 2);
	assert_int_equal(rings, ring < 0 ? 0 : 2);
	lai_holders_done(&holders);
	close(set);
	close(file);
	if (ring >= 0)
		close(ring);
}

/* ---- threads ---- */

static void *thread_stay(void *arg)
{
	char byte;

	(void)arg;
	(void)!read(t_holding->hold[0], &byte, 1);
	return NULL;
}

static void *thread_leave(void *arg)
{
	(void)arg;
	if (unshare(CLONE_FILES) == 0 && t_holding_socket(AF_INET) >= 0)
		t_holding_stay();
	return NULL;
}

/* Two threads of one table, a third with another that has a socket more. */
static void threads_work(void)
{
	pthread_t thread[2];

	if (pthread_create(&thread[0], NULL, thread_stay, NULL) == 0 &&
	    pthread_create(&thread[1], NULL, thread_leave, NULL) == 0)
		pthread_join(thread[1], NULL);
}

static void threads(void **state)
{
	int fd = t_holding_socket(AF_INET);
	pid_t pid = child_start(threads_work);
	struct lai_holders holders = both_ways(2 + 1);

	(void)state;
	assert_int_equal(t_holding->tcp_count, 2);
	assert_true(t_holds(&holders, pid, fd, t_holding->tcp[0]));
	assert_int_not_equal(lai_holders_find(holders.list, holders.count, t_holding->tcp[1]),
			     holders.count);
	lai_holders_done(&holders);
	close(fd);
}

static void *leader_survive(void *arg)
{
	const pthread_t *leader = arg;

	pthread_join(*leader, NULL);
	/* Joined is not gone: the leader's table goes a moment later. */
	for (char stat = 'S'; stat != 'Z';) {
		FILE *file = fopen("/proc/self/stat", "re");

		if (!file || fscanf(file, "%*d (%*[^)]) %c", &stat) != 1)
			stat = 'Z';
		if (file)
			fclose(file);
		sched_yield();
	}
	t_holding_stay();
	return NULL;
}

static void leader_work(void)
{
	static pthread_t leader;
	pthread_t thread;

	leader = pthread_self();
	if (pthread_create(&thread, NULL, leader_survive, &leader) == 0)
		pthread_exit(NULL);
}

/* The process looks like a zombie, and its /proc/PID/fd is empty. */
static void leader_gone(void **state)
{
	int fd = t_holding_socket(AF_INET);
	pid_t pid = child_start(leader_work);
	struct lai_holders holders = both_ways(2);

	(void)state;
	assert_true(t_holds(&holders, pid, fd, t_holding->tcp[0]));
	lai_holders_done(&holders);
	close(fd);
}

/* ---- many, and on the move ---- */

static void zombie(void **state)
{
	int fd = t_holding_socket(AF_INET);
	pid_t pid = child_start(t_holding_tell);
	struct lai_holders holders;
	siginfo_t info;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	holders = both_ways(1);
	assert_non_null(read_of(&holders, pid));
	assert_int_equal(read_of(&holders, pid)->fd_count, 0);
	lai_holders_done(&holders);
	close(fd);
}

static void many_work(void)
{
	struct rlimit limit;
	int fd = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < 20000 ? limit.rlim_max : 20000;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	while (fd >= 0)
		fd = dup(t_holding->ready[0]);
	while (close((int)limit.rlim_cur - 1) < 0)
		limit.rlim_cur--;
	if (t_holding_socket(AF_INET) == (int)limit.rlim_cur - 1)
		t_holding_stay();
}

/* As many descriptors as a process may have, the last one a socket. */
static void many_descriptors(void **state)
{
	pid_t pid = child_start(many_work);
	struct lai_holders holders = both_ways(1);

	(void)state;
	assert_true(read_of(&holders, pid)->fd_count > holders.list[0].fd);
	lai_holders_done(&holders);
}

static void many_processes(void **state)
{
	int fd = t_holding_socket(AF_INET);
	struct lai_holders holders;

	(void)state;
	for (int i = 0; i < T_HOLDING_CHILDREN_MAX; i++)
		child_start(t_holding_stay);
	holders = both_ways(T_HOLDING_CHILDREN_MAX + 1);
	lai_holders_done(&holders);
	close(fd);
}

static void *short_life(void *arg)
{
	int fd = -1;

	(void)arg;
	if (unshare(CLONE_FILES) == 0)
		fd = socket(AF_INET, SOCK_STREAM, 0);
	close(fd);
	return NULL;
}

/* Processes and threads with tables of their own come and go, until the test ends them. */
static void churn_work(void)
{
	t_holding_tell();
	for (;;) {
		pthread_t thread[2];
		pid_t pid = fork();

		if (pid == 0) {
			for (int i = 0; i < 50; i++)
				(void)!socket(AF_INET, SOCK_STREAM, 0);
			_exit(0);
		}
		for (int i = 0; i < 2; i++)
			if (pthread_create(&thread[i], NULL, short_life, NULL) != 0)
				_exit(1);
		for (int i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void churn(void **state)
{
	int fd = t_holding_socket(AF_INET);
	pid_t pid = child_start(t_holding_stay);
	bool bpf = true;

	(void)state;
	child_start(churn_work);
	for (int i = 0; i < CHURN_LOOKS; i++) {
		struct lai_holders by_proc = {0}, by_bpf = {0};

		proc_read(&by_proc);
		assert_true(t_holds(&by_proc, pid, fd, t_holding->tcp[0]));
		assert_true(t_holds(&by_proc, getpid(), fd, t_holding->tcp[0]));
		lai_holders_done(&by_proc);
		bpf = bpf && bpf_read(ALL_STATES, &by_bpf);
		if (bpf) {
			assert_true(t_holds(&by_bpf, pid, fd, t_holding->tcp[0]));
			assert_true(t_holds(&by_bpf, getpid(), fd, t_holding->tcp[0]));
		}
		lai_holders_done(&by_bpf);
	}
	close(fd);
}

#define ROW(sentence, function)                                                                    \
	{                                                                                          \
		.name = sentence, .test_func = function, .setup_func = t_holding_setup,            \
		.teardown_func = t_holding_teardown                                                \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("inherited and duplicated descriptors are holders", inherited),
		ROW("BPF names no socket of another protocol", others),
		ROW("BPF names sockets in the wanted states only, and their namespace", states),
		ROW("the holder of an MPTCP socket is found", multipath),
		ROW("epoll sets and rings are found", sets),
		ROW("a thread that left the table is read, too", threads),
		ROW("threads that survive their leader are read", leader_gone),
		ROW("a zombie is read, and holds nothing", zombie),
		ROW("as many descriptors as a process may have", many_descriptors),
		ROW("500 processes with one socket", many_processes),
		ROW("processes and threads that end meanwhile do not disturb", churn),
	};

	return cmocka_run_group_tests_name("observe.holder_ways", tests, NULL, NULL);
}
