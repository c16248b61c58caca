/* SPDX-License-Identifier: MIT */
/*
 * lab_html.c - the page: what ran, what came out, a table of all verdicts, a section per claim.
 *
 * It is written as HTML that is well-formed XML as well, so that tests can read it with a parser
 * that forgives nothing.
 */
#include "base/time.h"
#include "show/html.h"
#include "show/lab_html_inside.h"
#include "show/lab_report.h"
#include "show/lab_words.h"

#include <errno.h>
#include <string.h>

#define WORDS_MAX 4096

void lai_lab_html_badge(FILE *file, enum lai_lab_verdict verdict)
{
	static const char *const signs[LAI_LAB_VERDICT_COUNT] = {
		[LAI_LAB_CONFIRMED] = "✓ ",    [LAI_LAB_REFUTED] = "✗ ", [LAI_LAB_DEPENDS] = "± ",
		[LAI_LAB_INCONCLUSIVE] = "? ", [LAI_LAB_LACKS] = "– ",
	};
	const char *sign = verdict < LAI_LAB_VERDICT_COUNT ? signs[verdict] : NULL;
	const char *name = lai_lab_verdict_name(verdict);

	(void)fprintf(file, "<span class=\"badge %s\">%s%s</span>", name, sign ? sign : "", name);
}

/* A row of the list at the top. Takes the words. */
static void put_fact(FILE *file, const char *name, struct lai_text *words)
{
	(void)fprintf(file, "<dt>%s</dt><dd>", name);
	lai_html_text(file, lai_text_string(words));
	(void)fputs("</dd>\n", file);
	lai_text_done(words);
}

static void put_facts(FILE *file, const struct lai_run *run)
{
	struct lai_text words = LAI_TEXT_INIT(WORDS_MAX);
	char time[LAI_TIME_TEXT_MAX];

	(void)fputs("<dl>\n", file);
	lai_text_append(&words, "Linux %s%s", run->kernel,
			run->unprivileged ? ", without privilege, in a user namespace" : "");
	put_fact(file, "Kernel", &words);
	lai_lab_words_when(&words, run->began_ns);
	lai_text_append(&words, ", within %s",
			lai_time_format(time, lai_time_since(run->began_ns, run->ended_ns) / LAI_S *
						      LAI_S));
	put_fact(file, "Run", &words);
	lai_lab_words_seeds(&words, run);
	put_fact(file, "Seeds", &words);
	lai_lab_words_settings(&words, run);
	put_fact(file, "Settings", &words);
	(void)fputs("</dl>\n", file);
}

static void put_news(FILE *file, const struct lai_run *run)
{
	const char *before = "";

	(void)fputs("<p class=\"news\" role=\"note\"><strong>Other than documented for this kernel:"
		    "</strong> ",
		    file);
	for (size_t i = 0; i < run->outcome_count; i++) {
		const char *id = run->outcomes[i].claim->id;

		if (run->outcomes[i].as_expected)
			continue;
		(void)fprintf(file, "%s<a href=\"#%s\">%s</a>", before, id, id);
		before = ", ";
	}
	(void)fputs(".</p>\n", file);
}

static void put_tally(FILE *file, const struct lai_run *run)
{
	struct lai_lab_tally tally = lai_lab_tally(run);

	(void)fputs("<ul class=\"tally\">\n", file);
	for (int verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++) {
		if (tally.verdicts[verdict] == 0)
			continue;
		(void)fprintf(file, "<li>%zu ", tally.verdicts[verdict]);
		lai_lab_html_badge(file, verdict);
		(void)fputs("</li>\n", file);
	}
	(void)fprintf(file, "<li>%zu of %zu as documented for this kernel</li>\n</ul>\n",
		      tally.as_expected, run->outcome_count);
	if (tally.news)
		put_news(file, run);
}

static void put_table(FILE *file, const struct lai_run *run)
{
	(void)fputs(
		"<h2 id=\"verdicts\">Verdicts</h2>\n<table class=\"verdicts\"><thead><tr><th scope=\"col\">Claim"
		"</th><th scope=\"col\">Verdict</th><th scope=\"col\">Documented</th></tr>"
		"</thead><tbody>\n",
		file);
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		(void)fprintf(file, "<tr><td><a class=\"id\" href=\"#%s\">%s</a><br/>",
			      outcome->claim->id, outcome->claim->id);
		lai_html_text(file, outcome->claim->claim);
		(void)fputs("</td><td>", file);
		lai_lab_html_badge(file, outcome->verdict);
		(void)fprintf(file, "</td><td>%s</td></tr>\n",
			      outcome->verdict == LAI_LAB_LACKS ? "not tried"
			      : outcome->as_expected		? "the same"
						     : lai_lab_verdict_name(outcome->expected));
	}
	(void)fputs("</tbody></table>\n", file);
}

static void put_legend(FILE *file)
{
	(void)fputs("<details><summary>How to read this page</summary>\n<dl>\n", file);
	for (int verdict = LAI_LAB_CONFIRMED; verdict < LAI_LAB_VERDICT_COUNT; verdict++) {
		(void)fputs("<dt>", file);
		lai_lab_html_badge(file, verdict);
		(void)fprintf(file, "</dt><dd>%s</dd>\n", lai_lab_verdict_meaning(verdict));
	}
	(void)fputs(
		"</dl>\n<p>Every claim has a control in the same run, which must come out the "
		"opposite way; if it does not, the verdict is INCONCLUSIVE.</p>\n"
		"<p>Diagrams are drawn from the packets that were captured at the nearer end of "
		"the wire; what a rule or a full queue behind it dropped is drawn like what arrived. "
		"Time runs downwards in seconds since the trial began; it is drawn on a logarithmic "
		"scale, and pauses are written instead of drawn. Numbers are relative to the first "
		"of their connection, but those of a SYN; behind a SYN on ports that were used "
		"before stands how far it is from the number that the other end expected. "
		"“TS” is the timestamp option: value and echo. A dashed arrow is a retransmission, "
		"a crossed one a RST. The bars are the states of the sockets as the kernel told "
		"them (sock_diag) whenever it was asked: a state begins there where it was first "
		"seen, and is pale from a segment on that may have changed it since. A socket that is "
		"not in the kernel's table any more may still be held by its program.</p></details>\n",
		file);
}

static void put_head(FILE *file, const struct lai_run *run)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n<meta "
		    "name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
		    file);
	lai_html_print(file, "Closing TCP connections on Linux %s", run->kernel);
	(void)fprintf(file, "</title>\n<style>\n%s</style></head>\n<body>\n<header>\n<h1>",
		      lai_lab_html_style);
	lai_html_print(file, "What people say about closing TCP connections, tried on Linux %s",
		       run->kernel);
	(void)fputs("</h1>\n", file);
	put_facts(file, run);
	put_tally(file, run);
	put_legend(file);
	(void)fputs("</header>\n<main>\n", file);
}

int lai_lab_report_html(const struct lai_run *run, FILE *file)
{
	int error = 0;

	put_head(file, run);
	put_table(file, run);
	for (size_t i = 0; i < run->outcome_count && !error; i++)
		error = lai_lab_html_claim(file, &run->outcomes[i]);
	(void)fputs("</main>\n<footer class=\"soft\"><p>Written by lastack lab run.</p></footer>\n"
		    "</body></html>\n",
		    file);
	if (!error && (fflush(file) != 0 || ferror(file)))
		error = -EIO;
	return error;
}
