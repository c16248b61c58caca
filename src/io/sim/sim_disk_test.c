/* SPDX-License-Identifier: MIT */
/*
 * The simulated disk: first its bytes, through the VFS as SQLite would use it; then real databases,
 * whose power goes at each single operation.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "io/sim/sim_disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

static struct lai_sim_disk *disk_new(uint64_t seed)
{
	struct lai_sim_disk *disk = NULL;

	assert_int_equal(lai_sim_disk_new(&disk, seed), 0);
	return disk;
}

/* ---- bytes ---- */

struct raw {
	sqlite3_vfs *vfs;
	sqlite3_file *file;
};

static int raw_open(struct raw *raw, struct lai_sim_disk *disk, const char *path, int flags)
{
	int result;

	raw->vfs = sqlite3_vfs_find(lai_sim_disk_vfs(disk));
	assert_non_null(raw->vfs);
	raw->file = calloc(1, (size_t)raw->vfs->szOsFile);
	assert_non_null(raw->file);
	result = raw->vfs->xOpen(raw->vfs, path, raw->file, flags | SQLITE_OPEN_READWRITE, NULL);
	if (result != SQLITE_OK) {
		assert_null(raw->file->pMethods);
		free(raw->file);
		raw->file = NULL;
	}
	return result;
}

static void raw_close(struct raw *raw)
{
	assert_int_equal(raw->file->pMethods->xClose(raw->file), SQLITE_OK);
	free(raw->file);
	raw->file = NULL;
}

static int raw_write(struct raw *raw, char byte, int size, int64_t offset)
{
	char data[16 * SECTOR];

	assert_true((size_t)size <= sizeof(data));
	memset(data, byte, (size_t)size);
	return raw->file->pMethods->xWrite(raw->file, data, size, offset);
}

static int raw_read(struct raw *raw, char *data, int size, int64_t offset)
{
	return raw->file->pMethods->xRead(raw->file, data, size, offset);
}

static int raw_sync(struct raw *raw)
{
	return raw->file->pMethods->xSync(raw->file, SQLITE_SYNC_FULL);
}

static int64_t raw_size(struct raw *raw)
{
	sqlite3_int64 size = -1;

	assert_int_equal(raw->file->pMethods->xFileSize(raw->file, &size), SQLITE_OK);
	return size;
}

static bool raw_exists(struct lai_sim_disk *disk, const char *path)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(lai_sim_disk_vfs(disk));
	int exists = 0;

	assert_int_equal(vfs->xAccess(vfs, path, SQLITE_ACCESS_READWRITE, &exists), SQLITE_OK);
	return exists;
}

static void test_reads_what_was_written(void **state)
{
	struct lai_sim_disk *disk = disk_new(1);
	struct raw raw;
	char data[100];

	(void)state;
	assert_int_equal(raw_open(&raw, disk, "a", 0), SQLITE_CANTOPEN);
	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'x', 50, 10), SQLITE_OK);
	assert_int_equal(raw_size(&raw), 60);
	assert_int_equal(raw_read(&raw, data, 50, 10), SQLITE_OK);
	assert_true(data[0] == 'x' && data[49] == 'x');
	/* Before what was written, and behind the end, are zeros. */
	assert_int_equal(raw_read(&raw, data, 100, 0), SQLITE_IOERR_SHORT_READ);
	assert_true(data[9] == 0 && data[10] == 'x' && data[59] == 'x' && data[60] == 0);
	assert_int_equal(raw.file->pMethods->xTruncate(raw.file, 20), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'y', 1, 40), SQLITE_OK);
	assert_int_equal(raw_read(&raw, data, 41, 0), SQLITE_OK);
	assert_true(data[19] == 'x' && data[20] == 0 && data[40] == 'y');
	assert_int_equal(lai_sim_disk_used(disk), 41);
	raw_close(&raw);
	lai_sim_disk_free(disk);
}

#define SECTORS 8

