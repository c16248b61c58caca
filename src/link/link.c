/* SPDX-License-Identifier: MIT */
#include "link/link_inside.h"

void lai_link_end(struct lai_link *link, uint64_t now_ns)
{
	lai_cargo_abandon(&link->cargo);
	lai_link_set_state(link, LA_LINK_DONE, LA_NEVER, now_ns);
}

bool lai_link_nothing_left(const struct lai_link *link)
{
	return link->finishing && lai_cargo_empty(&link->cargo);
}

/* Ends a link that has no connection; an attempt under way leaves its report. */
static void stop(struct lai_link *link, uint64_t now_ns)
{
	if (link->state == LA_LINK_RESOLVING || link->state == LA_LINK_CONNECTING)
		lai_link_end_attempt(link, LA_CAUSE_ABORTED, 0, now_ns);
	lai_link_end(link, now_ns);
}

/* If some addresses did answer, their answer is the cause. */
static void connect_timeout(struct lai_link *link, uint64_t now_ns)
{
	if (link->attempt_cause == LA_CAUSE_ALIVE)
		lai_link_attempt_failed(link, LA_CAUSE_CONNECT_TIMEOUT, 0, now_ns);
	else
		lai_link_attempt_failed(link, link->attempt_cause, link->attempt_error, now_ns);
}

void lai_link_on_timer(struct lai_link *link, uint64_t now_ns)
{
	if (link->connected) {
		lai_link_connection_timer(link, now_ns);
		return;
	}
	if (link->state == LA_LINK_DONE || link->state == LA_LINK_IDLE)
		return;
	if (now_ns >= link->finish_by_ns ||
	    now_ns >= lai_time_after(link->apart_since_ns, link->config.give_up_ns)) {
		stop(link, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_RESOLVING) {
		lai_link_attempt_failed(link, LA_CAUSE_RESOLVE_TIMEOUT, 0, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_CONNECTING) {
		connect_timeout(link, now_ns);
	} else if (now_ns >= link->deadline_ns && link->state == LA_LINK_WAITING) {
		lai_link_begin_attempt(link, now_ns);
	} else if (link->state == LA_LINK_CONNECTING) {
		lai_link_run_race(link, now_ns);
	}
}

/* ---- wishes --------------------------------------------------------------------------------- */

void lai_link_start(struct lai_link *link, uint64_t now_ns)
{
	if (link->state != LA_LINK_IDLE)
		return;
	link->apart_since_ns = now_ns;
	lai_link_begin_attempt(link, now_ns);
}

void lai_link_finish(struct lai_link *link, uint64_t finish_by_ns, uint64_t now_ns)
{
	link->finish_by_ns = lai_time_min(link->finish_by_ns, finish_by_ns);
	link->finishing = true;
	if (link->cargo.courier)
		lai_courier_finish(link->cargo.courier, now_ns);
	if (link->connected && link->cargo.courier) {
		lai_link_follow_courier(link, now_ns);
	} else if (link->connected) {
		lai_conn_finish(&link->conn, link->finish_by_ns, now_ns);
		lai_link_check_queue(link, now_ns);
	} else if (lai_link_nothing_left(link) && link->state != LA_LINK_DONE) {
		stop(link, now_ns);
	}
}

void lai_link_checkpoint(struct lai_link *link, uint64_t now_ns)
{
	struct lai_replay *replay = &link->cargo.replay;

	if (!link->connected || link->cargo.courier || !lai_conn_may_write(&link->conn) ||
	    link->conn.send.state == LAI_SEND_DRAINING || replay->complete == replay->ring.begin)
		return; /* nothing to prove */
	lai_replay_stop_here(replay);
	lai_conn_finish(&link->conn, LA_NEVER, now_ns);
	lai_link_check_queue(link, now_ns);
}

void lai_link_abort(struct lai_link *link, uint64_t now_ns)
{
	link->finishing = link->aborted = true;
	if (link->state == LA_LINK_DONE)
		return;
	if (link->connected) {
		lai_conn_abort(&link->conn, now_ns);
		lai_link_check_queue(link, now_ns);
		return;
	}
	stop(link, now_ns);
}

void lai_link_crowd(struct lai_link *link, uint64_t now_ns)
{
	/* Dropping may have taken what a draining connection had still to write. */
	lai_link_check_queue(link, now_ns);
	if (!link->connected || !lai_cargo_crowded(&link->cargo))
		return;
	lai_link_ask(link, LAI_LINK_CONN)->conn = LAI_CONN_LOOK;
	/* Only the end of a connection proves that the peer consumed what is kept. */
	if (link->config.proof == LA_PROOF_CONSUMED && lai_cargo_full(&link->cargo) &&
	    lai_cargo_nothing_to_send(&link->cargo, now_ns))
		lai_link_checkpoint(link, now_ns);
}

int lai_link_to_send(struct lai_link *link, struct iovec iov[2], uint64_t now_ns)
{
	if (!link->connected || !lai_conn_may_write(&link->conn))
		return 0;
	return lai_cargo_to_send(&link->cargo, iov, now_ns);
}

bool lai_link_wants_write(const struct lai_link *link, uint64_t now_ns)
{
	return link->connected && lai_conn_may_write(&link->conn) &&
	       lai_cargo_wants_write(&link->cargo, now_ns);
}

uint64_t lai_link_deadline(const struct lai_link *link)
{
	uint64_t deadline_ns = lai_time_min(link->deadline_ns, link->finish_by_ns);

	switch (link->state) {
	case LA_LINK_IDLE: return 0;
	case LA_LINK_DONE: return LA_NEVER;
	case LA_LINK_LOGIN:
	case LA_LINK_UP:
	case LA_LINK_STALLED:
	case LA_LINK_CLOSING: return lai_link_connection_deadline(link);
	case LA_LINK_CONNECTING:
		deadline_ns = lai_time_min(deadline_ns, lai_race_deadline(&link->race));
		break;
	default: break;
	}
	return lai_time_min(deadline_ns,
			    lai_time_after(link->apart_since_ns, link->config.give_up_ns));
}

int lai_link_init_dialogue(struct lai_link *link, const struct la_link_config *config,
			   struct lai_endpoint *endpoints, size_t count,
			   const struct lai_courier_config *courier, const char *sender)
{
	*link = (struct lai_link){
		.config = *config,
		.endpoints = endpoints,
		.endpoint_count = count,
		.random = {.state = config->seed},
		.backoff = {.min_ns = config->backoff_min_ns, .max_ns = config->backoff_max_ns},
		.rejected = {.min_ns = config->stomp.rejected_min_ns,
			     .max_ns = config->stomp.rejected_max_ns},
		.deadline_ns = LA_NEVER,
		.finish_by_ns = LA_NEVER,
		.apart_since_ns = LA_NEVER,
		.up_ns = LA_NEVER,
	};
	return lai_cargo_init(&link->cargo, endpoints[0].wire, config, courier, sender);
}

int lai_link_init(struct lai_link *link, const struct la_link_config *config,
		  struct lai_endpoint *endpoints, size_t count)
{
	return lai_link_init_dialogue(link, config, endpoints, count, NULL, NULL);
}

void lai_link_done(struct lai_link *link)
{
	lai_cargo_done(&link->cargo);
}
