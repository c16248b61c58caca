/* SPDX-License-Identifier: MIT */
/*
 * svg_plot.h - curves and dots as SVG: axes with round ticks, a legend, a logarithmic axis where
 * the values span more than three decades. Style and colours are the page's (lab_html).
 */
#ifndef LAI_SHOW_SVG_PLOT_H
#define LAI_SHOW_SVG_PLOT_H

#include <stddef.h>
#include <stdio.h>

#define LAI_PLOT_CURVES_MAX 6
/* A curve with more points is drawn, per column of the picture, from its least to its greatest
   value there: what stands out stays visible. */
#define LAI_PLOT_POINTS_MAX 1000

struct lai_plot_point {
	double x, y;
};

struct lai_plot_curve {
	const char *name;
	const struct lai_plot_point *points; /* in the order of measuring */
	size_t count;
};

struct lai_plot {
	const char *id;	   /* unique in the page: begins the ids of its parts */
	const char *x, *y; /* the axes, with units */
	const struct lai_plot_curve *curves;
	size_t curve_count; /* <= LAI_PLOT_CURVES_MAX */
};

/* Points that are no finite numbers are left out, which the description says. Nothing is written if
   no point is left. 0; -ENOMEM; errors of the file are its ferror(). */
int lai_svg_plot(FILE *file, const struct lai_plot *plot);

/* A strip without numbers: the same value of several runs on a scale from 0 to the greatest (from
   the least to 0, or over both), with a mark at the median, so that a small spread looks small.
   Nothing is written for fewer than LAI_PLOT_DOTS_MIN values, which say no more than their
   numbers, or if all are equal. */
#define LAI_PLOT_DOTS_MIN 3
void lai_svg_dots(FILE *file, const double *values, size_t count, double median);

/*
 * A round distance of ticks (1, 2 or 5 times a power of ten), so that a range of this size has at
 * most `ticks` of them. range > 0, ticks > 0.
 */
double lai_plot_step(double range, unsigned ticks);

/* A number as an axis or a table has it: up to 4 significant digits, thousands grouped by a thin
   space (U+2009), no exponent between 0.0001 and 10^9. Returns text. */
#define LAI_PLOT_NUMBER_MAX 40
const char *lai_plot_number(char text[LAI_PLOT_NUMBER_MAX], double value);

#endif
