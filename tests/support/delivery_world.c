/* SPDX-License-Identifier: MIT */
#include "delivery_world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TICK_NS (200 * LAI_MS) /* how soon the dead are cleared away */
/* After the heal: rejections of a minute's guard, receipts and back-offs of up to a minute each. */
#define FINISH_NS (900 * LAI_S)
#define STOP_NS (60 * LAI_S)

static uint64_t now_of(const struct t_delivery_world *world)
{
	return lai_sim_now(world->sim) - LAI_SIM_START_NS;
}

/* ---- faults ------------------------------------------------------------------------------ */

static void paths(struct t_delivery_world *world, const struct t_delivery_fault *fault, bool on)
{
	struct lai_sim_host *sender = world->senders[fault->sender].base.host,
			    *server = world->servers[fault->server].base.host;
	struct lai_sim_path *there = lai_sim_path(sender, server),
			    *back = lai_sim_path(server, sender);

	switch (fault->kind) {
	case T_DELIVERY_CUT: lai_sim_cut(sender, server, on); break;
	case T_DELIVERY_HOLE_BACK: back->black_hole = on; break;
	case T_DELIVERY_NAT: lai_sim_nat_drop(sender, server); break;
	case T_DELIVERY_LOSS:
		there->loss_ppm = back->loss_ppm = on ? (uint32_t)fault->value : 0;
		break;
	case T_DELIVERY_JITTER:
		there->jitter_ns = back->jitter_ns = on ? fault->value : 0;
		there->reorder = back->reorder = on;
		break;
	default: break;
	}
}

static void power(struct t_host *host, const struct t_delivery_fault *fault)
{
	if (!host->net || host->dead)
		return;
	if (fault->value == 0)
		t_host_power(host, fault->duration_ns);
	else if (fault->value == T_AT_STORED)
		host->power_at_stored = true;
	else
		lai_sim_disk_power_loss_at(host->disk, fault->value);
}

static void fill(struct t_host *host, const struct t_delivery_fault *fault, bool on)
{
	lai_sim_disk_capacity(host->disk,
			      on ? lai_sim_disk_used(host->disk) + fault->value : UINT64_MAX);
}

static void freeze(struct t_host *host, bool on)
{
	if (host->net && !host->dead)
		lai_sim_freeze(host->net, on);
}

static void lie(struct t_host *host, const struct t_delivery_fault *fault, bool on)
{
	if (!on && fault->value && host->net && !host->dead)
		t_host_power(host, LAI_S);
	t_host_lie(host, on);
}

static void hang_up(struct t_server *server)
{
	if (server->broker)
		t_broker_hang_up(server->broker);
	else
		t_host_kill(&server->base, LAI_MS);
}

static void strike(struct t_delivery_world *world, const struct t_delivery_fault *fault, bool on)
{
	struct t_sender *sender = &world->senders[fault->sender];
	struct t_server *server = &world->servers[fault->server];

	if (world->log)
		fprintf(world->log, "# %10.4f %s %s, sender %u, server %u\n",
			(double)now_of(world) / 1e9, t_delivery_fault_name(fault->kind),
			on ? "begins" : "ends", fault->sender, fault->server);
	switch (fault->kind) {
	case T_DELIVERY_KILL_SENDER:
		if (on)
			t_host_kill(&sender->base, fault->duration_ns);
		break;
	case T_DELIVERY_STOP_SENDER:
		if (on)
			t_sender_stop(sender, fault->duration_ns);
		break;
	case T_DELIVERY_KILL_SERVER:
		if (on)
			t_host_kill(&server->base, fault->duration_ns);
		break;
	case T_DELIVERY_POWER_SENDER:
		if (on)
			power(&sender->base, fault);
		break;
	case T_DELIVERY_POWER_SERVER:
		if (on)
			power(&server->base, fault);
		break;
	case T_DELIVERY_LIE_SENDER: lie(&sender->base, fault, on); break;
	case T_DELIVERY_LIE_SERVER: lie(&server->base, fault, on); break;
	case T_DELIVERY_FULL_SENDER: fill(&sender->base, fault, on); break;
	case T_DELIVERY_FULL_SERVER: fill(&server->base, fault, on); break;
	case T_DELIVERY_ERROR_SENDER:
		lai_sim_disk_fail(sender->base.disk, (unsigned)fault->value);
		break;
	case T_DELIVERY_ERROR_SERVER:
		lai_sim_disk_fail(server->base.disk, (unsigned)fault->value);
		break;
	case T_DELIVERY_FREEZE_SENDER: freeze(&sender->base, on); break;
	case T_DELIVERY_FREEZE_SERVER: freeze(&server->base, on); break;
	case T_DELIVERY_SUSPEND_SENDER:
		if (on)
			lai_sim_suspend(sender->base.host, fault->duration_ns);
		break;
	case T_DELIVERY_STOP_SERVER:
		if (on)
			t_server_stop(server, fault->duration_ns);
		break;
	case T_DELIVERY_PASSWORD: t_server_password(server, !on); break;
	case T_DELIVERY_HANG_UP: hang_up(server); break;
	default: paths(world, fault, on); break;
	}
}

