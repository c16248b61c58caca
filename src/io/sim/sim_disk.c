/* SPDX-License-Identifier: MIT */
/* sim_disk.c - the simulated disk: its life, its names, and the faults that are asked for. */
#include "io/sim/sim_disk_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SQLite's file format: the page size stands in two bytes, 1 meaning 65536. */
#define PAGE_SIZE_OFFSET 16
#define PAGE_SIZE_DEFAULT 4096

int lai_sim_disk_new(struct lai_sim_disk **disk, uint64_t seed)
{
	static unsigned count;
	struct lai_sim_disk *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->random.state = seed;
	made->capacity = UINT64_MAX;
	(void)snprintf(made->vfs_name, sizeof(made->vfs_name), "sim-disk-%u", ++count);
	sim_disk_vfs_init(made);
	made->vfs.zName = made->vfs_name;
	if (sqlite3_vfs_register(&made->vfs, 0) != SQLITE_OK) {
		free(made);
		return -ENOMEM;
	}
	*disk = made;
	return 0;
}

void lai_sim_disk_free(struct lai_sim_disk *disk)
{
	if (!disk)
		return;
	assert(!disk->handles);
	(void)sqlite3_vfs_unregister(&disk->vfs);
	while (disk->names) {
		struct sim_name *name = disk->names;

		disk->names = name->next;
		sim_file_unref(name->now);
		sim_file_unref(name->medium);
		free(name);
	}
	assert(!disk->files && disk->used == 0);
	free(disk);
}

const char *lai_sim_disk_vfs(const struct lai_sim_disk *disk)
{
	return disk->vfs_name;
}

/* ---- names ---- */

struct sim_name *sim_disk_find(const struct lai_sim_disk *disk, const char *text)
{
	for (struct sim_name *name = disk->names; name; name = name->next) {
		if (strcmp(name->text, text) == 0)
			return name;
	}
	return NULL;
}

static struct sim_name *add_name(struct lai_sim_disk *disk, const char *text)
{
	size_t size = strlen(text) + 1;
	struct sim_name *name = calloc(1, sizeof(*name) + size);

	if (!name)
		return NULL;
	memcpy(name->text, text, size);
	name->next = disk->names;
	disk->names = name;
	return name;
}

struct sim_file *sim_disk_create(struct lai_sim_disk *disk, const char *text)
{
	struct sim_name *name = sim_disk_find(disk, text);

	if (!name)
		name = add_name(disk, text);
	if (!name)
		return NULL;
	assert(!name->now);
	name->now = sim_file_new(disk);
	return name->now;
}

void sim_disk_remove(struct sim_name *name)
{
	sim_file_unref(name->now);
	name->now = NULL;
}

/* Both become what one of them is. */
static void settle(struct sim_name *name, struct sim_file *file)
{
	struct sim_file *now = name->now, *medium = name->medium;

	name->now = sim_file_ref(file);
	name->medium = sim_file_ref(file);
	sim_file_unref(now);
	sim_file_unref(medium);
}

void sim_disk_sync_names(struct lai_sim_disk *disk)
{
	for (struct sim_name *name = disk->names; name; name = name->next)
		settle(name, name->now);
	disk->lied_names = false;
}

/* ---- faults ---- */

void lai_sim_disk_power_loss(struct lai_sim_disk *disk)
{
	disk->life++;
	disk->power_loss_at = 0;
	disk->lied_names = false;
	for (struct sim_name *name = disk->names; name; name = name->next) {
		if (name->now != name->medium)
			settle(name, lai_random_below(&disk->random, 2) ? name->now : name->medium);
	}
	for (struct sim_file *file = disk->files; file; file = file->next)
		sim_file_tear(file);
}

void lai_sim_disk_power_loss_at(struct lai_sim_disk *disk, uint64_t n)
{
	disk->power_loss_at = n ? disk->operations + n : 0;
}

void lai_sim_disk_crash(struct lai_sim_disk *disk)
{
	disk->life++;
}

void lai_sim_disk_lie(struct lai_sim_disk *disk, bool lie)
{
	disk->lies = lie;
}

bool lai_sim_disk_lied(const struct lai_sim_disk *disk)
{
	for (const struct sim_file *file = disk->files; file; file = file->next) {
		if (file->lied_to)
			return true;
	}
	for (const struct sim_name *name = disk->names; disk->lied_names && name;
	     name = name->next) {
		if (name->now != name->medium)
			return true;
	}
	return false;
}

void lai_sim_disk_capacity(struct lai_sim_disk *disk, uint64_t bytes)
{
	disk->capacity = bytes;
}

void lai_sim_disk_fail(struct lai_sim_disk *disk, unsigned n)
{
	disk->fail_at = n ? disk->operations + n : 0;
}

enum sim_fate sim_disk_operation(struct lai_sim_disk *disk)
{
	disk->operations++;
	if (disk->operations == disk->power_loss_at)
		return SIM_POWER_GOES;
	if (disk->operations == disk->fail_at)
		return SIM_FAILS;
	return SIM_FINE;
}

static size_t page_size(const struct sim_file *file)
{
	const unsigned char *at = (const unsigned char *)file->medium + PAGE_SIZE_OFFSET;
	size_t size = file->medium_size > PAGE_SIZE_OFFSET + 1 ? (size_t)at[0] << 8 | at[1] : 0;

	if (size == 1)
		return 65536;
	/* A power of two from 512, or this is no database. */
	return size >= 512 && (size & (size - 1)) == 0 ? size : PAGE_SIZE_DEFAULT;
}

void lai_sim_disk_flip(struct lai_sim_disk *disk, const char *file)
{
	struct sim_name *name = sim_disk_find(disk, file);
	struct sim_file *found = name ? name->medium : NULL;
	size_t first, at;
	char bit;

	if (!found)
		return;
	first = page_size(found);
	if (found->medium_size <= first)
		return;
	at = first + (size_t)lai_random_below(&disk->random, found->medium_size - first);
	bit = (char)(1 << lai_random_below(&disk->random, 8));
	found->medium[at] ^= bit;
	if (!found->dirty[at / SIM_SECTOR_BYTES])
		found->cached[at] ^= bit;
}

/* ---- numbers ---- */

uint64_t lai_sim_disk_used(const struct lai_sim_disk *disk)
{
	return disk->used;
}

uint64_t lai_sim_disk_syncs(const struct lai_sim_disk *disk)
{
	return disk->syncs;
}

uint64_t lai_sim_disk_operations(const struct lai_sim_disk *disk)
{
	return disk->operations;
}

uint64_t lai_sim_disk_lives(const struct lai_sim_disk *disk)
{
	return disk->life;
}
