/* SPDX-License-Identifier: MIT */
/* lastack doctor: the command line. What runs is in doctor.c, what it says in show/. */
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/output.h"
#include "cli/watch_loop.h"
#include "base/time.h"
#include "show/explain.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
	struct lai_option_list verdicts, pids;
	enum lai_severity severity;
	enum lai_way_choice way;
	bool all_namespaces;
	uint64_t watch_ns;
	uint32_t rounds;
	bool json, text, quiet, list_verdicts;
	const char *explain;
};

/* No --watch: no time that can be written. "never" can. */
#define NOT_GIVEN (LA_NEVER - 1)

/* The texts of --explain together are some 25 kB. */
#define EXPLAIN_MAX 262144

static const char *const severity_names[] = {"leak", "warning", "info", NULL};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("What is reported"),
	ROW("verdict", 0, LIST, verdicts, "VERDICT",
	    "only findings with this verdict; several by commas, or the option again"),
	ROW("severity", 0, ENUM, severity, NULL, "only this and worse (default info: all)",
	    severity_names),
	ROW("pid", 'p', LIST, pids, "PID",
	    "only findings about this process; several by commas, or the option again"),

	LAI_OPTION_HEAD("What is looked at"),
	ROW("all-netns", 'N', FLAG, all_namespaces, NULL,
	    "every network namespace, not only this one (root)"),
	ROW("owners", 0, ENUM, way, NULL,
	    "how the owners of sockets are found: by BPF if that is possible (default), by BPF or "
	    "not at all, or by /proc",
	    lai_way_choice_names),
	ROW("watch", 'w', TIME, watch_ns, "SECONDS",
	    "look again and again, and compare: growth tells a leak from a pool"),
	ROW("count", 'c', U32, rounds, "N", "with --watch: end after so many looks", NULL, 1, 0),

	LAI_OPTION_HEAD("How it is said"),
	ROW("json", 0, FLAG, json, NULL, "one JSON object per look (see lastack-doctor(1))"),
	ROW("text", 0, FLAG, text, NULL,
	    "text for people, as on a terminal, also in a pipe (there the default is a line of "
	    "tab-separated values per finding)"),
	ROW("quiet", 'q', FLAG, quiet, NULL, "say nothing: the exit status tells"),

	LAI_OPTION_HEAD("What it means"),
	ROW("explain", 'e', TEXT, explain, "VERDICT",
	    "what this verdict means, how it arises, how to mend the program; 'all' for all"),
	ROW("list-verdicts", 0, FLAG, list_verdicts, NULL,
	    "the names of all verdicts, with severity and title"),
};

static const struct lai_option_command command = {
	.name = "lastack doctor",
	.summary = "Looks at every TCP connection of this host, and says which do not end "
		   "properly, whose fault it is, since when, and the gentlest way to end them. "
		   "Changes nothing. As root it sees all processes.",
	.epilog = "examples:\n"
		  "  lastack doctor\n"
		  "  lastack doctor --watch 10\n"
		  "  lastack doctor --severity leak --quiet; [ $? -eq 1 ] && echo leak\n"
		  "  lastack doctor --explain eof-ignored\n"
		  "  lastack doctor --json | jq -r '.findings[].remedy // empty'\n"
		  "\n"
		  "exit status: 0 nothing wrong; 1 a leak or a warning was found, or it failed\n"
		  "(then a sentence on standard error says why); 2 bad usage; 77 this kernel or\n"
		  "privilege cannot\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
};

/* --- words --- */

static int explain(const char *name)
{
	struct lai_text text = LAI_TEXT_INIT(EXPLAIN_MAX);
	enum lai_verdict verdict;
	int exit_code = 0;

	if (strcmp(name, "all") == 0) {
		for (int i = 0; i < LAI_VERDICT_COUNT; i++) {
			lai_text_append(&text, "%s", i ? "\n" : "");
			lai_explain(&text, (enum lai_verdict)i);
		}
	} else {
		exit_code = lai_doctor_verdict(command.name, "--explain", name, &verdict);
		if (!exit_code)
			lai_explain(&text, verdict);
	}
	return exit_code ? exit_code : lai_output_text(command.name, &text);
}

