/* SPDX-License-Identifier: MIT */
/* demo_board.h - the demo in words and numbers: the live table, the summary, the JSON object. */
#ifndef LAI_CLI_DEMO_BOARD_H
#define LAI_CLI_DEMO_BOARD_H

#include "base/json.h"
#include "cli/demo_doctor.h"
#include "cli/demo_side.h"
#include "cli/demo_space.h"

struct lai_demo_board {
	const struct lai_demo_side *sides;
	size_t side_count;
	enum lai_demo_space space;
	const char *story;   /* one line on what the server is doing */
	uint64_t elapsed_ns; /* since the story began */
	uint64_t length_ns;  /* what it will take */
	bool styled;	     /* with ANSI attributes */
};

/* Appends the table; returns how many lines it has. */
size_t lai_demo_board_table(struct lai_text *text, const struct lai_demo_board *board);

/* Appends what came of each client, and where the numbers are from. */
void lai_demo_board_summary(struct lai_text *text, const struct lai_demo_board *board);

/* Writes one object. healthy: lai_demo_board_healthy(). */
void lai_demo_board_json(struct lai_json *json, const struct lai_demo_board *board,
			 const struct lai_demo_treatment *treatment, bool healthy);

/* lastack, which this side must be, lost nothing, left nothing in CLOSE_WAIT and ended with 0. */
bool lai_demo_board_healthy(const struct lai_demo_side *side);

#endif
