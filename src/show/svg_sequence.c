/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence.h"

#include "base/time.h"
#include "base/view.h"
#include "show/html.h"
#include "show/svg_sequence_label.h"
#include "show/svg_sequence_state.h"

#include <stdlib.h>
#include <string.h>

/* Across: the time, the client's line, a wire (or two, with the router's line between them), the
   server's line. States stand beside their line, on the inside, in rows of their own: so half of
   the picture is enough for a telephone. */
#define TIME_WIDTH 74u
#define MARGIN 36u /* half of a line's name */
#define WIRE_WIDTH 480u
#define WIRE_WIDTH_ROUTER 430u
#define BAR_WIDTH 8u
/* Between a line and the end of an arrow, or a state's name. */
#define GAP 6u
/* A glyph of the monospaced labels at 11 px; rather too much than too little. */
#define GLYPH_WIDTH 6.7

/* Down: the names of the lines, then the rows. */
#define HEAD_HEIGHT 40u
#define FOOT_HEIGHT 14u
/* Within a row of a segment. */
#define LABEL_Y 13u
#define ARROW_Y 19u
#define SLOPE 7u
#define TEXT_Y 14u /* of a row that is one line of text */

#define LABEL_MAX 256

struct drawing {
	FILE *file;
	const struct lai_sequence *sequence;
	const struct lai_sequence_group *group;
	unsigned wire_width, left_x, right_x, width, height;
};

/* The colour; the name stands beside it. */
static const char *state_class(uint8_t state)
{
	switch (state) {
	case LAI_TCP_ESTABLISHED: return "open";
	case LAI_TCP_SYN_SENT:
	case LAI_TCP_SYN_RECV:
	case LAI_TCP_NEW_SYN_RECV: return "opening";
	case LAI_TCP_FIN_WAIT1:
	case LAI_TCP_FIN_WAIT2:
	case LAI_TCP_CLOSING: return "closing";
	case LAI_TCP_CLOSE_WAIT:
	case LAI_TCP_LAST_ACK: return "left";
	case LAI_TCP_TIME_WAIT: return "timewait";
	default: return "none";
	}
}

/* Of what has no room the beginning is shown; the tooltip has all of it. */
static void put_cut(const struct drawing *drawing, const struct lai_text *text, unsigned width)
{
	size_t room = (size_t)((double)width / GLYPH_WIDTH);

	if (text->length <= room) {
		lai_html_text(drawing->file, lai_text_string(text));
		return;
	}
	lai_html_bytes(drawing->file, lai_text_string(text), room - 1);
	(void)fputs("…", drawing->file);
}

/* --- the lines and the bars along them --- */

static unsigned line_x(const struct drawing *drawing, unsigned line)
{
	return drawing->left_x + line * drawing->wire_width;
}

static void put_lines(const struct drawing *drawing)
{
	const struct lai_sequence_group *group = drawing->group;
	const char *names[LAI_TRIAL_WIRES_MAX + 1] = {group->left_raw ? "raw peer" : "client"};
	unsigned last = drawing->sequence->wires;

	names[1] = "router";
	names[last] = group->right_raw ? "raw peer" : "server";
	for (unsigned line = 0; line <= last; line++) {
		unsigned x = line_x(drawing, line);

		(void)fprintf(drawing->file,
			      "<text class=\"host\" x=\"%u\" y=\"16\" text-anchor=\"middle\">%s"
			      "</text><line class=\"life\" x1=\"%u\" y1=\"24\" x2=\"%u\" "
			      "y2=\"%u\"/>\n",
			      x, names[line], x, x, drawing->height - 2);
	}
}

/* A state as it stands along a line. */
struct bar {
	uint8_t state;
	bool doubtful; /* a segment since then may have changed it */
	unsigned since_y;
};

/* Draws it as far as here, where it becomes another. */
static void bar_end(const struct drawing *drawing, struct bar *bar, unsigned x, unsigned y)
{
	if (bar->state != LAI_TCP_NONE && y > bar->since_y)
		(void)fprintf(drawing->file,
			      "<rect class=\"bar %s%s\" x=\"%u\" y=\"%u\" width=\"%u\" "
			      "height=\"%u\"/>\n",
			      state_class(bar->state), bar->doubtful ? " doubt" : "",
			      x - BAR_WIDTH / 2, bar->since_y, BAR_WIDTH, y - bar->since_y);
	bar->since_y = y;
}

