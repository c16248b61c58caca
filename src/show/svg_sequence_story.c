/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_story.h"

#include "base/time.h"
#include "base/view.h"

#include <errno.h>
#include <stdlib.h>

/* Fewer than so many segments stand as they are: a line about them would be as high. */
#define RUN_MIN 3

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

static void item_state(struct lai_story *story, const struct lai_result_state *state)
{
	story->items[story->count++] =
		(struct lai_story_item){.time_ns = state->time_ns, .state = state};
}

int lai_story_make(struct lai_story *story, const struct lai_sequence_groups *groups, size_t group)
{
	size_t segments = groups->connections[group].segments, state = 0;
	struct changes changes;

	*story = (struct lai_story){.group = group, .drawn = segments};
	story->items = calloc(segments + LAI_SEQUENCE_STATES_MAX, sizeof(*story->items));
	if (!story->items)
		return -ENOMEM;
	changes_take(&changes, groups, group);
	for (size_t i = 0; i < groups->event_count; i++) {
		const struct lai_sequence_event *event = &groups->events[i];

		if (event->group != group)
			continue;
		while (state < changes.count &&
		       changes.list[state]->time_ns < event->captured->time_ns)
			item_state(story, changes.list[state++]);
		story->items[story->count++] = (struct lai_story_item){
			.time_ns = event->captured->time_ns, .event = event};
	}
	while (state < changes.count)
		item_state(story, changes.list[state++]);
	return 0;
}

void lai_story_done(struct lai_story *story)
{
	free(story->items);
	*story = (struct lai_story){0};
}

/* --- folding --- */

static bool folds(const struct lai_story *story, size_t index)
{
	const struct lai_sequence_event *event = story->items[index].event;

	if (!event)
		return false;
	return story->level == LAI_STORY_RUNS ? event->weight == LAI_WEIGHT_BULK
					      : event->weight < LAI_WEIGHT_KEPT;
}

/* Behind the last item of the run that begins here. */
static size_t run_end(const struct lai_story *story, size_t index)
{
	const struct lai_story_item *items = story->items;

	do
		index++;
	while (index < story->count && folds(story, index) &&
	       (story->level != LAI_STORY_RUNS ||
		lai_time_since(items[index - 1].time_ns, items[index].time_ns) <
			LAI_SEQUENCE_PAUSE_NS));
	return index;
}

void lai_story_fold(struct lai_story *story, enum lai_story_level level)
{
	story->level = level;
	story->folds = story->drawn = 0;
	for (size_t i = 0; i < story->count; i++) {
		story->items[i].fold = 0;
		story->drawn += story->items[i].event != NULL;
	}
	if (level == LAI_STORY_ALL)
		return;
	for (size_t i = 0, end; i < story->count; i = end) {
		end = folds(story, i) ? run_end(story, i) : i + 1;
		if (end - i < RUN_MIN)
			continue;
		story->folds++;
		story->drawn -= end - i;
		for (size_t at = i; at < end; at++)
			story->items[at].fold = story->folds;
	}
}

/* The item with the n-th segment that is drawn, which there is. */
static size_t drawn_item(const struct lai_story *story, size_t n)
{
	size_t index = 0;

	while (!story->items[index].event || story->items[index].fold || n-- > 0)
		index++;
	return index;
}

/* Of what is drawn two thirds are from the beginning, the rest from the end, where it closes. */
void lai_story_cut(struct lai_story *story, size_t room)
{
	size_t tail = room / 3, from, to;

	if (story->drawn <= room)
		return;
	from = drawn_item(story, room - tail);
	to = drawn_item(story, story->drawn - tail - 1);
	story->folds++;
	for (size_t i = from; i <= to; i++)
		story->items[i].fold = story->folds;
	story->drawn = room;
}
