/* SPDX-License-Identifier: MIT */
/* sim_queue.c - bytes, first in, first out, in one piece of memory so that a part can be pointed
 * at. */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES_MIN 256u /* smaller pieces are not worth a call of realloc() */

static int queue_grow(struct sim_queue *queue, size_t bytes)
{
	size_t size = queue->size ? queue->size : QUEUE_BYTES_MIN;
	uint8_t *data;

	while (size / 2 < queue->used + bytes)
		size *= 2;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	if (queue->used)
		memcpy(data, sim_queue_front(queue), queue->used);
	free(queue->data);
	queue->data = data;
	queue->size = size;
	queue->head = 0;
	return 0;
}

int sim_queue_push(struct sim_queue *queue, const void *data, size_t bytes)
{
	if (bytes == 0)
		return 0;
	/* At most half full: bytes are then moved to the front once per half, not at each push. */
	if (queue->used + bytes > queue->size / 2 && queue_grow(queue, bytes) < 0)
		return -ENOMEM;
	if (queue->head + queue->used + bytes > queue->size) {
		memmove(queue->data, sim_queue_front(queue), queue->used);
		queue->head = 0;
	}
	memcpy(sim_queue_front(queue) + queue->used, data, bytes);
	queue->used += bytes;
	return 0;
}

void sim_queue_drop(struct sim_queue *queue, size_t bytes)
{
	queue->used -= bytes;
	queue->head = queue->used ? queue->head + bytes : 0;
}

void sim_queue_done(struct sim_queue *queue)
{
	free(queue->data);
	memset(queue, 0, sizeof(*queue));
}
