/* SPDX-License-Identifier: MIT */
/*
 * outbox.h - records in memory until the server's program has confirmed them.
 *
 *      begin          sent              end
 *   ....|=====x==x=====|=================|....        each record: { seq, size, flags } body
 *  gone   in flight          waiting
 *
 * Sequence numbers only grow; there may be gaps. What is confirmed leaves at the beginning; one that
 * is confirmed out of order (x) is marked and leaves with those before it, so that the record at
 * begin is never marked. When a connection dies, sent goes back to begin, and marked ones are not
 * sent again.
 *
 * Everything is O(1) (confirm_upto and next amortised), but for finding a record that is confirmed
 * out of order: every LAI_OUTBOX_STRIDE-th record in flight has a place in a table, which is searched
 * by halves.
 */
#ifndef LAI_LINK_OUTBOX_H
#define LAI_LINK_OUTBOX_H

#include "base/ring.h"

#include <lastack/link.h>

/* A head is 16 bytes, and so is what sizes are rounded up to: heads are aligned and never wrap. */
#define LAI_OUTBOX_ALIGN 16u
/* Few enough to walk, many enough that the table is a small part of the buffer: one place takes as
   much as one head. */
#define LAI_OUTBOX_STRIDE 16u

struct lai_outbox_place {
	uint64_t seq;
	uint64_t offset; /* less what cuts have moved it up: see moved */
};

struct lai_outbox {
	struct lai_ring ring;
	size_t buffer_bytes;	 /* bodies and their heads together */
	size_t record_bytes_max; /* of a body */
	enum la_full_policy on_full;
	uint64_t sent;			 /* ring offset of the next record to send */
	uint64_t first_seq;		 /* of the record at begin; meaningless when empty */
	uint64_t last_seq;		 /* of the newest record ever put; 0: none */
	uint32_t in_flight;		 /* records in [begin, sent) that are not marked */
	uint32_t records;		 /* in [begin, end) that are not marked */
	uint64_t in_flight_bytes;	 /* bodies of these */
	struct lai_outbox_place *places; /* circular: of the n * STRIDE-th record passed */
	size_t place_count;		 /* a power of two, enough for a ring of empty records */
	uint64_t left,
		passed; /* heads that begin and sent have gone past since nothing was in flight */
	uint64_t moved; /* by how much cuts have moved up what is in flight */
	/*
	 * accepted, delivered, waiting, dropped, abandoned and buried, bytes of bodies and records;
	 * resent_records and duplicated.max_bytes as they are sent again. The rest is the link's.
	 */
	struct la_totals totals;
};

struct lai_outbox_record {
	uint64_t seq;
	uint32_t size;
	int pieces; /* of the body in the ring: 0 (empty), 1 or 2 */
	struct iovec iov[2];
};

/* A buffer too small for one record of record_bytes_max is made large enough. 0, or -ENOMEM. */
int lai_outbox_init(struct lai_outbox *outbox, size_t buffer_bytes, size_t record_bytes_max,
		    enum la_full_policy on_full);
void lai_outbox_done(struct lai_outbox *outbox);

/*
 * seq must be higher than any before. 0: taken (with drop-new it may have been counted and
 * forgotten, with drop-oldest others in its place: never one in flight). -EAGAIN: full, policy
 * block, or drop-oldest and all is in flight. -EMSGSIZE: over record_bytes_max. Counts accepted.
 */
int lai_outbox_put(struct lai_outbox *outbox, uint64_t seq, const struct iovec *iov, int count);

/* The next record to send, passing over marked ones; it now counts as in flight. false: none. */
bool lai_outbox_next(struct lai_outbox *outbox, struct lai_outbox_record *record);
/* The same, if its body has at most so many bytes; false also when it has more. */
bool lai_outbox_next_within(struct lai_outbox *outbox, struct lai_outbox_record *record,
			    size_t size_max);
bool lai_outbox_has_next(const struct lai_outbox *outbox);

/* Cumulative: everything in flight up to seq is confirmed. */
void lai_outbox_confirm_upto(struct lai_outbox *outbox, uint64_t seq);
/* This one alone. false: it is not in flight. */
bool lai_outbox_confirm_one(struct lai_outbox *outbox, uint64_t seq);
/* Everything up to this has been confirmed or given up: a spool may forget it. What drop-oldest took
   from behind records in flight follows when they are confirmed. */
uint64_t lai_outbox_confirmed_upto(const struct lai_outbox *outbox);

/* Shows a record in flight, until the next call. false: it is not in flight. */
bool lai_outbox_find(const struct lai_outbox *outbox, uint64_t seq,
		     struct lai_outbox_record *record);
/* A record in flight that is refused for ever: counted, and gone as if confirmed. *record shows it
   until the next call. false: it is not in flight. */
bool lai_outbox_bury(struct lai_outbox *outbox, uint64_t seq, struct lai_outbox_record *record);
/* The oldest record in flight; 0: none. */
uint64_t lai_outbox_oldest_in_flight(const struct lai_outbox *outbox);

/* The connection is over: what is in flight waits again. Returns the bytes that will be sent twice. */
uint64_t lai_outbox_rewind(struct lai_outbox *outbox);
/* Gives up everything that is left, and counts it. */
void lai_outbox_abandon(struct lai_outbox *outbox);

bool lai_outbox_empty(const struct lai_outbox *outbox);
/* Whether a record of this size would find room now, without dropping another. */
bool lai_outbox_fits(const struct lai_outbox *outbox, size_t size);

#endif
