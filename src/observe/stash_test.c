/* SPDX-License-Identifier: MIT */
/* stash_test.c - texts of rings and UNIX sockets, then real ones that hold closed descriptors. */
#include "observe/stash.h"

#include "observe/child_test.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* --- pure --- */

struct inodes {
	uint64_t list[8];
	size_t count;
	int answer;
};

static int take(void *arg, uint64_t inode)
{
	struct inodes *inodes = arg;

	assert_true(inodes->count < sizeof(inodes->list) / sizeof(inodes->list[0]));
	inodes->list[inodes->count++] = inode;
	return inodes->answer;
}

static const char ring_text[] = "pos:\t0\n"
				"SqMask:\t0x7\n"
				"SQEs:\t1\n"
				"    3: opcode:RECV, fd:5, flags:0\n"
				"    4: socket:[99]\n" /* only after UserFiles */
				"CQEs:\t0\n"
				"UserFiles:\t5\n"
				"    0: socket:[4178873]\n"
				"    1: <none>\n"
				"    2: /dev/null\n"
				"    3: TCP\n"
				"    4: TCPv6\n"
				"    5: UNIX\n"
				"    6: socket:[18446744073709551615]\n"
				"UserBufs:\t1\n"
				"    0: socket:[98]\n"
				"PollList:\n"
				"  op=22, task_works=0\n"
				"  op=27, task_works=0\n"
				"CqOverflowList:\n"
				"  op=1, task_works=0\n";

static void test_ring_text(void **state)
{
	struct lai_ring_facts facts;
	struct inodes inodes = {.count = 0};

	(void)state;
	assert_int_equal(lai_ring_parse(ring_text, take, &inodes, &facts), 0);
	assert_true(facts.told);
	assert_int_equal(facts.nameless, 2);
	assert_int_equal(facts.pending, 2);
	assert_int_equal(inodes.count, 2);
	assert_true(inodes.list[0] == 4178873 && inodes.list[1] == UINT64_MAX);
}

static void test_ring_ended(void **state)
{
	struct lai_ring_facts facts = {.pending = 77};
	struct inodes inodes = {.answer = -ENOMEM};

	(void)state;
	assert_int_equal(lai_ring_parse(ring_text, take, &inodes, &facts), -ENOMEM);
	assert_int_equal(inodes.count, 1);
	assert_int_equal(facts.pending, 77);
}

static void test_ring_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		" ",
		"UserFiles",
		"UserFiles:",
		"UserFiles:\t1\n",
		"UserFiles:\t1\n ",
		"UserFiles:\n    0:",
		"UserFiles:\n    0: ",
		"UserFiles:\n    0: socket:[]\n",
		"UserFiles:\n    0: socket:[1\n",
		"UserFiles:\n    0:socket:[1]\n",
		"UserFiles:\n    0: socket:[1]socket:[1]socket:[1]socket:[1]socket:[1]socket:[1]"
		"socket:[1]socket:[1]\n",
		"UserFiles:\n    0 socket\n: x\n",
		"PollList:\n  op",
		"PollList:\nop=1\n",
	};
	struct inodes inodes = {.count = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lai_ring_facts facts;

		assert_int_equal(lai_ring_parse(texts[i], take, &inodes, &facts), 0);
		assert_int_equal(facts.pending + facts.nameless, 0);
	}
	assert_int_equal(inodes.count, 0);
}

static void test_flight_text(void **state)
{
	(void)state;
	assert_int_equal(lai_flight_parse("pos:\t0\nino:\t7\nscm_fds: 2\n"), 2);
	assert_int_equal(lai_flight_parse("scm_fds: 4294967295"), UINT32_MAX);
	assert_int_equal(lai_flight_parse("scm_fds: 4294967296"), 0);
	assert_int_equal(lai_flight_parse("scm_fds: 0\n"), 0);
	assert_int_equal(lai_flight_parse("scm_fds:\n7"), 0);
	assert_int_equal(lai_flight_parse("xscm_fds: 2"), 0);
	assert_int_equal(lai_flight_parse(""), 0);
}

/* --- rings --- */

#define RING_ENTRIES 8

struct ring {
	int fd;
	struct io_uring_params params;
	char *queue;
	struct io_uring_sqe *entries;
};

