/* SPDX-License-Identifier: MIT */
/* What is written, to the byte; and that it is what the parser reads, for any texts in any version. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "wire/stomp.h"

#include <errno.h>

#define S(literal)                                                                                 \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define V10 LAI_STOMP_1_0
#define V11 LAI_STOMP_1_1
#define V12 LAI_STOMP_1_2

/* ---- escapes ---- */

static const struct unescape_row {
	enum lai_stomp_version version;
	const char *in, *out; /* NULL: an error */
} unescape_rows[] = {
	{V12, "", ""},
	{V12, "plain", "plain"},
	{V12, "\\n", "\n"},
	{V12, "\\c", ":"},
	{V12, "\\\\", "\\"},
	{V12, "\\r", "\r"},
	{V12, "\\\\n", "\\n"},
	{V12, "a\\cb\\nc", "a:b\nc"},
	{V12, "\\t", NULL},
	{V12, "\\", NULL},
	{V12, "a\\", NULL},
	{V12, "\\C", NULL},
	{V12, "\\N", NULL},
	{V11, "\\r", NULL},
	{V11, "\\n\\c\\\\", "\n:\\"},
	{V10, "\\n\\t\\", "\\n\\t\\"},
};

static void test_unescape(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(unescape_rows) / sizeof(unescape_rows[0]); i++) {
		const struct unescape_row *row = &unescape_rows[i];
		char text[32];
		int size =
			lai_stomp_unescape(lai_slice_of(row->in), row->version, text, sizeof(text));

		if (!row->out) {
			assert_int_equal(size, -EBADMSG);
			continue;
		}
		assert_string_equal(text, row->out);
		assert_int_equal(size, strlen(row->out));
		/* Exactly its size is enough, and one less is not. */
		assert_int_equal(lai_stomp_unescape(lai_slice_of(row->in), row->version, text,
						    (size_t)size + 1),
				 size);
		assert_int_equal(
			lai_stomp_unescape(lai_slice_of(row->in), row->version, text, (size_t)size),
			-EMSGSIZE);
	}
}

/* ---- writing ---- */

static void test_written_bytes(void **state)
{
	static const char expected[] = "SEND\ndestination:/a\\cb\nreceipt:18446744073709551615\n"
				       "zero:0\ncontent-length:3\n\nx\0y\0RECEIPT\n\n";
	struct lai_buffer out = {0};

	(void)state;
	assert_true(lai_stomp_begin(&out, LAI_STOMP_SEND));
	assert_true(lai_stomp_put(&out, V12, "destination", LAI_SLICE("/a:b")));
	assert_true(lai_stomp_put_number(&out, "receipt", UINT64_MAX));
	assert_true(lai_stomp_put_number(&out, "zero", 0));
	assert_true(lai_stomp_end(&out, (struct lai_slice)S("x\0y")));
	assert_true(lai_stomp_begin(&out, LAI_STOMP_RECEIPT));
	assert_true(lai_stomp_end(&out, (struct lai_slice){0}));
	assert_int_equal(lai_buffer_used(&out), sizeof(expected));
	assert_memory_equal(lai_buffer_data(&out), expected, sizeof(expected));
	lai_buffer_done(&out);
}

static void test_escaped_bytes(void **state)
{
	static const char *const expected[LAI_STOMP_VERSION_COUNT] = {
		[V10] = "C:\\dir", [V11] = "C\\c\\\\dir\r\\n", [V12] = "C\\c\\\\dir\\r\\n"};

	(void)state;
	for (enum lai_stomp_version version = V10; version <= V12; version++) {
		struct lai_slice text =
			version == V10 ? LAI_SLICE("C:\\dir") : LAI_SLICE("C:\\dir\r\n");
		struct lai_buffer out = {0};

		assert_true(lai_stomp_escape(&out, version, text));
		assert_int_equal(lai_buffer_used(&out), strlen(expected[version]));
		assert_memory_equal(lai_buffer_data(&out), expected[version],
				    strlen(expected[version]));
		lai_buffer_done(&out);
	}
}

/* Every special byte at every place of texts of every length around the writer's strides. */
static void test_escape_everywhere(void **state)
{
	static const char specials[] = "\\\n:\r";
	char text[40], back[2 * sizeof(text)];

	(void)state;
	for (size_t size = 1; size < sizeof(text); size++) {
		for (size_t at = 0; at < size; at++) {
			for (size_t special = 0; special < sizeof(specials) - 1; special++) {
				struct lai_buffer out = {0};

				memset(text, 'x', size);
				text[at] = specials[special];
				assert_true(lai_stomp_escape(&out, V12,
							     (struct lai_slice){text, size}));
				assert_int_equal(lai_buffer_used(&out), size + 1);
				assert_int_equal(
					lai_stomp_unescape(
						(struct lai_slice){lai_buffer_data(&out), size + 1},
						V12, back, sizeof(back)),
					size);
				assert_memory_equal(back, text, size);
				lai_buffer_done(&out);
			}
		}
	}
}

