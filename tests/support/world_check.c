/* SPDX-License-Identifier: MIT */
/*
 * world_check.c - the invariants. The simulated kernel is the witness: what it says of sockets, of
 * acknowledged bytes and of when the peer was last heard is held against what the link says.
 */
#include "world.h"

#include "conn/cause.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_TIME_STEPS_MAX 300u /* a step at the same time must have done something new */
#define LOOK_NS (1 * LAI_S)	 /* the kernel's numbers are read this often, at the least */
#define SLACK_NS (100 * LAI_MS)

struct naming {
	const char *name, *sentence;
};

static const struct naming invariants[] = {
#define X(id, name, sentence) {name, sentence},
	T_INVARIANTS(X)
#undef X
};

const char *t_invariant_name(enum t_invariant invariant)
{
	return (unsigned)invariant < T_INVARIANT_COUNT ? invariants[invariant].name : "?";
}

const char *t_invariant_sentence(enum t_invariant invariant)
{
	return (unsigned)invariant < T_INVARIANT_COUNT ? invariants[invariant].sentence : "?";
}

void t_broken(struct t_world *world, enum t_invariant invariant, const char *format, ...)
{
	va_list list;

	if (world->broken != T_INVARIANT_COUNT)
		return;
	world->broken = invariant;
	va_start(list, format);
	vsnprintf(world->sentence, sizeof(world->sentence), format, list);
	va_end(list);
}

static uint64_t clock_of(const struct t_world *world)
{
	return world->net->ops->now(world->net);
}

