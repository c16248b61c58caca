/* SPDX-License-Identifier: MIT */
/*
 * show_columns.h - rows of cells under headings: a table for people, TSV for programs.
 *
 *	table	columns as wide as what is in them, two blanks between, headings in capitals; made
 *		narrower where there is no room, see lai_columns_end()
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
	const char *name;  /* "recv-q": in TSV as it is, in a table "RECV-Q" */
	const char *brief; /* heads a table that is too wide; NULL: name does */
	bool right;	   /* aligned: numbers */
	bool spare;	   /* left out of a table that is too wide, the last of them first */
	bool wrap;	   /* the last column only: may stand on lines of its own */
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
	size_t widths[LAI_COLUMNS_MAX]; /* table: of the widest cell */
	size_t at;			/* cells of the row that have been begun */
	size_t cell_start;		/* where the open cell begins in its text */
	size_t rows;
	bool headed;
	struct lai_text *left_out; /* NULL: nobody wants to know */
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

/* lai_columns_end() appends "timer, extra" to left_out: the columns that there was no room for. */
void lai_columns_tell(struct lai_columns *columns, struct lai_text *left_out);

/*
 * Table: writes it to out, if that can be in lines no wider than width_max (0: no bound). No cell
 * is ever cut. What is too wide becomes narrower by one step after the other, until it fits:
 *
 *	one blank between columns, brief headings
 *	a cell of the wrap column that is too long moves to lines of its own below its row
 *	the spare columns are left out, the last of them first
 *	all cells of the wrap column have lines of their own, and the spare columns may be back
 *	lines are longer than width_max: a terminal wraps them
 *
 * Releases what is held. Failures of memory are latched in out.
 */
void lai_columns_end(struct lai_columns *columns, size_t width_max);

#endif
