/* SPDX-License-Identifier: MIT */
/* password.h - a password from where it is: a terminal without echo, a pipe, a file. */
#ifndef LAI_CLI_PASSWORD_H
#define LAI_CLI_PASSWORD_H

#include "serve/users.h"

/* Room for the longest, a line break that is taken off, one byte too many, and the NUL. */
#define LAI_PASSWORD_ROOM (LAI_USERS_PASSWORD_MAX + 4)

/*
 * file: NULL for standard input (asked for twice if that is a terminal), else a path. One line break
 * at its end is not part of it. 0: *size bytes and a NUL, which may be anything but too long;
 * otherwise a sentence has been printed under this command's name, and it is the exit code.
 */
int lai_password_read(const char *command, const char *file, char text[LAI_PASSWORD_ROOM],
		      size_t *size);

#endif
