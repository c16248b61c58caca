/* SPDX-License-Identifier: MIT */
/*
 * ports.c - counts the ports in use per tuple.
 *
 * Two steps, as most sockets need not be looked at twice: how many go to each remote port number at
 * all (roll.h); then, where those are many, exactly.
 */
#include "judge/ports.h"

#include "judge/bounds.h"

uint32_t lai_ports_range(const struct lai_namespace *name_space)
{
	uint32_t range;

	if (!name_space || name_space->port_min == 0 || name_space->port_max < name_space->port_min)
		return 0;
	range = (uint32_t)name_space->port_max - name_space->port_min + 1;
	return range > name_space->ports_reserved ? range - name_space->ports_reserved : 1;
}

static uint32_t worth(const struct lai_namespace *name_space, uint32_t percent)
{
	uint32_t least = (uint32_t)((uint64_t)lai_ports_range(name_space) * percent / 100);

	return least > 0 ? least : 1;
}

/* The fewest that count in any namespace. */
static uint32_t fewest(const struct lai_snapshot *snapshot, uint32_t percent)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < snapshot->namespace_count; i++) {
		uint32_t own = worth(&snapshot->namespaces[i], percent);

		if (lai_ports_range(&snapshot->namespaces[i]) > 0 && own < least)
			least = own;
	}
	return least;
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

	for (size_t i = 0; i < LAI_ROLL_BUCKETS; i++)
		room += by_port[i] >= least ? by_port[i] : 0;
	if (room == 0)
		return 0;
	counting->list = malloc(room * sizeof(*counting->list));
	if (!counting->list || lai_table_init(&counting->table, room) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		if (by_port[LAI_ROLL_BUCKET(lai_address_port(&socket->remote))] >= least &&
		    lai_uses_port(snapshot, socket))
			count_one(counting, socket);
	}
	return 0;
}

int lai_ports_count(const struct lai_roll *roll, const struct lai_listeners *listeners,
		    uint32_t percent, struct lai_ports_tuple **list, size_t *count)
{
	struct counting counting = {.listeners = listeners};
	const struct lai_snapshot *snapshot = roll->snapshot;
	size_t kept = 0;
	int error = count_tuples(&counting, roll->by_port, fewest(snapshot, percent));

	lai_table_done(&counting.table);
	if (error) {
		free(counting.list);
		return error;
	}
	for (size_t i = 0; i < counting.count; i++) {
		const struct lai_ports_tuple *own = &counting.list[i];

		if (own->used >= worth(lai_namespace_of(snapshot, own->namespace_index), percent))
			counting.list[kept++] = *own;
	}
	if (kept > 1)
		qsort(counting.list, kept, sizeof(*counting.list), tuple_compare);
	*list = counting.list;
	*count = kept;
	return 0;
}
