/* SPDX-License-Identifier: MIT */
/*
 * The rules of STOMP as a table: what comes in, and what is read, told in one line: "SEND a=b [body]"
 * for a frame, "beat" for an EOL, "..." where more is needed, "!bad" and "!large" for errors. Each
 * row is read whole, byte by byte, and cut in two at every place: the line must be the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "wire/stomp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW_LIMIT_LINE 60
#define ROW_LIMIT_BODY 20

static const struct lai_stomp_limits row_limits = {4, ROW_LIMIT_LINE, 160, ROW_LIMIT_BODY};

struct row {
	const char *sentence;
	enum lai_stomp_version version;
	struct lai_slice in;
	const char *read;
};

#define S(literal)                                                                                 \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define V10 LAI_STOMP_1_0
#define V11 LAI_STOMP_1_1
#define V12 LAI_STOMP_1_2

static struct row rows[] = {
	/* Frames. */
	{"a frame is a command, headers, an empty line, a body and NUL", V12,
	 S("SEND\ndestination:/q\n\nhello\0"), "SEND destination=/q [hello]"},
	{"a frame may have no header", V12, S("SEND\n\n\0"), "SEND []"},
	{"a frame may have no body", V12, S("ACK\nid:1\n\n\0"), "ACK id=1 []"},
	{"frames follow each other without anything between", V12, S("SEND\n\na\0SEND\n\nb\0"),
	 "SEND [a] SEND [b]"},
	{"every command of the clients is known", V12,
	 S("CONNECT\n\n\0STOMP\n\n\0SEND\n\n\0SUBSCRIBE\n\n\0UNSUBSCRIBE\n\n\0ACK\n\n\0NACK\n\n\0"
	   "BEGIN\n\n\0COMMIT\n\n\0ABORT\n\n\0DISCONNECT\n\n\0"),
	 "CONNECT [] STOMP [] SEND [] SUBSCRIBE [] UNSUBSCRIBE [] ACK [] NACK [] BEGIN [] "
	 "COMMIT [] ABORT [] DISCONNECT []"},
	{"every command of the servers is known", V12,
	 S("CONNECTED\n\n\0MESSAGE\n\n\0RECEIPT\n\n\0ERROR\n\n\0"),
	 "CONNECTED [] MESSAGE [] RECEIPT [] ERROR []"},
	{"a command is written in capitals", V12, S("send\n\n\0"), "!bad"},
	{"another command is an error", V12, S("SENDS\n\n\0"), "!bad"},
	{"the beginning of a command is another command", V12, S("SEN\n\n\0"), "!bad"},
	{"a command has no blank behind it", V12, S("SEND \n\n\0"), "!bad"},
	{"HTTP is not STOMP", V12, S("GET / HTTP/1.1\r\n"), "!bad"},
	{"TLS is not STOMP, and that shows at its first byte", V12, S("\x16"), "!bad"},
	{"an unfinished head needs more", V12, S("SEND\ndestination:/q\n"), "..."},
	{"an unfinished body needs more", V12, S("SEND\n\nabc"), "..."},
	{"nothing needs more", V12, S(""), ""},

	/* Ends of lines. */
	{"1.2 takes a CR before the LF", V12, S("SEND\r\na:b\r\n\r\nhi\0"), "SEND a=b [hi]"},
	{"1.2 takes lines with and without CR in one frame", V12, S("SEND\r\na:b\n\r\nhi\0"),
	 "SEND a=b [hi]"},
	{"1.2 takes one CR before the LF and not two", V12, S("SEND\na:b\r\r\n\n\0"), "!bad"},
	{"a CR within a header of 1.2 is an error", V12, S("SEND\na:b\rc\n\n\0"), "!bad"},
	{"a CR within a login's header is an error as well", V12, S("CONNECT\na:b\rc\n\n\0"),
	 "!bad"},
	{"1.1 knows no CR: it belongs to the value", V11, S("SEND\na:b\r\n\n\0"), "SEND a=b\\r []"},
	{"1.0 knows no CR: it belongs to the value", V10, S("SEND\na:b\r\n\n\0"), "SEND a=b\\r []"},
	{"1.1 knows no CR behind a command", V11, S("SEND\r\n\n\0"), "!bad"},

	/* Headers. */
	{"a header keeps its blanks: nothing is trimmed", V12, S("SEND\n a : b \n\n\0"),
	 "SEND  a = b  []"},
	{"a value may be empty", V12, S("SEND\na:\n\n\0"), "SEND a= []"},
	{"a name may not be empty", V12, S("SEND\n:b\n\n\0"), "!bad"},
	{"a header has a colon", V12, S("SEND\nab\n\n\0"), "!bad"},
	{"the first colon ends the name, others stay in the value", V12, S("SEND\na:b:c\n\n\0"),
	 "SEND a=b:c []"},
	{"repeated headers all stand in the frame, in order", V12, S("SEND\na:1\na:2\n\n\0"),
	 "SEND a=1 a=2 []"},
	{"a NUL before the empty line is an error", V12, S("SEND\na:b\n\0"), "!bad"},
	{"a NUL within a header is an error", V12, S("SEND\na:b\0c\n\n\0"), "!bad"},
	{"headers are any bytes of UTF-8", V12, S("SEND\n\xc3\xa4:\xe2\x82\xac\n\n\0"),
	 "SEND \xc3\xa4=\xe2\x82\xac []"},

	/* Escapes: they stay as on the wire; here they are only judged. */
	{"1.2 has four escapes", V12, S("SEND\na:\\n\\c\\\\\\r\n\n\0"), "SEND a=\\n\\c\\\\\\r []"},
	{"names are escaped too", V12, S("SEND\na\\cb:1\n\n\0"), "SEND a\\cb=1 []"},
	{"an undefined escape is an error", V12, S("SEND\na:\\t\n\n\0"), "!bad"},
	{"an undefined escape in a name is an error", V12, S("SEND\na\\t:1\n\n\0"), "!bad"},
	{"a backslash at the end is an error", V12, S("SEND\na:b\\\n\n\0"), "!bad"},
	{"an escape is not made of two headers", V12, S("SEND\na:b\\\nc:d\n\n\0"), "!bad"},
	{"1.1 has no escape for CR", V11, S("SEND\na:\\r\n\n\0"), "!bad"},
	{"1.1 has the other three", V11, S("SEND\na:\\n\\c\\\\\n\n\0"), "SEND a=\\n\\c\\\\ []"},
	{"1.0 has no escapes", V10, S("SEND\na:\\t\\\n\n\0"), "SEND a=\\t\\ []"},
	{"CONNECT is never escaped", V12, S("CONNECT\npasscode:\\t\\\n\n\0"),
	 "CONNECT passcode=\\t\\ []"},
	{"STOMP is CONNECT by another name", V12, S("STOMP\npasscode:\\t\\\n\n\0"),
	 "STOMP passcode=\\t\\ []"},
	{"CONNECTED is never escaped", V12, S("CONNECTED\nsession:\\t\n\n\0"),
	 "CONNECTED session=\\t []"},
	{"what an ERROR says is told, whatever its escapes", V12,
	 S("ERROR\nmessage:C:\\temp\n\nno\0"), "ERROR message=C:\\temp [no]"},

	/* Bodies. */
	{"without content-length the body ends at the first NUL", V12, S("SEND\n\nab\0cd"),
	 "SEND [ab] !bad"},
	{"content-length tells the body's bytes, NULs among them", V12,
	 S("SEND\ncontent-length:5\n\na\0b\0c\0"), "SEND content-length=5 [a\\0b\\0c]"},
	{"a NUL follows the body that content-length tells", V12,
	 S("SEND\ncontent-length:2\n\nabc\0"), "!bad"},
	{"content-length may be 0", V12, S("SEND\ncontent-length:0\n\n\0"),
	 "SEND content-length=0 []"},
	{"content-length 0 with a body is an error", V12, S("SEND\ncontent-length:0\n\na\0"),
	 "!bad"},
	{"content-length may begin with zeros", V12, S("SEND\ncontent-length:002\n\nab\0"),
	 "SEND content-length=002 [ab]"},
	{"content-length is not negative", V12, S("SEND\ncontent-length:-1\n\n\0"), "!bad"},
	{"content-length has no sign", V12, S("SEND\ncontent-length:+1\n\na\0"), "!bad"},
	{"content-length has no blank", V12, S("SEND\ncontent-length: 1\n\na\0"), "!bad"},
	{"content-length is not empty", V12, S("SEND\ncontent-length:\n\n\0"), "!bad"},
	{"content-length is a number to its end", V12, S("SEND\ncontent-length:1a\n\na\0"), "!bad"},
	{"content-length beyond 64 bits is too large", V12,
	 S("SEND\ncontent-length:18446744073709551617\n\na\0"), "!large"},
	{"the first content-length counts", V12,
	 S("SEND\ncontent-length:2\ncontent-length:1\n\nab\0"),
	 "SEND content-length=2 content-length=1 [ab]"},
	{"an empty body lacks its NUL until it comes", V12, S("SEND\ncontent-length:2\n\nab"),
	 "..."},
	{"only SEND, MESSAGE and ERROR have a body", V12, S("RECEIPT\nreceipt-id:1\n\na\0"),
	 "!bad"},
	{"CONNECT has no body", V12, S("CONNECT\n\na\0"), "!bad"},
	{"content-length cannot give others a body", V12, S("ACK\ncontent-length:1\n\na\0"),
	 "!bad"},
	{"others may say that their body is empty", V12, S("ACK\ncontent-length:0\n\n\0"),
	 "ACK content-length=0 []"},
	{"MESSAGE and ERROR have a body", V12, S("MESSAGE\n\na\0ERROR\n\nb\0"),
	 "MESSAGE [a] ERROR [b]"},
	{"1.0 allows every frame a body", V10, S("ACK\n\na\0"), "ACK [a]"},

	/* Heart-beats. */
	{"an EOL between frames is a heart-beat", V12, S("\nSEND\n\n\0\n\nSEND\n\n\0\n"),
	 "beat SEND [] beat beat SEND [] beat"},
	{"CR LF is one heart-beat", V12, S("\r\n\r\n"), "beat beat"},
	{"a CR alone needs more", V12, S("\r"), "..."},
	{"a CR alone is no heart-beat", V12, S("\rSEND\n\n\0"), "!bad"},
	{"1.1 knows no heart-beat with CR", V11, S("\r\n"), "!bad"},
	{"a NUL between frames is an error", V12, S("\0SEND\n\n\0"), "!bad"},
	{"a blank between frames is an error", V12, S(" SEND\n\n\0"), "!bad"},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- reading a row ---- */

