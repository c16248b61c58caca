/* SPDX-License-Identifier: MIT */
/* show_paragraph.h - words in lines of a given width, behind a label; and words of strangers. */
#ifndef LAI_SHOW_PARAGRAPH_H
#define LAI_SHOW_PARAGRAPH_H

#include "base/text.h"

/*
 * Appends label in a column of indent places, then the words of the paragraph in lines of at most
 * width_max places, each indented like the first. Blanks in a row count as one. A word that is too
 * long has a line of its own and sticks out. Ends with a newline. What could drive a terminal is
 * escaped, as by lai_show_safe(), so attributes cannot be among the words.
 */
void lai_show_paragraph(struct lai_text *text, const char *label, size_t indent, size_t width_max,
			const char *paragraph);

/* The same for a first line that has been begun, and stands at column indent. */
void lai_show_wrapped(struct lai_text *text, size_t indent, size_t width_max,
		      const char *paragraph);

/* The same for one that stands at column start: only the lines after it begin at indent. */
void lai_show_wrapped_from(struct lai_text *text, size_t start, size_t indent, size_t width_max,
			   const char *paragraph);

/*
 * Appends a text of unknown origin (the name of a process, its arguments) so that it can neither
 * drive a terminal nor pretend to be another field or line: all but printable ASCII becomes \n, \t
 * or \xNN, a backslash \\. No quotes are added. Of the result at most length_max characters are
 * appended, then "..." if there was more.
 */
void lai_show_safe(struct lai_text *text, const char *string, size_t length_max);

#endif
