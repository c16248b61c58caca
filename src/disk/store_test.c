/* SPDX-License-Identifier: MIT */
/* store_test.c - batches, tickets, bounds, and the SQLite file that a person looks at. */
#include "disk/t_store.h"

#include <sys/stat.h>

#define QUEUE "/queue/orders"

static void a_person_can_query_it(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	(void)t_put(store, "alpha", 1, QUEUE, "one");
	t_wait(store, t_put(store, "beta", 7, "/topic/x", "seven"));
	/* While the server runs, and by the names that the demand has. */
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), 2);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records WHERE sender = 'alpha'"
					     " AND seq = 1 AND destination = '/queue/orders'"
					     " AND headers = 'content-type:text/plain' || char(10)"
					     " AND received_at = '2025-12-22T19:00:00.123456Z'"
					     " AND body = 'one'"),
			 1);
	assert_int_equal(t_query(place.into, "SELECT seq FROM records WHERE body = 'seven'"), 7);
	lai_store_close(store);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), 2);
	t_place_done(&place);
}

static void a_record_is_stored_once(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store_counts counts;
	struct lai_store *store;
	const uint64_t seqs[] = {5, 1, 5, 2, 9, 3, 4, 1};

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++)
		(void)t_put(store, "a", seqs[i], QUEUE, i == 2 ? "second five" : "x");
	t_wait(store, t_put(store, "b", 1, QUEUE, "yy"));
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records, 7);
	assert_int_equal(counts.duplicate_records, 2);
	assert_int_equal(counts.bytes, 8);
	t_wait(store, t_put(store, "a", 3, QUEUE, "again"));
	lai_store_close(store);

	store = t_open(&settings);
	for (uint64_t seq = 1; seq <= 20; seq++)
		(void)t_put(store, "a", seq, QUEUE, "zzz");
	t_wait(store, lai_store_stored(store) + 1);
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records, 14);
	assert_int_equal(counts.duplicate_records, 6);
	assert_int_equal(counts.bytes, 42);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), 21);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records WHERE body = 'x'"), 6);
	lai_store_close(store);
	t_place_done(&place);
}

static void bytes_come_back_as_they_were(void **state)
{
	static const char *const bodies[] = {"",
					     "text",
					     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
					     "line\nline\r\n",
					     "\xff",
					     "\xc0\x80",
					     "\xed\xa0\x80 a surrogate of eight bytes and more",
					     "\xf5x",
					     "\xe2\x82"};
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t ticket = 0;

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		(void)t_put(store, "a", i, QUEUE, bodies[i]);
	assert_int_equal(t_try(store, "a", 100, LAI_SLICE(QUEUE),
			       (struct lai_slice){"12345678\0"
						  "9",
						  10},
			       &ticket),
			 0);
	/* A number that SQLite has no sign for; a sender that is no text. */
	(void)t_put(store, "a", UINT64_MAX, QUEUE, "last");
	t_wait(store, t_put(store, "\xfe\xff", 1, "", "x"));
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char sql[256], hex[128] = "";

		for (size_t j = 0; bodies[i][j]; j++)
			(void)snprintf(hex + 2 * j, 3, "%02X", (unsigned char)bodies[i][j]);
		(void)snprintf(sql, sizeof(sql),
			       "SELECT count(*) FROM records WHERE sender = 'a' AND seq = %zu"
			       " AND hex(body) = '%s' AND typeof(body) = '%s'",
			       i, hex, i < 4 ? "text" : "blob");
		assert_int_equal(t_query(place.into, sql), 1);
	}
	assert_int_equal(t_query(place.into, "SELECT length(body) FROM records WHERE seq = 100"),
			 10);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records WHERE sender = x'FEFF'"),
			 1);
	lai_store_close(store);
	t_place_done(&place);
}

static void tickets_are_stored_in_their_order(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t last = 0, seen = 0;
	char sql[128];

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	for (uint64_t seq = 1; seq <= 3000; seq++) {
		uint64_t ticket = t_put(store, "a", seq, QUEUE, "body"), stored;

		assert_true(ticket == last || ticket == last + 1);
		last = ticket;
		(void)lai_store_submit(store);
		stored = lai_store_stored(store);
		assert_true(stored >= seen && stored <= ticket);
		seen = stored;
	}
	t_wait(store, last);
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM records WHERE seq <= 3000");
	assert_int_equal(t_query(place.into, sql), 3000);
	/* Nothing to do: nothing to wait for. */
	assert_true(lai_store_submit(store));
	assert_int_equal(lai_store_stored(store), last);
	lai_store_close(store);
	t_place_done(&place);
}

