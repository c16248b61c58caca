/* SPDX-License-Identifier: MIT */
/*
 * svg_sequence_story.h - one connection's segments and changes of state in the order of time, and
 * which of them a diagram with little room folds into one line. Pure.
 *
 *	all  -->  runs of data and ACKs folded  -->  also retransmissions, probes, over pauses
 *	     -->  cut: beginning and end stay
 */
#ifndef LAI_SHOW_SVG_SEQUENCE_STORY_H
#define LAI_SHOW_SVG_SEQUENCE_STORY_H

#include "show/svg_sequence_groups.h"

enum lai_story_level {
	LAI_STORY_ALL,
	LAI_STORY_RUNS, /* runs of bulk, between pauses */
	LAI_STORY_KEPT, /* runs of all that need not be kept */
};

struct lai_story_item {
	uint64_t time_ns;
	const struct lai_sequence_event *event; /* or */
	const struct lai_result_state *state;
	size_t fold; /* items with the same number stand in one line; 0: drawn */
};

struct lai_story {
	size_t group;
	struct lai_story_item *items; /* oldest first */
	size_t count;
	enum lai_story_level level;
	size_t folds; /* lines of folded items */
	size_t drawn; /* segments that are not folded */
};

/* 0: *story, for _done(), with nothing folded; -ENOMEM. */
int lai_story_make(struct lai_story *story, const struct lai_sequence_groups *groups, size_t group);
void lai_story_done(struct lai_story *story);

/* Folds what this level folds. */
void lai_story_fold(struct lai_story *story, enum lai_story_level level);

/* Cuts out so much of the middle that at most `room` segments are drawn; room > 0. */
void lai_story_cut(struct lai_story *story, size_t room);

#endif
