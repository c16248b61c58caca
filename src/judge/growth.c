/* SPDX-License-Identifier: MIT */
#include "judge/growth.h"

#include "judge/age.h"
#include "judge/bounds.h"

pid_t lai_first_pid(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	if (socket->inode == 0 && socket->listener < snapshot->socket_count)
		socket = &snapshot->sockets[socket->listener];
	if (socket->holder_count == 0 || socket->holder_first >= snapshot->holder_count)
		return 0;
	return (pid_t)snapshot->holders[socket->holder_first].pid;
}

/* --- signs --- */

static struct lai_sign sign_of(const struct lai_listeners *listeners,
			       const struct lai_socket_fact *socket)
{
	const struct lai_snapshot *snapshot = listeners->snapshot;
	struct lai_sign sign = {.pid = lai_first_pid(snapshot, socket),
				.namespace_index = socket->namespace_index,
				.state = socket->state};
	const struct lai_process *process = lai_snapshot_process(snapshot, sign.pid);

	sign.start_ticks = process ? process->start_ticks : 0;
	if (socket->state == LAI_TCP_CLOSE)
		return sign;
	sign.role = socket->inode == 0 ? LAI_ROLE_ACCEPTED : lai_role_of(listeners, socket);
	sign.told = socket->state == LAI_TCP_CLOSE_WAIT && socket->rqueue_bytes == 0;
	sign.host = lai_end_of(&socket->remote);
	if (sign.role == LAI_ROLE_ACCEPTED)
		sign.host.port = lai_address_port(&socket->local);
	return sign;
}

static uint32_t sign_hash(const struct lai_sign *sign)
{
	uint64_t kind = (uint64_t)sign->state << 8 | (uint64_t)sign->role << 4 |
			(uint64_t)sign->told << 1 | sign->whole;

	return lai_mix2((sign->host.high ^ sign->host.low) * 3 + sign->host.port + (kind << 20),
			(uint64_t)sign->pid << 32 ^ sign->start_ticks ^
				(uint64_t)sign->namespace_index << 20);
}

static bool sign_equal(const struct lai_sign *a, const struct lai_sign *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks &&
	       a->namespace_index == b->namespace_index && a->state == b->state &&
	       a->role == b->role && a->told == b->told && a->whole == b->whole &&
	       lai_end_equal(a->host, b->host);
}

static uint32_t find_or_add(struct lai_growth *growth, struct lai_sign sign)
{
	uint32_t hash = sign_hash(&sign), i;

	for (size_t at = lai_table_first(&growth->table, hash);
	     (i = lai_table_next(&growth->table, hash, &at)) != LAI_NO_INDEX;)
		if (sign_equal(&growth->signs[i], &sign))
			return i;
	growth->signs[growth->count] = sign;
	lai_table_put(&growth->table, hash, (uint32_t)growth->count);
	return (uint32_t)growth->count++;
}

/* The exact sign and the one for all peers. */
static void add_both(struct lai_growth *growth, struct lai_sign sign, uint32_t *exact,
		     uint32_t *whole)
{
	*exact = find_or_add(growth, sign);
	sign.whole = true;
	sign.host.high = sign.host.low = 0;
	*whole = find_or_add(growth, sign);
}

/* --- identity --- */

static bool is_same(const struct lai_socket_fact *a, const struct lai_socket_fact *b)
{
	if (a->cookie && b->cookie)
		return a->cookie == b->cookie;
	return a->inode && a->inode == b->inode;
}

/* Places of the suspects by inode and by cookie, so that either may be missing in one snapshot. */
struct identities {
	const struct lai_snapshot *snapshot;
	const uint32_t *suspects;
	struct lai_table by_cookie, by_inode;
};

static int identities_init(struct identities *own, const struct lai_snapshot *snapshot,
			   const uint32_t *suspects, size_t count)
{
	*own = (struct identities){.snapshot = snapshot, .suspects = suspects};
	if (lai_table_init(&own->by_cookie, count) != 0 ||
	    lai_table_init(&own->by_inode, count) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[suspects[i]];

		if (socket->cookie)
			lai_table_put(&own->by_cookie, lai_mix2(socket->cookie, 0), i);
		if (socket->inode)
			lai_table_put(&own->by_inode, lai_mix2(socket->inode, 0), i);
	}
	return 0;
}

