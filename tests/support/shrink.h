/* SPDX-License-Identifier: MIT */
/*
 * shrink.h - makes the plan of a failed run small: as few faults as still break the same invariant,
 * then as short as possible, then as little work as possible (delta debugging, Zeller 2002).
 *
 * What a plan is, only its owner knows: he says how to make one a little smaller.
 */
#ifndef T_SHRINK_H
#define T_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

struct t_shrink {
	size_t plan_bytes; /* a plan is a value, copied as it is */
	unsigned (*fault_count)(const void *plan);
	void (*drop)(void *plan, unsigned from, unsigned count);
	bool (*shorten)(void *plan, unsigned fault); /* by half; false: it is short enough */
	bool (*lessen)(void *plan);		     /* its work, by half; false: it is little */
	bool (*fails)(void *arg, const void *plan);  /* runs it: is the same invariant broken? */
	void *arg;
};

/* Shrinks *plan, which fails; returns the number of runs that it took. The last run was of *plan. */
unsigned t_shrink(const struct t_shrink *kind, void *plan);

#endif
