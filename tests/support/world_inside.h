/* SPDX-License-Identifier: MIT */
/* world_inside.h - what the two halves of the invariants share. */
#ifndef T_WORLD_INSIDE_H
#define T_WORLD_INSIDE_H

#include "world.h"

/* Delivered bytes against the report and the kernel's view of the present connection. */
void t_check_proof(struct t_world *world, const struct la_totals *totals,
		   const struct la_report *report, const struct lai_view *view);
/* Every connect() since the last call against the back-off that was announced. */
void t_check_attempts(struct t_world *world);

double t_check_seconds(uint64_t time_ns);
uint64_t t_check_larger(uint64_t a, uint64_t b);

#endif
