/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char path[128];

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(folder, "/tmp/lastack-database.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/a.db", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static int64_t number(struct lai_database *database, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value;

	assert_int_equal(lai_database_prepare(database, &statement, sql), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return value;
}

static void write_file(const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void refuses(int error, const char *word)
{
	struct lai_database database;

	assert_int_equal(lai_database_open(&database, path, NULL, LA_DURABILITY_FULL), error);
	assert_non_null(database.why);
	if (strncmp(database.why, path, strlen(path)) != 0 || !strstr(database.why, word))
		fail_msg("said: %s", database.why);
	lai_database_close(&database);
}

static void test_life(void **state)
{
	struct lai_database database;
	sqlite3_stmt *insert;
	struct stat st;

	(void)state;
	for (int i = 0; i < LA_DURABILITY_COUNT; i++) {
		assert_int_equal(lai_database_open(&database, path, NULL, (enum la_durability)i),
				 0);
		assert_int_equal(
			lai_database_run(&database, "CREATE TABLE IF NOT EXISTS t (n INTEGER)"), 0);
		assert_int_equal(
			lai_database_prepare(&database, &insert, "INSERT INTO t VALUES (?)"), 0);
		for (int n = 0; n < 100; n++) {
			assert_int_equal(sqlite3_bind_int(insert, 1, n), SQLITE_OK);
			assert_int_equal(lai_database_step(&database, insert), 0);
		}
		assert_int_equal(lai_database_sync(&database), 0);
		assert_int_equal(number(&database, "SELECT COUNT(*) FROM t"), 100 * (i + 1));
		assert_int_equal(number(&database, "PRAGMA synchronous"), 2 - i);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		lai_database_close(&database);
		lai_database_close(&database);
	}
}

static void test_refusals(void **state)
{
	struct lai_database database;
	char garbage[8192];

	(void)state;
	memset(garbage, 'x', sizeof(garbage));
	write_file(garbage, sizeof(garbage));
	refuses(-EBADMSG, "not an SQLite database");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refuses(-EISDIR, "cannot be opened");
	assert_int_equal(rmdir(path), 0);
	write_file("", 0);
	assert_int_equal(lai_database_open(&database, path, NULL, LA_DURABILITY_BATCH), 0);
	lai_database_close(&database);
	(void)snprintf(path, sizeof(path), "%s/none/a.db", folder);
	refuses(-ENOENT, "No such file");
}

static void test_locked(void **state)
{
	struct lai_database a, b;

	(void)state;
	assert_int_equal(lai_database_open(&a, path, NULL, LA_DURABILITY_NONE), 0);
	assert_int_equal(lai_database_run(&a, "CREATE TABLE t (n INTEGER)"), 0);
	assert_int_equal(lai_database_open(&b, path, NULL, LA_DURABILITY_NONE), 0);
	assert_int_equal(lai_database_run(&a, "BEGIN IMMEDIATE"), 0);
	assert_int_equal(lai_database_run(&b, "INSERT INTO t VALUES (1)"), -EBUSY);
	assert_non_null(strstr(b.why, "locked"));
	assert_int_equal(lai_database_run(&a, "COMMIT"), 0);
	assert_int_equal(lai_database_run(&b, "INSERT INTO t VALUES (1)"), 0);
	assert_int_equal(lai_database_run(&b, "nonsense"), -EBADMSG);
	assert_non_null(strstr(b.why, "nonsense"));
	lai_database_close(&a);
	lai_database_close(&b);
}

static void test_names(void **state)
{
	static const char *const names[] = {":memory:", "file:x.db?mode=memory", "a b?c#d"};
	struct lai_database database;
	int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(home >= 0);
	assert_int_equal(chdir(folder), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(lai_database_open(&database, names[i], NULL, LA_DURABILITY_NONE),
				 0);
		assert_int_equal(lai_database_run(&database, "CREATE TABLE t (n INTEGER)"), 0);
		lai_database_close(&database);
		assert_int_equal(access(names[i], F_OK), 0);
	}
	assert_int_equal(lai_database_open(&database, "", NULL, LA_DURABILITY_NONE), -EISDIR);
	lai_database_close(&database);
	assert_int_equal(fchdir(home), 0);
	assert_int_equal(close(home), 0);
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		.name = (sentence), .test_func = (function), .setup_func = set_up,                 \
		.teardown_func = tear_down                                                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a database is made with mode 0600, used, synced and opened again", test_life),
		TEST("garbage, a directory and a missing folder are refused with a sentence",
		     test_refusals),
		TEST("a second writer is told that it is locked, and why SQL failed", test_locked),
		TEST("a path is a path, whatever SQLite would make of it", test_names),
	};

	return cmocka_run_group_tests_name("disk.database", tests, NULL, NULL);
}
