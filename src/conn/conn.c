/* SPDX-License-Identifier: MIT */
#include "conn/conn.h"
#include "conn/cause.h"

#include <assert.h>
#include <string.h>

/* How often the kernel's numbers are read while an answer is owed: soon first, then rarely. */
#define LOOK_FIRST_NS (1 * LAI_MS)
#define LOOK_LAST_NS (1 * LAI_S)
/* At least this many looks within the time after which a peer is dead. */
#define LOOKS_PER_DEATH 8

static void end_if_over(struct lai_conn *conn, uint64_t now_ns);

static bool outstanding(const struct lai_conn *conn)
{
	return conn->report.written_bytes > conn->report.acked_bytes;
}

static bool waits_for_ack(const struct lai_conn *conn)
{
	return outstanding(conn) || conn->waking || conn->send.state == LAI_SEND_FIN_SENT;
}

static void look_soon(struct lai_conn *conn, uint64_t now_ns)
{
	conn->look_every_ns = LOOK_FIRST_NS;
	conn->look_ns = lai_time_after(now_ns, conn->look_every_ns);
}

void lai_conn_init(struct lai_conn *conn, const struct lai_conn_limits *limits,
		   const struct la_report *report, uint64_t now_ns)
{
	*conn = (struct lai_conn){
		.limits = *limits,
		.report = *report,
		.finish_by_ns = LA_NEVER,
		.look_ns = LA_NEVER,
		.fin_expected_by_ns = LA_NEVER,
	};
	conn->report.connected = true;
	conn->report.connected_ns = conn->report.heard_ns = now_ns;
	lai_half_init(&conn->send, &lai_half_send, now_ns);
	lai_half_init(&conn->recv, &lai_half_recv, now_ns);
	lai_pulse_init(&conn->pulse, now_ns);
}

/* The first cause stays; all that follows is its consequence. */
static void latch(struct lai_conn *conn, enum la_cause cause, int error, uint64_t now_ns)
{
	if (conn->report.cause != LA_CAUSE_ALIVE)
		return;
	conn->report.cause = cause;
	conn->report.error = error;
	conn->report.detected_ns = now_ns;
	conn->report.tcp_state = conn->pulse.last.tcp_state;
}

static void first_closer(struct lai_conn *conn, enum la_side side)
{
	if (conn->report.closed_first == LA_SIDE_NOBODY)
		conn->report.closed_first = side;
}

/* Both halves end here and now, but for the last words that may still wait in our buffer. */
static void die(struct lai_conn *conn, enum la_cause cause, int error, uint64_t now_ns)
{
	latch(conn, cause, error, now_ns);
	if (lai_cause_is_silence(cause))
		conn->aborting = true;
	if (conn->send.state != LAI_SEND_DEAD)
		lai_half_set(&conn->send, LAI_SEND_DEAD, cause, now_ns);
	if (conn->recv.state == LAI_RECV_OPEN) {
		lai_half_set(&conn->recv, LAI_RECV_LAST_WORDS, cause, now_ns);
		conn->actions |= LAI_CONN_READ_REST;
	} else if (conn->recv.state == LAI_RECV_FIN_RECEIVED) {
		lai_half_set(&conn->recv, LAI_RECV_DEAD, cause, now_ns);
	}
	end_if_over(conn, now_ns);
}

static void send_fin(struct lai_conn *conn, uint64_t now_ns)
{
	first_closer(conn, LA_SIDE_US);
	lai_half_set(&conn->send, LAI_SEND_FIN_SENT, conn->report.cause, now_ns);
	conn->actions |= LAI_CONN_SEND_FIN;
	look_soon(conn, now_ns);
}

static void await_ack(struct lai_conn *conn, uint64_t now_ns)
{
	lai_half_set(&conn->send, LAI_SEND_AWAIT_ACK, conn->report.cause, now_ns);
	conn->actions |= LAI_CONN_LOOK;
	look_soon(conn, now_ns);
}

/* What is proven at the end: the strongest that holds for every written byte. */
static enum la_proof proof_of(const struct lai_conn *conn)
{
	if (outstanding(conn))
		return LA_PROOF_WRITTEN;
	/* The peer's FIN must have come after ours was sent, and no RST with or after it. */
	if (conn->send.state == LAI_SEND_FIN_ACKED && conn->recv.state == LAI_RECV_FIN_RECEIVED &&
	    conn->fin_answers_ours)
		return LA_PROOF_CONSUMED;
	return LA_PROOF_ACKED;
}

