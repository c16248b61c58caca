/* SPDX-License-Identifier: MIT */
#include "show/show_lab.h"
#include "show/lab_words.h"
#include "show/show_paragraph.h"

#include <inttypes.h>
#include <string.h>

/* Labels of lai_show_lab_claim() are no longer, with the blanks behind them. */
#define LABEL_WIDTH 12

/* Of a cell: as long as the longest thing that a trial says. */
#define CELL_MAX (4 * LAI_RESULT_WORDS_MAX)

static void put_safe(struct lai_columns *columns, const char *string)
{
	lai_show_safe(lai_columns_cell(columns), string ? string : "", CELL_MAX);
}

/* ---- claims --------------------------------------------------------------------------------- */

void lai_show_lab_list(struct lai_text *text, const struct lai_show_kernel *kernel,
		       enum lai_columns_form form, size_t width_max)
{
	static const struct lai_column list[] = {
		{.name = "id"}, {.name = "documented"}, {.name = "claim", .wrap = true}};
	struct lai_columns columns;

	lai_columns_init(&columns, list, sizeof(list) / sizeof(list[0]), form, text);
	lai_columns_head(&columns);
	for (size_t i = 0; i < lai_claim_count; i++) {
		const struct lai_claim *claim = lai_claims[i];

		put_safe(&columns, claim->id);
		put_safe(&columns, lai_lab_verdict_name(
					   lai_claim_expects(claim, kernel->major, kernel->minor)));
		put_safe(&columns, claim->claim);
		lai_columns_row_end(&columns);
	}
	lai_columns_end(&columns, width_max);
}

static void put_expected(struct lai_text *text, const struct lai_claim *claim, size_t width_max)
{
	for (size_t i = 0; i < LAI_CLAIM_EXPECTED_MAX; i++) {
		const struct lai_claim_expected *row = &claim->expected[i];
		struct lai_text line = LAI_TEXT_INIT(CELL_MAX);

		if (i > 0 && row->verdict == LAI_LAB_NONE)
			break;
		lai_text_append(&line, "%s", lai_lab_verdict_name(row->verdict));
		if (i > 0)
			lai_text_append(&line, " from Linux %u.%u on%s%s", row->major, row->minor,
					row->since ? ": " : "", row->since ? row->since : "");
		lai_show_paragraph(text, i == 0 ? "Documented" : "", LABEL_WIDTH, width_max,
				   lai_text_string(&line));
		lai_text_done(&line);
	}
}

