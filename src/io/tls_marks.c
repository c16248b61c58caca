/* SPDX-License-Identifier: MIT */
/*
 * The wire carries more bytes than the program wrote, and only its bytes are acknowledged. One mark
 * per TLS record says where on the wire it ends and where in the program's bytes:
 *
 *     program   |----- 5 -----|------ 9 ------|-- 12 --|
 *     wire      |~~|----- 27 ----|~~|---- 53 ----|~~| 78 |      acknowledged: 60 -> 9
 */
#include "io/tls_inside.h"

#include <errno.h>
#include <stdlib.h>

#define MARKS_FIRST 16
/* 16 KiB of them per socket. Beyond, the last one grows: the answer lags behind, and is exact again
   when all is acknowledged. */
#define MARKS_MAX 1024

void lai_tls_marks_done(struct lai_tls_marks *marks)
{
	free(marks->items);
	*marks = (struct lai_tls_marks){.acked_bytes = marks->acked_bytes};
}

static struct lai_tls_mark *mark_at(const struct lai_tls_marks *marks, size_t place)
{
	return &marks->items[(marks->first + place) & (marks->room - 1)];
}

bool lai_tls_marks_full(const struct lai_tls_marks *marks)
{
	return marks->count == marks->room;
}

int lai_tls_marks_reserve(struct lai_tls_marks *marks)
{
	size_t room = marks->room ? marks->room * 2 : MARKS_FIRST;
	struct lai_tls_mark *items;

	if (!lai_tls_marks_full(marks) || marks->room >= MARKS_MAX)
		return 0;
	items = calloc(room, sizeof(*items));
	if (!items)
		return marks->room ? 0 : -ENOMEM;
	for (size_t i = 0; i < marks->count; i++)
		items[i] = *mark_at(marks, i);
	free(marks->items);
	marks->items = items;
	marks->first = 0;
	marks->room = room;
	return 0;
}

void lai_tls_marks_add(struct lai_tls_marks *marks, uint64_t wire_end, uint64_t plain_end)
{
	if (!lai_tls_marks_full(marks))
		marks->count++;
	*mark_at(marks, marks->count - 1) = (struct lai_tls_mark){wire_end, plain_end};
}

uint64_t lai_tls_marks_acked(struct lai_tls_marks *marks, uint64_t wire_acked)
{
	while (marks->count > 0 && mark_at(marks, 0)->wire_end <= wire_acked) {
		marks->acked_bytes = mark_at(marks, 0)->plain_end;
		marks->first = (marks->first + 1) & (marks->room - 1);
		marks->count--;
	}
	return marks->acked_bytes;
}
