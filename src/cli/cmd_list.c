/* SPDX-License-Identifier: MIT */
/* lastack list: every TCP socket with its state, queues, age and all its owners. */
#include "cli/command.h"

#include "base/time.h"
#include "cli/list_page.h"
#include "observe/snapshot.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	struct lai_select_settings select;
	struct lai_option_list columns;
	const char *sort;
	uint64_t watch_ns;
	uint32_t rounds;
	bool summary, wide, no_header, json, all_netns;
	enum lai_way_choice way;
	bool listening;
	bool tcp, all, numeric, processes,
		timers; /* always so: what ss and netstat want to be told */
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_SELECT_OPTIONS(struct settings, select),
	ROW("listening", 'l', FLAG, listening, NULL, "the same as --state listen"),

	LAI_OPTION_HEAD("Where it looks"),
	ROW("all-netns", 'N', FLAG, all_netns, NULL,
	    "the sockets of all network namespaces, not of this one alone (needs root)"),
	ROW("owners", 0, ENUM, way, NULL,
	    "how owners are found: by BPF if that can be had, otherwise in /proc (default); by BPF "
	    "or not at all; in /proc",
	    lai_way_choice_names),

	LAI_OPTION_HEAD("What is shown"),
	ROW("columns", 0, LIST, columns, "NAME,...",
	    "these columns, see lastack-list(1); +NAME,... adds to the usual ones"),
	ROW("wide", 0, FLAG, wide, NULL,
	    "also container and cgroup; lines of any length on a terminal, nothing left out"),
	ROW("sort", 0, TEXT, sort, "[-]KEY",
	    "by state, age, recv-q, send-q, local, remote, pid or comm; -KEY: descending"),
	ROW("summary", 's', FLAG, summary, NULL,
	    "counts by state and by process, with descriptors used and their limit"),
	ROW("watch", 'w', TIME, watch_ns, "SECONDS", "again and again, until it is interrupted"),
	ROW("count", 'c', U32, rounds, "N", "with --watch: end after so many looks", NULL, 1, 0),
	ROW("json", 0, FLAG, json, NULL, "one object, or one a line with --watch"),
	ROW("no-header", 'H', FLAG, no_header, NULL, "rows alone"),

	LAI_OPTION_HEAD("For the fingers of ss and netstat users: always so"),
	ROW("tcp", 't', FLAG, tcp, NULL, "TCP"),
	ROW("all", 'a', FLAG, all, NULL, "in all states"),
	ROW("numeric", 'n', FLAG, numeric, NULL, "numbers, no names"),
	ROW("processes", 'p', FLAG, processes, NULL, "with owners"),
	ROW("timers", 'o', FLAG, timers, NULL, "with timers, also where there is little room"),
};

#define TCP_ALONE "only TCP is listed"
#define PORTS "for 'sport = :22' of ss write --local-port 22, for 'dport = :22' --remote-port 22"
#define ADDRESSES "for 'src' and 'dst' of ss write --address 10.0.0.0/8"

/* What fingers know from ss and netstat and what is not always so. */
static const struct lai_option_hint hints[] = {
	{"-u", TCP_ALONE},
	{"--udp", TCP_ALONE},
	{"-x", TCP_ALONE},
	{"--unix", TCP_ALONE},
	{"-r", "names are not looked up: addresses and ports are numbers"},
	{"-e", "write --columns +uid,inode,cookie"},
	{"-m", "write --columns +memory"},
	{"-i", "write --columns +rtt,sent,acked,received,last-sent,last-received,last-ack"},
	{"-K", "lastack close ends connections"},
	{"state", "for 'state close-wait' of ss write --state close-wait"},
	{"exclude", "for 'exclude time-wait' of ss write --state all-but-time-wait"},
	{"sport", PORTS},
	{"dport", PORTS},
	{"(", PORTS},
	{"src", ADDRESSES},
	{"dst", ADDRESSES},
};

static const struct lai_option_command command = {
	.name = "lastack list",
	.summary =
		"Lists every TCP socket with its state, queues, age, timer and all its owners: the "
		"processes that hold it, the listener's for one that was never accepted, and for "
		"one that nobody holds the reason. A table on a terminal, tab-separated when "
		"piped.",
	.epilog =
		"examples:\n"
		"  lastack list -tanp                          as ss -tanp, netstat -tanp\n"
		"  lastack list --state close-wait --sort -age\n"
		"  lastack list --summary\n"
		"  lastack list --port 443 --command nginx --watch 2s\n"
		"\n"
		"exit status: 0 listed, 1 failed, 2 bad usage, 77 cannot (no BPF, no sock_diag)\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.hints = hints,
	.hint_count = sizeof(hints) / sizeof(hints[0]),
};

struct look {
	const struct settings *settings;
	struct lai_list list;
};

/* ---- columns ------------------------------------------------------------------------------ */

