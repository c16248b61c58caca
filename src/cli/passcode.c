/* SPDX-License-Identifier: MIT */
#include "cli/passcode.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(char **why, const char *path, const char *what, int error)
{
	return lai_error(why, -error, "%s: %s", path, what);
}

static int read_line(char **passcode, const char *path, char **why)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int status = 0;

	if (!file)
		return refuse(why, path, strerror(errno), errno);
	/* What follows the first line of standard input is records, and not ours to read. */
	if (file == stdin)
		(void)setvbuf(stdin, NULL, _IONBF, 0);
	errno = 0;
	length = getline(&line, &room, file);
	if (length < 0)
		status = refuse(why, path,
				errno ? strerror(errno) : "it is empty: a password was expected",
				errno ? errno : EINVAL);
	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
		line[--length] = '\0';
	if (status == 0 &&
	    (length == 0 || length > LAI_PASSCODE_MAX || strlen(line) != (size_t)length))
		status = refuse(
			why, path,
			"its first line is no password: 1 to 511 bytes and no NUL are accepted",
			EINVAL);
	if (file != stdin)
		(void)fclose(file);
	if (status == 0)
		*passcode = line;
	else
		lai_passcode_free(line);
	return status;
}

static int copy(char **passcode, const char *value, char **why)
{
	size_t length = strlen(value);

	if (length > LAI_PASSCODE_MAX)
		return refuse(why, LAI_PASSCODE_VARIABLE, "at most 511 bytes are accepted", EINVAL);
	*passcode = strdup(value);
	return *passcode ? 0 : -ENOMEM;
}

int lai_passcode_read(char **passcode, const char *path, char **why)
{
	char *value = getenv(LAI_PASSCODE_VARIABLE);
	int status = 0;

	*passcode = NULL;
	*why = NULL;
	if (path)
		status = read_line(passcode, path, why);
	else if (value && *value)
		status = copy(passcode, value, why);
	/* The very bytes: /proc/PID/environ shows them as long as we run. */
	if (value)
		explicit_bzero(value, strlen(value));
	(void)unsetenv(LAI_PASSCODE_VARIABLE);
	return status;
}

void lai_passcode_free(char *passcode)
{
	if (passcode)
		explicit_bzero(passcode, strlen(passcode));
	free(passcode);
}
