/* SPDX-License-Identifier: MIT */
#include "link/link.h"
#include "conn/cause.h"

#include <assert.h>
#include <string.h>

static void run_race(struct lai_link *link, uint64_t now_ns);
static void wait_or_give_up(struct lai_link *link, uint64_t now_ns);
static void check_queue(struct lai_link *link, uint64_t now_ns);

/* ---- states --------------------------------------------------------------------------------- */

static const char *const state_names[] = {
#define X(id, name) name,
	LA_LINK_STATES(X)
#undef X
};

#define BIT(state) (1u << LA_LINK_##state)

/*
 * Deadlines: resolving resolve_ns, connecting connect_ns, waiting the backoff, all of them give_up_ns;
 * up, stalled and closing have those of their connection; idle and done need none: nothing is owed.
 */
static const unsigned next_states[LA_LINK_COUNT] = {
	[LA_LINK_IDLE] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(DONE),
	[LA_LINK_RESOLVING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_CONNECTING] =
		BIT(CONNECTING) | BIT(RESOLVING) | BIT(UP) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_UP] = BIT(STALLED) | BIT(CLOSING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_STALLED] = BIT(UP) | BIT(CLOSING) | BIT(WAITING) | BIT(DONE),
	/* A checkpoint goes on at once, without waiting. */
	[LA_LINK_CLOSING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_WAITING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(DONE),
	[LA_LINK_DONE] = 0,
};

const char *la_link_state_name(enum la_link_state state)
{
	return (unsigned)state < LA_LINK_COUNT ? state_names[state] : "?";
}

bool lai_link_allows(enum la_link_state from, enum la_link_state to)
{
	return (next_states[from] & (1u << to)) != 0;
}

static void emit(struct lai_link *link, const struct la_event *event)
{
	if (link->config.on_event)
		link->config.on_event(link->config.arg, event);
}

/* The only place that writes a state. */
static void set_state(struct lai_link *link, enum la_link_state state, uint64_t deadline_ns, uint64_t now_ns)
{
	enum la_link_state from = link->state;

	assert(lai_link_allows(from, state));
	link->state = state;
	link->deadline_ns = deadline_ns;
	if (from != state)
		emit(link, &(struct la_event){
				   .kind = LA_EVENT_STATE, .now_ns = now_ns, .from = from, .to = state});
}

/* ---- actions -------------------------------------------------------------------------------- */

static struct lai_link_action *ask(struct lai_link *link, enum lai_link_action_kind kind)
{
	struct lai_link_action *action;

	assert(link->action_count < LAI_LINK_ACTIONS_MAX);
	action = &link->actions[(link->action_head + link->action_count++) % LAI_LINK_ACTIONS_MAX];
	*action = (struct lai_link_action){.kind = kind};
	return action;
}

bool lai_link_next(struct lai_link *link, struct lai_link_action *action)
{
	if (link->action_count == 0)
		return false;
	*action = link->actions[link->action_head];
	link->action_head = (link->action_head + 1) % LAI_LINK_ACTIONS_MAX;
	link->action_count--;
	return true;
}

