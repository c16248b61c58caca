/* SPDX-License-Identifier: MIT */
/* lastack lab: the command line. What runs is in lab/, what it says in show/. */
#include "cli/command.h"
#include "cli/lab_run.h"
#include "cli/output.h"
#include "show/show_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Trials at the same time: a process each, that mostly sleeps. */
#define JOBS_MAX 64

/* All texts of all claims are some 100 kB. */
#define TEXT_MAX (1 << 22)

struct settings {
	bool all, json, verbose;
	uint32_t seeds, jobs; /* 0: not given */
	struct lai_option_list sysctls;
	const char *pcap_directory, *report;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("run"),
	ROW("all", 'a', FLAG, all, NULL, "every claim: below five minutes on two cores"),
	ROW("seeds", 's', U32, seeds, "N",
	    "run each claim so often, each time with other ports, sequence numbers and addresses "
	    "(default 5); its verdict is what all of them say",
	    NULL, 1, LAI_RUNNER_SEEDS_MAX),
	ROW("sysctl", 0, LIST, sysctls, "NAME=VALUE",
	    "set this in every host of every experiment first, such as "
	    "net.ipv4.tcp_timestamps=0; may be given again. Your own hosts are not touched"),
	ROW("jobs", 'j', U32, jobs, "N",
	    "so many trials at once (default 8), of those that wait more than they work", NULL, 1,
	    JOBS_MAX),
	ROW("keep-pcap", 0, TEXT, pcap_directory, "DIR",
	    "keep what went over the wires, as ID-seedN.pcap; the directory is made if it is "
	    "missing"),
	ROW("report", 0, TEXT, report, "FILE",
	    "write a report with diagrams and plots, as one page (.html), or with the texts and "
	    "numbers (.md)"),
	ROW("verbose", 'v', FLAG, verbose, NULL, "the evidence of every trial as well"),

	LAI_OPTION_HEAD("All of them"),
	ROW("json", 0, FLAG, json, NULL, "one JSON object (see lastack-lab(1))"),
};

static const struct lai_option_command command = {
	.name = "lastack lab",
	.operands = "list | show ID | run [ID...]",
	.summary =
		"Tries what people say about closing connections, using ports again and TIME_WAIT "
		"on this very kernel: each claim is an experiment between hosts made of throw-away "
		"network namespaces, with a control that must come out the opposite way, or the "
		"run tells nothing. list names the claims, show says all about one of them, run "
		"tries them. Nothing outside of the namespaces is changed, and nothing stays "
		"behind.",
	.epilog = "examples:\n"
		  "  lastack lab list\n"
		  "  lastack lab show linger-zero-loses\n"
		  "  lastack lab run linger-zero-loses --seeds 1 --verbose\n"
		  "  lastack lab run --all --report lab.html --keep-pcap captures\n"
		  "  lastack lab run tw-reuse-delay --sysctl net.ipv4.tcp_timestamps=0\n"
		  "\n"
		  "exit status: 0 every verdict is what is documented for this kernel; 1 one\n"
		  "differs or could not be told, or it failed; 2 bad usage; 77 this kernel or\n"
		  "privilege cannot\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
};

/* ---- words ---------------------------------------------------------------------------------- */

static struct lai_show_kernel this_kernel(void)
{
	struct lai_show_kernel kernel;

	lai_lab_kernel(kernel.release, &kernel.major, &kernel.minor);
	return kernel;
}

/* NULL: said, with the claim that was probably meant. */
static const struct lai_claim *find(const char *id)
{
	const struct lai_claim *claim = lai_claim_find(id);
	const char **names, *near;

	if (claim)
		return claim;
	names = calloc(lai_claim_count, sizeof(*names));
	for (size_t i = 0; names && i < lai_claim_count; i++)
		names[i] = lai_claims[i]->id;
	near = names ? lai_option_nearest(id, names, lai_claim_count) : NULL;
	free(names);
	if (near)
		lai_command_complain(command.name, "there is no claim '%s'; did you mean '%s'?", id,
				     near);
	else
		lai_command_complain(command.name,
				     "there is no claim '%s'; lastack lab list names them all", id);
	return NULL;
}

/* ---- list, show ----------------------------------------------------------------------------- */

static int list(const struct settings *settings)
{
	struct lai_show_kernel kernel = this_kernel();
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	bool terminal = isatty(STDOUT_FILENO) == 1;
	struct lai_json json;

	if (settings->json) {
		lai_json_init(&json, TEXT_MAX);
		lai_show_lab_list_json(&json, &kernel);
		return lai_output_json(command.name, &json);
	}
	lai_show_lab_list(&text, &kernel, terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV,
			  lai_output_columns(STDOUT_FILENO));
	return lai_output_text(command.name, &text);
}

static int show(const struct settings *settings, const char *id)
{
	const struct lai_claim *claim = find(id);
	struct lai_show_kernel kernel = this_kernel();
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	struct lai_json json;

	if (!claim)
		return LAI_EXIT_USAGE;
	if (settings->json) {
		lai_json_init(&json, TEXT_MAX);
		lai_show_lab_claim_json(&json, claim, &kernel);
		return lai_output_json(command.name, &json);
	}
	lai_show_lab_claim(&text, claim, &kernel, lai_output_columns(STDOUT_FILENO));
	return lai_output_text(command.name, &text);
}

/* ---- run ------------------------------------------------------------------------------------ */

