/* SPDX-License-Identifier: MIT */
/*
 * rule_fin_wait2_held.c - we have sent our FIN, the peer has not, and the descriptor is still open.
 *
 * After close() the kernel would end it by itself (tcp_fin_timeout); after shutdown(SHUT_WR) there is
 * no timer at all. It waits for the peer. If the peer is on this host and in CLOSE_WAIT, that end
 * has its own verdict, and is named; if that end is merely late, so is this one.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

enum reason { ALONE, WATCHED, PEER_HERE };

static bool is_watched(const struct lai_case *own)
{
	switch (own->attention) {
	case LAI_ATTENTION_UNSEEN: /* for all we know */
	case LAI_ATTENTION_READING:
	case LAI_ATTENTION_LEVEL:
	case LAI_ATTENTION_EDGE: return true;
	default: return false;
	}
}

/* The peer's end is on this host, and nothing is wrong with it (yet), or it still sends to us: that is
   what a half-close is for. */
static bool is_peer_innocent(const struct lai_case *own, uint32_t peer)
{
	const struct lai_ruling *ruling = lai_court_ruling(own->court, peer);

	if (own->court->now->sockets[peer].state != LAI_TCP_CLOSE_WAIT)
		return false;
	return !ruling || ruling->verdict == LAI_VERDICT_COUNT ||
	       ruling->verdict == LAI_VERDICT_LONG_TIMEOUT ||
	       ruling->verdict == LAI_VERDICT_WRITES_AFTER_FIN;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;
	uint64_t bound_ms = is_watched(own) ? LAI_HALF_CLOSED_WATCHED_MS : LAI_HALF_CLOSED_MS;
	uint32_t peer;

	if (socket->state != LAI_TCP_FIN_WAIT2)
		return LAI_OPINION_NONE;
	/* Each byte that still comes brings an ACK: then it is a half-close at work. */
	if (own->holder_count == 0 || !lai_case_is_older(own, bound_ms) ||
	    (socket->has_info && socket->ack_age_ms < LAI_HALF_CLOSED_MS))
		return LAI_OPINION_ACQUITTED;
	peer = lai_case_peer(own);
	if (peer != LAI_NO_INDEX && is_peer_innocent(own, peer))
		return LAI_OPINION_ACQUITTED;
	ruling->other = peer;
	ruling->reason = peer != LAI_NO_INDEX ? PEER_HERE : is_watched(own) ? WATCHED : ALONE;
	ruling->confidence = own->attention == LAI_ATTENTION_UNSEEN ? LAI_CONFIDENCE_LIKELY
								    : LAI_CONFIDENCE_CERTAIN;
	return LAI_OPINION_GUILTY;
}

static void say_peer(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_charge *first = lai_group_first(group, PEER_HERE);
	const struct lai_snapshot *now = group->court->now;
	const struct lai_ruling *ruling;
	pid_t pid;

	if (!first)
		return;
	pid = lai_first_pid(now, &now->sockets[first->ruling.other]);
	ruling = lai_court_ruling(group->court, first->ruling.other);
	lai_text_append(text, " The other end is on this host and waits for ");
	lai_say_process(text, now, pid);
	if (ruling && ruling->verdict != LAI_VERDICT_COUNT)
		lai_text_append(text, ", which has the finding %s: the cause is there",
				lai_verdict_name(ruling->verdict));
	lai_text_append(text, ".");
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in FIN_WAIT2: the program has sent its FIN by shutdown() and keeps "
			"the descriptor; the peer has not closed. No timer runs, so %s for "
			"ever.",
			group->count == 1 ? "it waits" : "they wait");
	lai_say_oldest(text, group->finding);
	if (lai_group_reasons(group, ALONE) > 0)
		lai_text_append(text, " No thread reads and no event loop watches %s.",
				group->count == 1 ? "it" : "all of them");
	say_peer(group, text);
}

const struct lai_rule lai_rule_fin_wait2_held = {
	.verdict = LAI_VERDICT_FIN_WAIT2_HELD,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_RST,
	.advice =
		"After shutdown(SHUT_WR) read to the peer's end with a deadline, then close(): from "
		"then on the kernel ends it (tcp_fin_timeout).",
};
