/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>

#include <cmocka.h>

static void test_said(void **state)
{
	char *error = NULL;

	(void)state;
	assert_int_equal(lai_error(&error, -2, "%s has %d legs", "it", 3), -2);
	assert_string_equal(error, "it has 3 legs");
	assert_int_equal(lai_error(&error, -3, "inside: %s", error), -3);
	assert_string_equal(error, "inside: it has 3 legs");
	free(error);
}

static void test_nobody_asks(void **state)
{
	char *why = NULL;

	(void)state;
	assert_int_equal(lai_error(NULL, -2, "%s", "nobody reads this"), -2);
	assert_int_equal(lai_error(&why, 0, "x"), 0);
	assert_int_equal(lai_error_pass(NULL, -4, &why), -4);
	assert_null(why);
}

static void test_passed(void **state)
{
	char *error = NULL, *why = NULL;

	(void)state;
	(void)lai_error(&error, -1, "an older one");
	(void)lai_error(&why, -2, "the one");
	assert_int_equal(lai_error_pass(&error, -2, &why), -2);
	assert_null(why);
	assert_string_equal(error, "the one");
	assert_int_equal(lai_error_pass(&error, -12, &why), -12);
	assert_null(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the sentence takes the place of an older one, and may hold it",
		 .test_func = test_said},
		{.name = "who does not ask gets the result alone", .test_func = test_nobody_asks},
		{.name = "a sentence is passed on, or none", .test_func = test_passed},
	};

	return cmocka_run_group_tests_name("base.error", tests, NULL, NULL);
}
