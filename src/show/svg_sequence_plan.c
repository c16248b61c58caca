/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_plan.h"

#include "base/time.h"
#include "show/svg_sequence_groups.h"
#include "show/svg_sequence_story.h"

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

static void row_segment(struct lai_sequence_row *row, const struct lai_sequence_event *event)
{
	*row = (struct lai_sequence_row){.kind = LAI_ROW_SEGMENT,
					 .time_ns = event->captured->time_ns,
					 .captured = event->captured,
					 .wire = event->wire,
					 .rightward = event->rightward,
					 .mark = event->mark,
					 .seq = event->seq,
					 .ack = event->ack,
					 .distance = event->distance};
}

static void row_omit(struct lai_sequence_row *row, const struct lai_story_item *item)
{
	const struct lai_segment *segment;

	row->until_ns = item->time_ns;
	if (item->state) {
		row->omitted_states++;
		return;
	}
	segment = &item->event->captured->segment;
	row->omitted_segments++;
	row->omitted_data += segment->payload_bytes > 0;
	row->omitted_bytes += segment->payload_bytes;
	row->omitted_again += item->event->mark == LAI_MARK_RETRANSMISSION;
	row->omitted_flagged +=
		(segment->flags & (LAI_FLAG_SYN | LAI_FLAG_FIN | LAI_FLAG_RST)) != 0;
}

/* Whether both ends' changes have room in one row. */
static bool row_takes(const struct lai_sequence_row *row, const struct lai_result_state *state)
{
	return row->kind == LAI_ROW_STATES && !row->states[state->host != 0] &&
	       lai_time_since(row->time_ns, state->time_ns) <= STATE_SAME_NS;
}

/* The rows before it is known how high they stand: at most one for each item. */
static size_t rows_take(const struct lai_story *story, struct lai_sequence_row *rows)
{
	size_t count = 0, fold = 0;

	for (size_t i = 0; i < story->count; i++) {
		const struct lai_story_item *item = &story->items[i];

		if (item->fold) {
			if (item->fold != fold)
				rows[count++] = (struct lai_sequence_row){.kind = LAI_ROW_OMITTED,
									  .time_ns = item->time_ns};
			row_omit(&rows[count - 1], item);
		} else if (item->event) {
			row_segment(&rows[count++], item->event);
		} else {
			if (count == 0 || !row_takes(&rows[count - 1], item->state))
				rows[count++] = (struct lai_sequence_row){.kind = LAI_ROW_STATES,
									  .time_ns = item->time_ns};
			rows[count - 1].states[item->state->host != 0] = item->state;
		}
		fold = item->fold;
	}
	return count;
}

/* Later is always lower; how much is a logarithm, so that neither a burst nor a wait spreads. */
static unsigned time_gap(uint64_t ns)
{
	return (unsigned)(6 * log10(1 + (double)ns / 1e5));
}

static uint64_t row_until(const struct lai_sequence_row *row)
{
	return row->kind == LAI_ROW_OMITTED ? row->until_ns : row->time_ns;
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
			i > 0 ? lai_time_since(row_until(&draft[i - 1]), draft[i].time_ns) : 0;

		if (since_ns >= LAI_SEQUENCE_PAUSE_NS) {
			rows[*count] = (struct lai_sequence_row){.kind = LAI_ROW_PAUSE,
								 .y = y,
								 .height = PAUSE_HEIGHT,
								 .time_ns = draft[i].time_ns,
								 .pause_ns = since_ns};
			y += rows[(*count)++].height;
		} else {
			y += time_gap(since_ns);
		}
		rows[*count] = draft[i];
		rows[*count].y = y;
		rows[*count].height = heights[draft[i].kind];
		y += rows[(*count)++].height;
	}
	return y;
}

static int group_plan(const struct lai_sequence_groups *groups, const struct lai_story *story,
		      struct lai_sequence_group *group)
{
	const struct lai_sequence_connection *from = &groups->connections[story->group];
	struct lai_sequence_row *draft = calloc(story->count + 1, sizeof(*draft));

	*group = (struct lai_sequence_group){
		.number = story->group + 1,
		.left = from->left,
		.right = from->right,
		.left_raw = lai_sequence_address_is_raw(groups->sequence, &from->left),
		.right_raw = lai_sequence_address_is_raw(groups->sequence, &from->right),
		.segments = from->segments,
		.drawn = story->drawn,
	};
	/* A pause before each. */
	group->rows = calloc(2 * story->count + 1, sizeof(*group->rows));
	if (draft && group->rows)
		group->height =
			rows_place(group->rows, &group->row_count, draft, rows_take(story, draft));
	free(draft);
	return draft && group->rows ? 0 : -ENOMEM;
}

/* --- which connections --- */

struct choice {
	size_t list[LAI_SEQUENCE_GROUPS_MAX];
	size_t count;
};

static bool is_chosen(const struct choice *choice, size_t index)
{
	for (size_t i = 0; i < choice->count; i++)
		if (choice->list[i] == index)
			return true;
	return false;
}

static bool kind_chosen(const struct lai_sequence_groups *groups, const struct choice *choice,
			size_t index)
{
	for (size_t i = 0; i < choice->count; i++)
		if (groups->connections[choice->list[i]].kind == groups->connections[index].kind)
			return true;
	return false;
}

