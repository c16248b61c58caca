/* SPDX-License-Identifier: MIT */
#include "serve/rate.h"

#include <assert.h>

/* The bucket holds this part of what comes in a second: smooth, and few wake-ups. */
#define BURSTS_PER_S 10

void lai_rate_init(struct lai_rate *rate, uint64_t bytes_per_s, uint64_t now_ns)
{
	uint64_t burst_bytes = bytes_per_s / BURSTS_PER_S;

	*rate = (struct lai_rate){
		.bytes_per_s = bytes_per_s,
		.burst_bytes = burst_bytes ? burst_bytes : 1,
		.updated_ns = now_ns,
	};
	rate->credit = (unsigned __int128)rate->burst_bytes * LAI_S;
}

static void refill(struct lai_rate *rate, uint64_t now_ns)
{
	unsigned __int128 most = (unsigned __int128)rate->burst_bytes * LAI_S;

	rate->credit +=
		(unsigned __int128)rate->bytes_per_s * lai_time_since(rate->updated_ns, now_ns);
	if (rate->credit > most)
		rate->credit = most;
	if (now_ns > rate->updated_ns)
		rate->updated_ns = now_ns;
}

/* What must be in the bucket before a rest ends. */
static unsigned __int128 worthwhile(const struct lai_rate *rate)
{
	return (unsigned __int128)(rate->burst_bytes / 2 + rate->burst_bytes % 2) * LAI_S;
}

size_t lai_rate_allows(struct lai_rate *rate, uint64_t now_ns)
{
	unsigned __int128 bytes;

	if (rate->bytes_per_s == 0)
		return SIZE_MAX;
	refill(rate, now_ns);
	if (rate->resting && rate->credit < worthwhile(rate))
		return 0;
	bytes = rate->credit / LAI_S;
	rate->resting = bytes == 0;
	return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

void lai_rate_take(struct lai_rate *rate, size_t size)
{
	unsigned __int128 cost = (unsigned __int128)size * LAI_S;

	if (rate->bytes_per_s == 0)
		return;
	assert(cost <= rate->credit);
	rate->credit -= cost;
}

uint64_t lai_rate_ready(const struct lai_rate *rate)
{
	unsigned __int128 missing, wait_ns;

	if (rate->bytes_per_s == 0 || rate->credit >= worthwhile(rate))
		return rate->updated_ns;
	missing = worthwhile(rate) - rate->credit;
	wait_ns = (missing + rate->bytes_per_s - 1) / rate->bytes_per_s;
	return lai_time_after(rate->updated_ns, (uint64_t)wait_ns);
}