static uint64_t end_ns(const struct t_delivery_fault *fault)
{
	return lai_time_after(fault->at_ns, fault->duration_ns);
}

static void heal(struct t_delivery_world *world)
{
	world->healed = true;
	if (world->log)
		fprintf(world->log, "# %10.4f healed\n", (double)now_of(world) / 1e9);
	for (unsigned i = 0; i < world->plan->servers; i++) {
		lai_sim_disk_power_loss_at(world->servers[i].base.disk, 0);
		lai_sim_disk_fail(world->servers[i].base.disk, 0);
		world->servers[i].base.power_at_stored = false;
		if (world->servers[i].broker)
			t_broker_heal(world->servers[i].broker);
	}
	for (unsigned i = 0; i < world->plan->senders; i++) {
		lai_sim_disk_power_loss_at(world->senders[i].base.disk, 0);
		lai_sim_disk_fail(world->senders[i].base.disk, 0);
		world->senders[i].base.power_at_stored = false;
		t_sender_heal(&world->senders[i]);
	}
}

static void faults_due(struct t_delivery_world *world)
{
	uint64_t now_ns = now_of(world);

	for (unsigned i = 0; i < world->plan->fault_count && !world->healed; i++) {
		const struct t_delivery_fault *fault = &world->plan->faults[i];

		if (world->phases[i] == T_AHEAD && now_ns >= fault->at_ns) {
			world->phases[i] = T_ON;
			world->faults++;
			strike(world, fault, true);
		}
		if (world->phases[i] == T_ON && now_ns >= end_ns(fault)) {
			world->phases[i] = T_OVER;
			if (t_delivery_fault_lasts(fault->kind))
				strike(world, fault, false);
		}
	}
	if (now_ns >= world->plan->heal_ns && !world->healed)
		heal(world);
}

static uint64_t next_ns(const struct t_delivery_world *world)
{
	uint64_t next = now_of(world) + TICK_NS;

	if (world->healed)
		return next;
	next = lai_time_min(next, world->plan->heal_ns);
	for (unsigned i = 0; i < world->plan->fault_count; i++) {
		const struct t_delivery_fault *fault = &world->plan->faults[i];

		if (world->phases[i] == T_AHEAD)
			next = lai_time_min(next, fault->at_ns);
		else if (world->phases[i] == T_ON)
			next = lai_time_min(next, end_ns(fault));
	}
	return next;
}

/* ---- deaths and births -------------------------------------------------------------------- */

static void reap(struct t_delivery_world *world)
{
	for (unsigned i = 0; i < world->plan->senders; i++)
		t_sender_reap(&world->senders[i]);
	for (unsigned i = 0; i < world->plan->servers; i++)
		t_server_reap(&world->servers[i]);
}

static bool is_due(const struct t_delivery_world *world, const struct t_host *host)
{
	return !host->net && (now_of(world) >= host->up_at_ns || world->healed);
}

static void start(struct t_delivery_world *world)
{
	for (unsigned i = 0; i < world->plan->servers; i++)
		if (is_due(world, &world->servers[i].base))
			t_server_start(&world->servers[i]);
	for (unsigned i = 0; i < world->plan->senders; i++)
		if (is_due(world, &world->senders[i].base) && !world->senders[i].done)
			t_sender_start(&world->senders[i]);
}

/* ---- the run -------------------------------------------------------------------------------- */

static bool all_done(const struct t_delivery_world *world)
{
	for (unsigned i = 0; i < world->plan->senders; i++)
		if (!world->senders[i].done)
			return false;
	return true;
}

static bool goes_on(const struct t_delivery_world *world)
{
	return world->book.broken == T_DELIVERY_INVARIANT_COUNT;
}

