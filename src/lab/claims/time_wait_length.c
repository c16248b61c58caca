/* SPDX-License-Identifier: MIT */
/*
 * time_wait_length.c - how long TIME_WAIT lasts, and what of the sysctls changes it.
 *
 * Nobody waits for its end: the kernel tells what is left on the timer. One reading right after
 * the close is the whole length; more of them, later, have to fall as fast as the clock goes, or
 * else the first was not to be believed.
 */
#include "lab/claim.h"
#include "lab/gauge.h"
#include "lab/trial.h"

#include <math.h>
#include <unistd.h>

#define LENGTH_S_CLAIMED 120.0 /* with the lesser MSL that people take, 60 s */
/* From the close to the reading of the timer on a busy host, and a tick of the kernel's. */
#define SLACK_S 2.0
#define SLOPE_SLACK 0.2

/* Within this the timer and the clock were read at the same time, a tick of the kernel's (1 to
   10 ms) being what the timer is exact to. */
#define READ_NS_MAX (10 * LAI_MS)
#define READ_TRIES 20

#define READINGS 8
#define READING_EVERY_NS (60 * LAI_MS)

/* What people turn, and to what: each far from its default, so that an effect would be seen. */
static const struct setting {
	const char *name;
	long value;
} settings[] = {
	{"net.ipv4.tcp_fin_timeout", 5},     {"net.ipv4.tcp_max_tw_buckets", 1000},
	{"net.ipv4.tcp_tw_reuse", 1},	     {"net.ipv4.tcp_tw_reuse_delay", 100},
	{"net.ipv4.tcp_rfc1337", 1},	     {"net.ipv4.tcp_keepalive_time", 5},
	{"net.ipv4.tcp_keepalive_intvl", 1}, {"net.ipv4.tcp_keepalive_probes", 1},
	{"net.ipv4.tcp_orphan_retries", 1},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))
#define FIN_TIMEOUT (&settings[0])
#define MAX_TW_BUCKETS (&settings[1])

struct reading {
	double at_s, left_s;
};

/* False: there is no such entry. Reads again if we were held up between timer and clock. */
static bool entry_read(struct lai_trial *trial, const struct lai_ends *ends,
		       enum lai_tcp_state state, struct reading *reading)
{
	struct lai_socket_fact fact;
	uint64_t began_ns, took_ns;
	int tries = 0;

	do {
		began_ns = lai_clock_now();
		if (!lai_gauge_find(trial, trial->client, ends, &fact) || fact.state != state)
			return false;
		took_ns = lai_time_since(began_ns, lai_clock_now());
	} while (took_ns > READ_NS_MAX && ++tries < READ_TRIES);
	*reading = (struct reading){.at_s = (double)(began_ns + took_ns / 2) / (double)LAI_S,
				    .left_s = fact.timer_ms / 1000.0};
	return true;
}

/* The client closes first; its end, in TIME_WAIT if this kernel keeps any. */
static struct lai_ends close_orderly(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct lai_ends at_server = pair.at_server;

	(void)close(pair.client);
	pair.client = -1;
	lai_gauge_need(trial, trial->server, &at_server, LAI_TCP_CLOSE_WAIT);
	lai_pair_close(&pair);
	lai_gauge_need(trial, trial->server, &at_server, LAI_TCP_NONE);
	return pair.at_client;
}

/* The whole length of a new TIME_WAIT, in seconds; NaN: there was none. */
static double length_now(struct lai_trial *trial)
{
	struct lai_ends ends = close_orderly(trial);
	struct reading reading;

	return entry_read(trial, &ends, LAI_TCP_TIME_WAIT, &reading) ? reading.left_s : NAN;
}

/* Seconds of the timer that go by in a second of the clock. */
static double slope_measure(struct lai_trial *trial, const struct lai_ends *ends)
{
	uint32_t series =
		lai_trial_series(trial, "TIME_WAIT", "seconds since the close", "timer, s left");
	struct reading first = {0}, last = {0};

	for (int i = 0; i < READINGS; i++) {
		if (!entry_read(trial, ends, LAI_TCP_TIME_WAIT, &last))
			lai_trial_fail(trial, "the entry in TIME_WAIT went away while it was read");
		if (i == 0)
			first = last;
		lai_trial_point(trial, series, last.at_s - first.at_s, last.left_s);
		lai_trial_pass(trial, READING_EVERY_NS);
	}
	lai_trial_say(trial, "timer %.3f s, and %.3f s later %.3f s", first.left_s,
		      last.at_s - first.at_s, last.left_s);
	return (first.left_s - last.left_s) / (last.at_s - first.at_s);
}

