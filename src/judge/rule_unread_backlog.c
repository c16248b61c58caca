/* SPDX-License-Identifier: MIT */
/*
 * rule_unread_backlog.c - the program has read something, and stopped before the end: data is left in
 * front of the FIN, though nothing keeps the program from reading on.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include "base/size.h"

#include <inttypes.h>

/* All threads wait for other connections: nobody is stuck. */
static bool is_at_rest(const struct lai_case *own)
{
	const struct lai_crew *crew = lai_attentions_crew(&own->court->attentions, own->pid);

	return crew && crew->by_wait[LAI_WAIT_READ] + crew->by_wait[LAI_WAIT_ACCEPT] +
				       crew->by_wait[LAI_WAIT_EVENTS] ==
			       crew->count;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;

	if (socket->state != LAI_TCP_CLOSE_WAIT || lai_unread_bytes(socket) <= LAI_UNREAD_MIN ||
	    lai_read_bytes(socket) == 0)
		return LAI_OPINION_NONE;
	ruling->confidence = LAI_CONFIDENCE_LIKELY;
	switch (own->attention) {
	case LAI_ATTENTION_LEVEL:
	case LAI_ATTENTION_EDGE: return LAI_OPINION_GUILTY;
	case LAI_ATTENTION_NOBODY: return is_at_rest(own) ? LAI_OPINION_GUILTY : LAI_OPINION_NONE;
	case LAI_ATTENTION_UNSEEN:
		ruling->confidence = LAI_CONFIDENCE_POSSIBLE;
		return LAI_OPINION_GUILTY;
	default: return LAI_OPINION_NONE;
	}
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	char unread[LAI_SIZE_TEXT_MAX], most[LAI_SIZE_TEXT_MAX];
	uint64_t most_bytes = 0, read_bytes = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct lai_socket_fact *socket = lai_group_socket(group, i);

		read_bytes += lai_read_bytes(socket);
		if (lai_unread_bytes(socket) > most_bytes)
			most_bytes = lai_unread_bytes(socket);
	}
	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in CLOSE_WAIT. The program has read %" PRIu64 " bytes and stopped: %s "
			"%s left in front of the FIN",
			read_bytes, lai_size_format(unread, group->finding->unread_bytes),
			group->finding->unread_bytes == 1 ? "is" : "are");
	if (group->count > 1)
		lai_text_append(text, ", up to %s on one", lai_size_format(most, most_bytes));
	lai_text_append(text, ".%s close() would send RST and destroy them.",
			group->court->before ? " It has read nothing since the earlier look." : "");
	lai_say_crew(text, &group->court->attentions, group->finding->pid);
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_unread_backlog = {
	.verdict = LAI_VERDICT_UNREAD_BACKLOG,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"Read until EAGAIN or 0 after each edge; when a buffer is full or a message cannot "
		"become complete any more, end the connection instead of waiting.",
};
