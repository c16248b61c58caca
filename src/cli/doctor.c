/* SPDX-License-Identifier: MIT */
#include "cli/doctor.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/watch_loop.h"
#include "show/show_coverage.h"
#include "show/show_finding.h"
#include "show/show_paragraph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The comparison reaches back at least so many rounds and so long, once there are as many. */
#define WINDOW_ROUNDS 10
#define WINDOW_MIN_NS (300 * LAI_S)

/* Longer lines are hard to read, shorter ones have no room beside the labels. */
#define COLUMNS_MAX 100
#define COLUMNS_MIN 40
#define COLUMNS_USUAL 80

/* A host with a million descriptors in findings comes to some 8 MB. */
#define OUTPUT_MAX (1ull << 30)

struct doctor {
	const char *name;
	const struct lai_doctor_config *config;
	bool blocks; /* for people, otherwise rows or JSON */
	/* NULL in the first round; next may be the same as before. */
	struct lai_snapshot *before, *next;
	char *shown; /* what was last written, without what changes with the clock alone */
};

/* One round, complete. */
struct look {
	const struct lai_snapshot *snapshot;
	const struct lai_findings *findings;
	size_t counts[LAI_SEVERITY_COUNT]; /* of those that are wanted */
};

static bool wanted(const struct lai_doctor_config *config, const struct lai_finding *finding)
{
	bool pid = config->pid_count == 0;

	for (size_t i = 0; i < config->pid_count; i++)
		pid |= config->pids[i] == finding->pid;
	return pid && config->verdicts[finding->verdict] && finding->severity <= config->severity;
}

/* The next finding that is wanted, from *index on; NULL: none is left. */
static const struct lai_finding *next_of(const struct doctor *doctor, const struct look *look,
					 size_t *index)
{
	while (*index < look->findings->count) {
		const struct lai_finding *finding = &look->findings->list[(*index)++];

		if (wanted(doctor->config, finding))
			return finding;
	}
	return NULL;
}

static void count(const struct doctor *doctor, struct look *look)
{
	const struct lai_finding *finding;

	for (size_t i = 0; (finding = next_of(doctor, look, &i));)
		look->counts[finding->severity]++;
}

static size_t total(const struct look *look)
{
	size_t sum = 0;

	for (int i = 0; i < LAI_SEVERITY_COUNT; i++)
		sum += look->counts[i];
	return sum;
}

static bool wrong(const struct look *look)
{
	return look->counts[LAI_SEVERITY_LEAK] + look->counts[LAI_SEVERITY_WARNING] > 0;
}

/* --- has anything changed? --- */

/* Ages and times are left out: they change though nothing happens. */
static char *digest(const struct doctor *doctor, const struct look *look)
{
	struct lai_text text = LAI_TEXT_INIT(OUTPUT_MAX);
	const struct lai_finding *finding;
	char *string = NULL, address[LA_ADDRESS_TEXT_MAX];

	lai_text_append(&text, "%zu;", total(look));
	for (size_t i = 0; (finding = next_of(doctor, look, &i));)
		lai_text_append(&text, "%d %d %zu %s %lld %llu;", (int)finding->verdict,
				(int)finding->pid, finding->socket_count,
				lai_show_endpoint(address, &finding->remote),
				(long long)finding->growth_per_min,
				(unsigned long long)finding->unread_bytes);
	(void)lai_text_steal(&text, &string);
	lai_text_done(&text);
	return string;
}

/* Without memory everything is new. */
static bool changed(struct doctor *doctor, const struct look *look)
{
	char *now = digest(doctor, look);
	bool same = now && doctor->shown && strcmp(now, doctor->shown) == 0;

	free(doctor->shown);
	doctor->shown = now;
	return !same;
}

/* --- output --- */

static void write_json(const struct doctor *doctor, const struct look *look,
		       struct lai_watch_page *page)
{
	const struct lai_finding *finding;
	struct lai_json json;
	char *line = NULL;
	int error;

