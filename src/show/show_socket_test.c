/* SPDX-License-Identifier: MIT */
#include "show/show_socket.h"
#include "show/show_coverage.h"
#include "show/show_socket_summary.h"

#include "base/random.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 100000

static struct lai_text text;

static int begin(void **state)
{
	(void)state;
	lai_text_init(&text, TEXT_MAX);
	return 0;
}

static int end(void **state)
{
	(void)state;
	lai_text_done(&text);
	return 0;
}

/* What has been appended since the last call; valid until the next append. */
static void expect(const char *wanted)
{
	assert_string_equal(lai_text_string(&text), wanted);
	lai_text_done(&text);
}

/* ---- small texts -------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
	(void)state;
	lai_show_number(&text, 0);
	expect("0");
	lai_show_number(&text, 1000);
	expect("1000");
	lai_show_number(&text, UINT64_MAX);
	expect("18446744073709551615");
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t ms;
		const char *wanted;
	} rows[] = {
		{0, "0ms"},	     {999, "999ms"},	     {1000, "1.0s"},
		{9999, "9.9s"},	     {10000, "10s"},	     {59999, "59s"},
		{60000, "1m00s"},    {192000, "3m12s"},	     {3599999, "59m59s"},
		{3600000, "1h00m"},  {18120000, "5h02m"},    {172799999, "47h59m"},
		{172800000, "2.0d"}, {8640000000, "100.0d"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		lai_show_duration(&text, rows[i].ms);
		expect(rows[i].wanted);
	}
}

static void expect_address(const char *host, uint16_t port, const char *wanted)
{
	struct lai_address address;

	assert_int_equal(lai_address_parse(host, port, &address), 0);
	lai_show_address(&text, &address);
	expect(wanted);
}

static void test_addresses(void **state)
{
	struct lai_address none = {0};

	(void)state;
	expect_address("192.0.2.1", 80, "192.0.2.1:80");
	expect_address("255.255.255.255", 65535, "255.255.255.255:65535");
	expect_address("0.0.0.0", 0, "0.0.0.0:*");
	expect_address("::", 0, "[::]:*");
	expect_address("::1", 443, "[::1]:443");
	expect_address("2001:db8::", 1, "[2001:db8::]:1");
	expect_address("2001:0db8:0:0:1:0:0:1", 1, "[2001:db8::1:0:0:1]:1");
	expect_address("1:0:2:3:4:5:6:7", 1, "[1:0:2:3:4:5:6:7]:1");
	expect_address("::ffff:10.1.2.3", 1, "[::ffff:10.1.2.3]:1");
	expect_address("fe80::1%7", 22, "[fe80::1%7]:22");
	lai_show_address(&text, &none);
	expect("");
}

/* Many zeros, so that every kind of run occurs; the C library is the measure. */
static void test_addresses_like_libc(void **state)
{
	struct lai_random random = {.state = 1};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct lai_address address = {.length = sizeof(address.v6)};
		char wanted[INET6_ADDRSTRLEN];
		uint64_t pattern = lai_random_next(&random);

		address.v6.sin6_family = AF_INET6;
		for (int j = 0; j < 8; j++)
			if (pattern >> j & 1)
				address.v6.sin6_addr.s6_addr16[j] =
					htons((uint16_t)(lai_random_next(&random) >>
							 (pattern >> (8 + 4 * j) & 15)));
		/* What is below 2^32 the C library writes like IPv4, which RFC 5952 does not ask for. */
		address.v6.sin6_addr.s6_addr[0] |= 0x20;
		lai_show_host(&text, &address);
		expect(inet_ntop(AF_INET6, &address.v6.sin6_addr, wanted, sizeof(wanted)));
	}
}

static void test_foreign(void **state)
{
	(void)state;
	lai_show_foreign(&text, "nginx: worker");
	expect("nginx: worker");
	lai_show_foreign(&text, "");
	expect("");
	lai_show_foreign(&text, "a\tb\nc\033[2J\\");
	assert_null(strpbrk(lai_text_string(&text), "\t\n\033"));
	assert_non_null(strstr(lai_text_string(&text), "x1b[2J"));
}

