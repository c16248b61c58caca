/* SPDX-License-Identifier: MIT */
/*
 * end.h - one end of a connection in a form that can be compared: an IPv4 address and its v4-mapped
 * IPv6 form are the same. The scope of a link-local address is left out, as the same link has
 * different numbers at its two ends.
 */
#ifndef LAI_JUDGE_END_H
#define LAI_JUDGE_END_H

#include "base/address.h"
#include "judge/table.h"

#include <string.h>

struct lai_end {
	uint64_t high, low; /* of the IPv6 address, as the bytes lie in memory */
	uint16_t port;
};

/* No address gives zeroes, which is also the wildcard. */
static inline struct lai_end lai_end_of(const struct lai_address *address)
{
	struct lai_end end = {0};
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (lai_address_family(address) == AF_INET6) {
		mapped = address->v6.sin6_addr;
		end.port = ntohs(address->v6.sin6_port);
	} else if (lai_address_family(address) == AF_INET) {
		memcpy(&mapped.s6_addr[12], &address->v4.sin_addr, 4);
		end.port = ntohs(address->v4.sin_port);
	} else {
		return end;
	}
	memcpy(&end.high, mapped.s6_addr, 8);
	memcpy(&end.low, mapped.s6_addr + 8, 8);
	return end;
}

static inline bool lai_end_same_host(struct lai_end a, struct lai_end b)
{
	return a.high == b.high && a.low == b.low;
}

static inline bool lai_end_equal(struct lai_end a, struct lai_end b)
{
	return lai_end_same_host(a, b) && a.port == b.port;
}

static inline int lai_end_compare(struct lai_end a, struct lai_end b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	if (a.low != b.low)
		return a.low < b.low ? -1 : 1;
	return (a.port > b.port) - (a.port < b.port);
}

/* Of an ordered pair of ends. */
static inline uint32_t lai_end_hash(struct lai_end a, struct lai_end b)
{
	uint64_t ports = (uint64_t)a.port << 16 | b.port;

	return lai_mix2((a.high ^ a.low) * 3 + (b.high ^ b.low), ports);
}

/* 127.0.0.0/8, mapped or not, or ::1. */
static inline bool lai_end_is_loopback(struct lai_end end)
{
	struct in6_addr address;

	memcpy(address.s6_addr, &end.high, 8);
	memcpy(address.s6_addr + 8, &end.low, 8);
	return IN6_IS_ADDR_LOOPBACK(&address) ||
	       (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

#endif