#define TOLD_MAX 1024

static void tell(char *told, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(char *told, const char *format, ...)
{
	size_t length = strlen(told);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(told + length, TOLD_MAX - length, format, arguments);
	va_end(arguments);
}

static void tell_slice(char *told, struct lai_slice slice)
{
	for (size_t i = 0; i < slice.size; i++) {
		switch (slice.data[i]) {
		case '\0': tell(told, "\\0"); break;
		case '\n': tell(told, "\\n"); break;
		case '\r': tell(told, "\\r"); break;
		default: tell(told, "%c", slice.data[i]);
		}
	}
}

static void tell_frame(char *told, const struct lai_stomp_frame *frame)
{
	if (frame->command == LAI_STOMP_BEAT) {
		tell(told, "beat ");
		return;
	}
	tell(told, "%s ", lai_stomp_command_text(frame->command));
	for (uint32_t i = 0; i < frame->header_count; i++) {
		tell_slice(told, frame->headers[i].name);
		tell(told, "=");
		tell_slice(told, frame->headers[i].value);
		tell(told, " ");
	}
	tell(told, "[");
	tell_slice(told, frame->body);
	tell(told, "] ");
}

/* Reads what is there; every time from other memory that ends where the bytes end. */
static int read_some(struct lai_stomp_parser *parser, struct lai_slice in, size_t end, size_t *at,
		     char *told)
{
	int result = 1;

	while (result == 1 && *at < end) {
		struct lai_stomp_frame frame;
		char *copy = malloc(end - *at);
		size_t used = 0;

		assert_non_null(copy);
		memcpy(copy, in.data + *at, end - *at);
		result = lai_stomp_parse(parser, copy, end - *at, &frame, &used);
		if (result == 1) {
			assert_true(used > 0 && used <= end - *at);
			tell_frame(told, &frame);
			*at += used;
		}
		free(copy);
	}
	return result;
}

/* cuts: where a piece ends, in ascending order, the last one the end of in. */
static void read_pieces(const struct lai_stomp_limits *limits, enum lai_stomp_version version,
			struct lai_slice in, const size_t *cuts, size_t cut_count, char *told)
{
	struct lai_stomp_parser parser;
	int result = 0;
	size_t at = 0;

	told[0] = '\0';
	lai_stomp_parser_init(&parser, limits);
	parser.version = version;
	for (size_t i = 0; i < cut_count && result >= 0; i++)
		result = read_some(&parser, in, cuts[i], &at, told);
	assert_true((parser.why != NULL) == (result < 0));
	if (result < 0)
		tell(told, "%s ", result == -EBADMSG ? "!bad" : "!large");
	else if (at < in.size)
		tell(told, "... ");
	if (told[0])
		told[strlen(told) - 1] = '\0';
}

static void check_reading(const struct lai_stomp_limits *limits, enum lai_stomp_version version,
			  struct lai_slice in, const char *expected)
{
	size_t *cuts = calloc(in.size + 1, sizeof(*cuts));
	char told[TOLD_MAX];

	assert_non_null(cuts);
	read_pieces(limits, version, in, &in.size, 1, told);
	assert_string_equal(told, expected);
	for (size_t cut = 1; cut < in.size; cut++) {
		const size_t two[] = {cut, in.size};

		read_pieces(limits, version, in, two, 2, told);
		assert_string_equal(told, expected);
	}
	for (size_t i = 0; i < in.size; i++)
		cuts[i] = i + 1;
	read_pieces(limits, version, in, cuts, in.size, told);
	assert_string_equal(told, expected);
	free(cuts);
}

static void test_row(void **state)
{
	const struct row *row = *state;

	check_reading(&row_limits, row->version, row->in, row->read);
}

/* ---- limits ---- */

/* "SEND\nX:...\n\n\0" with a header line of this size. */
static struct lai_slice frame_with_line(struct lai_buffer *buffer, size_t size, const char *eol)
{
	*buffer = (struct lai_buffer){0};
	assert_true(lai_buffer_append(buffer, "SEND\nX:", 7));
	for (size_t i = 2; i < size; i++)
		assert_true(lai_buffer_append(buffer, "y", 1));
	assert_true(lai_buffer_append(buffer, eol, strlen(eol)));
	assert_true(lai_buffer_append(buffer, "\n\0", 2));
	return (struct lai_slice){lai_buffer_data(buffer), lai_buffer_used(buffer)};
}

static void check_line(size_t size, const char *eol, bool good)
{
	struct lai_buffer buffer;
	struct lai_slice in = frame_with_line(&buffer, size, eol);
	char expected[TOLD_MAX] = "!large";

	if (good)
		(void)snprintf(expected, sizeof(expected), "SEND X=%.*s []", (int)size - 2,
			       in.data + 7);
	check_reading(&row_limits, V12, in, expected);
	lai_buffer_done(&buffer);
}

static void test_line_limit(void **state)
{
	(void)state;
	check_line(ROW_LIMIT_LINE - 1, "\n", true);
	check_line(ROW_LIMIT_LINE, "\n", true);
	check_line(ROW_LIMIT_LINE, "\r\n", true);
	check_line(ROW_LIMIT_LINE + 1, "\n", false);
	check_line(ROW_LIMIT_LINE + 1, "\r\n", false);
	check_line(ROW_LIMIT_LINE + 50, "\n", false);
}

static void test_head_limit(void **state)
{
	/* 5 + 8 + 1 bytes with the empty line. */
	const struct lai_slice in = S("SEND\na:12345\n\n\0");
	struct lai_stomp_limits limits = row_limits;

	(void)state;
	for (limits.head_bytes_max = 10; limits.head_bytes_max < 20; limits.head_bytes_max++)
		check_reading(&limits, V12, in,
			      limits.head_bytes_max < 14 ? "!large" : "SEND a=12345 []");
}

static void test_header_limit(void **state)
{
	struct lai_stomp_limits limits = row_limits;

	(void)state;
	for (limits.headers_max = 0; limits.headers_max < 4; limits.headers_max++)
		check_reading(&limits, V12, (struct lai_slice)S("SEND\na:\nb:\n\n\0"),
			      limits.headers_max < 2 ? "!large" : "SEND a= b= []");
}

/* A frame with one header more than the room of a frame, whatever the limits say. */
static void test_header_room(void **state)
{
	static const struct lai_stomp_limits limits = {UINT32_MAX, 100, 10000, 100};
	struct lai_buffer buffer = {0};
	struct lai_stomp_parser parser;
	struct lai_stomp_frame frame;
	size_t used = 0;

	(void)state;
	for (uint32_t count = LAI_STOMP_HEADERS_MAX - 1; count <= LAI_STOMP_HEADERS_MAX + 1;
	     count++) {
		assert_true(lai_stomp_begin(&buffer, LAI_STOMP_SEND));
		for (uint32_t i = 0; i < count; i++)
			assert_true(lai_stomp_put_number(&buffer, "n", i));
		assert_true(lai_stomp_end(&buffer, (struct lai_slice){0}));
		lai_stomp_parser_init(&parser, &limits);
		assert_int_equal(lai_stomp_parse(&parser, lai_buffer_data(&buffer),
						 lai_buffer_used(&buffer), &frame, &used),
				 count <= LAI_STOMP_HEADERS_MAX ? 1 : -EMSGSIZE);
		assert_int_equal(frame.header_count,
				 count <= LAI_STOMP_HEADERS_MAX ? count : LAI_STOMP_HEADERS_MAX);
		lai_buffer_consume(&buffer, lai_buffer_used(&buffer));
	}
	lai_buffer_done(&buffer);
}

static void test_body_limit(void **state)
{
	struct lai_stomp_limits limits = row_limits;

	(void)state;
	for (limits.body_bytes_max = 0; limits.body_bytes_max < 5; limits.body_bytes_max++) {
		bool good = limits.body_bytes_max >= 3;

		check_reading(&limits, V12, (struct lai_slice)S("SEND\n\nabc\0"),
			      good ? "SEND [abc]" : "!large");
		check_reading(&limits, V12, (struct lai_slice)S("SEND\ncontent-length:3\n\nabc\0"),
			      good ? "SEND content-length=3 [abc]" : "!large");
	}
	/* It is refused as soon as it is announced. */
	check_reading(&row_limits, V12, (struct lai_slice)S("SEND\ncontent-length:21\n\n"),
		      "!large");
}

static void test_limits_may_change(void **state)
{
	static const struct lai_stomp_limits small = {4, 40, 80, 0};
	const struct lai_slice in = S("CONNECT\n\n\0SEND\n\nabc\0");
	struct lai_stomp_parser parser;
	struct lai_stomp_frame frame;
	size_t used = 0, more = 0;

	(void)state;
	lai_stomp_parser_init(&parser, &small);
	assert_int_equal(lai_stomp_parse(&parser, in.data, in.size, &frame, &used), 1);
	parser.limits = &row_limits;
	assert_int_equal(lai_stomp_parse(&parser, in.data + used, in.size - used, &frame, &more),
			 1);
	assert_true(lai_slice_is(frame.body, "abc"));
}

/* ---- after an error ---- */

static void test_error_names_receipt(void **state)
{
	static const struct lai_slice ins[] = {
		S("SEND\nreceipt:7\ncontent-length:99\n\n"),
		S("SEND\ncontent-length:99\nreceipt:7\n\n"),
		S("SEND\ncontent-length:x\nreceipt:7\n\n"),
		S("SEND\nreceipt:7\na:\\t\n\n\0"),
		S("SEND\nreceipt:7\nno colon\n"),
		S("SEND\nreceipt:7\n\nlonger than the twenty bytes\0"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ins) / sizeof(ins[0]); i++) {
		struct lai_stomp_parser parser;
		struct lai_stomp_frame frame;
		size_t used = 0;
		int result;

		lai_stomp_parser_init(&parser, &row_limits);
		result = lai_stomp_parse(&parser, ins[i].data, ins[i].size, &frame, &used);
		assert_true(result < 0);
		assert_int_equal(frame.command, LAI_STOMP_SEND);
		assert_true(lai_slice_is(lai_stomp_header(&frame, "receipt"), "7"));
		assert_int_equal(used, 0);
		assert_int_equal(lai_stomp_parse(&parser, "\n", 1, &frame, &used), result);
		assert_int_equal(frame.header_count, 0);
	}
}

static void test_lookup(void **state)
{
	const struct lai_slice in = S("SEND\nfoo:World\nfoo:Hello\nempty:\n\n\0");
	struct lai_stomp_parser parser;
	struct lai_stomp_frame frame;
	size_t used = 0;

	(void)state;
	lai_stomp_parser_init(&parser, &row_limits);
	assert_int_equal(lai_stomp_parse(&parser, in.data, in.size, &frame, &used), 1);
	assert_true(lai_slice_is(lai_stomp_header(&frame, "foo"), "World"));
	assert_null(lai_stomp_header(&frame, "fo").data);
	assert_null(lai_stomp_header(&frame, "Foo").data);
	assert_non_null(lai_stomp_header(&frame, "empty").data);
	assert_int_equal(lai_stomp_header(&frame, "empty").size, 0);
}

/* Bytes that look like STOMP, in random pieces: the answer is the same as for all at once. */
static void test_random_bytes(void **state)
{
	static const char *const parts[] = {
		"SEND", "\n", "\n\n", "a:b", ":",   "content-length:",		"3", "\r",
		"\r\n", "x",  "\\",   "\\n", "ACK", "yyyyyyyyyyyyyyyyyyyyyyyyy"};
	struct lai_random random = {2};

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct lai_buffer in = {0};
		enum lai_stomp_version version = round % LAI_STOMP_VERSION_COUNT;
		struct lai_slice bytes;
		char told[TOLD_MAX];

		assert_true(lai_buffer_append(&in, "SEND\n", 5));
		for (uint64_t i = 1 + lai_random_below(&random, 12); i > 0; i--) {
			uint64_t part = lai_random_below(&random, 15);

			if (part == 14) /* a NUL */
				assert_true(lai_buffer_append(&in, "", 1));
			else
				assert_true(
					lai_buffer_append(&in, parts[part], strlen(parts[part])));
		}
		bytes = (struct lai_slice){lai_buffer_data(&in), lai_buffer_used(&in)};
		read_pieces(&row_limits, version, bytes, &bytes.size, 1, told);
		check_reading(&row_limits, version, bytes, told);
		lai_buffer_done(&in);
	}
}

