/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_test.c - real sockets of this process, and a kernel that is made to say what it rarely
 * says. What it says of sockets in all kinds of situations is in tests/golden/.
 */
#include "observe/sockdiag.h"

#include "../../tests/golden/fact_sane.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 5000

/* What the kernel is made to say: first errors instead of answers, then inconsistency. */
static struct {
	int refusals, refusal; /* so many datagrams become an NLMSG_ERROR with this errno */
	int interruptions;     /* so many datagrams begin with NLM_F_DUMP_INTR */
	int losses, loss;      /* so many calls fail with this errno */
	int cuts;	       /* so many datagrams lose their last byte */
} kernel;

/* Takes the place of libmnl's own. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *netlink, void *bytes, size_t size)
{
	struct nlmsghdr header;
	ssize_t got;

	if (kernel.losses > 0) {
		kernel.losses--;
		errno = kernel.loss;
		return -1;
	}
	got = recv(mnl_socket_get_fd(netlink), bytes, size, 0);
	if (got < (ssize_t)(sizeof(header) + sizeof(kernel.refusal)))
		return got;
	memcpy(&header, bytes, sizeof(header));
	if (kernel.refusals > 0) {
		kernel.refusals--;
		header.nlmsg_type = NLMSG_ERROR;
		header.nlmsg_len = got = sizeof(header) + sizeof(kernel.refusal);
		memcpy((uint8_t *)bytes + sizeof(header), &kernel.refusal, sizeof(kernel.refusal));
	} else if (kernel.interruptions > 0) {
		kernel.interruptions--;
		header.nlmsg_flags |= NLM_F_DUMP_INTR;
	}
	memcpy(bytes, &header, sizeof(header));
	return kernel.cuts-- > 0 ? got - 1 : got;
}

struct pair {
	int listener, client, server;
	struct lai_address at;
};

static void pair_open(struct pair *pair, const char *address)
{
	socklen_t length = sizeof(pair->at.v6);

	assert_int_equal(lai_address_parse(address, 0, &pair->at), 0);
	pair->listener = socket(pair->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair->client = socket(pair->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(pair->listener >= 0 && pair->client >= 0);
	assert_int_equal(bind(pair->listener, &pair->at.sa, pair->at.length), 0);
	assert_int_equal(listen(pair->listener, 5), 0);
	assert_int_equal(getsockname(pair->listener, &pair->at.sa, &length), 0);
	assert_int_equal(connect(pair->client, &pair->at.sa, pair->at.length), 0);
	pair->server = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(pair->server >= 0);
}

static void pair_close(struct pair *pair)
{
	close(pair->listener);
	close(pair->client);
	if (pair->server >= 0)
		close(pair->server);
}

struct search {
	uint64_t inode;
	struct lai_socket_fact fact;
	size_t found;
};

static int search_each(void *arg, const struct lai_socket_fact *fact)
{
	struct search *search = arg;

	if (fact->inode == search->inode) {
		search->fact = *fact;
		search->found++;
	}
	return 0;
}

/* How often the socket is listed under this mask. */
static size_t look(int fd, uint32_t mask, struct lai_socket_fact *fact)
{
	struct search search = {0};
	struct stat stat;

	assert_int_equal(fstat(fd, &stat), 0);
	search.inode = stat.st_ino;
	assert_int_equal(lai_sockdiag_dump(mask, search_each, &search), 0);
	if (search.found)
		*fact = search.fact;
	return search.found;
}

