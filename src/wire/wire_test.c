/* SPDX-License-Identifier: MIT */
/* Where records begin and end, in every place of a ring, so that each boundary also meets the wrap.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "wire/wire.h"

#include <string.h>

#define CAPACITY 16

/* Offsets are relative to the text's first byte; NONE as in ring.h. */
#define NONE (-1)

static const struct row {
	const struct lai_wire *wire;
	const char *text;
	int from, to, last, next, count;
} rows[] = {
	{&lai_wire_lines, "", 0, 0, 0, NONE, 0},
	{&lai_wire_lines, "abc", 0, 3, 0, NONE, 0},
	{&lai_wire_lines, "abc\n", 0, 4, 4, 4, 1},
	{&lai_wire_lines, "abc\n", 0, 3, 0, NONE, 0},
	{&lai_wire_lines, "a\nb\nc\n", 0, 6, 6, 2, 3},
	{&lai_wire_lines, "a\nb\nc\n", 0, 5, 4, 2, 2},
	{&lai_wire_lines, "a\nb\nc\n", 2, 6, 6, 4, 2},
	{&lai_wire_lines, "a\nb\nc\n", 2, 3, 2, NONE, 0},
	{&lai_wire_lines, "a\nb\nc\n", 2, 2, 2, NONE, 0},
	{&lai_wire_lines, "\n", 0, 1, 1, 1, 1},
	{&lai_wire_lines, "\n\n\n\n", 0, 4, 4, 1, 4},
	{&lai_wire_lines, "\n\n\n\n", 1, 3, 3, 2, 2},
	{&lai_wire_lines, "a\r\nb", 0, 4, 3, 3, 1},
	{&lai_wire_lines, "longest line....", 0, 16, 0, NONE, 0},
	{&lai_wire_lines, "as long as all.\n", 0, 16, 16, 16, 1},
	{&lai_wire_raw, "", 0, 0, 0, NONE, 0},
	{&lai_wire_raw, "abc", 0, 3, 3, 1, 0},
	{&lai_wire_raw, "abc", 2, 2, 2, NONE, 0},
	{&lai_wire_raw, "a\nb\n", 1, 3, 3, 2, 0},
};

static void check_row(const struct row *row, const struct lai_ring *ring)
{
	uint64_t base = ring->begin, from = base + (uint64_t)row->from,
		 to = base + (uint64_t)row->to;
	uint64_t next = row->next == NONE ? LAI_RING_NONE : base + (uint64_t)row->next;

	assert_true(row->wire->last_boundary(ring, from, to) == base + (uint64_t)row->last);
	assert_true(row->wire->next_boundary(ring, from, to) == next);
	assert_true(row->wire->count(ring, from, to) == (uint64_t)row->count);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t place = 0; place < CAPACITY; place++) {
			struct lai_ring ring;

			assert_int_equal(lai_ring_init(&ring, CAPACITY), 0);
			ring.begin = ring.end = place; /* the origin stays 0 */
			assert_int_equal(lai_ring_append(&ring, rows[i].text, strlen(rows[i].text)),
					 strlen(rows[i].text));
			check_row(&rows[i], &ring);
			lai_ring_done(&ring);
		}
	}
}

static void test_zero_bytes(void **state)
{
	struct lai_ring ring;

	(void)state;
	assert_int_equal(lai_ring_init(&ring, CAPACITY), 0);
	assert_int_equal(lai_ring_append(&ring, "a\0b\n\0\n", 6), 6);
	assert_int_equal(lai_wire_lines.next_boundary(&ring, 0, 6), 4);
	assert_int_equal(lai_wire_lines.last_boundary(&ring, 0, 6), 6);
	assert_int_equal(lai_wire_lines.count(&ring, 0, 6), 2);
	lai_ring_done(&ring);
}

static void test_find(void **state)
{
	static const char *const unknown[] = {"",     "t",	"TCP",	"tcps",
					      "line", "linesx", "http", "tcp:"};

	static const struct {
		const char *scheme;
		const struct lai_wire *wire;
		bool tls;
	} known[] = {{"tcp", &lai_wire_raw, false},
		     {"tls", &lai_wire_raw, true},
		     {"lines", &lai_wire_lines, false},
		     {"stomp", &lai_wire_stomp, false},
		     {"stomps", &lai_wire_stomp, true}};
	bool tls = false;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		tls = !known[i].tls;
		assert_ptr_equal(lai_wire_find(known[i].scheme, &tls), known[i].wire);
		assert_int_equal(tls, known[i].tls);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_null(lai_wire_find(unknown[i], &tls));
}

/* An unfinished record and its terminator make a whole one; nothing does where there are none. */
static void test_terminator(void **state)
{
	static const struct lai_wire *const wires[] = {&lai_wire_raw, &lai_wire_lines};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lai_ring ring;

		assert_int_equal(lai_ring_init(&ring, CAPACITY), 0);
		(void)lai_ring_append(&ring, "open", 4);
		(void)lai_ring_append(&ring, wires[i]->terminator, strlen(wires[i]->terminator));
		assert_int_equal(wires[i]->last_boundary(&ring, 0, ring.end), ring.end);
		assert_int_equal(wires[i]->count(&ring, 0, ring.end), wires[i]->has_records);
		assert_non_null(strstr(LAI_WIRE_SCHEMES, wires[i]->scheme));
		assert_true(strlen(wires[i]->what) > 0);
		lai_ring_done(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "boundaries and counts, in every place of the ring",
		 .test_func = test_rows},
		{.name = "a zero byte is a byte like any other", .test_func = test_zero_bytes},
		{.name = "a protocol is found by its exact scheme", .test_func = test_find},
		{.name = "the terminator makes an unfinished record whole",
		 .test_func = test_terminator},
	};

	return cmocka_run_group_tests_name("wire.wire", tests, NULL, NULL);
}
