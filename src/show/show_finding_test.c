/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "show/show_finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 65536
#define NAMESPACES 3

/* Holds everything that a finding refers to. */
struct world {
	struct lai_process process;
	struct lai_namespace namespaces[NAMESPACES];
	struct lai_snapshot snapshot;
	uint32_t sockets[3];
	int32_t fds[5];
	struct lai_finding finding;
};

static struct lai_address address(const char *text, uint16_t port)
{
	struct lai_address address = {0};

	assert_int_equal(lai_address_parse(text, port, &address), 0);
	return address;
}

/* A finding with everything in it. */
static struct world *leak(void)
{
	struct world *world = test_calloc(1, sizeof(*world));

	world->process = (struct lai_process){
		.pid = 4711, .fd_count = 1020, .fd_limit = 1024, .fds_seen = true, .comm = "java"};
	world->namespaces[0].ours = true;
	(void)snprintf(world->namespaces[1].name, sizeof(world->namespaces[1].name), "blue");
	world->namespaces[2].inode = 4026532177;
	world->snapshot = (struct lai_snapshot){
		.taken_at_s = 1767323045, /* 2026-01-02 03:04:05 UTC */
		.processes = &world->process,
		.process_count = 1,
		.namespaces = world->namespaces,
		.namespace_count = NAMESPACES,
	};
	memcpy(world->fds, (int32_t[]){7, 12, 13, 14, 20}, sizeof(world->fds));
	world->finding = (struct lai_finding){
		.verdict = LAI_VERDICT_EOF_IGNORED,
		.severity = LAI_SEVERITY_LEAK,
		.confidence = LAI_CONFIDENCE_CERTAIN,
		.pid = 4711,
		.comm = "java",
		.command_line = "java -jar shop.jar",
		.sockets = world->sockets,
		.socket_count = 3,
		.fds = world->fds,
		.fd_count = 5,
		.local = address("10.0.0.5", 0),
		.remote = address("10.0.0.7", 5432),
		.state = LAI_TCP_CLOSE_WAIT,
		.oldest_age_ms = 11520000,
		.age_kind = LAI_AGE_LOWER_BOUND,
		.unread_bytes = 2048,
		.peer = {.pid = 99, .state = LAI_TCP_FIN_WAIT2, .comm = "postgres"},
		.growth_per_min = 40,
		.exhaustion_s = 7500,
		.evidence = (char *)"The FIN has been read.",
		.advice = (char *)"In the program: close the descriptor when recv() returns 0.",
		.remedy = (char *)"lastack close --pid 4711 --verdict eof-ignored --yes",
	};
	return world;
}

/* A finding with nothing in it but what must be there. */
static struct world *bare(void)
{
	struct world *world = leak();

	world->snapshot = (struct lai_snapshot){.taken_at_s = 1767323045};
	world->finding = (struct lai_finding){
		.verdict = LAI_VERDICT_PORTS_EXHAUSTING,
		.severity = LAI_SEVERITY_WARNING,
		.confidence = LAI_CONFIDENCE_POSSIBLE,
		.socket_count = 27000,
		.state = LAI_TCP_NONE,
		.age_kind = LAI_AGE_UNKNOWN,
		.growth_per_min = LAI_GROWTH_UNKNOWN,
	};
	return world;
}

static void expect_text(struct world *world, size_t columns, bool styled, const char *expected)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

	lai_show_finding_text(&text, &world->snapshot, &world->finding, columns, styled);
	assert_int_equal(text.error, 0);
	assert_string_equal(lai_text_string(&text), expected);
	lai_text_done(&text);
	test_free(world);
}

static void expect_row(struct world *world, const char *expected)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	lai_columns_init(&columns, lai_show_finding_columns, LAI_SHOW_FINDING_COLUMNS,
			 LAI_COLUMNS_TSV, &text);
	lai_show_finding_row(&columns, &world->snapshot, &world->finding);
	lai_columns_end(&columns, 0);
	assert_string_equal(lai_text_string(&text), expected);
	lai_text_done(&text);
	test_free(world);
}

