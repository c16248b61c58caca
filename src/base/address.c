/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* "fe80::1%eth0" or "%2": the part after the percent sign. 0: no such interface. */
static unsigned scope_of(const char *name)
{
	uint32_t number;

	return lai_number_parse(name, &number) ? number : if_nametoindex(name);
}

int lai_address_parse(const char *text, uint16_t port, struct lai_address *address)
{
	struct lai_address result = {0};
	char host[INET6_ADDRSTRLEN];
	const char *percent = strchr(text, '%');
	size_t length = percent ? (size_t)(percent - text) : strlen(text);

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (!percent && inet_pton(AF_INET, host, &result.v4.sin_addr) == 1) {
		result.v4.sin_family = AF_INET;
		result.length = sizeof(result.v4);
	} else if (inet_pton(AF_INET6, host, &result.v6.sin6_addr) == 1) {
		result.v6.sin6_family = AF_INET6;
		result.length = sizeof(result.v6);
		if (percent && (result.v6.sin6_scope_id = scope_of(percent + 1)) == 0)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	lai_address_set_port(&result, port);
	*address = result;
	return 0;
}

const char *lai_address_format(char text[LA_ADDRESS_TEXT_MAX], const struct lai_address *address)
{
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (lai_address_family(address) == AF_INET) {
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(text, LA_ADDRESS_TEXT_MAX, "%s:%u", host, lai_address_port(address));
	} else if (lai_address_family(address) == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		if (address->v6.sin6_scope_id)
			snprintf(text, LA_ADDRESS_TEXT_MAX, "[%s%%%u]:%u", host,
				 address->v6.sin6_scope_id, lai_address_port(address));
		else
			snprintf(text, LA_ADDRESS_TEXT_MAX, "[%s]:%u", host,
				 lai_address_port(address));
	}
	return text;
}

int lai_address_family(const struct lai_address *address)
{
	return address->length == 0 ? AF_UNSPEC : address->sa.sa_family;
}

uint16_t lai_address_port(const struct lai_address *address)
{
	switch (lai_address_family(address)) {
	case AF_INET: return ntohs(address->v4.sin_port);
	case AF_INET6: return ntohs(address->v6.sin6_port);
	default: return 0;
	}
}

void lai_address_set_port(struct lai_address *address, uint16_t port)
{
	if (address->sa.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else if (address->sa.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
}

bool lai_address_equal(const struct lai_address *a, const struct lai_address *b)
{
	if (lai_address_family(a) != lai_address_family(b) ||
	    lai_address_port(a) != lai_address_port(b))
		return false;
	switch (lai_address_family(a)) {
	case AF_INET: return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	case AF_INET6:
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0 &&
		       a->v6.sin6_scope_id == b->v6.sin6_scope_id;
	default: return true;
	}
}

struct lai_address lai_address_unmap(const struct lai_address *address)
{
	struct lai_address plain = {.length = sizeof(plain.v4)};

	if (lai_address_family(address) != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return *address;
	plain.v4.sin_family = AF_INET;
	plain.v4.sin_port = address->v6.sin6_port;
	memcpy(&plain.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof(plain.v4.sin_addr));
	return plain;
}
