/* SPDX-License-Identifier: MIT */
/* address.h - an IPv4 or IPv6 address with a port, as a value; numeric texts only, no look-up. */
#ifndef LAI_BASE_ADDRESS_H
#define LAI_BASE_ADDRESS_H

#include <lastack/report.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* How many addresses of one name are tried in one cycle; more are ignored. */
#define LAI_ADDRESSES_MAX 16

struct lai_address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length; /* 0: no address */
};

/* Reads "192.0.2.1", "2001:db8::1" or "fe80::1%eth0". 0, or -EINVAL: not a numeric address. */
int lai_address_parse(const char *text, uint16_t port, struct lai_address *address);

/* Writes "192.0.2.1:80", "[2001:db8::1]:80" or "" for no address; returns text. */
const char *lai_address_format(char text[LA_ADDRESS_TEXT_MAX], const struct lai_address *address);

int lai_address_family(const struct lai_address *address); /* AF_INET, AF_INET6, AF_UNSPEC */
uint16_t lai_address_port(const struct lai_address *address);
void lai_address_set_port(struct lai_address *address, uint16_t port);

/* Same family, address, port and scope; a v4-mapped IPv6 address is not the IPv4 address. */
bool lai_address_equal(const struct lai_address *a, const struct lai_address *b);

/* The IPv4 address that a v4-mapped one ("::ffff:192.0.2.1") stands for; any other as it is. */
struct lai_address lai_address_unmap(const struct lai_address *address);

#endif
