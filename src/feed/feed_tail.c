/* SPDX-License-Identifier: MIT */
#include "feed/feed_tail.h"

#include "base/crc32c.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How far back the beginning of an unfinished last line is looked for. */
#define LINE_BYTES 4096

void lai_feed_tail_init(struct lai_feed_tail *tail, int fd, const struct stat *status)
{
	*tail = (struct lai_feed_tail){
		.fd = fd, .watch = -1, .device = status->st_dev, .inode = status->st_ino};
}

void lai_feed_tail_done(struct lai_feed_tail *tail)
{
	if (tail->fd >= 0)
		(void)close(tail->fd);
	tail->fd = -1;
}

uint64_t lai_feed_tail_size(const struct lai_feed_tail *tail)
{
	struct stat status;

	return fstat(tail->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Remembers the last bytes of what was read. */
static void keep(struct lai_feed_tail *tail, const unsigned char *data, size_t size)
{
	size_t old = tail->kept_bytes;

	if (size >= LAI_FEED_TAIL_KEPT) {
		data += size - LAI_FEED_TAIL_KEPT;
		size = LAI_FEED_TAIL_KEPT;
	}
	if (old + size > LAI_FEED_TAIL_KEPT) {
		size_t surplus = old + size - LAI_FEED_TAIL_KEPT;

		old -= surplus;
		memmove(tail->kept, tail->kept + surplus, old);
	}
	memcpy(tail->kept + old, data, size);
	tail->kept_bytes = (unsigned)(old + size);
}

void lai_feed_tail_to_end(struct lai_feed_tail *tail, bool records)
{
	unsigned char last[LINE_BYTES];
	uint64_t end = lai_feed_tail_size(tail);
	uint64_t start = end > sizeof(last) ? end - sizeof(last) : 0;
	ssize_t got = pread(tail->fd, last, sizeof(last), (off_t)start);
	const unsigned char *newline;

	tail->offset = end;
	if (got <= 0)
		return;
	tail->offset = start + (uint64_t)got;
	if (records) {
		newline = memrchr(last, '\n', (size_t)got);
		if (newline)
			got = newline + 1 - last;
		else if (start == 0)
			got = 0; /* the file is one unfinished line */
		tail->offset = start + (uint64_t)got;
	}
	keep(tail, last, (size_t)got);
}

/* The bytes before offset, as many as are kept; how many, or -1. */
static ssize_t read_before(const struct lai_feed_tail *tail, uint64_t offset,
			   unsigned char bytes[LAI_FEED_TAIL_KEPT])
{
	size_t size = offset < LAI_FEED_TAIL_KEPT ? (size_t)offset : LAI_FEED_TAIL_KEPT;
	ssize_t got = pread(tail->fd, bytes, size, (off_t)(offset - size));

	return got == (ssize_t)size ? got : -1;
}

bool lai_feed_tail_place(const struct lai_feed_tail *tail, size_t left,
			 struct lai_feed_place *place)
{
	unsigned char bytes[LAI_FEED_TAIL_KEPT];
	ssize_t size;

	if (left > tail->offset)
		return false;
	size = read_before(tail, tail->offset - left, bytes);
	if (size < 0)
		return false;
	*place = (struct lai_feed_place){.device = tail->device,
					 .inode = tail->inode,
					 .offset = tail->offset - left,
					 .check = lai_crc32c(0, bytes, (size_t)size)};
	return true;
}

bool lai_feed_tail_resume(struct lai_feed_tail *tail, const struct lai_feed_place *place)
{
	unsigned char bytes[LAI_FEED_TAIL_KEPT];
	ssize_t size;

	if (tail->device != place->device || tail->inode != place->inode ||
	    place->offset > lai_feed_tail_size(tail))
		return false;
	size = read_before(tail, place->offset, bytes);
	if (size < 0 || lai_crc32c(0, bytes, (size_t)size) != place->check)
		return false;
	tail->offset = place->offset;
	tail->kept_bytes = 0;
	keep(tail, bytes, (size_t)size);
	return true;
}

/* Whether the bytes before our place are still those that were read. */
static bool is_same(const struct lai_feed_tail *tail)
{
	unsigned char now[LAI_FEED_TAIL_KEPT];
	off_t place = (off_t)(tail->offset - tail->kept_bytes);
	ssize_t got;

	if (tail->kept_bytes == 0)
		return true;
	got = pread(tail->fd, now, tail->kept_bytes, place);
	if (got < 0)
		return true; /* the read that follows will say why */
	return (size_t)got == tail->kept_bytes && memcmp(now, tail->kept, tail->kept_bytes) == 0;
}

/* Moves over a hole at our place. The block its data begin in is zeros up to the first of them. */
static void skip_hole(struct lai_feed_tail *tail)
{
	off_t data = lseek(tail->fd, (off_t)tail->offset, SEEK_DATA);

	if (data <= (off_t)tail->offset)
		return;
	tail->offset = (uint64_t)data;
	tail->in_hole = true;
}

/* Drops zeros at the front of what was read; what is left. */
static size_t strip_zeros(unsigned char *data, size_t size)
{
	size_t zeros = 0;

	while (zeros < size && data[zeros] == 0)
		zeros++;
	memmove(data, data + zeros, size - zeros);
	return size - zeros;
}

static void start_anew(struct lai_feed_tail *tail)
{
	tail->offset = 0;
	tail->kept_bytes = 0;
	tail->anew = true;
	tail->in_hole = false;
}

ssize_t lai_feed_tail_read(struct lai_feed_tail *tail, void *room, size_t size, bool *truncated)
{
	if (!is_same(tail) || (tail->kept_bytes == 0 && tail->offset > lai_feed_tail_size(tail))) {
		start_anew(tail);
		*truncated = true;
		return 0;
	}
	for (;;) {
		size_t left;
		ssize_t got;

		if (tail->anew)
			skip_hole(tail);
		got = pread(tail->fd, room, size, (off_t)tail->offset);
		if (got < 0 && errno == EINTR) /* a network file system mounted with "intr" */
			continue;
		if (got <= 0)
			return got == 0 ? 0 : -errno;
		tail->offset += (uint64_t)got;
		tail->anew = false;
		left = tail->in_hole ? strip_zeros(room, (size_t)got) : (size_t)got;
		keep(tail, room, left);
		if (left == 0)
			continue; /* all of it was hole */
		tail->in_hole = false;
		return (ssize_t)left;
	}
}
