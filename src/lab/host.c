/* SPDX-License-Identifier: MIT */
/*
 * host.c - makes the hosts of a trial out of network namespaces that have no name.
 *
 * Only the trial's descriptors keep them, so they are gone with the process. The namespace it was
 * started in is never entered again: every instrument says which host it means.
 */
#include "lab/host.h"

#include "lab/host_inside.h"
#include "lab/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_NETNS "/proc/thread-self/ns/net"

#define HOSTS_MAX 3
#define CLIENT 0
#define SERVER 1
#define ROUTER 2

/* Of an address on a wire: the nearer and the farther end. */
#define NUMBER_NEAR 1
#define NUMBER_FAR 2

#define SUBNETS 250	     /* 10.1 to 10.250 */
#define MAC_LOCAL 0x02	     /* the bit of addresses that no vendor gave */
#define NUMBER_FIRST_FREE 3  /* .1 and .2 are the wire's ends */
#define NUMBER_BROADCAST 255 /* of a /24 */

/* The host this thread works in; NULL: still where it was started. */
static _Thread_local const struct lai_host *here;

bool lai_host_is_here(const struct lai_host *host)
{
	struct stat wanted, got;

	return fstat(host->netns, &wanted) == 0 && stat(OUR_NETNS, &got) == 0 &&
	       wanted.st_dev == got.st_dev && wanted.st_ino == got.st_ino;
}

void lai_host_enter(struct lai_trial *trial, const struct lai_host *host)
{
	if (here == host)
		return;
	if (setns(host->netns, CLONE_NEWNET) < 0) {
		if (errno == EPERM)
			lai_trial_lacks(trial, "setns(2) is not allowed here");
		lai_trial_fail(trial, "the %s's network namespace was not entered: %s", host->name,
			       strerror(errno));
	}
	here = host;
}

/* The thread is in the host's new namespace afterwards; what it was in is nobody's. */
static void host_unshare(struct lai_trial *trial, struct lai_host *host)
{
	char *why; /* ends with the trial */

	if (unshare(CLONE_NEWNET) < 0) {
		if (errno == EPERM || errno == EINVAL)
			lai_trial_lacks(trial, "no network namespace can be made: %s",
					strerror(errno));
		why = lai_space_shortage(errno);
		lai_trial_fail(trial, "no network namespace for the %s: %s", host->name,
			       why ? why : "?");
	}
	host->netns = open(OUR_NETNS, O_RDONLY | O_CLOEXEC);
	if (host->netns < 0)
		lai_trial_fail(trial, "the %s's network namespace: %s", host->name,
			       strerror(errno));
	here = host;
}

/*
 * What is set before there are devices, which copy it: nothing that the claims are not about shall
 * pass over the wires by itself, and an address shall be usable at once.
 */
