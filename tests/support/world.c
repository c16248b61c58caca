/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MILLION 1000000u
#define SUBMIT_MAX 8192u
#define SETTLE_NS (200 * LAI_S) /* orphans, retransmissions, TIME_WAIT: all over by then */

uint64_t t_world_time(const struct t_world *world)
{
	return lai_sim_now(world->sim) - LAI_SIM_START_NS;
}

/* ---- beginning --------------------------------------------------------------------------- */

static void on_event(void *arg, const struct la_event *event)
{
	t_check_event(arg, event);
}

static int hosts_begin(struct t_world *world)
{
	const struct t_plan *plan = world->plan;
	int status = 0;

	lai_sim_buffers(world->client, plan->client_buffer, LAI_SIM_BUFFER_BYTES);
	if (plan->ports)
		lai_sim_ports(world->client, 40000, (uint16_t)(40000 + plan->ports - 1));
	lai_sim_timestamps(world->client, !plan->no_timestamps);
	for (unsigned i = 0; i < plan->servers && status == 0; i++) {
		char v4[T_URL_MAX], v6[T_URL_MAX];

		snprintf(v4, sizeof(v4), "10.0.0.%u", i + 1);
		snprintf(v6, sizeof(v6), "2001:db8::%u", i + 1);
		world->hosts[i] = lai_sim_host(world->sim, v4);
		if (!world->hosts[i])
			return -ENOMEM;
		status = lai_sim_host_address(world->hosts[i], v6);
		lai_sim_buffers(world->hosts[i], LAI_SIM_BUFFER_BYTES, plan->server_buffer);
		lai_sim_path(world->client, world->hosts[i])->latency_ns = plan->latency_ns;
		lai_sim_path(world->hosts[i], world->client)->latency_ns = plan->latency_ns;
		if (status == 0)
			status = t_peer_init(&world->peers[i], world->sim, world->hosts[i],
					     &world->ledger);
	}
	return status == 0 ? t_fault_names(world) : status;
}

int t_world_begin(struct t_world *world, const struct t_plan *plan, FILE *log)
{
	const char *urls[T_URLS_MAX];
	int status;

	*world = (struct t_world){.plan = plan, .broken = T_INVARIANT_COUNT, .log = log};
	world->random.state = plan->seed;
	status = t_data_init(&world->data, plan->seed, plan->lines, plan->record_max,
			     (uint32_t)plan->config.record_bytes_max, plan->work.bytes);
	if (status == 0)
		status = t_ledger_init(&world->ledger, &world->data,
				       plan->config.on_full == LA_FULL_BLOCK);
	if (status == 0)
		status = lai_sim_new(&world->sim, plan->seed);
	if (status != 0)
		goto out;
	lai_sim_trace(world->sim, plan->trace ? log : NULL);
	world->client = lai_sim_client(world->sim);
	world->net = lai_sim_net(world->sim);
	status = world->net ? hosts_begin(world) : -ENOMEM;
	world->config = t_plan_config(plan, urls);
	world->config.on_event = on_event;
	world->config.arg = world;
	if (status == 0)
		status = lai_link_new_on(&world->link, &world->config, world->net, NULL);
	world->config.urls = NULL;
out:
	if (status != 0) {
		t_world_end(world);
		return status;
	}
	world->next_piece_ns = plan->work.bytes ? 0 : LA_NEVER;
	t_check_begin(world);
	return 0;
}

void t_world_end(struct t_world *world)
{
	world->log = NULL; /* freeing the link aborts it, which is no news */
	la_link_free(world->link);
	world->link = NULL;
	for (unsigned i = 0; i < T_SERVERS_MAX; i++)
		if (world->peers[i].net)
			t_peer_done(&world->peers[i]);
	lai_sim_free(world->sim);
	world->sim = NULL;
	t_ledger_done(&world->ledger);
	t_data_done(&world->data);
}

/* ---- faults ------------------------------------------------------------------------------ */

static uint64_t fault_end_ns(const struct t_fault *fault)
{
	return fault->duration_ns ? lai_time_after(fault->at_ns, fault->duration_ns) : LA_NEVER;
}

