/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "show/show_paragraph.h"

#define TEXT_MAX 4096

static void expect_paragraph(size_t columns, const char *paragraph, const char *expected)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

	lai_show_paragraph(&text, "Why", 5, columns, paragraph);
	assert_string_equal(lai_text_string(&text), expected);
	lai_text_done(&text);
}

static void expect_safe(const char *string, size_t length_max, const char *expected)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

	lai_show_safe(&text, string, length_max);
	assert_string_equal(lai_text_string(&text), expected);
	lai_text_done(&text);
}

static void test_wrap(void **state)
{
	(void)state;
	expect_paragraph(80, "one two", "Why  one two\n");
	expect_paragraph(12, "one two", "Why  one two\n");
	expect_paragraph(11, "one two", "Why  one\n     two\n");
	expect_paragraph(80, "  one   two ", "Why  one two\n");
	expect_paragraph(80, "", "Why  \n");
}

static void test_long_word(void **state)
{
	(void)state;
	expect_paragraph(10, "a incredible b", "Why  a\n     incredible\n     b\n");
}

static void test_hostile_words(void **state)
{
	(void)state;
	expect_paragraph(80, "a\033[2Jb", "Why  a\\x1b[2Jb\n");
	expect_paragraph(80, "a\nLEAK\tb", "Why  a\\nLEAK\\tb\n");
	/* The place that an escape takes counts. */
	expect_paragraph(12, "ab \033\033", "Why  ab\n     \\x1b\\x1b\n");
}

static void test_safe(void **state)
{
	(void)state;
	expect_safe("", SIZE_MAX, "");
	expect_safe("java -jar x", SIZE_MAX, "java -jar x");
	expect_safe("\033]0;x\a\r\x7f", SIZE_MAX, "\\x1b]0;x\\x07\\x0d\\x7f");
	expect_safe("b\xc3\xbcro", SIZE_MAX, "b\\xc3\\xbcro");
	expect_safe("a\\nb\nc", SIZE_MAX, "a\\\\nb\\nc");
	expect_safe("\x9b"
		    "2J",
		    SIZE_MAX, "\\x9b2J");
}

static void test_cut(void **state)
{
	(void)state;
	expect_safe("abcdef", 6, "abcdef");
	expect_safe("abcdefg", 6, "abcdef...");
	expect_safe("ab\033\033", 6, "ab\\x1b...");
	/* An escape is not split. */
	expect_safe("abc\033\033", 6, "abc...");
	expect_safe("abc", 0, "...");
	expect_safe("", 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "words are wrapped behind their label", .test_func = test_wrap},
		{.name = "a word that is too long has a line of its own",
		 .test_func = test_long_word},
		{.name = "words that could drive a terminal are escaped",
		 .test_func = test_hostile_words},
		{.name = "a stranger's text is made harmless", .test_func = test_safe},
		{.name = "a stranger's text is cut, but not within an escape",
		 .test_func = test_cut},
	};

	return cmocka_run_group_tests_name("show.paragraph", tests, NULL, NULL);
}
