/* SPDX-License-Identifier: MIT */
#include "serve/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* A buffer begins with this and grows to the longest record: most connections send short ones. */
#define BUFFER_FIRST_BYTES (64u * 1024)
/* Raw bytes need no room for a record, but large pieces make few system calls. */
#define BUFFER_RAW_BYTES (256u * 1024)

/* A peer that never pauses leaves no moment in which nothing is left to read. */
#define FINISH_SOON_NS (500 * LAI_MS)

static const struct {
	const char *name, *sentence;
} whys[] = {
#define X(id, name, sentence) {name, sentence},
	LAI_SESSION_WHYS(X)
#undef X
};

const char *lai_session_why_name(enum lai_session_why why)
{
	return (unsigned)why < LAI_SESSION_WHY_COUNT ? whys[why].name : "?";
}

const char *lai_session_why_sentence(enum lai_session_why why)
{
	return (unsigned)why < LAI_SESSION_WHY_COUNT ? whys[why].sentence : "?";
}

int lai_session_init(struct lai_session *session, const struct lai_session_config *config,
		     const struct la_report *report, uint64_t now_ns)
{
	bool records = config->wire->has_records;
	struct lai_ring ring;

	if (lai_ring_init(&ring, records ? BUFFER_FIRST_BYTES : BUFFER_RAW_BYTES) != 0)
		return -ENOMEM;
	*session = (struct lai_session){
		.config = config, .ring = ring, .heard_ns = now_ns, .finish_by_ns = LA_NEVER};
	lai_conn_init(&session->conn, &config->limits, report, now_ns);
	return 0;
}

void lai_session_done(struct lai_session *session)
{
	lai_ring_done(&session->ring);
}

/* ---- what
   waits ------------------------------------------------------------------------------- */

static bool unstored(const struct lai_session *session)
{
	return session->ring.begin < session->ready;
}

static size_t tail_bytes(const struct lai_session *session)
{
	return (size_t)(session->ring.end - session->ready);
}

static void cut_tail(struct lai_session *session)
{
	lai_ring_truncate(&session->ring, session->ready);
	session->scanned = session->ready;
}

static void discard_all(struct lai_session *session)
{
	session->records = lai_session_records(session);
	session->discarded_bytes += lai_ring_used(&session->ring);
	lai_ring_forget(&session->ring, session->ring.end);
	session->ready = session->scanned = session->ring.end;
}

/* The peer ended its stream in the middle of a record: what is there is a record. */
static void keep_tail(struct lai_session *session)
{
	const char *terminator = session->config->wire->terminator;

	session->kept_tail_bytes = tail_bytes(session);
	/* There is room: nothing is unstored, and a tail is shorter than the longest record. */
	while (*terminator) {
		size_t appended = lai_ring_append(&session->ring, terminator++, 1);

		assert(appended == 1);
		(void)appended;
	}
	session->ready = session->scanned = session->ring.end;
	session->records++;
}

static void begin_finish(struct lai_session *session, uint64_t now_ns)
{
	session->finish_wished = false;
	lai_conn_finish(&session->conn, session->finish_by_ns, now_ns);
	lai_conn_on_queue_empty(&session->conn, now_ns);
}

/*
 * Our FIN is a receipt, which a refused sender must not get: one whose own FIN is here gets RST
 * behind the words. To one that is still sending the FIN says "stop", and is no answer to a FIN of
 * its own.
 */
static bool words_acked(const struct lai_session *session)
{
	return session->conn.report.acked_bytes >= session->reply_bytes;
}

static bool refused_after_fin(const struct lai_session *session)
{
	return session->fin_came && lai_session_discards(session) &&
	       session->conn.send.state == LAI_SEND_OPEN;
}

/* What could not be done before everything was stored. */
static void advance(struct lai_session *session, uint64_t now_ns)
{
	if (unstored(session))
		return;
	if (refused_after_fin(session)) {
		if (words_acked(session))
			lai_session_abort(session, LAI_SESSION_RECORD_TOO_LONG, now_ns);
	} else if (session->fin_came) {
		if (tail_bytes(session) > 0)
			keep_tail(session); /* which is now to be stored first */
		else
			lai_conn_on_fin(&session->conn, now_ns);
	} else if (lai_conn_over(&session->conn)) {
		session->dropped_tail_bytes += tail_bytes(session);
		cut_tail(session);
	} else if (session->finish_wished && words_acked(session) && !session->paused &&
		   now_ns >= session->finish_soon_ns) {
		begin_finish(session, now_ns);
	}
}

/* ---- records ---------------------------------------------------------------------------- */