	lai_json_init(&json, OUTPUT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_show_snapshot_json(&json, look->snapshot);
	lai_json_array_begin(&json, "findings");
	for (size_t i = 0; (finding = next_of(doctor, look, &i));)
		lai_show_finding_json(&json, look->snapshot, finding);
	lai_json_end(&json);
	lai_json_end(&json);
	error = lai_json_steal(&json, &line);
	lai_json_done(&json);
	if (error)
		page->error = error;
	else
		lai_text_append(&page->text, "%s\n", line);
	free(line);
}

static void write_rows(const struct doctor *doctor, const struct look *look,
		       struct lai_watch_page *page)
{
	const struct lai_finding *finding;
	struct lai_columns columns;

	lai_columns_init(&columns, lai_show_finding_columns, LAI_SHOW_FINDING_COLUMNS,
			 LAI_COLUMNS_TSV, &page->text);
	if (page->round == 0)
		lai_columns_head(&columns);
	for (size_t i = 0; (finding = next_of(doctor, look, &i));) {
		lai_show_finding_row(&columns, look->snapshot, finding);
		lai_watch_page_pass(page);
	}
	lai_columns_end(&columns, 0);
}

static void write_looked_at(struct lai_text *text, const struct lai_snapshot *snapshot)
{
	lai_text_append(text, "%zu socket%s of %zu process%s", snapshot->socket_count,
			snapshot->socket_count == 1 ? "" : "s", snapshot->process_count,
			snapshot->process_count == 1 ? "" : "es");
}

/* The line above the blocks, or instead of them; none above a single fault. */
static void write_summary(const struct doctor *doctor, const struct look *look,
			  struct lai_text *text, size_t columns)
{
	if (wrong(look) && total(look) == 1)
		return;
	if (wrong(look)) {
		lai_show_finding_counts(text, look->counts);
		lai_text_append(text, "; ");
		write_looked_at(text, look->snapshot);
		lai_text_append(text, " were looked at.\n\n");
		return;
	}
	if (doctor->config->chosen)
		lai_text_append(text, "Nothing wrong of what was asked for: ");
	else if (lai_show_coverage_whole(look->snapshot))
		lai_text_append(text, "Nothing is wrong: ");
	else
		lai_text_append(text, "Nothing wrong was found, of what could be seen: ");
	write_looked_at(text, look->snapshot);
	lai_text_append(text, " were looked at%s", total(look) ? "; " : "");
	if (total(look))
		lai_show_finding_counts(text, look->counts);
	lai_text_append(text, ".\n");
	if (!doctor->config->chosen)
		lai_doctor_show_unjudged(text, look->snapshot, look->findings,
					 doctor->before == NULL, columns);
	lai_text_append(text, "%s", total(look) ? "\n" : "");
}

static size_t columns_of(const struct lai_watch_page *page)
{
	if (page->columns == 0)
		return COLUMNS_USUAL;
	if (page->columns > COLUMNS_MAX)
		return COLUMNS_MAX;
	return page->columns < COLUMNS_MIN ? COLUMNS_MIN : page->columns;
}

/* A line for each, so that the worst can be told from the rest, and nothing is missed that a
   screen has no room for. */
static void write_table(const struct doctor *doctor, const struct look *look, struct lai_text *text,
			size_t columns)
{
	const struct lai_finding *finding;
	struct lai_columns table;

	if (total(look) < 2)
		return;
	lai_columns_init(&table, lai_show_finding_brief_columns, LAI_SHOW_FINDING_BRIEF_COLUMNS,
			 LAI_COLUMNS_TABLE, text);
	lai_columns_head(&table);
	for (size_t i = 0; (finding = next_of(doctor, look, &i));)
		lai_show_finding_brief(&table, finding);
	lai_columns_end(&table, columns);
	lai_text_append(text, "\n");
}

/* See no-color.org; a dumb terminal would show the attributes as characters. */
static bool has_colour(const struct lai_watch_page *page)
{
	const char *colourless = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return page->terminal && !(colourless && *colourless) &&
	       !(terminal && strcmp(terminal, "dumb") == 0);
}

static void write_blocks(const struct doctor *doctor, const struct look *look,
			 struct lai_watch_page *page)
{
	const struct lai_finding *finding;