/* The states of one side, each until the next one was seen. */
static void put_bars(const struct drawing *drawing, unsigned side)
{
	unsigned x = side ? drawing->right_x : drawing->left_x;
	struct bar bar = {.state = LAI_TCP_NONE};

	for (size_t i = 0; i < drawing->group->row_count; i++) {
		const struct lai_sequence_row *row = &drawing->group->rows[i];
		unsigned y = HEAD_HEIGHT + row->y;

		if (row->kind == LAI_ROW_STATES && row->states[side]) {
			bar_end(drawing, &bar, x, y);
			bar.state = row->states[side]->state;
			bar.doubtful = false;
		} else if (!bar.doubtful &&
			   lai_sequence_state_doubtful(bar.state, side, drawing->sequence->wires,
						       row)) {
			bar_end(drawing, &bar, x,
				y + ARROW_Y + (row->rightward == (side == 0) ? 0 : SLOPE));
			bar.doubtful = true;
		}
	}
	bar_end(drawing, &bar, x, drawing->height - FOOT_HEIGHT / 2);
}

/* --- rows --- */

static void put_time(const struct drawing *drawing, const struct lai_sequence_row *row,
		     unsigned text_y)
{
	long long us = (int64_t)(row->time_ns - drawing->sequence->began_ns) / 1000;

	(void)fprintf(
		drawing->file,
		"<text class=\"time\" x=\"%u\" y=\"%u\" text-anchor=\"end\">%s%lld.%06lld</text>\n",
		TIME_WIDTH - GAP, HEAD_HEIGHT + row->y + text_y, us < 0 ? "-" : "",
		llabs(us) / 1000000, llabs(us) % 1000000);
}

static const char *segment_class(const struct lai_sequence_row *row)
{
	uint8_t flags = row->captured->segment.flags;

	return flags & LAI_FLAG_RST   ? "rst"
	       : flags & LAI_FLAG_SYN ? "syn"
	       : flags & LAI_FLAG_FIN ? "fin"
				      : "plain";
}

/* The shaft, and its head; an RST's is crossed. */
static void put_arrow(const struct drawing *drawing, unsigned from_x, unsigned to_x, unsigned y,
		      bool crossed)
{
	int back = to_x > from_x ? -9 : 9, x = (int)to_x, end_y = (int)(y + SLOPE);

	(void)fprintf(drawing->file,
		      "<path class=\"arrow\" d=\"M%u %uL%d %d\"/>"
		      "<path class=\"head\" d=\"M%d %dL%d %dL%d %d\"/>",
		      from_x, y, x, end_y, x + back, end_y - 5, x, end_y, x + back, end_y + 4);
	if (crossed)
		(void)fprintf(drawing->file, "<path class=\"cross\" d=\"M%d %dl8 8m-8 0l8 -8\"/>",
			      x + 2 * back - 4, end_y - 5);
}

static void put_segment(const struct drawing *drawing, const struct lai_sequence_row *row)
{
	const struct lai_segment *segment = &row->captured->segment;
	unsigned left = line_x(drawing, row->wire), right = left + drawing->wire_width;
	unsigned from = row->rightward ? left + GAP : right - GAP;
	unsigned to = row->rightward ? right - GAP : left + GAP;
	unsigned y = HEAD_HEIGHT + row->y;
	struct lai_text label = LAI_TEXT_INIT(LABEL_MAX);
	struct lai_text whole = LAI_TEXT_INIT(LABEL_MAX);

	put_time(drawing, row, LABEL_Y + 2);
	lai_sequence_label_segment(&label, drawing->group, drawing->sequence->wires, row);
	lai_segment_describe(segment, &whole);
	(void)fprintf(drawing->file, "<g class=\"segment %s%s\"><title>", segment_class(row),
		      row->mark == LAI_MARK_RETRANSMISSION ? " again" : "");
	lai_html_text(drawing->file, lai_text_string(&whole));
	(void)fprintf(drawing->file,
		      "</title><text class=\"label\" x=\"%u\" y=\"%u\" text-anchor=\"middle\">",
		      left + drawing->wire_width / 2, y + LABEL_Y);
	put_cut(drawing, &label, drawing->wire_width - 4 * GAP);
	(void)fputs("</text>", drawing->file);
	put_arrow(drawing, from, to, y + ARROW_Y, segment->flags & LAI_FLAG_RST);
	(void)fputs("</g>\n", drawing->file);
	lai_text_done(&whole);
	lai_text_done(&label);
}

