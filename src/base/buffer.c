/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* malloc's own bookkeeping makes less not worth it. */
#define CAPACITY_MIN 256

void lai_buffer_done(struct lai_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct lai_buffer){0};
}

static void to_front(struct lai_buffer *buffer)
{
	size_t used = lai_buffer_used(buffer);

	if (buffer->begin > 0 && used > 0)
		memmove(buffer->bytes, buffer->bytes + buffer->begin, used);
	buffer->begin = 0;
	buffer->end = used;
}

char *lai_buffer_reserve(struct lai_buffer *buffer, size_t size)
{
	size_t used = lai_buffer_used(buffer), capacity = CAPACITY_MIN;
	char *bytes;

	if (buffer->bytes && buffer->capacity - buffer->end >= size)
		return buffer->bytes + buffer->end;
	if (buffer->bytes && buffer->capacity - used >= size) {
		to_front(buffer);
		return buffer->bytes + buffer->end;
	}
	if (size > SIZE_MAX / 4 - used)
		return NULL;
	while (capacity < used + size)
		capacity *= 2;
	bytes = malloc(capacity);
	if (!bytes)
		return NULL;
	if (used > 0)
		memcpy(bytes, buffer->bytes + buffer->begin, used);
	free(buffer->bytes);
	*buffer = (struct lai_buffer){.bytes = bytes, .end = used, .capacity = capacity};
	return bytes + used;
}

void lai_buffer_extend(struct lai_buffer *buffer, size_t size)
{
	assert(size <= buffer->capacity - buffer->end);
	buffer->end += size;
}

bool lai_buffer_append(struct lai_buffer *buffer, const void *data, size_t size)
{
	char *room = lai_buffer_reserve(buffer, size);

	if (!room)
		return false;
	if (size > 0)
		memcpy(room, data, size);
	buffer->end += size;
	return true;
}

void lai_buffer_consume(struct lai_buffer *buffer, size_t size)
{
	assert(size <= lai_buffer_used(buffer));
	buffer->begin += size;
	if (buffer->begin == buffer->end)
		buffer->begin = buffer->end = 0;
}

void lai_buffer_truncate(struct lai_buffer *buffer, size_t size)
{
	assert(size <= lai_buffer_used(buffer));
	buffer->end -= size;
	if (buffer->begin == buffer->end)
		buffer->begin = buffer->end = 0;
}

void lai_buffer_shrink(struct lai_buffer *buffer, size_t size)
{
	size_t used = lai_buffer_used(buffer), capacity = CAPACITY_MIN;
	char *bytes;

	if (used == 0) {
		lai_buffer_done(buffer);
		return;
	}
	while (capacity < used || capacity < size)
		capacity *= 2;
	if (capacity >= buffer->capacity)
		return;
	to_front(buffer);
	bytes = realloc(buffer->bytes, capacity);
	if (!bytes)
		return;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
}
