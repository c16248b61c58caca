/* SPDX-License-Identifier: MIT */
/* host_inside.h - what the files of a host need of one another. */
#ifndef LAI_LAB_HOST_INSIDE_H
#define LAI_LAB_HOST_INSIDE_H

#include "lab/host.h"

#define LAI_WIRE_PREFIX_V4 24
#define LAI_WIRE_PREFIX_V6 64

/* Whether the thread really is in this host's namespace: asked of the kernel. */
bool lai_host_is_here(const struct lai_host *host);

/* One end of a wire. */
struct lai_wire_end {
	struct lai_host *host;
	unsigned port;
};

/*
 * Makes a pair of devices, each in its host, with the names and hardware addresses that stand in
 * the ports, and fills in their indexes. They are down, and leave segments and sums to no hardware.
 */
void lai_host_link_make(struct lai_trial *trial, const struct lai_wire_end *near,
			const struct lai_wire_end *far);
/* Raises a device of the host the thread is in. */
void lai_host_link_raise(struct lai_trial *trial, const char *name);
/* Waits until both ends of the wire are there, and the device takes packets. */
void lai_host_link_await(struct lai_trial *trial, const struct lai_host *host, unsigned port);

/* Without duplicate address detection; usable on return. */
void lai_host_link_add_address(struct lai_trial *trial, const struct lai_host *host, unsigned port,
			       const struct lai_address *address);
/* Everything else goes to this gateway. */
void lai_host_link_add_route(struct lai_trial *trial, const struct lai_host *host, unsigned port,
			     const struct lai_address *gateway);
/* Whoever has this address has this MAC, on the wire of this port. */
void lai_host_link_add_neighbour(struct lai_trial *trial, const struct lai_host *host,
				 unsigned port, const struct lai_address *address,
				 const uint8_t mac[6]);

#endif
