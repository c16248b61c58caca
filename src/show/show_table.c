/* SPDX-License-Identifier: MIT */
#include "show/show_table.h"

#include <stdio.h>
#include <string.h>

/* Together LAI_TABLE_WIDTH. */
#define GROUP_WIDTH 18
#define LABEL_WIDTH 16
#define CELL_WIDTH ((LAI_TABLE_WIDTH - GROUP_WIDTH - LABEL_WIDTH) / LAI_TABLE_COLUMNS_MAX)

#define BOLD "\033[1m"
#define FAINT "\033[2m"
#define RED "\033[31m"
#define PLAIN "\033[0m"
#define CLEAR_TO_END_OF_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

static const char *style(bool styled, const char *attribute)
{
	return styled ? attribute : "";
}

/* A text of that width: cut or padded; the attributes take no width. */
static void left(struct lai_text *text, const char *content, int width, const char *attribute)
{
	lai_text_append(text, "%s%-*.*s%s", attribute, width, width, content,
			*attribute ? PLAIN : "");
}

static void right(struct lai_text *text, const char *content, int width, const char *attribute)
{
	int padding = width - (int)strlen(content);

	/* The padding is outside: an attribute is to mark the text alone. */
	if (padding > 0)
		lai_text_append_repeated(text, ' ', (size_t)padding);
	lai_text_append(text, "%s%.*s%s", attribute, width, content, *attribute ? PLAIN : "");
}

static void append_head(struct lai_text *text, const struct lai_table *table, bool styled)
{
	int title = LAI_TABLE_WIDTH - (int)strlen(table->aside);

	left(text, table->title, title > 0 ? title : 0, style(styled, BOLD));
	right(text, table->aside, LAI_TABLE_WIDTH - (title > 0 ? title : 0), style(styled, FAINT));
	lai_text_append(text, "\n%.*s\n\n", LAI_TABLE_WIDTH, table->story);
	left(text, "", GROUP_WIDTH + LABEL_WIDTH, "");
	for (size_t i = 0; i < table->column_count; i++)
		right(text, table->headings[i], CELL_WIDTH, style(styled, BOLD));
	lai_text_append(text, "\n");
}

static void append_row(struct lai_text *text, const struct lai_table *table,
		       const struct lai_table_row *row, bool styled)
{
	if (row->group && row != table->rows)
		lai_text_append(text, "\n");
	left(text, row->group ? row->group : "", GROUP_WIDTH,
	     style(styled, row->group ? FAINT : ""));
	left(text, row->label, LABEL_WIDTH, "");
	for (size_t i = 0; i < table->column_count; i++)
		right(text, row->cells[i].text, CELL_WIDTH,
		      row->cells[i].alarm ? style(styled, BOLD RED) : "");
	lai_text_append(text, "\n");
}

void lai_show_table(struct lai_text *text, const struct lai_table *table, bool styled)
{
	append_head(text, table, styled);
	for (size_t i = 0; i < table->row_count; i++)
		append_row(text, table, &table->rows[i], styled);
}

size_t lai_show_table_lines(const struct lai_table *table)
{
	size_t lines = 4 + table->row_count; /* title, story, blank, headings */

	for (size_t i = 1; i < table->row_count; i++)
		lines += table->rows[i].group != NULL;
	return lines;
}

void lai_show_again(struct lai_text *text, const char *lines, size_t lines_before)
{
	const char *end;

	if (lines_before > 0)
		lai_text_append(text, "\033[%zuA\r", lines_before);
	for (; (end = strchr(lines, '\n')); lines = end + 1) {
		lai_text_append_bytes(text, lines, (size_t)(end - lines));
		lai_text_append(text, CLEAR_TO_END_OF_LINE "\n");
	}
	lai_text_append(text, CLEAR_BELOW);
}
