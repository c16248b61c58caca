/* SPDX-License-Identifier: MIT */
/*
 * The stories of a connection's life and end, one per claim. What holds in every story is in
 * conn_walk_test.c; here each one is told step by step, with what is asked for at each step.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conn/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define DEAD_NS (20 * LAI_S)
#define STALL_NS (30 * LAI_S)
#define READ_NS (40 * LAI_S)
#define WINDOW 65536u
#define SCALE 7u

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	fail_msg("%s:%u: %s: assertion %s", file, line, function, assertion);
	abort();
}

static const struct lai_conn_limits usual = {
	.dead_ns = DEAD_NS, .stall_ns = STALL_NS, .read_ns = READ_NS};

/* The connection, and the kernel's numbers as they are now. */
struct story {
	struct lai_conn conn;
	struct lai_view view;
	uint64_t now_ns, heard_ns;
};

static void begin(struct story *story, const struct lai_conn_limits *limits)
{
	const struct la_report attempt = {.serial = 7, .began_ns = START_NS - 1};

	*story = (struct story){.now_ns = START_NS, .heard_ns = START_NS};
	story->view = (struct lai_view){
		.window_bytes = WINDOW, .window_scale = SCALE, .tcp_state = LAI_TCP_ESTABLISHED};
	lai_conn_init(&story->conn, limits, &attempt, START_NS);
}

static void pass(struct story *story, uint64_t duration_ns)
{
	story->now_ns += duration_ns;
}

static void look(struct story *story)
{
	story->view.ack_age_ns = story->now_ns - story->heard_ns;
	lai_conn_on_view(&story->conn, &story->view, story->now_ns);
}

static void written(struct story *story, size_t size)
{
	lai_conn_on_written(&story->conn, size, story->now_ns);
	story->view.in_flight = 1;
}

/* The peer's kernel acknowledges up to this byte, a millisecond later. */
static void acked(struct story *story, uint64_t bytes)
{
	pass(story, LAI_MS);
	story->heard_ns = story->now_ns;
	story->view.acked_bytes = bytes;
	story->view.unanswered = 0;
	story->view.in_flight = bytes < story->conn.report.written_bytes;
	look(story);
}

static void fin_acked(struct story *story)
{
	story->view.fin_acked = true;
	acked(story, story->view.acked_bytes);
}

static void fin(struct story *story)
{
	pass(story, LAI_MS);
	lai_conn_on_fin(&story->conn, story->now_ns);
}

/* The connection dies in the kernel: numbers first, then the error. */
static void error(struct story *story, int number)
{
	pass(story, LAI_MS);
	story->view.tcp_state = LAI_TCP_CLOSE;
	look(story);
	lai_conn_on_error(&story->conn, number, story->now_ns);
}

static void finish(struct story *story, uint64_t within_ns)
{
	lai_conn_finish(&story->conn, lai_time_after(story->now_ns, within_ns), story->now_ns);
}

static void queue_empty(struct story *story)
{
	lai_conn_on_queue_empty(&story->conn, story->now_ns);
}

static void expect_actions(struct story *story, unsigned actions)
{
	assert_int_equal(lai_conn_take(&story->conn), actions);
}

static void expect_states(const struct story *story, const char *send, const char *recv)
{
	assert_string_equal(lai_half_name(&lai_half_send, story->conn.send.state), send);
	assert_string_equal(lai_half_name(&lai_half_recv, story->conn.recv.state), recv);
}

/* Reads the last words and gives the end. */
static void expect_end(struct story *story, unsigned action, enum la_cause cause,
		       enum la_side first)
{
	if (story->conn.recv.state == LAI_RECV_LAST_WORDS) {
		assert_true(lai_conn_take(&story->conn) & LAI_CONN_READ_REST);
		assert_false(lai_conn_over(&story->conn));
		lai_conn_on_rest_read(&story->conn, story->now_ns);
	}
	assert_true(lai_conn_over(&story->conn));
	expect_actions(story, action);
	assert_string_equal(la_cause_name(story->conn.report.cause), la_cause_name(cause));
	assert_string_equal(la_side_name(story->conn.report.closed_first), la_side_name(first));
	assert_int_equal(story->conn.report.ended_ns, story->now_ns);
	assert_true(lai_conn_deadline(&story->conn) == LA_NEVER);
}