/* Only what belongs to a network namespace begins with "net.". NULL: it is well-formed. */
static const char *sysctl_wrong(const char *setting)
{
	static const char prefix[] = "net.";
	size_t name = strcspn(setting, "=");
	size_t length = strspn(setting, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._-");

	if (name == 0 || setting[name] != '=' || setting[name + 1] == '\0')
		return "needs NAME=VALUE, such as net.ipv4.tcp_sack=0";
	if (length < name || strstr(setting, "..") || setting[name - 1] == '.')
		return "needs a NAME of words with one dot between, such as net.ipv4.tcp_sack=0";
	if (strncmp(setting, prefix, sizeof(prefix) - 1) != 0)
		return "takes only names that begin with net., which belong to a network namespace";
	return NULL;
}

/* The array ends with NULL and is for free(); NULL: said. */
static const char **sysctls_read(const struct lai_option_list *sysctls, int *exit_code)
{
	const char **texts;

	for (size_t i = 0; i < sysctls->count; i++) {
		const char *wrong = sysctl_wrong(sysctls->texts[i]);

		if (wrong) {
			*exit_code = lai_command_refuse(command.name, "--sysctl %s, not '%s'",
							wrong, sysctls->texts[i]);
			return NULL;
		}
	}
	texts = calloc(sysctls->count + 1, sizeof(*texts));
	if (!texts) {
		lai_command_complain(command.name, "out of memory");
		*exit_code = LAI_EXIT_FAILED;
		return NULL;
	}
	for (size_t i = 0; i < sysctls->count; i++)
		texts[i] = sysctls->texts[i];
	return texts;
}

/* In the order of the list, whatever the order they were named in, and each once. */
static bool choose(const struct settings *settings, const char *const *ids, size_t count,
		   struct lai_lab_run *config)
{
	for (size_t i = 0; i < count; i++)
		if (!find(ids[i]))
			return false;
	for (size_t i = 0; i < lai_claim_count; i++) {
		bool wanted = settings->all;

		for (size_t k = 0; k < count && !wanted; k++)
			wanted = strcmp(ids[k], lai_claims[i]->id) == 0;
		if (wanted)
			config->claims[config->claim_count++] = lai_claims[i];
	}
	return true;
}

static int run(const struct settings *settings, const char *const *ids, size_t count)
{
	struct lai_lab_run config = {
		.seeds = settings->seeds ? settings->seeds : LAI_RUNNER_SEEDS_DEFAULT,
		.jobs = settings->jobs ? settings->jobs : LAI_RUNNER_JOBS_DEFAULT,
		.pcap_directory = settings->pcap_directory,
		.report = settings->report,
		.json = settings->json,
		.verbose = settings->verbose,
	};
	int exit_code = LAI_EXIT_USAGE;
	const char **sysctls;

	if (settings->all && count > 0)
		return lai_command_refuse(command.name, "--all and '%s' exclude each other",
					  ids[0]);
	if (!settings->all && count == 0)
		return lai_command_refuse(command.name,
					  "run needs the id of a claim or --all; lastack lab list "
					  "names them");
	if (settings->json && settings->verbose)
		return lai_command_refuse(command.name,
					  "--json has the evidence without --verbose");
	sysctls = sysctls_read(&settings->sysctls, &exit_code);
	if (!sysctls)
		return exit_code;
	config.settings = sysctls;
	config.claims = calloc(lai_claim_count, sizeof(struct lai_claim *));
	if (config.claims && choose(settings, ids, count, &config))
		exit_code = lai_lab_run(command.name, &config);
	free(config.claims);
	free(sysctls);
	return exit_code;
}

/* ---- the command line ----------------------------------------------------------------------- */

/* An option that only run has; NULL: none is given. */
static const char *only_run_has(const struct settings *settings)
{
	if (settings->all)
		return "--all";
	if (settings->seeds)
		return "--seeds";
	if (settings->jobs)
		return "--jobs";
	if (settings->sysctls.count)
		return "--sysctl";
	if (settings->pcap_directory)
		return "--keep-pcap";
	if (settings->report)
		return "--report";
	return settings->verbose ? "--verbose" : NULL;
}

static int unknown(const char *verb)
{
	static const char *const verbs[] = {"list", "show", "run"};
	const char *near = lai_option_nearest(verb, verbs, sizeof(verbs) / sizeof(verbs[0]));

	if (lai_claim_find(verb))
		return lai_command_refuse(
			command.name, "'%s' is a claim: lastack lab run %s tries it", verb, verb);
	return lai_command_refuse(command.name, "'%s' is none of list, show and run%s%s%s", verb,
				  near ? "; did you mean '" : "", near ? near : "",
				  near ? "'?" : "");
}

static int dispatch(const struct settings *settings, const struct lai_option_list *operands)
{
	const char *verb = operands->texts[0], *given;
	size_t count = operands->count - 1;

	if (strcmp(verb, "run") == 0)
		return run(settings, operands->texts + 1, count);
	if (strcmp(verb, "list") != 0 && strcmp(verb, "show") != 0)
		return unknown(verb);
	given = only_run_has(settings);
	if (given)
		return lai_command_refuse(command.name, "%s belongs to run; %s has --json", given,
					  verb);
	if (strcmp(verb, "list") == 0)
		return count ? lai_command_refuse(command.name, "list takes no operand, not '%s'",
						  operands->texts[1])
			     : list(settings);
	if (count != 1)
		return lai_command_refuse(command.name,
					  "show needs the id of one claim; lastack lab list names "
					  "them");
	return show(settings, operands->texts[1]);
}

int lai_cmd_lab(int count, char *const *args)
{
	struct settings settings = {0};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	exit_code = dispatch(&settings, &operands);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
