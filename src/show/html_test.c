/* SPDX-License-Identifier: MIT */
#include "show/html.h"

#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_becomes(const char *data, size_t size, const char *wanted)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	lai_html_bytes(file, data, size);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, wanted);
	free(text);
}

static void markup_becomes_entities(void **state)
{
	(void)state;
	assert_becomes("<a href=\"x\" title='y'>&amp;</a>", 31,
		       "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
}

static void plain_text_stays(void **state)
{
	(void)state;
	assert_becomes("a\tb\n\xe2\x80\xa6 \xf0\x9f\x90\xa7", 12,
		       "a\tb\n\xe2\x80\xa6 \xf0\x9f\x90\xa7");
	assert_becomes("", 0, "");
}

static void what_is_no_character_is_replaced(void **state)
{
	(void)state;
	assert_becomes("a\0b", 3,
		       "a\xef\xbf\xbd"
		       "b");
	assert_becomes("\x1b[31m", 5, "\xef\xbf\xbd[31m");
	assert_becomes("\x7f", 1, "\xef\xbf\xbd");
	assert_becomes("\xff<", 2, "\xef\xbf\xbd&lt;");	   /* not UTF-8 */
	assert_becomes("\xc2\x9b", 2, "\xef\xbf\xbd");	   /* a C1 control */
	assert_becomes("\xef\xbf\xbf", 3, "\xef\xbf\xbd"); /* U+FFFF */
	assert_becomes("\xe2\x80", 2, "\xef\xbf\xbd");	   /* cut in the middle */
	assert_becomes("\xed\xa0\x80!", 4,
		       "\xef\xbf\xbd"
		       "\xef\xbf\xbd"
		       "\xef\xbf\xbd!"); /* a surrogate */
}

static void a_printed_text_is_escaped_and_cut(void **state)
{
	char *text = NULL, long_one[LAI_HTML_PRINT_MAX + 100];
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	assert_non_null(file);
	memset(long_one, 'x', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	lai_html_print(file, "%s-%d", "<b>", 7);
	lai_html_print(file, "%s", long_one);
	assert_int_equal(fclose(file), 0);
	assert_memory_equal(text, "&lt;b&gt;-7xxx", 14);
	assert_int_equal(length, 11 + LAI_HTML_PRINT_MAX - 1);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "markup becomes entities", .test_func = markup_becomes_entities},
		{.name = "plain text stays, newlines and tabs too", .test_func = plain_text_stays},
		{.name = "what is no character of XML becomes U+FFFD",
		 .test_func = what_is_no_character_is_replaced},
		{.name = "what is printed is escaped as a whole and cut where it is too long",
		 .test_func = a_printed_text_is_escaped_and_cut},
	};

	return cmocka_run_group_tests_name("show.html", tests, NULL, NULL);
}
