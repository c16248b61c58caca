/* SPDX-License-Identifier: MIT */
/* The connection that an attempt has won: its events, what its end means, its state in ours. */
#include "link/link_inside.h"
#include "conn/cause.h"

/*
 * A peer that reads slowly closes late, and its kernel says nothing meanwhile (after our FIN Linux sends
 * no window updates): with proof CONSUMED all would be sent again and again.
 */
#define STRETCH_MAX 8 /* 256 times: two hours of the default, and then everything again */

static uint64_t stretched(const struct lai_link *link)
{
	uint64_t read_ns = link->config.read_ns;

	for (unsigned i = 0; i < link->stretch; i++)
		read_ns = read_ns > LA_NEVER / 2 ? LA_NEVER : read_ns * 2;
	return read_ns;
}

static void learn_patience(struct lai_link *link)
{
	if (link->report.cause == LA_CAUSE_FINISHED)
		link->stretch = 0;
	else if (link->report.cause == LA_CAUSE_NEVER_CLOSED &&
		 link->config.proof == LA_PROOF_CONSUMED && link->stretch < STRETCH_MAX)
		link->stretch++;
}

/* Connected and, where there is a login, logged in: only now is it of use. */
static void is_up(struct lai_link *link, uint64_t now_ns)
{
	link->up_ns = now_ns;
	link->apart_since_ns = LA_NEVER;
	link->endpoints_failed = 0;
	lai_backoff_reset(&link->rejected);
	lai_link_set_state(link, LA_LINK_UP, LA_NEVER, now_ns);
}

void lai_link_connection_won(struct lai_link *link, int attempt, const struct lai_address *local,
			     const struct lai_address *remote, uint64_t now_ns)
{
	const struct lai_conn_limits limits = {
		.dead_ns = link->config.dead_ns,
		.stall_ns = link->config.stall_ns,
		.read_ns = stretched(link),
		.close_policy = link->config.close_policy,
		.on_peer_fin = link->config.on_peer_fin,
		.on_stall = link->config.on_stall,
	};

	lai_link_discard_race(link, attempt);
	link->race.started = link->race.count = 0;
	link->last_good = *remote;
	lai_address_format(link->report.local, local);
	lai_address_format(link->report.remote, remote);
	lai_conn_init(&link->conn, &limits, &link->report, now_ns);
	link->connected = true;
	link->why[0] = '\0'; /* of those who lost */
	link->up_ns = LA_NEVER;
	lai_cargo_begin(&link->cargo, &link->endpoints[link->endpoint], now_ns);
	if (link->cargo.courier)
		lai_link_set_state(link, LA_LINK_LOGIN, LA_NEVER, now_ns);
	else
		is_up(link, now_ns);
	lai_link_explain_silence(link, LA_CAUSE_ALIVE, now_ns);
	if (link->finishing && !link->cargo.courier)
		lai_conn_finish(&link->conn, link->finish_by_ns, now_ns);
	lai_link_check_queue(link, now_ns);
}

/* The end that was asked for, in the time or the way that was asked for: no other is tried. */
static bool was_last(const struct lai_link *link, uint64_t now_ns)
{
	switch (link->conn.report.cause) {
	case LA_CAUSE_ABORTED:
	case LA_CAUSE_LINGERED: return link->finishing;
	case LA_CAUSE_DRAIN_TIMEOUT: return link->finishing && now_ns >= link->finish_by_ns;
	default: return false;
	}
}

/* The server's program is stuck or at odds with us; another one of the list may not be. */
static bool speaks_no_more(enum la_cause cause)
{
	return cause == LA_CAUSE_HEARTBEAT_LOST || cause == LA_CAUSE_RECEIPT_TIMEOUT ||
	       cause == LA_CAUSE_SERVER_ERROR || cause == LA_CAUSE_PROTOCOL_ERROR;
}

static void connection_over(struct lai_link *link, uint64_t now_ns)
{
	struct lai_conn *conn = &link->conn;
	/* Ended well, with more to send: go on at once. */
	bool checkpoint =
		conn->report.cause == LA_CAUSE_FINISHED && conn->report.proof >= link->config.proof;

	link->connected = false;
	link->apart_since_ns = lai_time_min(link->apart_since_ns, now_ns);
	link->report = conn->report;
	lai_cargo_end(&link->cargo, &link->report, lai_pulse_peer_buffer_max(&conn->pulse));
	if (lai_cause_is_silence(link->report.cause))
		link->silent_report = link->report;
	learn_patience(link);
	lai_link_emit_report(link, &link->report, LA_EVENT_REPORT, now_ns);
	if (link->up_ns != LA_NEVER &&
	    lai_time_since(link->up_ns, now_ns) >= link->config.stable_ns)
		lai_backoff_reset(&link->backoff);
	if (link->aborted || lai_link_nothing_left(link) || was_last(link, now_ns))
		lai_link_end(link, now_ns);
	else if (checkpoint)
		lai_link_begin_attempt(link, now_ns);
	else if (link->up_ns == LA_NEVER || speaks_no_more(link->report.cause))
		lai_link_next_server(link, now_ns);
	else
		lai_link_wait_or_give_up(link, now_ns);
}

/* After every event of the connection: its actions go out, its state shows in ours. */
static void follow_connection(struct lai_link *link, uint64_t now_ns)
{
	const struct lai_conn *conn = &link->conn;
	enum la_link_state state = LA_LINK_UP;
	unsigned actions = lai_conn_take(&link->conn);

	if (actions != 0)
		lai_link_ask(link, LAI_LINK_CONN)->conn = actions;
	if (conn->send.state != LAI_SEND_OPEN || conn->fin_expected_by_ns != LA_NEVER)
		state = LA_LINK_CLOSING;
	else if (link->up_ns == LA_NEVER)
		state = LA_LINK_LOGIN;
	else if (conn->stalled)
		state = LA_LINK_STALLED;
	if (state != link->state)
		lai_link_set_state(link, state, LA_NEVER, now_ns);
	if (lai_conn_over(conn))
		connection_over(link, now_ns);
}

