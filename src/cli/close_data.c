/* SPDX-License-Identifier: MIT */
/* close_data.c - the plan and what came of it, for programs: a line or an object per connection. */
#include "cli/close.h"

#include "judge/case.h"
#include "show/show_coverage.h"
#include "show/show_socket.h"

#include <lastack/report.h>
#include <string.h>

/* It is passed on in pieces, so this is only a bound. */
#define JSON_MAX (1ull << 30)
/* Longer than any result. */
#define RESULT_MAX 512

/* Before the columns of the socket. */
static const struct lai_column own_columns[] = {
	{.name = "outcome"},	{.name = "result"},   {.name = "owner-pid"},
	{.name = "owner-comm"}, {.name = "owner-fd"},
};

static const enum lai_socket_column socket_columns[] = {
	LAI_SOCKET_COLUMN_STATE,  LAI_SOCKET_COLUMN_LOCAL,     LAI_SOCKET_COLUMN_REMOTE,
	LAI_SOCKET_COLUMN_RECV_Q, LAI_SOCKET_COLUMN_SEND_Q,    LAI_SOCKET_COLUMN_AGE_S,
	LAI_SOCKET_COLUMN_AGE_IS, LAI_SOCKET_COLUMN_NAMESPACE, LAI_SOCKET_COLUMN_INODE,
	LAI_SOCKET_COLUMN_COOKIE,
};

#define OWN_COUNT (sizeof(own_columns) / sizeof(own_columns[0]))
#define SOCKET_COUNT (sizeof(socket_columns) / sizeof(socket_columns[0]))

/* In a dry run nothing has been mended. */
static const char *outcome_of(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	if (!plan->config->act && item->result.outcome == LAI_MENDED)
		return "would";
	return lai_mend_outcome_name(item->result.outcome);
}

static const char *command_of(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	const struct lai_process *process = lai_snapshot_process(plan->snapshot, (pid_t)item->pid);

	return process ? process->comm : NULL;
}

static void put_row(const struct lai_close_plan *plan, const struct lai_close_item *item,
		    struct lai_columns *columns)
{
	const char *comm = command_of(plan, item);
	struct lai_text *cell;

	lai_text_append(lai_columns_cell(columns), "%s", outcome_of(plan, item));
	lai_close_show_result(plan, item, lai_columns_cell(columns));
	cell = lai_columns_cell(columns);
	if (item->pid)
		lai_show_number(cell, item->pid);
	cell = lai_columns_cell(columns);
	if (comm)
		lai_show_foreign(cell, comm);
	cell = lai_columns_cell(columns);
	if (item->holder != LAI_NO_INDEX)
		lai_show_number(cell, plan->snapshot->holders[item->holder].fd);
	for (size_t i = 0; i < SOCKET_COUNT; i++)
		lai_show_socket_cell(lai_columns_cell(columns), socket_columns[i], plan->snapshot,
				     lai_close_socket(plan, item));
	lai_columns_row_end(columns);
}

void lai_close_show_rows(const struct lai_close_plan *plan, struct lai_watch_page *page)
{
	struct lai_column list[OWN_COUNT + SOCKET_COUNT];
	struct lai_columns columns;

	memcpy(list, own_columns, sizeof(own_columns));
	for (size_t i = 0; i < SOCKET_COUNT; i++)
		list[OWN_COUNT + i] = lai_socket_columns[socket_columns[i]];
	lai_columns_init(&columns, list, OWN_COUNT + SOCKET_COUNT, LAI_COLUMNS_TSV, &page->text);
	lai_columns_head(&columns);
	for (size_t i = 0; i < plan->count; i++) {
		put_row(plan, &plan->items[i], &columns);
		lai_watch_page_pass(page);
	}
	lai_columns_end(&columns, 0);
}

static void number_or_null(struct lai_json *json, const char *key, bool known, uint64_t number)
{
	if (known)
		lai_json_u64(json, key, number);
	else
		lai_json_null(json, key);
}

static void put_socket(const struct lai_close_plan *plan, const struct lai_close_item *item,
		       struct lai_json *json)
{
	struct lai_text result = LAI_TEXT_INIT(RESULT_MAX);
	bool held = item->holder != LAI_NO_INDEX;

	lai_close_show_result(plan, item, &result);
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "outcome", outcome_of(plan, item));
	lai_json_string(json, "result", lai_text_string(&result));
	lai_json_string(json, "error",
			item->result.error ? strerrorname_np(-item->result.error) : NULL);
	lai_json_string(json, "state_after",
			plan->config->act && item->result.state != LAI_TCP_NONE
				? la_tcp_state_name(item->result.state)
				: NULL);
	number_or_null(json, "owner_pid", item->pid != 0, item->pid);
	lai_json_string(json, "owner_comm", command_of(plan, item));
	number_or_null(json, "owner_fd", held, held ? plan->snapshot->holders[item->holder].fd : 0);
	lai_json_u64(json, "unread_bytes", lai_unread_bytes(lai_close_socket(plan, item)));
	lai_show_socket_json(json, plan->snapshot, lai_close_socket(plan, item));
	lai_json_end(json);
	lai_text_done(&result);
}

static void put_tally(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
		      struct lai_json *json)
{
	bool act = plan->config->act;

	lai_json_object_begin(json, "outcomes");
	if (!act)
		lai_json_u64(json, "would", tally->outcomes[LAI_MENDED]);
	for (int i = act ? 0 : LAI_MENDED + 1; i < LAI_MEND_OUTCOME_COUNT; i++)
		lai_json_u64(json, lai_mend_outcome_name((enum lai_mend_outcome)i),
			     tally->outcomes[i]);
	lai_json_end(json);
	lai_json_object_begin(json, "freed");
	lai_json_u64(json, "port_pairs", act ? tally->gone_now : 0);
	lai_json_end(json);
	lai_json_object_begin(json, "not_freed");
	lai_json_u64(json, "descriptors", act ? tally->descriptors : 0);
	lai_json_u64(json, "backlog_slots", act ? tally->backlog_slots : 0);
	lai_json_u64(json, "port_pairs_until_ack", act ? tally->waiting : 0);
	lai_json_u64(json, "port_pairs_until_fin", act ? tally->half_open : 0);
	lai_json_end(json);
}

void lai_close_show_json(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
			 struct lai_watch_page *page)
{
	struct lai_text command = LAI_TEXT_INIT(JSON_MAX);
	struct lai_json json;

	lai_json_init(&json, JSON_MAX);
	lai_json_object_begin(&json, NULL);
	lai_show_snapshot_json(&json, plan->snapshot);
	lai_json_string(&json, "how", lai_mend_names[plan->config->how]);
	lai_json_bool(&json, "dry_run", !plan->config->act);
	lai_json_u64(&json, "selected", plan->count);
	lai_json_u64(&json, "left_by_limit", plan->left);
	lai_json_u64(&json, "left_as_ours", plan->ours);
	put_tally(plan, tally, &json);
	lai_close_show_command(plan->config, &command);
	lai_json_string(&json, "command", plan->config->act ? NULL : lai_text_string(&command));
	lai_text_done(&command);
	lai_json_array_begin(&json, "sockets");
	for (size_t i = 0; i < plan->count && page->error == 0; i++) {
		put_socket(plan, &plan->items[i], &json);
		lai_watch_page_pass_text(page, &json.text);
	}
	lai_json_end(&json);
	lai_json_end(&json);
	if (page->error == 0)
		page->error = json.text.error;
	lai_text_append_bytes(&page->text, lai_text_string(&json.text), json.text.length);
	lai_text_append_bytes(&page->text, "\n", 1);
	lai_json_done(&json);
}
