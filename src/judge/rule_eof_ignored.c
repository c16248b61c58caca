/* SPDX-License-Identifier: MIT */
/*
 * rule_eof_ignored.c - the program knows that the peer has closed, and has not closed.
 *
 * Two ways to know. read() has returned 0: the FIN's one sequence number has been consumed, the
 * receive queue is empty. Or epoll has reported the end edge-triggered: the loop has been woken, is
 * at rest again, and has not read.
 *
 * The first needs no look at any process: a socket whose owner is hidden from us is judged as well.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

enum reason { READ_IT, READ_AND_ALONE, WAS_WOKEN, HIDDEN };

/* The other end is here, and no descriptor refers to it any more: nobody waits for an answer. */
static bool is_alone(const struct lai_case *own)
{
	uint32_t peer = lai_case_peer(own);
	const struct lai_socket_fact *end;

	if (peer == LAI_NO_INDEX)
		return false;
	end = &own->court->now->sockets[peer];
	return end->state == LAI_TCP_FIN_WAIT2 && end->inode == 0;
}

/* A server may work on its answer to a half-closed client; those do not become more and more. */
static enum lai_confidence confidence_of(const struct lai_case *own, bool alone)
{
	if (lai_case_grows(own) || (alone && !lai_case_is_recent(own)))
		return LAI_CONFIDENCE_CERTAIN;
	if (alone)
		return LAI_CONFIDENCE_LIKELY;
	return lai_case_is_recent(own) ? LAI_CONFIDENCE_POSSIBLE : LAI_CONFIDENCE_LIKELY;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;

	if (socket->state != LAI_TCP_CLOSE_WAIT || own->process_count > 1)
		return LAI_OPINION_NONE;
	if (own->process_count == 0) {
		ruling->reason = HIDDEN;
		ruling->confidence = LAI_CONFIDENCE_POSSIBLE;
		return socket->rqueue_bytes == 0 ? LAI_OPINION_GUILTY : LAI_OPINION_ACQUITTED;
	}
	if (socket->rqueue_bytes == 0) {
		ruling->reason = is_alone(own) ? READ_AND_ALONE : READ_IT;
		ruling->confidence = confidence_of(own, ruling->reason == READ_AND_ALONE);
		return LAI_OPINION_GUILTY;
	}
	/* With data left it is a matter of reading on: unread-backlog. */
	if (own->attention != LAI_ATTENTION_EDGE ||
	    (lai_unread_bytes(socket) > LAI_UNREAD_MIN && lai_read_bytes(socket) > 0))
		return LAI_OPINION_NONE;
	ruling->reason = WAS_WOKEN;
	ruling->confidence = lai_case_is_recent(own) || lai_case_is_idle_client(own)
				     ? LAI_CONFIDENCE_POSSIBLE
				     : LAI_CONFIDENCE_LIKELY;
	return LAI_OPINION_GUILTY;
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	size_t woken = lai_group_reasons(group, WAS_WOKEN);
	size_t read = group->count - woken;
	size_t alone = lai_group_reasons(group, READ_AND_ALONE);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " in CLOSE_WAIT.");
	if (read > 0)
		lai_text_append(text,
				" The program has read the end of %s (read() returned 0: nothing "
				"is unread, not even the FIN) and has not called close().",
				group->count == 1 ? "it"
				: woken > 0	  ? "some"
						  : "each");
	if (woken > 0)
		lai_text_append(text,
				" epoll has told it of the end of %s%s (edge-triggered), the "
				"loop is at rest again, and the end has not been read.",
				read > 0 ? "the " : "", read > 0 ? "others" : "them");
	if (lai_group_reasons(group, HIDDEN) > 0)
		lai_text_append(text,
				" Which process that is could not be seen: %u of %u processes "
				"are hidden from us.",
				group->court->now->coverage.unreadable,
				group->court->now->coverage.processes);
	lai_say_oldest(text, group->finding);
	if (alone > 0)
		lai_text_append(text,
				" %s peer has closed altogether: no descriptor refers to the other "
				"end any more, so nobody waits for an answer.",
				alone == group->count ? "The" : "Of some the");
	else if (group->finding->confidence != LAI_CONFIDENCE_CERTAIN)
		lai_text_append(
			text, " A server may still work on an answer to a half-closed client%s.",
			group->finding->confidence == LAI_CONFIDENCE_LIKELY ? ", but seldom so long"
									    : "");
}

const struct lai_rule lai_rule_eof_ignored = {
	.verdict = LAI_VERDICT_EOF_IGNORED,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"Look at the branch where read() returns 0: every path from there, errors too, must "
		"end in close(). In Java, Go, Python: close response bodies and streams, also when "
		"an exception is thrown.",
};
