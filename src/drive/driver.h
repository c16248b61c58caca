/* SPDX-License-Identifier: MIT */
/*
 * driver.h - puts a link and a network together: carries the kernel's news to the link, and the
 * link's actions to the kernel. The same code drives the Linux network and the simulator.
 *
 * One step: wait -> every event to the link -> timers -> actions -> write -> what to wait for.
 * Actions wait until the whole batch of events is in, so that no event meets a descriptor which
 * an action has closed and another has opened again.
 */
#ifndef LAI_DRIVE_DRIVER_H
#define LAI_DRIVE_DRIVER_H

#include "drive/hands.h"
#include "link/link.h"

struct lai_driver {
	struct lai_net *net;
	struct lai_link *link;
	struct lai_socket_options options;
	struct lai_hands hands;	       /* the connection's */
	int racing[LAI_ADDRESSES_MAX]; /* by attempt, or -1 */
	bool ack_asked;		       /* a LAI_ACKED is on its way, probably */
	uint64_t asked_ns;
	uint64_t slept_ns;
};

/* options and its texts must outlive the driver. */
void lai_driver_init(struct lai_driver *driver, struct lai_net *net, struct lai_link *link,
		     const struct lai_socket_options *options);

/* One step; waits until_ns at the longest if nothing is ready (0: not at all). */
void lai_driver_step(struct lai_driver *driver, uint64_t until_ns);

/* Carries out what a wish has asked for, without looking for events. */
void lai_driver_act(struct lai_driver *driver);

/* Takes a view of the connection, if there is one. */
void lai_driver_look(struct lai_driver *driver);

/* Sockets that are open now: at most one, outside a race. */
int lai_driver_sockets(const struct lai_driver *driver);

#endif
