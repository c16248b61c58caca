/* SPDX-License-Identifier: MIT */
/* The ring against a flat array that remembers every byte by its offset. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 64
#define OPERATIONS 20000
#define PIECE_MAX 40
#define SEED 31

static jmp_buf expected;
static bool expecting;

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	if (expecting)
		longjmp(expected, 1);
	fail_msg("%s:%u: %s: assertion %s", file, line, function, assertion);
	abort();
}

struct model {
	struct lai_ring ring;
	struct lai_random random;
	uint8_t bytes[CAPACITY]; /* the kept ones, oldest first */
	uint64_t begin, end;
};

static size_t below(struct model *model, size_t bound)
{
	return (size_t)lai_random_below(&model->random, bound);
}

static uint64_t find_in_model(const struct model *model, uint64_t from, uint64_t to, uint8_t value,
			      bool last)
{
	uint64_t found = LAI_RING_NONE;

	for (uint64_t at = from; at < to; at++)
		if (model->bytes[at - model->begin] == value && (last || found == LAI_RING_NONE))
			found = at;
	return found;
}

static void check_range(struct model *model, uint64_t from, uint64_t to)
{
	struct iovec iov[2] = {{0}};
	int count = lai_ring_view(&model->ring, from, to, iov);
	uint8_t value = (uint8_t)below(model, 4);
	size_t size = 0;

	for (int i = 0; i < count; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, model->bytes + (from - model->begin) + size,
				    iov[i].iov_len);
		size += iov[i].iov_len;
	}
	assert_int_equal(size, to - from);
	assert_true(lai_ring_find(&model->ring, from, to, value) ==
		    find_in_model(model, from, to, value, false));
	assert_true(lai_ring_find_last(&model->ring, from, to, value) ==
		    find_in_model(model, from, to, value, true));
}

/* A random part of what is kept. */
static void pick_range(struct model *model, uint64_t *from, uint64_t *to)
{
	size_t used = (size_t)(model->end - model->begin);
	uint64_t a = model->begin + below(model, used + 1),
		 b = model->begin + below(model, used + 1);

	*from = a < b ? a : b;
	*to = a < b ? b : a;
}

static void check(struct model *model)
{
	uint64_t from, to;

	assert_int_equal(model->ring.begin, model->begin);
	assert_int_equal(model->ring.end, model->end);
	assert_int_equal(lai_ring_used(&model->ring), model->end - model->begin);
	assert_int_equal(lai_ring_free(&model->ring), CAPACITY - (model->end - model->begin));
	check_range(model, model->begin, model->end);
	pick_range(model, &from, &to);
	check_range(model, from, to);
}

static void fill(struct model *model, uint8_t *data, size_t size)
{
	/* Few values, so that find() has something to find. */
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)below(model, 5);
}

static void append(struct model *model)
{
	uint8_t data[PIECE_MAX];
	size_t size = below(model, PIECE_MAX),
	       room = CAPACITY - (size_t)(model->end - model->begin);
	size_t fits = size < room ? size : room;

	fill(model, data, size);
	assert_int_equal(lai_ring_append(&model->ring, data, size), fits);
	memcpy(model->bytes + (model->end - model->begin), data, fits);
	model->end += fits;
}

static void fill_room(struct model *model)
{
	void *room;
	size_t size = lai_ring_room(&model->ring, &room);

	assert_true(size > 0 || model->end - model->begin == CAPACITY);
	assert_true(size <= CAPACITY - (model->end - model->begin));
	size = below(model, size + 1);
	fill(model, room, size);
	memcpy(model->bytes + (model->end - model->begin), room, size);
	lai_ring_extend(&model->ring, size);
	model->end += size;
}

static void forget(struct model *model)
{
	size_t used = (size_t)(model->end - model->begin);
	size_t size = below(model, 3) ? below(model, used + 1) : used;

	lai_ring_forget(&model->ring, model->begin + size);
	memmove(model->bytes, model->bytes + size, used - size);
	model->begin += size;
}

static void truncate_end(struct model *model)
{
	size_t size = below(model, (size_t)(model->end - model->begin) + 1);

	lai_ring_truncate(&model->ring, model->begin + size);
	model->end = model->begin + size;
}

static void cut(struct model *model)
{
	uint64_t from, to;

	pick_range(model, &from, &to);
	lai_ring_cut(&model->ring, from, to);
	memmove(model->bytes + (from - model->begin), model->bytes + (to - model->begin),
		model->end - to);
	/* What stood before moves up: it begins later, and ends where it did. */
	model->begin += to - from;
}

static void test_walk(void **state)
{
	static void (*const operations[])(struct model *) = {
		append, fill_room, append, fill_room, forget, forget, truncate_end, cut};
	struct model model = {.random = {.state = SEED}};

	(void)state;
	assert_int_equal(lai_ring_init(&model.ring, CAPACITY), 0);
	for (int i = 0; i < OPERATIONS; i++) {
		operations[below(&model, sizeof(operations) / sizeof(operations[0]))](&model);
		check(&model);
	}
	assert_true(model.end > 100 * CAPACITY);
	lai_ring_done(&model.ring);
}

