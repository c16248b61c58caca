/* SPDX-License-Identifier: MIT */
#include "show/show_columns.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define GAP_WIDE 2
#define GAP_NARROW 1
/* A name, a pid and a descriptor fit: "postgres[12345] fd 9". With less most cells would not. */
#define WRAP_WIDTH_MIN 24
/* Of the lines that a wrap column gets for itself. */
#define WRAP_INDENT 8
/* Cells of a table for people; more than that is not read, and is a mistake of somebody. */
#define CELLS_MAX (1ull << 30)

/* Characters, not bytes: the later bytes of a UTF-8 sequence take no place. */
static size_t places_of(const char *text, size_t bytes)
{
	size_t count = 0;

	for (size_t i = 0; i < bytes; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

static size_t places(const char *text)
{
	return places_of(text, strlen(text));
}

void lai_columns_init(struct lai_columns *columns, const struct lai_column *list, size_t count,
		      enum lai_columns_form form, struct lai_text *out)
{
	assert(count > 0 && count <= LAI_COLUMNS_MAX);
	*columns = (struct lai_columns){.list = list, .count = count, .form = form, .out = out};
	lai_text_init(&columns->cells, CELLS_MAX);
	for (size_t i = 0; i < count; i++)
		columns->widths[i] = 1;
}

void lai_columns_tell(struct lai_columns *columns, struct lai_text *left_out)
{
	columns->left_out = left_out;
}

void lai_columns_head(struct lai_columns *columns)
{
	columns->headed = true;
	for (size_t i = 0; i < columns->count; i++) {
		const char *name = columns->list[i].name;

		if (columns->form != LAI_COLUMNS_TSV)
			continue;
		lai_text_append_bytes(columns->out, name, strlen(name));
		lai_text_append_bytes(columns->out, i + 1 < columns->count ? "\t" : "\n", 1);
	}
}

static struct lai_text *text_of(struct lai_columns *columns)
{
	return columns->form == LAI_COLUMNS_TSV ? columns->out : &columns->cells;
}

static void end_cell(struct lai_columns *columns)
{
	struct lai_text *text = text_of(columns);
	bool last = columns->at == columns->count;
	size_t width;

	if (text->length == columns->cell_start)
		lai_text_append_bytes(text, "-", 1);
	if (columns->form == LAI_COLUMNS_TSV) {
		lai_text_append_bytes(text, last ? "\n" : "\t", 1);
		return;
	}
	if (text->error)
		return;
	width = places(text->data + columns->cell_start);
	if (columns->widths[columns->at - 1] < width)
		columns->widths[columns->at - 1] = width;
	lai_text_append_bytes(text, "", 1);
}

struct lai_text *lai_columns_cell(struct lai_columns *columns)
{
	struct lai_text *text = text_of(columns);

	assert(columns->at < columns->count);
	if (columns->at > 0)
		end_cell(columns);
	columns->at++;
	columns->cell_start = text->length;
	return text;
}

void lai_columns_row_end(struct lai_columns *columns)
{
	assert(columns->at == columns->count);
	end_cell(columns);
	columns->at = 0;
	columns->rows++;
}

/* ---- a table is fitted into a width ------------------------------------------------------- */

struct layout {
	size_t width_max; /* SIZE_MAX: no bound */
	size_t gap;
	bool brief;			/* headings */
	bool own_lines;			/* the last column has lines of its own */
	size_t widths[LAI_COLUMNS_MAX]; /* 0: the column is left out */
};

static const char *heading(const struct lai_column *column, bool brief)
{
	return brief && column->brief ? column->brief : column->name;
}

static void set_widths(struct layout *layout, const struct lai_columns *columns, bool narrow)
{
	layout->gap = narrow ? GAP_NARROW : GAP_WIDE;
	layout->brief = narrow;
	for (size_t i = 0; i < columns->count; i++) {
		size_t head = columns->headed ? strlen(heading(&columns->list[i], narrow)) : 0;

		layout->widths[i] = columns->widths[i] > head ? columns->widths[i] : head;
	}
}

/* Of the first so many columns. */
static size_t total_width(const struct layout *layout, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		if (layout->widths[i] > 0)
			total += layout->widths[i] + (total > 0 ? layout->gap : 0);
	return total;
}

/* The last column gets what the others leave of the line, if that is as much as it needs. */
static bool fits(struct layout *layout, size_t count, size_t last_min)
{
	size_t others = total_width(layout, count - 1);
	size_t before = others + (others > 0 ? layout->gap : 0);

	if (before + last_min > layout->width_max)
		return false;
	if (layout->widths[count - 1] > layout->width_max - before)
		layout->widths[count - 1] = layout->width_max - before;
	return true;
}

static bool leave_out_one(struct layout *layout, const struct lai_columns *columns, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		if (!columns->list[i].spare || layout->widths[i] == 0)
			continue;
		layout->widths[i] = 0;
		return true;
	}
	return false;
}

/* Without the last column, which has its own lines, if it is not among these. */
static bool fit_whole(struct layout *layout, const struct lai_columns *columns, size_t count)
{
	for (int narrow = 0; narrow <= 1; narrow++) {
		set_widths(layout, columns, narrow);
		if (total_width(layout, count) <= layout->width_max)
			return true;
	}
	return false;
}

/* From narrow on. */
static bool fit_by_leaving_out(struct layout *layout, const struct lai_columns *columns,
			       size_t count, size_t last_min)
{
	do {
		if (last_min ? fits(layout, count, last_min)
			     : total_width(layout, count) <= layout->width_max)
			return true;
	} while (leave_out_one(layout, columns, count));
	return false;
}

static void fit(struct layout *layout, const struct lai_columns *columns)
{
	size_t last = columns->count - 1;
	bool wraps = columns->list[last].wrap && last > 0;
	size_t least;

	if (fit_whole(layout, columns, columns->count))
		return;
	least = wraps && layout->widths[last] > WRAP_WIDTH_MIN ? WRAP_WIDTH_MIN : 0;
	if (fit_by_leaving_out(layout, columns, columns->count, least) || !wraps)
		return;
	layout->own_lines = true;
	if (!fit_whole(layout, columns, last))
		(void)fit_by_leaving_out(layout, columns, last, 0);
}

/* ---- and written -------------------------------------------------------------------------- */

/* A cell in its column, padded unless it ends the line. */
static void append_cell(struct lai_text *out, const char *cell, size_t width, bool right, bool ends)
{
	size_t wide = places(cell), padding = width > wide ? width - wide : 0;

	if (right)
		lai_text_append_repeated(out, ' ', padding);
	lai_text_append_bytes(out, cell, strlen(cell));
	if (!right && !ends)
		lai_text_append_repeated(out, ' ', padding);
}

/* Words in lines of their own; one that is too long sticks out. */
static void append_own_lines(struct lai_text *out, const char *cell, size_t width_max)
{
	size_t indent = width_max > 2 * WRAP_INDENT ? WRAP_INDENT : 0, at = 0;

	while (*cell) {
		size_t bytes = strcspn(cell, " "), wide = places_of(cell, bytes);

		if (at > 0 && at + 1 + wide > width_max) {
			lai_text_append_bytes(out, "\n", 1);
			at = 0;
		}
		lai_text_append_repeated(out, ' ', at > 0 ? 1 : indent);
		at += wide + (at > 0 ? 1 : indent);
		lai_text_append_bytes(out, cell, bytes);
		cell += bytes + strspn(cell + bytes, " ");
	}
	lai_text_append_bytes(out, "\n", 1);
}

static void append_row(struct lai_columns *columns, const struct layout *layout,
		       const char *const cells[])
{
	struct lai_text *out = columns->out;
	size_t last = columns->count - 1, beside = columns->count;
	bool own = layout->own_lines || (columns->list[last].wrap && last > 0 &&
					 places(cells[last]) > layout->widths[last]);
	bool begun = false;

	if (own)
		beside = last;
	while (beside > 0 && layout->widths[beside - 1] == 0)
		beside--;
	for (size_t i = 0; i < beside; i++) {
		if (layout->widths[i] == 0)
			continue;
		if (begun)
			lai_text_append_repeated(out, ' ', layout->gap);
		begun = true;
		append_cell(out, cells[i], layout->widths[i], columns->list[i].right,
			    i + 1 == beside);
	}
	lai_text_append_bytes(out, "\n", 1);
	if (own)
		append_own_lines(out, cells[last], layout->width_max);
}

static void append_head(struct lai_columns *columns, const struct layout *layout)
{
	struct lai_text capitals = LAI_TEXT_INIT(CELLS_MAX);
	const char *cells[LAI_COLUMNS_MAX];
	size_t starts[LAI_COLUMNS_MAX];

	for (size_t i = 0; i < columns->count; i++) {
		starts[i] = capitals.length;
		for (const char *name = heading(&columns->list[i], layout->brief); *name; name++)
			lai_text_append(&capitals, "%c", toupper((unsigned char)*name));
		lai_text_append_bytes(&capitals, "", 1);
	}
	for (size_t i = 0; i < columns->count; i++)
		cells[i] = capitals.error ? "" : capitals.data + starts[i];
	append_row(columns, layout, cells);
	lai_text_done(&capitals);
}

static void append_table(struct lai_columns *columns, const struct layout *layout)
{
	const char *at = lai_text_string(&columns->cells);
	const char *cells[LAI_COLUMNS_MAX];

	if (columns->headed)
		append_head(columns, layout);
	for (size_t row = 0; row < columns->rows; row++) {
		for (size_t i = 0; i < columns->count; i++) {
			cells[i] = at;
			at += strlen(at) + 1;
		}
		append_row(columns, layout, cells);
	}
}

static void tell_left_out(const struct lai_columns *columns, const struct layout *layout)
{
	const char *separator = "";

	for (size_t i = 0; i < columns->count; i++) {
		if (layout->widths[i] > 0)
			continue;
		lai_text_append(columns->left_out, "%s%s", separator, columns->list[i].name);
		separator = ", ";
	}
}

void lai_columns_end(struct lai_columns *columns, size_t width_max)
{
	struct layout layout = {.width_max = width_max ? width_max : SIZE_MAX};

	assert(columns->at == 0 && columns->count > 0);
	if (columns->cells.error && columns->out->error == 0) {
		columns->out->error = columns->cells.error;
	} else if (columns->form == LAI_COLUMNS_TABLE && columns->rows + columns->headed > 0) {
		fit(&layout, columns);
		append_table(columns, &layout);
		if (columns->left_out)
			tell_left_out(columns, &layout);
	}
	lai_text_done(&columns->cells);
}
