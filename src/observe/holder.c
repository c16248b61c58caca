/* SPDX-License-Identifier: MIT */
/*
 * holder.c - puts what was found in order.
 *
 * A host may have a million descriptors, for which qsort() takes ten times as long as finding them.
 * So they are sorted by radix, byte by byte of (inode, pid, fd) from the lowest on; bytes that all
 * have in common are passed over, and so are pid and fd, by which both ways find them in order.
 */
#include "observe/holder_inside.h"

#include "observe/rows.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INIT_PID 1
#define KEY_BYTES (sizeof(uint64_t) + 2 * sizeof(uint32_t))
#define BYTE_VALUES (UCHAR_MAX + 1)

int lai_holders_add(struct lai_holders_draft *draft, const struct lai_holder *holder)
{
	struct lai_holders *found = &draft->found;
	struct lai_holder *list =
		lai_rows_grow(found->list, found->count, &draft->room, sizeof(*list));

	if (!list)
		return -ENOMEM;
	found->list = list;
	list[found->count++] = *holder;
	return 0;
}

int lai_holders_add_set(struct lai_holders_draft *draft, enum lai_descriptor_kind kind,
			uint32_t pid, uint32_t fd)
{
	struct lai_holders *found = &draft->found;
	struct lai_set_holder *list =
		lai_rows_grow(found->sets, found->set_count, &draft->set_room, sizeof(*list));

	if (!list)
		return -ENOMEM;
	found->sets = list;
	list[found->set_count++] = (struct lai_set_holder){.kind = kind, .pid = pid, .fd = fd};
	return 0;
}

int lai_holders_add_read(struct lai_holders_draft *draft, uint32_t pid, uint32_t fd_count)
{
	struct lai_holders *found = &draft->found;
	struct lai_holders_process *list =
		lai_rows_grow(found->read, found->read_count, &draft->read_room, sizeof(*list));

	if (!list)
		return -ENOMEM;
	found->read = list;
	draft->init_seen = draft->init_seen || pid == INIT_PID;
	list[found->read_count++] = (struct lai_holders_process){.pid = pid, .fd_count = fd_count};
	return 0;
}

void lai_holders_add_unreadable(struct lai_holders_draft *draft, uint32_t pid)
{
	struct lai_holders *found = &draft->found;

	if (found->unreadable < LAI_UNREADABLE_PIDS)
		found->unreadable_pids[found->unreadable] = pid;
	found->unreadable++;
}

/* Byte n of the key, the lowest first: fd, then pid, then inode. */
static unsigned char key_byte(const struct lai_holder *holder, size_t n)
{
	uint64_t owner = (uint64_t)holder->pid << 32 | holder->fd;

	return (unsigned char)(n < sizeof(owner)
				       ? owner >> (CHAR_BIT * n)
				       : holder->inode >> (CHAR_BIT * (n - sizeof(owner))));
}

/* One pass from one list into the other, stable. */
static void byte_sort(const struct lai_holder *from, size_t count, struct lai_holder *to, size_t n)
{
	size_t places[BYTE_VALUES] = {0}, place = 0;

	for (size_t i = 0; i < count; i++)
		places[key_byte(&from[i], n)]++;
	for (size_t value = 0; value < BYTE_VALUES; value++) {
		size_t number = places[value];

		places[value] = place;
		place += number;
	}
	for (size_t i = 0; i < count; i++)
		to[places[key_byte(&from[i], n)]++] = from[i];
}

/* The bytes that differ somewhere, bit n for byte n; none of pid and fd if those are in order. */
static unsigned bytes_differing(const struct lai_holder *list, size_t count)
{
	struct lai_holder differing = {0};
	bool in_order = true;
	unsigned bytes = 0;

	for (size_t i = 1; i < count; i++) {
		differing.inode |= list[i].inode ^ list[0].inode;
		differing.pid |= list[i].pid ^ list[0].pid;
		differing.fd |= list[i].fd ^ list[0].fd;
		in_order = in_order &&
			   (list[i - 1].pid < list[i].pid ||
			    (list[i - 1].pid == list[i].pid && list[i - 1].fd <= list[i].fd));
	}
	if (in_order)
		differing.pid = differing.fd = 0;
	for (size_t n = 0; n < KEY_BYTES; n++)
		bytes |= key_byte(&differing, n) ? 1u << n : 0;
	return bytes;
}

static int list_sort(struct lai_holders *found)
{
	struct lai_holder *from = found->list, *to;
	unsigned differing = bytes_differing(from, found->count);

	if (!differing)
		return 0;
	to = calloc(found->count, sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (size_t n = 0; n < KEY_BYTES; n++) {
		struct lai_holder *sorted = to;

		if (!(differing & 1u << n))
			continue;
		byte_sort(from, found->count, to, n);
		to = from;
		from = sorted;
	}
	found->list = from;
	free(to);
	return 0;
}

static bool same(const struct lai_holder *a, const struct lai_holder *b)
{
	return a->inode == b->inode && a->pid == b->pid && a->fd == b->fd;
}

static void list_unique(struct lai_holders *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++)
		if (kept == 0 || !same(&found->list[kept - 1], &found->list[i]))
			found->list[kept++] = found->list[i];
	found->count = kept;
}

static int set_compare(const void *a, const void *b)
{
	const struct lai_set_holder *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static void sets_finish(struct lai_holders *found)
{
	size_t kept = 0;

	if (found->set_count > 1)
		qsort(found->sets, found->set_count, sizeof(*found->sets), set_compare);
	for (size_t i = 0; i < found->set_count; i++)
		if (kept == 0 || set_compare(&found->sets[kept - 1], &found->sets[i]) != 0)
			found->sets[kept++] = found->sets[i];
	found->set_count = kept;
}

static int read_compare(const void *a, const void *b)
{
	const struct lai_holders_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void read_finish(struct lai_holders *found)
{
	size_t kept = 0;

	if (found->read_count > 1)
		qsort(found->read, found->read_count, sizeof(*found->read), read_compare);
	for (size_t i = 0; i < found->read_count; i++)
		if (kept > 0 && found->read[kept - 1].pid == found->read[i].pid)
			found->read[kept - 1].fd_count += found->read[i].fd_count;
		else
			found->read[kept++] = found->read[i];
	found->read_count = kept;
}

int lai_holders_finish(struct lai_holders_draft *draft, struct lai_holders *holders)
{
	int error = list_sort(&draft->found);

	if (error)
		return error;
	list_unique(&draft->found);
	sets_finish(&draft->found);
	read_finish(&draft->found);
	if (!draft->init_seen) {
		draft->found.processes++;
		lai_holders_add_unreadable(draft, INIT_PID);
	}
	*holders = draft->found;
	*draft = (struct lai_holders_draft){0};
	return 0;
}

void lai_holders_done(struct lai_holders *holders)
{
	free(holders->list);
	free(holders->sets);
	free(holders->read);
	*holders = (struct lai_holders){0};
}

size_t lai_holders_find(const struct lai_holder *list, size_t count, uint64_t inode)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list[low].inode == inode ? low : count;
}
