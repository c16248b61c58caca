/* SPDX-License-Identifier: MIT */
/* option_help.c - the text of --help, made from the same table that the parser reads. */
#include "cli/option.h"
#include "cli/option_inside.h"

#include <string.h>

#define LINE_MAX_COLUMNS 80
/* The help sentences begin here; an option too long for that has its sentence on the next line. */
#define HELP_COLUMN 30
/* Some 50 options of a few lines each come to 10 kB. */
#define HELP_MAX 131072

static const struct lai_option built_in[] = {
	{.name = "help",
	 .letter = 'h',
	 .type = LAI_OPTION_FLAG,
	 .help = "Print this help and exit."},
	{.name = "version",
	 .letter = 'V',
	 .type = LAI_OPTION_FLAG,
	 .help = "Print the version and exit."},
};

/*
 * Appends the words of paragraph in lines that begin at column indent and end before the last one.
 * The first line has been begun: column is where it stands. Ends with a newline.
 */
static void wrap(struct lai_text *text, const char *paragraph, size_t column, size_t indent)
{
	bool first = true; /* the first word of a line needs no blank before it */

	while (*(paragraph += strspn(paragraph, " "))) {
		size_t length = strcspn(paragraph, " ");

		if (!first && column + 1 + length >= LINE_MAX_COLUMNS) {
			lai_text_append(text, "\n");
			lai_text_append_repeated(text, ' ', indent);
			column = indent;
			first = true;
		}
		lai_text_append(text, "%s%.*s", first ? "" : " ", (int)length, paragraph);
		column += length + !first;
		first = false;
		paragraph += length;
	}
	lai_text_append(text, "\n");
}

static void append_value(struct lai_text *text, const struct lai_option *option)
{
	if (option->type == LAI_OPTION_FLAG)
		return;
	if (option->metavar || option->type != LAI_OPTION_ENUM) {
		lai_text_append(text, "=%s", option->metavar ? option->metavar : "VALUE");
		return;
	}
	for (size_t i = 0; option->names[i]; i++)
		lai_text_append(text, "%c%s", i == 0 ? '=' : '|', option->names[i]);
}

/* "  -n, --name=VALUE   Sentence." */
static void append_option(struct lai_text *text, const struct lai_option *option, char letter)
{
	size_t start = text->length, column;

	if (letter)
		lai_text_append(text, "  -%c, --%s", letter, option->name);
	else
		lai_text_append(text, "      --%s", option->name);
	append_value(text, option);
	column = text->length - start;
	if (column + 2 > HELP_COLUMN) {
		lai_text_append(text, "\n");
		column = 0;
	}
	lai_text_append_repeated(text, ' ', HELP_COLUMN - column);
	wrap(text, option->help ? option->help : "", HELP_COLUMN, HELP_COLUMN);
}

static bool letter_taken(const struct lai_option_command *command, char letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (!lai_option_is_heading(&command->options[i]) &&
		    command->options[i].letter == letter)
			return true;
	return false;
}

int lai_option_help(const struct lai_option_command *command, char **help)
{
	struct lai_text text = LAI_TEXT_INIT(HELP_MAX);
	bool headed = command->option_count > 0 && lai_option_is_heading(&command->options[0]);
	int error;

	lai_text_append(&text, "Usage: %s [OPTION]...%s%s\n", command->name,
			command->operands ? " " : "", command->operands ? command->operands : "");
	if (command->summary) {
		lai_text_append(&text, "\n");
		wrap(&text, command->summary, 0, 0);
	}
	if (!headed)
		lai_text_append(&text, "\nOptions:\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct lai_option *option = &command->options[i];

		if (lai_option_is_heading(option))
			lai_text_append(&text, "\n%s:\n", option->help);
		else
			append_option(&text, option, option->letter);
	}
	if (headed)
		lai_text_append(&text, "\n");
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		char letter = letter_taken(command, built_in[i].letter) ? '\0' : built_in[i].letter;

		append_option(&text, &built_in[i], letter);
	}
	if (command->epilog)
		lai_text_append(&text, "\n%s", command->epilog);
	error = lai_text_steal(&text, help);
	lai_text_done(&text);
	return error;
}
