/* SPDX-License-Identifier: MIT */
/*
 * tw_reuse_delay.c - with tcp_tw_reuse=1 each port makes one connection per tcp_tw_reuse_delay, so
 * the rate to one destination is the number of ports by the delay.
 *
 * What decides is the age that each port's TIME_WAIT had when the port came back: never below the
 * delay, and in the middle near it. A pause of the machine makes some ages larger, and that is all.
 */
#include "lab/claims/shared_dial.h"
#include "lab/statistics.h"

#include <errno.h>
#include <stdio.h>

#define PORTS 20
/* How often each port comes back, and after what delays: 1.6 s in all. */
static const struct {
	long delay_ms;
	unsigned rounds;
} plans[] = {{100, 4}, {200, 3}, {300, 2}};
#define PLANS (sizeof(plans) / sizeof(plans[0]))
#define REUSES_MAX (PORTS * 4)

/* Between two tries. */
#define TRY_NS (200 * LAI_US)
/* A port that does not come back for so much longer than the delay never does. */
#define PATIENCE_NS LAI_S
/* The kernel compares whole milliseconds. */
#define AGE_SLACK_MS 1.0
/* The age in the middle may be larger by so much: ticks, tries, and the work in between. */
#define AGE_RATIO_MAX 1.4
/* The rate is no higher than ports / delay, but for the milliseconds of each delay. */
#define RATE_RATIO_MAX 1.01

#define TW_REUSE "net.ipv4.tcp_tw_reuse"
#define TW_REUSE_DELAY "net.ipv4.tcp_tw_reuse_delay"
#define TIMESTAMPS "net.ipv4.tcp_timestamps"

/* Connections to one listener, one after the other, from automatic ports. */
struct flow {
	long delay_ms;
	int listener;
	struct lai_address to;
	uint16_t ports[PORTS];
	uint64_t since_ns[PORTS]; /* not after its TIME_WAIT began */
	unsigned used;		  /* ports that were used at all */
	unsigned reuses;
	double ages_ms[REUSES_MAX];
	double age_min_ms, age_median_ms;
	double rate;  /* reuses per second */
	double limit; /* ports / delay */
};

static unsigned port_index(struct flow *flow, uint16_t port)
{
	unsigned i = 0;

	while (i < flow->used && flow->ports[i] != port)
		i++;
	return i;
}

/* Connects as soon as a port is to be had, and closes first. False: none was for too long. */
static bool flow_step(struct lai_trial *trial, struct flow *flow)
{
	uint64_t deadline_ns =
		lai_time_after(lai_clock_now(), (uint64_t)flow->delay_ms * LAI_MS + PATIENCE_NS);
	struct lai_dial_try try;
	uint64_t now_ns;
	unsigned i;

	for (;;) {
		try = lai_dial_try(trial, NULL, &flow->to);
		/* After it: an age may be measured too large, but never too small. */
		now_ns = lai_clock_now();
		if (!try.refused)
			break;
		if (try.error != EADDRNOTAVAIL)
			lai_trial_fail(trial, "%s: %s", try.refused, lai_call_errno(try.error));
		if (now_ns > deadline_ns)
			return false;
		lai_trial_pass(trial, TRY_NS);
	}
	i = port_index(flow, try.port);
	if (i == flow->used) {
		if (flow->used == PORTS)
			lai_trial_fail(trial, "a port outside of the range");
		flow->ports[flow->used++] = try.port;
	} else {
		flow->ages_ms[flow->reuses++] =
			(double)lai_time_since(flow->since_ns[i], now_ns) / LAI_MS;
	}
	flow->since_ns[i] = lai_clock_now();
	(void)lai_dial_close_first(trial, try.fd, flow->listener);
	return true;
}

