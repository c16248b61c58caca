/* SPDX-License-Identifier: MIT */
/*
 * pair.h - the other ends of a few sockets among many: what lai_pairs_new() does for all.
 *
 * The other end has the same two addresses, swapped. It is looked for in the same network namespace
 * first; then in the others, where it counts if exactly one fits. Loopback addresses never lead
 * out of their namespace.
 */
#ifndef LAI_JUDGE_PAIR_H
#define LAI_JUDGE_PAIR_H

#include "judge/judge.h"

/* wanted: indices of sockets, each once. One pass over the snapshot. 0 or -ENOMEM. */
int lai_pairs_new_of(const struct lai_snapshot *snapshot, const uint32_t *wanted, size_t count,
		     struct lai_pairs **pairs);

/* Where this socket stands in wanted; LAI_NO_INDEX: it does not. */
uint32_t lai_pairs_place(const struct lai_pairs *pairs, uint32_t socket);

/* True: the wanted socket's remote address is a local one of some socket in its namespace. */
bool lai_pairs_remote_is_local(const struct lai_pairs *pairs, uint32_t socket);

#endif
