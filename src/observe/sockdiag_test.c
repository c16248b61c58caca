/* SPDX-License-Identifier: MIT */
/* sockdiag_test.c - golden and hostile netlink bytes, then real sockets of this process. */
#include "observe/sockdiag.h"

#include "base/random.h"
#include "base/time.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEQUENCE 7
#define PORT 4242
#define DEADLINE_MS 5000
#define HOSTILE_ROUNDS 20000

struct datagram {
	uint8_t bytes[1024];
	size_t size;
};

struct collected {
	struct lai_socket_fact fact[16];
	size_t count;
	int answer; /* of each() */
};

static int collect(void *arg, const struct lai_socket_fact *fact)
{
	struct collected *collected = arg;

	if (collected->count < sizeof(collected->fact) / sizeof(*collected->fact))
		collected->fact[collected->count] = *fact;
	collected->count++;
	return collected->answer;
}

static void put(struct datagram *datagram, uint16_t type, uint16_t flags, const void *body,
		size_t size)
{
	struct nlmsghdr header = {.nlmsg_len = (uint32_t)(sizeof(header) + size),
				  .nlmsg_type = type,
				  .nlmsg_flags = flags,
				  .nlmsg_seq = SEQUENCE,
				  .nlmsg_pid = PORT};

	memcpy(datagram->bytes + datagram->size, &header, sizeof(header));
	if (size)
		memcpy(datagram->bytes + datagram->size + sizeof(header), body, size);
	datagram->size += NLMSG_ALIGN(header.nlmsg_len);
}

static void put_v4(struct datagram *datagram, uint8_t state)
{
	struct inet_diag_msg message = {
		.idiag_family = AF_INET,
		.idiag_state = state,
		.id = {.idiag_sport = htons(8080),
		       .idiag_dport = htons(40001),
		       .idiag_src = {htonl(0x7f000001)},
		       .idiag_dst = {htonl(0xc0000207)},
		       .idiag_cookie = {0x11223344, 0x55}},
		.idiag_rqueue = 1,
		.idiag_wqueue = 4096,
		.idiag_uid = 1000,
		.idiag_inode = 0x80000001,
	};

	put(datagram, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &message, sizeof(message));
}

static void put_v6(struct datagram *datagram, const char *remote)
{
	struct inet_diag_msg message = {
		.idiag_family = AF_INET6,
		.idiag_state = LAI_TCP_LISTEN,
		.id = {.idiag_sport = htons(443), .idiag_if = 3},
	};
	uint8_t attribute[12] = {8, 0, 8, 0, 1}; /* with an attribute behind, to be passed over */
	uint8_t body[sizeof(message) + sizeof(attribute)];

	assert_int_equal(inet_pton(AF_INET6, "fe80::1", message.id.idiag_src), 1);
	assert_int_equal(inet_pton(AF_INET6, remote, message.id.idiag_dst), 1);
	memcpy(body, &message, sizeof(message));
	memcpy(body + sizeof(message), attribute, sizeof(attribute));
	put(datagram, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, body, sizeof(body));
}

static void put_done(struct datagram *datagram, int32_t error)
{
	put(datagram, NLMSG_DONE, NLM_F_MULTI, &error, sizeof(error));
}

static int parse(const struct datagram *datagram, struct collected *collected)
{
	return lai_sockdiag_parse(datagram->bytes, datagram->size, SEQUENCE, PORT, collect,
				  collected);
}

