/* SPDX-License-Identifier: MIT */
/*
 * t_random.h - any well-formed snapshot, drawn from a seed or from a fuzzer's bytes, and what must
 * hold for whatever the judge says of it.
 *
 * Values are drawn from few, so that they meet: the same hosts, ports and processes again and again,
 * ages around the bounds, byte counts that agree.
 */
#ifndef LAI_JUDGE_T_RANDOM_H
#define LAI_JUDGE_T_RANDOM_H

#include "base/random.h"
#include "base/text.h"
#include "judge/judge.h"
#include "judge/t_snapshot.h"

#include <inttypes.h>

#define T_PIDS 6
#define T_INODE_FIRST 1000
#define T_ANOTHER 1000000 /* is added to inode and cookie of what was there before instead */

struct t_source {
	const uint8_t *bytes; /* NULL: random */
	size_t size, at;
	struct lai_random random;
};

/* In [0, bound); 0 when the bytes are used up. */
static inline uint32_t t_draw(struct t_source *source, uint32_t bound)
{
	if (!source->bytes)
		return (uint32_t)lai_random_below(&source->random, bound);
	return source->at < source->size ? source->bytes[source->at++] % bound : 0;
}

#define T_DRAW_OF(source, list) ((list)[t_draw(source, sizeof(list) / sizeof((list)[0]))])

static inline struct lai_address t_draw_address(struct t_source *source)
{
	static const char *const hosts[] = {"127.0.0.1", "::ffff:127.0.0.1", "::1",
					    "192.0.2.1", "192.0.2.2",	     "2001:db8::1"};
	static const uint16_t ports[] = {80, 443, 40000, 40001, 40002, 50000};

	return t_address(T_DRAW_OF(source, hosts), T_DRAW_OF(source, ports));
}

static inline void t_draw_numbers(struct t_source *source, struct lai_socket_fact *own)
{
	static const uint32_t ages[] = {0, 100, 999, 1500, 2500, 4000, 8000, 70000, UINT32_MAX};
	static const uint32_t unread[] = {0, 0, 1, 1, 32, 33, 34, 5000, UINT32_MAX};
	static const uint64_t bytes[] = {0, 1, 2, 100, 101, 102, 20000, UINT64_MAX};

	own->rqueue_bytes = T_DRAW_OF(source, unread);
	own->wqueue_bytes = t_draw(source, 4) ? 0 : T_DRAW_OF(source, unread);
	own->has_info = t_draw(source, 8) != 0;
	own->sent_age_ms = T_DRAW_OF(source, ages);
	own->received_age_ms = T_DRAW_OF(source, ages);
	own->ack_age_ms = T_DRAW_OF(source, ages);
	own->received_bytes = T_DRAW_OF(source, bytes);
	own->sent_bytes = T_DRAW_OF(source, bytes);
	own->acked_bytes = T_DRAW_OF(source, bytes);
	own->timer = (uint8_t)t_draw(source, LAI_TIMER_COUNT);
	own->timer_ms = T_DRAW_OF(source, ages);
	own->retransmits = (uint8_t)t_draw(source, 3);
	own->shutdown = (uint8_t)t_draw(source, 4);
	own->past = (uint8_t)t_draw(source, LAI_PAST_CONNECTED + 1);
	own->uid = t_draw(source, 2) * 1000;
	own->rtt_us = t_draw(source, 2) * UINT32_MAX;
}

static inline void t_draw_socket(struct t_source *source, struct t_snapshot *t)
{
	static const enum lai_tcp_state states[] = {
		LAI_TCP_CLOSE_WAIT,  LAI_TCP_CLOSE_WAIT,     LAI_TCP_CLOSE_WAIT,
		LAI_TCP_ESTABLISHED, LAI_TCP_ESTABLISHED,    LAI_TCP_FIN_WAIT2,
		LAI_TCP_FIN_WAIT2,   LAI_TCP_CLOSE,	     LAI_TCP_LISTEN,
		LAI_TCP_TIME_WAIT,   LAI_TCP_BOUND_INACTIVE, LAI_TCP_FIN_WAIT1,
		LAI_TCP_LAST_ACK,    LAI_TCP_CLOSING,	     LAI_TCP_SYN_SENT,
		LAI_TCP_NEW_SYN_RECV};
	struct lai_socket_fact *own = T_ADD(t, sockets, socket_count);

	own->state = T_DRAW_OF(source, states);
	own->local = t_draw_address(source);
	own->remote = t_draw_address(source);
	own->family = own->local.sa.sa_family;
	own->inode = T_INODE_FIRST + t->snapshot.socket_count;
	own->cookie = own->state == LAI_TCP_CLOSE ? 0 : own->inode;
	own->listener = LAI_NO_INDEX;
	own->namespace_index = t_draw(source, (uint32_t)t->snapshot.namespace_count);
	t_draw_numbers(source, own);
	if (own->state == LAI_TCP_TIME_WAIT || t_draw(source, 6) == 0) {
		own->inode = 0;
		own->listener = t_draw(source, (uint32_t)t->snapshot.socket_count);
		if (t->snapshot.sockets[own->listener].state != LAI_TCP_LISTEN)
			own->listener = LAI_NO_INDEX;
	}
	for (uint32_t holders = t_draw(source, 4) ? 1 : t_draw(source, 4); holders > 0; holders--)
		if (own->inode)
			t_hold(t, own->inode, (pid_t)(1 + t_draw(source, T_PIDS)),
			       t_draw(source, 4));
}

