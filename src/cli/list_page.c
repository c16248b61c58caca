/* SPDX-License-Identifier: MIT */
/* list_page.c - one snapshot as a table, TSV, a summary or JSON. */
#include "cli/list_page.h"

#include "base/time.h"
#include "show/show_coverage.h"
#include "show/show_paragraph.h"
#include "show/show_socket_summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A million sockets are 800 MB of JSON; it is passed on in pieces, so this is only a bound. */
#define JSON_MAX (1ull << 30)
/* A screen of sentences at most. */
#define NOTES_MAX 65536
/* "23:59:59" and its NUL. */
#define CLOCK_TEXT_MAX 16

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
static void add_usual(struct columns *columns, const struct lai_list *list, bool tsv)
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
	if (list->all_netns)
		add_column(columns, LAI_SOCKET_COLUMN_NAMESPACE);
	if (list->wide) {
		add_column(columns, LAI_SOCKET_COLUMN_CONTAINER);
		add_column(columns, LAI_SOCKET_COLUMN_CGROUP);
	}
	for (size_t i = 0; i < list->chosen_count; i++)
		add_column(columns, list->chosen[i]);
	add_column(columns, LAI_SOCKET_COLUMN_OWNERS);
}

static void make_columns(struct columns *columns, const struct lai_list *list, bool tsv)
{
	columns->count = 0;
	if (list->chosen_only)
		for (size_t i = 0; i < list->chosen_count; i++)
			add_column(columns, list->chosen[i]);
	else
		add_usual(columns, list, tsv);
	for (size_t i = 0; list->timers && i < columns->count; i++)
		columns->list[i].spare &= columns->ids[i] != LAI_SOCKET_COLUMN_TIMER;
}

/* ---- rows ----------------------------------------------------------------------------- */

/* The indices of the sockets that are to be shown, in order; -ENOMEM. */
static int choose_sockets(const struct lai_list *list, const struct lai_snapshot *snapshot,
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

/* left_out: names of columns there was no room for. */
static void write_rows(const struct lai_list *list, const struct lai_snapshot *snapshot,
		       const uint32_t *sockets, size_t count, struct lai_text *left_out,
		       struct lai_watch_page *page)
{
	enum lai_columns_form form = page->terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV;
	struct columns columns;
	struct lai_columns table;

	make_columns(&columns, list, form == LAI_COLUMNS_TSV);
	lai_columns_init(&table, columns.list, columns.count, form, &page->text);
	lai_columns_tell(&table, left_out);
	if (!list->no_header)
		lai_columns_head(&table);
	for (size_t i = 0; i < count && page->error == 0; i++) {
		for (size_t j = 0; j < columns.count; j++)
			lai_show_socket_cell(lai_columns_cell(&table), columns.ids[j], snapshot,
					     &snapshot->sockets[sockets[i]]);
		lai_columns_row_end(&table);
		if (form == LAI_COLUMNS_TSV)
			lai_watch_page_pass(page);
	}
	lai_columns_end(&table, list->wide ? 0 : page->columns);
}

static void write_summary(const struct lai_list *list, const struct lai_summary *summary,
			  struct lai_watch_page *page)
{
	lai_show_summary(&page->text, summary, page->terminal ? LAI_COLUMNS_TABLE : LAI_COLUMNS_TSV,
			 !list->no_header, list->wide ? 0 : page->columns);
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
static void write_notes(const struct lai_list *list, const struct lai_snapshot *snapshot,
			size_t count, const char *left_out, struct lai_watch_page *page)
{
	bool missing = page->round == 0 && !lai_show_coverage_whole(snapshot);
	struct lai_text words = LAI_TEXT_INIT(NOTES_MAX);

	if (list->json || (!page->terminal && !missing))
		return;
	if (page->terminal)
		lai_text_append(&words, "%zu socket%s. ", count, count == 1 ? "" : "s");
	if (*left_out)
		lai_text_append(&words, "Left out: %s; --wide shows all. ", left_out);
	lai_show_coverage_text(&words, snapshot);
	lai_show_wrapped(&page->notes, 0, page->columns ? page->columns : SIZE_MAX,
			 lai_text_string(&words));
	lai_text_done(&words);
}

/* A screen that is drawn again and again says when that was. */
static void write_title(const struct lai_list *list, const struct lai_snapshot *snapshot,
			struct lai_watch_page *page)
{
	char clock[CLOCK_TEXT_MAX] = "", period[LAI_TIME_TEXT_MAX];
	time_t seconds = (time_t)snapshot->taken_at_s;
	struct tm parts;

	if (!page->drawn)
		return;
	if (localtime_r(&seconds, &parts))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	lai_show_foreign(&page->text, snapshot->host);
	lai_text_append(&page->text, ", %s, every %s\n", clock,
			lai_time_format(period, list->watch_ns));
}

int lai_list_page_write(const struct lai_list *list, const struct lai_snapshot *snapshot,
			struct lai_watch_page *page)
{
	struct lai_summary summary = {0};
	uint32_t *sockets = NULL;
	struct lai_text left_out = LAI_TEXT_INIT(NOTES_MAX);
	size_t count = 0;
	int error = choose_sockets(list, snapshot, &sockets, &count);

	if (!error && list->summary)
		error = lai_summary_init(&summary, snapshot, sockets, count);
	if (error)
		goto out;
	if (list->json) {
		write_json(snapshot, list->summary ? &summary : NULL, sockets, count, page);
		goto out;
	}
	write_title(list, snapshot, page);
	if (list->summary)
		write_summary(list, &summary, page);
	else
		write_rows(list, snapshot, sockets, count, &left_out, page);
	write_notes(list, snapshot, count, lai_text_string(&left_out), page);
out:
	lai_text_done(&left_out);
	lai_summary_done(&summary);
	free(sockets);
	return error;
}
