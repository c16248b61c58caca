/* SPDX-License-Identifier: MIT */
/* lab_html_claim.c - what one claim says, how it was tried and what came out. */
#include "show/html.h"
#include "show/lab_html_inside.h"
#include "show/lab_words.h"

#include <inttypes.h>
#include <string.h>

#define WORDS_MAX 4096

static void put_text(FILE *file, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	(void)fprintf(file, "<dt>%s</dt><dd>", name);
	lai_html_text(file, text);
	(void)fputs("</dd>\n", file);
}

static void put_control(FILE *file, const struct lai_outcome_trial *trial)
{
	static const char *const words[] = {
		[LAI_CONTROL_NONE] = "nothing was seen of it",
		[LAI_CONTROL_HELD] = "came out the opposite way",
		[LAI_CONTROL_FAILED] = "did NOT come out the opposite way",
	};
	enum lai_result_control control = trial->result->control;

	if (control > LAI_CONTROL_FAILED)
		control = LAI_CONTROL_NONE;
	(void)fprintf(file, "<dt>Control, seen</dt><dd><strong>%s</strong>", words[control]);
	if (*trial->result->control_words)
		lai_html_print(file, ": %s", trial->result->control_words);
	(void)fputs("</dd>\n", file);
}

static void put_texts(FILE *file, const struct lai_outcome *outcome)
{
	const struct lai_claim *claim = outcome->claim;
	struct lai_text expected = LAI_TEXT_INIT(WORDS_MAX);

	lai_lab_words_expected(&expected, claim);
	(void)fputs("<dl>\n", file);
	put_text(file, "Who says it", claim->said);
	put_text(file, "What decides it", claim->decides);
	put_text(file, "What Linux does", claim->outcome);
	put_text(file, "Documented", lai_text_string(&expected));
	put_text(file, "Set-up", claim->setup);
	put_text(file, "Procedure", claim->procedure);
	put_text(file, "Time shortened", claim->shortened);
	put_text(file, "Control", claim->control);
	if (outcome->trial_count && outcome->verdict != LAI_LAB_LACKS)
		put_control(file, &outcome->trials[0]);
	(void)fputs("</dl>\n", file);
	lai_text_done(&expected);
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
	size_t size = result->evidence_bytes;

	if (size > sizeof(result->evidence))
		size = sizeof(result->evidence);
	if (size == 0)
		return;
	(void)fprintf(file, "<details><summary>Evidence of seed %" PRIu64 "</summary><pre>",
		      trial->seed);
	lai_html_bytes(file, result->evidence, size);
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
