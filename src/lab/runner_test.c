/* SPDX-License-Identifier: MIT */
/*
 * What the runner makes of trials that agree, differ, crash, hang, lie and are interrupted. The
 * claims here are made by hand; trials need namespaces, and are skipped where there are none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/runner_inside.h"
#include "base/clock.h"
#include "lab/call.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- outcomes, by hand ---------------------------------------------------------------------- */

#define TRIALS_MAX 5

static const struct lai_claim confirmed_claim = {
	.id = "by-hand",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
};

/* c, r, d, i, l: what each trial says. */
static struct lai_outcome outcome_of(const char *letters)
{
	static struct lai_outcome_trial trials[TRIALS_MAX];
	static struct lai_result result;
	struct lai_outcome outcome = {.claim = &confirmed_claim, .trials = trials};

	for (; letters[outcome.trial_count]; outcome.trial_count++) {
		struct lai_outcome_trial *trial = &trials[outcome.trial_count];

		*trial = (struct lai_outcome_trial){.seed = outcome.trial_count + 1,
						    .result = &result};
		switch (letters[outcome.trial_count]) {
		case 'c': trial->verdict = LAI_LAB_CONFIRMED, trial->why = "so it is"; break;
		case 'r': trial->verdict = LAI_LAB_REFUTED, trial->why = "not so"; break;
		case 'd': trial->verdict = LAI_LAB_DEPENDS, trial->why = "on x"; break;
		case 'l': trial->verdict = LAI_LAB_LACKS, trial->why = "no nft"; break;
		default: trial->verdict = LAI_LAB_INCONCLUSIVE, trial->why = "late"; break;
		}
	}
	lai_outcome_judge(&outcome, 6, 1);
	return outcome;
}

static void seeds_that_agree_have_one_verdict(void **state)
{
	struct lai_outcome outcome = outcome_of("ccccc");

	(void)state;
	assert_int_equal(outcome.verdict, LAI_LAB_CONFIRMED);
	assert_true(outcome.agreed);
	assert_true(outcome.as_expected);
	assert_string_equal(outcome.why, "so it is");
}

static void seeds_that_differ_are_inconclusive_and_tallied(void **state)
{
	struct lai_outcome outcome = outcome_of("ccrcc");

	(void)state;
	assert_int_equal(outcome.verdict, LAI_LAB_INCONCLUSIVE);
	assert_false(outcome.agreed);
	assert_false(outcome.as_expected);
	assert_string_equal(outcome.why, "4 CONFIRMED, 1 REFUTED; seed 3 says: not so");
}

static void those_that_lack_are_no_witnesses(void **state)
{
	struct lai_outcome outcome = outcome_of("lcccc"), two = outcome_of("rlr");

	(void)state;
	assert_int_equal(outcome.verdict, LAI_LAB_CONFIRMED);
	assert_false(outcome.agreed);
	assert_true(outcome.as_expected);
	assert_string_equal(outcome.why, "so it is (not tried by 1 of 5: no nft)");
	assert_int_equal(two.verdict, LAI_LAB_REFUTED);
	assert_false(two.as_expected);
}

static void those_that_lack_do_not_hide_a_difference(void **state)
{
	struct lai_outcome outcome = outcome_of("clcrc");

	(void)state;
	assert_int_equal(outcome.verdict, LAI_LAB_INCONCLUSIVE);
	assert_false(outcome.agreed);
	assert_string_equal(outcome.why, "3 CONFIRMED, 1 REFUTED, 1 LACKS; seed 4 says: not so");
}

static void the_trial_that_is_quoted_has_the_reason(void **state)
{
	(void)state;
	assert_string_equal(outcome_of("ri").why, "1 REFUTED, 1 INCONCLUSIVE; seed 2 says: late");
	assert_string_equal(outcome_of("ciii").why,
			    "1 CONFIRMED, 3 INCONCLUSIVE; seed 2 says: late");
	assert_string_equal(outcome_of("cr").why, "1 CONFIRMED, 1 REFUTED; seed 2 says: not so");
	assert_string_equal(outcome_of("rrc").why, "1 CONFIRMED, 2 REFUTED; seed 3 says: so it is");
}

static void all_that_lack_are_no_news(void **state)
{
	struct lai_outcome outcome = outcome_of("lll");

	(void)state;
	assert_int_equal(outcome.verdict, LAI_LAB_LACKS);
	assert_true(outcome.agreed);
	assert_true(outcome.as_expected);
}