/* A proxy: one leg has ended, the counts of the other agree. */
static inline void t_draw_legs(struct t_source *source, struct t_snapshot *t)
{
	pid_t pid = (pid_t)(1 + t_draw(source, T_PIDS));
	struct lai_socket_fact *back;

	t_accepted(t, LAI_TCP_CLOSE_WAIT, pid, 1);
	back = t_connected(t, t_draw(source, 3) ? LAI_TCP_ESTABLISHED : LAI_TCP_FIN_WAIT2, pid, 2);
	back->received_bytes = T_WRITTEN_BYTES;
	back->sent_bytes = T_READ_BYTES;
	back->acked_bytes = T_READ_BYTES + 1 + (back->state == LAI_TCP_FIN_WAIT2);
}

/* A service whose connections end late, or never. */
static inline void t_draw_late(struct t_source *source, struct t_snapshot *t)
{
	pid_t pid = (pid_t)(1 + t_draw(source, T_PIDS));

	for (uint32_t i = 4 + t_draw(source, 4); i > 0; i--)
		t_accepted(t, LAI_TCP_CLOSE_WAIT, pid, i)->ack_age_ms = 1000 * t_draw(source, 9);
}

static inline void t_draw_process(struct t_source *source, struct t_snapshot *t, pid_t pid)
{
	struct lai_process *own = t_process(t, pid, (pid_t)t_draw(source, T_PIDS), "name");

	own->detailed = t_draw(source, 6) != 0;
	own->rings = t_draw(source, 4) == 0;
	own->fd_count = t_draw(source, 256);
	own->fd_limit = t_draw(source, 256);
	own->uid = t_draw(source, 2) * 1000;
	for (uint32_t i = t_draw(source, 4); i > 0; i--) {
		struct lai_thread *thread =
			t_thread(t, pid, pid + (pid_t)i, t_draw(source, LAI_WAIT_COUNT));

		thread->fd = (int32_t)t_draw(source, 4) - 1;
		thread->fd_inode = t_draw(source, 2) ? T_INODE_FIRST + t_draw(source, 16) : 0;
	}
}

static inline struct t_snapshot t_draw_snapshot(struct t_source *source, uint32_t socket_count)
{
	static const uint32_t events[] = {0,	      1,	  4,	      0x2001,
					  0x80000001, 0x80002005, 0x40000000, 0x40000001};
	struct t_snapshot t = t_snapshot_new();
	struct lai_namespace *name_space = t.snapshot.namespaces;

	name_space->port_min = 40000;
	name_space->port_max = (uint16_t)(40000 + t_draw(source, 16));
	name_space->tw_reuse = (uint8_t)t_draw(source, 3);
	name_space->listen_overflows = t_draw(source, 3);
	for (uint32_t i = t_draw(source, 3); i > 0; i--)
		(void)t_namespace(&t, i);
	t.snapshot.coverage.unreadable = t_draw(source, 2);
	for (uint32_t i = 0; i < socket_count; i++)
		t_draw_socket(source, &t);
	for (uint32_t i = t_draw(source, 3); i > 0; i--)
		t_draw_legs(source, &t);
	if (t_draw(source, 2))
		t_draw_late(source, &t);
	for (pid_t pid = 1; pid <= T_PIDS; pid++)
		if (t_draw(source, 8) != 0)
			t_draw_process(source, &t, pid);
	for (uint32_t i = t_draw(source, 16); i > 0; i--)
		t_watch(&t, (pid_t)(1 + t_draw(source, T_PIDS)), (int32_t)t_draw(source, 4) - 1,
			T_INODE_FIRST + t_draw(source, 16), T_DRAW_OF(source, events));
	for (uint32_t i = t_draw(source, 4); i > 0; i--)
		t_stash(&t, t_draw(source, LAI_HOLD_FLIGHT + 1),
			(pid_t)(1 + t_draw(source, T_PIDS)),
			t_draw(source, 2) ? T_INODE_FIRST + t_draw(source, 16) : 0);
	(void)t_snapshot_ready(&t);
	return t;
}

