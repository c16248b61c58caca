/* SPDX-License-Identifier: MIT */
/*
 * The rows of a spool.
 *
 *      spool    one row: whose it is, how far, what the quota cost
 *      block    a row per block, by its first number
 *
 * Rows are deleted in the same transaction that notes how far is confirmed; of a block that is
 * confirmed in part table spool alone knows.
 */
#include "disk/spool_inside.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

#define MARK_KIND "PRAGMA application_id=" TEXT(LAI_SPOOL_APPLICATION_ID)
#define MARK_VERSION "PRAGMA user_version=" TEXT(LAI_SPOOL_VERSION)

static const char schema[] = "BEGIN IMMEDIATE;"
			     "CREATE TABLE spool ("
			     " id INTEGER PRIMARY KEY CHECK (id = 1),"
			     " sender TEXT NOT NULL,"
			     " accepted_seq INTEGER NOT NULL,"
			     " confirmed_seq INTEGER NOT NULL,"
			     " next_seq INTEGER NOT NULL,"
			     " reserved_seq INTEGER NOT NULL,"
			     " dropped_records INTEGER NOT NULL,"
			     " dropped_bytes INTEGER NOT NULL,"
			     " boot TEXT NOT NULL,"
			     " place TEXT NOT NULL);"
			     "CREATE TABLE block ("
			     " first_seq INTEGER PRIMARY KEY,"
			     " last_seq INTEGER NOT NULL,"
			     " records INTEGER NOT NULL,"
			     " bytes INTEGER NOT NULL,"
			     " crc32c INTEGER NOT NULL,"
			     " data BLOB NOT NULL);" MARK_KIND ";" MARK_VERSION ";"
			     "COMMIT;";

/* ---- opening ------------------------------------------------------------------------------ */

/* A number that SQL gives; result may be NULL. */
static int number(struct lai_spool *spool, const char *sql, uint64_t *value)
{
	sqlite3_stmt *statement = NULL;
	int error = lai_database_prepare(&spool->database, &statement, sql);
	int result;

	if (error)
		return error;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*value = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		error = lai_database_failed(&spool->database, result);
	(void)sqlite3_finalize(statement);
	return error;
}

static int refuse(struct lai_spool *spool, const char *sentence)
{
	return lai_error(&spool->database.why, -EINVAL, "%s: %s", spool->database.path, sentence);
}

static int check_kind(struct lai_spool *spool)
{
	uint64_t tables = 0, id = 0, version = 0;
	int error = number(spool, "SELECT COUNT(*) FROM sqlite_master", &tables);

	if (!error)
		error = number(spool, "PRAGMA application_id", &id);
	if (!error)
		error = number(spool, "PRAGMA user_version", &version);
	if (error)
		return error;
	if (tables == 0 && (id == 0 || id == LAI_SPOOL_APPLICATION_ID))
		return lai_database_run(&spool->database, schema);
	if (id != LAI_SPOOL_APPLICATION_ID)
		return refuse(spool, "this is an SQLite database of something else, not a spool");
	if (version != LAI_SPOOL_VERSION)
		return refuse(spool, "this spool was made by another version of lastack");
	return 0;
}

