/* SPDX-License-Identifier: MIT */
/*
 * close_plan.c - which connections are to be ended, and by which descriptor.
 *
 * Our own are never among them: whoever redirects our output into a socket that matches must not
 * lose it. Over the limit the oldest go first.
 */
#include "cli/close.h"

#include "judge/age.h"
#include "observe/sockdiag.h"
#include "show/show_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

const struct lai_socket_fact *lai_close_socket(const struct lai_close_plan *plan,
					       const struct lai_close_item *item)
{
	return &plan->snapshot->sockets[item->socket];
}

static bool held_by_us(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	for (uint32_t i = 0; i < socket->holder_count; i++)
		if ((pid_t)snapshot->holders[socket->holder_first + i].pid == getpid())
			return true;
	return false;
}

/* The first holder that the filters mean; LAI_NO_INDEX. */
static uint32_t holder_of(const struct lai_close_plan *plan, const struct lai_socket_fact *socket)
{
	for (uint32_t i = 0; i < socket->holder_count; i++) {
		uint32_t index = socket->holder_first + i;

		if (lai_select_holder(plan->config->select, plan->snapshot,
				      &plan->snapshot->holders[index]))
			return index;
	}
	return LAI_NO_INDEX;
}

/* Somebody holds it, whom we may not see: nothing is impossible, but it is not for us. */
static bool unseen(const struct lai_close_plan *plan, const struct lai_socket_fact *socket)
{
	return plan->config->how != LAI_MEND_RST &&
	       lai_show_ownership(plan->snapshot, socket) == LAI_OWNED_UNSEEN;
}

static void add(struct lai_close_plan *plan, uint32_t index)
{
	const struct lai_socket_fact *socket = &plan->snapshot->sockets[index];
	struct lai_close_item item = {
		.socket = index,
		.holder = holder_of(plan, socket),
	};

	if (held_by_us(plan->snapshot, socket)) {
		plan->ours++;
		return;
	}
	if (item.holder != LAI_NO_INDEX) {
		item.pid = plan->snapshot->holders[item.holder].pid;
	} else if (socket->listener != LAI_NO_INDEX) {
		uint32_t holder = holder_of(plan, &plan->snapshot->sockets[socket->listener]);

		if (holder != LAI_NO_INDEX)
			item.pid = plan->snapshot->holders[holder].pid;
	}
	item.why_not = lai_mend_possible(socket, item.holder != LAI_NO_INDEX, plan->config->how);
	item.result.outcome = item.why_not ? LAI_MEND_IMPOSSIBLE : LAI_MENDED;
	if (item.why_not && unseen(plan, socket)) {
		item.why_not = "we may not see who holds it";
		item.result =
			(struct lai_mend_result){.outcome = LAI_MEND_DENIED, .error = -EACCES};
	}
	plan->items[plan->count++] = item;
}

/* Marks the sockets that have one of the verdicts. */
static int mark(struct lai_close_plan *plan, bool *marked)
{
	int error = lai_judge(plan->snapshot, NULL, &plan->findings);

	for (size_t i = 0; i < plan->findings.count && !error; i++) {
		const struct lai_finding *finding = &plan->findings.list[i];

		if (!plan->config->verdicts[finding->verdict] || !finding->sockets)
			continue;
		for (size_t k = 0; k < finding->socket_count; k++)
			marked[finding->sockets[k]] = true;
	}
	return error;
}

static bool state_chosen(const struct lai_close_config *config, enum lai_tcp_state state)
{
	return config->state_mask & LAI_SOCKDIAG_STATE(state);
}

static int choose(struct lai_close_plan *plan)
{
	size_t count = plan->snapshot->socket_count;
	bool *marked = calloc(count + 1, sizeof(*marked));
	int error = -ENOMEM;

	plan->items = calloc(count + 1, sizeof(*plan->items));
	if (!marked || !plan->items)
		goto out;
	error = plan->config->by_verdict ? mark(plan, marked) : 0;
	if (error)
		goto out;
	for (uint32_t i = 0; i < count; i++)
		if ((plan->config->by_verdict
			     ? marked[i]
			     : state_chosen(plan->config, plan->snapshot->sockets[i].state)) &&
		    lai_select_socket(plan->config->select, plan->snapshot, i))
			add(plan, i);
out:
	free(marked);
	return error;
}

/* ---- order -------------------------------------------------------------------------------- */

static uint64_t age_of(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	uint64_t age_ms = 0;

	return lai_age_of(lai_close_socket(plan, item), &age_ms) == LAI_AGE_UNKNOWN ? 0 : age_ms;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Those that can be ended, the oldest of them first. */
static int compare_urgency(const void *left, const void *right, void *arg)
{
	const struct lai_close_item *a = left, *b = right;
	int order = compare(a->why_not != NULL, b->why_not != NULL);

	return order ? order : compare(age_of(arg, b), age_of(arg, a));
}

static uint64_t fd_of(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	return item->holder == LAI_NO_INDEX ? 0 : plan->snapshot->holders[item->holder].fd;
}

/* One process after the other, since mend keeps hold of the last one. */
static int compare_place(const void *left, const void *right, void *arg)
{
	const struct lai_close_plan *plan = arg;
	const struct lai_close_item *a = left, *b = right;
	int order = compare(lai_close_socket(plan, a)->namespace_index,
			    lai_close_socket(plan, b)->namespace_index);

	if (!order)
		order = compare(a->pid, b->pid);
	if (!order)
		order = compare(fd_of(plan, a), fd_of(plan, b));
	return order ? order : compare(a->socket, b->socket);
}

static void arrange(struct lai_close_plan *plan)
{
	size_t possible = 0;

	for (size_t i = 0; i < plan->count; i++)
		possible += plan->items[i].why_not == NULL;
	if (possible > plan->config->limit) {
		qsort_r(plan->items, plan->count, sizeof(*plan->items), compare_urgency, plan);
		plan->left = plan->count - plan->config->limit;
		plan->count = plan->config->limit;
	}
	qsort_r(plan->items, plan->count, sizeof(*plan->items), compare_place, plan);
}

int lai_close_plan_make(const struct lai_close_config *config, struct lai_close_plan *plan,
			char **sentence)
{
	/* A listener tells whose fault it is that a connection was never accepted. */
	struct lai_snapshot_request request = {
		.state_mask = config->by_verdict
				      ? 0
				      : config->state_mask | LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN),
		.way = config->way,
		.all_namespaces = config->all_namespaces,
		.suspects_first = config->by_verdict,
		.evidence = config->by_verdict,
	};
	int error;

	*plan = (struct lai_close_plan){.config = config};
	*sentence = NULL;
	error = lai_snapshot_take(&request, &plan->snapshot, sentence);
	if (!error)
		error = choose(plan);
	if (error) {
		lai_close_plan_done(plan);
		return error;
	}
	arrange(plan);
	return 0;
}

void lai_close_plan_done(struct lai_close_plan *plan)
{
	lai_findings_done(&plan->findings);
	free(plan->items);
	lai_snapshot_free(plan->snapshot);
	*plan = (struct lai_close_plan){0};
}
