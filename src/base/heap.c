/* SPDX-License-Identifier: MIT */
/*
 * A binary heap in an array: the item at place p (from 1) is not later than those at 2p and 2p + 1.
 * Items know their place, so that one that changes its mind is found without a search.
 */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 16

void lai_heap_done(struct lai_heap *heap)
{
	for (size_t i = 0; i < heap->count; i++)
		heap->items[i]->place = 0;
	free(heap->items);
	*heap = (struct lai_heap){0};
}

static void put(struct lai_heap *heap, size_t place, struct lai_heap_item *item)
{
	heap->items[place - 1] = item;
	item->place = place;
}

static struct lai_heap_item *at(const struct lai_heap *heap, size_t place)
{
	return heap->items[place - 1];
}

/* Moves the item, which has this place to go to, towards the top as far as it is earlier. */
static size_t rise(struct lai_heap *heap, const struct lai_heap_item *item, size_t place)
{
	while (place > 1 && item->key_ns < at(heap, place / 2)->key_ns) {
		put(heap, place, at(heap, place / 2));
		place /= 2;
	}
	return place;
}

static size_t sink(struct lai_heap *heap, const struct lai_heap_item *item, size_t place)
{
	for (;;) {
		size_t child = place * 2;

		if (child < heap->count && at(heap, child + 1)->key_ns < at(heap, child)->key_ns)
			child++;
		if (child > heap->count || at(heap, child)->key_ns >= item->key_ns)
			return place;
		put(heap, place, at(heap, child));
		place = child;
	}
}

static void settle(struct lai_heap *heap, struct lai_heap_item *item, size_t place)
{
	put(heap, sink(heap, item, rise(heap, item, place)), item);
}

static void take_out(struct lai_heap *heap, struct lai_heap_item *item)
{
	struct lai_heap_item *last = at(heap, heap->count);
	size_t place = item->place;

	heap->count--;
	item->place = 0;
	if (last != item)
		settle(heap, last, place);
}

static int make_room(struct lai_heap *heap)
{
	size_t room = heap->room ? heap->room * 2 : ROOM_FIRST;
	struct lai_heap_item **items;

	if (heap->count < heap->room)
		return 0;
	items = realloc(heap->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	heap->items = items;
	heap->room = room;
	return 0;
}

int lai_heap_set(struct lai_heap *heap, struct lai_heap_item *item, uint64_t key_ns)
{
	bool is_in = item->place > 0;

	if (key_ns == UINT64_MAX) {
		if (is_in)
			take_out(heap, item);
		item->key_ns = key_ns;
		return 0;
	}
	if (!is_in && make_room(heap) != 0)
		return -ENOMEM;
	item->key_ns = key_ns;
	settle(heap, item, is_in ? item->place : ++heap->count);
	return 0;
}

struct lai_heap_item *lai_heap_first(const struct lai_heap *heap)
{
	return heap->count > 0 ? heap->items[0] : NULL;
}
