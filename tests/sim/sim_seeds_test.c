/* SPDX-License-Identifier: MIT */
/*
 * One seed, one world: random settings, random work, random faults, and the invariants of world.h
 * after every step. The first run that breaks one is made small and shown.
 *
 *	SEEDS=1000000 sim_seeds_test     how many (default 20000), from FIRST= on (default 1)
 *	MINUTES=10 sim_seeds_test        for so long instead
 *	SEED=77 sim_seeds_test           that one, told event by event; TRACE=1: and every segment
 *	SEED=77 FAULTS='...' BYTES=n     with this schedule instead, and so much work
 *	KEEP_GOING=1                     one line for each seed that fails, no shrinking
 */
#include "../support/shrink.h"
#include "../support/world.h"

#include <assert.h> /* whose __assert_fail() is here */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__ /* four times slower */
#define SEEDS_DEFAULT 5000u
#else
#define SEEDS_DEFAULT 20000u
#endif
#define TWICE_EVERY 64u /* so many seeds apart, one is run again and must be the same */
#define HANG_S 20	/* processor time after which one run counts as hanging */
#define COVERED_SEEDS                                                                              \
	5000u /* from so many on, every fault and nearly every cause must have come up */

struct totals {
	uint64_t seeds, steps, faults, time_ns, failed;
	uint64_t by_fault[T_FAULT_COUNT];
	uint64_t by_cause[LA_CAUSE_COUNT];
	enum t_invariant broken;
};

static struct t_world world;
static sigjmp_buf assertion;
static char assertion_text[T_SENTENCE_MAX];

/* ---- one run ----------------------------------------------------------------------------- */

/* Takes the place of libc's: a broken assertion is one more way to fail, and can be shrunk. */
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
	snprintf(assertion_text, sizeof(assertion_text), "%s:%u: %s(): assertion '%s' fails", file,
		 line, function, expression);
	siglongjmp(assertion, 1);
}

static void run_log(const struct t_plan *plan, FILE *log)
{
	/* What the world had allocated is given up then: nobody knows what state it is in. */
	if (sigsetjmp(assertion, 0)) {
		world.broken = T_SOUND;
		memcpy(world.sentence, assertion_text, sizeof(world.sentence));
		return;
	}
	if (t_world_run(&world, plan, log) != 0) {
		world.broken = T_SOUND;
		snprintf(world.sentence, sizeof(world.sentence), "the plan cannot be carried out");
	}
}


/* The run once more, which must end with the same hash. */
static void run_again(const struct t_plan *plan)
{
	uint64_t hash = world.hash, steps = world.steps;

	run_log(plan, NULL);
	if (world.broken == T_INVARIANT_COUNT && (world.hash != hash || world.steps != steps)) {
		world.broken = T_SOUND;
		snprintf(world.sentence, sizeof(world.sentence), "the same seed gave another run");
	}
}

/* ---- a run that hangs -------------------------------------------------------------------- */

static char hang_text[128]; /* made beforehand: a handler must not */

static void on_hang(int number)
{
	(void)number;
	(void)!write(STDOUT_FILENO, hang_text, strlen(hang_text));
	_exit(1);
}

static void watch_for_hang(uint64_t seed)
{
	const struct itimerval limit = {.it_value.tv_sec = HANG_S};

	snprintf(hang_text, sizeof(hang_text),
		 "not ok 1 - a run ends\n# seed %" PRIu64 " hangs within one step\n", seed);
	(void)setitimer(ITIMER_PROF, &limit, NULL);
}

/* ---- making a plan smaller ---------------------------------------------------------------- */

#define SHORTEST_NS LAI_MS

static unsigned fault_count(const void *plan)
{
	return ((const struct t_plan *)plan)->fault_count;
}

static void drop_faults(void *smaller, unsigned from, unsigned dropped)
{
	struct t_plan *plan = smaller;
	unsigned rest = plan->fault_count - from - dropped;

	memmove(&plan->faults[from], &plan->faults[from + dropped], rest * sizeof(plan->faults[0]));
	plan->fault_count -= dropped;
}

static bool shorten_fault(void *smaller, unsigned fault)
{
	struct t_plan *plan = smaller;

	plan->faults[fault].duration_ns /= 2;
	return plan->faults[fault].duration_ns > SHORTEST_NS;
}

static bool lessen_work(void *smaller)
{
	struct t_plan *plan = smaller;

	plan->work.bytes /= 2;
	return plan->work.bytes > 0;
}

static bool fails(void *broken, const void *plan)
{
	run_log(plan, NULL);
	return world.broken == *(const enum t_invariant *)broken;
}

/* ---- telling ----------------------------------------------------------------------------- */

static const char *program_name;

static void show_failure(struct t_plan *plan)
{
	enum t_invariant broken = world.broken;
	const struct t_shrink kind = {
		.plan_bytes = sizeof(*plan),
		.fault_count = fault_count,
		.drop = drop_faults,
		.shorten = shorten_fault,
		.lessen = lessen_work,
		.fails = fails,
		.arg = &broken,
	};
	unsigned before = plan->fault_count, runs;

	plan->trace = false;
	printf("# seed %" PRIu64 " breaks %s after %.4f s and %" PRIu64 " steps: %s\n", plan->seed,
	       t_invariant_name(broken), (double)world.time_ns / 1e9, world.steps, world.sentence);
	fflush(stdout);
	runs = t_shrink(&kind, plan);
	printf("# shrunk in %u runs from %u faults to %u:\n", runs, before, plan->fault_count);
	t_plan_print(plan, "#   ", stdout);
	printf("# then: %s: %s\n", t_invariant_name(world.broken), world.sentence);
	printf("# schedule: SEED=%" PRIu64 " BYTES=%" PRIu64 " FAULTS='", plan->seed,
	       plan->work.bytes);
	t_plan_print_faults(plan, stdout);
	printf("' %s\n", program_name);
}