static void test_no_memory(void **state)
{
	const struct lai_slice huge = {"", SIZE_MAX / 3};
	struct lai_buffer out = {0};

	(void)state;
	assert_true(lai_stomp_begin(&out, LAI_STOMP_SEND));
	assert_false(lai_stomp_put(&out, V12, "a", huge));
	assert_false(lai_stomp_escape(&out, V12, huge));
	assert_false(lai_stomp_end(&out, huge));
	assert_int_equal(lai_buffer_used(&out), 5);
	assert_memory_equal(lai_buffer_data(&out), "SEND\n", 5);
	lai_buffer_done(&out);
}

/* ---- writing, then reading ---- */

#define TEXT_MAX 24
#define ROUND_HEADERS_MAX 6

struct sent {
	enum lai_stomp_command command;
	uint32_t header_count;
	char names[ROUND_HEADERS_MAX][TEXT_MAX + 1], values[ROUND_HEADERS_MAX][TEXT_MAX + 1];
	char body[64];
	size_t body_size;
};

/* Of bytes that this version can carry: 1.0 has no way to write an LF. Names are not empty. */
static void random_text(struct lai_random *random, enum lai_stomp_version version, bool is_name,
			char *text)
{
	static const char bytes[] = ":\\\r\nabcdefgh \xc3\xa4\x01\x7f\xff";
	size_t size = is_name + (size_t)lai_random_below(random, TEXT_MAX), i = 0;

	while (i < size) {
		char byte = bytes[lai_random_below(random, sizeof(bytes) - 1)];

		if (version == V10 && (byte == '\n' || (is_name && byte == ':')))
			continue;
		text[i++] = byte;
	}
	text[size] = '\0';
}

static void send_random(struct lai_random *random, enum lai_stomp_version version,
			struct sent *sent, struct lai_buffer *out)
{
	static const enum lai_stomp_command commands[] = {LAI_STOMP_SEND, LAI_STOMP_MESSAGE,
							  LAI_STOMP_RECEIPT};

	sent->command = commands[lai_random_below(random, 3)];
	sent->header_count = (uint32_t)lai_random_below(random, ROUND_HEADERS_MAX);
	sent->body_size = sent->command == LAI_STOMP_RECEIPT
				  ? 0
				  : (size_t)lai_random_below(random, sizeof(sent->body));
	assert_true(lai_stomp_begin(out, sent->command));
	for (uint32_t i = 0; i < sent->header_count; i++) {
		random_text(random, version, true, sent->names[i]);
		random_text(random, version, false, sent->values[i]);
		assert_true(
			lai_stomp_put(out, version, sent->names[i], lai_slice_of(sent->values[i])));
	}
	for (size_t i = 0; i < sent->body_size; i++)
		sent->body[i] = (char)lai_random_below(random, 4);
	assert_true(lai_stomp_end(out, (struct lai_slice){sent->body, sent->body_size}));
}

static void check_text(struct lai_slice escaped, enum lai_stomp_version version, const char *text)
{
	char back[TEXT_MAX + 1];

	assert_int_equal(lai_stomp_unescape(escaped, version, back, sizeof(back)), strlen(text));
	assert_string_equal(back, text);
}

static void check_same(const struct sent *sent, enum lai_stomp_version version,
		       const struct lai_stomp_frame *frame)
{
	assert_int_equal(frame->command, sent->command);
	assert_int_equal(frame->header_count, sent->header_count + (sent->body_size > 0));
	for (uint32_t i = 0; i < sent->header_count; i++) {
		check_text(frame->headers[i].name, version, sent->names[i]);
		check_text(frame->headers[i].value, version, sent->values[i]);
	}
	assert_int_equal(frame->body.size, sent->body_size);
	assert_memory_equal(frame->body.data, sent->body, sent->body_size);
}

static void test_round_trip(void **state)
{
	static const struct lai_stomp_limits limits = {LAI_STOMP_HEADERS_MAX, 200, 2000, 64};
	struct lai_random random = {1};
	struct lai_buffer out = {0};
	struct sent sent;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		enum lai_stomp_version version = round % LAI_STOMP_VERSION_COUNT;
		struct lai_stomp_parser parser;
		struct lai_stomp_frame frame;
		size_t used = 0, have = 0, size;
		int result = 0;

		send_random(&random, version, &sent, &out);
		size = lai_buffer_used(&out);
		lai_stomp_parser_init(&parser, &limits);
		parser.version = version;
		while (result == 0) {
			assert_true(have < size);
			have += 1 + (size_t)lai_random_below(&random, size - have);
			result = lai_stomp_parse(&parser, lai_buffer_data(&out), have, &frame,
						 &used);
		}
		assert_int_equal(result, 1);
		assert_int_equal(used, size);
		check_same(&sent, version, &frame);
		lai_buffer_consume(&out, size);
	}
	lai_buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "escapes are resolved, into room that is just enough",
		 .test_func = test_unescape},
		{.name = "what is written is this, to the byte", .test_func = test_written_bytes},
		{.name = "each version escapes what it can", .test_func = test_escaped_bytes},
		{.name = "a byte to escape is found at every place",
		 .test_func = test_escape_everywhere},
		{.name = "what finds no memory leaves the buffer as it was",
		 .test_func = test_no_memory},
		{.name = "what is written is read again, in any pieces",
		 .test_func = test_round_trip},
	};

	return cmocka_run_group_tests_name("wire.stomp_write", tests, NULL, NULL);
}
