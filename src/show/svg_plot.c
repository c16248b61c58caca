/* SPDX-License-Identifier: MIT */
#include "show/svg_plot.h"

#include "show/html.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The picture and the field of the curves in it. */
#define WIDTH 720
#define HEIGHT 300
#define FIELD_LEFT 84
#define FIELD_RIGHT 676 /* half of a tick's label has room behind it */
#define FIELD_TOP 16
#define FIELD_BOTTOM 244
#define LEGEND_ROW 18
#define AXIS_NAME_Y (FIELD_BOTTOM + 40)

#define TICKS_X 8
#define TICKS_Y 6
/* An axis with values over more than so many decades is logarithmic. */
#define DECADES_LINEAR_MAX 3.0
/* More decades than this get a tick every other one, and so on. */
#define DECADES_TICKED_MAX 8
/* Up to so many points each is marked. */
#define MARKED_POINTS_MAX 80
#define MARK_RADIUS 3.0

struct axis {
	double min, max; /* of the values; of their logarithms if log */
	bool log;
	double from, to; /* pixels */
};

/* One column of a curve that has too many points. */
struct column {
	double least, greatest;
	bool used;
};

struct picture {
	FILE *file;
	const struct lai_plot *plot;
	struct axis x, y;
	size_t left_out;
	struct column *columns;
};

/* --- axes --- */

/* Beyond this the difference of two values is no number any more. */
#define VALUE_MAX 1e300
/* Values nearer to one another than this fraction of them are one. */
#define VALUE_SAME 1e-12

static bool is_drawn(const struct lai_plot_point *point)
{
	return fabs(point->x) < VALUE_MAX && fabs(point->y) < VALUE_MAX; /* false for NaN */
}

static double coordinate(const struct lai_plot_point *point, bool is_y)
{
	return is_y ? point->y : point->x;
}

/* The range of one coordinate over all curves. False: there is no point. */
static bool axis_range(const struct lai_plot *plot, bool is_y, struct axis *axis, size_t *left_out)
{
	bool any = false;

	*left_out = 0;
	for (size_t c = 0; c < plot->curve_count; c++) {
		for (size_t i = 0; i < plot->curves[c].count; i++) {
			const struct lai_plot_point *point = &plot->curves[c].points[i];
			double value = coordinate(point, is_y);

			if (!is_drawn(point)) {
				++*left_out;
				continue;
			}
			if (!any || value < axis->min)
				axis->min = value;
			if (!any || value > axis->max)
				axis->max = value;
			any = true;
		}
	}
	return any;
}

/* Linear from a round value to a round value; zero is shown if it is not far away. */
static void axis_round(struct axis *axis, unsigned ticks, bool from_zero)
{
	double step;

	if (from_zero && axis->min > 0 && axis->min < axis->max * 0.6)
		axis->min = 0;
	if (axis->max - axis->min <= fabs(axis->max) * VALUE_SAME) {
		double around = axis->max == 0 ? 1 : fabs(axis->max) * 0.5;

		axis->min -= around;
		axis->max += around;
	}
	step = lai_plot_step(axis->max - axis->min, ticks);
	axis->min = floor(axis->min / step + 1e-9) * step;
	axis->max = ceil(axis->max / step - 1e-9) * step;
}

static void axis_choose(struct axis *axis, unsigned ticks, bool is_y)
{
	if (axis->min > 0 && log10(axis->max / axis->min) > DECADES_LINEAR_MAX) {
		axis->log = true;
		axis->min = floor(log10(axis->min) + 1e-9);
		axis->max = ceil(log10(axis->max) - 1e-9);
		return;
	}
	axis_round(axis, ticks, is_y);
}

static double axis_place(const struct axis *axis, double value)
{
	double at = axis->log ? log10(value) : value;

	return axis->from + (axis->to - axis->from) * (at - axis->min) / (axis->max - axis->min);
}

/* --- frame --- */

static void put_tick(const struct picture *picture, bool is_y, double value)
{
	char number[LAI_PLOT_NUMBER_MAX];
	double at = axis_place(is_y ? &picture->y : &picture->x, value);

	if (is_y)
		(void)fprintf(picture->file,
			      "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
			      "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s"
			      "</text>\n",
			      FIELD_LEFT, at, FIELD_RIGHT, at, FIELD_LEFT - 6, at + 4,
			      lai_plot_number(number, value));
	else
		(void)fprintf(picture->file,
			      "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
			      "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s"
			      "</text>\n",
			      at, FIELD_TOP, at, FIELD_BOTTOM + 5, at, FIELD_BOTTOM + 20,
			      lai_plot_number(number, value));
}

