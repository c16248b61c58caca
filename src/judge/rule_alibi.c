/* SPDX-License-Identifier: MIT */
/* rule_alibi.c - CLOSE_WAIT that a healthy program has for a moment: it is about to close. */
#include "judge/rule.h"

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	(void)ruling;
	if (own->socket->state != LAI_TCP_CLOSE_WAIT)
		return LAI_OPINION_ACQUITTED;
	if (own->socket->wqueue_bytes > 0 || lai_case_is_young(own))
		return LAI_OPINION_ACQUITTED;
	/* Slowly, but it is on its way to the FIN. */
	return lai_case_reads_on(own) || own->attention == LAI_ATTENTION_READING
		       ? LAI_OPINION_ACQUITTED
		       : LAI_OPINION_NONE;
}

const struct lai_rule lai_rule_alibi = {.verdict = LAI_VERDICT_COUNT, .judge = judge};
