/* SPDX-License-Identifier: MIT */
#include "link/endpoint.h"

#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

static int parse_port(const char *text, bool server, uint16_t *port, const char *url, char **error)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value = strtoul(text, NULL, 10);

	if (digits == 0)
		return lai_error(
			error, -EINVAL,
			"'%s' has no port: write it as HOST:PORT, with a number after the colon",
			url);
	if (text[digits] != '\0' && text[digits] != '/')
		return lai_error(error, -EINVAL,
				 "'%s' goes on with '%s' after the port: nothing may follow it",
				 url, text + digits);
	if (digits > 5 || value > PORT_MAX)
		return lai_error(
			error, -EINVAL, "port %.*s in '%s' is out of range: ports go from %d to %d",
			(int)(digits < 24 ? digits : 24), text, url, server ? 0 : 1, PORT_MAX);
	if (value == 0 && !server)
		return lai_error(error, -EINVAL,
				 "port 0 in '%s' cannot be connected to: ports go from 1 to %d",
				 url, PORT_MAX);
	*port = (uint16_t)value;
	return 0;
}

/* Splits "HOST:PORT" or "[HOST]:PORT"; the host ends at *host_end. NULL: it has no such form. */
static const char *split(const char *text, const char **host, const char **host_end)
{
	if (text[0] == '[') {
		*host = text + 1;
		*host_end = strchr(text, ']');
		return *host_end && (*host_end)[1] == ':' ? *host_end + 2 : NULL;
	}
	*host = text;
	*host_end = strchr(text, ':');
	/* A second colon: an IPv6 address without brackets, of which no one knows where it ends. */
	return *host_end && (*host_end)[1 + strcspn(*host_end + 1, ":/")] != ':' ? *host_end + 1
										 : NULL;
}

static int parse_host(struct lai_endpoint *endpoint, const char *host, size_t length, bool server,
		      bool bracketed, const char *url, char **error)
{
	if (length == 0 && !server)
		return lai_error(error, -EINVAL, "'%s' has no host: write it as SCHEME://HOST:PORT",
				 url);
	if (length >= LAI_HOST_MAX)
		return lai_error(error, -EINVAL,
				 "the host in '%.40s...' is longer than %d characters", url,
				 LAI_HOST_MAX - 1);
	/* RFC 1123 names, and what resolvers also take; blanks and slashes are typing errors. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)host[i] <= ' ' || strchr("/?#\\\"'<>", host[i]) ||
		    host[i] == 0x7f)
			return lai_error(error, -EINVAL,
					 "'%s' has a character in its host that no name has", url);
	memcpy(endpoint->host, host, length);
	endpoint->host[length] = '\0';
	if (strcmp(endpoint->host, "*") == 0 && !server)
		return lai_error(
			error, -EINVAL,
			"'%s' has no host: '*' means every address, which only a server can use",
			url);
	if (length == 0 || strcmp(endpoint->host, "*") == 0)
		snprintf(endpoint->host, sizeof(endpoint->host), "::");
	if (lai_address_parse(endpoint->host, endpoint->port, &endpoint->address) != 0 && bracketed)
		return lai_error(error, -EINVAL, "'[%s]' in '%s' is not an IPv6 address",
				 endpoint->host, url);
	if (lai_address_family(&endpoint->address) == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL(&endpoint->address.v6.sin6_addr) &&
	    endpoint->address.v6.sin6_scope_id == 0)
		return lai_error(error, -EINVAL,
				 "'%s' is link-local: it needs its interface, as in [%s%%eth0]",
				 url, endpoint->host);
	return 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *place = strchr(digits, c | 0x20);

	return c && place ? (int)(place - digits) : -1;
}

/* RFC 3986, section 2.1: %XX is one byte. false: no such byte, a control character, or too long. */
static bool decode(const char *text, size_t length, char *result, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int byte = (unsigned char)text[i];

		if (byte == '%') {
			int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

			if (low < 0)
				return false;
			byte = high * 16 + low;
			i += 2;
		}
		if (byte < ' ' || byte == 0x7f || used + 1 >= room)
			return false;
		result[used++] = (char)byte;
	}
	result[used] = '\0';
	return true;
}

