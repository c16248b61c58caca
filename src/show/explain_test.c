/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "show/explain.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 65536

/* Below this somebody forgot what an explanation is for. */
#define PARAGRAPH_MIN 40

static void assert_fits(const char *lines, size_t lines_max)
{
	size_t count = 0;

	for (const char *line = lines; *line; count++) {
		size_t length = strcspn(line, "\n");

		if (length > LAI_EXPLAIN_WIDTH)
			fail_msg("%zu columns: %.*s", length, (int)length, line);
		assert_int_equal(line[length], '\n');
		line += length + 1;
	}
	if (count > lines_max)
		fail_msg("%zu lines:\n%s", count, lines);
}

static void test_screenful(void **state)
{
	(void)state;
	for (int i = 0; i < LAI_VERDICT_COUNT; i++) {
		enum lai_verdict verdict = (enum lai_verdict)i;
		struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
		const char *name = lai_verdict_name(verdict);

		lai_explain(&text, verdict);
		assert_int_equal(text.error, 0);
		assert_fits(lai_text_string(&text), LAI_EXPLAIN_LINES);
		assert_int_equal(strncmp(lai_text_string(&text), name, strlen(name)), 0);
		assert_non_null(strstr(lai_text_string(&text), lai_verdict_title(verdict)));
		/* A backslash or a control character would have been escaped. */
		assert_null(strchr(lai_text_string(&text), '\\'));
		lai_text_done(&text);
	}
}

static void test_complete(void **state)
{
	(void)state;
	for (int i = 0; i < LAI_VERDICT_COUNT; i++) {
		const struct lai_explanation *explanation = &lai_explanations[i];
		const char *const paragraphs[] = {explanation->means, explanation->arises,
						  explanation->known_by, explanation->mend,
						  explanation->remedy};

		for (size_t j = 0; j < sizeof(paragraphs) / sizeof(paragraphs[0]); j++) {
			assert_non_null(paragraphs[j]);
			assert_true(strlen(paragraphs[j]) >= PARAGRAPH_MIN);
			assert_int_equal(paragraphs[j][strlen(paragraphs[j]) - 1], '.');
			/* Two parts of a string literal without a blank between them. */
			assert_null(strstr(paragraphs[j], "  "));
		}
	}
}

static void test_list(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);

	(void)state;
	lai_explain_list(&text, false);
	assert_fits(lai_text_string(&text), SIZE_MAX);
	for (int i = 0; i < LAI_VERDICT_COUNT; i++)
		assert_non_null(
			strstr(lai_text_string(&text), lai_verdict_name((enum lai_verdict)i)));
	lai_text_done(&text);
}

static size_t occurrences(const char *string, char character)
{
	size_t count = 0;

	for (; *string; string++)
		count += *string == character;
	return count;
}

static void test_list_with_tabs(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	const char *lines;

	(void)state;
	lai_explain_list(&text, true);
	lines = lai_text_string(&text);
	assert_int_equal(occurrences(lines, '\n'), LAI_VERDICT_COUNT);
	assert_int_equal(occurrences(lines, '\t'), 2 * LAI_VERDICT_COUNT);
	assert_non_null(strstr(lines, "\nidle-pool\tinfo\t"));
	lai_text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "each verdict is explained in a screenful", .test_func = test_screenful},
		{.name = "each explanation has its five paragraphs", .test_func = test_complete},
		{.name = "the list names them all", .test_func = test_list},
		{.name = "for programs each has one line of three fields",
		 .test_func = test_list_with_tabs},
	};

	return cmocka_run_group_tests_name("show.explain", tests, NULL, NULL);
}
