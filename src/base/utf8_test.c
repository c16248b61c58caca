/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>

#include <cmocka.h>

static const struct row {
	const char *bytes;
	size_t size, length; /* length: of the first sequence */
	bool valid, text;
} rows[] = {
	{"a", 1, 1, true, true},
	{"\0", 1, 1, true, false},
	{"\x7f", 1, 1, true, true},
	{"\x80", 1, 1, false, false},
	{"\xc1\xbf", 2, 1, false, false}, /* overlong */
	{"\xc2\x80", 2, 2, true, true},
	{"\xc2", 1, 1, false, false},
	{"\xdf\xc0", 2, 1, false, false},
	{"\xe0\x9f\xbf", 3, 1, false, false},
	{"\xe0\xa0\x80", 3, 3, true, true},
	{"\xed\x9f\xbf", 3, 3, true, true},
	{"\xed\xa0\x80", 3, 1, false, false}, /* a surrogate */
	{"\xe2\x82", 2, 2, false, false},
	{"\xf0\x8f\xbf\xbf", 4, 1, false, false},
	{"\xf0\x90\x80\x80", 4, 4, true, true},
	{"\xf4\x8f\xbf\xbf", 4, 4, true, true},
	{"\xf4\x90\x80\x80", 4, 1, false, false},
	{"\xf5\x80\x80\x80", 4, 1, false, false},
};

static void test_sequences(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool valid = !rows[i].valid;

		assert_int_equal(lai_utf8_sequence((const unsigned char *)rows[i].bytes,
						   rows[i].size, &valid),
				 rows[i].length);
		assert_int_equal(valid, rows[i].valid);
		assert_int_equal(lai_utf8_is_text(rows[i].bytes, rows[i].size), rows[i].text);
	}
	assert_true(lai_utf8_is_text(NULL, 0));
}

/* Eight bytes are looked at in one step: what is wrong may stand anywhere in them. */
static void test_places(void **state)
{
	char text[40];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++)
		for (size_t at = 0; at < size; at++) {
			(void)memset(text, 'x', sizeof(text));
			assert_true(lai_utf8_is_text(text, size));
			text[at] = '\0';
			assert_false(lai_utf8_is_text(text, size));
			text[at] = '\xff';
			assert_false(lai_utf8_is_text(text, size));
			text[at] = '\xc3';
			assert_false(lai_utf8_is_text(text, size));
			if (at + 1 == size)
				continue;
			text[at + 1] = '\xa4';
			assert_true(lai_utf8_is_text(text, size));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "sequences, whole and broken", .test_func = test_sequences},
		{.name = "a wrong byte at every place", .test_func = test_places},
	};

	return cmocka_run_group_tests_name("base.utf8", tests, NULL, NULL);
}