static void full_buffers_refuse_and_recover(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t ticket = 0, count = 0;
	char body[1000], huge[20000];

	(void)state;
	memset(body, 'b', sizeof(body));
	memset(huge, 'h', sizeof(huge));
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	settings.buffer_bytes = 16384;
	store = t_open(&settings);
	assert_int_equal(
		t_try(store, "a", 1, LAI_SLICE(QUEUE), (struct lai_slice){huge, 20000}, &ticket),
		-EMSGSIZE);
	assert_false(lai_store_has_room(store, 20000));
	assert_true(lai_store_has_room(store, sizeof(body)));
	while (t_try(store, "a", count + 1, LAI_SLICE(QUEUE), (struct lai_slice){body, 1000},
		     &ticket) == 0)
		count++;
	assert_in_range(count, 10, 16);
	assert_int_equal(
		t_try(store, "a", 99, LAI_SLICE(QUEUE), (struct lai_slice){body, 1000}, &ticket),
		-EAGAIN);
	assert_false(lai_store_has_room(store, 1));
	t_wait(store, ticket);
	assert_true(lai_store_has_room(store, sizeof(body)));
	/* The largest record that fits finds room, once all the rest is gone. */
	assert_int_equal(
		t_try(store, "b", 1, LAI_SLICE("d"), (struct lai_slice){huge, 16000}, &ticket), 0);
	t_wait(store, ticket);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), count + 1);
	lai_store_close(store);
	t_place_done(&place);
}

