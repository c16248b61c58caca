/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the time of this host, for the rooms that may ask for it. The sans-I/O rooms (conn,
 * link, wire, serve) must not: to them time comes in as an argument.
 */
#ifndef LAI_BASE_CLOCK_H
#define LAI_BASE_CLOCK_H

#include "base/time.h"

#include <time.h>

static inline uint64_t lai_clock_read(clockid_t clock)
{
	struct timespec ts = {0};

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * LAI_S + (uint64_t)ts.tv_nsec;
}

/* CLOCK_MONOTONIC, which is the same in all processes of a host. */
static inline uint64_t lai_clock_now(void)
{
	return lai_clock_read(CLOCK_MONOTONIC);
}

/* For poll() and epoll_wait(): rounded up, since waking too early means waking twice; -1:
   no bound. */
static inline int lai_clock_timeout_ms(uint64_t deadline_ns)
{
	uint64_t left_ns = lai_time_since(lai_clock_now(), deadline_ns);

	if (deadline_ns == LA_NEVER)
		return -1;
	return (int)lai_time_min(lai_time_after(left_ns, LAI_MS - 1) / LAI_MS, INT32_MAX);
}

#endif
