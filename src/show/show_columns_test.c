/* SPDX-License-Identifier: MIT */
#include "show/show_columns.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 100000

static const struct lai_column list[] = {
	{.name = "state"},
	{.name = "recv-q", .brief = "rq", .right = true},
	{.name = "timer", .spare = true},
	{.name = "owners", .wrap = true},
};

static const char *const rows[][COUNT(list)] = {
	{"CLOSE_WAIT", "1", "keepalive 2h00m", "nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3"},
	{"LISTEN", "0", "", "a[1] fd 3"},
};

static void draw(struct lai_text *out, enum lai_columns_form form, bool headed, size_t width)
{
	struct lai_columns columns;

	lai_text_init(out, TEXT_MAX);
	lai_columns_init(&columns, list, COUNT(list), form, out);
	if (headed)
		lai_columns_head(&columns);
	for (size_t row = 0; row < COUNT(rows); row++) {
		for (size_t i = 0; i < COUNT(list); i++)
			lai_text_append(lai_columns_cell(&columns), "%s", rows[row][i]);
		lai_columns_row_end(&columns);
	}
	lai_columns_end(&columns, width);
}

static void expect(enum lai_columns_form form, bool headed, size_t width, const char *wanted)
{
	struct lai_text out;

	draw(&out, form, headed, width);
	assert_string_equal(lai_text_string(&out), wanted);
	lai_text_done(&out);
}

static void test_tsv(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TSV, true, 10,
	       "state\trecv-q\ttimer\towners\n"
	       "CLOSE_WAIT\t1\tkeepalive 2h00m\tnginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
	       "LISTEN\t0\t-\ta[1] fd 3\n");
	expect(LAI_COLUMNS_TSV, false, 0,
	       "CLOSE_WAIT\t1\tkeepalive 2h00m\tnginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
	       "LISTEN\t0\t-\ta[1] fd 3\n");
}

/* Each row of TSV is in the output as soon as it has ended, and may be taken from there. */
static void test_tsv_streams(void **state)
{
	struct lai_text out = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_columns_init(&columns, list, 2, LAI_COLUMNS_TSV, &out);
	for (int row = 0; row < 3; row++) {
		lai_text_append(lai_columns_cell(&columns), "a");
		(void)lai_columns_cell(&columns);
		lai_columns_row_end(&columns);
		assert_string_equal(lai_text_string(&out), "a\t-\n");
		lai_text_done(&out);
	}
	lai_columns_end(&columns, 0);
	assert_string_equal(lai_text_string(&out), "");
}

static void test_table(void **state)
{
	static const char wanted[] =
		"STATE       RECV-Q  TIMER            OWNERS\n"
		"CLOSE_WAIT       1  keepalive 2h00m  nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
		"LISTEN           0  -                a[1] fd 3\n";

	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 0, wanted);
	expect(LAI_COLUMNS_TABLE, true, 83, wanted);
	expect(LAI_COLUMNS_TABLE, false, 0,
	       "CLOSE_WAIT  1  keepalive 2h00m  nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
	       "LISTEN      0  -                a[1] fd 3\n");
}

static void test_narrow(void **state)
{
	static const char wanted[] =
		"STATE      RQ TIMER           OWNERS\n"
		"CLOSE_WAIT  1 keepalive 2h00m nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
		"LISTEN      0 -               a[1] fd 3\n";

	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 82, wanted);
	expect(LAI_COLUMNS_TABLE, true, 76, wanted);
}

static void test_long_cell_moves(void **state)
{
	static const char wanted[] = "STATE      RQ TIMER           OWNERS\n"
				     "CLOSE_WAIT  1 keepalive 2h00m\n"
				     "        nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3\n"
				     "LISTEN      0 -               a[1] fd 3\n";

	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 75, wanted);
	expect(LAI_COLUMNS_TABLE, true, 62, wanted);
}

static void test_spare_is_left_out(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 50,
	       "STATE      RQ OWNERS\n"
	       "CLOSE_WAIT  1\n"
	       "        nginx[12] fd 3; nginx[13] fd 3; nginx[14]\n"
	       "        fd 3\n"
	       "LISTEN      0 a[1] fd 3\n");
}

static void test_last_gets_lines(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 35,
	       "STATE       RECV-Q  TIMER\n"
	       "        OWNERS\n"
	       "CLOSE_WAIT       1  keepalive 2h00m\n"
	       "        nginx[12] fd 3; nginx[13]\n"
	       "        fd 3; nginx[14] fd 3\n"
	       "LISTEN           0  -\n"
	       "        a[1] fd 3\n");
	expect(LAI_COLUMNS_TABLE, false, 20,
	       "CLOSE_WAIT 1\n"
	       "        nginx[12] fd\n"
	       "        3; nginx[13]\n"
	       "        fd 3;\n"
	       "        nginx[14] fd\n"
	       "        3\n"
	       "LISTEN     0\n"
	       "        a[1] fd 3\n");
}

