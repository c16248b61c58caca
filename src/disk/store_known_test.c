/* SPDX-License-Identifier: MIT */
/* store_known_test.c - runs of numbers, compared with a table that has a place for each number. */
#include "disk/t_store.h"

#include "base/random.h"
#include "disk/store_known.h"

#define SENDER_COUNT 5
#define SEQ_COUNT 300

struct stand {
	struct t_place place;
	struct lai_database database;
	struct lai_store_known known;
};

static void stand_open(struct stand *stand, bool create)
{
	assert_int_equal(
		lai_database_open(&stand->database, stand->place.into, NULL, LA_DURABILITY_NONE),
		0);
	if (create)
		assert_int_equal(lai_database_run(&stand->database, LAI_STORE_KNOWN_TABLE), 0);
	assert_int_equal(lai_store_known_init(&stand->known, &stand->database), 0);
}

static void stand_close(struct stand *stand)
{
	lai_store_known_done(&stand->known);
	lai_database_close(&stand->database);
}

static int add(struct stand *stand, const char *sender, uint64_t seq)
{
	return lai_store_known_add(&stand->known, lai_slice_of(sender), seq);
}

static void begin(struct stand *stand)
{
	assert_int_equal(lai_database_run(&stand->database, "BEGIN"), 0);
}

static void end(struct stand *stand, bool commit)
{
	if (commit) {
		assert_int_equal(lai_store_known_flush(&stand->known), 0);
		assert_int_equal(lai_database_run(&stand->database, "COMMIT"), 0);
	} else {
		assert_int_equal(lai_database_run(&stand->database, "ROLLBACK"), 0);
		lai_store_known_forget(&stand->known);
	}
}

static void in_order_is_one_run(void **state)
{
	struct stand stand = {0};

	(void)state;
	t_place_init(&stand.place, "k.db");
	stand_open(&stand, true);
	begin(&stand);
	for (uint64_t seq = 1; seq <= 1000; seq++)
		assert_int_equal(add(&stand, "a", seq), 0);
	assert_int_equal(add(&stand, "a", 1000), -EEXIST);
	assert_int_equal(add(&stand, "a", 1), -EEXIST);
	end(&stand, true);
	assert_int_equal(t_query(stand.place.into, "SELECT count(*) FROM run"), 1);
	begin(&stand);
	assert_int_equal(add(&stand, "a", 1001), 0);
	assert_int_equal(add(&stand, "a", 1003), 0);
	end(&stand, true);
	assert_int_equal(t_query(stand.place.into, "SELECT count(*) FROM run"), 2);
	begin(&stand);
	assert_int_equal(add(&stand, "a", 1002), 0);
	end(&stand, true);
	assert_int_equal(t_query(stand.place.into, "SELECT count(*) FROM run"), 1);
	assert_int_equal(t_query(stand.place.into, "SELECT last FROM run"), 1003);
	stand_close(&stand);
	t_place_done(&stand.place);
}

static void the_ends_of_the_numbers(void **state)
{
	static const uint64_t seqs[] = {0,
					1,
					INT64_MAX,
					INT64_MAX - 1ull,
					INT64_MAX + 1ull,
					INT64_MAX + 2ull,
					UINT64_MAX,
					UINT64_MAX - 1};
	struct stand stand = {0};

	(void)state;
	t_place_init(&stand.place, "k.db");
	stand_open(&stand, true);
	for (int round = 0; round < 2; round++) {
		begin(&stand);
		for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++)
			assert_int_equal(add(&stand, "", seqs[i]), round ? -EEXIST : 0);
		end(&stand, true);
	}
	stand_close(&stand);
	t_place_done(&stand.place);
}

/* Any order, gaps that close, rollbacks, restarts; one sender's name is too long to be kept. */
static void any_order_against_a_plain_table(void **state)
{
	static bool known[SENDER_COUNT][SEQ_COUNT], committed[SENDER_COUNT][SEQ_COUNT];
	struct lai_random random = {.state = 4};
	struct stand stand = {0};
	char senders[SENDER_COUNT][128];

	(void)state;
	for (int i = 0; i < SENDER_COUNT; i++)
		(void)snprintf(senders[i], sizeof(senders[i]), "%0*d", i == 4 ? 120 : 3, i);
	t_place_init(&stand.place, "k.db");
	stand_open(&stand, true);
	for (int round = 0; round < 200; round++) {
		bool commit = lai_random_below(&random, 4) > 0;

		begin(&stand);
		for (int i = 0; i < 20; i++) {
			size_t sender = lai_random_below(&random, SENDER_COUNT);
			uint64_t seq = lai_random_below(&random, SEQ_COUNT);

			for (uint64_t last = seq + lai_random_below(&random, 4);
			     seq <= last && seq < SEQ_COUNT; seq++) {
				assert_int_equal(add(&stand, senders[sender], seq),
						 known[sender][seq] ? -EEXIST : 0);
				known[sender][seq] = true;
			}
		}
		end(&stand, commit);
		if (commit)
			memcpy(committed, known, sizeof(known));
		else
			memcpy(known, committed, sizeof(known));
		if (round % 37 == 0) {
			stand_close(&stand);
			stand_open(&stand, false);
		}
	}
	stand_close(&stand);
	assert_int_equal(t_query(stand.place.into,
				 "SELECT count(*) FROM run AS a JOIN run AS b USING(sender) WHERE"
				 " a.first < b.first AND b.first <= a.last + 1"),
			 0);
	t_place_done(&stand.place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "numbers in order are one run, gaps close",
		 .test_func = in_order_is_one_run},
		{.name = "the smallest and the largest numbers",
		 .test_func = the_ends_of_the_numbers},
		{.name = "any order, rollbacks and restarts, against a plain table",
		 .test_func = any_order_against_a_plain_table},
	};

	return cmocka_run_group_tests_name("disk.store_known", tests, NULL, NULL);
}
