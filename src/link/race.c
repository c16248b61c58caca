/* SPDX-License-Identifier: MIT */
#include "link/race.h"

#include <assert.h>

void lai_race_init(struct lai_race *race, const struct lai_address *addresses, int count,
		   uint64_t now_ns)
{
	bool taken[LAI_ADDRESSES_MAX] = {false};
	int family = AF_UNSPEC;

	assert(count > 0 && count <= LAI_ADDRESSES_MAX);
	*race = (struct lai_race){.count = count, .next_ns = now_ns};
	for (int place = 0; place < count; place++) {
		int pick = -1;

		/* The first one left of the other family, else the first one left. */
		for (int i = count - 1; i >= 0; i--)
			if (!taken[i] && lai_address_family(&addresses[i]) != family)
				pick = i;
		for (int i = 0; pick < 0; i++)
			if (!taken[i])
				pick = i;
		taken[pick] = true;
		family = lai_address_family(&addresses[pick]);
		race->addresses[place] = addresses[pick];
	}
}

void lai_race_prefer(struct lai_race *race, const struct lai_address *address)
{
	assert(race->started == 0);
	for (int i = 1; i < race->count; i++) {
		if (!lai_address_equal(&race->addresses[i], address))
			continue;
		for (; i > 0; i--)
			race->addresses[i] = race->addresses[i - 1];
		race->addresses[0] = *address;
		return;
	}
}

int lai_race_next(struct lai_race *race, uint64_t now_ns)
{
	int attempt = race->started;

	if (attempt == race->count || now_ns < race->next_ns)
		return -1;
	race->started++;
	race->running[attempt] = true;
	race->next_ns = lai_time_after(now_ns, LAI_RACE_STAGGER_NS);
	return attempt;
}

void lai_race_failed(struct lai_race *race, int attempt, uint64_t now_ns)
{
	assert(race->running[attempt]);
	race->running[attempt] = false;
	race->failed++;
	race->next_ns = now_ns;
}

bool lai_race_lost(const struct lai_race *race)
{
	return race->failed == race->count;
}

uint64_t lai_race_deadline(const struct lai_race *race)
{
	return race->started == race->count ? LA_NEVER : race->next_ns;
}
