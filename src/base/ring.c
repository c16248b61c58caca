/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t place_of(const struct lai_ring *ring, uint64_t offset)
{
	return (size_t)(offset - ring->origin) & (ring->capacity - 1);
}

int lai_ring_init(struct lai_ring *ring, size_t capacity)
{
	size_t rounded = 1;

	while (rounded < capacity && rounded <= SIZE_MAX / 4)
		rounded *= 2;
	*ring = (struct lai_ring){.bytes = malloc(rounded), .capacity = rounded};
	return ring->bytes ? 0 : -ENOMEM;
}

void lai_ring_done(struct lai_ring *ring)
{
	free(ring->bytes);
	*ring = (struct lai_ring){0};
}

size_t lai_ring_room(struct lai_ring *ring, void **room)
{
	size_t place = place_of(ring, ring->end);
	size_t to_wrap = ring->capacity - place;
	size_t free_bytes = lai_ring_free(ring);

	*room = ring->bytes + place;
	return free_bytes < to_wrap ? free_bytes : to_wrap;
}

void lai_ring_extend(struct lai_ring *ring, size_t size)
{
	assert(size <= lai_ring_free(ring));
	ring->end += size;
}

size_t lai_ring_append(struct lai_ring *ring, const void *data, size_t size)
{
	const uint8_t *from = data;
	size_t left = size;

	while (left > 0) {
		void *room;
		size_t piece = lai_ring_room(ring, &room);

		if (piece == 0)
			break;
		piece = piece < left ? piece : left;
		memcpy(room, from, piece);
		lai_ring_extend(ring, piece);
		from += piece;
		left -= piece;
	}
	return size - left;
}

int lai_ring_view(const struct lai_ring *ring, uint64_t from, uint64_t to, struct iovec iov[2])
{
	size_t place = place_of(ring, from);
	size_t size = (size_t)(to - from);
	size_t first = ring->capacity - place < size ? ring->capacity - place : size;

	assert(from >= ring->begin && to <= ring->end && from <= to);
	iov[0] = (struct iovec){.iov_base = ring->bytes + place, .iov_len = first};
	iov[1] = (struct iovec){.iov_base = ring->bytes, .iov_len = size - first};
	return size == 0 ? 0 : first == size ? 1 : 2;
}

void lai_ring_forget(struct lai_ring *ring, uint64_t offset)
{
	assert(offset >= ring->begin && offset <= ring->end);
	ring->begin = offset;
	if (ring->begin == ring->end)
		ring->origin = ring->end;
}

void lai_ring_truncate(struct lai_ring *ring, uint64_t offset)
{
	assert(offset >= ring->begin && offset <= ring->end);
	ring->end = offset;
}

void lai_ring_cut(struct lai_ring *ring, uint64_t from, uint64_t to)
{
	assert(from >= ring->begin && to <= ring->end && from <= to);
	/* From the back, since the places overlap; as much at once as neither end wraps. */
	while (from > ring->begin && from != to) {
		size_t source = place_of(ring, from - 1) + 1, target = place_of(ring, to - 1) + 1;
		size_t piece = source < target ? source : target;

		if (piece > from - ring->begin)
			piece = (size_t)(from - ring->begin);
		memmove(ring->bytes + target - piece, ring->bytes + source - piece, piece);
		from -= piece;
		to -= piece;
	}
	ring->begin += to - from;
}

uint64_t lai_ring_find(const struct lai_ring *ring, uint64_t from, uint64_t to, uint8_t value)
{
	struct iovec iov[2];
	int count = lai_ring_view(ring, from, to, iov);

	for (int i = 0; i < count; i++) {
		const uint8_t *found = memchr(iov[i].iov_base, value, iov[i].iov_len);

		if (found)
			return from + (i ? iov[0].iov_len : 0) +
			       (size_t)(found - (const uint8_t *)iov[i].iov_base);
	}
	return LAI_RING_NONE;
}

uint64_t lai_ring_find_last(const struct lai_ring *ring, uint64_t from, uint64_t to, uint8_t value)
{
	struct iovec iov[2];

	for (int i = lai_ring_view(ring, from, to, iov) - 1; i >= 0; i--) {
		const uint8_t *found = memrchr(iov[i].iov_base, value, iov[i].iov_len);

		if (found)
			return from + (i ? iov[0].iov_len : 0) +
			       (size_t)(found - (const uint8_t *)iov[i].iov_base);
	}
	return LAI_RING_NONE;
}
