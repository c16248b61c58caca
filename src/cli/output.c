/* SPDX-License-Identifier: MIT */
#include "cli/output.h"
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define COLUMNS_DEFAULT 80

/* error: 0, or why there is nothing to write. */
static int finish(const char *name, int error, const char *string)
{
	if (!error && (fputs(string, stdout) < 0 || fflush(stdout) != 0))
		error = -errno;
	if (error && error != -EPIPE)
		lai_command_complain(name, "cannot write to standard output: %s", strerror(-error));
	return error ? LAI_EXIT_FAILED : LAI_EXIT_DONE;
}

int lai_output_text(const char *name, struct lai_text *text)
{
	int exit_code = finish(name, text->error, lai_text_string(text));

	lai_text_done(text);
	return exit_code;
}

int lai_output_json(const char *name, struct lai_json *json)
{
	char *line = NULL;
	int error = lai_json_steal(json, &line), exit_code;

	if (error)
		lai_json_done(json);
	exit_code = finish(name, error, line);
	free(line);
	return exit_code ? exit_code : finish(name, 0, "\n");
}

size_t lai_output_columns(int fd)
{
	struct winsize size = {0};

	(void)ioctl(fd, TIOCGWINSZ, &size);
	return size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
}
