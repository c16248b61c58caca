/* SPDX-License-Identifier: MIT */
/* A heap is held against the plainest thing that does the same: a search through all items. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/heap.h"
#include "base/random.h"

#include <string.h>

#define ITEMS 200
#define CHANGES 20000
/* Few different keys, so that many are equal. */
#define KEYS 50

static void nothing_is_first_in_an_empty_heap(void **state)
{
	struct lai_heap heap = {0};
	struct lai_heap_item item = {0};

	(void)state;
	assert_null(lai_heap_first(&heap));
	assert_int_equal(lai_heap_set(&heap, &item, UINT64_MAX), 0);
	assert_null(lai_heap_first(&heap));
	lai_heap_done(&heap);
}

static void the_earliest_is_first(void **state)
{
	struct lai_heap heap = {0};
	struct lai_heap_item items[3] = {0};

	(void)state;
	assert_int_equal(lai_heap_set(&heap, &items[0], 30), 0);
	assert_int_equal(lai_heap_set(&heap, &items[1], 10), 0);
	assert_int_equal(lai_heap_set(&heap, &items[2], 20), 0);
	assert_ptr_equal(lai_heap_first(&heap), &items[1]);
	assert_int_equal(lai_heap_set(&heap, &items[1], 40), 0);
	assert_ptr_equal(lai_heap_first(&heap), &items[2]);
	assert_int_equal(lai_heap_set(&heap, &items[2], UINT64_MAX), 0);
	assert_ptr_equal(lai_heap_first(&heap), &items[0]);
	assert_int_equal(items[2].place, 0);
	lai_heap_done(&heap);
	assert_int_equal(items[0].place, 0);
}

static uint64_t earliest(const struct lai_heap_item *items)
{
	uint64_t key_ns = UINT64_MAX;

	for (int i = 0; i < ITEMS; i++)
		if (items[i].place > 0 && items[i].key_ns < key_ns)
			key_ns = items[i].key_ns;
	return key_ns;
}

static void whatever_is_put_moved_or_taken_the_earliest_is_first(void **state)
{
	struct lai_random random = {.state = 1};
	struct lai_heap_item items[ITEMS];
	struct lai_heap heap = {0};

	(void)state;
	memset(items, 0, sizeof(items));
	for (int i = 0; i < CHANGES; i++) {
		struct lai_heap_item *item = &items[lai_random_below(&random, ITEMS)];
		uint64_t key_ns = lai_random_below(&random, KEYS);
		const struct lai_heap_item *first;

		key_ns = key_ns % 3 == 0 ? UINT64_MAX : key_ns;
		assert_int_equal(lai_heap_set(&heap, item, key_ns), 0);
		assert_int_equal(item->place > 0, key_ns != UINT64_MAX);
		first = lai_heap_first(&heap);
		assert_int_equal(first ? first->key_ns : UINT64_MAX, earliest(items));
	}
	for (uint64_t last_ns = 0; lai_heap_first(&heap);) {
		struct lai_heap_item *first = lai_heap_first(&heap);

		assert_true(first->key_ns >= last_ns);
		last_ns = first->key_ns;
		assert_int_equal(lai_heap_set(&heap, first, UINT64_MAX), 0);
	}
	lai_heap_done(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "nothing is first in an empty heap",
		 .test_func = nothing_is_first_in_an_empty_heap},
		{.name = "the earliest is first", .test_func = the_earliest_is_first},
		{.name = "whatever is put, moved or taken out, the earliest is first",
		 .test_func = whatever_is_put_moved_or_taken_the_earliest_is_first},
	};

	return cmocka_run_group_tests_name("base.heap", tests, NULL, NULL);
}