/* ---- the ladder ---------------------------------------------------------------------------- */

static void test_ladder(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	finish(&story, LA_NEVER);
	expect_states(&story, "draining", "open");
	assert_true(lai_conn_may_write(&story.conn));
	written(&story, 50);
	queue_empty(&story);
	expect_states(&story, "await-ack", "open");
	assert_false(lai_conn_may_write(&story.conn));
	expect_actions(&story, LAI_CONN_LOOK);
	acked(&story, 149);
	expect_states(&story, "await-ack", "open");
	expect_actions(&story, 0);
	acked(&story, 150);
	expect_states(&story, "fin-sent", "open");
	expect_actions(&story, LAI_CONN_SEND_FIN);
	acked(&story, 150);
	expect_states(&story, "fin-sent", "open");
	fin_acked(&story);
	expect_states(&story, "fin-acked", "open");
	assert_false(lai_conn_over(&story.conn));
	fin(&story);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_FINISHED, LA_SIDE_US);
	assert_int_equal(story.conn.report.proof, LA_PROOF_CONSUMED);
	assert_int_equal(story.conn.report.serial, 7);
	assert_int_equal(story.conn.report.connected_ns, START_NS);
	assert_int_equal(story.conn.report.destroyed_bytes, 0);
}

static void test_ladder_nothing_written(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	expect_actions(&story, LAI_CONN_LOOK);
	look(&story);
	expect_actions(&story, LAI_CONN_SEND_FIN);
	fin_acked(&story);
	fin(&story);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_FINISHED, LA_SIDE_US);
}

/* Both FINs cross: theirs comes after ours was sent, and before ours is acknowledged. */
static void test_fins_cross(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	acked(&story, 10);
	fin(&story);
	expect_states(&story, "fin-sent", "fin-received");
	assert_false(lai_conn_over(&story.conn));
	fin_acked(&story);
	expect_end(&story, LAI_CONN_SEND_FIN | LAI_CONN_CLOSE, LA_CAUSE_FINISHED, LA_SIDE_US);
	assert_int_equal(story.conn.report.proof, LA_PROOF_CONSUMED);
}

static void test_peer_fin_first(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	fin(&story);
	expect_states(&story, "await-ack", "fin-received");
	assert_false(lai_conn_may_write(&story.conn));
	expect_actions(&story, LAI_CONN_LOOK);
	acked(&story, 10);
	expect_actions(&story, LAI_CONN_SEND_FIN);
	fin_acked(&story);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_PEER_CLOSED, LA_SIDE_PEER);
	/* It had closed before it can have read everything. */
	assert_int_equal(story.conn.report.proof, LA_PROOF_ACKED);
}

static void test_keep_sending(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.on_peer_fin = LA_PEER_FIN_KEEP_SENDING;
	begin(&story, &limits);
	fin(&story);
	expect_states(&story, "open", "fin-received");
	assert_true(lai_conn_may_write(&story.conn));
	written(&story, 10);
	acked(&story, 10);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	look(&story);
	fin_acked(&story);
	expect_end(&story, LAI_CONN_SEND_FIN | LAI_CONN_CLOSE, LA_CAUSE_FINISHED, LA_SIDE_PEER);
	assert_int_equal(story.conn.report.proof, LA_PROOF_ACKED);
}

static void test_never_closed(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	acked(&story, 10);
	fin_acked(&story);
	(void)lai_conn_take(&story.conn);
	assert_int_equal(lai_conn_deadline(&story.conn), story.now_ns + READ_NS);
	pass(&story, READ_NS - 1);
	lai_conn_on_timer(&story.conn, story.now_ns);
	look(&story);
	assert_false(lai_conn_over(&story.conn));
	pass(&story, 1);
	lai_conn_on_timer(&story.conn, story.now_ns);
	expect_actions(&story, LAI_CONN_LOOK);
	look(&story);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_NEVER_CLOSED, LA_SIDE_US);
	assert_int_equal(story.conn.report.proof, LA_PROOF_ACKED);
}

