/* SPDX-License-Identifier: MIT */
/*
 * store_known.h - which records are stored already, as runs of numbers in an SQLite table:
 *
 *      sender "a":   1 ============ 4711      4713 == 4720
 *
 * A sender who loses nothing has one run, which grows; so a batch costs one row per sender, not one
 * per record. Runs are changed in memory and written with lai_store_known_flush(), within the
 * transaction that makes the records count as stored.
 */
#ifndef LAI_DISK_STORE_KNOWN_H
#define LAI_DISK_STORE_KNOWN_H

#include "disk/store_file.h"

/* first is the smallest number of the run. */
#define LAI_STORE_KNOWN_TABLE                                                                      \
	"CREATE TABLE run(sender NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"         \
	" PRIMARY KEY(sender, first)) WITHOUT ROWID;"

struct lai_store_run;

struct lai_store_known {
	struct lai_database *database;
	sqlite3_stmt *before, *after, *write, *remove;
	struct lai_store_run *runs; /* those in use lately */
};

int lai_store_known_init(struct lai_store_known *known, struct lai_database *database);
/* Before the database is closed; zeroed is fine. */
void lai_store_known_done(struct lai_store_known *known);

/* Notes the record. 0; -EEXIST: it was known already; or another negative errno. */
int lai_store_known_add(struct lai_store_known *known, struct lai_slice sender, uint64_t seq);
int lai_store_known_flush(struct lai_store_known *known);
/* After a rollback: back to what the table says. */
void lai_store_known_forget(struct lai_store_known *known);

#endif
