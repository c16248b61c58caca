/* SPDX-License-Identifier: MIT */
/* demo_story.h - what happens in the demo, one phase after another, and telling it meanwhile. */
#ifndef LAI_CLI_DEMO_STORY_H
#define LAI_CLI_DEMO_STORY_H

#include "cli/demo_board.h"
#include "cli/demo_doctor.h"

#include <stdio.h>

struct lai_demo_story {
	/* The caller's settings. The clients and servers run. The last side is lastack's. */
	struct lai_demo_side *sides;
	size_t side_count;
	struct lai_demo_records *records;
	enum lai_demo_space space;
	FILE *out; /* a live table if it is a terminal of 80 columns, otherwise a line per phase */
	int signals; /* signalfd() of what ends the story */
	bool fast;   /* some seconds instead of most of a minute */

	/* What has become of it. */
	struct lai_demo_board board;	     /* its last picture; for the summary */
	struct lai_demo_treatment treatment; /* of the naive client */
	int stopped_by;			     /* the signal that ended it before its time; 0: none */

	/* Inside. */
	bool live;
	size_t lines_drawn; /* of the picture that stands above the cursor */
	uint64_t begin_ns, next_tick_ns, ticks;
	char line[128]; /* number and sentence of the phase */
};

/*
 * Runs it to its end: all clients have ended or been given up, nothing more can arrive. 0, or an
 * error of lai_demo_side_sample(). After it, or after a signal, clients may still live.
 */
int lai_demo_story_run(struct lai_demo_story *story);

#endif
