/* SPDX-License-Identifier: MIT */
#include "base/time.h"
#include "show/lab_numbers.h"
#include "show/lab_report.h"
#include "show/lab_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* What must not become part of the document, wherever it comes from. */
#define HOSTILE "</pre><script src=\"http://x/\">&'|*_`\x1b[31m\xff"

#define SEEDS 3
#define BEGAN_NS (1763850000 * LAI_S) /* 2025-11-22 22:20 UTC */

static const struct lai_claim hostile_claim = {
	.id = "hostile-claim",
	.claim = "It is said: " HOSTILE,
	.said = "# everybody\n1. and me",
	.decides = "__inet_hash_connect() in net/ipv4/inet_hashtables.c, *always*",
	.setup = "two hosts",
	.procedure = "first line\n\n  second line  \nthird",
	.outcome = "a < b && tcp_tw_reuse = 2",
	.control = "[the opposite]",
	.shortened = "60 s",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}, {4, 19, LAI_LAB_REFUTED, "it changed"}},
};

/* A run written by hand: one outcome per claim, SEEDS trials each. */
struct fixture {
	struct lai_run run;
	struct lai_outcome *outcomes;
	struct lai_outcome_trial *trials;
	struct lai_result *results;
};

static void fill_result(struct lai_result *result, size_t seed)
{
	(void)snprintf(result->control_words, sizeof(result->control_words), "seen: %s", HOSTILE);
	result->said = LAI_LAB_REFUTED;
	result->control = LAI_CONTROL_HELD;
	result->began_ns = BEGAN_NS;
	result->ended_ns = BEGAN_NS + LAI_S;
	result->evidence_bytes =
		(uint32_t)snprintf(result->evidence, sizeof(result->evidence), "%s\n", HOSTILE);
	result->numbers[0] = (struct lai_result_number){"first", "ms", (double)(seed * seed)};
	result->numbers[1] = (struct lai_result_number){"only|here", "", 7};
	result->number_count = seed == 2 ? 2 : 1;
	result->series[0] = (struct lai_result_series){"one", "time, s", "rate, 1/s"};
	result->series[1] = (struct lai_result_series){"two", "time, s", "rate, 1/s"};
	result->series[2] = (struct lai_result_series){"three", "n", "other"};
	result->series_count = 3;
	for (uint32_t i = 0; i < 30; i++)
		result->points[i] = (struct lai_result_point){i % 3, i, i * i};
	result->point_count = 30;
}

static void fill_outcome(struct fixture *fixture, size_t index, const struct lai_claim *claim)
{
	struct lai_outcome *outcome = &fixture->outcomes[index];

	*outcome = (struct lai_outcome){.claim = claim,
					.trials = fixture->trials + index * SEEDS,
					.trial_count = SEEDS,
					.verdict = LAI_LAB_REFUTED,
					.agreed = true,
					.expected = LAI_LAB_REFUTED,
					.as_expected = true};
	outcome->counts[LAI_LAB_REFUTED] = SEEDS;
	(void)snprintf(outcome->why, sizeof(outcome->why), "finding %s", HOSTILE);
	for (size_t i = 0; i < SEEDS; i++) {
		struct lai_result *result = &fixture->results[index * SEEDS + i];

		fill_result(result, i + 1);
		outcome->trials[i] = (struct lai_outcome_trial){.seed = i + 1,
								.result = result,
								.verdict = LAI_LAB_REFUTED,
								.why = outcome->why};
	}
}

/* All claims of the lab, and the hostile one first. */
static struct fixture *fixture_new(void)
{
	static const char *const settings[] = {"net.ipv4.tcp_timestamps=0", HOSTILE, NULL};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	size_t count = lai_claim_count + 1;

	assert_non_null(fixture);
	fixture->outcomes = calloc(count, sizeof(*fixture->outcomes));
	fixture->trials = calloc(count * SEEDS, sizeof(*fixture->trials));
	fixture->results = calloc(count * SEEDS, sizeof(*fixture->results));
	assert_true(fixture->outcomes && fixture->trials && fixture->results);
	fixture->run = (struct lai_run){.outcomes = fixture->outcomes,
					.outcome_count = count,
					.kernel = "6.18.0-<test>",
					.kernel_major = 6,
					.kernel_minor = 18,
					.began_ns = BEGAN_NS,
					.ended_ns = BEGAN_NS + 100 * LAI_S,
					.settings = settings};
	fill_outcome(fixture, 0, &hostile_claim);
	for (size_t i = 1; i < count; i++)
		fill_outcome(fixture, i, lai_claims[i - 1]);
	return fixture;
}

static void fixture_free(struct fixture *fixture)
{
	free(fixture->results);
	free(fixture->trials);
	free(fixture->outcomes);
	free(fixture);
}

typedef int report_function(const struct lai_run *run, FILE *file);

