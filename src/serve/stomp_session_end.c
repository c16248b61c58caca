/* SPDX-License-Identifier: MIT */
/*
 * stomp_session_end.c - the way out: the ERROR, our FIN, and what became of the words.
 *
 *   refused: ERROR at the end of held   -> receipts before it are stored, or words_by  (unsaid)
 *            ERROR in out               -> the conn drains, awaits the ACK, sends FIN  (said)
 *            FIN acknowledged           -> the peer's FIN, or linger_idle
 *
 * A farewell goes the same way, with its receipt instead of the ERROR.
 */
#include "serve/stomp_session_inside.h"

#include <stdio.h>

/* A message and a sentence more. */
#define BODY_MAX (LAI_STOMP_MESSAGE_MAX + 160)

static const struct {
	const char *message, *help;
} texts[LA_SESSION_END_COUNT] = {
	[LA_SESSION_LOGIN_REJECTED] = {"unknown user or wrong password",
				       "The server does not say which of the two."},
	[LA_SESSION_TOO_MANY_FAILURES] = {"too many failed logins from this address",
					  "Try again after the seconds in retry-after."},
	[LA_SESSION_NOT_AUTHORIZED] = {"this server wants a login",
				       "Give login and passcode in CONNECT."},
	[LA_SESSION_HANDSHAKE_TIMEOUT] = {"no CONNECT came in time",
					  "Send it as soon as the connection is made."},
	[LA_SESSION_PROTOCOL_ERROR] = {"protocol error",
				       "Nothing behind the frame in question has been read."},
	[LA_SESSION_NOT_SUPPORTED] = {"not supported",
				      "This server knows CONNECT, STOMP, SEND and DISCONNECT."},
	[LA_SESSION_REFUSED_RECORD] = {"this record cannot be stored",
				       "Sending it again does not help."},
	[LA_SESSION_HEARTBEAT_LOST] = {"nothing came for two heart-beats",
				       "Send records or heart-beats as often as was agreed."},
	[LA_SESSION_IDLE] = {"nothing came for too long", "Come back when there is a record."},
	[LA_SESSION_SLOW_READER] = {"the receipts are not read",
				    "Read what the server says while you send."},
	[LA_SESSION_TOO_MANY_CONNECTIONS] = {"the server is full", "Try again later."},
	[LA_SESSION_STOPPED] = {"the server is stopping",
				"What has no receipt yet is to be sent again elsewhere, or later."},
	[LA_SESSION_NO_MEMORY] = {"the server has no memory for this", "Try again later."},
};

/* ---- the ERROR frame ------------------------------------------------------------------------ */