/* ---- a small host ------------------------------------------------------------------------- */

enum {
	LISTENER,
	HELD,	   /* by two processes, one with two descriptors */
	QUEUED,	   /* never accepted */
	LATE,	   /* TIME_WAIT */
	ORPHAN,	   /* FIN_WAIT2, nobody's */
	HANDSHAKE, /* SYN_RECV */
	STRAY,	   /* never accepted, the listener is not listed */
	HIDDEN,	   /* an inode, and nobody has it */
	GHOST,	   /* closed */
	SOCKET_COUNT
};

static struct lai_process processes[] = {
	{.pid = 12, .comm = "nginx", .fds_seen = true, .fd_count = 20, .fd_limit = 1024},
	{.pid = 13, .comm = "nginx"},
	{.pid = 14, .comm = "evil\033]0;x", .container = "docker:0123456789ab"},
};
static struct lai_holder holders[] = {
	{.inode = 100, .pid = 12, .fd = 6},  {.inode = 100, .pid = 13, .fd = 6},
	{.inode = 100, .pid = 14, .fd = 6},  {.inode = 101, .pid = 12, .fd = 7},
	{.inode = 101, .pid = 12, .fd = 8},  {.inode = 101, .pid = 14, .fd = 3},
	{.inode = 108, .pid = 99, .fd = 11},
};
static struct lai_namespace namespaces[] = {
	{.inode = 4026531840, .ours = true, .seen = true},
	{.inode = 4026532000, .name = "blue", .error = -1},
};
static struct lai_socket_fact sockets[SOCKET_COUNT] = {
	[LISTENER] = {.state = LAI_TCP_LISTEN,
		      .inode = 100,
		      .rqueue_bytes = 1,
		      .wqueue_bytes = 511,
		      .holder_count = 3,
		      .listener = LAI_NO_INDEX},
	[HELD] = {.state = LAI_TCP_CLOSE_WAIT,
		  .inode = 101,
		  .uid = 33,
		  .rqueue_bytes = 1,
		  .timer = LAI_TIMER_KEEPALIVE,
		  .timer_ms = 7200000,
		  .retransmits = 2,
		  .holder_first = 3,
		  .holder_count = 3,
		  .listener = LAI_NO_INDEX},
	[QUEUED] = {.state = LAI_TCP_CLOSE_WAIT, .listener = LISTENER},
	[LATE] = {.state = LAI_TCP_TIME_WAIT,
		  .timer = LAI_TIMER_TIME_WAIT,
		  .timer_ms = 59000,
		  .listener = LAI_NO_INDEX},
	[ORPHAN] = {.state = LAI_TCP_FIN_WAIT2,
		    .timer = LAI_TIMER_KEEPALIVE,
		    .timer_ms = 5000,
		    .listener = LAI_NO_INDEX},
	[HANDSHAKE] = {.state = LAI_TCP_NEW_SYN_RECV, .listener = LAI_NO_INDEX},
	[STRAY] = {.state = LAI_TCP_ESTABLISHED, .listener = LAI_NO_INDEX},
	[HIDDEN] = {.state = LAI_TCP_ESTABLISHED, .inode = 107, .listener = LAI_NO_INDEX},
	[GHOST] = {.state = LAI_TCP_CLOSE,
		   .inode = 108,
		   .holder_first = 6,
		   .holder_count = 1,
		   .listener = LAI_NO_INDEX},
};
static struct lai_snapshot snapshot = {
	.host = "host",
	.kernel = "6.1",
	.coverage = {.complete = true, .processes = 3},
	.sockets = sockets,
	.socket_count = SOCKET_COUNT,
	.holders = holders,
	.holder_count = COUNT(holders),
	.processes = processes,
	.process_count = COUNT(processes),
	.namespaces = namespaces,
	.namespace_count = COUNT(namespaces),
};

