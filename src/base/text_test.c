/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_grows(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(1 << 20);
	char *string = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++)
		lai_text_append(&text, "%d,", i);
	lai_text_append_bytes(&text, "end", 3);
	assert_int_equal(text.length, 10 * 2 + 90 * 3 + 900 * 4 + 3);
	assert_int_equal(lai_text_steal(&text, &string), 0);
	assert_int_equal(strlen(string), 10 * 2 + 90 * 3 + 900 * 4 + 3);
	assert_memory_equal(string, "0,1,2,", 6);
	assert_string_equal(strstr(string, "998,"), "998,999,end");
	free(string);
	lai_text_done(&text);
}

static void test_empty(void **state)
{
	struct lai_text text;
	char *string = NULL;

	(void)state;
	lai_text_init(&text, 1);
	assert_string_equal(lai_text_string(&text), "");
	lai_text_append_bytes(&text, NULL, 0);
	lai_text_append_repeated(&text, 'x', 0);
	assert_int_equal(lai_text_steal(&text, &string), 0);
	assert_string_equal(string, "");
	free(string);
	lai_text_done(&text);
}

static void test_maximum(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(10);
	char *string = NULL;

	(void)state;
	lai_text_append(&text, "%s", "0123456789");
	assert_int_equal(text.error, 0);
	lai_text_append_bytes(&text, "x", 1);
	assert_int_equal(text.error, -EMSGSIZE);
	assert_string_equal(lai_text_string(&text), "0123456789");
	assert_int_equal(lai_text_steal(&text, &string), -EMSGSIZE);
	assert_null(string);
	lai_text_done(&text);
}

static void test_latch(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(4);
	char *string = NULL;

	(void)state;
	lai_text_append(&text, "ab");
	lai_text_append(&text, "cde");
	lai_text_append(&text,
			"f"); /* would fit, but a text with a hole in it is worse than none */
	assert_string_equal(lai_text_string(&text), "ab");
	assert_int_equal(lai_text_steal(&text, &string), -EMSGSIZE);
	lai_text_done(&text);
	lai_text_append(&text, "abcd");
	assert_int_equal(lai_text_steal(&text, &string), 0);
	assert_string_equal(string, "abcd");
	free(string);
}

/* AddressSanitizer, where it is built in, asks this; by default it aborts where malloc() fails. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_no_memory(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(SIZE_MAX - 1);
	char *string = NULL;

	(void)state;
	lai_text_append(&text, "kept");
	lai_text_append_repeated(&text, 'x', SIZE_MAX / 8);
	assert_int_equal(text.error, -ENOMEM);
	assert_string_equal(lai_text_string(&text), "kept");
	assert_int_equal(lai_text_steal(&text, &string), -ENOMEM);
	assert_null(string);
	lai_text_done(&text);
}

static void test_zero_bytes(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(64);

	(void)state;
	lai_text_append_bytes(&text, "a\0b", 3);
	lai_text_append_repeated(&text, '-', 3);
	assert_int_equal(text.length, 6);
	assert_memory_equal(text.data, "a\0b---", 7);
	lai_text_done(&text);
}

static void test_steal_twice(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(64);
	char *first = NULL, *second = NULL;

	(void)state;
	lai_text_append(&text, "first");
	assert_int_equal(lai_text_steal(&text, &first), 0);
	lai_text_append(&text, "second");
	assert_int_equal(lai_text_steal(&text, &second), 0);
	assert_string_equal(first, "first");
	assert_string_equal(second, "second");
	free(first);
	free(second);
}

static void test_numbers(void **state)
{
	static const char *const refused[] = {
		"",    "-1", "+1",  " 1",	  "1 ",
		"12x", ".",  "0x1", "4294967296", "18446744073709551616"};
	uint32_t number = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(lai_number_parse(refused[i], &number));
	assert_int_equal(number, 77);
	assert_true(lai_number_parse("0", &number) && number == 0);
	assert_true(lai_number_parse("007", &number) && number == 7);
	assert_true(lai_number_parse("4294967295", &number) && number == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a text grows over many appends", .test_func = test_grows},
		{.name = "a text without content is an empty string", .test_func = test_empty},
		{.name = "the maximum itself fits, one byte more does not",
		 .test_func = test_maximum},
		{.name = "after a failure nothing is appended until done", .test_func = test_latch},
		{.name = "a failed allocation is latched and keeps the text",
		 .test_func = test_no_memory},
		{.name = "zero bytes are kept", .test_func = test_zero_bytes},
		{.name = "after a steal the text starts anew", .test_func = test_steal_twice},
		{.name = "a number fills its text and its type", .test_func = test_numbers},
	};

	return cmocka_run_group_tests_name("base.text", tests, NULL, NULL);
}
