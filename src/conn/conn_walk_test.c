/* SPDX-License-Identifier: MIT */
/*
 * Every state of a connection meets every pair of events, and long random walks meet everything
 * else. What is checked after each event are laws, not expectations of one case:
 *
 *   end states stay; one of close/linger/abort is asked once; a deadline or a reason in every
 *   state; the first cause stays; who closed first; what was destroyed; what is proven.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "conn/cause.h"
#include "conn/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define DEAD_NS (20 * LAI_S)
#define STALL_NS (30 * LAI_S)
#define READ_NS (40 * LAI_S)
#define FINISH_NS (10 * LAI_S)
/* The longest time between two looks, and what the walk itself adds. */
#define SLACK_NS (2 * LAI_S)
#define WRITE_BYTES 1000
#define WINDOW_BYTES 65536
#define WALKS 4000
#define WALK_EVENTS 60
#define SEED 20240601
#define STEPS_MAX 100000
#define LAST_ACTIONS (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT)
#define QUESTIONS (LAI_CONN_LOOK | LAI_CONN_WHY_SILENT | LAI_CONN_READ_REST)
#define TRACE_MAX 4096

/* A connection, the kernel's side of it, and what an observer remembers. */
struct world {
	struct lai_conn conn, before;
	uint64_t now_ns, heard_ns, acked_bytes;
	uint32_t in_flight, unanswered, window_bytes, tcp_state;
	bool fin_carried, fin_acked;
	unsigned asked;	  /* questions that are still open */
	unsigned actions; /* of the last event */
	bool unnamed;	  /* why the peer is silent was asked, and something else ended it first */
	unsigned ends, fins;
	bool reset, failed, peer_fin, fin_answers_ours;
	uint8_t words[LA_LAST_WORDS_MAX];
	size_t words_bytes;
	char trace[TRACE_MAX];
};

static struct world *current;

static void fail_law(const char *law)
{
	const struct world *world = current;

	fail_msg("%s\n  after:%s\n  state %s/%s, cause %s", law, world->trace,
		 lai_half_name(&lai_half_send, world->conn.send.state),
		 lai_half_name(&lai_half_recv, world->conn.recv.state),
		 la_cause_name(world->conn.report.cause));
}

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	char text[512];

	snprintf(text, sizeof(text), "%s:%u: %s: assertion %s", file, line, function, assertion);
	fail_law(text);
	abort();
}

#define LAW(condition, text)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_law(text);                                                            \
	} while (0)

static bool outstanding(const struct world *world)
{
	return world->conn.report.written_bytes > world->acked_bytes;
}

/* ---- events -------------------------------------------------------------------------------- */

static void look(struct world *world)
{
	const struct lai_view view = {
		.acked_bytes = world->acked_bytes,
		.ack_age_ns = world->now_ns - world->heard_ns,
		.in_flight = world->in_flight,
		.unanswered = world->unanswered,
		.window_bytes = world->window_bytes,
		.window_scale = 7,
		.tcp_state = world->tcp_state,
		.fin_acked = world->fin_acked,
	};

	world->asked &= ~(unsigned)LAI_CONN_LOOK;
	lai_conn_on_view(&world->conn, &view, world->now_ns);
}

static void look_acked(struct world *world, uint64_t bytes)
{
	world->acked_bytes += bytes;
	world->heard_ns = world->now_ns;
	world->unanswered = 0;
	world->in_flight = outstanding(world) || (world->fin_carried && !world->fin_acked);
	look(world);
}

static void on_written(struct world *world)
{
	lai_conn_on_written(&world->conn, WRITE_BYTES, world->now_ns);
	world->in_flight = 1;
}

static void on_queue_empty(struct world *world)
{
	lai_conn_on_queue_empty(&world->conn, world->now_ns);
}

static void on_received(struct world *world)
{
	static const char text[] = "go away: ";
	uint8_t all[LA_LAST_WORDS_MAX + sizeof(text)];
	size_t size = world->words_bytes, over;

	memcpy(all, world->words, size);
	memcpy(all + size, text, sizeof(text));
	size += sizeof(text);
	over = size > LA_LAST_WORDS_MAX ? size - LA_LAST_WORDS_MAX : 0;
	memcpy(world->words, all + over, size - over);
	world->words_bytes = size - over;
	lai_conn_on_received(&world->conn, text, sizeof(text), world->now_ns);
}