static void make_message(struct lai_stomp_session *session, const struct lai_stomp_refusal *refusal)
{
	const char *message = refusal->message ? refusal->message : texts[refusal->end].message;
	const char *details = refusal->details ? refusal->details : "";

	if (!message) /* an end that is no refusal: the owner knows better */
		message = la_session_end_sentence(refusal->end);
	(void)snprintf(session->message, sizeof(session->message), "%s%s%s", message,
		       *details ? "; " : "", details);
	for (char *c = session->message; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static bool put_raw(struct lai_buffer *out, const char *head, struct lai_slice value)
{
	return lai_buffer_append(out, head, strlen(head)) &&
	       lai_buffer_append(out, value.data, value.size) && lai_buffer_append(out, "\n", 1);
}

/*
 * Neither a frame nor a login is to blame: it would go the same way again, or not, with any other. A
 * client that knows this header does not hold its last record for poisonous, nor its password for wrong.
 */
static bool is_shutdown(enum la_session_end end)
{
	switch (end) {
	case LA_SESSION_STOPPED:
	case LA_SESSION_TOO_MANY_CONNECTIONS:
	case LA_SESSION_NO_MEMORY:
	case LA_SESSION_SLOW_READER:
	case LA_SESSION_HEARTBEAT_LOST:
	case LA_SESSION_IDLE:
	case LA_SESSION_HANDSHAKE_TIMEOUT: return true;
	default: return false;
	}
}

static bool put_headers(const struct lai_stomp_session *session, struct lai_buffer *out,
			const struct lai_stomp_refusal *refusal)
{
	uint64_t retry_s = refusal->retry_after_ns / LAI_S + (refusal->retry_after_ns % LAI_S > 0);

	if (!lai_stomp_put(out, session->version, "message", lai_slice_of(session->message)))
		return false;
	if (!put_raw(out, "content-type:", LAI_SLICE("text/plain")))
		return false;
	/* An id goes back as it came, escapes and all; one that breaks the line does not. */
	if (refusal->receipt.data && !memchr(refusal->receipt.data, '\r', refusal->receipt.size) &&
	    !put_raw(out, "receipt-id:", refusal->receipt))
		return false;
	if (retry_s > 0 && !lai_stomp_put_number(out, "retry-after", retry_s))
		return false;
	if (refusal->versions && !put_raw(out, "version:", LAI_SLICE("1.0,1.1,1.2")))
		return false;
	return !is_shutdown(refusal->end) || put_raw(out, "shutdown:", LAI_SLICE("true"));
}

/* Appends the ERROR to held; false: out of memory, nothing is appended. */
static bool hold_error(struct lai_stomp_session *session, const struct lai_stomp_refusal *refusal)
{
	struct lai_buffer *out = &session->held;
	size_t before = lai_buffer_used(out);
	const char *help = texts[refusal->end].help;
	char body[BODY_MAX];

	make_message(session, refusal);
	(void)snprintf(body, sizeof(body), "%s%s%s\n", session->message, help ? ". " : ".",
		       help ? help : "");
	if (lai_stomp_begin(out, LAI_STOMP_ERROR) && put_headers(session, out, refusal) &&
	    lai_stomp_end(out, lai_slice_of(body))) {
		session->words_bytes = lai_buffer_used(out) - before;
		if (lai_stomp_session_hold_last(session, session->words_bytes))
			return true;
		session->words_bytes = 0;
	} else {
		lai_buffer_truncate(out, lai_buffer_used(out) - before);
	}
	return false;
}

/* ---- refusing ------------------------------------------------------------------------------- */

static void wipe_password(struct lai_stomp_session *session)
{
	explicit_bzero(session->password, sizeof(session->password));
}

/* No word can be said: it ends by RST. */
static void end_without_words(struct lai_stomp_session *session, uint64_t now_ns)
{
	lai_stomp_session_forget_held(session);
	lai_buffer_done(&session->out);
	lai_conn_abort(&session->conn, now_ns);
	lai_conn_on_rest_read(&session->conn, now_ns);
}

void lai_stomp_session_refuse_by(struct lai_stomp_session *session,
				 const struct lai_stomp_refusal *refusal, uint64_t now_ns)
{
	/* One whose FIN has been answered with ours is leaving already. */
	if (lai_stomp_session_closes(session) || session->state == LAI_STOMP_SESSION_OVER ||
	    session->fin_told)
		return;
	/* After an error nothing can be written; the error is the end, and it comes by itself. */
	if (lai_conn_may_write(&session->conn))
		session->end = refusal->end;
	session->refused_ns = session->came_ns = now_ns;
	session->words_by_ns = lai_time_after(now_ns, session->config->linger_idle_ns);
	session->paused = session->crowded = false;
	lai_stomp_session_set(session, LAI_STOMP_SESSION_REFUSED);
	wipe_password(session);
	/* For one that does not read what it has, nothing more is waited for. */
	if (refusal->end == LA_SESSION_SLOW_READER)
		lai_stomp_session_forget_held(session);
	if (lai_conn_may_write(&session->conn) && !hold_error(session, refusal))
		end_without_words(session, now_ns);
}

void lai_stomp_session_refuse(struct lai_stomp_session *session, enum la_session_end end,
			      const char *details, uint64_t now_ns)
{
	lai_stomp_session_refuse_by(
		session, &(struct lai_stomp_refusal){.end = end, .details = details}, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

/* ---- the ladder ----------------------------------------------------------------------------- */

/* The last frame is in out: from here on the conn climbs. */
static void say(struct lai_stomp_session *session, uint64_t now_ns)
{
	uint64_t by_ns = lai_time_after(now_ns, session->config->linger_ns);

	session->said = true;
	session->words_to = session->conn.report.written_bytes + lai_buffer_used(&session->out);
	session->words_from = session->words_to - session->words_bytes;
	session->looking = session->words_bytes > 0;
	if (session->looking)
		session->conn.actions |= LAI_CONN_LOOK;
	lai_conn_finish(&session->conn, lai_time_min(by_ns, session->stop_by_ns), now_ns);
}

/* The store takes too long: receipts that are not due are left out, and the ERROR goes alone. */
static void say_at_last(struct lai_stomp_session *session)
{
	struct lai_buffer *held = &session->held;

	if (session->words_bytes > 0 &&
	    !lai_buffer_append(&session->out, held->bytes + held->end - session->words_bytes,
			       session->words_bytes))
		session->words_bytes = 0;
	lai_stomp_session_forget_held(session);
	if (session->state == LAI_STOMP_SESSION_FAREWELL)
		session->end = LA_SESSION_STOPPED;
}

/* The peer's FIN is told to the conn once everything it asked for is answered, as far as it will be. */
static bool may_tell_fin(const struct lai_stomp_session *session)
{
	if (!session->fin_came || session->fin_told || lai_buffer_used(&session->out) > 0)
		return false;
	if (lai_stomp_session_closes(session))
		return session->said;
	return lai_buffer_used(&session->held) == 0 && !session->paused &&
	       session->state != LAI_STOMP_SESSION_CHECKING;
}

static void tell_fin(struct lai_stomp_session *session, uint64_t now_ns)
{
	session->fin_told = true;
	lai_conn_on_fin(&session->conn, now_ns);
	lai_conn_finish(&session->conn, lai_time_after(now_ns, session->config->linger_ns), now_ns);
}

/* The peer can say no more; once its receipts are due it has so long to take them. */
static bool is_last_of_peer(const struct lai_stomp_session *session)
{
	return session->fin_came && session->state == LAI_STOMP_SESSION_OPEN && !session->paused &&
	       lai_buffer_used(&session->held) == 0 && session->conn.send.state == LAI_SEND_OPEN;
}

static void forget_input(struct lai_stomp_session *session)
{
	/* There may be a password in it. */
	if (session->in.bytes)
		explicit_bzero(session->in.bytes, session->in.capacity);
	lai_buffer_done(&session->in);
	lai_buffer_done(&session->scratch);
}

static enum la_words words_of(const struct lai_stomp_session *session)
{
	const struct lai_conn *conn = &session->conn;

	if (session->state != LAI_STOMP_SESSION_REFUSED || session->words_bytes == 0)
		return LA_WORDS_NONE;
	if (!session->said || conn->report.acked_bytes < session->words_to)
		return LA_WORDS_UNCONFIRMED;
	if (!session->fin_early && conn->send.state == LAI_SEND_FIN_ACKED &&
	    conn->recv.state == LAI_RECV_FIN_RECEIVED &&
	    (conn->fin_answers_ours || session->fin_after_words))
		return LA_WORDS_CONSUMED;
	return LA_WORDS_ACKED;
}

/* Of one that was not refused. */
static enum la_session_end end_of(const struct lai_stomp_session *session)
{
	const struct lai_conn *conn = &session->conn;

	if (session->state == LAI_STOMP_SESSION_FAREWELL && session->said &&
	    (!session->receipt_asked || conn->report.acked_bytes >= session->words_to))
		return LA_SESSION_FAREWELL;
	return conn->recv.state == LAI_RECV_FIN_RECEIVED ? LA_SESSION_PEER : LA_SESSION_NETWORK;
}

static void settle(struct lai_stomp_session *session)
{
	session->words = words_of(session);
	if (session->end == LA_SESSION_OPEN)
		session->end = end_of(session);
	wipe_password(session);
	forget_input(session);
	lai_stomp_session_forget_held(session);
	lai_buffer_done(&session->out);
	lai_stomp_session_set(session, LAI_STOMP_SESSION_OVER);
}

void lai_stomp_session_advance(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (session->state == LAI_STOMP_SESSION_OVER)
		return;
	if (session->no_memory)
		lai_stomp_session_refuse_by(
			session, &(struct lai_stomp_refusal){.end = LA_SESSION_NO_MEMORY}, now_ns);
	if (!lai_stomp_session_release(session))
		end_without_words(session, now_ns);
	if (lai_stomp_session_closes(session)) {
		forget_input(session);
		if (!session->said && lai_buffer_used(&session->held) == 0 &&
		    !lai_conn_over(&session->conn))
			say(session, now_ns);
	} else if (is_last_of_peer(session)) {
		lai_conn_finish(&session->conn, lai_time_after(now_ns, session->config->linger_ns),
				now_ns);
	}
	if (may_tell_fin(session))
		tell_fin(session, now_ns);
	if (lai_buffer_used(&session->out) == 0)
		lai_conn_on_queue_empty(&session->conn, now_ns);
	if (lai_conn_over(&session->conn))
		settle(session);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Our FIN is acknowledged, and so is the text: a peer that is silent now has it, and does not close. */
static uint64_t linger_idle_due_ns(const struct lai_stomp_session *session)
{
	const struct lai_half *send = &session->conn.send;

	if (send->state != LAI_SEND_FIN_ACKED || session->fin_came)
		return LA_NEVER;
	return lai_time_after(send->since_ns > session->came_ns ? send->since_ns : session->came_ns,
			      session->config->linger_idle_ns);
}

uint64_t lai_stomp_session_end_deadline(const struct lai_stomp_session *session)
{
	if (!lai_stomp_session_closes(session))
		return LA_NEVER;
	return session->said ? linger_idle_due_ns(session) : session->words_by_ns;
}

/* The conn judges on fresh numbers, which it asks for: in the same turn of the owner's. */
static void finish_now(struct lai_stomp_session *session, uint64_t now_ns)
{
	lai_conn_finish(&session->conn, now_ns, now_ns);
	lai_conn_on_timer(&session->conn, now_ns);
}

void lai_stomp_session_end_on_timer(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (now_ns < lai_stomp_session_end_deadline(session))
		return;
	if (session->said)
		finish_now(session, now_ns);
	else
		say_at_last(session);
}

/* ---- the owner's wishes --------------------------------------------------------------------- */

void lai_stomp_session_stop(struct lai_stomp_session *session, uint64_t by_ns, uint64_t now_ns)
{
	session->stop_by_ns = lai_time_min(session->stop_by_ns, by_ns);
	lai_stomp_session_refuse_by(session, &(struct lai_stomp_refusal){.end = LA_SESSION_STOPPED},
				    now_ns);
	/* Half of the time for the store, the other half for the way of the text. */
	session->words_by_ns =
		lai_time_min(session->words_by_ns, now_ns + lai_time_since(now_ns, by_ns) / 2);
	if (session->said || session->fin_told)
		lai_conn_finish(&session->conn, by_ns, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_reclaim(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (!lai_stomp_session_closes(session))
		return;
	/* Once our FIN is acknowledged a plain close() leaves the text where it is. */
	if (session->conn.send.state == LAI_SEND_FIN_ACKED)
		finish_now(session, now_ns);
	else
		end_without_words(session, now_ns);
	lai_stomp_session_advance(session, now_ns);
}

void lai_stomp_session_abort(struct lai_stomp_session *session, uint64_t now_ns)
{
	if (session->state == LAI_STOMP_SESSION_OVER)
		return;
	if (session->end == LA_SESSION_OPEN)
		session->end = LA_SESSION_STOPPED;
	end_without_words(session, now_ns);
	lai_stomp_session_advance(session, now_ns);
}
