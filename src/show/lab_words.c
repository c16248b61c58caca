/* SPDX-License-Identifier: MIT */
#include "show/lab_words.h"

#include "base/time.h"

#include <inttypes.h>
#include <time.h>

void lai_lab_words_when(struct lai_text *text, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / LAI_S);
	char words[sizeof("2026-11-22 22:35 UTC") + 8]; /* a year of more digits fits as well */
	struct tm tm;

	if (gmtime_r(&seconds, &tm) && strftime(words, sizeof(words), "%Y-%m-%d %H:%M UTC", &tm))
		lai_text_append(text, "%s", words);
}

void lai_lab_words_seeds(struct lai_text *text, const struct lai_run *run)
{
	const struct lai_outcome *most = NULL;

	for (size_t i = 0; i < run->outcome_count; i++)
		if (!most || run->outcomes[i].trial_count > most->trial_count)
			most = &run->outcomes[i];
	if (!most || most->trial_count == 0)
		lai_text_append(text, "none");
	else if (most->trial_count == 1)
		lai_text_append(text, "1 (%" PRIu64 ")", most->trials[0].seed);
	else
		lai_text_append(text, "%zu (%" PRIu64 " to %" PRIu64 ")", most->trial_count,
				most->trials[0].seed, most->trials[most->trial_count - 1].seed);
}

void lai_lab_words_settings(struct lai_text *text, const struct lai_run *run)
{
	if (!run->settings || !run->settings[0]) {
		lai_text_append(text, "the kernel's own");
		return;
	}
	for (size_t i = 0; run->settings[i]; i++)
		lai_text_append(text, "%s%s", i ? ", " : "", run->settings[i]);
}

void lai_lab_words_expected(struct lai_text *text, const struct lai_claim *claim)
{
	for (size_t i = 0; i < LAI_CLAIM_EXPECTED_MAX; i++) {
		const struct lai_claim_expected *row = &claim->expected[i];

		if (row->verdict == LAI_LAB_NONE)
			break;
		if (i > 0 || row->major > 0)
			lai_text_append(text, "%sfrom Linux %u.%u on ", i ? "; " : "", row->major,
					row->minor);
		lai_text_append(text, "%s", lai_lab_verdict_name(row->verdict));
		if (row->since && *row->since)
			lai_text_append(text, " (%s)", row->since);
	}
}

void lai_lab_words_agreement(struct lai_text *text, const struct lai_outcome *outcome)
{
	const char *before = "";

	if (outcome->trial_count == 1) {
		lai_text_append(text, "one seed");
		return;
	}
	if (outcome->agreed && outcome->trial_count == 2) {
		lai_text_append(text, "both seeds agree");
		return;
	}
	if (outcome->agreed) {
		lai_text_append(text, "all %zu seeds agree", outcome->trial_count);
		return;
	}
	for (int verdict = 0; verdict < LAI_LAB_VERDICT_COUNT; verdict++) {
		if (outcome->counts[verdict] == 0)
			continue;
		lai_text_append(text, "%s%zu %s", before, outcome->counts[verdict],
				lai_lab_verdict_name(verdict));
		before = ", ";
	}
}

void lai_lab_words_control(struct lai_text *text, const struct lai_result *result)
{
	static const char *const words[] = {
		[LAI_CONTROL_NONE] = "not seen",
		[LAI_CONTROL_HELD] = "held, as it must",
		[LAI_CONTROL_FAILED] = "did not hold",
	};

	lai_text_append(text, "%s%s%s", words[result->control], *result->control_words ? ": " : "",
			result->control_words);
}

#define EXPECTED_MAX 4096

static const char *documented(struct lai_text *text, const struct lai_claim *claim)
{
	lai_lab_words_expected(text, claim);
	return lai_text_string(text);
}

void lai_lab_words_claim(const struct lai_claim *claim,
			 void (*each)(void *arg, const char *label, const char *text), void *arg)
{
	struct lai_text expected = LAI_TEXT_INIT(EXPECTED_MAX);
	const struct {
		const char *label, *text;
	} rows[] = {
		{"Who says it", claim->said},
		{"What decides it", claim->decides},
		{"What Linux does", claim->outcome},
		{"Documented", documented(&expected, claim)},
		{"Set-up", claim->setup},
		{"Procedure", claim->procedure},
		{"Time shortened", claim->shortened},
		{"Control", claim->control},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].text && *rows[i].text)
			each(arg, rows[i].label, rows[i].text);
	lai_text_done(&expected);
}

struct lai_lab_tally lai_lab_tally(const struct lai_run *run)
{
	struct lai_lab_tally tally = {0};

	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		if (outcome->verdict < LAI_LAB_VERDICT_COUNT)
			tally.verdicts[outcome->verdict]++;
		if (!outcome->as_expected)
			tally.news++;
		else if (outcome->verdict != LAI_LAB_LACKS)
			tally.as_expected++;
	}
	return tally;
}

const struct lai_outcome_trial *lai_lab_trial_shown(const struct lai_outcome *outcome)
{
	for (size_t i = 0; i < outcome->trial_count; i++)
		if (outcome->trials[i].captures[0])
			return &outcome->trials[i];
	return outcome->trial_count ? &outcome->trials[0] : NULL;
}
