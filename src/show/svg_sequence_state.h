/* SPDX-License-Identifier: MIT */
/* svg_sequence_state.h - what a segment means for the state that an end was last seen in. Pure. */
#ifndef LAI_SHOW_SVG_SEQUENCE_STATE_H
#define LAI_SHOW_SVG_SEQUENCE_STATE_H

#include "show/svg_sequence_plan.h"

/*
 * Whether the state (enum lai_tcp_state) of the end of this side (0 left, 1 right) may be another
 * one behind this segment: RFC 9293 3.10 lets it change, or it is nothing that an end in this state
 * sends. That it did change only the kernel knows: segments are lost, RSTs are ignored.
 */
bool lai_sequence_state_doubtful(uint8_t state, unsigned side, unsigned wires,
				 const struct lai_sequence_row *row);

#endif
