/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_parse_test.c - hand-made and hostile netlink bytes. What the kernel really says of
 * sockets in all kinds of situations is in tests/golden/.
 */
#include "observe/sockdiag.h"

#include "../../tests/golden/fact_sane.h"
#include "base/random.h"

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
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE 7
#define PORT 4242
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
		.idiag_timer = LAI_TIMER_RETRANSMIT,
		.idiag_retrans = 3,
		.idiag_expires = 204,
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
	struct {
		struct nlattr header;
		uint8_t value, padding[3];
	} attribute = {{5, INET_DIAG_SHUTDOWN}, LAI_SHUT_RECEIVE, {0}};
	uint8_t body[sizeof(message) + sizeof(attribute)];

	assert_int_equal(inet_pton(AF_INET6, "fe80::1", message.id.idiag_src), 1);
	assert_int_equal(inet_pton(AF_INET6, remote, message.id.idiag_dst), 1);
	memcpy(body, &message, sizeof(message));
	memcpy(body + sizeof(message), &attribute, sizeof(attribute));
	put(datagram, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, body, sizeof(body));
}

static void put_done(struct datagram *datagram, int32_t error)
{
	put(datagram, NLMSG_DONE, NLM_F_MULTI, &error, sizeof(error));
}

static int parse(const struct datagram *datagram, struct collected *collected)
{
	bool interrupted = false;
	int result = lai_sockdiag_parse(datagram->bytes, datagram->size, SEQUENCE, PORT,
					&interrupted, collect, collected);

	assert_false(interrupted);
	return result;
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
	assert_int_equal(got.fact[0].timer, LAI_TIMER_RETRANSMIT);
	assert_int_equal(got.fact[0].timer_ms, 204);
	assert_int_equal(got.fact[0].retransmits, 3);
	assert_int_equal(got.fact[0].listener, LAI_NO_INDEX);
	assert_int_equal(got.fact[1].family, AF_INET6);
	assert_int_equal(got.fact[1].state, LAI_TCP_LISTEN);
	assert_string_equal(lai_address_format(text, &got.fact[1].local), "[fe80::1%3]:443");
	assert_string_equal(lai_address_format(text, &got.fact[1].remote), "[2001:db8::2]:0");
	assert_int_equal(got.fact[1].shutdown, LAI_SHUT_RECEIVE);
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
		bool interrupted = false;
		int result;

		assert_non_null(exact);
		memcpy(exact + 1, datagram.bytes, size); /* and at an odd address */
		result = lai_sockdiag_parse(exact + 1, size, SEQUENCE, PORT, &interrupted, collect,
					    &got);
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
	assert_int_equal(parse_error(NLMSG_OVERRUN, 0, 0, 4), -ENOBUFS);
	assert_int_equal(parse_error(NLMSG_NOOP, 0, 0, 4), 1);
}

/* Such an answer is read on: the caller decides what it is worth. */
static void inconsistent(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {0};
	bool interrupted = false;
	int32_t none = 0;

	(void)state;
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT,
					    &interrupted, collect, &got),
			 1);
	assert_false(interrupted);
	put(&datagram, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, &none, sizeof(none));
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT,
					    &interrupted, collect, &got),
			 0);
	assert_true(interrupted);
	assert_int_equal(got.count, 2);
}

static void strangers(void **state)
{
	struct datagram datagram = {0};
	struct collected got = {0};
	bool interrupted = false;
	int32_t none = 0;

	(void)state;
	put_v4(&datagram, LAI_TCP_ESTABLISHED);
	put(&datagram, NLMSG_DONE, NLM_F_DUMP_INTR, &none, sizeof(none));
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE + 1, PORT,
					    &interrupted, collect, &got),
			 1);
	assert_int_equal(lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT + 1,
					    &interrupted, collect, &got),
			 1);
	assert_int_equal(got.count, 0);
	assert_false(interrupted);
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

/* One message in this state with one attribute, whose value is the first bytes of value. */
static int parse_attribute(uint8_t tcp_state, uint16_t type, const void *value, size_t size,
			   struct lai_socket_fact *fact)
{
	struct inet_diag_msg message = {.idiag_family = AF_INET, .idiag_state = tcp_state};
	struct nlattr header = {.nla_type = type, .nla_len = (uint16_t)(sizeof(header) + size)};
	uint8_t body[sizeof(message) + sizeof(header) + 512];
	struct datagram datagram = {0};
	struct collected got = {0};
	int result;

