/* SPDX-License-Identifier: MIT */
/*
 * store.h - where a server's records go: an SQLite file, a directory, a descriptor.
 *
 *      put -> [ batch being filled ] -> submit -> [ batches on their way ] -> stored
 *                   ticket n                            ...                  ticket <= stored
 *
 * Records are gathered into batches; a thread of the store's own writes a batch and makes it as
 * durable as was asked, one fsync for all of it. The number of the batch is the ticket: a receipt
 * may go out when its ticket is stored. A batch that cannot be written (the disk is full) is kept
 * and tried again; nothing behind it is stored before it.
 *
 * Where they go, by the name:
 *
 *   FILE     SQLite. The view "records" has sender, seq, destination, headers, received_at (ISO
 *            8601, UTC), body. A record that is there is never stored again.
 *            FILE.lock beside it keeps a second server out, and is removed at the end.
 *            A FILE that was moved away (a rotation) is completed and closed, a new one is begun;
 *            that the old one has a record is then forgotten. One that was removed is begun anew.
 *   DIR/     or an existing directory: for each destination a file NAME.log to which each record's
 *            body and a newline are appended (a newline within a body stays as it is). NAME is the
 *            destination with %XX for all but [A-Za-z0-9._-], and for a first "."; "%" if it is
 *            empty; of a long one the first 128 characters, "%~" and 128 bits of its SHA-256. The
 *            batch that takes a file past rotate_bytes is its last: NAME.log becomes
 *            NAME.log.000001 and so on, the next one begins NAME.log. Which records are there, and
 *            how long each file is, stands in DIR/.lastack.db: so none is stored twice, and what a
 *            crash left behind a file's end is cut off. Headers are not kept.
 *            A file that was moved or removed is begun anew. Without DIR nothing is stored.
 *   -        a descriptor: body and newline. A record counts as stored when the kernel has taken it
 *            (a regular file: when durability says so). Nothing is remembered: after a crash, or
 *            when a sender lost a receipt, a record may come twice.
 */
#ifndef LAI_DISK_STORE_H
#define LAI_DISK_STORE_H

#include "base/slice.h"

#include <lastack/spool.h>

struct lai_store;

struct lai_store_record {
	struct lai_slice
		sender; /* with seq: what the record is known by; a second one is dropped */
	uint64_t seq;
	struct lai_slice destination;
	struct lai_slice headers; /* "name:value\n" each, unescaped; all but the protocol's own */
	uint64_t received_us;	  /* since 1970 */
	struct lai_slice body;
};

struct lai_store_settings {
	const char *into; /* as la_server_config.into */
	int output;	  /* descriptor of "-" */
	uint64_t rotate_bytes;
	uint64_t buffer_bytes; /* of records in all batches, with some 50 bytes for each */
	enum la_durability durability;
	bool no_thread;	 /* write within lai_store_submit(): for the simulator */
	const char *vfs; /* of SQLite files: NULL: SQLite's own; else the simulator's disk */
};

struct lai_store_counts {
	uint64_t records, bytes;    /* stored */
	uint64_t duplicate_records; /* known already, and confirmed again */
	uint64_t batches;	    /* written */
};

/*
 * 0, or a negative errno with *error, a sentence, to be released with free(), or NULL (out of
 * memory): -EBUSY: another server stores there; -EBADMSG: a file that is no store, or damaged;
 * -EROFS, -EACCES ...: why it cannot be opened. A FILE is created if there is none, so is a DIR/.
 */
int lai_store_open(struct lai_store **store, const struct lai_store_settings *settings,
		   char **error);
/* Waits for what was submitted, as long as it can be written: a full disk is tried once more, a
   reader of "-" has two seconds for each step. NULL is fine. */
void lai_store_close(struct lai_store *store);

/* Copies the record into the present batch; its ticket is in *ticket. -EAGAIN: buffer_bytes are
   full, read nothing more; -EMSGSIZE: longer than buffer_bytes; -ENOMEM. */
int lai_store_put(struct lai_store *store, const struct lai_store_record *record, uint64_t *ticket);
/* Hands the present batch over, if it is not empty and the thread is done with the one before. Call
   it once a turn. true: it was handed over, or there was nothing. */
bool lai_store_submit(struct lai_store *store);
/* Batches up to this ticket are stored. */
uint64_t lai_store_stored(const struct lai_store *store);
/* Whether lai_store_put() would find room for this many bytes of body; after -EAGAIN not before a
   batch has been stored. */
bool lai_store_has_room(const struct lai_store *store, size_t size);
/* Polls readable when stored has grown, or the store begins or ceases to wait; -1: no thread. */
int lai_store_fd(const struct lai_store *store);
/* Empties that descriptor; asks for the news. */
void lai_store_take_news(struct lai_store *store);
/* NULL: all is well. Else a sentence: why it cannot write now; it is trying again, once a second.
   Or, once, that a file was moved or removed and it goes on with a new one.
   As of the last lai_store_take_news(), and valid until the next one; without a thread as of the
   last submit or retry. */
const char *lai_store_trouble(const struct lai_store *store);
/* The trouble is for good: nobody reads "-" any more. */
bool lai_store_failed(const struct lai_store *store);
/* Without a thread: tries a waiting batch again; durability batch: makes durable what is not yet.
   Call it once a second. */
void lai_store_retry(struct lai_store *store);
/* Looks now, not with the next batch, whether files were moved or removed; opens those of DIR anew. */
void lai_store_reopen(struct lai_store *store);
void lai_store_counts(const struct lai_store *store, struct lai_store_counts *counts);

#endif
