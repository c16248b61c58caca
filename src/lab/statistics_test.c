/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/statistics.h"

#include "base/random.h"

#include <math.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double a, double b, double tolerance)
{
	if (!(fabs(a - b) <= tolerance))
		fail_msg("%.9g is not %.9g +- %g", a, b, tolerance);
}

static void test_quantiles(void **state)
{
	double values[] = {5, 1, 4, 2, 3}, even[] = {4, 1, 3, 2}, one[] = {7};

	(void)state;
	assert_near(lai_median(values, COUNT(values)), 3, 0);
	assert_near(values[0], 1, 0);
	assert_near(values[4], 5, 0);
	assert_near(lai_quantile(values, COUNT(values), 0.25), 2, 0);
	assert_near(lai_quantile(values, COUNT(values), 0.9), 4.6, 1e-12);
	assert_near(lai_median(even, COUNT(even)), 2.5, 0);
	assert_near(lai_quantile(one, 1, 0.99), 7, 0);
	assert_true(isnan(lai_median(NULL, 0)));
}

static void test_proportions(void **state)
{
	/* The well-known values of Wilson's interval: z = 1.96. */
	static const struct {
		size_t hits, count;
		double low, high;
	} rows[] = {
		{0, 10, 0, 0.2775},	  {10, 10, 0.7225, 1}, {5, 10, 0.2366, 0.7634},
		{1, 100, 0.0018, 0.0545}, {0, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lai_interval interval = lai_proportion(rows[i].hits, rows[i].count);

		assert_near(interval.low, rows[i].low, 5e-5);
		assert_near(interval.high, rows[i].high, 5e-5);
	}
}

/* Noise of half the level, and one outlier in twenty that is a hundred times as high. */
static double noisy(struct lai_random *random, double level)
{
	double noise = 1 + (double)lai_random_below(random, 1000) / 2000;

	return level * noise * (lai_random_below(random, 20) == 0 ? 100 : 1);
}

static void test_jumps(void **state)
{
	static const struct {
		size_t count, at;
		double before, behind;
	} rows[] = {
		{4000, 2000, 16, 270}, {4000, 2000, 270, 16}, {28000, 14000, 16, 1800},
		{100, 40, 1, 10},      {400, 390, 1, 10},
	};
	struct lai_random random = {7};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		double *values = calloc(rows[i].count, sizeof(*values)), ratio = 0;
		size_t at;

		assert_non_null(values);
		for (size_t j = 0; j < rows[i].count; j++)
			values[j] =
				noisy(&random, j < rows[i].at ? rows[i].before : rows[i].behind);
		at = lai_changepoint(values, rows[i].count, &ratio);
		if (i < COUNT(rows) - 1) {
			/* Outliers look like the other side. */
			assert_near((double)at, (double)rows[i].at, 8);
			assert_near(log(ratio), log(rows[i].behind / rows[i].before), log(1.3));
		} else {
			/* Nearer to the end than a window. */
			assert_true(at >= 360 && at <= 400);
		}
		free(values);
	}
}

static void test_no_jump(void **state)
{
	struct lai_random random = {11};
	double values[2000], ratio = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = noisy(&random, 16);
	(void)lai_changepoint(values, COUNT(values), &ratio);
	assert_true(ratio > 0.7 && ratio < 1.4);
	for (size_t i = 0; i < COUNT(values); i++)
		values[i] = 5;
	(void)lai_changepoint(values, COUNT(values), &ratio);
	assert_near(ratio, 1, 0);
	ratio = 17;
	assert_int_equal(lai_changepoint(values, 15, &ratio), 0);
	assert_near(ratio, 17, 0);
}

static void test_jump_from_zero(void **state)
{
	double values[64] = {0}, ratio = 0;

	(void)state;
	for (size_t i = 32; i < COUNT(values); i++)
		values[i] = 3;
	assert_int_equal(lai_changepoint(values, COUNT(values), &ratio), 32);
	assert_true(isinf(ratio));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "quantiles lie between the values", .test_func = test_quantiles},
		{.name = "intervals of proportions are Wilson's", .test_func = test_proportions},
		{.name = "a jump is found in noise with outliers", .test_func = test_jumps},
		{.name = "where nothing jumps the ratio is about 1", .test_func = test_no_jump},
		{.name = "a jump up from 0 is infinite", .test_func = test_jump_from_zero},
	};

	return cmocka_run_group_tests_name("lab.statistics", tests, NULL, NULL);
}
