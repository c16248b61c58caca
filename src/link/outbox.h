/* SPDX-License-Identifier: MIT */
/*
 * outbox.h - records in memory until the server's program has confirmed them.
 *
 *      begin          sent              end
 *   ....|=====x==x=====|=================|....        each record: { seq, size, flags } body
 *  gone   in flight          waiting
 *
 * Sequence numbers only grow; there may be gaps. What is confirmed leaves at the beginning; one that
 * is confirmed out of order (x) is marked and leaves with those before it. When a connection dies,
 * sent goes back to begin, and marked ones are not sent again.
 */
#ifndef LAI_LINK_OUTBOX_H
#define LAI_LINK_OUTBOX_H

#include "base/ring.h"

#include <lastack/link.h>

struct lai_outbox {
	struct lai_ring ring;
	size_t buffer_bytes;	 /* bodies and their heads together */
	size_t record_bytes_max; /* of a body */
	enum la_full_policy on_full;
	uint64_t sent;	      /* ring offset of the next record to send */
	uint64_t first_seq;   /* of the record at begin; meaningless when empty */
	uint64_t last_seq;    /* of the newest record ever put; 0: none */
	uint32_t in_flight;   /* records in [begin, sent) that are not marked */
	uint32_t records;     /* in [begin, end) that are not marked */
	struct la_totals totals;
};

struct lai_outbox_record {
	uint64_t seq;
	uint32_t size;
	int pieces; /* of the body in the ring: 0 (empty), 1 or 2 */
	struct iovec iov[2];
};

/* 0, or -ENOMEM. */
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
bool lai_outbox_has_next(const struct lai_outbox *outbox);

/* Cumulative: everything in flight up to seq is confirmed. */
void lai_outbox_confirm_upto(struct lai_outbox *outbox, uint64_t seq);
/* This one alone. false: it is not in flight. */
bool lai_outbox_confirm_one(struct lai_outbox *outbox, uint64_t seq);
/* Everything up to this has been confirmed or given up: a spool may forget it. */
uint64_t lai_outbox_confirmed_upto(const struct lai_outbox *outbox);

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
/* Whether a record of this size would find room now. */
bool lai_outbox_fits(const struct lai_outbox *outbox, size_t size);

#endif
