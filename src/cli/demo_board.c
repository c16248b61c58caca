/* SPDX-License-Identifier: MIT */
#include "cli/demo_board.h"

#include "base/time.h"
#include "show/show_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* One CLOSE_WAIT is seen now and then in any program: between the peer's FIN and its own. */
#define CLOSE_WAIT_USUAL 1

/* ---- the table ---------------------------------------------------------------------------- */

/* How a cell is made of a side. */
typedef void cell_maker(struct lai_table_cell *cell, const struct lai_demo_side *side);

static void number(struct lai_table_cell *cell, uint32_t value)
{
	(void)snprintf(cell->text, sizeof(cell->text), "%" PRIu32, value);
}

static void make_state(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	(void)snprintf(cell->text, sizeof(cell->text), "%s", lai_demo_side_state(side));
	cell->alarm = lai_demo_side_exhausted(side);
}

static void make_cause(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	const char *none = side->remembers ? "none yet" : "(does not say)";

	(void)snprintf(cell->text, sizeof(cell->text), "%.*s", LAI_TABLE_CELL_MAX - 1,
		       side->client.cause[0] ? side->client.cause : none);
}

static void make_fds(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->held.fds);
	if (side->client.fds_max > 0)
		(void)snprintf(cell->text, sizeof(cell->text), "%" PRIu32 " of %" PRIu32,
			       side->held.fds, side->client.fds_max);
	cell->alarm = lai_demo_side_exhausted(side);
}

static void make_established(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->held.by_state[LAI_TCP_ESTABLISHED]);
}

static void make_close_wait(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->held.by_state[LAI_TCP_CLOSE_WAIT]);
	cell->alarm = side->held.by_state[LAI_TCP_CLOSE_WAIT] > CLOSE_WAIT_USUAL;
}

static void make_last_ack(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->outer.by_state[LAI_TCP_LAST_ACK]);
}

static void make_ghosts(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->held.by_state[LAI_TCP_CLOSE]);
	cell->alarm = side->held.by_state[LAI_TCP_CLOSE] > CLOSE_WAIT_USUAL;
}

static void make_others(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	const uint32_t *count = side->outer.by_state;

	number(cell, count[LAI_TCP_SYN_SENT] + count[LAI_TCP_FIN_WAIT1] + count[LAI_TCP_FIN_WAIT2] +
			     count[LAI_TCP_CLOSING] + count[LAI_TCP_TIME_WAIT]);
}

static void make_server_established(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->inner.by_state[LAI_TCP_ESTABLISHED]);
}

static void make_server_fin_wait2(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->inner.by_state[LAI_TCP_FIN_WAIT2]);
}

static void make_server_time_wait(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->inner.by_state[LAI_TCP_TIME_WAIT]);
}

static void make_accepted(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->records.accepted);
}

static void make_delivered(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->records.delivered);
}

static void make_lost(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->records.lost);
	cell->alarm = side->records.lost > 0;
}

static void make_duplicated(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->records.duplicated);
}

static void make_waiting(struct lai_table_cell *cell, const struct lai_demo_side *side)
{
	number(cell, side->records.waiting);
}

static const struct {
	const char *group, *label;
	cell_maker *make;
} lines[] = {
	{"client", "state", make_state},
	{NULL, "last end", make_cause},
	{NULL, "descriptors", make_fds},
	{"client's sockets", "ESTABLISHED", make_established},
	{NULL, "CLOSE_WAIT", make_close_wait},
	{NULL, "LAST_ACK", make_last_ack},
	{NULL, "over, held", make_ghosts},
	{NULL, "others", make_others},
	{"server's sockets", "ESTABLISHED", make_server_established},
	{NULL, "FIN_WAIT2", make_server_fin_wait2},
	{NULL, "TIME_WAIT", make_server_time_wait},
	{"records", "accepted", make_accepted},
	{NULL, "delivered", make_delivered},
	{NULL, "lost", make_lost},
	{NULL, "duplicated", make_duplicated},
	{NULL, "waiting", make_waiting},
};

