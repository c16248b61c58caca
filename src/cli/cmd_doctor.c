/* SPDX-License-Identifier: MIT */
/* lastack doctor: the command line. What runs is in doctor.c, what it says in show/. */
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/watch_loop.h"
#include "base/time.h"
#include "show/explain.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	struct lai_option_list verdicts, pids;
	enum lai_severity severity;
	enum lai_way_choice owners;
	bool all_namespaces;
	uint64_t watch_ns;
	uint32_t rounds;
	bool json, text, quiet, list_verdicts;
	const char *explain;
};

/* The texts of --explain together are some 25 kB. */
#define EXPLAIN_MAX 262144

/* Longer words are no verdict and near to none. */
#define WORD_MAX LAI_OPTION_NAME_MAX

static const char *const severity_names[] = {"leak", "warning", "info", NULL};
static const char *const owner_names[] = {"auto", "bpf", "proc", NULL};

/* After the metavar: the help sentence, then the names of an enum. */
#define ROW(option, key, kind, field, value, ...)                                                  \
	{                                                                                          \
		.name = option, .letter = key, .type = LAI_OPTION_##kind,                          \
		.offset = offsetof(struct settings, field), .metavar = value, .help = __VA_ARGS__  \
	}
#define HEADING(text)                                                                              \
	{                                                                                          \
		.type = LAI_OPTION_HEADING, .help = text                                           \
	}

static const struct lai_option options[] = {
	HEADING("What is reported"),
	ROW("verdict", 0, LIST, verdicts, "VERDICT",
	    "only findings with this verdict; several by commas, or the option again"),
	ROW("severity", 0, ENUM, severity, NULL, "only this and worse (default info: all)",
	    severity_names),
	ROW("pid", 'p', LIST, pids, "PID",
	    "only findings about this process; several by commas, or the option again"),

	HEADING("What is looked at"),
	ROW("all-netns", 'N', FLAG, all_namespaces, NULL,
	    "every network namespace, not only this one (root)"),
	ROW("owners", 0, ENUM, owners, NULL,
	    "how the owners of sockets are found: by BPF if that is possible (default), by BPF or "
	    "not at all, or by /proc",
	    owner_names),
	ROW("watch", 'w', TIME, watch_ns, "SECONDS",
	    "look again and again, and compare: growth tells a leak from a pool"),
	ROW("count", 'c', U32, rounds, "N", "with --watch: end after so many looks", NULL, 1, 0),

	HEADING("How it is said"),
	ROW("json", 0, FLAG, json, NULL, "one JSON object per look (see lastack-doctor(1))"),
	ROW("text", 0, FLAG, text, NULL,
	    "text for people, as on a terminal, also in a pipe (there the default is a line of "
	    "tab-separated values per finding)"),
	ROW("quiet", 'q', FLAG, quiet, NULL, "say nothing: the exit status tells"),

	HEADING("What it means"),
	ROW("explain", 'e', TEXT, explain, "VERDICT",
	    "what this verdict means, how it arises, how to mend the program; 'all' for all"),
	ROW("list-verdicts", 0, FLAG, list_verdicts, NULL, "the names of all verdicts"),
};

static const struct lai_option_command command = {
	.name = "lastack doctor",
	.summary = "Looks at every TCP connection of this host, and says which do not end "
		   "properly, whose fault it is, since when, and the gentlest way to end them. "
		   "Changes nothing. As root it sees all processes.",
	.epilog = "examples:\n"
		  "  lastack doctor\n"
		  "  lastack doctor --watch 10 --count 2 --severity leak --quiet || echo leak\n"
		  "  lastack doctor --explain eof-ignored\n"
		  "  lastack doctor --json | jq -r '.findings[].remedy // empty'\n"
		  "\n"
		  "exit status: 0 nothing wrong, 1 a leak or a warning was found, 2 bad usage,\n"
		  "77 this kernel or privilege cannot\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
};

/* --- names of verdicts --- */

static const char *nearest(const char *name)
{
	const char *names[LAI_VERDICT_COUNT];
	char word[WORD_MAX + 1] = "";

	if (strlen(name) > WORD_MAX)
		return NULL;
	for (size_t i = 0; name[i]; i++)
		word[i] = name[i] == '_' || name[i] == ' ' ? '-'
							   : (char)tolower((unsigned char)name[i]);
	for (int i = 0; i < LAI_VERDICT_COUNT; i++)
		names[i] = lai_verdict_name((enum lai_verdict)i);
	return lai_option_nearest(word, names, LAI_VERDICT_COUNT);
}

