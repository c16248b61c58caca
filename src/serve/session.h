/* SPDX-License-Identifier: MIT */
/*
 * session.h - one accepted connection: what comes in, what of it goes out, and when our FIN may go.
 *
 *       begin           ready        end
 *   ......|===============|-----------|......      the buffer, in offsets of the peer's stream
 *  stored    whole records   the tail
 *
 * Our FIN is our receipt: a sender that gets it after its own FIN takes everything for consumed. So
 * it goes out only when all that was read has been stored, and a session whose bytes cannot be
 * stored ends by RST. Events go in with the time; what is to be done comes out as the actions of
 * its lai_conn (conn.h), as bytes to store and as bytes to send.
 *
 * The tail, a record that is not whole yet, has two ends. The peer closed properly: it is its last
 * record, kept and given a newline. The connection died: our sender sends that record again on the
 * next one, so it is dropped, and counted.
 */
#ifndef LAI_SERVE_SESSION_H
#define LAI_SERVE_SESSION_H

#include "conn/conn.h"
#include "wire/wire.h"

/* Why we ended it and not the peer. X(enumerator, name, sentence). */
#define LAI_SESSION_WHYS(X)                                                                        \
	X(NONE, "peer", "the end was the peer's, or the network's")                                \
	X(READ_TIMEOUT, "read-timeout", "nothing came for too long")                               \
	X(RECORD_TOO_LONG, "record-too-long", "a record was too long")                             \
	X(STOPPED, "stopped", "we were asked to stop")                                             \
	X(ABORTED, "aborted", "we were asked to abort")                                            \
	X(NOT_STORED, "not-stored", "what it sent could not be stored")                            \
	X(NO_MEMORY, "no-memory", "there was no memory for its record")

enum lai_session_why {
#define X(id, name, sentence) LAI_SESSION_##id,
	LAI_SESSION_WHYS(X)
#undef X
	LAI_SESSION_WHY_COUNT
};

struct lai_session_config {
	const struct lai_wire *wire;
	struct lai_conn_limits limits;
	uint64_t read_timeout_ns; /* nothing comes for so long: our FIN; LA_NEVER: no bound */
	size_t record_bytes_max;  /* with its newline */
};

/* "record over 18446744073709551615 bytes\n" */
#define LAI_SESSION_REPLY_MAX 48

struct lai_session {
	const struct lai_session_config *config;
	struct lai_conn conn;
	struct lai_ring ring;
	uint64_t ready;	  /* everything before it is whole records */
	uint64_t scanned; /* no record ends in (ready, scanned] */
	uint64_t heard_ns;
	enum lai_session_why why;
	bool paused;		 /* the owner does not read now */
	bool fin_came;		 /* the peer's; said to the conn when all before it is stored */
	bool finish_wished;	 /* our FIN goes as soon as nothing is left to read or to store */
	uint64_t finish_soon_ns; /* ... and from then on without waiting for nothing left to read */
	uint64_t finish_by_ns;
	char reply[LAI_SESSION_REPLY_MAX];
	size_t reply_bytes, replied_bytes;

	uint64_t records; /* whole ones, read: see lai_session_records() */
	uint64_t stored_bytes;
	uint64_t kept_tail_bytes; /* without the newline that we added */
	uint64_t dropped_tail_bytes;
	uint64_t discarded_bytes; /* read and not stored for any other reason */
};

/*
 * report: what is known already, as for lai_conn_init(). config must outlive the session.
 * 0: release it with lai_session_done(). -ENOMEM.
 */
int lai_session_init(struct lai_session *session, const struct lai_session_config *config,
		     const struct la_report *report, uint64_t now_ns);
void lai_session_done(struct lai_session *session);

/*
 * Reading. room: where to read to and how much; 0: not now. Then one of the four: bytes came, none
 * are there now, the peer's FIN came, or an error (positive errno value; take a view before).
 */
size_t lai_session_room(struct lai_session *session, void **room);
void lai_session_on_read(struct lai_session *session, size_t size, uint64_t now_ns);
void lai_session_on_dry(struct lai_session *session, uint64_t now_ns);
void lai_session_on_fin(struct lai_session *session, uint64_t now_ns);
void lai_session_on_error(struct lai_session *session, int error, uint64_t now_ns);

/* Whether reading makes sense: the peer's half is open. */
bool lai_session_wants_read(const struct lai_session *session);
/* Whether what is read goes nowhere: neither a full output nor a rate is a reason not to
   read it. */
bool lai_session_discards(const struct lai_session *session);
/* Something waits for the news that nothing is left to read: try, even if no event says so. */
bool lai_session_wants_try(const struct lai_session *session, uint64_t now_ns);
/* The owner stops or resumes reading: the read time-out stands still meanwhile. */
void lai_session_pause(struct lai_session *session, bool paused);

/* Whole records that wait to be stored: number of pieces, 0 for nothing. */
int lai_session_to_store(const struct lai_session *session, struct iovec iov[2]);
void lai_session_on_stored(struct lai_session *session, size_t size, uint64_t now_ns);

/* The reply to the peer: the bytes, 0 for none. */
size_t lai_session_to_send(const struct lai_session *session, const void **data);
void lai_session_on_sent(struct lai_session *session, size_t size, uint64_t now_ns);

/* The conn's other events, and what follows from them here. */
void lai_session_on_view(struct lai_session *session, const struct lai_view *view, uint64_t now_ns);
void lai_session_on_why_silent(struct lai_session *session, int error, uint64_t now_ns);
void lai_session_on_rest_read(struct lai_session *session, uint64_t now_ns);
void lai_session_on_resumed(struct lai_session *session, uint64_t now_ns);
void lai_session_on_timer(struct lai_session *session, uint64_t now_ns);
uint64_t lai_session_deadline(const struct lai_session *session);

/*
 * Wishes. Finish: read and store what is there, then our FIN; RST if that is not done by
 * finish_by_ns. A peer that never pauses gets it all the same, soon.
 */
void lai_session_finish(struct lai_session *session, enum lai_session_why why,
			uint64_t finish_by_ns, uint64_t now_ns);
/* RST, and what is not stored is thrown away, and counted. */
void lai_session_abort(struct lai_session *session, enum lai_session_why why, uint64_t now_ns);

/* The connection has ended and everything that will be stored is. */
bool lai_session_over(const struct lai_session *session);
/* It ended with the peer's FIN, of its own will, and everything is stored. */
bool lai_session_proper(const struct lai_session *session);

/* Whole records that have been stored. */
uint64_t lai_session_records(const struct lai_session *session);

const char *lai_session_why_name(enum lai_session_why why);
const char *lai_session_why_sentence(enum lai_session_why why);

#endif
