/* SPDX-License-Identifier: MIT */
/* case.c - what rules ask about one suspect. */
#include "judge/case.h"

#include "judge/bounds.h"

bool lai_case_is_older(const struct lai_case *own, uint64_t bound_ms)
{
	return own->age_kind == LAI_AGE_UNKNOWN || own->age_ms >= bound_ms;
}

bool lai_case_grows(const struct lai_case *own)
{
	return own->earlier && own->earlier->state == own->socket->state &&
	       own->whole->now > own->whole->before;
}

bool lai_case_is_young(const struct lai_case *own)
{
	return !lai_case_is_older(own, lai_case_grows(own) ? LAI_CLOSE_WAIT_GROWING_MS
							   : LAI_CLOSE_WAIT_YOUNG_MS);
}

uint64_t lai_unread_bytes(const struct lai_socket_fact *socket)
{
	bool fin = socket->state == LAI_TCP_CLOSE_WAIT || socket->state == LAI_TCP_LAST_ACK ||
		   socket->state == LAI_TCP_CLOSING;

	if (socket->state == LAI_TCP_LISTEN || socket->state == LAI_TCP_CLOSE)
		return 0;
	return socket->rqueue_bytes - (fin && socket->rqueue_bytes > 0);
}

uint64_t lai_read_bytes(const struct lai_socket_fact *socket)
{
	return socket->has_info ? lai_leg_read(socket) : 0;
}

bool lai_case_reads_on(const struct lai_case *own)
{
	return own->earlier && own->earlier->has_info && own->socket->has_info &&
	       lai_read_bytes(own->socket) > lai_read_bytes(own->earlier);
}

uint32_t lai_case_peer(const struct lai_case *own)
{
	return lai_pairs_peer(own->court->pairs, own->index);
}

bool lai_case_is_recent(const struct lai_case *own)
{
	return own->age_kind != LAI_AGE_UNKNOWN && own->age_ms < LAI_ANSWER_MS;
}

/* The other end, if a process of this host holds it and has sent its FIN; NULL. */
static const struct lai_socket_fact *held_peer(const struct lai_case *own)
{
	uint32_t index = lai_case_peer(own);
	const struct lai_socket_fact *peer;

	if (index == LAI_NO_INDEX)
		return NULL;
	peer = &own->court->now->sockets[index];
	if ((peer->state != LAI_TCP_FIN_WAIT1 && peer->state != LAI_TCP_FIN_WAIT2) ||
	    peer->holder_count == 0)
		return NULL;
	return peer;
}

typedef bool question(const struct lai_attentions *attentions, pid_t pid, uint64_t inode);

static bool any_holder(const struct lai_case *own, const struct lai_socket_fact *socket,
		       question *attends)
{
	const struct lai_snapshot *now = own->court->now;

	for (uint32_t i = 0; i < socket->holder_count; i++)
		if (socket->holder_first + i < now->holder_count &&
		    attends(&own->court->attentions,
			    (pid_t)now->holders[socket->holder_first + i].pid, socket->inode))
			return true;
	return false;
}

bool lai_case_peer_is_slow(const struct lai_case *own)
{
	const struct lai_socket_fact *peer = held_peer(own);

	return peer && peer->rqueue_bytes > 0 &&
	       !any_holder(own, peer, lai_attentions_wants_end_only);
}

bool lai_case_peer_waits(const struct lai_case *own)
{
	const struct lai_socket_fact *peer = held_peer(own);

	return peer &&
	       (any_holder(own, peer, lai_attentions_wants_data) || lai_case_peer_is_slow(own));
}

uint32_t lai_case_workers(const struct lai_case *own, bool busy)
{
	const struct lai_crew *crew = lai_attentions_crew(&own->court->attentions, own->pid);
	uint32_t idle;

	if (!crew)
		return 0;
	idle = crew->by_wait[LAI_WAIT_EVENTS] + crew->by_wait[LAI_WAIT_ACCEPT] +
	       crew->by_wait[LAI_WAIT_STOPPED];
	if (busy)
		idle += crew->by_wait[LAI_WAIT_LOCK] + crew->by_wait[LAI_WAIT_UNKNOWN];
	return crew->count - idle;
}

uint32_t lai_case_asking(const struct lai_case *own)
{
	const struct lai_process *process = lai_snapshot_process(own->court->now, own->pid);

	return process ? own->court->asking[process - own->court->now->processes] : 0;
}

bool lai_is_asking(const struct lai_socket_fact *socket, enum lai_role role)
{
	return socket->has_info && socket->sent_age_ms < LAI_ANSWER_MS &&
	       lai_leg_written(socket, role) > 0 &&
	       (lai_leg_read(socket) == 0 || socket->sent_age_ms < socket->received_age_ms);
}

bool lai_case_is_idle_client(const struct lai_case *own)
{
	return own->role == LAI_ROLE_CONNECTED && own->socket->rqueue_bytes > 0 &&
	       lai_unread_bytes(own->socket) <= LAI_POOL_UNREAD_MAX && !lai_case_grows(own);
}
