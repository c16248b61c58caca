/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - takes a snapshot: the sockets of each namespace by sock_diag, and meanwhile, in a
 * second thread, the descriptors of all processes.
 */
#include "observe/snapshot_inside.h"

#include "base/clock.h"
#include "observe/depth.h"
#include "observe/mailbox.h"
#include "observe/namespace.h"
#include "observe/process.h"
#include "observe/procfs.h"
#include "observe/rows.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first pid namespace has this inode number (PROC_PID_INIT_INO, linux/proc_ns.h). */
#define PID_NAMESPACE_FIRST "pid:[4026531836]"

const char *const lai_way_choice_names[] = {"auto", "bpf", "proc", NULL};

bool lai_snapshot_wants(const struct lai_snapshot_draft *draft, enum lai_tcp_state state)
{
	return draft->snapshot->state_mask & LAI_SOCKDIAG_STATE(state);
}

int lai_snapshot_add_socket(struct lai_snapshot_draft *draft, const struct lai_socket_fact *fact)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	struct lai_socket_fact *sockets = lai_rows_grow(snapshot->sockets, snapshot->socket_count,
							&draft->socket_room, sizeof(*sockets));

	if (!sockets)
		return -ENOMEM;
	snapshot->sockets = sockets;
	snapshot->sockets[snapshot->socket_count++] = *fact;
	return 0;
}

/* --- sockets --- */

struct dump {
	struct lai_snapshot_draft *draft;
	uint32_t index; /* of the namespace */
};

/* The first list is taken as it is: on most hosts there is one namespace to look at. */
static int take_list(struct lai_snapshot_draft *draft, struct lai_socket_fact *list, size_t count)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	int error = 0;

	if (snapshot->socket_count == 0) {
		free(snapshot->sockets);
		snapshot->sockets = list;
		snapshot->socket_count = draft->socket_room = count;
		return 0;
	}
	for (size_t i = 0; i < count && !error; i++)
		error = lai_snapshot_add_socket(draft, &list[i]);
	free(list);
	return error;
}

/* Inside the namespace. */
static int dump_inside(void *arg)
{
	struct dump *dump = arg;
	struct lai_snapshot *snapshot = dump->draft->snapshot;
	struct lai_namespace *name_space = &snapshot->namespaces[dump->index];
	struct lai_sockdiag_quality quality = {.complete = true};
	struct lai_socket_fact *list = NULL;
	uint32_t state_mask = snapshot->state_mask;
	size_t count = 0;
	int error;

	if (dump->draft->shallow)
		state_mask = lai_depth_first_states();
	if (name_space->ours)
		snapshot->state_mask = state_mask;
	error = lai_sockdiag_list(state_mask | LAI_SOCKDIAG_INFO, &quality, &list, &count);
	if (error)
		return error;
	lai_namespace_read_settings(name_space);
	if (dump->draft->shallow && (lai_depth_suspects_ask(list, count) ||
				     lai_depth_ports_ask(name_space) || lai_mailbox_any()))
		dump->draft->deeper = true;
	for (size_t i = 0; i < count; i++)
		list[i].namespace_index = dump->index;
	error = take_list(dump->draft, list, count);
	if (error)
		return error;
	snapshot->coverage.repeats += quality.repeats;
	if (!quality.complete)
		snapshot->coverage.complete = false;
	return 0;
}

/* The sockets of every namespace; only our own must succeed. */
static int dump_all(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;

	for (uint32_t i = 0; i < snapshot->namespace_count; i++) {
		struct lai_namespace *name_space = &snapshot->namespaces[i];
		size_t before = snapshot->socket_count;
		int error = lai_namespace_run(name_space, dump_inside,
					      &(struct dump){.draft = draft, .index = i});

		name_space->seen = error == 0;
		name_space->error = error;
		if (error == 0)
			continue;
		if (name_space->ours || error == -ENOMEM)
			return error;
		snapshot->socket_count = before;
		snapshot->coverage.namespaces_unseen++;
	}
	return 0;
}

/* --- descriptors, in a thread of their own --- */

struct walk {
	struct lai_snapshot_draft *draft;
	pthread_t thread;
	int error;
};

int lai_snapshot_walk(struct lai_snapshot_draft *draft, struct lai_holders *held)
{
	struct lai_coverage *coverage = &draft->snapshot->coverage;
	int error = -EOPNOTSUPP;

	coverage->way = LAI_WAY_BPF;
	if (draft->request->way == LAI_WAY_CHOICE_PROC)
		(void)snprintf(coverage->way_reason, sizeof(coverage->way_reason),
			       "/proc was asked for");
	else
		error = lai_holders_read_bpf(draft->held_states, held, coverage->way_reason,
					     sizeof(coverage->way_reason));
	if (error && error != -ENOMEM && draft->request->way != LAI_WAY_CHOICE_BPF) {
		coverage->way = LAI_WAY_PROC;
		error = lai_holders_read_proc(held);
	}
	return error;
}

static void walk_run(struct walk *walk)
{
	struct lai_snapshot_draft *draft = walk->draft;
	struct lai_coverage *coverage = &draft->snapshot->coverage;

	walk->error = lai_snapshot_walk(draft, &draft->held);
	if (walk->error)
		return;
	coverage->processes = draft->held.processes;
	coverage->unreadable = draft->held.unreadable;
	memcpy(coverage->unreadable_pids, draft->held.unreadable_pids,
	       sizeof(coverage->unreadable_pids));
	coverage->vanished = draft->held.vanished;
}

