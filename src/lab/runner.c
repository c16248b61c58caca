/* SPDX-License-Identifier: MIT */
/*
 * runner.c - which trial runs when.
 *
 *	waits   1 2 3 4 ...  as many at once as the plan says
 *	alone   1, 2, 3 ...  after them, when nothing else of ours runs
 *
 * All claims come with the first seed, then all with the second, and so on: trials of one claim are
 * alike, and spread over the run they meet each other less.
 */
#include "lab/runner_inside.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* The kernel takes namespaces away in the background. */
#define PATIENCE_NS (5 * LAI_S)

/* How often progress is told, and a signal seen that came in an unlucky moment. */
#define TICK_NS (100 * LAI_MS)

struct runner {
	struct lai_run run; /* what the caller has */
	const struct lai_run_plan *plan;
	bool user;
	unsigned jobs;
	struct lai_trial_process *trials; /* claim by claim: claim * seeds + seed */
	struct lai_outcome_trial *ended;  /* the same order */
	size_t count;
	size_t *order;	/* indices, those that wait first */
	size_t waiting; /* so many of them wait */
	size_t next;	/* of order: the first that has not begun */
	size_t done;
	uint64_t
		patience_ns; /* until when one that cannot be started is tried again; 0: all is well */
	size_t *running;     /* indices, jobs of them at most */
	size_t running_count;
	struct pollfd *ends; /* room for jobs */
	const struct lai_claim *latest;
};

void lai_lab_kernel(char release[65], unsigned *major, unsigned *minor)
{
	struct utsname name = {0};

	(void)uname(&name);
	(void)snprintf(release, 65, "%.64s", name.release);
	*major = *minor = 0;
	(void)sscanf(release, "%u.%u", major, minor);
}

/* ---- making ready --------------------------------------------------------------------------- */

static void order_lane(struct runner *runner, enum lai_claim_lane lane, size_t *at)
{
	const struct lai_run_plan *plan = runner->plan;

	for (size_t seed = 0; seed < plan->seeds; seed++)
		for (size_t claim = 0; claim < plan->claim_count; claim++)
			if (plan->claims[claim]->lane == lane)
				runner->order[(*at)++] = claim * plan->seeds + seed;
}

static int runner_allocate(struct runner *runner)
{
	const struct lai_run_plan *plan = runner->plan;
	size_t count = plan->claim_count * plan->seeds;

	runner->run.outcomes = calloc(plan->claim_count, sizeof(*runner->run.outcomes));
	runner->trials = calloc(count, sizeof(*runner->trials));
	runner->ended = calloc(count, sizeof(*runner->ended));
	runner->order = calloc(count, sizeof(*runner->order));
	runner->running = calloc(runner->jobs, sizeof(*runner->running));
	runner->ends = calloc(runner->jobs, sizeof(*runner->ends));
	if (!runner->run.outcomes || !runner->trials || !runner->ended || !runner->order ||
	    !runner->running || !runner->ends)
		return -ENOMEM;
	runner->count = count;
	return 0;
}

static void runner_fill(struct runner *runner)
{
	const struct lai_run_plan *plan = runner->plan;
	size_t at = 0;

	for (size_t i = 0; i < runner->count; i++) {
		struct lai_trial_process *trial = &runner->trials[i];

		trial->claim = plan->claims[i / plan->seeds];
		trial->seed = plan->first_seed + i % plan->seeds;
		trial->settings = plan->settings;
		trial->user = runner->user;
	}
	order_lane(runner, LAI_LANE_WAITS, &at);
	runner->waiting = at;
	order_lane(runner, LAI_LANE_ALONE, &at);
}

/* Ends what runs, all at once before it is waited for. */
static void runner_stop(struct runner *runner)
{
	for (size_t i = 0; i < runner->count; i++)
		lai_space_end(&runner->trials[i].space);
	for (size_t i = 0; i < runner->running_count; i++)
		lai_trial_process_free(&runner->trials[runner->running[i]]);
	runner->running_count = 0;
}

static void runner_free(struct runner *runner)
{
	runner_stop(runner);
	for (size_t i = 0; i < runner->count; i++) {
		for (size_t wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++)
			if (runner->ended[i].captures[wire])
				(void)fclose(runner->ended[i].captures[wire]);
		lai_trial_process_free(&runner->trials[i]);
	}
	free(runner->run.outcomes);
	free(runner->trials);
	free(runner->ended);
	free(runner->order);
	free(runner->running);
	free(runner->ends);
	free(runner);
}

/* ---- running -------------------------------------------------------------------------------- */

static bool is_interrupted(const struct runner *runner)
{
	return runner->plan->interrupted && *runner->plan->interrupted;
}

static void tell(const struct runner *runner)
{
	const struct lai_run_plan *plan = runner->plan;

	if (plan->progress)
		plan->progress(plan->arg, runner->done, runner->count, runner->running_count,
			       runner->latest);
}

/* May the next one begin now? */
static bool has_room(const struct runner *runner)
{
	if (runner->next == runner->count)
		return false;
	if (runner->next < runner->waiting)
		return runner->running_count < runner->jobs;
	return runner->running_count == 0;
}

/*
 * Processes, descriptors or namespaces have run out. While others of ours run there are to be fewer
 * at once from now on; while none does, the kernel gets some time to take away what was there. False:
 * that is over, and the shortage is said of the trial; the others keep what they have found.
 */
static bool may_try_again(struct runner *runner, size_t others)
{
	uint64_t now_ns = lai_clock_now();

	if (others > 0) {
		runner->jobs = (unsigned)others;
		return true;
	}
	if (runner->patience_ns == 0)
		runner->patience_ns = now_ns + PATIENCE_NS;
	return now_ns < runner->patience_ns;
}