/* Some of the sockets some time before, in their earlier states, and others. */
static inline struct t_snapshot t_draw_before(struct t_source *source, struct t_snapshot *now)
{
	struct t_snapshot before = t_snapshot_copy(now);

	for (size_t i = 0; i < before.snapshot.socket_count; i++) {
		struct lai_socket_fact *own = &before.snapshot.sockets[i];

		if (own->state != LAI_TCP_LISTEN && t_draw(source, 3) == 0) {
			for (size_t k = 0; k < before.snapshot.holder_count; k++)
				if (before.snapshot.holders[k].inode == own->inode)
					before.snapshot.holders[k].inode += T_ANOTHER;
			own->cookie += T_ANOTHER;
			own->inode += own->inode ? T_ANOTHER : 0;
		}
		/* Those of the services stay as they are. */
		if (own->inode < 2 * T_INODE_FIRST && t_draw(source, 2))
			t_draw_numbers(source, own);
	}
	now->snapshot.taken_ns = before.snapshot.taken_ns + t_draw(source, 20) * LAI_S;
	(void)t_snapshot_ready(&before);
	return before;
}

/* Sockets and stashes in another order; the rest is sorted. */
static inline struct t_snapshot t_shuffled(struct t_source *source, const struct t_snapshot *t)
{
	struct t_snapshot copy = t_snapshot_copy(t);
	struct lai_snapshot *own = &copy.snapshot;
	uint32_t *place = malloc((own->socket_count + 1) * sizeof(*place));

	assert(place);
	for (uint32_t i = 0; i < own->socket_count; i++)
		place[i] = i;
	for (size_t i = own->socket_count; i > 1; i--) {
		size_t k = lai_random_below(&source->random, i);
		uint32_t swapped = place[i - 1];

		place[i - 1] = place[k];
		place[k] = swapped;
	}
	for (size_t i = 0; i < own->socket_count; i++) {
		struct lai_socket_fact *moved = &own->sockets[place[i]];

		*moved = t->snapshot.sockets[i];
		if (moved->listener != LAI_NO_INDEX)
			moved->listener = place[moved->listener];
	}
	for (size_t i = 0; i < own->stash_count; i++)
		own->stashes[i] = t->snapshot.stashes[own->stash_count - 1 - i];
	free(place);
	return copy;
}

/* Everything that was said, indices replaced by what they stand for. */
static inline char *t_describe(const struct lai_snapshot *snapshot,
			       const struct lai_findings *findings)
{
	struct lai_text text = LAI_TEXT_INIT(1 << 24);
	char address[LA_ADDRESS_TEXT_MAX], *result = NULL;

	lai_text_append(&text, "%zu\n", findings->count);
	for (size_t i = 0; i < findings->count; i++) {
		const struct lai_finding *own = &findings->list[i];

		lai_text_append(&text,
				"%s %d %s %zu %u %d %" PRIu64 " %" PRIu64 " %" PRId64 " %d %d",
				lai_verdict_name(own->verdict), (int)own->pid,
				lai_confidence_name(own->confidence), own->socket_count,
				own->namespace_index, (int)own->state, own->oldest_age_ms,
				own->unread_bytes, own->growth_per_min, (int)own->peer.pid,
				(int)own->peer.state);
		lai_text_append(&text, " %s", lai_address_format(address, &own->local));
		lai_text_append(&text, " %s", lai_address_format(address, &own->remote));
		for (size_t k = 0; own->sockets && k < own->socket_count; k++)
			lai_text_append(&text, " %" PRIu64,
					snapshot->sockets[own->sockets[k]].cookie);
		for (size_t k = 0; k < own->fd_count; k++)
			lai_text_append(&text, " fd%d", (int)own->fds[k]);
		lai_text_append(&text, "\n%s\n%s\n%s\n", own->evidence, own->advice,
				own->remedy ? own->remedy : "-");
	}
	if (lai_text_steal(&text, &result) != 0)
		abort();
	return result;
}

