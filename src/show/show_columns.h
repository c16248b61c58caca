/* SPDX-License-Identifier: MIT */
/*
 * show_columns.h - rows of cells under headings: a table for people, TSV for programs.
 *
 *	table	columns as wide as what is in them, two blanks between, headings in capitals; fitted
 *		into a width, see lai_columns_end()
 *	TSV	a header line with the names, one tab between cells; a row stands in the output as
 *		soon as it has ended, so any number of rows takes no memory
 *
 * An empty cell is written "-" in both. Cells must not contain control characters (tabs least of
 * all): foreign bytes come through lai_show_safe(). UTF-8 is taken for one place per character.
 *
 *	lai_columns_init(&columns, list, COUNT, LAI_COLUMNS_TSV, &out);
 *	lai_columns_head(&columns);
 *	for (...) {
 *		lai_text_append(lai_columns_cell(&columns), "%u", 17);
 *		lai_text_append(lai_columns_cell(&columns), "x");
 *		lai_columns_row_end(&columns);
 *	}
 *	lai_columns_end(&columns, width);
 */
#ifndef LAI_SHOW_COLUMNS_H
#define LAI_SHOW_COLUMNS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* More than there are things to say of one socket. */
#define LAI_COLUMNS_MAX 48

struct lai_column {
	const char *name; /* "recv-q": in TSV as it is, in a table "RECV-Q" */
	bool right;	  /* aligned: numbers */
	bool spare;	  /* left out of a table that is too wide, the last of them first */
	bool wrap;	  /* the last column only: may be cut, or stand on a line of its own */
};

enum lai_columns_form {
	LAI_COLUMNS_TABLE,
	LAI_COLUMNS_TSV,
};

/* The caller reads nothing in it. */
struct lai_columns {
	const struct lai_column *list;
	size_t count;
	enum lai_columns_form form;
	struct lai_text *out;
	struct lai_text cells;		/* table: one after another, each with its NUL */
	size_t widths[LAI_COLUMNS_MAX]; /* table: of the widest cell; 0: the column is left out */
	size_t at;			/* cells of the row that have been begun */
	size_t cell_start;		/* where the open cell begins in its text */
	size_t rows;
	bool headed;
};

/* list and out stay the caller's and must live as long. 0 < count <= LAI_COLUMNS_MAX. */
void lai_columns_init(struct lai_columns *columns, const struct lai_column *list, size_t count,
		      enum lai_columns_form form, struct lai_text *out);

/* The header line; without a call there is none. Before the first cell. */
void lai_columns_head(struct lai_columns *columns);

/* Ends the cell before, begins the next one of the row; append its content to what is returned. */
struct lai_text *lai_columns_cell(struct lai_columns *columns);

/* Ends the row, which has all its cells. In TSV out may then be written away and emptied. */
void lai_columns_row_end(struct lai_columns *columns);

/*
 * Table: writes it to out, in lines no wider than width_max (0: no bound). What is too wide loses,
 * until it fits: what is over of the wrap column, down to a width that still tells something; the
 * spare columns; then the wrap column gets lines of its own; at last columns from the right, of
 * which texts may be cut and numbers are not. Releases what is held. Failures of memory are latched
 * in out. Returns how many columns were left out.
 */
size_t lai_columns_end(struct lai_columns *columns, size_t width_max);

#endif
