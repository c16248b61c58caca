/* SPDX-License-Identifier: MIT */
#include "cli/lab_run.h"
#include "cli/command.h"
#include "cli/lab_files.h"
#include "cli/lab_progress.h"
#include "cli/output.h"
#include "show/lab_words.h"
#include "show/show_lab.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With all claims, the greatest number of seeds and every curve full. */
#define OUTPUT_MAX ((size_t)1 << 31)

/* ---- signals -------------------------------------------------------------------------------- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
	interrupted = number;
}

/* Without SA_RESTART, so that the runner's waiting ends. One that was ignored stays so: nohup. */
static void catch_signals(void)
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		struct sigaction now, then = {.sa_handler = note_signal};

		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &then, NULL);
	}
}

/* The next one ends us at once: while what has come out is written, nothing of ours runs. */
static void let_signals_be(void)
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		struct sigaction now;

		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == note_signal)
			(void)signal(signals[i], SIG_DFL);
	}
}

/* ---- what came out -------------------------------------------------------------------------- */

static int print_json(const char *name, const struct lai_run *run)
{
	struct lai_json json;

	lai_json_init(&json, OUTPUT_MAX);
	lai_show_lab_run_json(&json, run);
	return lai_output_json(name, &json);
}

static int print_text(const char *name, const struct lai_run *run, bool verbose)
{
	bool terminal = isatty(STDOUT_FILENO) == 1;
	enum lai_columns_form form = terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV;
	struct lai_text text = LAI_TEXT_INIT(OUTPUT_MAX);

	/* On a terminal what matters most stands last; a program reads the table first. */
	if (verbose && terminal) {
		lai_show_lab_evidence(&text, run, form);
		lai_text_append(&text, "\n");
	}
	lai_show_lab_run(&text, run, form, terminal ? lai_output_columns(STDOUT_FILENO) : 0);
	if (verbose && !terminal)
		lai_show_lab_evidence(&text, run, form);
	return lai_output_text(name, &text);
}

static int keep(const char *name, const struct lai_lab_run *config, const struct lai_run *run)
{
	char *error = NULL;
	int result = 0;

	if (config->pcap_directory)
		result = lai_lab_captures_write(run, config->pcap_directory, &error);
	if (result == 0 && config->report)
		result = lai_lab_report_write(run, config->report, &error);
	if (result == 0)
		return LAI_EXIT_DONE;
	lai_command_complain(name, "%s", error ? error : strerror(-result));
	free(error);
	return LAI_EXIT_FAILED;
}

/* What lacks something does not count, unless there is nothing else. */
static int judge(const struct lai_run *run)
{
	struct lai_lab_tally tally = lai_lab_tally(run);

	if (tally.news)
		return LAI_EXIT_FAILED;
	return tally.verdicts[LAI_LAB_LACKS] == run->outcome_count ? LAI_EXIT_CANNOT
								   : LAI_EXIT_DONE;
}

static int show(const char *name, const struct lai_lab_run *config, const struct lai_run *run)
{
	return config->json ? print_json(name, run) : print_text(name, run, config->verbose);
}

static int conclude(const char *name, const struct lai_lab_run *config, const struct lai_run *run)
{
	int shown = show(name, config, run), kept = keep(name, config, run);

	return shown != LAI_EXIT_DONE || kept != LAI_EXIT_DONE ? LAI_EXIT_FAILED : judge(run);
}

/* ---- what did not come out ------------------------------------------------------------------ */

static int refuse(const char *name, int result, char *error)
{
	int exit_code = LAI_EXIT_FAILED;

	lai_command_complain(name, "%s%s", result == -EINVAL ? "--sysctl: " : "",
			     error ? error : strerror(-result));
	if (result == -EINVAL)
		exit_code = LAI_EXIT_USAGE;
	if (result == -EPERM)
		exit_code = LAI_EXIT_CANNOT;
	free(error);
	return exit_code;
}

/* Shows what has been found so far: no report, which would take the place of a complete one. Ends by
   the signal, as a program without our handler would: what started us may want to know. */
static int show_interrupted(const char *name, const struct lai_lab_run *config,
			    const struct lai_run *run, const struct lai_lab_progress *progress)
{
	if (run->outcome_count > 0)
		(void)show(name, config, run);
	lai_command_complain(name, "%s after %zu of %zu trials; nothing of the others is left",
			     interrupted == SIGINT ? "interrupted" : "terminated", progress->done,
			     progress->total);
	(void)raise(interrupted);
	return LAI_EXIT_FAILED;
}

int lai_lab_run(const char *name, const struct lai_lab_run *config)
{
	struct lai_lab_progress progress;
	struct lai_run_plan plan = {
		.claims = config->claims,
		.claim_count = config->claim_count,
		.seeds = config->seeds,
		.jobs = config->jobs,
		.first_seed = 1,
		.settings = config->settings,
		.progress = lai_lab_progress_tell,
		.arg = &progress,
		.interrupted = &interrupted,
	};
	struct lai_run *run;
	char *error = NULL;
	int exit_code;
	bool made;
	int result = lai_lab_files_check(config->pcap_directory, config->report, &made, &error);

	if (result) {
		lai_command_complain(name, "%s", error ? error : strerror(-result));
		free(error);
		return result == -EINVAL ? LAI_EXIT_USAGE : LAI_EXIT_FAILED;
	}
	catch_signals();
	lai_lab_progress_begin(&progress);
	result = lai_run_plan(&plan, &run, &error);
	lai_lab_progress_end(&progress);
	let_signals_be();
	if (result && made)
		(void)rmdir(config->pcap_directory);
	if (result && result != -EINTR)
		return refuse(name, result, error);
	exit_code = result ? show_interrupted(name, config, run, &progress)
			   : conclude(name, config, run);
	lai_run_free(run);
	return exit_code;
}
