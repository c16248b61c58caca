/* SPDX-License-Identifier: MIT */
#include "show/show_socket_summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The states that have a column in TSV, and of equals the order in a table. */
static const struct {
	enum lai_tcp_state state;
	const char *name;
} states[] = {
	{LAI_TCP_CLOSE_WAIT, "close-wait"}, {LAI_TCP_ESTABLISHED, "established"},
	{LAI_TCP_LISTEN, "listen"},	    {LAI_TCP_TIME_WAIT, "time-wait"},
	{LAI_TCP_FIN_WAIT1, "fin-wait1"},   {LAI_TCP_FIN_WAIT2, "fin-wait2"},
	{LAI_TCP_LAST_ACK, "last-ack"},	    {LAI_TCP_CLOSING, "closing"},
	{LAI_TCP_SYN_SENT, "syn-sent"},	    {LAI_TCP_SYN_RECV, "syn-recv"},
	{LAI_TCP_CLOSE, "closed"},	    {LAI_TCP_BOUND_INACTIVE, "bound"},
};

#define STATE_COUNT (sizeof(states) / sizeof(states[0]))
/* pid, comm, sockets, fds, fd-limit, unaccepted */
#define FIXED_COLUMNS_MAX 6

/* What stands for a process where there is none. */
static const char *const ownership_titles[LAI_OWNERSHIP_COUNT] = {
	[LAI_OWNED] = "(ended meanwhile)",
	[LAI_OWNED_NEVER_ACCEPTED] = "(listener's owner not seen)",
	[LAI_OWNED_LISTENER_UNSEEN] = "(listener not seen)",
	[LAI_OWNED_TIME_WAIT] = "(kernel: TIME_WAIT)",
	[LAI_OWNED_HANDSHAKE] = "(kernel: handshakes)",
	[LAI_OWNED_ORPHAN] = "(nobody: kernel ends them)",
	[LAI_OWNED_UNSEEN] = "(not permitted to see)",
	[LAI_OWNED_HIDDEN] = "(no descriptor)",
};

/* ---- counting ----------------------------------------------------------------------------- */

static void count_socket(struct lai_summary_row *row, const struct lai_socket_fact *socket)
{
	enum lai_tcp_state state =
		socket->state == LAI_TCP_NEW_SYN_RECV ? LAI_TCP_SYN_RECV : socket->state;

	row->sockets++;
	row->by_state[state]++;
}

/* The row of each process stands where the process does in the snapshot, the ownerships' after. */
static void count_owners(struct lai_summary_row *rows, const struct lai_snapshot *snapshot,
			 const struct lai_socket_fact *socket)
{
	enum lai_ownership ownership = lai_show_ownership(snapshot, socket);
	const struct lai_holder *holders;
	bool found = false;
	size_t count;

	holders = lai_show_holders(snapshot, socket, &count);
	for (size_t i = 0; i < count; i++) {
		const struct lai_process *process;

		if (i > 0 && holders[i].pid == holders[i - 1].pid)
			continue;
		process = lai_snapshot_process(snapshot, (pid_t)holders[i].pid);
		if (!process)
			continue;
		found = true;
		if (ownership == LAI_OWNED)
			count_socket(&rows[process - snapshot->processes], socket);
		else
			rows[process - snapshot->processes].unaccepted++;
	}
	if (!found)
		count_socket(&rows[snapshot->process_count + ownership], socket);
}

static int row_compare(const void *a, const void *b)
{
	const struct lai_summary_row *x = a, *y = b;
	uint64_t x_sum = (uint64_t)x->sockets + x->unaccepted;
	uint64_t y_sum = (uint64_t)y->sockets + y->unaccepted;

	if (!x->process != !y->process)
		return x->process ? -1 : 1;
	if (x_sum != y_sum)
		return x_sum > y_sum ? -1 : 1;
	if (x->process)
		return x->process->pid < y->process->pid ? -1 : x->process->pid > y->process->pid;
	return (int)x->ownership - (int)y->ownership;
}

