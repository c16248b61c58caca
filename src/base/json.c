/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "-1.2345678901234567e-308" and its NUL. */
#define DOUBLE_TEXT_MAX 32
/* Of 2^64 - 1. */
#define U64_DIGITS 20

void lai_json_init(struct lai_json *json, size_t length_max)
{
	*json = (struct lai_json){0};
	lai_text_init(&json->text, length_max);
}

void lai_json_done(struct lai_json *json)
{
	lai_text_done(&json->text);
	lai_json_init(json, json->text.length_max);
}

/* The escape for one sequence, written to room; NULL: it stands for itself. */
static const char *escape_of(const unsigned char *data, size_t length, char room[7])
{
	bool is_c1 = length == 2 && data[0] == 0xc2 && data[1] < 0xa0;

	switch (data[0]) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\b': return "\\b";
	case '\f': return "\\f";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	default: break;
	}
	if (data[0] >= ' ' && data[0] != 0x7f && !is_c1)
		return NULL;
	(void)snprintf(room, 7, "\\u%04x", data[length - 1]);
	return room;
}

/* How many bytes at data stand for themselves: in most strings all. */
static size_t plain_length(const unsigned char *data, size_t size)
{
	size_t length = 0;

	while (length < size && data[length] >= ' ' && data[length] < 0x7f && data[length] != '"' &&
	       data[length] != '\\')
		length++;
	return length;
}

static void write_string(struct lai_text *text, const unsigned char *data, size_t size)
{
	size_t plain = 0; /* bytes before data that stand for themselves and are not written yet */

	lai_text_append_bytes(text, "\"", 1);
	while (size > 0) {
		size_t length = plain_length(data, size);
		const char *escape = NULL;
		char room[7];
		bool valid;

		if (length == 0) {
			length = lai_utf8_sequence(data, size, &valid);
			escape = valid ? escape_of(data, length, room) : "\xef\xbf\xbd";
		}
		if (escape) {
			lai_text_append_bytes(text, data - plain, plain);
			lai_text_append_bytes(text, escape, strlen(escape));
			plain = 0;
		} else {
			plain += length;
		}
		data += length;
		size -= length;
	}
	lai_text_append_bytes(text, data - plain, plain);
	lai_text_append_bytes(text, "\"", 1);
}

/* The comma and the key, whichever are due. */
static void begin_member(struct lai_json *json, const char *key)
{
	uint32_t level = 1u << json->depth;

	assert(!key == !(json->objects & level));	/* a key in objects and only there */
	assert(json->depth || !(json->filled & level)); /* one value at the top */
	if (json->filled & level)
		lai_text_append_bytes(&json->text, ",", 1);
	json->filled |= level;
	if (!key)
		return;
	write_string(&json->text, (const unsigned char *)key, strlen(key));
	lai_text_append_bytes(&json->text, ":", 1);
}

static void begin_level(struct lai_json *json, const char *key, bool object)
{
	begin_member(json, key);
	assert(json->depth < LAI_JSON_DEPTH_MAX);
	json->depth++;
	json->filled &= ~(1u << json->depth);
	json->objects &= ~(1u << json->depth);
	json->objects |= (uint32_t)object << json->depth;
	lai_text_append_bytes(&json->text, object ? "{" : "[", 1);
}

void lai_json_object_begin(struct lai_json *json, const char *key)
{
	begin_level(json, key, true);
}

void lai_json_array_begin(struct lai_json *json, const char *key)
{
	begin_level(json, key, false);
}

void lai_json_end(struct lai_json *json)
{
	assert(json->depth > 0);
	lai_text_append_bytes(&json->text, json->objects & 1u << json->depth ? "}" : "]", 1);
	json->depth--;
}

void lai_json_string(struct lai_json *json, const char *key, const char *string)
{
	if (string)
		lai_json_bytes(json, key, string, strlen(string));
	else
		lai_json_null(json, key);
}

void lai_json_bytes(struct lai_json *json, const char *key, const void *data, size_t size)
{
	begin_member(json, key);
	write_string(&json->text, size ? data : "", size);
}

/* RFC 4648, section 4. */
static void append_base64(struct lai_text *text, const unsigned char *data, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)data[i] << 16 |
				 (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
				 (left > 2 ? (uint32_t)data[i + 2] : 0);
		char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
				left > 1 ? digits[group >> 6 & 63] : '=',
				left > 2 ? digits[group & 63] : '='};

		lai_text_append_bytes(text, four, sizeof(four));
	}
}

void lai_json_blob(struct lai_json *json, const char *key, const void *data, size_t size)
{
	char longer[64];

	if (lai_utf8_is_text(data, size)) {
		lai_json_bytes(json, key, data, size);
		return;
	}
	assert(key && strlen(key) + sizeof("_base64") <= sizeof(longer));
	(void)snprintf(longer, sizeof(longer), "%s_base64", key);
	begin_member(json, longer);
	lai_text_append_bytes(&json->text, "\"", 1);
	append_base64(&json->text, data, size);
	lai_text_append_bytes(&json->text, "\"", 1);
}

/* Without printf: most of what a listing of 100,000 sockets consists of are numbers. */
void lai_json_u64(struct lai_json *json, const char *key, uint64_t value)
{
	char digits[U64_DIGITS], *start = digits + sizeof(digits);

	begin_member(json, key);
	do {
		*--start = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	lai_text_append_bytes(&json->text, start, (size_t)(digits + sizeof(digits) - start));
}

void lai_json_i64(struct lai_json *json, const char *key, int64_t value)
{
	begin_member(json, key);
	lai_text_append(&json->text, "%" PRId64, value);
}

void lai_json_double(struct lai_json *json, const char *key, double value)
{
	char text[DOUBLE_TEXT_MAX];
	char *comma;

	if (!isfinite(value)) {
		lai_json_null(json, key);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	comma = strchr(text, ','); /* a program that uses us may have called setlocale() */
	if (comma)
		*comma = '.';
	begin_member(json, key);
	lai_text_append_bytes(&json->text, text, strlen(text));
}

void lai_json_bool(struct lai_json *json, const char *key, bool value)
{
	begin_member(json, key);
	lai_text_append_bytes(&json->text, value ? "true" : "false", value ? 4 : 5);
}

void lai_json_null(struct lai_json *json, const char *key)
{
	begin_member(json, key);
	lai_text_append_bytes(&json->text, "null", 4);
}

int lai_json_steal(struct lai_json *json, char **string)
{
	int error;

	assert(json->depth == 0 && json->filled & 1);
	error = lai_text_steal(&json->text, string);
	if (error == 0)
		lai_json_done(json);
	return error;
}
