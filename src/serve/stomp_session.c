/* SPDX-License-Identifier: MIT */
#include "serve/stomp_session_inside.h"

#include <assert.h>
#include <stdio.h>

/* An idle session has no buffer at all; the first read gets so much. */
/* A client whose receipts fill their room is not read from; one that takes none for so long never will. */
#define SLOW_READER_NS (30 * LAI_S)
#define READ_FIRST_BYTES (4u * 1024)
/* Twice the head of a login: such a buffer never moves, and leaves no copy of a password behind. */
#define LOGIN_BYTES (8u * 1024)
/* More at once makes no difference to the number of system calls per record. */
#define READ_MAX_BYTES (128u * 1024)
/* Thrown away at once: what a socket's buffer holds, so that others have their turn. */
#define DISCARD_BYTES (1024u * 1024)
/* A buffer that grew beyond this is given back when it is empty. */
#define KEPT_BYTES (4u * 1024)

static const struct lai_stomp_limits login_limits = {
	.headers_max = 16, .line_bytes_max = 1024, .head_bytes_max = 4 * 1024, .body_bytes_max = 0};

/* What stands in a header of a record is for people to read: far more than they write. */
static const struct lai_stomp_limits record_limits = {.headers_max = LAI_STOMP_HEADERS_MAX,
						      .line_bytes_max = 8 * 1024,
						      .head_bytes_max = 32 * 1024};

#define STATE(id) (1u << LAI_STOMP_SESSION_##id)

static const struct {
	const char *name;
	unsigned next; /* states that may follow */
} states[LAI_STOMP_SESSION_STATE_COUNT] = {
	[LAI_STOMP_SESSION_HANDSHAKE] = {"handshake",
					 STATE(CHECKING) | STATE(REFUSED) | STATE(OVER)},
	[LAI_STOMP_SESSION_CHECKING] = {"checking", STATE(OPEN) | STATE(REFUSED) | STATE(OVER)},
	[LAI_STOMP_SESSION_OPEN] = {"open", STATE(FAREWELL) | STATE(REFUSED) | STATE(OVER)},
	[LAI_STOMP_SESSION_FAREWELL] = {"farewell", STATE(OVER)},
	[LAI_STOMP_SESSION_REFUSED] = {"refused", STATE(OVER)},
	[LAI_STOMP_SESSION_OVER] = {"over", 0},
};

const char *lai_stomp_session_state_name(enum lai_stomp_session_state state)
{
	return (unsigned)state < LAI_STOMP_SESSION_STATE_COUNT ? states[state].name : "?";
}

void lai_stomp_session_set(struct lai_stomp_session *session, enum lai_stomp_session_state state)
{
	assert(states[session->state].next & (1u << state));
	session->state = state;
}

void lai_stomp_session_init(struct lai_stomp_session *session,
			    const struct lai_stomp_session_config *config,
			    const struct la_report *report, uint64_t epoch, uint64_t now_ns)
{
	struct lai_conn_limits limits = config->limits;

	/* The peer's FIN is told to the conn when nothing is left to be said to it. */
	limits.close_policy = LA_CLOSE_GRACEFUL;
	limits.on_peer_fin = LA_PEER_FIN_RECONNECT;
	/* What of it may be shorter is the session's own deadline. */
	limits.read_ns = config->linger_ns;
	*session = (struct lai_stomp_session){
		.config = config,
		.began_ns = now_ns,
		.heard_ns = now_ns,
		.words_by_ns = LA_NEVER,
		.stop_by_ns = LA_NEVER,
		.serial = report->serial,
		.epoch = epoch,
		.read_bytes = READ_FIRST_BYTES,
		.frame_limits = record_limits,
	};
	session->frame_limits.body_bytes_max = config->record_bytes_max;
	lai_stomp_parser_init(&session->parser, &login_limits);
	lai_conn_init(&session->conn, &limits, report, now_ns);
}

void lai_stomp_session_done(struct lai_stomp_session *session)
{
	explicit_bzero(session->password, sizeof(session->password));
	if (session->in.bytes)
		explicit_bzero(session->in.bytes, session->in.capacity);
	lai_buffer_done(&session->in);
	lai_buffer_done(&session->out);
	lai_buffer_done(&session->held);
	lai_buffer_done(&session->tickets);
	lai_buffer_done(&session->scratch);
}

bool lai_stomp_session_over(const struct lai_stomp_session *session)
{
	return session->state == LAI_STOMP_SESSION_OVER;
}

/* ---- memory --------------------------------------------------------------------------------- */

static void give_back(struct lai_buffer *buffer, size_t kept_bytes)
{
	if (lai_buffer_used(buffer) == 0 && buffer->capacity > kept_bytes)
		lai_buffer_done(buffer);
}

