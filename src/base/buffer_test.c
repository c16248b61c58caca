/* SPDX-License-Identifier: MIT */
/* A buffer against the plain idea of one: a text that grows at its end and shrinks at both. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/random.h"

#include <string.h>

static void check(const struct lai_buffer *buffer, const char *text)
{
	assert_int_equal(lai_buffer_used(buffer), strlen(text));
	assert_memory_equal(lai_buffer_data(buffer), text, strlen(text));
}

static void test_zeroed(void **state)
{
	struct lai_buffer buffer = {0};

	(void)state;
	assert_int_equal(lai_buffer_used(&buffer), 0);
	assert_int_equal(lai_buffer_room(&buffer), 0);
	assert_null(lai_buffer_data(&buffer));
	lai_buffer_shrink(&buffer, 0);
	lai_buffer_done(&buffer);
	lai_buffer_done(&buffer);
}

static void test_both_ends(void **state)
{
	struct lai_buffer buffer = {0};

	(void)state;
	assert_true(lai_buffer_append(&buffer, "hello ", 6));
	assert_true(lai_buffer_append(&buffer, "world", 5));
	assert_true(lai_buffer_append(&buffer, NULL, 0));
	check(&buffer, "hello world");
	lai_buffer_consume(&buffer, 6);
	check(&buffer, "world");
	lai_buffer_truncate(&buffer, 1);
	check(&buffer, "worl");
	lai_buffer_consume(&buffer, 4);
	assert_int_equal(buffer.begin, 0); /* empty: all the room is at the end again */
	lai_buffer_done(&buffer);
	assert_null(buffer.bytes);
}

static void test_reserve_for_nothing(void **state)
{
	struct lai_buffer buffer = {0};

	(void)state;
	assert_non_null(lai_buffer_reserve(&buffer, 0));
	lai_buffer_done(&buffer);
}

static void test_moves_before_it_grows(void **state)
{
	struct lai_buffer buffer = {0};
	size_t capacity;
	char *bytes;

	(void)state;
	assert_non_null(lai_buffer_reserve(&buffer, 100));
	capacity = buffer.capacity;
	bytes = buffer.bytes;
	while (lai_buffer_room(&buffer) > 0)
		assert_true(lai_buffer_append(&buffer, "x", 1));
	lai_buffer_consume(&buffer, capacity - 1);
	assert_ptr_equal(lai_buffer_reserve(&buffer, capacity - 1), bytes + 1);
	assert_int_equal(buffer.capacity, capacity);
	check(&buffer, "x");
	assert_non_null(lai_buffer_reserve(&buffer, capacity));
	assert_int_equal(buffer.capacity, 2 * capacity);
	check(&buffer, "x");
	lai_buffer_done(&buffer);
}

static void test_too_much(void **state)
{
	struct lai_buffer buffer = {0};

	(void)state;
	assert_true(lai_buffer_append(&buffer, "kept", 4));
	assert_null(lai_buffer_reserve(&buffer, SIZE_MAX));
	assert_null(lai_buffer_reserve(&buffer, SIZE_MAX / 2));
	assert_false(lai_buffer_append(&buffer, "", SIZE_MAX - 1));
	check(&buffer, "kept");
	lai_buffer_done(&buffer);
}

static void test_shrink(void **state)
{
	struct lai_buffer buffer = {0};
	char *room;

	(void)state;
	room = lai_buffer_reserve(&buffer, 100000);
	assert_non_null(room);
	memset(room, 'a', 100000);
	lai_buffer_extend(&buffer, 100000);
	lai_buffer_consume(&buffer, 100000 - 3);
	lai_buffer_shrink(&buffer, 1000000); /* never grows */
	assert_true(buffer.capacity >= 100000 && buffer.capacity < 1000000);
	lai_buffer_shrink(&buffer, 5000);
	assert_true(buffer.capacity >= 5000 && buffer.capacity < 10000);
	check(&buffer, "aaa");
	lai_buffer_consume(&buffer, 3);
	lai_buffer_shrink(&buffer, 5000);
	assert_null(buffer.bytes);
	assert_int_equal(buffer.capacity, 0);
}

#define MODEL_MAX 3000

/* Random steps, with a plain array that does the same beside it. */
static void test_model(void **state)
{
	struct lai_random random = {3};
	struct lai_buffer buffer = {0};
	char model[MODEL_MAX], piece[600];
	size_t size = 0;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		size_t amount = (size_t)lai_random_below(&random, sizeof(piece));

		switch (lai_random_below(&random, 5)) {
		case 0:
		case 1:
			if (size + amount > MODEL_MAX)
				break;
			memset(piece, step, amount);
			assert_true(lai_buffer_append(&buffer, piece, amount));
			memcpy(model + size, piece, amount);
			size += amount;
			break;
		case 2:
			amount = amount < size ? amount : size;
			lai_buffer_consume(&buffer, amount);
			size -= amount;
			memmove(model, model + amount, size);
			break;
		case 3:
			amount = amount / 4 < size ? amount / 4 : size;
			lai_buffer_truncate(&buffer, amount);
			size -= amount;
			break;
		default: lai_buffer_shrink(&buffer, amount);
		}
		assert_int_equal(lai_buffer_used(&buffer), size);
		if (size > 0)
			assert_memory_equal(lai_buffer_data(&buffer), model, size);
	}
	lai_buffer_done(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a zeroed buffer is empty, and may be done with twice",
		 .test_func = test_zeroed},
		{.name = "bytes come in at the end and go out at both",
		 .test_func = test_both_ends},
		{.name = "room for nothing is no lack of memory",
		 .test_func = test_reserve_for_nothing},
		{.name = "what is kept moves to the front before the buffer grows",
		 .test_func = test_moves_before_it_grows},
		{.name = "more than there is memory changes nothing", .test_func = test_too_much},
		{.name = "memory is given back, all of it by an empty buffer",
		 .test_func = test_shrink},
		{.name = "random steps keep the bytes that a plain array keeps",
		 .test_func = test_model},
	};

	return cmocka_run_group_tests_name("base.buffer", tests, NULL, NULL);
}
