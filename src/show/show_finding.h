/* SPDX-License-Identifier: MIT */
/*
 * show_finding.h - what the judge found, as a block of text for people, a row for scripts and an
 * object for programs.
 *
 * The names of processes and their arguments are written by strangers: in texts and rows whatever
 * could drive a terminal is escaped, in JSON as base/json.h does it.
 */
#ifndef LAI_SHOW_FINDING_H
#define LAI_SHOW_FINDING_H

#include "base/json.h"
#include "judge/judge.h"
#include "show/show_columns.h"

/*
 * Appends the block of one finding: a headline, then what is known, each under its label. Lines are
 * at most width_max wide, but for the command of the remedy, which is to be copied as a whole.
 * styled: with ANSI attributes. What is not certain is called so behind the severity.
 *
 *	LEAK (likely)  pid 4711 (java): 1012 connections: was told that the peer closed, and
 *	            has not closed [eof-ignored]
 *	  For       at least 3h12m (the oldest)
 *	  ...
 */
void lai_show_finding_text(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_finding *finding, size_t width_max, bool styled);

/* "3 findings: 1 leak, 2 warnings". */
void lai_show_finding_counts(struct lai_text *text, const size_t counts[LAI_SEVERITY_COUNT]);

/* The columns of the short table that stands before several blocks, and one row of it. */
#define LAI_SHOW_FINDING_BRIEF_COLUMNS 6
extern const struct lai_column lai_show_finding_brief_columns[LAI_SHOW_FINDING_BRIEF_COLUMNS];
void lai_show_finding_brief(struct lai_columns *columns, const struct lai_finding *finding);

/* The columns of a row, for lai_columns_init(). */
#define LAI_SHOW_FINDING_COLUMNS 22
extern const struct lai_column lai_show_finding_columns[LAI_SHOW_FINDING_COLUMNS];

/* One row of them. */
void lai_show_finding_row(struct lai_columns *columns, const struct lai_snapshot *snapshot,
			  const struct lai_finding *finding);

/* Writes the finding as an element of the array that the caller has begun. */
void lai_show_finding_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			   const struct lai_finding *finding);

/* --- parts of them --- */

/* "LEAK"; if it is not certain "LEAK (likely)" or "LEAK (possible)". */
void lai_show_finding_kind(struct lai_text *text, const struct lai_finding *finding);

/* Appends descriptors as ranges, "3,5-9,12", at most ranges_max of them, then " and 17 more". */
void lai_show_fds(struct lai_text *text, const int32_t *fds, size_t count, size_t ranges_max);

/* "192.0.2.1:80"; of no single port "192.0.2.1:*"; of no single address "". Returns text. */
const char *lai_show_endpoint(char text[LA_ADDRESS_TEXT_MAX], const struct lai_address *address);

/* The name that ip-netns(8) gave it, or "net:[4026531840]"; "": it is not in the snapshot. */
#define LAI_SHOW_NAMESPACE_MAX (LAI_NAMESPACE_NAME_MAX + 1)
const char *lai_show_namespace(char text[LAI_SHOW_NAMESPACE_MAX],
			       const struct lai_snapshot *snapshot, uint32_t index);

#endif