/* "never-closed" says that our FIN was acknowledged and theirs is missing: it must be so. */
static void test_fin_not_acked_is_not_never_closed(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.on_peer_fin = LA_PEER_FIN_KEEP_SENDING;
	begin(&story, &limits);
	fin(&story);
	finish(&story, LAI_S);
	queue_empty(&story);
	look(&story);
	expect_states(&story, "fin-sent", "fin-received");
	story.view.in_flight = 1;
	pass(&story, LAI_S);
	look(&story);
	assert_true(lai_conn_over(&story.conn));
	assert_string_not_equal(la_cause_name(story.conn.report.cause), "never-closed");
}

static void test_drain_timeout(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	acked(&story, 30);
	finish(&story, 5 * LAI_S);
	assert_true(lai_conn_deadline(&story.conn) <= story.now_ns + 5 * LAI_S);
	pass(&story, 5 * LAI_S);
	story.heard_ns = story.now_ns;
	lai_conn_on_timer(&story.conn, story.now_ns);
	look(&story);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_DRAIN_TIMEOUT, LA_SIDE_US);
	assert_int_equal(story.conn.report.destroyed_bytes, 70);
	assert_int_equal(story.conn.report.proof, LA_PROOF_WRITTEN);
}

/* A deadline is judged on fresh numbers: what is acknowledged at the last moment counts. */
static void test_last_moment(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	finish(&story, 5 * LAI_S);
	queue_empty(&story);
	pass(&story, 5 * LAI_S - LAI_MS - 1);
	lai_conn_on_timer(&story.conn, story.now_ns);
	acked(&story, 100);
	expect_states(&story, "fin-sent", "open");
	assert_int_equal(story.conn.report.cause, LA_CAUSE_ALIVE);
}

static void test_sooner_finish_wins(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	finish(&story, 10 * LAI_S);
	finish(&story, 2 * LAI_S);
	finish(&story, LA_NEVER);
	assert_int_equal(lai_conn_deadline(&story.conn), START_NS + 2 * LAI_S);
}

/* ---- the other policies -------------------------------------------------------------------- */

static void test_linger(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.close_policy = LA_CLOSE_LINGER;
	begin(&story, &limits);
	written(&story, 100);
	acked(&story, 40);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	look(&story);
	expect_end(&story, LAI_CONN_LINGER, LA_CAUSE_LINGERED, LA_SIDE_US);
	assert_int_equal(story.conn.report.destroyed_bytes, 60);
	assert_int_equal(story.conn.report.proof, LA_PROOF_WRITTEN);
}

static void test_linger_after_peer_fin(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.close_policy = LA_CLOSE_LINGER;
	begin(&story, &limits);
	written(&story, 100);
	fin(&story);
	(void)lai_conn_take(&story.conn);
	acked(&story, 40);
	expect_end(&story, LAI_CONN_LINGER, LA_CAUSE_PEER_CLOSED, LA_SIDE_PEER);
	assert_int_equal(story.conn.report.destroyed_bytes, 60);
}

static void test_abort_policy(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.close_policy = LA_CLOSE_ABORT;
	begin(&story, &limits);
	written(&story, 100);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	acked(&story, 99);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_ABORTED, LA_SIDE_US);
	assert_int_equal(story.conn.report.destroyed_bytes, 1);
}

static void test_abort(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	acked(&story, 10);
	lai_conn_abort(&story.conn, story.now_ns);
	assert_true(lai_conn_take(&story.conn) == LAI_CONN_READ_REST);
	lai_conn_on_received(&story.conn, "bye", 3, story.now_ns);
	lai_conn_on_rest_read(&story.conn, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_ABORTED, LA_SIDE_US);
	assert_int_equal(story.conn.report.destroyed_bytes, 90);
	assert_memory_equal(story.conn.report.last_words, "bye", 3);
}

/* ---- RST -------------------------------------------------------------------------------- */