static void put_ticks(const struct picture *picture, bool is_y)
{
	const struct axis *axis = is_y ? &picture->y : &picture->x;
	double step = 1;
	long count;

	if (!axis->log)
		step = lai_plot_step(axis->max - axis->min, is_y ? TICKS_Y : TICKS_X);
	else if (axis->max - axis->min > DECADES_TICKED_MAX)
		step = ceil((axis->max - axis->min) / DECADES_TICKED_MAX);
	count = lround(floor((axis->max - axis->min) / step + 1e-6));
	for (long i = 0; i <= count; i++) {
		double value = axis->min + (double)i * step;

		if (!axis->log && fabs(value) < step * 1e-6)
			value = 0;
		put_tick(picture, is_y, axis->log ? pow(10, value) : value);
	}
}

static void put_axis_names(const struct picture *picture)
{
	int middle_y = (FIELD_TOP + FIELD_BOTTOM) / 2;

	(void)fprintf(picture->file,
		      "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
		      (FIELD_LEFT + FIELD_RIGHT) / 2, AXIS_NAME_Y);
	lai_html_print(picture->file, "%s%s", picture->plot->x,
		       picture->x.log ? " (logarithmic)" : "");
	(void)fprintf(picture->file,
		      "</text><text class=\"axis\" transform=\"translate(18 %d) rotate(-90)\" "
		      "text-anchor=\"middle\">",
		      middle_y);
	lai_html_print(picture->file, "%s%s", picture->plot->y,
		       picture->y.log ? " (logarithmic)" : "");
	(void)fprintf(picture->file, "</text><path class=\"frame\" d=\"M%d %dV%dH%d\"/>\n",
		      FIELD_LEFT, FIELD_TOP, FIELD_BOTTOM, FIELD_RIGHT);
}

/* --- curves --- */

/* Another shape for each curve: colour alone would not do. */
static void put_mark(FILE *file, size_t curve, double x, double y)
{
	double r = MARK_RADIUS;

	switch (curve % 3) {
	case 0:
		(void)fprintf(file,
			      "<circle class=\"mark c%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
			      curve, x, y, r);
		break;
	case 1:
		(void)fprintf(file,
			      "<rect class=\"mark c%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			      "height=\"%.1f\"/>",
			      curve, x - r, y - r, 2 * r, 2 * r);
		break;
	default:
		(void)fprintf(file, "<path class=\"mark c%zu\" d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"/>",
			      curve, x, y - r, r, 2 * r, -2 * r);
	}
}

/* A line says that what is between two points has been passed through, so x must go on. */
static bool is_line(const struct lai_plot_curve *curve)
{
	for (size_t i = 1; i < curve->count; i++)
		if (!(curve->points[i].x > curve->points[i - 1].x))
			return false;
	return curve->count > 1;
}

static void put_line(const struct picture *picture, size_t number)
{
	const struct lai_plot_curve *curve = &picture->plot->curves[number];
	bool pen_down = false;

	(void)fprintf(picture->file, "<path class=\"curve c%zu\" d=\"", number);
	for (size_t i = 0; i < curve->count; i++) {
		if (is_drawn(&curve->points[i]))
			(void)fprintf(picture->file, "%c%.1f %.1f", pen_down ? 'L' : 'M',
				      axis_place(&picture->x, curve->points[i].x),
				      axis_place(&picture->y, curve->points[i].y));
		pen_down = is_drawn(&curve->points[i]);
	}
	(void)fputs("\"/>\n", picture->file);
}

static void put_marks(const struct picture *picture, size_t number)
{
	const struct lai_plot_curve *curve = &picture->plot->curves[number];

	for (size_t i = 0; i < curve->count; i++)
		if (is_drawn(&curve->points[i]))
			put_mark(picture->file, number, axis_place(&picture->x, curve->points[i].x),
				 axis_place(&picture->y, curve->points[i].y));
	(void)fputs("\n", picture->file);
}