static void flow_run(struct lai_trial *trial, long delay_ms, unsigned rounds, struct flow *flow)
{
	uint64_t began_ns = lai_clock_now();

	*flow = (struct flow){.delay_ms = delay_ms};
	flow->listener = lai_call_listen(trial, trial->server, 0, false, &flow->to);
	lai_host_set_number(trial, trial->client, TW_REUSE_DELAY, delay_ms);
	while (flow->reuses < PORTS * rounds && flow_step(trial, flow))
		;
	flow->rate = flow->reuses / ((double)lai_time_since(began_ns, lai_clock_now()) / LAI_S);
	flow->limit = PORTS * 1000.0 / (double)delay_ms;
	flow->age_median_ms = lai_median(flow->ages_ms, flow->reuses);
	/* The median has sorted them. */
	flow->age_min_ms = flow->reuses ? flow->ages_ms[0] : 0;
	lai_trial_say(trial,
		      "delay %ld ms: %u reuses of %u ports, %.1f/s (ports / delay: %.1f/s); "
		      "age of the TIME_WAIT at least %.1f ms, median %.1f ms",
		      delay_ms, flow->reuses, flow->used, flow->rate, flow->limit, flow->age_min_ms,
		      flow->age_median_ms);
}

/* Without tcp_tw_reuse the delay does nothing. */
static void control(struct lai_trial *trial)
{
	static struct flow flow = {.delay_ms = 1};
	struct lai_dial_try try;
	char text[LAI_DIAL_TEXT_MAX];

	lai_host_set_number(trial, trial->client, TW_REUSE, 0);
	lai_host_set_number(trial, trial->client, TW_REUSE_DELAY, flow.delay_ms);
	flow.listener = lai_call_listen(trial, trial->server, 0, false, &flow.to);
	for (unsigned i = 0; i < PORTS; i++)
		(void)flow_step(trial, &flow);
	/* Long past a delay of 1 ms. */
	lai_trial_pass(trial, 50 * LAI_MS);
	try = lai_dial_try(trial, NULL, &flow.to);
	lai_trial_control(
		trial, flow.used == PORTS && lai_dial_try_was(&try, "connect()", EADDRNOTAVAIL),
		"with tcp_tw_reuse=0 and a delay of 1 ms, %u ports made one connection each, "
		"and 50 ms later: %s",
		flow.used, lai_dial_try_text(text, &try));
}

/* Faster than the claim lets it be, or none where there must be some: that refutes it. */
static bool flow_refutes(const struct flow *flow)
{
	return flow->reuses == 0 || flow->rate > flow->limit * RATE_RATIO_MAX ||
	       flow->age_min_ms < (double)flow->delay_ms - AGE_SLACK_MS;
}

/* As fast as the claim says: soon after the delay, in the middle. */
static bool flow_reaches(const struct flow *flow)
{
	return flow->age_median_ms <= (double)flow->delay_ms * AGE_RATIO_MAX;
}

static void conclude(struct lai_trial *trial, const struct flow *flows)
{
	long timestamps = lai_host_get(trial, trial->client, TIMESTAMPS);
	unsigned refuting = 0, reached = 0, reuses = 0;

	for (size_t i = 0; i < PLANS; i++) {
		refuting += flow_refutes(&flows[i]);
		reached += flow_reaches(&flows[i]);
		reuses += flows[i].reuses;
	}
	if (reuses == 0 && timestamps == 0)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on " TIMESTAMPS ", which is 0 here: only connections with "
				   "timestamps are taken over, and no port came back within the "
				   "delay and %.0f s more",
				   (double)PATIENCE_NS / LAI_S);
	else if (refuting > 0)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"%u of %zu delays were not kept: %u, %u and %u reuses with delays of %ld, "
			"%ld and %ld ms, of TIME_WAITs at least %.1f, %.1f and %.1f ms old",
			refuting, PLANS, flows[0].reuses, flows[1].reuses, flows[2].reuses,
			plans[0].delay_ms, plans[1].delay_ms, plans[2].delay_ms,
			flows[0].age_min_ms, flows[1].age_min_ms, flows[2].age_min_ms);
	else if (reached == PLANS)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"%d ports made %.0f/s, %.0f/s and %.0f/s with delays of %ld, %ld "
			"and %ld ms (ports / delay: %.0f, %.0f, %.0f); no TIME_WAIT "
			"was reused before its delay",
			PORTS, flows[0].rate, flows[1].rate, flows[2].rate, plans[0].delay_ms,
			plans[1].delay_ms, plans[2].delay_ms, flows[0].limit, flows[1].limit,
			flows[2].limit);
	else
		lai_trial_conclude(
			trial, LAI_LAB_INCONCLUSIVE,
			"no TIME_WAIT was reused before its delay, but ports came back late: median "
			"ages %.0f, %.0f, %.0f ms for delays of %ld, %ld, %ld ms",
			flows[0].age_median_ms, flows[1].age_median_ms, flows[2].age_median_ms,
			plans[0].delay_ms, plans[1].delay_ms, plans[2].delay_ms);
}

