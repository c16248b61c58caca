/* SPDX-License-Identifier: MIT */
#include "judge/role.h"

#include "base/address.h"

static uint32_t port_hash(uint32_t namespace_index, uint16_t port)
{
	return lai_mix2(namespace_index, port);
}

static uint16_t port_of(const struct lai_listeners *listeners, uint32_t place)
{
	return lai_address_port(&listeners->snapshot->sockets[listeners->list[place]].local);
}

static uint32_t find(const struct lai_listeners *listeners, uint32_t namespace_index, uint16_t port)
{
	uint32_t hash = port_hash(namespace_index, port), i;

	for (size_t at = lai_table_first(&listeners->table, hash);
	     (i = lai_table_next(&listeners->table, hash, &at)) != LAI_NO_INDEX;)
		if (listeners->snapshot->sockets[listeners->list[i]].namespace_index ==
			    namespace_index &&
		    port_of(listeners, i) == port)
			return i;
	return LAI_NO_INDEX;
}

int lai_listeners_init(struct lai_listeners *listeners, const struct lai_roll *roll)
{
	*listeners = (struct lai_listeners){.snapshot = roll->snapshot,
					    .list = roll->listeners.list,
					    .count = roll->listeners.count};
	if (lai_table_init(&listeners->table, listeners->count) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < listeners->count; i++) {
		uint32_t name_space = roll->snapshot->sockets[listeners->list[i]].namespace_index;
		uint16_t port = port_of(listeners, i);

		if (find(listeners, name_space, port) == LAI_NO_INDEX)
			lai_table_put(&listeners->table, port_hash(name_space, port), i);
	}
	return 0;
}

void lai_listeners_done(struct lai_listeners *listeners)
{
	lai_table_done(&listeners->table);
	*listeners = (struct lai_listeners){0};
}

bool lai_listeners_has(const struct lai_listeners *listeners, uint32_t namespace_index,
		       uint16_t port)
{
	return find(listeners, namespace_index, port) != LAI_NO_INDEX;
}

bool lai_listeners_held(const struct lai_listeners *listeners, uint32_t namespace_index,
			uint16_t port, pid_t pid)
{
	const struct lai_snapshot *snapshot = listeners->snapshot;

	for (size_t i = 0; i < listeners->count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[listeners->list[i]];

		if (socket->namespace_index != namespace_index ||
		    lai_address_port(&socket->local) != port)
			continue;
		for (uint32_t k = 0; k < socket->holder_count; k++)
			if (pid == 0 ||
			    (pid_t)snapshot->holders[socket->holder_first + k].pid == pid)
				return true;
	}
	return false;
}

/* By the kernel's counters; LAI_ROLE_UNKNOWN: they do not tell. */
static enum lai_role role_by_counters(const struct lai_socket_fact *socket)
{
	bool fin_acked = socket->state == LAI_TCP_FIN_WAIT2 || socket->state == LAI_TCP_TIME_WAIT;
	uint64_t acked = socket->acked_bytes;

	if (!socket->has_info)
		return LAI_ROLE_UNKNOWN;
	if (fin_acked && acked > 0)
		acked--;
	if (acked > socket->sent_bytes)
		return LAI_ROLE_CONNECTED;
	return acked == socket->sent_bytes && socket->wqueue_bytes == 0 ? LAI_ROLE_ACCEPTED
									: LAI_ROLE_UNKNOWN;
}

enum lai_role lai_role_of(const struct lai_listeners *listeners,
			  const struct lai_socket_fact *socket)
{
	enum lai_role role = role_by_counters(socket);
	uint16_t port = lai_address_port(&socket->local);

	if (role != LAI_ROLE_UNKNOWN)
		return role;
	if (lai_listeners_has(listeners, socket->namespace_index, port))
		return LAI_ROLE_ACCEPTED;
	return lai_port_is_ephemeral(lai_namespace_of(listeners->snapshot, socket->namespace_index),
				     port)
		       ? LAI_ROLE_CONNECTED
		       : LAI_ROLE_ACCEPTED;
}