static void host_quiet(struct lai_trial *trial, const struct lai_host *host)
{
	static const struct {
		const char *name;
		long value;
	} rows[] = {
		{"net.ipv6.conf.default.accept_dad", 0},
		{"net.ipv6.conf.default.dad_transmits", 0},
		{"net.ipv6.conf.default.router_solicitations", 0},
		{"net.ipv6.conf.default.accept_ra", 0},
		{"net.ipv6.conf.default.addr_gen_mode", 1}, /* no link-local address */
		{"net.ipv6.conf.default.disable_ipv6", 0},
		{"net.ipv4.conf.default.rp_filter", 0},
		{"net.ipv4.conf.all.rp_filter", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (lai_host_has(trial, host, rows[i].name))
			lai_host_set_number(trial, host, rows[i].name, rows[i].value);
}

static void host_forward(struct lai_trial *trial, const struct lai_host *host)
{
	lai_host_set_number(trial, host, "net.ipv4.ip_forward", 1);
	if (lai_host_has(trial, host, "net.ipv6.conf.all.forwarding"))
		lai_host_set_number(trial, host, "net.ipv6.conf.all.forwarding", 1);
}

static bool has_ipv6(struct lai_trial *trial, const struct lai_host *host)
{
	return lai_host_has(trial, host, "net.ipv6.conf.default.disable_ipv6");
}

static uint8_t subnet(const struct lai_trial *trial)
{
	return (uint8_t)(1 + trial->seed % SUBNETS);
}

/* 10.S.W.n */
static struct lai_address address_v4(const struct lai_trial *trial, unsigned wire, unsigned n)
{
	uint32_t number = 10u << 24 | (uint32_t)subnet(trial) << 16 | wire << 8 | n;
	struct lai_address address = {.length = sizeof(address.v4)};

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(number);
	return address;
}

/* fd00:S:W::n */
static struct lai_address address_v6(const struct lai_trial *trial, unsigned wire, unsigned n)
{
	struct lai_address address = {.length = sizeof(address.v6)};
	uint8_t *bytes = address.v6.sin6_addr.s6_addr;

	address.v6.sin6_family = AF_INET6;
	bytes[0] = 0xfd;
	bytes[3] = subnet(trial);
	bytes[5] = (uint8_t)wire;
	bytes[15] = (uint8_t)n;
	return address;
}

static void port_fill(struct lai_trial *trial, const struct lai_wire_end *end, unsigned wire,
		      unsigned n)
{
	struct lai_host_port *port = &end->host->ports[end->port];
	const uint8_t mac[6] = {MAC_LOCAL, 0, subnet(trial), 0, (uint8_t)wire, (uint8_t)n};

	(void)snprintf(port->name, sizeof(port->name), "wire%u", wire);
	memcpy(port->mac, mac, sizeof(mac));
	port->wire = (uint8_t)wire;
	port->v4 = address_v4(trial, wire, n);
	if (has_ipv6(trial, end->host))
		port->v6 = address_v6(trial, wire, n);
}

/* The one end's address, and who the other one is: so nobody has to ask for it on the wire. */
static void port_address(struct lai_trial *trial, const struct lai_wire_end *end,
			 const struct lai_wire_end *other)
{
	const struct lai_host_port *port = &end->host->ports[end->port];
	const struct lai_host_port *peer = &other->host->ports[other->port];

	lai_host_link_add_address(trial, end->host, end->port, &port->v4);
	lai_host_link_add_neighbour(trial, end->host, end->port, &peer->v4, peer->mac);
	if (!port->v6.length)
		return;
	lai_host_link_add_address(trial, end->host, end->port, &port->v6);
	lai_host_link_add_neighbour(trial, end->host, end->port, &peer->v6, peer->mac);
}

static void wire_make(struct lai_trial *trial, unsigned wire, struct lai_wire_end near,
		      struct lai_wire_end far)
{
	port_fill(trial, &near, wire, NUMBER_NEAR);
	port_fill(trial, &far, wire, NUMBER_FAR);
	lai_host_link_make(trial, &near, &far);
	lai_host_enter(trial, far.host);
	lai_host_link_raise(trial, far.host->ports[far.port].name);
	lai_host_enter(trial, near.host);
	lai_host_link_raise(trial, near.host->ports[near.port].name);
	lai_host_link_await(trial, near.host, near.port);
	lai_host_link_await(trial, far.host, far.port);
	port_address(trial, &near, &far);
	port_address(trial, &far, &near);
}

static void route_through(struct lai_trial *trial, const struct lai_host *host,
			  const struct lai_host_port *gateway)
{
	lai_host_link_add_route(trial, host, 0, &gateway->v4);
	if (gateway->v6.length)
		lai_host_link_add_route(trial, host, 0, &gateway->v6);
}

static void settings_apply(struct lai_trial *trial, const char *const *settings, size_t hosts,
			   const struct lai_host *host)
{
	for (; settings && *settings; settings++) {
		const char *value = strchr(*settings, '=');
		char *name;

		if (!value)
			lai_trial_fail(trial, "the setting \"%s\" is not NAME=VALUE", *settings);
		name = strndup(*settings, (size_t)(value - *settings));
		if (!name)
			lai_trial_fail(trial, "no memory");
		for (size_t i = 0; i < hosts; i++)
			lai_host_set(trial, &host[i], name, value + 1);
		free(name);
	}
}

void lai_hosts_make(struct lai_trial *trial, const char *const *settings)
{
	static const char *const names[HOSTS_MAX] = {"client", "server", "router"};
	bool routed = trial->claim->network == LAI_NETWORK_ROUTER;
	size_t count = routed ? HOSTS_MAX : HOSTS_MAX - 1;
	struct lai_host *hosts = calloc(HOSTS_MAX, sizeof(*hosts));

	if (!hosts)
		lai_trial_fail(trial, "no memory");
	for (size_t i = 0; i < count; i++) {
		hosts[i].name = names[i];
		hosts[i].number = (uint8_t)i;
		host_unshare(trial, &hosts[i]);
		host_quiet(trial, &hosts[i]);
		lai_host_link_raise(trial, "lo");
	}
	trial->client = &hosts[CLIENT];
	trial->server = &hosts[SERVER];
	trial->router = routed ? &hosts[ROUTER] : NULL;
	if (trial->family == AF_INET6 && !has_ipv6(trial, trial->client))
		lai_trial_lacks(trial, "this kernel has no IPv6");
	if (routed) {
		host_forward(trial, trial->router);
		wire_make(trial, 0, (struct lai_wire_end){trial->client, 0},
			  (struct lai_wire_end){trial->router, 0});
		wire_make(trial, 1, (struct lai_wire_end){trial->router, 1},
			  (struct lai_wire_end){trial->server, 0});
		route_through(trial, trial->client, &trial->router->ports[0]);
		route_through(trial, trial->server, &trial->router->ports[1]);
	} else {
		wire_make(trial, 0, (struct lai_wire_end){trial->client, 0},
			  (struct lai_wire_end){trial->server, 0});
	}
	settings_apply(trial, settings, count, hosts);
	lai_host_enter(trial, trial->client);
}

struct lai_address lai_host_address(const struct lai_trial *trial, const struct lai_host *host,
				    uint16_t port)
{
	struct lai_address address =
		trial->family == AF_INET6 ? host->ports[0].v6 : host->ports[0].v4;

	lai_address_set_port(&address, port);
	return address;
}

/* What is at the other end of port 0's wire. */
static struct lai_host *host_opposite(const struct lai_trial *trial, const struct lai_host *host)
{
	struct lai_host *hosts[] = {trial->client, trial->server, trial->router};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
		for (unsigned port = 0; hosts[i] && port < LAI_HOST_PORTS_MAX; port++)
			if (hosts[i] != host && hosts[i]->ports[port].index &&
			    hosts[i]->ports[port].wire == host->ports[0].wire)
				return hosts[i];
	return NULL;
}

struct lai_address lai_host_add_address(struct lai_trial *trial, struct lai_host *host, unsigned n)
{
	unsigned wire = host->ports[0].wire;
	struct lai_address address =
		trial->family == AF_INET6 ? address_v6(trial, wire, n) : address_v4(trial, wire, n);

	if (n < NUMBER_FIRST_FREE || n >= NUMBER_BROADCAST)
		lai_trial_fail(trial, "a wire has no address .%u to give", n);
	lai_host_link_add_address(trial, host, 0, &address);
	lai_host_neighbour(trial, host_opposite(trial, host), &address, host->ports[0].mac);
	return address;
}

/* The port behind which the address is: on a router that of the same subnet. */
static unsigned port_towards(const struct lai_host *host, const struct lai_address *address)
{
	for (unsigned i = 0; i < LAI_HOST_PORTS_MAX; i++) {
		const struct lai_host_port *port = &host->ports[i];
		bool v4 = lai_address_family(address) == AF_INET;
		const void *ours = v4 ? (const void *)&port->v4.v4.sin_addr
				      : (const void *)&port->v6.v6.sin6_addr;
		const void *theirs = v4 ? (const void *)&address->v4.sin_addr
					: (const void *)&address->v6.sin6_addr;
		size_t bits = v4 ? LAI_WIRE_PREFIX_V4 : LAI_WIRE_PREFIX_V6;

		if (port->index && memcmp(ours, theirs, bits / 8) == 0)
			return i;
	}
	return 0;
}

void lai_host_neighbour(struct lai_trial *trial, const struct lai_host *host,
			const struct lai_address *address, const uint8_t mac[6])
{
	lai_host_link_add_neighbour(trial, host, port_towards(host, address), address, mac);
}
