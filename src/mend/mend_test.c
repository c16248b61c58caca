/* SPDX-License-Identifier: MIT */
/*
 * mend_test.c - whatever became of the target between the look and the deed: who is not it is left
 * alone. Each test makes one thing differ.
 */
#include "mend/mend_inside.h"
#include "observe/process.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define FAR_FD 500 /* beyond all that is open here */

/* The owner's end is in CLOSE_WAIT. Owner and mender are this process. */
struct pair {
	int listener, owner, peer;
	struct lai_mend_target target;
};

struct search {
	uint64_t inode;
	struct lai_socket_fact found;
	bool done;
};

static int search_each(void *arg, const struct lai_socket_fact *fact)
{
	struct search *search = arg;

	if (fact->inode == search->inode) {
		search->found = *fact;
		search->done = true;
	}
	return 0;
}

static struct lai_socket_fact fact_of(uint64_t inode)
{
	struct search search = {.inode = inode};
	int error;

	do
		error = lai_sockdiag_dump(LAI_SOCKDIAG_ALL, search_each, &search);
	while (error == -EAGAIN);
	assert_int_equal(error, 0);
	assert_true(search.done);
	return search.found;
}

static uint64_t inode_of(int fd)
{
	char path[32], link[64];
	unsigned long inode = 0;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	assert_true(length > 0);
	link[length] = '\0';
	assert_int_equal(sscanf(link, "socket:[%lu]", &inode), 1);
	return inode;
}

static struct lai_mend_target target_of(int fd)
{
	struct lai_mend_target target = {
		.socket = fact_of(inode_of(fd)),
		.name_space = {.ours = true},
		.pid = getpid(),
		.fd = fd,
	};

	assert_int_equal(lai_process_start(getpid(), &target.start_ticks), 0);
	return target;
}

static struct pair pair_open(int family, int protocol, const char *device)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr *sa = (struct sockaddr *)&address;
	socklen_t length = sizeof(address);
	struct pair pair;

	if (family == AF_INET) {
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		sa = (struct sockaddr *)&v4;
		length = sizeof(v4);
	}
	pair.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	pair.peer = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	assert_true(pair.listener >= 0 && pair.peer >= 0);
	if (device)
		assert_int_equal(setsockopt(pair.listener, SOL_SOCKET, SO_BINDTODEVICE, device,
					    (socklen_t)strlen(device)),
				 0);
	assert_int_equal(bind(pair.listener, sa, length), 0);
	assert_int_equal(listen(pair.listener, 1), 0);
	assert_int_equal(getsockname(pair.listener, sa, &length), 0);
	assert_int_equal(connect(pair.peer, sa, length), 0);
	pair.owner = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(pair.owner >= 0);
	return pair;
}

static struct pair pair_stuck(int family, const char *device)
{
	struct pair pair = pair_open(family, IPPROTO_TCP, device);

	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	pair.target = target_of(pair.owner);
	assert_int_equal(pair.target.socket.state, LAI_TCP_CLOSE_WAIT);
	return pair;
}

static void pair_done(struct pair *pair)
{
	(void)close(pair->owner);
	(void)close(pair->peer);
	(void)close(pair->listener);
}

static void assert_outcome(const struct lai_mend_target *target, enum lai_mend_how how,
			   const char *wanted)
{
	struct lai_mend_result result = lai_mend(target, how, NULL);

	assert_string_equal(lai_mend_outcome_name(result.outcome), wanted);
}

