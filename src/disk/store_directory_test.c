/* SPDX-License-Identifier: MIT */
/* store_directory_test.c - a file per destination: its name, its rotation, what is cut off. */
#include "disk/t_store.h"

#include "disk/store_name.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static void append(const char *directory, const char *name, const char *text)
{
	char path[T_PATH_MAX + 256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "ae");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int count_files(const char *directory)
{
	DIR *open_directory = opendir(directory);
	struct dirent *entry;
	int count = 0;

	assert_non_null(open_directory);
	while ((entry = readdir(open_directory)))
		count += entry->d_name[0] != '.';
	(void)closedir(open_directory);
	return count;
}

static bool exists(const char *directory, const char *name)
{
	char path[T_PATH_MAX + 256];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return lstat(path, &status) == 0;
}

static void a_file_per_destination(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store_counts counts;
	struct lai_store *store;

	(void)state;
	t_place_init(&place, "new/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	(void)t_put(store, "a", 1, "orders", "one");
	(void)t_put(store, "b", 1, "bills", "eins\nzwei");
	(void)t_put(store, "a", 2, "orders", "");
	(void)t_put(store, "a", 1, "orders", "one again");
	t_wait(store, t_put(store, "a", 3, "orders", "three"));
	t_wait(store, t_put(store, "a", 2, "bills", "another destination, the same record"));
	t_file_is(place.into, "orders.log", "one\n\nthree\n");
	t_file_is(place.into, "bills.log", "eins\nzwei\n");
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records, 4);
	assert_int_equal(counts.duplicate_records, 2);
	assert_int_equal(counts.bytes, 17);
	assert_int_equal(counts.batches, 2);
	lai_store_close(store);
	/* An existing directory needs no slash. */
	place.into[strlen(place.into) - 1] = '\0';
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 3, "orders", "three again"));
	t_wait(store, t_put(store, "a", 4, "orders", "four"));
	lai_store_close(store);
	t_file_is(place.into, "orders.log", "one\n\nthree\nfour\n");
	t_place_done(&place);
}

static void names_stay_in_the_directory(void **state)
{
	static char huge[1 << 20], other[1 << 20];
	static const struct {
		struct lai_slice destination;
		const char *name;
	} rows[] = {
		{{"../../etc/passwd", 16}, "%2E.%2F..%2Fetc%2Fpasswd.log"},
		{{".", 1}, "%2E.log"},
		{{"..", 2}, "%2E..log"},
		{{".lastack.db", 11}, "%2Elastack.db.log"},
		{{NULL, 0}, "%.log"},
		{{"a\0b", 3}, "a%00b.log"},
		{{"a\nb\r", 4}, "a%0Ab%0D.log"},
		{{"%", 1}, "%25.log"},
		{{"%2F", 3}, "%252F.log"},
		{{"/queue/x-y_z.1", 14}, "%2Fqueue%2Fx-y_z.1.log"},
		{{"\xff\xc3\xa4", 3}, "%FF%C3%A4.log"},
		{{"x.log.000001", 12}, "x.log.000001.log"},
	};
	char name[LAI_STORE_NAME_MAX], long_name[LAI_STORE_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lai_store_name(name, rows[i].destination);
		assert_string_equal(name, rows[i].name);
	}
	memset(huge, '/', sizeof(huge));
	memset(other, '/', sizeof(other));
	other[sizeof(other) - 1] = 'x';
	lai_store_name(name, (struct lai_slice){huge, sizeof(huge)});
	lai_store_name(long_name, (struct lai_slice){other, sizeof(other)});
	assert_string_not_equal(name, long_name);
	assert_int_equal(strlen(name), 128 + 2 + 32 + 4);
	/* A destination that looks like a long one's file name is another file. */
	lai_store_name(long_name, (struct lai_slice){name, strlen(name) - 4});
	assert_string_not_equal(name, long_name);
	/* Around the length from which names are cut no two are the same. */
	memset(huge, 'a', sizeof(huge));
	for (size_t size = 190; size < 210; size++) {
		lai_store_name(name, (struct lai_slice){huge, size});
		lai_store_name(long_name, (struct lai_slice){huge, size + 1});
		assert_string_not_equal(name, long_name);
		assert_true(strlen(name) < LAI_STORE_NAME_MAX);
	}
}