static void expect_json(struct world *world, const char *expected)
{
	struct lai_json json;
	char *line;

	lai_json_init(&json, TEXT_MAX);
	lai_json_array_begin(&json, NULL);
	lai_show_finding_json(&json, &world->snapshot, &world->finding);
	lai_json_end(&json);
	assert_int_equal(lai_json_steal(&json, &line), 0);
	assert_string_equal(line, expected);
	free(line);
}

static void test_text(void **state)
{
	(void)state;
	expect_text(
		leak(), 80, false,
		"LEAK        pid 4711 (java): 3 connections: was told that the peer closed, and\n"
		"            has not closed [eof-ignored]\n"
		"  For       at least 3h12m (the oldest)\n"
		"  Peer      10.0.0.7:5432, on this host: pid 99 (postgres), FIN_WAIT2\n"
		"  Local     10.0.0.5:*, CLOSE_WAIT\n"
		"  Holds     descriptors 7,12-14,20; 1020 of 1024 in use\n"
		"  Growth    +40 per minute: descriptors run out in 2h05m\n"
		"  Unread    2 KiB has come and was not read\n"
		"  Command   java -jar shop.jar\n"
		"  Evidence  The FIN has been read.\n"
		"  Program   In the program: close the descriptor when recv() returns 0.\n"
		"  Now       lastack close --pid 4711 --verdict eof-ignored --yes\n"
		"            The descriptors stay open until the program closes them, or ends.\n");
}

static void test_styled(void **state)
{
	struct world *world = bare();

	(void)state;
	world->finding.severity = LAI_SEVERITY_LEAK;
	expect_text(world, 80, true,
		    "\033[1;31mLEAK\033[0m (possible)  no process: 27000 connections: source ports "
		    "to one address run\n            out [ports-exhausting]\n");
}

static void test_text_bare(void **state)
{
	(void)state;
	expect_text(bare(), 105, false,
		    "WARNING (possible)  no process: 27000 connections: source ports to one "
		    "address run out [ports-exhausting]\n");
	expect_text(bare(), 104, false,
		    "WARNING (possible)  no process: 27000 connections: source ports to one "
		    "address run out\n"
		    "            [ports-exhausting]\n");
}

static void expect_in_text(struct world *world, const char *expected)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

	lai_show_finding_text(&text, &world->snapshot, &world->finding, 100, false);
	if (!strstr(lai_text_string(&text), expected))
		fail_msg("'%s' is not in %s", expected, lai_text_string(&text));
	lai_text_done(&text);
}

static void test_holds(void **state)
{
	struct world *world = leak();

	(void)state;
	expect_in_text(world, "\n  Holds     descriptors 7,12-14,20; 1020 of 1024 in use\n");
	world->finding.fd_count = 0;
	expect_in_text(world, "\n  Holds     1020 of 1024 descriptors in use\n");
	world->process.fd_limit = 0;
	expect_in_text(world, "\n  Holds     1020 descriptors in use\n");
	world->process.fds_seen = false;
	world->process.fd_limit = 256;
	expect_in_text(world, "\n  Holds     the limit is 256 descriptors\n");
	test_free(world);
}

static void test_text_odd(void **state)
{
	struct world *world = leak();

	(void)state;
	world->process.fds_seen = false;
	world->finding.socket_count = world->finding.fd_count = 1;
	world->finding.age_kind = LAI_AGE_EXACT;
	world->finding.oldest_age_ms = UINT64_MAX;
	world->finding.namespace_index = 1;
	world->finding.local.length = world->finding.remote.length = 0;
	world->finding.peer =
		(struct lai_finding_peer){.state = LAI_TCP_FIN_WAIT2, .namespace_index = 2};
	world->finding.growth_per_min = 0;
	world->finding.exhaustion_s = 0;
	world->finding.unread_bytes = 0;
	world->finding.command_line = NULL;
	world->finding.confidence = LAI_CONFIDENCE_POSSIBLE;
	world->finding.advice = world->finding.remedy = NULL;
	expect_text(
		world, 80, false,
		"LEAK (possible)  pid 4711 (java): 1 connection: was told that the peer closed,\n"
		"            and has not closed [eof-ignored]\n"
		"  For       213503982334.6d\n"
		"  Peer      on this host: held by no process, FIN_WAIT2, in network namespace\n"
		"            net:[4026532177]\n"
		"  State     CLOSE_WAIT, in network namespace blue\n"
		"  Holds     descriptor 7; the limit is 1024\n"
		"  Growth    none between two looks\n"
		"  Evidence  The FIN has been read.\n");
}

