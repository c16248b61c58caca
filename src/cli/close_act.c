/* SPDX-License-Identifier: MIT */
/* close_act.c - acts on what was planned, and counts what came of it. */
#include "cli/close.h"

#include "judge/case.h"

static struct lai_mend_target target_of(const struct lai_close_plan *plan,
					const struct lai_socket_fact *socket, uint32_t holder)
{
	const struct lai_snapshot *snapshot = plan->snapshot;
	struct lai_mend_target target = {.socket = *socket, .fd = -1};
	const struct lai_process *process;

	if (socket->namespace_index < snapshot->namespace_count)
		target.name_space = snapshot->namespaces[socket->namespace_index];
	if (holder == LAI_NO_INDEX)
		return target;
	target.pid = (pid_t)snapshot->holders[holder].pid;
	target.fd = (int32_t)snapshot->holders[holder].fd;
	process = lai_snapshot_process(snapshot, target.pid);
	target.start_ticks = process ? process->start_ticks : 0;
	return target;
}

/* Is it worth trying the next descriptor? The socket may live on in another process. */
static bool lost(enum lai_mend_outcome outcome)
{
	return outcome == LAI_MEND_GONE || outcome == LAI_MEND_CHANGED ||
	       outcome == LAI_MEND_DENIED;
}

static struct lai_mend_result act_on(const struct lai_close_plan *plan,
				     const struct lai_close_item *item,
				     struct lai_mend_session *session)
{
	const struct lai_close_config *config = plan->config;
	const struct lai_socket_fact *socket = lai_close_socket(plan, item);
	struct lai_mend_target target = target_of(plan, socket, item->holder);
	struct lai_mend_result first, other;

	first = lai_mend_in(session, &target, config->how, &config->keepalive);
	if (config->how == LAI_MEND_RST || !lost(first.outcome))
		return first;
	for (uint32_t i = 0; i < socket->holder_count; i++) {
		if (socket->holder_first + i == item->holder)
			continue;
		target = target_of(plan, socket, socket->holder_first + i);
		other = lai_mend_in(session, &target, config->how, &config->keepalive);
		if (!lost(other.outcome))
			return other;
	}
	return first;
}

int lai_close_act(struct lai_close_plan *plan)
{
	struct lai_mend_session *session;
	int error = lai_mend_session_new(&session);

	if (error)
		return error;
	for (size_t i = 0; i < plan->count; i++)
		if (!plan->items[i].why_not)
			plan->items[i].result = act_on(plan, &plan->items[i], session);
	lai_mend_session_free(session);
	return 0;
}

static void count_mended(const struct lai_close_plan *plan, const struct lai_close_item *item,
			 struct lai_close_tally *tally)
{
	const struct lai_socket_fact *socket = lai_close_socket(plan, item);

	switch (item->result.state) {
	case LAI_TCP_NONE: break;
	case LAI_TCP_CLOSE: tally->gone_now++; break;
	case LAI_TCP_FIN_WAIT2: tally->half_open++; break;
	default: tally->waiting++; break;
	}
	tally->descriptors += socket->holder_count;
	tally->backlog_slots += socket->listener != LAI_NO_INDEX;
	tally->unread_bytes += lai_unread_bytes(socket);
	tally->unsent_bytes += socket->state == LAI_TCP_LISTEN ? 0 : socket->wqueue_bytes;
}

void lai_close_count(const struct lai_close_plan *plan, struct lai_close_tally *tally)
{
	*tally = (struct lai_close_tally){0};
	for (size_t i = 0; i < plan->count; i++) {
		const struct lai_close_item *item = &plan->items[i];

		tally->outcomes[item->result.outcome]++;
		if (item->result.outcome == LAI_MENDED)
			count_mended(plan, item, tally);
		else if (item->result.outcome == LAI_MEND_DENIED)
			tally->denied_error = item->result.error;
	}
}

size_t lai_close_not_done(const struct lai_close_tally *tally)
{
	return tally->outcomes[LAI_MEND_CHANGED] + tally->outcomes[LAI_MEND_DENIED] +
	       tally->outcomes[LAI_MEND_IMPOSSIBLE] + tally->outcomes[LAI_MEND_FAILED];
}
