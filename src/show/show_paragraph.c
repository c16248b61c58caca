/* SPDX-License-Identifier: MIT */
#include "show/show_paragraph.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* "\xNN" and its NUL. */
#define ESCAPED_MAX 5

/* The length of what stands for the character. */
static size_t escape(char escaped[ESCAPED_MAX], char character)
{
	if (character == '\n' || character == '\t' || character == '\\')
		return (size_t)snprintf(escaped, ESCAPED_MAX, "\\%c",
					character == '\n'   ? 'n'
					: character == '\t' ? 't'
							    : '\\');
	if (character >= ' ' && character < 0x7f)
		return (size_t)snprintf(escaped, ESCAPED_MAX, "%c", character);
	return (size_t)snprintf(escaped, ESCAPED_MAX, "\\x%02x", (unsigned char)character);
}

/* How many bytes from here on stand for themselves. */
static size_t harmless(const char *string)
{
	size_t count = 0;

	while (string[count] >= ' ' && string[count] < 0x7f && string[count] != '\\')
		count++;
	return count;
}

void lai_show_safe(struct lai_text *text, const char *string, size_t length_max)
{
	size_t left = length_max;

	while (*string) {
		char escaped[ESCAPED_MAX];
		size_t run = harmless(string), length;

		if (run > left)
			break;
		lai_text_append_bytes(text, string, run);
		string += run;
		left -= run;
		if (!*string)
			return;
		length = escape(escaped, *string);
		if (length > left)
			break;
		lai_text_append_bytes(text, escaped, length);
		string++;
		left -= length;
	}
	if (*string) {
		/* What is cut is a run, since an escape is not split. */
		size_t run = harmless(string);

		lai_text_append_bytes(text, string, run < left ? run : left);
		lai_text_append(text, "...");
	}
}

/* The places that the first length bytes of a word take once they are escaped. */
static size_t places(const char *word, size_t length)
{
	char escaped[ESCAPED_MAX];
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += escape(escaped, word[i]);
	return count;
}

static void append_word(struct lai_text *text, const char *word, size_t length)
{
	char escaped[ESCAPED_MAX];

	for (size_t i = 0; i < length; i++)
		lai_text_append_bytes(text, escaped, escape(escaped, word[i]));
}

void lai_show_wrapped_from(struct lai_text *text, size_t start, size_t indent, size_t width_max,
			   const char *paragraph)
{
	size_t column = start, line_start = start;

	while (*(paragraph += strspn(paragraph, " "))) {
		size_t length = strcspn(paragraph, " ");
		size_t width = places(paragraph, length);

		if (column > line_start && column + 1 + width > width_max) {
			lai_text_append(text, "\n");
			lai_text_append_repeated(text, ' ', indent);
			column = line_start = indent;
		}
		if (column > line_start) {
			lai_text_append(text, " ");
			column++;
		}
		append_word(text, paragraph, length);
		column += width;
		paragraph += length;
	}
	lai_text_append(text, "\n");
}

void lai_show_wrapped(struct lai_text *text, size_t indent, size_t width_max, const char *paragraph)
{
	lai_show_wrapped_from(text, indent, indent, width_max, paragraph);
}

void lai_show_paragraph(struct lai_text *text, const char *label, size_t indent, size_t width_max,
			const char *paragraph)
{
	size_t length = strlen(label);

	lai_text_append(text, "%s", label);
	if (length < indent)
		lai_text_append_repeated(text, ' ', indent - length);
	lai_show_wrapped(text, indent, width_max, paragraph);
}