/* "USER@" before the host; a password does not belong where every ps(1) shows it. */
static int parse_login(struct lai_endpoint *endpoint, const char **text, bool server,
		       const char *url, char **error)
{
	const char *end = *text + strcspn(*text, "/"),
		   *at = memrchr(*text, '@', (size_t)(end - *text));

	if (!at)
		return 0;
	if (!endpoint->wire->has_receipts)
		return lai_error(error, -EINVAL, "'%s' has a user name: %s:// has no login", url,
				 endpoint->wire->scheme);
	if (server)
		return lai_error(error, -EINVAL,
				 "'%s' has a user name: a server knows its users by --users FILE",
				 url);
	if (memchr(*text, ':', (size_t)(at - *text)))
		return lai_error(error, -EINVAL,
				 "a password does not belong into a URL, which every process list "
				 "shows: use --passcode-file FILE or LASTACK_PASSCODE");
	if (at == *text ||
	    !decode(*text, (size_t)(at - *text), endpoint->login, sizeof(endpoint->login)))
		return lai_error(error, -EINVAL,
				 "the user name in '%s' is empty, longer than %d bytes, or has a "
				 "character that must be written as %%XX",
				 url, LAI_LOGIN_MAX - 1);
	*text = at + 1;
	return 0;
}

static int parse_destination(struct lai_endpoint *endpoint, const char *port, bool server,
			     const char *url, char **error)
{
	const char *path = strchr(port, '/');

	if (!path || strcmp(path, "/") == 0)
		return 0;
	if (!endpoint->wire->has_receipts || server)
		return lai_error(error, -EINVAL,
				 "'%s' goes on with '%s' after the port: nothing may follow it",
				 url, path);
	if (!decode(path, strlen(path), endpoint->destination, sizeof(endpoint->destination)))
		return lai_error(
			error, -EINVAL,
			"the destination in '%s' is longer than %d bytes, or has a character "
			"that must be written as %%XX",
			url, LAI_DESTINATION_MAX - 1);
	return 0;
}

int lai_endpoint_parse(struct lai_endpoint *endpoint, const char *url, bool server, char **error)
{
	struct lai_endpoint result = {0};
	const char *rest = strstr(url, "://"), *host, *host_end, *port;
	bool bracketed;
	char scheme[16];
	int status;

	if (error)
		*error = NULL;
	if (!rest)
		return lai_error(error, -EINVAL,
				 "'%s' is not a URL: accepted are " LAI_WIRE_SCHEMES, url);
	snprintf(scheme, sizeof(scheme), "%.*s", (int)(rest - url < 15 ? rest - url : 15), url);
	result.wire = lai_wire_find(scheme, &result.tls);
	if (!result.wire)
		return lai_error(error, -EINVAL,
				 "unknown scheme '%s://' in '%s': accepted are " LAI_WIRE_SCHEMES,
				 scheme, url);
	rest += 3;
	status = parse_login(&result, &rest, server, url, error);
	if (status != 0)
		return status;
	bracketed = rest[0] == '[';
	port = split(rest, &host, &host_end);
	if (!port)
		return lai_error(
			error, -EINVAL,
			"'%s' is not SCHEME://HOST:PORT (an IPv6 address stands in brackets: "
			"%s://[::1]:PORT)",
			url, scheme);
	status = parse_port(port, server, &result.port, url, error);
	if (status == 0)
		status = parse_host(&result, host, (size_t)(host_end - host), server, bracketed,
				    url, error);
	if (status == 0)
		status = parse_destination(&result, port, server, url, error);
	if (status != 0)
		return status;
	if (result.address.length)
		lai_address_format(result.text, &result.address);
	else
		snprintf(result.text, sizeof(result.text), "%.60s:%u", result.host, result.port);
	*endpoint = result;
	return 0;
}

bool lai_endpoint_is_local(const struct lai_endpoint *endpoint)
{
	const struct lai_address *address = &endpoint->address;

	switch (lai_address_family(address)) {
	case AF_INET: return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6: return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	default: return strcmp(endpoint->host, "localhost") == 0;
	}
}
