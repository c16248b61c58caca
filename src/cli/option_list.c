/* SPDX-License-Identifier: MIT */
/* option_list.c - options that may be given again, and take several values separated by commas. */
#include "cli/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lai_option_list_add(struct lai_option_list *list, const char *text)
{
	const char **texts = reallocarray(list->texts, list->count + 1, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	texts[list->count++] = text;
	list->texts = texts;
	return 0;
}

static int each_part(const char *text, int (*each)(void *arg, const char *part), void *arg)
{
	char *copy = strdup(text), *rest = copy, *part;
	int result = 0;

	if (!copy)
		return -ENOMEM;
	while (!result && (part = strsep(&rest, ",")))
		result = each(arg, part);
	free(copy);
	return result;
}

int lai_option_list_each(const struct lai_option_list *list,
			 int (*each)(void *arg, const char *part), void *arg)
{
	int result = 0;

	for (size_t i = 0; i < list->count && !result; i++)
		result = each_part(list->texts[i], each, arg);
	return result;
}