static unsigned last_action(const struct lai_conn *conn)
{
	if (conn->aborting)
		return LAI_CONN_ABORT;
	return conn->lingering ? LAI_CONN_LINGER : LAI_CONN_CLOSE;
}

static bool both_halves_over(const struct lai_conn *conn)
{
	return (conn->send.state == LAI_SEND_FIN_ACKED || conn->send.state == LAI_SEND_DEAD) &&
	       (conn->recv.state == LAI_RECV_FIN_RECEIVED || conn->recv.state == LAI_RECV_DEAD);
}

static void end_if_over(struct lai_conn *conn, uint64_t now_ns)
{
	unsigned action;

	if (!both_halves_over(conn) || lai_conn_over(conn))
		return;
	latch(conn, LA_CAUSE_FINISHED, 0, now_ns);
	action = last_action(conn);
	conn->report.proof = proof_of(conn);
	if (action != LAI_CONN_CLOSE)
		conn->report.destroyed_bytes =
			conn->report.written_bytes - conn->report.acked_bytes;
	if (conn->stalled)
		conn->report.stalled_ns += lai_time_since(conn->stalled_since_ns, now_ns);
	conn->stalled = false;
	conn->report.ended_ns = now_ns;
	conn->look_ns = conn->finish_by_ns = LA_NEVER;
	conn->actions = (conn->actions & LAI_CONN_SEND_FIN) | action;
}

/* ---- events --------------------------------------------------------------------------------- */

void lai_conn_on_written(struct lai_conn *conn, size_t size, uint64_t now_ns)
{
	assert(lai_conn_may_write(conn));
	lai_pulse_on_written(&conn->pulse, outstanding(conn), now_ns);
	if (!outstanding(conn))
		look_soon(conn, now_ns);
	conn->report.written_bytes += size;
}

void lai_conn_on_queue_empty(struct lai_conn *conn, uint64_t now_ns)
{
	if (conn->send.state == LAI_SEND_DRAINING)
		await_ack(conn, now_ns);
}

void lai_conn_on_received(struct lai_conn *conn, const void *data, size_t size, uint64_t now_ns)
{
	struct la_report *report = &conn->report;
	size_t kept = report->last_words_bytes;

	report->received_bytes += size;
	report->heard_ns = now_ns;
	if (size >= LA_LAST_WORDS_MAX) {
		data = (const char *)data + size - LA_LAST_WORDS_MAX;
		size = LA_LAST_WORDS_MAX;
		kept = 0;
	} else if (kept + size > LA_LAST_WORDS_MAX) {
		size_t over = kept + size - LA_LAST_WORDS_MAX;

		memmove(report->last_words, report->last_words + over, kept - over);
		kept -= over;
	}
	memcpy(report->last_words + kept, data, size);
	report->last_words_bytes = (uint32_t)(kept + size);
}

void lai_conn_on_fin(struct lai_conn *conn, uint64_t now_ns)
{
	if (conn->recv.state != LAI_RECV_OPEN || conn->report.error)
		return; /* EOF after an error is not the peer's FIN */
	conn->fin_answers_ours =
		conn->send.state == LAI_SEND_FIN_SENT || conn->send.state == LAI_SEND_FIN_ACKED;
	first_closer(conn, LA_SIDE_PEER);
	lai_half_set(&conn->recv, LAI_RECV_FIN_RECEIVED, conn->report.cause, now_ns);
	conn->actions |= LAI_CONN_LOOK;
	if (!conn->fin_answers_ours && (conn->limits.on_peer_fin == LA_PEER_FIN_RECONNECT ||
					conn->fin_expected_by_ns != LA_NEVER)) {
		if (conn->fin_expected_by_ns == LA_NEVER)
			latch(conn, LA_CAUSE_PEER_CLOSED, 0, now_ns);
		if (conn->send.state == LAI_SEND_OPEN || conn->send.state == LAI_SEND_DRAINING)
			await_ack(conn, now_ns);
	}
	end_if_over(conn, now_ns);
}

