/* SPDX-License-Identifier: MIT */
/* What is taken from the spool to be sent, and what comes back as confirmed. */
#include "disk/spool_inside.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define SIZES_MIN 256

/* ---- sizes of what is loaded ---------------------------------------------------------------- */

static bool make_sizes(struct lai_spool_sizes *sizes)
{
	size_t capacity = sizes->capacity ? sizes->capacity * 2 : SIZES_MIN;
	struct lai_spool_loaded *items;

	if (sizes->end - sizes->begin < sizes->capacity)
		return true;
	items = calloc(capacity, sizeof(*items));
	if (!items)
		return false;
	for (uint64_t i = sizes->begin; i < sizes->end; i++)
		items[i & (capacity - 1)] = sizes->items[i & (sizes->capacity - 1)];
	free(sizes->items);
	sizes->items = items;
	sizes->capacity = capacity;
	return true;
}

static struct lai_spool_loaded *size_at(struct lai_spool_sizes *sizes, uint64_t place)
{
	return &sizes->items[place & (sizes->capacity - 1)];
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* A block that is not what it should be. It stays in its row until what is behind is confirmed. */
static int pass_over(struct lai_spool *spool, const struct lai_spool_head *head)
{
	uint64_t records = spool->records, bytes = spool->bytes;

	lai_spool_forget_block(spool, head, false);
	spool->damaged_blocks++;
	spool->damaged_records += records - spool->records;
	spool->damaged_bytes += bytes - spool->bytes;
	spool->dirty = true;
	return lai_error(&spool->database.why, -EBADMSG,
			 "%s: the block with the records %" PRIu64 " to %" PRIu64
			 " is damaged and passed over",
			 spool->database.path, head->first_seq, head->last_seq);
}

static int fetch(struct lai_spool *spool)
{
	struct lai_spool_block *block = NULL;
	struct lai_spool_head head;
	int error = lai_spool_file_next(spool, spool->fetched_first, spool->cursor_seq, &head);

	if (error == -ENOENT)
		spool->fetched_seq = spool->committed_seq;
	if (error == -EBADMSG) /* the tree of rows itself: calling again would not help */
		error = -EUCLEAN;
	if (error)
		return error;
	error = lai_spool_file_fetch(spool, &head, &block);
	if (error && error != -EBADMSG)
		return error;
	spool->fetched_first = head.first_seq;
	spool->fetched_seq = error ? head.first_seq : head.last_seq;
	if (error)
		return pass_over(spool, &head);
	spool->reading = block;
	return 0;
}

/* The block that has the next record. */
static int next_block(struct lai_spool *spool)
{
	if (spool->reading && spool->offset < spool->reading->size)
		return 0;
	lai_spool_block_give(spool, spool->reading);
	spool->reading = lai_spool_queue_pop(&spool->ready);
	spool->offset = 0;
	if (spool->reading)
		return 0;
	return spool->fetched_seq < spool->committed_seq ? fetch(spool) : -ENOENT;
}

/* ---- records -------------------------------------------------------------------------------- */

int lai_spool_load(struct lai_spool *spool, uint64_t *seq, const void **body, size_t *size)
{
	struct lai_spool_record record;
	int error;

	spool->can_unload = false;
	if (!make_sizes(&spool->loaded))
		return -ENOMEM;
	do {
		error = next_block(spool);
		if (error)
			return error;
		spool->unload_offset = spool->offset;
		spool->offset = lai_spool_record_at(spool->reading->data, spool->reading->size,
						    spool->offset, &record);
		assert(spool->offset != 0); /* it is whole */
	} while (record.seq <= spool->cursor_seq);
	*size_at(&spool->loaded, spool->loaded.end++) =
		(struct lai_spool_loaded){.seq = record.seq, .size = record.size};
	spool->unload_seq = spool->cursor_seq;
	spool->cursor_seq = record.seq;
	spool->can_unload = true;
	*seq = record.seq;
	*body = record.body;
	*size = record.size;
	return 0;
}

void lai_spool_unload(struct lai_spool *spool)
{
	assert(spool->can_unload);
	spool->can_unload = false;
	spool->loaded.end--;
	spool->offset = spool->unload_offset;
	spool->cursor_seq = spool->unload_seq;
}

void lai_spool_confirm(struct lai_spool *spool, uint64_t seq)
{
	struct lai_spool_sizes *loaded = &spool->loaded;

	spool->can_unload = false;
	if (seq > spool->cursor_seq)
		seq = spool->cursor_seq;
	if (seq <= spool->state.confirmed_seq)
		return;
	while (loaded->begin < loaded->end && size_at(loaded, loaded->begin)->seq <= seq) {
		lai_spool_forget(spool, 1, size_at(loaded, loaded->begin)->size);
		loaded->begin++;
	}
	spool->state.confirmed_seq = seq;
	spool->dirty = true;
}
