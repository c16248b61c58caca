/* SPDX-License-Identifier: MIT */
#include "disk/store_batch.h"

/* Of a head, and so of each record. */
#define ALIGNMENT sizeof(uint64_t)
/* A buffer up to that is not worth giving back. */
#define KEPT_BYTES (1u << 20)

char *lai_store_buffer_begin(struct lai_buffer *buffer, size_t size)
{
	if (buffer->capacity > KEPT_BYTES && size < buffer->capacity / 4)
		lai_buffer_done(buffer);
	lai_buffer_consume(buffer, lai_buffer_used(buffer));
	return lai_buffer_reserve(buffer, size > 0 ? size : 1);
}

struct head {
	uint64_t seq, received_us;
	size_t sender_size, destination_size, headers_size, body_size;
};

static bool add(size_t *sum, size_t size)
{
	return !__builtin_add_overflow(*sum, size, sum);
}

size_t lai_store_batch_cost(const struct lai_store_record *record)
{
	size_t sum = sizeof(struct head) + ALIGNMENT - 1;

	if (!add(&sum, record->sender.size) || !add(&sum, record->destination.size) ||
	    !add(&sum, record->headers.size) || !add(&sum, record->body.size))
		return 0;
	return sum - sum % ALIGNMENT;
}

static char *copy(char *to, struct lai_slice slice)
{
	if (slice.size > 0)
		memcpy(to, slice.data, slice.size);
	return to + slice.size;
}

bool lai_store_batch_put(struct lai_store_batch *batch, const struct lai_store_record *record)
{
	struct head head = {
		.seq = record->seq,
		.received_us = record->received_us,
		.sender_size = record->sender.size,
		.destination_size = record->destination.size,
		.headers_size = record->headers.size,
		.body_size = record->body.size,
	};
	size_t cost = lai_store_batch_cost(record);
	char *to = cost > 0 ? lai_buffer_reserve(&batch->buffer, cost) : NULL;

	if (!to)
		return false;
	memcpy(to, &head, sizeof(head));
	to = copy(to + sizeof(head), record->sender);
	to = copy(to, record->destination);
	to = copy(to, record->headers);
	(void)copy(to, record->body);
	lai_buffer_extend(&batch->buffer, cost);
	batch->count++;
	return true;
}

void lai_store_batch_clear(struct lai_store_batch *batch)
{
	/* What it held is a guess at what it will hold. */
	(void)lai_store_buffer_begin(&batch->buffer, lai_store_batch_bytes(batch));
	batch->count = 0;
}

void lai_store_batch_done(struct lai_store_batch *batch)
{
	lai_buffer_done(&batch->buffer);
	batch->count = 0;
}

static struct lai_slice take(const char **from, size_t size)
{
	struct lai_slice slice = {*from, size};

	*from += size;
	return slice;
}

bool lai_store_batch_next(const struct lai_store_batch *batch, size_t *place,
			  struct lai_store_record *record)
{
	const char *from = lai_buffer_data(&batch->buffer);
	struct head head;

	if (*place >= lai_store_batch_bytes(batch))
		return false;
	from += *place;
	memcpy(&head, from, sizeof(head));
	from += sizeof(head);
	record->seq = head.seq;
	record->received_us = head.received_us;
	record->sender = take(&from, head.sender_size);
	record->destination = take(&from, head.destination_size);
	record->headers = take(&from, head.headers_size);
	record->body = take(&from, head.body_size);
	*place += lai_store_batch_cost(record);
	return true;
}
