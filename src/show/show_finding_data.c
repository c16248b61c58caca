/* SPDX-License-Identifier: MIT */
/*
 * show_finding_data.c - a finding as a row of a short table for people, as a row for scripts, and as
 * a JSON object for programs.
 */
#include "show/show_finding.h"
#include "show/show_coverage.h"
#include "show/show_paragraph.h"
#include "show/show_socket.h"

#include <lastack/report.h>

#include <inttypes.h>

/* No cell may be the whole of a gigantic command line. */
#define COMMAND_MAX 4096

const struct lai_column lai_show_finding_columns[LAI_SHOW_FINDING_COLUMNS] = {
	{.name = "taken-at"},
	{.name = "severity"},
	{.name = "verdict"},
	{.name = "pid", .right = true},
	{.name = "comm"},
	{.name = "sockets", .right = true},
	{.name = "local"},
	{.name = "remote"},
	{.name = "state"},
	{.name = "age-s", .right = true},
	{.name = "age-is"},
	{.name = "unread-bytes", .right = true},
	{.name = "growth-per-min", .right = true},
	{.name = "peer-pid", .right = true},
	{.name = "peer-comm"},
	{.name = "peer-state"},
	{.name = "confidence"},
	{.name = "fds"},
	{.name = "remedy"},
	{.name = "evidence"},
	{.name = "advice"},
	{.name = "cmdline"},
};

static void cell(struct lai_columns *columns, const char *string)
{
	lai_show_safe(lai_columns_cell(columns), string ? string : "", COMMAND_MAX);
}

static void cell_pid(struct lai_columns *columns, pid_t pid)
{
	struct lai_text *text = lai_columns_cell(columns);

	if (pid)
		lai_text_append(text, "%d", (int)pid);
}

static void cell_state(struct lai_columns *columns, enum lai_tcp_state state)
{
	cell(columns, state == LAI_TCP_NONE ? NULL : la_tcp_state_name(state));
}

static void cells_numbers(struct lai_columns *columns, const struct lai_finding *finding)
{
	struct lai_text *text = lai_columns_cell(columns);

	if (finding->age_kind != LAI_AGE_UNKNOWN)
		lai_text_append(text, "%.3f", (double)finding->oldest_age_ms / 1e3);
	cell(columns, lai_age_kind_name(finding->age_kind));
	lai_text_append(lai_columns_cell(columns), "%" PRIu64, finding->unread_bytes);
	text = lai_columns_cell(columns);
	if (finding->growth_per_min != LAI_GROWTH_UNKNOWN)
		lai_text_append(text, "%" PRId64, finding->growth_per_min);
}

const struct lai_column lai_show_finding_brief_columns[LAI_SHOW_FINDING_BRIEF_COLUMNS] = {
	{.name = "severity"},
	{.name = "verdict"},
	{.name = "pid", .right = true},
	{.name = "name"},
	{.name = "sockets", .right = true},
	{.name = "age", .right = true},
};

void lai_show_finding_brief(struct lai_columns *columns, const struct lai_finding *finding)
{
	struct lai_text *text;

	lai_show_finding_kind(lai_columns_cell(columns), finding);
	cell(columns, lai_verdict_name(finding->verdict));
	cell_pid(columns, finding->pid);
	cell(columns, finding->comm);
	lai_text_append(lai_columns_cell(columns), "%zu", finding->socket_count);
	text = lai_columns_cell(columns);
	if (finding->age_kind != LAI_AGE_UNKNOWN) {
		lai_text_append(text, "%s", finding->age_kind == LAI_AGE_LOWER_BOUND ? ">=" : "");
		lai_show_duration(text, finding->oldest_age_ms);
	}
	lai_columns_row_end(columns);
}

