/* SPDX-License-Identifier: MIT */
/* option_near.c - what somebody who mistyped a name probably meant. */
#include "cli/option_inside.h"

#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* How many letters must be added, removed, changed or swapped with the next to make b of a. */
static unsigned edits(const char *a, const char *b)
{
	unsigned rows[3][LAI_OPTION_NAME_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *free_row;
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > LAI_OPTION_NAME_MAX || b_length > LAI_OPTION_NAME_MAX)
		return LAI_OPTION_FAR;
	for (size_t j = 0; j <= b_length; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min3(now[j], before[j - 2] + 1, LAI_OPTION_FAR);
		}
		free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[b_length];
}

unsigned lai_option_distance(const char *text, const char *name)
{
	size_t length = strlen(text);
	unsigned accepted = length <= 4 ? 1 : 2;
	unsigned found = edits(text, name);

	if (found <= accepted && found < length)
		return found;
	return length >= 2 && strncmp(text, name, length) == 0 ? accepted : LAI_OPTION_FAR;
}

const char *lai_option_nearest(const char *text, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	unsigned least = LAI_OPTION_FAR;

	for (size_t i = 0; i < count; i++) {
		unsigned found = lai_option_distance(text, names[i]);

		if (found < least) {
			least = found;
			nearest = names[i];
		}
	}
	return nearest;
}
