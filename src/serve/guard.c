/* SPDX-License-Identifier: MIT */
/*
 * The table: entries in one array, found by a hash with chains, and in a ring of their own from the
 * one heard last to the one heard longest ago. Places are indexes; 0 is the ring's head and ends a
 * chain, so that a zeroed table is an empty one.
 */
#include "serve/guard.h"
#include "base/random.h"
#include "base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Power of two; as many chains as entries make them one long on the average. */
#define CHAIN_COUNT LAI_GUARD_ADDRESSES_MAX

struct entry {
	uint64_t key;
	uint32_t family;
	uint32_t next; /* in its chain */
	uint32_t newer, older;
	uint32_t first, count; /* of its times: a ring of failures_max, oldest first */
};

struct lai_guard {
	uint32_t failures_max;
	uint64_t failures_ns, seed;
	uint32_t used; /* entries 1 to used have an address */
	uint32_t chains[CHAIN_COUNT];
	struct entry entries[LAI_GUARD_ADDRESSES_MAX + 1];
	uint64_t *times; /* failures_max for each entry; untouched ones cost no memory */
};

int lai_guard_new(struct lai_guard **guard, uint32_t failures_max, uint64_t failures_ns,
		  uint64_t seed)
{
	struct lai_guard *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	if (failures_max == 0)
		failures_max = 1;
	if (failures_max > LAI_GUARD_FAILURES_MAX)
		failures_max = LAI_GUARD_FAILURES_MAX;
	new->failures_max = failures_max;
	new->failures_ns = failures_ns;
	new->seed = seed;
	new->times = calloc((size_t)failures_max * (LAI_GUARD_ADDRESSES_MAX + 1), sizeof(uint64_t));
	if (!new->times) {
		free(new);
		return -ENOMEM;
	}
	*guard = new;
	return 0;
}

void lai_guard_free(struct lai_guard *guard)
{
	if (!guard)
		return;
	free(guard->times);
	free(guard);
}

size_t lai_guard_count(const struct lai_guard *guard)
{
	return guard->used;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* What counts as one address: all of IPv4, the /64 of IPv6, since whoever has one has all of it. */
static uint64_t key_of(const struct lai_address *address, uint32_t *family)
{
	struct lai_address plain = lai_address_unmap(address);
	uint64_t key = 0;

	*family = (uint32_t)lai_address_family(&plain);
	if (*family == AF_INET)
		key = plain.v4.sin_addr.s_addr;
	else if (*family == AF_INET6)
		memcpy(&key, &plain.v6.sin6_addr, sizeof(key));
	return key;
}

static uint32_t *chain_of(struct lai_guard *guard, uint64_t key, uint32_t family)
{
	struct lai_random mix = {.state = key ^ guard->seed};

	mix.state = lai_random_next(&mix) + family + guard->seed;
	return &guard->chains[lai_random_next(&mix) % CHAIN_COUNT];
}

static uint32_t find(struct lai_guard *guard, uint64_t key, uint32_t family)
{
	uint32_t place = *chain_of(guard, key, family);

	while (place &&
	       (guard->entries[place].key != key || guard->entries[place].family != family))
		place = guard->entries[place].next;
	return place;
}

/* ---- making room ---------------------------------------------------------------------------- */

static void age_unlink(struct lai_guard *guard, uint32_t place)
{
	struct entry *entry = &guard->entries[place];

	guard->entries[entry->older].newer = entry->newer;
	guard->entries[entry->newer].older = entry->older;
}

static void age_renew(struct lai_guard *guard, uint32_t place)
{
	struct entry *head = &guard->entries[0];

	guard->entries[place].newer = 0;
	guard->entries[place].older = head->older;
	guard->entries[head->older].newer = place;
	head->older = place;
}

static void chain_remove(struct lai_guard *guard, uint32_t place)
{
	struct entry *entry = &guard->entries[place];
	uint32_t *link = chain_of(guard, entry->key, entry->family);

	while (*link != place)
		link = &guard->entries[*link].next;
	*link = entry->next;
}

static uint32_t add(struct lai_guard *guard, uint64_t key, uint32_t family)
{
	uint32_t *chain = chain_of(guard, key, family), place;

	if (guard->used < LAI_GUARD_ADDRESSES_MAX) {
		place = ++guard->used;
	} else {
		place = guard->entries[0].newer; /* the oldest: the ring is closed by its head */
		age_unlink(guard, place);
		chain_remove(guard, place);
	}
	guard->entries[place] = (struct entry){.key = key, .family = family, .next = *chain};
	*chain = place;
	age_renew(guard, place);
	return place;
}

/* ---- counting ------------------------------------------------------------------------------- */

static uint64_t *time_at(struct lai_guard *guard, uint32_t place, uint32_t index)
{
	const struct entry *entry = &guard->entries[place];
	uint32_t slot = (entry->first + index) % guard->failures_max;

	return &guard->times[(size_t)place * guard->failures_max + slot];
}

static void forget_old(struct lai_guard *guard, uint32_t place, uint64_t now_ns)
{
	struct entry *entry = &guard->entries[place];

	while (entry->count > 0 &&
	       now_ns >= lai_time_after(*time_at(guard, place, 0), guard->failures_ns)) {
		entry->first = (entry->first + 1) % guard->failures_max;
		entry->count--;
	}
}

uint64_t lai_guard_try(struct lai_guard *guard, const struct lai_address *address, uint64_t now_ns)
{
	uint32_t family, place;
	uint64_t key = key_of(address, &family);

	place = find(guard, key, family);
	if (place) {
		age_unlink(guard, place);
		age_renew(guard, place);
	} else {
		place = add(guard, key, family);
	}
	forget_old(guard, place, now_ns);
	if (guard->entries[place].count == guard->failures_max) {
		uint64_t free_ns = lai_time_after(*time_at(guard, place, 0), guard->failures_ns);

		return free_ns - now_ns;
	}
	*time_at(guard, place, guard->entries[place].count) = now_ns;
	guard->entries[place].count++;
	return 0;
}

void lai_guard_succeeded(struct lai_guard *guard, const struct lai_address *address,
			 uint64_t now_ns)
{
	uint32_t family, place;
	uint64_t key = key_of(address, &family);

	place = find(guard, key, family);
	if (!place)
		return; /* so many others came meanwhile that it was forgotten */
	forget_old(guard, place, now_ns);
	if (guard->entries[place].count > 0)
		guard->entries[place].count--;
}