/* A connection that drains has to be told when there is nothing left to write. */
void lai_link_check_queue(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected)
		return;
	if (link->conn.send.state == LAI_SEND_DRAINING &&
	    lai_cargo_nothing_to_send(&link->cargo, now_ns))
		lai_conn_on_queue_empty(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

/* A refused client reads what the server still says, and leaves it the first FIN. */
#define FAREWELL_NS (2 * LAI_S)

static void dialogue_failed(struct lai_link *link, uint64_t now_ns)
{
	enum la_cause cause = lai_courier_cause(link->cargo.courier);

	if (cause != LA_CAUSE_LOGIN_REJECTED && cause != LA_CAUSE_SERVER_ERROR) {
		lai_conn_give_up(&link->conn, cause, now_ns);
		return;
	}
	lai_conn_blame(&link->conn, cause, now_ns);
	lai_conn_expect_fin(&link->conn, lai_time_after(now_ns, FAREWELL_NS), now_ns);
}

void lai_link_follow_courier(struct lai_link *link, uint64_t now_ns)
{
	if (!link->cargo.courier || !link->connected)
		return;
	switch (lai_courier_state(link->cargo.courier)) {
	case LAI_COURIER_UP:
	case LAI_COURIER_LEAVING:
		/* Let in, but the connection is closing already: aborted, and CONNECTED among the rest. */
		if (link->up_ns == LA_NEVER && link->state == LA_LINK_LOGIN)
			is_up(link, now_ns);
		break;
	case LAI_COURIER_LEFT:
		lai_conn_expect_fin(
			&link->conn,
			lai_time_min(link->finish_by_ns, lai_time_after(now_ns, FAREWELL_NS)),
			now_ns);
		break;
	case LAI_COURIER_FAILED: dialogue_failed(link, now_ns); break;
	default: break;
	}
	follow_connection(link, now_ns);
}

/*
 * Events. A connection may have ended within the batch that brought them: what comes after its end
 * is not looked at.
 */

void lai_link_on_written(struct lai_link *link, size_t size, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_written(&link->conn, size, now_ns);
	lai_cargo_on_written(&link->cargo, size, now_ns);
	lai_link_check_queue(link, now_ns);
}

void lai_link_on_received(struct lai_link *link, const void *data, size_t size, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_received(&link->conn, data, size, now_ns);
	if (link->cargo.courier) {
		lai_courier_on_received(link->cargo.courier, data, size, now_ns);
		lai_link_follow_courier(link, now_ns);
		return;
	}
	lai_link_emit(link, &(struct la_event){.kind = LA_EVENT_RECEIVED,
					       .now_ns = now_ns,
					       .data = data,
					       .size = size});
}

void lai_link_on_fin(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_fin(&link->conn, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_error(struct lai_link *link, int error, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_error(&link->conn, error, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_view(struct lai_link *link, const struct lai_view *view, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_view(&link->conn, view, now_ns);
	lai_cargo_on_acked(&link->cargo, link->conn.report.acked_bytes);
	lai_link_check_queue(link, now_ns);
}

void lai_link_on_why_silent(struct lai_link *link, int error, uint64_t now_ns)
{
	if (!link->connected)
		return;
	lai_conn_on_why_silent(&link->conn, error, now_ns);
	follow_connection(link, now_ns);
}

void lai_link_on_rest_read(struct lai_link *link, uint64_t now_ns)
{
	if (!link->connected)
		return;
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

/* The time for the end has come, and the server still owes receipts. */
static bool dialogue_is_overdue(const struct lai_link *link, uint64_t now_ns)
{
	enum lai_courier_state state = lai_courier_state(link->cargo.courier);

	return now_ns >= link->finish_by_ns &&
	       (state == LAI_COURIER_LOGIN || state == LAI_COURIER_UP ||
		state == LAI_COURIER_LEAVING);
}

static void dialogue_timer(struct lai_link *link, uint64_t now_ns)
{
	if (dialogue_is_overdue(link, now_ns))
		lai_conn_give_up(&link->conn, LA_CAUSE_DRAIN_TIMEOUT, now_ns);
	else if (now_ns >= lai_courier_deadline(link->cargo.courier))
		lai_courier_on_timer(link->cargo.courier, now_ns);
	lai_link_follow_courier(link, now_ns);
}

uint64_t lai_link_connection_deadline(const struct lai_link *link)
{
	const struct lai_courier *courier = link->cargo.courier;
	uint64_t deadline_ns = lai_conn_deadline(&link->conn);

	if (!courier || lai_conn_over(&link->conn) || link->conn.fin_expected_by_ns != LA_NEVER)
		return deadline_ns;
	deadline_ns = lai_time_min(deadline_ns, lai_courier_deadline(courier));
	return lai_time_min(deadline_ns, link->finish_by_ns);
}

void lai_link_connection_timer(struct lai_link *link, uint64_t now_ns)
{
	if (now_ns < lai_link_connection_deadline(link))
		return;
	if (link->cargo.courier)
		dialogue_timer(link, now_ns);
	if (!link->connected || now_ns < lai_conn_deadline(&link->conn))
		return;
	lai_conn_on_timer(&link->conn, now_ns);
	follow_connection(link, now_ns);
}
