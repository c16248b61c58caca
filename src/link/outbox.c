/* SPDX-License-Identifier: MIT */
#include "link/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room made at once by drop-oldest when records in flight have to be moved for it. */
#define DROP_FRACTION 8

/* Confirmed or buried out of order: it only waits for those before it to leave. */
#define FLAG_GONE 1u
/* An earlier connection may have delivered it. */
#define FLAG_TRIED 2u

struct head {
	uint64_t seq;
	uint32_t size; /* of the body that follows */
	uint32_t flags;
};

_Static_assert(sizeof(struct head) == LAI_OUTBOX_ALIGN, "a head fills one unit of alignment");

static struct head *head_at(const struct lai_outbox *outbox, uint64_t offset)
{
	const struct lai_ring *ring = &outbox->ring;
	void *place = ring->bytes + ((size_t)(offset - ring->origin) & (ring->capacity - 1));

	return place;
}

/* What a body takes in the ring, head and padding included. */
static size_t span_of(size_t size)
{
	return sizeof(struct head) +
	       (size + LAI_OUTBOX_ALIGN - 1) / LAI_OUTBOX_ALIGN * LAI_OUTBOX_ALIGN;
}

int lai_outbox_init(struct lai_outbox *outbox, size_t buffer_bytes, size_t record_bytes_max,
		    enum la_full_policy on_full)
{
	size_t span_max = span_of(record_bytes_max), count = 1;

	*outbox = (struct lai_outbox){
		.buffer_bytes = buffer_bytes > span_max ? buffer_bytes : span_max,
		.record_bytes_max = record_bytes_max,
		.on_full = on_full,
	};
	if (lai_ring_init(&outbox->ring, outbox->buffer_bytes) < 0)
		return -ENOMEM;
	/* One more than fit, since a window of records touches a part of a stride at both ends. */
	while (count < outbox->ring.capacity / sizeof(struct head) / LAI_OUTBOX_STRIDE + 1)
		count *= 2;
	outbox->place_count = count;
	outbox->places = malloc(count * sizeof(*outbox->places));
	if (outbox->places)
		return 0;
	lai_outbox_done(outbox);
	return -ENOMEM;
}

void lai_outbox_done(struct lai_outbox *outbox)
{
	lai_ring_done(&outbox->ring);
	free(outbox->places);
	*outbox = (struct lai_outbox){0};
}

static void view_at(const struct lai_outbox *outbox, uint64_t offset,
		    struct lai_outbox_record *record)
{
	const struct head *head = head_at(outbox, offset);
	uint64_t body = offset + sizeof(*head);