static void real_established(const char *address)
{
	struct pair pair;
	struct lai_socket_fact fact, other;
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	pair_open(&pair, address);
	assert_int_equal(look(pair.listener, LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(fact.state, LAI_TCP_LISTEN);
	assert_int_equal(fact.wqueue_bytes, 5);
	assert_true(lai_address_equal(&fact.local, &pair.at));
	assert_int_equal(send(pair.client, "hello", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_ALL, &other), 1);
	assert_int_equal(fact.family, pair.at.sa.sa_family);
	assert_int_equal(fact.state, LAI_TCP_ESTABLISHED);
	assert_int_equal(fact.rqueue_bytes, 5);
	assert_int_equal(fact.uid, geteuid());
	assert_true(lai_address_equal(&fact.local, &pair.at));
	assert_true(lai_address_equal(&fact.local, &other.remote));
	assert_true(lai_address_equal(&fact.remote, &other.local));
	assert_int_equal(getsockopt(pair.server, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
	assert_true(fact.cookie == cookie);
	assert_true(fact.cookie != other.cookie);
	pair_close(&pair);
}

static void real_v4(void **state)
{
	(void)state;
	real_established("127.0.0.1");
}

static void real_v6(void **state)
{
	struct lai_address at;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool usable;

	(void)state;
	assert_int_equal(lai_address_parse("::1", 0, &at), 0);
	usable = fd >= 0 && bind(fd, &at.sa, at.length) == 0;
	if (fd >= 0)
		close(fd);
	if (!usable) {
		skip();
		return;
	}
	real_established("::1");
}

static void real_close_wait(void **state)
{
	struct pair pair;
	struct pollfd wait = {.events = POLLRDHUP};
	struct lai_socket_fact fact;
	char byte;

	(void)state;
	pair_open(&pair, "127.0.0.1");
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT), &fact), 0);
	close(pair.server);
	pair.server = -1;
	wait.fd = pair.client;
	assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT), &fact), 1);
	assert_int_equal(fact.state, LAI_TCP_CLOSE_WAIT);
	assert_int_equal(fact.rqueue_bytes, 1); /* the FIN, until the program reads EOF */
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED), &fact), 0);
	assert_int_equal(recv(pair.client, &byte, 1, 0), 0);
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(fact.state, LAI_TCP_CLOSE_WAIT);
	assert_int_equal(fact.rqueue_bytes, 0);
	pair_close(&pair);
}

/* More sockets than one netlink datagram holds, so that the answer comes in pieces. */
static void real_many(void **state)
{
	enum { MANY = 700 };
	static int fds[MANY];
	struct lai_address at;
	struct lai_socket_fact fact;

	(void)state;
	assert_int_equal(lai_address_parse("127.0.0.1", 0, &at), 0);
	for (int i = 0; i < MANY; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		assert_int_equal(bind(fds[i], &at.sa, at.length), 0);
		assert_int_equal(listen(fds[i], 1), 0);
	}
	assert_int_equal(look(fds[0], LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(look(fds[MANY - 1], LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(look(fds[MANY / 2], LAI_SOCKDIAG_ALL, &fact), 1);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}

static int refuse_each(void *arg, const struct lai_socket_fact *fact)
{
	(void)fact;
	(*(size_t *)arg)++;
	return 42;
}

static void callers(void **state)
{
	struct pair pair;
	size_t calls = 0;

	(void)state;
	assert_int_equal(lai_sockdiag_dump(0, refuse_each, &calls), -EINVAL);
	assert_int_equal(lai_sockdiag_dump(1u << LAI_TCP_COUNT, refuse_each, &calls), -EINVAL);
	pair_open(&pair, "127.0.0.1");
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, refuse_each, &calls), 42);
	assert_int_equal(calls, 1);
	pair_close(&pair);
}

struct tally {
	size_t count;
	uint32_t states;
};

static int tally_each(void *arg, const struct lai_socket_fact *fact)
{
	struct tally *tally = arg;

	tally->count++;
	tally->states |= LAI_SOCKDIAG_STATE(fact->state);
	assert_null(t_fact_insane(fact));
	return 0;
}

static void interrupted_dumps(void **state)
{
	struct lai_sockdiag_quality quality;
	struct tally tally = {0};
	struct pair pair;

	(void)state;
	pair_open(&pair, "127.0.0.1");
	kernel.interruptions = 2;
	assert_int_equal(lai_sockdiag_dump_anyway(LAI_SOCKDIAG_ALL, &quality, tally_each, &tally),
			 0);
	assert_int_equal(quality.repeats, 2);
	assert_true(quality.complete);
	assert_true(tally.count >= 3);
	kernel.interruptions = INT32_MAX;
	tally.count = 0;
	assert_int_equal(lai_sockdiag_dump_anyway(LAI_SOCKDIAG_ALL, &quality, tally_each, &tally),
			 0);
	assert_int_equal(quality.repeats, 4);
	assert_false(quality.complete);
	assert_true(tally.count >= 3); /* what the last try gave, once */
	tally.count = 0;
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, tally_each, &tally), -EAGAIN);
	assert_int_equal(tally.count, 0);
	kernel.interruptions = 4;
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, tally_each, &tally), 0);
	assert_true(tally.count >= 3);
	kernel.interruptions = 0;
	pair_close(&pair);
}