/* What the settings did to the length of a TIME_WAIT that began under them. */
struct effect {
	double moved_s; /* the most */
	size_t tried;
};

static struct effect settings_try(struct lai_trial *trial, double usual_s)
{
	struct effect effect = {0};

	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *setting = &settings[i];
		double length_s;
		long former;

		if (!lai_host_has(trial, trial->client, setting->name))
			continue;
		former = lai_host_get(trial, trial->client, setting->name);
		lai_host_set_number(trial, trial->client, setting->name, setting->value);
		length_s = length_now(trial);
		lai_host_set_number(trial, trial->client, setting->name, former);
		lai_trial_say(trial, "%s = %ld (was %ld): TIME_WAIT of %.3f s", setting->name,
			      setting->value, former, length_s);
		if (isnan(length_s))
			lai_trial_fail(trial, "with %s = %ld there is no TIME_WAIT", setting->name,
				       setting->value);
		effect.moved_s = fmax(effect.moved_s, fabs(length_s - usual_s));
		effect.tried++;
	}
	return effect;
}

/* The timer of a FIN_WAIT2 whose program has gone, under tcp_fin_timeout as it is now. */
static double orphan_now(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct reading reading;

	(void)close(pair.client);
	pair.client = -1;
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT2);
	if (!entry_read(trial, &pair.at_client, LAI_TCP_FIN_WAIT2, &reading))
		lai_trial_fail(trial, "the orphan in FIN_WAIT2 went away while it was read");
	lai_pair_close(&pair);
	return reading.left_s;
}

static void control_try(struct lai_trial *trial)
{
	long former = lai_host_get(trial, trial->client, FIN_TIMEOUT->name);
	double left_s[2];

	for (int i = 0; i < 2; i++) {
		long value = FIN_TIMEOUT->value << (2 * i); /* four times as long */

		lai_host_set_number(trial, trial->client, FIN_TIMEOUT->name, value);
		left_s[i] = orphan_now(trial);
		lai_trial_say(trial, "%s = %ld: FIN_WAIT2 without a program has %.3f s left",
			      FIN_TIMEOUT->name, value, left_s[i]);
	}
	lai_host_set_number(trial, trial->client, FIN_TIMEOUT->name, former);
	lai_trial_control(trial,
			  fabs(left_s[0] - (double)FIN_TIMEOUT->value) < SLACK_S &&
				  fabs(left_s[1] - 4.0 * (double)FIN_TIMEOUT->value) < SLACK_S,
			  "tcp_fin_timeout does set the end of a FIN_WAIT2 that its program has "
			  "closed: %.1f s with %ld, %.1f s with %ld",
			  left_s[0], FIN_TIMEOUT->value, left_s[1], 4 * FIN_TIMEOUT->value);
}

/* tcp_fin_timeout lowered while an entry is there already: what is left of it afterwards. */
static double existing_try(struct lai_trial *trial, const struct lai_ends *ends)
{
	long former = lai_host_get(trial, trial->client, FIN_TIMEOUT->name);
	struct reading reading;

	lai_host_set_number(trial, trial->client, FIN_TIMEOUT->name, FIN_TIMEOUT->value);
	if (!entry_read(trial, ends, LAI_TCP_TIME_WAIT, &reading))
		lai_trial_fail(trial, "the entry in TIME_WAIT went away with tcp_fin_timeout");
	lai_host_set_number(trial, trial->client, FIN_TIMEOUT->name, former);
	lai_trial_say(trial, "%s = %ld: %.3f s left of the entry that was there before",
		      FIN_TIMEOUT->name, FIN_TIMEOUT->value, reading.left_s);
	return reading.left_s;
}