static int refuse_verdict(const char *option, const char *name, size_t length)
{
	struct lai_text text = LAI_TEXT_INIT(EXPLAIN_MAX);
	char word[WORD_MAX + 1];
	const char *near;

	(void)snprintf(word, sizeof(word), "%.*s", (int)(length < WORD_MAX ? length : WORD_MAX),
		       name);
	near = length <= WORD_MAX ? nearest(word) : NULL;
	(void)lai_command_refuse(
		command.name, "%s '%s%s': there is no such verdict%s%s%s; these are", option, word,
		length > WORD_MAX ? "..." : "", near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	lai_explain_list(&text);
	(void)fputs(lai_text_string(&text), stderr);
	lai_text_done(&text);
	return LAI_EXIT_USAGE;
}

static int print(struct lai_text *text)
{
	int error = text->error;

	if (!error && (fputs(lai_text_string(text), stdout) < 0 || fflush(stdout) != 0))
		error = -errno;
	lai_text_done(text);
	if (error && error != -EPIPE)
		lai_command_complain(command.name, "cannot write to standard output: %s",
				     strerror(-error));
	return error ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
}

static int explain(const char *name)
{
	struct lai_text text = LAI_TEXT_INIT(EXPLAIN_MAX);
	enum lai_verdict verdict = lai_verdict_of_name(name);

	if (strcmp(name, "all") == 0) {
		for (int i = 0; i < LAI_VERDICT_COUNT; i++) {
			lai_text_append(&text, "%s", i ? "\n" : "");
			lai_explain(&text, (enum lai_verdict)i);
		}
	} else if (verdict != LAI_VERDICT_COUNT) {
		lai_explain(&text, verdict);
	} else {
		return refuse_verdict("--explain", name, strlen(name));
	}
	return print(&text);
}

static int list_verdicts(void)
{
	struct lai_text text = LAI_TEXT_INIT(EXPLAIN_MAX);

	lai_explain_list(&text);
	return print(&text);
}

/* --- lists of the command line --- */

/* Calls each() with every part between commas; the first result that is not 0 ends it. */
static int each_part(const struct lai_option_list *list,
		     int (*each)(struct lai_doctor_config *config, const char *part, size_t length),
		     struct lai_doctor_config *config)
{
	for (size_t i = 0; i < list->count; i++) {
		for (const char *part = list->texts[i];; part++) {
			size_t length = strcspn(part, ",");
			int exit_code = each(config, part, length);

			if (exit_code)
				return exit_code;
			part += length;
			if (!*part)
				break;
		}
	}
	return 0;
}

static int take_verdict(struct lai_doctor_config *config, const char *part, size_t length)
{
	char name[WORD_MAX + 1];
	enum lai_verdict verdict = LAI_VERDICT_COUNT;

	if (length <= WORD_MAX) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, part);
		verdict = lai_verdict_of_name(name);
	}
	if (verdict == LAI_VERDICT_COUNT)
		return refuse_verdict("--verdict", part, length);
	config->verdicts[verdict] = true;
	return 0;
}

/* A process that is gone cannot be healthy: better said than answered with "nothing is wrong". */
static int take_pid(struct lai_doctor_config *config, const char *part, size_t length)
{
	long number = 0;
	pid_t *pids;

	for (size_t i = 0; i < length && number >= 0; i++)
		number = isdigit((unsigned char)part[i]) && number <= (INT_MAX - 9) / 10
				 ? number * 10 + (part[i] - '0')
				 : -1;
	if (number <= 0)
		return lai_command_refuse(command.name,
					  "--pid '%.*s': a process id is a number from 1 on",
					  (int)length, part);
	if (kill((pid_t)number, 0) != 0 && errno == ESRCH)
		return lai_command_refuse(command.name, "--pid %ld: there is no such process",
					  number);
	pids = reallocarray((void *)config->pids, config->pid_count + 1, sizeof(*pids));
	if (!pids) {
		lai_command_complain(command.name, "out of memory");
		return LAI_EXIT_FAILED;
	}
	pids[config->pid_count++] = (pid_t)number;
	config->pids = pids;
	return 0;
}

/* What the table cannot check; NULL: all is well. */
static const char *check(const struct settings *settings)
{
	if (settings->json + settings->text + settings->quiet > 1)
		return "--json, --text and --quiet exclude each other";
	if (settings->rounds && settings->watch_ns == LA_NEVER)
		return "--count needs --watch SECONDS";
	return settings->watch_ns == LA_NEVER ? NULL : lai_watch_period_wrong(settings->watch_ns);
}

static int run(const struct settings *settings)
{
	struct lai_doctor_config config = {
		.severity = settings->severity,
		.way = settings->owners,
		.all_namespaces = settings->all_namespaces,
		.period_ns = settings->watch_ns,
		.rounds = settings->rounds,
		.json = settings->json,
		.text = settings->text,
		.quiet = settings->quiet,
	};
	const char *wrong = check(settings);
	int exit_code;

	if (wrong)
		return lai_command_refuse(command.name, "%s", wrong);
	for (int i = 0; i < LAI_VERDICT_COUNT; i++)
		config.verdicts[i] = settings->verdicts.count == 0;
	config.chosen = settings->verdicts.count || settings->pids.count ||
			settings->severity != LAI_SEVERITY_INFO;
	exit_code = each_part(&settings->verdicts, take_verdict, &config);
	if (!exit_code)
		exit_code = each_part(&settings->pids, take_pid, &config);
	if (!exit_code)
		exit_code = lai_doctor_run(command.name, &config);
	free((void *)config.pids);
	return exit_code;
}

int lai_cmd_doctor(int count, char *const *args)
{
	struct settings settings = {.severity = LAI_SEVERITY_INFO, .watch_ns = LA_NEVER};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	if (settings.explain)
		exit_code = explain(settings.explain);
	else if (settings.list_verdicts)
		exit_code = list_verdicts();
	else
		exit_code = run(&settings);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