static void number(struct lai_trial *trial, const char *what, long delay_ms, const char *unit,
		   double value)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "%s_%ld_ms", what, delay_ms);
	lai_trial_number(trial, name, unit, value);
}

static void run(struct lai_trial *trial)
{
	static struct flow flows[PLANS];
	uint32_t measured, predicted;

	if (!lai_host_has(trial, trial->client, TW_REUSE_DELAY))
		lai_trial_lacks(trial,
				"this kernel has no %s (Linux 6.14): its delay is a tick of "
				"a clock of seconds",
				TW_REUSE_DELAY);
	lai_dial_range(trial, lai_trial_port(trial, 10000, 60000), PORTS);
	control(trial);
	lai_host_set_number(trial, trial->client, TW_REUSE, 1);
	measured = lai_trial_series(trial, "measured", "tcp_tw_reuse_delay (ms)", "connections/s");
	predicted = lai_trial_series(trial, "ports / delay", "tcp_tw_reuse_delay (ms)",
				     "connections/s");
	for (size_t i = 0; i < PLANS; i++) {
		struct flow *flow = &flows[i];

		flow_run(trial, plans[i].delay_ms, plans[i].rounds, flow);
		if (flow->reuses == 0)
			break;
		lai_trial_point(trial, measured, (double)flow->delay_ms, flow->rate);
		lai_trial_point(trial, predicted, (double)flow->delay_ms, flow->limit);
		number(trial, "age_median_by_delay", flow->delay_ms, "times",
		       flow->age_median_ms / (double)flow->delay_ms);
		number(trial, "rate", flow->delay_ms, "connections/s", flow->rate);
	}
	conclude(trial, flows);
}

const struct lai_claim lai_claim_tw_reuse_delay = {
	.id = "tw-reuse-delay",
	.claim =
		"With tcp_tw_reuse=1 the highest rate of connections to one destination is the number "
		"of ports divided by tcp_tw_reuse_delay.",
	.said = "Documentation/networking/ip-sysctl.rst of the kernel describes the delay; the rate "
		"follows from it",
	.decides = "tcp_twsk_unique() in net/ipv4/tcp_ipv4.c compares the milliseconds since the "
		   "TIME_WAIT began with the sysctl (Linux 6.14). RFC 6191 section 2",
	.setup =
		"Client and server on one wire, a range of 20 automatic ports, tcp_tw_reuse=1 at the "
		"client; tcp_tw_reuse_delay is 100, 200 and 300 ms",
	.procedure = "Connect as soon as a port is to be had, close at the client first, and begin "
		     "again, until each port has come back two to four times; note how old its "
		     "TIME_WAIT was each time, and how many came back a second.",
	.outcome = "No port comes back before the delay, and each does soon after it.",
	.control = "With tcp_tw_reuse=0 the ports must not come back after the delay.",
	.shortened = "tcp_tw_reuse_delay, whose default is 1000 ms, is set to 100 to 300 ms",
	.expected = {{0, 0, LAI_LAB_LACKS, NULL},
		     {6, 14, LAI_LAB_CONFIRMED, "tcp_tw_reuse_delay is new"}},
	.lane = LAI_LANE_ALONE,
	.no_capture = true,
	.run = run,
};