static int start_later(struct runner *runner, int error)
{
	size_t index = runner->order[runner->next];

	lai_trial_process_again(&runner->trials[index]);
	if (may_try_again(runner, runner->running_count))
		return 0;
	runner->next++;
	runner->done++;
	return lai_trial_process_give_up(&runner->trials[index], -error, &runner->ended[index]);
}

/* *started: there may be room for another one. */
static int start_next(struct runner *runner, bool *started)
{
	size_t index = runner->order[runner->next];
	struct lai_trial_process *trial = &runner->trials[index];
	int error = lai_trial_process_start(trial);

	*started = error == 0;
	if (error)
		return start_later(runner, error);
	runner->next++;
	runner->latest = trial->claim;
	runner->running[runner->running_count++] = index;
	tell(runner);
	return 0;
}

/* Until one has ended, its time is over, or a tick has passed. */
static void wait_for_one(struct runner *runner)
{
	uint64_t wake_ns = lai_clock_now() + TICK_NS;

	for (size_t i = 0; i < runner->running_count; i++) {
		const struct lai_trial_process *trial = &runner->trials[runner->running[i]];

		runner->ends[i] = (struct pollfd){.fd = trial->space.process, .events = POLLIN};
		wake_ns = lai_time_min(wake_ns, trial->deadline_ns);
	}
	if (poll(runner->ends, runner->running_count, lai_clock_timeout_ms(wake_ns)) < 0)
		for (size_t i = 0; i < runner->running_count; i++)
			runner->ends[i].revents = 0;
}

/* Those that run alone keep their place in the order: of them it is the last one that has begun. */
static void put_back(struct runner *runner, size_t index)
{
	struct lai_outcome_trial *ended = &runner->ended[index];

	for (size_t wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++)
		if (ended->captures[wire])
			(void)fclose(ended->captures[wire]);
	*ended = (struct lai_outcome_trial){0};
	lai_trial_process_again(&runner->trials[index]);
	runner->order[--runner->next] = index;
}

static void take_one(struct runner *runner, size_t index, bool late, size_t others)
{
	struct lai_trial_process *trial = &runner->trials[index];
	bool short_of;

	lai_trial_process_end(trial, late, &runner->ended[index]);
	short_of = !late && lai_trial_process_fell_short(trial);
	if (short_of && may_try_again(runner, others)) {
		put_back(runner, index);
		return;
	}
	if (!short_of)
		runner->patience_ns = 0;
	runner->done++;
}

static void take_ended(struct runner *runner)
{
	uint64_t now_ns = lai_clock_now();
	size_t kept = 0, others = runner->running_count - 1;

	for (size_t i = 0; i < runner->running_count; i++) {
		size_t index = runner->running[i];
		bool late = now_ns >= runner->trials[index].deadline_ns;

		if (runner->ends[i].revents || late)
			take_one(runner, index, late, others);
		else
			runner->running[kept++] = index;
	}
	runner->running_count = kept;
}

static int runner_run(struct runner *runner)
{
	while (runner->done < runner->count) {
		bool started = true;

		while (started && has_room(runner) && !is_interrupted(runner)) {
			int error = start_next(runner, &started);

			if (error)
				return error;
		}
		if (is_interrupted(runner))
			return -EINTR;
		wait_for_one(runner);
		if (runner->running_count > 0)
			take_ended(runner);
		tell(runner);
	}
	return 0;
}

/* Those that have ended, to the front: all of them, unless the run was interrupted. */
static size_t gather(struct lai_outcome_trial *trials, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct lai_outcome_trial trial = trials[i];

		trials[i] = (struct lai_outcome_trial){0};
		if (trial.result)
			trials[kept++] = trial;
	}
	return kept;
}

/* Claims of which no trial has ended are no outcomes. */
static void runner_judge(struct runner *runner)
{
	const struct lai_run_plan *plan = runner->plan;
	struct lai_run *run = &runner->run;

	run->outcome_count = 0;
	for (size_t i = 0; i < plan->claim_count; i++) {
		struct lai_outcome_trial *trials = &runner->ended[i * plan->seeds];
		struct lai_outcome outcome = {.claim = plan->claims[i], .trials = trials};

		outcome.trial_count = gather(trials, plan->seeds);
		if (outcome.trial_count == 0)
			continue;
		lai_outcome_judge(&outcome, run->kernel_major, run->kernel_minor);
		run->outcomes[run->outcome_count++] = outcome;
	}
}

int lai_run_plan(const struct lai_run_plan *plan, struct lai_run **run, char **error)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	int result;

	if (error)
		*error = NULL;
	if (!runner)
		return -ENOMEM;
	runner->plan = plan;
	runner->jobs = plan->jobs ? plan->jobs : LAI_RUNNER_JOBS_DEFAULT;
	runner->user = runner->run.unprivileged = lai_space_needs_user();
	runner->run.settings = plan->settings;
	runner->run.began_ns = lai_clock_read(CLOCK_REALTIME);
	lai_lab_kernel(runner->run.kernel, &runner->run.kernel_major, &runner->run.kernel_minor);
	result = lai_run_probe(runner->user, plan->settings, error);
	if (result)
		goto out;
	result = runner_allocate(runner);
	if (!result) {
		runner_fill(runner);
		result = runner_run(runner);
	}
	if (result && result != -EINTR)
		goto out;
	runner_stop(runner);
	runner_judge(runner);
	runner->run.ended_ns = lai_clock_read(CLOCK_REALTIME);
	runner->run.interrupted = result == -EINTR;
	runner->plan = NULL; /* it is the caller's, and may be gone by now */
	*run = &runner->run;
	return result;
out:
	runner_free(runner);
	return result;
}

void lai_run_free(struct lai_run *run)
{
	/* The first member. */
	if (run)
		runner_free((struct runner *)run);
}