/* The last step of each row is an RST; the cause that it must be given, and by whom it was first.
 */
static const struct reset_row {
	const char *sentence;
	enum { OPEN, FLYING, DRAINING, AWAIT_ACK, FIN_SENT, FIN_ACKED, FIN_CAME } where;
	enum la_side first;
	enum la_cause cause;
	enum la_proof proof;
} resets[] = {
	{"RST while open and idle: peer-reset", OPEN, LA_SIDE_PEER, LA_CAUSE_PEER_RESET,
	 LA_PROOF_ACKED},
	{"RST with data in flight: peer-reset, written", FLYING, LA_SIDE_PEER, LA_CAUSE_PEER_RESET,
	 LA_PROOF_WRITTEN},
	{"RST while draining: peer-reset", DRAINING, LA_SIDE_PEER, LA_CAUSE_PEER_RESET,
	 LA_PROOF_WRITTEN},
	{"RST in await-ack: peer-reset", AWAIT_ACK, LA_SIDE_PEER, LA_CAUSE_PEER_RESET,
	 LA_PROOF_WRITTEN},
	{"RST in fin-sent: peer-reset, we closed first", FIN_SENT, LA_SIDE_US, LA_CAUSE_PEER_RESET,
	 LA_PROOF_ACKED},
	{"RST in fin-acked: peer-reset, and never consumed", FIN_ACKED, LA_SIDE_US,
	 LA_CAUSE_PEER_RESET, LA_PROOF_ACKED},
	{"RST after the peer's FIN: its FIN was first", FIN_CAME, LA_SIDE_PEER,
	 LA_CAUSE_PEER_CLOSED, LA_PROOF_WRITTEN},
};

#define RESETS (sizeof(resets) / sizeof(resets[0]))

static void test_reset(void **state)
{
	const struct reset_row *row = *state;
	struct story story;

	begin(&story, &usual);
	if (row->where >= FLYING)
		written(&story, 100);
	if (row->where >= DRAINING && row->where != FIN_CAME)
		finish(&story, LA_NEVER);
	if (row->where >= AWAIT_ACK && row->where != FIN_CAME)
		queue_empty(&story);
	if (row->where == FIN_SENT || row->where == FIN_ACKED)
		acked(&story, 100);
	if (row->where == FIN_ACKED)
		fin_acked(&story);
	if (row->where == FIN_CAME)
		fin(&story);
	(void)lai_conn_take(&story.conn);
	error(&story, row->where == FIN_CAME ? EPIPE : ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, row->cause, row->first);
	assert_int_equal(story.conn.report.proof, row->proof);
	if (row->where != FIN_CAME)
		assert_int_equal(story.conn.report.tcp_state, LAI_TCP_CLOSE);
	assert_int_equal(story.conn.report.destroyed_bytes, 0);
}

static void test_reset_unread(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 40000);
	acked(&story, 10000);
	story.view.window_bytes = WINDOW / 2 - 1;
	acked(&story, 20000);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_RESET_UNREAD, LA_SIDE_PEER);
}

/* A receiver that has read everything may say so late: half a window says nothing. */
static void test_reset_half_window(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 40000);
	acked(&story, 10000);
	story.view.window_bytes = WINDOW / 2;
	acked(&story, 20000);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_PEER_RESET, LA_SIDE_PEER);
}

/* An hour of quiet, one write, RST: the peer has forgotten the connection. */
static void test_reset_after_quiet(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	acked(&story, 10);
	pass(&story, 3600 * LAI_S);
	written(&story, 10);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_RESET_AFTER_SILENCE, LA_SIDE_PEER);
}

static void test_reset_after_retransmits(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	pass(&story, 7 * LAI_S);
	story.view.unanswered = 5;
	story.view.retransmits = 5;
	look(&story);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_RESET_AFTER_SILENCE, LA_SIDE_PEER);
	assert_int_equal(story.conn.report.retransmits, 5);
}

