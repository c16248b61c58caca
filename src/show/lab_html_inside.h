/* SPDX-License-Identifier: MIT */
/* lab_html_inside.h - the parts of the page: lab_html.c frames them. */
#ifndef LAI_SHOW_LAB_HTML_INSIDE_H
#define LAI_SHOW_LAB_HTML_INSIDE_H

#include "lab/runner.h"

#include <stdio.h>

/* What stands in <style>. */
extern const char lai_lab_html_style[];

/* The verdict, as a word with a sign and a colour. */
void lai_lab_html_badge(FILE *file, enum lai_lab_verdict verdict);

/* The section of one claim. 0, -ENOMEM. */
int lai_lab_html_claim(FILE *file, const struct lai_outcome *outcome);

/* What it measured: numbers over the seeds, and the curves of the first trial that has some. */
int lai_lab_html_measured(FILE *file, const struct lai_outcome *outcome);

/* The diagrams of a trial's captures. */
int lai_lab_html_wire(FILE *file, const struct lai_outcome *outcome,
		      const struct lai_outcome_trial *trial);

#endif