static void *walk_thread(void *arg)
{
	walk_run(arg);
	return NULL;
}

/* Both at once; without a thread to be had, one after the other. */
static int dump_and_walk(struct lai_snapshot_draft *draft)
{
	struct walk walk = {.draft = draft};
	bool threaded;
	int error;

	threaded = pthread_create(&walk.thread, NULL, walk_thread, &walk) == 0;
	error = dump_all(draft);
	if (threaded)
		(void)pthread_join(walk.thread, NULL);
	else
		walk_run(&walk);
	return error ? error : walk.error;
}

/* --- the whole --- */

static void stamp(struct lai_snapshot *snapshot)
{
	struct utsname name;
	char link[64] = "";

	snapshot->taken_ns = lai_clock_now();
	snapshot->taken_at_s = (uint64_t)time(NULL);
	if (uname(&name) == 0) {
		(void)snprintf(snapshot->host, sizeof(snapshot->host), "%s", name.nodename);
		(void)snprintf(snapshot->kernel, sizeof(snapshot->kernel), "%s", name.release);
	}
	if (readlink("/proc/self/ns/pid", link, sizeof(link) - 1) > 0)
		snapshot->coverage.pid_namespace = strcmp(link, PID_NAMESPACE_FIRST) != 0;
}

static bool has_ring(const struct lai_holders *held)
{
	for (size_t i = 0; i < held->set_count; i++)
		if (held->sets[i].kind == LAI_DESCRIPTOR_RING)
			return true;
	return false;
}

/* Sockets and holders, of suspects alone if that is asked for and enough. */
static int collect(struct lai_snapshot_draft *draft)
{
	const struct lai_snapshot_request *request = draft->request;
	struct lai_snapshot *snapshot = draft->snapshot;
	int error;

	snapshot->state_mask = draft->held_states =
		request->state_mask ? request->state_mask & LAI_SOCKDIAG_ALL : LAI_SOCKDIAG_ALL;
	/* To /proc healthy connections cost as much as suspects, and it cannot tell them apart. */
	draft->shallow = request->suspects_first && request->way != LAI_WAY_CHOICE_PROC;
	if (draft->shallow)
		draft->held_states &= ~LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED);
	error = dump_and_walk(draft);
	draft->deeper |= has_ring(&draft->held);
	if (error || !draft->shallow || (!draft->deeper && snapshot->coverage.way == LAI_WAY_BPF))
		return error;
	draft->shallow = false;
	snapshot->state_mask = draft->held_states = LAI_SOCKDIAG_ALL;
	snapshot->socket_count = 0;
	snapshot->coverage.namespaces_unseen = 0;
	if (snapshot->coverage.way == LAI_WAY_PROC)
		return dump_all(draft);
	lai_holders_done(&draft->held);
	return dump_and_walk(draft);
}

static int take(struct lai_snapshot_draft *draft)
{
	struct lai_snapshot *snapshot = draft->snapshot;
	int error = lai_namespaces_list(draft->request->all_namespaces, &snapshot->namespaces,
					&snapshot->namespace_count, &snapshot->coverage.unplaced);

	if (!error)
		error = collect(draft);
	if (!error)
		error = lai_snapshot_join(draft);
	if (!error)
		error = lai_snapshot_add_processes(draft);
	if (!error && draft->request->evidence)
		error = lai_snapshot_add_evidence(draft);
	return error;
}

/* The sentence for a snapshot that could not be taken; NULL without memory. */
static char *sentence_of(const struct lai_snapshot_draft *draft, int error)
{
	char *sentence = NULL;
	const char *reason = draft->snapshot->coverage.way_reason;
	int length;

	if (error == -ENOMEM)
		return NULL;
	if (lai_procfs_is_ours() < 0)
		length = asprintf(&sentence, "needs /proc, which is not mounted here");
	else if (draft->request->way == LAI_WAY_CHOICE_BPF && *reason)
		length = asprintf(&sentence, "owners cannot be found by BPF: %s", reason);
	else if (error == -EPROTONOSUPPORT)
		length = asprintf(&sentence,
				  "this kernel cannot list TCP sockets (CONFIG_INET_TCP_DIAG)");
	else
		length = asprintf(&sentence, "cannot list TCP sockets: %s", strerror(-error));
	return length < 0 ? NULL : sentence;
}

int lai_snapshot_take(const struct lai_snapshot_request *request, struct lai_snapshot **snapshot,
		      char **error)
{
	struct lai_snapshot_draft draft = {.request = request,
					   .snapshot = calloc(1, sizeof(*draft.snapshot))};
	int result = -ENOMEM;

	*error = NULL;
	if (!draft.snapshot)
		return result;
	draft.snapshot->coverage.complete = true;
	stamp(draft.snapshot);
	result = take(&draft);
	lai_holders_done(&draft.held);
	if (result == 0) {
		*snapshot = draft.snapshot;
		return 0;
	}
	*error = sentence_of(&draft, result);
	lai_snapshot_free(draft.snapshot);
	return result;
}

void lai_snapshot_free(struct lai_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->process_count; i++)
		lai_process_done(&snapshot->processes[i]);
	free(snapshot->sockets);
	free(snapshot->holders);
	free(snapshot->processes);
	free(snapshot->threads);
	free(snapshot->watches);
	free(snapshot->stashes);
	free(snapshot->namespaces);
	free(snapshot);
}