void lai_show_finding_row(struct lai_columns *columns, const struct lai_snapshot *snapshot,
			  const struct lai_finding *finding)
{
	char address[LA_ADDRESS_TEXT_MAX];

	lai_show_taken_at(lai_columns_cell(columns), snapshot);
	cell(columns, lai_severity_name(finding->severity));
	cell(columns, lai_verdict_name(finding->verdict));
	cell_pid(columns, finding->pid);
	cell(columns, finding->comm);
	lai_text_append(lai_columns_cell(columns), "%zu", finding->socket_count);
	cell(columns, lai_show_endpoint(address, &finding->local));
	cell(columns, lai_show_endpoint(address, &finding->remote));
	cell_state(columns, finding->state);
	cells_numbers(columns, finding);
	cell_pid(columns, finding->peer.pid);
	cell(columns, finding->peer.comm);
	cell_state(columns, finding->peer.state);
	cell(columns, lai_confidence_name(finding->confidence));
	lai_show_fds(lai_columns_cell(columns), finding->fds, finding->fd_count, SIZE_MAX);
	cell(columns, finding->remedy);
	cell(columns, finding->evidence);
	cell(columns, finding->advice);
	cell(columns, finding->command_line);
	lai_columns_row_end(columns);
}

/* --- JSON --- */

/* null for what is empty, since that is what is not known. */
static void json_known(struct lai_json *json, const char *key, const char *string)
{
	lai_json_string(json, key, string && *string ? string : NULL);
}

static void json_pid(struct lai_json *json, pid_t pid)
{
	if (pid)
		lai_json_i64(json, "pid", pid);
	else
		lai_json_null(json, "pid");
}

static void json_state(struct lai_json *json, enum lai_tcp_state state)
{
	lai_json_string(json, "state", state == LAI_TCP_NONE ? NULL : la_tcp_state_name(state));
}

static void json_fds(struct lai_json *json, const struct lai_finding *finding)
{
	lai_json_array_begin(json, "fds");
	for (size_t i = 0; i < finding->fd_count; i++)
		lai_json_i64(json, NULL, finding->fds[i]);
	lai_json_end(json);
}

static void json_peer(struct lai_json *json, const struct lai_snapshot *snapshot,
		      const struct lai_finding_peer *peer)
{
	char name_space[LAI_SHOW_NAMESPACE_MAX];

	if (!peer->pid && peer->state == LAI_TCP_NONE) {
		lai_json_null(json, "peer");
		return;
	}
	lai_json_object_begin(json, "peer");
	json_pid(json, peer->pid);
	json_known(json, "comm", peer->comm);
	json_state(json, peer->state);
	json_known(json, "namespace",
		   lai_show_namespace(name_space, snapshot, peer->namespace_index));
	lai_json_end(json);
}

void lai_show_finding_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			   const struct lai_finding *finding)
{
	char address[LA_ADDRESS_TEXT_MAX];

	lai_json_object_begin(json, NULL);
	lai_json_string(json, "verdict", lai_verdict_name(finding->verdict));
	lai_json_string(json, "severity", lai_severity_name(finding->severity));
	json_pid(json, finding->pid);
	json_known(json, "comm", finding->comm);
	json_known(json, "cmdline", finding->command_line);
	json_fds(json, finding);
	lai_json_u64(json, "sockets", finding->socket_count);
	json_known(json, "local", lai_show_endpoint(address, &finding->local));
	json_known(json, "remote", lai_show_endpoint(address, &finding->remote));
	json_state(json, finding->state);
	if (finding->age_kind == LAI_AGE_UNKNOWN)
		lai_json_null(json, "oldest_age_s");
	else
		lai_json_double(json, "oldest_age_s", (double)finding->oldest_age_ms / 1e3);
	lai_json_string(json, "age_is", lai_age_kind_name(finding->age_kind));
	lai_json_u64(json, "unread_bytes", finding->unread_bytes);
	json_peer(json, snapshot, &finding->peer);
	if (finding->growth_per_min == LAI_GROWTH_UNKNOWN)
		lai_json_null(json, "growth_per_min");
	else
		lai_json_i64(json, "growth_per_min", finding->growth_per_min);
	lai_json_string(json, "confidence", lai_confidence_name(finding->confidence));
	json_known(json, "evidence", finding->evidence);
	json_known(json, "advice", finding->advice);
	json_known(json, "remedy", finding->remedy);
	lai_json_end(json);
}
