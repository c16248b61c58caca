/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

/* Of what is said to the user at once; a value that was given may be of any length. */
#define SENTENCE_MAX 4096

static int print_help(const struct lai_option_command *command)
{
	char *help;

	if (lai_option_help(command, &help) != 0)
		return LAI_EXIT_FAILED;
	(void)fputs(help, stdout);
	free(help);
	return fflush(stdout) == 0 ? LAI_EXIT_DONE : LAI_EXIT_FAILED;
}

bool lai_command_parse(const struct lai_option_command *command, int count, char *const *args,
		       void *settings, struct lai_option_list *operands, int *exit_code)
{
	char *error = NULL;

	switch (lai_option_parse(command, count, args, settings, operands, &error)) {
	case 0: return true;
	case LAI_OPTION_HELP: *exit_code = print_help(command); return false;
	case LAI_OPTION_VERSION:
		printf("lastack %s\n", LASTACK_VERSION);
		*exit_code = fflush(stdout) == 0 ? LAI_EXIT_DONE : LAI_EXIT_FAILED;
		return false;
	case -ENOMEM:
		lai_command_complain(command->name, "out of memory");
		*exit_code = LAI_EXIT_FAILED;
		return false;
	default:
		*exit_code =
			lai_command_refuse(command->name, "%s; %s --help lists what is accepted",
					   error, command->name);
		free(error);
		return false;
	}
}

/* What the user wrote comes back in it, and must neither drive the terminal nor be a line of its
   own: ASCII controls, and those of Latin-1 as UTF-8 has them. */
static void clean(char *sentence)
{
	for (unsigned char *at = (unsigned char *)sentence; *at; at++)
		if (*at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
			*at = '?';
}

static void complain(const char *name, const char *format, va_list args)
{
	static const char cut[] = "...";
	char sentence[SENTENCE_MAX];
	int length = vsnprintf(sentence, sizeof(sentence), format, args);

	if (length >= (int)sizeof(sentence))
		memcpy(sentence + sizeof(sentence) - sizeof(cut), cut, sizeof(cut));
	clean(sentence);
	(void)fprintf(stderr, "%s: %s\n", name, length < 0 ? "?" : sentence);
}

void lai_command_complain(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(name, format, args);
	va_end(args);
}

int lai_command_refuse(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(name, format, args);
	va_end(args);
	return LAI_EXIT_USAGE;
}

int lai_command_snapshot_failed(const char *name, int error, char *sentence)
{
	bool cannot = error == -EACCES || error == -EPERM || error == -EOPNOTSUPP ||
		      error == -EPROTONOSUPPORT;

	lai_command_complain(name, "%s", sentence ? sentence : "out of memory");
	free(sentence);
	return cannot ? LAI_EXIT_CANNOT : LAI_EXIT_FAILED;
}

int lai_command_signals(const int *signals)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
