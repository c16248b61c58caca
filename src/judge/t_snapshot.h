/* SPDX-License-Identifier: MIT */
/*
 * t_snapshot.h - snapshots written by hand, for tests of the judge.
 *
 *	struct t_snapshot t = t_snapshot_new();
 *	t_process(&t, 10, 1, "server");
 *	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 10, 7)->rqueue_bytes = 1;
 *	const struct lai_snapshot *now = t_snapshot_ready(&t);
 *	t_snapshot_done(&t);
 *
 * Connections come with what the kernel would say of a small exchange long ago: 100 bytes read, 200
 * written, nothing left, an age of 100 s. A pointer to a row is valid until the next of its kind.
 */
#ifndef LAI_JUDGE_T_SNAPSHOT_H
#define LAI_JUDGE_T_SNAPSHOT_H

#include "base/time.h"
#include "observe/facts.h"
#include "observe/sockdiag.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T_SERVICE_PORT 80
#define T_OLD_MS 100000
#define T_READ_BYTES 100
#define T_WRITTEN_BYTES 200

struct t_snapshot {
	struct lai_snapshot snapshot;
	uint64_t last; /* inode, cookie and port of the newest socket */
};

/* A new row at the end of one of the arrays, zero. */
#define T_ADD(t, array, count)                                                                     \
	(t_grow((void **)&(t)->snapshot.array, (t)->snapshot.count, sizeof(*(t)->snapshot.array)), \
	 &(t)->snapshot.array[(t)->snapshot.count++])

static inline void t_grow(void **list, size_t count, size_t size)
{
	/* The room is the next power of two: it is full when count is one. */
	if ((count & (count - 1)) == 0) {
		*list = reallocarray(*list, count ? 2 * count : 1, size);
		assert(*list);
	}
	memset((char *)*list + count * size, 0, size);
}

static inline uint32_t t_namespace(struct t_snapshot *t, uint64_t inode)
{
	struct lai_namespace *own = T_ADD(t, namespaces, namespace_count);

	own->inode = inode;
	own->ours = t->snapshot.namespace_count == 1;
	own->seen = true;
	own->port_min = 32768;
	own->port_max = 60999;
	own->tw_reuse = 2;
	own->time_wait_max = 262144;
	return (uint32_t)t->snapshot.namespace_count - 1;
}

static inline struct t_snapshot t_snapshot_new(void)
{
	struct t_snapshot t = {.last = 40000};

	t.snapshot.state_mask = LAI_SOCKDIAG_ALL;
	t.snapshot.coverage.complete = true;
	t.snapshot.taken_ns = 1000 * LAI_S;
	(void)t_namespace(&t, 4026531840);
	return t;
}

static inline struct lai_process *t_process(struct t_snapshot *t, pid_t pid, pid_t parent,
					    const char *comm)
{
	struct lai_process *own = T_ADD(t, processes, process_count);

	own->pid = pid;
	own->parent = parent;
	own->start_ticks = (uint64_t)pid * 100;
	own->fds_seen = own->detailed = true;
	own->fd_count = 100;
	own->fd_limit = 1024;
	(void)snprintf(own->comm, sizeof(own->comm), "%s", comm);
	return own;
}

/* The main thread has tid = pid. */
static inline struct lai_thread *t_thread(struct t_snapshot *t, pid_t pid, pid_t tid,
					  enum lai_wait wait)
{
	struct lai_thread *own = T_ADD(t, threads, thread_count);

	own->pid = pid;
	own->tid = tid;
	own->state = wait == LAI_WAIT_RUNNING ? 'R' : 'S';
	own->wait = wait;
	own->fd = -1;
	return own;
}

/* A process whose only thread waits on an epoll set. */
static inline void t_loop(struct t_snapshot *t, pid_t pid, int32_t set_fd)
{
	(void)t_process(t, pid, 1, "loop");
	t_thread(t, pid, pid, LAI_WAIT_EVENTS)->fd = set_fd;
}

static inline void t_watch(struct t_snapshot *t, pid_t pid, int32_t set_fd, uint64_t inode,
			   uint32_t events)
{
	struct lai_watch *own = T_ADD(t, watches, watch_count);

	*own = (struct lai_watch){.pid = pid, .set_fd = set_fd, .inode = inode, .events = events};
}

static inline void t_hold(struct t_snapshot *t, uint64_t inode, pid_t pid, uint32_t fd)
{
	struct lai_holder *own = T_ADD(t, holders, holder_count);

	*own = (struct lai_holder){.inode = inode, .pid = (uint32_t)pid, .fd = fd};
}

static inline struct lai_stash *t_stash(struct t_snapshot *t, enum lai_hold hold, pid_t pid,
					uint64_t inode)
{
	struct lai_stash *own = T_ADD(t, stashes, stash_count);

	*own = (struct lai_stash){.hold = hold, .pid = pid, .fd = 5, .count = 1, .inode = inode};
	return own;
}

static inline struct lai_address t_address(const char *host, uint16_t port)
{
	struct lai_address address = {0};

	if (lai_address_parse(host, port, &address) != 0)
		abort();
	return address;
}

/* pid 0: nobody holds it, though it has an inode. */
static inline struct lai_socket_fact *t_socket(struct t_snapshot *t, enum lai_tcp_state state,
					       pid_t pid, uint32_t fd)
{
	struct lai_socket_fact *own = T_ADD(t, sockets, socket_count);

	own->family = AF_INET;
	own->state = state;
	own->inode = own->cookie = ++t->last;
	own->listener = LAI_NO_INDEX;
	own->uid = 1000;
	own->has_info = state != LAI_TCP_LISTEN && state != LAI_TCP_TIME_WAIT;
	own->sent_age_ms = own->received_age_ms = T_OLD_MS + 1000;
	own->ack_age_ms = T_OLD_MS;
	own->received_bytes = T_READ_BYTES + (state == LAI_TCP_CLOSE_WAIT);
	own->sent_bytes = own->acked_bytes = T_WRITTEN_BYTES;
	if (state == LAI_TCP_CLOSE_WAIT)
		own->shutdown = LAI_SHUT_RECEIVE;
	if (state == LAI_TCP_FIN_WAIT2) {
		own->shutdown = LAI_SHUT_SEND;
		own->acked_bytes++;
	}
	if (pid)
		t_hold(t, own->inode, pid, fd);
	return own;
}

