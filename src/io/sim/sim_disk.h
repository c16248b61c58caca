/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.h - a disk in memory, driven by one seed, that SQLite uses as a VFS: what was written and
 * not synced may be lost, whole or in parts, when the power goes.
 *
 *     write -> cached (reads see it) -> sync -> on the medium
 *
 * Several disks live side by side; SQLite knows each by its name. One thread at a time.
 *
 * There is no shared memory between connections, so WAL needs `PRAGMA locking_mode=EXCLUSIVE` before
 * the first access. A sector of 512 bytes is whole: it has its old or its new content. The first
 * sync of a new file also makes its name, and every change of names before it, durable (SQLite's
 * own VFS syncs the directory then). Time stands still on it, but for a tick at each question.
 */
#ifndef LAI_IO_SIM_SIM_DISK_H
#define LAI_IO_SIM_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lai_sim_disk;

/* Registers a VFS; its name is lai_sim_disk_vfs(). 0, or -ENOMEM. */
int lai_sim_disk_new(struct lai_sim_disk **disk, uint64_t seed);
/* Every database on it must have been closed. NULL is fine. */
void lai_sim_disk_free(struct lai_sim_disk *disk);
const char *lai_sim_disk_vfs(const struct lai_sim_disk *disk);

/*
 * The power goes: of what was written since the last sync each sector of 512 bytes reaches the
 * medium or not, by the seed; so do the creation, truncation and removal of files. Every open file
 * answers with an I/O error from then on: its owner closes it, and opens it again. Nothing can be
 * opened before all of them are closed.
 */
void lai_sim_disk_power_loss(struct lai_sim_disk *disk);
/*
 * The power goes in the middle of the n-th operation from now (n is 1 for the next): this one has
 * an unsynced outcome, and it and all others until files are opened again answer with an I/O error.
 * 0: not at all.
 */
void lai_sim_disk_power_loss_at(struct lai_sim_disk *disk, uint64_t n);
/* The process dies and the host lives: nothing is lost; locks go, open files answer with errors. */
void lai_sim_disk_crash(struct lai_sim_disk *disk);
/* From now on sync() says yes and does nothing (a lying drive). */
void lai_sim_disk_lie(struct lai_sim_disk *disk, bool lie);
/* Whether a lie still matters: what was said to be on the medium may not be there yet. */
bool lai_sim_disk_lied(const struct lai_sim_disk *disk);
/* No more than so many bytes in all files: SQLITE_FULL beyond. UINT64_MAX: no bound. */
void lai_sim_disk_capacity(struct lai_sim_disk *disk, uint64_t bytes);
/* The next n-th operation fails with an I/O error, once; a write that fails may have written its
   beginning; after a sync that fails another may succeed, and then nothing is lost (Linux may have
   marked the data clean, which is not modelled). 0: none. */
void lai_sim_disk_fail(struct lai_sim_disk *disk, unsigned n);
/* One bit of what is on the medium changes, somewhere in this file beyond its first page, and reads
   see it. A file without a second page, or none of this name: nothing happens. */
void lai_sim_disk_flip(struct lai_sim_disk *disk, const char *file);

/* Of all files, with removed ones that are still open. */
uint64_t lai_sim_disk_used(const struct lai_sim_disk *disk);
uint64_t lai_sim_disk_syncs(const struct lai_sim_disk *disk); /* honest ones */
/* Writes, truncations, syncs, opens and removals so far: what n counts above. */
uint64_t lai_sim_disk_operations(const struct lai_sim_disk *disk);
/* How often it has lost power, in whichever of the two ways, or its program has died. */
uint64_t lai_sim_disk_lives(const struct lai_sim_disk *disk);

#endif
