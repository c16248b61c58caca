/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "judge/judge.h"

#include <ctype.h>
#include <string.h>

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LAI_VERDICT_COUNT; i++) {
		const char *name = lai_verdict_name(i);

		assert_int_equal(lai_verdict_of_name(name), i);
		for (const char *c = name; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-' ||
				    isdigit((unsigned char)*c));
		assert_true(strlen(lai_verdict_title(i)) > 10);
		assert_in_range(lai_verdict_severity(i), 0, LAI_SEVERITY_COUNT - 1);
	}
	assert_int_equal(lai_verdict_severity(LAI_VERDICT_EOF_IGNORED), LAI_SEVERITY_LEAK);
	assert_int_equal(lai_verdict_severity(LAI_VERDICT_FIN_WAIT2_HELD), LAI_SEVERITY_WARNING);
	assert_int_equal(lai_verdict_severity(LAI_VERDICT_IDLE_POOL), LAI_SEVERITY_INFO);
}

static void test_no_names(void **state)
{
	(void)state;
	assert_int_equal(lai_verdict_of_name(""), LAI_VERDICT_COUNT);
	assert_int_equal(lai_verdict_of_name("eof"), LAI_VERDICT_COUNT);
	assert_int_equal(lai_verdict_of_name("EOF-IGNORED"), LAI_VERDICT_COUNT);
	assert_string_equal(lai_verdict_name(LAI_VERDICT_COUNT), "?");
	assert_string_equal(lai_verdict_title(LAI_VERDICT_COUNT), "?");
	assert_int_equal(lai_verdict_severity(LAI_VERDICT_COUNT), LAI_SEVERITY_INFO);
}

static void test_small_enums(void **state)
{
	(void)state;
	assert_string_equal(lai_severity_name(LAI_SEVERITY_LEAK), "leak");
	assert_string_equal(lai_severity_name(LAI_SEVERITY_WARNING), "warning");
	assert_string_equal(lai_severity_name(LAI_SEVERITY_INFO), "info");
	assert_string_equal(lai_severity_name(LAI_SEVERITY_COUNT), "?");
	assert_string_equal(lai_confidence_name(LAI_CONFIDENCE_CERTAIN), "certain");
	assert_string_equal(lai_confidence_name(LAI_CONFIDENCE_POSSIBLE), "possible");
	assert_string_equal(lai_confidence_name(LAI_CONFIDENCE_COUNT), "?");
	assert_string_equal(lai_age_kind_name(LAI_AGE_UNKNOWN), "unknown");
	assert_string_equal(lai_age_kind_name(LAI_AGE_LOWER_BOUND), "lower-bound");
	assert_string_equal(lai_age_kind_name(LAI_AGE_EXACT), "exact");
	assert_string_equal(lai_age_kind_name(LAI_AGE_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "every verdict has a name of its own, a title and a severity",
		 .test_func = test_names},
		{.name = "other names are none", .test_func = test_no_names},
		{.name = "severities, confidences and kinds of age have names",
		 .test_func = test_small_enums},
	};

	return cmocka_run_group_tests_name("judge.verdict", tests, NULL, NULL);
}