static void on_fin(struct world *world)
{
	/* EOF behind an error is not the peer's FIN. */
	if (world->conn.recv.state == LAI_RECV_OPEN && !world->failed) {
		world->peer_fin = true;
		world->fin_answers_ours = world->fin_carried;
		world->tcp_state = LAI_TCP_CLOSE_WAIT;
	}
	lai_conn_on_fin(&world->conn, world->now_ns);
}

/* As the driver does: first what the kernel knows for good, then the error. */
static void on_error(struct world *world, int error)
{
	world->tcp_state = LAI_TCP_CLOSE;
	world->in_flight = 0;
	look(world);
	if (lai_conn_over(&world->conn))
		return;
	world->failed = true;
	world->reset |= error == ECONNRESET || error == EPIPE;
	lai_conn_on_error(&world->conn, error, world->now_ns);
}

static void on_reset(struct world *world)
{
	on_error(world, ECONNRESET);
}

static void on_pipe(struct world *world)
{
	on_error(world, EPIPE);
}

static void on_timeout(struct world *world)
{
	on_error(world, ETIMEDOUT);
}

static void on_no_route(struct world *world)
{
	on_error(world, EHOSTUNREACH);
}

static void on_no_memory(struct world *world)
{
	on_error(world, ENOMEM);
}

static void on_odd_error(struct world *world)
{
	on_error(world, EIO);
}

static void on_all_acked(struct world *world)
{
	look_acked(world, world->conn.report.written_bytes - world->acked_bytes);
}

static void on_some_acked(struct world *world)
{
	look_acked(world, (world->conn.report.written_bytes - world->acked_bytes) / 2);
}

static void on_fin_acked(struct world *world)
{
	world->fin_acked = true;
	look_acked(world, world->conn.report.written_bytes - world->acked_bytes);
}

static void on_silence(struct world *world)
{
	world->now_ns += DEAD_NS;
	world->in_flight = outstanding(world) || (world->fin_carried && !world->fin_acked);
	world->unanswered = world->in_flight ? 5 : 0;
	look(world);
}

/* Window closed, and the peer's kernel has just answered the last probe. */
static void on_closed_window(struct world *world)
{
	world->now_ns += STALL_NS;
	world->heard_ns = world->now_ns - 1;
	world->in_flight = world->unanswered = 0;
	world->window_bytes = 0;
	look(world);
}

static void on_way(struct world *world)
{
	world->asked &= ~(unsigned)LAI_CONN_WHY_SILENT;
	lai_conn_on_why_silent(&world->conn, 0, world->now_ns);
}

static void on_no_way(struct world *world)
{
	world->asked &= ~(unsigned)LAI_CONN_WHY_SILENT;
	lai_conn_on_why_silent(&world->conn, ENETUNREACH, world->now_ns);
}

static void on_address_gone(struct world *world)
{
	world->asked &= ~(unsigned)LAI_CONN_WHY_SILENT;
	lai_conn_on_why_silent(&world->conn, EADDRNOTAVAIL, world->now_ns);
}

static void on_rest_read(struct world *world)
{
	world->asked &= ~(unsigned)LAI_CONN_READ_REST;
	lai_conn_on_rest_read(&world->conn, world->now_ns);
}

static void on_resumed(struct world *world)
{
	lai_conn_on_resumed(&world->conn, world->now_ns);
}

static void on_timer(struct world *world)
{
	lai_conn_on_timer(&world->conn, world->now_ns);
}

static void on_late_timer(struct world *world)
{
	uint64_t deadline_ns = lai_conn_deadline(&world->conn);

	if (deadline_ns != LA_NEVER && deadline_ns > world->now_ns)
		world->now_ns = deadline_ns;
	lai_conn_on_timer(&world->conn, world->now_ns);
	LAW(deadline_ns == LA_NEVER || world->conn.actions & LAI_CONN_LOOK,
	    "a deadline that has come asks for fresh numbers");
}