static enum la_cause name_reset(const struct lai_conn *conn, uint64_t now_ns)
{
	if (conn->waking)
		return LA_CAUSE_LOST_IN_SUSPEND;
	if (lai_pulse_was_silent(&conn->pulse, now_ns))
		return LA_CAUSE_RESET_AFTER_SILENCE;
	if (lai_pulse_unread_bytes(&conn->pulse) > 0)
		return LA_CAUSE_RESET_UNREAD;
	return LA_CAUSE_PEER_RESET;
}

/* The peer is silent; whether it is the peer or our own way to it is asked before it is named. */
static void ask_why_silent(struct lai_conn *conn, enum la_cause cause, int error, uint64_t now_ns)
{
	if (conn->report.cause != LA_CAUSE_ALIVE) {
		die(conn, cause, error, now_ns);
		return;
	}
	latch(conn, cause, error, now_ns);
	conn->actions |= LAI_CONN_WHY_SILENT;
}

void lai_conn_on_error(struct lai_conn *conn, int error, uint64_t now_ns)
{
	enum la_cause cause = lai_cause_of_error(error);

	if (lai_conn_over(conn))
		return;
	if (cause == LA_CAUSE_PEER_RESET) {
		first_closer(conn, LA_SIDE_PEER);
		cause = name_reset(conn, now_ns);
	}
	if (cause == LA_CAUSE_SILENT_IDLE && outstanding(conn))
		cause = LA_CAUSE_SILENT_BUSY;
	if (lai_cause_is_silence(cause) && cause != LA_CAUSE_LOST_IN_SUSPEND)
		ask_why_silent(conn, cause, error, now_ns);
	else
		die(conn, cause, error, now_ns);
}

void lai_conn_on_why_silent(struct lai_conn *conn, int error, uint64_t now_ns)
{
	enum la_cause cause = conn->report.cause;

	if (lai_conn_over(conn))
		return;
	if (error) {
		cause = lai_cause_of_error(error);
		conn->report.error = error;
	} else if (conn->waking) {
		cause = LA_CAUSE_LOST_IN_SUSPEND;
	}
	conn->report.cause = cause;
	conn->aborting = true;
	die(conn, cause, error, now_ns);
}

static void judge_stall(struct lai_conn *conn, uint64_t now_ns)
{
	bool stuck = outstanding(conn) &&
		     lai_pulse_stuck_for(&conn->pulse, now_ns) >= conn->limits.stall_ns;

	if (stuck == conn->stalled)
		return;
	conn->stalled = stuck;
	if (!stuck) {
		conn->report.stalled_ns += lai_time_since(conn->stalled_since_ns, now_ns);
		return;
	}
	conn->stalled_since_ns = now_ns;
	if (conn->limits.on_stall == LA_STALL_RECONNECT) {
		conn->aborting = true;
		first_closer(conn, LA_SIDE_US);
		die(conn, LA_CAUSE_STALLED, 0, now_ns);
	}
}

/* The next look: soon while the numbers move, ever later while they do not. */
static void look_again(struct lai_conn *conn, bool progress, uint64_t now_ns)
{
	uint64_t longest_ns = lai_time_min(LOOK_LAST_NS, conn->limits.dead_ns / LOOKS_PER_DEATH);

	if (!waits_for_ack(conn)) {
		conn->look_ns = LA_NEVER;
		return;
	}
	/* Somebody else asked for this view: our own time stays. */
	if (!progress && conn->look_ns != LA_NEVER && now_ns < conn->look_ns)
		return;
	conn->look_every_ns = lai_time_min(conn->look_every_ns * 2, longest_ns);
	if (progress || conn->look_every_ns < LOOK_FIRST_NS)
		conn->look_every_ns = LOOK_FIRST_NS;
	conn->look_ns = lai_time_after(now_ns, conn->look_every_ns);
}

/* The policies that do not wait for an ACK leave the ladder here. */
static void leave_ladder(struct lai_conn *conn, uint64_t now_ns)
{
	first_closer(conn, LA_SIDE_US);
	if (conn->limits.close_policy == LA_CLOSE_ABORT) {
		conn->aborting = true;
		die(conn, LA_CAUSE_ABORTED, 0, now_ns);
	} else {
		conn->lingering = true;
		die(conn, LA_CAUSE_LINGERED, 0, now_ns);
	}
}

