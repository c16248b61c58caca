/* SPDX-License-Identifier: MIT */
/*
 * html.h - text inside HTML and inside SVG, between tags and inside quoted attributes alike.
 *
 * What goes in may be any bytes: &, <, >, " and ' become entities, what is no valid UTF-8 or no
 * character that XML allows becomes U+FFFD. Newlines and tabs stay. Errors of the file are its
 * ferror().
 */
#ifndef LAI_SHOW_HTML_H
#define LAI_SHOW_HTML_H

#include <stddef.h>
#include <stdio.h>

void lai_html_text(FILE *file, const char *string);
void lai_html_bytes(FILE *file, const char *data, size_t size);

/* As printf, all of it escaped; what is longer than this is cut. */
#define LAI_HTML_PRINT_MAX 2048
void lai_html_print(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
