/* SPDX-License-Identifier: MIT */
/* close_table.c - the plan and what came of it, for people: a row for all that are alike. */
#include "cli/close.h"

#include "base/size.h"
#include "judge/age.h"
#include "judge/case.h"
#include "show/show_finding.h"
#include "show/show_socket.h"

#include <lastack/report.h>
#include <stdlib.h>
#include <string.h>

#define FD_RANGES_MAX 4 /* of one row */

/* ---- what became of one ------------------------------------------------------------------- */

static const char *deed_of(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	enum lai_tcp_state state = lai_close_socket(plan, item)->state;
	bool act = plan->config->act;

	switch (plan->config->how) {
	case LAI_MEND_KEEPALIVE: return act ? "keepalive armed" : "would arm keepalive";
	case LAI_MEND_RST:
		if (state == LAI_TCP_TIME_WAIT)
			return act ? "forgotten" : "would forget it";
		return act ? "RST sent" : "would send RST";
	default: break;
	}
	if (state == LAI_TCP_LISTEN)
		return act ? "stopped listening" : "would stop listening";
	/* Our side has sent its FIN long ago. */
	if (state == LAI_TCP_FIN_WAIT1 || state == LAI_TCP_FIN_WAIT2)
		return act ? "only woke the owner" : "would only wake the owner";
	return act ? "FIN sent" : "would send FIN";
}

void lai_close_show_result(const struct lai_close_plan *plan, const struct lai_close_item *item,
			   struct lai_text *text)
{
	switch (item->result.outcome) {
	case LAI_MENDED: lai_text_append(text, "%s", deed_of(plan, item)); return;
	case LAI_MEND_GONE: lai_text_append(text, "ended by itself meanwhile"); return;
	case LAI_MEND_CHANGED: lai_text_append(text, "left alone: has changed"); return;
	case LAI_MEND_DENIED:
		lai_text_append(text, "denied: %s",
				item->why_not ? item->why_not : strerror(-item->result.error));
		return;
	case LAI_MEND_IMPOSSIBLE:
		lai_text_append(text, "cannot: %s",
				item->why_not ? item->why_not : strerror(-item->result.error));
		return;
	default: lai_text_append(text, "failed: %s", strerror(-item->result.error)); return;
	}
}

/* ---- rows --------------------------------------------------------------------------------- */

