/* SPDX-License-Identifier: MIT */
/*
 * heap.h - the earliest of many deadlines. Intrusive: each item holds a struct lai_heap_item, and
 * is in one heap at most.
 */
#ifndef LAI_BASE_HEAP_H
#define LAI_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lai_heap_item {
	uint64_t key_ns;
	size_t place; /* in the heap, from 1; 0: in none */
};

struct lai_heap {
	struct lai_heap_item **items;
	size_t count, room;
};

void lai_heap_done(struct lai_heap *heap);
/* Puts it in, moves it, or (UINT64_MAX) takes it out. 0, or -ENOMEM (only when it was not in). */
int lai_heap_set(struct lai_heap *heap, struct lai_heap_item *item, uint64_t key_ns);
/* The earliest; NULL: empty. */
struct lai_heap_item *lai_heap_first(const struct lai_heap *heap);

#endif
