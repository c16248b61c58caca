/* SPDX-License-Identifier: MIT */
/* ports_space.c - the ports of each namespace that no connect() can have, whatever its destination. */
#include "judge/ports.h"

#define PORT_WORDS (LAI_PORTS / 64)

/* Ports of one namespace, a bit each. */
struct port_set {
	uint64_t bound[PORT_WORDS], listened[PORT_WORDS];
};

static void add_ports(const struct lai_snapshot *now, const struct lai_roll_list *roll,
		      struct lai_port_space *spaces, struct port_set *sets)
{
	for (size_t i = 0; i < roll->count; i++) {
		const struct lai_socket_fact *socket = &now->sockets[roll->list[i]];
		uint16_t port = lai_address_port(&socket->local);
		uint32_t index = socket->namespace_index;
		uint64_t bit = 1ull << (port % 64);

		if (!lai_port_is_ephemeral(lai_namespace_of(now, index), port))
			continue;
		spaces[index].takers = true;
		if (socket->state == LAI_TCP_LISTEN)
			sets[index].listened[port / 64] |= bit;
		else
			sets[index].bound[port / 64] |= bit;
	}
}

/* The sets of namespaces without such sockets are never touched. */
int lai_port_spaces_count(const struct lai_roll *roll, struct lai_port_space *spaces)
{
	const struct lai_snapshot *now = roll->snapshot;
	struct port_set *sets = calloc(now->namespace_count + 1, sizeof(*sets));

	if (!sets)
		return -ENOMEM;
	add_ports(now, &roll->listeners, spaces, sets);
	add_ports(now, &roll->bound, spaces, sets);
	for (size_t i = 0; i < now->namespace_count; i++) {
		spaces[i].range = lai_ports_range(&now->namespaces[i]);
		spaces[i].time_wait = roll->time_wait[i];
		for (size_t k = 0; spaces[i].takers && k < PORT_WORDS; k++) {
			uint64_t bound = sets[i].bound[k], listened = sets[i].listened[k];

			spaces[i].taken += (uint32_t)__builtin_popcountll(bound | listened);
			spaces[i].bound += (uint32_t)__builtin_popcountll(bound & ~listened);
		}
	}
	free(sets);
	return 0;
}
