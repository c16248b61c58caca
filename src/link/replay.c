/* SPDX-License-Identifier: MIT */
#include "link/replay.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* drop-oldest makes this part of the buffer free at once, since a cut moves what is in flight. */
#define DROP_FRACTION 8

/*
 * From here on the kernel is asked what it has delivered. Asking costs a thousandth of moving this
 * much, and a buffer that stays below the size of a second-level cache makes raw sending a third
 * faster (bench/throughput.sh).
 */
#define CROWD_BYTES (256u * 1024)

int lai_replay_init(struct lai_replay *replay, const struct lai_wire *wire,
		    const struct la_link_config *config)
{
	size_t capacity = config->buffer_bytes;

	*replay = (struct lai_replay){
		.wire = wire,
		.proof = config->proof,
		.on_full = config->on_full,
		.buffer_bytes = config->buffer_bytes,
		.record_bytes_max = config->record_bytes_max,
		.stop = LA_NEVER,
	};
	/* A new record is dropped only once it is whole: until then it stands behind the buffer. */
	if (config->on_full == LA_FULL_DROP_NEW)
		capacity += config->record_bytes_max;
	return lai_ring_init(&replay->ring, capacity);
}

void lai_replay_done(struct lai_replay *replay)
{
	lai_ring_done(&replay->ring);
}

static void count_dropped(struct lai_replay *replay, uint64_t from, uint64_t to)
{
	replay->totals.dropped_bytes += to - from;
	replay->totals.dropped_records += replay->wire->count(&replay->ring, from, to);
}

/* Drops [from, to): what stands before it, and every mark in that, moves up. */
static void cut(struct lai_replay *replay, uint64_t from, uint64_t to)
{
	uint64_t size = to - from;

	count_dropped(replay, from, to);
	lai_ring_cut(&replay->ring, from, to);
	if (replay->stop <= from)
		replay->stop += size;
	else if (replay->stop < to)
		replay->stop = to;
	replay->sent += size;
	replay->base += size;
}

/* Takes out the oldest records that no connection has begun to send. */
static void drop_oldest(struct lai_replay *replay)
{
	uint64_t from = replay->sent, to, wanted;

	if (replay->wire->last_boundary(&replay->ring, replay->ring.begin, from) != from) {
		from = replay->wire->next_boundary(&replay->ring, from, replay->complete);
		if (from == LAI_RING_NONE)
			return;
	}
	wanted = from + replay->buffer_bytes / DROP_FRACTION;
	if (wanted >= replay->complete)
		to = replay->complete;
	else
		to = replay->wire->last_boundary(&replay->ring, from, wanted);
	if (to == from)
		to = replay->wire->next_boundary(&replay->ring, from, replay->complete);
	if (to == LAI_RING_NONE || to == from)
		return;
	cut(replay, from, to);
}

size_t lai_replay_room(struct lai_replay *replay, void **room)
{
	size_t limit = replay->buffer_bytes, used = lai_ring_used(&replay->ring), size;

	if (used >= limit && replay->on_full == LA_FULL_DROP_OLDEST) {
		drop_oldest(replay);
		used = lai_ring_used(&replay->ring);
	}
	if (replay->on_full == LA_FULL_DROP_NEW)
		limit += replay->record_bytes_max;
	size = lai_ring_room(&replay->ring, room);
	if (used >= limit)
		return 0;
	return size < limit - used ? size : limit - used;
}

/* Drops what does not fit into the buffer, newest first; the unfinished record is not
   judged yet. */
static void drop_new(struct lai_replay *replay, uint64_t old_complete)
{
	uint64_t fits = replay->ring.begin + replay->buffer_bytes, keep;

	if (replay->complete <= fits)
		return;
	keep = fits <= old_complete
		       ? old_complete
		       : replay->wire->last_boundary(&replay->ring, old_complete, fits);
	if (replay->complete == replay->ring.end) {
		count_dropped(replay, keep, replay->complete);
		lai_ring_truncate(&replay->ring, keep);
		replay->complete = keep;
	} else {
		cut(replay, keep, replay->complete);
	}
}

ssize_t lai_replay_commit(struct lai_replay *replay, size_t size)
{
	uint64_t before = replay->ring.end, from = replay->complete, next, taken_back = 0;
	size_t terminator_bytes = strlen(replay->wire->terminator);
	bool too_long = false;

	lai_ring_extend(&replay->ring, size);
	if (!replay->wire->has_records)
		from = replay->ring.end;
	while (replay->wire->has_records && !too_long) {
		next = replay->wire->next_boundary(&replay->ring, from, replay->ring.end);
		/* An unfinished one still needs its terminator. */
		too_long = (next == LAI_RING_NONE ? replay->ring.end + terminator_bytes : next) -
				   from >
			   replay->record_bytes_max;
		if (next == LAI_RING_NONE || too_long)
			break;
		replay->totals.accepted_records++;
		from = next;
	}
	if (too_long) {
		taken_back = replay->ring.end - from;
		lai_ring_truncate(&replay->ring, from);
	}
	replay->totals.accepted_bytes += size - taken_back;
	next = replay->complete;
	replay->complete = from;
	if (replay->on_full == LA_FULL_DROP_NEW)
		drop_new(replay, next);
	if (too_long && from <= before)
		return -EMSGSIZE;
	return (ssize_t)(size - taken_back);
}