static void hostile_destinations_are_files_like_others(void **state)
{
	static char huge[1 << 20];
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t ticket = 0;

	(void)state;
	memset(huge, '.', sizeof(huge));
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	(void)t_put(store, "a", 1, "../../etc/passwd", "x");
	(void)t_put(store, "a", 2, "", "x");
	(void)t_put(store, "a", 3, "..", "x");
	(void)t_put(store, "a", 4, ".lastack.db", "x");
	assert_int_equal(
		t_try(store, "a", 5, (struct lai_slice){"a\0b", 3}, LAI_SLICE("x"), &ticket), 0);
	assert_int_equal(t_try(store, "a", 6, (struct lai_slice){huge, sizeof(huge)},
			       LAI_SLICE("x"), &ticket),
			 0);
	t_wait(store, t_put(store, "a", 7, "/", "x"));
	assert_int_equal(count_files(place.into), 7);
	assert_int_equal(count_files(place.directory), 1);
	t_file_is(place.into, "%2E.%2F..%2Fetc%2Fpasswd.log", "x\n");
	lai_store_close(store);
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 4, ".lastack.db", "x"));
	t_wait(store, t_put(store, "a", 8, ".lastack.db", "y"));
	lai_store_close(store);
	t_file_is(place.into, "%2Elastack.db.log", "x\ny\n");
	t_place_done(&place);
}

static void files_rotate_by_size(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	settings.rotate_bytes = 10;
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 1, "q", "12345"));
	t_wait(store, t_put(store, "a", 2, "q", "678"));
	t_wait(store, t_put(store, "a", 3, "q", "next"));
	t_file_is(place.into, "q.log.000001", "12345\n678\n");
	t_file_is(place.into, "q.log", "next\n");
	/* A name that somebody has taken is left alone. */
	append(place.into, "q.log.000002", "mine");
	t_wait(store, t_put(store, "a", 4, "q", "012345678"));
	lai_store_close(store);
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 5, "q", "last"));
	lai_store_close(store);
	t_file_is(place.into, "q.log.000002", "mine");
	t_file_is(place.into, "q.log.000003", "next\n012345678\n");
	t_file_is(place.into, "q.log", "last\n");
	t_place_done(&place);
}

static void a_file_that_is_moved_begins_anew(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	char from[T_PATH_MAX + 32], to[T_PATH_MAX + 32];

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 1, "q", "old"));
	(void)snprintf(from, sizeof(from), "%s/q.log", place.into);
	(void)snprintf(to, sizeof(to), "%s/moved", place.into);
	assert_int_equal(rename(from, to), 0);
	lai_store_reopen(store);
	t_wait(store, t_put(store, "a", 2, "q", "new"));
	t_file_is(place.into, "moved", "old\n");
	t_file_is(place.into, "q.log", "new\n");
	/* Emptied in place: what comes is appended to what is there. */
	assert_int_equal(truncate(from, 0), 0);
	t_wait(store, t_put(store, "a", 3, "q", "third"));
	lai_store_close(store);
	t_file_is(place.into, "q.log", "third\n");
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 2, "q", "new again"));
	lai_store_close(store);
	t_file_is(place.into, "q.log", "third\n");
	t_place_done(&place);
}

static void what_a_crash_left_is_cut_off(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	t_wait(store, t_put(store, "a", 1, "q", "whole"));
	lai_store_close(store);
	append(place.into, "q.log", "half a rec");
	append(place.into, "stranger.log", "not ours");
	store = t_open(&settings);
	t_file_is(place.into, "q.log", "whole\n");
	t_wait(store, t_put(store, "a", 2, "q", "second"));
	/* A file that was there before its destination is appended to. */
	t_wait(store, t_put(store, "a", 3, "stranger", "ours"));
	lai_store_close(store);
	t_file_is(place.into, "q.log", "whole\nsecond\n");
	t_file_is(place.into, "stranger.log", "not oursours\n");
	t_place_done(&place);
}

