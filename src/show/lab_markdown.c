/* SPDX-License-Identifier: MIT */
/*
 * lab_markdown.c - the report as Markdown: one paragraph to a line, no blanks at the end of a line,
 * the same bytes for the same run.
 *
 * Texts are escaped so that they are read as they are: a character that Markdown would take for
 * itself gets a backslash, < and & become entities, a line break becomes a paragraph.
 */
#include "base/time.h"
#include "base/utf8.h"
#include "show/lab_numbers.h"
#include "show/lab_report.h"
#include "show/lab_words.h"
#include "show/svg_plot.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define WORDS_MAX 4096

/* --- escaping --- */

/* Where the writer stands in a paragraph. */
struct position {
	bool at_start; /* nothing but blanks has been written in this line */
	char before;   /* the last byte that was no blank; 0 at the very start */
	size_t blanks; /* since then, line breaks included */
	size_t lines;  /* line breaks since then */
	bool digits;   /* the line so far is a number: with a point it would be a list */
};

/* Whether Markdown could read this character as its own, here. */
static bool is_markup(const struct position *position, char c, char next)
{
	switch (c) {
	case '\\':
	case '`':
	case '*':
	case '[':
	case ']':
	case '|':
	case '~': return true;
	case '_': /* inside a word it means itself */
		return position->blanks || !isalnum((unsigned char)position->before) ||
		       !isalnum((unsigned char)next);
	case '#':
	case '+':
	case '-':
	case '=':
	case '>': return position->at_start;
	case '.':
	case ')': return position->digits && (next == ' ' || next == '\0' || next == '\n');
	default: return false;
	}
}

/* One character, or a broken sequence of bytes; `next` is what follows. */
static void put_character(FILE *file, const struct position *position, const char *c, size_t size,
			  bool valid, char next)
{
	if (!valid || (size == 1 && iscntrl((unsigned char)*c)))
		(void)fputs("\xef\xbf\xbd", file); /* U+FFFD */
	else if (*c == '<')
		(void)fputs("&lt;", file);
	else if (*c == '&')
		(void)fputs("&amp;", file);
	else
		(void)fprintf(file, "%s%.*s", is_markup(position, *c, next) ? "\\" : "", (int)size,
			      c);
}

/* `line`: what separates lines, "\n\n" or " ". */
static void put_text(FILE *file, const char *text, const char *line)
{
	struct position position = {.at_start = true};

	while (*text) {
		bool valid = true, blank = isspace((unsigned char)*text), digit;
		size_t size = lai_utf8_sequence((const unsigned char *)text, strlen(text), &valid);

		if (blank) { /* several are one, none at the ends */
			position.lines += *text == '\n';
			position.blanks++;
			text++;
			continue;
		}
		if (position.before && position.blanks)
			(void)fputs(position.lines ? line : " ", file);
		if (position.lines && line[0] == '\n')
			position = (struct position){.at_start = true};
		put_character(file, &position, text, size, valid, text[size]);
		digit = isdigit((unsigned char)*text);
		position = (struct position){
			.before = *text,
			.digits =
				digit && !position.blanks && (position.at_start || position.digits),
		};
		text += size;
	}
}

/* --- parts --- */

/* "**Name.** text", as a paragraph. */
static void put_paragraph(void *arg, const char *name, const char *text)
{
	FILE *file = arg;

	(void)fprintf(file, "**%s.** ", name);
	put_text(file, text, "\n\n");
	(void)fputs("\n\n", file);
}

/* "- name: words". Takes the words. */
static void put_fact(FILE *file, const char *name, struct lai_text *words)
{
	(void)fprintf(file, "- %s: ", name);
	put_text(file, lai_text_string(words), " ");
	(void)fputc('\n', file);
	lai_text_done(words);
}