static void expect_cell(enum lai_socket_column column, int socket, const char *wanted)
{
	lai_show_socket_cell(&text, column, &snapshot, &sockets[socket]);
	expect(wanted);
}

static void test_owners(void **state)
{
	(void)state;
	/* Neighbours with the same name and descriptors are one entry. */
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, LISTENER,
		    "nginx[12,13] fd 6; evil\\x1b]0;x[14] fd 6");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, HELD, "nginx[12] fd 7,8; evil\\x1b]0;x[14] fd 3");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, QUEUED,
		    "never accepted: nginx[12,13] fd 6; evil\\x1b]0;x[14] fd 6");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, LATE, "kernel: ends by itself");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, ORPHAN, "nobody: kernel ends it");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, HANDSHAKE, "kernel: handshake");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, STRAY, "never accepted: listener not seen");
	expect_cell(LAI_SOCKET_COLUMN_OWNERS, GHOST, "?[99] fd 11");
}

/* Nobody seems to hold it: that is only said if everybody could be looked at. */
static void test_unseen(void **state)
{
	(void)state;
	assert_int_equal(lai_show_ownership(&snapshot, &sockets[HIDDEN]), LAI_OWNED_HIDDEN);
	snapshot.coverage.unreadable = 1;
	assert_int_equal(lai_show_ownership(&snapshot, &sockets[HIDDEN]), LAI_OWNED_UNSEEN);
	snapshot.coverage.unreadable = 0;
}

static void test_cells(void **state)
{
	(void)state;
	expect_cell(LAI_SOCKET_COLUMN_STATE, HELD, "CLOSE_WAIT");
	expect_cell(LAI_SOCKET_COLUMN_RECV_Q, HELD, "1");
	expect_cell(LAI_SOCKET_COLUMN_SEND_Q, LISTENER, "511");
	expect_cell(LAI_SOCKET_COLUMN_TIMER, HELD, "keepalive 2h00m x2");
	expect_cell(LAI_SOCKET_COLUMN_TIMER, LATE, "time-wait 59s");
	expect_cell(LAI_SOCKET_COLUMN_TIMER, ORPHAN, "fin-timeout 5.0s");
	expect_cell(LAI_SOCKET_COLUMN_TIMER, LISTENER, "");
	expect_cell(LAI_SOCKET_COLUMN_PID, HELD, "12,14");
	expect_cell(LAI_SOCKET_COLUMN_COMM, LISTENER, "nginx,nginx,evil\\x1b]0;x");
	expect_cell(LAI_SOCKET_COLUMN_UID, HELD, "33");
	expect_cell(LAI_SOCKET_COLUMN_UID, LATE, "");
	expect_cell(LAI_SOCKET_COLUMN_INODE, LATE, "");
	expect_cell(LAI_SOCKET_COLUMN_NAMESPACE, HELD, "net:[4026531840]");
	expect_cell(LAI_SOCKET_COLUMN_CONTAINER, HELD, "");
	expect_cell(LAI_SOCKET_COLUMN_CGROUP, HELD, "");
	expect_cell(LAI_SOCKET_COLUMN_SENT, HELD, "");
	/* 60 s less what is left. */
	expect_cell(LAI_SOCKET_COLUMN_AGE, LATE, "1.0s");
	expect_cell(LAI_SOCKET_COLUMN_AGE_S, LATE, "1.000");
	expect_cell(LAI_SOCKET_COLUMN_AGE_IS, LATE, "exact");
	expect_cell(LAI_SOCKET_COLUMN_AGE, LISTENER, "");
	expect_cell(LAI_SOCKET_COLUMN_AGE_IS, LISTENER, "unknown");
}

/* In TSV a row must stay a row, whatever processes are called. */
static void test_no_cell_has_controls(void **state)
{
	(void)state;
	for (int socket = 0; socket < SOCKET_COUNT; socket++)
		for (int column = 0; column < LAI_SOCKET_COLUMN_COUNT; column++) {
			lai_show_socket_cell(&text, (enum lai_socket_column)column, &snapshot,
					     &sockets[socket]);
			for (size_t i = 0; i < text.length; i++)
				assert_true(text.data[i] >= ' ' && text.data[i] < 0x7f);
			lai_text_done(&text);
		}
}