/* The question for both families is old; should a kernel not know it, each is asked for alone. */
static void refused_dumps(void **state)
{
	const int unknown[] = {-ENOENT, -EOPNOTSUPP, -EINVAL};
	struct lai_socket_fact fact;
	struct pair pair;

	(void)state;
	pair_open(&pair, "127.0.0.1");
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		kernel.refusals = 1;
		kernel.refusal = unknown[i];
		assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL, &fact), 1);
		assert_int_equal(kernel.refusals, 0);
	}
	/* Neither does it know the newest state. */
	kernel.refusals = 2;
	kernel.refusal = -EINVAL;
	assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL, &fact), 1);
	assert_int_equal(kernel.refusals, 0);
	pair_close(&pair);
}

static void failed_dumps(void **state)
{
	struct lai_sockdiag_quality quality = {.repeats = 77};
	struct lai_socket_fact *list = NULL;
	struct tally tally = {0};
	size_t count = 88;

	(void)state;
	kernel.refusals = 2;
	kernel.refusal = -ENOENT;
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, tally_each, &tally), -EPROTONOSUPPORT);
	kernel.refusals = 1;
	kernel.refusal = -EPERM;
	assert_int_equal(lai_sockdiag_list(LAI_SOCKDIAG_ALL, &quality, &list, &count), -EPERM);
	kernel.losses = 1;
	kernel.loss = ENOBUFS;
	assert_int_equal(lai_sockdiag_list(LAI_SOCKDIAG_ALL, &quality, &list, &count), -ENOBUFS);
	kernel.cuts = 1;
	assert_int_equal(lai_sockdiag_list(LAI_SOCKDIAG_ALL, &quality, &list, &count), -EBADMSG);
	kernel.cuts = 0;
	assert_int_equal(tally.count, 0);
	assert_true(quality.repeats == 77 && !list && count == 88);
	kernel.losses = 3; /* but a signal is no failure */
	kernel.loss = EINTR;
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, tally_each, &tally), 0);
	assert_int_equal(kernel.losses, 0);
}

/* Nothing comes that was not asked for. */
static void masks(void **state)
{
	struct tally tally = {0};
	struct lai_socket_fact fact;
	struct pair pair;

	(void)state;
	pair_open(&pair, "127.0.0.1");
	for (uint32_t s = LAI_TCP_ESTABLISHED; s < LAI_TCP_COUNT; s++) {
		uint32_t mask = LAI_SOCKDIAG_STATE(s);

		tally.states = 0;
		assert_int_equal(lai_sockdiag_dump(mask, tally_each, &tally), 0);
		if (s == LAI_TCP_NEW_SYN_RECV) /* reported as SYN_RECV */
			mask |= LAI_SOCKDIAG_STATE(LAI_TCP_SYN_RECV);
		assert_int_equal(tally.states & ~mask, 0);
	}
	assert_true(tally.count >= 3);
	assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL, &fact), 1);
	assert_false(fact.has_info);
	assert_int_equal(fact.memory_bytes, 0);
	assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL | LAI_SOCKDIAG_INFO, &fact), 1);
	assert_true(fact.has_info);
	pair_close(&pair);
}