static char *write_report(report_function *report, const struct lai_run *run)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	assert_int_equal(report(run, file), 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(strlen(text), length);
	return text;
}

static size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *found = text; (found = strstr(found, what)); found += strlen(what))
		count++;
	return count;
}

static void the_page_has_a_section_for_every_claim(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text = write_report(lai_lab_report_html, &fixture->run);

	(void)state;
	for (size_t i = 0; i < lai_claim_count; i++) {
		char section[128], link[128];

		(void)snprintf(section, sizeof(section), "<section id=\"%s\"", lai_claims[i]->id);
		(void)snprintf(link, sizeof(link), "href=\"#%s\"", lai_claims[i]->id);
		assert_int_equal(occurrences(text, section), 1);
		assert_int_equal(occurrences(text, link), 1);
	}
	assert_int_equal(occurrences(text, "<section "), occurrences(text, "</section>"));
	free(text);
	fixture_free(fixture);
}

static void nothing_from_outside_becomes_markup(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text = write_report(lai_lab_report_html, &fixture->run);

	(void)state;
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "src=\""));
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, 0xff));
	assert_non_null(strstr(text, "&lt;/pre&gt;&lt;script src=&quot;http://x/&quot;&gt;&amp;"));
	assert_non_null(strstr(text, "6.18.0-&lt;test&gt;"));
	free(text);
	fixture_free(fixture);
}

static void the_page_says_what_is_news(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text;

	(void)state;
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_null(strstr(text, "class=\"news\""));
	free(text);
	fixture->outcomes[3].as_expected = false;
	fixture->outcomes[3].agreed = false;
	fixture->outcomes[3].verdict = LAI_LAB_INCONCLUSIVE;
	fixture->outcomes[3].trials[1].verdict = LAI_LAB_CONFIRMED;
	fixture->outcomes[3].counts[LAI_LAB_CONFIRMED] = 1;
	fixture->outcomes[3].counts[LAI_LAB_REFUTED] = 2;
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_int_equal(occurrences(text, "class=\"news\""), 1);
	assert_non_null(strstr(text, "1 CONFIRMED, 2 REFUTED"));
	assert_non_null(strstr(text, "<strong>documented for this kernel is REFUTED</strong>"));
	free(text);
	fixture_free(fixture);
}

static void series_with_the_same_axes_share_a_plot(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text;

	(void)state;
	fixture->run.outcome_count = 1;
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_int_equal(occurrences(text, "class=\"plot\""), 2);
	assert_int_equal(occurrences(text, "class=\"legend\""), 3);
	free(text);
	fixture_free(fixture);
}

/* The same words in both reports. */
static void the_control_is_told_as_it_was_seen(void **state)
{
	static const struct {
		enum lai_result_control control;
		const char *words;
	} rows[] = {{LAI_CONTROL_HELD, "held, as it must: 3 of 3"},
		    {LAI_CONTROL_FAILED, "did not hold: 3 of 3"},
		    {LAI_CONTROL_NONE, "not seen: 3 of 3"}};
	struct fixture *fixture = fixture_new();
	struct lai_result *result = &fixture->results[0];

	(void)state;
	fixture->run.outcome_count = 1;
	(void)snprintf(result->control_words, sizeof(result->control_words), "3 of 3");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char html[96], markdown[96], *text;

		(void)snprintf(html, sizeof(html), "<dt>Control, seen</dt><dd>%s</dd>",
			       rows[i].words);
		(void)snprintf(markdown, sizeof(markdown), "**Control, seen.** %s\n",
			       rows[i].words);
		result->control = rows[i].control;
		text = write_report(lai_lab_report_html, &fixture->run);
		assert_non_null(strstr(text, html));
		free(text);
		text = write_report(lai_lab_report_markdown, &fixture->run);
		assert_non_null(strstr(text, markdown));
		free(text);
	}
	fixture_free(fixture);
}

/* Two dots are no more than the two numbers beside them. */
static void a_strip_needs_three_seeds(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text;

	(void)state;
	fixture->run.outcome_count = 1;
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_int_equal(occurrences(text, "class=\"dots\""), 1);
	assert_non_null(strstr(text, "From 0 to the greatest"));
	free(text);
	fixture->outcomes[0].trial_count = 2;
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_null(strstr(text, "class=\"dots\""));
	assert_null(strstr(text, "From 0 to the greatest"));
	free(text);
	fixture_free(fixture);
}

/* A trial that was killed may leave half of a capture, or none. */
static void a_capture_that_cannot_be_read_is_told(void **state)
{
	struct fixture *fixture = fixture_new();
	FILE *captures[] = {tmpfile(), tmpfile()};
	char *text;

	(void)state;
	assert_true(captures[0] && captures[1]);
	fixture->run.outcome_count = 2;
	assert_true(fputs("this is no capture at all, whatever was hoped for", captures[0]) > 0);
	for (size_t i = 0; i < 2; i++)
		fixture->outcomes[i].trials[0].captures[0] = captures[i];
	text = write_report(lai_lab_report_html, &fixture->run);
	assert_int_equal(occurrences(text, "<p>The capture cannot be read: "), 2);
	assert_int_equal(ftell(captures[0]), 0);
	free(text);
	fixture_free(fixture);
	(void)fclose(captures[0]);
	(void)fclose(captures[1]);
}