static void on_finish(struct world *world)
{
	lai_conn_finish(&world->conn, LA_NEVER, world->now_ns);
}

static void on_finish_soon(struct world *world)
{
	lai_conn_finish(&world->conn, world->now_ns + FINISH_NS, world->now_ns);
}

static void on_abort(struct world *world)
{
	lai_conn_abort(&world->conn, world->now_ns);
}

static bool may_write(const struct world *world)
{
	return lai_conn_may_write(&world->conn);
}

static bool asked_why(const struct world *world)
{
	return world->asked & LAI_CONN_WHY_SILENT;
}

static bool asked_rest(const struct world *world)
{
	return world->asked & LAI_CONN_READ_REST;
}

static bool fin_is_out(const struct world *world)
{
	return world->fin_carried;
}

enum event {
	WRITTEN,
	QUEUE_EMPTY,
	RECEIVED,
	PEER_FIN,
	RESET,
	PIPE,
	TIMEOUT,
	NO_ROUTE,
	NO_MEMORY,
	ODD_ERROR,
	ALL_ACKED,
	SOME_ACKED,
	FIN_ACKED,
	LOOK,
	SILENCE,
	CLOSED_WINDOW,
	WAY,
	NO_WAY,
	ADDRESS_GONE,
	REST_READ,
	RESUMED,
	TIMER,
	LATE_TIMER,
	FINISH,
	FINISH_SOON,
	ABORT,
	EVENTS,
	NONE = EVENTS,
};

static const struct {
	const char *name;
	void (*happen)(struct world *world);
	bool (*possible)(const struct world *world); /* NULL: anywhere */
} events[EVENTS] = {
	[WRITTEN] = {"written", on_written, may_write},
	[QUEUE_EMPTY] = {"queue-empty", on_queue_empty, NULL},
	[RECEIVED] = {"received", on_received, NULL},
	[PEER_FIN] = {"FIN", on_fin, NULL},
	[RESET] = {"ECONNRESET", on_reset, NULL},
	[PIPE] = {"EPIPE", on_pipe, NULL},
	[TIMEOUT] = {"ETIMEDOUT", on_timeout, NULL},
	[NO_ROUTE] = {"EHOSTUNREACH", on_no_route, NULL},
	[NO_MEMORY] = {"ENOMEM", on_no_memory, NULL},
	[ODD_ERROR] = {"EIO", on_odd_error, NULL},
	[ALL_ACKED] = {"all-acked", on_all_acked, NULL},
	[SOME_ACKED] = {"some-acked", on_some_acked, NULL},
	[FIN_ACKED] = {"fin-acked", on_fin_acked, fin_is_out},
	[LOOK] = {"look", look, NULL},
	[SILENCE] = {"silence", on_silence, NULL},
	[CLOSED_WINDOW] = {"closed-window", on_closed_window, NULL},
	[WAY] = {"way", on_way, asked_why},
	[NO_WAY] = {"no-way", on_no_way, asked_why},
	[ADDRESS_GONE] = {"address-gone", on_address_gone, asked_why},
	[REST_READ] = {"rest-read", on_rest_read, asked_rest},
	[RESUMED] = {"resumed", on_resumed, NULL},
	[TIMER] = {"timer", on_timer, NULL},
	[LATE_TIMER] = {"late-timer", on_late_timer, NULL},
	[FINISH] = {"finish", on_finish, NULL},
	[FINISH_SOON] = {"finish-soon", on_finish_soon, NULL},
	[ABORT] = {"abort", on_abort, NULL},
};

/* ---- laws -------------------------------------------------------------------------------- */

