/* SPDX-License-Identifier: MIT */
/* list_sort.h - the order of list's rows. */
#ifndef LAI_CLI_LIST_SORT_H
#define LAI_CLI_LIST_SORT_H

#include "observe/facts.h"

struct lai_list_order; /* what one key compares: a row of a constant table */

struct lai_list_sort {
	const struct lai_list_order *order; /* NULL: as the kernel gave them */
	bool descending;
};

/*
 * "age", or "-age" for descending. 0; -EINVAL: *error is a sentence for free() (NULL: no memory).
 */
int lai_list_sort_read(const char *text, struct lai_list_sort *sort, char **error);

/*
 * Sorts indices of sockets; equals stay in the order of the snapshot, what has no such value (no
 * age, no owner) comes last either way. 0; -ENOMEM.
 */
int lai_list_sort_apply(const struct lai_list_sort *sort, const struct lai_snapshot *snapshot,
			uint32_t *sockets, size_t count);

#endif
