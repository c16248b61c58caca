/* SPDX-License-Identifier: MIT */
/* The table of commands. */
#include "cli/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int count, char *const *args);
	const char *summary;
} commands[] = {
	{"send", lai_cmd_send, "send bytes or lines to a server, for ever, and end properly"},
	{"receive", lai_cmd_receive,
	 "the matching server: write what comes to standard output or files"},
	{"list", lai_cmd_list, "every TCP socket with its state, queues, age and all its owners"},
	{"doctor", lai_cmd_doctor, "what does not end properly, whose fault it is, what to do"},
	{"close", lai_cmd_close, "end other programs' stuck connections; dry run unless --yes"},
	{"lab", lai_cmd_lab, "claims about closing and TIME_WAIT, tried on this very kernel"},
	{"spool", lai_cmd_spool, "what waits in a file of send --spool; get it out if it is damaged"},
	{"passwd", lai_cmd_passwd, "a line for the file of users of receive --users"},
	{"demo", lai_cmd_demo, "the story of this project in one minute on real sockets"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	(void)fprintf(out, "lastack makes TCP connections end properly.\n\n"
			   "Usage: lastack COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(out, "\nlastack COMMAND --help tells about one of them; lastack --version "
			   "the version.\n");
}

static int unknown(const char *name)
{
	const char *names[COMMAND_COUNT], *near;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	near = lai_option_nearest(name, names, COMMAND_COUNT);
	if (near)
		return lai_command_refuse("lastack", "there is no command '%s'; did you mean '%s'?",
					  name, near);
	(void)lai_command_refuse("lastack", "there is no command '%s'; these are", name);
	print_usage(stderr);
	return LAI_EXIT_USAGE;
}

static int run(const char *name, int count, char *const *args)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(count, args);
	return unknown(name);
}

/*
 * A standard descriptor that is closed gets something that cannot be used, so that using it says so and
 * the number is not given to a file or a socket of ours.
 */
static void guard_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int count, char **args)
{
	guard_standard_descriptors();
	/* A closed output and a full file are errors of write(), no reason to die without a report. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (count < 2) {
		print_usage(stderr);
		return LAI_EXIT_USAGE;
	}
	if (strcmp(args[1], "help") == 0 && count > 2)
		return run(args[2], 1, (char *const[]){(char *)"--help"});
	if (strcmp(args[1], "--help") == 0 || strcmp(args[1], "-h") == 0 ||
	    strcmp(args[1], "help") == 0) {
		print_usage(stdout);
		return LAI_EXIT_DONE;
	}
	if (strcmp(args[1], "--version") == 0 || strcmp(args[1], "-V") == 0) {
		printf("lastack %s\n", LASTACK_VERSION);
		return LAI_EXIT_DONE;
	}
	return run(args[1], count - 2, args + 2);
}
