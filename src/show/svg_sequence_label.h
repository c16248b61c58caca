/* SPDX-License-Identifier: MIT */
/* svg_sequence_label.h - the words in a time-sequence diagram. They are ASCII. */
#ifndef LAI_SHOW_SVG_SEQUENCE_LABEL_H
#define LAI_SHOW_SVG_SEQUENCE_LABEL_H

#include "base/text.h"
#include "show/svg_sequence_plan.h"

/* "[P.] seq 1:101 ack 1 len 100 TS 17/4": as tcpdump, with what the numbers mean behind it. */
void lai_sequence_label_segment(struct lai_text *text, const struct lai_sequence_group *group,
				unsigned wires, const struct lai_sequence_row *row);

/* "355 segments of data, 30.1 MiB, and 12 ACKs": a row of what is not drawn. */
void lai_sequence_label_omitted(struct lai_text *text, const struct lai_sequence_row *row);

/* "CLOSE_WAIT", "TIME_WAIT, ends in 60 s" */
void lai_sequence_label_state(struct lai_text *text, const struct lai_result_state *state);

/* la_tcp_state_name(); "not in the table" for LAI_TCP_NONE: a program may hold it all the same. */
const char *lai_sequence_state_name(uint8_t state);

#endif
