/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First allocation; most sentences and small reports fit without a second one. */
#define TEXT_ROOM_MIN 128

void lai_text_init(struct lai_text *text, size_t length_max)
{
	assert(length_max > 0);
	*text = (struct lai_text)LAI_TEXT_INIT(length_max);
}

void lai_text_done(struct lai_text *text)
{
	free(text->data);
	lai_text_init(text, text->length_max);
}

/* Makes room for size more bytes and a NUL. False: it failed, now or earlier. */
static bool text_reserve(struct lai_text *text, size_t size)
{
	size_t room = text->room_bytes ? text->room_bytes : TEXT_ROOM_MIN;
	char *data;

	if (text->error)
		return false;
	if (size > text->length_max - text->length) {
		text->error = -EMSGSIZE;
		return false;
	}
	if (text->length + size < text->room_bytes)
		return true;
	while (room <= text->length + size)
		room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
	data = realloc(text->data, room);
	if (!data) {
		text->error = -ENOMEM;
		return false;
	}
	text->data = data;
	text->data[text->length] = '\0';
	text->room_bytes = room;
	return true;
}

void lai_text_append_list(struct lai_text *text, const char *format, va_list list)
{
	va_list again;
	int length;

	va_copy(again, list);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0); /* only a wrong format or a text over INT_MAX could do that */
	if (!text_reserve(text, (size_t)length))
		return;
	(void)vsnprintf(text->data + text->length, (size_t)length + 1, format, list);
	text->length += (size_t)length;
}

void lai_text_append(struct lai_text *text, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lai_text_append_list(text, format, list);
	va_end(list);
}

void lai_text_append_bytes(struct lai_text *text, const void *data, size_t size)
{
	if (size == 0 || !text_reserve(text, size))
		return;
	memcpy(text->data + text->length, data, size);
	text->length += size;
	text->data[text->length] = '\0';
}

void lai_text_append_repeated(struct lai_text *text, char character, size_t count)
{
	if (count == 0 || !text_reserve(text, count))
		return;
	memset(text->data + text->length, character, count);
	text->length += count;
	text->data[text->length] = '\0';
}

const char *lai_text_string(const struct lai_text *text)
{
	return text->data ? text->data : "";
}

int lai_text_steal(struct lai_text *text, char **string)
{
	if (text_reserve(text, 0)) { /* an empty text has no allocation yet */
		*string = text->data;
		text->data = NULL;
		lai_text_done(text);
		return 0;
	}
	return text->error;
}

bool lai_number_parse(const char *text, uint32_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*number = (uint32_t)value;
	return true;
}
