/* SPDX-License-Identifier: MIT */
/*
 * stomp_parse.c - reads frames. The head is read line by line as its lines become whole, and its
 * headers are noted as offsets, so that the bytes may move between calls; the body is never looked
 * at when its length is known.
 *
 *     COMMAND LF  name:value LF  LF  body NUL
 *     |---------- head_bytes ------|
 *     |------------ frame_bytes -----------|
 *
 * What is wrong with a frame is the same in whatever pieces it comes: every check looks at whole
 * lines, or at a size that only grows.
 */
#include "wire/stomp.h"

#include <assert.h>
#include <errno.h>

#define NO_LENGTH UINT32_MAX
#define TLS_HANDSHAKE 0x16

static const struct lai_slice commands[LAI_STOMP_COMMAND_COUNT] = {
#define X(id, text) [LAI_STOMP_##id] = {text, sizeof(text) - 1},
	LAI_STOMP_COMMANDS(X)
#undef X
};

/* Forgets the frame; the marks beyond header_count mean nothing. */
static void next_frame(struct lai_stomp_parser *parser)
{
	parser->line = parser->scanned = parser->head_bytes = parser->frame_bytes = 0;
	parser->command = LAI_STOMP_BEAT;
	parser->header_count = 0;
	parser->length_header = NO_LENGTH;
}

void lai_stomp_parser_init(struct lai_stomp_parser *parser, const struct lai_stomp_limits *limits)
{
	parser->limits = limits;
	parser->version = LAI_STOMP_1_2;
	parser->why = NULL;
	parser->failed = 0;
	next_frame(parser);
}

static int refuse(struct lai_stomp_parser *parser, int error, const char *why)
{
	parser->why = why;
	parser->failed = error;
	return error;
}

/* ---- one line of the head ---- */

static int read_command(struct lai_stomp_parser *parser, struct lai_slice line)
{
	for (int i = LAI_STOMP_BEAT + 1; i < LAI_STOMP_COMMAND_COUNT; i++) {
		if (lai_slice_equal(commands[i], line)) {
			parser->command = (enum lai_stomp_command)i;
			return 0;
		}
	}
	return refuse(parser, -EBADMSG, "a frame begins with an unknown command");
}

static int read_header(struct lai_stomp_parser *parser, struct lai_slice line)
{
	static const struct lai_slice length = {"content-length", sizeof("content-length") - 1};
	const char *colon = memchr(line.data, ':', line.size);
	struct lai_slice name = {line.data, colon ? (size_t)(colon - line.data) : 0};
	uint32_t begin = (uint32_t)parser->line;

	if (name.size == 0)
		return refuse(parser, -EBADMSG,
			      colon ? "a header has no name" : "a header has no colon");
	if (parser->header_count >= LAI_STOMP_HEADERS_MAX ||
	    parser->header_count >= parser->limits->headers_max)
		return refuse(parser, -EMSGSIZE, "a frame has too many headers");
	if (parser->length_header == NO_LENGTH && lai_slice_equal(name, length))
		parser->length_header = parser->header_count;
	parser->marks[parser->header_count++] = (struct lai_stomp_mark){
		.name = begin,
		.colon = begin + (uint32_t)name.size,
		.end = begin + (uint32_t)line.size,
	};
	return 0;
}

/* ---- the whole head ---- */

static struct lai_slice value_of(const char *data, const struct lai_stomp_mark *mark)
{
	return (struct lai_slice){data + mark->colon + 1, mark->end - mark->colon - 1};
}

/* Only what may be escaped: not a login, whose texts stand as they are, and not an ERROR. */
static bool escapes(const struct lai_stomp_parser *parser)
{
	return parser->version != LAI_STOMP_1_0 && parser->command != LAI_STOMP_CONNECT &&
	       parser->command != LAI_STOMP_STOMP && parser->command != LAI_STOMP_CONNECTED &&
	       parser->command != LAI_STOMP_ERROR;
}

static bool escapes_are_good(struct lai_slice text, enum lai_stomp_version version)
{
	const char *letters = version == LAI_STOMP_1_1 ? "\\nc" : "\\ncr";

	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] != '\\')
			continue;
		/* memchr and not strchr, which finds NUL in every text. */
		if (++i == text.size || !memchr(letters, text.data[i], strlen(letters)))
			return false;
	}
	return true;
}

