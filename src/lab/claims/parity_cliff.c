/* SPDX-License-Identifier: MIT */
/*
 * parity_cliff.c - connect() looks through all ports of one parity before it looks at the first of
 * the other: from half of the range on, each connect() passes half of the range in vain.
 *
 *	time of one connect()
 *	  |                 .................   all used ports of the first parity, each time
 *	  |                 :
 *	  |.................:                   the next port is free
 *	  +-----------------+----------------   connections to one destination
 *	  0               half              all
 *
 * The time is that of the processor, so that other processes do not matter, and what decides is the
 * relation of the two levels.
 */
#include "lab/claims/shared_dial.h"
#include "lab/statistics.h"

#include <unistd.h>

/* As many ports as make the jump plain (five times here), and as few as 4096 descriptors
   of an ordinary user allow. */
#define PORTS_MAX 2400
#define PORTS_MIN 1000
/* Descriptors that are not connections. */
#define FDS_OTHERS 96
/* So many curves, of which the median counts. */
#define REPEATS 3
/* Of the times: what disturbs a connect() makes it longer, so the lower quartile is steadier than
   the median. */
#define QUIET 0.25
/* Of so many connections one is drawn. */
#define POINT_EACH 8

/* What is a jump, and what is none. */
#define RATIO_JUMP 2.5
#define RATIO_LEVEL 2.0
/* Where it has to be. */
#define PLACE_MIN 0.45
#define PLACE_MAX 0.55

/* How the ports are chosen. */
enum choice { CHOICE_KERNEL, CHOICE_RANGE, CHOICE_EXPLICIT };

struct curve {
	size_t count;
	double microseconds[PORTS_MAX];
	double place;  /* of the jump, as a part of the curve */
	double ratio;  /* there */
	double halves; /* a quiet connect() of the second half by one of the first */
	struct lai_dial_try last;
};

/* So many ports as there are descriptors for, an even number. */
static uint16_t ports_afforded(struct lai_trial *trial)
{
	size_t allowed = lai_trial_descriptors(trial), afforded;

	if (allowed < PORTS_MIN + FDS_OTHERS)
		lai_trial_lacks(trial, "at most %zu descriptors are allowed; it takes %d", allowed,
				PORTS_MIN + FDS_OTHERS);
	afforded = allowed - FDS_OTHERS;
	return (uint16_t)(afforded < PORTS_MAX ? afforded & ~(size_t)1 : PORTS_MAX);
}

/* A quiet connect() behind the middle by one before it: near it, since machines have slow phases. */
static double halves(const struct curve *curve)
{
	static double before[PORTS_MAX], behind[PORTS_MAX];
	size_t part = curve->count / 5, gap = curve->count / 50;
	size_t middle = curve->count / 2;

	for (size_t i = 0; i < part; i++) {
		before[i] = curve->microseconds[middle - gap - part + i];
		behind[i] = curve->microseconds[middle + gap + i];
	}
	return lai_quantile(behind, part, QUIET) / lai_quantile(before, part, QUIET);
}

static void curve_draw(struct lai_trial *trial, const char *name, const struct curve *curve)
{
	uint32_t series = lai_trial_series(trial, name, "connections to one destination",
					   "processor time of connect() (us)");

	for (size_t i = 0; i < curve->count; i += POINT_EACH)
		lai_trial_point(trial, series, (double)i, curve->microseconds[i]);
}

static void curve_measure(struct lai_trial *trial, enum choice choice, uint16_t low, uint16_t ports,
			  struct curve *curve)
{
	static struct lai_dial_held held;
	struct lai_address from = lai_host_address(trial, trial->client, 0);
	struct lai_address to = lai_host_address(trial, trial->server, 0);
	struct lai_dial_way way = {0};
	int listener;

	listener = lai_dial_listen(trial, &to);
	if (choice == CHOICE_RANGE) {
		way.low = low;
		way.high = (uint16_t)(low + ports - 1);
	} else if (choice == CHOICE_EXPLICIT) {
		way.from = &from;
		way.reuse = true;
	}
	curve->count = 0;
	while (curve->count < ports) {
		if (choice == CHOICE_EXPLICIT)
			lai_address_set_port(&from, (uint16_t)(low + curve->count));
		if (lai_dial_hold(trial, &held, &way, &to, 1, &curve->last) == 0)
			break;
		curve->microseconds[curve->count++] = (double)curve->last.busy_ns / LAI_US;
	}
	lai_dial_drop(trial, &held);
	(void)close(listener);
	curve->place = (double)lai_changepoint(curve->microseconds, curve->count, &curve->ratio) /
		       (double)curve->count;
	curve->halves = halves(curve);
}

/* What several curves of one choice say: medians. */
struct level {
	double place[REPEATS], ratio[REPEATS], halves[REPEATS];
};