static double seconds(uint64_t time_ns)
{
	return (double)time_ns / 1e9;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- how long a dead peer may go unnoticed ------------------------------------------------------
 */

/* The window may just have closed: then the next probe comes first, rto_max_ns of la_link.c later.
 */
uint64_t t_check_busy_ns(const struct la_link_config *config)
{
	return config->dead_ns + larger(config->dead_ns / 4, LAI_S) + 2 * LOOK_NS + SLACK_NS;
}

/* Keepalive counts whole seconds: a wait of half the time, then five probes at most. */
uint64_t t_check_idle_ns(const struct la_link_config *config)
{
	/* TCP_USER_TIMEOUT, where it is set, takes the place of their number. */
	return larger(config->dead_ns, config->user_timeout_ns) + 7 * LAI_S;
}

/* ---- sums ---------------------------------------------------------------------------------------
 */

static void check_sum(struct t_world *world, const struct la_totals *totals)
{
	const struct la_link_config *config = &world->plan->config;
	uint64_t sum = totals->delivered_bytes + totals->waiting_bytes + totals->dropped_bytes +
		       totals->abandoned_bytes;
	/* A new record is judged only once it is whole; a last newline may be added at the end. */
	uint64_t room = config->buffer_bytes +
			(config->on_full == LA_FULL_DROP_NEW ? config->record_bytes_max : 0);

	if (totals->accepted_bytes != sum)
		t_broken(world, T_SUM,
			 "accepted %" PRIu64 " is not delivered %" PRIu64 " + waiting %" PRIu64
			 " + dropped %" PRIu64 " + abandoned %" PRIu64,
			 totals->accepted_bytes, totals->delivered_bytes, totals->waiting_bytes,
			 totals->dropped_bytes, totals->abandoned_bytes);
	if (totals->accepted_bytes < world->submitted_bytes ||
	    totals->accepted_bytes > world->submitted_bytes + 1)
		t_broken(world, T_SUM, "accepted %" PRIu64 " where %" PRIu64 " was given",
			 totals->accepted_bytes, world->submitted_bytes);
	if (totals->waiting_bytes > room + 1)
		t_broken(world, T_SUM, "%" PRIu64 " bytes wait in a buffer of %" PRIu64,
			 totals->waiting_bytes, room);
	if (world->config.on_full == LA_FULL_BLOCK && totals->dropped_bytes)
		t_broken(world, T_SUM, "%" PRIu64 " bytes dropped, and no policy said so",
			 totals->dropped_bytes);
}

/* ---- proofs -------------------------------------------------------------------------------------
 */

/* view: what the client's kernel knows of the present connection. */
static void check_proof(struct t_world *world, const struct la_totals *totals,
			const struct la_report *report, const struct lai_view *view)
{
	uint64_t here = totals->delivered_bytes - world->watch.delivered_before;

	if (world->config.proof == LA_PROOF_WRITTEN && here > report->written_bytes)
		t_broken(world, T_PROOF, "delivered %" PRIu64 " of %" PRIu64 " written", here,
			 report->written_bytes);
	if (world->config.proof == LA_PROOF_ACKED && here > view->acked_bytes)
		t_broken(world, T_PROOF,
			 "delivered %" PRIu64 " where the peer's kernel acknowledged %" PRIu64,
			 here, view->acked_bytes);
}

/* Whatever counts as delivered has been read by a server's program. */
static void check_consumed(struct t_world *world, const struct la_totals *totals)
{
	const struct t_ledger *ledger = &world->ledger;
	uint64_t read = ledger->strict ? ledger->prefix_bytes : ledger->distinct_bytes;

	if (world->config.proof == LA_PROOF_CONSUMED &&
	    totals->delivered_bytes > read + ledger->unsure_bytes)
		t_broken(world, T_PROOF,
			 "delivered %" PRIu64 " as consumed where servers read %" PRIu64,
			 totals->delivered_bytes, read);
}

/* ---- sockets ------------------------------------------------------------------------------------
 */

/*
 * Where our segments are lost and the peer's come through, its FIN comes again and again, which is
 * a sign of life, at intervals that double: it is called dead when one is longer than dead_ns.
 */
static uint64_t close_wait_limit_ns(const struct t_world *world)
{
	const struct la_link_config *config = &world->plan->config;

	if (config->on_peer_fin == LA_PEER_FIN_KEEP_SENDING)
		return LA_NEVER;
	return 4 * t_check_busy_ns(config) + config->read_ns;
}

static void check_close_wait(struct t_world *world, uint64_t now_ns)
{
	struct t_watch *watch = &world->watch;
	uint64_t age_ns;

	if (lai_sim_in_state(world->client, LAI_TCP_CLOSE_WAIT) == 0) {
		watch->close_wait_since_ns = LA_NEVER;
		return;
	}
	watch->close_wait_since_ns = lai_time_min(watch->close_wait_since_ns, now_ns);
	age_ns = now_ns - watch->close_wait_since_ns;
	if (age_ns > close_wait_limit_ns(world))
		t_broken(world, T_SOCKETS, "a socket of ours is in CLOSE_WAIT for %.1f s",
			 seconds(age_ns));
}

static void check_sockets(struct t_world *world, uint64_t now_ns)
{
	size_t open = lai_sim_open(world->net);
	size_t known = (size_t)lai_driver_sockets(&world->link->driver);
	enum la_link_state state = la_link_state(world->link);
	size_t most = state == LA_LINK_CONNECTING ? LAI_ADDRESSES_MAX
		      : world->watch.connected	  ? 1
						  : 0;

	if (open != known)
		t_broken(world, T_SOCKETS, "%zu sockets are open, and the driver knows of %zu",
			 open, known);
	if (open > most)
		t_broken(world, T_SOCKETS, "%zu sockets are open in state %s", open,
			 la_link_state_name(state));
	check_close_wait(world, now_ns);
}

/* ---- timers -------------------------------------------------------------------------------------
 */

static void check_spin(struct t_world *world, uint64_t now_ns)
{
	struct t_watch *watch = &world->watch;

	watch->same_time_steps = now_ns == watch->last_ns ? watch->same_time_steps + 1 : 0;
	watch->last_ns = now_ns;
	if (watch->same_time_steps > SAME_TIME_STEPS_MAX)
		t_broken(world, T_TIMERS, "%u steps in state %s, and no time passes",
			 watch->same_time_steps, la_link_state_name(watch->state));
}

static void check_deadline(struct t_world *world, const struct la_report *report, uint64_t now_ns)
{
	enum la_link_state state = la_link_state(world->link);
	uint64_t deadline_ns = la_link_deadline(world->link);
	bool owed = state != LA_LINK_DONE && state != LA_LINK_UP;
	uint64_t age_ns = now_ns - world->watch.state_since_ns;

	if (state == LA_LINK_UP)
		owed = report->written_bytes > report->acked_bytes;
	if (owed && deadline_ns == LA_NEVER)
		t_broken(world, T_TIMERS, "state %s has no deadline%s", la_link_state_name(state),
			 state == LA_LINK_UP ? " with bytes outstanding" : "");
	if (state == LA_LINK_RESOLVING && age_ns > world->config.resolve_ns)
		t_broken(world, T_TIMERS, "resolving for %.3f s", seconds(age_ns));
	if (state == LA_LINK_WAITING && age_ns > world->config.backoff_max_ns)
		t_broken(world, T_TIMERS, "waiting for %.3f s", seconds(age_ns));
}

/* A connection that has nothing outstanding any more and is to be closed owes the peer's FIN only.
 */
static void check_closing(struct t_world *world, uint64_t now_ns)
{
	const struct t_watch *watch = &world->watch;
	uint64_t since_ns = larger(watch->state_since_ns, watch->idle_since_ns);
	uint64_t limit_ns = world->config.read_ns + t_check_busy_ns(&world->config);

	if (watch->state == LA_LINK_CLOSING && watch->idle_since_ns != LA_NEVER &&
	    lai_time_since(since_ns, now_ns) > limit_ns)
		t_broken(world, T_TIMERS, "closing for %.1f s with nothing outstanding",
			 seconds(now_ns - since_ns));
}

/* ---- back-off -----------------------------------------------------------------------------------
 */

static void check_attempts(struct t_world *world)
{
	struct t_watch *watch = &world->watch;
	size_t count;
	const struct lai_sim_attempt *attempts = lai_sim_attempts(world->net, &count);

	for (; watch->attempts < count; watch->attempts++) {
		uint64_t at_ns = attempts[watch->attempts].at_ns;

		if (at_ns < watch->wait_until_ns)
			t_broken(world, T_BACKOFF, "an attempt %.6f s before its back-off is over",
				 seconds(watch->wait_until_ns - at_ns));
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

	check_attempts(world);
	for (uint32_t n = 1; n < watch->failures && ceiling_ns < config->backoff_max_ns; n++)
		ceiling_ns *= 2;
	ceiling_ns = lai_time_min(ceiling_ns, config->backoff_max_ns);
	if (watch->failures++ == 0)
		ceiling_ns = 0;
	if (event->delay_ns > ceiling_ns || (ceiling_ns > 0 && event->delay_ns == 0))
		t_broken(world, T_BACKOFF, "after %u failures a back-off of %.3f s, at most %.3f s",
			 watch->failures, seconds(event->delay_ns), seconds(ceiling_ns));
	watch->wait_until_ns = event->now_ns + event->delay_ns;
	watch->owes_wait = false;
	watch->failed_in_a_row = 0;
}

/* ---- causes: each step --------------------------------------------------------------------------
 */

static void watch_outstanding(struct t_watch *watch, const struct la_report *report,
			      const struct lai_view *view, uint64_t now_ns)
{
	bool busy = report->written_bytes > view->acked_bytes;

	if (busy && watch->busy_since_ns == LA_NEVER)
		watch->busy_since_ns = now_ns;
	if (!busy && watch->idle_since_ns == LA_NEVER)
		watch->idle_since_ns = now_ns;
	if (busy)
		watch->idle_since_ns = LA_NEVER;
	else
		watch->busy_since_ns = LA_NEVER;
}

/* The peer's kernel is silent, and the link should have noticed by now. */
static void check_silence(struct t_world *world, const struct lai_view *view, uint64_t now_ns)
{
	const struct la_link_config *config = &world->config;
	const struct t_watch *watch = &world->watch;
	uint64_t heard_ns = lai_time_since(view->ack_age_ns, now_ns);
	uint64_t silent_ns;

	if (watch->busy_since_ns != LA_NEVER) {
		silent_ns = lai_time_since(larger(watch->busy_since_ns, heard_ns), now_ns);
		if (silent_ns > t_check_busy_ns(config))
			t_broken(world, T_CAUSES,
				 "a silent peer is not found dead in %.1f s with bytes outstanding",
				 seconds(silent_ns));
	} else if (!config->no_keepalive && watch->state != LA_LINK_CLOSING) {
		silent_ns = lai_time_since(larger(watch->idle_since_ns, heard_ns), now_ns);
		if (silent_ns > t_check_idle_ns(config))
			t_broken(world, T_CAUSES, "a silent peer is not found dead in %.1f s, idle",
				 seconds(silent_ns));
	}
}

static void check_latch(struct t_world *world, const struct la_report *report)
{
	struct t_watch *watch = &world->watch;

	if (watch->cause != LA_CAUSE_ALIVE && report->cause != watch->cause)
		t_broken(world, T_CAUSES, "the first cause was %s, now it is %s",
			 la_cause_name(watch->cause), la_cause_name(report->cause));
	watch->cause = report->cause;
}

/* The present connection, if its socket can still be asked. */
static void check_connection(struct t_world *world, const struct la_totals *totals,
			     const struct la_report *report, uint64_t now_ns)
{
	int socket = la_link_socket(world->link);
	struct lai_view view;

	if (!world->watch.connected || socket < 0 ||
	    world->net->ops->view(world->net, socket, &view) != 0)
		return;
	check_latch(world, report);
	check_proof(world, totals, report, &view);
	watch_outstanding(&world->watch, report, &view, now_ns);
	check_silence(world, &view, now_ns);
	check_closing(world, now_ns);
}

/* ---- causes: each report ------------------------------------------------------------------------
 */

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
	check_proof(world, &totals, report, &view);
	if (report->acked_bytes != view.acked_bytes)
		t_broken(world, T_WHOLE,
			 "the report says %" PRIu64 " bytes acknowledged, the kernel %" PRIu64,
			 report->acked_bytes, view.acked_bytes);
	if (view.ack_age_ns < silence_min_ns(world, report->cause))
		t_broken(world, T_SLOW, "%s, and its kernel was heard %.3f s ago",
			 la_cause_name(report->cause), seconds(view.ack_age_ns));
}

static void check_report(struct t_world *world, const struct la_event *event)
{
	const struct la_report *report = event->report;
	struct t_watch *watch = &world->watch;

	check_attempts(world);
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

/* ---- events -------------------------------------------------------------------------------------
 */

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
			 seconds(watch->wait_until_ns - event->now_ns));
	if (event->to == LA_LINK_UP && event->from == LA_LINK_CONNECTING)
		connection_begins(world, event->now_ns);
	watch->state = event->to;
	watch->state_since_ns = event->now_ns;
}

