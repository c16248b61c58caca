/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/json.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 65536

static void assert_json(struct lai_json *json, const char *expected)
{
	char *string = NULL;

	assert_int_equal(lai_json_steal(json, &string), 0);
	assert_string_equal(string, expected);
	free(string);
}

/* What one string becomes, between its quotation marks. */
static void assert_escaped(const char *data, size_t size, const char *expected)
{
	struct lai_json json;
	char *string = NULL;

	lai_json_init(&json, TEXT_MAX);
	lai_json_bytes(&json, NULL, data, size);
	assert_int_equal(lai_json_steal(&json, &string), 0);
	assert_int_equal(string[0], '"');
	assert_int_equal(string[strlen(string) - 1], '"');
	string[strlen(string) - 1] = '\0';
	assert_string_equal(string + 1, expected);
	free(string);
}

#define ASSERT_ESCAPED(literal, expected) assert_escaped(literal, sizeof(literal) - 1, expected)

static void test_nesting(void **state)
{
	struct lai_json json;

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_json_u64(&json, "n", 1);
	lai_json_array_begin(&json, "list");
	lai_json_string(&json, NULL, "a");
	lai_json_object_begin(&json, NULL);
	lai_json_end(&json);
	lai_json_array_begin(&json, NULL);
	lai_json_end(&json);
	lai_json_end(&json);
	lai_json_object_begin(&json, "inner");
	lai_json_bool(&json, "yes", true);
	lai_json_bool(&json, "no", false);
	lai_json_null(&json, "nothing");
	lai_json_end(&json);
	lai_json_string(&json, "absent", NULL);
	lai_json_end(&json);
	assert_json(&json, "{\"n\":1,\"list\":[\"a\",{},[]],"
			   "\"inner\":{\"yes\":true,\"no\":false,\"nothing\":null},\"absent\":null}");
}

static void test_again(void **state)
{
	struct lai_json json;

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	lai_json_u64(&json, NULL, 1);
	assert_json(&json, "1");
	lai_json_array_begin(&json, NULL);
	lai_json_end(&json);
	assert_json(&json, "[]");
}

static void test_integers(void **state)
{
	struct lai_json json;

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	lai_json_array_begin(&json, NULL);
	lai_json_u64(&json, NULL, UINT64_MAX);
	lai_json_i64(&json, NULL, INT64_MIN);
	lai_json_i64(&json, NULL, -1);
	lai_json_end(&json);
	assert_json(&json, "[18446744073709551615,-9223372036854775808,-1]");
}

static void test_doubles(void **state)
{
	struct lai_json json;

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	lai_json_array_begin(&json, NULL);
	lai_json_double(&json, NULL, 0.1);
	lai_json_double(&json, NULL, 1.0 / 3);
	lai_json_double(&json, NULL, 2);
	lai_json_double(&json, NULL, 1e300);
	lai_json_double(&json, NULL, (double)NAN);
	lai_json_double(&json, NULL, (double)-INFINITY);
	lai_json_end(&json);
	assert_json(&json, "[0.1,0.3333333333333333,2,1e+300,null,null]");
}

static void test_doubles_read_back(void **state)
{
	const double values[] = {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 0.1 + 0.2, 5e-324, 123456.789};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct lai_json json;
		char *string = NULL;

		lai_json_init(&json, TEXT_MAX);
		lai_json_double(&json, NULL, values[i]);
		assert_int_equal(lai_json_steal(&json, &string), 0);
		assert_true(strtod(string, NULL) == values[i]);
		free(string);
	}
}

static void test_escapes(void **state)
{
	(void)state;
	ASSERT_ESCAPED("", "");
	ASSERT_ESCAPED("say \"hi\" \\ /", "say \\\"hi\\\" \\\\ /");
	ASSERT_ESCAPED("\b\f\n\r\t", "\\b\\f\\n\\r\\t");
	ASSERT_ESCAPED("a\0b\x1b[2J\x7f", "a\\u0000b\\u001b[2J\\u007f");
	ASSERT_ESCAPED("\xc2\x9b", "\\u009b"); /* CSI as one character */
	ASSERT_ESCAPED("\xc2\xa0", "\xc2\xa0");
}

