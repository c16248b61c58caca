/* SPDX-License-Identifier: MIT */
/* lines://: a record is everything up to and including a newline. */
#include "wire/wire.h"

static uint64_t last_boundary(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	uint64_t newline = lai_ring_find_last(ring, from, to, '\n');

	return newline == LAI_RING_NONE ? from : newline + 1;
}

static uint64_t next_boundary(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	uint64_t newline = lai_ring_find(ring, from, to, '\n');

	return newline == LAI_RING_NONE ? LAI_RING_NONE : newline + 1;
}

static uint64_t count(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	uint64_t records = 0;

	while ((from = next_boundary(ring, from, to)) != LAI_RING_NONE)
		records++;
	return records;
}

const struct lai_wire lai_wire_lines = {
	.scheme = "lines",
	.what = "lines",
	.has_records = true,
	.last_boundary = last_boundary,
	.next_boundary = next_boundary,
	.count = count,
	.terminator = "\n",
};