#define LINE_COUNT (sizeof(lines) / sizeof(lines[0]))

static unsigned whole_seconds(uint64_t duration_ns)
{
	return (unsigned)(duration_ns / LAI_S);
}

static void make_row(struct lai_table_row *row, size_t line, const struct lai_demo_board *board)
{
	row->group = lines[line].group;
	row->label = lines[line].label;
	for (size_t column = 0; column < board->side_count; column++)
		lines[line].make(&row->cells[column], &board->sides[column]);
}

size_t lai_demo_board_table(struct lai_text *text, const struct lai_demo_board *board)
{
	struct lai_table_row rows[LINE_COUNT] = {0};
	struct lai_table table = {.rows = rows, .row_count = LINE_COUNT};
	unsigned elapsed_s = whole_seconds(board->elapsed_ns);
	unsigned length_s = whole_seconds(board->length_ns);
	char title[LAI_TABLE_WIDTH + 1], aside[LAI_TABLE_WIDTH + 1];

	(void)snprintf(title, sizeof(title), "lastack demo, %s",
		       lai_demo_space_sentence(board->space));
	(void)snprintf(aside, sizeof(aside), "%u:%02u of %u:%02u", elapsed_s / 60, elapsed_s % 60,
		       length_s / 60, length_s % 60);
	table.title = title;
	table.aside = aside;
	table.story = board->story;
	table.column_count = board->side_count;
	for (size_t column = 0; column < board->side_count; column++)
		table.headings[column] = board->sides[column].name;
	for (size_t line = 0; line < LINE_COUNT; line++)
		make_row(&rows[line], line, board);
	lai_show_table(text, &table, board->styled);
	return lai_show_table_lines(&table);
}

/* ---- the summary -------------------------------------------------------------------------- */

/* Below the text that follows a name. */
#define INDENT "              "

static void append_exit(struct lai_text *text, const struct lai_demo_client *client)
{
	if (WIFEXITED(client->status))
		lai_text_append(text, "exit status %d", WEXITSTATUS(client->status));
	else
		lai_text_append(text, "ended by signal %d", WTERMSIG(client->status));
}

static void append_records(struct lai_text *text, const struct lai_demo_side *side)
{
	const struct lai_demo_records_count *records = &side->records;

	lai_text_append(text,
			"%-12s  %" PRIu32 " records accepted: %" PRIu32 " delivered, %" PRIu32
			" lost, %" PRIu32 " duplicated;\n" INDENT,
			side->name, records->accepted, records->delivered, records->lost,
			records->duplicated);
}

static void append_naive(struct lai_text *text, const struct lai_demo_side *side)
{
	append_records(text, side);
	lai_text_append(text,
			"%" PRIu32 " sockets left in CLOSE_WAIT, %" PRIu32 " of %" PRIu32
			" descriptors used;\n" INDENT,
			side->close_wait_left, side->fds_left, side->client.fds_max);
	if (side->client.believed_records != UINT64_MAX)
		lai_text_append(
			text, "it believes that it sent %" PRIu64 ", and never mentions the rest; ",
			side->client.believed_records);
	append_exit(text, &side->client);
	lai_text_append(text, "\n");
}

static void append_lastack(struct lai_text *text, const struct lai_demo_side *side)
{
	const struct la_interval *lost = &side->client.lost;

	append_records(text, side);
	lai_text_append(text,
			"%" PRIu32 " sockets left in CLOSE_WAIT, at most %" PRIu32
			" open at once (%" PRIu32 " in all);\n" INDENT,
			side->close_wait_left, side->sockets_most, side->server.tally->connections);
	if (lost->max_bytes > 0 && lost->max_bytes != UINT64_MAX)
		lai_text_append(text,
				"what it could not prove by itself: %" PRIu64 " to %" PRIu64
				" bytes; ",
				lost->min_bytes, lost->max_bytes);
	append_exit(text, &side->client);
	lai_text_append(text, "\n");
}

