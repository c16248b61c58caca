/* SPDX-License-Identifier: MIT */
/*
 * rule_not_polled.c - the event loop is alive, and does not watch this descriptor for input: the mask
 * lacks EPOLLIN and EPOLLRDHUP, the one shot is spent, or the descriptor is in no set at all.
 */
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>
#include <sys/epoll.h>

enum reason { MASK, ONE_SHOT, NO_SET };

/* Servers stop to ask for input while they work on a request, and clients' pools never ask. */
static enum lai_confidence confidence_of(const struct lai_case *own, bool told_by_mask)
{
	if ((lai_case_is_recent(own) && lai_read_bytes(own->socket) > 0) ||
	    lai_case_is_idle_client(own))
		return LAI_CONFIDENCE_POSSIBLE;
	return told_by_mask && !lai_case_is_recent(own) ? LAI_CONFIDENCE_CERTAIN
							: LAI_CONFIDENCE_LIKELY;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_process *process = lai_snapshot_process(own->court->now, own->pid);

	if (own->socket->state != LAI_TCP_CLOSE_WAIT || own->socket->rqueue_bytes == 0)
		return LAI_OPINION_NONE;
	if (own->attention == LAI_ATTENTION_MASKED) {
		uint32_t rest = own->watch->events & ~(EPOLLERR | EPOLLHUP | EPOLLET);

		ruling->reason = rest == EPOLLONESHOT ? ONE_SHOT : MASK;
		ruling->confidence = confidence_of(own, ruling->reason == MASK);
		ruling->clue = (uint32_t)(own->watch - own->court->now->watches);
		return LAI_OPINION_GUILTY;
	}
	if (own->attention != LAI_ATTENTION_NO_SET)
		return LAI_OPINION_NONE;
	ruling->reason = NO_SET;
	/* A request of a ring may watch it, and does not show. */
	ruling->confidence =
		process && process->rings ? LAI_CONFIDENCE_POSSIBLE : confidence_of(own, false);
	return LAI_OPINION_GUILTY;
}

static void say_mask(const struct lai_group *group, enum reason reason, struct lai_text *text)
{
	const struct lai_charge *first = lai_group_first(group, reason);
	const struct lai_watch *watch;

	if (!first)
		return;
	watch = &group->court->now->watches[first->ruling.clue];
	lai_text_append(text, " %zu %s in ", lai_group_reasons(group, reason),
			lai_group_reasons(group, reason) == 1 ? "is" : "are");
	if (watch->set_fd >= 0)
		lai_text_append(text, "the epoll set at fd %" PRId32, watch->set_fd);
	else
		lai_text_append(text, "a poll()");
	if (reason == ONE_SHOT)
		lai_text_append(text, " with EPOLLONESHOT that has fired and was not armed again.");
	else
		lai_text_append(text,
				" with events 0x%" PRIx32 ": %s, neither EPOLLIN nor "
				"EPOLLRDHUP.",
				watch->events,
				watch->events & EPOLLOUT ? "EPOLLOUT" : "no interest");
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	size_t in_none = lai_group_reasons(group, NO_SET);
	const struct lai_process *process =
		lai_snapshot_process(group->court->now, group->finding->pid);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in CLOSE_WAIT with the FIN unread. The program's event loop lives, but "
			"does not watch for input.");
	say_mask(group, MASK, text);
	say_mask(group, ONE_SHOT, text);
	if (in_none > 0)
		lai_text_append(text, " %zu %s in none of its epoll sets and polls.", in_none,
				in_none == 1 ? "is" : "are");
	if (process && process->rings)
		lai_text_append(text, " It has an io_uring, whose requests cannot be seen.");
	else if (group->finding->confidence == LAI_CONFIDENCE_POSSIBLE)
		lai_text_append(
			text, " While a request is worked on that may be meant, for a short time.");
	lai_say_crew(text, &group->court->attentions, group->finding->pid);
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_not_polled = {
	.verdict = LAI_VERDICT_NOT_POLLED,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"Keep EPOLLRDHUP in the mask even while input is not wanted; arm EPOLLONESHOT again "
		"after each event; add every accepted connection to the set, or close it.",
};