static void golden(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {0};
	char text[LA_ADDRESS_TEXT_MAX];

	(void)state;
	put_v4(&datagram, LAI_TCP_CLOSE_WAIT);
	put_v6(&datagram, "2001:db8::2");
	assert_int_equal(parse(&datagram, &got), 1); /* no NLMSG_DONE yet */
	put_done(&datagram, 0);
	got.count = 0;
	assert_int_equal(parse(&datagram, &got), 0);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.fact[0].family, AF_INET);
	assert_int_equal(got.fact[0].state, LAI_TCP_CLOSE_WAIT);
	assert_string_equal(lai_address_format(text, &got.fact[0].local), "127.0.0.1:8080");
	assert_string_equal(lai_address_format(text, &got.fact[0].remote), "192.0.2.7:40001");
	assert_true(got.fact[0].inode == 0x80000001);
	assert_true(got.fact[0].cookie == 0x5511223344);
	assert_int_equal(got.fact[0].uid, 1000);
	assert_int_equal(got.fact[0].rqueue_bytes, 1);
	assert_int_equal(got.fact[0].wqueue_bytes, 4096);
	assert_int_equal(got.fact[1].family, AF_INET6);
	assert_int_equal(got.fact[1].state, LAI_TCP_LISTEN);
	assert_string_equal(lai_address_format(text, &got.fact[1].local), "[fe80::1%3]:443");
	assert_string_equal(lai_address_format(text, &got.fact[1].remote), "[2001:db8::2]:0");
}

/* A datagram that ends anywhere but between two messages is malformed, and nothing is invented. */
static void truncated(void **state)
{
	struct datagram datagram = {0};
	size_t first, second;

	(void)state;
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	first = datagram.size;
	put_v6(&datagram, "::");
	second = datagram.size;
	put_done(&datagram, 0);
	for (size_t size = 0; size < datagram.size; size++) {
		struct collected got = {0};
		uint8_t *exact = malloc(size + 1); /* its own block: a sanitizer sees overreads */
		bool boundary = size == 0 || size == first || size == second;
		int result;

		assert_non_null(exact);
		memcpy(exact + 1, datagram.bytes, size); /* and at an odd address */
		result = lai_sockdiag_parse(exact + 1, size, SEQUENCE, PORT, collect, &got);
		free(exact);
		assert_int_equal(result, boundary ? 1 : -EBADMSG);
		assert_int_equal(got.count, (size >= first) + (size >= second));
	}
}

static void refuse_body(uint8_t family, uint8_t tcp_state, size_t size)
{
	struct inet_diag_msg message = {.idiag_family = family, .idiag_state = tcp_state};
	struct datagram datagram = {0};
	struct collected got = {0};

	put(&datagram, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &message, size);
	assert_int_equal(parse(&datagram, &got), -EBADMSG);
	assert_int_equal(got.count, 0);
}

static void nonsense(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {0};
	uint32_t lengths[] = {0, 15, 2000, UINT32_MAX, UINT32_MAX - 3};

	(void)state;
	refuse_body(AF_INET, LAI_TCP_NONE, sizeof(struct inet_diag_msg));
	refuse_body(AF_INET, LAI_TCP_COUNT, sizeof(struct inet_diag_msg));
	refuse_body(AF_INET, 255, sizeof(struct inet_diag_msg));
	refuse_body(AF_UNIX, LAI_TCP_LISTEN, sizeof(struct inet_diag_msg));
	refuse_body(AF_INET, LAI_TCP_LISTEN, sizeof(struct inet_diag_msg) - 1);
	refuse_body(AF_INET, LAI_TCP_LISTEN, 0);
	put_v4(&datagram, LAI_TCP_LISTEN);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memcpy(datagram.bytes, &lengths[i], sizeof(lengths[i]));
		assert_int_equal(parse(&datagram, &got), -EBADMSG);
	}
	assert_int_equal(got.count, 0);
}

static int parse_error(uint16_t type, uint16_t flags, int32_t error, size_t size)
{
	struct datagram datagram = {0};
	struct collected got = {0};

	put(&datagram, type, flags, &error, size);
	return parse(&datagram, &got);
}

