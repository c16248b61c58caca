/* SPDX-License-Identifier: MIT */
/* lastack passwd: a line of the users' file of lastack receive --users. */
#include "cli/command.h"
#include "cli/password.h"
#include "cli/users_file.h"

#include <lastack/server.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	const char *users, *password_file;
	bool delete;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	ROW("users", 'u', TEXT, users, "FILE",
	    "put the line into this file, in the place of an older one of the same name, instead of "
	    "printing it; the file is made if there is none, and changes in one step"),
	ROW("password-file", 0, TEXT, password_file, "FILE",
	    "take the password from this file instead of standard input"),
	ROW("delete", 0, FLAG, delete, NULL, "take the line of this name out of --users FILE"),
};

static const struct lai_option_hint hints[] = {
	{"-c", "--users FILE makes the file if there is none"},
	{"-b", "a password on the command line can be read by everybody; pipe it in"},
	{"-p", "a password on the command line can be read by everybody; pipe it in"},
	{"--password", "a password on the command line can be read by everybody; pipe it in"},
	{"-D", "write --delete"},
	{"-d", "write --delete"},
};

static const struct lai_option_command command = {
	.name = "lastack passwd",
	.operands = "NAME",
	.summary =
		"Makes a line of the file that lastack receive --users reads: a name and the hash of "
		"a password (yescrypt, with a fresh salt). The password is asked for twice on a "
		"terminal, without showing it, and read to the end from anything else; one line "
		"break at its end is not part of it.",
	.epilog = "examples:\n"
		  "  lastack passwd ann --users /etc/lastack/users\n"
		  "  pwgen -s 32 1 | lastack passwd web-1 >> users\n"
		  "  lastack passwd ann --users /etc/lastack/users --delete\n"
		  "\n"
		  "exit status: 0 done, 1 failed, 2 bad usage\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 1,
	.operands_max = 1,
	.hints = hints,
	.hint_count = sizeof(hints) / sizeof(hints[0]),
};

static int fail(char *error, int code)
{
	lai_command_complain(command.name, "%s", error ? error : strerror(-code));
	free(error);
	return code == -EINVAL ? LAI_EXIT_USAGE : LAI_EXIT_FAILED;
}

static int put_into_file(const struct settings *settings, const char *name, const char *line)
{
	char *error = NULL;
	bool found = false;
	int result = lai_users_file_change(settings->users, name, line, &found, &error);

	if (result == -ENOENT && !error) {
		lai_command_complain(command.name, "there is no '%s' in %s", name, settings->users);
		return LAI_EXIT_FAILED;
	}
	if (result) {
		lai_command_complain(command.name, "%s", error ? error : strerror(-result));
		free(error);
		return LAI_EXIT_FAILED;
	}
	(void)fprintf(stderr, "%s: '%s' is %s %s\n", command.name, name,
		      !line   ? "taken out of"
		      : found ? "changed in"
			      : "added to",
		      settings->users);
	return LAI_EXIT_DONE;
}

/* The password is in text, and wiped by the caller. */
static int make_line(const struct settings *settings, const char *name, struct lai_slice password)
{
	const char *wrong = lai_users_password_wrong(password);
	char *line = NULL, *error = NULL;
	int result;

	if (wrong)
		return lai_command_refuse(command.name, "the password %s", wrong);
	result = la_user_line(&line, name, password.data, &error);
	if (result)
		return fail(error, result);
	if (settings->users) {
		result = put_into_file(settings, name, line);
	} else {
		result = puts(line) < 0 || fflush(stdout) != 0 ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
		if (result)
			lai_command_complain(command.name, "standard output: %s", strerror(errno));
	}
	free(line);
	return result;
}

static int set_password(const struct settings *settings, const char *name)
{
	char text[LAI_PASSWORD_ROOM];
	struct lai_slice password = {.data = text};
	int exit_code =
		lai_password_read(command.name, settings->password_file, text, &password.size);

	if (exit_code == LAI_EXIT_DONE)
		exit_code = make_line(settings, name, password);
	explicit_bzero(text, sizeof(text));
	return exit_code;
}

static int run(const struct settings *settings, const char *name)
{
	const char *wrong = lai_users_name_wrong(lai_slice_of(name));

	if (settings->delete &&!settings->users)
		return lai_command_refuse(command.name, "--delete needs --users FILE");
	if (settings->delete &&settings->password_file)
		return lai_command_refuse(command.name,
					  "--delete needs no password: leave --password-file out");
	if (wrong)
		return lai_command_refuse(command.name, "the name %s", wrong);
	return settings->delete ? put_into_file(settings, name, NULL)
				: set_password(settings, name);
}

int lai_cmd_passwd(int count, char *const *args)
{
	struct settings settings = {0};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	exit_code = run(&settings, operands.texts[0]);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
