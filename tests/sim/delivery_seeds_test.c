/* SPDX-License-Identifier: MIT */
/*
 * Acknowledged delivery, one seed, one world: senders with spools, servers with stores, disks that
 * tear, lie, fill up and fail, hosts that lose power, foreign brokers that answer in any order; and
 * the invariants of delivery_book.h. The first run that breaks one is made small and shown.
 *
 *	SEEDS=100000 delivery_seeds_test     how many (default 4000), from FIRST= on (default 1)
 *	MINUTES=10 delivery_seeds_test       for so long instead
 *	SEED=77 delivery_seeds_test          that one, told event by event; TRACE=1: and every segment
 *	SEED=77 FAULTS='...' BYTES=n         with this schedule instead, and so many records
 *	KEEP_GOING=1                         one line for each seed that fails, no shrinking
 */
#include "../support/delivery_world.h"
#include "../support/shrink.h"

#include <assert.h> /* whose __assert_fail() is here */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__ /* some times slower */
#define SEEDS_DEFAULT 500u
#else
#define SEEDS_DEFAULT 4000u
#endif
#define TWICE_EVERY 64u	    /* so many seeds apart, one is run again and must be the same */
#define HANG_S 30	    /* processor time after which one run counts as hanging */
#define COVERED_SEEDS 1000u /* from so many on, every fault must have come up */
#define SHORTEST_NS LAI_MS

struct totals {
	uint64_t seeds, turns, faults, time_ns, restarts, owed, excused;
	uint64_t by_fault[T_DELIVERY_FAULT_COUNT];
	enum t_delivery_invariant broken;
	uint64_t failed;
};

static struct t_delivery_world world;
static char directory[] = "/tmp/lastack-delivery.XXXXXX";
static sigjmp_buf assertion;
static char assertion_text[256];

/* ---- one run ----------------------------------------------------------------------------- */

/* Takes the place of libc's: a broken assertion is one more way to fail, and can be shrunk. */
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
	snprintf(assertion_text, sizeof(assertion_text), "%s:%u: %s(): assertion '%s' fails", file,
		 line, function, expression);
	siglongjmp(assertion, 1);
}

static void run_log(const struct t_delivery_plan *plan, FILE *log, bool trace)
{
	/* What the world had allocated is given up then: nobody knows what state it is in. */
	if (sigsetjmp(assertion, 0)) {
		world.book.broken = T_DELIVERY_SOUND;
		memcpy(world.book.sentence, assertion_text, sizeof(world.book.sentence));
		return;
	}
	if (t_delivery_world_run(&world, plan, directory, log, trace) != 0) {
		world.book.broken = T_DELIVERY_SOUND;
		snprintf(world.book.sentence, sizeof(world.book.sentence),
			 "the plan cannot be carried out");
	}
}

