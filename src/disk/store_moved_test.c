/* SPDX-License-Identifier: MIT */
/*
 * store_moved_test.c - somebody moves or removes a store's files while it is in use: what was
 * confirmed is where the file is now, what comes goes into a new one, and it is said.
 */
#include "disk/t_store.h"

#include "disk/store_file.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define COUNT "SELECT count(*) FROM records"

/* "NAME" in the place's directory, and in the store if that is a directory. */
static const char *name_in(const struct t_place *place, const char *name)
{
	static char paths[4][2 * T_PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", place->directory, name);
	return path;
}

static bool exists(const struct t_place *place, const char *name)
{
	struct stat status;

	return lstat(name_in(place, name), &status) == 0;
}

static void move(const struct t_place *place, const char *from, const char *to)
{
	assert_int_equal(rename(name_in(place, from), name_in(place, to)), 0);
}

static void remove_file(const struct t_place *place, const char *name)
{
	assert_int_equal(unlink(name_in(place, name)), 0);
}

static int64_t count(const struct t_place *place, const char *name)
{
	return t_query(name_in(place, name), COUNT);
}

static struct lai_store *open_at(struct t_place *place, const char *name)
{
	struct lai_store_settings settings;

	t_place_init(place, name);
	settings = t_settings(place->into);
	return t_open(&settings);
}

static void put_and_wait(struct lai_store *store, uint64_t seq)
{
	t_wait(store, t_put(store, "a", seq, "q", "body"));
}

/* Turns until the store says something with this text in it. */
static void hear(struct lai_store *store, const char *text)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);
	const char *trouble;

	while (!(trouble = lai_store_trouble(store)) || !strstr(trouble, text)) {
		if (lai_clock_now() > until_ns)
			fail_msg("nobody says '%s', but '%s'", text, trouble ? trouble : "nothing");
		t_turn(store, 100);
	}
}

/* ... until it has nothing to complain about. */
static void hear_nothing_more(struct lai_store *store)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);

	while (lai_store_trouble(store) && lai_clock_now() < until_ns)
		t_turn(store, 100);
	assert_null(lai_store_trouble(store));
}

/* ---- an SQLite file ------------------------------------------------------------------------ */

static void a_moved_file_is_complete_at_sighup(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");

	(void)state;
	put_and_wait(store, 1);
	put_and_wait(store, 2);
	move(&place, "s.db", "old.db");
	lai_store_reopen(store);
	hear(store, "s.db was moved away: going on with a new one");
	hear_nothing_more(store);
	assert_int_equal(count(&place, "old.db"), 2);
	assert_int_equal(count(&place, "s.db"), 0);
	put_and_wait(store, 3);
	assert_int_equal(count(&place, "s.db"), 1);
	assert_int_equal(count(&place, "old.db"), 2);
	lai_store_close(store);
	assert_int_equal(count(&place, "s.db"), 1);
	assert_false(exists(&place, "s.db-wal"));
	assert_false(exists(&place, "s.db-shm"));
	t_place_done(&place);
}

static void a_moved_file_is_noticed_by_the_next_batch(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	uint64_t ticket;

	(void)state;
	put_and_wait(store, 1);
	move(&place, "s.db", "old.db");
	ticket = t_put(store, "a", 2, "q", "body");
	hear(store, "s.db was moved away");
	t_wait(store, ticket);
	assert_int_equal(count(&place, "old.db"), 1);
	assert_int_equal(count(&place, "s.db"), 1);
	/* And once more, with the senders' names that the old file had. */
	move(&place, "s.db", "older.db");
	put_and_wait(store, 3);
	assert_int_equal(count(&place, "older.db"), 1);
	assert_int_equal(t_query(name_in(&place, "s.db"),
				 COUNT " WHERE sender = 'a' AND destination = 'q' AND seq = 3"),
			 1);
	lai_store_close(store);
	t_place_done(&place);
}

static void a_file_that_comes_back_is_gone_on_with(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");

	(void)state;
	put_and_wait(store, 1);
	move(&place, "s.db", "old.db");
	lai_store_reopen(store);
	hear(store, "moved away");
	put_and_wait(store, 2);
	move(&place, "old.db", "s.db");
	/* The name leads to the first file again; the second one has none. */
	put_and_wait(store, 1);
	put_and_wait(store, 3);
	lai_store_close(store);
	assert_int_equal(count(&place, "s.db"), 2);
	t_place_done(&place);
}