static void ring_open(struct ring *ring)
{
	size_t size;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &ring->params);
	if (ring->fd < 0) {
		print_message("io_uring: %s\n", strerror(errno));
		skip(); /* not built in, or kernel.io_uring_disabled */
	}
	size = ring->params.sq_off.array + RING_ENTRIES * sizeof(unsigned);
	ring->queue =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	assert_true(ring->queue != MAP_FAILED);
	ring->entries = mmap(NULL, RING_ENTRIES * sizeof(*ring->entries), PROT_READ | PROT_WRITE,
			     MAP_SHARED, ring->fd, IORING_OFF_SQES);
	assert_true((void *)ring->entries != MAP_FAILED);
}

static void ring_close(struct ring *ring)
{
	(void)munmap(ring->queue, ring->params.sq_off.array + RING_ENTRIES * sizeof(unsigned));
	(void)munmap(ring->entries, RING_ENTRIES * sizeof(*ring->entries));
	(void)close(ring->fd);
}

static void ring_submit_recv(struct ring *ring, int fd, void *byte)
{
	unsigned *tail = (unsigned *)(void *)(ring->queue + ring->params.sq_off.tail);
	unsigned *array = (unsigned *)(void *)(ring->queue + ring->params.sq_off.array);
	unsigned index = *tail % RING_ENTRIES;

	memset(&ring->entries[index], 0, sizeof(ring->entries[index]));
	ring->entries[index].opcode = IORING_OP_RECV;
	ring->entries[index].fd = fd;
	ring->entries[index].addr = (uintptr_t)byte;
	ring->entries[index].len = 1;
	array[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	assert_int_equal(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0), 1);
}

/* The socket's only descriptor is closed; the ring has it, and says which. */
static void test_registered(void **state)
{
	struct t_connection connection;
	struct ring ring;
	struct lai_stash *stashes = NULL;
	size_t count = 0;
	uint64_t inode;
	int fds[2];

	(void)state;
	ring_open(&ring);
	t_connection_open(&connection);
	inode = t_inode(connection.server);
	fds[0] = -1;
	fds[1] = connection.server;
	assert_int_equal(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, fds, 2), 0);
	(void)close(connection.server);
	assert_int_equal(lai_stashes_of_ring(getpid(), ring.fd, &stashes, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(stashes[0].hold, LAI_HOLD_RING);
	assert_int_equal(stashes[0].pid, getpid());
	assert_int_equal(stashes[0].fd, ring.fd);
	assert_int_equal(stashes[0].count, 1);
	/* Older kernels tell the kind of file alone. */
	assert_true(stashes[0].inode == inode || stashes[0].inode == 0);
	free(stashes);
	t_connection_close(&connection);
	ring_close(&ring);
}

static void test_pending(void **state)
{
	struct t_connection connection;
	struct ring ring;
	struct lai_stash *stashes = NULL;
	size_t count = 0;
	char bytes[2];

	(void)state;
	ring_open(&ring);
	t_connection_open(&connection);
	assert_int_equal(lai_stashes_of_ring(getpid(), ring.fd, &stashes, &count), 0);
	assert_int_equal(count, 0);
	ring_submit_recv(&ring, connection.server, &bytes[0]);
	ring_submit_recv(&ring, connection.client, &bytes[1]);
	(void)close(connection.server);
	assert_int_equal(lai_stashes_of_ring(getpid(), ring.fd, &stashes, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(stashes[0].count, 2);
	assert_true(stashes[0].inode == 0);
	free(stashes);
	t_connection_close(&connection);
	ring_close(&ring);
}

static void test_no_ring(void **state)
{
	struct lai_stash *stashes = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(lai_stashes_of_ring(getpid(), STDERR_FILENO, &stashes, &count), 0);
	assert_int_equal(lai_stashes_of_ring(getpid(), -1, &stashes, &count), 0);
	assert_int_equal(count, 0);
	assert_null(stashes);
}

/* --- in flight --- */

static void send_files(int to, const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.bytes = ""};
	char byte = 'x';
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(fd_count * sizeof(int))};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, fd_count * sizeof(int));
	assert_int_equal(sendmsg(to, &message, 0), 1);
}

