/* SPDX-License-Identifier: MIT */
/*
 * rule_long_timeout.c - CLOSE_WAIT that its program ends, only late: a time-out does what it says.
 *
 * One look cannot tell that from a leak that began when the oldest one did. Two looks can: others of
 * the same group were there and have gone. They lived so long at most; whatever is younger than that
 * is on the same way, whatever is older is not, and is left to the other rules.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

/* A quarter more than before is the noise of arrivals. */
static bool is_steady(const struct lai_sign *sign)
{
	return sign->now <= sign->before + sign->before / 4 + 1;
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_sign *sign = own->whole;

	if (own->socket->state != LAI_TCP_CLOSE_WAIT || own->process_count != 1 ||
	    sign->gone < LAI_TURNOVER_MIN || !is_steady(sign) || own->age_kind == LAI_AGE_UNKNOWN ||
	    own->age_ms > sign->gone_age_ms)
		return LAI_OPINION_NONE;
	ruling->confidence = LAI_CONFIDENCE_LIKELY;
	return LAI_OPINION_GUILTY;
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_case *own = lai_court_case(group->court, group->charges[0].place);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in CLOSE_WAIT, and the program does end such connections: of %" PRIu32
			" that were there ",
			own->whole->before);
	lai_say_ms(text, group->court->interval_ms);
	lai_text_append(text, " ago %" PRIu32 " have gone, at an age of at most ",
			own->whole->gone);
	lai_say_ms(text, own->whole->gone_age_ms);
	lai_text_append(text, ". None of these here is older than that, and they have not become "
			      "more.");
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_long_timeout = {
	.verdict = LAI_VERDICT_LONG_TIMEOUT,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_NONE,
	.advice =
		"Nothing is broken. If there are too many of them, close at the peer's FIN or shorten "
		"the time-out.",
};
