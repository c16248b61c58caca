/* SPDX-License-Identifier: MIT */
/* shared_nat.h - a router with one address for everybody, for the claims about NAT. */
#ifndef LAI_LAB_CLAIMS_SHARED_NAT_H
#define LAI_LAB_CLAIMS_SHARED_NAT_H

#include "lab/call.h"

/*
 * What goes to this port of the server leaves the router with the router's address and one of these
 * ports. LACKS without NAT in the kernel. Until lai_rules_clear().
 */
void lai_nat_source(struct lai_trial *trial, uint16_t server_port, uint16_t port_min,
		    uint16_t port_max);

/* Ends the trial if this accepted connection of the server's did not come from the router's address
   and one of these ports: rules that do nothing must not make a verdict. */
void lai_nat_need(struct lai_trial *trial, int server, uint16_t port_min, uint16_t port_max);

#endif