/* A process may call itself and its arguments what it likes. */
static struct world *hostile(void)
{
	struct world *world = leak();

	(void)snprintf(world->finding.comm, sizeof(world->finding.comm), "\033[2J\nLEAK\t");
	world->finding.command_line = "evil\r\n\x9b"
				      "2J \"quoted\" \\ end";
	(void)snprintf(world->finding.peer.comm, sizeof(world->finding.peer.comm), "\a\x7f");
	(void)snprintf(world->namespaces[1].name, sizeof(world->namespaces[1].name), "\033[1m");
	world->finding.namespace_index = world->finding.peer.namespace_index = 1;
	world->finding.evidence = (char *)"It is called \033c.";
	world->finding.remedy = (char *)"lastack close\n--yes";
	return world;
}

static void assert_harmless(const char *lines)
{
	for (; *lines; lines++)
		if ((*lines < ' ' && *lines != '\n' && *lines != '\t') || *lines == 0x7f)
			fail_msg("byte 0x%02x", (unsigned char)*lines);
}

static void test_hostile(void **state)
{
	struct world *world = hostile();
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_show_finding_text(&text, &world->snapshot, &world->finding, 100, false);
	assert_harmless(lai_text_string(&text));
	assert_null(strchr(lai_text_string(&text), '\t'));
	assert_null(strstr(lai_text_string(&text), "\nLEAK"));
	assert_non_null(strstr(lai_text_string(&text), "pid 4711 (\\x1b[2J\\nLEAK\\t)"));
	assert_non_null(strstr(lai_text_string(&text), "lastack close\\n--yes\n"));
	lai_text_done(&text);

	lai_columns_init(&columns, lai_show_finding_columns, LAI_SHOW_FINDING_COLUMNS,
			 LAI_COLUMNS_TSV, &text);
	lai_show_finding_row(&columns, &world->snapshot, &world->finding);
	lai_columns_end(&columns, 0);
	assert_harmless(lai_text_string(&text));
	/* One line, and as many cells as there are columns. */
	assert_ptr_equal(strchr(lai_text_string(&text), '\n') + 1,
			 lai_text_string(&text) + text.length);
	for (const char *at = lai_text_string(&text), *end = at + text.length; at < end; at++)
		columns.count -= *at == '\t';
	assert_int_equal(columns.count, 1);
	lai_text_done(&text);
	test_free(world);
}

static void test_row(void **state)
{
	(void)state;
	expect_row(leak(),
		   "2026-01-02T03:04:05Z\tleak\teof-ignored\t4711\tjava\t3\t10.0.0.5:*\t"
		   "10.0.0.7:5432\tCLOSE_WAIT\t11520.000\tlower-bound\t2048\t40\t99\tpostgres\t"
		   "FIN_WAIT2\tcertain\t7,12-14,20\t"
		   "lastack close --pid 4711 --verdict eof-ignored --yes\tThe FIN has been read.\t"
		   "In the program: close the descriptor when recv() returns 0.\t"
		   "java -jar shop.jar\n");
	expect_row(bare(),
		   "2026-01-02T03:04:05Z\twarning\tports-exhausting\t-\t-\t27000\t-\t-\t-\t-\t"
		   "unknown\t0\t-\t-\t-\t-\tpossible\t-\t-\t-\t-\t-\n");
}

