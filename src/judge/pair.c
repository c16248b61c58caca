/* SPDX-License-Identifier: MIT */
/*
 * pair.c - finds the other end of each wanted socket in one pass over the snapshot.
 *
 * The wanted ones, often few, stand in a table by their four-tuple; every socket of the snapshot is
 * then looked up there with its own tuple swapped. A second small table has their remote hosts.
 */
#include "judge/pair.h"

#include "judge/end.h"
#include "judge/roll.h"

struct wanted {
	struct lai_end local, remote;
	uint32_t socket;
	uint32_t same;	    /* the next with the same tuple (in another namespace) */
	uint32_t near, far; /* the best in its own namespace, the best in others */
	uint32_t far_count;
	uint32_t host; /* place in hosts */
};

/* A remote host of a wanted socket, in its namespace. */
struct host {
	struct lai_end end; /* port 0 */
	uint32_t namespace_index;
	bool local;
};

struct lai_pairs {
	const struct lai_snapshot *snapshot;
	struct wanted *list;
	size_t count;
	struct lai_table table; /* of list, one entry per tuple */
	struct host *hosts;
	size_t host_count, hosts_local;
	struct lai_table host_table;
	/* Of the wanted: most sockets are passed by at a look at their local port. */
	uint64_t remote_ports[LAI_PORTS / 64];
	/* The local address that was looked for last: neighbours often share theirs. */
	struct lai_end last;
	uint32_t last_namespace;
	bool has_last;
};

/* The rest has no other end. */
static bool is_connected(const struct lai_socket_fact *socket)
{
	switch (socket->state) {
	case LAI_TCP_NONE:
	case LAI_TCP_CLOSE:
	case LAI_TCP_LISTEN:
	case LAI_TCP_BOUND_INACTIVE:
	case LAI_TCP_COUNT: return false;
	default: return true;
	}
}

static uint32_t find_tuple(const struct lai_pairs *pairs, struct lai_end local,
			   struct lai_end remote)
{
	uint32_t hash = lai_end_hash(local, remote), i;

	for (size_t at = lai_table_first(&pairs->table, hash);
	     (i = lai_table_next(&pairs->table, hash, &at)) != LAI_NO_INDEX;)
		if (lai_end_equal(pairs->list[i].local, local) &&
		    lai_end_equal(pairs->list[i].remote, remote))
			return i;
	return LAI_NO_INDEX;
}

static uint32_t host_hash(struct lai_end end, uint32_t namespace_index)
{
	return lai_mix2(end.high ^ end.low * 3, namespace_index);
}

static uint32_t find_host(const struct lai_pairs *pairs, struct lai_end end, uint32_t hash,
			  uint32_t namespace_index)
{
	uint32_t i;

	for (size_t at = lai_table_first(&pairs->host_table, hash);
	     (i = lai_table_next(&pairs->host_table, hash, &at)) != LAI_NO_INDEX;)
		if (pairs->hosts[i].namespace_index == namespace_index &&
		    lai_end_same_host(pairs->hosts[i].end, end))
			return i;
	return LAI_NO_INDEX;
}

static uint32_t add_host(struct lai_pairs *pairs, struct lai_end end, uint32_t namespace_index)
{
	uint32_t hash = host_hash(end, namespace_index);
	uint32_t found = find_host(pairs, end, hash, namespace_index);

	if (found != LAI_NO_INDEX)
		return found;
	found = (uint32_t)pairs->host_count++;
	pairs->hosts[found] = (struct host){.end = end, .namespace_index = namespace_index};
	lai_table_put(&pairs->host_table, hash, found);
	return found;
}

static void add_wanted(struct lai_pairs *pairs, uint32_t socket)
{
	const struct lai_socket_fact *fact = &pairs->snapshot->sockets[socket];
	struct wanted own = {.local = lai_end_of(&fact->local),
			     .remote = lai_end_of(&fact->remote),
			     .socket = socket,
			     .same = LAI_NO_INDEX,
			     .near = LAI_NO_INDEX,
			     .far = LAI_NO_INDEX};
	uint32_t place = (uint32_t)pairs->count++, found;

	own.host = add_host(pairs, own.remote, fact->namespace_index);
	found = is_connected(fact) ? find_tuple(pairs, own.local, own.remote) : LAI_NO_INDEX;
	if (found != LAI_NO_INDEX) {
		own.same = pairs->list[found].same;
		pairs->list[found].same = place;
	} else if (is_connected(fact)) {
		lai_table_put(&pairs->table, lai_end_hash(own.local, own.remote), place);
	}
	pairs->remote_ports[own.remote.port / 64] |= 1ull << (own.remote.port % 64);
	pairs->list[place] = own;
}

/* Of two that fit, the one that lives; then the one with the lower cookie, whatever the order. */
static uint32_t better(const struct lai_snapshot *snapshot, uint32_t one, uint32_t other)
{
	const struct lai_socket_fact *a, *b;

	if (one == LAI_NO_INDEX)
		return other;
	a = &snapshot->sockets[one];
	b = &snapshot->sockets[other];
	if ((a->state == LAI_TCP_TIME_WAIT) != (b->state == LAI_TCP_TIME_WAIT))
		return a->state == LAI_TCP_TIME_WAIT ? other : one;
	if (a->cookie != b->cookie)
		return b->cookie < a->cookie ? other : one;
	return b->state < a->state ? other : one;
}