/* 'o' was synced and 'n' written over it: what each sector is after the loss. */
static void lose_sectors(uint64_t seed, char *outcome)
{
	struct lai_sim_disk *disk = disk_new(seed);
	struct raw raw;
	char data[SECTORS * SECTOR];

	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'o', sizeof(data), 0), SQLITE_OK);
	assert_int_equal(raw_sync(&raw), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'n', sizeof(data), 0), SQLITE_OK);
	lai_sim_disk_power_loss(disk);
	assert_int_equal(raw_read(&raw, data, 1, 0), SQLITE_IOERR_READ);
	assert_int_equal(raw_write(&raw, 'z', 1, 0), SQLITE_IOERR_WRITE);
	assert_int_equal(raw_sync(&raw), SQLITE_IOERR_FSYNC);
	raw_close(&raw);
	assert_int_equal(raw_open(&raw, disk, "a", 0), SQLITE_OK);
	assert_int_equal(raw_read(&raw, data, sizeof(data), 0), SQLITE_OK);
	for (size_t i = 0; i < SECTORS; i++) {
		outcome[i] = data[i * SECTOR];
		assert_true(outcome[i] == 'o' || outcome[i] == 'n');
		for (size_t at = 0; at < SECTOR; at++)
			assert_true(data[i * SECTOR + at] == outcome[i]);
	}
	outcome[SECTORS] = '\0';
	raw_close(&raw);
	lai_sim_disk_free(disk);
}

static void test_sectors_are_whole(void **state)
{
	unsigned all = 0, none = 0, mixed = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		char outcome[SECTORS + 1], again[SECTORS + 1];

		lose_sectors(seed, outcome);
		lose_sectors(seed, again);
		assert_string_equal(outcome, again); /* a seed is an outcome */
		if (!strchr(outcome, 'o'))
			all++;
		else if (!strchr(outcome, 'n'))
			none++;
		else
			mixed++;
	}
	assert_true(all > 0 && none > 0 && mixed > 0);
}

/* Three states of one sector, none synced: each of them can be what is found. */
static void test_drive_writes_back(void **state)
{
	unsigned found[256] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		struct raw raw;
		char byte = 0;

		assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&raw, '1', SECTOR, 0), SQLITE_OK);
		assert_int_equal(raw_sync(&raw), SQLITE_OK);
		assert_int_equal(raw_write(&raw, '2', SECTOR, 0), SQLITE_OK);
		assert_int_equal(raw_write(&raw, '3', SECTOR, 0), SQLITE_OK);
		lai_sim_disk_power_loss(disk);
		raw_close(&raw);
		assert_int_equal(raw_open(&raw, disk, "a", 0), SQLITE_OK);
		assert_int_equal(raw_read(&raw, &byte, 1, 0), SQLITE_OK);
		found[(unsigned char)byte]++;
		raw_close(&raw);
		lai_sim_disk_free(disk);
	}
	assert_true(found['1'] > 0 && found['2'] > 0 && found['3'] > 0);
	assert_int_equal(found['1'] + found['2'] + found['3'], 100);
}

/* Not synced: a new file, a removal, a growth and a cut may each be lost, and may each stay. */
static void test_names_and_sizes(void **state)
{
	unsigned made = 0, removed = 0, old_size = 0, new_size = 0, cut = 0;
	const unsigned rounds = 100;

	(void)state;
	for (uint64_t seed = 0; seed < rounds; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		struct raw raw, cut_raw, new_raw;

		assert_int_equal(raw_open(&raw, disk, "old", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&raw, 'x', 10, 0), SQLITE_OK);
		assert_int_equal(raw_open(&cut_raw, disk, "cut", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&cut_raw, 'x', 10, 0), SQLITE_OK);
		assert_int_equal(raw_open(&new_raw, disk, "gone", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_sync(&raw), SQLITE_OK); /* all three names */
		assert_int_equal(raw_sync(&cut_raw), SQLITE_OK);
		raw_close(&new_raw);
		assert_int_equal(raw_open(&new_raw, disk, "new", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&raw, 'x', 5000, 0), SQLITE_OK);
		assert_int_equal(cut_raw.file->pMethods->xTruncate(cut_raw.file, 3), SQLITE_OK);
		assert_int_equal(raw.vfs->xDelete(raw.vfs, "gone", 0), SQLITE_OK);
		assert_false(raw_exists(disk, "gone"));
		lai_sim_disk_power_loss(disk);
		raw_close(&raw);
		raw_close(&cut_raw);
		raw_close(&new_raw);
		made += raw_exists(disk, "new");
		removed += !raw_exists(disk, "gone");
		assert_int_equal(raw_open(&raw, disk, "old", 0), SQLITE_OK);
		old_size += raw_size(&raw) == 10;
		new_size += raw_size(&raw) == 5000;
		assert_in_range(raw_size(&raw), 10, 5000);
		raw_close(&raw);
		assert_int_equal(raw_open(&raw, disk, "cut", 0), SQLITE_OK);
		cut += raw_size(&raw) == 3;
		assert_true(raw_size(&raw) == 3 || raw_size(&raw) == 10);
		raw_close(&raw);
		lai_sim_disk_free(disk);
	}
	assert_true(made > 0 && made < rounds && removed > 0 && removed < rounds);
	assert_true(old_size > 0 && new_size > 0 && old_size + new_size < rounds);
	assert_true(cut > 0 && cut < rounds);
}

/* Removed and made anew, unsynced: the old file or the new one is found, never a mixture. */
static void test_name_made_anew(void **state)
{
	unsigned old = 0, new = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		struct raw raw;
		char data[4];

		assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&raw, 'o', 4, 0), SQLITE_OK);
		assert_int_equal(raw_sync(&raw), SQLITE_OK);
		raw_close(&raw);
		assert_int_equal(raw.vfs->xDelete(raw.vfs, "a", 0), SQLITE_OK);
		assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_size(&raw), 0);
		lai_sim_disk_power_loss(disk);
		raw_close(&raw);
		assert_int_equal(raw_open(&raw, disk, "a", 0), SQLITE_OK);
		if (raw_size(&raw) == 0) {
			new ++;
		} else {
			assert_int_equal(raw_read(&raw, data, 4, 0), SQLITE_OK);
			assert_memory_equal(data, "oooo", 4);
			old++;
		}
		raw_close(&raw);
		lai_sim_disk_free(disk);
	}
	assert_true(old > 0 && new > 0);
}

