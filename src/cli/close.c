/* SPDX-License-Identifier: MIT */
/* close.c - lastack close from the snapshot to the exit code. */
#include "cli/close.h"

#include "cli/command.h"
#include "show/show_coverage.h"
#include "show/show_paragraph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sentences that are piped are wrapped for the terminal that they are likely to be read on. */
#define COLUMNS_DEFAULT 80
/* Longer than what can be said of a coverage. */
#define PARAGRAPH_MAX 65536

static size_t columns_of(const struct lai_watch_page *page)
{
	return page->columns ? page->columns : COLUMNS_DEFAULT;
}

static void say_coverage(const struct lai_close_plan *plan, struct lai_watch_page *page)
{
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);

	lai_show_coverage_text(&words, plan->snapshot);
	lai_show_wrapped(&page->notes, 0, columns_of(page), lai_text_string(&words));
	lai_text_done(&words);
}

/* On a terminal everything is one text; in a pipe the rows are, and the sentences go to stderr. */
static void say(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
		struct lai_watch_page *page)
{
	const struct lai_close_config *config = plan->config;
	bool people = config->text || page->terminal;

	if (config->json) {
		lai_close_show_json(plan, tally, page);
		lai_close_show_warnings(plan, &page->notes, columns_of(page));
		return;
	}
	if (plan->count == 0 && people) {
		lai_close_show_nothing(plan, &page->text, columns_of(page));
	} else if (people) {
		lai_close_show_table(plan, page);
		lai_text_append(&page->text, "\n");
		lai_close_show_sentences(plan, tally, &page->text, columns_of(page));
	} else {
		lai_close_show_rows(plan, page);
		if (plan->count)
			lai_close_show_sentences(plan, tally, &page->notes, columns_of(page));
		else
			lai_close_show_nothing(plan, &page->notes, columns_of(page));
	}
	if (!lai_show_coverage_whole(plan->snapshot))
		say_coverage(plan, page);
}

static int exit_code_of(const struct lai_close_plan *plan, const struct lai_close_tally *tally)
{
	if (!plan->config->act || lai_close_not_done(tally) == 0)
		return LAI_EXIT_DONE;
	if (tally->outcomes[LAI_MENDED] == 0 && tally->outcomes[LAI_MEND_DENIED])
		return LAI_EXIT_CANNOT;
	return LAI_EXIT_FAILED;
}

static int close_once(void *arg, struct lai_watch_page *page)
{
	const struct lai_close_config *config = arg;
	struct lai_close_tally tally;
	struct lai_close_plan plan;
	char *sentence = NULL;
	int error = lai_close_plan_make(config, &plan, &sentence), exit_code;

	if (error)
		return lai_command_snapshot_failed(config->name, error, sentence);
	error = config->act ? lai_close_act(&plan) : 0;
	if (error) {
		exit_code = lai_command_snapshot_failed(config->name, error, NULL);
	} else {
		lai_close_count(&plan, &tally);
		say(&plan, &tally, page);
		exit_code = exit_code_of(&plan, &tally);
	}
	lai_close_plan_done(&plan);
	return exit_code;
}

int lai_close_run(const struct lai_close_config *config)
{
	const struct lai_watch_settings once = {.period_ns = LA_NEVER};

	return lai_watch_loop_run(config->name, &once, close_once, (void *)config);
}
