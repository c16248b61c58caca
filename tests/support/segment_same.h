/* SPDX-License-Identifier: MIT */
/* segment_same.h - whether two segments say the same, for the unit test and the fuzz target. */
#ifndef T_SUPPORT_SEGMENT_SAME_H
#define T_SUPPORT_SEGMENT_SAME_H

#include "lab/segment.h"

#include <string.h>

static inline bool t_options_same(const struct lai_segment *a, const struct lai_segment *b)
{
	return a->mss == b->mss && a->has_scale == b->has_scale &&
	       (!a->has_scale || a->scale == b->scale) && a->sack_permitted == b->sack_permitted &&
	       a->has_timestamp == b->has_timestamp &&
	       (!a->has_timestamp || (a->ts_value == b->ts_value && a->ts_echo == b->ts_echo)) &&
	       a->sack_count == b->sack_count &&
	       memcmp(a->sacks, b->sacks, a->sack_count * sizeof(a->sacks[0])) == 0;
}

/* NULL is that many zeros, in what is built. */
static inline bool t_payload_same(const struct lai_segment *a, const struct lai_segment *b)
{
	if (a->payload_bytes != b->payload_bytes)
		return false;
	for (size_t i = 0; i < a->payload_bytes; i++)
		if ((a->payload ? a->payload[i] : 0) != (b->payload ? b->payload[i] : 0))
			return false;
	return true;
}

/* Everything but the sums. hops 0 is built as 64, so it is the same as 64. */
static inline bool t_segment_same(const struct lai_segment *a, const struct lai_segment *b)
{
	return lai_address_equal(&a->from, &b->from) && lai_address_equal(&a->to, &b->to) &&
	       a->seq == b->seq && a->ack == b->ack && a->flags == b->flags &&
	       a->window == b->window && a->urgent == b->urgent &&
	       (a->hops ? a->hops : 64) == (b->hops ? b->hops : 64) && t_options_same(a, b) &&
	       t_payload_same(a, b);
}

#endif