static void test_synced_removal(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		struct raw raw;

		assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_sync(&raw), SQLITE_OK);
		assert_int_equal(raw.vfs->xDelete(raw.vfs, "a", 1), SQLITE_OK);
		assert_int_equal(raw.vfs->xDelete(raw.vfs, "a", 1), SQLITE_IOERR_DELETE_NOENT);
		lai_sim_disk_power_loss(disk);
		raw_close(&raw);
		assert_false(raw_exists(disk, "a"));
		lai_sim_disk_free(disk);
	}
}

static void test_crash_loses_nothing(void **state)
{
	struct lai_sim_disk *disk = disk_new(1);
	struct raw raw, other;
	char data[1];

	(void)state;
	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'x', 1, 0), SQLITE_OK);
	assert_int_equal(raw.file->pMethods->xLock(raw.file, SQLITE_LOCK_SHARED), SQLITE_OK);
	assert_int_equal(raw.file->pMethods->xLock(raw.file, SQLITE_LOCK_EXCLUSIVE), SQLITE_OK);
	assert_int_equal(raw_open(&other, disk, "a", 0), SQLITE_OK);
	assert_int_equal(other.file->pMethods->xLock(other.file, SQLITE_LOCK_SHARED), SQLITE_BUSY);
	raw_close(&other);
	lai_sim_disk_crash(disk);
	assert_int_equal(raw_read(&raw, data, 1, 0), SQLITE_IOERR_READ);
	assert_int_equal(raw_open(&other, disk, "a", 0), SQLITE_IOERR);
	raw_close(&raw);
	assert_int_equal(raw_open(&other, disk, "a", 0), SQLITE_OK);
	assert_int_equal(other.file->pMethods->xLock(other.file, SQLITE_LOCK_SHARED), SQLITE_OK);
	assert_int_equal(raw_read(&other, data, 1, 0), SQLITE_OK);
	assert_int_equal(data[0], 'x');
	raw_close(&other);
	lai_sim_disk_free(disk);
}

static void test_no_space(void **state)
{
	struct lai_sim_disk *disk = disk_new(1);
	struct raw raw, other;

	(void)state;
	lai_sim_disk_capacity(disk, 1000);
	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
	assert_int_equal(raw_open(&other, disk, "b", SQLITE_OPEN_CREATE), SQLITE_OK);
	assert_int_equal(raw_write(&raw, 'x', 600, 0), SQLITE_OK);
	assert_int_equal(raw_write(&other, 'x', 600, 0), SQLITE_FULL);
	assert_int_equal(lai_sim_disk_used(disk), 1000);
	assert_int_equal(raw_write(&raw, 'y', 600, 0), SQLITE_OK); /* needs no more room */
	assert_int_equal(raw_write(&raw, 'y', 1, 600), SQLITE_FULL);
	lai_sim_disk_capacity(disk, UINT64_MAX);
	assert_int_equal(raw_write(&other, 'x', 600, 0), SQLITE_OK);
	assert_int_equal(lai_sim_disk_used(disk), 1200);
	assert_int_equal(raw.vfs->xDelete(raw.vfs, "a", 0), SQLITE_OK);
	assert_int_equal(lai_sim_disk_used(disk), 1200); /* it is open */
	raw_close(&raw);
	assert_int_equal(lai_sim_disk_used(disk), 600);
	raw_close(&other);
	lai_sim_disk_free(disk);
}

