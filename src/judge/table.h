/* SPDX-License-Identifier: MIT */
/*
 * table.h - a hash table of indices, sized once. The keys stay where they are: the caller hashes,
 * and compares what comes out.
 *
 *	for (size_t at = lai_table_first(&table, hash); (i = lai_table_next(&table, hash, &at)) != LAI_NO_INDEX;)
 *		if (equal(list[i], key))
 *
 * Put each key once: many entries with the same hash stand in one long row.
 */
#ifndef LAI_JUDGE_TABLE_H
#define LAI_JUDGE_TABLE_H

#include "observe/facts.h"

#include <errno.h>
#include <stdlib.h>

struct lai_table {
	struct lai_table_slot {
		uint32_t hash;
		uint32_t index; /* LAI_NO_INDEX: empty */
	} * slots;
	size_t mask;
};

/* For count entries at most, half of the slots then stay empty. 0 or -ENOMEM. */
static inline int lai_table_init(struct lai_table *table, size_t count)
{
	size_t size = 8;

	while (size < 2 * count)
		size *= 2;
	table->slots = malloc(size * sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		table->slots[i].index = LAI_NO_INDEX;
	table->mask = size - 1;
	return 0;
}

/* A table of zeroes is fine. */
static inline void lai_table_done(struct lai_table *table)
{
	free(table->slots);
	*table = (struct lai_table){0};
}

static inline void lai_table_put(struct lai_table *table, uint32_t hash, uint32_t index)
{
	size_t at = hash & table->mask;

	while (table->slots[at].index != LAI_NO_INDEX)
		at = (at + 1) & table->mask;
	table->slots[at] = (struct lai_table_slot){hash, index};
}

static inline size_t lai_table_first(const struct lai_table *table, uint32_t hash)
{
	return hash & table->mask;
}

/* The next entry with this hash; LAI_NO_INDEX: no more. A table of zeroes is empty. */
static inline uint32_t lai_table_next(const struct lai_table *table, uint32_t hash, size_t *at)
{
	if (!table->slots)
		return LAI_NO_INDEX;
	while (table->slots[*at].index != LAI_NO_INDEX) {
		const struct lai_table_slot *slot = &table->slots[*at];

		*at = (*at + 1) & table->mask;
		if (slot->hash == hash)
			return slot->index;
	}
	return LAI_NO_INDEX;
}

/* The finaliser of splitmix64: every bit of the result depends on every bit of the word. */
static inline uint64_t lai_mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

static inline uint32_t lai_mix2(uint64_t a, uint64_t b)
{
	return (uint32_t)lai_mix(a ^ lai_mix(b + 0x9e3779b97f4a7c15ull));
}

#endif
