/* SPDX-License-Identifier: MIT */
#include "disk/store_file.h"

#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the WAL before it goes back into the file: the fewer times, the fewer pages are written twice;
   a checkpoint of so much takes some 50 ms, in which no batch is stored. */
#define CHECKPOINT_BYTES (16u << 20)

/* ---- text or not -------------------------------------------------------------------------- */

/* The length of the UTF-8 sequence that begins here, 0 if none does (RFC 3629, table in section 4);
   a NUL counts as none. */
static size_t sequence(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max, size;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (at[0] < 0x80)
		return at[0] != 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (at[0] < rows[i].first_min || at[0] > rows[i].first_max)
			continue;
		if (left < rows[i].size || at[1] < rows[i].second_min || at[1] > rows[i].second_max)
			return 0;
		for (size_t j = 2; j < rows[i].size; j++)
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		return rows[i].size;
	}
	return 0;
}

/* Eight bytes at once while they are ASCII and not NUL, which is what most records are. */
static bool is_ascii_word(const unsigned char *at)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return !((word | (word - ones)) & tops);
}

static bool is_text(struct lai_slice bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.data;
	size_t left = bytes.size, size;

	while (left > 0) {
		size = left >= sizeof(uint64_t) && is_ascii_word(at) ? sizeof(uint64_t)
								     : sequence(at, left);
		if (size == 0)
			return false;
		at += size;
		left -= size;
	}
	return true;
}

int lai_store_bind(sqlite3_stmt *statement, int place, struct lai_slice bytes)
{
	const char *data = bytes.size > 0 ? bytes.data : "";

	if (is_text(bytes))
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

int lai_store_file_open(struct lai_store_file *file, const char *path, const char *vfs,
			enum la_durability durability, const struct lai_store_schema *schema,
			char **error)
{
	int result;

	*file = (struct lai_store_file){.path = strdup(path)};
	*error = NULL;
	if (!file->path)
		return -ENOMEM;
	result = vfs ? 0 : lai_lock_take(&file->lock, path, "stores there", error);
	if (!result) {
		result = lai_database_open(&file->database, path, vfs, durability);
		if (result)
			(void)lai_error_pass(error, result, &file->database.why);
	}
	if (!result)
		result = check_or_create(file, schema, error);
	if (!result)
		result = tune(file, error);
	if (result)
		lai_store_file_close(file);
	return result;
}

/* The lock goes last: until then the database is ours. */
void lai_store_file_close(struct lai_store_file *file)
{
	lai_database_close(&file->database);
	lai_lock_release(&file->lock);
	free(file->path);
	*file = (struct lai_store_file){0};
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
	if (!sqlite3_get_autocommit(file->database.handle))
		(void)sqlite3_exec(file->database.handle, "ROLLBACK", NULL, NULL, NULL);
}