/* Which pairs of states there are: a dead half never stands beside an open one. */
static const bool together[LAI_SEND_COUNT][LAI_RECV_COUNT] = {
	[LAI_SEND_OPEN] = {[LAI_RECV_OPEN] = true, [LAI_RECV_FIN_RECEIVED] = true},
	[LAI_SEND_DRAINING] = {[LAI_RECV_OPEN] = true, [LAI_RECV_FIN_RECEIVED] = true},
	[LAI_SEND_AWAIT_ACK] = {[LAI_RECV_OPEN] = true, [LAI_RECV_FIN_RECEIVED] = true},
	[LAI_SEND_FIN_SENT] = {[LAI_RECV_OPEN] = true, [LAI_RECV_FIN_RECEIVED] = true},
	[LAI_SEND_FIN_ACKED] = {[LAI_RECV_OPEN] = true, [LAI_RECV_FIN_RECEIVED] = true},
	[LAI_SEND_DEAD] = {[LAI_RECV_LAST_WORDS] = true, [LAI_RECV_DEAD] = true},
};

static bool halves_over(const struct lai_conn *conn)
{
	return (conn->send.state == LAI_SEND_DEAD && conn->recv.state == LAI_RECV_DEAD) ||
	       (conn->send.state == LAI_SEND_FIN_ACKED &&
		conn->recv.state == LAI_RECV_FIN_RECEIVED);
}

static void check_states(const struct world *world)
{
	const struct lai_conn *conn = &world->conn, *before = &world->before;

	LAW(together[conn->send.state][conn->recv.state], "these two states never stand together");
	LAW(before->send.state != LAI_SEND_DEAD || conn->send.state == LAI_SEND_DEAD,
	    "a dead send half stays dead");
	LAW(before->recv.state != LAI_RECV_DEAD || conn->recv.state == LAI_RECV_DEAD,
	    "a dead receive half stays dead");
	LAW(conn->send.state >= before->send.state, "the send half never goes back");
	LAW(lai_conn_over(conn) == halves_over(conn), "over exactly when both halves are");
	LAW(lai_conn_may_write(conn) == (conn->send.state <= LAI_SEND_DRAINING),
	    "bytes may be written while open and draining, and never later");
}

static void check_actions(const struct world *world)
{
	const struct lai_conn *conn = &world->conn;
	unsigned last = world->actions & LAST_ACTIONS;
	bool policy_linger = conn->limits.close_policy == LA_CLOSE_LINGER;

	LAW(world->ends == lai_conn_over(conn),
	    "one of close, linger, abort, exactly once, at the end");
	LAW(world->fins <= 1, "our FIN is sent once");
	LAW(!world->fins || conn->limits.close_policy == LA_CLOSE_GRACEFUL,
	    "only the whole ladder has a FIN of its own");
	if (world->actions & LAI_CONN_SEND_FIN)
		LAW(!outstanding(world), "nothing may be in flight before the FIN");
	LAW(!last || !(last & (last - 1)), "one last action, not two");
	LAW(last != LAI_CONN_LINGER || policy_linger, "linger only where the policy says so");
	LAW(last != LAI_CONN_CLOSE || world->failed || !outstanding(world),
	    "a plain close destroys nothing that the kernel still has to deliver");
	if (last && lai_cause_is_silence(conn->report.cause) && !world->failed && !world->unnamed)
		LAW(last != LAI_CONN_CLOSE,
		    "silence ends by abort: the kernel must not go on sending");
}

/* A deadline, a question that is answered in the same step, or the reason in half.h. */
static void check_deadline(const struct world *world)
{
	const struct lai_conn *conn = &world->conn;
	uint64_t deadline_ns = lai_conn_deadline(conn);

	if (lai_conn_over(conn)) {
		LAW(deadline_ns == LA_NEVER, "nothing is due after the end");
		return;
	}
	if (conn->recv.state == LAI_RECV_LAST_WORDS)
		LAW(world->asked & LAI_CONN_READ_REST, "the last words are being read");
	if (deadline_ns != LA_NEVER || world->asked)
		return;
	LAW(!outstanding(world), "something is in flight: the pulse must look");
	LAW(!conn->waking, "the host has woken: the pulse must look");
	LAW(conn->send.state == LAI_SEND_OPEN ||
		    (conn->send.state == LAI_SEND_DRAINING && conn->finish_by_ns == LA_NEVER),
	    "a state without a deadline and without a reason");
}

