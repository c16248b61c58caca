/* SPDX-License-Identifier: MIT */
/*
 * tw_reuse_at_once.c - tcp_tw_reuse=1 lets connect() take a port out of TIME_WAIT, but not at once:
 * the TIME_WAIT must be older than tcp_tw_reuse_delay, and know a timestamp.
 *
 *	0 s   all ports of a small range in TIME_WAIT    connect(): EADDRNOTAVAIL
 *	1 s   tcp_tw_reuse=1, with timestamps            connected
 *	      tcp_tw_reuse=0 or 2, or no timestamps      EADDRNOTAVAIL, for 60 s
 */
#include "lab/claims/shared_dial.h"

#include <errno.h>

#define PORTS 10
/* Between two tries. */
#define TRY_NS LAI_MS
/* How much longer than the delay is waited for a port, which may never come. Before Linux 4.19 it
   is up to a second. */
#define PATIENCE_MS 1300
/* In which no port is expected: modes 0 and 2 with timestamps, and all modes without. */
#define OTHER_TRIES 5
/* A port younger than this part of the delay came back at once. The clocks of the kernel tick
   once a millisecond, on old kernels once a second. */
#define PART_AT_ONCE 0.5

#define TW_REUSE "net.ipv4.tcp_tw_reuse"
#define TW_REUSE_DELAY "net.ipv4.tcp_tw_reuse_delay"
#define TIMESTAMPS "net.ipv4.tcp_timestamps"

/* A destination, and the ports that wait because of it. */
struct waiting {
	int listener;
	struct lai_address to;
	unsigned made, time_waits;
	uint16_t ports[PORTS];
	uint64_t since_ns[PORTS]; /* not after its TIME_WAIT began */
	struct lai_dial_try last;
};

/* Connects until no port is left, and closes at once. */
static void ports_use(struct lai_trial *trial, struct waiting *waiting, unsigned count,
		      enum lai_tcp_state close_it(struct lai_trial *trial, int client,
						  int listener))
{
	waiting->listener = lai_call_listen(trial, trial->server, 0, false, &waiting->to);
	while (waiting->made < count) {
		unsigned at = waiting->made % PORTS;

		waiting->last = lai_dial_try(trial, NULL, &waiting->to);
		if (waiting->last.refused)
			break;
		waiting->ports[at] = waiting->last.port;
		waiting->since_ns[at] = lai_clock_now();
		if (close_it(trial, waiting->last.fd, waiting->listener) == LAI_TCP_TIME_WAIT)
			waiting->time_waits++;
		waiting->made++;
	}
}

/* How old the TIME_WAIT of this port was. */
static double age_ms(const struct waiting *waiting, uint16_t port, uint64_t now_ns)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (waiting->ports[i] == port)
			return (double)lai_time_since(waiting->since_ns[i], now_ns) / LAI_MS;
	return 0;
}

/* One connect() in each of the modes; returns how many succeeded. */
static unsigned modes_try(struct lai_trial *trial, const struct waiting *waiting, const long *modes,
			  size_t count, const char *when)
{
	char text[LAI_DIAL_TEXT_MAX];
	unsigned connected = 0;

	for (size_t i = 0; i < count; i++) {
		struct lai_dial_try try;

		lai_host_set_number(trial, trial->client, TW_REUSE, modes[i]);
		try = lai_dial_try(trial, NULL, &waiting->to);
		lai_trial_say(trial, "%s, tcp_tw_reuse=%ld: %s", when, modes[i],
			      lai_dial_try_text(text, &try));
		connected += !try.refused;
	}
	return connected;
}

/* The first port that comes back in mode 1. */
struct recovery {
	unsigned refused; /* tries before it */
	bool came;
	double age_ms; /* of its TIME_WAIT */
};

static struct recovery recovery_await(struct lai_trial *trial, const struct waiting *waiting,
				      double delay_ms)
{
	uint64_t patience_ns = (uint64_t)((delay_ms + PATIENCE_MS) * LAI_MS);
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), patience_ns), now_ns;
	struct recovery recovery = {0};

	lai_host_set_number(trial, trial->client, TW_REUSE, 1);
	do {
		struct lai_dial_try try;

		try = lai_dial_try(trial, NULL, &waiting->to);
		/* After it: an age may be measured too large, but never too small. */
		now_ns = lai_clock_now();
		if (!try.refused) {
			recovery.came = true;
			recovery.age_ms = age_ms(waiting, try.port, now_ns);
			break;
		}
		recovery.refused++;
		lai_trial_pass(trial, TRY_NS);
	} while (now_ns < deadline_ns);
	lai_trial_say(trial, "tcp_tw_reuse=1: %u tries refused, then %s a TIME_WAIT %.0f ms old",
		      recovery.refused, recovery.came ? "connected over" : "given up, without",
		      recovery.age_ms);
	return recovery;
}

/* On kernels whose clock for this ticks once a second, the tick must not be near. */
static void second_begin(struct lai_trial *trial)
{
	lai_trial_pass(trial, LAI_S - lai_clock_now() % LAI_S);
}

