/* SPDX-License-Identifier: MIT */
/*
 * snapshot_evidence.c - looks closer where something may be wrong: at the processes that hold
 * suspects, their threads and their interest in events, and at what holds sockets that no process
 * does.
 */
#include "observe/process.h"
#include "observe/snapshot_inside.h"
#include "observe/sockdiag.h"
#include "observe/stash.h"
#include "observe/thread.h"
#include "observe/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- processes --- */

static int pid_compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static int process_compare(const void *a, const void *b)
{
	return pid_compare(&((const struct lai_process *)a)->pid,
			   &((const struct lai_process *)b)->pid);
}

/* The number of descriptors: the walk's, or the size of the directory (Linux 6.2). */
static uint32_t count_fds(const struct lai_holders *held, pid_t pid)
{
	struct lai_holders_process key = {.pid = (uint32_t)pid}, *read = NULL;
	char path[64]; /* "/proc/PID/fd" */
	struct stat status;

	if (held->read_count > 0)
		read = bsearch(&key, held->read, held->read_count, sizeof(key), pid_compare);
	if (read && read->fd_count > 0)
		return read->fd_count;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return stat(path, &status) == 0 ? (uint32_t)status.st_size : 0;
}

/* The pids of all holders, sorted, each once. */
static int pids_of(const struct lai_snapshot *snapshot, pid_t **list, size_t *count)
{
	pid_t *pids = malloc((snapshot->holder_count + 1) * sizeof(*pids));
	size_t kept = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->holder_count; i++) {
		pid_t pid = (pid_t)snapshot->holders[i].pid;

		/* Neighbours often have the same holder, which spares most of the sorting. */
		if (kept == 0 || pids[kept - 1] != pid)
			pids[kept++] = pid;
	}
	qsort(pids, kept, sizeof(*pids), pid_compare);
	*count = 0;
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || pids[i] != pids[i - 1])
			pids[(*count)++] = pids[i];
	*list = pids;
	return 0;
}

int lai_snapshot_add_processes(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	pid_t *pids = NULL;
	size_t count = 0;
	int error = pids_of(snapshot, &pids, &count);

	if (error)
		return error;
	snapshot->processes = calloc(count + 1, sizeof(*snapshot->processes));
	error = snapshot->processes ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && !error; i++) {
		struct lai_process *process = &snapshot->processes[snapshot->process_count];

		error = lai_process_read(pids[i], process);
		if (error && error != -ENOMEM) {
			/* It has ended since, or is hidden: known by its pid alone. */
			*process = (struct lai_process){.pid = pids[i]};
			error = 0;
		}
		process->fds_seen = true;
		process->fd_count = count_fds(&draft->held, pids[i]);
		snapshot->process_count += error == 0;
	}
	free(pids);
	return error;
}

/* --- evidence --- */

/* Marks the processes that hold this socket. */
static void mark_holders(struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	for (uint32_t i = 0; i < socket->holder_count; i++) {
		pid_t pid = (pid_t)snapshot->holders[socket->holder_first + i].pid;
		const struct lai_process *process = lai_snapshot_process(snapshot, pid);

		if (process)
			snapshot->processes[process - snapshot->processes].detailed = true;
	}
}

/* A socket that waits for accept() makes a suspect of its listener's owner. */
static void mark_suspects(struct lai_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		if (lai_socket_is_suspect(socket))
			mark_holders(snapshot, socket);
		/* A full queue, be there a connection in it or not: nobody accepts. */
		if (socket->state == LAI_TCP_LISTEN && socket->rqueue_bytes > socket->wqueue_bytes)
			mark_holders(snapshot, socket);
		if (socket->listener != LAI_NO_INDEX)
			mark_holders(snapshot, &snapshot->sockets[socket->listener]);
	}
}

/* What cannot be read is no error; no memory is. *seen is made false if it could not be read. */
static int soften(int error, bool *seen)
{
	if (error && error != -ENOMEM)
		*seen = false;
	return error == -ENOMEM ? error : 0;
}