int lai_summary_init(struct lai_summary *summary, const struct lai_snapshot *snapshot,
		     const uint32_t *sockets, size_t count)
{
	size_t row_count = snapshot->process_count + LAI_OWNERSHIP_COUNT, kept = 0;
	struct lai_summary_row *rows = calloc(row_count, sizeof(*rows));
	struct lai_summary_row all = {.ownership = LAI_OWNERSHIP_COUNT};

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < row_count; i++) {
		if (i < snapshot->process_count)
			rows[i].process = &snapshot->processes[i];
		else
			rows[i].ownership = (enum lai_ownership)(i - snapshot->process_count);
	}
	for (size_t i = 0; i < count; i++) {
		count_socket(&all, &snapshot->sockets[sockets[i]]);
		count_owners(rows, snapshot, &snapshot->sockets[sockets[i]]);
	}
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].sockets + rows[i].unaccepted > 0)
			rows[kept++] = rows[i];
	qsort(rows, kept, sizeof(*rows), row_compare);
	*summary = (struct lai_summary){.all = all, .rows = rows, .row_count = kept};
	return 0;
}

void lai_summary_done(struct lai_summary *summary)
{
	free(summary->rows);
	*summary = (struct lai_summary){0};
}

/* ---- rows and columns --------------------------------------------------------------------- */

/* What a summary looks like in one form. */
struct face {
	const struct lai_summary *summary;
	bool tsv;
	bool unaccepted;	    /* somebody lets connections wait */
	size_t chosen[STATE_COUNT]; /* states, by their index in the table above */
	size_t chosen_count;
};

static uint32_t count_of(const struct lai_summary *summary, size_t state)
{
	return summary->all.by_state[states[state].state];
}

/* Sorted by how many there are as it grows; equals stay as they are. */
static void choose_state(struct face *face, size_t state)
{
	size_t at = face->chosen_count++;

	while (!face->tsv && at > 0 &&
	       count_of(face->summary, face->chosen[at - 1]) < count_of(face->summary, state)) {
		face->chosen[at] = face->chosen[at - 1];
		at--;
	}
	face->chosen[at] = state;
}

static void face_init(struct face *face, const struct lai_summary *summary,
		      enum lai_columns_form form)
{
	*face = (struct face){.summary = summary, .tsv = form == LAI_COLUMNS_TSV};
	face->unaccepted = face->tsv;
	for (size_t i = 0; i < summary->row_count; i++)
		face->unaccepted = face->unaccepted || summary->rows[i].unaccepted > 0;
	for (size_t i = 0; i < STATE_COUNT; i++)
		if (face->tsv || count_of(summary, i) > 0)
			choose_state(face, i);
}

/* How many. */
static size_t make_columns(const struct face *face, struct lai_column *list)
{
	size_t count = 0;

	list[count++] = (struct lai_column){.name = "pid", .right = true};
	list[count++] = (struct lai_column){.name = "comm"};
	list[count++] = (struct lai_column){.name = "sockets", .right = true};
	list[count++] = (struct lai_column){.name = "fds", .right = true};
	if (face->tsv)
		list[count++] = (struct lai_column){.name = "fd-limit", .right = true};
	if (face->unaccepted)
		list[count++] = (struct lai_column){.name = "unaccepted", .right = true};
	for (size_t i = 0; i < face->chosen_count; i++)
		list[count++] = (struct lai_column){
			.name = face->tsv ? states[face->chosen[i]].name
					  : la_tcp_state_name(states[face->chosen[i]].state),
			.right = true,
		};
	return count;
}

/* "10/20000" for people, two numbers for programs. */
static void append_fds(const struct face *face, struct lai_columns *columns,
		       const struct lai_process *process)
{
	struct lai_text *cell = lai_columns_cell(columns);

	if (process && process->fds_seen)
		lai_show_number(cell, process->fd_count);
	if (face->tsv)
		cell = lai_columns_cell(columns);
	else if (process && process->fds_seen && process->fd_limit)
		lai_text_append(cell, "/");
	else
		return;
	if (process && process->fd_limit)
		lai_show_number(cell, process->fd_limit);
}

