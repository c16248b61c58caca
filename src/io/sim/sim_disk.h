/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.h - a disk in memory, driven by one seed, that SQLite uses as a VFS: what was written and
 * not synced may be lost, whole or in parts, when the power goes.
 *
 *     write -> cached (reads see it) -> sync -> on the medium
 *
 * Several disks live side by side; SQLite knows each by its name. One thread.
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
 * answers with an I/O error from then on: its owner closes it, and opens it again.
 */
void lai_sim_disk_power_loss(struct lai_sim_disk *disk);
/* The process dies and the host lives: nothing is lost; locks go, open files answer with errors. */
void lai_sim_disk_crash(struct lai_sim_disk *disk);
/* From now on sync() says yes and does nothing (a lying drive). */
void lai_sim_disk_lie(struct lai_sim_disk *disk, bool lie);
/* No more than so many bytes in all files: SQLITE_FULL beyond. UINT64_MAX: no bound. */
void lai_sim_disk_capacity(struct lai_sim_disk *disk, uint64_t bytes);
/* The next n-th write, sync, or open fails with an I/O error; 0: none. */
void lai_sim_disk_fail(struct lai_sim_disk *disk, unsigned n);
/* One bit of what is on the medium changes, somewhere in this file beyond its first page. */
void lai_sim_disk_flip(struct lai_sim_disk *disk, const char *file);

uint64_t lai_sim_disk_used(const struct lai_sim_disk *disk);
uint64_t lai_sim_disk_syncs(const struct lai_sim_disk *disk); /* honest ones */

#endif