static int read_polls(struct lai_snapshot *snapshot, size_t first_thread)
{
	int error = 0;
	bool seen;

	for (size_t i = first_thread; i < snapshot->thread_count && !error; i++) {
		const struct lai_thread *thread = &snapshot->threads[i];

		if (thread->wait == LAI_WAIT_EVENTS && thread->fd < 0)
			error = soften(lai_watches_of_poll(thread, &snapshot->watches,
							   &snapshot->watch_count),
				       &seen);
	}
	return error;
}

static int read_set(struct lai_snapshot *snapshot, const struct lai_set_holder *holder, bool *seen)
{
	pid_t pid = (pid_t)holder->pid;
	int32_t fd = (int32_t)holder->fd;

	if (holder->kind == LAI_DESCRIPTOR_EPOLL)
		return soften(
			lai_watches_of_epoll(pid, fd, &snapshot->watches, &snapshot->watch_count),
			seen);
	return soften(lai_stashes_of_ring(pid, fd, &snapshot->stashes, &snapshot->stash_count),
		      seen);
}

static int read_sets(struct lai_snapshot_draft *draft, struct lai_process *process, bool *seen)
{
	const struct lai_holders *held = &draft->held;
	int error = 0;

	for (size_t i = 0; i < held->set_count && !error; i++) {
		if (held->sets[i].pid != (uint32_t)process->pid)
			continue;
		process->rings |= held->sets[i].kind == LAI_DESCRIPTOR_RING;
		error = read_set(draft->snapshot, &held->sets[i], seen);
	}
	return error;
}

static int read_details(struct lai_snapshot_draft *draft, struct lai_process *process)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	size_t first_thread = snapshot->thread_count;
	bool seen = true;
	int error = soften(
		lai_threads_read(process->pid, &snapshot->threads, &snapshot->thread_count), &seen);

	if (!error)
		error = read_polls(snapshot, first_thread);
	if (!error)
		error = read_sets(draft, process, &seen);
	if (!seen) {
		process->detailed = false;
		snapshot->coverage.undetailed++;
	}
	return error;
}

/* Every ring that was not read yet, and every UNIX socket with a message that carries files. */
static int read_stashes(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	const struct lai_holders *held = &draft->held;
	int error = 0;
	bool seen;

	for (size_t i = 0; i < held->set_count && !error; i++) {
		const struct lai_process *process =
			lai_snapshot_process(snapshot, (pid_t)held->sets[i].pid);

		if (held->sets[i].kind == LAI_DESCRIPTOR_RING && !(process && process->detailed))
			error = read_set(snapshot, &held->sets[i], &seen);
	}
	for (size_t i = 0; i < held->read_count && !error; i++)
		error = soften(lai_stashes_in_flight((pid_t)held->read[i].pid, &snapshot->stashes,
						     &snapshot->stash_count),
			       &seen);
	return error;
}

/* The holder of a stash may hold no TCP socket of its own; it is to have a name all the same. */
static int add_stash_processes(struct lai_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->stash_count; i++) {
		struct lai_process *processes, process;

		if (lai_snapshot_process(snapshot, snapshot->stashes[i].pid) ||
		    lai_process_read(snapshot->stashes[i].pid, &process) != 0)
			continue;
		processes = reallocarray(snapshot->processes, snapshot->process_count + 1,
					 sizeof(*processes));
		if (!processes) {
			lai_process_done(&process);
			return -ENOMEM;
		}
		processes[snapshot->process_count++] = process;
		snapshot->processes = processes;
		qsort(processes, snapshot->process_count, sizeof(*processes), process_compare);
	}
	return 0;
}

static int watch_compare(const void *a, const void *b)
{
	const struct lai_watch *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return pid_compare(&x->pid, &y->pid);
}

int lai_snapshot_add_evidence(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	int error = 0;

	lai_snapshot_confirm_ghosts(draft);
	mark_suspects(snapshot);
	for (size_t i = 0; i < snapshot->process_count && !error; i++)
		if (snapshot->processes[i].detailed)
			error = read_details(draft, &snapshot->processes[i]);
	if (!error && lai_snapshot_has_unheld(snapshot))
		error = read_stashes(draft);
	if (!error)
		error = add_stash_processes(snapshot);
	if (snapshot->watch_count > 1)
		qsort(snapshot->watches, snapshot->watch_count, sizeof(*snapshot->watches),
		      watch_compare);
	return error;
}
