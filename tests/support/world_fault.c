/* SPDX-License-Identifier: MIT */
/* world_fault.c - faults, carried out on a world, and taken back. */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define NAME_NS (20 * LAI_MS) /* a resolver's usual answer */

/* ---- names ------------------------------------------------------------------------------- */

static int name_set(struct t_world *world, const char *name, unsigned first, unsigned count,
		    int error, uint64_t delay_ns)
{
	char text[256];
	size_t length = 0;

	text[0] = '\0';
	for (unsigned i = first; i < first + count; i++) {
		unsigned server = i % world->plan->servers + 1;

		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "2001:db8::%u 10.0.0.%u ", server, server);
	}
	return lai_sim_dns(world->sim, name, error ? NULL : text, error, delay_ns);
}

/* Each name's addresses begin `shift` servers further on than they should. */
static int names_set(struct t_world *world, unsigned shift, int error, uint64_t delay_ns)
{
	int status = name_set(world, "all", shift, world->plan->servers, error, delay_ns);

	for (unsigned i = 0; i < world->plan->servers && status == 0; i++) {
		char name[24];

		snprintf(name, sizeof(name), "server%u", i);
		status = name_set(world, name, i + shift, 1, error, delay_ns);
	}
	return status;
}

int t_fault_names(struct t_world *world)
{
	return names_set(world, 0, 0, NAME_NS);
}

static void names_break(struct t_world *world, uint64_t how)
{
	if (how == 0)
		(void)names_set(world, 0, -ENOENT, NAME_NS);
	else if (how == 1)
		(void)names_set(world, 0, 0, LA_NEVER);
	else
		(void)names_set(world, 1, 0, NAME_NS);
}

/* ---- one server -------------------------------------------------------------------------- */

static void power(struct t_world *world, unsigned i, bool on)
{
	lai_sim_power(world->hosts[i], on);
	if (!on)
		t_peer_lost(&world->peers[i]);
}

static void slow(struct t_peer *peer, uint64_t bytes, uint64_t every_ns)
{
	peer->slow_bytes = (size_t)bytes;
	peer->slow_ns = every_ns;
	peer->read_at_ns = 0;
}

/* Ways of the program that last; then it has a look at what waits. */
static void ways(struct t_peer *peer, const struct t_fault *fault, bool begin)
{
	if (fault->kind == T_FAULT_STOP)
		peer->stopped = begin;
	else if (fault->kind == T_FAULT_HOLD)
		peer->holds = begin;
	else
		slow(peer, begin ? fault->value : 0, fault->extra);
	if (peer->listener >= 0)
		t_peer_wake(peer);
}

static void server_path(struct t_world *world, unsigned i, const struct t_fault *fault, bool begin)
{
	struct lai_sim_path *there = lai_sim_path(world->client, world->hosts[i]);
	struct lai_sim_path *back = lai_sim_path(world->hosts[i], world->client);

	switch (fault->kind) {
	case T_FAULT_LOSS:
		there->loss_ppm = back->loss_ppm = begin ? (uint32_t)fault->value : 0;
		break;
	case T_FAULT_JITTER:
		there->jitter_ns = back->jitter_ns = begin ? fault->value : 0;
		there->reorder = back->reorder = begin && fault->extra;
		break;
	case T_FAULT_HOLE: there->black_hole = back->black_hole = begin; break;
	case T_FAULT_HOLE_THERE: there->black_hole = begin; break;
	case T_FAULT_HOLE_BACK: back->black_hole = begin; break;
	case T_FAULT_ROUTE: there->no_route = begin; break;
	default: break;
	}
}

static void server_fault(struct t_world *world, unsigned i, const struct t_fault *fault, bool begin)
{
	struct t_peer *peer = &world->peers[i];

	switch (fault->kind) {
	case T_FAULT_NAT: lai_sim_nat_drop(world->client, world->hosts[i]); break;
	case T_FAULT_FIREWALL:
		lai_sim_firewall(world->hosts[i],
				 begin ? (enum lai_sim_firewall)fault->value : LAI_SIM_ACCEPT);
		break;
	case T_FAULT_POWER: power(world, i, !begin); break;
	case T_FAULT_FIN: t_peer_fin(peer); break;
	case T_FAULT_HALF_CLOSE: t_peer_half_close(peer); break;
	case T_FAULT_RST: t_peer_reset(peer); break;
	case T_FAULT_CRASH:
		if (begin)
			t_peer_crash(peer);
		else
			t_peer_wake(peer);
		break;
	case T_FAULT_FREEZE: lai_sim_freeze(peer->net, begin); break;
	case T_FAULT_STOP:
	case T_FAULT_HOLD:
	case T_FAULT_SLOW: ways(peer, fault, begin); break;
	case T_FAULT_TALK: t_peer_talk(peer, (size_t)fault->value); break;
	default: server_path(world, i, fault, begin); break;
	}
}

/* ---- all of them ------------------------------------------------------------------------- */

/* True: it was the client's own matter. */
static bool client_fault(struct t_world *world, const struct t_fault *fault, bool begin)
{
	const char *address = fault->value == 6 ? LAI_SIM_CLIENT_V6 : LAI_SIM_CLIENT_V4;

	switch (fault->kind) {
	case T_FAULT_ADDRESS: (void)lai_sim_address_set(world->client, address, !begin); break;
	case T_FAULT_SUSPEND:
		if (begin)
			lai_sim_suspend(world->client, fault->duration_ns);
		break;
	case T_FAULT_DNS:
		if (begin)
			names_break(world, fault->value);
		else
			(void)t_fault_names(world);
		break;
	case T_FAULT_CONNECT:
		lai_sim_fail_connect(world->client, -(int)fault->value,
				     begin ? (unsigned)fault->extra : 0);
		break;
	case T_FAULT_NO_NEWS: lai_sim_lose_acked(world->client, begin); break;
	default: return false;
	}
	return true;
}

static void apply(struct t_world *world, const struct t_fault *fault, bool begin)
{
	if (world->log)
		fprintf(world->log, "# %10.4f  fault %s %s, server %u, value %" PRIu64 "\n",
			(double)t_world_time(world) / 1e9, t_fault_name(fault->kind),
			begin ? "begins" : "ends", fault->server, fault->value);
	if (client_fault(world, fault, begin))
		return;
	for (unsigned i = 0; i < world->plan->servers; i++)
		if (fault->server == T_ALL || fault->server == i)
			server_fault(world, i, fault, begin);
}

void t_fault_begin(struct t_world *world, const struct t_fault *fault)
{
	apply(world, fault, true);
}

void t_fault_end(struct t_world *world, const struct t_fault *fault)
{
	apply(world, fault, false);
}

void t_fault_heal(struct t_world *world)
{
	for (unsigned i = 0; i < world->plan->fault_count; i++)
		if (world->phases[i] == T_FAULT_ON && t_fault_lasts(world->plan->faults[i].kind))
			t_fault_end(world, &world->plan->faults[i]);
	for (unsigned i = 0; i < world->plan->fault_count; i++)
		world->phases[i] = T_FAULT_OVER;
	lai_sim_fail_connect(world->client, 0, 0);
	for (unsigned i = 0; i < world->plan->servers; i++)
		t_peer_wake(&world->peers[i]);
	world->healed = true;
	if (world->log)
		fprintf(world->log, "# %10.4f  healed\n", (double)t_world_time(world) / 1e9);
}
