/* SPDX-License-Identifier: MIT */
/*
 * rule_owner_stuck.c - the last rule: the end waits in the receive queue, and whoever should read it
 * is somewhere else. It stands last since it is what remains: all innocent reasons not to read have
 * been asked for before.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

enum reason { NO_THREAD, DESERTED, SPINS, UNSEEN };

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_crew *crew;

	if (own->socket->state != LAI_TCP_CLOSE_WAIT || own->socket->rqueue_bytes == 0 ||
	    own->process_count == 0)
		return LAI_OPINION_NONE;
	crew = lai_attentions_crew(&own->court->attentions, own->pid);
	ruling->clue = crew ? crew->suspect : LAI_NO_INDEX;
	ruling->confidence = lai_case_is_recent(own) || lai_case_is_idle_client(own)
				     ? LAI_CONFIDENCE_POSSIBLE
				     : LAI_CONFIDENCE_LIKELY;
	switch (own->attention) {
	case LAI_ATTENTION_NOBODY: ruling->reason = NO_THREAD; break;
	case LAI_ATTENTION_DESERTED: ruling->reason = DESERTED; break;
	case LAI_ATTENTION_LEVEL: ruling->reason = SPINS; break;
	default:
		ruling->reason = UNSEEN;
		ruling->confidence = LAI_CONFIDENCE_POSSIBLE;
		break;
	}
	return LAI_OPINION_GUILTY;
}

/* The same thread in the earlier snapshot; NULL. */
static const struct lai_thread *thread_before(const struct lai_court *court,
					      const struct lai_thread *thread)
{
	size_t low = 0, count = court->before ? court->before->thread_count : 0;
	const struct lai_thread *list = court->before ? court->before->threads : NULL, *found;

	while (count > 0) {
		size_t half = count / 2;

		found = &list[low + half];
		if (found->pid < thread->pid ||
		    (found->pid == thread->pid && found->tid < thread->tid)) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	if (!list || low >= court->before->thread_count)
		return NULL;
	found = &list[low];
	return found->pid == thread->pid && found->tid == thread->tid ? found : NULL;
}

static void say_suspect(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_court *court = group->court;
	uint32_t clue = group->charges[0].ruling.clue;
	const struct lai_thread *thread, *then;
	struct lai_text name = LAI_TEXT_INIT(256);

	if (clue >= court->now->thread_count)
		return;
	thread = &court->now->threads[clue];
	lai_say_thread(&name, thread);
	lai_text_append(text, " Most likely: %s", lai_text_string(&name));
	lai_text_done(&name);
	then = thread_before(court, thread);
	if (then && thread->cpu_ticks >= then->cpu_ticks)
		lai_text_append(text, " (%" PRIu64 " ms of CPU time since the earlier look)",
				(thread->cpu_ticks - then->cpu_ticks) * 1000 / LAI_TICKS_PER_S);
	else if (thread->wait == LAI_WAIT_RUNNING)
		lai_text_append(text, " (%" PRIu64 " s of CPU time in its life)",
				thread->cpu_ticks / LAI_TICKS_PER_S);
	lai_text_append(text, ".");
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	struct lai_court *court = group->court;
	const struct lai_crew *crew = lai_attentions_crew(&court->attentions, group->finding->pid);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " in CLOSE_WAIT with %" PRIu64 " bytes and the FIN unread.",
			group->finding->unread_bytes);
	switch (group->charges[0].ruling.reason) {
	case NO_THREAD:
		lai_text_append(text, " No thread reads %s, and there is no event loop.",
				group->count == 1 ? "it" : "them");
		break;
	case DESERTED:
		lai_text_append(text,
				" They are in an epoll set that no thread waits on: its loop is "
				"busy elsewhere.");
		break;
	case SPINS:
		lai_text_append(text,
				" The event loop is told of them again and again, and does not "
				"read.");
		break;
	default: lai_text_append(text, " They are not being read."); break;
	}
	lai_say_crew(text, &court->attentions, group->finding->pid);
	if (crew && crew->count > 1)
		say_suspect(group, text);
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_owner_stuck = {
	.verdict = LAI_VERDICT_OWNER_STUCK,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"Get the stack of the thread that is named (gdb -p PID, jstack): it holds or waits for "
		"what it should not. Give locks, queries and writes a deadline, and keep slow work "
		"away from the thread that reads.",
};