static void put_states(const struct drawing *drawing, const struct lai_sequence_row *row)
{
	put_time(drawing, row, TEXT_Y);
	for (unsigned side = 0; side < 2; side++) {
		unsigned x = side ? drawing->right_x - GAP - 2 : drawing->left_x + GAP + 2;
		struct lai_text text = LAI_TEXT_INIT(LABEL_MAX);

		if (!row->states[side])
			continue;
		lai_sequence_label_state(&text, row->states[side]);
		(void)fprintf(drawing->file,
			      "<text class=\"state\" x=\"%u\" y=\"%u\" text-anchor=\"%s\">", x,
			      HEAD_HEIGHT + row->y + TEXT_Y, side ? "end" : "start");
		put_cut(drawing, &text, drawing->wire_width / 2);
		(void)fputs("</text>\n", drawing->file);
		lai_text_done(&text);
	}
}

/* A line of words across the first wire, and the sign of a break on each line. */
static void put_break(const struct drawing *drawing, const struct lai_sequence_row *row,
		      const char *class, const char *words)
{
	unsigned middle = HEAD_HEIGHT + row->y + row->height / 2;

	for (unsigned line = 0; line <= drawing->sequence->wires; line++) {
		unsigned x = line_x(drawing, line);

		(void)fprintf(drawing->file,
			      "<rect class=\"gap\" x=\"%u\" y=\"%u\" width=\"16\" height=\"5\"/>"
			      "<path class=\"break\" d=\"M%u %ul16 -5m-16 10l16 -5\"/>\n",
			      x - 8, middle - 3, x - 8, middle);
	}
	(void)fprintf(drawing->file, "<text class=\"%s\" x=\"%u\" y=\"%u\" text-anchor=\"middle\">",
		      class, drawing->left_x + drawing->wire_width / 2, middle + 4);
	lai_html_text(drawing->file, words);
	(void)fputs("</text>\n", drawing->file);
}

static void put_omitted(const struct drawing *drawing, const struct lai_sequence_row *row)
{
	struct lai_text words = LAI_TEXT_INIT(LABEL_MAX);

	lai_sequence_label_omitted(&words, row);
	put_break(drawing, row, "omitted", lai_text_string(&words));
	lai_text_done(&words);
}

static void put_row(const struct drawing *drawing, const struct lai_sequence_row *row)
{
	char words[LABEL_MAX], time[LAI_TIME_TEXT_MAX];

	switch (row->kind) {
	case LAI_ROW_SEGMENT: put_segment(drawing, row); break;
	case LAI_ROW_STATES: put_states(drawing, row); break;
	case LAI_ROW_PAUSE:
		(void)snprintf(words, sizeof(words), "%s later",
			       lai_time_format(time, row->pause_ns / LAI_MS * LAI_MS));
		put_break(drawing, row, "pause", words);
		break;
	case LAI_ROW_OMITTED: put_omitted(drawing, row); break;
	}
}

/* --- figures --- */

static void put_caption(const struct drawing *drawing, size_t of)
{
	const struct lai_sequence_group *group = drawing->group;
	char left[LA_ADDRESS_TEXT_MAX], right[LA_ADDRESS_TEXT_MAX];

	(void)fputs("<figcaption>", drawing->file);
	if (of > 1)
		(void)fprintf(drawing->file, "Connection %zu of %zu: ", group->number, of);
	lai_html_print(drawing->file, "%s and %s", lai_address_format(left, &group->left),
		       lai_address_format(right, &group->right));
	if (group->alike)
		(void)fprintf(drawing->file, ", and %zu more like it", group->alike);
	if (group->drawn < group->segments)
		(void)fprintf(drawing->file, " <span class=\"less\">(%zu of %zu segments)</span>",
			      group->drawn, group->segments);
	(void)fputs("</figcaption>\n", drawing->file);
}