#define OTHERS 9

int main(void)
{
	static struct CMUnitTest tests[ROW_COUNT + OTHERS];
	const struct CMUnitTest others[OTHERS] = {
		{.name = "a line may have its limit's bytes, without its EOL",
		 .test_func = test_line_limit},
		{.name = "a head may have its limit's bytes, with its empty line",
		 .test_func = test_head_limit},
		{.name = "a frame may have its limit's headers", .test_func = test_header_limit},
		{.name = "no limit goes beyond the room for headers",
		 .test_func = test_header_room},
		{.name = "a body may have its limit's bytes, announced or not",
		 .test_func = test_body_limit},
		{.name = "limits may be exchanged between frames",
		 .test_func = test_limits_may_change},
		{.name = "an error comes with the headers that were read, so with the receipt",
		 .test_func = test_error_names_receipt},
		{.name = "of repeated headers the first counts", .test_func = test_lookup},
		{.name = "random bytes are judged the same in any pieces",
		 .test_func = test_random_bytes},
	};

	for (size_t i = 0; i < ROW_COUNT; i++)
		tests[i] = (struct CMUnitTest){
			.name = rows[i].sentence, .test_func = test_row, .initial_state = &rows[i]};
	memcpy(tests + ROW_COUNT, others, sizeof(others));
	return cmocka_run_group_tests_name("wire.stomp", tests, NULL, NULL);
}