/* ---- JSON --------------------------------------------------------------------------------- */

static char *json_of(int socket)
{
	struct lai_json json;
	char *string = NULL;

	lai_json_init(&json, TEXT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_show_socket_json(&json, &snapshot, &sockets[socket]);
	lai_json_end(&json);
	assert_int_equal(lai_json_steal(&json, &string), 0);
	return string;
}

static void expect_in(const char *whole, const char *part)
{
	if (!strstr(whole, part))
		fail_msg("%s is not in %s", part, whole);
}

static void test_json(void **state)
{
	char *json = json_of(HELD);

	(void)state;
	expect_in(json, "\"state\":\"CLOSE_WAIT\"");
	expect_in(json, "\"recv_q_bytes\":1,\"send_q_bytes\":0,\"waiting_connections\":null");
	expect_in(json, "\"timer\":\"keepalive\",\"timer_ms\":7200000,\"retransmits\":2");
	expect_in(json, "\"owned\":\"process\",\"owners\":[{\"pid\":12,\"comm\":\"nginx\"");
	expect_in(json, "\"fds\":[7,8]}");
	expect_in(json, "\"container\":\"docker:0123456789ab\",\"fds\":[3]}]");
	expect_in(json, "\"listener\":null");
	free(json);
	json = json_of(QUEUED);
	expect_in(json, "\"owned\":\"never-accepted\",\"owners\":[],\"listener\":{");
	expect_in(json, "\"waiting_connections\":1,\"backlog\":511,\"owners\":[{\"pid\":12");
	free(json);
	json = json_of(GHOST);
	expect_in(json, "\"local\":null,\"local_address\":null,\"local_port\":null");
	expect_in(json, "{\"pid\":99,\"comm\":null");
	free(json);
}

/* Every socket has the same members, so that a program need not ask which there are. */
static void test_json_members(void **state)
{
	static const char *const members[] = {
		"state",
		"local",
		"local_address",
		"local_port",
		"remote",
		"remote_address",
		"remote_port",
		"recv_q_bytes",
		"send_q_bytes",
		"backlog",
		"waiting_connections",
		"age_s",
		"age_is",
		"timer",
		"timer_ms",
		"retransmits",
		"sent_bytes",
		"acked_bytes",
		"received_bytes",
		"last_sent_ms",
		"last_received_ms",
		"last_ack_ms",
		"rtt_us",
		"memory_bytes",
		"inode",
		"cookie",
		"uid",
		"namespace_inode",
		"namespace",
		"owned",
		"owners",
		"listener",
	};

	(void)state;
	for (int socket = 0; socket < SOCKET_COUNT; socket++) {
		char *json = json_of(socket), quoted[64];

		for (size_t i = 0; i < COUNT(members); i++) {
			(void)snprintf(quoted, sizeof(quoted), "\"%s\":", members[i]);
			expect_in(json, quoted);
		}
		free(json);
	}
}

/* ---- summary and coverage ----------------------------------------------------------------- */

static void test_summary(void **state)
{
	static const uint32_t all[SOCKET_COUNT] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	struct lai_summary summary;

	(void)state;
	assert_int_equal(lai_summary_init(&summary, &snapshot, all, SOCKET_COUNT), 0);
	assert_int_equal(summary.all.sockets, SOCKET_COUNT);
	assert_int_equal(summary.all.by_state[LAI_TCP_CLOSE_WAIT], 2);
	assert_int_equal(summary.all.by_state[LAI_TCP_SYN_RECV], 1);
	/* 12 and 14 hold two each and wait for one; 13 has the listener alone. */
	assert_int_equal(summary.rows[0].process->pid, 12);
	assert_int_equal(summary.rows[0].sockets, 2);
	assert_int_equal(summary.rows[0].unaccepted, 1);
	assert_int_equal(summary.rows[0].by_state[LAI_TCP_CLOSE_WAIT], 1);
	assert_int_equal(summary.rows[1].process->pid, 14);
	assert_int_equal(summary.rows[2].process->pid, 13);
	assert_int_equal(summary.rows[2].sockets, 1);
	assert_int_equal(summary.rows[2].unaccepted, 1);
	/* Then what no process is known for: the ghost's, the stray, TIME_WAIT, ... */
	assert_int_equal(summary.row_count, 3 + 6);
	for (size_t i = 3; i < summary.row_count; i++) {
		assert_null(summary.rows[i].process);
		assert_int_equal(summary.rows[i].sockets, 1);
	}
	lai_show_summary(&text, &summary, LAI_COLUMNS_TABLE, true, 0);
	expect_in(lai_text_string(&text), "\n  -  (all) ");
	expect_in(lai_text_string(&text), "\n 12  nginx ");
	expect_in(lai_text_string(&text), "(kernel: TIME_WAIT)");
	assert_null(strstr(lai_text_string(&text), "LAST_ACK")); /* there is none */
	lai_text_done(&text);
	lai_show_summary(&text, &summary, LAI_COLUMNS_TSV, false, 0);
	expect_in(lai_text_string(&text),
		  "12\tnginx\t2\t20\t1024\t1\t1\t0\t1\t0\t0\t0\t0\t0\t0\t0\t0\t0\n");
	lai_summary_done(&summary);
}

static void test_coverage(void **state)
{
	struct lai_json json;

	(void)state;
	assert_true(lai_show_coverage_whole(&snapshot));
	lai_show_coverage_text(&text, &snapshot);
	expect("Owners were found by BPF.");
	snapshot.coverage.way = LAI_WAY_PROC;
	(void)snprintf(snapshot.coverage.way_reason, sizeof(snapshot.coverage.way_reason),
		       "CAP_BPF is missing");
	snapshot.coverage.unreadable = 2;
	snapshot.coverage.namespaces_unseen = 1;
	assert_false(lai_show_coverage_whole(&snapshot));
	lai_show_coverage_text(&text, &snapshot);
	expect_in(lai_text_string(&text), "in /proc, not by BPF: CAP_BPF is missing. ");
	expect_in(lai_text_string(&text), "descriptors of 2 of 3 processes may not be seen");
	expect_in(lai_text_string(&text), "(blue: Operation not permitted)");
	assert_null(strchr(lai_text_string(&text), '\n'));
	lai_json_init(&json, TEXT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_show_snapshot_json(&json, &snapshot);
	expect_in(lai_text_string(&json.text),
		  "{\"host\":\"host\",\"kernel\":\"6.1\",\"taken_at\":\"1970-01-01T00:00:00Z\","
		  "\"coverage\":{\"owners_by\":\"proc\",\"no_bpf_because\":\"CAP_BPF is missing\","
		  "\"whole\":false");
	expect_in(lai_text_string(&json.text),
		  "{\"inode\":4026532000,\"name\":\"blue\",\"ours\":false,\"seen\":false,"
		  "\"error\":\"EPERM\"}");
	lai_json_done(&json);
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		.name = sentence, .test_func = function, .setup_func = begin, .teardown_func = end \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("numbers are written in full", test_numbers),
		TEST("durations take few places", test_durations),
		TEST("addresses are written as ss writes them", test_addresses),
		TEST("IPv6 addresses are written as the C library does", test_addresses_like_libc),
		TEST("foreign texts are harmless", test_foreign),
		TEST("owners are named, or the reason why there are none", test_owners),
		TEST("nobody holds it is said only if everybody was seen", test_unseen),
		TEST("cells say what the column promises", test_cells),
		TEST("no cell has a control character", test_no_cell_has_controls),
		TEST("JSON has owners with descriptors, and the listener", test_json),
		TEST("JSON has the same members for every socket", test_json_members),
		TEST("the summary counts by process and what no process holds", test_summary),
		TEST("the coverage says what was not seen and why", test_coverage),
	};

	return cmocka_run_group_tests_name("show.socket", tests, NULL, NULL);
}