static int list_verdicts(void)
{
	struct lai_text text = LAI_TEXT_INIT(EXPLAIN_MAX);

	lai_explain_list(&text, isatty(STDOUT_FILENO) != 1);
	return lai_output_text(command.name, &text);
}

/* --- lists of the command line --- */

static int take_verdict(void *arg, const char *part)
{
	struct lai_doctor_config *config = arg;
	enum lai_verdict verdict;
	int exit_code = lai_doctor_verdict(command.name, "--verdict", part, &verdict);

	if (!exit_code)
		config->verdicts[verdict] = true;
	return exit_code;
}

static int refuse_pid(const char *part)
{
	struct lai_text sentence = LAI_TEXT_INIT(LAI_OPTION_SENTENCE_MAX);
	int exit_code;

	lai_option_refuse(&sentence, "--pid", "a process id, a number from 1 on", part);
	exit_code = lai_command_refuse(command.name, "%s", lai_text_string(&sentence));
	lai_text_done(&sentence);
	return exit_code;
}

/* A process that is gone cannot be healthy: better said than answered with "nothing is wrong". */
static int take_pid(void *arg, const char *part)
{
	struct lai_doctor_config *config = arg;
	uint32_t number;
	pid_t *pids;

	if (!lai_number_parse(part, &number) || number == 0 || number > INT_MAX)
		return refuse_pid(part);
	if (kill((pid_t)number, 0) != 0 && errno == ESRCH)
		return lai_command_refuse(command.name, "--pid %u: there is no such process",
					  number);
	pids = reallocarray((void *)config->pids, config->pid_count + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	pids[config->pid_count++] = (pid_t)number;
	config->pids = pids;
	return 0;
}

/* What the table cannot check; NULL: all is well. */
static const char *check(const struct settings *settings)
{
	if (settings->json + settings->text + settings->quiet > 1)
		return "--json, --text and --quiet exclude each other";
	if (settings->json && (settings->explain || settings->list_verdicts))
		return "--explain and --list-verdicts are text, and have no --json";
	if (settings->rounds && settings->watch_ns == NOT_GIVEN)
		return "--count needs --watch SECONDS";
	if (settings->watch_ns == LA_NEVER)
		return "--watch never would not watch: leave it out, or give a time such as 2s";
	return settings->watch_ns == NOT_GIVEN ? NULL : lai_watch_period_wrong(settings->watch_ns);
}

static int run(const struct settings *settings)
{
	struct lai_doctor_config config = {
		.severity = settings->severity,
		.way = settings->way,
		.all_namespaces = settings->all_namespaces,
		.period_ns = settings->watch_ns == NOT_GIVEN ? LA_NEVER : settings->watch_ns,
		.rounds = settings->rounds,
		.json = settings->json,
		.text = settings->text,
		.quiet = settings->quiet,
	};
	int exit_code;

	for (int i = 0; i < LAI_VERDICT_COUNT; i++)
		config.verdicts[i] = settings->verdicts.count == 0;
	config.chosen = settings->verdicts.count || settings->pids.count ||
			settings->severity != LAI_SEVERITY_INFO;
	exit_code = lai_option_list_each(&settings->verdicts, take_verdict, &config);
	if (!exit_code)
		exit_code = lai_option_list_each(&settings->pids, take_pid, &config);
	if (exit_code < 0) {
		lai_command_complain(command.name, "%s", strerror(-exit_code));
		exit_code = LAI_EXIT_FAILED;
	}
	if (!exit_code)
		exit_code = lai_doctor_run(command.name, &config);
	free((void *)config.pids);
	return exit_code;
}

int lai_cmd_doctor(int count, char *const *args)
{
	struct settings settings = {.severity = LAI_SEVERITY_INFO, .watch_ns = NOT_GIVEN};
	struct lai_option_list operands = {0};
	const char *wrong;
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	wrong = check(&settings);
	if (wrong)
		exit_code = lai_command_refuse(command.name, "%s", wrong);
	else if (settings.explain)
		exit_code = explain(settings.explain);
	else if (settings.list_verdicts)
		exit_code = list_verdicts();
	else
		exit_code = run(&settings);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
