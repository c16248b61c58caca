/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - when to try again: full jitter, so that a thousand clients do not come back in the
 * same second.
 *
 * The first failure after a stable time is retried at once; the n-th after that waits a random time
 * in [0, min(max, min * 2^(n-1))), where a min of 0 counts as 1 ms. Only a link that was stable
 * resets it: a server that accepts and closes at once, or refuses a login, must not be hammered.
 */
#ifndef LAI_LINK_BACKOFF_H
#define LAI_LINK_BACKOFF_H

#include "base/random.h"
#include "base/time.h"

struct lai_backoff {
	uint64_t min_ns, max_ns;
	uint32_t failures; /* since the last reset */
};

/* The delay before the next attempt. */
uint64_t lai_backoff_next(struct lai_backoff *backoff, struct lai_random *random);

/* The link was stable. */
void lai_backoff_reset(struct lai_backoff *backoff);

#endif
