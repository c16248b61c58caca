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

/* doctor_verdict.c: reads the name of a verdict. 0, or LAI_EXIT_USAGE after saying which is near.
   name: of the command; option: "--verdict". */
int lai_doctor_verdict(const char *name, const char *option, const char *given,
		       enum lai_verdict *verdict);

/* doctor_unjudged.c: a sentence that counts CLOSE_WAIT and FIN_WAIT2 that no finding has, in lines of
   so many columns; nothing if there are none. first: there was no look before. */
void lai_doctor_show_unjudged(struct lai_text *text, const struct lai_snapshot *snapshot,
			      const struct lai_findings *findings, bool first, size_t columns);

/* Runs to its end; returns the exit code. name: "lastack doctor". */
int lai_doctor_run(const char *name, const struct lai_doctor_config *config);

#endif
