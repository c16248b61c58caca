/* SPDX-License-Identifier: MIT */
#include "lab/claims/shared_nat.h"

#include "lab/rules.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SCRIPT_BYTES 512

void lai_nat_source(struct lai_trial *trial, uint16_t server_port, uint16_t port_min,
		    uint16_t port_max)
{
	const struct lai_host_port *outside = &trial->router->ports[1];
	char address[INET_ADDRSTRLEN], script[SCRIPT_BYTES];

	(void)inet_ntop(AF_INET, &outside->v4.v4.sin_addr, address, sizeof(address));
	(void)snprintf(script, sizeof(script),
		       "table ip nat {\n"
		       "	chain out {\n"
		       "		type nat hook postrouting priority srcnat;\n"
		       "		oifname \"%s\" tcp dport %u snat to %s:%u-%u\n"
		       "	}\n"
		       "}\n",
		       outside->name, server_port, address, port_min, port_max);
	lai_rules_add(trial, trial->router, script);
}

void lai_nat_need(struct lai_trial *trial, int server, uint16_t port_min, uint16_t port_max)
{
	struct lai_address seen = lai_call_ends(trial, server).remote;
	struct lai_address wanted = trial->router->ports[1].v4;
	uint16_t port = lai_address_port(&seen);

	lai_address_set_port(&wanted, port);
	if (!lai_address_equal(&seen, &wanted) || port < port_min || port > port_max)
		lai_trial_fail(trial, "the router does not translate addresses, though nft took "
				      "the rule for it");
}
