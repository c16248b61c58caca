/* SPDX-License-Identifier: MIT */
/*
 * time.h - durations and points in time: nanoseconds in uint64_t, LA_NEVER for "does not come".
 * Arithmetic saturates at LA_NEVER instead of wrapping.
 */
#ifndef LAI_BASE_TIME_H
#define LAI_BASE_TIME_H

#include <lastack/report.h>

#define LAI_US 1000ull
#define LAI_MS (1000ull * LAI_US)
#define LAI_S (1000ull * LAI_MS)

/* The latest of these points in time is LA_NEVER; so is anything later than LA_NEVER. */
static inline uint64_t lai_time_after(uint64_t start_ns, uint64_t duration_ns)
{
	return duration_ns > LA_NEVER - start_ns ? LA_NEVER : start_ns + duration_ns;
}

/* How long after start_ns is now_ns; 0 if it is not after it. */
static inline uint64_t lai_time_since(uint64_t start_ns, uint64_t now_ns)
{
	return now_ns > start_ns ? now_ns - start_ns : 0;
}

static inline uint64_t lai_time_min(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/*
 * Reads a duration: a number (a decimal fraction is fine) and one of ns us ms s m h d; "never".
 * A bare number is seconds. 0 on success, -EINVAL (not a duration) or -ERANGE (over 100 years);
 * *duration_ns is written only on success.
 */
int lai_time_parse(const char *text, uint64_t *duration_ns);

/* Longest text of lai_time_format(), with its NUL. */
#define LAI_TIME_TEXT_MAX 24

/* Writes a duration as people say it ("20 s", "1.5 ms", "3 h 12 min", "never"); returns text. */
const char *lai_time_format(char text[LAI_TIME_TEXT_MAX], uint64_t duration_ns);

#endif
