/* SPDX-License-Identifier: MIT */
/*
 * sim_disk_file.c - the bytes of one file, twice: as programs see them, and as they would be found
 * after a loss of power.
 *
 * A drive writes back whenever it likes. So a sector that is written again before a sync may have
 * reached the medium in between; which states of it did is drawn at that moment.
 */
#include "io/sim/sim_disk_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One in so many sectors that are written again had been written back before. */
#define WRITE_BACK_ONE_IN 4
/* After a loss of power a file has lost all, none, or one to three quarters of its unsynced
   sectors: whole outcomes must be as likely as mixed ones. */
#define TEAR_QUARTERS 4

struct sim_file *sim_file_new(struct lai_sim_disk *disk)
{
	struct sim_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->disk = disk;
	file->refs = 1;
	file->next = disk->files;
	disk->files = file;
	return file;
}

struct sim_file *sim_file_ref(struct sim_file *file)
{
	if (file)
		file->refs++;
	return file;
}

void sim_file_unref(struct sim_file *file)
{
	struct sim_file **at;

	if (!file || --file->refs > 0)
		return;
	for (at = &file->disk->files; *at != file; at = &(*at)->next)
		;
	*at = file->next;
	file->disk->used -= file->cached_size;
	free(file->cached);
	free(file->medium);
	free(file->dirty);
	free(file);
}

static size_t sectors_of(size_t bytes)
{
	return (bytes + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
}

/* Makes *image larger, with zeros. */
static bool enlarge(char **image, size_t from, size_t to)
{
	char *larger = realloc(*image, to);

	if (!larger)
		return false;
	memset(larger + from, 0, to - from);
	*image = larger;
	return true;
}

static bool grow(struct sim_file *file, size_t size)
{
	size_t capacity = file->capacity ? file->capacity : 8 * SIM_SECTOR_BYTES;
	bool *dirty;

	if (size <= file->capacity)
		return true;
	while (capacity < size)
		capacity *= 2;
	if (!enlarge(&file->cached, file->capacity, capacity) ||
	    !enlarge(&file->medium, file->capacity, capacity))
		return false;
	dirty = realloc(file->dirty, sectors_of(capacity) * sizeof(*dirty));
	if (!dirty)
		return false;
	memset(dirty + sectors_of(file->capacity), false,
	       sectors_of(capacity) - sectors_of(file->capacity));
	file->dirty = dirty;
	file->capacity = capacity;
	return true;
}

static void write_back(struct sim_file *file, size_t sector)
{
	size_t at = sector * SIM_SECTOR_BYTES;

	memcpy(file->medium + at, file->cached + at, SIM_SECTOR_BYTES);
	file->dirty[sector] = false;
}

/* These bytes are about to change. */
static void touch(struct sim_file *file, size_t begin, size_t end)
{
	for (size_t sector = begin / SIM_SECTOR_BYTES; sector < sectors_of(end); sector++) {
		if (file->dirty[sector] &&
		    lai_random_below(&file->disk->random, WRITE_BACK_ONE_IN) == 0)
			write_back(file, sector);
		file->dirty[sector] = true;
	}
}

int sim_file_write(struct sim_file *file, const void *data, size_t size, size_t offset)
{
	struct lai_sim_disk *disk = file->disk;
	size_t end = offset + size, growth = end > file->cached_size ? end - file->cached_size : 0;
	uint64_t room = disk->capacity > disk->used ? disk->capacity - disk->used : 0;
	bool full = growth > room;

	if (full)
		end = file->cached_size + (size_t)room;
	if (end <= offset)
		return size > 0 ? SQLITE_FULL : SQLITE_OK;
	if (!grow(file, end))
		return SQLITE_IOERR_NOMEM;
	touch(file, offset, end);
	memcpy(file->cached + offset, data, end - offset);
	if (end > file->cached_size) {
		disk->used += end - file->cached_size;
		file->cached_size = end;
	}
	return full ? SQLITE_FULL : SQLITE_OK;
}

void sim_file_truncate(struct sim_file *file, size_t size)
{
	if (size >= file->cached_size)
		return;
	touch(file, size, file->cached_size);
	memset(file->cached + size, 0, file->cached_size - size);
	file->disk->used -= file->cached_size - size;
	file->cached_size = size;
}

void sim_file_sync(struct sim_file *file)
{
	size_t sectors = sectors_of(file->capacity);

	for (size_t sector = 0; sector < sectors; sector++) {
		if (file->dirty[sector])
			write_back(file, sector);
	}
	file->medium_size = file->cached_size;
	file->lied_to = false;
}

/* The old size or the new one, and of a file that has grown any between. */
static size_t torn_size(struct sim_file *file)
{
	struct lai_random *random = &file->disk->random;
	size_t growth;

	switch (lai_random_below(random, 3)) {
	case 0: return file->medium_size;
	case 1: return file->cached_size;
	}
	if (file->cached_size <= file->medium_size)
		return file->cached_size;
	growth = file->cached_size - file->medium_size;
	return file->medium_size + (size_t)lai_random_below(random, growth + 1);
}

void sim_file_tear(struct sim_file *file)
{
	struct lai_random *random = &file->disk->random;
	size_t sectors = sectors_of(file->capacity), size = torn_size(file);
	uint64_t quarters = lai_random_below(random, TEAR_QUARTERS + 1);

	for (size_t sector = 0; sector < sectors; sector++) {
		if (file->dirty[sector] && lai_random_below(random, TEAR_QUARTERS) < quarters)
			write_back(file, sector);
		file->dirty[sector] = false;
	}
	if (file->capacity > 0) {
		memset(file->medium + size, 0, file->capacity - size);
		memcpy(file->cached, file->medium, file->capacity);
	}
	file->disk->used -= file->cached_size;
	file->disk->used += size;
	file->medium_size = file->cached_size = size;
	file->lied_to = false;
}
