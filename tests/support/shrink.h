/* SPDX-License-Identifier: MIT */
/*
 * shrink.h - makes the plan of a failed run small: as few faults as still break the same invariant,
 * then as short as possible, then as little work as possible (delta debugging, Zeller 2002).
 */
#ifndef T_SHRINK_H
#define T_SHRINK_H

#include "world.h"

/* Carries a plan out; world->broken says what came of it. */
typedef void t_shrink_run(struct t_world *world, const struct t_plan *plan);

/* Shrinks *plan, which breaks `invariant`; returns the number of runs that it took. */
unsigned t_shrink(struct t_plan *plan, enum t_invariant invariant, t_shrink_run *run,
		  struct t_world *world);

#endif