static uint32_t find_in(const struct identities *own, const struct lai_table *table, uint64_t key,
			const struct lai_socket_fact *socket)
{
	uint32_t hash = lai_mix2(key, 0), i;

	for (size_t at = lai_table_first(table, hash);
	     (i = lai_table_next(table, hash, &at)) != LAI_NO_INDEX;)
		if (is_same(&own->snapshot->sockets[own->suspects[i]], socket))
			return i;
	return LAI_NO_INDEX;
}

static uint32_t find_suspect(const struct identities *own, const struct lai_socket_fact *socket)
{
	uint32_t found = LAI_NO_INDEX;

	if (socket->cookie)
		found = find_in(own, &own->by_cookie, socket->cookie, socket);
	if (found == LAI_NO_INDEX && socket->inode)
		found = find_in(own, &own->by_inode, socket->inode, socket);
	return found;
}

/* --- the comparison --- */

static void count_gone(struct lai_sign *sign, uint64_t age_ms, uint64_t interval_ms)
{
	sign->gone++;
	if (age_ms + interval_ms > sign->gone_age_ms)
		sign->gone_age_ms = age_ms + interval_ms;
}

/* One suspect of the earlier snapshot. */
static void compare(struct lai_growth *growth, const struct lai_listeners *before, uint32_t socket,
		    const struct identities *own, uint64_t interval_ms)
{
	const struct lai_socket_fact *fact = &before->snapshot->sockets[socket];
	uint32_t exact, whole, place = find_suspect(own, fact);
	uint64_t age_ms = 0;

	add_both(growth, sign_of(before, fact), &exact, &whole);
	growth->signs[exact].before++;
	growth->signs[whole].before++;
	if (place != LAI_NO_INDEX) {
		growth->earlier[place] = socket;
		if (own->snapshot->sockets[own->suspects[place]].state == fact->state)
			return;
	}
	(void)lai_age_of(fact, &age_ms);
	if (age_ms < LAI_TURNOVER_AGE_MS)
		return;
	count_gone(&growth->signs[exact], age_ms, interval_ms);
	count_gone(&growth->signs[whole], age_ms, interval_ms);
}

static int compare_all(struct lai_growth *growth, const struct lai_listeners *now,
		       const uint32_t *suspects, size_t suspect_count,
		       const struct lai_roll *before, uint64_t interval_ms)
{
	struct lai_listeners listeners;
	struct identities own;
	int error = lai_listeners_init(&listeners, before);

	if (error)
		return error;
	error = identities_init(&own, now->snapshot, suspects, suspect_count);
	for (size_t i = 0; i < before->suspects.count && !error; i++)
		compare(growth, &listeners, before->suspects.list[i], &own, interval_ms);
	lai_table_done(&own.by_cookie);
	lai_table_done(&own.by_inode);
	lai_listeners_done(&listeners);
	return error;
}

int lai_growth_init(struct lai_growth *growth, const struct lai_listeners *now,
		    const uint32_t *suspects, size_t suspect_count, const struct lai_roll *before,
		    uint64_t interval_ms)
{
	size_t room = 2 * (suspect_count + (before ? before->suspects.count : 0));
	int error = -ENOMEM;

	*growth = (struct lai_growth){0};
	growth->signs = malloc((room + 1) * sizeof(*growth->signs));
	growth->exact = malloc((suspect_count + 1) * sizeof(*growth->exact));
	growth->whole = malloc((suspect_count + 1) * sizeof(*growth->whole));
	growth->earlier = malloc((suspect_count + 1) * sizeof(*growth->earlier));
	if (!growth->signs || !growth->exact || !growth->whole || !growth->earlier ||
	    lai_table_init(&growth->table, room) != 0)
		goto out;
	for (size_t i = 0; i < suspect_count; i++) {
		struct lai_sign sign = sign_of(now, &now->snapshot->sockets[suspects[i]]);

		add_both(growth, sign, &growth->exact[i], &growth->whole[i]);
		growth->signs[growth->exact[i]].now++;
		growth->signs[growth->whole[i]].now++;
		growth->earlier[i] = LAI_NO_INDEX;
	}
	error = before ? compare_all(growth, now, suspects, suspect_count, before, interval_ms) : 0;
out:
	if (error)
		lai_growth_done(growth);
	return error;
}

void lai_growth_done(struct lai_growth *growth)
{
	lai_table_done(&growth->table);
	free(growth->signs);
	free(growth->exact);
	free(growth->whole);
	free(growth->earlier);
	*growth = (struct lai_growth){0};
}
