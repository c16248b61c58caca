/* SPDX-License-Identifier: MIT */
/*
 * watch_loop.h - what a command writes, once or (--watch) again and again until it is stopped.
 *
 *	watched on a terminal	each page is drawn over the last one and cut to the screen; the
 *				notes stay at its foot
 *	otherwise		each page is written as it comes, the notes go to stderr after it;
 *				an empty line separates pages, unless each is one line (JSON)
 *
 *	static int round(void *arg, struct lai_watch_page *page)
 *	{
 *		for (...) {
 *			lai_text_append(&page->text, ...);
 *			lai_watch_page_pass(page);	between lines, as often as one likes: cheap
 *		}
 *		lai_show_coverage_text(&page->notes, ...);
 *		return LAI_EXIT_DONE;
 *	}
 *	return lai_watch_loop_run("lastack list", &settings, round, &arg);
 */
#ifndef LAI_CLI_WATCH_LOOP_H
#define LAI_CLI_WATCH_LOOP_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct lai_watch_page {
	struct lai_text text;  /* for standard output: whole lines */
	struct lai_text notes; /* lines for people, for stderr; a missing last newline is added */
	bool terminal;	       /* standard output is one */
	bool drawn;	       /* over the last page: --watch on a terminal */
	unsigned columns;      /* the terminal's width; 0: no terminal, no bound */
	uint64_t round;	       /* 0: the first */
	int error;	       /* of writing, negative errno: the round may stop early */
};

/* Hands what text holds to standard output if it is much, unless the page is drawn as a whole. */
void lai_watch_page_pass(struct lai_watch_page *page);

/* The same for a writer with a text of its own, such as struct lai_json's: takes what it holds. */
void lai_watch_page_pass_text(struct lai_watch_page *page, struct lai_text *text);

/*
 * Makes one page; returns an exit code. LAI_EXIT_DONE and LAI_EXIT_FAILED let the watch go on, any
 * other ends it. After a failure it has complained itself (lai_command_complain()).
 */
typedef int lai_watch_round(void *arg, struct lai_watch_page *page);

struct lai_watch_settings {
	uint64_t period_ns; /* from the start of a round to that of the next; LA_NEVER or 0: once */
	uint64_t rounds; /* 0: until SIGINT, SIGTERM, SIGHUP or the reader of our output ends it */
	bool joined;	 /* no empty line between blocks, and never drawn: JSON lines */
};

/*
 * The exit code of the last round; LAI_EXIT_FAILED, quietly, if standard output was closed, and
 * with a complaint if it could not be written for another reason. --watch takes its signals by
 * descriptor, so SIGINT ends it after the round that runs, and its exit code counts.
 */
int lai_watch_loop_run(const char *name, const struct lai_watch_settings *settings,
		       lai_watch_round *round, void *arg);

/* What is wrong with the value of --watch, a LAI_OPTION_TIME whose default is LA_NEVER (so that 0
   can be refused); NULL: nothing. */
const char *lai_watch_period_wrong(uint64_t period_ns);

#endif