static void level_measure(struct lai_trial *trial, enum choice choice, uint16_t low, uint16_t ports,
			  unsigned repeat, struct level *level)
{
	static const char *const names[] = {"automatic port", "IP_LOCAL_PORT_RANGE",
					    "explicit port"};
	static struct curve curve;

	curve_measure(trial, choice, low, ports, &curve);
	lai_trial_say(trial,
		      "%s: %zu connections, behind the middle it takes %.1f times the time; the "
		      "largest step is %.1f times, at %.0f %%",
		      names[choice], curve.count, curve.halves, curve.ratio, curve.place * 100);
	if (curve.count < ports)
		lai_trial_fail(trial, "only %zu of %u ports gave a connection: %s", curve.count,
			       (unsigned)ports, lai_call_errno(curve.last.error));
	if (repeat == 0)
		curve_draw(trial, names[choice], &curve);
	level->place[repeat] = curve.place;
	level->ratio[repeat] = curve.ratio;
	level->halves[repeat] = curve.halves;
}

static void conclude(struct lai_trial *trial, double halves_ratio, double place, uint16_t ports)
{
	if (halves_ratio >= RATIO_JUMP && place > PLACE_MIN && place < PLACE_MAX)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "with %u ports connect() takes %.1f times the time from %.0f %% "
				   "of the range on",
				   (unsigned)ports, halves_ratio, place * 100);
	else if (halves_ratio < RATIO_LEVEL)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "connect() takes %.1f times the time behind the middle of %u "
				   "ports",
				   halves_ratio, (unsigned)ports);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "connect() takes %.1f times the time behind the middle of %u "
				   "ports, but the largest step is at %.0f %%",
				   halves_ratio, (unsigned)ports, place * 100);
}

static void run(struct lai_trial *trial)
{
	static struct level automatic, ranged, chosen;
	uint16_t ports = ports_afforded(trial);
	uint16_t low = lai_trial_port(trial, 10000, 50000);
	double jump, place, none;

	lai_dial_range(trial, low, ports);
	/* In turn, so that a slow phase of the machine does not meet one of them alone. */
	for (unsigned i = 0; i < REPEATS; i++) {
		level_measure(trial, CHOICE_KERNEL, low, ports, i, &automatic);
		level_measure(trial, CHOICE_EXPLICIT, low, ports, i, &chosen);
	}
	if (lai_dial_has_range(trial)) {
		level_measure(trial, CHOICE_RANGE, low, ports, 0, &ranged);
		lai_trial_number(trial, "behind_middle_local_range", "times", ranged.halves[0]);
	}
	jump = lai_median(automatic.halves, REPEATS);
	place = lai_median(automatic.place, REPEATS);
	none = lai_median(chosen.halves, REPEATS);
	lai_trial_number(trial, "behind_middle_automatic", "times", jump);
	lai_trial_number(trial, "step_automatic", "times", lai_median(automatic.ratio, REPEATS));
	lai_trial_number(trial, "step_at", "of the range", place);
	lai_trial_number(trial, "behind_middle_explicit", "times", none);
	lai_trial_control(trial, none < RATIO_LEVEL,
			  "with ports bound explicitly connect() takes %.1f times the time behind "
			  "the middle",
			  none);
	conclude(trial, jump, place, ports);
}

const struct lai_claim lai_claim_parity_cliff = {
	.id = "parity-cliff",
	.claim =
		"connect() to a busy destination becomes several times slower as soon as half of the "
		"automatic ports are in use.",
	.said = "Cloudflare's blog \"connect() - why are you so slow?\" (2024); haproxy/haproxy#2050"
		", where the processor's load jumped with the second parity",
	.decides =
		"__inet_hash_connect() in net/ipv4/inet_hashtables.c tries the ports in steps of "
		"two, all of one parity first (Linux 4.6, to leave the other parity to bind()); "
		"with IP_LOCAL_PORT_RANGE in steps of one (Linux 6.8). RFC 6056 section 3.3",
	.setup = "Client and server on one wire, a range of up to 2,400 automatic ports",
	.procedure =
		"Connect to one listener from all ports of the range, holding all connections, "
		"and measure the processor time of each connect(): three times with automatic "
		"ports and three times with ports bound explicitly one after the other, in turn, "
		"and once with IP_LOCAL_PORT_RANGE. The lower quartiles on both sides of "
		"the middle are compared, and the place of the largest step is looked for.",
	.outcome =
		"A step at 50 % of the range, to several times the time; it grows with the range.",
	.control = "With explicitly bound ports there must be no such step.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL},
		     {4, 6, LAI_LAB_CONFIRMED,
		      "connect() looks through all ports of one parity first"}},
	.lane = LAI_LANE_ALONE,
	.no_capture = true,
	.run = run,
};
