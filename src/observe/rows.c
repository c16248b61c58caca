/* SPDX-License-Identifier: MIT */
/* rows.c - doubling, then one move. */
#include "observe/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 16

void *lai_rows_grow(void *array, size_t count, size_t *room, size_t row_bytes)
{
	size_t more = *room ? 2 * *room : ROWS_FIRST;

	if (count < *room)
		return array;
	array = reallocarray(array, more, row_bytes);
	if (array)
		*room = more;
	return array;
}

int lai_rows_add(struct lai_rows *rows, const void *row)
{
	char *data = lai_rows_grow(rows->data, rows->count, &rows->room, rows->row_bytes);

	if (!data)
		return -ENOMEM;
	rows->data = data;
	memcpy(rows->data + rows->count++ * rows->row_bytes, row, rows->row_bytes);
	return 0;
}

int lai_rows_join(struct lai_rows *rows, void *list, size_t *count)
{
	char *old, *joined;

	if (rows->count > 0) {
		/* The caller's pointer is of any type: copied as bytes, not through a cast. */
		memcpy(&old, list, sizeof(old));
		joined = reallocarray(old, *count + rows->count, rows->row_bytes);
		if (!joined)
			return -ENOMEM;
		memcpy(joined + *count * rows->row_bytes, rows->data,
		       rows->count * rows->row_bytes);
		memcpy(list, &joined, sizeof(joined));
		*count += rows->count;
	}
	lai_rows_done(rows);
	return 0;
}

void lai_rows_done(struct lai_rows *rows)
{
	free(rows->data);
	rows->data = NULL;
	rows->count = rows->room = 0;
}
