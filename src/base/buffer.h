/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - bytes in one piece that come in at the end and go out at the beginning, and grow.
 *
 *      bytes      begin            end        capacity
 *        |..........|===============|..............|
 *           free         kept            room
 *
 * For what must be contiguous (a frame that is parsed in place); a ring never grows and never
 * moves.
 */
#ifndef LAI_BASE_BUFFER_H
#define LAI_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct lai_buffer {
	char *bytes; /* NULL: nothing allocated, which is what zeroing makes */
	size_t begin, end, capacity;
};

void lai_buffer_done(struct lai_buffer *buffer); /* then as zeroed */

static inline size_t lai_buffer_used(const struct lai_buffer *buffer)
{
	return buffer->end - buffer->begin;
}

static inline char *lai_buffer_data(const struct lai_buffer *buffer)
{
	return buffer->bytes ? buffer->bytes + buffer->begin : NULL;
}

/*
 * At least size bytes of room at the end: where they may be written; then lai_buffer_extend().
 * Moves what is kept to the front before it grows, and grows to the next power of two. NULL: out of
 * memory, nothing changed.
 */
char *lai_buffer_reserve(struct lai_buffer *buffer, size_t size);
/* How much room there is at the end now. */
static inline size_t lai_buffer_room(const struct lai_buffer *buffer)
{
	return buffer->capacity - buffer->end;
}
void lai_buffer_extend(struct lai_buffer *buffer, size_t size);

/* false: out of memory, nothing was appended. */
bool lai_buffer_append(struct lai_buffer *buffer, const void *data, size_t size);

/* Forgets the first size bytes. */
void lai_buffer_consume(struct lai_buffer *buffer, size_t size);
/* Takes back the last size bytes. */
void lai_buffer_truncate(struct lai_buffer *buffer, size_t size);
/* Gives memory back: an empty buffer all of it, any other down to at least size. Best effort. */
void lai_buffer_shrink(struct lai_buffer *buffer, size_t size);

#endif