static bool never_accepted(const struct lai_close_plan *plan, const struct lai_close_item *item)
{
	return lai_close_socket(plan, item)->listener != LAI_NO_INDEX;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* 0: they belong in one row. */
static int compare_kind(const void *left, const void *right, void *arg)
{
	const struct lai_close_plan *plan = arg;
	const struct lai_close_item *a = left, *b = right;
	const struct lai_socket_fact *a_socket = lai_close_socket(plan, a);
	const struct lai_socket_fact *b_socket = lai_close_socket(plan, b);
	int order = compare(a_socket->namespace_index, b_socket->namespace_index);

	if (!order)
		order = compare(a->pid, b->pid);
	if (!order)
		order = compare(a_socket->state, b_socket->state);
	if (!order)
		order = compare(never_accepted(plan, a), never_accepted(plan, b));
	if (!order)
		order = compare(a->result.outcome, b->result.outcome);
	if (!order)
		order = compare((uint32_t)-a->result.error, (uint32_t)-b->result.error);
	if (!order)
		order = strcmp(a->why_not ? a->why_not : "", b->why_not ? b->why_not : "");
	return order;
}

/* What stands in one row. */
struct kind {
	const struct lai_close_item *items;
	size_t count;
	uint64_t unread_bytes;
	uint64_t oldest_ms;
	enum lai_age_kind age_kind; /* of the oldest */
	struct lai_address remote;
	bool one_remote; /* all have the same but for the port */
	int32_t *fds;
	size_t fd_count;
};

static bool same_host(const struct lai_address *a, const struct lai_address *b)
{
	struct lai_address left = *a, right = *b;

	lai_address_set_port(&left, 0);
	lai_address_set_port(&right, 0);
	return lai_address_equal(&left, &right);
}

static int compare_fds(const void *left, const void *right)
{
	int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;

	return (a > b) - (a < b);
}

static void kind_add_age(struct kind *kind, const struct lai_socket_fact *socket)
{
	uint64_t age_ms;
	enum lai_age_kind age_kind = lai_age_of(socket, &age_ms);

	if (age_kind == LAI_AGE_UNKNOWN ||
	    (kind->age_kind != LAI_AGE_UNKNOWN && age_ms <= kind->oldest_ms))
		return;
	kind->oldest_ms = age_ms;
	kind->age_kind = age_kind;
}

static void kind_read(const struct lai_close_plan *plan, struct kind *kind)
{
	kind->remote = lai_close_socket(plan, &kind->items[0])->remote;
	kind->one_remote = true;
	for (size_t i = 0; i < kind->count; i++) {
		const struct lai_close_item *item = &kind->items[i];
		const struct lai_socket_fact *socket = lai_close_socket(plan, item);

		kind->unread_bytes += lai_unread_bytes(socket);
		kind_add_age(kind, socket);
		if (!same_host(&kind->remote, &socket->remote))
			kind->one_remote = false;
		else if (!lai_address_equal(&kind->remote, &socket->remote))
			lai_address_set_port(&kind->remote, 0);
		if (item->holder != LAI_NO_INDEX && kind->fds)
			kind->fds[kind->fd_count++] =
				(int32_t)plan->snapshot->holders[item->holder].fd;
	}
	if (kind->fds)
		qsort(kind->fds, kind->fd_count, sizeof(*kind->fds), compare_fds);
}

static void put_process(const struct lai_close_plan *plan, const struct kind *kind,
			struct lai_text *text)
{
	uint32_t pid = kind->items[0].pid;
	const struct lai_process *process = lai_snapshot_process(plan->snapshot, (pid_t)pid);

	if (pid) {
		lai_show_foreign(text, process ? process->comm : "?");
		lai_text_append(text, "[%u]", pid);
	}
	if (never_accepted(plan, &kind->items[0]))
		lai_text_append(text, "%snot accepted", pid ? ", " : "");
	else if (!pid)
		lai_text_append(text, "%s",
				lai_show_ownership(plan->snapshot,
						   lai_close_socket(plan, &kind->items[0])) ==
						LAI_OWNED_UNSEEN
					? "not seen"
					: "nobody");
}

static const struct lai_column columns_of_table[] = {
	{.name = "namespace"}, /* with --all-netns */
	{.name = "process"},
	{.name = "state"},
	{.name = "sockets", .right = true},
	{.name = "unread", .right = true, .spare = true},
	{.name = "oldest", .right = true},
	{.name = "fds", .spare = true},
	{.name = "remote"},
	{.name = "result", .wrap = true},
};

#define COLUMN_COUNT (sizeof(columns_of_table) / sizeof(columns_of_table[0]))

static void put_row(const struct lai_close_plan *plan, const struct kind *kind,
		    struct lai_columns *columns)
{
	const struct lai_socket_fact *socket = lai_close_socket(plan, &kind->items[0]);
	char size[LAI_SIZE_TEXT_MAX];
	struct lai_text *cell;

	if (plan->config->all_namespaces)
		lai_show_socket_cell(lai_columns_cell(columns), LAI_SOCKET_COLUMN_NAMESPACE,
				     plan->snapshot, socket);
	put_process(plan, kind, lai_columns_cell(columns));
	lai_text_append(lai_columns_cell(columns), "%s", la_tcp_state_name(socket->state));
	lai_show_number(lai_columns_cell(columns), kind->count);
	lai_text_append(lai_columns_cell(columns), "%s", lai_size_format(size, kind->unread_bytes));
	cell = lai_columns_cell(columns);
	if (kind->age_kind != LAI_AGE_UNKNOWN) {
		lai_text_append(cell, "%s", kind->age_kind == LAI_AGE_EXACT ? "" : ">=");
		lai_show_duration(cell, kind->oldest_ms);
	}
	cell = lai_columns_cell(columns);
	if (kind->fd_count)
		lai_show_fds(cell, kind->fds, kind->fd_count, FD_RANGES_MAX);
	cell = lai_columns_cell(columns);
	if (kind->one_remote)
		lai_show_address(cell, &kind->remote);
	else
		lai_text_append(cell, "several");
	lai_close_show_result(plan, &kind->items[0], lai_columns_cell(columns));
	lai_columns_row_end(columns);
}

/* Sorts the items anew: the deed is done. */
void lai_close_show_table(const struct lai_close_plan *plan, struct lai_watch_page *page)
{
	int32_t *fds = calloc(plan->count + 1, sizeof(*fds));
	size_t hidden = plan->config->all_namespaces ? 0 : 1;
	struct lai_columns columns;

	qsort_r(plan->items, plan->count, sizeof(*plan->items), compare_kind, (void *)plan);
	lai_columns_init(&columns, columns_of_table + hidden, COLUMN_COUNT - hidden,
			 LAI_COLUMNS_TABLE, &page->text);
	lai_columns_head(&columns);
	for (size_t i = 0; i < plan->count;) {
		struct kind kind = {.items = &plan->items[i], .fds = fds};

		while (i + kind.count < plan->count &&
		       compare_kind(kind.items, &kind.items[kind.count], (void *)plan) == 0)
			kind.count++;
		kind_read(plan, &kind);
		put_row(plan, &kind, &columns);
		i += kind.count;
	}
	lai_columns_end(&columns, page->columns);
	free(fds);
}
