/* SPDX-License-Identifier: MIT */
/* sim_host.c - hosts: their addresses and routes, power, sleep, and what is counted on them. */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT_LOW 32768u /* net.ipv4.ip_local_port_range */
#define PORT_HIGH 60999u

struct lai_sim_host *sim_host_new(struct lai_sim *sim)
{
	struct lai_sim_host *host;

	if (sim_event_reserve(sim) < 0)
		return NULL;
	host = calloc(1, sizeof(*host));
	if (!host) {
		sim->events--;
		return NULL;
	}
	host->sim = sim;
	host->index = sim->host_count++;
	host->powered = true;
	host->wake.kind = SIM_WAKE;
	host->send_bytes_max = host->receive_bytes_max = LAI_SIM_BUFFER_BYTES;
	host->port_low = PORT_LOW;
	host->port_high = PORT_HIGH;
	host->next = sim->hosts;
	sim->hosts = host;
	return host;
}

/* All sockets of the host vanish without a word. */
static void host_forget(struct lai_sim_host *host)
{
	for (struct sim_socket *socket = host->sockets, *next; socket; socket = next) {
		next = socket->host_next;
		sim_socket_detach(socket);
		sim_socket_remove(socket);
		sim_socket_bury(socket);
	}
}

static void link_free(struct sim_link *link)
{
	if (link)
		sim_queue_done(&link->nat_passes);
	free(link);
}

void sim_host_free(struct lai_sim_host *host)
{
	host_forget(host);
	sim_event_release(host->sim, &host->wake);
	for (size_t i = 0; i < host->link_count; i++)
		link_free(host->links[i]);
	free(host->links);
	free(host->fds);
	free(host);
}

struct lai_sim_host *lai_sim_client(struct lai_sim *sim)
{
	return sim->client;
}

struct lai_sim_host *lai_sim_host(struct lai_sim *sim, const char *address)
{
	struct lai_sim_host *host;
	struct lai_address parsed;

	if (lai_address_parse(address, 0, &parsed) < 0)
		return NULL;
	host = sim_host_of(sim->client, &parsed);
	if (host)
		return host;
	host = sim_host_new(sim);
	if (host) {
		host->addresses[0].address = parsed;
		host->addresses[0].present = true;
		host->address_count = 1;
	}
	return host;
}

int lai_sim_host_address(struct lai_sim_host *host, const char *address)
{
	struct lai_address parsed;

	if (lai_address_parse(address, 0, &parsed) < 0 || sim_address_loopback(&parsed))
		return -EINVAL;
	if (sim_host_of(host, &parsed))
		return -EEXIST;
	if (host->address_count == SIM_ADDRESSES_MAX)
		return -ENOSPC;
	host->addresses[host->address_count].address = parsed;
	host->addresses[host->address_count++].present = true;
	return 0;
}

/* ---- addresses --------------------------------------------------------------------------- */

