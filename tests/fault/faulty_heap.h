/* SPDX-License-Identifier: MIT */
/*
 * faulty_heap.h - malloc(), calloc(), realloc() and free() of the whole program, the C library's
 * own calls included: the Nth allocation fails, and what is not freed is counted.
 *
 * Only while armed. The address sanitizer has its own heap, which is asked then; valgrind replaces
 * these functions again, so that nothing fails: t_heap_works() tells.
 */
#ifndef T_FAULT_FAULTY_HEAP_H
#define T_FAULT_FAULTY_HEAP_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define T_HEAP(function) __interceptor_##function
#else
#define T_HEAP(function) __libc_##function
#endif

/* Seen by the shared libraries as well, however the program is compiled. */
#define T_EXPORTED __attribute__((visibility("default")))

extern void *T_HEAP(malloc)(size_t size);
extern void *T_HEAP(calloc)(size_t count, size_t size);
extern void *T_HEAP(realloc)(void *old, size_t size);
extern void T_HEAP(free)(void *memory);

static atomic_bool t_heap_armed;
static atomic_uint t_heap_calls, t_heap_fail_at;
static atomic_int t_heap_live; /* allocations less frees, of all threads, always */

/* The nth call from now on fails; 0: none. */
static void t_heap_arm(unsigned nth)
{
	atomic_store(&t_heap_calls, 0);
	atomic_store(&t_heap_fail_at, nth);
	atomic_store(&t_heap_armed, true);
}

/* Whether the fault has happened. */
static bool t_heap_disarm(void)
{
	atomic_store(&t_heap_armed, false);
	return atomic_load(&t_heap_calls) >= atomic_load(&t_heap_fail_at);
}

static bool t_heap_fails(void)
{
	if (!atomic_load(&t_heap_armed))
		return false;
	if (atomic_fetch_add(&t_heap_calls, 1) + 1 != atomic_load(&t_heap_fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

static void *t_heap_count(void *memory)
{
	if (memory)
		atomic_fetch_add(&t_heap_live, 1);
	return memory;
}

T_EXPORTED void *malloc(size_t size)
{
	return t_heap_fails() ? NULL : t_heap_count(T_HEAP(malloc)(size));
}

T_EXPORTED void *calloc(size_t count, size_t size)
{
	return t_heap_fails() ? NULL : t_heap_count(T_HEAP(calloc)(count, size));
}

T_EXPORTED void *realloc(void *old, size_t size)
{
	void *memory;

	if (t_heap_fails())
		return NULL;
	memory = T_HEAP(realloc)(old, size);
	return old ? memory : t_heap_count(memory);
}

T_EXPORTED void free(void *memory)
{
	if (memory)
		atomic_fetch_sub(&t_heap_live, 1);
	T_HEAP(free)(memory);
}

static bool t_heap_works(void)
{
	void *volatile memory;

	t_heap_arm(1);
	memory = malloc(1);
	(void)t_heap_disarm();
	free(memory);
	return memory == NULL;
}

#endif
