/* SPDX-License-Identifier: MIT */
/*
 * t_trial.h - for tests of the lab's instruments: a claim made by hand, tried by the runner. In it
 * there is no cmocka: T_CHECK() ends the trial, and its sentence fails the test.
 */
#ifndef LAI_LAB_T_TRIAL_H
#define LAI_LAB_T_TRIAL_H

#include "lab/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define T_CHECK(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			lai_trial_fail(trial, "line %d: %s", __LINE__, #condition);                \
	} while (0)

/* One trial, over IPv6 if seed is even. Skips the test if no hosts can be made here. *run_out is
   for lai_run_free(). */
static inline const struct lai_outcome *t_trial(enum lai_claim_network network, uint64_t seed,
						const char *const *settings,
						void run(struct lai_trial *),
						struct lai_run **run_out)
{
	static struct lai_claim claim;
	static const struct lai_claim *const claims[] = {&claim};
	struct lai_run_plan plan = {.claims = claims,
				    .claim_count = 1,
				    .seeds = 1,
				    .jobs = 1,
				    .first_seed = seed,
				    .settings = settings};
	char *error = NULL;
	int status;

	claim = (struct lai_claim){.id = "by-hand",
				   .network = network,
				   .both_families = true,
				   .expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
				   .run = run};
	status = lai_run_plan(&plan, run_out, &error);
	if (status == -EPERM) {
		print_message("# skipped: %s\n", error ? error : "not permitted");
		free(error);
		skip();
	}
	if (status != 0)
		fail_msg("the runner: %s", error ? error : strerror(-status));
	return &(*run_out)->outcomes[0];
}

static inline void t_well(struct lai_trial *trial)
{
	lai_trial_control(trial, true, "none");
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

/* The trial has to come out with this verdict, and with these words in its sentence. A trial that
   lacks something else is skipped. */
static inline void t_trial_is(enum lai_claim_network network, uint64_t seed,
			      const char *const *settings, void run(struct lai_trial *),
			      enum lai_lab_verdict verdict, const char *words)
{
	struct lai_run *result = NULL;
	const struct lai_outcome *outcome = t_trial(network, seed, settings, run, &result);
	char why[sizeof(outcome->why)];
	enum lai_lab_verdict came = outcome->verdict;

	memcpy(why, outcome->why, sizeof(why));
	lai_run_free(result);
	if (came == LAI_LAB_LACKS && !(verdict == LAI_LAB_LACKS && strstr(why, words))) {
		print_message("# skipped: %s\n", why);
		skip();
	}
	if (came != verdict || !strstr(why, words))
		fail_msg("%s: %s", lai_lab_verdict_name(came), why);
}

static inline void t_trial_well(enum lai_claim_network network, uint64_t seed,
				void run(struct lai_trial *))
{
	t_trial_is(network, seed, NULL, run, LAI_LAB_CONFIRMED, "well");
}

#endif