static int refuse_column(const char *given)
{
	struct lai_text sentence = LAI_TEXT_INIT(LAI_OPTION_SENTENCE_MAX);
	const char *names[LAI_SOCKET_COLUMN_COUNT];

	for (size_t i = 0; i < LAI_SOCKET_COLUMN_COUNT; i++)
		names[i] = lai_socket_columns[i].name;
	lai_option_refuse_name(&sentence, "--columns", names, LAI_SOCKET_COLUMN_COUNT, given);
	(void)lai_command_refuse(command.name, "%s", lai_text_string(&sentence));
	lai_text_done(&sentence);
	return -EINVAL;
}

static int choose_column(void *arg, const char *name)
{
	struct look *look = arg;

	for (size_t i = 0; i < LAI_SOCKET_COLUMN_COUNT; i++) {
		if (strcmp(name, lai_socket_columns[i].name) != 0)
			continue;
		if (look->list.chosen_count == LAI_COLUMNS_MAX) {
			(void)lai_command_refuse(command.name, "--columns takes %d columns at most",
						 LAI_COLUMNS_MAX);
			return -EINVAL;
		}
		look->list.chosen[look->list.chosen_count++] = (enum lai_socket_column)i;
		return 0;
	}
	return refuse_column(name);
}

/* "NAME,..." or "+NAME,...", each of which says of itself whether it adds. */
static int choose_columns(struct look *look)
{
	const struct lai_option_list *texts = &look->settings->columns;
	int result = 0;

	for (size_t i = 0; i < texts->count && !result; i++) {
		bool adds = *texts->texts[i] == '+';
		const char *names = texts->texts[i] + adds;
		const struct lai_option_list one = {.texts = &names, .count = 1};

		look->list.chosen_only = look->list.chosen_only || !adds;
		result = lai_option_list_each(&one, choose_column, look);
	}
	return result;
}

/* ---- one look ----------------------------------------------------------------------------- */

static int round_run(void *arg, struct lai_watch_page *page)
{
	struct look *look = arg;
	const struct settings *settings = look->settings;
	const struct lai_snapshot_request request = {
		/* A listener tells who owns what it has not accepted. */
		.state_mask = lai_select_state_mask(look->list.select) |
			      LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN),
		.way = settings->way,
		.all_namespaces = settings->all_netns,
	};
	struct lai_snapshot *snapshot;
	char *sentence = NULL;
	int error = lai_snapshot_take(&request, &snapshot, &sentence);

	if (error)
		return lai_command_snapshot_failed(command.name, error, sentence);
	error = lai_list_page_write(&look->list, snapshot, page);
	lai_snapshot_free(snapshot);
	if (error)
		lai_command_complain(command.name, "%s", strerror(-error));
	return error ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
}

/* ---- the command -------------------------------------------------------------------------- */

/* What the table cannot check; NULL: all is well. */
static const char *check(const struct settings *settings)
{
	if (settings->rounds && settings->watch_ns == LA_NEVER)
		return "--count needs --watch SECONDS";
	if (settings->summary && (settings->sort || settings->columns.count))
		return "--summary has columns and an order of its own: it takes neither --columns "
		       "nor --sort";
	return settings->watch_ns == LA_NEVER ? NULL : lai_watch_period_wrong(settings->watch_ns);
}

/* Reads what the table of options cannot. 0; -EINVAL: it has been refused; -ENOMEM. */
static int prepare(struct look *look, struct settings *settings)
{
	const char *wrong = check(settings);
	char *error = NULL;
	int result;

	if (wrong) {
		(void)lai_command_refuse(command.name, "%s", wrong);
		return -EINVAL;
	}
	if (settings->listening &&
	    (result = lai_option_list_add(&settings->select.states, "listen")) != 0)
		return result;
	result = lai_select_new(&settings->select, &look->list.select, &error);
	if (result == 0 && settings->sort)
		result = lai_list_sort_read(settings->sort, &look->list.sort, &error);
	if (result != 0 && error)
		(void)lai_command_refuse(command.name, "%s", error);
	free(error);
	if (result == 0)
		result = choose_columns(look);
	look->list.summary = settings->summary;
	look->list.timers = settings->timers;
	look->list.wide = settings->wide;
	look->list.no_header = settings->no_header;
	look->list.json = settings->json;
	look->list.all_netns = settings->all_netns;
	look->list.watch_ns = settings->watch_ns;
	return result;
}

int lai_cmd_list(int count, char *const *args)
{
	struct settings settings = {.watch_ns = LA_NEVER};
	struct lai_option_list operands = {0};
	struct look look = {.settings = &settings};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	switch (prepare(&look, &settings)) {
	case 0:
		exit_code = lai_watch_loop_run(
			command.name,
			&(struct lai_watch_settings){.period_ns = settings.watch_ns,
						     .rounds = settings.rounds,
						     .joined = settings.json},
			round_run, &look);
		break;
	case -EINVAL: exit_code = LAI_EXIT_USAGE; break;
	default: lai_command_complain(command.name, "out of memory"); exit_code = LAI_EXIT_FAILED;
	}
	lai_select_free(look.list.select);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
