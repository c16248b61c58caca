/* SPDX-License-Identifier: MIT */
/*
 * snapshot_join.c - brings sockets and descriptors together.
 *
 *	socket with inode, holders found      its holders move into the snapshot
 *	holder without a socket, of TCP       a socket in none of the tables: LAI_TCP_CLOSE
 *	socket without inode, not orphaned    waits for accept(): its listener is looked up
 */
#include "observe/namespace.h"
#include "observe/past.h"
#include "observe/snapshot_inside.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- inode -> index of a socket: open addressing, at most half full --- */

struct inode_table {
	uint32_t *slots; /* LAI_NO_INDEX: free */
	size_t mask;
	bool shared; /* some sockets have the same inode; it leads to the first of them */
};

static size_t slot_of(const struct inode_table *table, uint64_t inode)
{
	/* Inodes are dense and ascending; the multiplier (2^64 / golden ratio) spreads them. */
	return (size_t)(inode * 0x9e3779b97f4a7c15ull >> 20) & table->mask;
}

static int table_init(struct inode_table *table, size_t count)
{
	size_t slots = 64;

	while (slots < 2 * count)
		slots *= 2;
	table->slots = malloc(slots * sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	memset(table->slots, 0xff, slots * sizeof(*table->slots));
	table->mask = slots - 1;
	return 0;
}

/* The slot that has the inode, or the free one where it belongs. */
static uint32_t *table_slot(const struct inode_table *table, const struct lai_snapshot *snapshot,
			    uint64_t inode)
{
	size_t at = slot_of(table, inode);

	while (table->slots[at] != LAI_NO_INDEX &&
	       snapshot->sockets[table->slots[at]].inode != inode)
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

/* A socket that moved within the kernel's table while it was listed is there twice: the later one
   is true. Several with one inode are the connections of an MPTCP socket. */
static int table_fill(struct inode_table *table, struct lai_snapshot *snapshot)
{
	size_t kept = 0;
	int error = table_init(table, snapshot->socket_count);

	if (error)
		return error;
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		struct lai_socket_fact *socket = &snapshot->sockets[i];
		uint32_t *slot;

		if (socket->inode != 0) {
			slot = table_slot(table, snapshot, socket->inode);
			if (*slot == LAI_NO_INDEX) {
				*slot = (uint32_t)kept;
			} else if (snapshot->sockets[*slot].cookie == socket->cookie) {
				snapshot->sockets[*slot] = *socket;
				continue;
			} else {
				table->shared = true;
			}
		}
		if (kept != i)
			snapshot->sockets[kept] = *socket;
		kept++;
	}
	snapshot->socket_count = kept;
	return 0;
}

/* --- holders --- */

static size_t run_length(const struct lai_holder *list, size_t count)
{
	size_t length = 1;

	while (length < count && list[length].inode == list[0].inode)
		length++;
	return length;
}

/* LAI_NO_INDEX: a namespace that is not looked at. One that is not told counts as our own. */
static uint32_t namespace_index(const struct lai_snapshot *snapshot, uint64_t inode)
{
	for (size_t i = 0; i < snapshot->namespace_count; i++)
		if (snapshot->namespaces[i].inode == inode)
			return snapshot->namespaces[i].seen ? (uint32_t)i : LAI_NO_INDEX;
	return inode == 0 ? 0 : LAI_NO_INDEX;
}

/*
 * Of which namespace the socket probably is, without looking at it: as the walk told (BPF), or that
 * of its process, asked once for each process. 0: not known.
 */
static uint64_t probable_namespace(struct lai_snapshot_draft *draft,
				   const struct lai_holder *holder)
{
	struct lai_snapshot_home *home = &draft->homes[holder->pid % LAI_SNAPSHOT_HOMES];

	if (holder->namespace_inode != 0)
		return holder->namespace_inode;
	if (home->pid != holder->pid) {
		home->pid = holder->pid;
		home->namespace_inode = lai_namespace_of_process((pid_t)holder->pid);
	}
	return home->namespace_inode;
}

/* Sockets without a connection are looked at one by one, so those that cannot be are left out. */
static bool may_be_without_connection(struct lai_snapshot_draft *draft,
				      const struct lai_holder *holder)
{
	if (holder->state != LAI_TCP_NONE && holder->state != LAI_TCP_CLOSE)
		return false;
	return namespace_index(draft->snapshot, probable_namespace(draft, holder)) != LAI_NO_INDEX;
}

/* A descriptor that no dump showed: is it a TCP socket without a connection? */
static int add_unlisted(struct lai_snapshot_draft *draft, const struct lai_holder *holder,
			bool *added)
{
	struct lai_socket_fact fact = {
		.state = LAI_TCP_CLOSE, .inode = holder->inode, .listener = LAI_NO_INDEX};
	struct lai_past_fact past = {.state = LAI_TCP_NONE};

	*added = false;
	/* Connected: of another namespace, or newer than the dump. */
	if (!may_be_without_connection(draft, holder)) {
		draft->snapshot->coverage.sockets_elsewhere += holder->state != LAI_TCP_NONE;
		return 0;
	}
	if (lai_past_of((pid_t)holder->pid, (int32_t)holder->fd, holder->inode, &past) != 0)
		return 0;
	fact.namespace_index = namespace_index(draft->snapshot, past.namespace_inode);
	if (fact.namespace_index == LAI_NO_INDEX ||
	    (past.state != LAI_TCP_CLOSE && past.state != LAI_TCP_NONE)) {
		draft->snapshot->coverage.sockets_elsewhere++;
		return 0;
	}
	fact.family = past.family;
	fact.past = (uint8_t)past.past;
	*added = true;
	return lai_snapshot_add_socket(draft, &fact);
}

/* The walk's list is sorted by inode, and so is what is kept of it. */
static int join_holders(struct lai_snapshot_draft *draft, const struct inode_table *table)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	struct lai_holder *list = draft->held.list;
	size_t kept = 0, length;
	int error = 0;

	for (size_t i = 0; i < draft->held.count && !error; i += length) {
		uint32_t index = *table_slot(table, snapshot, list[i].inode);
		bool added = false;

		length = run_length(list + i, draft->held.count - i);
		if (index == LAI_NO_INDEX && lai_snapshot_wants(draft, LAI_TCP_CLOSE)) {
			error = add_unlisted(draft, &list[i], &added);
			if (added && !error)
				index = (uint32_t)snapshot->socket_count - 1;
		}
		if (index == LAI_NO_INDEX)
			continue;
		snapshot->sockets[index].holder_first = (uint32_t)kept;
		snapshot->sockets[index].holder_count = (uint32_t)length;
		memmove(list + kept, list + i, length * sizeof(*list));
		kept += length;
	}
	snapshot->holders = list;
	snapshot->holder_count = kept;
	draft->held.list = NULL;
	draft->held.count = 0;
	return error;
}

