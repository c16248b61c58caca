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
 */
#ifndef LAI_DISK_STORE_H
#define LAI_DISK_STORE_H

#include "base/slice.h"

#include <lastack/spool.h>

struct lai_store;

struct lai_store_record {
	struct lai_slice sender; /* with seq: what the record is known by; a second one is dropped */
	uint64_t seq;
	struct lai_slice destination;
	struct lai_slice headers; /* "name:value\n" each, unescaped; all but the protocol's own */
	uint64_t received_us;	  /* since 1970 */
	struct lai_slice body;
};

struct lai_store_settings {
	const char *into;	/* as la_server_config.into */
	int output;		/* descriptor of "-" */
	uint64_t rotate_bytes;
	uint64_t buffer_bytes;	/* of records in all batches */
	enum la_durability durability;
	bool no_thread; /* write within lai_store_submit(): for the simulator */
	const char *vfs;
};

struct lai_store_counts {
	uint64_t records, bytes;     /* stored */
	uint64_t duplicate_records;  /* known already, and confirmed again */
	uint64_t batches;	     /* written */
};

/* 0, or a negative errno with *error, a sentence, to be released with free(). */
int lai_store_open(struct lai_store **store, const struct lai_store_settings *settings,
		   char **error);
/* Waits for what was submitted, as long as it can be written. NULL is fine. */
void lai_store_close(struct lai_store *store);

/* Copies the record into the present batch; its ticket is in *ticket. -EAGAIN: buffer_bytes are
   full, read nothing more; -EMSGSIZE: longer than buffer_bytes; -ENOMEM. */
int lai_store_put(struct lai_store *store, const struct lai_store_record *record,
		  uint64_t *ticket);
/* Hands the present batch over, if it is not empty and the thread has taken the one before. Call it
   once a turn. true: it was handed over, or there was nothing. */
bool lai_store_submit(struct lai_store *store);
/* Batches up to this ticket are stored. */
uint64_t lai_store_stored(const struct lai_store *store);
/* Whether lai_store_put() would find room for this many bytes of body. */
bool lai_store_has_room(const struct lai_store *store, size_t size);
/* Polls readable when stored has grown, or the store begins or ceases to wait; -1: no thread. */
int lai_store_fd(const struct lai_store *store);
/* Empties that descriptor; asks for the news. */
void lai_store_take_news(struct lai_store *store);
/* NULL: all is well. Else a sentence: why it cannot write now; it is trying again. */
const char *lai_store_trouble(const struct lai_store *store);
/* Without a thread: tries a waiting batch again. */
void lai_store_retry(struct lai_store *store);
/* Opens files anew, after a rotation from outside (DIR). */
void lai_store_reopen(struct lai_store *store);
void lai_store_counts(const struct lai_store *store, struct lai_store_counts *counts);

#endif
