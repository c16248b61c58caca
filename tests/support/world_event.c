/* SPDX-License-Identifier: MIT */
/* world_event.c - the invariants of what the link tells: states, reports, back-offs, aftermaths. */
#include "world_inside.h"

#include "conn/cause.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK_NS (100 * LAI_MS)

/* ---- back-off ---------------------------------------------------------------------------- */

void t_check_attempts(struct t_world *world)
{
	struct t_watch *watch = &world->watch;
	size_t count;
	const struct lai_sim_attempt *attempts = lai_sim_attempts(world->net, &count);

	for (; watch->attempts < count; watch->attempts++) {
		uint64_t at_ns = attempts[watch->attempts].at_ns;

		if (at_ns < watch->wait_until_ns)
			t_broken(world, T_BACKOFF, "an attempt %.6f s before its back-off is over",
				 t_check_seconds(watch->wait_until_ns - at_ns));
		if (watch->owes_wait)
			t_broken(world, T_BACKOFF,
				 "an attempt without a back-off after the last end");
	}
}

/* Full jitter, backoff.h: 0 the first time, then below min * 2^(n-1) and below max. */
static void check_wait(struct t_world *world, const struct la_event *event)
{
	const struct la_link_config *config = &world->config;
	struct t_watch *watch = &world->watch;
	uint64_t ceiling_ns = config->backoff_min_ns;

	t_check_attempts(world);
	for (uint32_t n = 1; n < watch->failures && ceiling_ns < config->backoff_max_ns; n++)
		ceiling_ns *= 2;
	ceiling_ns = lai_time_min(ceiling_ns, config->backoff_max_ns);
	if (watch->failures++ == 0)
		ceiling_ns = 0;
	if (event->delay_ns > ceiling_ns || (ceiling_ns > 0 && event->delay_ns == 0))
		t_broken(world, T_BACKOFF, "after %u failures a back-off of %.3f s, at most %.3f s",
			 watch->failures, t_check_seconds(event->delay_ns),
			 t_check_seconds(ceiling_ns));
	watch->wait_until_ns = event->now_ns + event->delay_ns;
	watch->owes_wait = false;
	watch->failed_in_a_row = 0;
}

/* ---- causes: each report ----------------------------------------------------------------- */

static bool cause_of_attempt(enum la_cause cause)
{
	return (cause > LA_CAUSE_ALIVE && cause <= LA_CAUSE_LOCAL_ERROR) ||
	       cause == LA_CAUSE_ADDRESS_LOST || cause == LA_CAUSE_ABORTED;
}

static bool cause_of_connection(enum la_cause cause)
{
	return cause == LA_CAUSE_DENIED || cause == LA_CAUSE_LOCAL_LIMIT ||
	       cause >= LA_CAUSE_LOCAL_ERROR;
}

static void check_cause(struct t_world *world, const struct la_report *report)
{
	const char *name = la_cause_name(report->cause);

	if (report->serial != world->watch.serial + 1)
		t_broken(world, T_CAUSES, "report %" PRIu64 " comes after report %" PRIu64,
			 report->serial, world->watch.serial);
	if (!(report->connected ? cause_of_connection(report->cause)
				: cause_of_attempt(report->cause)))
		t_broken(world, T_CAUSES, "%s ends with the cause %s",
			 report->connected ? "a connection" : "an attempt", name);
	if (!(t_plan_causes(world->plan) & 1ull << report->cause) &&
	    !(report->cause == LA_CAUSE_ABORTED && world->finishing))
		t_broken(world, T_CAUSES,
			 "cause %s, and nothing happened that could bring it about", name);
	if (report->connected && world->watch.cause != LA_CAUSE_ALIVE &&
	    world->watch.cause != report->cause)
		t_broken(world, T_CAUSES, "the first cause was %s, the report says %s",
			 la_cause_name(world->watch.cause), name);
	if (report->cause == LA_CAUSE_STALLED && world->config.on_stall == LA_STALL_WAIT)
		t_broken(world, T_SLOW, "a stalled peer was given up, and the policy is to wait");
}