/* The run once more, which must end with the same hash. */
static void run_again(const struct t_delivery_plan *plan)
{
	uint64_t hash = world.hash, turns = world.turns;

	run_log(plan, NULL, false);
	if (world.book.broken == T_DELIVERY_INVARIANT_COUNT &&
	    (world.hash != hash || world.turns != turns))
		t_book_break(&world.book, T_DELIVERY_SOUND, "the same seed gave another run");
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

/* ---- making a plan smaller ----------------------------------------------------------------- */

static unsigned fault_count(const void *plan)
{
	return ((const struct t_delivery_plan *)plan)->fault_count;
}

static void drop_faults(void *smaller, unsigned from, unsigned dropped)
{
	struct t_delivery_plan *plan = smaller;
	unsigned rest = plan->fault_count - from - dropped;

	memmove(&plan->faults[from], &plan->faults[from + dropped], rest * sizeof(plan->faults[0]));
	plan->fault_count -= dropped;
}

static bool shorten_fault(void *smaller, unsigned fault)
{
	struct t_delivery_plan *plan = smaller;

	plan->faults[fault].duration_ns /= 2;
	return plan->faults[fault].duration_ns > SHORTEST_NS;
}

static bool lessen_work(void *smaller)
{
	struct t_delivery_plan *plan = smaller;
	bool less = false;

	for (unsigned i = 0; i < plan->senders; i++) {
		less = less || plan->work[i].records > 1;
		plan->work[i].records = (plan->work[i].records + 1) / 2;
	}
	return less;
}

static bool fails(void *broken, const void *plan)
{
	run_log(plan, NULL, false);
	return world.book.broken == *(const enum t_delivery_invariant *)broken;
}

/* ---- telling ----------------------------------------------------------------------------- */

static const char *program_name;

static unsigned most_records(const struct t_delivery_plan *plan)
{
	unsigned most = 0;

	for (unsigned i = 0; i < plan->senders; i++)
		most = plan->work[i].records > most ? plan->work[i].records : most;
	return most;
}

static void show_failure(struct t_delivery_plan *plan)
{
	enum t_delivery_invariant broken = world.book.broken;
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

	printf("# seed %" PRIu64 " breaks %s after %.4f s: %s\n", plan->seed,
	       t_delivery_invariant_name(broken), (double)world.time_ns / 1e9, world.book.sentence);
	(void)fflush(stdout);
	runs = t_shrink(&kind, plan);
	printf("# shrunk in %u runs from %u faults to %u:\n", runs, before, plan->fault_count);
	t_delivery_plan_print(plan, "#   ", stdout);
	printf("# then: %s: %s\n", t_delivery_invariant_name(world.book.broken),
	       world.book.sentence);
	printf("# schedule: SEED=%" PRIu64 " BYTES=%u FAULTS='", plan->seed, most_records(plan));
	t_delivery_plan_print_faults(plan, stdout);
	printf("' %s\n", program_name);
}

static void count(struct totals *totals, const struct t_delivery_plan *plan)
{
	totals->seeds++;
	totals->turns += world.turns;
	totals->faults += world.faults;
	totals->time_ns += world.time_ns;
	totals->restarts += world.restarts;
	totals->owed += world.owed;
	totals->excused += world.excused;
	for (unsigned i = 0; i < plan->fault_count; i++)
		totals->by_fault[plan->faults[i].kind] += world.phases[i] != T_AHEAD;
}

static int show_totals(const struct totals *totals)
{
	unsigned missing = 0, number = T_DELIVERY_INVARIANT_COUNT + 1;

	printf("# faults:");
	for (unsigned i = 0; i < T_DELIVERY_FAULT_COUNT; i++) {
		printf(" %s %" PRIu64, t_delivery_fault_name((enum t_delivery_fault_kind)i),
		       totals->by_fault[i]);
		missing += totals->by_fault[i] == 0;
	}
	printf("\n# %" PRIu64 " seeds, %" PRIu64 " turns, %" PRIu64 " faults, %" PRIu64
	       " starts, %" PRIu64 " records promised and kept, %" PRIu64
	       " excused, %.1f days of virtual time, %.1f s of processor time\n",
	       totals->seeds, totals->turns, totals->faults, totals->restarts, totals->owed,
	       totals->excused, (double)totals->time_ns / 1e9 / 86400,
	       (double)clock() / CLOCKS_PER_SEC);
	for (unsigned i = 0; i < T_DELIVERY_INVARIANT_COUNT; i++)
		printf("%sok %u - %s: %s\n", totals->broken == i ? "not " : "", i + 1,
		       t_delivery_invariant_name((enum t_delivery_invariant)i),
		       t_delivery_invariant_sentence((enum t_delivery_invariant)i));
	if (totals->seeds < COVERED_SEEDS)
		printf("ok %u - every fault came up # SKIP too few seeds\n", number);
	else
		printf("%sok %u - every fault came up\n", missing ? "not " : "", number);
	return totals->broken != T_DELIVERY_INVARIANT_COUNT ||
	       (totals->seeds >= COVERED_SEEDS && missing);
}

/* ---- settings ---------------------------------------------------------------------------- */

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void plan_adjust(struct t_delivery_plan *plan)
{
	uint64_t records = environment("BYTES", T_DELIVERY_RECORDS);
	const char *faults = getenv("FAULTS");

	for (unsigned i = 0; i < plan->senders; i++)
		if (plan->work[i].records > records)
			plan->work[i].records = (unsigned)records;
	if (faults && t_delivery_plan_parse_faults(plan, faults) != 0) {
		printf("Bail out! FAULTS is not a schedule\n");
		exit(2);
	}
}

/* One seed, told in full. */
static int tell(uint64_t seed)
{
	struct t_delivery_plan plan;

	t_delivery_plan_draw(&plan, seed);
	plan_adjust(&plan);
	printf("1..1\n# seed %" PRIu64 "\n", seed);
	t_delivery_plan_print(&plan, "#   ", stdout);
	run_log(&plan, stdout, getenv("TRACE") != NULL);
	if (world.book.broken == T_DELIVERY_INVARIANT_COUNT) {
		printf("ok 1 - seed %" PRIu64 " breaks nothing\n", seed);
		return 0;
	}
	printf("not ok 1 - %s: %s\n", t_delivery_invariant_name(world.book.broken),
	       t_delivery_invariant_sentence(world.book.broken));
	show_failure(&plan);
	return 1;
}

/* True: go on. */
static bool one(struct totals *totals, uint64_t seed, bool keep_going)
{
	struct t_delivery_plan plan;

	t_delivery_plan_draw(&plan, seed);
	watch_for_hang(seed);
	run_log(&plan, NULL, false);
	count(totals, &plan);
	if (world.book.broken == T_DELIVERY_INVARIANT_COUNT && seed % TWICE_EVERY == 0)
		run_again(&plan);
	if (world.book.broken == T_DELIVERY_INVARIANT_COUNT)
		return true;
	totals->broken = world.book.broken;
	totals->failed++;
	if (!keep_going) {
		show_failure(&plan);
		return false;
	}
	printf("# seed %" PRIu64 ": %s: %s\n", seed, t_delivery_invariant_name(world.book.broken),
	       world.book.sentence);
	return true;
}

static uint64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static int many(void)
{
	struct totals totals = {.broken = T_DELIVERY_INVARIANT_COUNT};
	uint64_t minutes = environment("MINUTES", 0), seed = environment("FIRST", 1),
		 begin_s = now_s();
	uint64_t last = minutes ? UINT64_MAX : seed + environment("SEEDS", SEEDS_DEFAULT) - 1;
	bool keep_going = environment("KEEP_GOING", 0) != 0;

	printf("1..%d\n", T_DELIVERY_INVARIANT_COUNT + 1);
	while (seed <= last && one(&totals, seed, keep_going))
		if (seed++ % 128 == 0 && minutes && now_s() - begin_s >= minutes * 60)
			break;
	return show_totals(&totals);
}

/* After a broken assertion the files of users are still there. */
static void remove_directory(void)
{
	char path[sizeof(directory) + 16];

	for (unsigned i = 0; i < T_DELIVERY_SERVERS; i++) {
		snprintf(path, sizeof(path), "%s/users%u", directory, i);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

int main(int argc, char **argv)
{
	int exit_code;

	program_name = argc > 0 ? argv[0] : "delivery_seeds_test";
	(void)signal(SIGPROF, on_hang);
	if (!mkdtemp(directory)) {
		printf("Bail out! no directory in /tmp\n");
		return 1;
	}
	exit_code = getenv("SEED") ? tell(environment("SEED", 0)) : many();
	remove_directory();
	return exit_code;
}
