/* SPDX-License-Identifier: MIT */
/* option_refuse.c - the sentences that say what was wrong and what is accepted. */
#include "cli/option_inside.h"

#include <ctype.h>
#include <string.h>

/* How much of a wrong argument an error repeats; enough to recognise it. */
#define ECHO_MAX 60

void lai_option_echo(struct lai_text *sentence, const char *argument, size_t length)
{
	size_t shown = length > ECHO_MAX ? ECHO_MAX : length;

	while (shown < length && shown > 0 && ((unsigned char)argument[shown] & 0xc0) == 0x80)
		shown--; /* not inside a UTF-8 character */
	lai_text_append(sentence, "'");
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)argument[i];

		lai_text_append(sentence, "%c", c < ' ' || c == 0x7f ? '?' : c);
	}
	lai_text_append(sentence, "%s'", shown < length ? "..." : "");
}

static void append_given(struct lai_text *sentence, const char *given)
{
	if (*given == '\0')
		return;
	lai_text_append(sentence, ", not ");
	lai_option_echo(sentence, given, strlen(given));
}

void lai_option_refuse(struct lai_text *sentence, const char *label, const char *accepted,
		       const char *given)
{
	lai_text_append(sentence, "%s needs %s", label, accepted);
	append_given(sentence, given);
}

/* As names are written: in small letters, with dashes. NULL: none is near. */
static const char *nearest(const char *given, const char *const *names, size_t count)
{
	char tidy[LAI_OPTION_NAME_MAX + 1];
	size_t length = strlen(given);

	if (length >= sizeof(tidy))
		return NULL;
	for (size_t i = 0; i <= length; i++)
		tidy[i] = given[i] == '_' ? '-' : (char)tolower((unsigned char)given[i]);
	return lai_option_nearest(tidy, names, count);
}

void lai_option_refuse_name(struct lai_text *sentence, const char *label, const char *const *names,
			    size_t count, const char *given)
{
	const char *near = nearest(given, names, count);

	lai_text_append(sentence, "%s needs ", label);
	for (size_t i = 0; i < count; i++)
		lai_text_append(sentence, "%s%s",
				i == 0		? ""
				: i + 1 < count ? ", "
						: " or ",
				names[i]);
	append_given(sentence, given);
	if (near)
		lai_text_append(sentence, "; did you mean '%s'?", near);
}
