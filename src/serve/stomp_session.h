/* SPDX-License-Identifier: MIT */
/*
 * stomp_session.h - one client of a STOMP server, from its CONNECT to the last byte: pure.
 *
 *   handshake -> checking -> open -> farewell          any refusal: -> refused -> over
 *
 *   handshake  CONNECT is awaited, under small limits: handshake_ns from the accept
 *   checking   the password is being checked elsewhere; nothing is read meanwhile, and no deadline
 *              runs, since it is the server that takes its time
 *   open       records are handed to the store, receipts go out when their ticket is stored. Two
 *              missed heart-beats, idle_ns; without either: keepalive guards the peer
 *   farewell   DISCONNECT came: its receipt goes out behind all others (the store decides when),
 *              then our FIN, and from there the bounds of refused
 *   refused    ERROR is written behind the receipts that are due, then our FIN; what still comes is
 *              thrown away unread (never acted on) until the peer's FIN. Closing at once would
 *              answer those bytes with RST, which destroys the text on its way
 *   over       closed; what the ERROR became is in words
 *
 * The end itself is lai_conn's ladder: drain, wait for the ACK, FIN, read to the peer's FIN. It is
 * bounded so that a text on its way is not given up for a client that is merely slow:
 *
 *   linger_ns       all of it, from the moment the ERROR is on its way; the ladder's dead_ns ends it
 *                   before if nothing that is in flight gets acknowledged
 *   linger_idle_ns  nothing more came, counted once our FIN (and so the text) is acknowledged
 *   linger_bytes    so much was thrown away: nothing more is read, the window closes, and one of the
 *                   other two ends it. A fast client sends gigabytes while a lost text is repeated;
 *                   an RST for that would lose the text
 *
 * Whether the client has read the ERROR is told by its FIN, if that was sent afterwards. Nothing is read
 * while a password is checked, so a FIN may wait in the kernel for long: a view right before the ERROR
 * is written tells.
 *
 * Receipts are bytes in `held` until the store has their ticket, then in `out`. Tickets only grow, so
 * receipts leave in the order of their frames. The ERROR and the answer to DISCONNECT stand in the
 * same row, behind them.
 */
#ifndef LAI_SERVE_STOMP_SESSION_H
#define LAI_SERVE_STOMP_SESSION_H

#include "conn/conn.h"
#include "wire/stomp.h"

#include <lastack/server.h>

enum lai_stomp_session_state {
	LAI_STOMP_SESSION_HANDSHAKE,
	LAI_STOMP_SESSION_CHECKING,
	LAI_STOMP_SESSION_OPEN,
	LAI_STOMP_SESSION_FAREWELL,
	LAI_STOMP_SESSION_REFUSED,
	LAI_STOMP_SESSION_OVER,
	LAI_STOMP_SESSION_STATE_COUNT
};

/* With the final NUL. */
#define LAI_USER_MAX 64
#define LAI_PASSWORD_MAX 512
/* Longer than any message of ours. */
#define LAI_STOMP_MESSAGE_MAX 256

/* A record as it stands in the session's buffer: valid during the call. */
struct lai_stomp_record {
	struct lai_slice sender; /* of record-id, or the session's own for a foreign client */
	uint64_t seq;
	/*
	 * Unescaped; headers "name:value\n" each, all but those of the protocol. One that would not
	 * be one line with one name then (a line break in it, a colon in its name) stays escaped.
	 */
	struct lai_slice destination, headers, body;
};

struct lai_stomp_session_config {
	struct lai_conn_limits limits; /* dead_ns and stall; how it closes is the session's */
	uint64_t handshake_ns, idle_ns, heartbeat_ns;
	uint64_t linger_idle_ns, linger_ns, linger_bytes; /* see above */
	size_t record_bytes_max;
	/* So many receipts that wait for the store, or that the client does not read: nothing is
	   read from it until they are fewer; SLOW_READER if it takes none for 30 s. */
	size_t replies_bytes_max;
	const char *server; /* "lastack/0.1.0" for CONNECTED */
	/*
	 * A record has come. 0 with *ticket: it is on its way, its receipt waits for this ticket.
	 * -EAGAIN: no room now: the session stops reading and offers it again when resumed. Other
	 * negative errno: it can never be stored: ERROR.
	 */
	int (*on_record)(void *arg, const struct lai_stomp_record *record, uint64_t *ticket);
	void *arg;
};

