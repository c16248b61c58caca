/* SPDX-License-Identifier: MIT */
/* stomp_pieces.h - what the fuzz targets of both roles ask of the parser alone. */
#ifndef T_FUZZ_STOMP_PIECES_H
#define T_FUZZ_STOMP_PIECES_H

#include "base/random.h"
#include "wire/stomp.h"

#include <assert.h>
#include <stdlib.h>

#define T_DIGEST_START 14695981039346656037ull

static const struct lai_stomp_limits t_small_limits = {8, 80, 400, 300};

/* FNV-1a: tells apart what was read. */
static inline uint64_t t_digest(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * 1099511628211ull;
	return digest ^ size;
}

static inline bool t_escapes(const struct lai_stomp_frame *frame)
{
	return frame->command != LAI_STOMP_CONNECT && frame->command != LAI_STOMP_STOMP &&
	       frame->command != LAI_STOMP_CONNECTED && frame->command != LAI_STOMP_ERROR;
}

/*
 * A phrase with what may stand in a frame, as fuzzers do not write frames by chance: a byte of the
 * input from 0x80 on is a phrase, another is itself.
 */
#define T_PHRASE_FIRST 0x80

static inline void t_decode(struct lai_buffer *out, const struct lai_slice *phrases, size_t count,
			    const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		struct lai_slice bytes = {(const char *)&data[i], 1};

		if (data[i] >= T_PHRASE_FIRST && data[i] - (size_t)T_PHRASE_FIRST < count)
			bytes = phrases[data[i] - T_PHRASE_FIRST];
		assert(lai_buffer_append(out, bytes.data, bytes.size));
	}
}

/* What may be escaped was judged, so it can be resolved; and written again it says the same. */
static inline void t_check_text(struct lai_slice text, enum lai_stomp_version version)
{
	char *plain = malloc(text.size + 1), *again = malloc(text.size + 1);
	struct lai_buffer out = {0};
	int size;

	assert(plain && again);
	size = lai_stomp_unescape(text, version, plain, text.size + 1);
	assert(size >= 0 && (size_t)size <= text.size);
	assert(lai_stomp_escape(&out, version, (struct lai_slice){plain, (size_t)size}));
	assert(lai_stomp_unescape((struct lai_slice){lai_buffer_data(&out), lai_buffer_used(&out)},
				  version, again, text.size + 1) == size);
	assert(memcmp(plain, again, (size_t)size) == 0);
	lai_buffer_done(&out);
	free(plain);
	free(again);
}

static inline uint64_t t_take_frame(uint64_t digest, const struct lai_stomp_frame *frame,
				    enum lai_stomp_version version)
{
	digest = t_digest(digest, &frame->command, sizeof(frame->command));
	assert(frame->header_count <= LAI_STOMP_HEADERS_MAX);
	for (uint32_t i = 0; i < frame->header_count; i++) {
		const struct lai_stomp_header *header = &frame->headers[i];

		assert(header->name.size > 0);
		if (t_escapes(frame)) {
			t_check_text(header->name, version);
			t_check_text(header->value, version);
		}
		digest = t_digest(digest, header->name.data, header->name.size);
		digest = t_digest(digest, header->value.data, header->value.size);
	}
	return t_digest(digest, frame->body.data, frame->body.size);
}

/* Reads all of it, in pieces as random says (NULL: in one). What was read, and how it ended. */
static inline uint64_t t_read(const char *data, size_t size, enum lai_stomp_version version,
			      struct lai_random *random)
{
	uint64_t digest = T_DIGEST_START;
	struct lai_stomp_parser parser;
	size_t at = 0, have = 0;
	int result = 0;

	lai_stomp_parser_init(&parser, &t_small_limits);
	parser.version = version;
	while (result >= 0 && have < size) {
		have += random ? 1 + (size_t)lai_random_below(random, size - have) : size;
		result = 1;
		while (result == 1 && at < have) {
			struct lai_stomp_frame frame;
			char *copy = malloc(have - at);
			size_t used = 0;

			assert(copy);
			memcpy(copy, data + at, have - at);
			result = lai_stomp_parse(&parser, copy, have - at, &frame, &used);
			if (result == 1) {
				assert(used > 0 && used <= have - at);
				digest = t_take_frame(digest, &frame, version);
				at += used;
			}
			free(copy);
		}
	}
	assert((parser.why != NULL) == (result < 0));
	return t_digest(t_digest(digest, &at, sizeof(at)), &result, sizeof(result));
}

/* In pieces or in one: the same is read. */
static inline void t_check_pieces(const char *data, size_t size, enum lai_stomp_version version,
				  struct lai_random random)
{
	uint64_t whole = t_read(data, size, version, NULL);

	assert(t_read(data, size, version, &random) == whole);
	(void)whole;
}

/* Frames that our side writes, as they come: they must be STOMP. */
struct t_reader {
	struct lai_stomp_parser parser;
	struct lai_buffer in;
};

static inline void t_reader_init(struct t_reader *reader, const struct lai_stomp_limits *limits)
{
	lai_stomp_parser_init(&reader->parser, limits);
	reader->in = (struct lai_buffer){0};
}

/* The next whole frame; false: there is none. Its bytes stay until the next call. */
static inline bool t_reader_next(struct t_reader *reader, struct lai_stomp_frame *frame,
				 size_t *used)
{
	int result;

	lai_buffer_consume(&reader->in, *used);
	*used = 0;
	result = lai_stomp_parse(&reader->parser, lai_buffer_data(&reader->in),
				 lai_buffer_used(&reader->in), frame, used);
	assert(result >= 0);
	return result == 1;
}

#endif
