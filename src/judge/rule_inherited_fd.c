/* SPDX-License-Identifier: MIT */
/*
 * rule_inherited_fd.c - the connection has ended, and more than one process holds it.
 *
 * close() in one of them does nothing as long as another has the same socket: a child that was started
 * without close-on-exec, a parent that forgot its copy, a sender of SCM_RIGHTS. If somebody reads or
 * watches the socket, the fault is with who merely holds it, the youngest of them; otherwise with
 * the eldest, which opened it and handed it down.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

/* Names of so many holders; one socket was seen with forty. */
#define HOLDERS_MAX 4

enum reason { ONE_USES, NOBODY_USES, UNSEEN };

struct member {
	pid_t pid;
	uint64_t start_ticks;
	bool uses, seen;
};

static struct member member_of(const struct lai_case *own, pid_t pid)
{
	const struct lai_process *process = lai_snapshot_process(own->court->now, pid);

	return (struct member){
		.pid = pid,
		.start_ticks = process ? process->start_ticks : 0,
		.seen = process && process->detailed,
		.uses = lai_attentions_uses(&own->court->attentions, pid, own->socket->inode),
	};
}

static bool is_younger(const struct member *a, const struct member *b)
{
	return a->start_ticks != b->start_ticks ? a->start_ticks > b->start_ticks : a->pid > b->pid;
}

static void find_guilty(const struct lai_case *own, struct lai_ruling *ruling)
{
	struct member eldest = {0}, idler = {0};
	uint32_t users = 0;
	bool seen = true;

	for (uint32_t i = 0; i < own->holder_count; i++) {
		struct member member;

		if (i > 0 && own->holders[i].pid == own->holders[i - 1].pid)
			continue;
		member = member_of(own, (pid_t)own->holders[i].pid);
		seen &= member.seen;
		users += member.uses;
		if (eldest.pid == 0 || is_younger(&eldest, &member))
			eldest = member;
		if (!member.uses && (idler.pid == 0 || is_younger(&member, &idler)))
			idler = member;
	}
	ruling->pid = users > 0 && idler.pid != 0 ? idler.pid : eldest.pid;
	ruling->reason = !seen ? UNSEEN : users > 0 ? ONE_USES : NOBODY_USES;
	ruling->confidence = seen ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	uint64_t bound_ms;

	if (own->process_count < 2 ||
	    (own->socket->state != LAI_TCP_CLOSE_WAIT && own->socket->state != LAI_TCP_FIN_WAIT2))
		return LAI_OPINION_NONE;
	find_guilty(own, ruling);
	if (own->socket->state == LAI_TCP_CLOSE_WAIT)
		return lai_case_is_young(own) || lai_case_reads_on(own) ? LAI_OPINION_ACQUITTED
									: LAI_OPINION_GUILTY;
	/* Who has half-closed and waits for the rest is not to be disturbed. */
	bound_ms = ruling->reason == NOBODY_USES ? LAI_HALF_CLOSED_MS : LAI_HALF_CLOSED_WATCHED_MS;
	return lai_case_is_older(own, bound_ms) ? LAI_OPINION_GUILTY : LAI_OPINION_ACQUITTED;
}

/* "Its parent, too, holds it." */
static bool has_parent_among(const struct lai_case *own, pid_t pid)
{
	const struct lai_process *process = lai_snapshot_process(own->court->now, pid);

	for (uint32_t i = 0; process && i < own->holder_count; i++)
		if ((pid_t)own->holders[i].pid == process->parent)
			return true;
	return false;
}

static void say_holders(const struct lai_case *own, struct lai_text *text)
{
	uint32_t said = 0;

	for (uint32_t i = 0; i < own->holder_count; i++) {
		pid_t pid = (pid_t)own->holders[i].pid;

		if (i > 0 && own->holders[i].pid == own->holders[i - 1].pid)
			continue;
		if (said == HOLDERS_MAX) {
			lai_text_append(text, " and %" PRIu32 " more",
					own->process_count - HOLDERS_MAX);
			return;
		}
		lai_text_append(text, "%s", said++ ? ", " : "");
		lai_say_process(text, own->court->now, pid);
		lai_text_append(
			text, " at fd %" PRIu32 "%s%s", own->holders[i].fd,
			has_parent_among(own, pid) ? ", a child of another" : "",
			lai_attentions_uses(&own->court->attentions, pid, own->socket->inode)
				? ", which watches or reads it"
				: "");
	}
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_case *own = lai_court_case(group->court, group->charges[0].place);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" %s been closed by the peer or half-closed, and %s held by more than "
			"one process: ",
			group->count == 1 ? "has" : "have", group->count == 1 ? "is" : "are");
	if (group->count > 1)
		lai_text_append(text, "the first one by ");
	say_holders(own, text);
	lai_text_append(text, ". No FIN is sent before all of them have closed.");
	if (group->charges[0].ruling.reason == ONE_USES)
		lai_text_append(text, " One of them looks after it; the others merely hold it.");
	else if (group->charges[0].ruling.reason == NOBODY_USES)
		lai_text_append(text, " None of them looks after it.");
	else
		lai_text_append(text, " Not all of them could be looked at.");
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_inherited_fd = {
	.verdict = LAI_VERDICT_INHERITED_FD,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"Open sockets close-on-exec (accept4() and socket() with SOCK_CLOEXEC); after fork() "
		"close in each process what it does not use; after SCM_RIGHTS close the sender's "
		"copy. shutdown(SHUT_RDWR) ends the connection for all holders.",
};
