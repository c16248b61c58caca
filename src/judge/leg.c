/* SPDX-License-Identifier: MIT */
/*
 * leg.c - the sockets that look for a leg stand in a table by what their leg must look like; every
 * other socket of the same processes is looked up there.
 *
 * Three keys per seeker: both directions agree; only what it read agrees with what the leg has
 * written; only what it wrote with what the leg has read. The last two count if somebody waits on
 * the leg, as a proxy may add a header to one direction.
 */
#include "judge/leg.h"

#include "judge/bounds.h"
#include "judge/table.h"

enum kind { BOTH, FORTH, BACK, KINDS };

struct key {
	pid_t pid;
	uint32_t role;
	enum kind kind;
	uint64_t read, written; /* of the leg */
};

/* All seekers with the same key, and all legs that fit it. */
struct desk {
	struct key key;
	uint32_t first; /* of the candidates */
};

struct candidate {
	struct lai_leg leg;
	uint64_t order; /* the leg's inode: an order that does not depend on the dump's */
	bool reading;	/* a thread is in read() on it */
	bool waiting;	/* that, or a loop watches it for input */
	bool taken;
	uint32_t next[KINDS];
};

/* Most sockets have other counts than any seeker: a bit per value tells them at once. */
#define FILTER_BITS 4096

struct filter {
	uint64_t bits[FILTER_BITS / 64];
};

struct search {
	struct filter read, written; /* what legs must have read, or written */
	const struct lai_listeners *listeners;
	struct lai_attentions *attentions;
	struct desk *desks;
	size_t desk_count;
	struct lai_table table;
	struct lai_table pids; /* of desks: one entry per process */
	struct candidate *candidates;
	size_t candidate_count, candidate_room;
	uint32_t *ends; /* other ends of seekers in the same process, sorted */
	size_t end_count;
};

uint64_t lai_leg_read(const struct lai_socket_fact *socket)
{
	bool fin = socket->shutdown & LAI_SHUT_RECEIVE || socket->state == LAI_TCP_CLOSE_WAIT;
	uint64_t received = socket->received_bytes;

	/* The FIN is one byte of both, or of the first alone once it has been read. */
	if (fin && socket->rqueue_bytes == 0 && received > 0)
		return received - 1;
	return received > socket->rqueue_bytes ? received - socket->rqueue_bytes : 0;
}

static bool is_finished(const struct lai_socket_fact *socket)
{
	return socket->state == LAI_TCP_FIN_WAIT1 || socket->state == LAI_TCP_FIN_WAIT2 ||
	       socket->state == LAI_TCP_CLOSING || socket->state == LAI_TCP_LAST_ACK;
}

uint64_t lai_leg_written(const struct lai_socket_fact *socket, enum lai_role role)
{
	uint64_t sent = socket->acked_bytes + socket->wqueue_bytes;
	uint64_t flags = (role == LAI_ROLE_CONNECTED) + is_finished(socket);

	return sent > flags ? sent - flags : 0;
}

pid_t lai_only_pid(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	const struct lai_holder *holders;

	if (socket->holder_count == 0 || socket->holder_first >= snapshot->holder_count)
		return 0;
	holders = &snapshot->holders[socket->holder_first];
	/* They are sorted by pid. */
	return holders[0].pid == holders[socket->holder_count - 1].pid ? (pid_t)holders[0].pid : 0;
}

/* --- desks --- */

static enum lai_role opposite(enum lai_role role)
{
	return role == LAI_ROLE_ACCEPTED ? LAI_ROLE_CONNECTED : LAI_ROLE_ACCEPTED;
}

static struct key key_of(pid_t pid, enum lai_role role, enum kind kind, uint64_t read,
			 uint64_t written)
{
	return (struct key){.pid = pid,
			    .role = role,
			    .kind = kind,
			    .read = kind == FORTH ? 0 : read,
			    .written = kind == BACK ? 0 : written};
}

