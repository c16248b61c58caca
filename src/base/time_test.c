/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0},
		{"7ns", 7},
		{"3us", 3000},
		{"500ms", 500 * LAI_MS},
		{"30s", 30 * LAI_S},
		{"30sec", 30 * LAI_S},
		{"30", 30 * LAI_S},
		{"1.5", 1500 * LAI_MS},
		{"0.25ms", 250 * LAI_US},
		{"5m", 300 * LAI_S},
		{"5min", 300 * LAI_S},
		{"2h", 7200 * LAI_S},
		{"1d", 86400 * LAI_S},
		{"36500d", 36500ull * 86400 * LAI_S},
		{"never", LA_NEVER},
		{"forever", LA_NEVER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t ns = 1;

		if (lai_time_parse(good[i].text, &ns) != 0 || ns != good[i].ns)
			fail_msg("'%s' was read as %llu ns", good[i].text, (unsigned long long)ns);
	}
}

static void test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"",     " ",    " 1s",  "-1s",  "+1s",    "s",     "ms",   "x",     "1x",  "1s1",
		"1 s",  "1s ",  "0x10", "nan",  "inf",    "1..5s", ".5s",  "1,5s",  "1S",  "NEVER",
		"nevr", "1ms2", "1e",   "١s",   "1\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t ns = 42;
		int result = lai_time_parse(bad[i], &ns);

		if (result != -EINVAL || ns != 42)
			fail_msg("'%s' gave %d, %llu ns", bad[i], result, (unsigned long long)ns);
	}
}

static void test_parse_range(void **state)
{
	static const char *const large[] = {"36501d", "99999999999999999999999999s", "1e400"};

	(void)state;
	for (size_t i = 0; i < COUNT(large); i++) {
		uint64_t ns = 42;

		assert_int_equal(lai_time_parse(large[i], &ns), -ERANGE);
		assert_int_equal(ns, 42);
	}
}

static void test_format(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 s"},
		{1, "0.001 us"},
		{1500, "1.5 us"},
		{LAI_MS, "1 ms"},
		{1500 * LAI_US, "1.5 ms"},
		{250 * LAI_MS, "250 ms"},
		{20 * LAI_S, "20 s"},
		{1250 * LAI_MS, "1.25 s"},
		{119 * LAI_S, "119 s"},
		{120 * LAI_S, "2 min 0 s"},
		{192 * 60 * LAI_S, "3 h 12 min"},
		{7199 * LAI_S, "119 min 59 s"},
		{48 * 3600 * LAI_S, "2.0 d"},
		{LA_NEVER, "never"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[LAI_TIME_TEXT_MAX];

		assert_ptr_equal(lai_time_format(text, cases[i].ns), text);
		assert_string_equal(text, cases[i].text);
	}
}

/* Just below a unit's end the digits round up to it, which must not bring an exponent. */
static void test_format_no_exponent(void **state)
{
	static const uint64_t unit_ends[] = {LAI_US, LAI_MS, LAI_S, 120 * LAI_S, 7200 * LAI_S,
					     48 * 3600 * LAI_S, LA_NEVER};

	(void)state;
	for (size_t i = 0; i < COUNT(unit_ends); i++) {
		char text[LAI_TIME_TEXT_MAX];

		assert_null(strstr(lai_time_format(text, unit_ends[i] - 1), "e+"));
		assert_true(strlen(text) > 0 && strlen(text) < sizeof(text) - 1);
	}
}

static void test_arithmetic(void **state)
{
	(void)state;
	assert_int_equal(lai_time_after(1, 2), 3);
	assert_true(lai_time_after(1, LA_NEVER) == LA_NEVER);
	assert_true(lai_time_after(LA_NEVER, 1) == LA_NEVER);
	assert_true(lai_time_after(LA_NEVER, LA_NEVER) == LA_NEVER);
	assert_true(lai_time_after(LA_NEVER - 5, 6) == LA_NEVER);
	assert_true(lai_time_after(LA_NEVER - 5, 4) == LA_NEVER - 1);
	assert_int_equal(lai_time_since(5, 7), 2);
	assert_int_equal(lai_time_since(7, 5), 0);
	assert_int_equal(lai_time_since(LA_NEVER, 5), 0);
	assert_int_equal(lai_time_min(5, LA_NEVER), 5);
	assert_int_equal(lai_time_min(5, 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "durations are read with every unit", .test_func = test_parse},
		{.name = "what is no duration is refused and nothing is written",
		 .test_func = test_parse_bad},
		{.name = "more than 100 years is out of range", .test_func = test_parse_range},
		{.name = "durations are written as people say them", .test_func = test_format},
		{.name = "no duration is written with an exponent",
		 .test_func = test_format_no_exponent},
		{.name = "sums and differences saturate", .test_func = test_arithmetic},
	};

	return cmocka_run_group_tests_name("base.time", tests, NULL, NULL);
}
