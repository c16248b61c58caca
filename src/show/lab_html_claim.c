/* SPDX-License-Identifier: MIT */
/* lab_html_claim.c - what one claim says, how it was tried and what came out. */
#include "show/html.h"
#include "show/lab_html_inside.h"
#include "show/lab_words.h"

#include <inttypes.h>
#include <string.h>

#define WORDS_MAX 4096

static void put_text(void *arg, const char *label, const char *text)
{
	FILE *file = arg;

	(void)fprintf(file, "<dt>%s</dt><dd>", label);
	lai_html_text(file, text);
	(void)fputs("</dd>\n", file);
}

static void put_texts(FILE *file, const struct lai_outcome *outcome)
{
	struct lai_text seen = LAI_TEXT_INIT(WORDS_MAX);

	(void)fputs("<dl>\n", file);
	lai_lab_words_claim(outcome->claim, put_text, file);
	if (outcome->trial_count && outcome->verdict != LAI_LAB_LACKS) {
		lai_lab_words_control(&seen, outcome->trials[0].result);
		put_text(file, "Control, seen", lai_text_string(&seen));
	}
	(void)fputs("</dl>\n", file);
	lai_text_done(&seen);
}

static void put_verdict(FILE *file, const struct lai_outcome *outcome)
{
	struct lai_text words = LAI_TEXT_INIT(WORDS_MAX);

	(void)fputs("<p>", file);
	lai_lab_html_badge(file, outcome->verdict);
	lai_lab_words_agreement(&words, outcome);
	lai_html_print(file, " %s", lai_text_string(&words));
	if (outcome->verdict == LAI_LAB_LACKS)
		(void)fputs("; not tried here", file);
	else if (outcome->as_expected)
		(void)fputs("; as documented for this kernel", file);
	else
		(void)fprintf(file, "; <strong>documented for this kernel is %s</strong>",
			      lai_lab_verdict_name(outcome->expected));
	(void)fprintf(file, " · <span class=\"id\">%s</span></p>\n<p class=\"finding\">",
		      outcome->claim->id);
	lai_html_text(file, outcome->why);
	(void)fputs("</p>\n", file);
	lai_text_done(&words);
}

static void put_evidence(FILE *file, const struct lai_outcome_trial *trial)
{
	const struct lai_result *result = trial->result;

	if (result->evidence_bytes == 0)
		return;
	(void)fprintf(file, "<details><summary>Evidence of seed %" PRIu64 "</summary><pre>",
		      trial->seed);
	lai_html_bytes(file, result->evidence, result->evidence_bytes);
	(void)fputs("</pre>", file);
	if (result->dropped)
		(void)fprintf(file,
			      "<p class=\"soft\">%" PRIu32 " more lines, numbers, points or states "
			      "had no room in the result.</p>",
			      result->dropped);
	(void)fputs("</details>\n", file);
}

static void put_seeds(FILE *file, const struct lai_outcome *outcome)
{
	if (outcome->trial_count < 2)
		return;
	(void)fprintf(file,
		      "<details%s><summary>Each seed</summary><table><thead><tr><th scope=\"col\" "
		      "class=\"n\">Seed</th><th scope=\"col\">Verdict</th><th scope=\"col\">Finding"
		      "</th></tr></thead><tbody>\n",
		      outcome->agreed ? "" : " open=\"open\"");
	for (size_t i = 0; i < outcome->trial_count; i++) {
		const struct lai_outcome_trial *trial = &outcome->trials[i];

		(void)fprintf(file, "<tr><td class=\"n\">%" PRIu64 "</td><td>", trial->seed);
		lai_lab_html_badge(file, trial->verdict);
		(void)fputs("</td><td>", file);
		lai_html_text(file, trial->why ? trial->why : "");
		(void)fputs("</td></tr>\n", file);
	}
	(void)fputs("</tbody></table></details>\n", file);
}

int lai_lab_html_claim(FILE *file, const struct lai_outcome *outcome)
{
	const struct lai_outcome_trial *trial = lai_lab_trial_shown(outcome);
	int error;

	(void)fprintf(file, "<section id=\"%s\" aria-labelledby=\"%s-name\">\n<h2 id=\"%s-name\">",
		      outcome->claim->id, outcome->claim->id, outcome->claim->id);
	lai_html_text(file, *outcome->claim->claim ? outcome->claim->claim : outcome->claim->id);
	(void)fputs("</h2>\n", file);
	put_verdict(file, outcome);
	put_texts(file, outcome);
	error = lai_lab_html_measured(file, outcome);
	if (!error && trial)
		error = lai_lab_html_wire(file, outcome, trial);
	if (outcome->trial_count)
		put_evidence(file, &outcome->trials[0]);
	put_seeds(file, outcome);
	(void)fputs("<p><a href=\"#verdicts\">All verdicts</a></p>\n</section>\n", file);
	return error;
}