/* All grades; nothing may have happened to the owner's end. */
static void assert_untouched(struct pair *pair, const char *by_descriptor, const char *by_rst)
{
	int on = -1;
	socklen_t length = sizeof(on);

	assert_outcome(&pair->target, LAI_MEND_KEEPALIVE, by_descriptor);
	assert_outcome(&pair->target, LAI_MEND_FIN, by_descriptor);
	assert_outcome(&pair->target, LAI_MEND_RST, by_rst);
	assert_int_equal(send(pair->owner, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(getsockopt(pair->owner, SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
	assert_int_equal(on, 0);
}

/* ---- it is the target ------------------------------------------------------------------------ */

static void all_grades_of_all_families(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};

	(void)state;
	for (int i = 0; i < 2; i++)
		for (int how = 0; how < LAI_MEND_COUNT; how++) {
			struct pair pair = pair_stuck(families[i], NULL);

			assert_outcome(&pair.target, (enum lai_mend_how)how, "mended");
			pair_done(&pair);
		}
}

static void v4_mapped(void **state)
{
	(void)state;
	for (int how = 0; how < LAI_MEND_COUNT; how++) {
		struct sockaddr_in6 any = {.sin6_family = AF_INET6};
		struct sockaddr_in to = {.sin_family = AF_INET};
		socklen_t length = sizeof(any);
		struct pair pair = {.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0),
				    .peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

		assert_int_equal(bind(pair.listener, (struct sockaddr *)&any, sizeof(any)), 0);
		assert_int_equal(listen(pair.listener, 1), 0);
		assert_int_equal(getsockname(pair.listener, (struct sockaddr *)&any, &length), 0);
		to.sin_port = any.sin6_port;
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_int_equal(connect(pair.peer, (struct sockaddr *)&to, sizeof(to)), 0);
		pair.owner = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
		assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
		pair.target = target_of(pair.owner);
		assert_int_equal(pair.target.socket.family, AF_INET6);
		assert_outcome(&pair.target, (enum lai_mend_how)how, "mended");
		pair_done(&pair);
	}
}

static void bound_to_a_device(void **state)
{
	(void)state;
	for (int how = 0; how < LAI_MEND_COUNT; how++) {
		struct pair pair = pair_stuck(AF_INET, "lo");

		assert_outcome(&pair.target, (enum lai_mend_how)how, "mended");
		pair_done(&pair);
	}
}

/* What a program without a snapshot's cookie asks for; the kernel would take any for rst. */
static void without_a_cookie(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);

	(void)state;
	pair.target.socket.cookie = 0;
	assert_outcome(&pair.target, LAI_MEND_RST, "impossible");
	assert_outcome(&pair.target, LAI_MEND_FIN, "mended");
	pair_done(&pair);
}

/* The peer's FIN came after the look. */
static void established_that_became_close_wait(void **state)
{
	struct pair pair = pair_open(AF_INET, IPPROTO_TCP, NULL);

	(void)state;
	pair.target = target_of(pair.owner);
	assert_int_equal(pair.target.socket.state, LAI_TCP_ESTABLISHED);
	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	assert_outcome(&pair.target, LAI_MEND_FIN, "mended");
	pair_done(&pair);
}

static void a_session_of_many(void **state)
{
	struct lai_mend_session *session;
	struct pair pairs[8];

	(void)state;
	assert_int_equal(lai_mend_session_new(&session), 0);
	for (int i = 0; i < 8; i++)
		pairs[i] = pair_stuck(AF_INET, NULL);
	pairs[3].target.start_ticks++; /* a stranger among them */
	for (int i = 0; i < 8; i++) {
		enum lai_mend_how how = i % 2 ? LAI_MEND_FIN : LAI_MEND_RST;
		struct lai_mend_result result = lai_mend_in(session, &pairs[i].target, how, NULL);

		assert_string_equal(lai_mend_outcome_name(result.outcome),
				    i == 3 ? "changed" : "mended");
	}
	lai_mend_session_free(session);
	for (int i = 0; i < 8; i++)
		pair_done(&pairs[i]);
}

/* ---- it is not ------------------------------------------------------------------------------- */

static void another_process(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);

	(void)state;
	pair.target.start_ticks++;
	/* The process is gone, the socket is not: that must not be called done. */
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	assert_outcome(&pair.target, LAI_MEND_KEEPALIVE, "changed");
	assert_int_equal(send(pair.owner, "x", 1, MSG_NOSIGNAL), 1);
	pair_done(&pair);
}

static void a_closed_descriptor(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);

	(void)state;
	/* Far from what mend itself opens, which would take its place in this process. */
	pair.target.fd = fcntl(pair.owner, F_DUPFD_CLOEXEC, FAR_FD);
	assert_true(pair.target.fd >= FAR_FD);
	assert_int_equal(close(pair.owner), 0);
	assert_int_equal(close(pair.target.fd), 0);
	assert_outcome(&pair.target, LAI_MEND_FIN, "gone");
	assert_outcome(&pair.target, LAI_MEND_RST, "gone");
	pair.owner = -1;
	pair_done(&pair);
}

/* Same descriptor, same state, another connection. */
static void a_recycled_descriptor(void **state)
{
	struct pair old = pair_stuck(AF_INET, NULL), new = pair_stuck(AF_INET, NULL);

	(void)state;
	assert_int_equal(dup2(new.owner, old.owner), old.owner);
	assert_untouched(&old, "changed", "gone");
	pair_done(&old);
	pair_done(&new);
}

