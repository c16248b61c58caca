/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/size.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},           {"1", 1},           {"17B", 17},
		{"1k", 1024},       {"1K", 1024},       {"1kB", 1024},
		{"1KiB", 1024},     {"64k", 65536},     {"8M", 8ull << 20},
		{"8MiB", 8ull << 20}, {"1G", 1ull << 30}, {"3T", 3ull << 40},
		{"007", 7},         {"9223372036854775807", INT64_MAX},
		{"8388607T", 8388607ull << 40},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t bytes = 42;

		if (lai_size_parse(good[i].text, &bytes) != 0 || bytes != good[i].bytes)
			fail_msg("'%s' was read as %llu", good[i].text, (unsigned long long)bytes);
	}
}

static void test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"", " ", " 1", "1 ", "-1", "+1", "k", "1kk", "1x", "1.5M", "0x10", "1P", "1ki", "1Mb8", "1 M",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t bytes = 42;
		int result = lai_size_parse(bad[i], &bytes);

		if (result != -EINVAL || bytes != 42)
			fail_msg("'%s' gave %d, %llu", bad[i], result, (unsigned long long)bytes);
	}
}

static void test_parse_range(void **state)
{
	static const char *const large[] = {"9223372036854775808", "18446744073709551616",
					    "99999999999999999999999999", "8388608T", "9007199254740992k"};

	(void)state;
	for (size_t i = 0; i < COUNT(large); i++) {
		uint64_t bytes = 42;

		assert_int_equal(lai_size_parse(large[i], &bytes), -ERANGE);
		assert_int_equal(bytes, 42);
	}
}

static void test_format(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{817, "817 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536 * 1024, "1.5 MiB"},
		{(1 << 20) - 1, "1024 KiB"},
		{1ull << 30, "1 GiB"},
		{5ull << 40, "5 TiB"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[LAI_SIZE_TEXT_MAX];

		assert_ptr_equal(lai_size_format(text, cases[i].bytes), text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_format_no_exponent(void **state)
{
	char text[LAI_SIZE_TEXT_MAX];

	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		assert_null(strstr(lai_size_format(text, 1ull << bit), "e+"));
		assert_null(strstr(lai_size_format(text, (1ull << bit) - 1), "e+"));
	}
	assert_string_equal(lai_size_format(text, UINT64_MAX), "16777216 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "sizes are read with every factor", .test_func = test_parse},
		{.name = "what is no size is refused and nothing is written",
		 .test_func = test_parse_bad},
		{.name = "more than 2^63 - 1 bytes is out of range", .test_func = test_parse_range},
		{.name = "sizes are written as people say them", .test_func = test_format},
		{.name = "no size is written with an exponent", .test_func = test_format_no_exponent},
	};

	return cmocka_run_group_tests_name("base.size", tests, NULL, NULL);
}
