/* SPDX-License-Identifier: MIT */
/*
 * The spool on the simulated disk: the power goes at every write and sync of a run, drives lie, and
 * disks are full. What was promised at the level of durability is there, whole and in order, and no
 * number that may have been sent stands for a second record.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk/t_spool.h"

#include "base/random.h"
#include "io/sim/sim_disk.h"

#define STEPS 10

/* What the outside knows of a spool. */
struct ledger {
	uint64_t promised; /* the last number that must survive */
	uint64_t visible;  /* the last number that was committed: it may have been sent */
	uint64_t confirmed;
};

static struct lai_spool_settings settings_on(const struct lai_sim_disk *disk,
					     enum la_durability durability)
{
	return (struct lai_spool_settings){
		.config = {.path = "spool.db", .durability = durability},
		.record_bytes_max = T_BODY_MAX,
		.vfs = lai_sim_disk_vfs(disk),
		.seed = 42,
	};
}

/* Puts, loads, confirms and commits by the seed; ends early when the disk fails. */
static int work(struct lai_spool *spool, uint64_t seed, enum la_durability durability,
		struct ledger *ledger)
{
	struct lai_random random = {.state = seed};
	int error;

	for (int step = 0; step < STEPS; step++) {
		uint64_t seq = 0, loaded = 0, last = 0;
		const void *body;
		size_t size;

		for (uint64_t i = lai_random_below(&random, 60); i > 0; i--) {
			error = t_put_sized(spool, 0, lai_random_below(&random, 2000), &seq);
			assert_int_equal(error, 0);
			assert_true(seq > ledger->visible);
			last = seq;
		}
		for (uint64_t i = lai_random_below(&random, 60); i > 0; i--)
			if (lai_spool_load(spool, &seq, &body, &size) == 0)
				loaded = seq;
		if (loaded && step % 3 == 0) {
			/* Its state may be on the disk even if the commit fails. */
			ledger->confirmed = loaded;
			lai_spool_confirm(spool, loaded);
		}
		error = lai_spool_commit(spool);
		if (last && error == 0)
			ledger->visible = last;
		if (error)
			return error;
		if (durability == LA_DURABILITY_FULL)
			ledger->promised = ledger->visible;
		if (durability == LA_DURABILITY_BATCH && step % 5 == 4) {
			error = lai_spool_sync(spool);
			if (error)
				return error;
			ledger->promised = ledger->visible;
		}
	}
	return 0;
}

static void check(struct lai_spool *spool, const struct ledger *ledger)
{
	struct la_spool_info info = t_info(spool);
	uint64_t seq, last = info.confirmed_seq, records = 0;
	const void *body;
	size_t size;

	assert_true(info.confirmed_seq <= ledger->confirmed);
	assert_true(info.accepted_seq >= ledger->promised);
	while (lai_spool_load(spool, &seq, &body, &size) == 0) {
		assert_true(seq > last);
		last = seq;
		records++;
	}
	assert_int_equal(info.damaged_blocks, 0);
	assert_int_equal(records, info.records);
	assert_int_equal(last, info.accepted_seq);
	/* Within one run numbers follow one another without a gap. */
	if (records > 0 && info.accepted_seq < 1000000000)
		assert_int_equal(records, info.accepted_seq - info.confirmed_seq);
}

/* One life of a spool: the n-th write fails, and the power goes. true: it had so many. */
static bool lose_power(uint64_t seed, unsigned n, enum la_durability durability)
{
	struct ledger ledger = {0};
	struct lai_spool_settings settings;
	struct lai_spool *spool = NULL;
	struct lai_sim_disk *disk;
	char *error = NULL;
	uint64_t seq;
	int result;

	assert_int_equal(lai_sim_disk_new(&disk, seed + n), 0);
	settings = settings_on(disk, durability);
	lai_sim_disk_fail(disk, n);
	result = lai_spool_open(&spool, &settings, &error);
	free(error);
	if (result == 0)
		result = work(spool, seed, durability, &ledger);
	lai_sim_disk_power_loss(disk);
	lai_sim_disk_fail(disk, 0);
	lai_spool_close(spool);

	spool = t_open(&settings);
	check(spool, &ledger);
	assert_int_equal(t_put_sized(spool, 0, 100, &seq), 0);
	assert_true(seq > ledger.visible);
	assert_int_equal(lai_spool_commit(spool), 0);
	lai_spool_close(spool);
	lai_sim_disk_free(disk);
	return result != 0;
}