static void no_socket_any_more(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(dup2(pipes[0], pair.owner), pair.owner);
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	pair_done(&pair);
}

/* Each part of the identity alone: as if inode numbers or cookies came again. */
static void each_part_of_the_identity(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);
	const struct lai_socket_fact good = pair.target.socket;

	(void)state;
	pair.target.socket.inode++;
	assert_untouched(&pair, "changed", "gone");
	pair.target.socket = good;
	pair.target.socket.cookie++;
	assert_untouched(&pair, "changed", "gone");
	pair.target.socket = good;
	pair.target.socket.family = AF_INET6;
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	pair.target.socket = good;
	lai_address_set_port(&pair.target.socket.local,
			     (uint16_t)(lai_address_port(&good.local) ^ 1));
	assert_untouched(&pair, "changed", "gone");
	pair.target.socket = good;
	lai_address_set_port(&pair.target.socket.remote,
			     (uint16_t)(lai_address_port(&good.remote) ^ 1));
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	pair.target.socket = good;
	pair.target.socket.remote.v4.sin_addr.s_addr ^= htonl(2);
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	pair.target.socket = good;
	pair.target.socket.state = LAI_TCP_FIN_WAIT2;
	assert_untouched(&pair, "changed", "changed");
	pair.target.socket = good;
	assert_outcome(&pair.target, LAI_MEND_FIN, "mended");
	pair_done(&pair);
}

/* The owner has sent its own FIN meanwhile. */
static void on_its_way_out(void **state)
{
	struct pair pair = pair_open(AF_INET, IPPROTO_TCP, NULL);

	(void)state;
	pair.target = target_of(pair.owner);
	assert_int_equal(shutdown(pair.owner, SHUT_WR), 0);
	assert_outcome(&pair.target, LAI_MEND_FIN, "gone");
	assert_outcome(&pair.target, LAI_MEND_RST, "gone");
	assert_int_equal(send(pair.peer, "x", 1, MSG_NOSIGNAL), 1);
	pair_done(&pair);
}

/*
 * The owner disconnects the very socket and connects it anew, from the same port to the same
 * server: inode, cookie and addresses are the same, and only the state tells.
 */
static void a_socket_born_again(void **state)
{
	struct pair pair = pair_open(AF_INET, IPPROTO_TCP, NULL);
	struct sockaddr unspecific = {.sa_family = AF_UNSPEC};
	struct sockaddr_in from, to;
	socklen_t from_length = sizeof(from), to_length = sizeof(to);
	struct linger now = {.l_onoff = 1};
	struct lai_mend_target target;
	struct lai_socket_fact again;
	int on = 1, client, served;

	(void)state;
	/* The client is the owner here: the server's FIN brings it into CLOSE_WAIT. It keeps its
	   port when it disconnects, since it has asked for it by number. */
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(getsockname(pair.listener, (struct sockaddr *)&to, &to_length), 0);
	assert_int_equal(getsockname(pair.peer, (struct sockaddr *)&from, &from_length), 0);
	assert_int_equal(setsockopt(pair.owner, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	assert_int_equal(close(pair.owner), 0);
	assert_int_equal(close(pair.peer), 0);
	pair.owner = pair.peer = -1;
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(client, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, to_length), 0);
	served = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(served >= 0);
	assert_int_equal(shutdown(served, SHUT_WR), 0);
	target = target_of(client);
	assert_int_equal(target.socket.state, LAI_TCP_CLOSE_WAIT);

	assert_int_equal(setsockopt(served, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	assert_int_equal(close(served), 0);
	assert_int_equal(connect(client, &unspecific, sizeof(unspecific)), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, to_length), 0);
	assert_int_equal(inode_of(client), target.socket.inode);
	again = fact_of(target.socket.inode);
	assert_int_equal(again.cookie, target.socket.cookie);
	assert_true(lai_address_equal(&again.local, &target.socket.local));
	assert_true(lai_address_equal(&again.remote, &target.socket.remote));
	assert_outcome(&target, LAI_MEND_FIN, "changed");
	assert_outcome(&target, LAI_MEND_KEEPALIVE, "changed");
	assert_outcome(&target, LAI_MEND_RST, "changed");
	assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), 1);
	(void)close(client);
	pair_done(&pair);
}