static void faults_due(struct t_world *world)
{
	uint64_t now_ns = t_world_time(world);

	if (world->healed)
		return;
	for (unsigned i = 0; i < world->plan->fault_count; i++) {
		const struct t_fault *fault = &world->plan->faults[i];

		if (world->phases[i] == T_FAULT_AHEAD && now_ns >= fault->at_ns) {
			world->phases[i] = T_FAULT_ON;
			world->faults++;
			t_fault_begin(world, fault);
		}
		if (world->phases[i] == T_FAULT_ON && now_ns >= fault_end_ns(fault)) {
			world->phases[i] = T_FAULT_OVER;
			t_fault_end(world, fault);
		}
	}
	if (now_ns >= world->plan->heal_ns)
		t_fault_heal(world);
}

static uint64_t faults_next_ns(const struct t_world *world)
{
	uint64_t next_ns = world->plan->heal_ns;

	if (world->healed)
		return LA_NEVER;
	for (unsigned i = 0; i < world->plan->fault_count; i++) {
		const struct t_fault *fault = &world->plan->faults[i];

		if (world->phases[i] == T_FAULT_AHEAD)
			next_ns = lai_time_min(next_ns, fault->at_ns);
		else if (world->phases[i] == T_FAULT_ON)
			next_ns = lai_time_min(next_ns, fault_end_ns(fault));
	}
	return next_ns;
}

/* When the client's host is awake: now, or when it wakes. */
static uint64_t awake_ns(const struct t_world *world)
{
	return lai_sim_host_when(world->client, world->net->ops->now(world->net));
}

/* ---- work -------------------------------------------------------------------------------- */

static uint64_t work_bytes(const struct t_world *world)
{
	return world->data.bytes - (world->data.lines && world->plan->work.unterminated);
}

static void pieces_due(struct t_world *world)
{
	const struct t_work *work = &world->plan->work;
	uint64_t now_ns = t_world_time(world);

	while (world->next_piece_ns <= now_ns) {
		world->due_bytes =
			lai_time_min(world->due_bytes + work->piece_bytes, work_bytes(world));
		world->next_piece_ns += work->every_ns;
		if (!world->paused && world->due_bytes >= work->pause_after_bytes) {
			world->paused = true;
			world->next_piece_ns += work->pause_ns;
		}
		if (world->due_bytes == work_bytes(world))
			world->next_piece_ns = LA_NEVER;
		if (lai_random_below(&world->random, MILLION) < work->flush_ppm) {
			(void)la_link_flush(world->link, work->flush_ns);
			break; /* time has passed: the rest is for the next step */
		}
	}
}

/* The link refused a record as too long, all of it, however much it had taken before. */
static void skip_record(struct t_world *world)
{
	const struct t_data *data = &world->data;
	uint64_t n = data->lines ? t_data_record_at(data, world->submitted_bytes) : 0;

	if (!data->lines || !t_data_refused(data, n)) {
		t_broken(world, T_SUM, "a record within the limit was refused");
		world->due_bytes = world->submitted_bytes;
		return;
	}
	world->refused_bytes += data->offsets[n + 1] - data->offsets[n];
	world->submitted_bytes = data->offsets[n + 1];
}

static void submit(struct t_world *world)
{
	uint8_t data[SUBMIT_MAX];

	while (world->submitted_bytes < world->due_bytes) {
		uint64_t size = lai_time_min(world->due_bytes - world->submitted_bytes, SUBMIT_MAX);
		ssize_t accepted;

		t_data_fill(&world->data, world->submitted_bytes, data, (size_t)size);
		accepted = la_link_submit(world->link, data, (size_t)size);
		if (accepted == -EMSGSIZE) {
			skip_record(world);
			continue;
		}
		if (accepted <= 0)
			return;
		world->submitted_bytes += (uint64_t)accepted;
	}
}

static void work_due(struct t_world *world)
{
	uint64_t now_ns = t_world_time(world);

	if (la_link_state(world->link) == LA_LINK_DONE || awake_ns(world) > lai_sim_now(world->sim))
		return;
	if (now_ns >= world->plan->abort_ns && !world->aborted) {
		world->aborted = true;
		la_link_abort(world->link);
		return;
	}
	if (world->finishing)
		return;
	pieces_due(world);
	submit(world);
	if (world->submitted_bytes >= work_bytes(world) && now_ns >= world->plan->finish_ns) {
		world->finishing = true;
		la_link_finish(world->link, world->plan->finish_timeout_ns);
	}
}

