/* SPDX-License-Identifier: MIT */
#include "disk/database.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a commit may wait for a stranger's write transaction. Its caller is an event loop that
   tries again later anyway. */
#define BUSY_MS 200

/*
 * Pragmas of every connection. Debian's SQLite overwrites with zeros what is deleted, unless told
 * not to. No mmap: a file that somebody truncates would be SIGBUS. The WAL goes back to the file
 * after 4,096 pages (16 MiB) and never stays longer than twice that.
 */
#define PRAGMAS                                                                                    \
	"PRAGMA journal_mode=WAL;"                                                                 \
	"PRAGMA secure_delete=OFF;"                                                                \
	"PRAGMA mmap_size=0;"                                                                      \
	"PRAGMA temp_store=MEMORY;"                                                                \
	"PRAGMA cache_size=-16384;"                                                                \
	"PRAGMA wal_autocheckpoint=4096;"                                                          \
	"PRAGMA journal_size_limit=33554432;"

static const char *const synchronous[] = {
	[LA_DURABILITY_FULL] = "PRAGMA synchronous=FULL",
	[LA_DURABILITY_BATCH] = "PRAGMA synchronous=NORMAL",
	[LA_DURABILITY_NONE] = "PRAGMA synchronous=OFF",
};

/* ---- errors ------------------------------------------------------------------------------- */

static int note(struct lai_database *database, int error, const char *format, const char *detail)
{
	const char *path = database->path ? database->path : "database";
	char what[256];

	(void)snprintf(what, sizeof(what), format, detail);
	return lai_error(&database->why, error, "%s: %s", path, what);
}

/* What the system said to SQLite's last call; 0 if that was no system call. */
static int system_error(const struct lai_database *database)
{
	return database->handle ? sqlite3_system_errno(database->handle) : 0;
}

static int cannot_open(struct lai_database *database)
{
	int error = system_error(database);

	if (error == ENOSPC || error == EDQUOT)
		return note(database, -ENOSPC, "there is no room on the disk%s", "");
	return note(database, error > 0 ? -error : -EIO, "cannot be opened: %s",
		    error > 0 ? strerror(error) : "SQLite does not say why");
}

static int input_output(struct lai_database *database)
{
	int error = system_error(database);

	if (error == ENOSPC || error == EDQUOT)
		return note(database, -ENOSPC, "there is no room on the disk%s", "");
	return note(database, -EIO, "the disk answers with an error: %s",
		    error > 0 ? strerror(error) : "input/output error");
}

int lai_database_failed(struct lai_database *database, int result)
{
	const char *message =
		database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(result);

	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_FULL: return note(database, -ENOSPC, "there is no room on the disk%s", "");
	case SQLITE_NOTADB: return note(database, -EBADMSG, "this is not an SQLite database%s", "");
	case SQLITE_CORRUPT: return note(database, -EBADMSG, "the file is damaged: %s", message);
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return note(database, -EBUSY, "another program has it locked%s", "");
	case SQLITE_READONLY:
		return note(database, -EROFS, "it cannot be written, only read%s", "");
	case SQLITE_CANTOPEN: return cannot_open(database);
	case SQLITE_IOERR: return input_output(database);
	case SQLITE_NOMEM: return note(database, -ENOMEM, "out of memory%s", "");
	case SQLITE_PERM:
	case SQLITE_AUTH: return note(database, -EACCES, "not permitted%s", "");
	case SQLITE_TOOBIG: return note(database, -EMSGSIZE, "too large for a row: %s", message);
	case SQLITE_CONSTRAINT: return note(database, -EEXIST, "%s", message);
	/* A mistake of ours, or tables of another program under our names. */
	default: return note(database, -EBADMSG, "%s", message);
	}
}

/* ---- opening ------------------------------------------------------------------------------ */

/* SQLite gives special meaning to "", ":memory:" and "file:...", none to a path with a slash. */
static char *plain_path(const char *path, const char *vfs)
{
	char *plain;

	if (vfs || path[0] == '/')
		return strdup(path);
	return asprintf(&plain, "./%s", path) < 0 ? NULL : plain;
}

/*
 * SQLite would create it with 0644; its siblings get the mode of the file. An existing file is not
 * even opened: closing it would drop the locks that this process may have on it.
 */
static void create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
}

static int configure(struct lai_database *database, const char *vfs)
{
	int error = 0;

	if (!vfs)
		(void)sqlite3_busy_timeout(database->handle, BUSY_MS);
	else /* before WAL: then it needs no shared memory, which the simulator has not */
		error = lai_database_run(database, "PRAGMA locking_mode=EXCLUSIVE");
	if (!error)
		error = lai_database_run(database, synchronous[database->durability]);
	if (!error)
		error = lai_database_run(database, PRAGMAS);
	return error;
}

int lai_database_open(struct lai_database *database, const char *path, const char *vfs,
		      enum la_durability durability)
{
	char *plain;
	int result;

	*database = (struct lai_database){.durability = durability};
	database->path = strdup(path);
	plain = plain_path(path, vfs);
	if (!database->path || !plain) {
		free(plain);
		return note(database, -ENOMEM, "out of memory%s", "");
	}
	if (!vfs)
		create(plain);
	result = sqlite3_open_v2(plain, &database->handle,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
				 vfs);
	free(plain);
	if (result != SQLITE_OK)
		return lai_database_failed(database, result);
	return configure(database, vfs);
}

void lai_database_close(struct lai_database *database)
{
	sqlite3_stmt *statement;

	while (database->handle && (statement = sqlite3_next_stmt(database->handle, NULL)))
		(void)sqlite3_finalize(statement);
	(void)sqlite3_close(database->handle);
	free(database->path);
	free(database->why);
	*database = (struct lai_database){0};
}

/* ---- statements --------------------------------------------------------------------------- */

int lai_database_run(struct lai_database *database, const char *sql)
{
	int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : lai_database_failed(database, result);
}

int lai_database_prepare(struct lai_database *database, sqlite3_stmt **statement, const char *sql)
{
	int result = sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
					statement, NULL);

	return result == SQLITE_OK ? 0 : lai_database_failed(database, result);
}

int lai_database_step(struct lai_database *database, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);
	int error = result == SQLITE_DONE ? 0 : lai_database_failed(database, result);

	(void)sqlite3_reset(statement);
	return error;
}

/* ---- durability --------------------------------------------------------------------------- */

/* A WAL that nothing was written to is not open yet. */
static int sync_file(struct lai_database *database, int which)
{
	sqlite3_file *file = NULL;
	int result = sqlite3_file_control(database->handle, "main", which, (void *)&file);

	if (result == SQLITE_OK && file && file->pMethods)
		result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	if (result == SQLITE_OK)
		return 0;
	return note(database, -EIO, "fsync says: %s",
		    errno ? strerror(errno) : "input/output error");
}

/* The WAL before the file, into which none has written it durably with synchronous OFF. */
int lai_database_sync(struct lai_database *database)
{
	int error;

	if (database->durability == LA_DURABILITY_FULL)
		return 0;
	errno = 0;
	error = sync_file(database, SQLITE_FCNTL_JOURNAL_POINTER);
	if (!error && database->durability == LA_DURABILITY_NONE)
		error = sync_file(database, SQLITE_FCNTL_FILE_POINTER);
	return error;
}
