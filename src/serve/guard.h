/* SPDX-License-Identifier: MIT */
/*
 * guard.h - how often an address may fail to log in: at most failures_max in failures_ns. IPv6
 * addresses count by their /64. A table of fixed size; the one heard longest ago makes room.
 *
 * The window slides: each failure is forgotten failures_ns after it happened, so there is no moment
 * at which a patient guesser gets two windows' worth. What is refused meanwhile does not count.
 */
#ifndef LAI_SERVE_GUARD_H
#define LAI_SERVE_GUARD_H

#include "base/address.h"

struct lai_guard;

/* How many addresses are remembered; and the most failures of one (a larger failures_max counts as
   this, 0 as 1): an address costs 8 bytes for each, once it has failed. */
#define LAI_GUARD_ADDRESSES_MAX 4096
#define LAI_GUARD_FAILURES_MAX 1000

/* seed: unknown to those outside, or they could choose addresses that are slow to find. 0 or
   -ENOMEM. */
int lai_guard_new(struct lai_guard **guard, uint32_t failures_max, uint64_t failures_ns,
		  uint64_t seed);
void lai_guard_free(struct lai_guard *guard); /* NULL is fine */

/*
 * 0: may try now; else after so many ns. An attempt counts as a failure from lai_guard_try() until
 * lai_guard_succeeded(): many at once cannot slip through. So call it when a check begins, not when
 * it is put into a queue, or a crowd of good clients behind one address looks like a guesser.
 */
uint64_t lai_guard_try(struct lai_guard *guard, const struct lai_address *address, uint64_t now_ns);
/* The attempt of that address was none: takes its newest failure back. */
void lai_guard_succeeded(struct lai_guard *guard, const struct lai_address *address,
			 uint64_t now_ns);

/* How many addresses it remembers now: at most LAI_GUARD_ADDRESSES_MAX. */
size_t lai_guard_count(const struct lai_guard *guard);

#endif
