/* SPDX-License-Identifier: MIT */
/*
 * What was put and what was confirmed goes to the disk.
 *
 * A number must never stand for two records: the server would take the second for a repetition of
 * the first. Loss of power may take commits away whose records were sent already (durability batch
 * and none, or a drive that lies about fsync). So numbers are reserved, durably, before they are
 * used; and a spool goes on behind the reservation, if the host has been restarted since.
 *
 * A disk must not become so full that nothing can be deleted any more: a row that is deleted is
 * first of all some pages more in the log. So what would take the room that the log needs to go
 * back into the file counts as not fitting.
 */
#include "disk/spool_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* One fsync serves so many records. */
#define RESERVE_RECORDS 1000000000u

/* An empty file above this is made small while it is in use. */
#define SHRINK_AT_WORK (256u << 20)

/* With more than this free nobody needs to look closer: four times what a log becomes. */
#define ROOM_AMPLE (64u << 20)
/* For the pages that deleting some hundred rows changes. */
#define ROOM_TO_DELETE (256u << 10)

/* ---- room ---------------------------------------------------------------------------------- */

static uint64_t free_bytes(const struct lai_spool *spool)
{
	struct statvfs fs;

	if (spool->on_vfs || statvfs(spool->database.path, &fs) != 0)
		return UINT64_MAX;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static uint64_t wal_bytes(const struct lai_spool *spool)
{
	struct stat st;
	char *path;
	uint64_t bytes = 0;

	if (asprintf(&path, "%s-wal", spool->database.path) < 0)
		return 0;
	if (stat(path, &st) == 0)
		bytes = (uint64_t)st.st_size;
	free(path);
	return bytes;
}

static uint64_t missing(uint64_t needed, uint64_t there)
{
	return needed > there ? needed - there : 0;
}

/*
 * Whether a commit of so many bytes leaves the log room to go back into the file. The log is
 * written back first: then it begins anew in the room it has.
 */
static bool fits(struct lai_spool *spool, uint64_t bytes)
{
	uint64_t free_now = free_bytes(spool), unused = 0, grows;
	uint64_t needed = bytes + bytes / 8 + ROOM_TO_DELETE; /* heads of pages, and table spool */
	int log = 0, written = -1;

	if (free_now >= ROOM_AMPLE + 2 * needed)
		return true;
	(void)sqlite3_wal_checkpoint_v2(spool->database.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
					&log, &written);
	lai_spool_file_unused(spool, &unused);
	grows = missing(needed, unused);
	if (log == written)
		grows += missing(needed, wal_bytes(spool));
	else /* somebody reads in it, or there was no room already */
		grows += needed + wal_bytes(spool);
	return free_bytes(spool) >= grows;
}

/* ---- committing ---------------------------------------------------------------------------- */

/* The numbers of what is to be committed are ours alone, for ever, before anybody sees them. */
static int reserve(struct lai_spool *spool)
{
	struct lai_spool_state state = lai_spool_file_state(spool, NULL);
	int error;

	if (!spool->pending.head || spool->state.accepted_seq <= spool->state.reserved_seq)
		return 0;
	state.reserved_seq = spool->state.accepted_seq + RESERVE_RECORDS;
	error = lai_spool_file_write_state(spool, &state);
	if (!error)
		error = lai_database_sync(&spool->database);
	if (!error)
		spool->state.reserved_seq = state.reserved_seq;
	return error;
}

/* This block is committed. If it comes next to the reader it stays in memory for it. */
static void hand_over(struct lai_spool *spool, struct lai_spool_block *block)
{
	bool next = spool->fetched_seq >= spool->committed_seq;

	spool->committed_seq = block->head.last_seq;
	/* By room: commits of one record each would keep thousands of blocks that are nearly empty. */
	if (next && spool->ready.room + block->room <= LAI_SPOOL_READY_MAX) {
		spool->fetched_first = block->head.first_seq;
		spool->fetched_seq = block->head.last_seq;
		lai_spool_queue_push(&spool->ready, block);
	} else {
		lai_spool_block_give(spool, block);
	}
}

/* Up to this block, which is the first or the last; NULL: no block, only what is confirmed. */
static int commit_upto(struct lai_spool *spool, const struct lai_spool_block *last)
{
	struct lai_spool_block *block = NULL;
	size_t bytes = spool->pending.bytes;
	int error;

	if (last && last != spool->pending.tail)
		bytes = last->size;
	if (last && !fits(spool, bytes))
		return lai_database_failed(&spool->database, SQLITE_FULL);
	error = lai_spool_file_commit(spool, last);
	if (error)
		return error;
	while (block != last) {
		block = lai_spool_queue_pop(&spool->pending);
		hand_over(spool, block);
	}
	spool->drop_count = 0;
	spool->dirty = false;
	return 0;
}

/* All of it did not fit: make what room there is, and commit as many blocks as it takes. */
static int commit_in_pieces(struct lai_spool *spool)
{
	int error = 0;

	lai_spool_file_make_room(spool);
	while (!error && spool->pending.head)
		error = commit_upto(spool, spool->pending.head);
	return error;
}

int lai_spool_commit(struct lai_spool *spool)
{
	int error;

	spool->can_unload = false;
	if (!spool->dirty && !spool->pending.head)
		return 0;
	error = reserve(spool);
	if (error == -ENOSPC) {
		lai_spool_file_make_room(spool);
		error = reserve(spool);
	}
	if (error)
		return error;
	error = commit_upto(spool, spool->pending.tail);
	if (error == -ENOSPC)
		error = commit_in_pieces(spool);
	if (!error && spool->records == 0)
		lai_spool_file_shrink(spool, SHRINK_AT_WORK);
	return error;
}

int lai_spool_sync(struct lai_spool *spool)
{
	return spool->durability == LA_DURABILITY_BATCH ? lai_database_sync(&spool->database) : 0;
}
