/* SPDX-License-Identifier: MIT */
/* court.c - makes the indices that rules ask, and opens the case of one suspect. */
#include "judge/case.h"

#include "base/time.h"
#include "judge/bounds.h"

#include <string.h>

/* --- suspects, in an order of their own --- */

struct suspect {
	uint64_t inode, cookie;
	pid_t pid;
	uint32_t index;
	struct lai_end local, remote;
	uint32_t namespace_index, rqueue_bytes;
	enum lai_tcp_state state;
};

static int number_compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* By process first, so that neighbours share its indices. */
static int suspect_compare(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;
	int order = number_compare((uint64_t)x->pid, (uint64_t)y->pid);

	if (order == 0)
		order = number_compare(x->inode, y->inode);
	if (order == 0)
		order = number_compare(x->cookie, y->cookie);
	if (order == 0)
		order = number_compare(x->namespace_index, y->namespace_index);
	if (order == 0)
		order = lai_end_compare(x->local, y->local);
	if (order == 0)
		order = lai_end_compare(x->remote, y->remote);
	if (order == 0)
		order = number_compare(x->state, y->state);
	if (order == 0)
		order = number_compare(x->rqueue_bytes, y->rqueue_bytes);
	return order ? order : number_compare(x->index, y->index);
}

/* The dump may list a socket twice, the second time maybe in its next state. */
static bool is_twin(const struct suspect *a, const struct suspect *b)
{
	return a->inode == b->inode && a->namespace_index == b->namespace_index &&
	       a->cookie == b->cookie && (a->inode || a->cookie);
}

static struct suspect suspect_of(const struct lai_snapshot *snapshot, uint32_t index)
{
	const struct lai_socket_fact *socket = &snapshot->sockets[index];

	return (struct suspect){.inode = socket->inode,
				.cookie = socket->cookie,
				.pid = lai_first_pid(snapshot, socket),
				.index = index,
				.local = lai_end_of(&socket->local),
				.remote = lai_end_of(&socket->remote),
				.namespace_index = socket->namespace_index,
				.rqueue_bytes = socket->rqueue_bytes,
				.state = socket->state};
}

static int find_suspects(struct lai_court *court)
{
	const struct lai_roll_list *called = &court->roll.suspects;
	struct suspect *list = malloc((called->count + 1) * sizeof(*list));

	court->suspects = malloc((called->count + 1) * sizeof(*court->suspects));
	court->rulings = malloc((called->count + 1) * sizeof(*court->rulings));
	if (!list || !court->suspects || !court->rulings) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < called->count; i++)
		list[i] = suspect_of(court->now, called->list[i]);
	qsort(list, called->count, sizeof(*list), suspect_compare);
	for (size_t i = 0; i < called->count; i++) {
		if (i > 0 && is_twin(&list[i - 1], &list[i]))
			continue;
		court->rulings[court->suspect_count] = (struct lai_ruling){
			.verdict = LAI_VERDICT_COUNT, .other = LAI_NO_INDEX, .clue = LAI_NO_INDEX};
		court->suspects[court->suspect_count++] = list[i].index;
	}
	free(list);
	return 0;
}

/* --- the court --- */

