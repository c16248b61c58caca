/* SPDX-License-Identifier: MIT */
/*
 * A look at a spool from outside: of a sender that is running, of one that has crashed, of a file
 * that is damaged.
 *
 * Nothing is written. Every row is read by a query of its own, so that a sender's log need not wait
 * for us. Where the tree of rows itself is broken, queries from higher and higher numbers on find
 * the other end of the hole.
 */
#include "disk/database.h"
#include "disk/spool_block.h"
#include "disk/spool_inside.h"

#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How long to wait for a sender that is just beginning its log anew. */
#define BUSY_MS 2000

struct look {
	struct lai_database database;
	sqlite3_stmt *next, *data;
	struct la_spool_info info;
	int (*on_record)(void *arg, uint64_t seq, const void *body, size_t size);
	void *arg;
};

/* ---- opening ------------------------------------------------------------------------------- */

static int refuse(struct look *look, int result, const char *sentence)
{
	return lai_error(&look->database.why, result, "%s: %s", look->database.path, sentence);
}

static int check_file(struct look *look, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return refuse(look, -errno, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return refuse(look, -EISDIR, "this is a directory, not a spool");
	if (!S_ISREG(st.st_mode))
		return refuse(look, -EBADMSG, "this is no regular file, and so no spool");
	if (st.st_size == 0)
		return refuse(look, -EBADMSG, "the file is empty, not a spool");
	return 0;
}

/* A log that is not in the file yet. */
static bool has_wal(const char *path)
{
	struct stat st;
	char *wal;
	bool found;

	if (asprintf(&wal, "%s-wal", path) < 0)
		return true;
	found = stat(wal, &st) == 0 && st.st_size > 0;
	free(wal);
	return found;
}

/* To be released with free(); NULL: out of memory. */
static char *uri_of(const char *path, bool immutable)
{
	struct lai_text text = LAI_TEXT_INIT(65536);
	char *uri = NULL;

	lai_text_append(&text, "file:%s", path[0] == '/' ? "" : "./");
	for (const char *at = path; *at; at++) {
		bool plain = isalnum((unsigned char)*at) || strchr("/._-", *at);

		lai_text_append(&text, plain ? "%c" : "%%%02X", (unsigned char)*at);
	}
	lai_text_append(&text, "?mode=ro%s", immutable ? "&immutable=1" : "");
	if (lai_text_steal(&text, &uri) != 0)
		lai_text_done(&text);
	return uri;
}

/*
 * A file that nobody writes and that has no log is opened as one that cannot change: SQLite would
 * make siblings of it otherwise. writable_schema: go on where a truncated file would be refused.
 */
static int open_database(struct look *look, const char *path)
{
	bool immutable = !look->info.in_use && !has_wal(path);
	char *uri = uri_of(path, immutable);
	int result;

	if (!uri)
		return -ENOMEM;
	result = sqlite3_open_v2(uri, &look->database.handle,
				 SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE,
				 NULL);
	free(uri);
	if (result != SQLITE_OK)
		return lai_database_failed(&look->database, result);
	(void)sqlite3_busy_timeout(look->database.handle, BUSY_MS);
	return lai_database_run(&look->database, "PRAGMA writable_schema=ON");
}

static int check_kind(struct look *look)
{
	sqlite3_stmt *statement = NULL;
	int64_t id = 0;
	int result, error;

	error = lai_database_prepare(&look->database, &statement, "PRAGMA application_id");
	if (error)
		return error;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		id = sqlite3_column_int64(statement, 0);
	else
		error = lai_database_failed(&look->database, result);
	(void)sqlite3_finalize(statement);
	if (!error && id != LAI_SPOOL_APPLICATION_ID)
		return refuse(look, -EBADMSG,
			      "this is an SQLite database of something else, not a spool");
	return error;
}

static int prepare(struct look *look)
{
	int error = lai_database_prepare(&look->database, &look->next,
					 "SELECT first_seq, last_seq, records, bytes, crc32c"
					 " FROM block WHERE first_seq > ?1"
					 " ORDER BY first_seq LIMIT 1");

	if (!error)
		error = lai_database_prepare(&look->database, &look->data,
					     "SELECT data FROM block WHERE first_seq = ?1");
	return error;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Whether this means that a part cannot be read, and another may. */
static bool is_damage(int result)
{
	switch (result & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_IOERR: return true;
	default: return false;
	}
}

/* A row that cannot be read: all records count as waiting, which delivers some twice rather than
   none. */
static int read_state(struct look *look)
{
	struct la_spool_info *info = &look->info;
	sqlite3_stmt *statement = NULL;
	int error, result;

	error = lai_database_prepare(&look->database, &statement,
				     "SELECT sender, accepted_seq, confirmed_seq, dropped_records,"
				     " dropped_bytes, place FROM spool");
	if (error)
		return error;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		const unsigned char *sender = sqlite3_column_text(statement, 0), *place;

		(void)snprintf(info->sender, sizeof(info->sender), "%s",
			       sender ? (const char *)sender : "");
		info->accepted_seq = (uint64_t)sqlite3_column_int64(statement, 1);
		info->confirmed_seq = (uint64_t)sqlite3_column_int64(statement, 2);
		info->dropped_records = (uint64_t)sqlite3_column_int64(statement, 3);
		info->dropped_bytes = (uint64_t)sqlite3_column_int64(statement, 4);
		place = sqlite3_column_text(statement, 5);
		(void)snprintf(info->place, sizeof(info->place), "%s",
			       place ? (const char *)place : "");
	} else if (is_damage(result)) {
		info->damaged_blocks++;
	} else if (result != SQLITE_DONE) {
		error = lai_database_failed(&look->database, result);
	}
	(void)sqlite3_finalize(statement);
	return error;
}

/* The SQLite result; with SQLITE_ROW *head is the row behind this number. */
static int next_head(struct look *look, uint64_t seq, struct lai_spool_head *head)
{
	int result;

	(void)sqlite3_bind_int64(look->next, 1, (int64_t)seq);
	result = sqlite3_step(look->next);
	if (result == SQLITE_ROW) {
		head->first_seq = (uint64_t)sqlite3_column_int64(look->next, 0);
		head->last_seq = (uint64_t)sqlite3_column_int64(look->next, 1);
		head->records = (uint64_t)sqlite3_column_int64(look->next, 2);
		head->bytes = (uint64_t)sqlite3_column_int64(look->next, 3);
		head->crc = (uint32_t)sqlite3_column_int64(look->next, 4);
		if (head->first_seq <= seq || head->first_seq > INT64_MAX)
			result = SQLITE_CORRUPT; /* rows out of order */
	}
	return result;
}

/*
 * The query fails from seq on. Finds the lowest number from which it does not: first by doubling
 * the step, then by halving what is between.
 */
static uint64_t behind_hole(struct look *look, uint64_t seq)
{
	struct lai_spool_head head;
	uint64_t bad = seq, good = INT64_MAX;

	for (uint64_t step = 1; step < INT64_MAX - seq; step *= 2) {
		int result = next_head(look, seq + step, &head);

		(void)sqlite3_reset(look->next);
		if (!is_damage(result)) {
			good = seq + step;
			break;
		}
		bad = seq + step;
	}
	while (good - bad > 1) {
		uint64_t middle = bad + (good - bad) / 2;
		int result = next_head(look, middle, &head);

		(void)sqlite3_reset(look->next);
		if (is_damage(result))
			bad = middle;
		else
			good = middle;
	}
	return good;
}

static int show_records(struct look *look, const uint8_t *data, size_t size)
{
	struct la_spool_info *info = &look->info;
	struct lai_spool_record record;
	size_t offset = 0;

	while ((offset = lai_spool_record_at(data, size, offset, &record))) {
		int stop = 0;

		if (record.seq <= info->confirmed_seq)
			continue;
		if (info->records++ == 0)
			info->first_seq = record.seq;
		info->last_seq = record.seq;
		info->bytes += record.size;
		if (look->on_record)
			stop = look->on_record(look->arg, record.seq, record.body, record.size);
		if (stop)
			return stop;
	}
	return 0;
}

static int show_block(struct look *look, const struct lai_spool_head *head)
{
	int result, error = 0;

	if (head->last_seq <= look->info.confirmed_seq && head->last_seq >= head->first_seq)
		return 0;
	(void)sqlite3_bind_int64(look->data, 1, (int64_t)head->first_seq);
	result = sqlite3_step(look->data);
	if (result == SQLITE_ROW) {
		const void *data = sqlite3_column_blob(look->data, 0);
		size_t size = (size_t)sqlite3_column_bytes(look->data, 0);

		if (lai_spool_block_whole(head, data, size))
			error = show_records(look, data, size);
		else
			look->info.damaged_blocks++;
	} else if (is_damage(result) || (result == SQLITE_DONE && !look->info.in_use)) {
		look->info.damaged_blocks++;
	} else if (result != SQLITE_DONE) { /* done: confirmed meanwhile */
		error = lai_database_failed(&look->database, result);
	}
	(void)sqlite3_reset(look->data);
	return error;
}

static int show_blocks(struct look *look)
{
	struct lai_spool_head head = {0};
	uint64_t seq = 0;
	int error = 0;

	while (!error) {
		int result = next_head(look, seq, &head);

		(void)sqlite3_reset(look->next);
		if (result == SQLITE_DONE)
			return 0;
		if (result == SQLITE_ROW) {
			seq = head.first_seq;
			error = show_block(look, &head);
		} else if (is_damage(result)) {
			look->info.damaged_blocks++;
			seq = behind_hole(look, seq);
			if (seq == INT64_MAX)
				return 0;
		} else {
			error = lai_database_failed(&look->database, result);
		}
	}
	return error;
}

/* ---- from outside -------------------------------------------------------------------------- */

int la_spool_export(const char *path,
		    int (*on_record)(void *arg, uint64_t seq, const void *body, size_t size),
		    void *arg, struct la_spool_info *info, char **error)
{
	struct look look = {.on_record = on_record, .arg = arg};
	int result = 0;

	if (error)
		*error = NULL;
	look.database.path = strdup(path);
	if (!look.database.path)
		result = -ENOMEM;
	if (!result)
		result = check_file(&look, path);
	if (!result) {
		look.info.in_use = lai_lock_is_held(path);
		result = open_database(&look, path);
	}
	if (!result)
		result = check_kind(&look);
	if (!result)
		result = read_state(&look);
	if (!result)
		result = prepare(&look);
	if (!result)
		result = show_blocks(&look);
	if (!result && info)
		*info = look.info;
	if (result < 0)
		(void)lai_error_pass(error, result, &look.database.why);
	lai_database_close(&look.database);
	return result;
}

int la_spool_inspect(const char *path, struct la_spool_info *info, char **error)
{
	return la_spool_export(path, NULL, NULL, info, error);
}