static void refuse(struct lai_session *session, uint64_t now_ns)
{
	session->discarded_bytes += tail_bytes(session);
	cut_tail(session);
	session->why = LAI_SESSION_RECORD_TOO_LONG;
	if (session->conn.send.state != LAI_SEND_OPEN)
		return; /* our FIN has gone: nothing can be said any more */
	session->finish_wished = true;
	session->finish_soon_ns = lai_time_after(now_ns, FINISH_SOON_NS);
	session->reply_bytes =
		(size_t)snprintf(session->reply, sizeof(session->reply), "record over %zu bytes\n",
				 session->config->record_bytes_max);
	/* A peer that does not take the sentence is not waited for longer than for its FIN. */
	session->finish_by_ns = lai_time_min(
		session->finish_by_ns, lai_time_after(now_ns, session->config->limits.read_ns));
}

/* Finds the whole records in what came last. */
static void frame(struct lai_session *session, uint64_t now_ns)
{
	const struct lai_wire *wire = session->config->wire;
	struct lai_ring *ring = &session->ring;
	size_t most = session->config->record_bytes_max;

	if (!wire->has_records) {
		session->ready = session->scanned = ring->end;
		return;
	}
	for (;;) {
		uint64_t boundary = wire->next_boundary(ring, session->scanned, ring->end);

		if (boundary == LAI_RING_NONE)
			break;
		if (boundary - session->ready > most) {
			refuse(session, now_ns);
			return;
		}
		session->ready = session->scanned = boundary;
		session->records++;
	}
	session->scanned = ring->end;
	/* So much without an end: with it, it is over the maximum. */
	if (tail_bytes(session) >= most)
		refuse(session, now_ns);
}

static int grow(struct lai_ring *ring)
{
	struct lai_ring larger;
	struct iovec iov[2];
	int count = lai_ring_view(ring, ring->begin, ring->end, iov);

	if (lai_ring_init(&larger, ring->capacity * 2) != 0)
		return -ENOMEM;
	larger.begin = larger.end = ring->begin;
	for (int i = 0; i < count; i++)
		(void)lai_ring_append(&larger, iov[i].iov_base, iov[i].iov_len);
	lai_ring_done(ring);
	*ring = larger;
	return 0;
}

/* A buffer that is full of one unfinished record must grow, or nothing could ever come again. */
static void make_room(struct lai_session *session, uint64_t now_ns)
{
	if (unstored(session) || lai_ring_free(&session->ring) > 0)
		return;
	if (grow(&session->ring) != 0)
		lai_session_abort(session, LAI_SESSION_NO_MEMORY, now_ns);
}

/* ---- reading ---------------------------------------------------------------------------- */

bool lai_session_discards(const struct lai_session *session)
{
	return session->why == LAI_SESSION_RECORD_TOO_LONG;
}

bool lai_session_wants_read(const struct lai_session *session)
{
	return !session->fin_came && (session->conn.recv.state == LAI_RECV_OPEN ||
				      session->conn.recv.state == LAI_RECV_LAST_WORDS);
}

size_t lai_session_room(struct lai_session *session, void **room)
{
	return lai_session_wants_read(session) ? lai_ring_room(&session->ring, room) : 0;
}

void lai_session_on_read(struct lai_session *session, size_t size, uint64_t now_ns)
{
	void *room;
	size_t room_bytes = lai_ring_room(&session->ring, &room);

	assert(size <= room_bytes);
	(void)room_bytes;
	session->heard_ns = now_ns;
	lai_conn_on_received(&session->conn, room, size, now_ns);
	if (lai_session_discards(session)) {
		session->discarded_bytes += size;
		return;
	}
	lai_ring_extend(&session->ring, size);
	frame(session, now_ns);
	make_room(session, now_ns);
}

static bool read_is_overdue(const struct lai_session *session, uint64_t now_ns)
{
	return session->conn.send.state == LAI_SEND_OPEN && !session->finish_wished &&
	       now_ns >= lai_time_after(session->heard_ns, session->config->read_timeout_ns);
}

bool lai_session_wants_try(const struct lai_session *session, uint64_t now_ns)
{
	return lai_session_wants_read(session) &&
	       (session->finish_wished || read_is_overdue(session, now_ns));
}

void lai_session_on_dry(struct lai_session *session, uint64_t now_ns)
{
	if (read_is_overdue(session, now_ns))
		lai_session_finish(session, LAI_SESSION_READ_TIMEOUT, LA_NEVER, now_ns);
	if (session->finish_wished && words_acked(session) && !unstored(session))
		begin_finish(session, now_ns);
	advance(session, now_ns);
}

void lai_session_on_fin(struct lai_session *session, uint64_t now_ns)
{
	if (session->conn.recv.state != LAI_RECV_OPEN)
		return; /* EOF after an error is not the peer's FIN */
	session->fin_came = true;
	session->finish_wished = false; /* it comes by itself now */
	advance(session, now_ns);
}

void lai_session_on_error(struct lai_session *session, int error, uint64_t now_ns)
{
	if (session->fin_came)
		lai_conn_on_fin(&session->conn, now_ns);
	lai_conn_on_error(&session->conn, error, now_ns);
	advance(session, now_ns);
}