static void test_cut_order(void **state)
{
	struct lai_ring ring;
	struct iovec iov[2] = {{0}};

	(void)state;
	assert_int_equal(lai_ring_init(&ring, 16), 0);
	assert_int_equal(lai_ring_append(&ring, "0123456789", 10), 10);
	lai_ring_cut(&ring, 3, 6);
	assert_int_equal(ring.begin, 3);
	assert_int_equal(ring.end, 10);
	assert_int_equal(lai_ring_view(&ring, 3, 10, iov), 1);
	assert_memory_equal(iov[0].iov_base, "0126789", 7);
	lai_ring_cut(&ring, 3, 3);
	lai_ring_cut(&ring, 10, 10);
	assert_int_equal(lai_ring_used(&ring), 7);
	lai_ring_cut(&ring, 3, 10);
	assert_int_equal(lai_ring_used(&ring), 0);
	assert_int_equal(ring.begin, 10);
	assert_int_equal(lai_ring_append(&ring, "fresh", 5), 5);
	assert_int_equal(lai_ring_view(&ring, 10, 15, iov), 1);
	assert_memory_equal(iov[0].iov_base, "fresh", 5);
	lai_ring_done(&ring);
}

static void test_capacity(void **state)
{
	static const struct {
		size_t asked, given;
	} rows[] = {{0, 1}, {1, 1}, {2, 2}, {3, 4}, {64, 64}, {65, 128}, {1000000, 1 << 20}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_ring ring;

		assert_int_equal(lai_ring_init(&ring, rows[i].asked), 0);
		assert_int_equal(ring.capacity, rows[i].given);
		assert_int_equal(lai_ring_free(&ring), rows[i].given);
		lai_ring_done(&ring);
		lai_ring_done(&ring);
	}
}

/* Offsets are for ever, and for ever is long: nothing depends on where in 2^64 they are. */
static void test_far_offsets(void **state)
{
	struct lai_ring ring;
	struct iovec iov[2] = {{0}};

	(void)state;
	assert_int_equal(lai_ring_init(&ring, 8), 0);
	ring.begin = ring.end = ring.origin = (1ull << 63) + 5;
	assert_int_equal(lai_ring_append(&ring, "abcdefgh", 8), 8);
	lai_ring_forget(&ring, ring.begin + 5);
	assert_int_equal(lai_ring_append(&ring, "ijk", 3), 3);
	assert_int_equal(lai_ring_view(&ring, ring.begin, ring.end, iov), 2);
	assert_memory_equal(iov[0].iov_base, "fgh", 3);
	assert_memory_equal(iov[1].iov_base, "ijk", 3);
	lai_ring_done(&ring);
}

/* An empty ring starts at its first place again: one contiguous room of all it has. */
static void test_empty_again(void **state)
{
	struct lai_ring ring;
	void *room;

	(void)state;
	assert_int_equal(lai_ring_init(&ring, 16), 0);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(lai_ring_append(&ring, "abcde", 5), 5);
		lai_ring_forget(&ring, ring.end);
		assert_int_equal(lai_ring_room(&ring, &room), 16);
	}
	lai_ring_done(&ring);
}

#define ASSERTS(call)                                                                              \
	do {                                                                                       \
		volatile bool asserted = true;                                                     \
		expecting = true;                                                                  \
		if (setjmp(expected) == 0) {                                                       \
			(void)(call);                                                              \
			asserted = false;                                                          \
		}                                                                                  \
		expecting = false;                                                                 \
		assert_true(asserted);                                                             \
	} while (0)

static void test_out_of_range(void **state)
{
	struct lai_ring ring;
	struct iovec iov[2];

	(void)state;
	assert_int_equal(lai_ring_init(&ring, 16), 0);
	assert_int_equal(lai_ring_append(&ring, "0123456789", 10), 10);
	lai_ring_forget(&ring, 4);
	ASSERTS(lai_ring_view(&ring, 3, 10, iov));
	ASSERTS(lai_ring_view(&ring, 4, 11, iov));
	ASSERTS(lai_ring_view(&ring, 8, 7, iov));
	ASSERTS((lai_ring_forget(&ring, 3), 0));
	ASSERTS((lai_ring_forget(&ring, 11), 0));
	ASSERTS((lai_ring_truncate(&ring, 3), 0));
	ASSERTS((lai_ring_truncate(&ring, 11), 0));
	ASSERTS((lai_ring_extend(&ring, 11), 0));
	ASSERTS((lai_ring_cut(&ring, 3, 5), 0));
	ASSERTS((lai_ring_cut(&ring, 5, 11), 0));
	lai_ring_done(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "20000 random operations, each byte compared", .test_func = test_walk},
		{.name = "a cut moves up what stands before it", .test_func = test_cut_order},
		{.name = "the capacity is rounded up to a power of two",
		 .test_func = test_capacity},
		{.name = "offsets may be as large as they like", .test_func = test_far_offsets},
		{.name = "an empty ring has all its room in one piece",
		 .test_func = test_empty_again},
		{.name = "what is not kept is asserted, not read", .test_func = test_out_of_range},
	};

	return cmocka_run_group_tests_name("base.ring", tests, NULL, NULL);
}
