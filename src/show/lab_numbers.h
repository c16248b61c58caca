/* SPDX-License-Identifier: MIT */
/* lab_numbers.h - what the trials of a claim have measured, each value over its seeds. Results are
   as lai_run_plan() leaves them: counts are within their arrays, and there are at most
   LAI_RUNNER_SEEDS_MAX trials. */
#ifndef LAI_SHOW_LAB_NUMBERS_H
#define LAI_SHOW_LAB_NUMBERS_H

#include "lab/runner.h"

#include <stddef.h>

struct lai_lab_number {
	const char *name, *unit; /* of the first trial that has it */
	size_t count;		 /* trials that have it, >= 1 */
	double median, least, greatest;
	double values[LAI_RUNNER_SEEDS_MAX]; /* [count], ascending */
};

/* Calls each() for every number, in the order in which the trials say them first. */
void lai_lab_numbers(const struct lai_outcome *outcome,
		     void (*each)(void *arg, const struct lai_lab_number *number), void *arg);
size_t lai_lab_numbers_count(const struct lai_outcome *outcome);

#endif
