/* SPDX-License-Identifier: MIT */
#include "base/sender_id.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

static void test_what_is_one(void **state)
{
	static const char *const are[] = {"a", "Z", "0", ".", "_", "-", "host-1.example_2"};
	static const char *const are_not[] = {"", "a b", "a/b", "a:b", "a\n", "\xc3\xa4", "a%2Fb"};
	char longest[LA_SENDER_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(are) / sizeof(are[0]); i++)
		assert_true(lai_sender_id_is(lai_slice_of(are[i])));
	for (size_t i = 0; i < sizeof(are_not) / sizeof(are_not[0]); i++)
		assert_false(lai_sender_id_is(lai_slice_of(are_not[i])));
	assert_false(lai_sender_id_is((struct lai_slice){"a\0b", 3}));
	assert_false(lai_sender_id_is((struct lai_slice){NULL, 0}));
	(void)memset(longest, 'x', sizeof(longest));
	assert_true(lai_sender_id_is((struct lai_slice){longest, LA_SENDER_MAX - 1}));
	assert_false(lai_sender_id_is((struct lai_slice){longest, LA_SENDER_MAX}));
}

static void test_made(void **state)
{
	char first[LA_SENDER_MAX], second[LA_SENDER_MAX];

	(void)state;
	assert_int_equal(lai_sender_id_make(first, 0), 0);
	assert_int_equal(lai_sender_id_make(second, 0), 0);
	assert_true(lai_sender_id_is(lai_slice_of(first)));
	assert_int_equal(strlen(first), 16);
	assert_string_not_equal(first, second);
}

static void test_simulated(void **state)
{
	char first[LA_SENDER_MAX], again[LA_SENDER_MAX], other[LA_SENDER_MAX];

	(void)state;
	assert_int_equal(lai_sender_id_make(first, 42), 0);
	assert_int_equal(lai_sender_id_make(again, 42), 0);
	assert_int_equal(lai_sender_id_make(other, 43), 0);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "what can be an id, and what cannot", .test_func = test_what_is_one},
		{.name = "two that are made are two", .test_func = test_made},
		{.name = "a simulator's seed gives the same one again",
		 .test_func = test_simulated},
	};

	return cmocka_run_group_tests_name("base.sender_id", tests, NULL, NULL);
}