static void log_event(const struct t_world *world, const struct la_event *event)
{
	const struct la_report *report = event->report;

	fprintf(world->log, "# %10.4f  ", seconds(t_world_time(world)));
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
		fprintf(world->log, "back-off %.3f s\n", seconds(event->delay_ns));
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

/* ---- steps --------------------------------------------------------------------------------------
 */

void t_check_begin(struct t_world *world)
{
	world->watch = (struct t_watch){
		.busy_since_ns = LA_NEVER,
		.idle_since_ns = LA_NEVER,
		.close_wait_since_ns = LA_NEVER,
	};
}

void t_check_step(struct t_world *world)
{
	uint64_t now_ns = clock_of(world);
	struct la_totals totals;
	struct la_report report;

	la_link_totals(world->link, &totals);
	la_link_report(world->link, &report);
	check_sum(world, &totals);
	if (world->ledger.wrong[0])
		t_broken(world, T_WHOLE, "%s", world->ledger.wrong);
	check_consumed(world, &totals);
	check_spin(world, lai_sim_now(world->sim));
	check_attempts(world);
	check_connection(world, &totals, &report, now_ns);
	check_sockets(world, now_ns);
	check_deadline(world, &report, now_ns);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

/* May the link have ended although nobody had asked it to finish? */
static bool may_give_up(const struct t_world *world)
{
	const struct la_link_config *config = &world->plan->config;

	return world->aborted || config->give_up_ns != LA_NEVER ||
	       config->retries_max != UINT32_MAX;
}

/* May the link have ended with something undelivered? */
static bool may_abandon(const struct t_world *world)
{
	return may_give_up(world) || world->plan->config.close_policy != LA_CLOSE_GRACEFUL ||
	       world->plan->finish_timeout_ns != LA_NEVER;
}

static void check_balance(struct t_world *world, const struct la_totals *totals)
{
	const struct t_ledger *ledger = &world->ledger;
	uint64_t missing = lai_time_since(ledger->distinct_bytes + ledger->unsure_bytes,
					  totals->accepted_bytes);
	/* A broken record is no repeat of anything if nobody sends it again. */
	uint64_t repeated =
		lai_time_since(ledger->distinct_bytes + ledger->broken_bytes + ledger->unsure_bytes,
			       ledger->read_bytes);

	if (missing > totals->dropped_bytes + totals->abandoned_bytes + totals->lost.max_bytes)
		t_broken(world, T_PROOF,
			 "%" PRIu64 " bytes were never read, dropped %" PRIu64
			 " + abandoned %" PRIu64 " + lost at most %" PRIu64,
			 missing, totals->dropped_bytes, totals->abandoned_bytes,
			 totals->lost.max_bytes);
	if (missing < totals->lost.min_bytes)
		t_broken(world, T_PROOF, "lost at least %" PRIu64 ", and %" PRIu64 " are missing",
			 totals->lost.min_bytes, missing);
	if (repeated > totals->duplicated.max_bytes)
		t_broken(world, T_WHOLE, "%" PRIu64 " bytes were read again, reported %" PRIu64,
			 repeated, totals->duplicated.max_bytes);
}

void t_check_end(struct t_world *world)
{
	bool all_delivered = la_link_wait(world->link, 0) == 0;
	struct la_totals totals;

	la_link_totals(world->link, &totals);
	check_balance(world, &totals);
	if (totals.waiting_bytes)
		t_broken(world, T_PROGRESS, "the link has ended, and %" PRIu64 " bytes wait",
			 totals.waiting_bytes);
	if (all_delivered != (totals.dropped_bytes + totals.abandoned_bytes == 0))
		t_broken(world, T_PROOF, "la_link_wait() says that %s was delivered",
			 all_delivered ? "everything" : "not everything");
	if (totals.abandoned_bytes && !may_abandon(world))
		t_broken(world, T_PROGRESS, "%" PRIu64 " bytes were abandoned without need",
			 totals.abandoned_bytes);
	if (!may_give_up(world) && !world->finishing)
		t_broken(world, T_PROGRESS, "the link ended, and nobody had asked it to");
	if (lai_sim_in_state(world->client, LAI_TCP_CLOSE_WAIT) || lai_sim_open(world->net))
		t_broken(world, T_SOCKETS, "sockets are left after the end");
	if (totals.connections + totals.failed_attempts != world->watch.serial)
		t_broken(world, T_CAUSES,
			 "%" PRIu64 " connections and %" PRIu64 " failed attempts gave %" PRIu64
			 " reports",
			 totals.connections, totals.failed_attempts, world->watch.serial);
}
