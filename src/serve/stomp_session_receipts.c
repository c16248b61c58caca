/* SPDX-License-Identifier: MIT */
/*
 * stomp_session_receipts.c - what waits for the store, as bytes that are ready to go:
 *
 *      held     |RECEIPT 1|RECEIPT 4|RECEIPT 9|ERROR|
 *      tickets             {17, end}      {18, end}      ends count all bytes that were ever held
 *
 * Receipts of one ticket share an entry. Once ticket 17 is stored, everything up to its end moves to
 * out; usually that is all of held, and the two buffers are exchanged.
 */
#include "serve/stomp_session_inside.h"

#include <assert.h>

struct hold {
	uint64_t ticket, end;
	uint64_t receipts; /* among those bytes */
};

#define RECEIPT_HEAD "RECEIPT\nreceipt-id:"
#define RECEIPT_TAIL "\n\n" /* and a NUL, which stands behind it */

static struct hold *first_hold(const struct lai_stomp_session *session)
{
	return lai_buffer_used(&session->tickets) > 0
		       ? (struct hold *)(void *)lai_buffer_data(&session->tickets)
		       : NULL;
}

static struct hold *last_hold(const struct lai_stomp_session *session)
{
	struct hold *first = first_hold(session);

	return first ? first + lai_buffer_used(&session->tickets) / sizeof(*first) - 1 : NULL;
}

/* Appended to held, as so many bytes, and due with this ticket. */
static bool hold(struct lai_stomp_session *session, size_t size, uint64_t ticket, bool is_receipt)
{
	uint64_t end = session->held_base + lai_buffer_used(&session->held);
	struct hold *last = last_hold(session);

	assert(lai_buffer_used(&session->held) >= size);
	if (!last || last->ticket != ticket) {
		const struct hold new = {ticket, end, is_receipt};

		if (lai_buffer_append(&session->tickets, &new, sizeof(new)))
			return true;
		lai_buffer_truncate(&session->held, size);
		return false;
	}
	last->end = end;
	last->receipts += is_receipt;
	return true;
}

bool lai_stomp_session_hold_receipt(struct lai_stomp_session *session, struct lai_slice id)
{
	const size_t head = sizeof(RECEIPT_HEAD) - 1, tail = sizeof(RECEIPT_TAIL);
	char *room = lai_buffer_reserve(&session->held, head + id.size + tail);

	if (!room)
		return false;
	memcpy(room, RECEIPT_HEAD, head);
	memcpy(room + head, id.data, id.size);
	memcpy(room + head + id.size, RECEIPT_TAIL, tail);
	lai_buffer_extend(&session->held, head + id.size + tail);
	return hold(session, head + id.size + tail, session->last_ticket, true);
}

bool lai_stomp_session_hold_last(struct lai_stomp_session *session, size_t size)
{
	const struct hold *last = last_hold(session);

	return hold(session, size, last ? last->ticket : session->stored_ticket, false);
}

/* All of held is due, and nothing is before it. */
static void exchange(struct lai_stomp_session *session)
{
	struct lai_buffer empty = session->out;

	session->out = session->held;
	session->held = empty;
}

bool lai_stomp_session_release(struct lai_stomp_session *session)
{
	const struct hold *first = first_hold(session), *last = last_hold(session);
	uint64_t due = 0, receipts = 0;
	size_t count = 0;

	for (const struct hold *one = first; first && one <= last; one++, count++) {
		if (one->ticket > session->stored_ticket)
			break;
		due = one->end - session->held_base;
		receipts += one->receipts;
	}
	if (count == 0)
		return true;
	if (due == lai_buffer_used(&session->held) && lai_buffer_used(&session->out) == 0) {
		exchange(session);
	} else {
		if (!lai_buffer_append(&session->out, lai_buffer_data(&session->held), due))
			return false;
		lai_buffer_consume(&session->held, due);
	}
	session->held_base += due;
	session->receipts += receipts;
	lai_buffer_consume(&session->tickets, count * sizeof(*first));
	return true;
}

void lai_stomp_session_forget_held(struct lai_stomp_session *session)
{
	session->held_base += lai_buffer_used(&session->held);
	lai_buffer_done(&session->held);
	lai_buffer_done(&session->tickets);
}

bool lai_stomp_session_is_crowded(const struct lai_stomp_session *session)
{
	return lai_buffer_used(&session->held) >= session->config->replies_bytes_max ||
	       lai_buffer_used(&session->out) >= session->config->replies_bytes_max;
}
