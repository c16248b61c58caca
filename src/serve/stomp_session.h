/* SPDX-License-Identifier: MIT */
/*
 * stomp_session.h - one client of a STOMP server, from its CONNECT to the last byte: pure.
 *
 *   handshake -> checking -> open -> farewell          any refusal: -> refused -> over
 *
 *   handshake  CONNECT is awaited, under small limits: handshake_ns from the accept
 *   checking   the password is being checked elsewhere; nothing is read meanwhile
 *   open       records are handed to the store, receipts go out when their ticket is stored
 *   farewell   DISCONNECT came: its receipt goes out behind all others, then our FIN
 *   refused    ERROR is written, then our FIN; what still comes is thrown away unread (never
 *              acted on) until the peer's FIN, bounded by linger_idle_ns, linger_ns, linger_bytes.
 *              Closing at once would answer those bytes with RST, which destroys the text on its way
 *   over       closed; what the ERROR became is in words
 *
 * The end itself is lai_conn's ladder. Bytes and time go in; bytes, records, one question (is this
 * password right?) and a deadline come out.
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
	struct lai_slice destination, headers, body; /* unescaped; headers "name:value\n" each */
};

struct lai_stomp_session_config {
	struct lai_conn_limits limits;
	uint64_t handshake_ns, idle_ns, heartbeat_ns;
	uint64_t linger_idle_ns, linger_ns, linger_bytes;
	size_t record_bytes_max;
	size_t replies_bytes_max; /* receipts that a client does not read: then SLOW_READER */
	const char *server;	  /* "lastack/0.1.0" for CONNECTED */
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
	struct lai_buffer in;	/* read and not parsed */
	struct lai_buffer out;	/* to be sent */
	struct lai_buffer held; /* receipts that wait for their ticket, as bytes */
	struct lai_buffer tickets; /* { ticket, end offset in held } pairs */
	uint64_t held_base;	/* offset of held's first byte in the count of all held bytes */
	struct lai_stomp_beat beat;
	enum lai_stomp_version version;
	uint64_t began_ns, heard_ns, refused_ns, drained_bytes;
	uint64_t words_from, words_to; /* of the ERROR, in offsets of what we have written */
	uint64_t stop_by_ns;
	uint64_t own_seq; /* for records without an id */
	uint64_t serial;
	uint64_t last_ticket;
	bool paused;	  /* the store has no room */
	bool fin_came;
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

/* In CHECKING: user and password are to be checked; then: who it is (end OPEN), or why not
   (LOGIN_REJECTED, TOO_MANY_FAILURES with retry_after_ns, NOT_AUTHORIZED). */
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

/* Wishes. Refuse: ERROR with the end's sentence (and this receipt-id, if not empty), lingering. */
void lai_stomp_session_refuse(struct lai_stomp_session *session, enum la_session_end end,
			      const char *details, uint64_t now_ns);
/* The server stops: receipts of what is stored, then ERROR "stopped", then RST by then. */
void lai_stomp_session_stop(struct lai_stomp_session *session, uint64_t by_ns, uint64_t now_ns);
/* A lingering one is in the way: it ends now. */
void lai_stomp_session_reclaim(struct lai_stomp_session *session, uint64_t now_ns);
void lai_stomp_session_abort(struct lai_stomp_session *session, uint64_t now_ns);

bool lai_stomp_session_over(const struct lai_stomp_session *session);

#endif
