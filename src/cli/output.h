/* SPDX-License-Identifier: MIT */
/* output.h - a whole text or JSON value to standard output, and how wide a terminal is. */
#ifndef LAI_CLI_OUTPUT_H
#define LAI_CLI_OUTPUT_H

#include "base/json.h"
#include "base/text.h"

#include <stddef.h>

/*
 * Each writes all of it and returns LAI_EXIT_DONE; or complains in the name of the command and
 * returns LAI_EXIT_FAILED. Who has closed the other end of a pipe does not want to hear it.
 */
/* Releases the text; its latched error is a failure. */
int lai_output_text(const char *name, struct lai_text *text);
/* The same, and a newline behind it. */
int lai_output_json(const char *name, struct lai_json *json);

/* Columns of the terminal behind a descriptor; 80 if it does not say, or is none. */
size_t lai_output_columns(int fd);

#endif