static void test_nth_fails(void **state)
{
	struct lai_sim_disk *disk = disk_new(1);
	struct raw raw;

	(void)state;
	lai_sim_disk_fail(disk, 1);
	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_IOERR);
	assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
	lai_sim_disk_fail(disk, 2);
	assert_int_equal(raw_write(&raw, 'x', 1, 0), SQLITE_OK);
	assert_int_equal(raw_sync(&raw), SQLITE_IOERR_FSYNC);
	assert_int_equal(lai_sim_disk_syncs(disk), 0);
	assert_int_equal(raw_sync(&raw), SQLITE_OK);
	assert_int_equal(lai_sim_disk_syncs(disk), 1);
	lai_sim_disk_fail(disk, 1);
	lai_sim_disk_fail(disk, 0);
	assert_int_equal(raw_write(&raw, 'x', 1, 0), SQLITE_OK);
	assert_int_equal(lai_sim_disk_operations(disk), 6);
	raw_close(&raw);
	lai_sim_disk_free(disk);
}

static void test_flip(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		char data[12 * SECTOR];
		unsigned changed = 0;
		struct raw raw;

		assert_int_equal(raw_open(&raw, disk, "a", SQLITE_OPEN_CREATE), SQLITE_OK);
		assert_int_equal(raw_write(&raw, 0, sizeof(data), 0), SQLITE_OK);
		lai_sim_disk_flip(disk, "a"); /* nothing is on the medium */
		assert_int_equal(raw_sync(&raw), SQLITE_OK);
		lai_sim_disk_flip(disk, "b");
		lai_sim_disk_flip(disk, "a");
		assert_int_equal(raw_read(&raw, data, sizeof(data), 0), SQLITE_OK);
		for (size_t i = 0; i < sizeof(data); i++) {
			if (data[i]) {
				assert_true(i >= 4096);
				assert_int_equal(__builtin_popcount((unsigned char)data[i]), 1);
				changed++;
			}
		}
		assert_int_equal(changed, 1);
		raw_close(&raw);
		lai_sim_disk_free(disk);
	}
}

/* ---- databases ---- */

static const struct mode {
	const char *pragmas;
	bool durable; /* what was committed is there after a loss of power */
} modes[] = {
	{"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	 "PRAGMA wal_autocheckpoint=8",
	 true},
	{"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
	 "PRAGMA wal_autocheckpoint=8",
	 false},
	{"PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", true},
};

#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))
#define ROWS 12