static void errors(void **state)
{
	(void)state;
	assert_int_equal(parse_error(NLMSG_ERROR, 0, -ENOENT, 4), -EPROTONOSUPPORT);
	assert_int_equal(parse_error(NLMSG_ERROR, 0, -EPERM, 4), -EPERM);
	assert_int_equal(parse_error(NLMSG_ERROR, 0, 0, 4), 1);
	assert_int_equal(parse_error(NLMSG_ERROR, 0, EPERM, 4), -EBADMSG);
	assert_int_equal(parse_error(NLMSG_ERROR, 0, INT32_MIN, 4), -EBADMSG);
	assert_int_equal(parse_error(NLMSG_ERROR, 0, -EPERM, 3), -EBADMSG);
	assert_int_equal(parse_error(NLMSG_DONE, NLM_F_MULTI, -ENOMEM, 4), -ENOMEM);
	assert_int_equal(parse_error(NLMSG_DONE, NLM_F_MULTI, 0, 0), 0);
	assert_int_equal(parse_error(NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 0, 4), -EINTR);
	assert_int_equal(parse_error(NLMSG_OVERRUN, 0, 0, 4), -ENOBUFS);
	assert_int_equal(parse_error(NLMSG_NOOP, 0, 0, 4), 1);
}

static void strangers(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {0};

	(void)state;
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	put_done(&datagram, 0);
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE + 1, PORT,
					    collect, &got),
			 1);
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT + 1,
					    collect, &got),
			 1);
	assert_int_equal(got.count, 0);
}

static void stop(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {.answer = -ECANCELED};

	(void)state;
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	assert_int_equal(parse(&datagram, &got), -ECANCELED);
	assert_int_equal(got.count, 1);
}

/* Whatever the bytes are, a fact that comes out is one that the rest of the program may
   index by. */
static int check_fact(void *arg, const struct lai_socket_fact *fact)
{
	(*(uint64_t *)arg)++;
	assert_true(fact->state > LAI_TCP_NONE && fact->state < LAI_TCP_COUNT);
	assert_true(fact->family == AF_INET || fact->family == AF_INET6);
	assert_int_equal(lai_address_family(&fact->local), fact->family);
	assert_int_equal(lai_address_family(&fact->remote), fact->family);
	return 0;
}

static void hostile(void **state)
{
	struct lai_random random = {1};
	uint64_t facts = 0, refused = 0;

	(void)state;
	for (int round = 0; round < HOSTILE_ROUNDS; round++) {
		struct datagram datagram = {0};
		uint64_t flips = lai_random_below(&random, 6);
		int result;

		put_v4(&datagram, (uint8_t)lai_random_below(&random, 14));
		put_v6(&datagram, "::1");
		put_done(&datagram, 0);
		while (flips-- > 0)
			datagram.bytes[lai_random_below(&random, datagram.size)] =
				(uint8_t)lai_random_next(&random);
		result = lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT,
					    check_fact, &facts);
		assert_true(result <= 1);
		refused += result < 0;
	}
	assert_true(facts > HOSTILE_ROUNDS / 2);
	assert_true(refused > 0);
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

static void callers(void **state)
{
	struct pair pair;
	struct collected got = {.answer = 42};

	(void)state;
	assert_int_equal(lai_sockdiag_dump(0, collect, &got), -EINVAL);
	assert_int_equal(lai_sockdiag_dump(1u << LAI_TCP_COUNT, collect, &got), -EINVAL);
	pair_open(&pair, "127.0.0.1");
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_ALL, collect, &got), 42);
	assert_int_equal(got.count, 1);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a dump's bytes become facts, IPv4 and IPv6", .test_func = golden},
		{.name = "a datagram cut anywhere is refused", .test_func = truncated},
		{.name = "impossible lengths, states and families are refused",
		 .test_func = nonsense},
		{.name = "the kernel's errors come through", .test_func = errors},
		{.name = "answers to other questions are ignored", .test_func = strangers},
		{.name = "the reader of facts can stop", .test_func = stop},
		{.name = "corrupted bytes never become an impossible fact", .test_func = hostile},
		{.name = "a real IPv4 connection is listed as it is", .test_func = real_v4},
		{.name = "a real IPv6 connection is listed as it is", .test_func = real_v6},
		{.name = "CLOSE_WAIT shows, and whether EOF was read",
		 .test_func = real_close_wait},
		{.name = "a long list comes complete", .test_func = real_many},
		{.name = "a dump ends when its reader says so", .test_func = callers},
	};

	return cmocka_run_group_tests_name("observe.sockdiag", tests, NULL, NULL);
}