static void check_numbers(struct t_world *world, const struct la_report *report, uint64_t now_ns)
{
	uint64_t written = report->written_bytes;

	if (report->began_ns > report->detected_ns || report->detected_ns > report->ended_ns ||
	    report->ended_ns > now_ns ||
	    (report->connected && report->connected_ns < report->began_ns))
		t_broken(world, T_CAUSES, "a report's times are out of order");
	if (report->acked_bytes > written || report->destroyed_bytes > written ||
	    report->lost.max_bytes > written || report->duplicated.max_bytes > written ||
	    report->lost.min_bytes > report->lost.max_bytes ||
	    report->duplicated.min_bytes > report->duplicated.max_bytes)
		t_broken(world, T_CAUSES, "a report speaks of more bytes than were written");
	if (report->proof != LA_PROOF_WRITTEN && report->acked_bytes != written)
		t_broken(world, T_PROOF,
			 "a report claims the proof %s with %" PRIu64 " of %" PRIu64
			 " bytes acknowledged",
			 la_proof_name(report->proof), report->acked_bytes, written);
}

/* So long must the client's kernel have heard nothing before the peer may be called dead. */
static uint64_t silence_min_ns(const struct t_world *world, enum la_cause cause)
{
	const struct la_link_config *config = &world->plan->config;
	uint64_t min_ns = config->dead_ns;

	if (cause != LA_CAUSE_SILENT_BUSY && cause != LA_CAUSE_SILENT_IDLE)
		return 0;
	/* Keepalive: half the time, and at least one probe; see t_check_idle_ns(). */
	if (cause == LA_CAUSE_SILENT_IDLE)
		min_ns = config->dead_ns / 2;
	/* It kills live peers: that is why it is off unless asked for. */
	return config->user_timeout_ns ? 0 : lai_time_since(SLACK_NS, min_ns);
}

/* While the report is told, its socket is still open: the kernel is asked what was true. */
static void check_witness(struct t_world *world, const struct la_report *report)
{
	int socket = la_link_socket(world->link);
	struct la_totals totals;
	struct lai_view view;

	if (!report->connected || socket < 0 ||
	    world->net->ops->view(world->net, socket, &view) != 0)
		return;
	la_link_totals(world->link, &totals);
	t_check_proof(world, &totals, report, &view);
	if (report->acked_bytes != view.acked_bytes)
		t_broken(world, T_WHOLE,
			 "the report says %" PRIu64 " bytes acknowledged, the kernel %" PRIu64,
			 report->acked_bytes, view.acked_bytes);
	if (view.ack_age_ns < silence_min_ns(world, report->cause))
		t_broken(world, T_SLOW, "%s, and its kernel was heard %.3f s ago",
			 la_cause_name(report->cause), t_check_seconds(view.ack_age_ns));
}

static void check_report(struct t_world *world, const struct la_event *event)
{
	const struct la_report *report = event->report;
	struct t_watch *watch = &world->watch;

	t_check_attempts(world);
	check_witness(world, report);
	check_cause(world, report);
	check_numbers(world, report, event->now_ns);
	watch->serial = report->serial;
	watch->state_since_ns = event->now_ns; /* the next server's turn may be in the same state */
	world->causes |= 1ull << report->cause;
	world->reports[report->cause]++;
	if (world->first.serial == 0) {
		world->first = *report;
		world->first_ns = t_world_time(world);
	}
	watch->unclosed += report->cause == LA_CAUSE_NEVER_CLOSED;
	if (report->cause == LA_CAUSE_FINISHED)
		watch->unclosed = 0;
	if (report->connected) {
		world->last = *report;
		watch->failed_in_a_row = 0;
		watch->owes_wait =
			report->cause != LA_CAUSE_FINISHED || report->proof < world->config.proof;
		if (report->ended_ns - report->connected_ns >= world->config.stable_ns)
			watch->failures = 0;
	} else if (++watch->failed_in_a_row >= world->config.url_count) {
		watch->owes_wait = true;
	}
	watch->connected = false;
	if (lai_cause_is_silence(report->cause) && report->connected)
		watch->silent = *report;
}