void lai_session_pause(struct lai_session *session, bool paused)
{
	session->paused = paused;
}

/* ---- storing and
   replying --------------------------------------------------------------------- */

int lai_session_to_store(const struct lai_session *session, struct iovec iov[2])
{
	return lai_ring_view(&session->ring, session->ring.begin, session->ready, iov);
}

void lai_session_on_stored(struct lai_session *session, size_t size, uint64_t now_ns)
{
	assert(size <= session->ready - session->ring.begin);
	session->stored_bytes += size;
	lai_ring_forget(&session->ring, session->ring.begin + size);
	make_room(session, now_ns);
	advance(session, now_ns);
}

uint64_t lai_session_records(const struct lai_session *session)
{
	return session->records -
	       session->config->wire->count(&session->ring, session->ring.begin, session->ready);
}

size_t lai_session_to_send(const struct lai_session *session, const void **data)
{
	*data = session->reply + session->replied_bytes;
	return lai_conn_may_write(&session->conn) ? session->reply_bytes - session->replied_bytes
						  : 0;
}

void lai_session_on_sent(struct lai_session *session, size_t size, uint64_t now_ns)
{
	session->replied_bytes += size;
	lai_conn_on_written(&session->conn, size, now_ns);
	if (session->replied_bytes == session->reply_bytes)
		lai_conn_on_queue_empty(&session->conn, now_ns);
}

/* ---- the conn's other
   events ------------------------------------------------------------------ */

void lai_session_on_view(struct lai_session *session, const struct lai_view *view, uint64_t now_ns)
{
	lai_conn_on_view(&session->conn, view, now_ns);
	advance(session, now_ns);
}

void lai_session_on_why_silent(struct lai_session *session, int error, uint64_t now_ns)
{
	lai_conn_on_why_silent(&session->conn, error, now_ns);
	advance(session, now_ns);
}

void lai_session_on_rest_read(struct lai_session *session, uint64_t now_ns)
{
	lai_conn_on_rest_read(&session->conn, now_ns);
	advance(session, now_ns);
}

void lai_session_on_resumed(struct lai_session *session, uint64_t now_ns)
{
	lai_conn_on_resumed(&session->conn, now_ns);
}

/* Until our FIN is on its way the conn does not know of the deadline. */
static bool waits_before_fin(const struct lai_session *session)
{
	return session->conn.send.state == LAI_SEND_OPEN &&
	       (session->finish_wished || session->fin_came || lai_session_discards(session));
}

void lai_session_on_timer(struct lai_session *session, uint64_t now_ns)
{
	lai_conn_on_timer(&session->conn, now_ns);
	if (waits_before_fin(session) && now_ns >= session->finish_by_ns)
		lai_session_abort(session,
				  unstored(session) ? LAI_SESSION_NOT_STORED : LAI_SESSION_STOPPED,
				  now_ns);
	advance(session, now_ns);
}

uint64_t lai_session_deadline(const struct lai_session *session)
{
	uint64_t deadline_ns = lai_conn_deadline(&session->conn);

	if (session->finish_wished && !session->paused && !unstored(session))
		deadline_ns = lai_time_min(deadline_ns, session->finish_soon_ns);
	if (waits_before_fin(session))
		return lai_time_min(deadline_ns, session->finish_by_ns);
	if (!session->paused && session->conn.send.state == LAI_SEND_OPEN)
		return lai_time_min(deadline_ns, lai_time_after(session->heard_ns,
								session->config->read_timeout_ns));
	return deadline_ns;
}

/* ---- wishes ----------------------------------------------------------------------------- */

void lai_session_finish(struct lai_session *session, enum lai_session_why why,
			uint64_t finish_by_ns, uint64_t now_ns)
{
	if (session->why == LAI_SESSION_NONE && !session->fin_came)
		session->why = why;
	session->finish_by_ns = lai_time_min(session->finish_by_ns, finish_by_ns);
	if (session->conn.send.state != LAI_SEND_OPEN) {
		lai_conn_finish(&session->conn, finish_by_ns, now_ns);
	} else if (!session->fin_came) {
		session->finish_wished = true;
		session->finish_soon_ns = lai_time_after(now_ns, FINISH_SOON_NS);
	}
}

void lai_session_abort(struct lai_session *session, enum lai_session_why why, uint64_t now_ns)
{
	if (session->why == LAI_SESSION_NONE)
		session->why = why;
	discard_all(session);
	session->fin_came = false;
	lai_conn_abort(&session->conn, now_ns);
	lai_session_on_rest_read(session, now_ns);
}

bool lai_session_over(const struct lai_session *session)
{
	return lai_conn_over(&session->conn) && !unstored(session);
}

bool lai_session_proper(const struct lai_session *session)
{
	return lai_session_over(session) && session->why == LAI_SESSION_NONE &&
	       session->conn.recv.state == LAI_RECV_FIN_RECEIVED && session->discarded_bytes == 0;
}