static void test_valid_utf8(void **state)
{
	(void)state;
	ASSERT_ESCAPED("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	ASSERT_ESCAPED("\xe2\x82\xac", "\xe2\x82\xac");
	ASSERT_ESCAPED("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
	ASSERT_ESCAPED("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
	ASSERT_ESCAPED("\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80");
}

#define BAD "\xef\xbf\xbd"

static void test_invalid_utf8(void **state)
{
	(void)state;
	ASSERT_ESCAPED("a\xffz", "a" BAD "z");
	ASSERT_ESCAPED("\x80", BAD);
	ASSERT_ESCAPED("\xc0\xaf", BAD BAD);             /* overlong "/" */
	ASSERT_ESCAPED("\xe0\x80\xaf", BAD BAD BAD);     /* overlong, three bytes */
	ASSERT_ESCAPED("\xed\xa0\x80", BAD BAD BAD);     /* a surrogate */
	ASSERT_ESCAPED("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* over U+10FFFF */
	ASSERT_ESCAPED("\xf5", BAD);
	ASSERT_ESCAPED("\xe2\x82", BAD);                 /* cut off at the end */
	ASSERT_ESCAPED("\xe2\x82\"", BAD "\\\"");        /* the mark must not be swallowed */
	ASSERT_ESCAPED("\xf0\x9f\x98", BAD);
	ASSERT_ESCAPED("\xf0\x9f\x41", BAD "A");
}

static void test_key_escaped(void **state)
{
	struct lai_json json;

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_json_u64(&json, "a\"b", 1);
	lai_json_end(&json);
	assert_json(&json, "{\"a\\\"b\":1}");
}

static void test_error_latched(void **state)
{
	struct lai_json json;
	char *string = NULL;

	(void)state;
	lai_json_init(&json, 8);
	lai_json_array_begin(&json, NULL);
	lai_json_string(&json, NULL, "much too long");
	lai_json_end(&json);
	assert_int_equal(lai_json_steal(&json, &string), -EMSGSIZE);
	assert_null(string);
	lai_json_done(&json);
	lai_json_u64(&json, NULL, 7);
	assert_json(&json, "7");
}

static void test_depth(void **state)
{
	struct lai_json json;
	char expected[2 * LAI_JSON_DEPTH_MAX + 1] = "";

	(void)state;
	lai_json_init(&json, TEXT_MAX);
	for (int i = 0; i < LAI_JSON_DEPTH_MAX; i++) {
		lai_json_array_begin(&json, NULL);
		expected[i] = '[';
		expected[LAI_JSON_DEPTH_MAX + i] = ']';
	}
	for (int i = 0; i < LAI_JSON_DEPTH_MAX; i++)
		lai_json_end(&json);
	assert_json(&json, expected);
}

static void misuse_key_at_top(struct lai_json *json)
{
	lai_json_u64(json, "key", 1);
}

static void misuse_no_key(struct lai_json *json)
{
	lai_json_object_begin(json, NULL);
	lai_json_u64(json, NULL, 1);
}

static void misuse_key_in_array(struct lai_json *json)
{
	lai_json_array_begin(json, NULL);
	lai_json_u64(json, "key", 1);
}

static void misuse_two_values(struct lai_json *json)
{
	lai_json_u64(json, NULL, 1);
	lai_json_u64(json, NULL, 2);
}

static void misuse_end(struct lai_json *json)
{
	lai_json_end(json);
}

static void misuse_not_ended(struct lai_json *json)
{
	char *string;

	lai_json_array_begin(json, NULL);
	(void)lai_json_steal(json, &string);
}

static void misuse_nothing(struct lai_json *json)
{
	char *string;

	(void)lai_json_steal(json, &string);
}

static void misuse_too_deep(struct lai_json *json)
{
	for (int i = 0; i <= LAI_JSON_DEPTH_MAX; i++)
		lai_json_array_begin(json, NULL);
}

/* Misuse aborts, so it happens in a child. */
static void test_misuse(void **state)
{
	static void (*const misuses[])(struct lai_json *) = {
		misuse_key_at_top, misuse_no_key,    misuse_key_in_array, misuse_two_values,
		misuse_end,        misuse_not_ended, misuse_nothing,      misuse_too_deep,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			struct lai_json json;

			(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
			(void)signal(SIGABRT, SIG_DFL);
			(void)close(STDERR_FILENO);
			lai_json_init(&json, TEXT_MAX);
			misuses[i](&json);
			_exit(0);
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void test_blob(void **state)
{
	static const struct {
		const char *data;
		size_t size;
		const char *json;
	} rows[] = {
		{"", 0, "{\"b\":\"\"}"},
		{"a\nb", 3, "{\"b\":\"a\\nb\"}"},
		{"\303\274", 2, "{\"b\":\"\303\274\"}"},
		{"\303", 1, "{\"b_base64\":\"ww==\"}"},
		{"a\0", 2, "{\"b_base64\":\"YQA=\"}"},
		{"\377\376\375", 3, "{\"b_base64\":\"//79\"}"},
		{"\377\376\375\374", 4, "{\"b_base64\":\"//79/A==\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_json json;
		char *string = NULL;

		lai_json_init(&json, 1000);
		lai_json_object_begin(&json, NULL);
		lai_json_blob(&json, "b", rows[i].data, rows[i].size);
		lai_json_end(&json);
		assert_int_equal(lai_json_steal(&json, &string), 0);
		assert_string_equal(string, rows[i].json);
		free(string);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "objects and arrays nest, commas and keys are in place",
		 .test_func = test_nesting},
		{.name = "after a steal the writer is as new", .test_func = test_again},
		{.name = "integers are exact to the ends of their range", .test_func = test_integers},
		{.name = "doubles are short, nan and inf are null", .test_func = test_doubles},
		{.name = "doubles read back as the same value", .test_func = test_doubles_read_back},
		{.name = "quotes, backslashes and control characters are escaped",
		 .test_func = test_escapes},
		{.name = "valid UTF-8 stands for itself", .test_func = test_valid_utf8},
		{.name = "broken UTF-8 becomes U+FFFD and swallows nothing",
		 .test_func = test_invalid_utf8},
		{.name = "keys are escaped as well", .test_func = test_key_escaped},
		{.name = "a failure is returned at the end", .test_func = test_error_latched},
		{.name = "the deepest nesting works", .test_func = test_depth},
		{.name = "each kind of misuse asserts", .test_func = test_misuse},
		{.name = "a blob can be made again from its text", .test_func = test_blob},
	};

	return cmocka_run_group_tests_name("base.json", tests, NULL, NULL);
}