static void what_is_not_documented_is_news(void **state)
{
	struct lai_outcome refuted = outcome_of("rrr"), inconclusive = outcome_of("ii");

	(void)state;
	assert_int_equal(refuted.verdict, LAI_LAB_REFUTED);
	assert_true(refuted.agreed);
	assert_false(refuted.as_expected);
	assert_int_equal(inconclusive.verdict, LAI_LAB_INCONCLUSIVE);
	assert_true(inconclusive.agreed);
	assert_false(inconclusive.as_expected);
	assert_string_equal(inconclusive.why, "late");
}

/* ---- trials --------------------------------------------------------------------------------- */

static void run_well(struct lai_trial *trial)
{
	lai_trial_control(trial, true, "the other way");
	lai_trial_number(trial, "seed", "", (double)trial->seed);
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

static void run_without_control(struct lai_trial *trial)
{
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

static void run_with_failed_control(struct lai_trial *trial)
{
	lai_trial_control(trial, false, "the same way");
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

static void run_by_seed(struct lai_trial *trial)
{
	lai_trial_control(trial, true, "the other way");
	lai_trial_conclude(trial, trial->seed == 2 ? LAI_LAB_REFUTED : LAI_LAB_CONFIRMED, "seed %d",
			   (int)trial->seed);
}

static void run_into_a_crash(struct lai_trial *trial)
{
	(void)trial;
	(void)fprintf(stderr, "these are its last words\nand more\n");
	(void)fflush(stderr);
	__builtin_trap();
}

static void run_for_ever(struct lai_trial *trial)
{
	run_well(trial);
	for (;;)
		(void)pause();
}

/* What it leaves behind ends with it: a child that would live for an hour, with a lock on a file. */
static char lock_path[] = "/tmp/lastack-runner-test.XXXXXX";

static void __attribute__((noreturn)) hold_lock(int ready)
{
	int fd = open(lock_path, O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (fd < 0 || flock(fd, LOCK_EX) != 0 || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		(void)sleep(3600);
}

static void run_and_leave_a_child(struct lai_trial *trial)
{
	int ready[2];
	char word;

	if (pipe(ready) != 0)
		lai_trial_fail(trial, "pipe(): %s", strerror(errno));
	if (fork() == 0)
		hold_lock(ready[1]);
	(void)close(ready[1]);
	if (read(ready[0], &word, 1) != 1)
		lai_trial_fail(trial, "the child has no lock");
	run_well(trial);
}

static void run_and_lie(struct lai_trial *trial)
{
	run_well(trial);
	trial->result->number_count = UINT32_MAX;
	trial->result->evidence_bytes = UINT32_MAX;
	memset(trial->result->words, 'x', sizeof(trial->result->words));
}

static void run_as_root(struct lai_trial *trial)
{
	lai_trial_control(trial,
			  isatty(STDOUT_FILENO) == 0 &&
				  lai_host_has(trial, trial->client, "net.ipv4.tcp_sack"),
			  "it has no terminal, and a host");
	lai_trial_conclude(trial,
			   geteuid() == 0 && getppid() == 1 ? LAI_LAB_CONFIRMED : LAI_LAB_REFUTED,
			   "uid %d, parent %d", (int)geteuid(), (int)getppid());
}

static void run_into_an_assertion(struct lai_trial *trial)
{
	(void)fprintf(stderr, "never holds\n");
	(void)fflush(stderr);
	(void)trial;
	abort();
}

static void run_and_be_killed(struct lai_trial *trial)
{
	(void)trial;
	/* Nothing that a process does can end its namespace's process 1. */
	(void)kill(1, SIGKILL);
	(void)raise(SIGKILL);
}

static struct lai_claim claim_of(void (*run)(struct lai_trial *trial))
{
	return (struct lai_claim){
		.id = "by-hand",
		.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
		.no_capture = true,
		.run = run,
	};
}

/* NULL: skipped. */
static struct lai_run *run_claim(const struct lai_claim *claim, unsigned seeds)
{
	struct lai_run_plan plan = {
		.claims = &claim, .claim_count = 1, .seeds = seeds, .jobs = 4, .first_seed = 1};
	struct lai_run *run = NULL;
	char *error = NULL;
	int result = lai_run_plan(&plan, &run, &error);

	if (result == -EPERM) {
		print_message("%s\n", error);
		free(error);
		skip();
	}
	if (result)
		fail_msg("%s: %s", strerror(-result), error ? error : "");
	return run;
}

static void expect(void (*run)(struct lai_trial *trial), enum lai_lab_verdict verdict,
		   const char *why)
{
	struct lai_claim claim = claim_of(run);
	struct lai_run *done = run_claim(&claim, 2);

	assert_int_equal(done->outcomes[0].verdict, verdict);
	assert_string_equal(done->outcomes[0].why, why);
	assert_true(done->outcomes[0].agreed);
	lai_run_free(done);
}

static void a_trial_runs_and_is_believed(void **state)
{
	(void)state;
	expect(run_well, LAI_LAB_CONFIRMED, "well");
}

static void a_trial_is_root_of_its_space_below_its_keeper(void **state)
{
	(void)state;
	expect(run_as_root, LAI_LAB_CONFIRMED, "uid 0, parent 1");
}

static void an_assertion_is_inconclusive(void **state)
{
	(void)state;
	expect(run_into_an_assertion, LAI_LAB_INCONCLUSIVE,
	       "the trial was ended by signal 6 (Aborted): never holds");
}

static void a_trial_that_is_killed_is_inconclusive(void **state)
{
	(void)state;
	expect(run_and_be_killed, LAI_LAB_INCONCLUSIVE, "the trial was ended by signal 9 (Killed)");
}

static void without_a_control_nothing_is_believed(void **state)
{
	(void)state;
	expect(run_without_control, LAI_LAB_INCONCLUSIVE,
	       "the trial had no control, so its outcome tells nothing");
}

static void a_control_that_fails_makes_it_inconclusive(void **state)
{
	(void)state;
	expect(run_with_failed_control, LAI_LAB_INCONCLUSIVE, "the same way");
}

static void seeds_reach_their_trials(void **state)
{
	struct lai_claim claim = claim_of(run_by_seed);
	struct lai_run *run = run_claim(&claim, 3);

	(void)state;
	assert_int_equal(run->outcomes[0].verdict, LAI_LAB_INCONCLUSIVE);
	assert_string_equal(run->outcomes[0].why, "2 CONFIRMED, 1 REFUTED; seed 2 says: seed 2");
	lai_run_free(run);
}

static void a_crash_is_inconclusive_with_its_last_words(void **state)
{
	struct lai_claim claim = claim_of(run_into_a_crash);
	struct lai_run *run = run_claim(&claim, 1);

	(void)state;
	assert_int_equal(run->outcomes[0].verdict, LAI_LAB_INCONCLUSIVE);
	assert_int_not_equal(run->outcomes[0].trials[0].end_signal, 0);
	assert_non_null(strstr(run->outcomes[0].why, "was ended by signal"));
	assert_non_null(strstr(run->outcomes[0].why, "these are its last words"));
	assert_null(strstr(run->outcomes[0].why, "and more"));
	lai_run_free(run);
}

static void a_trial_that_hangs_is_ended(void **state)
{
	struct lai_claim claim = claim_of(run_for_ever);
	struct lai_run *run;

	(void)state;
	claim.seconds_max = 1;
	run = run_claim(&claim, 2);
	assert_int_equal(run->outcomes[0].verdict, LAI_LAB_INCONCLUSIVE);
	assert_string_equal(run->outcomes[0].why, "the trial took longer than 1 s");
	assert_int_equal(run->outcomes[0].trials[0].end_signal, SIGKILL);
	lai_run_free(run);
}

static void what_a_trial_started_ends_with_it(void **state)
{
	struct lai_claim claim = claim_of(run_and_leave_a_child);
	struct lai_run *run;
	int fd;

	(void)state;
	/* Skips before there is a file to be removed. */
	expect(run_well, LAI_LAB_CONFIRMED, "well");
	fd = mkostemp(lock_path, O_CLOEXEC);
	assert_true(fd >= 0);
	run = run_claim(&claim, 1);
	assert_string_equal(run->outcomes[0].why, "well");
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	(void)close(fd);
	(void)unlink(lock_path);
	lai_run_free(run);
}

static void a_result_out_of_bounds_is_brought_back(void **state)
{
	struct lai_claim claim = claim_of(run_and_lie);
	struct lai_run *run = run_claim(&claim, 1);
	const struct lai_result *result = run->outcomes[0].trials[0].result;

	(void)state;
	assert_true(result->number_count <= LAI_RESULT_NUMBERS_MAX);
	assert_true(result->evidence_bytes <= LAI_RESULT_EVIDENCE_MAX);
	assert_true(strlen(result->words) < sizeof(result->words));
	lai_run_free(run);
}

/* ---- plans ---------------------------------------------------------------------------------- */

/* How many ran at once at most, and whether anything ran beside one that wants to be alone. */
struct watch {
	size_t most, alone_most;
};

static void watch_progress(void *arg, size_t done, size_t total, size_t running,
			   const struct lai_claim *latest)
{
	struct watch *watch = arg;
	size_t *most = latest && latest->lane == LAI_LANE_ALONE ? &watch->alone_most : &watch->most;

	assert_true(done + running <= total);
	if (running > *most)
		*most = running;
}

static void run_a_moment(struct lai_trial *trial)
{
	lai_trial_pass(trial, 50 * LAI_MS);
	run_well(trial);
}

static void lanes_are_kept(void **state)
{
	struct lai_claim waits = claim_of(run_a_moment), alone = claim_of(run_a_moment);
	const struct lai_claim *claims[] = {&alone, &waits};
	struct watch watch = {0};
	struct lai_run_plan plan = {
		.claims = claims,
		.claim_count = 2,
		.seeds = 5,
		.jobs = 3,
		.first_seed = 1,
		.progress = watch_progress,
		.arg = &watch,
	};
	struct lai_run *run = NULL;

	(void)state;
	alone.lane = LAI_LANE_ALONE;
	if (lai_run_plan(&plan, &run, NULL) == -EPERM)
		skip();
	assert_non_null(run);
	assert_int_equal(watch.alone_most, 1);
	assert_int_equal(watch.most, 3);
	assert_ptr_equal(run->outcomes[0].claim, &alone);
	assert_int_equal(run->outcomes[0].verdict, LAI_LAB_CONFIRMED);
	assert_int_equal(run->outcomes[1].verdict, LAI_LAB_CONFIRMED);
	lai_run_free(run);
}

static volatile sig_atomic_t interrupted;

static void interrupt_it(void *arg, size_t done, size_t total, size_t running,
			 const struct lai_claim *latest)
{
	(void)arg, (void)done, (void)total, (void)latest;
	if (running == 2)
		interrupted = SIGINT;
}

static void an_interrupted_run_leaves_no_process(void **state)
{
	struct lai_claim claim = claim_of(run_for_ever);
	const struct lai_claim *claims[] = {&claim};
	struct lai_run_plan plan = {
		.claims = claims,
		.claim_count = 1,
		.seeds = 4,
		.jobs = 2,
		.first_seed = 1,
		.progress = interrupt_it,
		.interrupted = &interrupted,
	};
	struct lai_run *run = NULL;
	int result;

	(void)state;
	interrupted = 0;
	result = lai_run_plan(&plan, &run, NULL);
	if (result == -EPERM)
		skip();
	assert_int_equal(result, -EINTR);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_true(run->interrupted);
	assert_int_equal(run->outcome_count, 0);
	lai_run_free(run);
}

/* The first trial ends, the second one does not. */
static void run_the_first(struct lai_trial *trial)
{
	if (trial->seed == 2)
		run_for_ever(trial);
	run_well(trial);
}

static void interrupt_behind_it(void *arg, size_t done, size_t total, size_t running,
				const struct lai_claim *latest)
{
	(void)arg, (void)total, (void)latest;
	if (done == 1 && running == 1)
		interrupted = SIGINT;
}

static void an_interrupted_run_keeps_what_had_ended(void **state)
{
	struct lai_claim claim = claim_of(run_the_first);
	const struct lai_claim *claims[] = {&claim};
	struct lai_run_plan plan = {
		.claims = claims,
		.claim_count = 1,
		.seeds = 2,
		.jobs = 2,
		.first_seed = 1,
		.progress = interrupt_behind_it,
		.interrupted = &interrupted,
	};
	struct lai_run *run = NULL;
	int result;

	(void)state;
	interrupted = 0;
	result = lai_run_plan(&plan, &run, NULL);
	if (result == -EPERM)
		skip();
	assert_int_equal(result, -EINTR);
	assert_int_equal(run->outcome_count, 1);
	assert_int_equal(run->outcomes[0].trial_count, 1);
	assert_int_equal(run->outcomes[0].trials[0].seed, 1);
	assert_int_equal(run->outcomes[0].verdict, LAI_LAB_CONFIRMED);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	lai_run_free(run);
}

static void settings_are_tried_before_anything_runs(void **state)
{
	static const struct {
		const char *settings[2];
		const char *words;
	} cases[] = {
		{{"net.ipv4.tcp_no_such_thing=1", NULL}, "no sysctl 'net.ipv4.tcp_no_such_thing'"},
		{{"net.ipv4.tcp_sack=many", NULL}, "'net.ipv4.tcp_sack=many'"},
		{{"net.ipv4.tcp_sack=0", NULL}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *error = NULL;
		int result = lai_run_probe(lai_space_needs_user(), cases[i].settings, &error);

		if (result == -EPERM) {
			free(error);
			skip();
		}
		assert_int_equal(result, cases[i].words ? -EINVAL : 0);
		if (cases[i].words)
			assert_non_null(strstr(error, cases[i].words));
		free(error);
	}
}

static void a_refusal_names_capabilities_and_what_forbids(void **state)
{
	struct lai_space_report report = {.step = LAI_SPACE_CLONE, .error = EPERM};
	char *sentence = lai_space_refusal(&report, true);

	(void)state;
	assert_non_null(strstr(sentence, "CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW"));
	assert_non_null(strstr(sentence, "user namespace, which is not allowed here"));
	free(sentence);
	report.step = LAI_SPACE_MOUNTS;
	sentence = lai_space_refusal(&report, true);
	assert_non_null(strstr(sentence, "mounting is forbidden in it"));
	free(sentence);
}

static void equal_seeds_choose_the_family(void **state)
{
	struct lai_claim claim = claim_of(run_well);

	(void)state;
	assert_int_equal(lai_trial_family(&claim, 2), AF_INET);
	claim.both_families = true;
	assert_int_equal(lai_trial_family(&claim, 1), AF_INET);
	assert_int_equal(lai_trial_family(&claim, 2), AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "seeds that agree have one verdict",
		 .test_func = seeds_that_agree_have_one_verdict},
		{.name = "seeds that differ are inconclusive, and tallied",
		 .test_func = seeds_that_differ_are_inconclusive_and_tallied},
		{.name = "those that lack something are no witnesses",
		 .test_func = those_that_lack_are_no_witnesses},
		{.name = "the trial that is quoted has the reason",
		 .test_func = the_trial_that_is_quoted_has_the_reason},
		{.name = "those that lack something do not hide a difference",
		 .test_func = those_that_lack_do_not_hide_a_difference},
		{.name = "if all lack something it is no news",
		 .test_func = all_that_lack_are_no_news},
		{.name = "what is not documented is news",
		 .test_func = what_is_not_documented_is_news},
		{.name = "even seeds run over IPv6 where a claim wants both",
		 .test_func = equal_seeds_choose_the_family},
		{.name = "a refusal names capabilities, and what forbids the rest",
		 .test_func = a_refusal_names_capabilities_and_what_forbids},
		{.name = "a trial runs and is believed", .test_func = a_trial_runs_and_is_believed},
		{.name = "a trial is root of its space, below its keeper",
		 .test_func = a_trial_is_root_of_its_space_below_its_keeper},
		{.name = "an assertion that fails makes it inconclusive",
		 .test_func = an_assertion_is_inconclusive},
		{.name = "so does its being killed",
		 .test_func = a_trial_that_is_killed_is_inconclusive},
		{.name = "without a control nothing is believed",
		 .test_func = without_a_control_nothing_is_believed},
		{.name = "a control that fails makes it inconclusive",
		 .test_func = a_control_that_fails_makes_it_inconclusive},
		{.name = "each trial has its seed", .test_func = seeds_reach_their_trials},
		{.name = "a crash is inconclusive, with the trial's last words",
		 .test_func = a_crash_is_inconclusive_with_its_last_words},
		{.name = "a trial that hangs is ended", .test_func = a_trial_that_hangs_is_ended},
		{.name = "what a trial started ends with it",
		 .test_func = what_a_trial_started_ends_with_it},
		{.name = "a result out of bounds is brought back",
		 .test_func = a_result_out_of_bounds_is_brought_back},
		{.name = "lanes are kept: alone is alone, jobs is the most",
		 .test_func = lanes_are_kept},
		{.name = "an interrupted run leaves no process",
		 .test_func = an_interrupted_run_leaves_no_process},
		{.name = "an interrupted run keeps what had ended",
		 .test_func = an_interrupted_run_keeps_what_had_ended},
		{.name = "settings are tried before anything runs",
		 .test_func = settings_are_tried_before_anything_runs},
	};

	return cmocka_run_group_tests_name("lab.runner", tests, NULL, NULL);
}
