/* SPDX-License-Identifier: MIT */
/*
 * snapshot_test.c - snapshots of a small world of our own, by both ways, looked at for what this
 * test made; other processes of the host come and go meanwhile.
 */
#include "observe/snapshot.h"
#include "observe/sockdiag.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000

/* A listener, two connections of which one is accepted, and an epoll set with that one. */
struct world {
	int listener, accepted, client, waiting, set;
	struct sockaddr_in address;
};

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

static int world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	socklen_t length = sizeof(world->address);
	struct epoll_event event = {.events = EPOLLOUT};

	if (!world)
		return -1;
	world->address = (struct sockaddr_in){.sin_family = AF_INET,
					      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(world->listener, (struct sockaddr *)&world->address, length) < 0 ||
	    listen(world->listener, 8) < 0 ||
	    getsockname(world->listener, (struct sockaddr *)&world->address, &length) < 0)
		return -1;
	world->client = connect_to(&world->address);
	world->accepted = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC);
	world->waiting = connect_to(&world->address);
	world->set = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(world->set, EPOLL_CTL_ADD, world->accepted, &event) < 0)
		return -1;
	*state = world;
	return 0;
}

static int world_close(void **state)
{
	struct world *world = *state;

	(void)close(world->set);
	(void)close(world->waiting);
	(void)close(world->accepted);
	(void)close(world->client);
	(void)close(world->listener);
	free(world);
	return 0;
}

static uint64_t inode_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

static const enum lai_way_choice ways[] = {LAI_WAY_CHOICE_BPF, LAI_WAY_CHOICE_PROC};

/* NULL: this way cannot be had here, which the other way makes up for. */
static struct lai_snapshot *take(enum lai_way_choice way, bool evidence)
{
	struct lai_snapshot_request request = {.way = way, .evidence = evidence};
	struct lai_snapshot *snapshot = NULL;
	char *error = NULL;
	int result = lai_snapshot_take(&request, &snapshot, &error);

	if (result != 0 && way == LAI_WAY_CHOICE_BPF) {
		assert_non_null(error);
		print_message("# not by BPF: %s\n", error);
		free(error);
		return NULL;
	}
	assert_int_equal(result, 0);
	assert_int_equal(snapshot->coverage.way,
			 way == LAI_WAY_CHOICE_BPF ? LAI_WAY_BPF : LAI_WAY_PROC);
	return snapshot;
}

/* NULL: not there. */
static const struct lai_socket_fact *find(const struct lai_snapshot *snapshot, int fd)
{
	for (size_t i = 0; i < snapshot->socket_count; i++)
		if (snapshot->sockets[i].inode == inode_of(fd))
			return &snapshot->sockets[i];
	return NULL;
}

static bool is_held(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket,
		    pid_t pid, int fd)
{
	for (uint32_t i = 0; i < socket->holder_count; i++) {
		const struct lai_holder *holder = &snapshot->holders[socket->holder_first + i];

		assert_true(holder->inode == socket->inode);
		if (holder->pid == (uint32_t)pid && holder->fd == (uint32_t)fd)
			return true;
	}
	return false;
}

static void test_owners(void **state)
{
	struct world *world = *state;
	int twice = fcntl(world->client, F_DUPFD_CLOEXEC, 0);

	for (size_t i = 0; i < 2; i++) {
		struct lai_snapshot *snapshot = take(ways[i], false);
		const struct lai_socket_fact *socket;
		const struct lai_process *process;

		if (!snapshot)
			continue;
		socket = find(snapshot, world->client);
		assert_non_null(socket);
		assert_int_equal(socket->state, LAI_TCP_ESTABLISHED);
		assert_int_equal(socket->holder_count, 2);
		assert_true(is_held(snapshot, socket, getpid(), world->client));
		assert_true(is_held(snapshot, socket, getpid(), twice));
		process = lai_snapshot_process(snapshot, getpid());
		assert_non_null(process);
		assert_true(process->fd_count >= 6);
		assert_true(process->fd_limit > 0);
		assert_string_equal(process->comm, "snapshot_test");
		lai_snapshot_free(snapshot);
	}
	(void)close(twice);
}

static void test_never_accepted(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 2; i++) {
		struct lai_snapshot *snapshot = take(ways[i], false);
		const struct lai_socket_fact *listener;
		size_t waiting = 0;

		if (!snapshot)
			continue;
		listener = find(snapshot, world->listener);
		assert_non_null(listener);
		assert_int_equal(listener->rqueue_bytes, 1);
		for (size_t j = 0; j < snapshot->socket_count; j++)
			if (snapshot->sockets[j].listener != LAI_NO_INDEX &&
			    &snapshot->sockets[snapshot->sockets[j].listener] == listener)
				waiting++;
		assert_int_equal(waiting, 1);
		lai_snapshot_free(snapshot);
	}
}