/* The server's end of a connection from 192.0.2.7. */
static inline struct lai_socket_fact *t_accepted(struct t_snapshot *t, enum lai_tcp_state state,
						 pid_t pid, uint32_t fd)
{
	struct lai_socket_fact *own = t_socket(t, state, pid, fd);

	own->local = t_address("192.0.2.1", T_SERVICE_PORT);
	own->remote = t_address("192.0.2.7", (uint16_t)own->inode);
	return own;
}

/* The client's end of a connection to 192.0.2.9:443. */
static inline struct lai_socket_fact *t_connected(struct t_snapshot *t, enum lai_tcp_state state,
						  pid_t pid, uint32_t fd)
{
	struct lai_socket_fact *own = t_socket(t, state, pid, fd);

	own->local = t_address("192.0.2.1", (uint16_t)own->inode);
	own->remote = t_address("192.0.2.9", 443);
	own->acked_bytes++; /* the SYN */
	return own;
}

/* The index of a listener on the service's port. */
static inline uint32_t t_listener(struct t_snapshot *t, pid_t pid, uint32_t fd)
{
	struct lai_socket_fact *own = t_socket(t, LAI_TCP_LISTEN, pid, fd);

	own->local = t_address("0.0.0.0", T_SERVICE_PORT);
	own->remote = t_address("0.0.0.0", 0);
	return (uint32_t)t->snapshot.socket_count - 1;
}

/* The other end of the socket at this index. */
static inline struct lai_socket_fact *t_other_end(struct t_snapshot *t, size_t of,
						  enum lai_tcp_state state, pid_t pid, uint32_t fd)
{
	struct lai_socket_fact *own = t_socket(t, state, pid, fd);

	own->local = t->snapshot.sockets[of].remote;
	own->remote = t->snapshot.sockets[of].local;
	return own;
}

static inline int t_holder_compare(const void *a, const void *b)
{
	const struct lai_holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : (x->fd > y->fd) - (x->fd < y->fd);
}

static inline int t_process_compare(const void *a, const void *b)
{
	const struct lai_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static inline int t_thread_compare(const void *a, const void *b)
{
	const struct lai_thread *x = a, *y = b;

	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1)
				: (x->tid > y->tid) - (x->tid < y->tid);
}

static inline int t_watch_compare(const void *a, const void *b)
{
	const struct lai_watch *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static inline void t_sort(void *list, size_t count, size_t size,
			  int (*compare)(const void *a, const void *b))
{
	if (count > 1)
		qsort(list, count, size, compare);
}

/* As facts.h promises: sorted, and sockets know their holders. */
static inline const struct lai_snapshot *t_snapshot_ready(struct t_snapshot *t)
{
	struct lai_snapshot *own = &t->snapshot;

	t_sort(own->holders, own->holder_count, sizeof(*own->holders), t_holder_compare);
	t_sort(own->processes, own->process_count, sizeof(*own->processes), t_process_compare);
	t_sort(own->threads, own->thread_count, sizeof(*own->threads), t_thread_compare);
	t_sort(own->watches, own->watch_count, sizeof(*own->watches), t_watch_compare);
	for (size_t i = 0; i < own->socket_count; i++) {
		struct lai_socket_fact *socket = &own->sockets[i];
		size_t low = 0, count = own->holder_count;

		while (count > 0) {
			size_t half = count / 2;

			if (own->holders[low + half].inode < socket->inode) {
				low += half + 1;
				count -= half + 1;
			} else {
				count = half;
			}
		}
		socket->holder_first = (uint32_t)low;
		socket->holder_count = 0;
		while (socket->inode && low < own->holder_count &&
		       own->holders[low].inode == socket->inode) {
			socket->holder_count++;
			low++;
		}
	}
	return own;
}

static inline void t_snapshot_done(struct t_snapshot *t)
{
	free(t->snapshot.sockets);
	free(t->snapshot.holders);
	free(t->snapshot.processes);
	free(t->snapshot.threads);
	free(t->snapshot.watches);
	free(t->snapshot.stashes);
	free(t->snapshot.namespaces);
}

/* An earlier snapshot of the same: its rows may be changed without changing these. */
static inline struct t_snapshot t_snapshot_copy(const struct t_snapshot *t)
{
	struct t_snapshot copy = *t;

#define T_COPY(array, count)                                                                       \
	do {                                                                                       \
		size_t room = 1;                                                                   \
		while (room < t->snapshot.count)                                                   \
			room *= 2;                                                                 \
		copy.snapshot.array = reallocarray(NULL, room, sizeof(*t->snapshot.array));        \
		assert(copy.snapshot.array);                                                       \
		if (t->snapshot.count > 0)                                                         \
			memcpy(copy.snapshot.array, t->snapshot.array,                             \
			       t->snapshot.count * sizeof(*t->snapshot.array));                    \
	} while (0)
	T_COPY(sockets, socket_count);
	T_COPY(holders, holder_count);
	T_COPY(processes, process_count);
	T_COPY(threads, thread_count);
	T_COPY(watches, watch_count);
	T_COPY(stashes, stash_count);
	T_COPY(namespaces, namespace_count);
#undef T_COPY
	return copy;
}

#endif
