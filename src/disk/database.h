/* SPDX-License-Identifier: MIT */
/* database.h - SQLite as the spool and the store use it: one connection, prepared statements, errors
 * as negative errno values with a sentence. */
#ifndef LAI_DISK_DATABASE_H
#define LAI_DISK_DATABASE_H

#include <lastack/spool.h>

#include <sqlite3.h>

struct lai_database {
	sqlite3 *handle;
	char *why; /* of the last failure: a sentence; NULL: none */
};

/*
 * Opens or creates path (mode 0600) in WAL mode. vfs: NULL, or the name of a registered one (the
 * simulator's disk). durability: full = synchronous FULL (a commit waits for the disk), others =
 * synchronous OFF: the owner calls lai_database_sync() when it wants. 0, or a negative errno with
 * database->why: -EBADMSG: not a database, or damaged; -EBUSY: locked by another; -ENOSPC ...
 */
int lai_database_open(struct lai_database *database, const char *path, const char *vfs,
		      enum la_durability durability);
void lai_database_close(struct lai_database *database); /* zeroed is fine */

/* Runs statements without results. 0, or a negative errno with why. */
int lai_database_run(struct lai_database *database, const char *sql);
int lai_database_prepare(struct lai_database *database, sqlite3_stmt **statement, const char *sql);
/* Steps a statement that returns no row, and resets it. */
int lai_database_step(struct lai_database *database, sqlite3_stmt *statement);
/* Makes everything committed so far survive loss of power. */
int lai_database_sync(struct lai_database *database);
/* The negative errno of an SQLite result code; notes why. */
int lai_database_failed(struct lai_database *database, int result);

#endif
