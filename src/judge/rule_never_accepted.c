/* SPDX-License-Identifier: MIT */
/*
 * rule_never_accepted.c - the kernel has completed the connection, maybe even its end; no program has
 * called accept(). It has no inode, and stands in the queue of a listener whose owner is named.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

/* Names of so many owners of a listener; worker pools share theirs. */
#define OWNERS_MAX 3

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;

	if (socket->inode != 0)
		return LAI_OPINION_NONE;
	/* Without a listener it is an orphan, which the kernel ends itself. */
	if (socket->listener >= own->court->now->socket_count ||
	    !lai_case_is_older(own, LAI_NEVER_ACCEPTED_MS))
		return LAI_OPINION_ACQUITTED;
	ruling->confidence = LAI_CONFIDENCE_CERTAIN;
	ruling->reason = socket->state == LAI_TCP_CLOSE_WAIT;
	ruling->other = socket->listener;
	ruling->pid = lai_court_acceptor(own->court, socket->listener);
	return LAI_OPINION_GUILTY;
}

static void say_owners(const struct lai_group *group, const struct lai_socket_fact *listener,
		       struct lai_text *text)
{
	const struct lai_snapshot *now = group->court->now;
	uint32_t said = 0, last = 0;

	if (group->finding->pid == 0) {
		lai_text_append(text, " No process that can be seen holds the listener.");
		return;
	}
	lai_text_append(text, " The listener is held by ");
	for (uint32_t i = 0; i < listener->holder_count; i++) {
		uint32_t pid = now->holders[listener->holder_first + i].pid;

		if (pid == last)
			continue;
		if (said == OWNERS_MAX) {
			lai_text_append(text, " and others");
			break;
		}
		lai_text_append(text, "%s", said++ ? ", " : "");
		lai_say_process(text, now, (pid_t)pid);
		last = pid;
	}
	lai_text_append(text, ".");
}

static void say_overflows(const struct lai_group *group, struct lai_text *text)
{
	uint32_t index = group->finding->namespace_index;
	const struct lai_namespace *now = lai_namespace_of(group->court->now, index);
	const struct lai_snapshot *before = group->court->before;
	const struct lai_namespace *then = before ? lai_namespace_of(before, index) : NULL;

	if (!now || now->listen_overflows == 0)
		return;
	if (then && then->inode == now->inode && now->listen_overflows > then->listen_overflows)
		lai_text_append(text, " %" PRIu64 " more connections were turned away meanwhile.",
				now->listen_overflows - then->listen_overflows);
	else
		lai_text_append(text,
				" Full queues have turned away %" PRIu64
				" connections in this network namespace since it began.",
				now->listen_overflows);
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	struct lai_court *court = group->court;
	const struct lai_socket_fact *listener =
		&court->now->sockets[group->charges[0].ruling.other];
	size_t ended = lai_group_reasons(group, 1);
	const struct lai_crew *crew;

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " %s in the accept queue of ", group->count == 1 ? "waits" : "wait");
	lai_say_address(text, &listener->local);
	lai_text_append(text,
			" (%" PRIu32 " of %" PRIu32 " places are taken) and no program has "
			"accepted %s.",
			listener->rqueue_bytes, listener->wqueue_bytes,
			group->count == 1 ? "it" : "them");
	if (ended > 0)
		lai_text_append(text, " %zu of them %s been closed by the peer already.", ended,
				ended == 1 ? "has" : "have");
	lai_say_oldest(text, group->finding);
	say_owners(group, listener, text);
	if (group->finding->pid == 0)
		return;
	crew = lai_attentions_crew(&court->attentions, group->finding->pid);
	lai_say_crew(text, &court->attentions, group->finding->pid);
	if (crew && crew->count > 1 && crew->by_wait[LAI_WAIT_ACCEPT] == 0)
		lai_text_append(text, " None of them is in accept().");
	say_overflows(group, text);
}

const struct lai_rule lai_rule_never_accepted = {
	.verdict = LAI_VERDICT_NEVER_ACCEPTED,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_RST,
	.advice =
		"Find out what the thread that should call accept() is doing instead. The command "
		"below resets the connections, but each keeps its place in the queue until "
		"accept() or until the listener is closed: only the program can make room.",
};