/* A directory stands where the file should be: trouble, until it is gone. */
static void what_is_in_the_way_is_told(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	char path[T_PATH_MAX + 32];
	uint64_t ticket;

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	settings.no_thread = true;
	store = t_open(&settings);
	(void)snprintf(path, sizeof(path), "%s/q.log", place.into);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)t_put(store, "a", 1, "before", "x");
	ticket = t_put(store, "a", 2, "q", "y");
	assert_true(lai_store_submit(store));
	assert_non_null(lai_store_trouble(store));
	assert_non_null(strstr(lai_store_trouble(store), "q.log"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	lai_store_retry(store);
	assert_int_equal(lai_store_stored(store), ticket - 1);
	assert_int_equal(unlink(path), 0);
	lai_store_retry(store);
	assert_null(lai_store_trouble(store));
	assert_int_equal(lai_store_stored(store), ticket);
	t_file_is(place.into, "before.log", "x\n");
	t_file_is(place.into, "q.log", "y\n");
	lai_store_close(store);
	t_place_done(&place);
}

static void one_server_per_directory(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store, *second = NULL;
	char *error = NULL;

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	assert_int_equal(lai_store_open(&second, &settings, &error), -EBUSY);
	assert_non_null(error);
	free(error);
	lai_store_close(store);
	assert_false(exists(place.into, ".lastack.db.lock"));
	store = t_open(&settings);
	lai_store_close(store);
	t_place_done(&place);
}

/* Many more files than are kept open; twice, so that they are found again. */
static void many_destinations(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store_counts counts;
	struct lai_store *store;
	uint64_t ticket = 0;
	char destination[32], name[64];

	(void)state;
	t_place_init(&place, "d/");
	settings = t_settings(place.into);
	store = t_open(&settings);
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(destination, sizeof(destination), "d%u", i % 2000);
		ticket = t_put(store, "a", i + 1, destination, destination);
		if (i % 30000 == 0)
			(void)lai_store_submit(store);
	}
	t_wait(store, ticket);
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records, 100000);
	lai_store_close(store);
	assert_int_equal(count_files(place.into), 2000);
	for (unsigned i = 0; i < 2000; i += 97) {
		size_t size = 0, length;
		char *data;

		(void)snprintf(name, sizeof(name), "d%u.log", i);
		data = t_read(place.into, name, &size);
		assert_non_null(data);
		length = strlen(name) - 3;
		assert_int_equal(size, 50 * length);
		for (size_t at = 0; at < size; at += length) {
			assert_memory_equal(data + at, name, length - 1);
			assert_int_equal(data[at + length - 1], '\n');
		}
		free(data);
	}
	t_place_done(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a file per destination, each record once",
		 .test_func = a_file_per_destination},
		{.name = "every name stays in the directory, and no two are the same",
		 .test_func = names_stay_in_the_directory},
		{.name = "hostile destinations are files like others",
		 .test_func = hostile_destinations_are_files_like_others},
		{.name = "files rotate by size and replace no other",
		 .test_func = files_rotate_by_size},
		{.name = "a file that is moved or emptied from outside begins anew",
		 .test_func = a_file_that_is_moved_begins_anew},
		{.name = "what a crash left is cut off, a stranger's file is not",
		 .test_func = what_a_crash_left_is_cut_off},
		{.name = "what stands in a file's way is told, and tried again",
		 .test_func = what_is_in_the_way_is_told},
		{.name = "one server per directory", .test_func = one_server_per_directory},
		{.name = "100,000 records in 2,000 files", .test_func = many_destinations},
	};

	return cmocka_run_group_tests_name("disk.store_directory", tests, NULL, NULL);
}