bool sim_address_loopback(const struct lai_address *address)
{
	if (lai_address_family(address) == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return lai_address_family(address) == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool sim_address_any(const struct lai_address *address)
{
	if (lai_address_family(address) == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return lai_address_family(address) != AF_INET6 ||
	       IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

bool sim_address_same_host(const struct lai_address *a, const struct lai_address *b)
{
	if (lai_address_family(a) != lai_address_family(b))
		return false;
	if (lai_address_family(a) == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* The place of the address in the host's list; address_count: it never was one of it. */
static size_t address_find(const struct lai_sim_host *host, const struct lai_address *address)
{
	size_t i = 0;

	while (i < host->address_count &&
	       !sim_address_same_host(&host->addresses[i].address, address))
		i++;
	return i;
}

/* The host that segments from `from` to this address reach, whether it is up or not; NULL: none. */
struct lai_sim_host *sim_host_of(struct lai_sim_host *from, const struct lai_address *address)
{
	if (sim_address_loopback(address))
		return from;
	for (struct lai_sim_host *host = from->sim->hosts; host; host = host->next)
		if (address_find(host, address) < host->address_count)
			return host;
	return NULL;
}

bool sim_host_owns(const struct lai_sim_host *host, const struct lai_address *address)
{
	size_t i = address_find(host, address);

	return sim_address_loopback(address) ||
	       (i < host->address_count && host->addresses[i].present);
}

int lai_sim_address_set(struct lai_sim_host *host, const char *address, bool present)
{
	struct lai_address parsed;
	size_t i;

	if (lai_address_parse(address, 0, &parsed) < 0)
		return -EADDRNOTAVAIL;
	i = address_find(host, &parsed);
	if (i == host->address_count)
		return -EADDRNOTAVAIL;
	host->addresses[i].present = present;
	return 0;
}

/* ---- routes ------------------------------------------------------------------------------ */

/* 0 or -ENETUNREACH. */
static int host_route(struct lai_sim_host *host, const struct lai_address *remote)
{
	struct lai_sim_host *to = sim_host_of(host, remote);

	if (to == host)
		return sim_host_owns(host, remote) ? 0 : -ENETUNREACH;
	if (host->no_route)
		return -ENETUNREACH;
	return to && to->index < host->link_count && host->links[to->index] &&
			       host->links[to->index]->path.no_route
		       ? -ENETUNREACH
		       : 0;
}

/* Chooses the source address for this remote, port 0. 0 or -ENETUNREACH. */
int sim_host_source(struct lai_sim_host *host, const struct lai_address *remote,
		    struct lai_address *local)
{
	int error = host_route(host, remote);

	if (error < 0)
		return error;
	if (sim_host_of(host, remote) == host) {
		*local = *remote;
		lai_address_set_port(local, 0);
		return 0;
	}
	for (size_t i = 0; i < host->address_count; i++) {
		const struct lai_address *own = &host->addresses[i].address;

		if (host->addresses[i].present &&
		    lai_address_family(own) == lai_address_family(remote)) {
			*local = *own;
			return 0;
		}
	}
	return -ENETUNREACH;
}

int sim_host_why_silent(struct lai_sim_host *host, const struct lai_address *local,
			const struct lai_address *remote)
{
	if (local && local->length && !sim_address_any(local) && !sim_host_owns(host, local))
		return -EADDRNOTAVAIL;
	return host_route(host, remote);
}

void lai_sim_route(struct lai_sim_host *host, bool present)
{
	host->no_route = !present;
}

/* ---- power and sleep --------------------------------------------------------------------- */

bool sim_host_up(const struct lai_sim_host *host)
{
	return host->powered && !host->asleep;
}

void lai_sim_power(struct lai_sim_host *host, bool on)
{
	if (host->powered == on)
		return;
	host->powered = on;
	if (!on) {
		host_forget(host);
		if (!host->sim->in_program)
			sim_sockets_free(host->sim);
		return;
	}
	host->boots++;
	for (struct sim_net *net = host->sim->nets; net; net = net->next)
		if (net->host == host)
			sim_net_wake(net);
}

unsigned lai_sim_boots(const struct lai_sim_host *host)
{
	return host->boots;
}

uint64_t sim_host_now(const struct lai_sim_host *host)
{
	return (host->asleep ? host->asleep_since_ns : host->sim->now_ns) - host->slept_ns;
}

uint64_t lai_sim_host_when(const struct lai_sim_host *host, uint64_t host_ns)
{
	if (!host->asleep)
		return lai_time_after(host->slept_ns, host_ns);
	return lai_time_after(host->wake.at_ns, lai_time_since(sim_host_now(host), host_ns));
}

static void event_delay(struct lai_sim *sim, struct sim_event *event, uint64_t duration_ns)
{
	if (event->place)
		sim_event_set(sim, event, event->at_ns + duration_ns);
}

void lai_sim_suspend(struct lai_sim_host *host, uint64_t duration_ns)
{
	struct lai_sim *sim = host->sim;

	if (host->asleep || duration_ns == 0)
		return;
	host->asleep = true;
	host->asleep_since_ns = sim->now_ns;
	sim_event_set(sim, &host->wake, sim->now_ns + duration_ns);
	/* Its timers stand still, which is the same as being due that much later. */
	for (struct sim_socket *socket = host->sockets; socket; socket = socket->host_next) {
		socket->send_at_ns = lai_time_after(socket->send_at_ns, duration_ns);
		socket->keep_at_ns = lai_time_after(socket->keep_at_ns, duration_ns);
		event_delay(sim, &socket->timer, duration_ns);
	}
	for (struct sim_net *net = sim->nets; net; net = net->next) {
		if (net->host != host)
			continue;
		event_delay(sim, &net->answer, duration_ns);
		event_delay(sim, &net->program, duration_ns);
	}
}

void sim_host_woken(struct lai_sim_host *host)
{
	host->slept_ns += host->sim->now_ns - host->asleep_since_ns;
	host->asleep = false;
}

/* ---- limits and faults ------------------------------------------------------------------- */

void lai_sim_firewall(struct lai_sim_host *host, enum lai_sim_firewall rule)
{
	host->firewall = rule;
}

void lai_sim_fail_connect(struct lai_sim_host *host, int error, unsigned count)
{
	host->connect_error = error;
	host->connect_errors_left = count;
}

void lai_sim_lose_acked(struct lai_sim_host *host, bool lose)
{
	host->lose_acked = lose;
}

void lai_sim_buffers(struct lai_sim_host *host, uint32_t send_bytes, uint32_t receive_bytes)
{
	host->send_bytes_max = send_bytes > LAI_SIM_MSS ? send_bytes : LAI_SIM_MSS;
	host->receive_bytes_max = receive_bytes > LAI_SIM_MSS ? receive_bytes : LAI_SIM_MSS;
}

void lai_sim_ports(struct lai_sim_host *host, uint16_t low, uint16_t high)
{
	host->port_low = low;
	host->port_high = high;
}

void lai_sim_timestamps(struct lai_sim_host *host, bool on)
{
	host->no_timestamps = !on;
}

/* ---- counts ------------------------------------------------------------------------------ */

size_t lai_sim_host_open(const struct lai_sim_host *host)
{
	size_t count = 0;

	for (size_t i = 0; i < host->fd_count; i++)
		count += host->fds[i] != NULL;
	return count;
}

size_t lai_sim_in_state(const struct lai_sim_host *host, enum lai_tcp_state state)
{
	size_t count = 0;

	for (const struct sim_socket *s = host->sockets; s; s = s->host_next)
		count += s->state == state || state == LAI_TCP_COUNT;
	return count;
}
