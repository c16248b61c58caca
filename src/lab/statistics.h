/* SPDX-License-Identifier: MIT */
/* statistics.h - what several measurements say together. Pure. */
#ifndef LAI_LAB_STATISTICS_H
#define LAI_LAB_STATISTICS_H

#include <stddef.h>

/* Sorts values in place; 0 < q < 1. NaN if there are none. */
double lai_quantile(double *values, size_t count, double q);
double lai_median(double *values, size_t count);

/* Wilson's 95 % interval of a proportion (E. B. Wilson 1927): good also at 0 and at count. */
struct lai_interval {
	double low, high;
};
struct lai_interval lai_proportion(size_t hits, size_t count);

/*
 * Where a series jumps: the index before which and from which the medians differ most, searched
 * in windows of count/20 (at least 8) to either side. *ratio: the median behind it by the one
 * before. 0: too short.
 */
size_t lai_changepoint(const double *values, size_t count, double *ratio);

#endif
