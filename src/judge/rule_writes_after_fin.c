/* SPDX-License-Identifier: MIT */
/*
 * rule_writes_after_fin.c - the peer has sent its FIN, and the program goes on sending to nobody.
 *
 * An answer after a half-close is legitimate: it flows. A peer that has closed answers the first byte
 * with RST, which ends the connection; so bytes that are acknowledged after the FIN prove that the
 * peer still reads. What is left are bytes that wait and that the peer does not take, be it that its
 * window is closed or that it is gone without a word. If the program has written more of them since
 * the earlier look, it is certain; how much it writes is known to the byte (leg.h), without what the
 * kernel sends again.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include "base/size.h"

enum reason { STALLED, WRITES };

static bool was_there(const struct lai_case *own)
{
	return own->earlier && own->earlier->state == LAI_TCP_CLOSE_WAIT &&
	       own->earlier->has_info && own->socket->has_info;
}

static uint64_t written_since(const struct lai_case *own)
{
	uint64_t then, now;

	if (!was_there(own))
		return 0;
	then = lai_leg_written(own->earlier, own->role);
	now = lai_leg_written(own->socket, own->role);
	return now > then ? now - then : 0;
}

static bool was_acked_since(const struct lai_case *own)
{
	return was_there(own) && own->socket->acked_bytes > own->earlier->acked_bytes;
}

/* How long the peer has taken nothing: no ACK came, or nothing more could be sent. */
static uint32_t stalled_ms(const struct lai_socket_fact *socket)
{
	return socket->ack_age_ms > socket->sent_age_ms ? socket->ack_age_ms : socket->sent_age_ms;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;

	if (socket->state != LAI_TCP_CLOSE_WAIT)
		return LAI_OPINION_NONE;
	/* A reader that pauses is alive: a slow disk, a pager. */
	if (was_acked_since(own) || lai_case_peer_is_slow(own))
		return LAI_OPINION_ACQUITTED;
	if (written_since(own) > 0) {
		ruling->reason = WRITES;
		ruling->confidence = stalled_ms(socket) >= LAI_ANSWER_MS ? LAI_CONFIDENCE_CERTAIN
									 : LAI_CONFIDENCE_LIKELY;
		return lai_case_is_older(own, LAI_WRITES_MS) ? LAI_OPINION_GUILTY
							     : LAI_OPINION_ACQUITTED;
	}
	if (socket->wqueue_bytes == 0)
		return LAI_OPINION_NONE;
	ruling->reason = STALLED;
	/* Answered probes of a closed window: it lives, and may read on. */
	ruling->confidence =
		socket->retransmits > 0 ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE;
	return socket->has_info && stalled_ms(socket) >= LAI_STALLED_MS ? LAI_OPINION_GUILTY
									: LAI_OPINION_ACQUITTED;
}

static void say_writes(const struct lai_group *group, size_t count, struct lai_text *text)
{
	char size[LAI_SIZE_TEXT_MAX];
	uint64_t bytes = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct lai_case *own = lai_court_case(group->court, group->charges[i].place);

		bytes += written_since(own);
	}
	lai_text_append(text, " To %zu of them it has written %s in the last ", count,
			lai_size_format(size, bytes));
	lai_say_ms(text, group->court->interval_ms);
	lai_text_append(text, ".");
}

static void say_stalled(const struct lai_group *group, struct lai_text *text)
{
	char size[LAI_SIZE_TEXT_MAX];
	uint64_t bytes = 0, longest_ms = 0;
	uint32_t retransmits = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct lai_socket_fact *socket = lai_group_socket(group, i);

		bytes += socket->wqueue_bytes;
		if (socket->wqueue_bytes > 0 && stalled_ms(socket) > longest_ms)
			longest_ms = stalled_ms(socket);
		if (socket->retransmits > retransmits)
			retransmits = socket->retransmits;
	}
	if (bytes == 0)
		return;
	lai_text_append(text, " %s wait to be taken by the peer; for ",
			lai_size_format(size, bytes));
	lai_say_ms(text, longest_ms);
	lai_text_append(text, " nothing could be sent.");
	if (retransmits > 0)
		lai_text_append(text, " The kernel has tried again %u times without an answer.",
				(unsigned)retransmits);
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	size_t writes = lai_group_reasons(group, WRITES);
	const struct lai_socket_fact *first = lai_group_socket(group, 0);
	const struct lai_thread *thread = lai_attentions_thread(
		&group->court->attentions, group->finding->pid, first->inode, LAI_WAIT_WRITE);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " in CLOSE_WAIT: the peer has sent its FIN, and the program still "
			      "sends.");
	if (group->finding->confidence == LAI_CONFIDENCE_POSSIBLE)
		lai_text_append(text,
				" The peer's kernel answers, its program does not read: it may "
				"pause, or want nothing but our FIN.");
	if (writes > 0)
		say_writes(group, writes, text);
	say_stalled(group, text);
	if (thread) {
		lai_text_append(text, " Now ");
		lai_say_thread(text, thread);
		lai_text_append(text, ".");
	}
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_writes_after_fin = {
	.verdict = LAI_VERDICT_WRITES_AFTER_FIN,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_RST,
	.advice =
		"Watch for input as well (EPOLLIN or EPOLLRDHUP), read to the end, and stop writing "
		"when read() returns 0, unless the protocol asks for an answer. Set TCP_USER_TIMEOUT "
		"against peers that take nothing.",
};
