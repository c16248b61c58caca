/* SPDX-License-Identifier: MIT */
#include "show/show_columns.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define GAP 2
/* A name, a pid and a descriptor fit: "postgres[12345] fd 9". With less it says nothing. */
#define WRAP_WIDTH_MIN 24
/* Of the lines that a wrap column gets for itself. */
#define WRAP_INDENT 8
#define CUT_MARK "..."
/* A text that is cut to less has nothing left but the mark. */
#define CUT_WIDTH_MIN 8
/* Cells of a table for people; more than that is not read, and is a mistake of somebody. */
#define CELLS_MAX (1ull << 30)

/* Characters, not bytes: the later bytes of a UTF-8 sequence take no place. */
static size_t places(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* The bytes of the first so many characters. */
static size_t bytes_of(const char *text, size_t characters)
{
	size_t bytes = 0;

	while (text[bytes]) {
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 && characters-- == 0)
			break;
		bytes++;
	}
	return bytes;
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

void lai_columns_head(struct lai_columns *columns)
{
	columns->headed = true;
	for (size_t i = 0; i < columns->count; i++) {
		const char *name = columns->list[i].name;

		if (columns->widths[i] < strlen(name))
			columns->widths[i] = strlen(name);
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

static size_t total_width(const struct lai_columns *columns, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		if (columns->widths[i] > 0)
			total += columns->widths[i] + (total > 0 ? GAP : 0);
	return total;
}

/* The width that the last column may take beside the others; SIZE_MAX: there is no bound. */
static size_t room_for_last(const struct lai_columns *columns, size_t width_max)
{
	size_t others = total_width(columns, columns->count - 1);

	others += others > 0 ? GAP : 0;
	return width_max > others ? width_max - others : 0;
}

static bool leave_out_one(struct lai_columns *columns)
{
	for (size_t i = columns->count; i-- > 0;) {
		if (!columns->list[i].spare || columns->widths[i] == 0)
			continue;
		columns->widths[i] = 0;
		return true;
	}
	return false;
}

/*
 * Fits the first so many columns whatever it takes: half a number would be a lie, so numbers are
 * left out as a whole, from the right; a text may be cut.
 */
static void squeeze(struct lai_columns *columns, size_t count, size_t width_max)
{
	size_t total, others;

	while (count-- > 0) {
		if (columns->widths[count] == 0)
			continue;
		total = total_width(columns, count + 1);
		if (total <= width_max)
			return;
		others = total - columns->widths[count];
		if (others == 0) { /* the only one: better cut than nothing */
			columns->widths[count] = width_max;
			return;
		}
		if (!columns->list[count].right && others + CUT_WIDTH_MIN <= width_max) {
			columns->widths[count] = width_max - others;
			return;
		}
		columns->widths[count] = 0;
	}
}

/* True: the last column gets lines of its own. */
static bool fit(struct lai_columns *columns, size_t width_max)
{
	size_t last = columns->count - 1, wanted = columns->widths[last];
	bool wraps = columns->list[last].wrap && last > 0;
	size_t least = wraps && wanted > WRAP_WIDTH_MIN ? WRAP_WIDTH_MIN : wanted;
	size_t room;

	if (width_max == 0)
		return false;
	while ((room = room_for_last(columns, width_max)) < least)
		if (!leave_out_one(columns))
			break;
	if (room >= least) {
		if (room < wanted && columns->widths[last] > 0)
			columns->widths[last] = room;
		return false;
	}
	squeeze(columns, wraps ? last : last + 1, width_max);
	return wraps;
}

/* A cell in its column: cut with a mark, or padded unless it ends the line. */
static void append_cell(struct lai_text *out, const char *cell, size_t width, bool right, bool ends)
{
	size_t wide = places(cell), mark = strlen(CUT_MARK);

	if (wide > width) {
		if (mark >= width)
			mark = 0;
		lai_text_append_bytes(out, cell, bytes_of(cell, width - mark));
		lai_text_append_bytes(out, CUT_MARK, mark);
		return;
	}
	if (right)
		lai_text_append_repeated(out, ' ', width - wide);
	lai_text_append_bytes(out, cell, strlen(cell));
	if (!right && !ends)
		lai_text_append_repeated(out, ' ', width - wide);
}

struct layout {
	size_t width_max;
	bool own_line; /* the last column has lines of its own */
};

static void append_row(struct lai_columns *columns, const struct layout *layout,
		       const char *const cells[])
{
	struct lai_text *out = columns->out;
	size_t last = columns->count - 1, beside = layout->own_line ? last : columns->count;
	size_t indent;
	bool begun = false;

	while (beside > 0 && columns->widths[beside - 1] == 0)
		beside--;
	for (size_t i = 0; i < beside; i++) {
		if (columns->widths[i] == 0)
			continue;
		if (begun)
			lai_text_append_repeated(out, ' ', GAP);
		begun = true;
		append_cell(out, cells[i], columns->widths[i], columns->list[i].right,
			    i + 1 == beside);
	}
	lai_text_append_bytes(out, "\n", 1);
	if (!layout->own_line)
		return;
	indent = layout->width_max > 2 * WRAP_INDENT ? WRAP_INDENT : 0;
	lai_text_append_repeated(out, ' ', indent);
	append_cell(out, cells[last], layout->width_max - indent, false, true);
	lai_text_append_bytes(out, "\n", 1);
}

static void append_head(struct lai_columns *columns, const struct layout *layout)
{
	struct lai_text capitals = LAI_TEXT_INIT(CELLS_MAX);
	const char *cells[LAI_COLUMNS_MAX];
	size_t starts[LAI_COLUMNS_MAX];

	for (size_t i = 0; i < columns->count; i++) {
		starts[i] = capitals.length;
		for (const char *name = columns->list[i].name; *name; name++)
			lai_text_append(&capitals, "%c", toupper((unsigned char)*name));
		lai_text_append_bytes(&capitals, "", 1);
	}
	for (size_t i = 0; i < columns->count; i++)
		cells[i] = capitals.error ? "" : capitals.data + starts[i];
	append_row(columns, layout, cells);
	lai_text_done(&capitals);
}

static void append_table(struct lai_columns *columns, size_t width_max)
{
	struct layout layout = {.width_max = width_max, .own_line = fit(columns, width_max)};
	const char *at = lai_text_string(&columns->cells);
	const char *cells[LAI_COLUMNS_MAX];

	if (columns->headed)
		append_head(columns, &layout);
	for (size_t row = 0; row < columns->rows; row++) {
		for (size_t i = 0; i < columns->count; i++) {
			cells[i] = at;
			at += strlen(at) + 1;
		}
		append_row(columns, &layout, cells);
	}
}

size_t lai_columns_end(struct lai_columns *columns, size_t width_max)
{
	size_t left_out = 0;

	assert(columns->at == 0 && columns->count > 0);
	if (columns->cells.error && columns->out->error == 0)
		columns->out->error = columns->cells.error;
	else if (columns->form == LAI_COLUMNS_TABLE && columns->rows + columns->headed > 0)
		append_table(columns, width_max);
	for (size_t i = 0; i < columns->count; i++)
		left_out += columns->widths[i] == 0;
	lai_text_done(&columns->cells);
	return left_out;
}