	assert_true(size <= 512);
	memcpy(body, &message, sizeof(message));
	memcpy(body + sizeof(message), &header, sizeof(header));
	memcpy(body + sizeof(message) + sizeof(header), value, size);
	put(&datagram, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, body,
	    sizeof(message) + sizeof(header) + size);
	result = parse(&datagram, &got);
	assert_int_equal(got.count, result == 1);
	if (result == 1) {
		assert_null(t_fact_insane(&got.fact[0]));
		*fact = got.fact[0];
	}
	return result;
}

/* Older kernels say less, newer ones more; less than the first of them said is malformed. */
static void attribute_lengths(void **state)
{
	const struct {
		uint16_t type;
		size_t enough;
	} rows[] = {
		{INET_DIAG_INFO, offsetof(struct tcp_info, tcpi_pacing_rate)},
		{INET_DIAG_SKMEMINFO, (SK_MEMINFO_WMEM_QUEUED + 1) * sizeof(uint32_t)},
		{INET_DIAG_SHUTDOWN, 1},
		{INET_DIAG_CGROUP_ID, 8},
		{INET_DIAG_ULP_INFO, 0},		/* of no interest */
		{INET_DIAG_SHUTDOWN | NLA_F_NESTED, 0}, /* not what we know */
		{INET_DIAG_ULP_INFO | NLA_F_NESTED, 0},
		{9999, 0}, /* not known yet */
	};
	uint8_t value[512];
	struct lai_socket_fact fact;

	(void)state;
	memset(value, 0xff, sizeof(value)); /* inside a nest: impossible lengths */
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t size = 0; size <= sizeof(value); size++)
			assert_int_equal(parse_attribute(LAI_TCP_ESTABLISHED, rows[i].type, value,
							 size, &fact),
					 size < rows[i].enough ? -EBADMSG : 1);
}

static void attribute_values(void **state)
{
	struct tcp_info info = {.tcpi_last_data_sent = 11,
				.tcpi_last_data_recv = 22,
				.tcpi_last_ack_recv = 33,
				.tcpi_rtt = 44,
				.tcpi_bytes_received = 1ull << 40,
				.tcpi_bytes_sent = 55,
				.tcpi_bytes_acked = 66};
	uint32_t memory[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = 1,
					    [SK_MEMINFO_RCVBUF] = 1000,
					    [SK_MEMINFO_FWD_ALLOC] = 20,
					    [SK_MEMINFO_WMEM_QUEUED] = 300};
	uint64_t cgroup = 0x1122334455667788;
	uint8_t bits = 0xfe;
	struct lai_socket_fact fact;

	(void)state;
	assert_int_equal(
		parse_attribute(LAI_TCP_CLOSE_WAIT, INET_DIAG_INFO, &info, sizeof(info), &fact), 1);
	assert_true(fact.has_info);
	assert_int_equal(fact.sent_age_ms, 11);
	assert_int_equal(fact.received_age_ms, 22);
	assert_int_equal(fact.ack_age_ms, 33);
	assert_int_equal(fact.rtt_us, 44);
	assert_true(fact.received_bytes == 1ull << 40);
	assert_true(fact.sent_bytes == 55 && fact.acked_bytes == 66);
	/* A kernel that ends before bytes_sent. */
	assert_int_equal(parse_attribute(LAI_TCP_CLOSE_WAIT, INET_DIAG_INFO, &info,
					 offsetof(struct tcp_info, tcpi_bytes_sent), &fact),
			 1);
	assert_true(fact.acked_bytes == 66 && fact.sent_bytes == 0);
	/* Ages of what never was connected are those of the clock. */
	assert_int_equal(
		parse_attribute(LAI_TCP_SYN_SENT, INET_DIAG_INFO, &info, sizeof(info), &fact), 1);
	assert_false(fact.has_info);
	assert_int_equal(fact.ack_age_ms, 0);

	assert_int_equal(parse_attribute(LAI_TCP_LAST_ACK, INET_DIAG_SKMEMINFO, memory,
					 sizeof(memory), &fact),
			 1);
	assert_int_equal(fact.memory_bytes, 321);
	memory[SK_MEMINFO_FWD_ALLOC] = (uint32_t)-4096; /* negative for a moment */
	memory[SK_MEMINFO_RMEM_ALLOC] = UINT32_MAX;
	assert_int_equal(parse_attribute(LAI_TCP_LAST_ACK, INET_DIAG_SKMEMINFO, memory,
					 sizeof(memory), &fact),
			 1);
	assert_true(fact.memory_bytes == UINT32_MAX);
	assert_int_equal(parse_attribute(LAI_TCP_LAST_ACK, INET_DIAG_SHUTDOWN, &bits, 1, &fact), 1);
	assert_int_equal(fact.shutdown, LAI_SHUT_SEND);
	assert_int_equal(parse_attribute(LAI_TCP_LAST_ACK, INET_DIAG_CGROUP_ID, &cgroup, 8, &fact),
			 1);
	assert_true(fact.cgroup == cgroup);
}

