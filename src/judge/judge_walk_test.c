/* SPDX-License-Identifier: MIT */
/* judge_walk_test.c - any well-formed snapshot is judged, and what must always hold, holds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "judge/t_random.h"

#define SEEDS 1000
#define SOCKETS_MAX 24

static void walk(uint64_t seed, uint32_t *found)
{
	struct t_source source = {.random = {seed}};
	struct t_snapshot now = t_draw_snapshot(&source, t_draw(&source, SOCKETS_MAX)), before;
	struct lai_findings findings;

	t_judge_any(&source, &now, NULL);
	before = t_draw_before(&source, &now);
	t_judge_any(&source, &now, &before);
	assert_int_equal(lai_judge(&now.snapshot, &before.snapshot, &findings), 0);
	for (size_t i = 0; i < findings.count; i++)
		found[findings.list[i].verdict]++;
	lai_findings_done(&findings);
	t_snapshot_done(&before);
	t_snapshot_done(&now);
}

static void test_seeds(void **state)
{
	uint32_t found[LAI_VERDICT_COUNT] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		walk(seed, found);
	/* The walk has been everywhere, or it would prove nothing. */
	for (unsigned verdict = 0; verdict < LAI_VERDICT_COUNT; verdict++) {
		if (verdict == LAI_VERDICT_DATA_DESTROYED ||
		    verdict == LAI_VERDICT_TIME_WAIT_HARMLESS)
			continue;
		if (found[verdict] == 0)
			fail_msg("no snapshot had %s", lai_verdict_name(verdict));
	}
}

/* 20,000 suspects of one process, and 10,000 findings: nothing is quadratic. */
static void test_many(void **state)
{
	struct t_source source = {.random = {1}};
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_loop(&t, 10, 4);
	for (uint32_t i = 0; i < 20000; i++)
		t_accepted(&t, LAI_TCP_CLOSE_WAIT, 10, 10 + i);
	for (pid_t pid = 1000; pid < 11000; pid++) {
		t_process(&t, pid, 1, "many");
		t_accepted(&t, LAI_TCP_CLOSE_WAIT, pid, 3);
	}
	(void)t_snapshot_ready(&t);
	t_judge_any(&source, &t, NULL);
	t_snapshot_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "any snapshot: one verdict each, the same whatever the order",
		 .test_func = test_seeds},
		{.name = "20,000 suspects and 10,000 findings", .test_func = test_many},
	};

	return cmocka_run_group_tests_name("judge.walk", tests, NULL, NULL);
}
