/* SPDX-License-Identifier: MIT */
/*
 * runner.h - runs claims with several seeds, several at a time, each trial a process of its own.
 *
 *	plan -> trial processes (waits: some at once; alone: one and nothing else) -> results -> outcomes
 */
#ifndef LAI_LAB_RUNNER_H
#define LAI_LAB_RUNNER_H

#include "lab/claim.h"
#include "lab/result.h"
#include "lab/trial.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define LAI_RUNNER_SEEDS_DEFAULT 5
#define LAI_RUNNER_SEEDS_MAX 100
#define LAI_RUNNER_JOBS_DEFAULT 8 /* trials that mostly wait; on two cores */

/* One trial that has ended. Whatever it wrote before it crashed, the bounds of its result hold: counts
   are no larger than their arrays, names and sentences end with a NUL. */
struct lai_outcome_trial {
	uint64_t seed;
	const struct lai_result *result;
	enum lai_lab_verdict verdict; /* lai_result_verdict() */
	const char *why;
	FILE *captures[LAI_TRIAL_WIRES_MAX]; /* pcap, rewound; NULL: not captured */
	int end_signal;			     /* it was killed by this; 0: it ended by itself */
};

/* What all seeds say of one claim. */
struct lai_outcome {
	const struct lai_claim *claim;
	struct lai_outcome_trial *trials;
	size_t trial_count;
	size_t counts[LAI_LAB_VERDICT_COUNT]; /* trials, by verdict */
	/* The common verdict of all seeds that could be tried; INCONCLUSIVE if they differ. */
	enum lai_lab_verdict verdict;
	bool agreed; /* all, those that could not be tried as well */
	char why[LAI_RESULT_WORDS_MAX];
	enum lai_lab_verdict expected; /* documented for this kernel */
	bool as_expected; /* verdict == expected, or LACKS: that is no news of the kernel */
	double seconds;	  /* of all trials, added up */
};

struct lai_run_plan {
	const struct lai_claim *const *claims;
	size_t claim_count;
	unsigned seeds, jobs;
	uint64_t first_seed;	     /* 1 */
	const char *const *settings; /* "net.ipv4.tcp_timestamps=0", NULL at the end; or NULL */
	/* Called when a trial begins or ends and some times a second between, for progress. May be
	   NULL. latest is NULL before the first one. */
	void (*progress)(void *arg, size_t trials_done, size_t trials, size_t running,
			 const struct lai_claim *latest);
	void *arg;
	/* Becomes non-zero when a signal came: ends all and returns. May be NULL. */
	const volatile sig_atomic_t *interrupted;
};

struct lai_run {
	struct lai_outcome *outcomes; /* in the order of the plan */
	size_t outcome_count;
	char kernel[65]; /* uname -r */
	unsigned kernel_major, kernel_minor;
	bool unprivileged;	     /* in a user namespace */
	bool interrupted;	     /* only what had ended by then is there */
	uint64_t began_ns, ended_ns; /* CLOCK_REALTIME */
	const char *const *settings; /* the plan's */
};

/* AF_INET or AF_INET6: over which one a trial with this seed runs. */
int lai_trial_family(const struct lai_claim *claim, uint64_t seed);

/* uname -r, and the numbers it begins with. */
void lai_lab_kernel(char release[65], unsigned *major, unsigned *minor);

/*
 * Runs the plan. 0: *run, for lai_run_free(); -EPERM: what it needs is not allowed here, *error
 * says precisely what; -EINVAL: a host of the lab would not take one of the settings, which has
 * been tried beforehand; *error says which and why. -EINTR: interrupted, what ran has been ended; *run
 * has what was finished before (perhaps nothing), for lai_run_free() as well. Another negative errno, with or without *error.
 */
int lai_run_plan(const struct lai_run_plan *plan, struct lai_run **run, char **error);
void lai_run_free(struct lai_run *run);

#endif