/* NULL: it cannot be opened now. */
static sqlite3 *database_open(struct lai_sim_disk *disk, const struct mode *mode)
{
	sqlite3 *database = NULL;

	if (sqlite3_open_v2("test.db", &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			    lai_sim_disk_vfs(disk)) == SQLITE_OK &&
	    sqlite3_exec(database, mode->pragmas, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(database,
			 "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body BLOB)", NULL,
			 NULL, NULL) == SQLITE_OK)
		return database;
	(void)sqlite3_close(database);
	return NULL;
}

/* Adds rows in a transaction each; how many were committed. */
static int database_add(sqlite3 *database, int from, int to, int *result)
{
	char sql[128];
	int id = from;

	*result = SQLITE_OK;
	for (; id <= to; id++) {
		(void)snprintf(sql, sizeof(sql),
			       "INSERT INTO t VALUES (%d, cast(printf('%%.3000c', '%c') AS BLOB))",
			       id, 'a' + id % 26);
		*result = sqlite3_exec(database, sql, NULL, NULL, NULL);
		if (*result != SQLITE_OK)
			break;
	}
	return id - from;
}

static int64_t database_number(sqlite3 *database, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return number;
}

/* Rows 1 to n, all of them whole: n. -1: anything else. */
static int64_t database_rows(sqlite3 *database)
{
	int64_t rows = database_number(database, "SELECT count(*) FROM t");

	if (database_number(database,
			    "SELECT integrity_check = 'ok' FROM pragma_integrity_check") != 1 ||
	    database_number(database, "SELECT ifnull(max(id), 0) FROM t") != rows ||
	    database_number(database,
			    "SELECT count(*) FROM t WHERE length(body) = 3000 AND "
			    "replace(cast(body AS TEXT), char(97 + id % 26), '') = ''") != rows)
		return -1;
	return rows;
}

/* What a story with this end leaves: rows that were committed, and rows that are there. */
struct outcome {
	int committed;
	int64_t rows;
};

static struct outcome lose_power_at(const struct mode *mode, uint64_t seed, uint64_t n, bool lie)
{
	struct lai_sim_disk *disk = disk_new(seed);
	struct outcome outcome = {0, 0};
	sqlite3 *database;
	int result;

	lai_sim_disk_lie(disk, lie);
	lai_sim_disk_power_loss_at(disk, n);
	database = database_open(disk, mode);
	if (database)
		outcome.committed = database_add(database, 1, ROWS, &result);
	(void)sqlite3_close(database);
	lai_sim_disk_power_loss_at(disk, 0);
	database = database_open(disk, mode);
	outcome.rows = database ? database_rows(database) : -1;
	(void)sqlite3_close(database);
	lai_sim_disk_free(disk);
	return outcome;
}

/* Operations of the whole story, without any fault. */
static uint64_t operations_of(const struct mode *mode)
{
	struct lai_sim_disk *disk = disk_new(1);
	sqlite3 *database = database_open(disk, mode);
	uint64_t operations;
	int result;

	assert_non_null(database);
	assert_int_equal(database_add(database, 1, ROWS, &result), ROWS);
	assert_int_equal(database_rows(database), ROWS);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	operations = lai_sim_disk_operations(disk);
	lai_sim_disk_free(disk);
	return operations;
}

static void test_power_goes_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODE_COUNT; i++) {
		uint64_t operations = operations_of(&modes[i]);

		assert_true(operations > 50);
		for (uint64_t n = 1; n <= operations; n++) {
			for (uint64_t seed = 0; seed < 4; seed++) {
				struct outcome outcome =
					lose_power_at(&modes[i], n * 1000 + seed, n, false);

				/* The one that was being committed may be there or not. */
				if (modes[i].durable)
					assert_in_range(outcome.rows, outcome.committed,
							outcome.committed + 1);
				else
					assert_in_range(outcome.rows, 0, outcome.committed + 1);
			}
		}
	}
}

static void test_lying_disk(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct outcome outcome = lose_power_at(&modes[0], seed, 60, true);

		lost += outcome.rows < outcome.committed;
	}
	assert_true(lost > 0);
}

static void test_seed_is_a_story(void **state)
{
	unsigned different = 0;
	int64_t first = -2;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct outcome one = lose_power_at(&modes[0], seed, 61, true);
		struct outcome two = lose_power_at(&modes[0], seed, 61, true);

		assert_int_equal(one.committed, two.committed);
		assert_int_equal(one.rows, two.rows);
		different += first != -2 && one.rows != first;
		first = one.rows;
	}
	assert_true(different > 0);
}

static void test_database_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODE_COUNT; i++) {
		struct lai_sim_disk *disk = disk_new(1);
		sqlite3 *database = database_open(disk, &modes[i]);
		int result, rows;

		assert_non_null(database);
		lai_sim_disk_capacity(disk, lai_sim_disk_used(disk) + 60000);
		rows = database_add(database, 1, 1000, &result);
		assert_int_equal(result, SQLITE_FULL);
		assert_in_range(rows, 1, 30);
		assert_int_equal(database_add(database, rows + 1, rows + 1, &result), 0);
		assert_int_equal(result, SQLITE_FULL);
		lai_sim_disk_capacity(disk, UINT64_MAX);
		assert_int_equal(database_add(database, rows + 1, rows + 9, &result), 9);
		assert_int_equal(database_rows(database), rows + 9);
		assert_int_equal(sqlite3_close(database), SQLITE_OK);
		lai_sim_disk_free(disk);
	}
}

