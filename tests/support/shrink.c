/* SPDX-License-Identifier: MIT */
#include "shrink.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 600u /* a few seconds at most */

struct shrink {
	const struct t_shrink *kind;
	void *plan;    /* the smallest so far that fails */
	void *smaller; /* the one that is tried */
	unsigned runs;
};

/* Takes the smaller plan if it fails in the same way. */
static bool try(struct shrink *shrink)
{
	if (shrink->runs >= RUNS_MAX)
		return false;
	shrink->runs++;
	if (!shrink->kind->fails(shrink->kind->arg, shrink->smaller))
		return false;
	memcpy(shrink->plan, shrink->smaller, shrink->kind->plan_bytes);
	return true;
}

static void *copy(struct shrink *shrink)
{
	return memcpy(shrink->smaller, shrink->plan, shrink->kind->plan_bytes);
}

static bool drop_faults(struct shrink *shrink, unsigned size)
{
	bool dropped = false;
	unsigned from = 0, count;

	while (from < (count = shrink->kind->fault_count(shrink->plan))) {
		unsigned rest = count - from;

		shrink->kind->drop(copy(shrink), from, size < rest ? size : rest);
		if (try(shrink))
			dropped = true;
		else
			from += size;
	}
	return dropped;
}

static void shorten_faults(struct shrink *shrink)
{
	for (unsigned i = 0; i < shrink->kind->fault_count(shrink->plan); i++)
		while (shrink->kind->shorten(copy(shrink), i) && try(shrink))
			;
}

static void lessen_work(struct shrink *shrink)
{
	while (shrink->kind->lessen(copy(shrink)) && try(shrink))
		;
}

unsigned t_shrink(const struct t_shrink *kind, void *plan)
{
	struct shrink shrink = {kind, plan, malloc(kind->plan_bytes), 0};
	bool dropped = true;

	if (!shrink.smaller)
		return 0;
	while (dropped) {
		dropped = false;
		for (unsigned size = kind->fault_count(plan); size >= 1; size /= 2)
			dropped = drop_faults(&shrink, size) || dropped;
	}
	shorten_faults(&shrink);
	lessen_work(&shrink);
	(void)kind->fails(kind->arg, plan); /* what it says now is what is shown */
	free(shrink.smaller);
	return shrink.runs;
}
