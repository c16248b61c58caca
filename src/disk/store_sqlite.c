/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite.c - a store in an SQLite file, where a person looks at the view "records":
 *
 *	SELECT sender, seq, destination, headers, received_at, body FROM records;
 *
 * Below it is the table "record". Its rows lie in the order in which they came, so a batch fills
 * pages one after the other whoever sent it; the primary key (sender, seq) is a small tree beside
 * them. With 1,000 senders that is twice as fast as one tree ordered by the key, which touches a
 * page per sender in each batch; pages of 16 KiB serve bodies of 1 kB better than 4 do. Senders and
 * destinations are numbers there, by the table "name".
 */
#include "disk/store_file.h"
#include "base/error.h"
#include "disk/store_output.h"

#include <errno.h>
#include <stdlib.h>

#define TABLES                                                                                     \
	"CREATE TABLE name(id INTEGER PRIMARY KEY, text NOT NULL UNIQUE);"                         \
	"CREATE TABLE record("                                                                     \
	" sender INTEGER NOT NULL REFERENCES name, seq INTEGER NOT NULL,"                          \
	" destination INTEGER NOT NULL REFERENCES name, headers NOT NULL,"                         \
	" received_us INTEGER NOT NULL, body NOT NULL,"                                            \
	" PRIMARY KEY(sender, seq));"                                                              \
	"CREATE VIEW records AS SELECT"                                                            \
	" sender.text AS sender, seq, destination.text AS destination, headers,"                   \
	" strftime('%Y-%m-%dT%H:%M:%S', received_us / 1000000, 'unixepoch') ||"                    \
	" printf('.%06dZ', received_us % 1000000) AS received_at, body"                            \
	" FROM record JOIN name AS sender ON sender.id = record.sender"                            \
	" JOIN name AS destination ON destination.id = record.destination;"                        \
	"CREATE TRIGGER records_delete INSTEAD OF DELETE ON records BEGIN"                         \
	" DELETE FROM record WHERE seq = OLD.seq"                                                  \
	" AND sender = (SELECT id FROM name WHERE text = OLD.sender); END;"

static const struct lai_store_schema schema = {
	.application_id = 0x6c615374, /* "laSt" */
	.page_bytes = 16384,
	.tables = TABLES,
	.what = "a store of lastack's",
};

#define COLUMN_COUNT 6
/* Rows that one statement inserts: half the time of one row each, and more of them gain nothing. */
#define ROW_COUNT 16
#define ROW "(?, ?, ?, ?, ?, ?)"
#define FOUR_ROWS ROW ", " ROW ", " ROW ", " ROW
#define INSERT "INSERT OR IGNORE INTO record VALUES "

/* Names met lately; a place is taken over by the next name that falls on it. 2 MiB serve some 5,000
   senders at once; who is not found here is looked up in the table. */
#define CACHE_COUNT 16384
#define CACHED_NAME_MAX 108

struct cached {
	int64_t id; /* 0: free */
	uint32_t size;
	char text[CACHED_NAME_MAX];
};

/* A record of the batch, to be brought into the order of the key. */
struct place {
	int64_t sender, seq;
	size_t at;
};

struct sqlite {
	struct lai_store_output output;
	struct lai_store_file file;
	sqlite3_stmt *insert_row, *insert_rows, *measure, *find_name, *insert_name;
	struct cached *cache;
	struct lai_buffer places;
};

static struct sqlite *sqlite_of(struct lai_store_output *output)
{
	return (struct sqlite *)output;
}

/* ---- names -------------------------------------------------------------------------------- */

static int find_name(struct sqlite *sqlite, struct lai_slice name, int64_t *id)
{
	struct lai_database *database = &sqlite->file.database;
	int result, error = 0;

	(void)lai_store_bind(sqlite->find_name, 1, name);
	result = sqlite3_step(sqlite->find_name);
	if (result == SQLITE_ROW)
		*id = sqlite3_column_int64(sqlite->find_name, 0);
	else
		error = result == SQLITE_DONE ? -ENOENT : lai_database_failed(database, result);
	(void)sqlite3_reset(sqlite->find_name);
	if (error != -ENOENT)
		return error;
	(void)lai_store_bind(sqlite->insert_name, 1, name);
	error = lai_database_step(database, sqlite->insert_name);
	if (!error)
		*id = sqlite3_last_insert_rowid(database->handle);
	return error;
}

static int name_id(struct sqlite *sqlite, struct lai_slice name, int64_t *id)
{
	struct cached *cached = &sqlite->cache[lai_store_hash(name) % CACHE_COUNT];
	int error;

	if (cached->id && lai_slice_equal((struct lai_slice){cached->text, cached->size}, name)) {
		*id = cached->id;
		return 0;
	}
	error = find_name(sqlite, name, id);
	if (!error && name.size > 0 && name.size <= sizeof(cached->text)) {
		cached->id = *id;
		cached->size = (uint32_t)name.size;
		memcpy(cached->text, name.data, name.size);
	}
	return error;
}

