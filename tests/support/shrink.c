/* SPDX-License-Identifier: MIT */
#include "shrink.h"

#include <string.h>

#define RUNS_MAX 600u /* a few seconds at most */
#define SHORTEST_NS LAI_MS

struct shrink {
	struct t_plan *plan; /* the smallest so far that fails */
	enum t_invariant invariant;
	t_shrink_run *run;
	struct t_world *world;
	unsigned runs;
};

/* Takes the smaller plan if it fails in the same way. */
static bool try(struct shrink *shrink, const struct t_plan *smaller)
{
	if (shrink->runs >= RUNS_MAX)
		return false;
	shrink->runs++;
	shrink->run(shrink->world, smaller);
	if (shrink->world->broken != shrink->invariant)
		return false;
	*shrink->plan = *smaller;
	return true;
}

static void without(struct t_plan *plan, unsigned from, unsigned count)
{
	unsigned rest = plan->fault_count - from - count;

	memmove(&plan->faults[from], &plan->faults[from + count], rest * sizeof(plan->faults[0]));
	plan->fault_count -= count;
}

static bool drop_faults(struct shrink *shrink, unsigned size)
{
	bool dropped = false;
	unsigned from = 0;

	while (from < shrink->plan->fault_count) {
		struct t_plan smaller = *shrink->plan;
		unsigned rest = smaller.fault_count - from;

		without(&smaller, from, size < rest ? size : rest);
		if (try(shrink, &smaller))
			dropped = true;
		else
			from += size;
	}
	return dropped;
}

static void shorten_faults(struct shrink *shrink)
{
	for (unsigned i = 0; i < shrink->plan->fault_count; i++) {
		struct t_plan smaller;

		do {
			smaller = *shrink->plan;
			smaller.faults[i].duration_ns /= 2;
		} while (smaller.faults[i].duration_ns > SHORTEST_NS && try(shrink, &smaller));
	}
}

static void lessen_work(struct shrink *shrink)
{
	struct t_plan smaller;

	do {
		smaller = *shrink->plan;
		smaller.work.bytes /= 2;
	} while (smaller.work.bytes > 0 && try(shrink, &smaller));
}

unsigned t_shrink(struct t_plan *plan, enum t_invariant invariant, t_shrink_run *run,
		  struct t_world *world)
{
	struct shrink shrink = {plan, invariant, run, world, 0};
	bool dropped = true;

	while (dropped) {
		dropped = false;
		for (unsigned size = plan->fault_count; size >= 1; size /= 2)
			dropped = drop_faults(&shrink, size) || dropped;
	}
	shorten_faults(&shrink);
	lessen_work(&shrink);
	shrink.run(world, plan); /* what it says now is what is shown */
	return shrink.runs;
}
