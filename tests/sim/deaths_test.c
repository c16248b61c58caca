/* SPDX-License-Identifier: MIT */
/*
 * The deaths of a connection and of an attempt, one row each: what happens, what it must be called,
 * and how soon. Virtual time, default settings: a peer is dead after 20 s, whoever reads has 30 s.
 *
 * After the verdict the run goes on: the world is healed, and all invariants hold to the end.
 * Raw bytes and lines have no login; so the row "login never answered" has nothing to run on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../support/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define AT (5 * LAI_S)	   /* when it happens, if the connection is to be up before */
#define HEAL (200 * LAI_S) /* long after every verdict */
#define NEWS (10 * LAI_MS) /* "immediate": a few round trips of 2 ms, and one look */
#define DEAD (20 * LAI_S)
#define DEAD_BUSY (DEAD + 1100 * LAI_MS) /* found at the next look, a second later at most */
#define DEAD_IDLE (DEAD + 1 * LAI_S)	 /* keepalive counts whole seconds */
#define PINNED 5000u
#define OWN_PORT 40000u /* the first, and here the only one, that the client may draw */

enum traffic { IDLE, BUSY, BULK };

struct death {
	const char *sentence;
	enum traffic traffic;
	struct t_fault faults[3];
	enum la_cause cause; /* ALIVE: nothing may die */
	uint64_t from_ns;    /* since when it could be known */
	uint64_t within_ns;
	uint64_t not_before_ns;
	void (*settings)(struct t_plan *plan);
	void (*arrange)(struct t_world *world);
};

#define FAULT(name, at, ...)                                                                       \
	{                                                                                          \
		.kind = T_FAULT_##name, .at_ns = (at), .server = T_ALL, ##__VA_ARGS__              \
	}
#define FAULTS(...) .faults = {__VA_ARGS__}
#define NO_FAULT .faults = {{0}}
#define DEATH(text, what, name, since_ns, soon_ns, ...)                                            \
	{                                                                                          \
		.sentence = (text), .traffic = (what), .cause = LA_CAUSE_##name,                   \
		.from_ns = (since_ns), .within_ns = (soon_ns), __VA_ARGS__                         \
	}

/* ---- settings and arrangements ----------------------------------------------------------- */

static void named(struct t_plan *plan)
{
	snprintf(plan->urls[0], T_URL_MAX, "tcp://server0:%u", T_PORT);
}

static void stall_reconnect(struct t_plan *plan)
{
	plan->config.on_stall = LA_STALL_RECONNECT;
}

static void finish_soon(struct t_plan *plan)
{
	plan->finish_ns = AT;
}

static void finish_within_15_s(struct t_plan *plan)
{
	plan->finish_ns = AT;
	plan->finish_timeout_ns = 15 * LAI_S;
}

static void finish_linger(struct t_plan *plan)
{
	finish_soon(plan);
	plan->config.close_policy = LA_CLOSE_LINGER;
	plan->config.linger_ns = LAI_S;
}

static void finish_abort(struct t_plan *plan)
{
	finish_soon(plan);
	plan->config.close_policy = LA_CLOSE_ABORT;
}

static void abort_then(struct t_plan *plan)
{
	plan->abort_ns = AT;
}

static void pinned(struct t_plan *plan)
{
	plan->config.local_port = PINNED;
	plan->config.retries_max = 3; /* whoever holds it will not let go */
}

/* The server is this very host, nothing listens, and the only port to draw is the one called. */
static void to_itself(struct t_plan *plan)
{
	snprintf(plan->urls[0], T_URL_MAX, "tcp://" LAI_SIM_CLIENT_V4 ":%u", OWN_PORT);
	plan->ports = 1;
	plan->config.retries_max = 3; /* it will never be better */
}

static struct lai_net *another_program(struct t_world *world)
{
	struct lai_net *net = lai_sim_net(world->sim);

	assert_non_null(net);
	return net;
}

static void port_taken(struct t_world *world)
{
	struct lai_net *net = another_program(world);
	struct lai_address address;

	assert_int_equal(lai_address_parse("0.0.0.0", PINNED, &address), 0);
	assert_true(net->ops->listen(net, &address, 1) >= 0);
}

