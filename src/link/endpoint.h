/* SPDX-License-Identifier: MIT */
/* endpoint.h - one server as the user names it: SCHEME://[USER@]HOST:PORT[/DESTINATION]. */
#ifndef LAI_LINK_ENDPOINT_H
#define LAI_LINK_ENDPOINT_H

#include "base/address.h"
#include "wire/wire.h"

/* RFC 1035, section 2.3.4: a name has at most 255 octets. */
#define LAI_HOST_MAX 256
/* Of the parts that only stomp:// has, with their NUL. */
#define LAI_LOGIN_MAX 128
#define LAI_DESTINATION_MAX 512

struct lai_endpoint {
	const struct lai_wire *wire;
	bool tls;
	char login[LAI_LOGIN_MAX];	       /* "": none; %XX resolved */
	char destination[LAI_DESTINATION_MAX]; /* with its slash, "/queue/a"; "": none */
	char host[LAI_HOST_MAX];	       /* without the brackets of an IPv6 address */
	uint16_t port;
	struct lai_address address;	/* length 0: the host is a name to resolve */
	char text[LA_ADDRESS_TEXT_MAX]; /* "host:port", shortened if need be, for reports */
};

/*
 * Reads a URL. 0, or -EINVAL: *error (error may be NULL) is a sentence that says what is wrong and what is accepted, to
 * be released with free() (NULL when out of memory). Port 0 is for servers: "any free one".
 */
int lai_endpoint_parse(struct lai_endpoint *endpoint, const char *url, bool server, char **error);

/* Whether what is sent there never leaves this host. */
bool lai_endpoint_is_local(const struct lai_endpoint *endpoint);

#endif
