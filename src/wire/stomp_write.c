/* SPDX-License-Identifier: MIT */
/* stomp_write.c - writes a frame into a buffer, part by part. */
#include "wire/stomp.h"

#include <assert.h>

/* Of a uint64_t in decimal. */
#define DIGITS_MAX 20

bool lai_stomp_begin(struct lai_buffer *out, enum lai_stomp_command command)
{
	const char *text = lai_stomp_command_text(command);
	size_t size = strlen(text);
	char *room = lai_buffer_reserve(out, size + 1);

	if (!room)
		return false;
	memcpy(room, text, size);
	room[size] = '\n';
	lai_buffer_extend(out, size + 1);
	return true;
}

/* ---- escapes ---- */

/* What stands behind the backslash for this byte; 0: the byte needs none. */
static const char letters[LAI_STOMP_VERSION_COUNT][UINT8_MAX + 1] = {
	[LAI_STOMP_1_1] = {['\\'] = '\\', ['\n'] = 'n', [':'] = 'c'},
	[LAI_STOMP_1_2] = {['\\'] = '\\', ['\n'] = 'n', [':'] = 'c', ['\r'] = 'r'},
};

/* Sixteen bytes at once: most texts need no escape, and to know that is what writing waits for. */
typedef unsigned char block __attribute__((vector_size(16)));

static bool block_is_plain(block bytes)
{
	uint64_t halves[2];
	block special =
		(block)((bytes == '\\') | (bytes == '\n') | (bytes == ':') | (bytes == '\r'));

	memcpy(halves, &special, sizeof(halves));
	return (halves[0] | halves[1]) == 0;
}

/* The first and the last bytes of a text that is at most twice a piece; they may overlap. */
static inline block both_ends(const char *text, size_t size, size_t piece)
{
	block bytes = {0};

	memcpy(&bytes, text, piece);
	memcpy((char *)&bytes + sizeof(bytes) / 2, text + size - piece, piece);
	return bytes;
}

/* Whether no version would escape any of it. */
static bool is_plain(const char *text, size_t size)
{
	block bytes = {0};

	if (size < 4) {
		for (size_t i = 0; i < size; i++)
			bytes[i] = (unsigned char)text[i];
		return block_is_plain(bytes);
	}
	if (size < 8)
		return block_is_plain(both_ends(text, size, 4));
	if (size < 16)
		return block_is_plain(both_ends(text, size, 8));
	for (size_t i = 0; i + sizeof(block) < size; i += sizeof(block)) {
		memcpy(&bytes, text + i, sizeof(bytes));
		if (!block_is_plain(bytes))
			return false;
	}
	memcpy(&bytes, text + size - sizeof(block), sizeof(bytes));
	return block_is_plain(bytes);
}

/* Writes at most twice the text's size; returns where it ended. */
static char *write_escaped(char *at, enum lai_stomp_version version, struct lai_slice text)
{
	const char *letter_of = letters[version];

	if (is_plain(text.data, text.size)) {
		if (text.size > 0)
			memcpy(at, text.data, text.size);
		return at + text.size;
	}
	for (size_t i = 0; i < text.size; i++) {
		char byte = text.data[i], letter = letter_of[(unsigned char)byte];

		assert(letter || byte != '\n');
		if (letter)
			*at++ = '\\';
		*at++ = letter ? letter : byte;
	}
	return at;
}

bool lai_stomp_escape(struct lai_buffer *out, enum lai_stomp_version version, struct lai_slice text)
{
	char *room = lai_buffer_reserve(out, 2 * text.size);

	if (!room)
		return false;
	lai_buffer_extend(out, (size_t)(write_escaped(room, version, text) - room));
	return true;
}

/* ---- headers ---- */

bool lai_stomp_put(struct lai_buffer *out, enum lai_stomp_version version, const char *name,
		   struct lai_slice value)
{
	size_t size = strlen(name);
	char *room = lai_buffer_reserve(out, 2 * size + 2 * value.size + 2), *at;

	if (!room)
		return false;
	assert(size > 0 && (version != LAI_STOMP_1_0 || !memchr(name, ':', size)));
	at = write_escaped(room, version, (struct lai_slice){name, size});
	*at++ = ':';
	at = write_escaped(at, version, value);
	*at++ = '\n';
	lai_buffer_extend(out, (size_t)(at - room));
	return true;
}

/* Writes value in decimal; returns the number of digits. */
static size_t write_number(char *text, uint64_t value)
{
	char digits[DIGITS_MAX];
	size_t count = 0;

	do {
		digits[DIGITS_MAX - ++count] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(text, digits + DIGITS_MAX - count, count);
	return count;
}

bool lai_stomp_put_number(struct lai_buffer *out, const char *name, uint64_t value)
{
	size_t size = strlen(name);
	char *room = lai_buffer_reserve(out, size + DIGITS_MAX + 2);

	if (!room)
		return false;
	memcpy(room, name, size);
	room[size++] = ':';
	size += write_number(room + size, value);
	room[size++] = '\n';
	lai_buffer_extend(out, size);
	return true;
}

#define LENGTH "content-length:"

bool lai_stomp_end(struct lai_buffer *out, struct lai_slice body)
{
	/* Behind the number: its EOL, the empty line, and the NUL. */
	char *room = lai_buffer_reserve(out, strlen(LENGTH) + DIGITS_MAX + body.size + 3);
	char *at = room;

	if (!room)
		return false;
	if (body.size > 0) {
		memcpy(at, LENGTH, strlen(LENGTH));
		at += strlen(LENGTH);
		at += write_number(at, body.size);
		*at++ = '\n';
	}
	*at++ = '\n';
	if (body.size > 0)
		memcpy(at, body.data, body.size);
	at += body.size;
	*at++ = '\0';
	lai_buffer_extend(out, (size_t)(at - room));
	return true;
}