static void put_head(FILE *file, const struct lai_run *run)
{
	struct lai_lab_tally tally = lai_lab_tally(run);
	struct lai_text words = LAI_TEXT_INIT(WORDS_MAX);
	const char *before = "";

	(void)fputs("# What people say about closing TCP connections, and what Linux does\n\n"
		    "Written by `lastack lab run --report FILE.md`; every verdict comes from an "
		    "experiment on this kernel, with a control that must come out the opposite "
		    "way.\n\n",
		    file);
	lai_text_append(&words, "Linux %s%s", run->kernel,
			run->unprivileged ? ", without privilege, in a user namespace" : "");
	put_fact(file, "kernel", &words);
	lai_lab_words_when(&words, run->began_ns);
	put_fact(file, "date", &words);
	lai_lab_words_seeds(&words, run);
	put_fact(file, "seeds", &words);
	lai_lab_words_settings(&words, run);
	put_fact(file, "settings", &words);
	for (int verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++) {
		if (tally.verdicts[verdict] == 0)
			continue;
		lai_text_append(&words, "%s%zu %s", before, tally.verdicts[verdict],
				lai_lab_verdict_name(verdict));
		before = ", ";
	}
	lai_text_append(&words, "; %zu of %zu as documented for this kernel", tally.as_expected,
			run->outcome_count);
	put_fact(file, "verdicts", &words);
}

static void put_table(FILE *file, const struct lai_run *run)
{
	(void)fputs("\n| claim | verdict | documented for this kernel |\n|---|---|---|\n", file);
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		(void)fprintf(file, "| [%s](#%s)", outcome->claim->id, outcome->claim->id);
		if (*outcome->claim->claim)
			(void)fputs(": ", file);
		put_text(file, outcome->claim->claim, " ");
		(void)fprintf(file, " | %s | %s |\n", lai_lab_verdict_name(outcome->verdict),
			      lai_lab_verdict_name(outcome->expected));
	}
}

static void put_verdict(FILE *file, const struct lai_outcome *outcome)
{
	struct lai_text words = LAI_TEXT_INIT(WORDS_MAX);

	lai_lab_words_agreement(&words, outcome);
	(void)fprintf(file, "**Verdict: %s** (%s%s). ", lai_lab_verdict_name(outcome->verdict),
		      lai_text_string(&words),
		      outcome->as_expected ? "" : "; other than documented");
	put_text(file, outcome->why, " ");
	(void)fputs("\n\n", file);
	lai_text_done(&words);
}

static void put_control(FILE *file, const struct lai_result *result)
{
	struct lai_text words = LAI_TEXT_INIT(WORDS_MAX);

	lai_lab_words_control(&words, result);
	(void)fputs("**Control, seen.** ", file);
	put_text(file, lai_text_string(&words), " ");
	(void)fputs("\n\n", file);
	lai_text_done(&words);
}

static void put_number(void *arg, const struct lai_lab_number *number)
{
	FILE *file = arg;
	char median[LAI_PLOT_NUMBER_MAX], least[LAI_PLOT_NUMBER_MAX];
	char greatest[LAI_PLOT_NUMBER_MAX];

	(void)fputs("| ", file);
	put_text(file, number->name, " ");
	(void)fputs(" | ", file);
	put_text(file, number->unit, " ");
	(void)fprintf(file, "%s| %s | %s | %s |\n", *number->unit ? " " : "",
		      lai_plot_number(median, number->median),
		      lai_plot_number(least, number->least),
		      lai_plot_number(greatest, number->greatest));
}

static void put_claim(FILE *file, const struct lai_outcome *outcome)
{
	const struct lai_claim *claim = outcome->claim;

	(void)fprintf(file, "\n## %s\n\n", claim->id);
	if (*claim->claim)
		put_paragraph(file, "Claim", claim->claim);
	put_verdict(file, outcome);
	lai_lab_words_claim(claim, put_paragraph, file);
	if (outcome->trial_count && outcome->verdict != LAI_LAB_LACKS)
		put_control(file, outcome->trials[0].result);
	if (lai_lab_numbers_count(outcome) > 0) {
		(void)fputs("| number | unit | median | least | greatest |\n"
			    "|---|---|---:|---:|---:|\n",
			    file);
		lai_lab_numbers(outcome, put_number, file);
	}
}

int lai_lab_report_markdown(const struct lai_run *run, FILE *file)
{
	put_head(file, run);
	put_table(file, run);
	for (size_t i = 0; i < run->outcome_count; i++)
		put_claim(file, &run->outcomes[i]);
	return fflush(file) != 0 || ferror(file) ? -EIO : 0;
}