/* A connection that is gone is not taken for its listener, nor one socket for another. */
static void find(void **state)
{
	struct lai_socket_fact wanted, found, other;
	struct pair pair;

	(void)state;
	pair_open(&pair, "127.0.0.1");
	assert_int_equal(look(pair.server, LAI_SOCKDIAG_ALL, &wanted), 1);
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_ALL, &other), 1);
	assert_int_equal(lai_sockdiag_find(&wanted, &found), 0);
	assert_true(found.inode == wanted.inode && found.cookie == wanted.cookie);
	assert_true(found.has_info);
	wanted.cookie = other.cookie;
	assert_int_equal(lai_sockdiag_find(&wanted, &found), -ENOENT);
	wanted.cookie = 0;
	lai_address_set_port(&wanted.remote, 1); /* nobody connected from there */
	memset(&found, 0x55, sizeof(found));
	other = found;
	assert_int_equal(lai_sockdiag_find(&wanted, &found), -ENOENT);
	assert_memory_equal(&found, &other, sizeof(found));
	kernel.refusals = 1;
	kernel.refusal = -EPERM;
	assert_int_equal(lai_sockdiag_find(&wanted, &found), -EPERM);
	pair_close(&pair);
}

/* A fact does not tell the device; the kernel wants it for a socket that is bound to one. */
static void find_bound_to_device(void **state)
{
	struct lai_socket_fact wanted, found;
	struct lai_address at;
	struct pair pair = {.server = -1};
	socklen_t length = sizeof(at.v6);

	(void)state;
	assert_int_equal(lai_address_parse("127.0.0.1", 0, &at), 0);
	pair.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(pair.listener >= 0 && pair.client >= 0);
	assert_int_equal(bind(pair.listener, &at.sa, at.length), 0);
	assert_int_equal(listen(pair.listener, 1), 0);
	assert_int_equal(getsockname(pair.listener, &at.sa, &length), 0);
	/* Needs no privilege since Linux 5.7. */
	if (setsockopt(pair.client, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo")) < 0) {
		pair_close(&pair);
		print_message("# SO_BINDTODEVICE: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(connect(pair.client, &at.sa, at.length), 0);
	assert_int_equal(look(pair.client, LAI_SOCKDIAG_ALL, &wanted), 1);
	assert_int_equal(lai_sockdiag_find(&wanted, &found), 0);
	assert_true(found.inode == wanted.inode && found.cookie == wanted.cookie);
	pair_close(&pair);
}

/* Listeners that share a port: the kernel would choose any. */
static void find_listener(void **state)
{
	enum { SHARERS = 8 };
	int fds[SHARERS], on = 1;
	struct lai_address at;
	socklen_t length = sizeof(at.v6);
	struct lai_socket_fact wanted, found;

	(void)state;
	assert_int_equal(lai_address_parse("127.0.0.1", 0, &at), 0);
	for (int i = 0; i < SHARERS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
		assert_int_equal(bind(fds[i], &at.sa, at.length), 0);
		assert_int_equal(getsockname(fds[i], &at.sa, &length), 0);
		assert_int_equal(listen(fds[i], i + 1), 0);
	}
	for (int i = 0; i < SHARERS; i++) {
		assert_int_equal(look(fds[i], LAI_SOCKDIAG_ALL, &wanted), 1);
		assert_int_equal(lai_sockdiag_find(&wanted, &found), 0);
		assert_true(found.inode == wanted.inode);
		assert_int_equal(found.wqueue_bytes, i + 1);
	}
	for (int i = 0; i < SHARERS; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a real IPv4 connection is listed as it is", .test_func = real_v4},
		{.name = "a real IPv6 connection is listed as it is", .test_func = real_v6},
		{.name = "CLOSE_WAIT shows, and whether EOF was read",
		 .test_func = real_close_wait},
		{.name = "a long list comes complete", .test_func = real_many},
		{.name = "a dump ends when its reader says so", .test_func = callers},
		{.name = "an interrupted dump is repeated, and then taken or not",
		 .test_func = interrupted_dumps},
		{.name = "a kernel that refuses a question is asked an older one",
		 .test_func = refused_dumps},
		{.name = "a dump that fails hands out nothing", .test_func = failed_dumps},
		{.name = "only what was asked for is listed", .test_func = masks},
		{.name = "one socket is found, and no other instead of it", .test_func = find},
		{.name = "a socket bound to a device is found", .test_func = find_bound_to_device},
		{.name = "a listener is found among those of its port", .test_func = find_listener},
	};

	return cmocka_run_group_tests_name("observe.sockdiag", tests, NULL, NULL);
}
