/* SPDX-License-Identifier: MIT */
/* shared_nat.h - a router with one address for everybody, for the claims about NAT. */
#ifndef LAI_LAB_CLAIMS_SHARED_NAT_H
#define LAI_LAB_CLAIMS_SHARED_NAT_H

#include "lab/call.h"
#include "lab/gauge.h"

/*
 * What goes to this port of the server leaves the router with the router's address and one of these
 * ports. LACKS without NAT in the kernel. Until lai_rules_clear().
 */
void lai_nat_source(struct lai_trial *trial, uint16_t server_port, uint16_t port_min,
		    uint16_t port_max);

/* As lai_counters_since(); 0 if this kernel does not count it. */
uint64_t lai_nat_counter(struct lai_trial *trial, const struct lai_host *host,
			 const struct lai_counters *then, const char *file, const char *name);

#endif
