/* SPDX-License-Identifier: MIT */
/* result_test.c - what a trial says arrives, bounded, and only complete experiments count. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/result.h"
#include "lab/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int trial_make(void **state)
{
	struct lai_trial *trial = calloc(1, sizeof(*trial));

	if (!trial)
		return -1;
	trial->result = mmap(NULL, sizeof(*trial->result), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trial->result == MAP_FAILED)
		return -1;
	trial->result->began_ns = lai_clock_read(CLOCK_REALTIME);
	*state = trial;
	return 0;
}

static int trial_free(void **state)
{
	struct lai_trial *trial = *state;

	(void)munmap(trial->result, sizeof(*trial->result));
	free(trial);
	return 0;
}

static void test_verdict_table(void **state)
{
	static const struct {
		enum lai_lab_verdict said, verdict;
		enum lai_result_control control;
		bool ended;
		const char *why;
	} rows[] = {
		{LAI_LAB_CONFIRMED, LAI_LAB_CONFIRMED, LAI_CONTROL_HELD, true, "words"},
		{LAI_LAB_REFUTED, LAI_LAB_REFUTED, LAI_CONTROL_HELD, true, "words"},
		{LAI_LAB_DEPENDS, LAI_LAB_DEPENDS, LAI_CONTROL_HELD, true, "words"},
		{LAI_LAB_CONFIRMED, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_FAILED, true, "control"},
		{LAI_LAB_REFUTED, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_NONE, true, NULL},
		{LAI_LAB_CONFIRMED, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_HELD, false, NULL},
		{LAI_LAB_NONE, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_HELD, true, NULL},
		{LAI_LAB_NONE, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_NONE, false, NULL},
		{LAI_LAB_INCONCLUSIVE, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_NONE, true, "words"},
		{LAI_LAB_INCONCLUSIVE, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_HELD, true, "words"},
		{LAI_LAB_INCONCLUSIVE, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_HELD, false, "words"},
		{LAI_LAB_LACKS, LAI_LAB_LACKS, LAI_CONTROL_NONE, true, "words"},
		{LAI_LAB_LACKS, LAI_LAB_LACKS, LAI_CONTROL_FAILED, true, "words"},
		{LAI_LAB_VERDICT_COUNT, LAI_LAB_INCONCLUSIVE, LAI_CONTROL_HELD, true, NULL},
	};
	struct lai_trial *trial = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lai_result *result = trial->result;
		const char *why = NULL;

		memset(result, 0, sizeof(*result));
		result->said = rows[i].said;
		result->control = rows[i].control;
		result->ended_ns = rows[i].ended;
		strcpy(result->words, "words");
		strcpy(result->control_words, "control");
		assert_int_equal(lai_result_verdict(result, &why), rows[i].verdict);
		assert_non_null(why);
		if (rows[i].why)
			assert_string_equal(why, rows[i].why);
		else
			assert_true(strlen(why) > 0 && strcmp(why, "words") != 0);
	}
}

static void test_evidence_is_lines(void **state)
{
	struct lai_trial *trial = *state;
	struct lai_result *result = trial->result;
	unsigned lines = 0;

	lai_trial_say(trial, "one %d\ntwo\n", 1);
	assert_non_null(strstr(result->evidence, "  one 1 two\n"));
	assert_int_equal(result->evidence_bytes, strlen(result->evidence));
	lai_trial_say(trial, "%01500d", 0);
	assert_non_null(strstr(result->evidence, "000...\n"));
	for (const char *at = result->evidence; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 2);
}

static void test_evidence_is_bounded(void **state)
{
	struct lai_trial *trial = *state;
	struct lai_result *result = trial->result;
	uint32_t kept;

	for (unsigned i = 0; result->dropped == 0 && i < LAI_RESULT_EVIDENCE_MAX; i++)
		lai_trial_say(trial, "line %u of many", i);
	kept = result->evidence_bytes;
	assert_int_equal(result->dropped, 1);
	assert_int_equal(kept, strlen(result->evidence));
	assert_int_equal(result->evidence[kept - 1], '\n');
	lai_trial_say(trial, "line %u of many", 1000000);
	assert_int_equal(result->dropped, 2);
	assert_int_equal(result->evidence_bytes, kept);
}

static void test_numbers_are_bounded(void **state)
{
	struct lai_trial *trial = *state;
	struct lai_result *result = trial->result;

	for (unsigned i = 0; i < LAI_RESULT_NUMBERS_MAX + 3; i++) {
		char name[80];

		(void)snprintf(name, sizeof(name),
			       "%u name that is much longer than the room it has", i);
		lai_trial_number(trial, name, "ms", i);
	}
	assert_int_equal(result->number_count, LAI_RESULT_NUMBERS_MAX);
	assert_int_equal(result->dropped, 3);
	assert_int_equal(strlen(result->numbers[7].name), sizeof(result->numbers[7].name) - 1);
	assert_string_equal(result->numbers[7].unit, "ms");
	assert_true(result->numbers[7].value == 7);
}

static void test_points_are_bounded(void **state)
{
	struct lai_trial *trial = *state;
	struct lai_result *result = trial->result;
	uint32_t last = 0;

	for (unsigned i = 0; i <= LAI_RESULT_SERIES_MAX; i++)
		last = lai_trial_series(trial, "curve", "time (s)", "latency (ms)");
	assert_int_equal(result->series_count, LAI_RESULT_SERIES_MAX);
	assert_int_equal(result->dropped, 1);
	lai_trial_point(trial, last, 1, 2);
	assert_int_equal(result->point_count, 0);
	assert_int_equal(result->dropped, 2);
	for (unsigned i = 0; i < LAI_RESULT_POINTS_MAX + 5; i++)
		lai_trial_point(trial, 3, i, 2 * i);
	assert_int_equal(result->point_count, LAI_RESULT_POINTS_MAX);
	assert_int_equal(result->dropped, 7);
	assert_int_equal(result->points[9].series, 3);
	assert_true(result->points[9].y == 18);
}

static void test_controls_all_hold(void **state)
{
	struct lai_trial *trial = *state;
	struct lai_result *result = trial->result;

	assert_int_equal(result->control, LAI_CONTROL_NONE);
	lai_trial_control(trial, true, "first %d", 1);
	lai_trial_control(trial, true, "second");
	assert_int_equal(result->control, LAI_CONTROL_HELD);
	assert_string_equal(result->control_words, "first 1; second");
	lai_trial_control(trial, false, "third");
	lai_trial_control(trial, true, "fourth");
	assert_int_equal(result->control, LAI_CONTROL_FAILED);
	assert_string_equal(result->control_words, "third");
	lai_trial_control(trial, false, "fifth");
	assert_string_equal(result->control_words, "third; fifth");
	assert_non_null(strstr(result->evidence, "control held: fourth\n"));
	assert_non_null(strstr(result->evidence, "control FAILED: third\n"));
	for (unsigned i = 0; i < 200; i++)
		lai_trial_control(trial, false, "and one more");
	assert_int_equal(strlen(result->control_words), sizeof(result->control_words) - 1);
}

enum ending { FAIL, LACK, TWICE };

/* The ends of a trial end its process, so a child takes them. */
static void end_in_child(struct lai_trial *trial, enum ending ending)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		lai_trial_control(trial, true, "held");
		if (ending == LACK)
			lai_trial_lacks(trial, "no %s", "nft");
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "once");
		if (ending == TWICE)
			lai_trial_conclude(trial, LAI_LAB_REFUTED, "twice");
		lai_trial_fail(trial, "a broken %s", "wire");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(trial->result->ended_ns >= trial->result->began_ns);
}

