/* SPDX-License-Identifier: MIT */
#include "show/svg_plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The SVG of one curve; for free(). */
static char *draw(const struct lai_plot_point *points, size_t count)
{
	struct lai_plot_curve curve = {.name = "a <curve>", .points = points, .count = count};
	struct lai_plot plot = {.id = "p",
				.x = "time, s",
				.y = "rate & more, 1/s",
				.curves = &curve,
				.curve_count = 1};
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	assert_int_equal(lai_svg_plot(file, &plot), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		count++;
	return count;
}

static void steps_are_round(void **state)
{
	static const struct {
		double range, step;
		unsigned ticks;
	} rows[] = {
		{10, 2, 6},   {1, 0.2, 6},     {7, 2, 6},     {0.3, 0.05, 6}, {100, 20, 5},
		{101, 50, 5}, {1e-6, 2e-7, 5}, {3e9, 5e8, 6}, {1, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_float_equal(lai_plot_step(rows[i].range, rows[i].ticks) / rows[i].step, 1,
				   1e-6);
}

static void numbers_are_readable(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{-0.0, "0"},
		{7, "7"},
		{1234, "1234"},
		{12345, "12\xe2\x80\x89"
			"345"},
		{-1234567, "-1\xe2\x80\x89"
			   "234\xe2\x80\x89"
			   "567"},
		{0.5, "0.5"},
		{0.00123, "0.0012"},
		{3.14159, "3.142"},
		{99.987, "99.99"},
		{1234.5, "1234"},
		{1e12, "1e+12"},
		{1e-9, "1e-09"},
		{NAN, "nan"},
	};
	char text[LAI_PLOT_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!isnan(rows[i].value))
			assert_string_equal(lai_plot_number(text, rows[i].value), rows[i].text);
	assert_non_null(strstr(lai_plot_number(text, NAN), "nan"));
}

static void a_short_curve_has_a_line_and_its_points(void **state)
{
	static const struct lai_plot_point points[] = {{0, 1}, {1, 4}, {2, 9}};
	char *text = draw(points, 3);

	(void)state;
	assert_int_equal(occurrences(text, "class=\"curve c0\""), 2); /* and the legend's */
	assert_int_equal(occurrences(text, "class=\"mark c0\""), 3 + 1);
	assert_non_null(strstr(text, "a &lt;curve&gt; (3 points)"));
	assert_non_null(strstr(text, "rate &amp; more, 1/s"));
	assert_null(strstr(text, "logarithmic"));
	free(text);
}

static void points_without_order_are_only_dots(void **state)
{
	static const struct lai_plot_point points[] = {{2, 1}, {1, 4}, {1, 9}};
	char *text = draw(points, 3);

	(void)state;
	assert_int_equal(occurrences(text, "class=\"curve c0\""), 1);
	assert_int_equal(occurrences(text, "class=\"mark c0\""), 3 + 1);
	free(text);
}

static void more_than_three_decades_are_logarithmic(void **state)
{
	static const struct lai_plot_point wide[] = {{1, 0.5}, {2, 600}, {3, 5}};
	static const struct lai_plot_point narrow[] = {{1, 0.5}, {2, 499}, {3, 5}};
	static const struct lai_plot_point zero[] = {{1, 0}, {2, 1e6}, {3, 5}};
	char *text;

	(void)state;
	text = draw(wide, 3);
	assert_non_null(strstr(text, "1/s (logarithmic)"));
	assert_non_null(strstr(text, ">1000<"));
	assert_null(strstr(text, "time, s (logarithmic)"));
	free(text);
	text = draw(narrow, 3);
	assert_null(strstr(text, "logarithmic"));
	free(text);
	text = draw(zero, 3);
	assert_null(strstr(text, "logarithmic"));
	free(text);
}

/* The one value among many that stands out must be seen. */
static void thinning_keeps_what_stands_out(void **state)
{
	enum { COUNT = 5000 };
	struct lai_plot_point *points = calloc(COUNT, sizeof(*points));
	char *text, *path, *end;
	double top = 1e9;

	(void)state;
	assert_non_null(points);
	for (size_t i = 0; i < COUNT; i++)
		points[i] = (struct lai_plot_point){.x = (double)i, .y = i == 3333 ? 100 : 1};
	text = draw(points, COUNT);
	path = strstr(text, "class=\"columns c0\" d=\"");
	assert_non_null(path);
	assert_non_null(strstr(text, "least to greatest in each column"));
	end = strchr(strstr(path, "d=\"") + 3, '"');
	assert_in_range(end - path, 1000, 20000); /* a column each, not a point each */
	for (char *at = path; (at = strchr(at, 'V')) && at < end; at++)
		top = fmin(top, strtod(at + 1, NULL));
	assert_true(top < 20); /* of the field's 16: 100 is the upper edge */
	free(text);
	free(points);
}

static void what_is_no_number_is_left_out_and_said(void **state)
{
	static const struct lai_plot_point some[] = {{0, NAN}, {1, 1}, {2, INFINITY}, {3, 2}};
	static const struct lai_plot_point none[] = {{NAN, 1}};
	char *text = draw(some, 4);

	(void)state;
	assert_non_null(strstr(text, "2 points are no numbers"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
	text = draw(none, 1);
	assert_string_equal(text, "");
	free(text);
}

static void one_value_has_an_axis_too(void **state)
{
	static const struct lai_plot_point same[] = {{5, 7}, {5, 7}};
	static const struct lai_plot_point zero[] = {{0, 0}};
	static const struct lai_plot_point near[] = {{1e15, 1}, {1e15 + 1, 1}};
	static const struct lai_plot_point far[] = {{-1e299, -1e299}, {1e299, 1e299}};
	const struct {
		const struct lai_plot_point *points;
		size_t count;
	} rows[] = {{same, 2}, {zero, 1}, {near, 2}, {far, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = draw(rows[i].points, rows[i].count);

		assert_in_range(occurrences(text, "class=\"tick\""), 2, 30);
		assert_null(strstr(text, "nan"));
		free(text);
	}
}

static char *strip(const double *values, size_t count, double median)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	lai_svg_dots(file, values, count, median);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* Where the first dot stands. */
static double first_dot(const char *text)
{
	const char *dot = strstr(text, "<circle class=\"dot\" cx=\"");

	assert_non_null(dot);
	return strtod(dot + strlen("<circle class=\"dot\" cx=\""), NULL);
}

static void the_strip_needs_different_values(void **state)
{
	static const double different[] = {1, 2, 4}, equal[] = {3, 3, 3}, none[] = {NAN, NAN, NAN};
	char *text = strip(equal, 3, 3);

	(void)state;
	assert_string_equal(text, "");
	free(text);
	text = strip(different, 2, 1);
	assert_string_equal(text, "");
	free(text);
	text = strip(none, 3, NAN);
	assert_string_equal(text, "");
	free(text);
	text = strip(different, 3, 2);
	assert_int_equal(occurrences(text, "<circle"), 3);
	assert_int_equal(occurrences(text, "class=\"median\""), 1);
	free(text);
}

/* A spread of 1 % is a hundredth of the strip, one of all a whole. */
static void the_strip_has_its_scale_from_zero(void **state)
{
	static const double near[] = {99, 99.5, 100}, wide[] = {0, 50, 100},
			    below[] = {-100, -99, -1};
	char *text = strip(near, 3, 99.5);
	double at = first_dot(text);

	(void)state;
	assert_true(at > 112 && at < 114);
	free(text);
	text = strip(wide, 3, 50);
	assert_true(first_dot(text) < 7);
	free(text);
	text = strip(below, 3, -99);
	assert_true(first_dot(text) < 7);
	free(text);
}

/* The picture ends behind the label of the last tick, of whatever number. */
static void the_last_tick_has_room(void **state)
{
	static const struct lai_plot_point far[] = {{0, 0}, {999999999, 999999999}};
	char *text = draw(far, 2), *last = text;

	(void)state;
	for (char *at = text; (at = strstr(at, "text-anchor=\"middle\">")); at++)
		if (strncmp(at - 6, "\"264\" ", 6) == 0)
			last = at;
	assert_true(last > text);
	while (strncmp(last, " x=\"", 4) != 0)
		last--;
	/* "1 000 000 000" is 13 glyphs, half of them before the tick; 6 px each are plenty. */
	assert_true(strtod(last + 4, NULL) + 6.5 * 6 <= 720);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "steps of ticks are 1, 2 or 5 times a power of ten",
		 .test_func = steps_are_round},
		{.name = "numbers are readable", .test_func = numbers_are_readable},
		{.name = "a short curve has a line, its points and an escaped legend",
		 .test_func = a_short_curve_has_a_line_and_its_points},
		{.name = "points whose x does not grow are dots without a line",
		 .test_func = points_without_order_are_only_dots},
		{.name = "an axis over more than three decades is logarithmic, and only that",
		 .test_func = more_than_three_decades_are_logarithmic},
		{.name = "thinning 5,000 points keeps the one that stands out",
		 .test_func = thinning_keeps_what_stands_out},
		{.name = "what is no number is left out, and said",
		 .test_func = what_is_no_number_is_left_out_and_said},
		{.name = "equal, single, near and huge values have an axis too",
		 .test_func = one_value_has_an_axis_too},
		{.name = "the strip of dots needs values that differ",
		 .test_func = the_strip_needs_different_values},
		{.name = "the strip's scale begins at 0: a small spread looks small",
		 .test_func = the_strip_has_its_scale_from_zero},
		{.name = "the last tick's label has room in the picture",
		 .test_func = the_last_tick_has_room},
	};

	return cmocka_run_group_tests_name("show.svg_plot", tests, NULL, NULL);
}
