/* SPDX-License-Identifier: MIT */
/*
 * sim_socket.c - sockets: life, the two tables of a host, ports, readiness.
 *
 * A socket is on its host's list from new to bury. It is in both tables, by (local port, remote)
 * and by local port, while its tuple or port is taken. It has a number while a program holds it.
 * Readiness is level-triggered as with epoll: a net's ready list holds every socket that may be
 * ready; wait() asks sim_socket_events() and takes those off that are not.
 */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

#define FD_FIRST 3u /* as in a program whose standard streams are open */
#define FD_FIRST_SIZE 16u
#define INITIAL_RTO_NS LAI_S /* RFC 6298 (2.1) */

struct sim_socket *sim_socket_new(struct lai_sim_host *host)
{
	struct sim_socket *socket;

	if (sim_event_reserve(host->sim) < 0)
		return NULL;
	socket = calloc(1, sizeof(*socket));
	if (!socket) {
		host->sim->events--;
		return NULL;
	}
	socket->timer.kind = SIM_TIMER;
	socket->host = host;
	socket->fd = -1;
	socket->state = LAI_TCP_CLOSE;
	socket->watch = LAI_READABLE;
	socket->send_bytes_max = host->send_bytes_max;
	socket->receive_bytes_max = host->receive_bytes_max;
	socket->rto_ns = INITIAL_RTO_NS;
	socket->send_at_ns = socket->keep_at_ns = LA_NEVER;
	socket->heard_ack_ns = socket->heard_ns = sim_host_now(host);
	socket->iss = (uint32_t)lai_random_next(&host->sim->random);
	socket->host_next = host->sockets;
	if (host->sockets)
		host->sockets->host_previous = socket;
	host->sockets = socket;
	return socket;
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* The lowest free number, as in Linux: a number used after close soon means another socket. */
int sim_socket_attach(struct sim_socket *socket, struct sim_net *net)
{
	struct lai_sim_host *host = socket->host;
	size_t fd = FD_FIRST;

	while (fd < host->fd_count && host->fds[fd])
		fd++;
	if (fd >= host->fd_count) {
		size_t count = host->fd_count ? host->fd_count * 2 : FD_FIRST_SIZE;
		struct sim_socket **fds = realloc(host->fds, count * sizeof(struct sim_socket *));

		if (!fds)
			return -ENOMEM;
		for (size_t i = host->fd_count; i < count; i++)
			fds[i] = NULL;
		host->fds = fds;
		host->fd_count = count;
	}
	host->fds[fd] = socket;
	socket->fd = (int)fd;
	socket->net = net;
	net->open++;
	net->live += socket->connector;
	if (net->live > net->live_max)
		net->live_max = net->live;
	return socket->fd;
}

static void ready_append(struct sim_net *net, struct sim_socket *socket)
{
	socket->ready_previous = net->ready_last;
	socket->ready_next = NULL;
	if (net->ready_last)
		net->ready_last->ready_next = socket;
	else
		net->ready_first = socket;
	net->ready_last = socket;
	socket->in_ready = true;
}

static void ready_remove(struct sim_socket *socket)
{
	struct sim_net *net = socket->net;

	if (!socket->in_ready)
		return;
	if (socket->ready_previous)
		socket->ready_previous->ready_next = socket->ready_next;
	else
		net->ready_first = socket->ready_next;
	if (socket->ready_next)
		socket->ready_next->ready_previous = socket->ready_previous;
	else
		net->ready_last = socket->ready_previous;
	socket->ready_previous = socket->ready_next = NULL;
	socket->in_ready = false;
}

void sim_socket_detach(struct sim_socket *socket)
{
	if (socket->fd < 0)
		return;
	ready_remove(socket);
	socket->host->fds[socket->fd] = NULL;
	socket->fd = -1;
	if (socket->net) {
		socket->net->open--;
		socket->net->live -= socket->connector;
	}
	socket->net = NULL;
}

void sim_socket_bury(struct sim_socket *socket)
{
	if (socket->dead)
		return;
	socket->dead = true;
	if (socket->gone)
		*socket->gone = true;
	if (socket->host_previous)
		socket->host_previous->host_next = socket->host_next;
	else
		socket->host->sockets = socket->host_next;
	if (socket->host_next)
		socket->host_next->host_previous = socket->host_previous;
	sim_event_set(socket->host->sim, &socket->timer, LA_NEVER);
	socket->send_at_ns = socket->keep_at_ns = LA_NEVER;
	socket->dead_next = socket->host->sim->dead;
	socket->host->sim->dead = socket;
}

static void socket_free(struct lai_sim *sim, struct sim_socket *socket)
{
	while (socket->early) {
		struct sim_segment *segment = socket->early;

		socket->early = segment->next;
		sim_segment_free(sim, segment);
	}
	sim_queue_done(&socket->queue);
	sim_queue_done(&socket->sent);
	sim_queue_done(&socket->marks);
	sim_queue_done(&socket->received);
	sim_event_release(sim, &socket->timer);
	free(socket);
}

void sim_sockets_free(struct lai_sim *sim)
{
	while (sim->dead) {
		struct sim_socket *socket = sim->dead;

		sim->dead = socket->dead_next;
		socket_free(sim, socket);
	}
}

/* ---- tables ------------------------------------------------------------------------------ */

static uint32_t address_mix(const struct lai_address *address)
{
	uint32_t mix = lai_address_port(address);

	if (lai_address_family(address) == AF_INET)
		return mix ^ address->v4.sin_addr.s_addr;
	for (size_t i = 0; i < 4; i++)
		mix = mix * 31 + address->v6.sin6_addr.s6_addr32[i];
	return mix;
}

static size_t tuple_bucket(const struct lai_address *local, const struct lai_address *remote)
{
	uint32_t mix =
		(address_mix(remote) ^ (uint32_t)lai_address_port(local) << 16) * 2654435761u;

	return (mix >> 16) %
	       SIM_BUCKETS; /* Knuth's multiplicative hash: the high bits are mixed best */
}

static struct sim_socket **port_bucket(struct lai_sim_host *host, uint16_t port)
{
	return &host->ports[port % SIM_BUCKETS];
}

void sim_socket_insert(struct sim_socket *socket)
{
	struct sim_socket **port = port_bucket(socket->host, lai_address_port(&socket->local));
	struct sim_socket **tuple =
		&socket->host->tuples[tuple_bucket(&socket->local, &socket->remote)];

	socket->port_next = *port;
	*port = socket;
	socket->tuple_next = *tuple;
	*tuple = socket;
	socket->in_tables = true;
}

void sim_socket_remove(struct sim_socket *socket)
{
	struct sim_socket **port = port_bucket(socket->host, lai_address_port(&socket->local));
	struct sim_socket **tuple =
		&socket->host->tuples[tuple_bucket(&socket->local, &socket->remote)];

	if (!socket->in_tables)
		return;
	while (*port != socket)
		port = &(*port)->port_next;
	*port = socket->port_next;
	while (*tuple != socket)
		tuple = &(*tuple)->tuple_next;
	*tuple = socket->tuple_next;
	socket->in_tables = false;
}

struct sim_socket *sim_socket_find(struct lai_sim_host *host, const struct lai_address *local,
				   const struct lai_address *remote)
{
	struct sim_socket *socket = host->tuples[tuple_bucket(local, remote)];

	while (socket &&
	       (socket->state == LAI_TCP_LISTEN || !lai_address_equal(&socket->local, local) ||
		!lai_address_equal(&socket->remote, remote)))
		socket = socket->tuple_next;
	return socket;
}

/* [::] means every address of both families (IPV6_V6ONLY is off). */
static bool addresses_overlap(const struct lai_address *a, const struct lai_address *b)
{
	if ((lai_address_family(a) == AF_INET6 && sim_address_any(a)) ||
	    (lai_address_family(b) == AF_INET6 && sim_address_any(b)))
		return true;
	return lai_address_family(a) == lai_address_family(b) &&
	       (sim_address_any(a) || sim_address_any(b) || sim_address_same_host(a, b));
}

/* A listener on the very address goes before one on the wildcard. */
struct sim_socket *sim_socket_listener(struct lai_sim_host *host, const struct lai_address *local)
{
	struct sim_socket *found = NULL;
	uint16_t port = lai_address_port(local);