static void count(struct totals *totals, const struct t_plan *plan)
{
	totals->seeds++;
	totals->steps += world.steps;
	totals->faults += world.faults;
	totals->time_ns += world.time_ns;
	for (unsigned i = 0; i < plan->fault_count; i++)
		totals->by_fault[plan->faults[i].kind] += world.phases[i] != T_FAULT_AHEAD;
	for (unsigned i = 0; i < LA_CAUSE_COUNT; i++)
		totals->by_cause[i] += world.reports[i];
}

/* These two need another program on the client's own host; deaths_test.c has them. */
/* Those behind ABORTED are of TLS and of stomp://: tests/sim/delivery_*. */
static bool cause_expected(unsigned cause)
{
	return cause <= LA_CAUSE_ABORTED && cause != LA_CAUSE_ALIVE && cause != LA_CAUSE_SELF_CONNECT &&
	       cause != LA_CAUSE_PORT_IN_USE;
}

static unsigned show_coverage(const struct totals *totals)
{
	unsigned missing = 0;

	printf("# faults:");
	for (unsigned i = 0; i < T_FAULT_COUNT; i++) {
		printf(" %s %" PRIu64, t_fault_name((enum t_fault_kind)i), totals->by_fault[i]);
		missing += totals->by_fault[i] == 0;
	}
	printf("\n# causes:");
	for (unsigned i = 1; i < LA_CAUSE_COUNT; i++) {
		printf(" %s %" PRIu64, la_cause_name((enum la_cause)i), totals->by_cause[i]);
		missing += cause_expected(i) && totals->by_cause[i] == 0;
	}
	printf("\n");
	return missing;
}

static int show_totals(const struct totals *totals)
{
	unsigned missing = show_coverage(totals), number = T_INVARIANT_COUNT + 1;

	printf("# %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64
	       " faults, %.1f days of virtual time, %.1f s of processor time\n",
	       totals->seeds, totals->steps, totals->faults, (double)totals->time_ns / 1e9 / 86400,
	       (double)clock() / CLOCKS_PER_SEC);
	for (unsigned i = 0; i < T_INVARIANT_COUNT; i++)
		printf("%sok %u - %s: %s\n", totals->broken == i ? "not " : "", i + 1,
		       t_invariant_name((enum t_invariant)i),
		       t_invariant_sentence((enum t_invariant)i));
	if (totals->seeds < COVERED_SEEDS)
		printf("ok %u - every fault and every cause came up # SKIP too few seeds\n",
		       number);
	else
		printf("%sok %u - every fault and every cause came up\n", missing ? "not " : "",
		       number);
	return totals->broken != T_INVARIANT_COUNT || (totals->seeds >= COVERED_SEEDS && missing);
}

/* ---- settings ---------------------------------------------------------------------------- */

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void plan_adjust(struct t_plan *plan)
{
	const char *faults = getenv("FAULTS");

	plan->work.bytes = environment("BYTES", plan->work.bytes);
	if (faults && t_plan_parse_faults(plan, faults) != 0) {
		printf("Bail out! FAULTS is not a schedule\n");
		exit(2);
	}
}

/* One seed, told in full. */
static int tell(uint64_t seed)
{
	struct t_plan plan;

	t_plan_draw(&plan, seed);
	plan_adjust(&plan);
	plan.trace = getenv("TRACE") != NULL;
	printf("1..1\n# seed %" PRIu64 "\n", seed);
	t_plan_print(&plan, "#   ", stdout);
	run_log(&plan, stdout);
	if (world.broken == T_INVARIANT_COUNT) {
		printf("ok 1 - seed %" PRIu64 " breaks nothing\n", seed);
		return 0;
	}
	printf("not ok 1 - %s: %s\n", t_invariant_name(world.broken),
	       t_invariant_sentence(world.broken));
	show_failure(&plan);
	return 1;
}

/* True: go on. */
static bool one(struct totals *totals, uint64_t seed, bool keep_going)
{
	struct t_plan plan;

	t_plan_draw(&plan, seed);
	watch_for_hang(seed);
	run_log(&plan, NULL);
	count(totals, &plan);
	if (world.broken == T_INVARIANT_COUNT && seed % TWICE_EVERY == 0)
		run_again(&plan);
	if (world.broken == T_INVARIANT_COUNT)
		return true;
	totals->broken = world.broken;
	totals->failed++;
	if (!keep_going) {
		show_failure(&plan);
		return false;
	}
	printf("# seed %" PRIu64 ": %s: %s\n", seed, t_invariant_name(world.broken),
	       world.sentence);
	return true;
}

static uint64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

int main(int argc, char **argv)
{
	struct totals totals = {.broken = T_INVARIANT_COUNT};
	uint64_t minutes = environment("MINUTES", 0), seed = environment("FIRST", 1),
		 begin_s = now_s();
	uint64_t last = minutes ? UINT64_MAX : seed + environment("SEEDS", SEEDS_DEFAULT) - 1;
	bool keep_going = environment("KEEP_GOING", 0) != 0;

	program_name = argc > 0 ? argv[0] : "sim_seeds_test";
	(void)signal(SIGPROF, on_hang);
	if (getenv("SEED"))
		return tell(environment("SEED", 0));
	printf("1..%d\n", T_INVARIANT_COUNT + 1);
	while (seed <= last && one(&totals, seed, keep_going))
		if (seed++ % 128 == 0 && minutes && now_s() - begin_s >= minutes * 60)
			break;
	return show_totals(&totals);
}
