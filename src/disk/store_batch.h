/* SPDX-License-Identifier: MIT */
/*
 * store_batch.h - records on their way to a store, one behind the other in one piece of memory:
 *
 *      | head | sender destination headers body | pad | head | ...
 */
#ifndef LAI_DISK_STORE_BATCH_H
#define LAI_DISK_STORE_BATCH_H

#include "base/buffer.h"
#include "disk/store.h"

/*
 * Empties a buffer for size bytes to come: room for them, or NULL: out of memory. What a rare burst
 * made large is given back when much less is needed: a store is idle for days.
 */
char *lai_store_buffer_begin(struct lai_buffer *buffer, size_t size);

struct lai_store_batch {
	struct lai_buffer buffer;
	uint64_t ticket;
	size_t count; /* of records */
};

/* The memory that a record takes; 0: more than can be told. */
size_t lai_store_batch_cost(const struct lai_store_record *record);
static inline size_t lai_store_batch_bytes(const struct lai_store_batch *batch)
{
	return lai_buffer_used(&batch->buffer);
}

/* Copies the record. false: out of memory, nothing changed. */
bool lai_store_batch_put(struct lai_store_batch *batch, const struct lai_store_record *record);
/* Forgets the records. */
void lai_store_batch_clear(struct lai_store_batch *batch);
void lai_store_batch_done(struct lai_store_batch *batch);

/* The record at *place, which goes on to the next one; from 0. false: there is none. */
bool lai_store_batch_next(const struct lai_store_batch *batch, size_t *place,
			  struct lai_store_record *record);

#endif
