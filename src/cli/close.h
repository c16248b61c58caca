/* SPDX-License-Identifier: MIT */
/*
 * close.h - lastack close behind its command line: choose, act or not, say what came of it.
 *
 *	config -> close_plan.c -> close_act.c ---> close_table.c, close_say.c	for people
 *	          what matches    each is ended '-> close_data.c		for programs
 *	                          (--yes)
 */
#ifndef LAI_CLI_CLOSE_H
#define LAI_CLI_CLOSE_H

#include "cli/select.h"
#include "cli/watch_loop.h"
#include "judge/judge.h"
#include "mend/mend.h"
#include "observe/snapshot.h"

struct lai_close_config {
	const char *name;  /* "lastack close" */
	char *const *args; /* the command line behind it, for the one that would act */
	int arg_count;
	const struct lai_select *select;
	/* States that are chosen: those of an end, and whatever --state names by its own name. */
	uint32_t state_mask;
	bool states_named; /* --state was given */
	bool verdicts[LAI_VERDICT_COUNT];
	bool by_verdict; /* only sockets with one of them, in whatever state */
	enum lai_mend_how how;
	struct lai_mend_keepalive keepalive;
	bool act; /* --yes */
	uint32_t limit;
	enum lai_way_choice way;
	bool all_namespaces;
	bool json, text;
};

/* One chosen connection. */
struct lai_close_item {
	uint32_t socket; /* indices in the snapshot */
	uint32_t holder; /* LAI_NO_INDEX: no process has a descriptor of it */
	/* Who answers for it: the holder's, the listener's that does not accept; or 0. */
	uint32_t pid;
	const char *why_not;	       /* lai_mend_possible() */
	struct lai_mend_result result; /* mended in a dry run: it would be tried */
};

struct lai_close_plan {
	const struct lai_close_config *config;
	struct lai_snapshot *snapshot;
	struct lai_findings findings;
	struct lai_close_item *items; /* sorted by namespace, process, descriptor */
	size_t count;
	size_t left; /* matched, but over the limit */
	size_t ours; /* matched, but held by this very program */
};

/* close_plan.c: 0, and lai_close_plan_done(); or a negative errno, *sentence for free() or NULL. */
int lai_close_plan_make(const struct lai_close_config *config, struct lai_close_plan *plan,
			char **sentence);
void lai_close_plan_done(struct lai_close_plan *plan);

const struct lai_socket_fact *lai_close_socket(const struct lai_close_plan *plan,
					       const struct lai_close_item *item);

/* close_act.c: acts on each that can be acted on; -ENOMEM. */
int lai_close_act(struct lai_close_plan *plan);

/* How many items have each outcome. */
struct lai_close_tally {
	size_t outcomes[LAI_MEND_OUTCOME_COUNT];
	/* Of those mended: */
	size_t gone_now;    /* in none of the kernel's tables any more */
	size_t waiting;	    /* FIN or its ACK is on the way: the ports are busy yet */
	size_t half_open;   /* FIN_WAIT2: our FIN is acknowledged, the peer has not sent its own */
	size_t descriptors; /* still open in their processes */
	size_t backlog_slots; /* busy until accept() */
	uint64_t unread_bytes, unsent_bytes;
	int denied_error; /* of the last one denied */
};

void lai_close_count(const struct lai_close_plan *plan, struct lai_close_tally *tally);
/* Not done, though it should be: neither mended nor gone by itself. */
size_t lai_close_not_done(const struct lai_close_tally *tally);

/* close_table.c */
void lai_close_show_table(const struct lai_close_plan *plan, struct lai_watch_page *page);
/* What became of one, or would: "FIN sent". */
void lai_close_show_result(const struct lai_close_plan *plan, const struct lai_close_item *item,
			   struct lai_text *text);

/* close_say.c */
/* What was done, what it freed, and what it did not; what is dangerous. One paragraph each. */
void lai_close_show_sentences(const struct lai_close_plan *plan,
			      const struct lai_close_tally *tally, struct lai_text *text,
			      size_t columns);
/* What is dangerous alone. */
void lai_close_show_warnings(const struct lai_close_plan *plan, struct lai_text *text,
			     size_t columns);
/* What nothing matches. */
void lai_close_show_nothing(const struct lai_close_plan *plan, struct lai_text *text,
			    size_t columns);

/* close_command.c */
/* The command line that would act. */
void lai_close_show_command(const struct lai_close_config *config, struct lai_text *text);
/* The same by another grade, as an indented line of its own; a dry run if this was one. */
void lai_close_show_by(const struct lai_close_config *config, const char *how,
		       struct lai_text *text);
/* What was asked for, as it was written, a blank before each word. */
void lai_close_show_filters(const struct lai_close_config *config, struct lai_text *text);

/* close_data.c */
void lai_close_show_rows(const struct lai_close_plan *plan, struct lai_watch_page *page);
void lai_close_show_json(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
			 struct lai_watch_page *page);

/* close.c: the whole; returns the exit code. */
int lai_close_run(const struct lai_close_config *config);

#endif
