/* SPDX-License-Identifier: MIT */
#include "show/lab_numbers.h"

#include "lab/statistics.h"

#include <string.h>

static const struct lai_result_number *result_find(const struct lai_result *result,
						   const char *name)
{
	for (uint32_t i = 0; i < result->number_count; i++)
		if (strcmp(result->numbers[i].name, name) == 0)
			return &result->numbers[i];
	return NULL;
}

/* Whether this number of this trial is the first one of its name. */
static bool is_first(const struct lai_outcome *outcome, size_t trial, uint32_t index)
{
	const struct lai_result *result = outcome->trials[trial].result;

	if (result_find(result, result->numbers[index].name) != &result->numbers[index])
		return false;
	for (size_t i = 0; i < trial; i++)
		if (result_find(outcome->trials[i].result, result->numbers[index].name))
			return false;
	return true;
}

static void gather(const struct lai_outcome *outcome, struct lai_lab_number *number)
{
	number->count = 0;
	for (size_t i = 0; i < outcome->trial_count; i++) {
		const struct lai_result_number *found =
			result_find(outcome->trials[i].result, number->name);

		if (found)
			number->values[number->count++] = found->value;
	}
	number->median = lai_median(number->values, number->count); /* sorts them */
	number->least = number->values[0];
	number->greatest = number->values[number->count - 1];
}

void lai_lab_numbers(const struct lai_outcome *outcome,
		     void (*each)(void *arg, const struct lai_lab_number *number), void *arg)
{
	for (size_t t = 0; t < outcome->trial_count; t++) {
		const struct lai_result *result = outcome->trials[t].result;

		for (uint32_t i = 0; i < result->number_count; i++) {
			struct lai_lab_number number = {.name = result->numbers[i].name,
							.unit = result->numbers[i].unit};

			if (!is_first(outcome, t, i))
				continue;
			gather(outcome, &number);
			each(arg, &number);
		}
	}
}

static void count_one(void *arg, const struct lai_lab_number *number)
{
	(void)number;
	++*(size_t *)arg;
}

size_t lai_lab_numbers_count(const struct lai_outcome *outcome)
{
	size_t count = 0;

	lai_lab_numbers(outcome, count_one, &count);
	return count;
}