/* Called for the few heads that have a CR or a backslash at all. */
static int judge_headers(struct lai_stomp_parser *parser, const char *data)
{
	bool has_escapes = escapes(parser), has_cr = parser->version != LAI_STOMP_1_2;

	for (uint32_t i = 0; i < parser->header_count; i++) {
		const struct lai_stomp_mark *mark = &parser->marks[i];
		struct lai_slice text = {data + mark->name, mark->end - mark->name};

		if (!has_cr && memchr(text.data, '\r', text.size))
			return refuse(parser, -EBADMSG, "a header has a CR that is not escaped");
		if (has_escapes && !escapes_are_good(text, parser->version))
			return refuse(parser, -EBADMSG, "a header has an undefined escape");
	}
	return 0;
}

static bool has_body(const struct lai_stomp_parser *parser)
{
	return parser->command == LAI_STOMP_SEND || parser->command == LAI_STOMP_MESSAGE ||
	       parser->command == LAI_STOMP_ERROR || parser->version == LAI_STOMP_1_0;
}

static int read_length(struct lai_stomp_parser *parser, struct lai_slice text)
{
	size_t length = 0, limit = parser->limits->body_bytes_max;

	if (limit > SIZE_MAX / 16)
		limit = SIZE_MAX / 16; /* no sum below overflows */
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

		if (digit > 9)
			return refuse(parser, -EBADMSG, "content-length is not a number");
		if (length <= limit)
			length = length * 10 + digit;
	}
	if (text.size == 0)
		return refuse(parser, -EBADMSG, "content-length is not a number");
	if (length > 0 && !has_body(parser))
		return refuse(parser, -EBADMSG, "this command has no body");
	if (length > limit)
		return refuse(parser, -EMSGSIZE, "the body is too large");
	parser->frame_bytes = parser->head_bytes + length + 1;
	return 0;
}

static int end_head(struct lai_stomp_parser *parser, const char *data, size_t head_bytes)
{
	int result = 0;

	parser->head_bytes = head_bytes;
	if (memchr(data, '\\', head_bytes) || memchr(data, '\r', head_bytes))
		result = judge_headers(parser, data);
	if (result == 0 && parser->length_header != NO_LENGTH)
		result = read_length(parser, value_of(data, &parser->marks[parser->length_header]));
	return result;
}

/* A line without its LF, which stands at next - 1. */
static int read_line(struct lai_stomp_parser *parser, const char *data, size_t next)
{
	struct lai_slice line = {data + parser->line, next - 1 - parser->line};
	int result;

	if (line.size > 0 && line.data[line.size - 1] == '\r' && parser->version == LAI_STOMP_1_2)
		line.size--;
	if (parser->line == 0)
		result = read_command(parser, line);
	else if (line.size == 0)
		result = end_head(parser, data, next);
	else
		result = read_header(parser, line);
	parser->line = next;
	return result;
}

/*
 * Can what stands from parser->line to end become a line, or is it one, within the limits? A NUL
 * ends the judgement there: what follows may not be here yet, and must not change the answer.
 */
static int judge_line(struct lai_stomp_parser *parser, const char *data, size_t from, size_t end)
{
	const char *nul = memchr(data + from, '\0', end - from);
	size_t length;

	if (nul)
		end = (size_t)(nul - data) + 1;
	length = end - parser->line;
	if (length > 0 && data[end - 1] == '\r' && parser->version == LAI_STOMP_1_2)
		length--;
	if (length > parser->limits->line_bytes_max)
		return refuse(parser, -EMSGSIZE, "a line of the head is too long");
	if (end >= parser->limits->head_bytes_max) /* its LF does not fit */
		return refuse(parser, -EMSGSIZE, "the headers are too large together");
	if (nul)
		return refuse(parser, -EBADMSG,
			      "a NUL comes before the empty line that ends the headers");
	return 0;
}

/* 1: the head is whole, 0: more is needed. */
static int read_head(struct lai_stomp_parser *parser, const char *data, size_t size)
{
	while (parser->head_bytes == 0) {
		size_t from = parser->scanned > parser->line ? parser->scanned : parser->line;
		const char *eol = memchr(data + from, '\n', size - from);
		size_t end = eol ? (size_t)(eol - data) : size;
		int result = judge_line(parser, data, from, end);

		if (result == 0 && eol)
			result = read_line(parser, data, end + 1);
		if (result < 0)
			return result;
		parser->scanned = end;
		if (!eol)
			return 0;
	}
	parser->scanned = parser->head_bytes;
	return 1;
}