/* Then a file that is moved needs nothing any more, even if nobody lives to notice it. */
static void an_idle_store_has_an_empty_log(void **state)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	struct stat status = {.st_size = 1};

	(void)state;
	put_and_wait(store, 1);
	while (status.st_size > 0 && lai_clock_now() < until_ns) {
		t_turn(store, 10);
		assert_int_equal(stat(name_in(&place, "s.db-wal"), &status), 0);
	}
	assert_int_equal(status.st_size, 0);
	assert_null(lai_store_trouble(store));
	move(&place, "s.db", "old.db");
	assert_int_equal(count(&place, "old.db"), 1);
	lai_store_close(store);
	t_place_done(&place);
}

static void a_removed_file_is_said_and_made_anew(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	uint64_t ticket;

	(void)state;
	put_and_wait(store, 1);
	remove_file(&place, "s.db");
	ticket = t_put(store, "a", 2, "q", "body");
	hear(store, "s.db was removed, with the records in it: going on with a new one");
	t_wait(store, ticket);
	assert_int_equal(count(&place, "s.db"), 1);
	hear_nothing_more(store);
	/* Without a batch too. */
	remove_file(&place, "s.db");
	lai_store_reopen(store);
	hear(store, "s.db was removed");
	assert_int_equal(count(&place, "s.db"), 0);
	lai_store_close(store);
	t_place_done(&place);
}

static void an_end_completes_a_file_that_was_moved(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");

	(void)state;
	put_and_wait(store, 1);
	move(&place, "s.db", "old.db");
	lai_store_close(store);
	assert_int_equal(count(&place, "old.db"), 1);
	assert_false(exists(&place, "s.db"));
	assert_false(exists(&place, "s.db-wal"));
	assert_false(exists(&place, "s.db-shm"));
	assert_false(exists(&place, "s.db.lock"));
	t_place_done(&place);
}

/* A reader that keeps its connection open: SQLite would leave the log to it. */
static void an_end_leaves_one_complete_file(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	sqlite3 *reader;
	size_t size = 0;
	char *log;

	(void)state;
	assert_int_equal(sqlite3_open(place.into, &reader), SQLITE_OK);
	put_and_wait(store, 1);
	assert_int_equal(sqlite3_exec(reader, COUNT, NULL, NULL, NULL), SQLITE_OK);
	lai_store_close(store);
	log = t_read(place.directory, "s.db-wal", &size);
	assert_int_equal(size, 0);
	free(log);
	(void)sqlite3_close(reader);
	assert_int_equal(count(&place, "s.db"), 1);
	assert_false(exists(&place, "s.db-wal"));
	t_place_done(&place);
}

