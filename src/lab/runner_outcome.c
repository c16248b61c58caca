/* SPDX-License-Identifier: MIT */
/* runner_outcome.c - what all seeds of a claim say together. */
#include "lab/runner_inside.h"
#include "base/time.h"

#include <inttypes.h>
#include <string.h>

/* The first trial that says something else than most do: the one to look at. */
static const struct lai_outcome_trial *odd_one(const struct lai_outcome *outcome,
					       const size_t counts[LAI_LAB_VERDICT_COUNT])
{
	const struct lai_outcome_trial *odd = &outcome->trials[0];

	for (size_t i = 1; i < outcome->trial_count; i++)
		if (counts[outcome->trials[i].verdict] < counts[odd->verdict])
			odd = &outcome->trials[i];
	return odd;
}

/* "4 CONFIRMED, 1 REFUTED; seed 3 says: ..." */
static void tally(struct lai_outcome *outcome, const size_t counts[LAI_LAB_VERDICT_COUNT])
{
	const struct lai_outcome_trial *odd = odd_one(outcome, counts);
	const size_t size = sizeof(outcome->why);
	size_t length = 0;

	outcome->why[0] = '\0';
	for (size_t verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++)
		if (counts[verdict] > 0)
			length += (size_t)snprintf(
				outcome->why + length, size - length, "%s%zu %s",
				length ? ", " : "", counts[verdict],
				lai_lab_verdict_name((enum lai_lab_verdict)verdict));
	(void)snprintf(outcome->why + length, size - length, "; seed %" PRIu64 " says: %s",
		       odd->seed, odd->why);
}

void lai_outcome_judge(struct lai_outcome *outcome, unsigned major, unsigned minor)
{
	size_t counts[LAI_LAB_VERDICT_COUNT] = {0};
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < outcome->trial_count; i++) {
		const struct lai_result *result = outcome->trials[i].result;

		counts[outcome->trials[i].verdict]++;
		sum_ns += lai_time_since(result->began_ns, result->ended_ns);
	}
	outcome->verdict = outcome->trials[0].verdict;
	outcome->agreed = counts[outcome->verdict] == outcome->trial_count;
	if (outcome->agreed) {
		(void)snprintf(outcome->why, sizeof(outcome->why), "%s", outcome->trials[0].why);
	} else {
		outcome->verdict = LAI_LAB_INCONCLUSIVE;
		tally(outcome, counts);
	}
	outcome->expected = lai_claim_expects(outcome->claim, major, minor);
	outcome->as_expected =
		outcome->verdict == outcome->expected || outcome->verdict == LAI_LAB_LACKS;
	outcome->seconds = (double)sum_ns / LAI_S;
}
