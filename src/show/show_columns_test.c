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
	{.name = "recv-q", .right = true},
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
	(void)lai_columns_end(&columns, width);
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
	assert_int_equal(lai_columns_end(&columns, 0), 0);
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

static void test_last_is_cut(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 64,
	       "STATE       RECV-Q  TIMER            OWNERS\n"
	       "CLOSE_WAIT       1  keepalive 2h00m  nginx[12] fd 3; nginx[13...\n"
	       "LISTEN           0  -                a[1] fd 3\n");
}

static void test_spare_is_left_out(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 60,
	       "STATE       RECV-Q  OWNERS\n"
	       "CLOSE_WAIT       1  nginx[12] fd 3; nginx[13] fd 3; nginx...\n"
	       "LISTEN           0  a[1] fd 3\n");
}

static void test_last_gets_lines(void **state)
{
	(void)state;
	expect(LAI_COLUMNS_TABLE, true, 40,
	       "STATE       RECV-Q\n"
	       "        OWNERS\n"
	       "CLOSE_WAIT       1\n"
	       "        nginx[12] fd 3; nginx[13] fd ...\n"
	       "LISTEN           0\n"
	       "        a[1] fd 3\n");
}

/* Half a number would be a lie. */
static void test_numbers_stay_whole(void **state)
{
	static const struct lai_column three[] = {{.name = "name"},
						  {.name = "count", .right = true},
						  {.name = "limit", .right = true}};
	static const struct {
		size_t width, left_out;
		const char *wanted;
	} cases[] = {
		{26, 0, "NAME        COUNT   LIMIT\npostgresql  12345  100000\n"},
		{24, 1, "NAME        COUNT\npostgresql  12345\n"},
		{16, 2, "NAME\npostgresql\n"},
		{9, 2, "NAME\npostgr...\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lai_text out = LAI_TEXT_INIT(TEXT_MAX);
		struct lai_columns columns;

		lai_columns_init(&columns, three, 3, LAI_COLUMNS_TABLE, &out);
		lai_columns_head(&columns);
		lai_text_append(lai_columns_cell(&columns), "postgresql");
		lai_text_append(lai_columns_cell(&columns), "12345");
		lai_text_append(lai_columns_cell(&columns), "100000");
		lai_columns_row_end(&columns);
		assert_int_equal(lai_columns_end(&columns, cases[i].width), cases[i].left_out);
		assert_string_equal(lai_text_string(&out), cases[i].wanted);
		lai_text_done(&out);
	}
}

/* Whatever the width: no line is wider, and no row is lost. */
static void test_every_width(void **state)
{
	(void)state;
	for (size_t width = 1; width < 100; width++) {
		struct lai_text out;
		size_t lines = 0;

		draw(&out, LAI_COLUMNS_TABLE, true, width);
		for (char *at = out.data; *at; lines++) {
			size_t length = strcspn(at, "\n");

			assert_true(length <= width);
			assert_true(length == 0 || at[length - 1] != ' ');
			at += length + 1;
		}
		assert_true(lines == 3 || lines == 6);
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
				i ? "k" : "\u00e40123456789012345678901234567\u00f6");
		lai_columns_row_end(&columns);
	}
	(void)lai_columns_end(&columns, 31);
	assert_string_equal(lai_text_string(&out),
			    "\u00e4\u00f6\u00fc  \u00e40123456789012345678901...\nxyz  k\n");
	lai_text_done(&out);
}

static void test_empty(void **state)
{
	struct lai_text out = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_columns columns;

	(void)state;
	lai_columns_init(&columns, list, COUNT(list), LAI_COLUMNS_TABLE, &out);
	assert_int_equal(lai_columns_end(&columns, 80), 0);
	assert_string_equal(lai_text_string(&out), "");
	lai_columns_init(&columns, list, COUNT(list), LAI_COLUMNS_TABLE, &out);
	lai_columns_head(&columns);
	assert_int_equal(lai_columns_end(&columns, 80), 0);
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
		{.name = "the last column is cut first", .test_func = test_last_is_cut},
		{.name = "then a spare column is left out", .test_func = test_spare_is_left_out},
		{.name = "then the last column has lines of its own",
		 .test_func = test_last_gets_lines},
		{.name = "numbers are left out whole, texts may be cut",
		 .test_func = test_numbers_stay_whole},
		{.name = "no line is wider than it may be", .test_func = test_every_width},
		{.name = "UTF-8 is cut between characters", .test_func = test_utf8},
		{.name = "no rows make no table, but a header line", .test_func = test_empty},
	};

	return cmocka_run_group_tests_name("show.columns", tests, NULL, NULL);
}