static void append_row(const struct face *face, struct lai_columns *columns,
		       const struct lai_summary_row *row)
{
	const struct lai_process *process = row->process;
	struct lai_text *cell = lai_columns_cell(columns);

	if (process)
		lai_show_number(cell, (uint64_t)process->pid);
	cell = lai_columns_cell(columns);
	if (process)
		lai_show_foreign(cell, process->comm);
	else
		lai_text_append(cell, "%s",
				row->ownership == LAI_OWNERSHIP_COUNT
					? "(all)"
					: ownership_titles[row->ownership]);
	lai_show_number(lai_columns_cell(columns), row->sockets);
	append_fds(face, columns, process);
	if (face->unaccepted) {
		cell = lai_columns_cell(columns);
		if (process)
			lai_show_number(cell, row->unaccepted);
	}
	for (size_t i = 0; i < face->chosen_count; i++)
		lai_show_number(lai_columns_cell(columns),
				row->by_state[states[face->chosen[i]].state]);
	lai_columns_row_end(columns);
}

void lai_show_summary(struct lai_text *text, const struct lai_summary *summary,
		      enum lai_columns_form form, bool headed, size_t width_max)
{
	struct lai_column list[FIXED_COLUMNS_MAX + STATE_COUNT];
	struct lai_columns columns;
	struct face face;

	face_init(&face, summary, form);
	lai_columns_init(&columns, list, make_columns(&face, list), form, text);
	if (headed)
		lai_columns_head(&columns);
	append_row(&face, &columns, &summary->all);
	for (size_t i = 0; i < summary->row_count; i++)
		append_row(&face, &columns, &summary->rows[i]);
	lai_columns_end(&columns, width_max);
}

/* ---- for programs ------------------------------------------------------------------------- */

static void states_json(struct lai_json *json, const struct lai_summary_row *row)
{
	lai_json_object_begin(json, "states");
	for (size_t i = 0; i < STATE_COUNT; i++)
		if (row->by_state[states[i].state] > 0)
			lai_json_u64(json, la_tcp_state_name(states[i].state),
				     row->by_state[states[i].state]);
	lai_json_end(json);
}

static void process_json(struct lai_json *json, const struct lai_summary_row *row)
{
	const struct lai_process *process = row->process;

	lai_json_object_begin(json, NULL);
	lai_json_u64(json, "pid", (uint64_t)process->pid);
	lai_json_string(json, "comm", process->comm);
	lai_json_string(json, "cmdline", process->command_line);
	lai_json_u64(json, "sockets", row->sockets);
	states_json(json, row);
	lai_json_u64(json, "unaccepted", row->unaccepted);
	if (process->fds_seen)
		lai_json_u64(json, "fd_count", process->fd_count);
	else
		lai_json_null(json, "fd_count");
	if (process->fd_limit)
		lai_json_u64(json, "fd_limit", process->fd_limit);
	else
		lai_json_null(json, "fd_limit");
	lai_json_end(json);
}

static void other_json(struct lai_json *json, const struct lai_summary_row *row)
{
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "owned", lai_show_ownership_name(row->ownership));
	lai_json_u64(json, "sockets", row->sockets);
	states_json(json, row);
	lai_json_end(json);
}

void lai_show_summary_json(struct lai_json *json, const struct lai_summary *summary)
{
	lai_json_u64(json, "socket_count", summary->all.sockets);
	states_json(json, &summary->all);
	lai_json_array_begin(json, "processes");
	for (size_t i = 0; i < summary->row_count; i++)
		if (summary->rows[i].process)
			process_json(json, &summary->rows[i]);
	lai_json_end(json);
	lai_json_array_begin(json, "others");
	for (size_t i = 0; i < summary->row_count; i++)
		if (!summary->rows[i].process)
			other_json(json, &summary->rows[i]);
	lai_json_end(json);
}
