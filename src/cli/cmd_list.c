/* SPDX-License-Identifier: MIT */
/* lastack list: every TCP socket with its state, queues, age and all its owners. */
#include "cli/command.h"

#include "base/time.h"
#include "cli/list_sort.h"
#include "cli/option_inside.h"
#include "cli/select.h"
#include "cli/watch_loop.h"
#include "observe/snapshot.h"
#include "observe/sockdiag.h"
#include "show/show_coverage.h"
#include "show/show_socket.h"
#include "show/show_socket_summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A million sockets are 800 MB of JSON; it is passed on in pieces, so this is only a bound. */
#define JSON_MAX (1ull << 30)
#define SENTENCE_MAX 2048
/* The coverage is told in a few sentences. */
#define TITLE_TIME_MAX 16

struct settings {
	struct lai_select_settings select;
	struct lai_option_list columns;
	const char *sort;
	uint64_t watch_ns;
	bool summary, wide, no_header, json, all_netns;
	enum lai_way_choice way;
	bool listening;
	bool tcp, all, numeric, processes; /* always so: what ss and netstat want to be told */
};

static const char *const way_names[] = {"auto", "bpf", "proc", NULL};

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
	LAI_SELECT_OPTIONS(struct settings, select),
	ROW("listening", 'l', FLAG, listening, NULL, "the same as --state listen"),

	HEADING("Where it looks"),
	ROW("all-netns", 0, FLAG, all_netns, NULL,
	    "the sockets of all network namespaces, not of this one alone (needs root)"),
	ROW("owners", 0, ENUM, way, NULL,
	    "how owners are found: by BPF if that can be had, otherwise in /proc (default); by BPF or "
	    "not at all; in /proc",
	    way_names),

	HEADING("What is shown"),
	ROW("columns", 'o', LIST, columns, "NAME,...",
	    "these columns, see lastack-list(1); +NAME,... adds to the usual ones"),
	ROW("wide", 'w', FLAG, wide, NULL,
	    "also container and cgroup; lines of any length on a terminal, nothing left out"),
	ROW("sort", 0, TEXT, sort, "KEY",
	    "by state, age, recv-q, send-q, local, remote, pid or command; -KEY: descending"),
	ROW("summary", 's', FLAG, summary, NULL,
	    "counts by state and by process, with descriptors used and their limit"),
	ROW("watch", 0, TIME, watch_ns, "SECONDS", "again and again, until it is interrupted"),
	ROW("json", 0, FLAG, json, NULL, "one object, or one a line with --watch"),
	ROW("no-header", 0, FLAG, no_header, NULL, "rows alone"),

	HEADING("For the fingers of ss and netstat users: always so"),
	ROW("tcp", 't', FLAG, tcp, NULL, "TCP"),
	ROW("all", 'a', FLAG, all, NULL, "in all states"),
	ROW("numeric", 'n', FLAG, numeric, NULL, "numbers, no names"),
	ROW("processes", 'p', FLAG, processes, NULL, "with owners"),
};

static const struct lai_option_command command = {
	.name = "lastack list",
	.summary =
		"Lists every TCP socket with its state, queues, age, timer and all its owners: the "
		"processes that hold it, the listener's for one that was never accepted, and for one "
		"that nobody holds the reason. A table on a terminal, tab-separated when piped.",
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
};

struct list {
	const struct settings *settings;
	struct lai_select *select;
	struct lai_list_sort sort;
	/* Chosen by the user; otherwise of the usual ones, which depend on the form. */
	enum lai_socket_column chosen[LAI_COLUMNS_MAX];
	size_t chosen_count;
	bool chosen_only; /* without the usual ones */
};

/* ---- columns ------------------------------------------------------------------------------ */