static uint32_t key_hash(const struct key *key)
{
	return lai_mix2((uint64_t)key->pid << 8 | key->role << 4 | key->kind,
			key->read ^ key->written * 0x9e3779b97f4a7c15ull);
}

static struct desk *find_desk(const struct search *search, const struct key *key)
{
	uint32_t hash = key_hash(key), i;

	for (size_t at = lai_table_first(&search->table, hash);
	     (i = lai_table_next(&search->table, hash, &at)) != LAI_NO_INDEX;) {
		const struct key *other = &search->desks[i].key;

		if (other->pid == key->pid && other->role == key->role &&
		    other->kind == key->kind && other->read == key->read &&
		    other->written == key->written)
			return &search->desks[i];
	}
	return NULL;
}

static uint32_t bit_of(uint64_t bytes)
{
	return lai_mix2(bytes, 1) % FILTER_BITS;
}

static void filter_add(struct filter *filter, uint64_t bytes)
{
	filter->bits[bit_of(bytes) / 64] |= 1ull << (bit_of(bytes) % 64);
}

static bool filter_has(const struct filter *filter, uint64_t bytes)
{
	return filter->bits[bit_of(bytes) / 64] >> (bit_of(bytes) % 64) & 1;
}

static void add_desk(struct search *search, const struct key *key)
{
	if (find_desk(search, key))
		return;
	if (key->kind != FORTH)
		filter_add(&search->read, key->read);
	else
		filter_add(&search->written, key->written);
	search->desks[search->desk_count] = (struct desk){.key = *key, .first = LAI_NO_INDEX};
	lai_table_put(&search->table, key_hash(key), (uint32_t)search->desk_count++);
}

static bool is_sought_by(const struct search *search, pid_t pid)
{
	uint32_t hash = lai_mix2((uint64_t)pid, 0), i;

	for (size_t at = lai_table_first(&search->pids, hash);
	     (i = lai_table_next(&search->pids, hash, &at)) != LAI_NO_INDEX;)
		if (search->desks[i].key.pid == pid)
			return true;
	return false;
}

/* The key of the leg that this socket would have. */
static struct key leg_key(const struct search *search, const struct lai_socket_fact *socket,
			  enum kind kind)
{
	enum lai_role role = lai_role_of(search->listeners, socket);

	return key_of(lai_only_pid(search->listeners->snapshot, socket), opposite(role), kind,
		      lai_leg_written(socket, role), lai_leg_read(socket));
}

static bool is_seeker(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	return socket->state == LAI_TCP_CLOSE_WAIT && socket->rqueue_bytes == 0 &&
	       socket->has_info && lai_only_pid(snapshot, socket) != 0;
}

static void open_desks(struct search *search, const uint32_t *suspects, size_t count)
{
	const struct lai_snapshot *snapshot = search->listeners->snapshot;

	for (size_t i = 0; i < count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[suspects[i]];
		pid_t pid;

		if (!is_seeker(snapshot, socket))
			continue;
		pid = lai_only_pid(snapshot, socket);
		for (enum kind kind = BOTH; kind < KINDS; kind++) {
			struct key key = leg_key(search, socket, kind);

			add_desk(search, &key);
			if (kind == BOTH && !is_sought_by(search, pid))
				lai_table_put(&search->pids, lai_mix2((uint64_t)pid, 0),
					      (uint32_t)(find_desk(search, &key) - search->desks));
		}
	}
}

/* --- candidates --- */

static int index_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The other ends of a process's own connections to itself. */
static void find_own_ends(struct search *search, const struct lai_pairs *pairs,
			  const uint32_t *suspects, size_t count)
{
	const struct lai_snapshot *snapshot = search->listeners->snapshot;

	for (size_t i = 0; i < count; i++) {
		uint32_t peer = lai_pairs_peer(pairs, suspects[i]);

		if (peer != LAI_NO_INDEX && is_seeker(snapshot, &snapshot->sockets[suspects[i]]) &&
		    lai_only_pid(snapshot, &snapshot->sockets[peer]) ==
			    lai_only_pid(snapshot, &snapshot->sockets[suspects[i]]))
			search->ends[search->end_count++] = peer;
	}
	qsort(search->ends, search->end_count, sizeof(*search->ends), index_compare);
}

