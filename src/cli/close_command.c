/* SPDX-License-Identifier: MIT */
/* close_command.c - the command line again: what would act, what was asked for. */
#include "cli/close.h"

#include <string.h>

static void put_quoted(struct lai_text *text, const char *word)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_=./:,@%+";

	if (*word && word[strspn(word, harmless)] == '\0') {
		lai_text_append(text, "%s", word);
		return;
	}
	lai_text_append(text, "'");
	for (; *word; word++)
		lai_text_append(text, *word == '\'' ? "'\\''" : "%c", *word);
	lai_text_append(text, "'");
}

/* Options that choose nothing, and whether a value follows them. */
static const struct {
	const char *name;
	bool valued;
} deeds[] = {
	{"--yes", false},
	{"-y", false},
	{"--dry-run", false},
	{"--how", true},
	{"--limit", true},
	{"--keepalive-idle", true},
	{"--keepalive-interval", true},
	{"--keepalive-probes", true},
	{"--owners", true},
	{"--json", false},
	{"--text", false},
};

#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

/* How many arguments this option takes up, itself among them; 0: it is not of that name. */
static int arguments_of(const char *argument, const char *name, bool valued)
{
	size_t length = strlen(name);

	if (strncmp(argument, name, length) != 0)
		return 0;
	if (argument[length] == '\0')
		return valued ? 2 : 1;
	return valued && argument[length] == '=' ? 1 : 0;
}

static void put_argument(const char *argument, struct lai_text *text)
{
	lai_text_append(text, " ");
	put_quoted(text, argument);
}

void lai_close_show_command(const struct lai_close_config *config, struct lai_text *text)
{
	lai_text_append(text, "%s", config->name);
	for (int i = 0; i < config->arg_count; i++)
		if (strcmp(config->args[i], "--dry-run") != 0)
			put_argument(config->args[i], text);
	lai_text_append(text, " --yes");
}

void lai_close_show_by(const struct lai_close_config *config, const char *how,
		       struct lai_text *text)
{
	lai_text_append(text, "  %s", config->name);
	for (int i = 0, taken; i < config->arg_count; i += taken ? taken : 1) {
		taken = arguments_of(config->args[i], "--how", true);
		if (!taken)
			put_argument(config->args[i], text);
	}
	lai_text_append(text, " --how %s\n", how);
}

void lai_close_show_filters(const struct lai_close_config *config, struct lai_text *text)
{
	for (int i = 0, taken; i < config->arg_count; i += taken ? taken : 1) {
		taken = 0;
		for (size_t k = 0; k < DEEDS && !taken; k++)
			taken = arguments_of(config->args[i], deeds[k].name, deeds[k].valued);
		if (!taken)
			put_argument(config->args[i], text);
	}
}
