/* SPDX-License-Identifier: MIT */
/*
 * world_check.c - the invariants of every step and of the end. The simulated kernel is the witness:
 * what it says of sockets, of acknowledged bytes and of when the peer was last heard is held against
 * what the link says.
 */
#include "world_inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

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

double t_check_seconds(uint64_t time_ns)
{
	return (double)time_ns / 1e9;
}

uint64_t t_check_larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- how long a dead peer may go unnoticed ----------------------------------------------- */

/* The window may just have closed: then the next probe comes first, rto_max_ns of la_link.c later.
 */
uint64_t t_check_busy_ns(const struct la_link_config *config)
{
	return config->dead_ns + t_check_larger(config->dead_ns / 4, LAI_S) + 2 * LOOK_NS +
	       SLACK_NS;
}

/* Keepalive counts whole seconds: a wait of half the time, then five probes at most. */
uint64_t t_check_idle_ns(const struct la_link_config *config)
{
	/* TCP_USER_TIMEOUT, where it is set, takes the place of their number. */
	return t_check_larger(config->dead_ns, config->user_timeout_ns) + 7 * LAI_S;
}

/* ---- sums -------------------------------------------------------------------------------- */

static void check_sum(struct t_world *world, const struct la_totals *totals)
{
	const struct la_link_config *config = &world->plan->config;
	uint64_t sum = totals->delivered_bytes + totals->waiting_bytes + totals->dropped_bytes +
		       totals->abandoned_bytes;
	uint64_t given = world->submitted_bytes - world->refused_bytes;
	/* A new record is judged only once it is whole; a last newline may be added at the end. */
	uint64_t room = config->buffer_bytes +
			(config->on_full == LA_FULL_DROP_NEW ? config->record_bytes_max : 0);

	if (totals->accepted_bytes != sum)
		t_broken(world, T_SUM,
			 "accepted %" PRIu64 " is not delivered %" PRIu64 " + waiting %" PRIu64
			 " + dropped %" PRIu64 " + abandoned %" PRIu64,
			 totals->accepted_bytes, totals->delivered_bytes, totals->waiting_bytes,
			 totals->dropped_bytes, totals->abandoned_bytes);
	if (totals->accepted_bytes < given || totals->accepted_bytes > given + 1)
		t_broken(world, T_SUM, "accepted %" PRIu64 " where %" PRIu64 " was given",
			 totals->accepted_bytes, given);
	if (totals->waiting_bytes > room + 1)
		t_broken(world, T_SUM, "%" PRIu64 " bytes wait in a buffer of %" PRIu64,
			 totals->waiting_bytes, room);
	if (world->config.on_full == LA_FULL_BLOCK && totals->dropped_bytes)
		t_broken(world, T_SUM, "%" PRIu64 " bytes dropped, and no policy said so",
			 totals->dropped_bytes);
}

/* ---- proofs ------------------------------------------------------------------------------ */

/* view: what the client's kernel knows of the present connection. */
void t_check_proof(struct t_world *world, const struct la_totals *totals,
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

/* ---- sockets ----------------------------------------------------------------------------- */

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
			 t_check_seconds(age_ns));
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

/* ---- timers ------------------------------------------------------------------------------ */

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
		t_broken(world, T_TIMERS, "resolving for %.3f s", t_check_seconds(age_ns));
	if (state == LA_LINK_WAITING && age_ns > world->config.backoff_max_ns)
		t_broken(world, T_TIMERS, "waiting for %.3f s", t_check_seconds(age_ns));
}

/* A connection that has nothing outstanding any more and is to be closed owes the peer's FIN only.
 */
static void check_closing(struct t_world *world, uint64_t now_ns)
{
	const struct t_watch *watch = &world->watch;
	uint64_t since_ns = t_check_larger(watch->state_since_ns, watch->idle_since_ns);
	/* A peer that reads slowly is given twice as long each time. */
	unsigned stretch = world->config.proof == LA_PROOF_CONSUMED ? watch->unclosed : 0;
	uint64_t read_ns = world->config.read_ns << stretch;
	uint64_t limit_ns = read_ns + t_check_busy_ns(&world->config);

	if (watch->state == LA_LINK_CLOSING && watch->idle_since_ns != LA_NEVER &&
	    lai_time_since(since_ns, now_ns) > limit_ns)
		t_broken(world, T_TIMERS, "closing for %.1f s with nothing outstanding",
			 t_check_seconds(now_ns - since_ns));
}

/* ---- causes: each step ------------------------------------------------------------------- */

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
		silent_ns = lai_time_since(t_check_larger(watch->busy_since_ns, heard_ns), now_ns);
		if (silent_ns > t_check_busy_ns(config))
			t_broken(world, T_CAUSES,
				 "a silent peer is not found dead in %.1f s with bytes outstanding",
				 t_check_seconds(silent_ns));
	} else if (!config->no_keepalive && watch->state != LA_LINK_CLOSING) {
		silent_ns = lai_time_since(t_check_larger(watch->idle_since_ns, heard_ns), now_ns);
		if (silent_ns > t_check_idle_ns(config))
			t_broken(world, T_CAUSES, "a silent peer is not found dead in %.1f s, idle",
				 t_check_seconds(silent_ns));
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
	t_check_proof(world, totals, report, &view);
	watch_outstanding(&world->watch, report, &view, now_ns);
	check_silence(world, &view, now_ns);
	check_closing(world, now_ns);
}

/* ---- steps ------------------------------------------------------------------------------- */

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
	t_check_attempts(world);
	check_connection(world, &totals, &report, now_ns);
	check_sockets(world, now_ns);
	check_deadline(world, &report, now_ns);
}

/* ---- the end ----------------------------------------------------------------------------- */

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
