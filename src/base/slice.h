/* SPDX-License-Identifier: MIT */
/* slice.h - some bytes that somebody else keeps. */
#ifndef LAI_BASE_SLICE_H
#define LAI_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

/* Reads a decimal number that fills the slice, without a sign or spaces; false: it is none, or over
   UINT64_MAX, and *number is untouched. */
static inline bool lai_slice_number(struct lai_slice slice, uint64_t *number)
{
	uint64_t value = 0;

	for (size_t i = 0; i < slice.size; i++) {
		unsigned digit = (unsigned char)slice.data[i] - (unsigned)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (slice.size == 0)
		return false;
	*number = value;
	return true;
}

#endif
