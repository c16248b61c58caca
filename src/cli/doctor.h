/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - takes snapshots, has them judged, and writes the findings.
 *
 * A watch compares each snapshot with an earlier one. That is the first until it is older than a
 * window, and then moves on, so that what grew while a program started does not count for ever:
 *
 *	before        next          now
 *	|------------ age of next < window
 *	'------------------------ compared
 */
#ifndef LAI_CLI_DOCTOR_H
#define LAI_CLI_DOCTOR_H

#include "cli/option.h"
#include "judge/judge.h"
#include "observe/snapshot.h"

struct lai_doctor_config {
	bool verdicts[LAI_VERDICT_COUNT]; /* wanted */
	enum lai_severity severity;	  /* this and worse */
	const pid_t *pids;		  /* the caller's; none: all */
	size_t pid_count;
	bool chosen; /* any of the above leaves something out */
	enum lai_way_choice way;
	bool all_namespaces;
	uint64_t period_ns; /* LA_NEVER: one look */
	uint32_t rounds;    /* 0: no end */
	bool json, text, quiet;
};

/* Runs to its end; returns the exit code. name: "lastack doctor". */
int lai_doctor_run(const char *name, const struct lai_doctor_config *config);

#endif
