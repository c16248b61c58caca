/* SPDX-License-Identifier: MIT */
/* statistics.c - quantiles, proportions and jumps. */
#include "lab/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Quantile of the normal distribution for a two-sided 95 %. */
#define Z_95 1.959963984540054
/* Windows of fewer values have medians that noise moves. */
#define WINDOW_VALUES_MIN 8
#define WINDOW_SHARE 20

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between two values it interpolates (the seventh type of Hyndman and Fan 1996). */
double lai_quantile(double *values, size_t count, double q)
{
	double at, below;
	size_t i;

	if (count == 0)
		return NAN;
	qsort(values, count, sizeof(*values), compare);
	at = q * (double)(count - 1);
	below = floor(at);
	i = (size_t)below;
	if (i + 1 >= count)
		return values[count - 1];
	return values[i] + (at - below) * (values[i + 1] - values[i]);
}

double lai_median(double *values, size_t count)
{
	return lai_quantile(values, count, 0.5);
}

struct lai_interval lai_proportion(size_t hits, size_t count)
{
	struct lai_interval interval = {0, 1};
	double n = (double)count, p, middle, half;

	if (count == 0)
		return interval;
	p = (double)hits / n;
	middle = (p + Z_95 * Z_95 / (2 * n)) / (1 + Z_95 * Z_95 / n);
	half = Z_95 * sqrt(p * (1 - p) / n + Z_95 * Z_95 / (4 * n * n)) / (1 + Z_95 * Z_95 / n);
	/* Rounding must not exclude what was seen. */
	interval.low = hits == 0 ? 0 : fmin(middle - half, p);
	interval.high = hits == count ? 1 : fmax(middle + half, p);
	return interval;
}

/* Where one window ends and the next begins, and the medians of both. */
struct step {
	size_t at;
	double before, behind;
};

static double median_of(const double *values, size_t count, double *room)
{
	memcpy(room, values, count * sizeof(*values));
	return lai_median(room, count);
}

static struct step step_at(const double *values, size_t at, size_t window, double *room)
{
	return (struct step){
		.at = at,
		.before = median_of(values + at - window, window, room),
		.behind = median_of(values + at, window, room),
	};
}

/* Up or down alike; from or to 0 it is as high as can be. */
static double step_height(const struct step *step)
{
	double low = fmin(step->before, step->behind), high = fmax(step->before, step->behind);

	if (low == high)
		return 1;
	return low > 0 ? high / low : INFINITY;
}

/*
 * While the windows slide over a jump their medians differ as much for half a window to either
 * side of it. Within that, the jump is the place which leaves fewest values on the wrong side of
 * the middle between both medians.
 */
static size_t step_refine(const double *values, const struct step *step, size_t window)
{
	double middle = (step->before + step->behind) / 2;
	bool rises = step->behind > step->before;
	long wrong = 0, wrong_min = 0; /* compared with the window's first place */
	size_t first = step->at - window, best = first;

	for (size_t i = first; i < step->at + window; i++) {
		wrong += (values[i] > middle) == rises ? 1 : -1;
		if (wrong < wrong_min) {
			wrong_min = wrong;
			best = i + 1;
		}
	}
	return best;
}

size_t lai_changepoint(const double *values, size_t count, double *ratio)
{
	size_t window = count / WINDOW_SHARE, stride;
	struct step best = {0};
	double *room;

	if (window < WINDOW_VALUES_MIN)
		window = WINDOW_VALUES_MIN;
	if (count < 2 * window || !(room = calloc(window, sizeof(*room))))
		return 0;
	/* Finer than the half window in which a jump is seen whole. */
	stride = window / WINDOW_VALUES_MIN;
	for (size_t at = window; at + window <= count; at += stride) {
		struct step step = step_at(values, at, window, room);

		if (best.at == 0 || step_height(&step) > step_height(&best))
			best = step;
	}
	free(room);
	*ratio = best.before > 0 ? best.behind / best.before : best.behind > 0 ? INFINITY : 1;
	return step_refine(values, &best, window);
}