	write_summary(doctor, look, &page->text, columns_of(page));
	write_table(doctor, look, &page->text, columns_of(page));
	for (size_t i = 0; (finding = next_of(doctor, look, &i));) {
		lai_show_finding_text(&page->text, look->snapshot, finding, columns_of(page),
				      has_colour(page));
		lai_text_append(&page->text, "\n");
		lai_watch_page_pass(page);
	}
	if (total(look))
		lai_text_append(&page->text, "%s --explain VERDICT says more about each.\n",
				doctor->name);
}

/* Lines for people, at the end; in a pipe only what limits what the rows say. */
static void write_notes(const struct doctor *doctor, const struct look *look,
			struct lai_watch_page *page)
{
	struct lai_text words = LAI_TEXT_INIT(OUTPUT_MAX);
	char ago[LAI_TIME_TEXT_MAX];

	if (!doctor->blocks && lai_show_coverage_whole(look->snapshot))
		return;
	if (doctor->blocks && doctor->before)
		lai_text_append(
			&words, "Compared with %s before. ",
			lai_time_format(ago, look->snapshot->taken_ns - doctor->before->taken_ns));
	lai_show_coverage_text(&words, look->snapshot);
	lai_show_wrapped(&page->notes, 0, columns_of(page), lai_text_string(&words));
	lai_text_done(&words);
}

static void write_look(struct doctor *doctor, const struct look *look, struct lai_watch_page *page)
{
	bool new = changed(doctor, look);

	if (doctor->config->quiet)
		return;
	if (doctor->config->json) {
		write_json(doctor, look, page);
		return;
	}
	if (!new && !page->drawn) {
		/* What separates the blocks of a watch is dropped with the block. */
		lai_text_done(&page->text);
		return;
	}
	if (doctor->blocks)
		write_blocks(doctor, look, page);
	else
		write_rows(doctor, look, page);
	write_notes(doctor, look, page);
}

/* --- looking --- */

/* Takes over the snapshot, as one to compare with. */
static void keep(struct doctor *doctor, struct lai_snapshot *now)
{
	uint64_t period_ns = doctor->config->period_ns, window_ns = WINDOW_MIN_NS;

	if (period_ns > WINDOW_MIN_NS / WINDOW_ROUNDS)
		window_ns =
			period_ns > LA_NEVER / WINDOW_ROUNDS ? LA_NEVER : period_ns * WINDOW_ROUNDS;
	if (!doctor->before) {
		doctor->before = doctor->next = now;
	} else if (doctor->next == doctor->before) {
		doctor->next = now;
	} else if (lai_time_since(doctor->next->taken_ns, now->taken_ns) >= window_ns) {
		lai_snapshot_free(doctor->before);
		doctor->before = doctor->next;
		doctor->next = now;
	} else {
		lai_snapshot_free(now);
	}
}

static int look_once(void *arg, struct lai_watch_page *page)
{
	struct doctor *doctor = arg;
	struct lai_snapshot_request request = {
		.way = doctor->config->way,
		.all_namespaces = doctor->config->all_namespaces,
		.suspects_first = true,
		.evidence = true,
	};
	struct lai_snapshot *snapshot = NULL;
	struct lai_findings findings = {0};
	struct look look = {.findings = &findings};
	char *sentence = NULL;
	int error = lai_snapshot_take(&request, &snapshot, &sentence), exit_code;

	if (!error) {
		error = lai_judge(snapshot, doctor->before, &findings);
		if (error)
			lai_snapshot_free(snapshot);
	}
	if (error)
		return lai_command_snapshot_failed(doctor->name, error, sentence);
	look.snapshot = snapshot;
	count(doctor, &look);
	write_look(doctor, &look, page);
	exit_code = wrong(&look) ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
	lai_findings_done(&findings);
	keep(doctor, snapshot);
	return exit_code;
}

int lai_doctor_run(const char *name, const struct lai_doctor_config *config)
{
	struct doctor doctor = {.name = name, .config = config};
	struct lai_watch_settings settings = {
		.period_ns = config->period_ns,
		.rounds = config->rounds,
	};
	int exit_code;

	doctor.blocks = !config->json && (config->text || isatty(STDOUT_FILENO) == 1);
	settings.joined = !doctor.blocks || config->quiet;
	exit_code = lai_watch_loop_run(name, &settings, look_once, &doctor);
	if (doctor.next != doctor.before)
		lai_snapshot_free(doctor.next);
	lai_snapshot_free(doctor.before);
	free(doctor.shown);
	return exit_code;
}
