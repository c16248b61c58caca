/* SPDX-License-Identifier: MIT */
#include "disk/store_groups.h"

#include "disk/store_file.h"

/* The least size of the hash table. */
#define SLOTS_MIN 16

void lai_store_groups_done(struct lai_store_groups *groups)
{
	lai_buffer_done(&groups->groups);
	lai_buffer_done(&groups->items);
	lai_buffer_done(&groups->order);
	lai_buffer_done(&groups->slots);
}

/* A hash table of group numbers + 1, half empty at least. Room for as many groups as there were
   last time, to begin with. */
static bool reserve(struct lai_store_groups *groups, size_t count)
{
	size_t slots = SLOTS_MIN;

	while (slots < 2 * count)
		slots *= 2;
	groups->slot_count = slots;
	groups->count = groups->item_count = 0;
	if (!lai_store_buffer_begin(&groups->groups, lai_buffer_used(&groups->groups)) ||
	    !lai_store_buffer_begin(&groups->items, count * sizeof(struct lai_store_item)) ||
	    !lai_store_buffer_begin(&groups->order, count * sizeof(size_t)) ||
	    !lai_store_buffer_begin(&groups->slots, slots * sizeof(size_t)))
		return false;
	memset(lai_buffer_data(&groups->slots), 0, slots * sizeof(size_t));
	return true;
}

static bool group_new(struct lai_store_groups *groups, struct lai_slice destination)
{
	struct lai_store_group group = {.destination = destination};

	lai_store_name(group.name, destination);
	if (!lai_buffer_append(&groups->groups, &group, sizeof(group)))
		return false;
	groups->count++;
	return true;
}

/* The number of the destination's group; SIZE_MAX: out of memory. */
static size_t group_of(struct lai_store_groups *groups, struct lai_slice destination)
{
	size_t *slots = (size_t *)(void *)lai_buffer_data(&groups->slots);
	size_t at = lai_store_hash(destination) & (groups->slot_count - 1);

	while (slots[at]) {
		if (lai_slice_equal(lai_store_group_at(groups, slots[at] - 1)->destination,
				    destination))
			return slots[at] - 1;
		at = (at + 1) & (groups->slot_count - 1);
	}
	if (!group_new(groups, destination))
		return SIZE_MAX;
	slots[at] = groups->count;
	return groups->count - 1;
}

bool lai_store_groups_fill(struct lai_store_groups *groups, const struct lai_store_batch *batch)
{
	struct lai_store_record record;
	size_t place = 0, group;

	if (!reserve(groups, batch->count))
		return false;
	while (lai_store_batch_next(batch, &place, &record)) {
		group = group_of(groups, record.destination);
		if (group == SIZE_MAX)
			return false;
		*lai_store_item_at(groups, groups->item_count++) =
			(struct lai_store_item){.body = record.body, .group = group};
	}
	return true;
}

void lai_store_groups_arrange(struct lai_store_groups *groups)
{
	size_t *order = (size_t *)(void *)lai_buffer_data(&groups->order);
	struct lai_store_group *group = lai_store_group_at(groups, 0);
	size_t sum = 0;

	for (size_t i = 0; i < groups->count; i++, group++) {
		group->begin = sum;
		sum += group->count;
		group->count = 0;
	}
	for (size_t i = 0; i < groups->item_count; i++) {
		const struct lai_store_item *item = lai_store_item_at(groups, i);

		if (item->known)
			continue;
		group = lai_store_group_at(groups, item->group);
		order[group->begin + group->count++] = i;
	}
}