static void conclude(struct lai_trial *trial, const struct waiting *waiting, double delay_ms,
		     const struct recovery *recovery, unsigned others)
{
	if (waiting->time_waits < PORTS || !waiting->last.refused)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u connections from %d ports left %u TIME_WAITs, so there is "
				   "nothing to reuse",
				   waiting->made, PORTS, waiting->time_waits);
	else if (!recovery->came)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "%u tries in %.0f ms, all EADDRNOTAVAIL, and no port came back "
				   "(tcp_timestamps=%ld; it takes timestamps)",
				   recovery->refused, delay_ms + PATIENCE_MS,
				   lai_host_get(trial, trial->client, TIMESTAMPS));
	else if (recovery->age_ms < delay_ms * PART_AT_ONCE)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "a port came back when its TIME_WAIT was %.1f ms old",
				   recovery->age_ms);
	else
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "%u times EADDRNOTAVAIL, until a port came back when its "
				   "TIME_WAIT was %.0f ms old (delay %.0f ms); with "
				   "tcp_tw_reuse=0 or 2, or without timestamps, %u of %d tries "
				   "succeeded",
				   recovery->refused, recovery->age_ms, delay_ms, others,
				   OTHER_TRIES);
}

static void control(struct lai_trial *trial)
{
	static struct waiting closed_by_server;
	char text[LAI_DIAL_TEXT_MAX];

	ports_use(trial, &closed_by_server, 2 * PORTS, lai_dial_close_second);
	lai_trial_control(trial, closed_by_server.made == 2 * PORTS,
			  "where the server closed first, and has the TIME_WAITs, %d ports made %u "
			  "connections at once; last: %s",
			  PORTS, closed_by_server.made,
			  lai_dial_try_text(text, &closed_by_server.last));
}

static void run(struct lai_trial *trial)
{
	static const long other_modes[] = {0, 2}, all_modes[] = {0, 2, 1};
	static struct waiting with, without;
	double delay_ms = (double)lai_dial_reuse_delay_ms(trial);
	long found = lai_host_get(trial, trial->client, TIMESTAMPS);
	struct recovery recovery;
	unsigned others;

	lai_dial_range(trial, lai_trial_port(trial, 10000, 60000), PORTS);
	lai_host_set_number(trial, trial->client, TW_REUSE, 0);
	control(trial);
	lai_host_set_number(trial, trial->client, TIMESTAMPS, 0);
	ports_use(trial, &without, PORTS + 1, lai_dial_close_first);
	lai_host_set_number(trial, trial->client, TIMESTAMPS, found);
	if (!lai_host_has(trial, trial->client, TW_REUSE_DELAY))
		second_begin(trial);
	ports_use(trial, &with, PORTS + 1, lai_dial_close_first);
	recovery = recovery_await(trial, &with, delay_ms);
	others = modes_try(trial, &with, other_modes, 2, "after that");
	others += modes_try(trial, &without, all_modes, 3, "after that, without timestamps");
	lai_trial_number(trial, "recovered", "ms", recovery.age_ms);
	lai_trial_number(trial, "delay", "ms", delay_ms);
	lai_trial_number(trial, "other_modes", "connections", others);
	conclude(trial, &with, delay_ms, &recovery, others);
}

const struct lai_claim lai_claim_tw_reuse_at_once = {
	.id = "tw-reuse-at-once",
	.claim = "With net.ipv4.tcp_tw_reuse=1 a port in TIME_WAIT can be used again at once.",
	.said = "Tuning guides against \"Cannot assign requested address\", and answers like those to "
		"Stack Overflow question 6426253, as a setting that makes TIME_WAIT harmless",
	.decides = "tcp_twsk_unique() in net/ipv4/tcp_ipv4.c: an automatic port is taken out of "
		   "TIME_WAIT only if the old connection had timestamps and the TIME_WAIT is older "
		   "than tcp_tw_reuse_delay (before Linux 6.14: a clock of seconds has ticked "
		   "since, before 4.19 twice). RFC 6191 section 2",
	.setup = "Client and server on one wire, a range of 10 automatic ports at the client; "
		 "tcp_tw_reuse is 0, then 1, then 0, 2 and 1",
	.procedure =
		"Connect from all ports and close at the client first, with timestamps and, to "
		"another listener, without them. With tcp_tw_reuse=1 try every millisecond "
		"until a port comes back, and see how old its TIME_WAIT was; then try the "
		"other modes.",
	.outcome =
		"EADDRNOTAVAIL until a TIME_WAIT is 1 s old (before Linux 6.14 until the next tick "
		"of a second, 0 to 1 s later; before 4.19 the one after it, 1 to 2 s); with 0, "
		"with 2 (loopback only, the default) and without timestamps "
		"none comes back in that time.",
	.control =
		"Where the server closes first, so that the client has no TIME_WAIT, the same ports "
		"must be usable again at once.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
