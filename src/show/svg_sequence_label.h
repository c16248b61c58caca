/* SPDX-License-Identifier: MIT */
/* svg_sequence_label.h - the words in a time-sequence diagram. They are ASCII. */
#ifndef LAI_SHOW_SVG_SEQUENCE_LABEL_H
#define LAI_SHOW_SVG_SEQUENCE_LABEL_H

#include "base/text.h"
#include "show/svg_sequence_plan.h"

/* "[P.] seq 1:101 ack 1 len 100 TS 17/4": as tcpdump, with what the numbers mean behind it. */
void lai_sequence_label_segment(struct lai_text *text, const struct lai_sequence_group *group,
				unsigned wires, const struct lai_sequence_row *row);

/* "CLOSE-WAIT", "TIME-WAIT, ends in 60 s" */
void lai_sequence_label_state(struct lai_text *text, const struct lai_result_state *state);

/* As RFC 9293 3.3.2 writes it; "no socket" for LAI_TCP_NONE. */
const char *lai_sequence_state_name(uint8_t state);

#endif