static void accepted_meanwhile(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);

	(void)state;
	pair.target.socket.inode = 0; /* at the look it was in the backlog */
	pair.target.pid = 0;
	assert_outcome(&pair.target, LAI_MEND_RST, "changed");
	assert_int_equal(send(pair.owner, "x", 1, MSG_NOSIGNAL), 1);
	pair_done(&pair);
}

/* The user's descriptor is above the TCP socket that the kernel lists. */
static void mptcp(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	struct pair pair;

	(void)state;
	if (fd < 0)
		skip();
	(void)close(fd);
	pair = pair_open(AF_INET, IPPROTO_MPTCP, NULL);
	pair.target = target_of(pair.owner);
	assert_outcome(&pair.target, LAI_MEND_FIN, "impossible");
	assert_int_equal(send(pair.owner, "x", 1, MSG_NOSIGNAL), 1);
	pair_done(&pair);
}

/* ---- processes ------------------------------------------------------------------------------- */

static pid_t child_with_pid(pid_t wanted)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = wanted ? (uint64_t)(uintptr_t)&wanted : 0,
		.set_tid_size = wanted ? 1 : 0,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static void child_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* A process with the same pid, which inherited the same socket at the same descriptor. */
static void a_recycled_pid(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);
	uint64_t start_ticks = 0;
	pid_t first = child_with_pid(0), second;

	(void)state;
	assert_true(first > 0);
	pair.target.pid = first;
	assert_int_equal(lai_process_start(first, &pair.target.start_ticks), 0);
	child_end(first);
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed"); /* nobody has the pid */
	do { /* the kernel tells the start in hundredths of a second */
		second = child_with_pid(first);
		if (second < 0) { /* EPERM: no CAP_CHECKPOINT_RESTORE; EEXIST: somebody has it */
			pair_done(&pair);
			skip();
		}
		assert_int_equal(lai_process_start(second, &start_ticks), 0);
		if (start_ticks == pair.target.start_ticks)
			child_end(second);
	} while (start_ticks == pair.target.start_ticks);
	assert_int_equal(second, first);
	assert_outcome(&pair.target, LAI_MEND_FIN, "changed");
	assert_int_equal(send(pair.owner, "x", 1, MSG_NOSIGNAL), 1);
	pair.target.start_ticks = start_ticks; /* it would have been possible */
	assert_outcome(&pair.target, LAI_MEND_FIN, "mended");
	child_end(second);
	pair_done(&pair);
}

/* A session that holds a process which ends does not take its successor for it. */
static void a_process_that_ends_in_a_session(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL), other = pair_stuck(AF_INET, NULL);
	struct lai_mend_session *session;
	pid_t child = child_with_pid(0);

	(void)state;
	assert_true(child > 0);
	assert_int_equal(lai_mend_session_new(&session), 0);
	pair.target.pid = other.target.pid = child;
	assert_int_equal(lai_process_start(child, &pair.target.start_ticks), 0);
	other.target.start_ticks = pair.target.start_ticks;
	assert_int_equal(lai_mend_in(session, &pair.target, LAI_MEND_FIN, NULL).outcome,
			 LAI_MENDED);
	child_end(child);
	assert_int_equal(lai_mend_in(session, &other.target, LAI_MEND_FIN, NULL).outcome,
			 LAI_MEND_CHANGED);
	assert_int_equal(send(other.owner, "x", 1, MSG_NOSIGNAL), 1);
	lai_mend_session_free(session);
	pair_done(&pair);
	pair_done(&other);
}