bool lai_replay_terminate(struct lai_replay *replay)
{
	size_t size = strlen(replay->wire->terminator);

	if (replay->complete == replay->ring.end || size == 0)
		return true;
	if (lai_ring_free(&replay->ring) < size)
		return false;
	(void)lai_ring_append(&replay->ring, replay->wire->terminator, size);
	lai_ring_truncate(&replay->ring, replay->ring.end - size);
	(void)lai_replay_commit(replay, size);
	return true;
}

void lai_replay_begin(struct lai_replay *replay)
{
	assert(replay->sent == replay->ring.begin);
	replay->base = replay->sent;
	replay->stop = LA_NEVER;
	/* Only now is it sure that they are sent twice. */
	replay->totals.duplicated.max_bytes += replay->sent_before_bytes;
	replay->sent_before_bytes = 0;
	replay->delivered_here_bytes = 0;
}

static uint64_t limit_of(const struct lai_replay *replay)
{
	return replay->stop < replay->complete ? replay->stop : replay->complete;
}

int lai_replay_to_send(const struct lai_replay *replay, struct iovec iov[2])
{
	return lai_ring_view(&replay->ring, replay->sent, limit_of(replay), iov);
}

static void deliver(struct lai_replay *replay, uint64_t to)
{
	uint64_t size = to - replay->ring.begin;

	replay->totals.delivered_bytes += size;
	replay->delivered_here_bytes += size;
	lai_ring_forget(&replay->ring, to);
}

void lai_replay_on_written(struct lai_replay *replay, size_t size)
{
	replay->sent += size;
	assert(replay->sent <= limit_of(replay));
	if (replay->proof == LA_PROOF_WRITTEN)
		deliver(replay, replay->wire->last_boundary(&replay->ring, replay->ring.begin,
							    replay->sent));
}

void lai_replay_on_acked(struct lai_replay *replay, uint64_t acked_bytes)
{
	uint64_t acked = replay->base + acked_bytes;

	assert(acked <= replay->sent);
	if (replay->proof != LA_PROOF_ACKED || acked <= replay->ring.begin)
		return;
	deliver(replay, replay->wire->last_boundary(&replay->ring, replay->ring.begin, acked));
}

void lai_replay_stop_here(struct lai_replay *replay)
{
	replay->stop = replay->complete;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Delivered by this connection and not proven to be read: unacknowledged, or in the
   peer's buffer. */
static uint64_t perhaps_lost(const struct lai_replay *replay, const struct la_report *report,
			     uint64_t peer_buffer_bytes)
{
	uint64_t delivered = replay->delivered_here_bytes;
	uint64_t acked = smaller(delivered, report->acked_bytes);

	return delivered - acked + smaller(acked, peer_buffer_bytes);
}

void lai_replay_end(struct lai_replay *replay, struct la_report *report, uint64_t peer_buffer_bytes)
{
	lai_replay_on_acked(replay, report->acked_bytes);
	if (report->proof == LA_PROOF_CONSUMED)
		deliver(replay, replay->sent);
	else
		report->lost.max_bytes = perhaps_lost(replay, report, peer_buffer_bytes);
	report->duplicated.max_bytes = replay->sent - replay->ring.begin;
	replay->totals.lost.max_bytes += report->lost.max_bytes;
	replay->sent_before_bytes = report->duplicated.max_bytes;
	replay->sent = replay->ring.begin;
	replay->stop = LA_NEVER;
}

void lai_replay_abandon(struct lai_replay *replay)
{
	replay->totals.abandoned_bytes += lai_ring_used(&replay->ring);
	lai_ring_forget(&replay->ring, replay->ring.end);
	replay->sent = replay->base = replay->complete = replay->ring.end;
}

bool lai_replay_empty(const struct lai_replay *replay)
{
	return lai_ring_used(&replay->ring) == 0;
}

bool lai_replay_nothing_to_send(const struct lai_replay *replay)
{
	return replay->sent == limit_of(replay);
}

bool lai_replay_crowded(const struct lai_replay *replay)
{
	return lai_ring_used(&replay->ring) > smaller(CROWD_BYTES, replay->buffer_bytes / 2);
}

bool lai_replay_full(const struct lai_replay *replay)
{
	return lai_ring_used(&replay->ring) >= replay->buffer_bytes;
}