void lai_show_lab_claim(struct lai_text *text, const struct lai_claim *claim,
			const struct lai_show_kernel *kernel, size_t width_max)
{
	const struct {
		const char *label, *words;
	} rows[] = {
		{"Said", claim->said},		 {"Decided by", claim->decides},
		{"Set-up", claim->setup},	 {"Procedure", claim->procedure},
		{"Linux", claim->outcome},	 {"Control", claim->control},
		{"Shortened", claim->shortened},
	};

	lai_show_paragraph(text, claim->id, strlen(claim->id) + 2, width_max, claim->claim);
	lai_text_append(text, "\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].words && rows[i].words[0])
			lai_show_paragraph(text, rows[i].label, LABEL_WIDTH, width_max,
					   rows[i].words);
	put_expected(text, claim, width_max);
	lai_text_append(text, "%-*s%s\n", LABEL_WIDTH, "Here", kernel->release);
	lai_text_append(text, "\nlastack lab run %s\nlastack lab run %s --seeds 1 --verbose\n",
			claim->id, claim->id);
}

/* ---- a run ---------------------------------------------------------------------------------- */

/* How many trials agree with the most frequent verdict: 5 of 5, 4 of 5. */
static size_t count_agreed(const struct lai_outcome *outcome)
{
	size_t most = 0;

	for (size_t verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++)
		if (outcome->counts[verdict] > most)
			most = outcome->counts[verdict];
	return most;
}

static void put_control(struct lai_text *text, const struct lai_outcome *outcome)
{
	size_t held = 0, failed = 0;

	for (size_t i = 0; i < outcome->trial_count; i++) {
		held += outcome->trials[i].result->control == LAI_CONTROL_HELD;
		failed += outcome->trials[i].result->control == LAI_CONTROL_FAILED;
	}
	if (held == outcome->trial_count)
		lai_text_append(text, "held");
	else if (held + failed > 0)
		lai_text_append(text, "%zu of %zu", held, outcome->trial_count);
	else
		lai_text_append(text, "none");
}

static void put_row(struct lai_columns *columns, const struct lai_outcome *outcome)
{
	put_safe(columns, lai_lab_verdict_name(outcome->verdict));
	put_safe(columns, outcome->claim->id);
	lai_text_append(lai_columns_cell(columns), "%zu/%zu", count_agreed(outcome),
			outcome->trial_count);
	put_control(lai_columns_cell(columns), outcome);
}

/* Below a row of the table. */
#define BELOW_LABEL "  claim  "
#define BELOW_INDENT (sizeof(BELOW_LABEL) - 1)

/* "the same", or what is documented instead. */
static const char *documented(const struct lai_outcome *outcome)
{
	return outcome->verdict == outcome->expected ? "same"
						     : lai_lab_verdict_name(outcome->expected);
}

static void put_heads(struct lai_text *text, const struct lai_run *run, size_t width_max)
{
	static const struct lai_column list[] = {{.name = "verdict"},
						 {.name = "id"},
						 {.name = "seeds", .right = true},
						 {.name = "control"},
						 {.name = "documented"}};
	struct lai_columns columns;

	lai_columns_init(&columns, list, sizeof(list) / sizeof(list[0]), LAI_COLUMNS_TABLE, text);
	lai_columns_head(&columns);
	for (size_t i = 0; i < run->outcome_count; i++) {
		put_row(&columns, &run->outcomes[i]);
		put_safe(&columns, documented(&run->outcomes[i]));
		lai_columns_row_end(&columns);
	}
	lai_columns_end(&columns, width_max);
}

/* A line of the table for each claim, and below it what people say and what was found: neither can
   be read without the other. */
static void put_table(struct lai_text *text, const struct lai_run *run, size_t width_max)
{
	struct lai_text heads = LAI_TEXT_INIT(text->length_max);
	const char *at, *end;

	put_heads(&heads, run, width_max);
	at = lai_text_string(&heads);
	for (size_t i = 0; (end = strchr(at, '\n')); i++, at = end + 1) {
		lai_text_append_bytes(text, at, (size_t)(end + 1 - at));
		if (i == 0)
			continue; /* the headings */
		lai_show_paragraph(text, BELOW_LABEL, BELOW_INDENT, width_max,
				   run->outcomes[i - 1].claim->claim);
		lai_show_paragraph(text, "  found  ", BELOW_INDENT, width_max,
				   run->outcomes[i - 1].why);
	}
	if (heads.error)
		text->error = heads.error;
	lai_text_done(&heads);
}

static void put_rows(struct lai_text *text, const struct lai_run *run)
{
	static const struct lai_column list[] = {
		{.name = "verdict"}, {.name = "id"},	     {.name = "seeds-agreed"},
		{.name = "control"}, {.name = "documented"}, {.name = "as-documented"},
		{.name = "seconds"}, {.name = "finding"},
	};
	struct lai_columns columns;

	lai_columns_init(&columns, list, sizeof(list) / sizeof(list[0]), LAI_COLUMNS_TSV, text);
	lai_columns_head(&columns);
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		put_row(&columns, outcome);
		put_safe(&columns, lai_lab_verdict_name(outcome->expected));
		put_safe(&columns, outcome->as_expected ? "yes" : "no");
		lai_text_append(lai_columns_cell(&columns), "%.1f", outcome->seconds);
		put_safe(&columns, outcome->why);
		lai_columns_row_end(&columns);
	}
	lai_columns_end(&columns, 0);
}

static void put_settings(struct lai_text *text, const struct lai_run *run)
{
	for (size_t i = 0; run->settings && run->settings[i]; i++) {
		lai_text_append(text, "%s", i == 0 ? "with " : ", ");
		lai_show_safe(text, run->settings[i], CELL_MAX);
	}
	if (run->settings && run->settings[0])
		lai_text_append(text, " in every host\n");
}

