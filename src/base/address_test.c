/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/address.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_round_trip(void **state)
{
	static const struct {
		const char *text;
		uint16_t port;
		int family;
		const char *formatted;
	} good[] = {
		{"192.0.2.1", 80, AF_INET, "192.0.2.1:80"},
		{"0.0.0.0", 0, AF_INET, "0.0.0.0:0"},
		{"255.255.255.255", 65535, AF_INET, "255.255.255.255:65535"},
		{"2001:db8::1", 443, AF_INET6, "[2001:db8::1]:443"},
		{"2001:DB8:0:0::1", 443, AF_INET6, "[2001:db8::1]:443"},
		{"::", 1, AF_INET6, "[::]:1"},
		{"::ffff:192.0.2.1", 1, AF_INET6, "[::ffff:192.0.2.1]:1"},
		{"fe80::1%1", 7, AF_INET6, "[fe80::1%1]:7"},
		{"fe80::1%lo", 7, AF_INET6, "[fe80::1%1]:7"},
		{"fe80:1111:2222:3333:4444:5555:6666:7777%4294967295", 65535, AF_INET6,
		 "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct lai_address address = {0};
		char text[LA_ADDRESS_TEXT_MAX];

		if (lai_address_parse(good[i].text, good[i].port, &address) != 0)
			fail_msg("'%s' was refused", good[i].text);
		assert_int_equal(lai_address_family(&address), good[i].family);
		assert_int_equal(lai_address_port(&address), good[i].port);
		assert_ptr_equal(lai_address_format(text, &address), text);
		assert_string_equal(text, good[i].formatted);
	}
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"localhost",
		"192.0.2",
		"192.0.2.256",
		"192.0.2.1 ",
		" 192.0.2.1",
		"192.0.2.1:80",
		"192.0.2.01.",
		"192.0.2.1%lo",
		"2001:db8::1::2",
		"[::1]",
		"12345::",
		":::",
		"fe80::1%",
		"fe80::1%0",
		"fe80::1%no-such-interface",
		"fe80::1%4294967296",
		"%lo",
		"%",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct lai_address address = {.length = 42};

		if (lai_address_parse(bad[i], 1, &address) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(address.length, 42);
	}
}

static void test_nothing(void **state)
{
	struct lai_address none = {0};
	char text[LA_ADDRESS_TEXT_MAX] = "rest";

	(void)state;
	assert_int_equal(lai_address_family(&none), AF_UNSPEC);
	assert_int_equal(lai_address_port(&none), 0);
	lai_address_set_port(&none, 80);
	assert_int_equal(lai_address_port(&none), 0);
	assert_string_equal(lai_address_format(text, &none), "");
	assert_true(lai_address_equal(&none, &none));
}

static struct lai_address parsed(const char *text, uint16_t port)
{
	struct lai_address address = {0};

	assert_int_equal(lai_address_parse(text, port, &address), 0);
	return address;
}

static void test_equal(void **state)
{
	const struct lai_address different[] = {
		parsed("192.0.2.1", 80),	parsed("192.0.2.1", 81), parsed("192.0.2.2", 80),
		parsed("::ffff:192.0.2.1", 80), parsed("fe80::1%1", 80), parsed("fe80::1%2", 80),
		parsed("fe80::2%1", 80),	parsed("fe80::1", 80),	 {.length = 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(different); i++)
		for (size_t j = 0; j < COUNT(different); j++)
			assert_int_equal(lai_address_equal(&different[i], &different[j]), i == j);
}

static void test_set_port(void **state)
{
	struct lai_address v4 = parsed("192.0.2.1", 80), v6 = parsed("::1", 80);

	(void)state;
	lai_address_set_port(&v4, 443);
	lai_address_set_port(&v6, 8080);
	assert_int_equal(lai_address_port(&v4), 443);
	assert_int_equal(ntohs(v4.v4.sin_port), 443);
	assert_int_equal(lai_address_port(&v6), 8080);
	assert_int_equal(ntohs(v6.v6.sin6_port), 8080);
}

static void test_unmap(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"::ffff:192.0.2.1", "192.0.2.1:80"},
		{"192.0.2.1", "192.0.2.1:80"},
		{"2001:db8::1", "[2001:db8::1]:80"},
		{"::", "[::]:80"},
	};
	struct lai_address address, plain;
	char text[LA_ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(lai_address_parse(rows[i].from, 80, &address), 0);
		plain = lai_address_unmap(&address);
		assert_string_equal(lai_address_format(text, &plain), rows[i].to);
	}
	address = (struct lai_address){0};
	plain = lai_address_unmap(&address);
	assert_int_equal(lai_address_family(&plain), AF_UNSPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "numeric addresses are read and written back",
		 .test_func = test_round_trip},
		{.name = "what is no numeric address is refused and nothing is written",
		 .test_func = test_bad},
		{.name = "no address has no family, no port and no text",
		 .test_func = test_nothing},
		{.name = "equal means family, address, port and scope", .test_func = test_equal},
		{.name = "the port can be changed in both families", .test_func = test_set_port},
		{.name = "a v4-mapped address stands for an IPv4 one", .test_func = test_unmap},
	};

	return cmocka_run_group_tests_name("base.address", tests, NULL, NULL);
}