static void discard_race(struct lai_link *link, int but)
{
	for (int i = 0; i < link->race.started; i++) {
		if (i == but || !link->race.running[i])
			continue;
		link->race.running[i] = false;
		ask(link, LAI_LINK_DISCARD)->attempt = i;
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void finish_link(struct lai_link *link, uint64_t now_ns)
{
	lai_replay_abandon(&link->replay);
	set_state(link, LA_LINK_DONE, LA_NEVER, now_ns);
}

static bool nothing_left(const struct lai_link *link)
{
	return link->finishing && lai_replay_empty(&link->replay);
}

static void emit_report(struct lai_link *link, enum la_event_kind kind, uint64_t now_ns)
{
	emit(link, &(struct la_event){.kind = kind, .now_ns = now_ns, .report = &link->report});
}

/* What a new attempt tells about a peer that fell silent: the last report gets its explanation. */
static void explain_silence(struct lai_link *link, enum la_cause cause, uint64_t now_ns)
{
	struct la_report *report = &link->silent_report;

	if (link->silent_report.serial == 0)
		return;
	switch (cause) {
	case LA_CAUSE_ALIVE: report->aftermath = LA_AFTERMATH_HOST_ANSWERS; break;
	case LA_CAUSE_CONNECT_REFUSED: report->aftermath = LA_AFTERMATH_HOST_REFUSES; break;
	case LA_CAUSE_CONNECT_TIMEOUT: report->aftermath = LA_AFTERMATH_HOST_SILENT; break;
	case LA_CAUSE_UNREACHABLE:
	case LA_CAUSE_ADDRESS_LOST: report->aftermath = LA_AFTERMATH_NO_WAY; break;
	default: return; /* it says nothing about the host */
	}
	emit(link, &(struct la_event){.kind = LA_EVENT_AFTERMATH, .now_ns = now_ns, .report = report});
	report->serial = 0;
}

/* ---- attempts ------------------------------------------------------------------------------- */

static void begin_attempt(struct lai_link *link, uint64_t now_ns)
{
	const struct lai_endpoint *endpoint = &link->endpoints[link->endpoint];
	uint64_t serial = link->report.serial + 1;

	link->report = (struct la_report){.serial = serial, .began_ns = now_ns};
	memcpy(link->report.remote, endpoint->text, sizeof(link->report.remote));
	link->attempt_cause = LA_CAUSE_ALIVE;
	link->attempt_error = 0;
	if (endpoint->address.length) {
		lai_race_init(&link->race, &endpoint->address, 1, now_ns);
		set_state(link, LA_LINK_CONNECTING,
			  lai_time_after(now_ns, link->config.connect_ns), now_ns);
		run_race(link, now_ns);
	} else {
		set_state(link, LA_LINK_RESOLVING, lai_time_after(now_ns, link->config.resolve_ns),
			  now_ns);
		ask(link, LAI_LINK_RESOLVE)->endpoint = endpoint;
	}
}

/* No address of this server gave a connection: the next server at once, the round's end waits. */
static void attempt_failed(struct lai_link *link, enum la_cause cause, int error, uint64_t now_ns)
{
	discard_race(link, -1);
	link->race.started = link->race.count = 0;
	link->report.cause = cause;
	link->report.error = error;
	link->report.detected_ns = link->report.ended_ns = now_ns;
	link->replay.totals.failed_attempts++;
	emit_report(link, LA_EVENT_REPORT, now_ns);
	explain_silence(link, cause, now_ns);
	link->endpoint = (link->endpoint + 1) % link->endpoint_count;
	link->endpoints_failed++;
	if (nothing_left(link))
		finish_link(link, now_ns);
	else if (link->endpoints_failed < link->endpoint_count)
		begin_attempt(link, now_ns);
	else
		wait_or_give_up(link, now_ns);
}

static void run_race(struct lai_link *link, uint64_t now_ns)
{
	int attempt;

	while ((attempt = lai_race_next(&link->race, now_ns)) >= 0) {
		struct lai_link_action *action = ask(link, LAI_LINK_CONNECT);

		action->attempt = attempt;
		action->address = link->race.addresses[attempt];
	}
}

static bool out_of_patience(const struct lai_link *link, uint64_t now_ns)
{
	return link->backoff.failures >= link->config.retries_max ||
	       now_ns >= lai_time_after(link->apart_since_ns, link->config.give_up_ns);
}

static void wait_or_give_up(struct lai_link *link, uint64_t now_ns)
{
	uint64_t delay_ns;

	link->endpoints_failed = 0;
	if (out_of_patience(link, now_ns)) {
		finish_link(link, now_ns);
		return;
	}
	delay_ns = lai_backoff_next(&link->backoff, &link->random);
	set_state(link, LA_LINK_WAITING, lai_time_after(now_ns, delay_ns), now_ns);
	emit(link, &(struct la_event){.kind = LA_EVENT_WAIT, .now_ns = now_ns, .delay_ns = delay_ns});
}

void lai_link_on_resolved(struct lai_link *link, const struct lai_address *addresses, int count_or_error,
			  uint64_t now_ns)
{
	if (link->state != LA_LINK_RESOLVING)
		return; /* cancelled meanwhile */
	if (count_or_error <= 0) {
		attempt_failed(link, LA_CAUSE_RESOLVE_FAILED, -count_or_error, now_ns);
		return;
	}
	lai_race_init(&link->race, addresses, count_or_error, now_ns);
	lai_race_prefer(&link->race, &link->last_good);
	set_state(link, LA_LINK_CONNECTING, lai_time_after(now_ns, link->config.connect_ns), now_ns);
	run_race(link, now_ns);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void connection_won(struct lai_link *link, int attempt, const struct lai_address *local,
			   const struct lai_address *remote, uint64_t now_ns)
{
	const struct lai_conn_limits limits = {
		.dead_ns = link->config.dead_ns,
		.stall_ns = link->config.stall_ns,
		.read_ns = link->config.read_ns,
		.close_policy = link->config.close_policy,
		.on_peer_fin = link->config.on_peer_fin,
		.on_stall = link->config.on_stall,
	};

	discard_race(link, attempt);
	link->race.started = link->race.count = 0;
	link->last_good = *remote;
	lai_address_format(link->report.local, local);
	lai_address_format(link->report.remote, remote);
	lai_conn_init(&link->conn, &limits, &link->report, now_ns);
	link->connected = true;
	link->apart_since_ns = LA_NEVER;
	link->endpoints_failed = 0;
	link->replay.totals.connections++;
	lai_replay_begin(&link->replay);
	set_state(link, LA_LINK_UP, LA_NEVER, now_ns);
	explain_silence(link, LA_CAUSE_ALIVE, now_ns);
	if (link->finishing)
		lai_conn_finish(&link->conn, link->finish_by_ns, now_ns);
	check_queue(link, now_ns);
}

void lai_link_on_attempt(struct lai_link *link, int attempt, int error, const struct lai_address *local,
			 const struct lai_address *remote, uint64_t now_ns)
{
	enum la_cause cause = lai_cause_of_attempt(error, link->config.local_port != 0);

	if (link->state != LA_LINK_CONNECTING || !link->race.running[attempt])
		return; /* discarded meanwhile */
	if (error == 0 && !lai_address_equal(local, remote)) {
		connection_won(link, attempt, local, remote, now_ns);
		return;
	}
	if (error == 0) {
		/* Simultaneous open with ourselves, RFC 9293 3.5: the listener is not there. */
		cause = LA_CAUSE_SELF_CONNECT;
		ask(link, LAI_LINK_DISCARD)->attempt = attempt;
	}
	if (link->attempt_cause == LA_CAUSE_ALIVE) {
		link->attempt_cause = cause;
		link->attempt_error = error;
	}
	lai_race_failed(&link->race, attempt, now_ns);
	if (lai_race_lost(&link->race))
		attempt_failed(link, link->attempt_cause, link->attempt_error, now_ns);
	else
		run_race(link, now_ns);
}

static void connection_over(struct lai_link *link, uint64_t now_ns)
{
	struct lai_conn *conn = &link->conn;
	/* Ended well, with more to send: go on at once. */
	bool checkpoint = conn->report.cause == LA_CAUSE_FINISHED &&
			  conn->report.proof >= link->config.proof;

	link->connected = false;
	link->apart_since_ns = now_ns;
	link->report = conn->report;
	lai_replay_end(&link->replay, &link->report, lai_pulse_peer_buffer_max(&conn->pulse));
	if (lai_cause_is_silence(link->report.cause))
		link->silent_report = link->report;
	emit_report(link, LA_EVENT_REPORT, now_ns);
	if (lai_time_since(link->report.connected_ns, now_ns) >= link->config.stable_ns)
		lai_backoff_reset(&link->backoff);
	if (nothing_left(link) || conn->report.cause == LA_CAUSE_ABORTED ||
	    conn->report.cause == LA_CAUSE_LINGERED || conn->report.cause == LA_CAUSE_DRAIN_TIMEOUT)
		finish_link(link, now_ns);
	else if (checkpoint)
		begin_attempt(link, now_ns);
	else
		wait_or_give_up(link, now_ns);
}

static void collect_actions(struct lai_link *link)
{
	static const struct {
		unsigned bit;
		enum lai_link_action_kind kind;
	} order[] = {
		{LAI_CONN_LOOK, LAI_LINK_LOOK},
		{LAI_CONN_WHY_SILENT, LAI_LINK_WHY_SILENT},
		{LAI_CONN_READ_REST, LAI_LINK_READ_REST},
		{LAI_CONN_HURRY, LAI_LINK_HURRY},
		{LAI_CONN_CALM, LAI_LINK_CALM},
		{LAI_CONN_SEND_FIN, LAI_LINK_SEND_FIN},
		{LAI_CONN_CLOSE, LAI_LINK_CLOSE},
		{LAI_CONN_LINGER, LAI_LINK_LINGER},
		{LAI_CONN_ABORT, LAI_LINK_ABORT},
	};
	unsigned actions = lai_conn_take(&link->conn);

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (actions & order[i].bit)
			ask(link, order[i].kind);
}

/* After every event of the connection: its actions go out, its state shows in ours. */
static void follow_connection(struct lai_link *link, uint64_t now_ns)
{
	const struct lai_conn *conn = &link->conn;
	enum la_link_state state = LA_LINK_UP;

	collect_actions(link);
	if (conn->send.state != LAI_SEND_OPEN)
		state = LA_LINK_CLOSING;
	else if (conn->stalled)
		state = LA_LINK_STALLED;
	if (state != link->state)
		set_state(link, state, LA_NEVER, now_ns);
	if (lai_conn_over(conn))
		connection_over(link, now_ns);
}

/* A connection that drains has to be told when there is nothing left to write. */
static void check_queue(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected)
		return;
	if (link->conn.send.state == LAI_SEND_DRAINING && lai_replay_nothing_to_send(&link->replay))
		lai_conn_on_queue_empty(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_written(struct lai_link *link, size_t size, uint64_t now_ns)
{
	lai_conn_on_written(&link->conn, size, now_ns);
	lai_replay_on_written(&link->replay, size);
	check_queue(link, now_ns);
}

void lai_link_on_received(struct lai_link *link, const void *data, size_t size, uint64_t now_ns)
{
	lai_conn_on_received(&link->conn, data, size, now_ns);
	emit(link, &(struct la_event){
			   .kind = LA_EVENT_RECEIVED, .now_ns = now_ns, .data = data, .size = size});
}

void lai_link_on_fin(struct lai_link *link, uint64_t now_ns)
{
	lai_conn_on_fin(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_error(struct lai_link *link, int error, uint64_t now_ns)
{
	lai_conn_on_error(&link->conn, error, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_view(struct lai_link *link, const struct lai_view *view, uint64_t now_ns)
{
	lai_conn_on_view(&link->conn, view, now_ns);
	lai_replay_on_acked(&link->replay, link->conn.report.acked_bytes);
	follow_connection(link, now_ns);
}

void lai_link_on_why_silent(struct lai_link *link, int error, uint64_t now_ns)
{
	lai_conn_on_why_silent(&link->conn, error, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_rest_read(struct lai_link *link, uint64_t now_ns)
{
	lai_conn_on_rest_read(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_resumed(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_resumed(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

static void on_connection_timer(struct lai_link *link, uint64_t now_ns)
{
	if (now_ns < lai_conn_deadline(&link->conn))
		return;
	lai_conn_on_timer(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_timer(struct lai_link *link, uint64_t now_ns)
{
	if (link->connected) {
		on_connection_timer(link, now_ns);
		return;
	}
	if (link->state == LA_LINK_DONE || link->state == LA_LINK_IDLE)
		return;
	if (now_ns >= link->finish_by_ns ||
	    now_ns >= lai_time_after(link->apart_since_ns, link->config.give_up_ns)) {
		lai_link_abort(link, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_RESOLVING) {
		ask(link, LAI_LINK_RESOLVE_CANCEL);
		attempt_failed(link, LA_CAUSE_RESOLVE_TIMEOUT, 0, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_CONNECTING) {
		attempt_failed(link, LA_CAUSE_CONNECT_TIMEOUT, 0, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_WAITING) {
		begin_attempt(link, now_ns);
	} else if (link->state == LA_LINK_CONNECTING) {
		run_race(link, now_ns);
	}
}

/* ---- wishes --------------------------------------------------------------------------------- */

void lai_link_start(struct lai_link *link, uint64_t now_ns)
{
	if (link->state != LA_LINK_IDLE)
		return;
	link->apart_since_ns = now_ns;
	begin_attempt(link, now_ns);
}

void lai_link_finish(struct lai_link *link, uint64_t finish_by_ns, uint64_t now_ns)
{
	link->finish_by_ns = lai_time_min(link->finish_by_ns, finish_by_ns);
	link->finishing = true;
	if (link->connected) {
		lai_conn_finish(&link->conn, link->finish_by_ns, now_ns);
		check_queue(link, now_ns);
	} else if (nothing_left(link) && link->state != LA_LINK_DONE) {
		lai_link_abort(link, now_ns);
	}
}

void lai_link_checkpoint(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected || !lai_conn_may_write(&link->conn) ||
	    link->conn.send.state == LAI_SEND_DRAINING)
		return;
	lai_replay_stop_here(&link->replay);
	lai_conn_finish(&link->conn, LA_NEVER, now_ns);
	check_queue(link, now_ns);
}

void lai_link_abort(struct lai_link *link, uint64_t now_ns)
{
	link->finishing = true;
	if (link->state == LA_LINK_DONE)
		return;
	if (link->connected) {
		lai_conn_abort(&link->conn, now_ns);
		follow_connection(link, now_ns);
		return;
	}
	if (link->state == LA_LINK_RESOLVING)
		ask(link, LAI_LINK_RESOLVE_CANCEL);
	discard_race(link, -1);
	finish_link(link, now_ns);
}

void lai_link_crowd(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected || !lai_replay_crowded(&link->replay))
		return;
	ask(link, LAI_LINK_LOOK);
	/* Only the end of a connection proves that the peer consumed what is kept. */
	if (link->config.proof == LA_PROOF_CONSUMED && lai_replay_nothing_to_send(&link->replay))
		lai_link_checkpoint(link, now_ns);
}

int lai_link_to_send(const struct lai_link *link, struct iovec iov[2])
{
	if (!link->connected || !lai_conn_may_write(&link->conn))
		return 0;
	return lai_replay_to_send(&link->replay, iov);
}

uint64_t lai_link_deadline(const struct lai_link *link)
{
	uint64_t deadline_ns = lai_time_min(link->deadline_ns, link->finish_by_ns);

	switch (link->state) {
	case LA_LINK_IDLE: return 0;
	case LA_LINK_DONE: return LA_NEVER;
	case LA_LINK_UP:
	case LA_LINK_STALLED:
	case LA_LINK_CLOSING: return lai_conn_deadline(&link->conn);
	case LA_LINK_CONNECTING:
		deadline_ns = lai_time_min(deadline_ns, lai_race_deadline(&link->race));
		break;
	default: break;
	}
	return lai_time_min(deadline_ns,
			    lai_time_after(link->apart_since_ns, link->config.give_up_ns));
}

bool lai_link_delivered(const struct lai_link *link)
{
	const struct la_totals *totals = &link->replay.totals;

	return totals->delivered_bytes == totals->accepted_bytes;
}

int lai_link_init(struct lai_link *link, const struct la_link_config *config,
		  struct lai_endpoint *endpoints, size_t count)
{
	*link = (struct lai_link){
		.config = *config,
		.endpoints = endpoints,
		.endpoint_count = count,
		.random = {.state = config->seed},
		.backoff = {.min_ns = config->backoff_min_ns, .max_ns = config->backoff_max_ns},
		.deadline_ns = LA_NEVER,
		.finish_by_ns = LA_NEVER,
		.apart_since_ns = LA_NEVER,
	};
	return lai_replay_init(&link->replay, endpoints[0].wire, config);
}

void lai_link_done(struct lai_link *link)
{
	lai_replay_done(&link->replay);
}
