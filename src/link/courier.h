/* SPDX-License-Identifier: MIT */
/*
 * courier.h - the client's side of a STOMP connection: login, records out, receipts in, farewell.
 *
 *   away -> login -> up -> leaving -> left          any error: -> failed (cause)
 *
 *   login    CONNECT is sent, CONNECTED is awaited: login_ns
 *   up       records go out within the window; receipts release them; heart-beats both ways.
 *            An unanswered receipt has receipt_ns; a silent program two heart-beats
 *   leaving  DISCONNECT is sent, its RECEIPT is awaited: receipt_ns
 *   left     the server has said all; its FIN is awaited, so that it closes first; the link bounds that
 *   failed   the connection is of no more use; cause says why: the link ends it
 *
 * Receipts. Towards our own server, which answers in order and only for what is stored, a receipt
 * covers everything before it, and is asked for every receipt_every records, after
 * receipt_within_ns, and whenever nothing more waits. Towards others each record asks for its own.
 *
 * Suspicion. An ERROR that names no record may still be about one, and would come back with every
 * replay. After an ERROR the next connection sends one record at a time until one more is
 * confirmed than were in flight; an ERROR to a lone record condemns that record.
 *
 * An ERROR with the header shutdown:true blames nobody: the server stops, is full or out of memory.
 *
 * Pure: bytes and time go in, bytes and a deadline come out.
 */
#ifndef LAI_LINK_COURIER_H
#define LAI_LINK_COURIER_H

#include "base/time.h"
#include "link/outbox.h"
#include "wire/stomp.h"

enum lai_courier_state {
	LAI_COURIER_AWAY, /* no connection */
	LAI_COURIER_LOGIN,
	LAI_COURIER_UP,
	LAI_COURIER_LEAVING,
	LAI_COURIER_LEFT,
	LAI_COURIER_FAILED,
	LAI_COURIER_COUNT
};

/* What the server says of a record it refuses; texts are valid during the call. */
struct lai_courier_refusal {
	uint64_t seq;
	struct lai_slice body[2]; /* the record, in one or two pieces */
	struct lai_slice message; /* of the ERROR frame, unescaped */
	struct lai_slice details; /* its body */
};

struct lai_courier_config {
	struct la_stomp_config stomp; /* filled in; its texts outlive the courier */
	/* false: it could not be put anywhere else: it stays, and is sent again. May be NULL. */
	bool (*on_refused)(void *arg, const struct lai_courier_refusal *refusal);
	void *arg;
};

struct lai_courier; /* struct lai_courier is in courier_inside.h: the link holds a pointer */

/* sender: the id of this sender, 1 to LA_SENDER_MAX bytes of [A-Za-z0-9._-]; copied. 0 or -ENOMEM. */
int lai_courier_new(struct lai_courier **courier, const struct lai_courier_config *config,
		    const char *sender, struct lai_outbox *outbox);
void lai_courier_free(struct lai_courier *courier);

/* A connection has been made, to this endpoint's host; what the URL says of login and destination
   stands in for what the config leaves NULL. The texts outlive the connection. */
struct lai_courier_endpoint {
	const char *host;	 /* for CONNECT's host header, unless stomp.vhost is set */
	const char *login;	 /* NULL: the URL names none */
	const char *destination; /* NULL: the URL names none */
};
void lai_courier_begin(struct lai_courier *courier, const struct lai_courier_endpoint *endpoint,
		       uint64_t now_ns);
/* The connection is over; the outbox is rewound. Returns the bytes that will be sent twice. */
uint64_t lai_courier_end(struct lai_courier *courier);

/* What may be written now: number of pieces, 0 for nothing. Encodes records as the window allows. */
int lai_courier_to_send(struct lai_courier *courier, struct iovec iov[2], uint64_t now_ns);
/* Whether it would be more than 0. */
bool lai_courier_wants_write(const struct lai_courier *courier, uint64_t now_ns);
void lai_courier_on_written(struct lai_courier *courier, size_t size, uint64_t now_ns);
void lai_courier_on_received(struct lai_courier *courier, const void *data, size_t size,
			     uint64_t now_ns);
void lai_courier_on_timer(struct lai_courier *courier, uint64_t now_ns);
uint64_t lai_courier_deadline(const struct lai_courier *courier);

/* No record follows: once all are confirmed, DISCONNECT. */
void lai_courier_finish(struct lai_courier *courier, uint64_t now_ns);

enum lai_courier_state lai_courier_state(const struct lai_courier *courier);
const char *lai_courier_state_name(enum lai_courier_state state);
/* In FAILED: LOGIN_REJECTED, LOGIN_TIMEOUT, SERVER_ERROR, PROTOCOL_ERROR, HEARTBEAT_LOST,
   RECEIPT_TIMEOUT, LOCAL_LIMIT. Else ALIVE. */
enum la_cause lai_courier_cause(const struct lai_courier *courier);
/* After PROTOCOL_ERROR: what is wrong with what the server sent, half a sentence; else "". */
const char *lai_courier_why(const struct lai_courier *courier);
/* What the server said last in an ERROR frame: its message header, else the first line of its body;
   "" for nothing. Valid until the next event. */
const char *lai_courier_words(const struct lai_courier *courier);
/* What the server asked for in a retry-after header (seconds); 0: nothing. */
uint64_t lai_courier_retry_after(const struct lai_courier *courier);

#endif