static void a_reader_delays_the_new_file(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	uint64_t ticket;
	sqlite3 *reader;

	(void)state;
	put_and_wait(store, 1);
	assert_int_equal(sqlite3_open(place.into, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; " COUNT, NULL, NULL, NULL), SQLITE_OK);
	put_and_wait(store, 2);
	move(&place, "s.db", "old.db");
	ticket = t_put(store, "a", 3, "q", "body");
	hear(store, "s.db was moved away: ");
	hear(store, "another program has it locked");
	assert_true(lai_store_stored(store) < ticket);
	assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	t_wait(store, ticket);
	(void)sqlite3_close(reader);
	assert_int_equal(count(&place, "old.db"), 2);
	assert_int_equal(count(&place, "s.db"), 1);
	lai_store_close(store);
	t_place_done(&place);
}

static void what_cannot_be_made_anew_is_not_confirmed(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db");
	uint64_t ticket;

	(void)state;
	put_and_wait(store, 1);
	move(&place, "s.db", "old.db");
	assert_int_equal(mkdir(place.into, 0700), 0);
	lai_store_reopen(store);
	hear(store, "cannot store: ");
	ticket = t_put(store, "a", 2, "q", "body");
	t_turn(store, 10);
	t_turn(store, 10);
	assert_true(lai_store_stored(store) < ticket);
	assert_int_equal(count(&place, "old.db"), 1);
	assert_int_equal(rmdir(place.into), 0);
	t_wait(store, ticket);
	hear_nothing_more(store);
	lai_store_close(store);
	assert_int_equal(count(&place, "s.db"), 1);
	t_place_done(&place);
}

/* Records 1 and 2, the file is moved, perhaps 3 into the new one; then it is killed. */
static void run_and_die(const struct lai_store_settings *settings, const struct t_place *place,
			bool goes_on)
{
	struct lai_store *store = t_open(settings);

	put_and_wait(store, 1);
	put_and_wait(store, 2);
	move(place, "s.db", "old.db");
	if (goes_on)
		put_and_wait(store, 3);
	(void)kill(getpid(), SIGKILL);
}

static void kill_after_a_move(struct t_place *place, bool goes_on)
{
	struct lai_store_settings settings;
	int status;
	pid_t child;

	t_place_init(place, "s.db");
	settings = t_settings(place->into);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		run_and_die(&settings, place, goes_on);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void what_was_confirmed_survives_a_kill(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store;

	(void)state;
	kill_after_a_move(&place, true);
	settings = t_settings(place.into);
	store = t_open(&settings);
	put_and_wait(store, 4);
	lai_store_close(store);
	assert_int_equal(count(&place, "old.db"), 2);
	assert_int_equal(count(&place, "s.db"), 2);
	t_place_done(&place);
}

/* Nobody could notice: SQLite would remove the log, and with it what was confirmed. */
static void an_orphaned_log_is_not_removed(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store = NULL;
	char *error = NULL;

	(void)state;
	kill_after_a_move(&place, false);
	settings = t_settings(place.into);
	if (exists(&place, "s.db-wal")) {
		assert_int_equal(lai_store_open(&store, &settings, &error), -ENOENT);
		assert_non_null(error);
		assert_non_null(strstr(error, "s.db-wal NEWNAME-wal"));
		free(error);
		assert_false(exists(&place, "s.db"));
		move(&place, "s.db-wal", "old.db-wal");
	}
	assert_int_equal(count(&place, "old.db"), 2);
	store = t_open(&settings);
	put_and_wait(store, 3);
	lai_store_close(store);
	assert_int_equal(count(&place, "s.db"), 1);
	t_place_done(&place);
}

/* Between the look at the place and the commit there is a moment. */
static void what_is_committed_into_nothing_is_not_confirmed(void **state)
{
	static const struct lai_store_schema schema = {
		.application_id = 1,
		.page_bytes = 4096,
		.tables = "CREATE TABLE t(x);",
		.what = "a test",
	};
	struct lai_store_file file;
	struct t_place place;
	char *error = NULL, *notice = NULL;
	bool is_new = false;

	(void)state;
	t_place_init(&place, "s.db");
	assert_int_equal(
		lai_store_file_open(&file, place.into, NULL, LA_DURABILITY_FULL, &schema, &error),
		0);
	assert_int_equal(lai_database_run(&file.database, "INSERT INTO t VALUES(1)"), 0);
	assert_int_equal(lai_store_file_look_back(&file, &error), 0);
	move(&place, "s.db", "old.db");
	assert_int_equal(lai_store_file_look_back(&file, &error), 0);
	assert_int_equal(t_query(name_in(&place, "old.db"), "SELECT count(*) FROM t"), 1);
	remove_file(&place, "old.db");
	assert_int_equal(lai_store_file_look_back(&file, &error), -ESTALE);
	assert_non_null(strstr(error, "removed while it was written"));
	assert_int_equal(lai_store_file_look(&file, &is_new, &notice, &error), 0);
	assert_true(is_new);
	assert_int_equal(lai_store_file_look_back(&file, &error), 0);
	free(notice);
	free(error);
	lai_store_file_close(&file);
	t_place_done(&place);
}

/* ---- the lock ------------------------------------------------------------------------------ */

static void remove_everything(const struct t_place *place)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[64];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(name, sizeof(name), "s.db%s", ends[i]);
		remove_file(place, name);
	}
}

static void one_of_two_servers_stores(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db"), *second;
	uint64_t ticket;

	(void)state;
	settings = t_settings(place.into);
	put_and_wait(store, 1);
	remove_everything(&place);
	second = t_open(&settings);
	put_and_wait(second, 10);
	ticket = t_put(store, "a", 2, "q", "body");
	hear(store, "s.db was removed: ");
	hear(store, "stores there");
	assert_true(lai_store_stored(store) < ticket);
	put_and_wait(second, 11);
	lai_store_close(second);
	/* Now it is alone. */
	t_wait(store, ticket);
	lai_store_close(store);
	assert_int_equal(count(&place, "s.db"), 3);
	t_place_done(&place);
}

static void who_lost_the_lock_leaves_the_files_alone(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db"), *second;

	(void)state;
	settings = t_settings(place.into);
	put_and_wait(store, 1);
	remove_everything(&place);
	second = t_open(&settings);
	put_and_wait(second, 10);
	lai_store_close(store);
	assert_true(exists(&place, "s.db.lock"));
	put_and_wait(second, 11);
	lai_store_close(second);
	assert_int_equal(count(&place, "s.db"), 2);
	t_place_done(&place);
}

static void a_lock_that_was_removed_is_taken_again(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store = open_at(&place, "s.db"), *second = NULL;
	char *error = NULL;

	(void)state;
	settings = t_settings(place.into);
	put_and_wait(store, 1);
	remove_file(&place, "s.db.lock");
	put_and_wait(store, 2);
	assert_int_equal(lai_store_open(&second, &settings, &error), -EBUSY);
	free(error);
	lai_store_close(store);
	assert_false(exists(&place, "s.db.lock"));
	assert_int_equal(count(&place, "s.db"), 2);
	t_place_done(&place);
}

/* ---- a directory --------------------------------------------------------------------------- */

static void a_file_of_a_directory_begins_anew(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "d/");
	uint64_t ticket;

	(void)state;
	t_wait(store, t_put(store, "a", 1, "q", "one"));
	remove_file(&place, "d/q.log");
	ticket = t_put(store, "a", 2, "q", "two");
	hear(store, "d/q.log was removed, with the records in it: going on with a new one");
	t_wait(store, ticket);
	hear_nothing_more(store);
	t_file_is(place.into, "q.log", "two\n");
	move(&place, "d/q.log", "q.log");
	ticket = t_put(store, "a", 3, "q", "three");
	hear(store, "d/q.log was moved away");
	t_wait(store, ticket);
	hear_nothing_more(store);
	t_file_is(place.directory, "q.log", "two\n");
	t_file_is(place.into, "q.log", "three\n");
	/* The index stayed: nothing of it comes again. */
	t_wait(store, t_put(store, "a", 2, "q", "two again"));
	t_file_is(place.into, "q.log", "three\n");
	lai_store_close(store);
	t_place_done(&place);
}