static void test_failed_instrument(void **state)
{
	struct lai_trial *trial = *state;
	const char *why;

	end_in_child(trial, FAIL);
	assert_int_equal(lai_result_verdict(trial->result, &why), LAI_LAB_INCONCLUSIVE);
	assert_string_equal(why, "a broken wire");
	assert_non_null(strstr(trial->result->evidence, "CONFIRMED: once\n"));
}

static void test_lacking_instrument(void **state)
{
	struct lai_trial *trial = *state;
	const char *why;

	end_in_child(trial, LACK);
	assert_int_equal(lai_result_verdict(trial->result, &why), LAI_LAB_LACKS);
	assert_string_equal(why, "no nft");
}

static void test_concluded_twice(void **state)
{
	struct lai_trial *trial = *state;
	const char *why;

	end_in_child(trial, TWICE);
	assert_int_equal(lai_result_verdict(trial->result, &why), LAI_LAB_INCONCLUSIVE);
	assert_string_equal(why, "the experiment concluded twice");
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		.name = (sentence), .test_func = (function), .setup_func = trial_make,             \
		.teardown_func = trial_free                                                        \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST("only a complete experiment with a control counts", test_verdict_table),
		TEST("each thing said is one line", test_evidence_is_lines),
		TEST("evidence beyond the room is counted", test_evidence_is_bounded),
		TEST("numbers beyond the room are counted", test_numbers_are_bounded),
		TEST("series and points beyond the room are counted", test_points_are_bounded),
		TEST("all controls have to hold", test_controls_all_hold),
		TEST("a failed instrument takes the conclusion back", test_failed_instrument),
		TEST("what is lacking is said", test_lacking_instrument),
		TEST("two conclusions are none", test_concluded_twice),
	};

	return cmocka_run_group_tests_name("lab.result", tests, NULL, NULL);
}