static void live(struct t_delivery_world *world)
{
	uint64_t limit_ns = world->plan->heal_ns + FINISH_NS;

	while (goes_on(world) && !all_done(world) && now_of(world) < limit_ns) {
		faults_due(world);
		reap(world);
		start(world);
		lai_sim_advance(world->sim, LAI_SIM_START_NS + next_ns(world));
	}
	for (unsigned i = 0; i < world->plan->senders; i++) {
		const struct t_sender *sender = &world->senders[i];

		if (goes_on(world) && !sender->done)
			t_book_break(&world->book, T_DELIVERY_PROGRESS,
				     "sender %u is %s, %.0f s after everything was healed", i,
				     sender->link ? la_link_state_name(la_link_state(sender->link))
						  : "down",
				     (double)FINISH_NS / 1e9);
	}
}

static bool all_stopped(const struct t_delivery_world *world)
{
	for (unsigned i = 0; i < world->plan->servers; i++)
		if (world->servers[i].server)
			return false;
	return true;
}

/* The senders have gone; the servers stop, and leave nothing open. */
static void stop(struct t_delivery_world *world)
{
	uint64_t limit_ns = now_of(world) + STOP_NS;

	for (unsigned i = 0; i < world->plan->senders; i++)
		t_sender_reap(&world->senders[i]);
	for (unsigned i = 0; i < world->plan->servers; i++)
		t_server_stop(&world->servers[i], LA_NEVER);
	while (goes_on(world) && !all_stopped(world) && now_of(world) < limit_ns) {
		lai_sim_advance(world->sim, lai_sim_now(world->sim) + TICK_NS);
		reap(world);
	}
	if (goes_on(world) && !all_stopped(world))
		t_book_break(&world->book, T_DELIVERY_PROGRESS, "a server does not stop");
}

static void balance(struct t_delivery_world *world)
{
	for (unsigned i = 0; i < world->plan->servers && goes_on(world); i++)
		t_server_count(&world->servers[i]);
	if (goes_on(world))
		t_book_balance(&world->book);
	for (unsigned i = 0; i < world->plan->senders; i++)
		for (unsigned n = 0; n < T_DELIVERY_RECORDS; n++) {
			const struct t_entry *entry = &world->book.entries[i][n];

			world->owed += entry->state == T_ENTRY_OWED;
			world->excused += entry->state == T_ENTRY_EXCUSED;
		}
}

static int begin(struct t_delivery_world *world, const char *directory)
{
	const struct t_delivery_plan *plan = world->plan;

	for (unsigned i = 0; i < plan->servers; i++) {
		world->servers[i].base.log = world->log;
		t_server_init(&world->servers[i], &world->book, world->sim, plan, i, directory);
	}
	for (unsigned i = 0; i < plan->senders; i++) {
		world->senders[i].base.log = world->log;
		t_sender_init(&world->senders[i], &world->book, world->sim, plan, i);
		for (unsigned k = 0; k < plan->servers; k++) {
			struct lai_sim_host *sender = world->senders[i].base.host,
					    *server = world->servers[k].base.host;

			lai_sim_path(sender, server)->latency_ns = plan->latency_ns;
			lai_sim_path(server, sender)->latency_ns = plan->latency_ns;
		}
	}
	return 0;
}

static void finish(struct t_delivery_world *world)
{
	world->time_ns = now_of(world);
	world->hash = lai_sim_hash(world->sim);
	for (unsigned i = 0; i < world->plan->senders; i++) {
		world->turns += world->senders[i].base.turns;
		world->restarts += world->senders[i].base.runs;
		t_sender_done(&world->senders[i]);
	}
	for (unsigned i = 0; i < world->plan->servers; i++) {
		world->turns += world->servers[i].base.turns;
		world->restarts += world->servers[i].base.runs;
		t_server_done(&world->servers[i]);
	}
	lai_sim_free(world->sim);
	world->sim = NULL;
}

int t_delivery_world_run(struct t_delivery_world *world, const struct t_delivery_plan *plan,
			 const char *directory, FILE *log, bool trace)
{
	int status;

	memset(world, 0, sizeof(*world));
	world->plan = plan;
	world->log = log;
	t_book_begin(&world->book, plan);
	status = lai_sim_new(&world->sim, plan->seed);
	if (status != 0)
		return status;
	lai_sim_trace(world->sim, trace ? log : NULL);
	status = begin(world, directory);
	live(world);
	if (goes_on(world))
		stop(world);
	if (goes_on(world))
		balance(world);
	world->log = NULL;
	for (unsigned i = 0; i < plan->senders; i++)
		world->senders[i].base.log = NULL;
	for (unsigned i = 0; i < plan->servers; i++)
		world->servers[i].base.log = NULL;
	finish(world);
	return status;
}
