/* SPDX-License-Identifier: MIT */
/*
 * option.c - the parser. It works on a copy of the settings and gives that out only when every
 * argument was right; so a caller never sees half of a command line.
 */
#include "cli/option.h"
#include "cli/option_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct parser {
	const struct lai_option_command *command;
	char *const *args;
	int count;
	int next; /* first argument not yet looked at */
	void *settings;
	struct lai_option_list operands;
	struct lai_text error;
};

static int take_value(struct parser *parser, const struct lai_option *option, const char *label,
		      const char *value)
{
	void *field = lai_option_field(option, parser->settings);
	int error = lai_option_value_read(option, value, field);

	if (error == 0 || error == -ENOMEM)
		return error;
	lai_option_value_refuse(&parser->error, option, label, value, error);
	return -EINVAL;
}

/* The value stands in the next argument. */
static int take_next(struct parser *parser, const struct lai_option *option, const char *label)
{
	const char *metavar = option->metavar ? option->metavar : "NAME";
	const char *value = parser->next < parser->count ? parser->args[parser->next] : NULL;

	if (value && strncmp(value, "--", 2) != 0) {
		parser->next++;
		return take_value(parser, option, label, value);
	}
	lai_text_append(&parser->error, "%s needs a value: %s %s", label, label, metavar);
	if (value && value[2] != '\0') {
		lai_text_append(&parser->error, " (--%s=", option->name);
		lai_option_echo(&parser->error, value, strlen(value));
		lai_text_append(&parser->error, " if this is meant to be one)");
	}
	return -EINVAL;
}

static const struct lai_option *option_named(const struct lai_option_command *command,
					     const char *name, size_t length)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct lai_option *option = &command->options[i];

		if (!lai_option_is_heading(option) && strlen(option->name) == length &&
		    memcmp(option->name, name, length) == 0)
			return option;
	}
	return NULL;
}

static const struct lai_option *option_lettered(const struct lai_option_command *command,
						char letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (!lai_option_is_heading(&command->options[i]) &&
		    command->options[i].letter == letter)
			return &command->options[i];
	return NULL;
}

/* The option that name[0..length) was probably meant to be. */
static const char *nearest_option(const struct lai_option_command *command, const char *name,
				  size_t length)
{
	static const char *const built_in[] = {"help", "version"};
	char text[LAI_OPTION_NAME_MAX + 1];
	const char *nearest;
	unsigned least, found;

	if (length >= sizeof(text))
		return NULL;
	memcpy(text, name, length);
	text[length] = '\0';
	nearest = lai_option_nearest(text, built_in, COUNT(built_in));
	least = nearest ? lai_option_distance(text, nearest) : LAI_OPTION_FAR;
	for (size_t i = 0; i < command->option_count; i++) {
		if (lai_option_is_heading(&command->options[i]))
			continue;
		found = lai_option_distance(text, command->options[i].name);
		if (found < least) {
			least = found;
			nearest = command->options[i].name;
		}
	}
	return nearest;
}

/* What there is to say of an argument by its first word, so many bytes; NULL: nothing. */
static const char *hint_of(const struct lai_option_command *command, const char *word,
			   size_t length)
{
	for (size_t i = 0; i < command->hint_count; i++)
		if (strlen(command->hints[i].given) == length &&
		    memcmp(command->hints[i].given, word, length) == 0)
			return command->hints[i].hint;
	return NULL;
}

/* argument as it was written, name what follows its dashes. */
static int refuse_name(struct parser *parser, const char *argument, const char *name)
{
	const char *nearest = nearest_option(parser->command, name, strcspn(name, "="));
	const char *hint = hint_of(parser->command, argument, strcspn(argument, "="));

	lai_text_append(&parser->error, "there is no option ");
	lai_option_echo(&parser->error, argument, strcspn(argument, "="));
	if (hint)
		lai_text_append(&parser->error, ": %s", hint);
	else if (nearest)
		lai_text_append(&parser->error, "; did you mean --%s?", nearest);
	return -EINVAL;
}

/* --name, --name=value */
static int take_long(struct parser *parser, const char *argument)
{
	const char *name = argument + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct lai_option *option = option_named(parser->command, name, length);
	char label[LAI_OPTION_NAME_MAX + 3];
	bool help = length == strlen("help") && memcmp(name, "help", length) == 0;
	bool version = length == strlen("version") && memcmp(name, "version", length) == 0;

	if (!option && !help && !version)
		return refuse_name(parser, argument, name);
	memcpy(label, argument, length + 2);
	label[length + 2] = '\0';
	if (value && (!option || option->type == LAI_OPTION_FLAG)) {
		lai_text_append(&parser->error, "%s takes no value, but was given ", label);
		lai_option_echo(&parser->error, value, strlen(value));
		return -EINVAL;
	}
	if (!option)
		return help ? LAI_OPTION_HELP : LAI_OPTION_VERSION;
	if (option->type == LAI_OPTION_FLAG) {
		*(bool *)lai_option_field(option, parser->settings) = true;
		return 0;
	}
	return value ? take_value(parser, option, label, value) : take_next(parser, option, label);
}

