/* SPDX-License-Identifier: MIT */
/* command.h - the commands of lastack, and what they share. One file and one row per command. */
#ifndef LAI_CLI_COMMAND_H
#define LAI_CLI_COMMAND_H

#include "cli/option.h"

/* Exit codes. */
enum {
	LAI_EXIT_DONE = 0,    /* done, healthy */
	LAI_EXIT_FAILED = 1,  /* failed, or something was found */
	LAI_EXIT_USAGE = 2,   /* bad input: a sentence was printed */
	LAI_EXIT_CANNOT = 77, /* this kernel or privilege cannot: the reason was printed */
};

/* args: what stands after the command's name. Each returns an exit code. */
int lai_cmd_send(int count, char *const *args);
int lai_cmd_receive(int count, char *const *args);
int lai_cmd_list(int count, char *const *args);
int lai_cmd_doctor(int count, char *const *args);
int lai_cmd_close(int count, char *const *args);
int lai_cmd_lab(int count, char *const *args);
int lai_cmd_spool(int count, char *const *args);
int lai_cmd_demo(int count, char *const *args);
int lai_cmd_passwd(int count, char *const *args);

/*
 * Reads a command line as lai_option_parse(). True: *settings and *operands are filled, go on.
 * False: --help, --version or a mistake has been answered; return *exit_code.
 */
bool lai_command_parse(const struct lai_option_command *command, int count, char *const *args,
		       void *settings, struct lai_option_list *operands, int *exit_code);

/* Prints "NAME: sentence" to stderr, however quiet: one line, of 4 kB at most, without control
   characters, whatever the user gave. */
void lai_command_complain(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for bad input: returns LAI_EXIT_USAGE. */
int lai_command_refuse(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A snapshot could not be taken: says why and returns the exit code for its errno. sentence is what
 * lai_snapshot_take() gave, or NULL; it is released.
 */
int lai_command_snapshot_failed(const char *name, int error, char *sentence);

/*
 * Takes these signals (a list that ends with 0) by a descriptor instead of by handlers.
 * The descriptor (non-blocking; read struct signalfd_siginfo), or a negative errno.
 */
int lai_command_signals(const int *signals);

#endif
