/* SPDX-License-Identifier: MIT */
/* lab_html_measured.c - what the trials of a claim measured: numbers and curves. */
#include "show/html.h"
#include "show/lab_html_inside.h"
#include "show/lab_numbers.h"
#include "show/svg_plot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LAI_RESULT_SERIES_MAX <= LAI_PLOT_CURVES_MAX, "all series may share a plot");

/* Unique in the page: the claim's id, a word and a number behind it. */
#define ID_MAX 96

/* --- numbers --- */

static void put_value(FILE *file, double value)
{
	char number[LAI_PLOT_NUMBER_MAX];

	(void)fprintf(file, "<td class=\"n\">%s</td>", lai_plot_number(number, value));
}

struct table {
	FILE *file;
	bool dots; /* there are enough seeds for a strip of them */
};

static void put_number(void *arg, const struct lai_lab_number *number)
{
	const struct table *table = arg;
	FILE *file = table->file;

	(void)fputs("<tr><th scope=\"row\" class=\"id\">", file);
	lai_html_text(file, number->name);
	(void)fputs("</th><td>", file);
	lai_html_text(file, number->unit);
	(void)fputs("</td>", file);
	put_value(file, number->median);
	put_value(file, number->least);
	put_value(file, number->greatest);
	(void)fprintf(file, "<td class=\"n\">%zu</td>", number->count);
	if (table->dots) {
		(void)fputs("<td>", file);
		lai_svg_dots(file, number->values, number->count, number->median);
		(void)fputs("</td>", file);
	}
	(void)fputs("</tr>\n", file);
}

static void put_numbers(FILE *file, const struct lai_outcome *outcome)
{
	struct table table = {file, outcome->trial_count >= LAI_PLOT_DOTS_MIN};

	if (lai_lab_numbers_count(outcome) == 0)
		return;
	(void)fprintf(file,
		      "<h3>Numbers over the seeds</h3>\n<div class=\"scroll\" tabindex=\"0\" "
		      "role=\"region\" aria-label=\"numbers\"><table><thead><tr><th "
		      "scope=\"col\">Value</th><th scope=\"col\">Unit</th><th scope=\"col\" "
		      "class=\"n\">Median</th><th scope=\"col\" class=\"n\">Least</th><th "
		      "scope=\"col\" class=\"n\">Greatest</th><th scope=\"col\" "
		      "class=\"n\">Seeds</th>%s</tr></thead><tbody>\n",
		      table.dots ? "<th scope=\"col\">From 0 to the greatest</th>" : "");
	lai_lab_numbers(outcome, put_number, &table);
	(void)fputs("</tbody></table></div>\n", file);
}

/* --- curves --- */

static bool same_axes(const struct lai_result_series *a, const struct lai_result_series *b)
{
	return strcmp(a->x, b->x) == 0 && strcmp(a->y, b->y) == 0;
}

/* Copies the points of one series; returns how many. */
static size_t points_take(const struct lai_result *result, uint32_t series,
			  struct lai_plot_point *points)
{
	size_t count = 0;

	for (uint32_t i = 0; i < result->point_count; i++)
		if (result->points[i].series == series)
			points[count++] = (struct lai_plot_point){.x = result->points[i].x,
								  .y = result->points[i].y};
	return count;
}

/* The plot of a series and of all behind it with the same axes. */
static int put_plot(FILE *file, const char *claim_id, const struct lai_result *result,
		    uint32_t first, struct lai_plot_point *points)
{
	struct lai_plot_curve curves[LAI_RESULT_SERIES_MAX];
	struct lai_plot plot = {
		.x = result->series[first].x, .y = result->series[first].y, .curves = curves};
	char id[ID_MAX];

	for (uint32_t i = first; i < result->series_count; i++) {
		struct lai_plot_curve *curve = &curves[plot.curve_count];

		if (!same_axes(&result->series[first], &result->series[i]))
			continue;
		*curve = (struct lai_plot_curve){.name = result->series[i].name, .points = points};
		curve->count = points_take(result, i, points);
		points += curve->count;
		plot.curve_count++;
	}
	(void)snprintf(id, sizeof(id), "%s-plot-%" PRIu32, claim_id, first);
	plot.id = id;
	return lai_svg_plot(file, &plot);
}

static bool drawn_before(const struct lai_result *result, uint32_t series)
{
	for (uint32_t i = 0; i < series; i++)
		if (same_axes(&result->series[i], &result->series[series]))
			return true;
	return false;
}

static int put_plots(FILE *file, const char *claim_id, const struct lai_outcome_trial *trial)
{
	const struct lai_result *result = trial->result;
	struct lai_plot_point *points = calloc(result->point_count, sizeof(*points));
	int error = points ? 0 : -ENOMEM;

	(void)fprintf(file, "<h3>Curves of seed %" PRIu64 "</h3>\n", trial->seed);
	for (uint32_t i = 0; i < result->series_count && !error; i++)
		if (!drawn_before(result, i))
			error = put_plot(file, claim_id, result, i, points);
	free(points);
	return error;
}

int lai_lab_html_measured(FILE *file, const struct lai_outcome *outcome)
{
	put_numbers(file, outcome);
	for (size_t i = 0; i < outcome->trial_count; i++)
		if (outcome->trials[i].result->point_count > 0)
			return put_plots(file, outcome->claim->id, &outcome->trials[i]);
	return 0;
}