static void tuple_taken(struct t_world *world)
{
	struct lai_net *net = another_program(world);
	struct lai_socket_options options = {.tos = -1};
	struct lai_address server;

	assert_int_equal(lai_address_parse("10.0.0.1", T_PORT, &server), 0);
	assert_int_equal(lai_address_parse(LAI_SIM_CLIENT_V4, PINNED, &options.local), 0);
	assert_true(net->ops->connect(net, &server, &options) >= 0);
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct death deaths[] = {
	DEATH("FIN, idle", IDLE, PEER_CLOSED, AT, NEWS, FAULTS(FAULT(FIN, AT))),
	DEATH("FIN, busy", BUSY, PEER_CLOSED, AT, NEWS, FAULTS(FAULT(FIN, AT))),
	DEATH("half-close, busy", BUSY, PEER_CLOSED, AT, NEWS, FAULTS(FAULT(HALF_CLOSE, AT))),
	DEATH("RST, idle", IDLE, PEER_RESET, AT, NEWS, FAULTS(FAULT(RST, AT))),
	DEATH("RST, busy", BUSY, PEER_RESET, AT, NEWS, FAULTS(FAULT(RST, AT))),
	DEATH("a crash with nothing unread", IDLE, PEER_CLOSED, AT, NEWS, FAULTS(FAULT(CRASH, AT))),
	DEATH("a crash with unread data", BULK, RESET_UNREAD, AT, NEWS,
	      FAULTS(FAULT(STOP, 0), FAULT(CRASH, AT))),
	DEATH("power loss, idle", IDLE, SILENT_IDLE, AT, DEAD_IDLE, FAULTS(FAULT(POWER, AT))),
	DEATH("power loss, data in flight", BUSY, SILENT_BUSY, AT, DEAD_BUSY,
	      FAULTS(FAULT(POWER, AT))),
	DEATH("power loss while the window is closed", BULK, SILENT_BUSY, AT, DEAD_BUSY + DEAD / 4,
	      FAULTS(FAULT(STOP, 0), FAULT(POWER, AT))),
	DEATH("a black hole there, idle", IDLE, SILENT_IDLE, AT, DEAD_IDLE,
	      FAULTS(FAULT(HOLE_THERE, AT))),
	DEATH("a black hole back, data in flight", BUSY, SILENT_BUSY, AT, DEAD_BUSY,
	      FAULTS(FAULT(HOLE_BACK, AT))),
	DEATH("NAT state dropped, idle", IDLE, SILENT_IDLE, AT, DEAD_IDLE, FAULTS(FAULT(NAT, AT))),
	DEATH("NAT state dropped, data in flight", BUSY, SILENT_BUSY, AT, DEAD_BUSY,
	      FAULTS(FAULT(NAT, AT))),
	DEATH("a frozen process is stalled, and given up if so asked", BULK, STALLED, 0,
	      31500 * LAI_MS, FAULTS(FAULT(FREEZE, LAI_MS)), .not_before_ns = 29 * LAI_S,
	      .settings = stall_reconnect),
	DEATH("a frozen process is alive, and waited for otherwise", BULK, ALIVE, 0, 0,
	      FAULTS(FAULT(FREEZE, LAI_MS))),
	DEATH("zero window is stalled, and given up if so asked", BULK, STALLED, 0, 31500 * LAI_MS,
	      FAULTS(FAULT(STOP, 0)), .not_before_ns = 29 * LAI_S, .settings = stall_reconnect),
	DEATH("zero window is alive, and waited for otherwise", BULK, ALIVE, 0, 0,
	      FAULTS(FAULT(STOP, 0))),
	DEATH("a slow reader is alive, and never stalled", BULK, ALIVE, 0, 0,
	      FAULTS(FAULT(SLOW, 0, .value = 2000, .extra = LAI_S)), .settings = stall_reconnect),
	DEATH("a server rebooted, idle", IDLE, RESET_AFTER_SILENCE, AT, DEAD / 2 + NEWS,
	      FAULTS(FAULT(POWER, AT, .duration_ns = 2 * LAI_S))),
	DEATH("a server rebooted, data in flight", BUSY, RESET_AFTER_SILENCE, AT + 2 * LAI_S,
	      2 * LAI_S, FAULTS(FAULT(POWER, AT, .duration_ns = 2 * LAI_S))),
	DEATH("the route is lost, idle", IDLE, ROUTE_LOST, AT, DEAD_IDLE, FAULTS(FAULT(ROUTE, AT))),
	DEATH("the route is lost, data in flight", BUSY, ROUTE_LOST, AT, DEAD_BUSY,
	      FAULTS(FAULT(ROUTE, AT))),
	DEATH("the local address is lost, idle", IDLE, ADDRESS_LOST, AT, DEAD_IDLE,
	      FAULTS(FAULT(ADDRESS, AT, .value = 4))),
	DEATH("the local address is lost, data in flight", BUSY, ADDRESS_LOST, AT, DEAD_BUSY,
	      FAULTS(FAULT(ADDRESS, AT, .value = 4))),
	DEATH("the host slept, and the peer was gone", IDLE, LOST_IN_SUSPEND, AT + 60 * LAI_S,
	      DEAD / 4 + 2 * LAI_S,
	      FAULTS(FAULT(SUSPEND, AT, .duration_ns = 60 * LAI_S), FAULT(HOLE, 2 * AT))),
	DEATH("the host slept, and the server had rebooted", IDLE, LOST_IN_SUSPEND, AT + 60 * LAI_S,
	      1 * LAI_S + NEWS,
	      FAULTS(FAULT(SUSPEND, AT, .duration_ns = 60 * LAI_S),
		     FAULT(POWER, 2 * AT, .duration_ns = LAI_S))),
	DEATH("the host slept, and the peer is still there", IDLE, ALIVE, 0, 0,
	      FAULTS(FAULT(SUSPEND, AT, .duration_ns = 60 * LAI_S))),
	DEATH("a connect into a black hole", IDLE, CONNECT_TIMEOUT, 0, 10 * LAI_S + NEWS,
	      FAULTS(FAULT(HOLE, 0)), .not_before_ns = 10 * LAI_S),
	DEATH("a firewall that drops", IDLE, CONNECT_TIMEOUT, 0, 10 * LAI_S + NEWS,
	      FAULTS(FAULT(FIREWALL, 0, .value = LAI_SIM_DROP)), .not_before_ns = 10 * LAI_S),
	DEATH("a firewall that rejects", IDLE, CONNECT_REFUSED, 0, NEWS,
	      FAULTS(FAULT(FIREWALL, 0, .value = LAI_SIM_REJECT))),
	DEATH("a firewall that prohibits", IDLE, UNREACHABLE, 0, NEWS,
	      FAULTS(FAULT(FIREWALL, 0, .value = LAI_SIM_PROHIBIT))),
	DEATH("nobody listens", IDLE, CONNECT_REFUSED, 0, NEWS, FAULTS(FAULT(CRASH, 0))),
	DEATH("no route to begin with", IDLE, UNREACHABLE, 0, NEWS, FAULTS(FAULT(ROUTE, 0))),
	DEATH("no such name", IDLE, RESOLVE_FAILED, 0, 30 * LAI_MS,
	      FAULTS(FAULT(DNS, 0, .value = 0)), .settings = named),
	DEATH("a resolver that never answers", IDLE, RESOLVE_TIMEOUT, 0, 10 * LAI_S + NEWS,
	      FAULTS(FAULT(DNS, 0, .value = 1)), .not_before_ns = 10 * LAI_S, .settings = named),
	DEATH("no descriptor left", IDLE, LOCAL_LIMIT, 0, NEWS,
	      FAULTS(FAULT(CONNECT, 0, .value = EMFILE, .extra = 1))),
	DEATH("connect() is forbidden", IDLE, DENIED, 0, NEWS,
	      FAULTS(FAULT(CONNECT, 0, .value = EPERM, .extra = 1))),
	DEATH("connect() fails without a name", IDLE, LOCAL_ERROR, 0, NEWS,
	      FAULTS(FAULT(CONNECT, 0, .value = EDOM, .extra = 1))),
	DEATH("nothing there but ourselves", IDLE, SELF_CONNECT, 0, NEWS, NO_FAULT,
	      .settings = to_itself),
	DEATH("the pinned port is held by a listener", IDLE, PORT_IN_USE, 0, NEWS, NO_FAULT,
	      .settings = pinned, .arrange = port_taken),
	DEATH("the pinned port has this connection already", IDLE, TUPLE_IN_USE, 0, NEWS, NO_FAULT,
	      .settings = pinned, .arrange = tuple_taken),
	DEATH("the peer owes its FIN", IDLE, NEVER_CLOSED, AT, 30 * LAI_S + NEWS,
	      FAULTS(FAULT(HOLD, 0)), .not_before_ns = 30 * LAI_S, .settings = finish_soon),
	DEATH("draining takes too long", BULK, DRAIN_TIMEOUT, AT, 15 * LAI_S + NEWS,
	      FAULTS(FAULT(STOP, 0)), .not_before_ns = 15 * LAI_S, .settings = finish_within_15_s),
	DEATH("closed by SO_LINGER", IDLE, LINGERED, AT, NEWS, NO_FAULT, .settings = finish_linger),
	DEATH("closed by RST, as the policy says", IDLE, ABORTED, AT, NEWS, NO_FAULT,
	      .settings = finish_abort),
	DEATH("aborted on request", BUSY, ABORTED, AT, NEWS, NO_FAULT, .settings = abort_then),
	DEATH("closed by the ladder", IDLE, FINISHED, AT, NEWS, NO_FAULT, .settings = finish_soon),
};

/* ---- one row ----------------------------------------------------------------------------- */

static void set_traffic(struct t_plan *plan, enum traffic traffic)
{
	static const struct t_work works[] = {
		/* So few that the window, rounded to its scale, does not show them. */
		[IDLE] = {.bytes = 200, .piece_bytes = 200, .every_ns = LAI_MS},
		[BUSY] = {.bytes = 600000, .piece_bytes = 100, .every_ns = 10 * LAI_MS},
		[BULK] = {.bytes = 300000, .piece_bytes = 3000, .every_ns = LAI_MS},
	};

	plan->work = works[traffic];
	plan->work.pause_after_bytes = LA_NEVER;
}

static void set_plan(struct t_plan *plan, const struct death *death)
{
	size_t faults_max = sizeof(death->faults) / sizeof(death->faults[0]);

	t_plan_default(plan);
	set_traffic(plan, death->traffic);
	plan->heal_ns = plan->finish_ns = HEAL;
	/* server 0 alone at time 0 is what an empty row looks like */
	while (plan->fault_count < faults_max && death->faults[plan->fault_count].server == T_ALL) {
		plan->faults[plan->fault_count] = death->faults[plan->fault_count];
		plan->fault_count++;
	}
	if (death->settings)
		death->settings(plan);
}

static void assert_sound(const struct t_world *world)
{
	if (world->broken != T_INVARIANT_COUNT)
		fail_msg("%s: %s", t_invariant_name(world->broken), world->sentence);
}

static void assert_verdict(const struct t_world *world, const struct death *death,
			   uint64_t after_ns)
{
	double after_s = (double)after_ns / 1e9;

	if (world->first.cause != death->cause)
		fail_msg("called %s after %.3f s, wanted %s", la_cause_name(world->first.cause),
			 after_s, la_cause_name(death->cause));
	if (after_ns > death->within_ns || after_ns < death->not_before_ns)
		fail_msg("found after %.6f s, wanted %.3f to %.3f s", after_s,
			 (double)death->not_before_ns / 1e9, (double)death->within_ns / 1e9);
}

static void die(void **state)
{
	const struct death *death = *state;
	static struct t_world world;
	struct t_plan plan;

	set_plan(&plan, death);
	assert_int_equal(t_world_begin(&world, &plan, NULL), 0);
	if (death->arrange)
		death->arrange(&world);
	while (world.first.serial == 0 && t_world_time(&world) < HEAL && t_world_step(&world))
		;
	assert_sound(&world);
	if (death->cause == LA_CAUSE_ALIVE)
		assert_int_equal(world.first.serial, 0);
	else
		assert_verdict(&world, death, lai_time_since(death->from_ns, world.first_ns));
	while (t_world_step(&world))
		;
	t_world_settle(&world);
	assert_sound(&world);
	t_world_end(&world);
}

static void every_cause_has_its_row(void **state)
{
	(void)state;
	/* Those behind it are of TLS and of stomp://: src/io/tls_test.c, src/link/link_dialogue_test.c. */
	for (unsigned cause = LA_CAUSE_ALIVE; cause <= LA_CAUSE_ABORTED; cause++) {
		size_t rows = 0;

		for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
			rows += deaths[i].cause == cause;
		if (rows == 0)
			fail_msg("no row for %s", la_cause_name((enum la_cause)cause));
	}
}

#define DEATHS (sizeof(deaths) / sizeof(deaths[0]))

int main(void)
{
	struct CMUnitTest tests[DEATHS + 1];

	for (size_t i = 0; i < DEATHS; i++)
		tests[i] = (struct CMUnitTest){.name = deaths[i].sentence,
					       .test_func = die,
					       .initial_state = (void *)(uintptr_t)&deaths[i]};
	tests[DEATHS] = (struct CMUnitTest){.name = "every cause has its row",
					    .test_func = every_cause_has_its_row};
	return cmocka_run_group_tests_name("sim.deaths", tests, NULL, NULL);
}
