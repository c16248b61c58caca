/* SPDX-License-Identifier: MIT */
/* lastack close: the command line. What runs is in close.c and its siblings. */
#include "cli/close.h"

#include "base/time.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As many as one look should end without a second thought; also what 20 s of work are. */
#define LIMIT_DEFAULT 100000

/* Bounds of TCP_KEEPIDLE, TCP_KEEPINTVL (MAX_TCP_KEEPIDLE, ...) and TCP_KEEPCNT (net/tcp.h). */
#define KEEPALIVE_S_MAX 32767
#define KEEPALIVE_PROBES_MAX 127

#define BIT(state) LAI_SOCKDIAG_STATE(LAI_TCP_##state)
/* What is meant without --state: connections whose end has begun. */
#define ENDING (BIT(CLOSE_WAIT) | BIT(FIN_WAIT1) | BIT(FIN_WAIT2) | BIT(CLOSING) | BIT(LAST_ACK))

struct settings {
	struct lai_select_settings select;
	struct lai_option_list verdicts;
	enum lai_mend_how how;
	uint64_t idle_ns, interval_ns; /* LA_NEVER: not given */
	uint32_t probes;	       /* 0: not given */
	uint32_t limit;
	enum lai_way_choice way;
	bool all_namespaces, yes, dry_run, json, text;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("What is done"),
	ROW("yes", 'y', FLAG, yes, NULL, "act; without it nothing is changed"),
	ROW("dry-run", 0, FLAG, dry_run, NULL, "do not act (the default)"),
	ROW("how", 0, ENUM, how, NULL,
	    "fin (default): FIN, unread data stays readable, the owner is woken; rst: RST, also "
	    "where no process holds it; keepalive: ends it only if the peer is gone",
	    lai_mend_names),
	ROW("limit", 0, U32, limit, "N", "end at most N, the oldest (default 100000)", NULL, 1, 0),
	ROW("keepalive-idle", 0, TIME, idle_ns, "TIME",
	    "with --how keepalive: silence before the first probe (default 10s)"),
	ROW("keepalive-interval", 0, TIME, interval_ns, "TIME", "between probes (default 5s)"),
	ROW("keepalive-probes", 0, U32, probes, "N", "unanswered ones that prove death (default 4)",
	    NULL, 1, KEEPALIVE_PROBES_MAX),

	LAI_SELECT_OPTIONS(struct settings, select),
	ROW("verdict", 0, LIST, verdicts, "VERDICT",
	    "what lastack doctor finds to be so, such as eof-ignored; several by commas"),

	LAI_OPTION_HEAD("Where it looks, and what it says"),
	ROW("all-netns", 'N', FLAG, all_namespaces, NULL,
	    "in every network namespace, not only this one (root)"),
	ROW("owners", 0, ENUM, way, NULL,
	    "how the owners of sockets are found: by BPF if that is possible (default), by BPF or "
	    "not at all, or by /proc",
	    lai_way_choice_names),
	ROW("json", 0, FLAG, json, NULL, "one JSON object (see lastack-close(1))"),
	ROW("text", 0, FLAG, text, NULL,
	    "text for people, as on a terminal, also in a pipe (there the default is a line of "
	    "tab-separated values per connection)"),
};

static const struct lai_option_command command = {
	.name = "lastack close",
	.summary =
		"Ends connections of other programs that do not end by themselves, as gently as is "
		"possible. Without --yes it only says what it would do. Each connection is "
		"identified again right before it is touched. At least one filter is needed; "
		"connections that listen or are ESTABLISHED are left alone unless --state names "
		"that state or --verdict finds fault with them.",
	.epilog =
		"examples:\n"
		"  lastack close --state close-wait --min-age 10m\n"
		"  lastack close --state close-wait --pid 4711 --yes\n"
		"  lastack close --verdict never-accepted --how rst --yes\n"
		"  lastack close --state established --port 5432 --how keepalive --yes\n"
		"\n"
		"exit status: 0 all done, nothing to do, or a dry run; 1 something was not done;\n"
		"2 bad usage; 77 not permitted\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
};

/* ---- lists ------------------------------------------------------------------------------- */

static int take_verdict(void *arg, const char *part)
{
	struct lai_close_config *config = arg;
	enum lai_verdict verdict;
	int exit_code = lai_doctor_verdict(command.name, "--verdict", part, &verdict);

	if (exit_code)
		return exit_code;
	config->verdicts[verdict] = true;
	config->by_verdict = true;
	return 0;
}