/* ---- batches ------------------------------------------------------------------------------ */

static int bind_row(struct sqlite *sqlite, sqlite3_stmt *statement, int row,
		    const struct lai_store_record *record, int64_t sender)
{
	int64_t destination = 0;
	int at = row * COLUMN_COUNT;
	int error = name_id(sqlite, record->destination, &destination);

	if (error)
		return error;
	(void)sqlite3_bind_int64(statement, ++at, sender);
	(void)sqlite3_bind_int64(statement, ++at, (int64_t)record->seq);
	(void)sqlite3_bind_int64(statement, ++at, destination);
	(void)lai_store_bind(statement, ++at, record->headers);
	(void)sqlite3_bind_int64(statement, ++at, (int64_t)record->received_us);
	(void)lai_store_bind(statement, ++at, record->body);
	return 0;
}

/* The bodies of the rows that were inserted last: their numbers follow each other. */
static int count_bytes(struct sqlite *sqlite, int rows, uint64_t *bytes)
{
	struct lai_database *database = &sqlite->file.database;
	int64_t last = sqlite3_last_insert_rowid(database->handle);
	int result;

	if (rows == 0)
		return 0;
	(void)sqlite3_bind_int64(sqlite->measure, 1, last - rows);
	(void)sqlite3_bind_int64(sqlite->measure, 2, last);
	result = sqlite3_step(sqlite->measure);
	if (result == SQLITE_ROW)
		*bytes += (uint64_t)sqlite3_column_int64(sqlite->measure, 0);
	(void)sqlite3_reset(sqlite->measure);
	return result == SQLITE_ROW ? 0 : lai_database_failed(database, result);
}

/* As many rows as the statement has. Which of them were known already is looked at only if any. */
static int insert(struct sqlite *sqlite, sqlite3_stmt *statement, int rows,
		  const struct lai_store_batch *batch, const struct place *place,
		  struct lai_store_counts *counts)
{
	struct lai_database *database = &sqlite->file.database;
	struct lai_store_record record;
	uint64_t bytes = 0;
	int changes, error = 0;

	for (int row = 0; !error && row < rows; row++, place++) {
		size_t at = place->at;

		(void)lai_store_batch_next(batch, &at, &record);
		bytes += record.body.size;
		error = bind_row(sqlite, statement, row, &record, place->sender);
	}
	if (!error)
		error = lai_database_step(database, statement);
	if (error)
		return error;
	changes = sqlite3_changes(database->handle);
	counts->records += (uint64_t)changes;
	counts->duplicate_records += (uint64_t)(rows - changes);
	if (changes < rows)
		return count_bytes(sqlite, changes, &counts->bytes);
	counts->bytes += bytes;
	return 0;
}

/* Of equals the first to come is stored. */
static int compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->sender != b->sender)
		return a->sender < b->sender ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/*
 * The records of 1,000 senders come mixed: sorted, they are stored half as fast again, since each
 * finds its place in the tree of the key beside the one before.
 */
static int sort(struct sqlite *sqlite, const struct lai_store_batch *batch)
{
	struct lai_store_record record;
	struct place place = {0}, *places, *last = NULL;
	size_t next = 0;
	bool sorted = true;
	int error = 0;

	places = (struct place *)(void *)lai_store_buffer_begin(&sqlite->places,
								batch->count * sizeof(place));
	if (!places)
		return -ENOMEM;
	while (!error && lai_store_batch_next(batch, &next, &record)) {
		error = name_id(sqlite, record.sender, &place.sender);
		place.seq = (int64_t)record.seq;
		sorted = sorted && (!last || compare(last, &place) < 0);
		last = (struct place *)(void *)(lai_buffer_data(&sqlite->places) +
						lai_buffer_used(&sqlite->places));
		*last = place;
		lai_buffer_extend(&sqlite->places, sizeof(place));
		place.at = next;
	}
	if (!error && !sorted)
		qsort(places, batch->count, sizeof(*places), compare);
	return error;
}

static int insert_all(struct sqlite *sqlite, const struct lai_store_batch *batch,
		      struct lai_store_counts *counts)
{
	const struct place *place;
	size_t left = batch->count;
	int rows, error = sort(sqlite, batch);

	place = (const struct place *)(const void *)lai_buffer_data(&sqlite->places);
	for (; !error && left > 0; left -= (size_t)rows, place += rows) {
		rows = left >= ROW_COUNT ? ROW_COUNT : 1;
		error = insert(sqlite, rows > 1 ? sqlite->insert_rows : sqlite->insert_row, rows,
			       batch, place, counts);
	}
	return error;
}

