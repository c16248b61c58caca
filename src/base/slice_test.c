/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
	} rows[] = {{"0", 0}, {"7", 7}, {"007", 7}, {"18446744073709551615", UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t number = 1;

		assert_true(lai_slice_number(lai_slice_of(rows[i].text), &number));
		assert_true(number == rows[i].number);
	}
}

static void test_no_numbers(void **state)
{
	static const char *const texts[] = {"",	  "-1", "+1", " 1", "1 ",
					    "1a", "0x", "/",  ":",  "18446744073709551616"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t number = 42;

		assert_false(lai_slice_number(lai_slice_of(texts[i]), &number));
		assert_true(number == 42);
	}
	assert_false(lai_slice_number((struct lai_slice){NULL, 0}, &(uint64_t){0}));
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(lai_slice_equal((struct lai_slice){NULL, 0}, LAI_SLICE("")));
	assert_true(lai_slice_equal(LAI_SLICE("ab"), (struct lai_slice){"abc", 2}));
	assert_false(lai_slice_equal(LAI_SLICE("ab"), LAI_SLICE("abc")));
	assert_true(lai_slice_is(LAI_SLICE("ab"), "ab"));
	assert_false(lai_slice_is(LAI_SLICE("ab"), "aB"));
	assert_true(lai_slice_is(lai_slice_of(NULL), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "numbers up to the largest", .test_func = test_numbers},
		{.name = "what is no number leaves the number alone", .test_func = test_no_numbers},
		{.name = "equal bytes, and the empty slice", .test_func = test_equal},
	};

	return cmocka_run_group_tests_name("base.slice", tests, NULL, NULL);
}
