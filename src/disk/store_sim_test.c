/* SPDX-License-Identifier: MIT */
/*
 * store_sim_test.c - the store on the simulator's disk: the power goes, or an operation fails, at
 * each single operation of a run. What was confirmed is there afterwards; sent again, everything is
 * there once.
 */
#include "disk/t_store.h"

#include "io/sim/sim_disk.h"

#define FILE_NAME "s.db"
#define BATCH_COUNT 6
#define BATCH_RECORDS 40
/* A run has some hundred operations; more of them would be another program. */
#define OPERATIONS_MAX 5000
/* A failed batch succeeds at the next try, since one operation fails. */
#define TRIES_MAX 3

struct stand {
	struct lai_sim_disk *disk;
	struct lai_store_settings settings;
	struct lai_store *store; /* NULL: could not be opened */
};

static void stand_init(struct stand *stand, uint64_t seed)
{
	assert_int_equal(lai_sim_disk_new(&stand->disk, seed), 0);
	stand->settings = t_settings(FILE_NAME);
	stand->settings.no_thread = true;
	stand->settings.vfs = lai_sim_disk_vfs(stand->disk);
	stand->store = NULL;
}

static void stand_done(struct stand *stand)
{
	lai_store_close(stand->store);
	lai_sim_disk_free(stand->disk);
}

static void try_open(struct stand *stand)
{
	char *error = NULL;

	stand->store = NULL;
	if (lai_store_open(&stand->store, &stand->settings, &error) != 0)
		assert_non_null(error);
	free(error);
}

static void reopen(struct stand *stand)
{
	lai_store_close(stand->store);
	stand->store = t_open(&stand->settings);
}

/* All batches, each tried up to so often; how many are confirmed. Two senders, mixed. */
static uint64_t send_all(struct stand *stand, int tries)
{
	uint64_t ticket = 0, first = lai_store_stored(stand->store);
	char body[300];

	memset(body, 'b', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	for (uint64_t batch = 0; batch < BATCH_COUNT; batch++) {
		for (uint64_t i = 0; i < BATCH_RECORDS; i++)
			ticket = t_put(stand->store, i % 3 == 0 ? "a" : "b",
				       batch * BATCH_RECORDS + i + 1, "/queue/q", body);
		if (!lai_store_submit(stand->store))
			break;
		for (int i = 1; lai_store_stored(stand->store) < ticket && i < tries; i++)
			lai_store_retry(stand->store);
		if (lai_store_stored(stand->store) < ticket)
			break;
	}
	return lai_store_stored(stand->store) - first;
}

static int64_t query(const struct stand *stand, const char *sql)
{
	sqlite3 *handle = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_open_v2(FILE_NAME, &handle, SQLITE_OPEN_READWRITE,
			    lai_sim_disk_vfs(stand->disk)) == SQLITE_OK &&
	    sqlite3_exec(handle, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(handle);
	return value;
}

/* The store is closed; of the confirmed batches every record is there. */
static void confirmed_is_there(const struct stand *stand, uint64_t confirmed, uint64_t n)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM records WHERE length(body) = 299 AND seq <= %llu",
		       (unsigned long long)confirmed * BATCH_RECORDS);
	if (query(stand, sql) != (int64_t)(confirmed * BATCH_RECORDS))
		fail_msg("operation %llu: %llu batches were confirmed, %lld records are there",
			 (unsigned long long)n, (unsigned long long)confirmed,
			 (long long)query(stand, sql));
}

/* Opens again, checks, sends all again, checks. */
static void all_well(struct stand *stand, uint64_t confirmed, uint64_t n)
{
	reopen(stand);
	lai_store_close(stand->store);
	stand->store = NULL;
	confirmed_is_there(stand, confirmed, n);
	reopen(stand);
	assert_int_equal(send_all(stand, 1), BATCH_COUNT);
	lai_store_close(stand->store);
	stand->store = NULL;
	confirmed_is_there(stand, BATCH_COUNT, n);
	assert_int_equal(query(stand, "SELECT count(*) FROM record"), BATCH_COUNT * BATCH_RECORDS);
}

static uint64_t operations_of_a_run(void)
{
	struct stand stand;
	uint64_t operations;

	stand_init(&stand, 1);
	try_open(&stand);
	assert_non_null(stand.store);
	assert_int_equal(send_all(&stand, 1), BATCH_COUNT);
	operations = lai_sim_disk_operations(stand.disk);
	all_well(&stand, BATCH_COUNT, 0);
	stand_done(&stand);
	assert_in_range(operations, BATCH_COUNT, OPERATIONS_MAX);
	return operations;
}

static void the_power_goes(void **state)
{
	uint64_t operations = operations_of_a_run();

	(void)state;
	for (uint64_t n = 1; n <= operations; n++) {
		struct stand stand;
		uint64_t confirmed = 0;

		stand_init(&stand, n);
		lai_sim_disk_power_loss_at(stand.disk, n);
		try_open(&stand);
		if (stand.store)
			confirmed = send_all(&stand, 1);
		lai_sim_disk_power_loss_at(stand.disk, 0);
		all_well(&stand, confirmed, n);
		stand_done(&stand);
	}
}

static void an_operation_fails(void **state)
{
	uint64_t operations = operations_of_a_run();

	(void)state;
	for (uint64_t n = 1; n <= operations; n++) {
		struct stand stand;
		uint64_t confirmed;

		stand_init(&stand, n);
		lai_sim_disk_fail(stand.disk, (unsigned)n);
		try_open(&stand);
		if (!stand.store)
			reopen(&stand);
		confirmed = send_all(&stand, TRIES_MAX);
		if (confirmed != BATCH_COUNT)
			fail_msg("operation %llu: %llu batches, %s", (unsigned long long)n,
				 (unsigned long long)confirmed, lai_store_trouble(stand.store));
		assert_null(lai_store_trouble(stand.store));
		/* A sync that failed is not believed: the power may go at once. */
		lai_sim_disk_power_loss(stand.disk);
		all_well(&stand, confirmed, n);
		stand_done(&stand);
	}
}

static void no_room_for_a_while(void **state)
{
	(void)state;
	for (uint64_t kib = 60; kib <= 400; kib += 20) {
		struct stand stand;
		uint64_t confirmed;

		stand_init(&stand, kib);
		try_open(&stand);
		assert_non_null(stand.store);
		lai_sim_disk_capacity(stand.disk, kib << 10);
		confirmed = send_all(&stand, TRIES_MAX);
		if (confirmed < BATCH_COUNT)
			assert_non_null(strstr(lai_store_trouble(stand.store), "no room"));
		else
			assert_null(lai_store_trouble(stand.store));
		lai_sim_disk_capacity(stand.disk, UINT64_MAX);
		lai_store_retry(stand.store);
		assert_null(lai_store_trouble(stand.store));
		all_well(&stand, confirmed, kib);
		stand_done(&stand);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the power goes at each operation of a run", .test_func = the_power_goes},
		{.name = "each operation of a run fails once", .test_func = an_operation_fails},
		{.name = "no room for a while", .test_func = no_room_for_a_while},
	};

	return cmocka_run_group_tests_name("disk.store_sim", tests, NULL, NULL);
}