static void without_its_directory_nothing_is_confirmed(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "d/");
	uint64_t ticket;

	(void)state;
	t_wait(store, t_put(store, "a", 1, "q", "one"));
	move(&place, "d", "away");
	ticket = t_put(store, "a", 2, "q", "two");
	hear(store, "d: the directory was moved away, and nothing is confirmed");
	assert_true(lai_store_stored(store) < ticket);
	assert_false(exists(&place, "d"));
	t_file_is(place.directory, "away/q.log", "one\n");
	move(&place, "away", "d");
	t_wait(store, ticket);
	hear_nothing_more(store);
	lai_store_close(store);
	t_file_is(place.into, "q.log", "one\ntwo\n");
	t_place_done(&place);
}

static void another_directory_takes_its_place(void **state)
{
	struct lai_store_settings settings;
	struct t_place place;
	struct lai_store *store = open_at(&place, "d/");
	uint64_t ticket;

	(void)state;
	t_wait(store, t_put(store, "a", 1, "q", "one"));
	move(&place, "d", "away");
	assert_int_equal(mkdir(name_in(&place, "d"), 0700), 0);
	ticket = t_put(store, "a", 2, "q", "two");
	hear(store, "d was moved away: going on with a new one");
	t_wait(store, ticket);
	lai_store_close(store);
	t_file_is(place.into, "q.log", "two\n");
	t_file_is(place.directory, "away/q.log", "one\n");
	/* The first one is a store as it was. */
	settings = t_settings(name_in(&place, "away"));
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 1, "q", "one again"));
	t_wait(store, t_put(store, "a", 2, "q", "two"));
	lai_store_close(store);
	t_file_is(place.directory, "away/q.log", "one\ntwo\n");
	t_place_done(&place);
}

