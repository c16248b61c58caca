/* SPDX-License-Identifier: MIT */
/*
 * guard.h - how often an address may fail to log in: at most failures_max in failures_ns. IPv6
 * addresses count by their /64. A table of fixed size; the one heard longest ago makes room.
 */
#ifndef LAI_SERVE_GUARD_H
#define LAI_SERVE_GUARD_H

#include "base/address.h"

struct lai_guard;

int lai_guard_new(struct lai_guard **guard, uint32_t failures_max, uint64_t failures_ns,
		  uint64_t seed);
void lai_guard_free(struct lai_guard *guard);

/* 0: may try now; else after so many ns. An attempt counts as a failure from lai_guard_try() until
   lai_guard_succeeded(): many at once cannot slip through. */
uint64_t lai_guard_try(struct lai_guard *guard, const struct lai_address *address, uint64_t now_ns);
void lai_guard_succeeded(struct lai_guard *guard, const struct lai_address *address,
			 uint64_t now_ns);

#endif