static int refuse_column(const char *item)
{
	struct lai_text sentence = LAI_TEXT_INIT(SENTENCE_MAX);
	const char *names[LAI_SOCKET_COLUMN_COUNT], *nearest;

	lai_text_append(&sentence, "--columns needs ");
	for (size_t i = 0; i < LAI_SOCKET_COLUMN_COUNT; i++) {
		names[i] = lai_socket_columns[i].name;
		lai_text_append(&sentence, "%s%s",
				i == 0				  ? ""
				: i + 1 < LAI_SOCKET_COLUMN_COUNT ? ", "
								  : " or ",
				names[i]);
	}
	lai_text_append(&sentence, ", not ");
	lai_option_echo(&sentence, item, strlen(item));
	nearest = lai_option_nearest(item, names, LAI_SOCKET_COLUMN_COUNT);
	if (nearest)
		lai_text_append(&sentence, "; did you mean '%s'?", nearest);
	(void)lai_command_refuse(command.name, "%s", lai_text_string(&sentence));
	lai_text_done(&sentence);
	return -EINVAL;
}

static int choose_column(struct list *list, const char *item)
{
	for (size_t i = 0; i < LAI_SOCKET_COLUMN_COUNT; i++) {
		if (strcmp(item, lai_socket_columns[i].name) != 0)
			continue;
		if (list->chosen_count == LAI_COLUMNS_MAX) {
			(void)lai_command_refuse(command.name, "--columns takes %d columns at most",
						 LAI_COLUMNS_MAX);
			return -EINVAL;
		}
		list->chosen[list->chosen_count++] = (enum lai_socket_column)i;
		return 0;
	}
	return refuse_column(item);
}

static int choose_columns(struct list *list)
{
	const struct lai_option_list *texts = &list->settings->columns;

	for (size_t i = 0; i < texts->count; i++) {
		bool adds = *texts->texts[i] == '+';
		const char *at = texts->texts[i] + adds;
		char item[LAI_OPTION_NAME_MAX + 1];

		list->chosen_only = list->chosen_only || !adds;
		for (;;) {
			size_t length = strcspn(at, ",");
			size_t kept = length < sizeof(item) ? length : sizeof(item) - 1;

			memcpy(item, at, kept);
			item[kept] = '\0';
			if (choose_column(list, item) != 0)
				return -EINVAL;
			if (at[length] == '\0')
				break;
			at += length + 1;
		}
	}
	return 0;
}

struct columns {
	enum lai_socket_column ids[LAI_COLUMNS_MAX];
	struct lai_column list[LAI_COLUMNS_MAX];
	size_t count;
};

/* Once, as far as there is room. */
static void add_column(struct columns *columns, enum lai_socket_column id)
{
	for (size_t i = 0; i < columns->count; i++)
		if (columns->ids[i] == id)
			return;
	if (columns->count == LAI_COLUMNS_MAX)
		return;
	columns->ids[columns->count] = id;
	columns->list[columns->count++] = lai_socket_columns[id];
}

/* Owners come last, since theirs is the column that may be long. */
static void add_usual(struct columns *columns, const struct list *list, bool tsv)
{
	static const enum lai_socket_column first[] = {
		LAI_SOCKET_COLUMN_STATE, LAI_SOCKET_COLUMN_RECV_Q, LAI_SOCKET_COLUMN_SEND_Q,
		LAI_SOCKET_COLUMN_LOCAL, LAI_SOCKET_COLUMN_REMOTE,
	};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		add_column(columns, first[i]);
	add_column(columns, tsv ? LAI_SOCKET_COLUMN_AGE_S : LAI_SOCKET_COLUMN_AGE);
	if (tsv)
		add_column(columns, LAI_SOCKET_COLUMN_AGE_IS);
	add_column(columns, LAI_SOCKET_COLUMN_TIMER);
	if (list->settings->all_netns)
		add_column(columns, LAI_SOCKET_COLUMN_NETNS);
	if (list->settings->wide) {
		add_column(columns, LAI_SOCKET_COLUMN_CONTAINER);
		add_column(columns, LAI_SOCKET_COLUMN_CGROUP);
	}
	for (size_t i = 0; i < list->chosen_count; i++)
		add_column(columns, list->chosen[i]);
	add_column(columns, LAI_SOCKET_COLUMN_OWNERS);
}

static void make_columns(struct columns *columns, const struct list *list, bool tsv)
{
	columns->count = 0;
	if (list->chosen_only)
		for (size_t i = 0; i < list->chosen_count; i++)
			add_column(columns, list->chosen[i]);
	else
		add_usual(columns, list, tsv);
}

/* ---- one page ----------------------------------------------------------------------------- */

