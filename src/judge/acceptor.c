/* SPDX-License-Identifier: MIT */
/*
 * acceptor.c - who of several holders of a listener is the one that should call accept().
 *
 * A listener is inherited: by workers, which accept, from a master, which does not. Who holds
 * connections of it has accepted, who waits in accept() does so, and who is stopped would like to. If
 * none of that is to be seen, the youngest is the likeliest: it was started to do the work.
 */
#include "judge/case.h"

#include "base/address.h"

enum { STOPPED = 1, WAITS = 2, HAS_ACCEPTED = 4 };

static bool holds_one_of(const struct lai_court *court, const struct lai_socket_fact *listener,
			 pid_t pid)
{
	const struct lai_snapshot *now = court->now;
	uint16_t port = lai_address_port(&listener->local);

	for (size_t i = 0; i < now->socket_count; i++) {
		const struct lai_socket_fact *socket = &now->sockets[i];

		if (socket->state == LAI_TCP_LISTEN || lai_address_port(&socket->local) != port ||
		    socket->namespace_index != listener->namespace_index)
			continue;
		for (uint32_t k = 0; k < socket->holder_count; k++)
			if ((pid_t)now->holders[socket->holder_first + k].pid == pid)
				return true;
	}
	return false;
}

static int signs_of(struct lai_court *court, const struct lai_socket_fact *listener, pid_t pid)
{
	const struct lai_crew *crew = lai_attentions_crew(&court->attentions, pid);
	int signs = holds_one_of(court, listener, pid) ? HAS_ACCEPTED : 0;

	if (!crew || crew->count == 0)
		return signs;
	if (crew->by_wait[LAI_WAIT_ACCEPT] > 0)
		signs |= WAITS;
	return crew->by_wait[LAI_WAIT_STOPPED] == crew->count ? signs | STOPPED : signs;
}

static uint64_t start_of(const struct lai_court *court, pid_t pid)
{
	const struct lai_process *process = lai_snapshot_process(court->now, pid);

	return process ? process->start_ticks : 0;
}

static pid_t choose(struct lai_court *court, const struct lai_socket_fact *listener)
{
	const struct lai_snapshot *now = court->now;
	const struct lai_holder *holders = &now->holders[listener->holder_first];
	pid_t best = (pid_t)holders[0].pid, last = best;
	int best_signs;

	if (holders[listener->holder_count - 1].pid == holders[0].pid)
		return best;
	best_signs = signs_of(court, listener, best);
	for (uint32_t i = 1; i < listener->holder_count; i++) {
		pid_t pid = (pid_t)holders[i].pid;
		int signs;

		if (pid == last)
			continue;
		last = pid;
		signs = signs_of(court, listener, pid);
		if (signs < best_signs ||
		    (signs == best_signs && start_of(court, pid) < start_of(court, best)))
			continue;
		best = pid;
		best_signs = signs;
	}
	return best;
}

pid_t lai_court_acceptor(struct lai_court *court, uint32_t listener)
{
	const struct lai_snapshot *now = court->now;
	const struct lai_socket_fact *socket;

	if (listener >= now->socket_count)
		return 0;
	socket = &now->sockets[listener];
	if (socket->holder_count == 0 ||
	    (size_t)socket->holder_first + socket->holder_count > now->holder_count)
		return 0;
	if (court->acceptor_of != listener) {
		court->acceptor = choose(court, socket);
		court->acceptor_of = listener;
	}
	return court->acceptor;
}
