/* SPDX-License-Identifier: MIT */
/* users_file.h - changes one line of a users' file, so that there is always a whole one. */
#ifndef LAI_CLI_USERS_FILE_H
#define LAI_CLI_USERS_FILE_H

#include "base/slice.h"

#include <stdbool.h>

/*
 * The line of this name becomes line (without newline), or is added at the end; NULL: it is taken out.
 * The new file is written beside the old one, with its owner and group and what they may do, and takes its place in one
 * step; two of these at once do not lose a line. A file that does not exist is made, unless something
 * is to be taken out. *found: there was such a line.
 *
 * 0; -ENOENT: nothing was there to be taken out; else a negative errno and *error is a sentence, to be
 * released with free(), or NULL: -EINVAL: the file would be none that a server can read.
 */
int lai_users_file_change(const char *path, const char *name, const char *line, bool *found,
			  char **error);

#endif
