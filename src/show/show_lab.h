/* SPDX-License-Identifier: MIT */
/*
 * show_lab.h - the lab's claims and what a run found, as text for people, rows for scripts and
 * objects for programs. HTML and Markdown: lab_report.h.
 */
#ifndef LAI_SHOW_LAB_H
#define LAI_SHOW_LAB_H

#include "base/json.h"
#include "lab/runner.h"
#include "show/show_columns.h"

/* What is documented for a kernel, of claims. */
struct lai_show_kernel {
	char release[65];
	unsigned major, minor;
};

/* A table (width_max: of lines) or TSV: id, what is documented for this kernel, the sentence. */
void lai_show_lab_list(struct lai_text *text, const struct lai_show_kernel *kernel,
		       enum lai_columns_form form, size_t width_max);

/* Everything that is known of a claim without running it, and how to run it. */
void lai_show_lab_claim(struct lai_text *text, const struct lai_claim *claim,
			const struct lai_show_kernel *kernel, size_t width_max);

/* What a run found: a row per claim; in a table what is not as documented stands behind it. */
void lai_show_lab_run(struct lai_text *text, const struct lai_run *run, enum lai_columns_form form,
		      size_t width_max);

/* The evidence of all trials. As TSV: id, seed, line. */
void lai_show_lab_evidence(struct lai_text *text, const struct lai_run *run,
			   enum lai_columns_form form);

/* show_lab_json.c: each writes one value. */
void lai_show_lab_list_json(struct lai_json *json, const struct lai_show_kernel *kernel);
void lai_show_lab_claim_json(struct lai_json *json, const struct lai_claim *claim,
			     const struct lai_show_kernel *kernel);
void lai_show_lab_run_json(struct lai_json *json, const struct lai_run *run);

#endif
