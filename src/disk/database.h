/* SPDX-License-Identifier: MIT */
/*
 * database.h - SQLite as the spool and the store use it: one connection, prepared statements,
 * errors as negative errno values with a sentence.
 *
 *      durability    commit                   checkpoint (WAL -> file)     after loss of power
 *      full          waits for the disk       waits for the disk           all that was committed
 *      batch         page cache               waits for the disk           up to the last sync
 *      none          page cache               page cache                   perhaps a damaged file
 */
#ifndef LAI_DISK_DATABASE_H
#define LAI_DISK_DATABASE_H

#include <lastack/spool.h>

#include <sqlite3.h>

struct lai_database {
	sqlite3 *handle; /* NULL: not open */
	char *why;	 /* of the last failure: a sentence; NULL: none */
	char *path;
	enum la_durability durability;
};

/*
 * Opens or creates path (mode 0600) in WAL mode. vfs: NULL, or the name of a registered one (the
 * simulator's disk), which is then locked as long as it is open. durability: full = synchronous
 * FULL (a commit waits for the disk); batch = NORMAL, none = OFF: the owner calls
 * lai_database_sync() when it wants. *database need not be initialised. 0, or a negative errno with
 * database->why, to be closed all the same: -EBADMSG: not a database, or damaged; -EBUSY: locked by
 * another; -ENOSPC; -EROFS; -EIO; -EISDIR, -EACCES, -ENOENT and the like: it cannot be opened.
 */
int lai_database_open(struct lai_database *database, const char *path, const char *vfs,
		      enum la_durability durability);
/* Ends its statements as well. Zeroed is fine, and so it is afterwards. */
void lai_database_close(struct lai_database *database);

/* Runs statements without results. 0, or a negative errno with why. */
int lai_database_run(struct lai_database *database, const char *sql);
/* *statement goes with the database, or before by sqlite3_finalize(). */
int lai_database_prepare(struct lai_database *database, sqlite3_stmt **statement, const char *sql);
/* Steps a statement that returns no row, and resets it; its bindings stay. */
int lai_database_step(struct lai_database *database, sqlite3_stmt *statement);
/* Makes everything committed so far survive loss of power. */
int lai_database_sync(struct lai_database *database);
/* The negative errno of an SQLite result code (of the last call on this handle); notes why. */
int lai_database_failed(struct lai_database *database, int result);

#endif
