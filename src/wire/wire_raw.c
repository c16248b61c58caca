/* SPDX-License-Identifier: MIT */
/* tcp://: every byte is a boundary. */
#include "wire/wire.h"

static uint64_t last_boundary(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	(void)ring;
	(void)from;
	return to;
}

static uint64_t next_boundary(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	(void)ring;
	return from < to ? from + 1 : LAI_RING_NONE;
}

static uint64_t count(const struct lai_ring *ring, uint64_t from, uint64_t to)
{
	(void)ring;
	(void)from;
	(void)to;
	return 0;
}

const struct lai_wire lai_wire_raw = {
	.scheme = "tcp",
	.what = "raw bytes",
	.last_boundary = last_boundary,
	.next_boundary = next_boundary,
	.count = count,
	.terminator = "",
};