static void a_removed_directory_is_waited_for(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "d/");
	char command[T_PATH_MAX + 16];
	uint64_t ticket;

	(void)state;
	t_wait(store, t_put(store, "a", 1, "q", "one"));
	(void)snprintf(command, sizeof(command), "rm -r '%s'", place.into);
	assert_int_equal(system(command), 0);
	ticket = t_put(store, "a", 2, "q", "two");
	hear(store, "d: the directory was removed, and nothing is confirmed");
	assert_true(lai_store_stored(store) < ticket);
	assert_int_equal(mkdir(place.into, 0700), 0);
	t_wait(store, ticket);
	hear_nothing_more(store);
	t_file_is(place.into, "q.log", "two\n");
	lai_store_close(store);
	t_place_done(&place);
}

static void a_removed_index_is_made_anew(void **state)
{
	struct t_place place;
	struct lai_store *store = open_at(&place, "d/");
	uint64_t ticket;

	(void)state;
	t_wait(store, t_put(store, "a", 1, "q", "one"));
	remove_file(&place, "d/.lastack.db");
	ticket = t_put(store, "a", 2, "q", "two");
	hear(store, ".lastack.db was removed");
	t_wait(store, ticket);
	lai_store_close(store);
	store = NULL;
	t_file_is(place.into, "q.log", "one\ntwo\n");
	t_place_done(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "FILE moved away and SIGHUP: it is complete, a new one is there, it is said",
		 .test_func = a_moved_file_is_complete_at_sighup},
		{.name = "FILE moved away: the next batch notices, and goes into a new one",
		 .test_func = a_moved_file_is_noticed_by_the_next_batch},
		{.name = "FILE moved back: it is gone on with",
		 .test_func = a_file_that_comes_back_is_gone_on_with},
		{.name = "idle for a second, FILE is complete by itself",
		 .test_func = an_idle_store_has_an_empty_log},
		{.name = "FILE removed: it is said, and made anew",
		 .test_func = a_removed_file_is_said_and_made_anew},
		{.name = "FILE moved away before the end: it is complete, nothing is left behind",
		 .test_func = an_end_completes_a_file_that_was_moved},
		{.name = "the end leaves a complete file even if somebody has it open",
		 .test_func = an_end_leaves_one_complete_file},
		{.name = "a reader's transaction delays the new file, and nothing is lost",
		 .test_func = a_reader_delays_the_new_file},
		{.name = "what stands in the new file's way is told, and nothing is confirmed",
		 .test_func = what_cannot_be_made_anew_is_not_confirmed},
		{.name = "kill -9 behind a move: all that was confirmed is in the two files",
		 .test_func = what_was_confirmed_survives_a_kill},
		{.name = "kill -9 before anybody noticed: the log is kept for the moved file",
		 .test_func = an_orphaned_log_is_not_removed},
		{.name = "what is committed into a file that was removed just then is not confirmed",
		 .test_func = what_is_committed_into_nothing_is_not_confirmed},
		{.name = "all files removed: of two servers only one confirms",
		 .test_func = one_of_two_servers_stores},
		{.name = "a server without its lock removes nothing of the other's",
		 .test_func = who_lost_the_lock_leaves_the_files_alone},
		{.name = "a lock file that was removed is made again",
		 .test_func = a_lock_that_was_removed_is_taken_again},
		{.name = "DIR: a file that is removed or moved begins anew, and it is said",
		 .test_func = a_file_of_a_directory_begins_anew},
		{.name = "DIR moved away: nothing is confirmed until it is back",
		 .test_func = without_its_directory_nothing_is_confirmed},
		{.name = "DIR exchanged: the new one is a store, the old one stays one",
		 .test_func = another_directory_takes_its_place},
		{.name = "DIR removed: nothing is confirmed until there is one",
		 .test_func = a_removed_directory_is_waited_for},
		{.name = "DIR's index removed: the files go on",
		 .test_func = a_removed_index_is_made_anew},
	};

	return cmocka_run_group_tests_name("disk.store_moved", tests, NULL, NULL);
}