static void without_a_thread_it_is_done_at_once(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	sqlite3 *stranger;
	uint64_t ticket;

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	settings.no_thread = true;
	settings.durability = LA_DURABILITY_BATCH;
	store = t_open(&settings);
	assert_int_equal(lai_store_fd(store), -1);
	ticket = t_put(store, "a", 1, QUEUE, "x");
	assert_int_equal(lai_store_stored(store), 0);
	assert_true(lai_store_submit(store));
	assert_int_equal(lai_store_stored(store), ticket);

	/* Somebody else writes: the batch waits, and so does what comes behind it. */
	assert_int_equal(sqlite3_open(place.into, &stranger), SQLITE_OK);
	assert_int_equal(sqlite3_exec(stranger, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ticket = t_put(store, "a", 2, QUEUE, "x");
	assert_true(lai_store_submit(store));
	assert_non_null(lai_store_trouble(store));
	assert_non_null(strstr(lai_store_trouble(store), "s.db"));
	assert_false(lai_store_failed(store));
	assert_int_equal(t_put(store, "a", 3, QUEUE, "x"), ticket + 1);
	assert_false(lai_store_submit(store));
	lai_store_retry(store);
	assert_int_equal(lai_store_stored(store), ticket - 1);
	assert_int_equal(sqlite3_exec(stranger, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(stranger);
	lai_store_retry(store);
	assert_null(lai_store_trouble(store));
	assert_int_equal(lai_store_stored(store), ticket);
	assert_true(lai_store_submit(store));
	assert_int_equal(lai_store_stored(store), ticket + 1);
	lai_store_close(store);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), 3);
	t_place_done(&place);
}

/* Its result, and its sentence has this text in it. */
static void refuses(const char *into, int wanted, const char *text)
{
	struct lai_store_settings settings = t_settings(into);
	struct lai_store *store = NULL;
	char *error = NULL;
	int result = lai_store_open(&store, &settings, &error);

	if (result == 0)
		lai_store_close(store);
	assert_int_equal(result, wanted);
	assert_non_null(error);
	if (!strstr(error, text))
		fail_msg("'%s' does not say '%s'", error, text);
	free(error);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[T_PATH_MAX];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void what_is_no_store_is_refused(void **state)
{
	struct t_place place;
	sqlite3 *other;

	(void)state;
	t_place_init(&place, "s.db");
	write_file(place.directory, "s.db", "This is a letter, and it is long enough to be one.\n");
	refuses(place.into, -EBADMSG, "not an SQLite database");
	t_file_is(place.directory, "s.db", "This is a letter, and it is long enough to be one.\n");
	assert_int_equal(unlink(place.into), 0);
	assert_int_equal(sqlite3_open(place.into, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(other);
	refuses(place.into, -EBADMSG, "another kind");
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM sqlite_schema"), 1);
	(void)strcat(place.into, "/x/y.db");
	refuses(place.into, -ENOTDIR, "y.db");
	refuses("/proc/lastack-none/s.db", -ENOENT, "s.db");
	(void)strcat(place.into, "/");
	refuses(place.into, -ENOTDIR, "directory");
	t_place_done(&place);
}

static void one_server_per_store(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	char lock[T_PATH_MAX + 8];
	struct stat status;

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	refuses(place.into, -EBUSY, "stores there");
	t_wait(store, t_put(store, "a", 1, QUEUE, "x"));
	lai_store_close(store);
	(void)snprintf(lock, sizeof(lock), "%s.lock", place.into);
	assert_int_equal(stat(lock, &status), -1);
	assert_int_equal(stat(place.into, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	store = t_open(&settings);
	lai_store_close(store);
	t_place_done(&place);
}

static void a_person_can_delete(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	store = t_open(&settings);
	for (uint64_t seq = 1; seq <= 10; seq++)
		(void)t_put(store, "a", seq, QUEUE, "x");
	(void)t_put(store, "b", 1, QUEUE, "x");
	t_wait(store, t_put(store, "b", 2, QUEUE, "x"));
	(void)t_query(place.into, "DELETE FROM records WHERE sender = 'a' AND seq <= 4");
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records"), 8);
	lai_store_close(store);
	t_place_done(&place);
}

/* More senders and destinations than the cache has places for, mixed, in batches of their own. */
static void many_names_find_themselves_again(void **state)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t ticket = 0;
	char sender[200], destination[64];

	(void)state;
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	settings.durability = LA_DURABILITY_NONE;
	store = t_open(&settings);
	for (unsigned seq = 1; seq <= 2; seq++)
		for (unsigned i = 0; i < 20000; i++) {
			(void)snprintf(sender, sizeof(sender), "%0*u", i % 100 == 0 ? 150 : 8, i);
			(void)snprintf(destination, sizeof(destination), "/queue/%u", i);
			ticket = t_put(store, sender, seq, destination, sender);
			if (i % 1000 == 0)
				(void)lai_store_submit(store);
		}
	t_wait(store, ticket);
	lai_store_close(store);
	assert_int_equal(t_query(place.into, "SELECT count(*) FROM records WHERE sender = body AND"
					     " CAST(sender AS INTEGER) ="
					     " CAST(substr(destination, 8) AS INTEGER)"),
			 40000);
	assert_int_equal(t_query(place.into, "SELECT count(DISTINCT sender) FROM records"), 20000);
	t_place_done(&place);
}

/* SQLite's bound is 16 MiB, in a new file as in one that was there. */
static void its_cache_is_bounded(void **state)
{
	static char body[10001];
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store *store;
	uint64_t ticket = 0;

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	t_place_init(&place, "s.db");
	settings = t_settings(place.into);
	settings.durability = LA_DURABILITY_NONE;
	store = t_open(&settings);
	for (unsigned seq = 1; seq <= 4000; seq++) {
		ticket = t_put(store, "a", seq, QUEUE, body);
		if (seq % 100 == 0)
			t_wait(store, ticket);
	}
	assert_true(sqlite3_memory_used() > 1 << 20); /* it does count */
	assert_true(sqlite3_memory_used() < 24 << 20);
	lai_store_close(store);
	t_place_done(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a person can query the file while the server runs",
		 .test_func = a_person_can_query_it},
		{.name = "a record is stored once: twice in a batch, out of order, after a restart",
		 .test_func = a_record_is_stored_once},
		{.name = "bodies and names come back as they were, text as text",
		 .test_func = bytes_come_back_as_they_were},
		{.name = "tickets are stored in their order",
		 .test_func = tickets_are_stored_in_their_order},
		{.name = "full buffers refuse, and take records again",
		 .test_func = full_buffers_refuse_and_recover},
		{.name = "without a thread everything happens in submit and retry",
		 .test_func = without_a_thread_it_is_done_at_once},
		{.name = "what is no store is refused and left alone",
		 .test_func = what_is_no_store_is_refused},
		{.name = "one server per store", .test_func = one_server_per_store},
		{.name = "a person can delete records", .test_func = a_person_can_delete},
		{.name = "20,000 senders and destinations are not mixed up",
		 .test_func = many_names_find_themselves_again},
		{.name = "what it keeps in memory is bounded, however much is stored",
		 .test_func = its_cache_is_bounded},
	};

	return cmocka_run_group_tests_name("disk.store", tests, NULL, NULL);
}