/* Are there files in flight in this process's queues, how many, and at which descriptor? */
static size_t in_flight(pid_t pid, uint32_t *files, int32_t *fd)
{
	struct lai_stash *stashes = NULL;
	size_t count = 0;

	assert_int_equal(lai_stashes_in_flight(pid, &stashes, &count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(stashes[i].hold, LAI_HOLD_FLIGHT);
		assert_int_equal(stashes[i].pid, pid);
		assert_true(stashes[i].inode == 0);
		*files = stashes[i].count;
		*fd = stashes[i].fd;
	}
	free(stashes);
	return count;
}

static void test_flight(int type)
{
	struct t_connection connection;
	uint32_t files = 0;
	int pair[2], fds[2], copy;
	int32_t fd = -1;

	assert_int_equal(in_flight(getpid(), &files, &fd), 0);
	t_connection_open(&connection);
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
	fds[0] = connection.server;
	fds[1] = connection.client;
	send_files(pair[0], fds, 2);
	(void)close(connection.server);
	copy = dup(pair[1]);
	/* It is the receiver's end, once although it has two descriptors. */
	assert_int_equal(in_flight(getpid(), &files, &fd), 1);
	assert_int_equal(files, 2);
	assert_true(fd == pair[1] || fd == copy);
	send_files(pair[0], fds + 1, 1);
	assert_int_equal(in_flight(getpid(), &files, &fd), 1);
	assert_int_equal(files, 3);
	(void)close(pair[1]);
	(void)close(copy);
	assert_int_equal(in_flight(getpid(), &files, &fd), 0);
	(void)close(pair[0]);
	t_connection_close(&connection);
}

static void test_flight_stream(void **state)
{
	(void)state;
	test_flight(SOCK_STREAM);
}

static void test_flight_datagram(void **state)
{
	(void)state;
	test_flight(SOCK_DGRAM);
}

/* Sent to a socket that nobody has accepted yet: the listener shows them. */
static void test_flight_unaccepted(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(sa_family_t); /* the kernel chooses an abstract name */
	struct sockaddr *any = (struct sockaddr *)&address;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t files = 0;
	int32_t fd = -1;

	(void)state;
	assert_int_equal(bind(listener, any, length), 0);
	length = sizeof(address);
	assert_int_equal(getsockname(listener, any, &length), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, any, length), 0);
	send_files(client, &listener, 1);
	assert_int_equal(in_flight(getpid(), &files, &fd), 1);
	assert_int_equal(files, 1);
	assert_int_equal(fd, listener);
	(void)close(client);
	(void)close(listener);
}

/* --- who may, and what is gone --- */

static void run_pause(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
}

static int flight_of_other(void *arg)
{
	struct lai_stash *stashes = NULL;
	size_t count = 0;

	return lai_stashes_in_flight(*(pid_t *)arg, &stashes, &count);
}

static int ring_of_other(void *arg)
{
	struct lai_stash *stashes = NULL;
	size_t count = 0;

	return lai_stashes_of_ring(*(pid_t *)arg, 2, &stashes, &count);
}

static void test_nobody(void **state)
{
	pid_t pid;

	(void)state;
	t_needs_root();
	pid = t_child_start(run_pause, NULL);
	assert_int_equal(t_as_nobody(flight_of_other, &pid), -EACCES);
	assert_int_equal(t_as_nobody(ring_of_other, &pid), -EACCES);
	t_child_end(pid);
	assert_int_equal(flight_of_other(&pid), -ESRCH);
	assert_int_equal(ring_of_other(&pid), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a ring's fdinfo: files and requests", .test_func = test_ring_text},
		{.name = "a ring's fdinfo: what each() returns ends it",
		 .test_func = test_ring_ended},
		{.name = "a ring's fdinfo: odd texts", .test_func = test_ring_hostile},
		{.name = "a UNIX socket's fdinfo", .test_func = test_flight_text},
		{.name = "a socket registered in a ring, and closed", .test_func = test_registered},
		{.name = "requests of a ring that wait", .test_func = test_pending},
		{.name = "what is no ring holds nothing", .test_func = test_no_ring},
		{.name = "files in flight on a stream", .test_func = test_flight_stream},
		{.name = "files in flight in datagrams", .test_func = test_flight_datagram},
		{.name = "files in flight to a listener", .test_func = test_flight_unaccepted},
		{.name = "nobody may not see root's, and a process that is gone",
		 .test_func = test_nobody},
	};

	return cmocka_run_group_tests_name("observe.stash", tests, NULL, NULL);
}
