/* SPDX-License-Identifier: MIT */
/* runner_inside.h - what the files of the runner share. */
#ifndef LAI_LAB_RUNNER_INSIDE_H
#define LAI_LAB_RUNNER_INSIDE_H

#include "lab/runner.h"
#include "lab/space.h"

/* ---- runner_trial.c: one trial as a process --------------------------------------------------- */

/* Of both the trial and us. */
struct lai_trial_shared {
	struct lai_space_report report;
	bool begun; /* its hosts were made, and its claim runs */
	struct lai_result result;
};

/* What stays in memory of a capture; its FILE reads from there. */
struct lai_trial_bytes {
	void *data; /* NULL: nothing */
	size_t size;
};

struct lai_trial_process {
	const struct lai_claim *claim;
	uint64_t seed;
	const char *const *settings;
	bool user; /* in a user namespace */
	struct lai_trial_shared *shared;
	struct lai_space space;		   /* pid 0: it does not run */
	int captures[LAI_TRIAL_WIRES_MAX]; /* descriptors of files without a name; 0: none */
	int output;			   /* the same, of what it prints */
	uint64_t deadline_ns;		   /* CLOCK_MONOTONIC */
	struct lai_trial_bytes bytes[LAI_TRIAL_WIRES_MAX];
};

/*
 * claim, seed, settings and user are set, the rest is 0. 0, or a negative errno: something has run
 * out, and it may be tried again. Afterwards it is for lai_trial_process_free() in either case.
 */
int lai_trial_process_start(struct lai_trial_process *process);

/* It has ended, but the claim was never begun: something ran out while its hosts were made (it is
   not that this kernel lacks something). */
bool lai_trial_process_fell_short(const struct lai_trial_process *process);

/* It will not be tried again, error is why: INCONCLUSIVE. 0, or -ENOMEM. */
int lai_trial_process_give_up(struct lai_trial_process *process, int error,
			      struct lai_outcome_trial *trial);

/* Ends it and releases all, as if it had never been started. */
void lai_trial_process_again(struct lai_trial_process *process);

/* Ends it if it still runs, and reads what it has left; late: because its time was over. */
void lai_trial_process_end(struct lai_trial_process *process, bool late,
			   struct lai_outcome_trial *trial);

/* Ends it if it still runs; releases all. */
void lai_trial_process_free(struct lai_trial_process *process);

/* ---- runner_outcome.c: what the seeds say together -------------------------------------------- */

/* Fills verdict, agreed, why, expected, as_expected and seconds from the trials. */
void lai_outcome_judge(struct lai_outcome *outcome, unsigned major, unsigned minor);

/* ---- runner_probe.c ---------------------------------------------------------------------------- */

/* Tries in a throw-away space whether spaces may be had, and whether a host of the lab takes the
   settings ("net.ipv4.tcp_sack=0", NULL at the end; or NULL). As lai_run_plan(). */
int lai_run_probe(bool user, const char *const *settings, char **error);

#endif