/* Any operation fails once: an error is told or nothing is amiss, and no commit is undone. */
static void test_database_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODE_COUNT; i++) {
		uint64_t operations = operations_of(&modes[i]);

		for (unsigned n = 1; n <= operations; n++) {
			struct lai_sim_disk *disk = disk_new(n);
			int result, committed = 0;
			sqlite3 *database;

			lai_sim_disk_fail(disk, n);
			database = database_open(disk, &modes[i]);
			if (database)
				committed = database_add(database, 1, ROWS, &result);
			(void)sqlite3_close(database);
			lai_sim_disk_fail(disk, 0);
			database = database_open(disk, &modes[i]);
			assert_non_null(database);
			assert_in_range(database_rows(database), committed, committed + 1);
			assert_int_equal(sqlite3_close(database), SQLITE_OK);
			lai_sim_disk_free(disk);
		}
	}
}

static void test_database_crash(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODE_COUNT; i++) {
		struct lai_sim_disk *disk = disk_new(i);
		sqlite3 *database;
		int result, rows = 0;

		for (int life = 0; life < 5; life++) {
			database = database_open(disk, &modes[i]);
			assert_non_null(database);
			assert_int_equal(database_rows(database), rows);
			assert_int_equal(database_add(database, rows + 1, rows + 7, &result), 7);
			rows += 7;
			lai_sim_disk_crash(disk);
			assert_int_equal(database_add(database, rows + 1, rows + 1, &result), 0);
			(void)sqlite3_close(database);
		}
		lai_sim_disk_free(disk);
	}
}

static void test_one_owner(void **state)
{
	struct lai_sim_disk *disk = disk_new(1), *elsewhere = disk_new(1);
	sqlite3 *first = database_open(disk, &modes[0]);

	(void)state;
	assert_non_null(first);
	assert_null(database_open(disk, &modes[0]));
	assert_string_not_equal(lai_sim_disk_vfs(disk), lai_sim_disk_vfs(elsewhere));
	assert_int_equal(sqlite3_close(first), SQLITE_OK);
	first = database_open(disk, &modes[0]);
	assert_non_null(first);
	assert_int_equal(sqlite3_close(first), SQLITE_OK);
	lai_sim_disk_free(disk);
	lai_sim_disk_free(elsewhere);
	lai_sim_disk_free(NULL);
}

/* The bits of a database are nearly all of them in use here, so most flips show. */
static void test_database_flip(void **state)
{
	unsigned shown = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct lai_sim_disk *disk = disk_new(seed);
		sqlite3 *database = database_open(disk, &modes[0]);
		int result;

		assert_int_equal(database_add(database, 1, ROWS, &result), ROWS);
		assert_int_equal(sqlite3_close(database), SQLITE_OK);
		lai_sim_disk_flip(disk, "test.db");
		database = database_open(disk, &modes[0]);
		shown += !database || database_rows(database) != ROWS;
		(void)sqlite3_close(database);
		lai_sim_disk_free(disk);
	}
	assert_in_range(shown, 5, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "what was written is read", .test_func = test_reads_what_was_written},
		{.name = "a loss of power takes whole sectors: all, none or some, by the seed",
		 .test_func = test_sectors_are_whole},
		{.name = "a drive may write back between two writes of a sector",
		 .test_func = test_drive_writes_back},
		{.name = "names and sizes that were not synced may be lost",
		 .test_func = test_names_and_sizes},
		{.name = "a file made anew is the old one or the new one",
		 .test_func = test_name_made_anew},
		{.name = "a synced removal stays", .test_func = test_synced_removal},
		{.name = "a crash loses locks and no bytes", .test_func = test_crash_loses_nothing},
		{.name = "a full disk says so, and takes what needs no more room",
		 .test_func = test_no_space},
		{.name = "the n-th operation fails, once", .test_func = test_nth_fails},
		{.name = "one bit flips beyond the first page", .test_func = test_flip},
		{.name = "SQLite: commits survive a loss of power at every operation",
		 .test_func = test_power_goes_anywhere},
		{.name = "SQLite: a lying disk loses commits", .test_func = test_lying_disk},
		{.name = "SQLite: the same seed is the same story",
		 .test_func = test_seed_is_a_story},
		{.name = "SQLite: a full disk is SQLITE_FULL, until there is room",
		 .test_func = test_database_full},
		{.name = "SQLite: an I/O error at any operation undoes no commit",
		 .test_func = test_database_errors},
		{.name = "SQLite: a crashed program's commits are there",
		 .test_func = test_database_crash},
		{.name = "SQLite: an exclusive database has one owner",
		 .test_func = test_one_owner},
		{.name = "SQLite: flipped bits show", .test_func = test_database_flip},
	};

	return cmocka_run_group_tests_name("io.sim_disk", tests, NULL, NULL);
}