/* The indices of the sockets that are to be shown, in order; -ENOMEM. */
static int choose_sockets(const struct list *list, const struct lai_snapshot *snapshot,
			  uint32_t **sockets, size_t *count)
{
	uint32_t *chosen = malloc((snapshot->socket_count + 1) * sizeof(*chosen));
	size_t kept = 0;

	if (!chosen)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->socket_count; i++)
		if (lai_select_socket(list->select, snapshot, (uint32_t)i))
			chosen[kept++] = (uint32_t)i;
	if (lai_list_sort_apply(&list->sort, snapshot, chosen, kept) != 0) {
		free(chosen);
		return -ENOMEM;
	}
	*sockets = chosen;
	*count = kept;
	return 0;
}

/* How many columns there was no room for. */
static size_t write_rows(const struct list *list, const struct lai_snapshot *snapshot,
			 const uint32_t *sockets, size_t count, struct lai_watch_page *page)
{
	enum lai_columns_form form = page->terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV;
	struct columns columns;
	struct lai_columns table;

	make_columns(&columns, list, form == LAI_COLUMNS_TSV);
	lai_columns_init(&table, columns.list, columns.count, form, &page->text);
	if (!list->settings->no_header)
		lai_columns_head(&table);
	for (size_t i = 0; i < count && page->error == 0; i++) {
		for (size_t j = 0; j < columns.count; j++)
			lai_show_socket_cell(lai_columns_cell(&table), columns.ids[j], snapshot,
					     &snapshot->sockets[sockets[i]]);
		lai_columns_row_end(&table);
		if (form == LAI_COLUMNS_TSV)
			lai_watch_page_pass(page);
	}
	return lai_columns_end(&table, list->settings->wide ? 0 : page->columns);
}

static size_t write_summary(const struct list *list, const struct lai_summary *summary,
			    struct lai_watch_page *page)
{
	return lai_show_summary(
		&page->text, summary, page->terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV,
		!list->settings->no_header, list->settings->wide ? 0 : page->columns);
}

/* summary may be NULL: the sockets themselves. */
static void write_json(const struct lai_snapshot *snapshot, const struct lai_summary *summary,
		       const uint32_t *sockets, size_t count, struct lai_watch_page *page)
{
	struct lai_json json;

	lai_json_init(&json, JSON_MAX);
	lai_json_object_begin(&json, NULL);
	lai_show_snapshot_json(&json, snapshot);
	if (summary) {
		lai_show_summary_json(&json, summary);
	} else {
		lai_json_array_begin(&json, "sockets");
		for (size_t i = 0; i < count && page->error == 0; i++) {
			lai_json_object_begin(&json, NULL);
			lai_show_socket_json(&json, snapshot, &snapshot->sockets[sockets[i]]);
			lai_json_end(&json);
			lai_watch_page_pass_text(page, &json.text);
		}
		lai_json_end(&json);
	}
	lai_json_end(&json);
	if (page->error == 0)
		page->error = json.text.error;
	lai_text_append_bytes(&page->text, lai_text_string(&json.text), json.text.length);
	lai_text_append_bytes(&page->text, "\n", 1);
	lai_json_done(&json);
}

/* What people are told beside the rows; who reads TSV, once and only if something is missing. */
static void write_notes(const struct list *list, const struct lai_snapshot *snapshot, size_t count,
			size_t left_out, struct lai_watch_page *page)
{
	bool missing = page->round == 0 && !lai_show_coverage_whole(snapshot);

	if (list->settings->json || (!page->terminal && !missing))
		return;
	if (page->terminal)
		lai_text_append(&page->notes, "%zu socket%s. ", count, count == 1 ? "" : "s");
	if (left_out > 0)
		lai_text_append(&page->notes, "%zu column%s not fit; -w shows all. ", left_out,
				left_out == 1 ? " does" : "s do");
	lai_show_coverage_text(&page->notes, snapshot, true);
}

/* A screen that is drawn again and again says when that was. */
static void write_title(const struct list *list, const struct lai_snapshot *snapshot,
			struct lai_watch_page *page)
{
	char clock[TITLE_TIME_MAX] = "", period[LAI_TIME_TEXT_MAX];
	time_t seconds = (time_t)snapshot->taken_at_s;
	struct tm parts;