static void test_json(void **state)
{
	struct world *full = leak(), *empty = bare(), *evil = hostile();

	(void)state;
	expect_json(full,
		    "[{\"verdict\":\"eof-ignored\",\"severity\":\"leak\",\"pid\":4711,"
		    "\"comm\":\"java\",\"cmdline\":\"java -jar shop.jar\",\"fds\":[7,12,13,14,20],"
		    "\"sockets\":3,\"local\":\"10.0.0.5:*\",\"remote\":\"10.0.0.7:5432\","
		    "\"state\":\"CLOSE_WAIT\",\"oldest_age_s\":11520,\"age_is\":\"lower-bound\","
		    "\"unread_bytes\":2048,\"peer\":{\"pid\":99,\"comm\":\"postgres\","
		    "\"state\":\"FIN_WAIT2\",\"namespace\":\"net:[0]\"},\"growth_per_min\":40,"
		    "\"confidence\":\"certain\",\"evidence\":\"The FIN has been read.\","
		    "\"advice\":\"In the program: close the descriptor when recv() returns 0.\","
		    "\"remedy\":\"lastack close --pid 4711 --verdict eof-ignored --yes\"}]");
	expect_json(empty,
		    "[{\"verdict\":\"ports-exhausting\",\"severity\":\"warning\",\"pid\":null,"
		    "\"comm\":null,\"cmdline\":null,\"fds\":[],\"sockets\":27000,\"local\":null,"
		    "\"remote\":null,\"state\":null,\"oldest_age_s\":null,\"age_is\":\"unknown\","
		    "\"unread_bytes\":0,\"peer\":null,\"growth_per_min\":null,"
		    "\"confidence\":\"possible\",\"evidence\":null,\"advice\":null,"
		    "\"remedy\":null}]");
	evil->finding.fd_count = 0;
	evil->finding.evidence = evil->finding.advice = evil->finding.remedy = NULL;
	expect_json(
		evil,
		"[{\"verdict\":\"eof-ignored\",\"severity\":\"leak\",\"pid\":4711,"
		"\"comm\":\"\\u001b[2J\\nLEAK\\t\","
		"\"cmdline\":\"evil\\r\\n\xef\xbf\xbd"
		"2J \\\"quoted\\\" \\\\ end\",\"fds\":[],"
		"\"sockets\":3,\"local\":\"10.0.0.5:*\",\"remote\":\"10.0.0.7:5432\","
		"\"state\":\"CLOSE_WAIT\",\"oldest_age_s\":11520,\"age_is\":\"lower-bound\","
		"\"unread_bytes\":2048,\"peer\":{\"pid\":99,\"comm\":\"\\u0007\\u007f\","
		"\"state\":\"FIN_WAIT2\",\"namespace\":\"\\u001b[1m\"},\"growth_per_min\":40,"
		"\"confidence\":\"certain\",\"evidence\":null,\"advice\":null,\"remedy\":null}]");
	test_free(full);
	test_free(empty);
	test_free(evil);
}

static void test_peer_unseen(void **state)
{
	struct world *world = leak();

	(void)state;
	world->finding.peer = (struct lai_finding_peer){.state = LAI_TCP_FIN_WAIT2};
	expect_in_text(world, "on this host: held by no process, FIN_WAIT2");
	world->snapshot.coverage.unreadable = 1;
	expect_in_text(world, "on this host: held by no process that can be seen, FIN_WAIT2");
	test_free(world);
}

static void test_not_freed(void **state)
{
	struct world *world = leak();

	(void)state;
	world->finding.fd_count = 1;
	expect_in_text(world, "--yes\n            The descriptor stays open until ");
	world->finding.remedy = (char *)"lastack close --pid 4711 --verdict eof-ignored";
	expect_in_text(world, "eof-ignored\n            This shows what it would do; with --yes it "
			      "does it. The descriptor stays");
	world->finding.fd_count = 0;
	expect_in_text(world, "with --yes it does it.\n");
	world->finding.verdict = LAI_VERDICT_NEVER_ACCEPTED;
	expect_in_text(world, "The places in the queue of");
	world->finding.verdict = LAI_VERDICT_IO_URING_HELD;
	expect_in_text(world, "What is registered in the");
	world->finding.verdict = LAI_VERDICT_FD_IN_FLIGHT;
	expect_in_text(world, "The message, and the");
	/* What is no close says nothing of what a close leaves. */
	world->finding.remedy = (char *)"sysctl -w net.ipv4.tcp_tw_reuse=1";
	expect_in_text(world, "tcp_tw_reuse=1\n");
	test_free(world);
}