#define T_MUST(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline void t_check_socket(const struct lai_snapshot *snapshot, uint32_t socket,
				  enum lai_verdict verdict, bool compared)
{
	const struct lai_socket_fact *fact = &snapshot->sockets[socket];

	switch (fact->state) {
	case LAI_TCP_CLOSE_WAIT:
		/* Seen once, the youngest are nobody's fault. A time-out is none, and what is stalled has
		   another clock. */
		T_MUST(compared || verdict == LAI_VERDICT_LONG_TIMEOUT ||
		       verdict == LAI_VERDICT_WRITES_AFTER_FIN || !fact->has_info ||
		       fact->ack_age_ms >= 1000);
		break;
	case LAI_TCP_FIN_WAIT2:
		T_MUST(verdict == LAI_VERDICT_FIN_WAIT2_HELD ||
		       verdict == LAI_VERDICT_INHERITED_FD ||
		       verdict == LAI_VERDICT_IO_URING_HELD || verdict == LAI_VERDICT_FD_IN_FLIGHT);
		break;
	case LAI_TCP_CLOSE: T_MUST(verdict == LAI_VERDICT_GHOST_FD); break;
	case LAI_TCP_ESTABLISHED:
		/* Never one that somebody holds. */
		T_MUST(fact->holder_count == 0);
		T_MUST(verdict == LAI_VERDICT_NEVER_ACCEPTED ||
		       verdict == LAI_VERDICT_IO_URING_HELD || verdict == LAI_VERDICT_FD_IN_FLIGHT);
		break;
	default: T_MUST(!"a state that gets no verdict");
	}
}

/* Whatever the snapshot was. */
static inline void t_check_findings(const struct lai_snapshot *snapshot,
				    const struct lai_findings *findings, bool compared)
{
	uint8_t *seen = calloc(snapshot->socket_count + 1, 1);

	T_MUST(seen);
	for (size_t i = 0; i < findings->count; i++) {
		const struct lai_finding *own = &findings->list[i];
		uint8_t kind = own->verdict == LAI_VERDICT_POISONED_TUPLE ? 2 : 1;

		T_MUST((unsigned)own->verdict < LAI_VERDICT_COUNT);
		T_MUST(own->verdict != LAI_VERDICT_DATA_DESTROYED);
		T_MUST(own->severity == lai_verdict_severity(own->verdict));
		T_MUST((unsigned)own->confidence < LAI_CONFIDENCE_COUNT);
		T_MUST(i == 0 || own[-1].severity <= own->severity);
		T_MUST(i == 0 || own[-1].severity < own->severity ||
		       own[-1].socket_count >= own->socket_count);
		T_MUST(own->socket_count > 0 && own->evidence && own->advice);
		T_MUST(strlen(own->evidence) > 20);
		T_MUST(own->exhaustion_s == 0 || own->growth_per_min != LAI_GROWTH_UNKNOWN);
		for (size_t k = 0; own->sockets && k < own->socket_count; k++) {
			T_MUST(own->sockets[k] < snapshot->socket_count);
			T_MUST(!(seen[own->sockets[k]] & kind)); /* one verdict each */
			seen[own->sockets[k]] |= kind;
			t_check_socket(snapshot, own->sockets[k],
				       kind == 2 ? LAI_VERDICT_NEVER_ACCEPTED : own->verdict,
				       compared);
		}
		for (size_t k = 1; k < own->fd_count; k++)
			T_MUST(own->fds[k - 1] <= own->fds[k]);
	}
	free(seen);
}

/* Judges, and judges again in another order. The random part of source is used. */
static inline void t_judge_any(struct t_source *source, struct t_snapshot *now,
			       const struct t_snapshot *before)
{
	const struct lai_snapshot *then = before ? &before->snapshot : NULL;
	struct t_snapshot shuffled = t_shuffled(source, now);
	struct lai_findings findings, again;
	char *one, *other;

	T_MUST(lai_judge(&now->snapshot, then, &findings) == 0);
	t_check_findings(&now->snapshot, &findings, before != NULL);
	T_MUST(lai_judge(&shuffled.snapshot, then, &again) == 0);
	one = t_describe(&now->snapshot, &findings);
	other = t_describe(&shuffled.snapshot, &again);
	if (strcmp(one, other) != 0) {
		(void)fprintf(stderr, "--- one\n%s--- another order\n%s", one, other);
		abort();
	}
	free(one);
	free(other);
	lai_findings_done(&findings);
	lai_findings_done(&again);
	t_snapshot_done(&shuffled);
}

#endif