static const char origin[] =
	"\nSockets by state: the kernel's own list (sock_diag), looked at 5 times a second;\n"
	"descriptors: /proc/PID/fd; records: counted by the servers that read them. The\n"
	"records are this host's counters: /proc/net/snmp, netstat, /proc/stat, loadavg.\n";

void lai_demo_board_summary(struct lai_text *text, const struct lai_demo_board *board)
{
	for (size_t i = 0; i < board->side_count; i++) {
		if (board->sides[i].remembers)
			append_lastack(text, &board->sides[i]);
		else
			append_naive(text, &board->sides[i]);
	}
	lai_text_append(text, "%s", origin);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void write_end(struct lai_json *json, const struct lai_demo_client *client)
{
	if (WIFEXITED(client->status))
		lai_json_u64(json, "exit_status", (uint64_t)WEXITSTATUS(client->status));
	else
		lai_json_null(json, "exit_status");
}

static void write_known(struct lai_json *json, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		lai_json_null(json, key);
	else
		lai_json_u64(json, key, value);
}

static void write_side(struct lai_json *json, const struct lai_demo_side *side)
{
	lai_json_object_begin(json, side->remembers ? "lastack" : "naive");
	lai_json_u64(json, "accepted_records", side->records.accepted);
	lai_json_u64(json, "delivered_records", side->records.delivered);
	lai_json_u64(json, "lost_records", side->records.lost);
	lai_json_u64(json, "duplicated_records", side->records.duplicated);
	lai_json_u64(json, "refused_records", side->client.refused_records);
	lai_json_u64(json, "damaged_records", side->server.tally->damaged);
	lai_json_u64(json, "torn_connections", side->server.tally->torn);
	lai_json_u64(json, "connections", side->server.tally->connections);
	lai_json_u64(json, "close_wait_sockets", side->close_wait_left);
	lai_json_u64(json, "close_wait_sockets_max", side->close_wait_most);
	lai_json_u64(json, "sockets_max", side->sockets_most);
	lai_json_u64(json, "fds_max", side->fds_most);
	if (side->client.fds_max > 0)
		lai_json_u64(json, "fds_limit", side->client.fds_max);
	if (side->remembers) {
		write_known(json, "self_check_close_wait_sockets", side->client.close_wait);
		lai_json_u64(json, "perhaps_lost_min_bytes", side->client.lost.min_bytes);
		write_known(json, "perhaps_lost_max_bytes", side->client.lost.max_bytes);
	} else {
		write_known(json, "believed_records", side->client.believed_records);
	}
	write_end(json, &side->client);
	lai_json_end(json);
}

void lai_demo_board_json(struct lai_json *json, const struct lai_demo_board *board,
			 const struct lai_demo_treatment *treatment, bool healthy)
{
	lai_json_object_begin(json, NULL);
	lai_json_bool(json, "healthy", healthy);
	lai_json_string(json, "namespace", lai_demo_space_name(board->space));
	lai_json_double(json, "elapsed_s", (double)(board->elapsed_ns / LAI_MS) / 1e3);
	if (board->sides[0].remembers)
		lai_json_null(json, "naive");
	for (size_t i = 0; i < board->side_count; i++)
		write_side(json, &board->sides[i]);
	lai_demo_treatment_json(json, treatment);
	lai_json_end(json);
}

bool lai_demo_board_healthy(const struct lai_demo_side *side)
{
	return side->client.ended && WIFEXITED(side->client.status) &&
	       WEXITSTATUS(side->client.status) == 0 && side->close_wait_left == 0 &&
	       side->client.close_wait == 0 && side->records.lost == 0 &&
	       side->client.refused_records == 0 && side->records.delivered > 0 &&
	       side->client.lost.min_bytes == 0;
}
