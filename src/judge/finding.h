/* SPDX-License-Identifier: MIT */
/* finding.h - makes one finding of a group of charges. */
#ifndef LAI_JUDGE_FINDING_H
#define LAI_JUDGE_FINDING_H

#include "judge/rule.h"

/*
 * Fills a new finding (lai_docket_add()); group->finding becomes it. whole: the group is of all
 * peers. -ENOMEM: what was filled is for lai_findings_done().
 */
int lai_finding_fill(struct lai_finding *finding, struct lai_group *group, lai_rule_of *rule_of,
		     bool whole);

/* The name and the command line of finding->pid. */
void lai_finding_set_process(struct lai_finding *finding, const struct lai_snapshot *snapshot);

/* A number that became another in so long, per minute, rounded to nearest; LAI_GROWTH_UNKNOWN for an
   interval of 0. */
int64_t lai_growth_per_min(int64_t difference, uint64_t interval_ms);

#endif