/* Those of one interest, the earlier ones first; of a kind one, unless all have room. */
static void choose(const struct lai_sequence_groups *groups, enum lai_interest interest, bool all,
		   struct choice *choice)
{
	for (size_t i = 0; i < groups->connection_count; i++) {
		if (choice->count == LAI_SEQUENCE_GROUPS_MAX)
			return;
		if (groups->connections[i].interest != interest || is_chosen(choice, i) ||
		    (!all && kind_chosen(groups, choice, i)))
			continue;
		choice->list[choice->count++] = i;
	}
}

static int compare(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return left < right ? -1 : left > right;
}

/*
 * The first connection, then those of most interest. In the order in which they began, and behind
 * them, if there is room, one that was refused: often the lab's own, to count a peer's numbers.
 */
static struct choice groups_choose(const struct lai_sequence_groups *groups)
{
	struct choice choice = {.count = 0};
	size_t first = SIZE_MAX, open = 0;

	for (size_t i = groups->connection_count; i-- > 0;) {
		if (groups->connections[i].interest == LAI_INTEREST_REFUSED)
			continue;
		first = i;
		open++;
	}
	if (first != SIZE_MAX)
		choice.list[choice.count++] = first;
	for (int interest = LAI_INTEREST_COUNT - 1; interest > LAI_INTEREST_REFUSED; interest--)
		choose(groups, (enum lai_interest)interest, open <= LAI_SEQUENCE_GROUPS_MAX,
		       &choice);
	qsort(choice.list, choice.count, sizeof(choice.list[0]), compare);
	choose(groups, LAI_INTEREST_REFUSED, false, &choice);
	return choice;
}

/* Two of a kind are drawn only where all are, and then none is left to count. */
static size_t count_alike(const struct lai_sequence_groups *groups, const struct choice *choice,
			  size_t index)
{
	size_t alike = 0;

	for (size_t i = 0; i < groups->connection_count; i++)
		alike += groups->connections[i].kind == groups->connections[index].kind &&
			 !is_chosen(choice, i);
	return alike;
}

/* --- how much of each --- */

/* Shares the room: what short connections do not need is left to the longer ones. */
static void rooms_share(const struct lai_story *stories, size_t count,
			size_t rooms[LAI_SEQUENCE_GROUPS_MAX])
{
	size_t left = LAI_SEQUENCE_SEGMENTS_MAX, wanting = count;

	memset(rooms, 0, count * sizeof(*rooms));
	while (left >= wanting && wanting > 0) {
		size_t share = left / wanting;

		wanting = 0;
		for (size_t i = 0; i < count; i++) {
			size_t wants = stories[i].drawn - rooms[i];
			size_t gets = wants < share ? wants : share;

			rooms[i] += gets;
			left -= gets;
			wanting += wants > gets;
		}
	}
}

/* The longest that can be folded further; NULL: there is none. */
static struct lai_story *longest(struct lai_story *stories, size_t count)
{
	struct lai_story *found = NULL;

	for (size_t i = 0; i < count; i++)
		if (stories[i].level < LAI_STORY_KEPT &&
		    (!found || stories[i].drawn > found->drawn))
			found = &stories[i];
	return found;
}

static size_t all_drawn(const struct lai_story *stories, size_t count)
{
	size_t drawn = 0;

	for (size_t i = 0; i < count; i++)
		drawn += stories[i].drawn;
	return drawn;
}

/* Folds no more than it must, the longest first; cuts only what is too long without any bulk. */
static void stories_fit(struct lai_story *stories, size_t count)
{
	size_t rooms[LAI_SEQUENCE_GROUPS_MAX];
	struct lai_story *story;

	while (all_drawn(stories, count) > LAI_SEQUENCE_SEGMENTS_MAX &&
	       (story = longest(stories, count)))
		lai_story_fold(story, story->level + 1);
	rooms_share(stories, count, rooms);
	for (size_t i = 0; i < count; i++)
		lai_story_cut(&stories[i], rooms[i]);
}

static int stories_plan(const struct lai_sequence_groups *groups, struct lai_sequence_plan *plan)
{
	struct choice choice = groups_choose(groups);
	struct lai_story stories[LAI_SEQUENCE_GROUPS_MAX] = {0};
	int error = 0;

	for (size_t i = 0; i < choice.count && !error; i++)
		error = lai_story_make(&stories[i], groups, choice.list[i]);
	if (!error)
		stories_fit(stories, choice.count);
	for (size_t i = 0; i < choice.count && !error; i++) {
		error = group_plan(groups, &stories[i], &plan->groups[i]);
		plan->group_count++;
		plan->groups[i].alike = count_alike(groups, &choice, choice.list[i]);
		plan->drawn += plan->groups[i].drawn;
	}
	for (size_t i = 0; i < choice.count; i++)
		lai_story_done(&stories[i]);
	return error;
}

int lai_sequence_plan(const struct lai_sequence *sequence, struct lai_sequence_plan *plan)
{
	struct lai_sequence_plan made = {0};
	struct lai_sequence_groups groups;
	int error = lai_sequence_groups_make(&groups, sequence);

	made.groups = calloc(LAI_SEQUENCE_GROUPS_MAX, sizeof(*made.groups));
	if (!made.groups)
		error = -ENOMEM;
	if (!error) {
		made.segments = groups.event_count;
		made.connections = groups.connection_count;
		error = stories_plan(&groups, &made);
	}
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
