/* SPDX-License-Identifier: MIT */
/*
 * stomp_text.c - the texts of STOMP: names of commands, and what a header's escapes mean.
 *
 *             \     LF    :    CR
 *     1.0     no escapes at all
 *     1.1     \\    \n    \c   stands as it is
 *     1.2     \\    \n    \c   \r
 */
#include "wire/stomp.h"

#include <assert.h>
#include <errno.h>

static const char *const command_texts[LAI_STOMP_COMMAND_COUNT] = {
#define X(id, text) [LAI_STOMP_##id] = text,
	LAI_STOMP_COMMANDS(X)
#undef X
};

const char *lai_stomp_command_text(enum lai_stomp_command command)
{
	assert(command < LAI_STOMP_COMMAND_COUNT);
	return command_texts[command];
}

/* The byte that a letter behind a backslash means, -1: none. */
static int meaning(char letter, enum lai_stomp_version version)
{
	switch (letter) {
	case '\\': return '\\';
	case 'n': return '\n';
	case 'c': return ':';
	case 'r': return version == LAI_STOMP_1_1 ? -1 : '\r';
	default: return -1;
	}
}

int lai_stomp_unescape(struct lai_slice value, enum lai_stomp_version version, char *text,
		       size_t size)
{
	size_t length = 0;

	if (version == LAI_STOMP_1_0 || value.size == 0 || !memchr(value.data, '\\', value.size)) {
		if (value.size >= size)
			return -EMSGSIZE;
		if (value.size > 0)
			memcpy(text, value.data, value.size);
		text[value.size] = '\0';
		return (int)value.size;
	}
	for (size_t i = 0; i < value.size; i++) {
		int byte = (unsigned char)value.data[i];

		if (byte == '\\') {
			byte = ++i < value.size ? meaning(value.data[i], version) : -1;
			if (byte < 0)
				return -EBADMSG;
		}
		if (length + 1 >= size)
			return -EMSGSIZE;
		text[length++] = (char)byte;
	}
	text[length] = '\0';
	return (int)length;
}