/* Another user's process. In a child that gives its rights away. */
static void not_permitted(void **state)
{
	struct pair pair = pair_stuck(AF_INET, NULL);
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
			_exit(3);
		_exit(lai_mend(&pair.target, LAI_MEND_FIN, NULL).outcome == LAI_MEND_DENIED &&
				      lai_mend(&pair.target, LAI_MEND_RST, NULL).outcome ==
					      LAI_MEND_DENIED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(send(pair.owner, "x", 1, MSG_NOSIGNAL), 1);
	pair_done(&pair);
}

/* ---- pure ------------------------------------------------------------------------------------ */

static void states_that_follow(void **state)
{
	(void)state;
	for (int then = 1; then < LAI_TCP_COUNT; then++) {
		assert_int_equal(
			lai_identity_state((enum lai_tcp_state)then, (enum lai_tcp_state)then),
			LAI_MENDED);
		if (then != LAI_TCP_CLOSE)
			assert_int_equal(
				lai_identity_state((enum lai_tcp_state)then, LAI_TCP_CLOSE),
				LAI_MEND_GONE);
		/* Nothing becomes healthy again. */
		if (then != LAI_TCP_ESTABLISHED)
			assert_int_equal(
				lai_identity_state((enum lai_tcp_state)then, LAI_TCP_ESTABLISHED),
				LAI_MEND_CHANGED);
	}
	assert_int_equal(lai_identity_state(LAI_TCP_CLOSE_WAIT, LAI_TCP_LAST_ACK), LAI_MEND_GONE);
	assert_int_equal(lai_identity_state(LAI_TCP_FIN_WAIT2, LAI_TCP_TIME_WAIT), LAI_MEND_GONE);
	assert_int_equal(lai_identity_state(LAI_TCP_LAST_ACK, LAI_TCP_CLOSE_WAIT),
			 LAI_MEND_CHANGED);
	assert_int_equal(lai_identity_state(LAI_TCP_CLOSE_WAIT, LAI_TCP_NONE), LAI_MEND_CHANGED);
}

static void what_is_possible(void **state)
{
	struct lai_socket_fact socket = {.state = LAI_TCP_CLOSE_WAIT, .inode = 7, .cookie = 9};

	(void)state;
	for (int how = 0; how < LAI_MEND_COUNT; how++)
		assert_null(lai_mend_possible(&socket, true, (enum lai_mend_how)how));
	assert_non_null(lai_mend_possible(&socket, false, LAI_MEND_FIN));
	assert_null(lai_mend_possible(&socket, false, LAI_MEND_RST));
	socket.state = LAI_TCP_LAST_ACK;
	assert_non_null(lai_mend_possible(&socket, true, LAI_MEND_FIN));
	assert_null(lai_mend_possible(&socket, true, LAI_MEND_RST));
	socket.state = LAI_TCP_LISTEN;
	assert_non_null(lai_mend_possible(&socket, true, LAI_MEND_KEEPALIVE));
	socket.state = LAI_TCP_CLOSE;
	for (int how = 0; how < LAI_MEND_COUNT; how++)
		assert_non_null(lai_mend_possible(&socket, true, (enum lai_mend_how)how));
}

static int enter(void **state)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	(void)state;
	fd = pidfd_open(getpid(), 0);
	if (fd < 0) { /* valgrind does not know it either */
		printf("1..0 # SKIP pidfd_open: %s\n", strerror(errno));
		exit(77);
	}
	(void)close(fd);
	if (unshare(CLONE_NEWNET) != 0) {
		printf("1..0 # SKIP needs root: no network namespace of our own\n");
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		return -1;
	return close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "every grade works, over IPv4 and IPv6",
		 .test_func = all_grades_of_all_families},
		{.name = "IPv4 as it is mapped into IPv6", .test_func = v4_mapped},
		{.name = "a socket that is bound to a device", .test_func = bound_to_a_device},
		{.name = "without a cookie rst would hit whatever has the ports: refused",
		 .test_func = without_a_cookie},
		{.name = "ESTABLISHED that became CLOSE_WAIT is ended",
		 .test_func = established_that_became_close_wait},
		{.name = "a session ends many, and looks at each one's process",
		 .test_func = a_session_of_many},
		{.name = "another start time: another process", .test_func = another_process},
		{.name = "a descriptor that was closed", .test_func = a_closed_descriptor},
		{.name = "a descriptor that is another connection by now",
		 .test_func = a_recycled_descriptor},
		{.name = "a descriptor that is no socket any more",
		 .test_func = no_socket_any_more},
		{.name = "inode, cookie, family, addresses and state each count",
		 .test_func = each_part_of_the_identity},
		{.name = "one that has begun to end by itself is left alone",
		 .test_func = on_its_way_out},
		{.name = "a socket that its owner connected anew is left alone",
		 .test_func = a_socket_born_again},
		{.name = "rst: one that has been accepted meanwhile is left alone",
		 .test_func = accepted_meanwhile},
		{.name = "MPTCP: fin is impossible, and said so", .test_func = mptcp},
		{.name = "a pid that came again, with the same socket at the same descriptor",
		 .test_func = a_recycled_pid},
		{.name = "a process that ends while a session holds it",
		 .test_func = a_process_that_ends_in_a_session},
		{.name = "another user's process: denied", .test_func = not_permitted},
		{.name = "which state may follow which", .test_func = states_that_follow},
		{.name = "which grade is possible for what", .test_func = what_is_possible},
	};

	return cmocka_run_group_tests_name("mend.mend", tests, enter, NULL);
}
