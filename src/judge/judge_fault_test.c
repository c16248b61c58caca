/* SPDX-License-Identifier: MIT */
/* judge_fault_test.c - each allocation fails once: -ENOMEM, nothing is lost, nothing is written. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../tests/fault/faulty_heap.h"
#include "judge/t_random.h"

#define SOCKETS 20
#define SEEDS 10
#define FAULTS_MAX 10000

/* False: the fault lay beyond the last allocation. */
static bool judge_with_fault(const struct t_snapshot *now, const struct t_snapshot *before,
			     unsigned nth)
{
	struct lai_findings findings = {.count = 77};
	int live = atomic_load(&t_heap_live), error;
	bool happened;

	t_heap_arm(nth);
	error = lai_judge(&now->snapshot, &before->snapshot, &findings);
	happened = t_heap_disarm();
	if (error) {
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(findings.count, 77);
	} else {
		/* qsort() does without memory as well. */
		lai_findings_done(&findings);
	}
	/* The sanitizer does not let reallocarray() be counted, and finds leaks itself. */
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(atomic_load(&t_heap_live), live);
#else
	(void)live;
#endif
	return happened;
}

static void test_faults(void **state)
{
	unsigned faults = 0;

	(void)state;
	if (!t_heap_works())
		skip();
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct t_source source = {.random = {seed}};
		struct t_snapshot now = t_draw_snapshot(&source, SOCKETS);
		struct t_snapshot before = t_draw_before(&source, &now);
		unsigned nth = 1;

		while (judge_with_fault(&now, &before, nth)) {
			nth++;
			assert_in_range(nth, 1, FAULTS_MAX);
		}
		faults += nth;
		t_snapshot_done(&before);
		t_snapshot_done(&now);
	}
	assert_true(faults > SEEDS * 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "each allocation fails once", .test_func = test_faults},
	};

	return cmocka_run_group_tests_name("judge.fault", tests, NULL, NULL);
}