static void check_aftermath(struct t_world *world, const struct la_report *report)
{
	if (report->serial != world->watch.silent.serial)
		t_broken(world, T_CAUSES,
			 "an aftermath of a connection that did not die in silence");
	if (report->aftermath == LA_AFTERMATH_UNKNOWN)
		t_broken(world, T_CAUSES, "an aftermath that explains nothing");
	if (world->last.serial == report->serial)
		world->last.aftermath = report->aftermath;
	world->watch.silent.serial = 0;
}

/* ---- events ------------------------------------------------------------------------------ */

static void connection_begins(struct t_world *world, uint64_t now_ns)
{
	struct t_watch *watch = &world->watch;
	struct la_report report;
	struct la_totals totals;
	const char *port;

	la_link_report(world->link, &report);
	la_link_totals(world->link, &totals);
	port = strrchr(report.local, ':');
	watch->connected = true;
	watch->delivered_before = totals.delivered_bytes;
	watch->cause = LA_CAUSE_ALIVE;
	watch->busy_since_ns = LA_NEVER;
	watch->idle_since_ns = now_ns;
	t_ledger_base(&world->ledger, (uint16_t)(port ? atoi(port + 1) : 0),
		      totals.delivered_bytes);
}

static void check_state(struct t_world *world, const struct la_event *event)
{
	struct t_watch *watch = &world->watch;

	if (event->from != watch->state || !lai_link_allows(event->from, event->to))
		t_broken(world, T_CAUSES, "from state %s to %s", la_link_state_name(watch->state),
			 la_link_state_name(event->to));
	if (event->from == LA_LINK_WAITING && event->to != LA_LINK_DONE &&
	    event->now_ns < watch->wait_until_ns)
		t_broken(world, T_BACKOFF, "waiting ends %.6f s before its back-off is over",
			 t_check_seconds(watch->wait_until_ns - event->now_ns));
	if (event->to == LA_LINK_UP && event->from == LA_LINK_CONNECTING)
		connection_begins(world, event->now_ns);
	watch->state = event->to;
	watch->state_since_ns = event->now_ns;
}

static void log_event(const struct t_world *world, const struct la_event *event)
{
	const struct la_report *report = event->report;

	fprintf(world->log, "# %10.4f  ", t_check_seconds(t_world_time(world)));
	switch (event->kind) {
	case LA_EVENT_STATE:
		fprintf(world->log, "%s -> %s\n", la_link_state_name(event->from),
			la_link_state_name(event->to));
		break;
	case LA_EVENT_REPORT:
		fprintf(world->log,
			"report %" PRIu64 ": %s (%d), %s, written %" PRIu64 ", acked %" PRIu64
			", lost at most %" PRIu64 ", repeated at most %" PRIu64 ", local %s\n",
			report->serial, la_cause_name(report->cause), report->error,
			la_proof_name(report->proof), report->written_bytes, report->acked_bytes,
			report->lost.max_bytes, report->duplicated.max_bytes, report->local);
		break;
	case LA_EVENT_AFTERMATH:
		fprintf(world->log, "aftermath of %" PRIu64 ": %s\n", report->serial,
			la_aftermath_name(report->aftermath));
		break;
	case LA_EVENT_RECEIVED: fprintf(world->log, "received %zu bytes\n", event->size); break;
	case LA_EVENT_WAIT:
		fprintf(world->log, "back-off %.3f s\n", t_check_seconds(event->delay_ns));
		break;
	default: fprintf(world->log, "?\n"); break;
	}
}

void t_check_event(struct t_world *world, const struct la_event *event)
{
	if (world->log)
		log_event(world, event);
	switch (event->kind) {
	case LA_EVENT_STATE: check_state(world, event); break;
	case LA_EVENT_REPORT: check_report(world, event); break;
	case LA_EVENT_AFTERMATH: check_aftermath(world, event->report); break;
	case LA_EVENT_WAIT: check_wait(world, event); break;
	default: break;
	}
}
