/* SPDX-License-Identifier: MIT */
/* demo_clock.h - the time of the demo and its servers. */
#ifndef LAI_CLI_DEMO_CLOCK_H
#define LAI_CLI_DEMO_CLOCK_H

#include "base/time.h"

#include <limits.h>
#include <time.h>

/* CLOCK_MONOTONIC, which is the same in all processes of a host. */
static inline uint64_t lai_demo_now(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LAI_S + (uint64_t)ts.tv_nsec;
}

/* For poll(): rounded up, since waking too early means waking twice. LA_NEVER: no bound. */
static inline int lai_demo_timeout_ms(uint64_t deadline_ns)
{
	if (deadline_ns == LA_NEVER)
		return -1;
	return (int)lai_time_min(
		(lai_time_since(lai_demo_now(), deadline_ns) + LAI_MS - 1) / LAI_MS, INT_MAX);
}

#endif
