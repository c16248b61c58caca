/* SPDX-License-Identifier: MIT */
/* counters_test.c - the kernel's texts, whole and broken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/gauge.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char netstat[] = "TcpExt: SyncookiesSent TW PAWSActive TCPTimeWaitOverflow\n"
			      "TcpExt: 0 17 18446744073709551615 3\n"
			      "IpExt: InNoRoutes InCsumErrors\n"
			      "IpExt: 4 5\n"
			      "MPTcpExt: TW\n"
			      "MPTcpExt: 99\n";
static const char snmp[] = "Ip: Forwarding InDiscards\n"
			   "Ip: 2 6\n"
			   "Tcp: RtoMin MaxConn InSegs InCsumErrors\n"
			   "Tcp: 200 -1 7 8\n"
			   "Udp: InDatagrams InCsumErrors\n"
			   "Udp: 9 10\n";
static const char conntrack[] =
	"entries  clashres found new invalid ignore delete chainlength insert insert_failed drop\n"
	"00000001  00000000 00000000 00000000 0000000a 00000000 00000000 00000000 00000000 00000002 "
	"000000ff\n"
	"00000001  00000000 00000000 00000000 00000010 00000000 00000000 00000000 00000000 00000001 "
	"00000001\n";

static void test_found(void **state)
{
	static const struct {
		const char *name;
		uint64_t number;
	} rows[] = {
		{"TW", 17},
		{"PAWSActive", UINT64_MAX},
		{"TCPTimeWaitOverflow", 3},
		{"SyncookiesSent", 0},
		{"InNoRoutes", 4},
		{"InDiscards", 6},
		{"InSegs", 7},
		{"InCsumErrors", 8},
		{"InDatagrams", 9},
		{"conntrack_invalid", 26},
		{"conntrack_insert_failed", 3},
		{"conntrack_insert", 0},
		{"conntrack_drop", 256},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t number = 12345;

		assert_true(lai_counters_parse(netstat, snmp, conntrack, rows[i].name, &number));
		assert_int_equal(number, rows[i].number);
	}
}

static void test_not_found(void **state)
{
	static const char *const names[] = {
		"", "T", "TWX", "TcpExt:", "Tcp:", "17", "conntrack_", "conntrack_TW", "MaxConn",
	};
	uint64_t number = 12345;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (lai_counters_parse(netstat, snmp, conntrack, names[i], &number))
			fail_msg("found %s", names[i]);
	assert_int_equal(number, 12345);
}

static void test_broken(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"TcpExt:",
		"TcpExt: TW",
		"TcpExt: TW\n",
		"TcpExt: TW\nTcpExt:\n",
		"TcpExt: TW\nTcpExt: x\n",
		"\n\n\nTW",
		"TcpExt: A TW\nTcpExt: 1\n",
	};
	uint64_t number = 12345;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_false(lai_counters_parse(texts[i], texts[i], texts[i], "TW", &number));
		assert_false(lai_counters_parse(texts[i], "", texts[i], "conntrack_x", &number));
	}
	assert_int_equal(number, 12345);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "counters are found by their names", .test_func = test_found},
		{.name = "other names are found nowhere", .test_func = test_not_found},
		{.name = "broken texts have no counters", .test_func = test_broken},
	};

	return cmocka_run_group_tests_name("lab.counters", tests, NULL, NULL);
}