static void a_run_of_nothing_is_a_page_too(void **state)
{
	struct lai_run run = {.kernel = "6.18"};
	char *text = write_report(lai_lab_report_html, &run);

	(void)state;
	assert_non_null(strstr(text, "</html>"));
	free(text);
	text = write_report(lai_lab_report_markdown, &run);
	assert_non_null(strstr(text, "- seeds: none\n"));
	free(text);
}

static void a_full_disk_is_told(void **state)
{
	struct fixture *fixture = fixture_new();
	FILE *file = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(file);
	assert_int_equal(lai_lab_report_html(&fixture->run, file), -EIO);
	assert_int_equal(lai_lab_report_markdown(&fixture->run, file), -EIO);
	(void)fclose(file);
	fixture_free(fixture);
}

static void numbers_are_taken_over_the_seeds(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text;

	(void)state;
	fixture->run.outcome_count = 1;
	assert_int_equal(lai_lab_numbers_count(&fixture->outcomes[0]), 2);
	text = write_report(lai_lab_report_markdown, &fixture->run);
	assert_non_null(strstr(text, "| first | ms | 4 | 1 | 9 |\n"));
	assert_non_null(strstr(text, "| only\\|here | | 7 | 7 | 7 |\n"));
	free(text);
	fixture_free(fixture);
}

static void markdown_is_escaped_and_has_no_blanks_at_line_ends(void **state)
{
	struct fixture *fixture = fixture_new();
	char *text;

	(void)state;
	fixture->run.outcome_count = 1;
	text = write_report(lai_lab_report_markdown, &fixture->run);
	assert_null(strstr(text, " \n"));
	assert_null(strstr(text, "\t"));
	assert_null(strstr(text, "\n\n\n"));
	assert_null(strstr(text, "<script"));
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, 0xff));
	assert_non_null(strstr(text, "**Who says it.** \\# everybody\n\n1\\. and me\n"));
	assert_non_null(strstr(text, "**Procedure.** first line\n\nsecond line\n\nthird\n"));
	assert_non_null(strstr(text, "\\_\\_inet_hash_connect() in"));
	assert_non_null(strstr(text, "\\*always\\*"));
	assert_non_null(strstr(text, "a &lt; b &amp;&amp; tcp_tw_reuse = 2"));
	assert_non_null(strstr(text, "**Control.** \\[the opposite\\]\n"));
	assert_non_null(strstr(text, "from Linux 4.19 on REFUTED (it changed)"));
	assert_non_null(strstr(text, "- date: 2025-11-22 22:20 UTC\n"));
	assert_non_null(strstr(text, "- seeds: 3 (1 to 3)\n"));
	free(text);
	fixture_free(fixture);
}

static void the_same_run_gives_the_same_bytes(void **state)
{
	struct fixture *fixture = fixture_new();
	char *first = write_report(lai_lab_report_markdown, &fixture->run);
	char *second = write_report(lai_lab_report_markdown, &fixture->run);

	(void)state;
	assert_string_equal(first, second);
	free(first);
	free(second);
	fixture_free(fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "the page has a section and a link for every claim",
		 .test_func = the_page_has_a_section_for_every_claim},
		{.name = "nothing that comes from outside becomes markup",
		 .test_func = nothing_from_outside_becomes_markup},
		{.name = "the page says which verdicts are not as documented, and how seeds differ",
		 .test_func = the_page_says_what_is_news},
		{.name = "series with the same axes share a plot",
		 .test_func = series_with_the_same_axes_share_a_plot},
		{.name = "the control is told as it was seen, in the same words in both reports",
		 .test_func = the_control_is_told_as_it_was_seen},
		{.name = "a strip of dots needs three seeds",
		 .test_func = a_strip_needs_three_seeds},
		{.name = "a capture that cannot be read is told",
		 .test_func = a_capture_that_cannot_be_read_is_told},
		{.name = "a run of nothing is a report too",
		 .test_func = a_run_of_nothing_is_a_page_too},
		{.name = "a full disk is told", .test_func = a_full_disk_is_told},
		{.name = "numbers are taken over the seeds that have them",
		 .test_func = numbers_are_taken_over_the_seeds},
		{.name = "Markdown is escaped, and has no blanks at the ends of lines",
		 .test_func = markdown_is_escaped_and_has_no_blanks_at_line_ends},
		{.name = "the same run gives the same bytes",
		 .test_func = the_same_run_gives_the_same_bytes},
	};

	return cmocka_run_group_tests_name("show.lab_report", tests, NULL, NULL);
}