/* Linux answers window probes rarely: one without an answer is no silence. */
static void test_reset_after_probe(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 40000);
	acked(&story, 20000);
	story.view.window_bytes = 0;
	story.view.unanswered = 1;
	pass(&story, 300 * LAI_MS);
	look(&story);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_RESET_UNREAD, LA_SIDE_PEER);
}

static void test_local_errors(void **state)
{
	static const struct {
		int error;
		enum la_cause cause;
	} rows[] = {
		{ENOMEM, LA_CAUSE_LOCAL_LIMIT}, {ENOBUFS, LA_CAUSE_LOCAL_LIMIT},
		{EPERM, LA_CAUSE_DENIED},	{EIO, LA_CAUSE_LOCAL_ERROR},
		{EBADF, LA_CAUSE_LOCAL_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct story story;

		begin(&story, &usual);
		error(&story, rows[i].error);
		expect_end(&story, LAI_CONN_CLOSE, rows[i].cause, LA_SIDE_NOBODY);
		assert_int_equal(story.conn.report.error, rows[i].error);
	}
}

static void test_first_cause(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	error(&story, ECONNRESET);
	error(&story, EPIPE);
	error(&story, ETIMEDOUT);
	fin(&story);
	lai_conn_abort(&story.conn, story.now_ns);
	assert_int_equal(story.conn.report.cause, LA_CAUSE_PEER_RESET);
	assert_int_equal(story.conn.report.error, ECONNRESET);
	assert_int_equal(story.conn.report.detected_ns, START_NS + LAI_MS);
	assert_int_equal(story.conn.report.closed_first, LA_SIDE_PEER);
	expect_states(&story, "dead", "last-words");
}

/* EOF behind an error is not the peer's FIN, whatever the halves were doing. */
static void test_eof_after_error(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	look(&story);
	fin_acked(&story);
	error(&story, ETIMEDOUT);
	(void)lai_conn_take(&story.conn);
	fin(&story);
	assert_string_equal(lai_half_name(&lai_half_recv, story.conn.recv.state), "open");
	lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_SILENT_IDLE, LA_SIDE_US);
	assert_int_equal(story.conn.report.proof, LA_PROOF_ACKED);
}

/* ---- silence ------------------------------------------------------------------------------- */

static void fall_silent(struct story *story)
{
	written(story, 100);
	acked(story, 30);
	pass(story, DEAD_NS - 1);
	story->view.unanswered = 6;
	look(story);
	assert_false(lai_conn_take(&story->conn) & LAI_CONN_WHY_SILENT);
	pass(story, 1);
	look(story);
	expect_actions(story, LAI_CONN_WHY_SILENT);
	assert_false(lai_conn_over(&story->conn));
}

static void test_silent_busy(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	fall_silent(&story);
	lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_SILENT_BUSY, LA_SIDE_NOBODY);
	assert_int_equal(story.conn.report.detected_ns, story.now_ns);
	assert_int_equal(story.conn.report.heard_ns, START_NS + LAI_MS);
	assert_int_equal(story.conn.report.destroyed_bytes, 70);
}

static void test_silent_idle(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	pass(&story, DEAD_NS);
	error(&story, ETIMEDOUT);
	expect_actions(&story, LAI_CONN_WHY_SILENT);
	lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_SILENT_IDLE, LA_SIDE_NOBODY);
	assert_int_equal(story.conn.report.error, ETIMEDOUT);
}

/* The kernel's own time-out with data in flight is the busy kind. */
static void test_timeout_in_flight(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 1);
	error(&story, ETIMEDOUT);
	expect_actions(&story, LAI_CONN_WHY_SILENT);
	lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_SILENT_BUSY, LA_SIDE_NOBODY);
}