	record->seq = head->seq;
	record->size = head->size;
	record->pieces = lai_ring_view(&outbox->ring, body, body + head->size, record->iov);
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* The places of records in flight belong to one stretch without a gap; it starts anew. */
static void restart_places(struct lai_outbox *outbox)
{
	outbox->left = outbox->passed = 0;
}

/* Forgets the record at begin. */
static void pop(struct lai_outbox *outbox, const struct head *head)
{
	uint64_t next = outbox->ring.begin + span_of(head->size);

	if (outbox->ring.begin == outbox->sent)
		outbox->sent = next;
	else
		outbox->left++;
	lai_ring_forget(&outbox->ring, next);
}

/* Restores the invariant: the record at begin is not marked. */
static void settle(struct lai_outbox *outbox)
{
	while (outbox->ring.begin != outbox->ring.end) {
		const struct head *head = head_at(outbox, outbox->ring.begin);

		outbox->first_seq = head->seq;
		if (!(head->flags & FLAG_GONE))
			break;
		pop(outbox, head);
	}
	if (outbox->ring.begin == outbox->sent)
		restart_places(outbox);
}

static void leave_flight(struct lai_outbox *outbox, const struct head *head)
{
	outbox->in_flight--;
	outbox->in_flight_bytes -= head->size;
	outbox->records--;
	outbox->totals.waiting_bytes -= head->size;
}

static void deliver(struct lai_outbox *outbox, const struct head *head)
{
	leave_flight(outbox, head);
	outbox->totals.delivered_bytes += head->size;
	outbox->totals.delivered_records++;
}

void lai_outbox_confirm_upto(struct lai_outbox *outbox, uint64_t seq)
{
	while (outbox->ring.begin != outbox->sent) {
		const struct head *head = head_at(outbox, outbox->ring.begin);

		if (head->seq > seq)
			break;
		if (!(head->flags & FLAG_GONE))
			deliver(outbox, head);
		pop(outbox, head);
	}
	settle(outbox);
}

/* ---- finding ------------------------------------------------------------------------------- */

static const struct lai_outbox_place *place_of(const struct lai_outbox *outbox, uint64_t number)
{
	return &outbox->places[number & (outbox->place_count - 1)];
}

/* Where to begin to walk: the last known place that is not behind seq. */
static uint64_t walk_from(const struct lai_outbox *outbox, uint64_t seq)
{
	uint64_t low = (outbox->left + LAI_OUTBOX_STRIDE - 1) / LAI_OUTBOX_STRIDE;
	uint64_t high = (outbox->passed + LAI_OUTBOX_STRIDE - 1) / LAI_OUTBOX_STRIDE;
	uint64_t first = low;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (place_of(outbox, middle)->seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low == first ? outbox->ring.begin
			    : place_of(outbox, low - 1)->offset + outbox->moved;
}

/* The offset of an unmarked record in flight; LAI_RING_NONE: it is not there. */
static uint64_t find(const struct lai_outbox *outbox, uint64_t seq)
{
	uint64_t offset = outbox->ring.begin;

	if (outbox->in_flight == 0 || seq < outbox->first_seq)
		return LAI_RING_NONE;
	if (seq != outbox->first_seq)
		offset = walk_from(outbox, seq);
	while (offset < outbox->sent) {
		const struct head *head = head_at(outbox, offset);

		if (head->seq >= seq)
			return head->seq == seq && !(head->flags & FLAG_GONE) ? offset
									      : LAI_RING_NONE;
		offset += span_of(head->size);
	}
	return LAI_RING_NONE;
}

bool lai_outbox_confirm_one(struct lai_outbox *outbox, uint64_t seq)
{
	uint64_t offset = find(outbox, seq);
	struct head *head;

	if (offset == LAI_RING_NONE)
		return false;
	head = head_at(outbox, offset);
	deliver(outbox, head);
	head->flags |= FLAG_GONE;
	if (offset == outbox->ring.begin)
		settle(outbox);
	return true;
}

bool lai_outbox_find(const struct lai_outbox *outbox, uint64_t seq,
		     struct lai_outbox_record *record)
{
	uint64_t offset = find(outbox, seq);

	if (offset == LAI_RING_NONE)
		return false;
	view_at(outbox, offset, record);
	return true;
}

bool lai_outbox_bury(struct lai_outbox *outbox, uint64_t seq, struct lai_outbox_record *record)
{
	uint64_t offset = find(outbox, seq);
	struct head *head;

	if (offset == LAI_RING_NONE)
		return false;
	head = head_at(outbox, offset);
	view_at(outbox, offset, record); /* forgotten bytes stay until the next put */
	leave_flight(outbox, head);
	outbox->totals.buried_bytes += head->size;
	outbox->totals.buried_records++;
	head->flags |= FLAG_GONE;
	settle(outbox);
	return true;
}

uint64_t lai_outbox_oldest_in_flight(const struct lai_outbox *outbox)
{
	return outbox->in_flight > 0 ? outbox->first_seq : 0;
}

uint64_t lai_outbox_confirmed_upto(const struct lai_outbox *outbox)
{
	return outbox->ring.begin == outbox->ring.end ? outbox->last_seq : outbox->first_seq - 1;
}

/* ---- coming -------------------------------------------------------------------------------- */

/* Takes the oldest waiting records out, as many as make so much room. */
static void drop_oldest(struct lai_outbox *outbox, size_t wanted)
{
	uint64_t from = outbox->sent, to = from;

	/* What is in flight has to be moved up: not for every record anew. */
	if (from != outbox->ring.begin && wanted < outbox->buffer_bytes / DROP_FRACTION)
		wanted = outbox->buffer_bytes / DROP_FRACTION;
	while (to != outbox->ring.end && to - from < wanted) {
		const struct head *head = head_at(outbox, to);

		to += span_of(head->size);
		if (head->flags & FLAG_GONE)
			continue;
		outbox->records--;
		outbox->totals.waiting_bytes -= head->size;
		outbox->totals.dropped_bytes += head->size;
		outbox->totals.dropped_records++;
	}
	lai_ring_cut(&outbox->ring, from, to);
	outbox->sent = to;
	outbox->moved += to - from;
	/* An empty ring starts at place 0 again. */
	lai_ring_forget(&outbox->ring, outbox->ring.begin);
	settle(outbox);
}

/* Makes the room that the policy allows to make. 0, -EAGAIN, or 1: the new one is dropped. */
static int make_room(struct lai_outbox *outbox, size_t span)
{
	size_t used = lai_ring_used(&outbox->ring), waiting;

	if (used + span <= outbox->buffer_bytes)
		return 0;
	if (outbox->on_full == LA_FULL_DROP_NEW)
		return 1;
	waiting = (size_t)(outbox->ring.end - outbox->sent);
	if (outbox->on_full == LA_FULL_BLOCK || used - waiting + span > outbox->buffer_bytes)
		return -EAGAIN;
	drop_oldest(outbox, used + span - outbox->buffer_bytes);
	return 0;
}

static void append(struct lai_outbox *outbox, uint64_t seq, const struct iovec *iov, int count,
		   size_t size)
{
	struct head *head = head_at(outbox, outbox->ring.end);
	size_t padding = span_of(size) - sizeof(*head) - size;

	if (outbox->ring.begin == outbox->ring.end)
		outbox->first_seq = seq;
	lai_ring_extend(&outbox->ring, sizeof(*head));
	*head = (struct head){.seq = seq, .size = (uint32_t)size};
	for (int i = 0; i < count; i++)
		(void)lai_ring_append(&outbox->ring, iov[i].iov_base, iov[i].iov_len);
	lai_ring_extend(&outbox->ring, padding);
	outbox->records++;
	outbox->totals.waiting_bytes += size;
}

int lai_outbox_put(struct lai_outbox *outbox, uint64_t seq, const struct iovec *iov, int count)
{
	size_t size = 0;
	int result;

	assert(seq > outbox->last_seq);
	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	if (size > outbox->record_bytes_max)
		return -EMSGSIZE;
	result = make_room(outbox, span_of(size));
	if (result < 0)
		return result;
	outbox->last_seq = seq;
	outbox->totals.accepted_bytes += size;
	outbox->totals.accepted_records++;
	if (result == 0) {
		append(outbox, seq, iov, count, size);
	} else {
		outbox->totals.dropped_bytes += size;
		outbox->totals.dropped_records++;
	}
	return 0;
}

bool lai_outbox_fits(const struct lai_outbox *outbox, size_t size)
{
	return size <= outbox->record_bytes_max &&
	       lai_ring_used(&outbox->ring) + span_of(size) <= outbox->buffer_bytes;
}

bool lai_outbox_empty(const struct lai_outbox *outbox)
{
	return outbox->records == 0;
}

/* ---- going --------------------------------------------------------------------------------- */

bool lai_outbox_has_next(const struct lai_outbox *outbox)
{
	return outbox->records > outbox->in_flight;
}

/* sent goes past this record. */
static void pass(struct lai_outbox *outbox, const struct head *head)
{
	if (outbox->passed % LAI_OUTBOX_STRIDE == 0) {
		uint64_t number = outbox->passed / LAI_OUTBOX_STRIDE;

		outbox->places[number & (outbox->place_count - 1)] = (struct lai_outbox_place){
			.seq = head->seq,
			.offset = outbox->sent - outbox->moved,
		};
	}
	outbox->passed++;
	outbox->sent += span_of(head->size);
}

bool lai_outbox_next_within(struct lai_outbox *outbox, struct lai_outbox_record *record,
			    size_t size_max)
{
	struct head *head;

	if (!lai_outbox_has_next(outbox))
		return false;
	while ((head = head_at(outbox, outbox->sent))->flags & FLAG_GONE)
		pass(outbox, head);
	if (head->size > size_max)
		return false;
	if (head->flags & FLAG_TRIED) {
		outbox->totals.resent_records++;
		outbox->totals.duplicated.max_bytes += head->size;
	}
	head->flags |= FLAG_TRIED;
	view_at(outbox, outbox->sent, record);
	outbox->in_flight++;
	outbox->in_flight_bytes += head->size;
	pass(outbox, head);
	return true;
}

bool lai_outbox_next(struct lai_outbox *outbox, struct lai_outbox_record *record)
{
	return lai_outbox_next_within(outbox, record, SIZE_MAX);
}

/* ---- the end of a connection, and of all ----------------------------------------------------- */

uint64_t lai_outbox_rewind(struct lai_outbox *outbox)
{
	uint64_t bytes = outbox->in_flight_bytes;

	outbox->sent = outbox->ring.begin;
	outbox->in_flight = 0;
	outbox->in_flight_bytes = 0;
	restart_places(outbox);
	return bytes;
}

void lai_outbox_abandon(struct lai_outbox *outbox)
{
	outbox->totals.abandoned_bytes += outbox->totals.waiting_bytes;
	outbox->totals.abandoned_records += outbox->records;
	outbox->totals.waiting_bytes = 0;
	outbox->records = 0;
	lai_ring_forget(&outbox->ring, outbox->ring.end);
	(void)lai_outbox_rewind(outbox);
}