/* For who cannot see it: the same in words. */
static void put_description(const struct drawing *drawing)
{
	struct lai_text text = LAI_TEXT_INIT(LABEL_MAX);

	for (size_t i = 0; i < drawing->group->row_count; i++) {
		const struct lai_sequence_row *row = &drawing->group->rows[i];

		if (row->kind == LAI_ROW_SEGMENT) {
			lai_sequence_label_segment(&text, drawing->group, drawing->sequence->wires,
						   row);
			lai_html_print(drawing->file, "%s %s. ", row->rightward ? "right" : "left",
				       lai_text_string(&text));
			lai_text_done(&text);
		}
		if (row->kind == LAI_ROW_OMITTED) {
			lai_sequence_label_omitted(&text, row);
			lai_html_print(drawing->file, "%s. ", lai_text_string(&text));
			lai_text_done(&text);
		}
		for (unsigned side = 0; side < 2; side++)
			if (row->kind == LAI_ROW_STATES && row->states[side])
				lai_html_print(drawing->file, "%s is %s. ", side ? "Right" : "Left",
					       lai_sequence_state_name(row->states[side]->state));
	}
}

static void put_figure(const struct drawing *drawing, const char *id, size_t of)
{
	const struct lai_sequence_group *group = drawing->group;
	size_t number = group->number;

	(void)fputs("<figure class=\"sequence\">", drawing->file);
	put_caption(drawing, of);
	(void)fprintf(drawing->file,
		      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		      "aria-label=\"diagram\"><svg role=\"img\" class=\"sequence\" "
		      "aria-labelledby=\"%s-%zu-t %s-%zu-d\" width=\"%u\" height=\"%u\" "
		      "viewBox=\"0 0 %u %u\" data-segments=\"%zu\" data-left-out=\"%zu\">\n"
		      "<title id=\"%s-%zu-t\">Time-sequence diagram</title><desc id=\"%s-%zu-d\">",
		      id, number, id, number, drawing->width, drawing->height, drawing->width,
		      drawing->height, group->drawn, group->segments - group->drawn, id, number, id,
		      number);
	put_description(drawing);
	(void)fputs("</desc>\n", drawing->file);
	put_lines(drawing);
	put_bars(drawing, 0);
	put_bars(drawing, 1);
	for (size_t i = 0; i < group->row_count; i++)
		put_row(drawing, &group->rows[i]);
	(void)fputs("</svg></div></figure>\n", drawing->file);
}

static void drawing_measure(struct drawing *drawing, const struct lai_sequence_group *group)
{
	unsigned wires = drawing->sequence->wires;

	drawing->group = group;
	drawing->wire_width = wires > 1 ? WIRE_WIDTH_ROUTER : WIRE_WIDTH;
	drawing->left_x = TIME_WIDTH + MARGIN;
	drawing->right_x = drawing->left_x + wires * drawing->wire_width;
	drawing->width = drawing->right_x + MARGIN;
	drawing->height = HEAD_HEIGHT + group->height + FOOT_HEIGHT;
}

int lai_svg_sequence(FILE *file, const char *id, const struct lai_sequence *sequence)
{
	struct drawing drawing = {.file = file, .sequence = sequence};
	struct lai_sequence_plan plan;
	int error = lai_sequence_plan(sequence, &plan);

	if (error)
		return error;
	for (size_t i = 0; i < plan.group_count; i++) {
		drawing_measure(&drawing, &plan.groups[i]);
		put_figure(&drawing, id, plan.connections);
	}
	if (plan.connections > plan.group_count)
		(void)fprintf(
			file,
			"<p class=\"less\">Of %zu connections %zu are drawn, of %zu segments "
			"%zu: the first connection, and one of each other sequence of flags, "
			"those with RST, retransmission or a SYN on used ports before others.</p>"
			"\n",
			plan.connections, plan.group_count, plan.segments, plan.drawn);
	lai_sequence_plan_done(&plan);
	return 0;
}