static bool is_own_end(const struct search *search, uint32_t index)
{
	return search->end_count > 0 && bsearch(&index, search->ends, search->end_count,
						sizeof(*search->ends), index_compare);
}

static bool is_leg(const struct lai_socket_fact *socket)
{
	return socket->has_info &&
	       (socket->state == LAI_TCP_ESTABLISHED || socket->state == LAI_TCP_FIN_WAIT1 ||
		socket->state == LAI_TCP_FIN_WAIT2);
}

static struct candidate *new_candidate(struct search *search)
{
	if (search->candidate_count == search->candidate_room) {
		size_t room = search->candidate_room ? 2 * search->candidate_room : 64;
		struct candidate *list =
			reallocarray(search->candidates, room, sizeof(*search->candidates));

		if (!list)
			return NULL;
		search->candidates = list;
		search->candidate_room = room;
	}
	return &search->candidates[search->candidate_count++];
}

/* Needs no look at its holders. The role decides which of the two counts of what was written is it. */
static bool may_fit(const struct search *search, const struct lai_socket_fact *socket)
{
	return filter_has(&search->read, lai_leg_read(socket)) ||
	       filter_has(&search->written, lai_leg_written(socket, LAI_ROLE_ACCEPTED)) ||
	       filter_has(&search->written, lai_leg_written(socket, LAI_ROLE_CONNECTED));
}

/* A socket of a process that seeks: a candidate if any desk asks for its like. -ENOMEM. */
static int offer(struct search *search, uint32_t index)
{
	const struct lai_socket_fact *socket = &search->listeners->snapshot->sockets[index];
	pid_t pid = lai_only_pid(search->listeners->snapshot, socket);
	enum lai_role role = lai_role_of(search->listeners, socket);
	uint64_t read = lai_leg_read(socket), written = lai_leg_written(socket, role);
	enum lai_attention attention;
	struct candidate *own;
	bool asked = false;

	for (enum kind kind = BOTH; kind < KINDS && !asked; kind++) {
		struct key key = key_of(pid, role, kind, read, written);

		asked = find_desk(search, &key) != NULL;
	}
	if (!asked)
		return 0;
	own = new_candidate(search);
	if (!own)
		return -ENOMEM;
	attention = lai_attentions_of(search->attentions, pid, socket->inode, NULL);
	*own = (struct candidate){.leg = {.socket = index, .finished = is_finished(socket)},
				  .order = socket->inode,
				  .reading = attention == LAI_ATTENTION_READING,
				  .waiting = attention == LAI_ATTENTION_READING ||
					     attention == LAI_ATTENTION_LEVEL ||
					     attention == LAI_ATTENTION_EDGE};
	return 0;
}

/* Those that were passed on first: they acquit. */
static int candidate_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->leg.finished != y->leg.finished)
		return x->leg.finished ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Hangs every candidate into the lists of the desks that ask for it, the first one in front. */
static void sort_candidates(struct search *search)
{
	const struct lai_snapshot *snapshot = search->listeners->snapshot;

	if (search->candidate_count > 1)
		qsort(search->candidates, search->candidate_count, sizeof(*search->candidates),
		      candidate_compare);
	for (uint32_t i = (uint32_t)search->candidate_count; i-- > 0;) {
		struct candidate *own = &search->candidates[i];
		const struct lai_socket_fact *socket = &snapshot->sockets[own->leg.socket];
		enum lai_role role = lai_role_of(search->listeners, socket);

		for (enum kind kind = BOTH; kind < KINDS; kind++) {
			struct key key =
				key_of(lai_only_pid(snapshot, socket), role, kind,
				       lai_leg_read(socket), lai_leg_written(socket, role));
			struct desk *desk = find_desk(search, &key);

			if (!desk)
				continue;
			own->next[kind] = desk->first;
			desk->first = i;
		}
	}
}