static void conclude(struct lai_trial *trial, double length_s, double slope,
		     const struct effect *effect)
{
	bool constant = effect->moved_s < SLACK_S;
	bool as_long = fabs(length_s - LENGTH_S_CLAIMED) < SLACK_S ||
		       fabs(length_s - 2 * LENGTH_S_CLAIMED) < SLACK_S;

	lai_trial_number(trial, "TIME_WAIT", "s", length_s);
	lai_trial_number(trial, "timer per clock", "s/s", slope);
	lai_trial_number(trial, "moved by settings", "s", effect->moved_s);
	if (fabs(slope - 1.0) > SLOPE_SLACK)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "the timer falls %.2f s in a second, so it cannot be read for "
				   "the length",
				   slope);
	else if (constant && !as_long)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"%.1f s, neither 240 nor 120; with tcp_fin_timeout and %zu other "
			"settings changed it moved by %.2f s at most",
			length_s, effect->tried - 1, effect->moved_s);
	else if (as_long && !constant)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%.1f s, and the settings moved it by %.1f s", length_s,
				   effect->moved_s);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "one half of the claim alone: %.1f s here, and the settings "
				   "moved it by %.1f s",
				   length_s, effect->moved_s);
}

/* This kernel was told to keep no TIME_WAIT: what it does when it may. */
static void none_kept(struct lai_trial *trial)
{
	const struct setting *buckets = MAX_TW_BUCKETS;
	long former = lai_host_get(trial, trial->client, buckets->name);
	double length_s;

	lai_host_set_number(trial, trial->client, buckets->name, buckets->value);
	length_s = length_now(trial);
	lai_host_set_number(trial, trial->client, buckets->name, former);
	lai_trial_control(trial, !isnan(length_s),
			  "with tcp_max_tw_buckets = %ld there is a TIME_WAIT, of %.1f s",
			  buckets->value, length_s);
	lai_trial_conclude(
		trial, LAI_LAB_INCONCLUSIVE,
		"with tcp_max_tw_buckets = %ld the end that closed first is in no table "
		"at all: there is no TIME_WAIT whose length could be read; where there is "
		"one it is %.1f s",
		former, length_s);
}

static void run(struct lai_trial *trial)
{
	struct lai_ends ends = close_orderly(trial);
	struct reading reading;
	struct effect effect;
	double slope, left_s;

	if (!entry_read(trial, &ends, LAI_TCP_TIME_WAIT, &reading)) {
		none_kept(trial);
		return;
	}
	control_try(trial);
	slope = slope_measure(trial, &ends);
	left_s = existing_try(trial, &ends);
	effect = settings_try(trial, reading.left_s);
	/* An entry that tcp_fin_timeout reached afterwards would have 5 s left. */
	if (left_s < reading.left_s / 2)
		effect.moved_s = fmax(effect.moved_s, reading.left_s - left_s);
	conclude(trial, reading.left_s, slope, &effect);
}

const struct lai_claim lai_claim_time_wait_length = {
	.id = "time-wait-length",
	.claim = "TIME_WAIT lasts 2 MSL, which is 240 seconds (or 120), and tcp_fin_timeout makes "
		 "it shorter.",
	.said = "RFC 9293 3.4.2 and 3.6.1 (2 MSL, MSL being 2 minutes); tuning guides that lower "
		"tcp_fin_timeout to \"decrease TIME_WAIT seconds\" (nbari.com/time-wait, "
		"jimzhao.us)",
	.decides = "RFC 9293 3.6.1; TCP_TIMEWAIT_LEN in include/net/tcp.h, used by tcp_time_wait() "
		   "in net/ipv4/tcp_minisocks.c",
	.setup = "client ---- server; kernel defaults",
	.procedure =
		"The client closes first, the server second. The client's TIME_WAIT timer is read "
		"at once, and again while half a second goes by. Then the same with nine settings "
		"changed (those that this kernel has), one at a time, each with a new connection; "
		"tcp_fin_timeout also while an entry is there.",
	.outcome = "60 seconds, a constant in the kernel's source, as if MSL were 30 s. No setting "
		   "changes it; tcp_fin_timeout ends FIN_WAIT2 of a closed socket.",
	.control = "tcp_fin_timeout must change what it is for: the timer of a FIN_WAIT2 whose "
		   "program has closed it.",
	.shortened =
		"the 60 seconds are read from the kernel's timer (sock_diag), which has to fall "
		"as fast as the clock goes",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