	for (struct sim_socket *s = *port_bucket(host, port); s; s = s->port_next) {
		if (s->state != LAI_TCP_LISTEN || lai_address_port(&s->local) != port ||
		    !addresses_overlap(&s->local, local))
			continue;
		if (!sim_address_any(&s->local))
			return s;
		found = s;
	}
	return found;
}

/* ---- ports ------------------------------------------------------------------------------- */

/*
 * bind() to local's port. Two sockets share a port if both have SO_REUSEADDR and the other one does
 * not listen (inet_csk_bind_conflict()); TIME_WAIT remembers the flag of the socket it stands for.
 */
int sim_socket_bind(struct sim_socket *socket)
{
	uint16_t port = lai_address_port(&socket->local);

	for (struct sim_socket *s = *port_bucket(socket->host, port); s; s = s->port_next)
		if (s != socket && lai_address_port(&s->local) == port &&
		    addresses_overlap(&s->local, &socket->local) &&
		    !(socket->reuse && s->reuse && s->state != LAI_TCP_LISTEN))
			return -EADDRINUSE;
	socket->bound = true;
	return 0;
}

/* May an unbound socket draw this port for its remote? Bound ports are left to those who bound
 * them. */
static bool port_free(const struct sim_socket *socket, uint16_t port)
{
	bool listening = socket->remote.length == 0;

	for (struct sim_socket *s = *port_bucket(socket->host, port); s; s = s->port_next) {
		if (lai_address_port(&s->local) != port)
			continue;
		if (listening || s->bound ||
		    (lai_address_equal(&s->remote, &socket->remote) &&
		     sim_address_same_host(&s->local, &socket->local)))
			return false;
	}
	return true;
}

/* Any free ephemeral port from a random start. For a listener (no remote): one that nobody uses. */
int sim_socket_draw_port(struct sim_socket *socket)
{
	struct lai_sim_host *host = socket->host;
	uint32_t count = (uint32_t)host->port_high - host->port_low + 1;
	uint32_t start = (uint32_t)lai_random_below(&host->sim->random, count);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(host->port_low + (start + i) % count);

		if (port_free(socket, port)) {
			lai_address_set_port(&socket->local, port);
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

/* ---- readiness --------------------------------------------------------------------------- */

/* Half of what is queued must fit once more: sk_stream_is_writeable(). */
static bool socket_writable(const struct sim_socket *socket)
{
	if (socket->unsent_bytes_max &&
	    sim_output_unsent(socket) * 2 >=
		    socket->unsent_bytes_max) /* tcp_stream_memory_free() */
		return false;
	return socket->queue.used < socket->send_bytes_max &&
	       socket->send_bytes_max - socket->queue.used >= socket->queue.used / 2;
}

/* As tcp_poll(). */
uint32_t sim_socket_events(const struct sim_socket *socket)
{
	uint32_t events = 0;

	if (socket->state == LAI_TCP_LISTEN)
		return socket->accept_first ? socket->watch & LAI_READABLE : 0;
	if ((socket->no_read && socket->no_write) || socket->state == LAI_TCP_CLOSE)
		events |= LAI_HANGUP;
	if (socket->no_read)
		events |= LAI_READABLE | LAI_PEER_FIN;
	if (socket->state != LAI_TCP_SYN_SENT && socket->state != LAI_TCP_SYN_RECV) {
		if (socket->received.used)
			events |= LAI_READABLE;
		if (socket->no_write || socket_writable(socket))
			events |= LAI_WRITABLE;
	}
	if (socket->error)
		events |= LAI_ERROR;
	if (socket->acked) /* on Linux the news comes by the error queue, which means EPOLLERR */
		events |= LAI_ACKED | LAI_ERROR;
	if (!(socket->watch & LAI_READABLE))
		events &= ~(uint32_t)(LAI_READABLE | LAI_PEER_FIN);
	if (!(socket->watch & LAI_WRITABLE))
		events &= ~(uint32_t)LAI_WRITABLE;
	return socket->watch ? events : events & ~socket->told;
}

/* Something may have become ready. */
void sim_socket_notify(struct sim_socket *socket)
{
	struct sim_net *net = socket->net;

	if (!net || !sim_socket_events(socket))
		return;
	sim_net_wake(net);
	if (!socket->in_ready)
		ready_append(net, socket);
}

/* The first `max` that are ready; they go to the end of the list, so that all get their turn. */
int sim_socket_collect(struct sim_net *net, struct lai_ready *ready, int max)
{
	struct sim_socket *last = net->ready_last;
	int count = 0;

	for (struct sim_socket *s = net->ready_first, *next; s && count < max; s = next) {
		uint32_t events = sim_socket_events(s);

		next = s == last ? NULL : s->ready_next;
		ready_remove(s);
		if (!events)
			continue;
		ready[count++] = (struct lai_ready){s->fd, events};
		s->acked = false;
		s->told = events & ~(uint32_t)LAI_ACKED;
		ready_append(net, s);
	}
	return count;
}

void sim_socket_collect_none(struct sim_net *net)
{
	while (net->ready_first)
		ready_remove(net->ready_first);
}

int sim_socket_error(struct sim_socket *socket)
{
	int error = socket->error;

	socket->error = 0;
	socket->told &= ~(uint32_t)LAI_ERROR;
	return error;
}
