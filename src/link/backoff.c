/* SPDX-License-Identifier: MIT */
#include "link/backoff.h"

/* Doubling nothing stays nothing: "0s..10s" would never wait. */
#define MIN_NS (1 * LAI_MS)

uint64_t lai_backoff_next(struct lai_backoff *backoff, struct lai_random *random)
{
	uint64_t ceiling_ns = backoff->min_ns ? backoff->min_ns : MIN_NS;

	if (backoff->failures++ == 0)
		return 0;
	for (uint32_t n = 2; n < backoff->failures && ceiling_ns < backoff->max_ns; n++)
		ceiling_ns = ceiling_ns > backoff->max_ns / 2 ? backoff->max_ns : ceiling_ns * 2;
	return lai_random_below(random, lai_time_min(ceiling_ns, backoff->max_ns));
}

void lai_backoff_reset(struct lai_backoff *backoff)
{
	backoff->failures = 0;
}
