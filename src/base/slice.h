/* SPDX-License-Identifier: MIT */
/* slice.h - some bytes that somebody else keeps. */
#ifndef LAI_BASE_SLICE_H
#define LAI_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct lai_slice {
	const char *data; /* not NUL-terminated; NULL only with size 0 */
	size_t size;
};

/* Of a string literal. */
#define LAI_SLICE(literal) ((struct lai_slice){(literal), sizeof(literal) - 1})

/* Of a text; NULL gives the empty slice. */
static inline struct lai_slice lai_slice_of(const char *text)
{
	return (struct lai_slice){text, text ? strlen(text) : 0};
}

static inline bool lai_slice_is(struct lai_slice slice, const char *text)
{
	size_t size = strlen(text);

	return slice.size == size && (size == 0 || memcmp(slice.data, text, size) == 0);
}

static inline bool lai_slice_equal(struct lai_slice a, struct lai_slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