/* Half a number would be a lie, and so would be a table without it. */
static void test_lines_grow(void **state)
{
	static const struct lai_column four[] = {{.name = "name"},
						 {.name = "extra", .spare = true},
						 {.name = "count", .right = true},
						 {.name = "limit", .right = true}};
	static const struct {
		size_t width;
		const char *wanted, *left_out;
	} cases[] = {
		{33, "NAME        EXTRA  COUNT   LIMIT\npostgresql  x      12345  100000\n", ""},
		{30, "NAME       EXTRA COUNT  LIMIT\npostgresql x     12345 100000\n", ""},
		{28, "NAME       COUNT  LIMIT\npostgresql 12345 100000\n", "extra"},
		{9, "NAME       COUNT  LIMIT\npostgresql 12345 100000\n", "extra"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lai_text out = LAI_TEXT_INIT(TEXT_MAX), left_out = LAI_TEXT_INIT(TEXT_MAX);
		struct lai_columns columns;

		lai_columns_init(&columns, four, 4, LAI_COLUMNS_TABLE, &out);
		lai_columns_tell(&columns, &left_out);
		lai_columns_head(&columns);
		lai_text_append(lai_columns_cell(&columns), "postgresql");
		lai_text_append(lai_columns_cell(&columns), "x");
		lai_text_append(lai_columns_cell(&columns), "12345");
		lai_text_append(lai_columns_cell(&columns), "100000");
		lai_columns_row_end(&columns);
		lai_columns_end(&columns, cases[i].width);
		assert_string_equal(lai_text_string(&out), cases[i].wanted);
		assert_string_equal(lai_text_string(&left_out), cases[i].left_out);
		lai_text_done(&out);
		lai_text_done(&left_out);
	}
}

/* Without blanks and line breaks, of which a table has as many as it needs. */
static void squash(const char *text, char squashed[TEXT_MAX])
{
	for (; *text; text++)
		if (*text != ' ' && *text != '\n')
			*squashed++ = *text;
	*squashed = '\0';
}

/* Whatever the width: nothing is cut, and the only column that may be missing is the spare one. */
static void test_every_width(void **state)
{
	static char all[TEXT_MAX], spared[TEXT_MAX], found[TEXT_MAX];

	(void)state;
	squash("CLOSE_WAIT 1 keepalive 2h00m nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3"
	       "LISTEN 0 - a[1] fd 3",
	       all);
	squash("CLOSE_WAIT 1 nginx[12] fd 3; nginx[13] fd 3; nginx[14] fd 3 LISTEN 0 a[1] fd 3",
	       spared);
	for (size_t width = 1; width < 100; width++) {
		struct lai_text out;

		draw(&out, LAI_COLUMNS_TABLE, false, width);
		squash(lai_text_string(&out), found);
		assert_true(strcmp(found, all) == 0 || strcmp(found, spared) == 0);
		for (const char *at = lai_text_string(&out); *at;) {
			size_t length = strcspn(at, "\n");

			assert_true(length <= width || width < 20);
			assert_true(length > 0 && at[length - 1] != ' ');
			at += length + 1;
		}
		lai_text_done(&out);
	}
}

static void test_utf8(void **state)
{
	static const struct lai_column two[] = {{.name = "a"}, {.name = "b", .wrap = true}};
	struct lai_text out = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_columns_init(&columns, two, 2, LAI_COLUMNS_TABLE, &out);
	for (int i = 0; i < 2; i++) {
		lai_text_append(lai_columns_cell(&columns), "%s", i ? "xyz" : "\u00e4\u00f6\u00fc");
		lai_text_append(lai_columns_cell(&columns), "%s",
				i ? "k" : "\u00e401234567890123456789012345678\u00f6");
		lai_columns_row_end(&columns);
	}
	lai_columns_end(&columns, 35);
	assert_string_equal(
		lai_text_string(&out),
		"\u00e4\u00f6\u00fc \u00e401234567890123456789012345678\u00f6\nxyz k\n");
	lai_text_done(&out);
}

static void test_empty(void **state)
{
	struct lai_text out = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_columns_init(&columns, list, COUNT(list), LAI_COLUMNS_TABLE, &out);
	lai_columns_end(&columns, 80);
	assert_string_equal(lai_text_string(&out), "");
	lai_columns_init(&columns, list, COUNT(list), LAI_COLUMNS_TABLE, &out);
	lai_columns_head(&columns);
	lai_columns_end(&columns, 80);
	assert_string_equal(lai_text_string(&out), "STATE  RECV-Q  TIMER  OWNERS\n");
	lai_text_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "TSV has names, tabs, and - for what is empty", .test_func = test_tsv},
		{.name = "a row of TSV may be taken once it has ended",
		 .test_func = test_tsv_streams},
		{.name = "a table's columns are as wide as their cells", .test_func = test_table},
		{.name = "what is too wide gets small gaps and brief headings first",
		 .test_func = test_narrow},
		{.name = "then a long cell of the last column moves below its row",
		 .test_func = test_long_cell_moves},
		{.name = "then a spare column is left out", .test_func = test_spare_is_left_out},
		{.name = "then the last column has lines of its own",
		 .test_func = test_last_gets_lines},
		{.name = "at last lines are longer, and what is left out is told",
		 .test_func = test_lines_grow},
		{.name = "nothing is cut at any width", .test_func = test_every_width},
		{.name = "UTF-8 counts characters", .test_func = test_utf8},
		{.name = "no rows make no table, but a header line", .test_func = test_empty},
	};

	return cmocka_run_group_tests_name("show.columns", tests, NULL, NULL);
}