static void test_why_silent(void **state)
{
	static const struct {
		int error;
		enum la_cause cause;
	} rows[] = {
		{ENETUNREACH, LA_CAUSE_ROUTE_LOST},
		{EHOSTUNREACH, LA_CAUSE_ROUTE_LOST},
		{EADDRNOTAVAIL, LA_CAUSE_ADDRESS_LOST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct story story;

		begin(&story, &usual);
		fall_silent(&story);
		lai_conn_on_why_silent(&story.conn, rows[i].error, story.now_ns);
		expect_end(&story, LAI_CONN_ABORT, rows[i].cause, LA_SIDE_NOBODY);
		assert_int_equal(story.conn.report.error, rows[i].error);
	}
}

/* Our own words do not make the peer talk: the time runs from when it owed an answer. */
static void test_idle_hour(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	pass(&story, 3600 * LAI_S);
	written(&story, 10);
	look(&story);
	pass(&story, DEAD_NS - 1);
	look(&story);
	expect_actions(&story, 0);
	pass(&story, 1);
	look(&story);
	expect_actions(&story, LAI_CONN_WHY_SILENT);
}

static void test_fin_unanswered(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	finish(&story, LA_NEVER);
	queue_empty(&story);
	look(&story);
	expect_actions(&story, LAI_CONN_LOOK | LAI_CONN_SEND_FIN);
	story.view.in_flight = 1;
	look(&story);
	pass(&story, DEAD_NS);
	look(&story);
	expect_actions(&story, LAI_CONN_WHY_SILENT);
	lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_SILENT_BUSY, LA_SIDE_US);
}

/* ---- stall -------------------------------------------------------------------------------- */

/* A closed window for so long, each probe answered. */
static void close_window(struct story *story, uint64_t duration_ns)
{
	uint64_t end_ns = story->now_ns + duration_ns;

	story->view.window_bytes = story->view.in_flight = 0;
	while (story->now_ns < end_ns) {
		pass(story, lai_time_min(LAI_S, end_ns - story->now_ns));
		story->heard_ns = story->now_ns - LAI_MS;
		look(story);
	}
}

static void test_stall(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	acked(&story, 50);
	close_window(&story, STALL_NS - 1);
	assert_false(story.conn.stalled);
	close_window(&story, 24 * 3600 * LAI_S);
	assert_true(story.conn.stalled);
	assert_int_equal(story.conn.report.cause, LA_CAUSE_ALIVE);
	expect_states(&story, "open", "open");
	story.view.window_bytes = WINDOW;
	acked(&story, 100);
	assert_false(story.conn.stalled);
	/* Counted from when it was called stalled: a look after the limit, to the ACK. */
	assert_true(story.conn.report.stalled_ns > 24 * 3600 * LAI_S - 2 * LAI_S);
	assert_true(story.conn.report.stalled_ns < 24 * 3600 * LAI_S + LAI_S);
}

/* The program goes on writing into the kernel's buffer: the peer is stalled all the same. */
static void test_stall_of_a_trickle(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	acked(&story, 50);
	for (int i = 0; i < 2 * (int)(STALL_NS / LAI_S); i++) {
		close_window(&story, LAI_S);
		lai_conn_on_written(&story.conn, 1, story.now_ns);
	}
	close_window(&story, LAI_S);
	assert_true(story.conn.stalled);
}

static void test_stall_reconnect(void **state)
{
	struct lai_conn_limits limits = usual;
	struct story story;

	(void)state;
	limits.on_stall = LA_STALL_RECONNECT;
	begin(&story, &limits);
	written(&story, 100);
	acked(&story, 50);
	close_window(&story, STALL_NS);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_STALLED, LA_SIDE_US);
	assert_int_equal(story.conn.report.destroyed_bytes, 50);
}

/* Draining past a stalled peer ends by finish_by, not by silence. */
static void test_stall_and_finish(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 100);
	close_window(&story, STALL_NS);
	assert_true(story.conn.stalled);
	finish(&story, 3 * DEAD_NS);
	queue_empty(&story);
	close_window(&story, 3 * DEAD_NS - 1);
	assert_false(lai_conn_over(&story.conn));
	close_window(&story, 1);
	expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_DRAIN_TIMEOUT, LA_SIDE_US);
	assert_true(story.conn.report.stalled_ns >= 3 * DEAD_NS);
}

/* ---- suspend ------------------------------------------------------------------------------- */