/* The next rung of the ladder, if the kernel's numbers allow it. */
static void climb(struct lai_conn *conn, bool fin_acked, uint64_t now_ns)
{
	if (conn->send.state == LAI_SEND_AWAIT_ACK) {
		if (conn->limits.close_policy != LA_CLOSE_GRACEFUL)
			leave_ladder(conn, now_ns);
		else if (!outstanding(conn))
			send_fin(conn, now_ns);
	} else if (conn->send.state == LAI_SEND_FIN_SENT && fin_acked) {
		lai_half_set(&conn->send, LAI_SEND_FIN_ACKED, conn->report.cause, now_ns);
	}
	end_if_over(conn, now_ns);
}

/* A peer that is going away is not waited for without bound: we would sit in CLOSE_WAIT. */
static uint64_t drain_due_ns(const struct lai_conn *conn)
{
	if (conn->send.state != LAI_SEND_AWAIT_ACK || conn->report.cause != LA_CAUSE_PEER_CLOSED)
		return conn->finish_by_ns;
	return lai_time_min(conn->finish_by_ns,
			    lai_time_after(conn->send.since_ns, conn->limits.read_ns));
}

static bool drain_is_overdue(const struct lai_conn *conn, uint64_t now_ns)
{
	return (conn->send.state == LAI_SEND_DRAINING || conn->send.state == LAI_SEND_AWAIT_ACK) &&
	       now_ns >= drain_due_ns(conn);
}

/* After our FIN: everything is acknowledged, only the peer's FIN is missing. */
static uint64_t fin_due_ns(const struct lai_conn *conn)
{
	return lai_time_min(conn->finish_by_ns,
			    lai_time_after(conn->send.since_ns, conn->limits.read_ns));
}

static bool fin_is_overdue(const struct lai_conn *conn, uint64_t now_ns)
{
	return (conn->send.state == LAI_SEND_FIN_SENT || conn->send.state == LAI_SEND_FIN_ACKED) &&
	       now_ns >= fin_due_ns(conn);
}

/* The peer did not close first, as the protocol asks: then we do. */
static void close_first(struct lai_conn *conn, uint64_t now_ns)
{
	if (conn->send.state != LAI_SEND_OPEN || now_ns < conn->fin_expected_by_ns)
		return;
	lai_half_set(&conn->send, LAI_SEND_DRAINING, conn->report.cause, now_ns);
	await_ack(conn, now_ns);
}

/* Every deadline is judged on fresh numbers: the timer only asks for them. */
static void judge(struct lai_conn *conn, uint64_t now_ns)
{
	/* An unacknowledged FIN is still draining. */
	if (drain_is_overdue(conn, now_ns) ||
	    (conn->send.state == LAI_SEND_FIN_SENT && fin_is_overdue(conn, now_ns))) {
		conn->aborting = true;
		first_closer(conn, LA_SIDE_US);
		die(conn, LA_CAUSE_DRAIN_TIMEOUT, 0, now_ns);
	} else if (fin_is_overdue(conn, now_ns)) {
		/* close() harms nobody now, and what the peer may still say is read before. */
		die(conn, LA_CAUSE_NEVER_CLOSED, 0, now_ns);
	} else if (waits_for_ack(conn) &&
		   lai_pulse_silent_for(&conn->pulse, now_ns) >= conn->limits.dead_ns) {
		ask_why_silent(conn, LA_CAUSE_SILENT_BUSY, 0, now_ns);
	} else {
		judge_stall(conn, now_ns);
		close_first(conn, now_ns);
	}
}

void lai_conn_on_view(struct lai_conn *conn, const struct lai_view *view, uint64_t now_ns)
{
	struct la_report *report = &conn->report;
	bool progress = view->acked_bytes > report->acked_bytes;

	if (lai_conn_over(conn))
		return;
	assert(view->acked_bytes <= report->written_bytes);
	if (progress)
		report->acked_bytes = view->acked_bytes;
	report->retransmits = view->retransmits;
	lai_pulse_on_view(&conn->pulse, view, outstanding(conn), now_ns);
	if (conn->pulse.heard_ns > report->heard_ns)
		report->heard_ns = conn->pulse.heard_ns;
	if (conn->waking && report->heard_ns > conn->woken_ns) {
		conn->waking = false;
		conn->actions |= LAI_CONN_CALM;
	}
	climb(conn, view->fin_acked, now_ns);
	look_again(conn, progress, now_ns);
	/* A connection that the kernel has ended: its error follows. */
	if (!lai_conn_over(conn) && view->tcp_state != LAI_TCP_CLOSE)
		judge(conn, now_ns);
}

