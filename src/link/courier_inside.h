/* SPDX-License-Identifier: MIT */
/* courier_inside.h - what the files of a courier share. */
#ifndef LAI_LINK_COURIER_INSIDE_H
#define LAI_LINK_COURIER_INSIDE_H

#include "link/courier.h"

/* Records are encoded so far ahead of what is written, never more (but for a single larger one): a
   part of a second-level cache, and enough for one large write. */
#define LAI_COURIER_AHEAD_BYTES (256u * 1024)

/* What is kept of the server's words: longer than any message that a person reads. */
#define LAI_COURIER_WORDS_MAX 512

/* One receipt_ns is told apart in so many parts; a receipt is given up that much late at most. */
#define LAI_COURIER_ASK_PARTS 32u
/* Twice as many, so that those of one receipt_ns always find room. */
#define LAI_COURIER_ASKS 64u

/* Receipts that were asked for at about the same time. */
struct lai_courier_ask {
	uint64_t upto_seq; /* the last of the records that it covers */
	uint64_t end;	   /* of that record's frame, in the bytes of this connection */
	uint64_t born_ns;  /* when the first of them was encoded */
	uint64_t since_ns; /* when the last of them was written; LA_NEVER: not yet */
};

struct lai_courier {
	struct lai_courier_config config;
	char sender[LA_SENDER_MAX];
	struct lai_outbox *outbox;
	enum lai_courier_state state;
	enum la_cause cause;
	uint64_t deadline_ns; /* of the state; LA_NEVER: it has none of its own */
	bool finishing;

	/* This connection. */
	struct lai_courier_endpoint endpoint;
	enum lai_stomp_version version;
	bool cumulative; /* a receipt covers everything before it */
	struct lai_stomp_parser parser;
	struct lai_stomp_beat beat; /* in UP */
	struct lai_buffer in;	    /* a frame that is not whole yet */
	struct lai_buffer out;	    /* encoded and not written */
	struct lai_buffer prefix;   /* of every SEND, up to the record's number */
	uint64_t written_bytes;
	uint64_t last_begin; /* where the newest record's frame begins in them */
	uint32_t unasked;    /* newest records whose receipt has not been asked for */
	uint64_t unasked_ns; /* when the first of them was encoded */
	uint64_t asked_seq;  /* the newest record whose receipt has been asked for; 0: none */
	struct lai_courier_ask asks[LAI_COURIER_ASKS]; /* circular */
	unsigned ask_first, ask_count;

	/* Connections in succession. */
	uint64_t suspects; /* so many records to be confirmed one at a time; 0: no suspicion */
	char words[LAI_COURIER_WORDS_MAX];
	uint64_t retry_after;
	const char *why;
};

/* courier.c: the setters of state and cause. */
void lai_courier_set_state(struct lai_courier *courier, enum lai_courier_state state,
			   uint64_t deadline_ns);
void lai_courier_fail(struct lai_courier *courier, enum la_cause cause);
/* Whether the transition table allows it. */
bool lai_courier_allows(enum lai_courier_state from, enum lai_courier_state to);
/* Finishing, and nothing is left: DISCONNECT. */
void lai_courier_leave_if_done(struct lai_courier *courier, uint64_t now_ns);

/* courier_send.c: frames. false: out of memory. */
bool lai_courier_put_connect(struct lai_courier *courier);
bool lai_courier_put_disconnect(struct lai_courier *courier);
bool lai_courier_make_prefix(struct lai_courier *courier);
/* An EOL, if one is due and nothing else waits to be written. */
void lai_courier_put_beat(struct lai_courier *courier, uint64_t now_ns);

/* courier_ask.c: how long the oldest receipt is owed. */
void lai_courier_ask(struct lai_courier *courier, uint64_t seq, uint64_t end, uint64_t now_ns);
void lai_courier_ask_on_written(struct lai_courier *courier, uint64_t now_ns);
void lai_courier_ask_on_confirmed(struct lai_courier *courier);
uint64_t lai_courier_ask_deadline(const struct lai_courier *courier);

/* The receipt id of DISCONNECT. Those of records are numbers. */
#define LAI_COURIER_BYE "bye"

#endif