/* The kernel's two names of a handshake under way count as one. */
static bool is_one_state(uint32_t mask)
{
	mask &= ~BIT(NEW_SYN_RECV);
	return (mask & (mask - 1)) == 0;
}

/* Names of single states are meant; of a group only those that are ending. */
static int take_state(void *arg, const char *part)
{
	struct lai_close_config *config = arg;
	uint32_t mask = 0;

	if (lai_select_state_read(part, &mask, NULL) != 0)
		return 0; /* select.c has refused it already */
	config->state_mask |= is_one_state(mask) ? mask : mask & ENDING;
	config->states_named = config->states_named || is_one_state(mask);
	return 0;
}

/* ---- what the table of options cannot check ----------------------------------------------- */

static bool has_filter(const struct settings *settings, const struct lai_close_config *config)
{
	const struct lai_select_settings *select = &settings->select;

	return config->by_verdict || config->states_named || select->min_age_ns ||
	       select->pids.count + select->commands.count + select->ports.count +
		       select->local_ports.count + select->remote_ports.count +
		       select->addresses.count + select->cgroups.count + select->containers.count;
}

static bool seconds_of(uint64_t time_ns, uint32_t *seconds)
{
	if (time_ns == LA_NEVER)
		return true; /* the default stays */
	if (time_ns < LAI_S || time_ns > KEEPALIVE_S_MAX * LAI_S)
		return false;
	*seconds = (uint32_t)(time_ns / LAI_S);
	return true;
}

/* NULL: all is well. */
static const char *check(const struct settings *settings, struct lai_close_config *config)
{
	bool probing = settings->idle_ns != LA_NEVER || settings->interval_ns != LA_NEVER ||
		       settings->probes;

	if (settings->yes && settings->dry_run)
		return "--yes and --dry-run exclude each other";
	if (settings->json && settings->text)
		return "--json and --text exclude each other";
	if (probing && settings->how != LAI_MEND_KEEPALIVE)
		return "--keepalive-idle, -interval and -probes need --how keepalive";
	config->keepalive = lai_mend_keepalive_default;
	if (!seconds_of(settings->idle_ns, &config->keepalive.idle_s) ||
	    !seconds_of(settings->interval_ns, &config->keepalive.interval_s))
		return "--keepalive-idle and --keepalive-interval: the kernel takes 1s to 32767s";
	if (settings->probes)
		config->keepalive.probes = settings->probes;
	if (!has_filter(settings, config))
		return "which connections? Nothing but all was chosen. Choose by --state (one of "
		       "its own name, no group), --verdict, --pid, --command, --port, "
		       "--local-port, --remote-port, --address, --cgroup, --container or "
		       "--min-age";
	return NULL;
}

/* 0, or an exit code after saying why. */
static int prepare(const struct settings *settings, struct lai_close_config *config)
{
	const char *wrong;
	int result = lai_option_list_each(&settings->verdicts, take_verdict, config);

	if (!result)
		result = lai_option_list_each(&settings->select.states, take_state, config);
	if (result < 0) {
		lai_command_complain(command.name, "%s", strerror(-result));
		return LAI_EXIT_FAILED;
	}
	if (result)
		return result;
	if (settings->select.states.count == 0)
		config->state_mask = ENDING;
	wrong = check(settings, config);
	return wrong ? lai_command_refuse(command.name, "%s", wrong) : 0;
}

static int run(const struct settings *settings, int count, char *const *args)
{
	struct lai_close_config config = {
		.name = command.name,
		.args = args,
		.arg_count = count,
		.how = settings->how,
		.act = settings->yes,
		.limit = settings->limit,
		.way = settings->way,
		.all_namespaces = settings->all_namespaces,
		.json = settings->json,
		.text = settings->text,
	};
	struct lai_select *select = NULL;
	char *error = NULL;
	int exit_code;

	switch (lai_select_new(&settings->select, &select, &error)) {
	case 0: break;
	case -EINVAL:
		exit_code = lai_command_refuse(command.name, "%s", error);
		free(error);
		return exit_code;
	default: lai_command_complain(command.name, "out of memory"); return LAI_EXIT_FAILED;
	}
	config.select = select;
	exit_code = prepare(settings, &config);
	if (!exit_code)
		exit_code = lai_close_run(&config);
	lai_select_free(select);
	return exit_code;
}

int lai_cmd_close(int count, char *const *args)
{
	struct settings settings = {
		.how = LAI_MEND_FIN,
		.idle_ns = LA_NEVER,
		.interval_ns = LA_NEVER,
		.limit = LIMIT_DEFAULT,
	};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	exit_code = run(&settings, count, args);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
