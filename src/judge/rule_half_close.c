/* SPDX-License-Identifier: MIT */
/*
 * rule_half_close.c - half-close-not-forwarded: a proxy has read the end on one leg, and keeps the
 * other leg open as if nothing had happened. What makes two sockets legs stands in leg.h. If the FIN
 * was passed on, the proxy does right and waits; so it does while data still flows.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

static bool is_at_rest(const struct lai_socket_fact *socket)
{
	return socket->sent_age_ms >= LAI_LEG_IDLE_MS && socket->received_age_ms >= LAI_LEG_IDLE_MS;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_leg *leg = &own->court->legs.of[own->place];
	const struct lai_socket_fact *other;

	if (own->socket->state != LAI_TCP_CLOSE_WAIT || leg->socket == LAI_NO_INDEX)
		return LAI_OPINION_NONE;
	other = &own->court->now->sockets[leg->socket];
	/* The answer to what was passed on may still come. */
	if (leg->finished || !is_at_rest(other) || lai_case_is_young(own) ||
	    lai_is_asking(other, lai_role_of(&own->court->listeners, other)))
		return LAI_OPINION_ACQUITTED;
	ruling->other = leg->socket;
	ruling->reason = leg->sign;
	ruling->confidence = LAI_CONFIDENCE_LIKELY;
	return LAI_OPINION_GUILTY;
}

static void say_leg(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_snapshot *now = group->court->now;
	const struct lai_socket_fact *own = lai_group_socket(group, 0);
	const struct lai_socket_fact *leg = &now->sockets[group->charges[0].ruling.other];

	lai_text_append(text, " %s the other leg ",
			group->count == 1 ? "This is" : "The first has");
	lai_say_address(text, &leg->local);
	lai_text_append(text, " -> ");
	lai_say_address(text, &leg->remote);
	if (leg->holder_count > 0)
		lai_text_append(text, " (fd %" PRIu32 ")", now->holders[leg->holder_first].fd);
	lai_text_append(text,
			": %" PRIu64 " bytes were read here and %" PRIu64 " written there, %" PRIu64
			" read there and %" PRIu64 " written here.",
			lai_leg_read(own),
			lai_leg_written(leg, lai_role_of(&group->court->listeners, leg)),
			lai_leg_read(leg),
			lai_leg_written(own, lai_role_of(&group->court->listeners, own)));
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	size_t waiting = lai_group_reasons(group, LAI_LEG_WAITING);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in CLOSE_WAIT: the program has read the end of %s and has not passed "
			"it on. It is a proxy: for each it holds an open connection to the other "
			"side, at rest.",
			group->count == 1 ? "it" : "each");
	say_leg(group, text);
	if (waiting > 0)
		lai_text_append(text, " For %zu of them it still waits for input on the other leg.",
				waiting);
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_half_close_not_forwarded = {
	.verdict = LAI_VERDICT_HALF_CLOSE_NOT_FORWARDED,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"When read() returns 0 on one leg, write what is left and call shutdown(SHUT_WR) on "
		"the other; give the second direction a deadline, then close both.",
};
