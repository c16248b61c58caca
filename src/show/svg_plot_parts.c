/* SPDX-License-Identifier: MIT */
/* svg_plot_parts.c - round steps, readable numbers, and the strip of dots. */
#include "show/svg_plot.h"

#include <math.h>
#include <string.h>

double lai_plot_step(double range, unsigned ticks)
{
	double rough = range / ticks, power = pow(10, floor(log10(rough)));

	/* A hair less than the step itself counts as it: 0.1 * 3 is not 0.3. */
	for (int i = 0; i < 3; i++)
		if (power * (const double[]){1, 2, 5}[i] >= rough * (1 - 1e-9))
			return power * (const double[]){1, 2, 5}[i];
	return power * 10;
}

/* Thin spaces between the digits, three by three from the point on. */
static void group_thousands(char text[LAI_PLOT_NUMBER_MAX], const char *digits)
{
	size_t sign = *digits == '-', whole = strcspn(digits + sign, "."), length = 0;

	for (size_t i = 0; digits[i] && length + 4 < LAI_PLOT_NUMBER_MAX; i++) {
		if (i > sign && i < sign + whole && (sign + whole - i) % 3 == 0 && whole > 4) {
			memcpy(text + length, "\xe2\x80\x89", 3);
			length += 3;
		}
		text[length++] = digits[i];
	}
	text[length] = '\0';
}

const char *lai_plot_number(char text[LAI_PLOT_NUMBER_MAX], double value)
{
	double size = fabs(value);
	char digits[LAI_PLOT_NUMBER_MAX];
	int decimals = 0;

	if (!isfinite(value) || (size > 0 && (size < 1e-4 || size >= 1e9))) {
		(void)snprintf(text, LAI_PLOT_NUMBER_MAX, "%.4g", value);
		return text;
	}
	/* Whole numbers have all their digits: they count something. */
	if (value != floor(value))
		decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
	(void)snprintf(digits, sizeof(digits), "%.*f", decimals, value);
	if (decimals > 0) {
		char *end = digits + strlen(digits);

		while (end[-1] == '0')
			*--end = '\0';
		if (end[-1] == '.')
			*--end = '\0';
	}
	group_thousands(text, strcmp(digits, "-0") == 0 ? "0" : digits);
	return text;
}

/* --- the strip --- */

#define DOTS_WIDTH 120
#define DOTS_HEIGHT 18
#define DOTS_MARGIN 6

static double dots_x(double value, double from, double to)
{
	return DOTS_MARGIN + (DOTS_WIDTH - 2 * DOTS_MARGIN) * ((value - from) / (to - from));
}

void lai_svg_dots(FILE *file, const double *values, size_t count, double median)
{
	double least = INFINITY, greatest = -INFINITY, from, to;

	for (size_t i = 0; i < count; i++) {
		least = fmin(least, values[i]);
		greatest = fmax(greatest, values[i]);
	}
	from = fmin(least, 0);
	to = fmax(greatest, 0);
	if (count < LAI_PLOT_DOTS_MIN || !(least < greatest) || !isfinite(to - from))
		return;
	(void)fprintf(file,
		      "<svg class=\"dots\" role=\"img\" width=\"%d\" height=\"%d\" "
		      "viewBox=\"0 0 %d %d\"><title>%zu values on a scale from 0</title>"
		      "<path class=\"grid\" d=\"M%d %dH%dM%.1f 2V%d\"/>",
		      DOTS_WIDTH, DOTS_HEIGHT, DOTS_WIDTH, DOTS_HEIGHT, count, DOTS_MARGIN,
		      DOTS_HEIGHT / 2, DOTS_WIDTH - DOTS_MARGIN, dots_x(0, from, to),
		      DOTS_HEIGHT - 2);
	for (size_t i = 0; i < count; i++)
		if (isfinite(values[i]))
			(void)fprintf(file, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%d\" r=\"3\"/>",
				      dots_x(values[i], from, to), DOTS_HEIGHT / 2);
	if (isfinite(median))
		(void)fprintf(file, "<path class=\"median\" d=\"M%.1f 2V%d\"/>",
			      dots_x(median, from, to), DOTS_HEIGHT - 2);
	(void)fputs("</svg>", file);
}