int lai_spool_file_open(struct lai_spool *spool)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} statements[] = {
		{&spool->insert, "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
		{&spool->remove_confirmed,
		 "DELETE FROM block WHERE first_seq <= ?1 AND last_seq <= ?1"},
		{&spool->remove_range, "DELETE FROM block WHERE first_seq BETWEEN ?1 AND ?2"},
		{&spool->state_write,
		 "INSERT OR REPLACE INTO spool (id, sender, accepted_seq, confirmed_seq,"
		 " next_seq, reserved_seq, dropped_records, dropped_bytes, boot, place)"
		 " VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
		{&spool->next, "SELECT first_seq, last_seq, records, bytes, crc32c"
			       " FROM block WHERE first_seq > ?1 AND last_seq > ?2"
			       " ORDER BY first_seq LIMIT 1"},
		{&spool->data, "SELECT data FROM block WHERE first_seq = ?1"},
	};
	int error = check_kind(spool);

	for (size_t i = 0; !error && i < sizeof(statements) / sizeof(statements[0]); i++)
		error = lai_database_prepare(&spool->database, statements[i].statement,
					     statements[i].sql);
	return error;
}

/* ---- the state ----------------------------------------------------------------------------- */

static void copy_text(char *to, size_t room, sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	(void)snprintf(to, room, "%s", text ? (const char *)text : "");
}

int lai_spool_file_read_state(struct lai_spool *spool, struct lai_spool_state *state)
{
	sqlite3_stmt *statement = NULL;
	int error = lai_database_prepare(&spool->database, &statement,
					 "SELECT accepted_seq, confirmed_seq, reserved_seq,"
					 " next_seq, dropped_records, dropped_bytes,"
					 " sender, boot, place FROM spool");
	int result;

	if (error)
		return error;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		state->accepted_seq = (uint64_t)sqlite3_column_int64(statement, 0);
		state->confirmed_seq = (uint64_t)sqlite3_column_int64(statement, 1);
		state->reserved_seq = (uint64_t)sqlite3_column_int64(statement, 2);
		state->next_seq = (uint64_t)sqlite3_column_int64(statement, 3);
		state->dropped_records = (uint64_t)sqlite3_column_int64(statement, 4);
		state->dropped_bytes = (uint64_t)sqlite3_column_int64(statement, 5);
		copy_text(state->sender, sizeof(state->sender), statement, 6);
		copy_text(state->boot, sizeof(state->boot), statement, 7);
		copy_text(state->place, sizeof(state->place), statement, 8);
	} else {
		error = result == SQLITE_DONE ? -ENOENT
					      : lai_database_failed(&spool->database, result);
	}
	(void)sqlite3_finalize(statement);
	return error;
}

