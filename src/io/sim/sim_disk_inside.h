/* SPDX-License-Identifier: MIT */
/*
 * sim_disk_inside.h - what the files of the simulated disk share; nobody else includes it.
 *
 *   sim_disk.c         the disk: its life, its names, the faults that are asked for
 *   sim_disk_file.c    the bytes of one file, cached and on the medium
 *   sim_disk_vfs.c     the face to SQLite
 *
 *   name --now----> file     what programs see
 *        --medium-> file     what a loss of power leaves (another one: removed and made anew)
 */
#ifndef LAI_IO_SIM_SIM_DISK_INSIDE_H
#define LAI_IO_SIM_SIM_DISK_INSIDE_H

#include "base/random.h"
#include "io/sim/sim_disk.h"

#include <sqlite3.h>

#define SIM_SECTOR_BYTES 512

/* Both images have room for capacity bytes; what lies beyond the cached size is zero in cached. */
struct sim_file {
	struct lai_sim_disk *disk;
	struct sim_file *next; /* of the disk's files */
	unsigned refs;	       /* handles, and names in either sense */
	char *cached, *medium;
	bool *dirty; /* of each sector: cached is not what is on the medium */
	size_t capacity;
	size_t cached_size, medium_size;
	bool lied_to; /* a sync of it was said to be done, and was not */
};

/* NULL: out of memory. The caller has the first reference. */
struct sim_file *sim_file_new(struct lai_sim_disk *disk);
struct sim_file *sim_file_ref(struct sim_file *file);
void sim_file_unref(struct sim_file *file); /* NULL is fine */
/* SQLITE_OK, SQLITE_FULL (the beginning may have been written) or SQLITE_IOERR_NOMEM. */
int sim_file_write(struct sim_file *file, const void *data, size_t size, size_t offset);
void sim_file_truncate(struct sim_file *file, size_t size);
void sim_file_sync(struct sim_file *file);
/* Chooses what of the unsynced parts is on the medium, which then is what is cached. */
void sim_file_tear(struct sim_file *file);

struct sim_name {
	struct sim_name *next;
	struct sim_file *now, *medium; /* NULL: there is none */
	char text[];
};

/* An open file, as SQLite keeps it. */
struct sim_handle {
	sqlite3_file base;
	struct sim_file *file;
	struct sim_handle *next; /* of the disk's handles */
	uint64_t life;		 /* the disk's, when it was opened; another one now: it is dead */
	int lock;		 /* SQLITE_LOCK_... */
};

#define SIM_VFS_NAME_MAX 32

struct lai_sim_disk {
	sqlite3_vfs vfs;
	char vfs_name[SIM_VFS_NAME_MAX];
	struct lai_random random;
	struct sim_name *names;
	struct sim_file *files;
	struct sim_handle *handles;
	uint64_t life; /* one more with each crash and each loss of power */
	uint64_t capacity, used, syncs, operations, ticks;
	uint64_t fail_at, power_loss_at; /* numbers of operations; 0: none */
	bool lies;
	bool lied_names; /* as lied_to of a file, for the names */
};

/* What befalls the operation that begins now. */
enum sim_fate { SIM_FINE, SIM_FAILS, SIM_POWER_GOES };
enum sim_fate sim_disk_operation(struct lai_sim_disk *disk);

struct sim_name *sim_disk_find(const struct lai_sim_disk *disk, const char *text); /* or NULL */
/* An empty file of this name, which has none now; NULL: out of memory. */
struct sim_file *sim_disk_create(struct lai_sim_disk *disk, const char *text);
void sim_disk_remove(struct sim_name *name);
/* All names are on the medium as they are now. */
void sim_disk_sync_names(struct lai_sim_disk *disk);

/* Fills in disk->vfs, but for its name. */
void sim_disk_vfs_init(struct lai_sim_disk *disk);

#endif