/* Two rings may have registered the same socket. */
static int stash_compare(const void *a, const void *b, void *arg)
{
	const struct lai_snapshot *now = arg;
	const struct lai_stash *x = &now->stashes[*(const uint32_t *)a];
	const struct lai_stash *y = &now->stashes[*(const uint32_t *)b];

	if (x->hold != y->hold)
		return x->hold < y->hold ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

static int index_stashes(struct lai_court *court)
{
	const struct lai_snapshot *now = court->now;
	uint32_t *order = malloc((now->stash_count + 1) * sizeof(*order));
	int error = order ? lai_table_init(&court->stashes, now->stash_count) : -ENOMEM;

	for (uint32_t i = 0; i < now->stash_count && !error; i++)
		order[i] = i;
	if (!error && now->stash_count > 1)
		qsort_r(order, now->stash_count, sizeof(*order), stash_compare,
			(void *)(uintptr_t)now);
	for (size_t i = 0; i < now->stash_count && !error; i++) {
		uint64_t inode = now->stashes[order[i]].inode;

		if (inode && !lai_court_stash(court, inode))
			lai_table_put(&court->stashes, lai_mix2(inode, 0), order[i]);
	}
	free(order);
	return error;
}

/* Counts the requests without an answer of each process. */
static int count_asking(struct lai_court *court)
{
	const struct lai_snapshot *now = court->now;

	court->asking = calloc(now->process_count + 1, sizeof(*court->asking));
	if (!court->asking)
		return -ENOMEM;
	for (size_t i = 0; i < now->socket_count; i++) {
		const struct lai_socket_fact *socket = &now->sockets[i];
		const struct lai_process *process;

		if (socket->state != LAI_TCP_ESTABLISHED || socket->holder_count == 0 ||
		    !lai_is_asking(socket, LAI_ROLE_CONNECTED) ||
		    lai_role_of(&court->listeners, socket) != LAI_ROLE_CONNECTED)
			continue;
		process = lai_snapshot_process(now, lai_only_pid(now, socket));
		if (process)
			court->asking[process - now->processes]++;
	}
	return 0;
}

/* Only needed if there is anybody to judge. */
static int make_indices(struct lai_court *court)
{
	int error = lai_growth_init(&court->growth, &court->listeners, court->suspects,
				    court->suspect_count,
				    court->before ? &court->roll_before : NULL, court->interval_ms);

	if (!error)
		error = lai_pairs_new_of(court->now, court->suspects, court->suspect_count,
					 &court->pairs);
	if (!error)
		error = lai_legs_init(&court->legs, &court->listeners, &court->attentions,
				      court->pairs, court->suspects, court->suspect_count);
	if (!error)
		error = index_stashes(court);
	if (!error)
		error = count_asking(court);
	return error;
}

void lai_court_done(struct lai_court *court)
{
	lai_table_done(&court->stashes);
	lai_legs_done(&court->legs);
	lai_pairs_free(court->pairs);
	lai_attentions_done(&court->attentions);
	lai_growth_done(&court->growth);
	lai_listeners_done(&court->listeners);
	lai_roll_done(&court->roll_before);
	lai_roll_done(&court->roll);
	free(court->asking);
	free(court->cases);
	free(court->rulings);
	free(court->suspects);
	*court = (struct lai_court){0};
}

const struct lai_stash *lai_court_stash(const struct lai_court *court, uint64_t inode)
{
	uint32_t hash = lai_mix2(inode, 0), i;

	for (size_t at = lai_table_first(&court->stashes, hash);
	     (i = lai_table_next(&court->stashes, hash, &at)) != LAI_NO_INDEX;)
		if (court->now->stashes[i].inode == inode)
			return &court->now->stashes[i];
	return NULL;
}

const struct lai_ruling *lai_court_ruling(const struct lai_court *court, uint32_t socket)
{
	uint32_t place =
		socket == LAI_NO_INDEX ? LAI_NO_INDEX : lai_pairs_place(court->pairs, socket);

	return place == LAI_NO_INDEX ? NULL : &court->rulings[place];
}

/* --- one case --- */

static void add_holders(struct lai_case *own)
{
	const struct lai_snapshot *now = own->court->now;
	const struct lai_socket_fact *socket = own->socket;

	own->pid = lai_first_pid(now, socket);
	if (socket->holder_count == 0 || socket->holder_first >= now->holder_count)
		return;
	own->holders = &now->holders[socket->holder_first];
	own->holder_count = socket->holder_count;
	if (own->holder_count > now->holder_count - socket->holder_first)
		own->holder_count = (uint32_t)now->holder_count - socket->holder_first;
	for (uint32_t i = 0; i < own->holder_count; i++)
		own->process_count += i == 0 || own->holders[i].pid != own->holders[i - 1].pid;
}

static struct lai_case open_case(struct lai_court *court, uint32_t place)
{
	const struct lai_growth *growth = &court->growth;
	struct lai_case own = {.court = court, .place = place, .index = court->suspects[place]};

	own.socket = &court->now->sockets[own.index];
	if (court->before && growth->earlier[place] != LAI_NO_INDEX)
		own.earlier = &court->before->sockets[growth->earlier[place]];
	own.exact = &growth->signs[growth->exact[place]];
	own.whole = &growth->signs[growth->whole[place]];
	own.role = own.exact->role;
	own.age_kind = lai_age_since(own.socket, own.earlier, court->interval_ms, &own.age_ms);
	add_holders(&own);
	if (own.process_count == 1 &&
	    (own.socket->state == LAI_TCP_CLOSE_WAIT || own.socket->state == LAI_TCP_FIN_WAIT2))
		own.attention = lai_attentions_of(&court->attentions, own.pid, own.socket->inode,
						  &own.watch);
	return own;
}

static int open_cases(struct lai_court *court)
{
	court->cases = malloc((court->suspect_count + 1) * sizeof(*court->cases));
	if (!court->cases)
		return -ENOMEM;
	for (uint32_t i = 0; i < court->suspect_count; i++)
		court->cases[i] = open_case(court, i);
	return 0;
}

const struct lai_case *lai_court_case(const struct lai_court *court, uint32_t place)
{
	return &court->cases[place];
}

int lai_court_init(struct lai_court *court, const struct lai_snapshot *now,
		   const struct lai_snapshot *before)
{
	int error;

	*court = (struct lai_court){.now = now, .before = before, .acceptor_of = LAI_NO_INDEX};
	court->covered = now->coverage.unreadable == 0 && !now->coverage.pid_namespace &&
			 now->coverage.complete;
	if (before)
		court->interval_ms = lai_time_since(before->taken_ns, now->taken_ns) / LAI_MS;
	error = lai_roll_init(&court->roll, now);
	if (!error && before)
		error = lai_roll_init(&court->roll_before, before);
	if (!error)
		error = lai_listeners_init(&court->listeners, &court->roll);
	if (!error)
		error = find_suspects(court);
	if (!error)
		error = lai_attentions_init(&court->attentions, now);
	if (!error && court->suspect_count > 0)
		error = make_indices(court);
	if (!error)
		error = open_cases(court);
	if (error)
		lai_court_done(court);
	return error;
}
