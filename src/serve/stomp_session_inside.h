/* SPDX-License-Identifier: MIT */
/*
 * stomp_session_inside.h - the parts of a STOMP session, for stomp_session*.c alone.
 *
 *   stomp_session.c           events, time, what is read
 *   stomp_session_frames.c    what frames mean
 *   stomp_session_receipts.c  receipts, and what else waits behind them
 *   stomp_session_end.c       refusals, the way out, what became of the words
 */
#ifndef LAI_SERVE_STOMP_SESSION_INSIDE_H
#define LAI_SERVE_STOMP_SESSION_INSIDE_H

#include "base/time.h"
#include "serve/stomp_session.h"

/* The one setter: asserts that the way from one state to the other is in the drawing. */
void lai_stomp_session_set(struct lai_stomp_session *session, enum lai_stomp_session_state state);

/* Frames are read and acted on in these states alone. */
static inline bool lai_stomp_session_parses(const struct lai_stomp_session *session)
{
	return session->state == LAI_STOMP_SESSION_HANDSHAKE ||
	       session->state == LAI_STOMP_SESSION_OPEN;
}

/* It is on its way out: what comes is thrown away. */
static inline bool lai_stomp_session_closes(const struct lai_stomp_session *session)
{
	return session->state == LAI_STOMP_SESSION_REFUSED ||
	       session->state == LAI_STOMP_SESSION_FAREWELL;
}

/* ---- frames: acts on every whole frame in `in`, as long as the state and the store allow. */
void lai_stomp_session_take_frames(struct lai_stomp_session *session, uint64_t now_ns);
/* Makes the sender's id of records without one: of the user, the epoch and the serial. */
void lai_stomp_session_name_sender(struct lai_stomp_session *session);

/* ---- receipts ---- */

/* id: as it came, escaped. It leaves once everything up to session->last_ticket is stored. False:
   out of memory. */
bool lai_stomp_session_hold_receipt(struct lai_stomp_session *session, struct lai_slice id);
/* The last size bytes of held are the last frame of all: it leaves behind the receipts that are there,
   at once if there are none. False: out of memory, and they are taken back. */
bool lai_stomp_session_hold_last(struct lai_stomp_session *session, size_t size);
/* Moves what is stored from held to out. False: out of memory. */
bool lai_stomp_session_release(struct lai_stomp_session *session);
void lai_stomp_session_forget_held(struct lai_stomp_session *session);
/* A receipt is wanted, and too many wait for the store already. */
bool lai_stomp_session_is_crowded(const struct lai_stomp_session *session);

/* ---- the end ---- */

struct lai_stomp_refusal {
	enum la_session_end end;
	const char *message;	  /* NULL: the end's */
	const char *details;	  /* NULL: none */
	struct lai_slice receipt; /* as it came; size 0: none was asked for */
	uint64_t retry_after_ns;  /* 0: nothing is said of it */
	bool versions;		  /* say which are spoken */
};

void lai_stomp_session_refuse_by(struct lai_stomp_session *session,
				 const struct lai_stomp_refusal *refusal, uint64_t now_ns);
/* After every event: what can be done now towards the end, and whether it is there. */
void lai_stomp_session_advance(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_end_on_timer(struct lai_stomp_session *session, uint64_t now_ns);
uint64_t lai_stomp_session_end_deadline(const struct lai_stomp_session *session);

#endif
