/* SPDX-License-Identifier: MIT */
/*
 * rows.h - arrays that grow: by themselves, with a count and a room of their own; or as rows of any
 * type that are gathered apart, and handed over only when all went well.
 */
#ifndef LAI_OBSERVE_ROWS_H
#define LAI_OBSERVE_ROWS_H

#include <stddef.h>

/*
 * The array with room for one more than count; its room doubles. NULL: there is no memory, and
 * array and *room are as they were.
 */
void *lai_rows_grow(void *array, size_t count, size_t *room, size_t row_bytes);

/* For init as a definition: struct lai_rows rows = LAI_ROWS_INIT(struct lai_watch); */
#define LAI_ROWS_INIT(type)                                                                        \
	{                                                                                          \
		.row_bytes = sizeof(type)                                                          \
	}

struct lai_rows {
	char *data;
	size_t count, room;
	size_t row_bytes;
};

/* Copies one row to the end. 0 or -ENOMEM. */
int lai_rows_add(struct lai_rows *rows, const void *row);

/*
 * Appends the rows to a list of *count rows that realloc() may move, and is done with them. list is
 * the address of the caller's pointer, which is NULL if there are no rows yet. 0, or -ENOMEM: list,
 * *count and the rows are as they were.
 */
int lai_rows_join(struct lai_rows *rows, void *list, size_t *count);

/* Frees them; empty and usable again. */
void lai_rows_done(struct lai_rows *rows);

#endif