static void test_suspend_survived(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	pass(&story, LAI_S);
	lai_conn_on_resumed(&story.conn, story.now_ns);
	expect_actions(&story, LAI_CONN_HURRY);
	assert_true(lai_conn_deadline(&story.conn) != LA_NEVER);
	look(&story);
	expect_actions(&story, 0);
	pass(&story, 2 * LAI_MS);
	story.heard_ns = story.now_ns;
	look(&story);
	expect_actions(&story, LAI_CONN_CALM);
	error(&story, ECONNRESET);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_PEER_RESET, LA_SIDE_PEER);
}

static void test_suspend_lost(void **state)
{
	static const int errors[] = {ECONNRESET, ETIMEDOUT};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct story story;

		begin(&story, &usual);
		pass(&story, LAI_S);
		lai_conn_on_resumed(&story.conn, story.now_ns);
		(void)lai_conn_take(&story.conn);
		error(&story, errors[i]);
		if (errors[i] == ETIMEDOUT) {
			expect_actions(&story, LAI_CONN_WHY_SILENT);
			lai_conn_on_why_silent(&story.conn, 0, story.now_ns);
		}
		assert_int_equal(story.conn.report.cause, LA_CAUSE_LOST_IN_SUSPEND);
		expect_end(&story, LAI_CONN_ABORT, LA_CAUSE_LOST_IN_SUSPEND,
			   errors[i] == ECONNRESET ? LA_SIDE_PEER : LA_SIDE_NOBODY);
	}
}

/* ---- last words ---------------------------------------------------------------------------- */

static void test_last_words(void **state)
{
	static const size_t sizes[] = {1, 3, 700, 1023, 1024, 1025, 2, 5000, 1, 1000, 24, 0, 1};
	struct story story;
	char all[16384];
	size_t size = 0, kept;

	(void)state;
	begin(&story, &usual);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i * 31 + i / 256);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		lai_conn_on_received(&story.conn, all + size, sizes[i], story.now_ns);
		size += sizes[i];
		kept = size < LA_LAST_WORDS_MAX ? size : LA_LAST_WORDS_MAX;
		assert_int_equal(story.conn.report.received_bytes, size);
		assert_int_equal(story.conn.report.last_words_bytes, kept);
		assert_memory_equal(story.conn.report.last_words, all + size - kept, kept);
	}
}

/* What was said before the RST is read after it. */
static void test_last_words_after_reset(void **state)
{
	struct story story;

	(void)state;
	begin(&story, &usual);
	written(&story, 10);
	error(&story, ECONNRESET);
	expect_actions(&story, LAI_CONN_READ_REST);
	lai_conn_on_received(&story.conn, "no such queue", 13, story.now_ns);
	assert_false(lai_conn_over(&story.conn));
	lai_conn_on_rest_read(&story.conn, story.now_ns);
	expect_end(&story, LAI_CONN_CLOSE, LA_CAUSE_PEER_RESET, LA_SIDE_PEER);
	assert_int_equal(story.conn.report.last_words_bytes, 13);
	assert_memory_equal(story.conn.report.last_words, "no such queue", 13);
}

/* ---- looking ------------------------------------------------------------------------------- */

static void test_looks(void **state)
{
	struct story story;
	uint64_t before_ns = 0;

	(void)state;
	begin(&story, &usual);
	assert_true(lai_conn_deadline(&story.conn) == LA_NEVER);
	written(&story, 1);
	assert_true(lai_conn_deadline(&story.conn) <= story.now_ns + 10 * LAI_MS);
	for (int i = 0; i < 20; i++) {
		uint64_t deadline_ns = lai_conn_deadline(&story.conn),
			 gap_ns = deadline_ns - story.now_ns;

		assert_true(gap_ns >= before_ns);
		assert_true(gap_ns <= DEAD_NS / 8);
		before_ns = gap_ns;
		story.now_ns = deadline_ns - 1;
		lai_conn_on_timer(&story.conn, story.now_ns);
		expect_actions(&story, 0);
		story.now_ns = deadline_ns;
		lai_conn_on_timer(&story.conn, story.now_ns);
		expect_actions(&story, LAI_CONN_LOOK);
		story.heard_ns = story.now_ns;
		look(&story);
	}
	acked(&story, 1);
	assert_true(lai_conn_deadline(&story.conn) == LA_NEVER);
}

