/* SPDX-License-Identifier: MIT */
/*
 * sim_disk_vfs.c - the simulated disk as SQLite sees it: version 1 of both tables, so no shared
 * memory and no mapping. https://www.sqlite.org/c3ref/io_methods.html
 */
#include "io/sim/sim_disk_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 512
/* 2026-01-01 as a Julian day, and how much of a day a question takes: 1 ms. */
#define FIRST_DAY 2461041.5
#define TICK_DAYS (0.001 / 86400)

static struct sim_handle *handle_of(sqlite3_file *base)
{
	return (struct sim_handle *)(void *)base;
}

static struct lai_sim_disk *disk_of(const struct sim_handle *handle)
{
	return handle->file->disk;
}

static bool is_dead(const struct sim_handle *handle)
{
	return handle->life != disk_of(handle)->life;
}

/* ---- an open file ---- */

static int on_close(sqlite3_file *base)
{
	struct sim_handle *handle = handle_of(base), **at = &disk_of(handle)->handles;

	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	sim_file_unref(handle->file);
	handle->file = NULL;
	return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *data, int size, sqlite3_int64 offset)
{
	struct sim_handle *handle = handle_of(base);
	size_t from = (size_t)offset, wanted = (size_t)size, have = 0;

	if (is_dead(handle))
		return SQLITE_IOERR_READ;
	if (from < handle->file->cached_size)
		have = handle->file->cached_size - from;
	if (have > wanted)
		have = wanted;
	if (have > 0)
		memcpy(data, handle->file->cached + from, have);
	memset((char *)data + have, 0, wanted - have);
	return have < wanted ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int on_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
	struct sim_handle *handle = handle_of(base);
	struct lai_sim_disk *disk = disk_of(handle);

	if (is_dead(handle))
		return SQLITE_IOERR_WRITE;
	switch (sim_disk_operation(disk)) {
	case SIM_FAILS:
		(void)sim_file_write(handle->file, data,
				     (size_t)lai_random_below(&disk->random, (uint64_t)size + 1),
				     (size_t)offset);
		return SQLITE_IOERR_WRITE;
	case SIM_POWER_GOES:
		(void)sim_file_write(handle->file, data, (size_t)size, (size_t)offset);
		lai_sim_disk_power_loss(disk);
		return SQLITE_IOERR_WRITE;
	case SIM_FINE: break;
	}
	return sim_file_write(handle->file, data, (size_t)size, (size_t)offset);
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct sim_handle *handle = handle_of(base);
	enum sim_fate fate;

	if (is_dead(handle))
		return SQLITE_IOERR_TRUNCATE;
	fate = sim_disk_operation(disk_of(handle));
	if (fate == SIM_FAILS)
		return SQLITE_IOERR_TRUNCATE;
	sim_file_truncate(handle->file, (size_t)size);
	if (fate == SIM_FINE)
		return SQLITE_OK;
	lai_sim_disk_power_loss(disk_of(handle));
	return SQLITE_IOERR_TRUNCATE;
}

/* A file whose name is not on the medium takes the directory with it. */
static void sync_with_name(struct sim_file *file)
{
	sim_file_sync(file);
	for (struct sim_name *name = file->disk->names; name; name = name->next) {
		if (name->now == file && name->medium != file) {
			sim_disk_sync_names(file->disk);
			return;
		}
	}
}

static int on_sync(sqlite3_file *base, int flags)
{
	struct sim_handle *handle = handle_of(base);
	struct lai_sim_disk *disk = disk_of(handle);

	(void)flags;
	if (is_dead(handle))
		return SQLITE_IOERR_FSYNC;
	switch (sim_disk_operation(disk)) {
	case SIM_POWER_GOES: lai_sim_disk_power_loss(disk); return SQLITE_IOERR_FSYNC;
	case SIM_FAILS: return SQLITE_IOERR_FSYNC;
	case SIM_FINE: break;
	}
	if (disk->lies) {
		handle->file->lied_to = disk->lied_names = true;
		return SQLITE_OK;
	}
	sync_with_name(handle->file);
	disk->syncs++;
	return SQLITE_OK;
}

static int on_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct sim_handle *handle = handle_of(base);

	if (is_dead(handle))
		return SQLITE_IOERR_FSTAT;
	*size = (sqlite3_int64)handle->file->cached_size;
	return SQLITE_OK;
}

/* ---- locks: https://www.sqlite.org/lockingv3.html ---- */

/* The highest lock that another living handle has on the same file. */
static int lock_of_others(const struct sim_handle *handle)
{
	int lock = SQLITE_LOCK_NONE;

	for (struct sim_handle *other = disk_of(handle)->handles; other; other = other->next) {
		if (other != handle && other->file == handle->file && !is_dead(other) &&
		    other->lock > lock)
			lock = other->lock;
	}
	return lock;
}

static int on_lock(sqlite3_file *base, int wanted)
{
	struct sim_handle *handle = handle_of(base);
	int others;

	if (is_dead(handle))
		return SQLITE_IOERR_LOCK;
	if (wanted <= handle->lock)
		return SQLITE_OK;
	others = lock_of_others(handle);
	if (wanted == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING)
		return SQLITE_BUSY;
	if (wanted >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED)
		return SQLITE_BUSY;
	if (wanted == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
		handle->lock = SQLITE_LOCK_PENDING; /* no new readers from now on */
		return SQLITE_BUSY;
	}
	handle->lock = wanted;
	return SQLITE_OK;
}

