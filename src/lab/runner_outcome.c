/* SPDX-License-Identifier: MIT */
/* runner_outcome.c - what all seeds of a claim say together. */
#include "lab/runner_inside.h"
#include "base/time.h"

#include <inttypes.h>
#include <string.h>

/* Whether a is rather the one to look at than b: who could not tell knows why; then who is alone with
   what it says; then who contradicts what is documented. */
static bool is_odder(const struct lai_outcome *outcome, const struct lai_outcome_trial *a,
		     const struct lai_outcome_trial *b)
{
	size_t count_a = outcome->counts[a->verdict], count_b = outcome->counts[b->verdict];

	if (a->verdict == b->verdict)
		return false;
	if (a->verdict == LAI_LAB_INCONCLUSIVE || b->verdict == LAI_LAB_INCONCLUSIVE)
		return a->verdict == LAI_LAB_INCONCLUSIVE;
	if (count_a != count_b)
		return count_a < count_b;
	return b->verdict == outcome->expected;
}

/* One that could not be tried says nothing; there are others if they differ. */
static const struct lai_outcome_trial *odd_one(const struct lai_outcome *outcome)
{
	const struct lai_outcome_trial *odd = NULL;

	for (size_t i = 0; i < outcome->trial_count; i++) {
		const struct lai_outcome_trial *trial = &outcome->trials[i];

		if (trial->verdict != LAI_LAB_LACKS && (!odd || is_odder(outcome, trial, odd)))
			odd = trial;
	}
	return odd;
}

/* The first trial with this verdict, which there is. */
static const struct lai_outcome_trial *first_of(const struct lai_outcome *outcome,
						enum lai_lab_verdict verdict)
{
	const struct lai_outcome_trial *trial = outcome->trials;

	while (trial->verdict != verdict)
		trial++;
	return trial;
}

/* "4 CONFIRMED, 1 REFUTED; seed 3 says: ..." */
static void say_difference(struct lai_outcome *outcome)
{
	const struct lai_outcome_trial *odd = odd_one(outcome);
	const size_t size = sizeof(outcome->why);
	size_t length = 0;

	outcome->why[0] = '\0';
	for (size_t verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++)
		if (outcome->counts[verdict] > 0)
			length += (size_t)snprintf(
				outcome->why + length, size - length, "%s%zu %s",
				length ? ", " : "", outcome->counts[verdict],
				lai_lab_verdict_name((enum lai_lab_verdict)verdict));
	(void)snprintf(outcome->why + length, size - length, "; seed %" PRIu64 " says: %s",
		       odd->seed, odd->why);
}

/* A trial that lacks something (IPv6, say, which every second seed is about) has not been tried: it
   is no witness against the others. */
static void say_common(struct lai_outcome *outcome)
{
	const struct lai_outcome_trial *trial = first_of(outcome, outcome->verdict);
	size_t lacks = outcome->counts[LAI_LAB_LACKS];

	if (outcome->agreed)
		(void)snprintf(outcome->why, sizeof(outcome->why), "%s", trial->why);
	else
		(void)snprintf(outcome->why, sizeof(outcome->why),
			       "%s (not tried by %zu of %zu: %s)", trial->why, lacks,
			       outcome->trial_count, first_of(outcome, LAI_LAB_LACKS)->why);
}

/* The verdict of all that could be tried; NONE: they differ. */
static enum lai_lab_verdict common(const struct lai_outcome *outcome)
{
	size_t tried = outcome->trial_count - outcome->counts[LAI_LAB_LACKS];

	if (tried == 0)
		return LAI_LAB_LACKS;
	for (int verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++)
		if (verdict != LAI_LAB_LACKS && outcome->counts[verdict] == tried)
			return (enum lai_lab_verdict)verdict;
	return LAI_LAB_NONE;
}

void lai_outcome_judge(struct lai_outcome *outcome, unsigned major, unsigned minor)
{
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < outcome->trial_count; i++) {
		const struct lai_result *result = outcome->trials[i].result;

		outcome->counts[outcome->trials[i].verdict]++;
		sum_ns += lai_time_since(result->began_ns, result->ended_ns);
	}
	outcome->expected = lai_claim_expects(outcome->claim, major, minor);
	outcome->verdict = common(outcome);
	outcome->agreed = outcome->counts[outcome->verdict] == outcome->trial_count;
	if (outcome->verdict != LAI_LAB_NONE) {
		say_common(outcome);
	} else {
		outcome->verdict = LAI_LAB_INCONCLUSIVE;
		outcome->agreed = false;
		say_difference(outcome);
	}
	outcome->as_expected =
		outcome->verdict == outcome->expected || outcome->verdict == LAI_LAB_LACKS;
	outcome->seconds = (double)sum_ns / LAI_S;
}
