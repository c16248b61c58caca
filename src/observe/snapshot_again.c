/* SPDX-License-Identifier: MIT */
/*
 * snapshot_again.c - a second look at sockets that seem to be held by nobody, and at descriptors
 * that seem to have no connection.
 *
 * Rare on most hosts: the extra walk is made only if there is a socket without a holder. What is
 * still held by nobody then, and still there, is held by something that no table shows: a message
 * in flight, an io_uring, the kernel itself.
 */
#include "base/clock.h"
#include "observe/namespace.h"
#include "observe/past.h"
#include "observe/snapshot_inside.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A program that is well closes within that time; a loaded one too, mostly. */
#define GHOST_NS (300 * LAI_MS)

static int holder_compare(const void *a, const void *b)
{
	const struct lai_holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

/* Appends the holders of this socket that the second walk found. */
static int add_holders(struct lai_snapshot *snapshot, const struct lai_holders *again,
		       uint64_t inode)
{
	size_t first = lai_holders_find(again->list, again->count, inode), last = first;
	struct lai_holder *holders;

	while (last < again->count && again->list[last].inode == inode)
		last++;
	if (last == first)
		return 0;
	holders = reallocarray(snapshot->holders, snapshot->holder_count + (last - first),
			       sizeof(*holders));
	if (!holders)
		return -ENOMEM;
	memcpy(holders + snapshot->holder_count, again->list + first,
	       (last - first) * sizeof(*holders));
	snapshot->holders = holders;
	snapshot->holder_count += last - first;
	return 0;
}

/* After new holders came in: all of them in order again, and each socket's place among them. */
static void reorder(struct lai_snapshot *snapshot)
{
	if (snapshot->holder_count > 1)
		qsort(snapshot->holders, snapshot->holder_count, sizeof(*snapshot->holders),
		      holder_compare);
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		struct lai_socket_fact *socket = &snapshot->sockets[i];
		size_t first, last;

		if (socket->inode == 0)
			continue;
		first = last =
			lai_holders_find(snapshot->holders, snapshot->holder_count, socket->inode);
		while (last < snapshot->holder_count &&
		       snapshot->holders[last].inode == socket->inode)
			last++;
		socket->holder_first = (uint32_t)first;
		socket->holder_count = (uint32_t)(last - first);
	}
}

struct look {
	const struct lai_socket_fact *socket;
	bool same; /* it is still there, in the same state */
};

static int look_inside(void *arg)
{
	struct look *look = arg;
	struct lai_socket_fact found;
	int error = lai_sockdiag_find(look->socket, &found);

	if (error == 0)
		look->same = found.state == look->socket->state;
	return error == -ENOENT ? 0 : error;
}

/* If it cannot be looked up it stays: the judge says "nobody" only with more evidence. */
static bool is_still_there(const struct lai_snapshot *snapshot,
			   const struct lai_socket_fact *socket)
{
	struct look look = {.socket = socket};

	if (lai_namespace_run(&snapshot->namespaces[socket->namespace_index], look_inside, &look) !=
	    0)
		return true;
	return look.same;
}

static void drop_gone(struct lai_snapshot *snapshot)
{
	size_t kept = 0;

	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		/* Of the healthy ones, which are many where we may see few processes, nobody will say
		   that they are held by nothing. */
		if (lai_socket_is_unheld(socket) && lai_socket_is_suspect(socket) &&
		    !is_still_there(snapshot, socket))
			continue;
		snapshot->sockets[kept++] = *socket;
	}
	snapshot->socket_count = kept;
}

bool lai_snapshot_has_unheld(const struct lai_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->socket_count; i++)
		if (lai_socket_is_unheld(&snapshot->sockets[i]))
			return true;
	return false;
}

int lai_snapshot_look_again(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	struct lai_holders again = {0};
	int error;

	if (!lai_snapshot_has_unheld(snapshot))
		return 0;
	error = lai_snapshot_walk(draft, &again);
	for (size_t i = 0; i < snapshot->socket_count && !error; i++)
		if (lai_socket_is_unheld(&snapshot->sockets[i]))
			error = add_holders(snapshot, &again, snapshot->sockets[i].inode);
	lai_holders_done(&again);
	if (error)
		return error == -ENOMEM ? error : 0;
	reorder(snapshot);
	drop_gone(snapshot);
	return 0;
}

/* --- ghosts --- */

static bool is_ghost(const struct lai_socket_fact *socket)
{
	return socket->state == LAI_TCP_CLOSE && socket->past != LAI_PAST_NONE;
}

/* By the first of its holders it is the same socket still, and still without a connection. */
static bool is_still_ghost(const struct lai_snapshot *snapshot,
			   const struct lai_socket_fact *socket)
{
	const struct lai_holder *holder = &snapshot->holders[socket->holder_first];
	struct lai_past_fact past;

	if (lai_past_of((pid_t)holder->pid, (int32_t)holder->fd, socket->inode, &past) != 0)
		return false;
	return past.state == LAI_TCP_CLOSE || past.state == LAI_TCP_NONE;
}

void lai_snapshot_confirm_ghosts(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	const struct timespec moment = {.tv_nsec = GHOST_NS};
	bool waited = false;

	for (size_t i = 0; i < snapshot->socket_count; i++) {
		struct lai_socket_fact *socket = &snapshot->sockets[i];

		if (!is_ghost(socket) || socket->holder_count == 0)
			continue;
		if (!waited)
			(void)nanosleep(&moment, NULL);
		waited = true;
		/* No index may move any more: what is gone is a socket of no interest. */
		if (!is_still_ghost(snapshot, socket))
			socket->past = LAI_PAST_NONE;
	}
}
