/* SPDX-License-Identifier: MIT */
#include "judge/roll.h"

#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>

#define LIST_FIRST 64

/* What takes a port for one destination. */
#define CONNECTIONS                                                                                \
	(LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED) | LAI_SOCKDIAG_STATE(LAI_TCP_SYN_SENT) |          \
	 LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT1) | LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT2) |           \
	 LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT) | LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT) |          \
	 LAI_SOCKDIAG_STATE(LAI_TCP_LAST_ACK) | LAI_SOCKDIAG_STATE(LAI_TCP_CLOSING))

const struct lai_namespace *lai_namespace_of(const struct lai_snapshot *snapshot,
					     uint32_t namespace_index)
{
	return namespace_index < snapshot->namespace_count ? &snapshot->namespaces[namespace_index]
							   : NULL;
}

bool lai_port_is_ephemeral(const struct lai_namespace *name_space, uint16_t port)
{
	return name_space && port >= name_space->port_min && port <= name_space->port_max &&
	       port != 0;
}

bool lai_is_suspect(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	switch (socket->state) {
	case LAI_TCP_CLOSE_WAIT: return true;
	case LAI_TCP_FIN_WAIT2: return socket->inode != 0;
	case LAI_TCP_CLOSE: return socket->inode != 0 && socket->past != LAI_PAST_NONE;
	case LAI_TCP_ESTABLISHED:
		if (socket->inode == 0)
			return socket->listener < snapshot->socket_count;
		return socket->holder_count == 0 && snapshot->stash_count > 0;
	default: return false;
	}
}

bool lai_uses_port(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	return (CONNECTIONS & LAI_SOCKDIAG_STATE(socket->state)) &&
	       lai_port_is_ephemeral(lai_namespace_of(snapshot, socket->namespace_index),
				     lai_address_port(&socket->local));
}

static int add(struct lai_roll_list *own, uint32_t index)
{
	if (own->count == own->room) {
		size_t room = own->room ? 2 * own->room : LIST_FIRST;
		uint32_t *list = reallocarray(own->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		own->list = list;
		own->room = room;
	}
	own->list[own->count++] = index;
	return 0;
}

static int call(struct lai_roll *roll, uint32_t index)
{
	const struct lai_snapshot *snapshot = roll->snapshot;
	const struct lai_socket_fact *socket = &snapshot->sockets[index];
	uint32_t name_space = socket->namespace_index;

	if (lai_uses_port(snapshot, socket))
		roll->by_port[LAI_ROLL_BUCKET(lai_address_port(&socket->remote))]++;
	if (lai_is_suspect(snapshot, socket))
		return add(&roll->suspects, index);
	switch (socket->state) {
	case LAI_TCP_LISTEN: return add(&roll->listeners, index);
	case LAI_TCP_BOUND_INACTIVE: return add(&roll->bound, index);
	case LAI_TCP_TIME_WAIT:
		roll->time_wait[name_space < snapshot->namespace_count
					? name_space
					: snapshot->namespace_count]++;
		return 0;
	default: return 0;
	}
}

int lai_roll_init(struct lai_roll *roll, const struct lai_snapshot *snapshot)
{
	int error;

	*roll = (struct lai_roll){.snapshot = snapshot};
	roll->time_wait = calloc(snapshot->namespace_count + 1, sizeof(*roll->time_wait));
	roll->by_port = calloc(LAI_ROLL_BUCKETS, sizeof(*roll->by_port));
	error = roll->time_wait && roll->by_port ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < snapshot->socket_count && !error; i++)
		error = call(roll, i);
	if (error)
		lai_roll_done(roll);
	return error;
}

void lai_roll_done(struct lai_roll *roll)
{
	free(roll->suspects.list);
	free(roll->listeners.list);
	free(roll->bound.list);
	free(roll->time_wait);
	free(roll->by_port);
	*roll = (struct lai_roll){0};
}