#define STORIES                                                                                    \
	X("the whole ladder: drain, ACK, FIN, its ACK, the peer's FIN, close", test_ladder)        \
	X("the ladder with nothing to send", test_ladder_nothing_written)                          \
	X("both FINs at once: finished and consumed", test_fins_cross)                             \
	X("the peer's FIN first: stop writing, wait for the ACK, FIN, close", test_peer_fin_first) \
	X("keep-sending: a half-closed peer gets everything", test_keep_sending)                   \
	X("a FIN acknowledged and never answered: never-closed after read_ns", test_never_closed)  \
	X("an unacknowledged FIN is not called never-closed",                                      \
	  test_fin_not_acked_is_not_never_closed)                                                  \
	X("drain-timeout aborts and says what it destroyed", test_drain_timeout)                   \
	X("what is acknowledged at the last moment counts", test_last_moment)                      \
	X("of several wishes to finish the soonest holds", test_sooner_finish_wins)                \
	X("policy linger: lingered, and what it may have destroyed", test_linger)                  \
	X("policy linger after the peer's FIN still lingers", test_linger_after_peer_fin)          \
	X("policy abort: aborted, one byte destroyed", test_abort_policy)                          \
	X("abort reads the last words, then destroys", test_abort)                                 \
	X("RST while the window was shrunk: reset-unread", test_reset_unread)                      \
	X("half a window less is no sign of unread data", test_reset_half_window)                  \
	X("RST to the first write after an hour: reset-after-silence", test_reset_after_quiet)     \
	X("RST after unanswered retransmissions: reset-after-silence",                             \
	  test_reset_after_retransmits)                                                            \
	X("one unanswered window probe is no silence: reset-unread", test_reset_after_probe)       \
	X("errors of this host have their causes, and nobody closed first", test_local_errors)     \
	X("the first cause stays through everything that follows", test_first_cause)               \
	X("EOF behind an error is not the peer's FIN", test_eof_after_error)                       \
	X("silence with data in flight: silent-busy after dead_ns, abort", test_silent_busy)       \
	X("keepalive unanswered: silent-idle, abort", test_silent_idle)                            \
	X("the kernel's time-out with data in flight: silent-busy", test_timeout_in_flight)        \
	X("silence without a way to the peer: route-lost, address-lost", test_why_silent)          \
	X("after an idle hour the time counts from the write", test_idle_hour)                     \
	X("a FIN that nobody acknowledges is silence", test_fin_unanswered)                        \
	X("a stalled peer is alive, for a day, and the stall ends", test_stall)                    \
	X("a trickle into the buffer does not hide the stall", test_stall_of_a_trickle)            \
	X("stall policy reconnect: stalled, abort", test_stall_reconnect)                          \
	X("draining past a stalled peer ends by drain-timeout", test_stall_and_finish)             \
	X("a suspend that the peer survived: hurry, then calm", test_suspend_survived)             \
	X("a suspend that it did not: lost-in-suspend", test_suspend_lost)                         \
	X("of the peer's words the newest 1024 are kept", test_last_words)                         \
	X("what the peer said before its RST is read after it", test_last_words_after_reset)       \
	X("looks come soon, then rarely, and only while an ACK is owed", test_looks)

int main(void)
{
	static const struct CMUnitTest stories[] = {
#define X(sentence, function) {.name = sentence, .test_func = function},
		STORIES
#undef X
	};
	struct CMUnitTest tests[sizeof(stories) / sizeof(stories[0]) + RESETS];

	memcpy(tests, stories, sizeof(stories));
	for (size_t i = 0; i < RESETS; i++)
		tests[sizeof(stories) / sizeof(stories[0]) + i] =
			(struct CMUnitTest){.name = resets[i].sentence,
					    .test_func = test_reset,
					    .initial_state = (void *)&resets[i]};
	return cmocka_run_group_tests_name("conn.conn, stories", tests, NULL, NULL);
}