	if (!page->drawn)
		return;
	if (localtime_r(&seconds, &parts))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	lai_show_foreign(&page->text, snapshot->host);
	lai_text_append(&page->text, ", %s, every %s\n", clock,
			lai_time_format(period, list->settings->watch_ns));
}

static int write_page(const struct list *list, const struct lai_snapshot *snapshot,
		      struct lai_watch_page *page)
{
	const struct settings *settings = list->settings;
	struct lai_summary summary = {0};
	uint32_t *sockets = NULL;
	size_t count = 0, left_out;
	int error = choose_sockets(list, snapshot, &sockets, &count);

	if (!error && settings->summary)
		error = lai_summary_init(&summary, snapshot, sockets, count);
	if (error)
		goto out;
	if (settings->json) {
		write_json(snapshot, settings->summary ? &summary : NULL, sockets, count, page);
		goto out;
	}
	write_title(list, snapshot, page);
	if (settings->summary)
		left_out = write_summary(list, &summary, page);
	else
		left_out = write_rows(list, snapshot, sockets, count, page);
	write_notes(list, snapshot, count, left_out, page);
out:
	lai_summary_done(&summary);
	free(sockets);
	return error;
}

static int refuse_snapshot(int error, char *sentence)
{
	bool cannot = error == -EPERM || error == -EOPNOTSUPP || error == -EPROTONOSUPPORT;

	lai_command_complain(command.name, "%s", sentence ? sentence : "out of memory");
	free(sentence);
	return cannot ? LAI_EXIT_CANNOT : LAI_EXIT_FAILED;
}

static int round_run(void *arg, struct lai_watch_page *page)
{
	struct list *list = arg;
	const struct settings *settings = list->settings;
	const struct lai_snapshot_request request = {
		/* A listener tells who owns what it has not accepted. */
		.state_mask =
			lai_select_state_mask(list->select) | LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN),
		.way = settings->way,
		.all_namespaces = settings->all_netns,
	};
	struct lai_snapshot *snapshot;
	char *sentence = NULL;
	int error = lai_snapshot_take(&request, &snapshot, &sentence);

	if (error)
		return refuse_snapshot(error, sentence);
	error = write_page(list, snapshot, page);
	lai_snapshot_free(snapshot);
	if (error)
		lai_command_complain(command.name, "%s", strerror(-error));
	return error ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
}

/* ---- the command -------------------------------------------------------------------------- */

/* Reads what the table of options cannot. 0; -EINVAL: it has been refused; -ENOMEM. */
static int prepare(struct list *list, struct settings *settings)
{
	const char *wrong = lai_watch_period_wrong(settings->watch_ns);
	char *error = NULL;
	int result;

	list->settings = settings;
	if (settings->watch_ns != LA_NEVER && wrong) {
		(void)lai_command_refuse(command.name, "%s", wrong);
		return -EINVAL;
	}
	if (settings->summary && (settings->sort || settings->columns.count)) {
		(void)lai_command_refuse(command.name,
					 "--summary has columns and an order of its own: it takes "
					 "neither --columns nor --sort");
		return -EINVAL;
	}
	if (settings->listening &&
	    (result = lai_option_list_add(&settings->select.states, "listen")) != 0)
		return result;
	result = lai_select_new(&settings->select, &list->select, &error);
	if (result == 0 && settings->sort)
		result = lai_list_sort_read(settings->sort, &list->sort, &error);
	if (result != 0 && error)
		(void)lai_command_refuse(command.name, "%s", error);
	free(error);
	return result ? result : choose_columns(list);
}

int lai_cmd_list(int count, char *const *args)
{
	struct settings settings = {.watch_ns = LA_NEVER};
	struct lai_option_list operands = {0};
	struct list list = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	switch (prepare(&list, &settings)) {
	case 0:
		exit_code = lai_watch_loop_run(
			command.name,
			&(struct lai_watch_settings){.period_ns = settings.watch_ns,
						     .joined = settings.json},
			round_run, &list);
		break;
	case -EINVAL: exit_code = LAI_EXIT_USAGE; break;
	default: lai_command_complain(command.name, "out of memory"); exit_code = LAI_EXIT_FAILED;
	}
	lai_select_free(list.select);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
