/* SPDX-License-Identifier: MIT */
/*
 * spool_inside.h - what the files of the spool share. Outside of them: spool.h.
 *
 *   spool.c         opening, closing, numbers      spool_load.c   what is sent and confirmed
 *   spool_put.c     what is accepted, the quota    spool_file.c   rows and transactions
 *   spool_commit.c  when and how much goes to the disk
 *
 * Where a block is, oldest first; each is in one place, but for rows, which stay until confirmed:
 *
 *        loaded           reading          ready              on disk only          pending
 *   (sizes only)      (one, in part)  (in memory and row)        (row)          (memory only)
 *   confirmed_seq ..... cursor_seq .......... fetched_seq ...... committed_seq ..... accepted_seq
 *
 * Ready blocks are those that are committed while the reader is close behind: they are not read
 * back. In a steady flow nothing ever is.
 */
#ifndef LAI_DISK_SPOOL_INSIDE_H
#define LAI_DISK_SPOOL_INSIDE_H

#include "disk/database.h"
#include "disk/lock.h"
#include "disk/spool.h"
#include "disk/spool_block.h"

/* Put and not committed: beyond this a disk that does not take it must be waited for. */
#define LAI_SPOOL_PENDING_MAX (8u << 20)
/* Committed and kept in memory for the reader. */
#define LAI_SPOOL_READY_MAX (4u << 20)
/* Empty standard blocks that are kept for reuse: as many as a usual commit has. */
#define LAI_SPOOL_SPARE_MAX 32
/* Rows thrown away by the quota and not yet deleted, as ranges; neighbours merge, so that more
   means that commits have failed for long. */
#define LAI_SPOOL_DROPS_MAX 64
/* After a restart of the host the numbers go on somewhere within so many: a thousand times what is
   reserved at once, and 63 bits have room for eight million restarts. */
#define LAI_SPOOL_JUMP_MAX (1ull << 40)
/* SQLite's own bound of a row is 1,000,000,000 bytes. */
#define LAI_SPOOL_RECORD_MAX 900000000u
/* Marks the file (PRAGMA application_id): "lasp"; and the layout of its tables (user_version). */
#define LAI_SPOOL_APPLICATION_ID 0x6c617370
#define LAI_SPOOL_VERSION 1

struct lai_spool_loaded {
	uint64_t seq;
	uint32_t size;
};

/* Of the records loaded and not confirmed; a ring that grows. */
struct lai_spool_sizes {
	struct lai_spool_loaded *items;
	size_t capacity; /* 0 or a power of two */
	uint64_t begin, end;
};

/* Rows by their first numbers; what a damaged row says of its last one must not delete others. */
struct lai_spool_range {
	uint64_t from, to;
	uint64_t next_seq; /* a row that begins here belongs to it */
};

/* The one row of table spool. */
struct lai_spool_state {
	uint64_t accepted_seq, confirmed_seq;
	uint64_t next_seq, reserved_seq; /* see spool_commit.c */
	uint64_t dropped_records, dropped_bytes;
	char sender[LA_SENDER_MAX];
	char boot[40];		  /* of the host, when reserved_seq was written; "": unknown */
	char place[LA_PLACE_MAX]; /* where the caller's input stands behind accepted_seq */
};

struct lai_spool {
	struct lai_database database;
	struct lai_lock lock;
	sqlite3_stmt *insert, *remove_confirmed, *remove_range, *state_write, *next, *data;
	enum la_full_policy on_full;
	enum la_durability durability;
	uint64_t quota_bytes;
	size_t record_bytes_max;

	struct lai_spool_state state; /* as it is to be written */
	char place[LA_PLACE_MAX];     /* as it is in the file */
	bool on_vfs;		      /* the simulator's */
	bool dirty;		      /* it differs from the file */
	uint64_t committed_seq;
	uint64_t records, bytes; /* waiting: not confirmed, not dropped */
	uint64_t damaged_blocks, damaged_records, damaged_bytes; /* met, and what waited in them */

	struct lai_spool_queue pending, ready;
	struct lai_spool_block *spare;
	size_t spare_count;
	struct lai_spool_range drops[LAI_SPOOL_DROPS_MAX];
	size_t drop_count;

	struct lai_spool_block *reading; /* NULL: none */
	size_t offset;			 /* in its data, of the next record */
	size_t unload_offset;		 /* of the record just loaded */
	uint64_t cursor_seq, unload_seq; /* the last one loaded, and the one before */
	bool can_unload;
	uint64_t fetched_first, fetched_seq; /* of the newest block that reading or ready had */
	struct lai_spool_sizes loaded;
	/* Of the first block when it was found confirmed in part: what counts no more. */
	struct lai_spool_head partial;
};

/* A standard block from the spares, or a new one; NULL: out of memory. */
struct lai_spool_block *lai_spool_block_take(struct lai_spool *spool, size_t size);
void lai_spool_block_give(struct lai_spool *spool, struct lai_spool_block *block);

/* They wait no more. Sums of a damaged file may be anything: never below zero. */
void lai_spool_forget(struct lai_spool *spool, uint64_t records, uint64_t bytes);
/* Of a block's records those that wait still: leaves out what was confirmed before this run. */
void lai_spool_forget_block(struct lai_spool *spool, const struct lai_spool_head *head,
			    bool dropped);

/* spool_file.c; all 0 or a negative errno with why. Makes the tables if the file is empty, and
   prepares the statements. -EINVAL: an SQLite file of something else. */
int lai_spool_file_open(struct lai_spool *spool);
/* -ENOENT: there is none yet. */
int lai_spool_file_read_state(struct lai_spool *spool, struct lai_spool_state *state);
int lai_spool_file_write_state(struct lai_spool *spool, const struct lai_spool_state *state);
/* What is to be written when the pending blocks up to this one (NULL: none) are committed. */
struct lai_spool_state lai_spool_file_state(const struct lai_spool *spool,
					    const struct lai_spool_block *last);
/* How many rows hold more than what is confirmed; the records and bytes in them. */
int lai_spool_file_count(struct lai_spool *spool, uint64_t *rows, uint64_t *records,
			 uint64_t *bytes);
/* The head of the first block behind this first_seq that holds more than seq. -ENOENT: none. */
int lai_spool_file_next(struct lai_spool *spool, uint64_t first_seq, uint64_t seq,
			struct lai_spool_head *head);
/* The whole block. -EBADMSG: it is damaged. */
int lai_spool_file_fetch(struct lai_spool *spool, const struct lai_spool_head *head,
			 struct lai_spool_block **block);
/* Frees what can be freed on a full disk; best effort. */
void lai_spool_file_make_room(struct lai_spool *spool);
/* One transaction: what is confirmed and dropped, and the pending blocks up to this one; NULL:
   none. */
int lai_spool_file_commit(struct lai_spool *spool, const struct lai_spool_block *last);
/* Bytes of pages in the file that are free for new rows; 0 if it cannot be asked. */
void lai_spool_file_unused(struct lai_spool *spool, uint64_t *bytes);
/* An empty spool gives its room back to the disk, if it is more than some; best effort. */
void lai_spool_file_shrink(struct lai_spool *spool, uint64_t bytes);

#endif
