/* SPDX-License-Identifier: MIT */
/*
 * rule_alibi.c - CLOSE_WAIT that healthy programs have: for a moment, or as long as they work.
 *
 * After a half-close an answer follows, and it may take its time. That it is awaited is proved where
 * the other end is on this host: its program has shut down its sending half, and reads. Who has given
 * up waiting cannot be told from who waits; there the server is let go on for a minute, if it has read
 * the request and there is a thread, or a request of its own to somebody else, for each connection.
 */
#include "judge/bounds.h"
#include "judge/rule.h"

/* The whole request has been read. */
static bool may_answer(const struct lai_case *own)
{
	return own->socket->state == LAI_TCP_CLOSE_WAIT && own->process_count == 1 &&
	       lai_unread_bytes(own->socket) == 0;
}

/* After a minute an awaited answer needs somebody who works on it. */
static bool is_at_work(const struct lai_case *own)
{
	const struct lai_leg *leg = &own->court->legs.of[own->place];

	if (leg->socket != LAI_NO_INDEX && !leg->finished)
		return false; /* its threads copy, and that is over */
	return (own->socket->has_info && own->socket->sent_age_ms < LAI_ANSWER_MS) ||
	       lai_case_workers(own, true) >= own->whole->now;
}

/* Both ends are in one process, as in a test of a server: that it waits says nothing about work. */
static bool awaits_itself(const struct lai_case *own)
{
	const struct lai_snapshot *now = own->court->now;

	return lai_only_pid(now, &now->sockets[lai_case_peer(own)]) == own->pid;
}

static enum lai_opinion judge_awaited(const struct lai_case *own, struct lai_ruling *ruling)
{
	(void)ruling;
	if (!may_answer(own) || !lai_case_peer_waits(own))
		return LAI_OPINION_NONE;
	return (lai_case_is_recent(own) && !awaits_itself(own)) || is_at_work(own)
		       ? LAI_OPINION_ACQUITTED
		       : LAI_OPINION_NONE;
}

/* A handler whose client has gone, or whose waiting client is not on this host. */
static bool is_handled(const struct lai_case *own)
{
	return may_answer(own) && own->role == LAI_ROLE_ACCEPTED && lai_case_is_recent(own) &&
	       lai_read_bytes(own->socket) > 0 &&
	       lai_case_workers(own, false) + lai_case_asking(own) >= own->whole->now;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	(void)ruling;
	if (own->socket->state != LAI_TCP_CLOSE_WAIT)
		return LAI_OPINION_ACQUITTED;
	if (own->socket->wqueue_bytes > 0 || lai_case_is_young(own) || is_handled(own))
		return LAI_OPINION_ACQUITTED;
	/* Slowly, but it is on its way to the FIN. */
	return lai_case_reads_on(own) || own->attention == LAI_ATTENTION_READING
		       ? LAI_OPINION_ACQUITTED
		       : LAI_OPINION_NONE;
}

const struct lai_rule lai_rule_awaited = {.verdict = LAI_VERDICT_COUNT, .judge = judge_awaited};
const struct lai_rule lai_rule_alibi = {.verdict = LAI_VERDICT_COUNT, .judge = judge};
