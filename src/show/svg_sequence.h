/* SPDX-License-Identifier: MIT */
/*
 * svg_sequence.h - a time-sequence diagram: who sent what when, with the states of both ends.
 *
 *	 time      ESTABLISHED |---------- [F.] seq 1 ack 1 -------->| ESTABLISHED
 *	 0.001204    FIN_WAIT1 |                                     | CLOSE_WAIT
 *	                       /               9.8 s                 /
 *
 * Each connection is a figure of its own with a caption. The style is the page's (lab_html).
 */
#ifndef LAI_SHOW_SVG_SEQUENCE_H
#define LAI_SHOW_SVG_SEQUENCE_H

#include "show/svg_sequence_plan.h"

#include <stdio.h>

/*
 * Writes the figures; id, unique in the page and made of letters, digits and hyphens, begins the
 * ids of their parts. Nothing is written if there are no segments. 0; -ENOMEM; errors of the file
 * are its ferror().
 */
int lai_svg_sequence(FILE *file, const char *id, const struct lai_sequence *sequence);

#endif