/* Too many points: from the least to the greatest value in each column of pixels. */
static void put_columns(const struct picture *picture, size_t number)
{
	const struct lai_plot_curve *curve = &picture->plot->curves[number];

	memset(picture->columns, 0, WIDTH * sizeof(*picture->columns));
	for (size_t i = 0; i < curve->count; i++) {
		const struct lai_plot_point *point = &curve->points[i];
		struct column *column;

		if (!is_drawn(point))
			continue;
		column = &picture->columns[(size_t)axis_place(&picture->x, point->x)];
		if (!column->used || point->y < column->least)
			column->least = point->y;
		if (!column->used || point->y > column->greatest)
			column->greatest = point->y;
		column->used = true;
	}
	(void)fprintf(picture->file, "<path class=\"columns c%zu\" d=\"", number);
	for (size_t x = 0; x < WIDTH; x++)
		if (picture->columns[x].used)
			/* A single value is a dot of two pixels. */
			(void)fprintf(picture->file, "M%zu %.1fV%.1f", x,
				      axis_place(&picture->y, picture->columns[x].least) + 1,
				      axis_place(&picture->y, picture->columns[x].greatest) - 1);
	(void)fputs("\"/>\n", picture->file);
}

static void put_curve(const struct picture *picture, size_t number)
{
	const struct lai_plot_curve *curve = &picture->plot->curves[number];

	if (curve->count > LAI_PLOT_POINTS_MAX) {
		put_columns(picture, number);
		return;
	}
	if (is_line(curve))
		put_line(picture, number);
	if (!is_line(curve) || curve->count <= MARKED_POINTS_MAX)
		put_marks(picture, number);
}

static void put_legend(const struct picture *picture)
{
	for (size_t c = 0; c < picture->plot->curve_count; c++) {
		const struct lai_plot_curve *curve = &picture->plot->curves[c];
		int y = HEIGHT + LEGEND_ROW * (int)c;

		(void)fprintf(picture->file, "<path class=\"curve c%zu\" d=\"M%d %dh24\"/>", c,
			      FIELD_LEFT, y);
		put_mark(picture->file, c, FIELD_LEFT + 12, y);
		(void)fprintf(picture->file, "<text class=\"legend\" x=\"%d\" y=\"%d\">",
			      FIELD_LEFT + 32, y + 4);
		lai_html_print(picture->file, "%s (%zu point%s%s)", curve->name, curve->count,
			       curve->count == 1 ? "" : "s",
			       curve->count > LAI_PLOT_POINTS_MAX
				       ? "; least to greatest in each column of pixels"
				       : "");
		(void)fputs("</text>\n", picture->file);
	}
}

static void put_head(const struct picture *picture)
{
	const struct lai_plot *plot = picture->plot;
	int height = HEIGHT + LEGEND_ROW * (int)plot->curve_count;

	(void)fprintf(picture->file,
		      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"plot\">"
		      "<svg role=\"img\" class=\"plot\" aria-labelledby=\"%s-t %s-d\" "
		      "width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<title id=\"%s-t\">",
		      plot->id, plot->id, WIDTH, height, WIDTH, height, plot->id);
	lai_html_print(picture->file, "%s by %s", plot->y, plot->x);
	(void)fprintf(picture->file, "</title><desc id=\"%s-d\">", plot->id);
	for (size_t c = 0; c < plot->curve_count; c++)
		lai_html_print(picture->file, "%s: %zu points. ", plot->curves[c].name,
			       plot->curves[c].count);
	if (picture->left_out)
		(void)fprintf(picture->file, "%zu points are no numbers and are left out.",
			      picture->left_out);
	(void)fputs("</desc>\n", picture->file);
}

int lai_svg_plot(FILE *file, const struct lai_plot *plot)
{
	struct picture picture = {.file = file,
				  .plot = plot,
				  .x = {.from = FIELD_LEFT, .to = FIELD_RIGHT},
				  .y = {.from = FIELD_BOTTOM, .to = FIELD_TOP}};

	if (!axis_range(plot, false, &picture.x, &picture.left_out) ||
	    !axis_range(plot, true, &picture.y, &picture.left_out))
		return 0;
	picture.columns = calloc(WIDTH, sizeof(*picture.columns));
	if (!picture.columns)
		return -ENOMEM;
	axis_choose(&picture.x, TICKS_X, false);
	axis_choose(&picture.y, TICKS_Y, true);
	put_head(&picture);
	put_ticks(&picture, false);
	put_ticks(&picture, true);
	put_axis_names(&picture);
	for (size_t c = 0; c < plot->curve_count; c++)
		put_curve(&picture, c);
	put_legend(&picture);
	(void)fputs("</svg></div>\n", file);
	free(picture.columns);
	return 0;
}