static void test_ghosts(void **state)
{
	struct world *world = *state;
	struct linger abort = {.l_onoff = 1};
	struct pollfd reset = {.fd = world->accepted, .events = POLLIN};
	int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(world->client, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)),
			 0);
	(void)close(world->client);
	assert_int_equal(poll(&reset, 1, PATIENCE_MS), 1);
	for (size_t i = 0; i < 2; i++) {
		struct lai_snapshot *snapshot = take(ways[i], false);
		const struct lai_socket_fact *socket;

		if (!snapshot)
			continue;
		socket = find(snapshot, world->accepted);
		assert_non_null(socket);
		assert_int_equal(socket->state, LAI_TCP_CLOSE);
		assert_int_equal(socket->past, LAI_PAST_CONNECTED);
		assert_true(is_held(snapshot, socket, getpid(), world->accepted));
		socket = find(snapshot, fresh);
		assert_non_null(socket);
		assert_int_equal(socket->past, LAI_PAST_NONE);
		lai_snapshot_free(snapshot);
	}
	(void)close(fresh);
	world->client = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_shared(void **state)
{
	struct world *world = *state;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			(void)pause();
	for (size_t i = 0; i < 2; i++) {
		struct lai_snapshot *snapshot = take(ways[i], false);
		const struct lai_socket_fact *socket;

		if (!snapshot)
			continue;
		socket = find(snapshot, world->accepted);
		assert_non_null(socket);
		assert_int_equal(socket->holder_count, 2);
		assert_true(is_held(snapshot, socket, getpid(), world->accepted));
		assert_true(is_held(snapshot, socket, child, world->accepted));
		lai_snapshot_free(snapshot);
	}
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_evidence(void **state)
{
	struct world *world = *state;
	struct pollfd closed = {.fd = world->accepted, .events = POLLRDHUP};

	assert_int_equal(shutdown(world->client, SHUT_WR), 0);
	assert_int_equal(poll(&closed, 1, PATIENCE_MS), 1);
	for (size_t i = 0; i < 2; i++) {
		struct lai_snapshot *snapshot = take(ways[i], true);
		const struct lai_watch *watch = NULL;
		size_t threads = 0;

		if (!snapshot)
			continue;
		assert_int_equal(find(snapshot, world->accepted)->state, LAI_TCP_CLOSE_WAIT);
		for (size_t j = 0; j < snapshot->watch_count; j++)
			if (snapshot->watches[j].inode == inode_of(world->accepted))
				watch = &snapshot->watches[j];
		assert_non_null(watch);
		assert_int_equal(watch->set_fd, world->set);
		assert_true(watch->events & EPOLLOUT);
		assert_false(watch->events & EPOLLIN);
		for (size_t j = 0; j < snapshot->thread_count; j++)
			threads += snapshot->threads[j].pid == getpid();
		assert_true(threads >= 1);
		lai_snapshot_free(snapshot);
	}
}

static void test_states(void **state)
{
	struct world *world = *state;
	struct lai_snapshot_request request = {.state_mask = LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN)};
	struct lai_snapshot *snapshot = NULL;
	char *error = NULL;

	assert_int_equal(lai_snapshot_take(&request, &snapshot, &error), 0);
	for (size_t i = 0; i < snapshot->socket_count; i++)
		assert_int_equal(snapshot->sockets[i].state, LAI_TCP_LISTEN);
	assert_non_null(find(snapshot, world->listener));
	assert_int_equal(find(snapshot, world->listener)->holder_count, 1);
	assert_true(snapshot->namespaces[0].seen);
	assert_true(snapshot->namespaces[0].port_max > snapshot->namespaces[0].port_min);
	lai_snapshot_free(snapshot);
}

int main(void)
{
#define IN_WORLD(sentence, function)                                                               \
	{                                                                                          \
		.name = (sentence), .test_func = (function), .setup_func = world_open,             \
		.teardown_func = world_close                                                       \
	}
	const struct CMUnitTest tests[] = {
		IN_WORLD("every descriptor that holds a socket is found, both ways", test_owners),
		IN_WORLD("a connection that waits for accept() belongs to its listener",
			 test_never_accepted),
		IN_WORLD("a descriptor without connection is told from a new one", test_ghosts),
		IN_WORLD("a socket that a child inherited has two holders", test_shared),
		IN_WORLD("threads and epoll sets of suspects are looked at", test_evidence),
		IN_WORLD("states are chosen, owners may be left out", test_states),
	};

	return cmocka_run_group_tests_name("observe.snapshot", tests, NULL, NULL);
}
