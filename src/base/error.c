/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int lai_error(char **error, int result, const char *format, ...)
{
	char *sentence = NULL; /* made before the old one goes, which may be among the arguments */
	va_list args;

	if (!error)
		return result;
	va_start(args, format);
	if (vasprintf(&sentence, format, args) < 0)
		sentence = NULL;
	va_end(args);
	free(*error);
	*error = sentence;
	return result;
}

int lai_error_pass(char **error, int result, char **why)
{
	if (error) {
		free(*error);
		*error = *why;
	} else {
		free(*why);
	}
	*why = NULL;
	return result;
}
