/* SPDX-License-Identifier: MIT */
/*
 * rate.h - a token bucket: how many bytes may be read now, so that over time it is bytes_per_s.
 *
 * The bucket holds a tenth of a second's worth. Once empty it rests until it is half full, so that
 * a slow rate does not mean to wake up for every byte.
 */
#ifndef LAI_SERVE_RATE_H
#define LAI_SERVE_RATE_H

#include "base/time.h"

struct lai_rate {
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t burst_bytes;
	unsigned __int128 credit; /* bytes times LAI_S, so that nothing is rounded away */
	uint64_t updated_ns;
	bool resting;
};

/* The bucket begins full. */
void lai_rate_init(struct lai_rate *rate, uint64_t bytes_per_s, uint64_t now_ns);

/* How many bytes may be taken now; 0: rest until lai_rate_ready(). No limit: SIZE_MAX. */
size_t lai_rate_allows(struct lai_rate *rate, uint64_t now_ns);

/* size: at most what lai_rate_allows() said. */
void lai_rate_take(struct lai_rate *rate, size_t size);

/* When lai_rate_allows() will say more than 0, asked after it has said 0. */
uint64_t lai_rate_ready(const struct lai_rate *rate);

#endif