static void timers_and_states(void **state)
{
	struct inet_diag_msg message = {.idiag_family = AF_INET,
					.idiag_state = LAI_TCP_CLOSE,
					.idiag_timer = LAI_TIMER_COUNT,
					.idiag_expires = 5,
					.idiag_retrans = 6};
	struct datagram datagram = {0};
	struct collected got = {0};

	(void)state;
	put(&datagram, SOCK_DIAG_BY_FAMILY, 0, &message, sizeof(message));
	message.id.idiag_dport = htons(80);
	put(&datagram, TCPDIAG_GETSOCK, 0, &message, sizeof(message));
	message.idiag_state = LAI_TCP_NEW_SYN_RECV;
	put(&datagram, TCPDIAG_GETSOCK, 0, &message, sizeof(message));
	assert_int_equal(parse(&datagram, &got), 1);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.fact[0].state, LAI_TCP_BOUND_INACTIVE);
	assert_int_equal(got.fact[1].state, LAI_TCP_CLOSE);
	assert_int_equal(got.fact[2].state, LAI_TCP_SYN_RECV);
	assert_int_equal(got.fact[0].timer, LAI_TIMER_NONE); /* one that we do not know */
	assert_int_equal(got.fact[0].timer_ms, 0);
	assert_int_equal(got.fact[0].retransmits, 0);
}

/* Whatever the bytes are, a fact that comes out is one that the rest of the program may
   index by. */
static int check_fact(void *arg, const struct lai_socket_fact *fact)
{
	(*(uint64_t *)arg)++;
	assert_null(t_fact_insane(fact));
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
		bool interrupted = false;
		int result;

		put_v4(&datagram, (uint8_t)lai_random_below(&random, 14));
		put_v6(&datagram, "::1");
		put_done(&datagram, 0);
		while (flips-- > 0)
			datagram.bytes[lai_random_below(&random, datagram.size)] =
				(uint8_t)lai_random_next(&random);
		result = lai_sockdiag_parse(datagram.bytes, datagram.size, SEQUENCE, PORT,
					    &interrupted, check_fact, &facts);
		assert_true(result <= 1);
		refused += result < 0;
	}
	assert_true(facts > HOSTILE_ROUNDS / 2);
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a dump's bytes become facts, IPv4 and IPv6", .test_func = golden},
		{.name = "a datagram cut anywhere is refused", .test_func = truncated},
		{.name = "impossible lengths, states and families are refused",
		 .test_func = nonsense},
		{.name = "the kernel's errors come through", .test_func = errors},
		{.name = "an inconsistent dump says so and is read on", .test_func = inconsistent},
		{.name = "answers to other questions are ignored", .test_func = strangers},
		{.name = "the reader of facts can stop", .test_func = stop},
		{.name = "attributes of every length are read or refused",
		 .test_func = attribute_lengths},
		{.name = "attributes become what they say", .test_func = attribute_values},
		{.name = "odd timers and closed sockets keep their meaning",
		 .test_func = timers_and_states},
		{.name = "corrupted bytes never become an impossible fact", .test_func = hostile},
	};

	return cmocka_run_group_tests_name("observe.sockdiag_parse", tests, NULL, NULL);
}