void lai_conn_on_rest_read(struct lai_conn *conn, uint64_t now_ns)
{
	if (conn->recv.state == LAI_RECV_LAST_WORDS)
		lai_half_set(&conn->recv, LAI_RECV_DEAD, conn->report.cause, now_ns);
	end_if_over(conn, now_ns);
}

void lai_conn_on_resumed(struct lai_conn *conn, uint64_t now_ns)
{
	if (lai_conn_over(conn))
		return;
	conn->waking = true;
	conn->woken_ns = now_ns;
	conn->actions |= LAI_CONN_HURRY;
	look_soon(conn, now_ns);
}

void lai_conn_on_timer(struct lai_conn *conn, uint64_t now_ns)
{
	if (lai_conn_over(conn) || now_ns < lai_conn_deadline(conn))
		return;
	conn->actions |= LAI_CONN_LOOK;
}

/* ---- wishes --------------------------------------------------------------------------------- */

void lai_conn_finish(struct lai_conn *conn, uint64_t finish_by_ns, uint64_t now_ns)
{
	if (lai_conn_over(conn))
		return;
	conn->finish_by_ns = lai_time_min(conn->finish_by_ns, finish_by_ns);
	if (conn->send.state == LAI_SEND_OPEN)
		lai_half_set(&conn->send, LAI_SEND_DRAINING, conn->report.cause, now_ns);
}

void lai_conn_abort(struct lai_conn *conn, uint64_t now_ns)
{
	if (lai_conn_over(conn))
		return;
	lai_conn_give_up(conn, LA_CAUSE_ABORTED, now_ns);
}

void lai_conn_expect_fin(struct lai_conn *conn, uint64_t by_ns, uint64_t now_ns)
{
	if (lai_conn_over(conn) || conn->fin_expected_by_ns != LA_NEVER)
		return;
	conn->fin_expected_by_ns = by_ns;
	conn->finish_by_ns =
		lai_time_min(conn->finish_by_ns, lai_time_after(by_ns, conn->limits.read_ns));
	/* It has come already, and the policy was to go on. */
	if (conn->recv.state == LAI_RECV_FIN_RECEIVED && conn->send.state == LAI_SEND_OPEN)
		await_ack(conn, now_ns);
}

void lai_conn_blame(struct lai_conn *conn, enum la_cause cause, uint64_t now_ns)
{
	if (!lai_conn_over(conn))
		latch(conn, cause, 0, now_ns);
}

void lai_conn_give_up(struct lai_conn *conn, enum la_cause cause, uint64_t now_ns)
{
	if (lai_conn_over(conn))
		return;
	conn->aborting = true;
	first_closer(conn, LA_SIDE_US);
	die(conn, cause, 0, now_ns);
}

bool lai_conn_may_write(const struct lai_conn *conn)
{
	return conn->send.state == LAI_SEND_OPEN || conn->send.state == LAI_SEND_DRAINING;
}

unsigned lai_conn_take(struct lai_conn *conn)
{
	unsigned actions = conn->actions;

	conn->actions = 0;
	return actions;
}

uint64_t lai_conn_deadline(const struct lai_conn *conn)
{
	uint64_t deadline_ns = conn->look_ns;

	if (lai_conn_over(conn))
		return LA_NEVER;
	switch (conn->send.state) {
	case LAI_SEND_OPEN: return lai_time_min(deadline_ns, conn->fin_expected_by_ns);
	case LAI_SEND_DRAINING:
	case LAI_SEND_AWAIT_ACK: return lai_time_min(deadline_ns, drain_due_ns(conn));
	case LAI_SEND_FIN_SENT:
	case LAI_SEND_FIN_ACKED: return lai_time_min(deadline_ns, fin_due_ns(conn));
	default: return deadline_ns;
	}
}

bool lai_conn_over(const struct lai_conn *conn)
{
	return conn->report.ended_ns != 0;
}
