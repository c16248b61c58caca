/* SPDX-License-Identifier: MIT */
/* lab_words.h - the phrases about a run that its reports share. They append plain text. */
#ifndef LAI_SHOW_LAB_WORDS_H
#define LAI_SHOW_LAB_WORDS_H

#include "base/text.h"
#include "lab/runner.h"

/* "2026-11-22 22:35 UTC" */
void lai_lab_words_when(struct lai_text *text, uint64_t realtime_ns);
/* "5 (1 to 5)", of the outcome that has most; "none" */
void lai_lab_words_seeds(struct lai_text *text, const struct lai_run *run);
/* "net.ipv4.tcp_timestamps=0, ...", or "the kernel's own" */
void lai_lab_words_settings(struct lai_text *text, const struct lai_run *run);
/* "REFUTED", or "CONFIRMED; from Linux 4.19 on REFUTED (what changed)" */
void lai_lab_words_expected(struct lai_text *text, const struct lai_claim *claim);
/* "all 5 seeds agree", "2 CONFIRMED, 3 REFUTED" */
void lai_lab_words_agreement(struct lai_text *text, const struct lai_outcome *outcome);

/* "held, as it must: 3 of 3 were refused": what the trial saw of its control. */
void lai_lab_words_control(struct lai_text *text, const struct lai_result *result);

/* Calls each() for every text of a claim that stands below its verdict, with its label; what a claim
   does not say is passed over. */
void lai_lab_words_claim(const struct lai_claim *claim,
			 void (*each)(void *arg, const char *label, const char *text), void *arg);

struct lai_lab_tally {
	size_t verdicts[LAI_LAB_VERDICT_COUNT];
	size_t as_expected; /* LACKS not among them */
	size_t news;	    /* other than documented */
};
struct lai_lab_tally lai_lab_tally(const struct lai_run *run);

/* The first trial that has a capture; otherwise the first one; NULL: there is none. */
const struct lai_outcome_trial *lai_lab_trial_shown(const struct lai_outcome *outcome);

#endif
