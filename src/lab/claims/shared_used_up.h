/* SPDX-License-Identifier: MIT */
/*
 * shared_used_up.h - what the claims about a port's way back share: a small range of automatic
 * ports, each in TIME_WAIT because of one destination, and whether connect() gets one of them
 * again.
 */
#ifndef LAI_LAB_CLAIMS_SHARED_USED_UP_H
#define LAI_LAB_CLAIMS_SHARED_USED_UP_H

#include "lab/claims/shared_dial.h"

#define LAI_USED_UP_PORTS 10

struct lai_used_up {
	unsigned made; /* connections, until one was refused or there were twice as many as ports */
	unsigned time_waits;	  /* that they left at the client */
	struct lai_dial_try last; /* the refused one */
	uint32_t left_ms;	  /* of the TIME_WAIT that the last connection left */
	bool came_back;		  /* a port did, within the wait */
	double after_ms;	  /* from the refusal on */
};

/*
 * Connects to the listener from all ports and closes at the client first; then tries again until a
 * port comes back, for wait_ns. at: the host of the listener, which may be the client itself.
 * Changes ip_local_port_range of the client.
 */
struct lai_used_up lai_used_up_try(struct lai_trial *trial, const struct lai_host *at, int listener,
				   const struct lai_address *to, uint64_t wait_ns);

/* Long enough for a port to come back where the kernel lets it. */
uint64_t lai_used_up_wait_ns(struct lai_trial *trial);

#endif
