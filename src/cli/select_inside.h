/* SPDX-License-Identifier: MIT */
/* select_inside.h - what the texts of the options become, between the files of select. */
#ifndef LAI_CLI_SELECT_INSIDE_H
#define LAI_CLI_SELECT_INSIDE_H

#include "cli/select.h"

#include <string.h>

/* Addresses are compared as IPv6; IPv4 as it is mapped into that. */
struct prefix {
	struct in6_addr address;
	unsigned bits;
	uint32_t scope; /* 0: any */
};

struct port_range {
	uint16_t first, last;
};

struct texts {
	char **list;
	size_t count;
};

struct ports {
	struct port_range *list;
	size_t count;
};

struct lai_select {
	uint32_t state_mask;
	struct {
		uint32_t *list;
		size_t count;
	} pids;
	struct texts commands, containers;
	const struct lai_option_list *cgroups; /* the settings' */
	struct ports ports, local_ports, remote_ports;
	struct {
		struct prefix *list;
		size_t count;
	} prefixes;
	uint64_t min_age_ms;
	bool ipv4, ipv6; /* let through */
};

/* As IPv6, IPv4 as it is mapped into that; false: there is no address. */
static inline bool lai_select_widen(const struct lai_address *address, struct in6_addr *wide)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	switch (lai_address_family(address)) {
	case AF_INET:
		memcpy(wide->s6_addr, mapped, sizeof(mapped));
		memcpy(wide->s6_addr + sizeof(mapped), &address->v4.sin_addr, 4);
		return true;
	case AF_INET6: *wide = address->v6.sin6_addr; return true;
	default: return false;
	}
}

#endif