static int failed(struct sqlite *sqlite, int error)
{
	return lai_error(&sqlite->output.why, error, "%s",
			 sqlite->file.database.why ? sqlite->file.database.why : strerror(-error));
}

/* ---- the file ------------------------------------------------------------------------------ */

static int prepare(struct sqlite *sqlite)
{
	struct lai_database *database = &sqlite->file.database;
	int error = lai_database_prepare(database, &sqlite->insert_row, INSERT ROW);

	if (!error)
		error = lai_database_prepare(database, &sqlite->insert_rows,
					     INSERT FOUR_ROWS ", " FOUR_ROWS ", " FOUR_ROWS
							      ", " FOUR_ROWS);
	if (!error)
		error = lai_database_prepare(database, &sqlite->measure,
					     "SELECT sum(length(CAST(body AS BLOB))) FROM record"
					     " WHERE rowid > ? AND rowid <= ?");
	if (!error)
		error = lai_database_prepare(database, &sqlite->find_name,
					     "SELECT id FROM name WHERE text = ?");
	if (!error)
		error = lai_database_prepare(database, &sqlite->insert_name,
					     "INSERT INTO name(text) VALUES(?)");
	return error;
}

static void forget_names(struct sqlite *sqlite)
{
	memset(sqlite->cache, 0, CACHE_COUNT * sizeof(*sqlite->cache));
}

/* The next look opens it anew. */
static int unusable(struct sqlite *sqlite, int error)
{
	error = failed(sqlite, error);
	lai_database_close(&sqlite->file.database);
	return error;
}

static int sqlite_look(struct lai_store_output *output)
{
	struct sqlite *sqlite = sqlite_of(output);
	bool is_new = false;
	int error = lai_store_file_look(&sqlite->file, &is_new, &output->notice, &output->why);

	if (!is_new)
		return error;
	forget_names(sqlite);
	error = prepare(sqlite);
	return error ? unusable(sqlite, error) : 0;
}

static int insert_batch(struct sqlite *sqlite, const struct lai_store_batch *batch,
			struct lai_store_counts *counts)
{
	int error = lai_store_file_begin(&sqlite->file);

	if (!error)
		error = insert_all(sqlite, batch, counts);
	if (!error)
		error = lai_store_file_commit(&sqlite->file);
	if (!error)
		return 0;
	error = failed(sqlite, error);
	lai_store_file_rollback(&sqlite->file);
	/* Names that the transaction had made are gone with it. */
	forget_names(sqlite);
	return error;
}

static int sqlite_write(struct lai_store_output *output, const struct lai_store_batch *batch,
			struct lai_store_counts *counts)
{
	struct sqlite *sqlite = sqlite_of(output);
	struct lai_store_counts sum = *counts;
	int error = sqlite_look(output);

	if (!error)
		error = insert_batch(sqlite, batch, &sum);
	if (!error)
		error = lai_store_file_look_back(&sqlite->file, &output->why);
	if (!error)
		*counts = sum;
	return error;
}

/* What was in a file that was moved meanwhile is durable since it was completed. */
static int sqlite_sync(struct lai_store_output *output)
{
	struct sqlite *sqlite = sqlite_of(output);
	int error = sqlite->file.database.handle ? lai_database_sync(&sqlite->file.database) : 0;

	return error ? failed(sqlite, error) : 0;
}

/* A file that is moved, copied or backed up while nothing comes is complete. */
static void sqlite_settle(struct lai_store_output *output)
{
	lai_store_file_settle(&sqlite_of(output)->file);
}

static void sqlite_close(struct lai_store_output *output)
{
	struct sqlite *sqlite = sqlite_of(output);

	lai_store_file_close(&sqlite->file);
	free(sqlite->cache);
	lai_buffer_done(&sqlite->places);
	free(output->why);
	free(output->notice);
	free(sqlite);
}

static const struct lai_store_output_kind kind = {
	.write = sqlite_write,
	.sync = sqlite_sync,
	.reopen = sqlite_look,
	.settle = sqlite_settle,
	.close = sqlite_close,
};

int lai_store_sqlite_open(struct lai_store_output **output,
			  const struct lai_store_settings *settings, char **error)
{
	struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
	int result = -ENOMEM;

	*error = NULL;
	if (!sqlite)
		return result;
	sqlite->output.kind = &kind;
	sqlite->cache = calloc(CACHE_COUNT, sizeof(*sqlite->cache));
	if (sqlite->cache)
		result = lai_store_file_open(&sqlite->file, settings->into, settings->vfs,
					     settings->durability, &schema, error);
	if (!result) {
		result = prepare(sqlite);
		if (result) {
			(void)failed(sqlite, result);
			(void)lai_error_pass(error, result, &sqlite->output.why);
		}
	}
	if (result)
		sqlite_close(&sqlite->output);
	else
		*output = &sqlite->output;
	return result;
}