static void put_differences(struct lai_text *text, const struct lai_run *run)
{
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		if (!outcome->as_expected)
			lai_text_append(text, "  %s: %s, documented is %s\n", outcome->claim->id,
					lai_lab_verdict_name(outcome->verdict),
					lai_lab_verdict_name(outcome->expected));
	}
}

static void put_summary(struct lai_text *text, const struct lai_run *run)
{
	struct lai_lab_tally tally = lai_lab_tally(run);
	size_t lacks = tally.verdicts[LAI_LAB_LACKS];

	lai_text_append(text, "\nas documented for Linux %u.%u: %zu of %zu%s (this is ",
			run->kernel_major, run->kernel_minor, tally.as_expected, run->outcome_count,
			run->interrupted ? ", as far as it came" : "");
	lai_show_safe(text, run->kernel, sizeof(run->kernel));
	lai_text_append(text, "%s); %.0f s\n", run->unprivileged ? ", in a user namespace" : "",
			(double)(run->ended_ns - run->began_ns) / 1e9);
	put_settings(text, run);
	if (lacks)
		lai_text_append(text, "%zu lack%s something here, which the finding names\n", lacks,
				lacks == 1 ? "s" : "");
	if (tally.news > 0)
		lai_text_append(text, "other than documented%s:\n",
				run->settings && run->settings[0] ? " for the kernel's own settings"
								  : "");
	put_differences(text, run);
}

void lai_show_lab_run(struct lai_text *text, const struct lai_run *run, enum lai_columns_form form,
		      size_t width_max)
{
	if (form == LAI_COLUMNS_TSV) {
		put_rows(text, run);
		return;
	}
	put_table(text, run, width_max);
	put_summary(text, run);
}

/* ---- evidence ------------------------------------------------------------------------------- */

/* Calls for each line; line is not ended by a NUL. */
static void each_line(const struct lai_result *result,
		      void (*each)(void *arg, const char *line, size_t length), void *arg)
{
	const char *at = result->evidence, *end = at + result->evidence_bytes;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		each(arg, at, (size_t)(stop - at));
		at = stop + 1;
	}
}

struct evidence {
	struct lai_text *text;
	enum lai_columns_form form;
	const char *id;
	uint64_t seed;
};

static void put_line(void *arg, const char *line, size_t length)
{
	const struct evidence *evidence = arg;
	char copy[CELL_MAX];

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
	if (evidence->form == LAI_COLUMNS_TSV)
		lai_text_append(evidence->text, "%s\t%" PRIu64 "\t", evidence->id, evidence->seed);
	else
		lai_text_append(evidence->text, "  ");
	lai_show_safe(evidence->text, copy, sizeof(copy));
	lai_text_append(evidence->text, "\n");
}

static void put_trial(struct evidence *evidence, const struct lai_outcome_trial *trial)
{
	const struct lai_result *result = trial->result;

	evidence->seed = trial->seed;
	if (evidence->form == LAI_COLUMNS_TABLE)
		lai_text_append(evidence->text, "\n%s, seed %" PRIu64 ": %s\n", evidence->id,
				trial->seed, lai_lab_verdict_name(trial->verdict));
	each_line(result, put_line, evidence);
	if (evidence->form == LAI_COLUMNS_TSV)
		return;
	for (uint32_t i = 0; i < result->number_count; i++)
		lai_text_append(evidence->text, "  %s = %.6g %s\n", result->numbers[i].name,
				result->numbers[i].value, result->numbers[i].unit);
	if (result->dropped)
		lai_text_append(evidence->text, "  (%" PRIu32 " more that were not kept)\n",
				result->dropped);
}

void lai_show_lab_evidence(struct lai_text *text, const struct lai_run *run,
			   enum lai_columns_form form)
{
	if (form == LAI_COLUMNS_TSV)
		lai_text_append(text, "\nid\tseed\tevidence\n");
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];
		struct evidence evidence = {.text = text, .form = form, .id = outcome->claim->id};

		for (size_t t = 0; t < outcome->trial_count; t++)
			put_trial(&evidence, &outcome->trials[t]);
	}
}
