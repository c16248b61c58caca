/* SPDX-License-Identifier: MIT */
/* What the spool accepts, and what the quota does about it. */
#include "disk/spool_inside.h"

#include <assert.h>
#include <errno.h>

/* ---- dropping the oldest -------------------------------------------------------------------- */

static bool note_drop(struct lai_spool *spool, const struct lai_spool_head *head)
{
	struct lai_spool_range *last =
		spool->drop_count ? &spool->drops[spool->drop_count - 1] : NULL;

	if (last && head->first_seq == last->next_seq) {
		last->to = head->first_seq;
		last->next_seq = head->last_seq + 1;
		return true;
	}
	if (spool->drop_count == LAI_SPOOL_DROPS_MAX)
		return false;
	spool->drops[spool->drop_count++] =
		(struct lai_spool_range){head->first_seq, head->first_seq, head->last_seq + 1};
	return true;
}

static bool drop_ready(struct lai_spool *spool)
{
	if (!note_drop(spool, &spool->ready.head->head))
		return false;
	lai_spool_forget_block(spool, &spool->ready.head->head, true);
	lai_spool_block_give(spool, lai_spool_queue_pop(&spool->ready));
	return true;
}

/* The reader goes on behind it. */
static bool drop_row(struct lai_spool *spool)
{
	struct lai_spool_head head;
	int error = lai_spool_file_next(spool, spool->fetched_first, spool->cursor_seq, &head);

	if (error == -ENOENT)
		spool->fetched_seq = spool->committed_seq;
	if (error || !note_drop(spool, &head))
		return false;
	lai_spool_forget_block(spool, &head, true);
	spool->fetched_first = head.first_seq;
	spool->fetched_seq = head.first_seq; /* its last one has not been checked */
	return true;
}

static bool drop_pending(struct lai_spool *spool)
{
	if (!spool->pending.head)
		return false;
	lai_spool_forget_block(spool, &spool->pending.head->head, true);
	lai_spool_block_give(spool, lai_spool_queue_pop(&spool->pending));
	return true;
}

/* The oldest block that is not loaded, nor in part. false: there is none. */
static bool drop_oldest(struct lai_spool *spool)
{
	if (spool->ready.head)
		return drop_ready(spool);
	if (spool->fetched_seq < spool->committed_seq && drop_row(spool))
		return true;
	return spool->fetched_seq >= spool->committed_seq && drop_pending(spool);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static bool is_full(const struct lai_spool *spool, size_t size)
{
	return spool->bytes > spool->quota_bytes || spool->quota_bytes - spool->bytes < size;
}

static bool make_room(struct lai_spool *spool, size_t size)
{
	while (is_full(spool, size))
		if (!drop_oldest(spool))
			return false;
	return true;
}

/* The block that takes it; NULL: out of memory. */
static struct lai_spool_block *block_for(struct lai_spool *spool, size_t size)
{
	struct lai_spool_block *block = spool->pending.tail;

	if (block && lai_spool_block_has_room(block, size))
		return block;
	block = lai_spool_block_take(spool, LAI_SPOOL_RECORD_HEAD + size);
	if (block)
		lai_spool_queue_push(&spool->pending, block);
	return block;
}

static int append(struct lai_spool *spool, const struct iovec *iov, int count, size_t size,
		  uint64_t *seq)
{
	struct lai_spool_block *block = block_for(spool, size);

	if (!block)
		return -ENOMEM;
	lai_spool_block_append(block, spool->state.next_seq, iov, count, size);
	spool->pending.bytes += LAI_SPOOL_RECORD_HEAD + size;
	spool->records++;
	spool->bytes += size;
	spool->state.accepted_seq = spool->state.next_seq++;
	*seq = spool->state.accepted_seq;
	return 0;
}

int lai_spool_put(struct lai_spool *spool, const struct iovec *iov, int count, uint64_t *seq)
{
	size_t size = 0, pending = spool->pending.bytes;

	spool->can_unload = false;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > spool->record_bytes_max - size)
			return -EMSGSIZE;
		size += iov[i].iov_len;
	}
	if (size > spool->quota_bytes)
		return -EMSGSIZE;
	if (pending > 0 && pending + LAI_SPOOL_RECORD_HEAD + size > LAI_SPOOL_PENDING_MAX)
		return -EAGAIN;
	if (is_full(spool, size)) {
		if (spool->on_full == LA_FULL_DROP_NEW) {
			spool->state.dropped_records++;
			spool->state.dropped_bytes += size;
			spool->dirty = true;
			*seq = 0;
			return 0;
		}
		if (spool->on_full != LA_FULL_DROP_OLDEST || !make_room(spool, size))
			return -EAGAIN;
	}
	return append(spool, iov, count, size, seq);
}