/* A client that says little, or nothing for a while, costs its struct and no more. */
static void give_back_all(struct lai_stomp_session *session)
{
	give_back(&session->in, 0);
	give_back(&session->out, 0);
	give_back(&session->held, 0);
	give_back(&session->tickets, 0);
	give_back(&session->scratch, 0);
}

/* After a read of so much: the next one may bring as much again, or more. */
static void adapt(struct lai_stomp_session *session, size_t size)
{
	if (size >= session->read_bytes && session->read_bytes < READ_MAX_BYTES)
		session->read_bytes *= 2;
	else if (size < session->read_bytes / 4 && session->read_bytes > READ_FIRST_BYTES)
		session->read_bytes /= 2;
	if (size < READ_FIRST_BYTES / 4)
		give_back(&session->in, 0);
	give_back(&session->in, 2 * (size_t)session->read_bytes);
	give_back(&session->scratch, KEPT_BYTES);
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool can_come(const struct lai_stomp_session *session)
{
	return !session->fin_came && (session->conn.recv.state == LAI_RECV_OPEN ||
				      session->conn.recv.state == LAI_RECV_LAST_WORDS);
}

static bool reads(const struct lai_stomp_session *session)
{
	return can_come(session) && lai_stomp_session_parses(session) && !session->paused &&
	       !session->no_memory;
}

size_t lai_stomp_session_discards(const struct lai_stomp_session *session)
{
	uint64_t max = session->config->linger_bytes, gone = session->drained_bytes;

	if (!can_come(session) || !lai_stomp_session_closes(session) || gone >= max)
		return 0;
	return max - gone < DISCARD_BYTES ? (size_t)(max - gone) : DISCARD_BYTES;
}

bool lai_stomp_session_wants_read(const struct lai_stomp_session *session)
{
	return reads(session) || lai_stomp_session_discards(session) > 0;
}

/* What a frame lacks whose length is known; else as much as was worth reading before. */
static size_t wanted_bytes(const struct lai_stomp_session *session)
{
	size_t used = lai_buffer_used(&session->in), frame = session->parser.frame_bytes;

	if (session->state == LAI_STOMP_SESSION_HANDSHAKE)
		return LOGIN_BYTES;
	return frame > used && frame - used > session->read_bytes ? frame - used
								  : session->read_bytes;
}

size_t lai_stomp_session_room(struct lai_stomp_session *session, void **room)
{
	char *place;

	if (!reads(session))
		return 0;
	/* The room that is left will do, unless it is hardly any. */
	if (session->in.bytes && lai_buffer_room(&session->in) >= session->read_bytes / 2 &&
	    (session->parser.frame_bytes == 0 || session->state == LAI_STOMP_SESSION_HANDSHAKE)) {
		*room = session->in.bytes + session->in.end;
		return lai_buffer_room(&session->in);
	}
	place = lai_buffer_reserve(&session->in, wanted_bytes(session));
	if (!place) {
		session->no_memory = true;
		return 0;
	}
	*room = place;
	return lai_buffer_room(&session->in);
}

/* Not through lai_conn_on_received(): the last words that it keeps might be a password. */
static void count_received(struct lai_stomp_session *session, size_t size, uint64_t now_ns)
{
	session->conn.report.received_bytes += size;
	session->conn.report.heard_ns = now_ns;
	session->heard_ns = now_ns;
	lai_stomp_beat_on_heard(&session->beat, now_ns);
}

/* The login has been read: its bytes are not left where a later read might not overwrite them. */
static void wipe_login(struct lai_stomp_session *session)
{
	struct lai_buffer *in = &session->in;

	if (session->state != LAI_STOMP_SESSION_CHECKING || !in->bytes)
		return;
	explicit_bzero(in->bytes, in->begin);
	explicit_bzero(in->bytes + in->end, in->capacity - in->end);
}

void lai_stomp_session_on_read(struct lai_stomp_session *session, size_t size, uint64_t now_ns)
{
	lai_buffer_extend(&session->in, size);
	count_received(session, size, now_ns);
	lai_stomp_session_take_frames(session, now_ns);
	wipe_login(session);
	lai_stomp_session_advance(session, now_ns);
	adapt(session, size);
}

void lai_stomp_session_on_discarded(struct lai_stomp_session *session, size_t size, uint64_t now_ns)
{
	count_received(session, size, now_ns);
	session->drained_bytes += size;
	session->came_ns = now_ns;
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_fin(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (session->conn.recv.state != LAI_RECV_OPEN || session->fin_came)
		return; /* EOF after an error is not the peer's FIN */
	session->fin_came = true;
	/* Sent in answer to the ERROR: its kernel would answer RST if it had closed before. */
	session->fin_after_words = session->state == LAI_STOMP_SESSION_REFUSED && session->said &&
				   session->conn.report.written_bytes >= session->words_to;
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_error(struct lai_stomp_session *session, int error, uint64_t now_ns)
{
	if (session->fin_came && !session->fin_told) {
		session->fin_told = true;
		lai_conn_on_fin(&session->conn, now_ns);
	}
	lai_conn_on_error(&session->conn, error, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

/* ---- writing -------------------------------------------------------------------------------- */

size_t lai_stomp_session_to_send(const struct lai_stomp_session *session, const void **data)
{
	*data = lai_buffer_data(&session->out);
	return lai_conn_may_write(&session->conn) && !session->looking
		       ? lai_buffer_used(&session->out)
		       : 0;
}

static void go_on(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (!session->paused)
		return;
	session->paused = session->crowded = false;
	/* Nothing was read meanwhile, so nothing could be heard. */
	session->heard_ns = now_ns;
	lai_stomp_beat_on_heard(&session->beat, now_ns);
	lai_stomp_session_take_frames(session, now_ns);
}

/* Reading was stopped for a crowd of receipts, and they have become fewer. */
static void crowd_is_over(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (!session->crowded || lai_stomp_session_is_crowded(session))
		return;
	go_on(session, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_sent(struct lai_stomp_session *session, size_t size, uint64_t now_ns)
{
	lai_buffer_consume(&session->out, size);
	lai_conn_on_written(&session->conn, size, now_ns);
	lai_stomp_beat_on_sent(&session->beat, now_ns);
	session->taken_ns = now_ns;
	give_back(&session->out, KEPT_BYTES);
	lai_stomp_session_advance(session, now_ns);
	crowd_is_over(session, now_ns);
}

/* ---- login and store ------------------------------------------------------------------------ */

/* No user's name and none of ours has what would have to be escaped, and CONNECTED knows no escapes. */
static bool put_text(struct lai_buffer *out, const char *name, const char *text)
{
	return lai_stomp_put(out, LAI_STOMP_1_0, name, lai_slice_of(text));
}

static bool put_connected(const struct lai_stomp_session *session, struct lai_buffer *out)
{
	return lai_stomp_begin(out, LAI_STOMP_CONNECTED) &&
	       put_text(out, "version", lai_stomp_version_text(session->version)) &&
	       lai_stomp_put_number(out, "session", session->serial) &&
	       put_text(out, "server", session->config->server) &&
	       lai_stomp_put_beat(out, session->config->heartbeat_ns) &&
	       (!session->user[0] || put_text(out, "user-name", session->user)) &&
	       lai_stomp_end(out, (struct lai_slice){0});
}

static void let_in(struct lai_stomp_session *session, uint64_t now_ns)
{
	size_t before = lai_buffer_used(&session->out);

	lai_stomp_session_set(session, LAI_STOMP_SESSION_OPEN);
	if (!put_connected(session, &session->out)) {
		lai_buffer_truncate(&session->out, lai_buffer_used(&session->out) - before);
		session->no_memory = true;
		return;
	}
	session->parser.limits = &session->frame_limits;
	session->heard_ns = session->beat.heard_ns = session->beat.sent_ns = now_ns;
	lai_stomp_session_name_sender(session);
	lai_stomp_session_take_frames(session, now_ns);
}

void lai_stomp_session_on_checked(struct lai_stomp_session *session, enum la_session_end verdict,
				  uint64_t retry_after_ns, uint64_t now_ns)
{
	if (session->state != LAI_STOMP_SESSION_CHECKING)
		return;
	explicit_bzero(session->password, sizeof(session->password));
	if (verdict == LA_SESSION_OPEN)
		let_in(session, now_ns);
	else
		lai_stomp_session_refuse_by(
			session,
			&(struct lai_stomp_refusal){.end = verdict,
						    .retry_after_ns = retry_after_ns},
			now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_stored(struct lai_stomp_session *session, uint64_t ticket,
				 uint64_t now_ns)
{
	if (ticket > session->stored_ticket)
		session->stored_ticket = ticket;
	if (session->state == LAI_STOMP_SESSION_OVER)
		return;
	if (lai_buffer_used(&session->out) == 0)
		session->taken_ns = now_ns; /* there was nothing that it could take */
	lai_stomp_session_advance(session, now_ns);
	crowd_is_over(session, now_ns);
}

void lai_stomp_session_resume(struct lai_stomp_session *session, uint64_t now_ns)
{
	go_on(session, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

/* ---- the conn's other events ---------------------------------------------------------------- */

void lai_stomp_session_on_view(struct lai_stomp_session *session, const struct lai_view *view,
			       uint64_t now_ns)
{
	if (session->looking)
		session->fin_early = view->tcp_state == LAI_TCP_CLOSE_WAIT;
	session->looking = false;
	lai_conn_on_view(&session->conn, view, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_why_silent(struct lai_stomp_session *session, int error, uint64_t now_ns)
{
	lai_conn_on_why_silent(&session->conn, error, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_rest_read(struct lai_stomp_session *session, uint64_t now_ns)
{
	lai_conn_on_rest_read(&session->conn, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_on_resumed(struct lai_stomp_session *session, uint64_t now_ns)
{
	lai_conn_on_resumed(&session->conn, now_ns);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* The peer is listened to, and is to say something now and then. */
static bool is_attended(const struct lai_stomp_session *session)
{
	return session->state == LAI_STOMP_SESSION_OPEN && !session->paused && !session->fin_came;
}

static uint64_t idle_due_ns(const struct lai_stomp_session *session)
{
	/* One that waits for its receipts is not idle. */
	if (!is_attended(session) || lai_buffer_used(&session->held) > 0)
		return LA_NEVER;
	return lai_time_after(session->heard_ns, session->config->idle_ns);
}

/* It was not read from for so long that its receipts pile up, and it takes none of them. */
static uint64_t slow_due_ns(const struct lai_stomp_session *session)
{
	if (session->state != LAI_STOMP_SESSION_OPEN ||
	    lai_buffer_used(&session->out) < session->config->replies_bytes_max)
		return LA_NEVER;
	return lai_time_after(session->taken_ns, SLOW_READER_NS);
}

static uint64_t handshake_due_ns(const struct lai_stomp_session *session)
{
	if (session->state != LAI_STOMP_SESSION_HANDSHAKE || session->fin_came)
		return LA_NEVER;
	return lai_time_after(session->began_ns, session->config->handshake_ns);
}

/* The heart-beats that matter now: ours only where nothing else waits to be sent. */
static struct lai_stomp_beat present_beat(const struct lai_stomp_session *session)
{
	struct lai_stomp_beat beat = session->beat;
	bool talks = session->state == LAI_STOMP_SESSION_OPEN ||
		     (session->state == LAI_STOMP_SESSION_FAREWELL && !session->said);

	if (!talks || lai_buffer_used(&session->out) > 0 || !lai_conn_may_write(&session->conn))
		beat.send_ns = LA_NEVER;
	if (!is_attended(session))
		beat.expect_ns = LA_NEVER;
	return beat;
}

static void beat_on_timer(struct lai_stomp_session *session, uint64_t now_ns)
{
	struct lai_stomp_beat beat = present_beat(session);

	if (lai_stomp_beat_missed(&beat, now_ns))
		lai_stomp_session_refuse_by(
			session, &(struct lai_stomp_refusal){.end = LA_SESSION_HEARTBEAT_LOST},
			now_ns);
	else if (lai_stomp_beat_due(&beat, now_ns) && !lai_buffer_append(&session->out, "\n", 1))
		session->no_memory = true;
}

static void refuse_late(struct lai_stomp_session *session, uint64_t due_ns, enum la_session_end end,
			uint64_t now_ns)
{
	if (now_ns >= due_ns)
		lai_stomp_session_refuse_by(session, &(struct lai_stomp_refusal){.end = end},
					    now_ns);
}

void lai_stomp_session_on_timer(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (session->state == LAI_STOMP_SESSION_OVER)
		return;
	session->looking = false; /* a view that could not be had must not hold the words back */
	lai_conn_on_timer(&session->conn, now_ns);
	refuse_late(session, handshake_due_ns(session), LA_SESSION_HANDSHAKE_TIMEOUT, now_ns);
	beat_on_timer(session, now_ns);
	refuse_late(session, idle_due_ns(session), LA_SESSION_IDLE, now_ns);
	refuse_late(session, slow_due_ns(session), LA_SESSION_SLOW_READER, now_ns);
	lai_stomp_session_end_on_timer(session, now_ns);
	lai_stomp_session_advance(session, now_ns);
	give_back_all(session);
}

uint64_t lai_stomp_session_deadline(const struct lai_stomp_session *session)
{
	uint64_t deadline_ns = lai_conn_deadline(&session->conn);
	struct lai_stomp_beat beat = present_beat(session);

	if (session->state == LAI_STOMP_SESSION_OVER)
		return LA_NEVER;
	if (session->no_memory && !lai_stomp_session_closes(session))
		return session->heard_ns; /* at once */
	if (session->state == LAI_STOMP_SESSION_OPEN ||
	    session->state == LAI_STOMP_SESSION_FAREWELL)
		deadline_ns = lai_time_min(deadline_ns, lai_stomp_beat_deadline(&beat));
	deadline_ns = lai_time_min(deadline_ns, handshake_due_ns(session));
	deadline_ns = lai_time_min(deadline_ns, idle_due_ns(session));
	deadline_ns = lai_time_min(deadline_ns, slow_due_ns(session));
	return lai_time_min(deadline_ns, lai_stomp_session_end_deadline(session));
}
