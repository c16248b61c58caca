/* SPDX-License-Identifier: MIT */
/*
 * rule_idle_pool.c - a client keeps idle connections for later, and the server has closed them.
 *
 * Pools do not look at idle connections. The next use, or the pool's own reaper, closes them; so
 * there are few, nearly nothing is unread, nothing waits to be sent, and they do not multiply. A
 * server that forgot an accepted connection looks alike; but it is not the side that connected.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

static bool is_bounded(const struct lai_case *own)
{
	const struct lai_sign *sign = own->exact;

	if (own->court->before && sign->now > sign->before)
		return sign->now <= LAI_POOL_GROWING_MAX;
	return sign->now <= LAI_POOL_MAX;
}

/* Nobody looks, or somebody was told once, as runtimes do that watch everything. */
static bool is_left_alone(const struct lai_case *own)
{
	const struct lai_crew *crew = lai_attentions_crew(&own->court->attentions, own->pid);

	if (crew && crew->count > 0 && crew->by_wait[LAI_WAIT_STOPPED] == crew->count)
		return false;
	switch (own->attention) {
	case LAI_ATTENTION_UNSEEN:
	case LAI_ATTENTION_EDGE:
	case LAI_ATTENTION_NO_SET:
	case LAI_ATTENTION_NOBODY: return true;
	default: return false;
	}
}

/* Our data was the last that went: an upload to a server that has said all it had to say. A pooled
   connection has had its answer. */
static bool is_sending(const struct lai_case *own)
{
	return own->age_kind == LAI_AGE_LOWER_BOUND && lai_is_asking(own->socket, own->role);
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;

	if (socket->state != LAI_TCP_CLOSE_WAIT || own->role != LAI_ROLE_CONNECTED ||
	    own->process_count != 1 || socket->rqueue_bytes == 0 ||
	    lai_unread_bytes(socket) > LAI_POOL_UNREAD_MAX || socket->wqueue_bytes > 0 ||
	    !is_bounded(own) || !is_left_alone(own))
		return LAI_OPINION_NONE;
	if (is_sending(own))
		return LAI_OPINION_ACQUITTED;
	ruling->confidence = own->attention == LAI_ATTENTION_UNSEEN ? LAI_CONFIDENCE_POSSIBLE
								    : LAI_CONFIDENCE_LIKELY;
	return LAI_OPINION_GUILTY;
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	uint64_t unread = group->finding->unread_bytes;

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" that the program made itself, closed by the server. The program does "
			"not look at them, and ");
	if (unread == 0)
		lai_text_append(text, "nothing but the FIN is unread.");
	else
		lai_text_append(text,
				"only %" PRIu64 " bytes in all are unread, such as a farewell "
				"of TLS.",
				unread);
	lai_text_append(text, " So do idle pooled connections look, which are closed at their next "
			      "use.");
	if (group->charges[0].ruling.confidence == LAI_CONFIDENCE_POSSIBLE)
		lai_text_append(text, " What its threads do could not be seen.");
	lai_say_oldest(text, group->finding);
	if (!group->court->before)
		lai_text_append(text, " If they become more (doctor --watch), it is a leak.");
}

const struct lai_rule lai_rule_idle_pool = {
	.verdict = LAI_VERDICT_IDLE_POOL,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_NONE,
	.advice =
		"Nothing need be done. To have none of them, let the pool's idle time-out be shorter "
		"than the server's.",
};
