/* SPDX-License-Identifier: MIT */
/*
 * explain.h - what a verdict means, how it arises, how it is known, how the program is mended and
 * what the remedy frees: a screenful each. lastack-verdicts(7) says the same at more length.
 */
#ifndef LAI_SHOW_EXPLAIN_H
#define LAI_SHOW_EXPLAIN_H

#include "base/text.h"
#include "judge/verdict.h"

#include <stdbool.h>

/* A screenful: every explanation fits, a test holds them to it. */
#define LAI_EXPLAIN_WIDTH 80
#define LAI_EXPLAIN_LINES 24

/* One paragraph each, without a newline; none is NULL. */
struct lai_explanation {
	const char *means, *arises, *known_by, *mend, *remedy;
};

/* Indexed by verdict (explain_texts.c). */
extern const struct lai_explanation lai_explanations[LAI_VERDICT_COUNT];

/* Appends the screenful, with a newline at its end. */
void lai_explain(struct lai_text *text, enum lai_verdict verdict);

/* Appends each verdict's name, severity and title: a line each with tabs between them, for programs,
   or in columns and wrapped, for people. */
void lai_explain_list(struct lai_text *text, bool tabs);

#endif