/* What has the inode of another one has its holders as well. */
static void share_holders(struct lai_snapshot *snapshot, const struct inode_table *table)
{
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		struct lai_socket_fact *socket = &snapshot->sockets[i];
		uint32_t first;

		if (socket->inode == 0)
			continue;
		first = *table_slot(table, snapshot, socket->inode);
		if (first == LAI_NO_INDEX) /* in none of the kernel's tables: it came later */
			continue;
		socket->holder_first = snapshot->sockets[first].holder_first;
		socket->holder_count = snapshot->sockets[first].holder_count;
	}
}

/* --- listeners --- */

static bool is_any(const struct lai_address *address)
{
	if (lai_address_family(address) == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

static bool listens_for(const struct lai_socket_fact *listener,
			const struct lai_socket_fact *socket)
{
	struct lai_address theirs = lai_address_unmap(&listener->local),
			   ours = lai_address_unmap(&socket->local);

	if (listener->namespace_index != socket->namespace_index ||
	    lai_address_port(&theirs) != lai_address_port(&ours))
		return false;
	if (is_any(&theirs)) /* "::" takes IPv4 as well, unless IPV6_V6ONLY, which is not told */
		return lai_address_family(&theirs) == AF_INET6 ||
		       lai_address_family(&ours) == AF_INET;
	return lai_address_equal(&theirs, &ours);
}

/* Without an inode, and the application cannot have closed it: nobody has accepted it yet. */
static bool waits_for_accept(const struct lai_socket_fact *socket)
{
	return socket->inode == 0 &&
	       (socket->state == LAI_TCP_ESTABLISHED || socket->state == LAI_TCP_CLOSE_WAIT);
}

/* Of several (SO_REUSEPORT) the one with the longest queue. */
static uint32_t listener_of(const struct lai_snapshot *snapshot, const uint32_t *listeners,
			    size_t count, const struct lai_socket_fact *socket)
{
	uint32_t best = LAI_NO_INDEX;

	for (size_t i = 0; i < count; i++) {
		const struct lai_socket_fact *listener = &snapshot->sockets[listeners[i]];

		if (listens_for(listener, socket) &&
		    (best == LAI_NO_INDEX ||
		     listener->rqueue_bytes > snapshot->sockets[best].rqueue_bytes))
			best = listeners[i];
	}
	return best;
}

static int join_listeners(struct lai_snapshot *snapshot)
{
	uint32_t *listeners = malloc((snapshot->socket_count + 1) * sizeof(*listeners));
	size_t count = 0;

	if (!listeners)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->socket_count; i++)
		if (snapshot->sockets[i].state == LAI_TCP_LISTEN)
			listeners[count++] = (uint32_t)i;
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		struct lai_socket_fact *socket = &snapshot->sockets[i];

		socket->listener = waits_for_accept(socket)
					   ? listener_of(snapshot, listeners, count, socket)
					   : LAI_NO_INDEX;
	}
	free(listeners);
	return 0;
}

int lai_snapshot_join(struct lai_snapshot_draft *draft)
{
	struct inode_table table = {0};
	int error = table_fill(&table, draft->snapshot);

	if (!error)
		error = join_holders(draft, &table);
	if (!error && table.shared)
		share_holders(draft->snapshot, &table);
	if (!error)
		error = lai_snapshot_look_again(draft);
	if (!error)
		error = join_listeners(draft->snapshot);
	free(table.slots);
	return error;
}
