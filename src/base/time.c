/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bound for typing errors: nobody waits a century for a FIN. */
#define TIME_S_MAX (100.0 * 365 * 24 * 3600)

static const struct {
	const char *suffix;
	double seconds;
} units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1},     {"sec", 1},
	     {"m", 60},	   {"min", 60},	 {"h", 3600},  {"d", 86400}, {"", 1}};

int lai_time_parse(const char *text, uint64_t *duration_ns)
{
	char *end = NULL;
	double value;

	if (strcmp(text, "never") == 0 || strcmp(text, "forever") == 0) {
		*duration_ns = LA_NEVER;
		return 0;
	}
	/* strtod() would also take "0x1p3", "nan", "inf" and leading blanks. */
	if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") == 0 ||
	    text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (value * units[i].seconds > TIME_S_MAX)
			return -ERANGE;
		*duration_ns = (uint64_t)(value * units[i].seconds * 1e9 + 0.5);
		return 0;
	}
	return -EINVAL;
}

const char *lai_time_format(char text[LAI_TIME_TEXT_MAX], uint64_t duration_ns)
{
	double s = (double)duration_ns / 1e9;
	uint64_t whole = duration_ns / LAI_S;

	if (duration_ns == LA_NEVER)
		snprintf(text, LAI_TIME_TEXT_MAX, "never");
	else if (duration_ns == 0)
		snprintf(text, LAI_TIME_TEXT_MAX, "0 s");
	else if (duration_ns < LAI_MS)
		snprintf(text, LAI_TIME_TEXT_MAX, "%.4g us", s * 1e6);
	else if (duration_ns < LAI_S)
		snprintf(text, LAI_TIME_TEXT_MAX, "%.4g ms", s * 1e3);
	else if (whole < 120)
		snprintf(text, LAI_TIME_TEXT_MAX, "%.4g s", s);
	else if (whole < 7200)
		snprintf(text, LAI_TIME_TEXT_MAX, "%" PRIu64 " min %" PRIu64 " s", whole / 60,
			 whole % 60);
	else if (whole < 48 * 3600)
		snprintf(text, LAI_TIME_TEXT_MAX, "%" PRIu64 " h %" PRIu64 " min", whole / 3600,
			 whole / 60 % 60);
	else
		snprintf(text, LAI_TIME_TEXT_MAX, "%.1f d", s / 86400);
	return text;
}