static int on_unlock(sqlite3_file *base, int wanted)
{
	struct sim_handle *handle = handle_of(base);

	if (wanted < handle->lock)
		handle->lock = wanted;
	return SQLITE_OK;
}

static int on_check_reserved_lock(sqlite3_file *base, int *reserved)
{
	struct sim_handle *handle = handle_of(base);

	if (is_dead(handle))
		return SQLITE_IOERR_CHECKRESERVEDLOCK;
	*reserved = handle->lock >= SQLITE_LOCK_RESERVED ||
		    lock_of_others(handle) >= SQLITE_LOCK_RESERVED;
	return SQLITE_OK;
}

static int on_file_control(sqlite3_file *base, int operation, void *arg)
{
	(void)base;
	(void)operation;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *base)
{
	(void)base;
	return SIM_SECTOR_BYTES;
}

/* As SQLite's own VFS says of every disk: a write does no harm to the bytes beside it. */
static int on_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_file_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_reserved_lock,
	.xFileControl = on_file_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
};

/* ---- the disk ---- */

/* Whether a program that has died still holds files: it must not reach the disk by their names. */
static bool has_dead(const struct lai_sim_disk *disk)
{
	for (struct sim_handle *handle = disk->handles; handle; handle = handle->next) {
		if (is_dead(handle))
			return true;
	}
	return false;
}

static struct lai_sim_disk *disk_of_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* The file with a reference for the handle, or NULL with *result. */
static struct sim_file *file_of(struct lai_sim_disk *disk, const char *path, int flags, int *result)
{
	struct sim_name *name = path ? sim_disk_find(disk, path) : NULL;
	struct sim_file *file;

	*result = SQLITE_NOMEM;
	if (!path)
		return sim_file_new(disk); /* of no name: gone when it is closed */
	if (name && name->now) {
		*result = SQLITE_CANTOPEN;
		return flags & SQLITE_OPEN_EXCLUSIVE ? NULL : sim_file_ref(name->now);
	}
	if (!(flags & SQLITE_OPEN_CREATE)) {
		*result = SQLITE_CANTOPEN;
		return NULL;
	}
	file = sim_file_ref(sim_disk_create(disk, path));
	if (file && (flags & SQLITE_OPEN_DELETEONCLOSE))
		sim_disk_remove(sim_disk_find(disk, path));
	return file;
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
		   int *flags_out)
{
	struct lai_sim_disk *disk = disk_of_vfs(vfs);
	struct sim_handle *handle = handle_of(base);
	enum sim_fate fate;
	int result;

	memset(handle, 0, sizeof(*handle));
	if (has_dead(disk))
		return SQLITE_IOERR;
	fate = sim_disk_operation(disk);
	if (fate == SIM_POWER_GOES)
		lai_sim_disk_power_loss(disk);
	if (fate != SIM_FINE)
		return SQLITE_IOERR;
	handle->file = file_of(disk, path, flags, &result);
	if (!handle->file)
		return result;
	handle->life = disk->life;
	handle->next = disk->handles;
	disk->handles = handle;
	handle->base.pMethods = &methods;
	if (flags_out)
		*flags_out = flags;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
	struct lai_sim_disk *disk = disk_of_vfs(vfs);
	struct sim_name *name = sim_disk_find(disk, path);
	enum sim_fate fate;

	if (has_dead(disk))
		return SQLITE_IOERR_DELETE;
	fate = sim_disk_operation(disk);
	if (fate == SIM_FAILS)
		return SQLITE_IOERR_DELETE;
	if (!name || !name->now)
		return SQLITE_IOERR_DELETE_NOENT;
	sim_disk_remove(name);
	if (fate == SIM_POWER_GOES) {
		lai_sim_disk_power_loss(disk);
		return SQLITE_IOERR_DELETE;
	}
	if (sync_directory && !disk->lies)
		sim_disk_sync_names(disk);
	else if (sync_directory)
		disk->lied_names = true;
	return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *answer)
{
	struct sim_name *name = sim_disk_find(disk_of_vfs(vfs), path);

	/* As SQLite's own VFS: an empty file does not count as existing. */
	*answer =
		name && name->now && (flags != SQLITE_ACCESS_EXISTS || name->now->cached_size > 0);
	return SQLITE_OK;
}

static int on_full_path(sqlite3_vfs *vfs, const char *path, int size, char *full)
{
	int length = snprintf(full, (size_t)size, "%s", path);

	(void)vfs;
	return length < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *bytes)
{
	struct lai_sim_disk *disk = disk_of_vfs(vfs);

	for (int i = 0; i < size; i++)
		bytes[i] = (char)lai_random_next(&disk->random);
	return size;
}

static int on_sleep(sqlite3_vfs *vfs, int time_us)
{
	(void)vfs;
	return time_us;
}

static int on_time(sqlite3_vfs *vfs, double *day)
{
	struct lai_sim_disk *disk = disk_of_vfs(vfs);

	*day = FIRST_DAY + (double)disk->ticks++ * TICK_DAYS;
	return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *text)
{
	(void)vfs;
	if (size > 0)
		text[0] = '\0';
	return 0;
}

void sim_disk_vfs_init(struct lai_sim_disk *disk)
{
	disk->vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct sim_handle),
		.mxPathname = PATH_BYTES_MAX,
		.pAppData = disk,
		.xOpen = on_open,
		.xDelete = on_delete,
		.xAccess = on_access,
		.xFullPathname = on_full_path,
		.xRandomness = on_randomness,
		.xSleep = on_sleep,
		.xCurrentTime = on_time,
		.xGetLastError = on_last_error,
	};
}
