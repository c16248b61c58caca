/* SPDX-License-Identifier: MIT */
/* lab_progress.h - how far a run has come: one line on a terminal, drawn again in place. */
#ifndef LAI_CLI_LAB_PROGRESS_H
#define LAI_CLI_LAB_PROGRESS_H

#include "lab/claim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lai_lab_progress {
	bool drawn_at_all; /* stderr is a terminal */
	bool drawn;	   /* a line stands there */
	uint64_t began_ns, drawn_ns;
	size_t done, total; /* trials */
};

void lai_lab_progress_begin(struct lai_lab_progress *progress);

/* As lai_run_plan.progress; arg is the struct lai_lab_progress. */
void lai_lab_progress_tell(void *arg, size_t done, size_t total, size_t running,
			   const struct lai_claim *latest);

/* Takes the line away. */
void lai_lab_progress_end(struct lai_lab_progress *progress);

#endif
