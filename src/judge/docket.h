/* SPDX-License-Identifier: MIT */
/*
 * docket.h - the list of findings while it is made: charges are sorted and grouped by verdict, process
 * and peer; each group becomes one finding.
 */
#ifndef LAI_JUDGE_DOCKET_H
#define LAI_JUDGE_DOCKET_H

#include "judge/rule.h"

struct lai_docket {
	struct lai_finding *list;
	size_t count, room;
};

/* A new finding, zero but for what must not be; NULL: no memory. Valid until the next one. */
struct lai_finding *lai_docket_add(struct lai_docket *docket, enum lai_verdict verdict);

/* rule_of: by verdict. Sorts the charges. 0 or -ENOMEM. */
int lai_docket_add_charges(struct lai_docket *docket, struct lai_court *court,
			   const struct lai_rule *(*rule_of)(enum lai_verdict verdict),
			   struct lai_charge *charges, size_t count);

/* The name, the command line and what else is known of finding->pid. */
void lai_finding_set_process(struct lai_finding *finding, const struct lai_snapshot *snapshot);

/* A number that became another in so long, per minute, rounded to nearest; LAI_GROWTH_UNKNOWN for an
   interval of 0. */
int64_t lai_growth_per_min(int64_t difference, uint64_t interval_ms);

/* The worst first. */
void lai_docket_sort(struct lai_docket *docket);

#endif