int lai_spool_file_write_state(struct lai_spool *spool, const struct lai_spool_state *state)
{
	sqlite3_stmt *write = spool->state_write;

	(void)sqlite3_bind_text(write, 1, state->sender, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(write, 2, (int64_t)state->accepted_seq);
	(void)sqlite3_bind_int64(write, 3, (int64_t)state->confirmed_seq);
	(void)sqlite3_bind_int64(write, 4, (int64_t)state->next_seq);
	(void)sqlite3_bind_int64(write, 5, (int64_t)state->reserved_seq);
	(void)sqlite3_bind_int64(write, 6, (int64_t)state->dropped_records);
	(void)sqlite3_bind_int64(write, 7, (int64_t)state->dropped_bytes);
	(void)sqlite3_bind_text(write, 8, state->boot, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(write, 9, state->place, -1, SQLITE_STATIC);
	return lai_database_step(&spool->database, write);
}

/* ---- reading ------------------------------------------------------------------------------ */

int lai_spool_file_count(struct lai_spool *spool, uint64_t *rows, uint64_t *records,
			 uint64_t *bytes)
{
	sqlite3_stmt *statement = NULL;
	int error = lai_database_prepare(
		&spool->database, &statement,
		"SELECT COUNT(*), COALESCE(SUM(records), 0), COALESCE(SUM(bytes), 0)"
		" FROM block WHERE last_seq > ?1");
	int result;

	if (error)
		return error;
	(void)sqlite3_bind_int64(statement, 1, (int64_t)spool->state.confirmed_seq);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		*rows = (uint64_t)sqlite3_column_int64(statement, 0);
		*records = (uint64_t)sqlite3_column_int64(statement, 1);
		*bytes = (uint64_t)sqlite3_column_int64(statement, 2);
	} else {
		error = lai_database_failed(&spool->database, result);
	}
	(void)sqlite3_finalize(statement);
	return error;
}

int lai_spool_file_next(struct lai_spool *spool, uint64_t first_seq, uint64_t seq,
			struct lai_spool_head *head)
{
	sqlite3_stmt *next = spool->next;
	int result, error = -ENOENT;

	(void)sqlite3_bind_int64(next, 1, (int64_t)first_seq);
	(void)sqlite3_bind_int64(next, 2, (int64_t)seq);
	result = sqlite3_step(next);
	if (result == SQLITE_ROW) {
		head->first_seq = (uint64_t)sqlite3_column_int64(next, 0);
		head->last_seq = (uint64_t)sqlite3_column_int64(next, 1);
		head->records = (uint64_t)sqlite3_column_int64(next, 2);
		head->bytes = (uint64_t)sqlite3_column_int64(next, 3);
		head->crc = (uint32_t)sqlite3_column_int64(next, 4);
		error = 0;
	} else if (result != SQLITE_DONE) {
		error = lai_database_failed(&spool->database, result);
	}
	(void)sqlite3_reset(next);
	return error;
}

/* The row as a block; -EBADMSG: it is not what its head says. */
static int block_of_row(struct lai_spool *spool, const struct lai_spool_head *head,
			struct lai_spool_block **block)
{
	const void *data = sqlite3_column_blob(spool->data, 0);
	size_t size = (size_t)sqlite3_column_bytes(spool->data, 0);
	struct lai_spool_block *fresh;

	if (!lai_spool_block_whole(head, data, size))
		return -EBADMSG;
	fresh = lai_spool_block_take(spool, size);
	if (!fresh)
		return -ENOMEM;
	memcpy(fresh->data, data, size);
	fresh->head = *head;
	fresh->size = size;
	*block = fresh;
	return 0;
}

int lai_spool_file_fetch(struct lai_spool *spool, const struct lai_spool_head *head,
			 struct lai_spool_block **block)
{
	int result, error = -EBADMSG;

	(void)sqlite3_bind_int64(spool->data, 1, (int64_t)head->first_seq);
	result = sqlite3_step(spool->data);
	if (result == SQLITE_ROW)
		error = block_of_row(spool, head, block);
	else if (result != SQLITE_DONE)
		error = lai_database_failed(&spool->database, result);
	(void)sqlite3_reset(spool->data);
	return error;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int insert(struct lai_spool *spool, struct lai_spool_block *block)
{
	int error;

	lai_spool_block_seal(block);
	(void)sqlite3_bind_int64(spool->insert, 1, (int64_t)block->head.first_seq);
	(void)sqlite3_bind_int64(spool->insert, 2, (int64_t)block->head.last_seq);
	(void)sqlite3_bind_int64(spool->insert, 3, (int64_t)block->head.records);
	(void)sqlite3_bind_int64(spool->insert, 4, (int64_t)block->head.bytes);
	(void)sqlite3_bind_int64(spool->insert, 5, block->head.crc);
	(void)sqlite3_bind_blob64(spool->insert, 6, block->data, block->size, SQLITE_STATIC);
	error = lai_database_step(&spool->database, spool->insert);
	/* The block may be gone before the next one is bound. */
	(void)sqlite3_clear_bindings(spool->insert);
	return error;
}

/* Numbers of blocks that stay pending were seen by nobody: the next run may give them again. */
struct lai_spool_state lai_spool_file_state(const struct lai_spool *spool,
					    const struct lai_spool_block *last)
{
	const struct lai_spool_block *left = last ? last->next : spool->pending.head;
	struct lai_spool_state state = spool->state;

	state.accepted_seq = last ? last->head.last_seq : spool->committed_seq;
	if (left) {
		state.next_seq = left->head.first_seq;
		memcpy(state.place, spool->place, sizeof(state.place)); /* it stands behind those */
	}
	return state;
}

/* Rows that are confirmed or dropped, and the state that says so. */
static int settle(struct lai_spool *spool, const struct lai_spool_state *state)
{
	int error;

	(void)sqlite3_bind_int64(spool->remove_confirmed, 1, (int64_t)state->confirmed_seq);
	error = lai_database_step(&spool->database, spool->remove_confirmed);
	for (size_t i = 0; !error && i < spool->drop_count; i++) {
		(void)sqlite3_bind_int64(spool->remove_range, 1, (int64_t)spool->drops[i].from);
		(void)sqlite3_bind_int64(spool->remove_range, 2, (int64_t)spool->drops[i].to);
		error = lai_database_step(&spool->database, spool->remove_range);
	}
	return error ? error : lai_spool_file_write_state(spool, state);
}

/* With the pending blocks up to this one; NULL: with none. */
static int transaction(struct lai_spool *spool, const struct lai_spool_block *last)
{
	struct lai_spool_block *block = last ? spool->pending.head : NULL;
	struct lai_spool_state state = lai_spool_file_state(spool, last);
	int error = lai_database_run(&spool->database, "BEGIN IMMEDIATE");

	if (error)
		return error;
	/* Deleted rows make room for new ones. */
	error = settle(spool, &state);
	for (; !error && block; block = block == last ? NULL : block->next)
		error = insert(spool, block);
	if (!error)
		error = lai_database_run(&spool->database, "COMMIT");
	if (!error)
		memcpy(spool->place, state.place, sizeof(state.place));
	/* Not by our function: it would say no, and forget why. SQLite has often done it itself. */
	if (error && !sqlite3_get_autocommit(spool->database.handle))
		(void)sqlite3_exec(spool->database.handle, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

/*
 * What the WAL holds goes back into the file, which lets the WAL begin anew where it has room
 * already; and what is confirmed or dropped leaves its pages to what comes.
 */
void lai_spool_file_make_room(struct lai_spool *spool)
{
	(void)sqlite3_wal_checkpoint_v2(spool->database.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
					NULL, NULL);
	if (spool->dirty && transaction(spool, NULL) == 0)
		spool->drop_count = 0;
}

/* Confirmations alone need not wait for the disk: what is sent twice is known at the other end. */
static int commit_settled(struct lai_spool *spool)
{
	int error = 0, again;

	if (spool->durability == LA_DURABILITY_FULL)
		error = lai_database_run(&spool->database, "PRAGMA synchronous=NORMAL");
	if (!error)
		error = transaction(spool, NULL);
	if (spool->durability == LA_DURABILITY_FULL) {
		again = sqlite3_exec(spool->database.handle, "PRAGMA synchronous=FULL", NULL, NULL,
				     NULL);
		if (!error && again != SQLITE_OK)
			error = lai_database_failed(&spool->database, again);
	}
	return error;
}

int lai_spool_file_commit(struct lai_spool *spool, const struct lai_spool_block *last)
{
	return last ? transaction(spool, last) : commit_settled(spool);
}

void lai_spool_file_unused(struct lai_spool *spool, uint64_t *bytes)
{
	uint64_t pages = 0, page_bytes = 0;

	if (number(spool, "PRAGMA freelist_count", &pages) == 0 &&
	    number(spool, "PRAGMA page_size", &page_bytes) == 0)
		*bytes = pages * page_bytes;
	else
		*bytes = 0;
}

void lai_spool_file_shrink(struct lai_spool *spool, uint64_t bytes)
{
	uint64_t pages = 0, page_bytes = 0;

	if (number(spool, "PRAGMA page_count", &pages) != 0 ||
	    number(spool, "PRAGMA page_size", &page_bytes) != 0 || pages * page_bytes <= bytes)
		return;
	/* Of no rows: a copy of a few pages, and the file is cut at the checkpoint. */
	(void)sqlite3_exec(spool->database.handle, "VACUUM", NULL, NULL, NULL);
	(void)sqlite3_wal_checkpoint_v2(spool->database.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
					NULL, NULL);
}
