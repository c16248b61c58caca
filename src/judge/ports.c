/* SPDX-License-Identifier: MIT */
/*
 * ports.c - counts the ports in use per tuple.
 *
 * Two steps, as most sockets need not be looked at twice: how many go to each remote port number at
 * all; then, where those are many, exactly.
 */
#include "judge/ports.h"

#include "judge/bounds.h"

#define PORTS 65536

uint32_t lai_ports_range(const struct lai_namespace *name_space)
{
	uint32_t range;

	if (!name_space || name_space->port_min == 0 || name_space->port_max < name_space->port_min)
		return 0;
	range = (uint32_t)name_space->port_max - name_space->port_min + 1;
	return range > name_space->ports_reserved ? range - name_space->ports_reserved : 1;
}

static bool is_connection(const struct lai_socket_fact *socket)
{
	switch (socket->state) {
	case LAI_TCP_ESTABLISHED:
	case LAI_TCP_SYN_SENT:
	case LAI_TCP_FIN_WAIT1:
	case LAI_TCP_FIN_WAIT2:
	case LAI_TCP_TIME_WAIT:
	case LAI_TCP_CLOSE_WAIT:
	case LAI_TCP_LAST_ACK:
	case LAI_TCP_CLOSING: return true;
	default: return false;
	}
}

/* From an ephemeral port. */
static bool is_candidate(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	return is_connection(socket) &&
	       lai_port_is_ephemeral(lai_namespace_of(snapshot, socket->namespace_index),
				     lai_address_port(&socket->local));
}

/* The fewest that are worth a word in any namespace. */
static uint32_t fewest(const struct lai_snapshot *snapshot)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < snapshot->namespace_count; i++) {
		uint32_t range = lai_ports_range(&snapshot->namespaces[i]);
		uint32_t begun = range * LAI_PORTS_BEGUN_PERCENT / 100;

		if (range > 0 && begun < least)
			least = begun;
	}
	return least > 0 ? least : 1;
}

/* The fewest that are worth a word in the namespace of this one. */
static uint32_t worth(const struct lai_snapshot *snapshot, const struct lai_ports_tuple *tuple)
{
	return lai_ports_range(lai_namespace_of(snapshot, tuple->namespace_index)) *
	       LAI_PORTS_BEGUN_PERCENT / 100;
}

static bool is_reusable(const struct lai_snapshot *snapshot, const struct lai_ports_tuple *tuple,
			uint64_t age_ms)
{
	const struct lai_namespace *name_space = lai_namespace_of(snapshot, tuple->namespace_index);

	if (!name_space || age_ms < LAI_TIME_WAIT_REUSE_MS)
		return false;
	return name_space->tw_reuse == 1 ||
	       (name_space->tw_reuse == 2 &&
		(lai_end_is_loopback(tuple->source) || lai_end_is_loopback(tuple->destination)));
}

static void add_time_wait(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket,
			  struct lai_ports_tuple *tuple)
{
	uint64_t age_ms = 0;
	bool known = lai_age_of(socket, &age_ms) != LAI_AGE_UNKNOWN;

	tuple->waiting++;
	tuple->recent += known && age_ms <= LAI_PORTS_RECENT_MS;
	tuple->reusable += known && is_reusable(snapshot, tuple, age_ms);
}

struct counting {
	const struct lai_listeners *listeners;
	struct lai_ports_tuple *list;
	size_t count;
	struct lai_table table;
};

static struct lai_ports_tuple *tuple_of(struct counting *counting,
					const struct lai_socket_fact *socket)
{
	struct lai_ports_tuple own = {.namespace_index = socket->namespace_index,
				      .source = lai_end_of(&socket->local),
				      .destination = lai_end_of(&socket->remote)};
	uint32_t hash, i;

	own.source.port = 0;
	hash = lai_end_hash(own.source, own.destination) ^ own.namespace_index;
	for (size_t at = lai_table_first(&counting->table, hash);
	     (i = lai_table_next(&counting->table, hash, &at)) != LAI_NO_INDEX;) {
		struct lai_ports_tuple *other = &counting->list[i];

		if (other->namespace_index == own.namespace_index &&
		    lai_end_equal(other->source, own.source) &&
		    lai_end_equal(other->destination, own.destination))
			return other;
	}
	counting->list[counting->count] = own;
	lai_table_put(&counting->table, hash, (uint32_t)counting->count);
	return &counting->list[counting->count++];
}

/* A server's end may have an ephemeral port too, its listener's. */
static void count_one(struct counting *counting, const struct lai_socket_fact *socket)
{
	struct lai_ports_tuple *tuple;

	if (lai_listeners_has(counting->listeners, socket->namespace_index,
			      lai_address_port(&socket->local)))
		return;
	tuple = tuple_of(counting, socket);
	tuple->used++;
	if (socket->state == LAI_TCP_TIME_WAIT)
		add_time_wait(counting->listeners->snapshot, socket, tuple);
}

/* How many go to each remote port, from an ephemeral one. */
static void count_remote_ports(const struct lai_snapshot *snapshot, uint32_t *by_port)
{
	for (size_t i = 0; i < snapshot->socket_count; i++)
		if (is_candidate(snapshot, &snapshot->sockets[i]))
			by_port[lai_address_port(&snapshot->sockets[i].remote)]++;
}

int lai_ports_compare(const struct lai_ports_tuple *a, const struct lai_ports_tuple *b)
{
	int order = lai_end_compare(a->destination, b->destination);

	return order ? order : lai_end_compare(a->source, b->source);
}

static int tuple_compare(const void *left, const void *right)
{
	const struct lai_ports_tuple *a = left, *b = right;
	int order = lai_ports_compare(a, b);

	if (order)
		return order;
	return a->namespace_index < b->namespace_index ? -1
						       : a->namespace_index > b->namespace_index;
}

/* The second step. -ENOMEM. */
static int count_tuples(struct counting *counting, const uint32_t *by_port, uint32_t least)
{
	const struct lai_snapshot *snapshot = counting->listeners->snapshot;
	size_t room = 0;

	for (size_t port = 0; port < PORTS; port++)
		room += by_port[port] >= least ? by_port[port] : 0;
	if (room == 0)
		return 0;
	counting->list = malloc(room * sizeof(*counting->list));
	if (!counting->list || lai_table_init(&counting->table, room) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		if (by_port[lai_address_port(&socket->remote)] >= least &&
		    is_candidate(snapshot, socket))
			count_one(counting, socket);
	}
	return 0;
}

int lai_ports_count(const struct lai_listeners *listeners, struct lai_ports_tuple **list,
		    size_t *count)
{
	struct counting counting = {.listeners = listeners};
	uint32_t least = fewest(listeners->snapshot);
	uint32_t *by_port = calloc(PORTS, sizeof(*by_port));
	size_t kept = 0;
	int error = -ENOMEM;

	if (!by_port)
		return error;
	count_remote_ports(listeners->snapshot, by_port);
	error = count_tuples(&counting, by_port, least);
	free(by_port);
	lai_table_done(&counting.table);
	if (error) {
		free(counting.list);
		return error;
	}
	for (size_t i = 0; i < counting.count; i++)
		if (counting.list[i].used >= worth(listeners->snapshot, &counting.list[i]))
			counting.list[kept++] = counting.list[i];
	if (kept > 1)
		qsort(counting.list, kept, sizeof(*counting.list), tuple_compare);
	*list = counting.list;
	*count = kept;
	return 0;
}
