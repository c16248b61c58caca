/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_plan.h"

#include "base/time.h"
#include "base/view.h"
#include "show/svg_sequence_groups.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two sides' changes that are seen together stand in one row. */
#define STATE_SAME_NS LAI_MS

#define SEGMENT_HEIGHT 32u
#define STATES_HEIGHT 20u
#define PAUSE_HEIGHT 26u
#define OMITTED_HEIGHT 30u

/* --- rows --- */

/* The rows of a group before it is known how high they stand. */
struct draft {
	struct lai_sequence_row *rows;
	size_t count;
	size_t segments_to_draw, segments_seen, segments;
	size_t omitted_at; /* row, or SIZE_MAX */
};

/* Of what is drawn two thirds are from the beginning, the rest from the end, where it closes. */
static bool draft_omits(const struct draft *draft)
{
	size_t head = draft->segments_to_draw - draft->segments_to_draw / 3;

	return draft->segments > draft->segments_to_draw && draft->segments_seen >= head &&
	       draft->segments_seen < draft->segments - (draft->segments_to_draw - head);
}

static struct lai_sequence_row *draft_row(struct draft *draft, enum lai_sequence_kind kind,
					  uint64_t time_ns)
{
	struct lai_sequence_row *row = &draft->rows[draft->count++];

	*row = (struct lai_sequence_row){.kind = kind, .time_ns = time_ns};
	return row;
}

static struct lai_sequence_row *draft_omitted(struct draft *draft, uint64_t time_ns)
{
	if (draft->omitted_at == SIZE_MAX) {
		draft->omitted_at = draft->count;
		(void)draft_row(draft, LAI_ROW_OMITTED, time_ns);
	}
	return &draft->rows[draft->omitted_at];
}

static void draft_segment(struct draft *draft, const struct lai_sequence_event *event)
{
	bool omitted = draft_omits(draft);
	struct lai_sequence_row *row;

	draft->segments_seen++;
	if (omitted) {
		draft_omitted(draft, event->captured->time_ns)->omitted_segments++;
		return;
	}
	row = draft_row(draft, LAI_ROW_SEGMENT, event->captured->time_ns);
	row->captured = event->captured;
	row->wire = event->wire;
	row->rightward = event->rightward;
	row->mark = event->mark;
	row->seq = event->seq;
	row->ack = event->ack;
	row->distance = event->distance;
}

static void draft_state(struct draft *draft, const struct lai_result_state *state)
{
	unsigned side = state->host == 0 ? 0 : 1;
	struct lai_sequence_row *row = draft->count ? &draft->rows[draft->count - 1] : NULL;

	if (draft_omits(draft) && draft->omitted_at != SIZE_MAX) {
		draft_omitted(draft, state->time_ns)->omitted_states++;
		return;
	}
	if (!row || row->kind != LAI_ROW_STATES || row->states[side] ||
	    lai_time_since(row->time_ns, state->time_ns) > STATE_SAME_NS)
		row = draft_row(draft, LAI_ROW_STATES, state->time_ns);
	row->states[side] = state;
}

/* Later is always lower; how much is a logarithm, so that neither a burst nor a wait spreads. */
static unsigned time_gap(uint64_t ns)
{
	return (unsigned)(6 * log10(1 + (double)ns / 1e5));
}

/* Puts the pauses between the rows and says how high all stand; rows has room for them. */
static unsigned rows_place(struct lai_sequence_row *rows, size_t *count,
			   const struct lai_sequence_row *draft, size_t draft_count)
{
	static const unsigned heights[] = {
		[LAI_ROW_SEGMENT] = SEGMENT_HEIGHT,
		[LAI_ROW_STATES] = STATES_HEIGHT,
		[LAI_ROW_PAUSE] = PAUSE_HEIGHT,
		[LAI_ROW_OMITTED] = OMITTED_HEIGHT,
	};
	unsigned y = 0;

	*count = 0;
	for (size_t i = 0; i < draft_count; i++) {
		uint64_t since_ns =
			i > 0 ? lai_time_since(draft[i - 1].time_ns, draft[i].time_ns) : 0;

		if (since_ns >= LAI_SEQUENCE_PAUSE_NS && draft[i].kind != LAI_ROW_OMITTED &&
		    draft[i - 1].kind != LAI_ROW_OMITTED) {
			rows[*count] = (struct lai_sequence_row){.kind = LAI_ROW_PAUSE,
								 .y = y,
								 .height = PAUSE_HEIGHT,
								 .time_ns = draft[i].time_ns,
								 .pause_ns = since_ns};
			y += rows[(*count)++].height;
		} else {
			y += time_gap(since_ns < LAI_SEQUENCE_PAUSE_NS ? since_ns : 0);
		}
		rows[*count] = draft[i];
		rows[*count].y = y;
		rows[*count].height = heights[draft[i].kind];
		y += rows[(*count)++].height;
	}
	return y;
}

/* The states of a group, oldest first, each change once. */
struct changes {
	const struct lai_result_state *list[LAI_SEQUENCE_STATES_MAX];
	size_t count;
};

static void changes_take(struct changes *changes, const struct lai_sequence_groups *groups,
			 size_t group)
{
	const struct lai_result_state *last[2] = {NULL, NULL};

	changes->count = 0;
	for (size_t i = 0; i < groups->sequence->state_count; i++) {
		const struct lai_result_state *state = &groups->sequence->states[i];
		unsigned side = state->host == 0 ? 0 : 1;
		size_t at = changes->count;

		if (state->host > 1 || lai_sequence_groups_state(groups, state) != group)
			continue;
		if (last[side] && last[side]->state == state->state)
			continue;
		if (!last[side] && state->state == LAI_TCP_NONE)
			continue; /* in no table before it began */
		last[side] = state;
		if (at == LAI_SEQUENCE_STATES_MAX)
			return;
		for (; at > 0 && changes->list[at - 1]->time_ns > state->time_ns; at--)
			changes->list[at] = changes->list[at - 1];
		changes->list[at] = state;
		changes->count++;
	}
}