static enum la_side expected_first(const struct world *world, enum event event)
{
	const struct la_report *report = &world->conn.report;
	bool new_cause = world->before.report.cause == LA_CAUSE_ALIVE;

	if (world->before.report.closed_first != LA_SIDE_NOBODY)
		return world->before.report.closed_first;
	if (world->actions & LAI_CONN_SEND_FIN)
		return LA_SIDE_US;
	if (new_cause &&
	    (report->cause == LA_CAUSE_ABORTED || report->cause == LA_CAUSE_LINGERED ||
	     report->cause == LA_CAUSE_STALLED || report->cause == LA_CAUSE_DRAIN_TIMEOUT))
		return LA_SIDE_US;
	if (event == PEER_FIN && world->before.recv.state == LAI_RECV_OPEN)
		return LA_SIDE_PEER;
	if ((event == RESET || event == PIPE) && world->reset)
		return LA_SIDE_PEER;
	if (event == ABORT)
		return LA_SIDE_US;
	return LA_SIDE_NOBODY;
}

static void check_report(const struct world *world, enum event event)
{
	const struct la_report *report = &world->conn.report, *before = &world->before.report;
	bool silence = lai_cause_is_silence(before->cause) && lai_cause_is_silence(report->cause);
	bool refined = (event == WAY || event == NO_WAY || event == ADDRESS_GONE) && silence;

	LAW(before->cause == LA_CAUSE_ALIVE || report->cause == before->cause || refined,
	    "the first cause stays; only the answer to why-silent may name the silence");
	LAW(before->cause == LA_CAUSE_ALIVE || report->error == before->error || refined,
	    "the first error stays");
	LAW(before->cause == LA_CAUSE_ALIVE || report->detected_ns == before->detected_ns,
	    "the time of the first cause stays");
	LAW((report->cause == LA_CAUSE_ALIVE) == (report->detected_ns == 0),
	    "a cause has its time");
	if (before->closed_first == LA_SIDE_NOBODY && lai_cause_is_silence(report->cause))
		LAW(report->closed_first != LA_SIDE_PEER || world->reset || world->peer_fin,
		    "a silent peer has not closed first");
	else
		LAW(report->closed_first == expected_first(world, event), "who closed first");
	LAW(report->acked_bytes <= world->acked_bytes, "acknowledged is what the kernel said");
	LAW(report->last_words_bytes == world->words_bytes &&
		    memcmp(report->last_words, world->words, world->words_bytes) == 0,
	    "the last words are the newest bytes");
}

static enum la_proof expected_proof(const struct world *world)
{
	if (outstanding(world))
		return LA_PROOF_WRITTEN;
	if (world->fin_acked && world->peer_fin && world->fin_answers_ours && !world->failed &&
	    world->conn.send.state == LAI_SEND_FIN_ACKED)
		return LA_PROOF_CONSUMED;
	return LA_PROOF_ACKED;
}

static void check_end(const struct world *world)
{
	const struct la_report *report = &world->conn.report;
	uint64_t left = report->written_bytes - world->acked_bytes;
	bool destroys = world->actions & (LAI_CONN_ABORT | LAI_CONN_LINGER);

	if (!lai_conn_over(&world->conn))
		return;
	LAW(report->cause != LA_CAUSE_ALIVE, "an end has a cause");
	LAW(report->ended_ns == world->now_ns, "the end has its time");
	LAW(report->detected_ns <= report->ended_ns && report->detected_ns >= report->connected_ns,
	    "begun, detected, ended, in this order");
	LAW(report->destroyed_bytes == (destroys ? left : 0),
	    "destroyed: what was left, by abort or linger");
	LAW(report->proof == expected_proof(world), "the proof that holds for all bytes");
	LAW(!world->conn.stalled, "nothing is stalled after the end");
}

/* ---- running it ---------------------------------------------------------------------------- */

static void note(struct world *world, const char *text)
{
	size_t used = strlen(world->trace);

	snprintf(world->trace + used, sizeof(world->trace) - used, " %s", text);
}

