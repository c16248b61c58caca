/* SPDX-License-Identifier: MIT */
/*
 * rule_ghost_fd.c - the connection was reset or has ended, and left the kernel's tables; the
 * descriptor is still open. A program may be on its way from the error to its close(). So the
 * snapshot looks at such descriptors twice; it is certain if they become more, or stay for a minute.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

enum reason { CONNECTED, UNKNOWN };

/* A handler at work and a pool at rest have not looked at their reset connections yet: such are few. */
static enum lai_confidence confidence_of(const struct lai_case *own)
{
	if (own->earlier && (lai_case_grows(own) || own->court->interval_ms >= LAI_ANSWER_MS))
		return LAI_CONFIDENCE_CERTAIN;
	return own->whole->now > LAI_GHOSTS_FEW ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;
	bool twice = own->earlier && own->earlier->state == LAI_TCP_CLOSE;

	if (socket->state != LAI_TCP_CLOSE)
		return LAI_OPINION_NONE;
	if (own->holder_count == 0 || (own->court->before && !twice))
		return LAI_OPINION_ACQUITTED;
	ruling->reason = socket->past == LAI_PAST_CONNECTED ? CONNECTED : UNKNOWN;
	if (ruling->reason == UNKNOWN) {
		/* One or two may be new sockets that are going to be connected. */
		ruling->confidence = LAI_CONFIDENCE_POSSIBLE;
		return own->whole->now >= LAI_GHOSTS_UNKNOWN_MIN ? LAI_OPINION_GUILTY
								 : LAI_OPINION_ACQUITTED;
	}
	ruling->confidence = confidence_of(own);
	return LAI_OPINION_GUILTY;
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	size_t unknown = lai_group_reasons(group, UNKNOWN);

	lai_say_count(text, group->count, "descriptor");
	lai_text_append(text,
			" of TCP sockets %s open, and the kernel has no connection for %s: "
			"it was reset, or has ended in both directions.",
			group->count == 1 ? "is" : "are", group->count == 1 ? "it" : "them");
	lai_text_append(text, " ss and netstat do not show such sockets.");
	if (unknown > 0)
		lai_text_append(text,
				" Of %zu it could not be seen whether they were ever "
				"connected.",
				unknown);
	else if (group->finding->confidence == LAI_CONFIDENCE_POSSIBLE)
		lai_text_append(text, " They are few: a pool of a client's, or a handler at work, "
				      "will close them when it looks at them.");
	if (group->court->before)
		lai_text_append(text, " The earlier look saw %s too.",
				group->count == 1 ? "it" : "them");
}

const struct lai_rule lai_rule_ghost_fd = {
	.verdict = LAI_VERDICT_GHOST_FD,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_NONE,
	.advice =
		"close() the descriptor after an error and after shutdown(): neither frees it. There "
		"is no connection left to end from outside; restarting the program frees the "
		"descriptors.",
};