/* ---- the body ---- */

/* The body ends at the first NUL. */
static int find_nul(struct lai_stomp_parser *parser, const char *data, size_t size)
{
	const char *nul = memchr(data + parser->scanned, '\0', size - parser->scanned);
	size_t body_end = nul ? (size_t)(nul - data) : size;

	if (body_end > parser->head_bytes && !has_body(parser))
		return refuse(parser, -EBADMSG, "this command has no body");
	if (body_end - parser->head_bytes > parser->limits->body_bytes_max)
		return refuse(parser, -EMSGSIZE, "the body is too large");
	parser->scanned = size;
	if (nul)
		parser->frame_bytes = body_end + 1;
	return nul != NULL;
}

/* 1: the body is whole, 0: more is needed. */
static int read_body(struct lai_stomp_parser *parser, const char *data, size_t size)
{
	if (parser->frame_bytes == 0)
		return find_nul(parser, data, size);
	if (size < parser->frame_bytes)
		return 0;
	if (data[parser->frame_bytes - 1] != '\0')
		return refuse(parser, -EBADMSG, "no NUL stands where content-length ends the body");
	return 1;
}

/* ---- frames ---- */

static void give_head(const struct lai_stomp_parser *parser, const char *data,
		      struct lai_stomp_frame *frame)
{
	frame->command = parser->command;
	frame->header_count = parser->header_count;
	for (uint32_t i = 0; i < parser->header_count; i++) {
		const struct lai_stomp_mark *mark = &parser->marks[i];

		frame->headers[i].name =
			(struct lai_slice){data + mark->name, mark->colon - mark->name};
		frame->headers[i].value = value_of(data, mark);
	}
	frame->body = (struct lai_slice){0};
}

/* What a frame can begin with: an EOL is a heart-beat of *used bytes. 1: it is; 0: more is needed;
   -EAGAIN: it is no EOL. */
static int read_beat(struct lai_stomp_parser *parser, const char *data, size_t size, size_t *used)
{
	if (data[0] >= 'A' && data[0] <= 'Z')
		return -EAGAIN;
	if (data[0] == '\n') {
		*used = 1;
		return 1;
	}
	if (data[0] == '\r' && parser->version == LAI_STOMP_1_2) {
		if (size == 1)
			return 0;
		if (data[1] == '\n') {
			*used = 2;
			return 1;
		}
	}
	if (data[0] == TLS_HANDSHAKE)
		return refuse(parser, -EBADMSG,
			      "this is TLS, and STOMP without TLS is spoken here");
	return refuse(parser, -EBADMSG, "a frame begins with no command");
}

int lai_stomp_parse(struct lai_stomp_parser *parser, const char *data, size_t size,
		    struct lai_stomp_frame *frame, size_t *used)
{
	int result = 0;

	if (parser->failed) {
		frame->header_count = 0;
		return parser->failed;
	}
	if (size == 0)
		return 0;
	if (parser->line == 0 && parser->scanned == 0) {
		result = read_beat(parser, data, size, used);
		if (result >= 0) {
			if (result == 1)
				give_head(parser, data, frame);
			return result;
		}
		if (result == -EAGAIN)
			result = 0;
	}
	if (result == 0)
		result = parser->head_bytes > 0 ? 1 : read_head(parser, data, size);
	if (result > 0)
		result = read_body(parser, data, size);
	if (result == 0)
		return 0;
	give_head(parser, data, frame);
	if (result > 0) {
		frame->body = (struct lai_slice){data + parser->head_bytes,
						 parser->frame_bytes - parser->head_bytes - 1};
		*used = parser->frame_bytes;
		next_frame(parser);
	}
	return result;
}

struct lai_slice lai_stomp_header(const struct lai_stomp_frame *frame, const char *name)
{
	struct lai_slice wanted = lai_slice_of(name);

	for (uint32_t i = 0; i < frame->header_count; i++) {
		if (lai_slice_equal(frame->headers[i].name, wanted))
			return frame->headers[i].value;
	}
	return (struct lai_slice){0};
}
