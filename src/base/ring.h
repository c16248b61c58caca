/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a circular byte buffer addressed by stream offsets.
 *
 *        begin                      end          begin + capacity
 *   ......|=========================|...................|
 *  forgotten         kept                  room
 *
 * The byte that was appended n-th has offset n for ever (but see lai_ring_cut()). Fixed size, no
 * allocation after init.
 */
#ifndef LAI_BASE_RING_H
#define LAI_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct lai_ring {
	uint8_t *bytes;
	size_t capacity; /* a power of two */
	uint64_t begin, end;
	uint64_t origin; /* offset of the byte at place 0: an empty ring starts there again, in warm
			    cache */
};

/* capacity is rounded up to a power of two. 0, or -ENOMEM. */
int lai_ring_init(struct lai_ring *ring, size_t capacity);
void lai_ring_done(struct lai_ring *ring);

static inline size_t lai_ring_used(const struct lai_ring *ring)
{
	return (size_t)(ring->end - ring->begin);
}

static inline size_t lai_ring_free(const struct lai_ring *ring)
{
	return ring->capacity - lai_ring_used(ring);
}

/* The longest contiguous room at the end; fill it, then lai_ring_extend(). */
size_t lai_ring_room(struct lai_ring *ring, void **room);
void lai_ring_extend(struct lai_ring *ring, size_t size);

/* Copies in as much as fits; returns how much. */
size_t lai_ring_append(struct lai_ring *ring, const void *data, size_t size);

/* The bytes [from, to) in at most two pieces; returns the number of pieces. Asserts that they are
 * kept. */
int lai_ring_view(const struct lai_ring *ring, uint64_t from, uint64_t to, struct iovec iov[2]);

/* Forgets everything before offset. */
void lai_ring_forget(struct lai_ring *ring, uint64_t offset);

/* Takes back everything from offset on. */
void lai_ring_truncate(struct lai_ring *ring, uint64_t offset);

/*
 * Takes the bytes [from, to) out of the middle. What stood before them moves up: afterwards
 * begin has grown by to - from, and so has the offset of every byte that stood before from.
 */
void lai_ring_cut(struct lai_ring *ring, uint64_t from, uint64_t to);

/* Offset of the first / last byte of this value in [from, to); LAI_RING_NONE if there is none. */
#define LAI_RING_NONE UINT64_MAX
uint64_t lai_ring_find(const struct lai_ring *ring, uint64_t from, uint64_t to, uint8_t value);
uint64_t lai_ring_find_last(const struct lai_ring *ring, uint64_t from, uint64_t to, uint8_t value);

#endif