static uint64_t work_next_ns(const struct t_world *world)
{
	uint64_t next_ns = world->aborted ? LA_NEVER : world->plan->abort_ns;

	if (awake_ns(world) > lai_sim_now(world->sim))
		return LA_NEVER;
	if (world->finishing)
		return next_ns;
	next_ns = lai_time_min(next_ns, world->next_piece_ns);
	return world->submitted_bytes >= work_bytes(world)
		       ? lai_time_min(next_ns, world->plan->finish_ns)
		       : next_ns;
}

/* ---- the step ---------------------------------------------------------------------------- */

uint64_t t_world_limit(const struct t_plan *plan)
{
	const struct la_link_config *config = &plan->config;
	uint64_t healed_ns = plan->heal_ns == LA_NEVER ? 0 : plan->heal_ns;
	uint64_t once_ns = t_check_busy_ns(config) + t_check_idle_ns(config) + config->stall_ns +
			   config->read_ns + config->backoff_max_ns +
			   config->url_count * (config->resolve_ns + config->connect_ns);

	/* Some sockets die only after the heal; then the rest of the work, at a slow network's
	 * pace. */
	return healed_ns + plan->finish_ns + 4 * once_ns + 200 * LAI_S;
}

/* Waits no longer than until_ns of the world's time. A host that sleeps does not wait: it sleeps.
 */
static void wait_until(struct t_world *world, uint64_t until_ns)
{
	uint64_t now_ns = lai_sim_now(world->sim), client_ns = world->net->ops->now(world->net);

	if (awake_ns(world) > now_ns) {
		lai_sim_advance(world->sim, lai_time_min(until_ns, awake_ns(world)));
		/* la_link_fd() is readable after a resume. */
		if (awake_ns(world) <= lai_sim_now(world->sim))
			(void)la_link_dispatch(world->link);
		return;
	}
	until_ns = lai_time_after(client_ns, lai_time_since(now_ns, until_ns));
	lai_driver_step(&world->link->driver,
			lai_time_min(until_ns, la_link_deadline(world->link)));
	(void)la_link_dispatch(world->link);
}

bool t_world_step(struct t_world *world)
{
	uint64_t limit_ns = t_world_limit(world->plan), next_ns;

	faults_due(world);
	work_due(world);
	next_ns = lai_time_min(faults_next_ns(world), work_next_ns(world));
	if (la_link_state(world->link) != LA_LINK_DONE)
		wait_until(world,
			   lai_time_after(LAI_SIM_START_NS, lai_time_min(next_ns, limit_ns)));
	world->steps++;
	t_check_step(world);
	if (world->broken != T_INVARIANT_COUNT || la_link_state(world->link) == LA_LINK_DONE)
		return false;
	if (t_world_time(world) >= limit_ns)
		t_broken(world, T_PROGRESS, "the link is still %s when it should have ended",
			 la_link_state_name(la_link_state(world->link)));
	return world->broken == T_INVARIANT_COUNT;
}

void t_world_settle(struct t_world *world)
{
	if (world->broken != T_INVARIANT_COUNT)
		return;
	if (!world->healed)
		t_fault_heal(world);
	lai_sim_advance(world->sim, lai_sim_now(world->sim) + SETTLE_NS);
	(void)la_link_dispatch(world->link);
	/* Connections whose client is gone without a word stay open for ever at a server. */
	for (unsigned i = 0; i < world->plan->servers; i++)
		t_peer_lost(&world->peers[i]);
	t_check_step(world);
	t_check_end(world);
}

int t_world_run(struct t_world *world, const struct t_plan *plan, FILE *log)
{
	int status = t_world_begin(world, plan, log);

	if (status != 0)
		return status;
	while (t_world_step(world))
		;
	t_world_settle(world);
	world->time_ns = t_world_time(world);
	world->hash = lai_sim_hash(world->sim);
	t_world_end(world);
	return 0;
}
