/* SPDX-License-Identifier: MIT */
#include "disk/store_file.h"

#include "base/error.h"
#include "base/utf8.h"
#include "disk/store_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the WAL before it goes back into the file: the fewer times, the fewer pages are written twice;
   a checkpoint of so much takes some 50 ms, in which no batch is stored. */
#define CHECKPOINT_BYTES (16u << 20)

/* ---- values ------------------------------------------------------------------------------- */

int lai_store_bind(sqlite3_stmt *statement, int place, struct lai_slice bytes)
{
	const char *data = bytes.size > 0 ? bytes.data : "";

	if (lai_utf8_is_text(bytes.data, bytes.size))
		return sqlite3_bind_text64(statement, place, data, bytes.size, SQLITE_STATIC,
					   SQLITE_UTF8);
	return sqlite3_bind_blob64(statement, place, data, bytes.size, SQLITE_STATIC);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int number(struct lai_database *database, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement;
	int error = lai_database_prepare(database, &statement, sql);

	if (error)
		return error;
	if (sqlite3_step(statement) == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	else
		error = lai_database_failed(database, sqlite3_errcode(database->handle));
	(void)sqlite3_finalize(statement);
	return error;
}

/* The size of a page can be chosen only outside WAL, and by writing the (empty) file anew. */
static int create(struct lai_database *database, const struct lai_store_schema *schema)
{
	char sql[256];
	int error;

	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA journal_mode=DELETE; PRAGMA page_size=%" PRIu32 "; VACUUM;"
		       "PRAGMA journal_mode=WAL",
		       schema->page_bytes);
	error = lai_database_run(database, sql);
	if (!error)
		error = lai_database_run(database, "BEGIN IMMEDIATE");
	if (!error)
		error = lai_database_run(database, schema->tables);
	(void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%" PRIu32 "; COMMIT",
		       schema->application_id);
	return error ? error : lai_database_run(database, sql);
}

static int check_or_create(struct lai_store_file *file, const struct lai_store_schema *schema,
			   char **error)
{
	struct lai_database *database = &file->database;
	int64_t tables = 0, application_id = 0;
	char what[128];
	int result = number(database, "SELECT count(*) FROM sqlite_schema", &tables);

	/* SQLite is content with reading where it may not write. */
	if (!result && sqlite3_db_readonly(database->handle, "main") != 0)
		return lai_error(error, -EROFS, "%s: %s", file->path,
				 "it cannot be written, only read");
	if (!result)
		result = number(database, "PRAGMA application_id", &application_id);
	if (!result && tables == 0)
		result = create(database, schema);
	else if (!result && application_id != (int64_t)schema->application_id) {
		(void)snprintf(what, sizeof(what),
			       "this is an SQLite database of another kind, not %s", schema->what);
		return lai_error(error, -EBADMSG, "%s: %s", file->path, what);
	}
	return result ? lai_error_pass(error, result, &file->database.why) : 0;
}

/*
 * SQLite counts its cache in pages, and goes on with the number it had when the pages of a new file
 * become larger: four times the memory (measured: 64 MiB for 16). Saying the size again mends that.
 */
static int tune(struct lai_store_file *file, char **error)
{
	int64_t page_bytes = 0, cache = 0;
	char sql[96];
	int result = number(&file->database, "PRAGMA page_size", &page_bytes);

	if (!result)
		result = number(&file->database, "PRAGMA cache_size", &cache);
	if (!result && page_bytes > 0) {
		(void)snprintf(sql, sizeof(sql),
			       "PRAGMA wal_autocheckpoint=%" PRId64 "; PRAGMA cache_size=%" PRId64,
			       (int64_t)CHECKPOINT_BYTES / page_bytes, cache);
		result = lai_database_run(&file->database, sql);
	}
	return result ? lai_error_pass(error, result, &file->database.why) : 0;
}

/* SQLite removes the log of a file that is not there without a word. */
static int refuse_orphan(const struct lai_store_file *file, char **error)
{
	char *log;
	struct stat status;
	bool orphan;

	if (stat(file->path, &status) == 0 ? status.st_size > 0 : errno != ENOENT)
		return 0;
	if (asprintf(&log, "%s-wal", file->path) < 0)
		return -ENOMEM;
	orphan = stat(log, &status) == 0 && status.st_size > 0;
	free(log);
	if (!orphan)
		return 0;
	return lai_error(error, -ENOENT,
			 "%s: it is not there, but %s-wal is, with records of a file that was "
			 "moved away: mv %s-wal NEWNAME-wal completes that; if it was removed, "
			 "remove this too",
			 file->path, file->path, file->path);
}

/* That nobody exchanged it while SQLite opened it. */
static int remember_place(struct lai_store_file *file, char **error)
{
	int moved = 0;

	if (file->place_fd >= 0)
		(void)close(file->place_fd);
	file->place_fd = open(file->path, O_PATH | O_CLOEXEC);
	if (file->place_fd < 0)
		return lai_error(error, -errno, "%s: %s", file->path, strerror(errno));
	(void)sqlite3_file_control(file->database.handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved ? lai_error(error, -ESTALE, "%s: it was moved away just now", file->path) : 0;
}

static int open_database(struct lai_store_file *file, const char *vfs, char **error)
{
	int result = vfs ? 0 : refuse_orphan(file, error);

	if (result)
		return result;
	result = lai_database_open(&file->database, file->path, vfs, file->durability);
	if (result)
		return lai_error_pass(error, result, &file->database.why);
	result = check_or_create(file, file->schema, error);
	if (!result)
		result = tune(file, error);
	if (!result && !vfs)
		result = remember_place(file, error);
	return result;
}

int lai_store_file_open(struct lai_store_file *file, const char *path, const char *vfs,
			enum la_durability durability, const struct lai_store_schema *schema,
			char **error)
{
	int result;

	*file = (struct lai_store_file){
		.place_fd = -1,
		.path = strdup(path),
		.schema = schema,
		.durability = durability,
	};
	*error = NULL;
	if (!file->path)
		return -ENOMEM;
	result = vfs ? 0 : lai_lock_take(&file->lock, path, "stores there", error);
	if (!result)
		result = open_database(file, vfs, error);
	if (result)
		lai_store_file_close(file);
	return result;
}

/* ---- where it is -------------------------------------------------------------------------- */

static enum lai_store_place place_of(const struct lai_store_file *file)
{
	return file->place_fd < 0 ? LAI_STORE_THERE
				  : lai_store_place(file->place_fd, AT_FDCWD, file->path, true);
}

/*
 * All that was committed goes into the file itself. SQLite looks for the log by the name that it
 * opened, and when that leads elsewhere it closes a file without a checkpoint: whoever opens the
 * moved file then finds nothing. A reader in the midst of a transaction may hinder it.
 */
static int complete(struct lai_store_file *file)
{
	return lai_database_failed(
		&file->database, sqlite3_wal_checkpoint_v2(file->database.handle, NULL,
							   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

void lai_store_file_settle(struct lai_store_file *file)
{
	if (file->database.handle && file->place_fd >= 0)
		(void)complete(file);
}

/*
 * The log of a file that was moved or removed, if it is empty: else it is not ours,
 * but of a server that was there meanwhile. Its index goes only when no file is beside it which
 * somebody could be reading by it.
 */
static void remove_log(struct lai_store_file *file, const char *log)
{
	struct stat status;
	char *index;

	if (!lai_lock_is_ours(&file->lock))
		return;
	if (stat(log, &status) == 0 && status.st_size == 0)
		(void)unlink(log);
	if (stat(file->path, &status) == 0 || errno != ENOENT)
		return;
	if (asprintf(&index, "%.*sshm", (int)(strlen(log) - strlen("wal")), log) < 0)
		return;
	(void)unlink(index);
	free(index);
}

static void close_database(struct lai_store_file *file)
{
	const char *name;
	char *log = NULL;

	if (file->place_fd >= 0 && place_of(file) != LAI_STORE_THERE) {
		name = sqlite3_db_filename(file->database.handle, "main");
		log = name && *name ? strdup(sqlite3_filename_wal(name)) : NULL;
	}
	lai_database_close(&file->database);
	if (log)
		remove_log(file, log);
	free(log);
	if (file->place_fd >= 0)
		(void)close(file->place_fd);
	file->place_fd = -1;
}

/* The lock goes last: until then the database is ours. */
void lai_store_file_close(struct lai_store_file *file)
{
	if (file->database.handle) {
		lai_store_file_settle(file);
		close_database(file);
	}
	lai_database_close(&file->database);
	lai_lock_release(&file->lock);
	free(file->path);
	*file = (struct lai_store_file){.place_fd = -1};
}

static int lock_again(struct lai_store_file *file, char **error)
{
	struct lai_lock lock = {0};
	int result;

	if (lai_lock_is_ours(&file->lock))
		return 0;
	result = lai_lock_take(&lock, file->path, "stores there", error);
	if (result)
		return result;
	lai_lock_release(&file->lock);
	file->lock = lock;
	return 0;
}

/* The old file first: whoever has the name now, that one is ours. */
static int leave(struct lai_store_file *file, enum lai_store_place place, char **notice,
		 char **error)
{
	int result = complete(file);

	if (result)
		return lai_error_pass(error, result, &file->database.why);
	result = lock_again(file, error);
	if (result)
		return result;
	lai_store_place_tell(notice, place, file->path);
	close_database(file);
	return 0;
}

int lai_store_file_look(struct lai_store_file *file, bool *is_new, char **notice, char **error)
{
	enum lai_store_place place = place_of(file);
	int result;

	if (!file->lock.path)
		return 0;
	if (file->database.handle && place == LAI_STORE_THERE)
		return lock_again(file, error);
	result =
		file->database.handle ? leave(file, place, notice, error) : lock_again(file, error);
	if (!result) {
		result = open_database(file, NULL, error);
		if (result)
			close_database(file);
		else
			*is_new = true;
	}
	if (result && place != LAI_STORE_THERE)
		return lai_error(error, result, "%s %s: %s", file->path,
				 lai_store_place_words(place), *error ? *error : "out of memory");
	return result;
}

int lai_store_file_look_back(struct lai_store_file *file, char **error)
{
	int result = 0;

	switch (place_of(file)) {
	case LAI_STORE_THERE: break;
	case LAI_STORE_MOVED: result = complete(file); break;
	case LAI_STORE_REMOVED:
		return lai_error(error, -ESTALE, "%s: it was removed while it was written",
				 file->path);
	}
	return result ? lai_error_pass(error, result, &file->database.why) : 0;
}

/* ---- transactions ------------------------------------------------------------------------- */

int lai_store_file_begin(struct lai_store_file *file)
{
	return lai_database_run(&file->database, "BEGIN IMMEDIATE");
}

int lai_store_file_commit(struct lai_store_file *file)
{
	return lai_database_run(&file->database, "COMMIT");
}

/* Some errors end the transaction by themselves. The first failure's sentence stays. */
void lai_store_file_rollback(struct lai_store_file *file)
{
	if (file->database.handle && !sqlite3_get_autocommit(file->database.handle))
		(void)sqlite3_exec(file->database.handle, "ROLLBACK", NULL, NULL, NULL);
}