/* A dump may list a socket twice. */
static bool is_twin(const struct lai_snapshot *snapshot, uint32_t one, uint32_t other)
{
	return one != LAI_NO_INDEX && snapshot->sockets[one].cookie != 0 &&
	       snapshot->sockets[one].cookie == snapshot->sockets[other].cookie;
}

/* This socket is the other end of all wanted ones of that tuple, as far as namespaces allow. */
static void match(struct lai_pairs *pairs, uint32_t place, uint32_t socket)
{
	const struct lai_snapshot *snapshot = pairs->snapshot;
	uint32_t namespace_index = snapshot->sockets[socket].namespace_index;

	for (; place != LAI_NO_INDEX; place = pairs->list[place].same) {
		struct wanted *own = &pairs->list[place];

		if (own->socket == socket)
			continue;
		if (snapshot->sockets[own->socket].namespace_index == namespace_index) {
			own->near = better(snapshot, own->near, socket);
		} else if (!lai_end_is_loopback(own->local) && !lai_end_is_loopback(own->remote)) {
			own->far_count += !is_twin(snapshot, own->far, socket);
			own->far = better(snapshot, own->far, socket);
		}
	}
}

/* This address is one of ours: is it a wanted one's peer's? */
static void mark_host(struct lai_pairs *pairs, struct lai_end local, uint32_t namespace_index)
{
	uint32_t host;

	if (pairs->hosts_local == pairs->host_count ||
	    (pairs->has_last && pairs->last_namespace == namespace_index &&
	     lai_end_same_host(pairs->last, local)))
		return;
	pairs->last = local;
	pairs->last_namespace = namespace_index;
	pairs->has_last = true;
	host = find_host(pairs, local, host_hash(local, namespace_index), namespace_index);
	if (host == LAI_NO_INDEX || pairs->hosts[host].local)
		return;
	pairs->hosts[host].local = true;
	pairs->hosts_local++;
}

static void look_at(struct lai_pairs *pairs, uint32_t socket)
{
	const struct lai_socket_fact *fact = &pairs->snapshot->sockets[socket];
	struct lai_end local;

	if (!is_connected(fact))
		return;
	local = lai_end_of(&fact->local);
	mark_host(pairs, local, fact->namespace_index);
	if (pairs->remote_ports[local.port / 64] & 1ull << (local.port % 64))
		match(pairs, find_tuple(pairs, lai_end_of(&fact->remote), local), socket);
}

int lai_pairs_new_of(const struct lai_snapshot *snapshot, const uint32_t *wanted, size_t count,
		     struct lai_pairs **pairs)
{
	struct lai_pairs *own = calloc(1, sizeof(*own));

	if (!own)
		return -ENOMEM;
	own->snapshot = snapshot;
	own->list = malloc((count + 1) * sizeof(*own->list));
	own->hosts = malloc((count + 1) * sizeof(*own->hosts));
	if (!own->list || !own->hosts || lai_table_init(&own->table, count) != 0 ||
	    lai_table_init(&own->host_table, count) != 0) {
		lai_pairs_free(own);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		add_wanted(own, wanted[i]);
	for (uint32_t i = 0; i < snapshot->socket_count && count > 0; i++)
		look_at(own, i);
	*pairs = own;
	return 0;
}

int lai_pairs_new(const struct lai_snapshot *snapshot, struct lai_pairs **pairs)
{
	uint32_t *all = malloc((snapshot->socket_count + 1) * sizeof(*all));
	int error = -ENOMEM;

	if (!all)
		return error;
	for (uint32_t i = 0; i < snapshot->socket_count; i++)
		all[i] = i;
	error = lai_pairs_new_of(snapshot, all, snapshot->socket_count, pairs);
	free(all);
	return error;
}

void lai_pairs_free(struct lai_pairs *pairs)
{
	if (!pairs)
		return;
	lai_table_done(&pairs->table);
	lai_table_done(&pairs->host_table);
	free(pairs->hosts);
	free(pairs->list);
	free(pairs);
}

uint32_t lai_pairs_place(const struct lai_pairs *pairs, uint32_t socket)
{
	const struct lai_socket_fact *fact = &pairs->snapshot->sockets[socket];
	uint32_t place;

	if (!is_connected(fact))
		return LAI_NO_INDEX;
	place = find_tuple(pairs, lai_end_of(&fact->local), lai_end_of(&fact->remote));
	while (place != LAI_NO_INDEX && pairs->list[place].socket != socket)
		place = pairs->list[place].same;
	return place;
}

uint32_t lai_pairs_peer(const struct lai_pairs *pairs, uint32_t socket)
{
	uint32_t place = lai_pairs_place(pairs, socket);
	const struct wanted *own;

	if (place == LAI_NO_INDEX)
		return LAI_NO_INDEX;
	own = &pairs->list[place];
	if (own->near != LAI_NO_INDEX)
		return own->near;
	return own->far_count == 1 ? own->far : LAI_NO_INDEX;
}

bool lai_pairs_remote_is_local(const struct lai_pairs *pairs, uint32_t socket)
{
	uint32_t place = lai_pairs_place(pairs, socket);

	return place != LAI_NO_INDEX && pairs->hosts[pairs->list[place].host].local;
}