/* --- giving them out --- */

/* Few equal bytes prove nothing alone; none at all are equal in all idle connections. */
static bool convinces(const struct candidate *own, const struct key *key)
{
	uint64_t bytes = key->read + key->written;

	switch (key->kind) {
	case BOTH: return bytes >= LAI_LEG_BYTES_MIN || (own->waiting && bytes > 0) || own->reading;
	case FORTH: return own->waiting && key->written >= LAI_LEG_BYTES_MIN;
	case BACK: return own->waiting && key->read >= LAI_LEG_BYTES_MIN;
	default: return false;
	}
}

static bool take(struct search *search, const struct key *key, struct lai_leg *leg)
{
	struct desk *desk = find_desk(search, key);
	uint32_t *at = &desk->first;

	while (*at != LAI_NO_INDEX) {
		struct candidate *own = &search->candidates[*at];

		/* What is taken, and what never convinces here, need not be looked at again. */
		*at = own->next[key->kind];
		if (own->taken || !convinces(own, key))
			continue;
		own->taken = true;
		*leg = own->leg;
		leg->sign = key->kind == BOTH && key->read + key->written >= LAI_LEG_BYTES_MIN
				    ? LAI_LEG_BYTES
				    : LAI_LEG_WAITING;
		return true;
	}
	return false;
}

static void give_out(struct search *search, struct lai_leg *of, const uint32_t *suspects,
		     size_t count)
{
	const struct lai_snapshot *snapshot = search->listeners->snapshot;

	for (size_t i = 0; i < count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[suspects[i]];
		bool found = false;

		of[i] = (struct lai_leg){.socket = LAI_NO_INDEX};
		if (!is_seeker(snapshot, socket))
			continue;
		for (enum kind kind = BOTH; kind < KINDS && !found; kind++) {
			struct key key = leg_key(search, socket, kind);

			found = take(search, &key, &of[i]);
		}
	}
}

static int search_all(struct search *search)
{
	const struct lai_snapshot *snapshot = search->listeners->snapshot;
	int error = 0;

	for (uint32_t i = 0; i < snapshot->socket_count && !error; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		if (is_leg(socket) && may_fit(search, socket) &&
		    is_sought_by(search, lai_only_pid(snapshot, socket)) && !is_own_end(search, i))
			error = offer(search, i);
	}
	return error;
}

int lai_legs_init(struct lai_legs *legs, const struct lai_listeners *listeners,
		  struct lai_attentions *attentions, const struct lai_pairs *pairs,
		  const uint32_t *suspects, size_t count)
{
	struct search search = {.listeners = listeners, .attentions = attentions};
	struct lai_leg *of = malloc((count + 1) * sizeof(*of));
	int error = -ENOMEM;

	*legs = (struct lai_legs){0};
	search.desks = malloc((KINDS * count + 1) * sizeof(*search.desks));
	search.ends = malloc((count + 1) * sizeof(*search.ends));
	if (!of || !search.desks || !search.ends ||
	    lai_table_init(&search.table, KINDS * count) != 0 ||
	    lai_table_init(&search.pids, count) != 0)
		goto out;
	open_desks(&search, suspects, count);
	find_own_ends(&search, pairs, suspects, count);
	error = search.desk_count > 0 ? search_all(&search) : 0;
	if (error)
		goto out;
	sort_candidates(&search);
	give_out(&search, of, suspects, count);
	legs->of = of;
	of = NULL;
out:
	lai_table_done(&search.pids);
	lai_table_done(&search.table);
	free(search.candidates);
	free(search.desks);
	free(search.ends);
	free(of);
	return error;
}

void lai_legs_done(struct lai_legs *legs)
{
	free(legs->of);
	*legs = (struct lai_legs){0};
}