static void happen(struct world *world, enum event event)
{
	if (lai_conn_over(&world->conn) ||
	    (events[event].possible && !events[event].possible(world)))
		return;
	note(world, events[event].name);
	world->now_ns += LAI_MS;
	world->before = world->conn;
	events[event].happen(world);
	world->actions = lai_conn_take(&world->conn);
	LAW(lai_conn_take(&world->conn) == 0, "an action is taken once");
	world->asked |= world->actions & QUESTIONS;
	world->fins += (world->actions & LAI_CONN_SEND_FIN) != 0;
	world->fin_carried |= (world->actions & LAI_CONN_SEND_FIN) != 0;
	world->ends += (world->actions & LAST_ACTIONS) != 0;
	world->unnamed = world->asked & LAI_CONN_WHY_SILENT;
	if (lai_conn_over(&world->conn))
		world->asked = 0;
	check_states(world);
	check_actions(world);
	check_deadline(world);
	check_report(world, event);
	check_end(world);
}

static void begin(struct world *world, const struct lai_conn_limits *limits)
{
	const struct la_report attempt = {.serial = 1, .began_ns = START_NS};

	memset(world, 0, sizeof(*world));
	current = world;
	world->now_ns = world->heard_ns = START_NS;
	world->window_bytes = WINDOW_BYTES;
	world->tcp_state = LAI_TCP_ESTABLISHED;
	lai_conn_init(&world->conn, limits, &attempt, world->now_ns);
	snprintf(world->trace, sizeof(world->trace), " [close %d, peer-fin %d, stall %d]",
		 limits->close_policy, limits->on_peer_fin, limits->on_stall);
}

/* The peer never says anything again, we want to finish: it must end, and in time. */
static void run_to_end(struct world *world)
{
	uint64_t bound_ns = world->now_ns + FINISH_NS + SLACK_NS;

	happen(world, FINISH_SOON);
	for (int i = 0; i < STEPS_MAX && !lai_conn_over(&world->conn); i++) {
		if (world->asked & LAI_CONN_LOOK)
			happen(world, LOOK);
		else if (world->asked & LAI_CONN_WHY_SILENT)
			happen(world, WAY);
		else if (world->asked & LAI_CONN_READ_REST)
			happen(world, REST_READ);
		else
			happen(world, LATE_TIMER);
		world->trace[TRACE_MAX / 2] = '\0';
	}
	LAW(lai_conn_over(&world->conn), "whatever happened, finishing ends it");
	LAW(world->now_ns <= bound_ns, "whatever happened, finishing ends it in time");
}

static struct lai_conn_limits limits_of(unsigned policies)
{
	return (struct lai_conn_limits){
		.dead_ns = DEAD_NS,
		.stall_ns = STALL_NS,
		.read_ns = READ_NS,
		.close_policy = policies % LA_CLOSE_COUNT,
		.on_peer_fin = policies / LA_CLOSE_COUNT % LA_PEER_FIN_COUNT,
		.on_stall = policies / LA_CLOSE_COUNT / LA_PEER_FIN_COUNT,
	};
}

#define POLICIES (LA_CLOSE_COUNT * LA_PEER_FIN_COUNT * LA_STALL_COUNT)