struct lai_stomp_session {
	const struct lai_stomp_session_config *config;
	struct lai_conn conn;
	enum lai_stomp_session_state state;
	enum la_session_end end;
	enum la_words words;
	struct lai_stomp_parser parser;
	struct lai_buffer in;	   /* read and not parsed */
	struct lai_buffer out;	   /* to be sent */
	struct lai_buffer held;	   /* receipts that wait for their ticket, as bytes */
	struct lai_buffer tickets; /* of held: struct hold of stomp_session_receipts.c */
	uint64_t held_base;	   /* offset of held's first byte in the count of all held bytes */
	struct lai_stomp_beat beat;
	enum lai_stomp_version version;
	uint64_t taken_ns; /* when it took some of what we say last */
	uint64_t began_ns, heard_ns, refused_ns, drained_bytes;
	/* Of the last frame (ERROR, or the answer to DISCONNECT), in offsets of what we write. */
	uint64_t words_from, words_to;
	size_t words_bytes;   /* of the ERROR, at the end of held until it is due */
	bool said;	      /* the last frame is in out, or has gone; the ladder is climbed */
	uint64_t words_by_ns; /* then the ERROR goes without waiting for receipts */
	uint64_t came_ns;     /* refused: when something came last */
	uint64_t stop_by_ns;
	uint64_t own_seq; /* for records without an id */
	uint64_t serial, epoch;
	uint64_t last_ticket;
	uint64_t stored_ticket;
	bool paused;   /* the store has no room */
	bool crowded;  /* paused, since too many receipts wait for the store, or for the client */
	bool fin_came; /* the peer's; the conn is told once our answers are written */
	bool fin_told;
	bool looking;	/* nothing is written before the kernel has said whether it is there */
	bool fin_early; /* it was there, read or not, before the ERROR was written */
	bool fin_after_words; /* it came when the whole ERROR had been written */
	bool receipt_asked;   /* by DISCONNECT */
	bool no_memory;	      /* a buffer could not grow: refused at the next event */
	uint32_t read_bytes;  /* how much is read at once: grows with what comes */
	struct lai_stomp_limits frame_limits; /* once logged in */
	char user[LAI_USER_MAX];
	char password[LAI_PASSWORD_MAX]; /* only while checking; then wiped */
	char sender[LAI_USER_MAX + 40];	 /* for records without an id */
	char message[LAI_STOMP_MESSAGE_MAX];
	uint64_t records, receipts;
	struct lai_buffer scratch; /* unescaped headers */
};

/* epoch: makes the own sender id unique over runs of the server. config must outlive it. */
void lai_stomp_session_init(struct lai_stomp_session *session,
			    const struct lai_stomp_session_config *config,
			    const struct la_report *report, uint64_t epoch, uint64_t now_ns);
void lai_stomp_session_done(struct lai_stomp_session *session);

/*
 * Reading. room: where to read to, and how much; 0: not now. discards: what comes is to be thrown
 * away, at most so many bytes at once (use the network's discard()); 0: no.
 */
size_t lai_stomp_session_room(struct lai_stomp_session *session, void **room);
size_t lai_stomp_session_discards(const struct lai_stomp_session *session);
void lai_stomp_session_on_read(struct lai_stomp_session *session, size_t size, uint64_t now_ns);
void lai_stomp_session_on_discarded(struct lai_stomp_session *session, size_t size,
				    uint64_t now_ns);
void lai_stomp_session_on_fin(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_on_error(struct lai_stomp_session *session, int error, uint64_t now_ns);
bool lai_stomp_session_wants_read(const struct lai_stomp_session *session);

/* Writing: the number of bytes at *data, 0 for none. */
size_t lai_stomp_session_to_send(const struct lai_stomp_session *session, const void **data);
void lai_stomp_session_on_sent(struct lai_stomp_session *session, size_t size, uint64_t now_ns);

/* In CHECKING: user and password ("" if none was given) are to be checked; then: who it is (end
   OPEN; user may have been exchanged for another name), or why not (LOGIN_REJECTED,
   TOO_MANY_FAILURES with retry_after_ns, NOT_AUTHORIZED). In any other state nothing is done: the
   session was refused meanwhile. */
void lai_stomp_session_on_checked(struct lai_stomp_session *session, enum la_session_end verdict,
				  uint64_t retry_after_ns, uint64_t now_ns);
/* Everything up to this ticket is stored. */
void lai_stomp_session_on_stored(struct lai_stomp_session *session, uint64_t ticket,
				 uint64_t now_ns);
/* The store has room again. */
void lai_stomp_session_resume(struct lai_stomp_session *session, uint64_t now_ns);

/* The conn's other events. */
void lai_stomp_session_on_view(struct lai_stomp_session *session, const struct lai_view *view,
			       uint64_t now_ns);
void lai_stomp_session_on_why_silent(struct lai_stomp_session *session, int error, uint64_t now_ns);
void lai_stomp_session_on_rest_read(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_on_resumed(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_on_timer(struct lai_stomp_session *session, uint64_t now_ns);
uint64_t lai_stomp_session_deadline(const struct lai_stomp_session *session);

/* Wishes. Refuse: ERROR with the end's sentence and these details (NULL: none; without a full stop),
   lingering. Nothing is done to one that is refused already, or has said DISCONNECT. */
void lai_stomp_session_refuse(struct lai_stomp_session *session, enum la_session_end end,
			      const char *details, uint64_t now_ns);
/* The server stops: receipts of what gets stored in half of the time, then ERROR "stopped", then RST
   by then. */
void lai_stomp_session_stop(struct lai_stomp_session *session, uint64_t by_ns, uint64_t now_ns);
/* A lingering one is in the way: it ends now. */
void lai_stomp_session_reclaim(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_abort(struct lai_stomp_session *session, uint64_t now_ns);

bool lai_stomp_session_over(const struct lai_stomp_session *session);
const char *lai_stomp_session_state_name(enum lai_stomp_session_state state);

#endif