static void test_brief(void **state)
{
	struct world *full = leak(), *empty = bare(), *evil = hostile();
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_columns_init(&columns, lai_show_finding_brief_columns, LAI_SHOW_FINDING_BRIEF_COLUMNS,
			 LAI_COLUMNS_TABLE, &text);
	lai_columns_head(&columns);
	lai_show_finding_brief(&columns, &full->finding);
	full->finding.confidence = LAI_CONFIDENCE_LIKELY;
	full->finding.age_kind = LAI_AGE_EXACT;
	lai_show_finding_brief(&columns, &full->finding);
	lai_show_finding_brief(&columns, &empty->finding);
	lai_show_finding_brief(&columns, &evil->finding);
	lai_columns_end(&columns, 0);
	assert_string_equal(
		lai_text_string(&text),
		"SEVERITY            VERDICT            PID  NAME             SOCKETS      AGE\n"
		"LEAK                eof-ignored       4711  java                   3  >=3h12m\n"
		"LEAK (likely)       eof-ignored       4711  java                   3    3h12m\n"
		"WARNING (possible)  ports-exhausting     -  -                  27000        -\n"
		"LEAK                eof-ignored       4711  \\x1b[2J\\nLEAK\\t        3  "
		">=3h12m\n");
	lai_text_done(&text);
	test_free(full);
	test_free(empty);
	test_free(evil);
}

static void test_fds(void **state)
{
	static const int32_t fds[] = {0, 1, 2, 5, 7, 8, 1000};
	static const struct {
		size_t count, ranges_max;
		const char *expected;
	} rows[] = {
		{0, 8, ""},
		{1, 8, "0"},
		{3, 8, "0-2"},
		{7, 8, "0-2,5,7-8,1000"},
		{7, 4, "0-2,5,7-8,1000"},
		{7, 2, "0-2,5 and 3 more"},
		{7, 0, " and 7 more"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

		lai_show_fds(&text, fds, rows[i].count, rows[i].ranges_max);
		assert_string_equal(lai_text_string(&text), rows[i].expected);
		lai_text_done(&text);
	}
}

static void test_endpoint(void **state)
{
	char text[LA_ADDRESS_TEXT_MAX];
	struct lai_address none = {0}, v4 = address("192.0.2.1", 80), any = address("192.0.2.1", 0),
			   v6 = address("2001:db8::1", 0);

	(void)state;
	assert_string_equal(lai_show_endpoint(text, &none), "");
	assert_string_equal(lai_show_endpoint(text, &v4), "192.0.2.1:80");
	assert_string_equal(lai_show_endpoint(text, &any), "192.0.2.1:*");
	assert_string_equal(lai_show_endpoint(text, &v6), "[2001:db8::1]:*");
}

static void test_counts(void **state)
{
	static const struct {
		size_t counts[LAI_SEVERITY_COUNT];
		const char *expected;
	} rows[] = {
		{{0, 0, 0}, "0 findings"},
		{{1, 0, 0}, "1 finding: 1 leak"},
		{{2, 1, 3}, "6 findings: 2 leaks, 1 warning, 3 remarks"},
		{{0, 2, 1}, "3 findings: 2 warnings, 1 remark"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

		lai_show_finding_counts(&text, rows[i].counts);
		assert_string_equal(lai_text_string(&text), rows[i].expected);
		lai_text_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a block says who, what, since when, how fast, why, what to do",
		 .test_func = test_text},
		{.name = "descriptors held and in use are told as far as they are known",
		 .test_func = test_holds},
		{.name = "the severity is coloured on a terminal", .test_func = test_styled},
		{.name = "a block without knowledge has no lines that say nothing",
		 .test_func = test_text_bare},
		{.name = "a block of one connection in another network namespace",
		 .test_func = test_text_odd},
		{.name = "no name of a process drives the terminal, or makes a line or a cell",
		 .test_func = test_hostile},
		{.name = "a row has a cell for everything, '-' for what is not known",
		 .test_func = test_row},
		{.name = "an object has every member, null for what is not known",
		 .test_func = test_json},
		{.name = "whether a peer is held is told only as far as can be seen",
		 .test_func = test_peer_unseen},
		{.name = "under the remedy stands what it does not free",
		 .test_func = test_not_freed},
		{.name = "a short table tells how bad, what, who, how many, how long",
		 .test_func = test_brief},
		{.name = "descriptors are written as ranges", .test_func = test_fds},
		{.name = "an endpoint without a single port has a star",
		 .test_func = test_endpoint},
		{.name = "findings are counted by severity", .test_func = test_counts},
	};

	return cmocka_run_group_tests_name("show.finding", tests, NULL, NULL);
}
