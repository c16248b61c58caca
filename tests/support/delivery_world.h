/* SPDX-License-Identifier: MIT */
/*
 * delivery_world.h - one plan of acknowledged delivery, carried out on the simulated network and
 * disks, with the invariants of delivery_book.h.
 *
 *   begin -> faults and restarts until the heal -> everybody finishes -> servers stop -> what their
 *   disks hold is compared with what was promised
 */
#ifndef T_DELIVERY_WORLD_H
#define T_DELIVERY_WORLD_H

#include "delivery_host.h"

struct t_delivery_world {
	const struct t_delivery_plan *plan;
	struct lai_sim *sim;
	struct t_book book;
	struct t_sender senders[T_DELIVERY_SENDERS];
	struct t_server servers[T_DELIVERY_SERVERS];
	enum { T_AHEAD, T_ON, T_OVER } phases[T_DELIVERY_FAULTS];
	bool healed;
	FILE *log;
	/* Counts, valid after the run. */
	uint64_t turns, time_ns, hash, faults;
	unsigned owed, excused, repeats;
	unsigned restarts;
};

/* Carries it out; world->book says what came of it. directory: for files of users. log: NULL, or
   where to tell; trace: every segment too. 0, or a negative errno: it cannot be carried out. */
int t_delivery_world_run(struct t_delivery_world *world, const struct t_delivery_plan *plan,
			 const char *directory, FILE *log, bool trace);

#endif