static void every_write(enum la_durability durability)
{
	unsigned n = 1;

	while (lose_power(1, n, durability))
		n++;
	assert_true(n > STEPS);
	/* Other lives, at other moments. */
	for (uint64_t seed = 2; seed <= 60; seed++)
		(void)lose_power(seed, 1 + (unsigned)(seed * 7919 % n), durability);
}

static void test_full(void **state)
{
	(void)state;
	every_write(LA_DURABILITY_FULL);
}

static void test_batch(void **state)
{
	(void)state;
	every_write(LA_DURABILITY_BATCH);
}

/* From some moment on sync() does nothing: commits may be lost, their numbers do not come again. */
static void test_lie(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct ledger ledger = {0};
		struct lai_spool_settings settings;
		struct lai_spool *spool = NULL;
		struct lai_sim_disk *disk;
		char *error = NULL;
		uint64_t seq;

		assert_int_equal(lai_sim_disk_new(&disk, seed), 0);
		settings = settings_on(disk, LA_DURABILITY_FULL);
		spool = t_open(&settings);
		assert_int_equal(t_put_sized(spool, 0, 10, &seq), 0);
		assert_int_equal(lai_spool_commit(spool), 0);
		lai_sim_disk_lie(disk, true);
		assert_int_equal(work(spool, seed, LA_DURABILITY_NONE, &ledger), 0);
		lai_sim_disk_power_loss(disk);
		lai_sim_disk_lie(disk, false);
		lai_spool_close(spool);
		if (lai_spool_open(&spool, &settings, &error) == 0) {
			assert_int_equal(t_put_sized(spool, 0, 10, &seq), 0);
			assert_true(seq > ledger.visible);
			lai_spool_close(spool);
		} else { /* a drive that lies may destroy more than the end */
			assert_non_null(error);
			free(error);
		}
		lai_sim_disk_free(disk);
	}
}

static void test_no_room(void **state)
{
	struct ledger ledger = {0};
	struct lai_spool_settings settings;
	struct lai_spool *spool;
	struct lai_sim_disk *disk;

	(void)state;
	assert_int_equal(lai_sim_disk_new(&disk, 5), 0);
	settings = settings_on(disk, LA_DURABILITY_FULL);
	spool = t_open(&settings);
	lai_sim_disk_capacity(disk, lai_sim_disk_used(disk) + 200000);
	assert_int_equal(work(spool, 5, LA_DURABILITY_FULL, &ledger), -ENOSPC);
	assert_true(ledger.visible > 0);
	assert_non_null(strstr(lai_spool_why(spool), "no room"));
	assert_true(lai_spool_uncommitted(spool) > 0);
	lai_sim_disk_capacity(disk, UINT64_MAX);
	assert_int_equal(lai_spool_commit(spool), 0);
	assert_int_equal(lai_spool_uncommitted(spool), 0);
	lai_sim_disk_power_loss(disk);
	lai_spool_close(spool);
	spool = t_open(&settings);
	check(spool, &ledger);
	lai_spool_close(spool);
	lai_sim_disk_free(disk);
}

/* The process dies, the host lives: whatever the durability, nothing that was committed is lost. */
static void test_crash(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct ledger ledger = {0};
		struct lai_spool_settings settings;
		struct lai_spool *spool;
		struct lai_sim_disk *disk;

		assert_int_equal(lai_sim_disk_new(&disk, seed), 0);
		settings = settings_on(disk, LA_DURABILITY_NONE);
		spool = t_open(&settings);
		assert_int_equal(work(spool, seed, LA_DURABILITY_NONE, &ledger), 0);
		lai_sim_disk_crash(disk);
		lai_spool_close(spool);
		spool = t_open(&settings);
		ledger.promised = ledger.visible;
		check(spool, &ledger);
		lai_spool_close(spool);
		lai_sim_disk_free(disk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "power lost at every write, durability full: all commits survive",
		 .test_func = test_full},
		{.name = "power lost at every write, durability batch: all up to the last sync",
		 .test_func = test_batch},
		{.name = "a drive that lies about sync: no number is used twice",
		 .test_func = test_lie},
		{.name = "no room: kept, and committed later", .test_func = test_no_room},
		{.name = "a crash without loss of power loses nothing", .test_func = test_crash},
	};

	return cmocka_run_group_tests_name("disk.spool_power", tests, NULL, NULL);
}
