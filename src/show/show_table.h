/* SPDX-License-Identifier: MIT */
/*
 * show_table.h - a small table with a column for each thing that is compared, and how to draw it
 * again in place on a terminal.
 *
 *	title                                                              aside
 *	story
 *
 *	                                          heading            heading
 *	group                   label                cell               cell
 *	                        label                cell               cell
 */
#ifndef LAI_SHOW_TABLE_H
#define LAI_SHOW_TABLE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Lines are no longer; texts that do not fit are cut. Below the usual 80 columns, since a cursor
 * that waits behind the last one makes some terminals erase what stands there.
 */
#define LAI_TABLE_WIDTH 78
#define LAI_TABLE_COLUMNS_MAX 2
#define LAI_TABLE_CELL_MAX 24 /* bytes of a cell, with its NUL; a column is narrower */

struct lai_table_cell {
	char text[LAI_TABLE_CELL_MAX];
	bool alarm; /* drawn so that it is seen */
};

/* The texts are the caller's. */
struct lai_table_row {
	const char *group; /* NULL: that of the row above. Otherwise a blank line comes first */
	const char *label; /* may be "" */
	struct lai_table_cell cells[LAI_TABLE_COLUMNS_MAX];
};

struct lai_table {
	const char *title, *aside, *story;
	const char *headings[LAI_TABLE_COLUMNS_MAX];
	size_t column_count;
	const struct lai_table_row *rows;
	size_t row_count;
};

/* Appends the table, a newline after each line. styled: with ANSI attributes and colour. */
void lai_show_table(struct lai_text *text, const struct lai_table *table, bool styled);

/* How many lines that is. */
size_t lai_show_table_lines(const struct lai_table *table);

/*
 * Appends what draws these lines over the lines_before that were drawn last, the cursor standing
 * below them: nothing is cleared that is not written again, so nothing flickers. lines ends in a
 * newline.
 */
void lai_show_again(struct lai_text *text, const char *lines, size_t lines_before);

#endif
