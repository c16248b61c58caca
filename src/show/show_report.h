/* SPDX-License-Identifier: MIT */
/* show_report.h - a connection's report and a link's totals, for people and for programs. */
#ifndef LAI_SHOW_REPORT_H
#define LAI_SHOW_REPORT_H

#include "base/json.h"

#include <lastack/report.h>

/* Appends one sentence for people: what ended, how it was found out, what it means for
   the bytes. */
void lai_show_report_text(struct lai_text *text, const struct la_report *report);

/* Appends one sentence for people: where every accepted byte is. */
void lai_show_totals_text(struct lai_text *text, const struct la_totals *totals,
			  enum la_proof proof);

/* Appends bytes of a peer as printable text in quotes: escapes what could drive a terminal. */
void lai_show_words(struct lai_text *text, const void *data, size_t size);

/* Writes the members of an object that the caller has begun. The names are those of struct
 * la_report. */
void lai_show_report_json(struct lai_json *json, const struct la_report *report);
void lai_show_totals_json(struct lai_json *json, const struct la_totals *totals);

#endif
