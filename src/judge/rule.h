/* SPDX-License-Identifier: MIT */
/*
 * rule.h - what a rule is: one verdict, the question whether it fits a case, and what is said then.
 *
 * A rule is pure. It may look at the rulings on other suspects only if those come before its own
 * (see judge.c). Each stands in a file rule_NAME.c, or with its family.
 */
#ifndef LAI_JUDGE_RULE_H
#define LAI_JUDGE_RULE_H

#include "base/text.h"
#include "judge/case.h"

enum lai_opinion {
	LAI_OPINION_NONE,      /* does not fit: ask the next rule */
	LAI_OPINION_GUILTY,    /* fits; the ruling is filled */
	LAI_OPINION_ACQUITTED, /* nothing is wrong with it, or not yet: ask no more */
};

/* A suspect and what was decided. Those of one finding stand together. */
struct lai_charge {
	uint32_t place; /* among the suspects */
	struct lai_ruling ruling;
};

/* All charges of one finding, whose other fields are filled. count > 0. */
struct lai_group {
	struct lai_court *court;
	const struct lai_charge *charges;
	size_t count;
	const struct lai_finding *finding;
};

/* Which grade of lastack-close(1) helps. */
enum lai_remedy {
	LAI_REMEDY_NONE, /* it is no fault, or only the program can end it */
	LAI_REMEDY_FIN,	 /* RST where nobody has a descriptor */
	LAI_REMEDY_RST,	 /* a FIN would wait for ever, or has been sent */
};

struct lai_rule {
	enum lai_verdict verdict; /* LAI_VERDICT_COUNT: it only acquits */
	/* ruling comes with the verdict, the first holder's pid, and no clue. */
	enum lai_opinion (*judge)(const struct lai_case *own, struct lai_ruling *ruling);
	/* Whole sentences, the first one begins the text. */
	void (*testify)(const struct lai_group *group, struct lai_text *text);
	enum lai_remedy remedy;
	const char *advice;
};

/* The rule of a verdict that has charges. */
typedef const struct lai_rule *lai_rule_of(enum lai_verdict verdict);

/* In alphabetical order; the order of judgement is in judge.c. */
extern const struct lai_rule lai_rule_alibi, lai_rule_awaited, lai_rule_eof_ignored,
	lai_rule_fd_in_flight, lai_rule_fin_wait2_held, lai_rule_ghost_fd,
	lai_rule_half_close_not_forwarded, lai_rule_idle_pool, lai_rule_inherited_fd,
	lai_rule_io_uring_held, lai_rule_long_timeout, lai_rule_never_accepted, lai_rule_not_polled,
	lai_rule_owner_stuck, lai_rule_poisoned_tuple, lai_rule_unread_backlog,
	lai_rule_writes_after_fin;

/* The fact behind a charge of the group. */
const struct lai_socket_fact *lai_group_socket(const struct lai_group *group, size_t i);

/* How many charges have this reason. */
size_t lai_group_reasons(const struct lai_group *group, uint8_t reason);

/* The first charge with this reason; NULL: none. */
const struct lai_charge *lai_group_first(const struct lai_group *group, uint8_t reason);

#endif