/* How each state is reached. A row is tried with every policy, and counts where it gets there. */
static const struct place {
	const char *sentence;
	enum lai_send_state send;
	enum lai_recv_state recv;
	enum event path[6];
} places[] = {
	{"open/open, idle", LAI_SEND_OPEN, LAI_RECV_OPEN, {NONE}},
	{"open/open, in flight", LAI_SEND_OPEN, LAI_RECV_OPEN, {WRITTEN, NONE}},
	{"open/open, stalled", LAI_SEND_OPEN, LAI_RECV_OPEN, {WRITTEN, LOOK, CLOSED_WINDOW, NONE}},
	{"open/open, waking", LAI_SEND_OPEN, LAI_RECV_OPEN, {RESUMED, NONE}},
	{"open/open, silent and asked why", LAI_SEND_OPEN, LAI_RECV_OPEN, {WRITTEN, SILENCE, NONE}},
	{"draining/open", LAI_SEND_DRAINING, LAI_RECV_OPEN, {WRITTEN, FINISH, NONE}},
	{"await-ack/open", LAI_SEND_AWAIT_ACK, LAI_RECV_OPEN, {WRITTEN, FINISH, QUEUE_EMPTY, NONE}},
	{"fin-sent/open",
	 LAI_SEND_FIN_SENT,
	 LAI_RECV_OPEN,
	 {WRITTEN, FINISH, QUEUE_EMPTY, ALL_ACKED, NONE}},
	{"fin-acked/open",
	 LAI_SEND_FIN_ACKED,
	 LAI_RECV_OPEN,
	 {WRITTEN, FINISH, QUEUE_EMPTY, ALL_ACKED, FIN_ACKED, NONE}},
	{"open/fin-received", LAI_SEND_OPEN, LAI_RECV_FIN_RECEIVED, {WRITTEN, PEER_FIN, NONE}},
	{"open/fin-received, silent and asked why",
	 LAI_SEND_OPEN,
	 LAI_RECV_FIN_RECEIVED,
	 {WRITTEN, PEER_FIN, SILENCE, NONE}},
	{"draining/fin-received",
	 LAI_SEND_DRAINING,
	 LAI_RECV_FIN_RECEIVED,
	 {WRITTEN, PEER_FIN, FINISH, NONE}},
	{"await-ack/fin-received",
	 LAI_SEND_AWAIT_ACK,
	 LAI_RECV_FIN_RECEIVED,
	 {WRITTEN, PEER_FIN, FINISH, QUEUE_EMPTY, NONE}},
	{"fin-sent/fin-received",
	 LAI_SEND_FIN_SENT,
	 LAI_RECV_FIN_RECEIVED,
	 {WRITTEN, PEER_FIN, FINISH, QUEUE_EMPTY, ALL_ACKED, NONE}},
	{"dead/last-words, reset", LAI_SEND_DEAD, LAI_RECV_LAST_WORDS, {WRITTEN, RESET, NONE}},
	{"dead/last-words, aborted", LAI_SEND_DEAD, LAI_RECV_LAST_WORDS, {WRITTEN, ABORT, NONE}},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static bool go_to(struct world *world, const struct place *place, unsigned policies)
{
	const struct lai_conn_limits limits = limits_of(policies);

	begin(world, &limits);
	for (int i = 0; place->path[i] != NONE; i++)
		happen(world, place->path[i]);
	return world->conn.send.state == place->send && world->conn.recv.state == place->recv;
}

/* state x event x event, then the end. */
static void test_place(void **state)
{
	const struct place *place = *state;
	unsigned reached = 0;

	for (unsigned policies = 0; policies < POLICIES; policies++) {
		for (enum event first = 0; first < EVENTS; first++) {
			for (enum event second = 0; second < EVENTS; second++) {
				struct world world;

				reached += go_to(&world, place, policies);
				happen(&world, first);
				happen(&world, second);
				run_to_end(&world);
			}
		}
	}
	assert_true(reached > 0);
}

static void test_walks(void **state)
{
	struct lai_random random = {.state = SEED};

	(void)state;
	for (int walk = 0; walk < WALKS; walk++) {
		const struct lai_conn_limits limits =
			limits_of((unsigned)lai_random_below(&random, POLICIES));
		struct world world;

		begin(&world, &limits);
		for (int i = 0; i < WALK_EVENTS; i++)
			happen(&world, (enum event)lai_random_below(&random, EVENTS));
		run_to_end(&world);
	}
}

int main(void)
{
	struct CMUnitTest tests[PLACES + 1];

	for (size_t i = 0; i < PLACES; i++)
		tests[i] = (struct CMUnitTest){.name = places[i].sentence,
					       .test_func = test_place,
					       .initial_state = (void *)&places[i]};
	tests[PLACES] = (struct CMUnitTest){.name = "random walks keep every law and end in time",
					    .test_func = test_walks};
	return cmocka_run_group_tests_name("conn.conn, every state x event x event", tests, NULL,
					   NULL);
}