/* Segments and changes of state in the order of time. */
static void draft_fill(struct draft *draft, const struct lai_sequence_groups *groups, size_t index,
		       const struct changes *changes)
{
	size_t state = 0;

	for (size_t i = 0; i < groups->event_count; i++) {
		const struct lai_sequence_event *event = &groups->events[i];

		if (event->group != index)
			continue;
		while (state < changes->count &&
		       changes->list[state]->time_ns < event->captured->time_ns)
			draft_state(draft, changes->list[state++]);
		draft_segment(draft, event);
	}
	while (state < changes->count)
		draft_state(draft, changes->list[state++]);
}

static int group_plan(const struct lai_sequence_groups *groups, size_t index, size_t room,
		      struct lai_sequence_group *group)
{
	const struct lai_sequence_connection *from = &groups->connections[index];
	struct draft draft = {.segments = from->segments,
			      .segments_to_draw = room < from->segments ? room : from->segments,
			      .omitted_at = SIZE_MAX};
	size_t rows_max = draft.segments_to_draw + LAI_SEQUENCE_STATES_MAX + 1;
	struct changes changes;

	*group = (struct lai_sequence_group){
		.number = index + 1,
		.left = from->left,
		.right = from->right,
		.left_raw = lai_sequence_address_is_raw(groups->sequence, &from->left),
		.right_raw = lai_sequence_address_is_raw(groups->sequence, &from->right),
		.segments = from->segments,
		.drawn = draft.segments_to_draw,
	};
	draft.rows = calloc(rows_max, sizeof(*draft.rows));
	group->rows = calloc(2 * rows_max, sizeof(*group->rows)); /* a pause before each */
	if (!draft.rows || !group->rows) {
		free(draft.rows);
		return -ENOMEM;
	}
	changes_take(&changes, groups, index);
	draft_fill(&draft, groups, index, &changes);
	group->height = rows_place(group->rows, &group->row_count, draft.rows, draft.count);
	free(draft.rows);
	return 0;
}

/* --- which connections, and how much of each --- */

/* The first connection is drawn, then those that are of most interest, the earlier ones first. In
   the order in which they began; 0 also if there is no memory. */
static size_t groups_choose(const struct lai_sequence_groups *groups,
			    size_t chosen[LAI_SEQUENCE_GROUPS_MAX])
{
	size_t all = groups->connection_count, count = all > 0;
	bool *taken = calloc(all + 1, sizeof(*taken));

	if (!taken)
		return 0;
	taken[0] = true;
	for (int interest = LAI_INTEREST_COUNT - 1; interest >= 0; interest--) {
		for (size_t i = 1; i < all && count < LAI_SEQUENCE_GROUPS_MAX; i++) {
			if (groups->connections[i].interest != (enum lai_interest)interest)
				continue;
			taken[i] = true;
			count++;
		}
	}
	count = 0;
	for (size_t i = 0; i < all; i++)
		if (taken[i])
			chosen[count++] = i;
	free(taken);
	return count;
}

/* Shares the room: what short connections do not need is left to the longer ones. */
static void rooms_share(const struct lai_sequence_groups *groups, const size_t *chosen,
			size_t count, size_t rooms[LAI_SEQUENCE_GROUPS_MAX])
{
	size_t left = LAI_SEQUENCE_SEGMENTS_MAX, wanting = count;

	memset(rooms, 0, count * sizeof(*rooms));
	while (left >= wanting && wanting > 0) {
		size_t share = left / wanting;

		wanting = 0;
		for (size_t i = 0; i < count; i++) {
			size_t wants = groups->connections[chosen[i]].segments - rooms[i];
			size_t gets = wants < share ? wants : share;

			rooms[i] += gets;
			left -= gets;
			wanting += wants > gets;
		}
	}
}

int lai_sequence_plan(const struct lai_sequence *sequence, struct lai_sequence_plan *plan)
{
	size_t chosen[LAI_SEQUENCE_GROUPS_MAX], rooms[LAI_SEQUENCE_GROUPS_MAX];
	struct lai_sequence_plan made = {0};
	struct lai_sequence_groups groups;
	int error = lai_sequence_groups_make(&groups, sequence);

	if (error)
		goto out;
	made.groups = calloc(LAI_SEQUENCE_GROUPS_MAX, sizeof(*made.groups));
	made.group_count = made.groups ? groups_choose(&groups, chosen) : 0;
	if (made.group_count == 0 && groups.connection_count > 0) {
		error = -ENOMEM;
		goto out;
	}
	made.segments = groups.event_count;
	made.connections = groups.connection_count;
	rooms_share(&groups, chosen, made.group_count, rooms);
	for (size_t i = 0; i < made.group_count && !error; i++) {
		error = group_plan(&groups, chosen[i], rooms[i], &made.groups[i]);
		made.drawn += made.groups[i].drawn;
	}
out:
	lai_sequence_groups_done(&groups);
	if (error)
		lai_sequence_plan_done(&made);
	else
		*plan = made;
	return error;
}

void lai_sequence_plan_done(struct lai_sequence_plan *plan)
{
	for (size_t i = 0; i < plan->group_count; i++)
		free(plan->groups[i].rows);
	free(plan->groups);
	*plan = (struct lai_sequence_plan){0};
}
