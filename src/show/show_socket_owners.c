/* SPDX-License-Identifier: MIT */
/*
 * show_socket_owners.c - who answers for a socket.
 *
 * Holders come sorted by pid and descriptor. Neighbours with the same name and the same descriptors
 * (a server's workers share their listener) are one entry: "nginx[12,13,14] fd 6".
 */
#include "show/show_socket.h"

#include <string.h>

static const struct {
	const char *name;
	const char *words; /* for people; before the owners, if there are any */
} ownerships[LAI_OWNERSHIP_COUNT] = {
	[LAI_OWNED] = {"process", ""},
	[LAI_OWNED_NEVER_ACCEPTED] = {"never-accepted", "never accepted: "},
	[LAI_OWNED_LISTENER_UNSEEN] = {"listener-unseen", "never accepted: listener not seen"},
	[LAI_OWNED_TIME_WAIT] = {"time-wait", "kernel: ends by itself"},
	[LAI_OWNED_HANDSHAKE] = {"handshake", "kernel: handshake"},
	[LAI_OWNED_ORPHAN] = {"orphan", "nobody: kernel ends it"},
	[LAI_OWNED_UNSEEN] = {"unseen", "not permitted to see"},
	[LAI_OWNED_HIDDEN] = {"hidden", "no descriptor: kernel, io_uring or in flight"},
};

const char *lai_show_ownership_name(enum lai_ownership ownership)
{
	return (unsigned)ownership < LAI_OWNERSHIP_COUNT ? ownerships[ownership].name : "?";
}

/* Nobody has a descriptor, and the state says why. */
static enum lai_ownership ownership_without_inode(enum lai_tcp_state state)
{
	switch (state) {
	case LAI_TCP_TIME_WAIT: return LAI_OWNED_TIME_WAIT;
	case LAI_TCP_SYN_RECV:
	case LAI_TCP_NEW_SYN_RECV: return LAI_OWNED_HANDSHAKE;
	case LAI_TCP_ESTABLISHED:
	case LAI_TCP_CLOSE_WAIT: return LAI_OWNED_LISTENER_UNSEEN;
	default: return LAI_OWNED_ORPHAN;
	}
}

enum lai_ownership lai_show_ownership(const struct lai_snapshot *snapshot,
				      const struct lai_socket_fact *socket)
{
	if (socket->holder_count > 0)
		return LAI_OWNED;
	if (socket->listener != LAI_NO_INDEX)
		return LAI_OWNED_NEVER_ACCEPTED;
	if (socket->inode == 0)
		return ownership_without_inode(socket->state);
	return snapshot->coverage.unreadable > 0 || snapshot->coverage.pid_namespace
		       ? LAI_OWNED_UNSEEN
		       : LAI_OWNED_HIDDEN;
}

const struct lai_holder *lai_show_holders(const struct lai_snapshot *snapshot,
					  const struct lai_socket_fact *socket, size_t *count)
{
	if (socket->holder_count == 0 && socket->listener != LAI_NO_INDEX)
		socket = &snapshot->sockets[socket->listener];
	*count = socket->holder_count;
	return *count ? &snapshot->holders[socket->holder_first] : NULL;
}

/* How many of the holders, from the first, are of the same process. */
static size_t run_of(const struct lai_holder *holders, size_t count)
{
	size_t run = 1;

	while (run < count && holders[run].pid == holders[0].pid)
		run++;
	return run;
}

static const char *comm_of(const struct lai_snapshot *snapshot, uint32_t pid)
{
	const struct lai_process *process = lai_snapshot_process(snapshot, (pid_t)pid);

	return process ? process->comm : "?";
}

static bool same_fds(const struct lai_holder *a, const struct lai_holder *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].fd != b[i].fd)
			return false;
	return true;
}

/* Does the process at next hold the same descriptors under the same name as the one before? */
static bool joins(const struct lai_snapshot *snapshot, const struct lai_holder *first, size_t run,
		  const struct lai_holder *next, size_t left)
{
	return left >= run && run_of(next, left) == run && same_fds(first, next, run) &&
	       strcmp(comm_of(snapshot, first->pid), comm_of(snapshot, next->pid)) == 0;
}

/* One entry; returns how many holders are in it. */
static size_t append_entry(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_holder *holders, size_t count)
{
	size_t run = run_of(holders, count), taken = run;

	lai_show_foreign(text, comm_of(snapshot, holders->pid));
	lai_show_number_after(text, "[", holders->pid);
	for (; taken < count && joins(snapshot, holders, run, holders + taken, count - taken);
	     taken += run)
		lai_show_number_after(text, ",", holders[taken].pid);
	for (size_t i = 0; i < run; i++)
		lai_show_number_after(text, i == 0 ? "] fd " : ",", holders[i].fd);
	return taken;
}

void lai_show_socket_owners(struct lai_text *text, const struct lai_snapshot *snapshot,
			    const struct lai_socket_fact *socket)
{
	enum lai_ownership ownership = lai_show_ownership(snapshot, socket);
	const char *words = ownerships[ownership].words;
	const struct lai_holder *holders;
	size_t count;

	lai_text_append_bytes(text, words, strlen(words));
	holders = lai_show_holders(snapshot, socket, &count);
	for (size_t i = 0; i < count;) {
		if (i > 0)
			lai_text_append_bytes(text, "; ", 2);
		i += append_entry(text, snapshot, holders + i, count - i);
	}
	if (ownership == LAI_OWNED_NEVER_ACCEPTED && count == 0)
		lai_text_append(text, "listener's owner not seen");
}
