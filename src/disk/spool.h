/* SPDX-License-Identifier: MIT */
/*
 * spool.h - the sender's records on disk until they are confirmed.
 *
 *      confirmed          loaded            committed        accepted
 *   ......|==================|==================|---------------|
 *   gone      in the outbox      on disk only      in memory, on its way to disk
 *
 * Records are kept in blocks of up to BLOCK_BYTES, one row each, with a CRC32C: one insert serves
 * hundreds of records, and a damaged block is known and costs no other. The file belongs to one
 * sender at a time (a lock that dies with its process).
 */
#ifndef LAI_DISK_SPOOL_H
#define LAI_DISK_SPOOL_H

#include <lastack/link.h>

#include <sys/uio.h>

struct lai_spool;

struct lai_spool_settings {
	struct la_spool_config config; /* path set */
	enum la_full_policy on_full;
	size_t record_bytes_max;
	const char *sender; /* a sender's id, to use; NULL: the file's, or a new one */
	const char *vfs;    /* NULL: SQLite's own; else the simulator's disk */
	uint64_t seed;	    /* the simulator's, for what is random here; 0: from the system */
	uint64_t first_seq; /* number of the first record of a new file; 0: 1 */
};

/*
 * 0; -EBUSY: another sender has it open; -EBADMSG: damaged, says how to recover ("lastack spool
 * export"); -EINVAL: it is another sender's, or no spool; or another negative errno. *error is then
 * a sentence (NULL: out of memory), to be released with free().
 */
int lai_spool_open(struct lai_spool **spool, const struct lai_spool_settings *settings,
		   char **error);
/* Commits what was put, if it can. NULL is fine. */
void lai_spool_close(struct lai_spool *spool);

const char *lai_spool_sender(const struct lai_spool *spool);

/*
 * Where the caller's input stands behind all that was put: written in the transaction of the last
 * of it, and never before. 0; -EMSGSIZE: over LA_PLACE_MAX. lai_spool_place(): as it is in the
 * file; "" for none.
 */
int lai_spool_set_place(struct lai_spool *spool, const char *text);
const char *lai_spool_place(const struct lai_spool *spool);

/*
 * Takes a record; *seq is its number. Numbers only grow and never come twice, also after loss of
 * power; there may be gaps. 0; -EAGAIN: the quota is full (policy block, or drop-oldest and all of
 * it is loaded), or too much is not committed yet (every policy: commit); -EMSGSIZE: over
 * record_bytes_max or the quota; -ENOMEM. drop-new: 0 with *seq 0: counted and forgotten. It is on
 * disk after the next lai_spool_commit().
 */
int lai_spool_put(struct lai_spool *spool, const struct iovec *iov, int count, uint64_t *seq);
/* Bytes put and not committed: a caller commits at some size, or when it has nothing else to do. */
size_t lai_spool_uncommitted(const struct lai_spool *spool);
/* The records of them, and the bytes of their bodies: what is lost if the program ends now. */
void lai_spool_pending(const struct lai_spool *spool, uint64_t *records, uint64_t *bytes);
/*
 * What was put, and what was confirmed, in one transaction. Without anything put it does not wait
 * for the disk, whatever the durability. 0, or a negative errno (-ENOSPC): what did not fit is kept
 * in memory; try again. lai_spool_why() is a sentence then.
 */
int lai_spool_commit(struct lai_spool *spool);
/* durability batch: makes the commits so far survive loss of power; call it once a second. 0 at
   once with the others. */
int lai_spool_sync(struct lai_spool *spool);
/* Of the last failure; "" if there was none. */
const char *lai_spool_why(const struct lai_spool *spool);

/*
 * The next committed record after the last one loaded; it now counts as loaded. body is valid until
 * the next call. 0; -ENOENT: none; -EBADMSG: a damaged block was passed over and counted (call
 * again); -EUCLEAN: so damaged that nothing more can be read; other negative errno.
 */
int lai_spool_load(struct lai_spool *spool, uint64_t *seq, const void **body, size_t *size);
/* The record just loaded found no room after all. Directly after lai_spool_load() only. */
void lai_spool_unload(struct lai_spool *spool);

/* Every loaded record up to seq is confirmed, or given up; it leaves the disk with the next
   commit. */
void lai_spool_confirm(struct lai_spool *spool, uint64_t seq);
/* Whether a commit would write something though nothing was put: what is confirmed, or the place. */
bool lai_spool_is_dirty(const struct lai_spool *spool);

void lai_spool_info(const struct lai_spool *spool, struct la_spool_info *info);
/* What waited in the damaged blocks that were passed over. */
void lai_spool_damaged(const struct lai_spool *spool, uint64_t *records, uint64_t *bytes);

#endif