/* -f, -fg, -n value, -nvalue */
static int take_letters(struct parser *parser, const char *argument)
{
	for (const char *letter = argument + 1; *letter; letter++) {
		const struct lai_option *option = option_lettered(parser->command, *letter);
		const char label[] = {'-', *letter, '\0'};

		if (!option && *letter == 'h')
			return LAI_OPTION_HELP;
		if (!option && *letter == 'V')
			return LAI_OPTION_VERSION;
		/* "-follow" may be a long name, "-up" is two letters if -u means something. */
		if (!option)
			return letter == argument + 1 && !hint_of(parser->command, label, 2)
				       ? refuse_name(parser, argument, letter)
				       : refuse_name(parser, label, label + 1);
		if (option->type == LAI_OPTION_FLAG)
			*(bool *)lai_option_field(option, parser->settings) = true;
		else if (letter[1] == '\0')
			return take_next(parser, option, label);
		else
			return take_value(parser, option, label, letter + 1);
	}
	return 0;
}

/* "-follow" is a long name with a dash missing, not -f -o -l -l -o -w. */
static bool dash_missing(const struct lai_option_command *command, const char *argument)
{
	size_t length = strcspn(argument + 1, "=");

	return length > 1 &&
	       (option_named(command, argument + 1, length) || strcmp(argument + 1, "help") == 0 ||
		strcmp(argument + 1, "version") == 0);
}

static int take_arguments(struct parser *parser)
{
	bool options_over = false;
	int result = 0;

	while (result == 0 && parser->next < parser->count) {
		const char *argument = parser->args[parser->next++];

		if (options_over || argument[0] != '-' || argument[1] == '\0')
			result = lai_option_list_add(&parser->operands, argument);
		else if (strcmp(argument, "--") == 0)
			options_over = true;
		else if (argument[1] == '-')
			result = take_long(parser, argument);
		else if (dash_missing(parser->command, argument))
			result = refuse_name(parser, argument, argument + 1);
		else
			result = take_letters(parser, argument);
	}
	return result;
}

static int check_operands(struct parser *parser)
{
	const struct lai_option_command *command = parser->command;
	size_t max = command->operands ? command->operands_max : 0;
	const char *surplus, *hint;

	if (parser->operands.count < command->operands_min) {
		lai_text_append(&parser->error, "%s is missing; usage: %s [OPTION]... %s",
				command->operands, command->name, command->operands);
		return -EINVAL;
	}
	if (parser->operands.count > max) {
		lai_text_append(&parser->error, "%s are taken, so ",
				max == 0 ? "only options" : "no more operands");
		surplus = parser->operands.texts[max];
		lai_option_echo(&parser->error, surplus, strlen(surplus));
		lai_text_append(&parser->error, " is one too many");
		hint = hint_of(command, surplus, strcspn(surplus, " ="));
		if (hint)
			lai_text_append(&parser->error, ": %s", hint);
		return -EINVAL;
	}
	return 0;
}

/* A wrong table is a mistake of the program, found by the first call in any test. */
static void assert_table(const struct lai_option_command *command)
{
	assert(command->operands || command->operands_min == 0);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct lai_option *option = &command->options[i];

		assert((unsigned)option->type < LAI_OPTION_TYPE_COUNT);
		if (lai_option_is_heading(option))
			continue;
		assert(strlen(option->name) <= LAI_OPTION_NAME_MAX);
		assert(option_named(command, option->name, strlen(option->name)) == option);
		assert(!option->letter || option_lettered(command, option->letter) == option);
		assert(option->offset + lai_option_value_bytes(option->type) <=
		       command->settings_bytes);
		assert((option->type == LAI_OPTION_ENUM) == (option->names != NULL));
	}
}

void lai_option_done(const struct lai_option_command *command, void *settings,
		     struct lai_option_list *operands)
{
	for (size_t i = 0; settings && i < command->option_count; i++) {
		struct lai_option_list *list;

		if (command->options[i].type != LAI_OPTION_LIST)
			continue;
		list = lai_option_field(&command->options[i], settings);
		free(list->texts);
		*list = (struct lai_option_list){0};
	}
	if (operands) {
		free(operands->texts);
		*operands = (struct lai_option_list){0};
	}
}

int lai_option_parse(const struct lai_option_command *command, int count, char *const *args,
		     void *settings, struct lai_option_list *operands, char **error)
{
	struct parser parser = {.command = command, .args = args, .count = count};
	char *sentence = NULL;
	int result;

	assert_table(command);
	lai_text_init(&parser.error, LAI_OPTION_SENTENCE_MAX);
	parser.settings = malloc(command->settings_bytes ? command->settings_bytes : 1);
	if (!parser.settings) {
		*error = NULL;
		return -ENOMEM;
	}
	memcpy(parser.settings, settings, command->settings_bytes);
	result = take_arguments(&parser);
	if (result == 0)
		result = check_operands(&parser);
	if (result == 0) {
		memcpy(settings, parser.settings, command->settings_bytes);
		*operands = parser.operands;
	} else {
		lai_option_done(command, parser.settings, &parser.operands);
	}
	if (result == -EINVAL && lai_text_steal(&parser.error, &sentence) != 0)
		result = -ENOMEM;
	if (result < 0)
		*error = sentence;
	lai_text_done(&parser.error);
	free(parser.settings);
	return result;
}
