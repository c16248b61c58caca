/* SPDX-License-Identifier: MIT */
/* passcode.h - a password that never stands on a command line: from a file or the environment. */
#ifndef LAI_CLI_PASSCODE_H
#define LAI_CLI_PASSCODE_H

/* The environment's variable, looked at when no file is given. */
#define LAI_PASSCODE_VARIABLE "LASTACK_PASSCODE"

/* Longest that STOMP servers take, ours among them. */
#define LAI_PASSCODE_MAX 511

/*
 * The first line of the file ("-": standard input, of which nothing more is read), without its line
 * break; path NULL: the variable, where empty is as good as none. In either case the variable is
 * wiped out of our environment, also for those who look at it from outside. 0: *passcode is the caller's, to be released
 * with lai_passcode_free(), or NULL if there is none. A negative errno: *why is a sentence (free()).
 */
int lai_passcode_read(char **passcode, const char *path, char **why);
/* Wipes it and releases it. NULL is fine. */
void lai_passcode_free(char *passcode);

#endif
