/* SPDX-License-Identifier: MIT */
/* store_groups.h - a batch by destinations, so that each file is written once: its records in the
 * order in which they came. */
#ifndef LAI_DISK_STORE_GROUPS_H
#define LAI_DISK_STORE_GROUPS_H

#include "disk/store_batch.h"
#include "disk/store_name.h"

/* A destination. */
struct lai_store_group {
	struct lai_slice destination; /* in the batch */
	char name[LAI_STORE_NAME_MAX];
	int64_t length; /* of its file: before the batch; then with it */
	int64_t rotated;
	bool written;
	size_t count, begin; /* its new records in order */
};

/* A record, in the order of the batch. */
struct lai_store_item {
	struct lai_slice body;
	size_t group;
	bool known; /* stored already: left out */
};

/* Zeroed: empty. The memory is kept from batch to batch. */
struct lai_store_groups {
	struct lai_buffer groups, items, order, slots;
	size_t count, item_count, slot_count;
};

void lai_store_groups_done(struct lai_store_groups *groups);

/* Groups and items of this batch, which must stay. false: out of memory. */
bool lai_store_groups_fill(struct lai_store_groups *groups, const struct lai_store_batch *batch);
/* Once it is known which records are new, and their number is in each group's count. */
void lai_store_groups_arrange(struct lai_store_groups *groups);

static inline struct lai_store_group *lai_store_group_at(const struct lai_store_groups *groups,
							 size_t i)
{
	return (struct lai_store_group *)(void *)lai_buffer_data(&groups->groups) + i;
}

static inline struct lai_store_item *lai_store_item_at(const struct lai_store_groups *groups,
						       size_t i)
{
	return (struct lai_store_item *)(void *)lai_buffer_data(&groups->items) + i;
}

/* The i-th new record of the group. */
static inline struct lai_slice lai_store_group_body(const struct lai_store_groups *groups,
						    const struct lai_store_group *group, size_t i)
{
	const size_t *order = (const size_t *)(const void *)lai_buffer_data(&groups->order);

	return lai_store_item_at(groups, order[group->begin + i])->body;
}

#endif
