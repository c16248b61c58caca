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

/* Sorts the charges. 0 or -ENOMEM. */
int lai_docket_add_charges(struct lai_docket *docket, struct lai_court *court, lai_rule_of *rule_of,
			   struct lai_charge *charges, size_t count);

/* The worst first. */
void lai_docket_sort(struct lai_docket *docket);

#endif
