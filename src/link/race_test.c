/* SPDX-License-Identifier: MIT */
/* RFC 8305 as a table: the resolver's order, and the order and times of the attempts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/race.h"

#include <stdio.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define TEXT_MAX 512

static int parse(const char *names, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	char list[TEXT_MAX], *rest = NULL;
	int count = 0;

	snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		assert_int_equal(lai_address_parse(name, 0, &addresses[count++]), 0);
	return count;
}

static void begin(struct lai_race *race, const char *names)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	int count = parse(names, addresses);

	memset(race, 0xa5, sizeof(*race));
	lai_race_init(race, addresses, count, START_NS);
}

static void expect_order(const struct lai_race *race, const char *names)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	int count = parse(names, addresses);

	assert_int_equal(race->count, count);
	for (int i = 0; i < count; i++)
		assert_true(lai_address_equal(&race->addresses[i], &addresses[i]));
}

/* RFC 8305, section 4: the families alternate, the first one is the resolver's choice. */
static const struct {
	const char *resolved, *tried;
} orders[] = {
	{"::1", "::1"},
	{"192.0.2.1 192.0.2.2 192.0.2.3", "192.0.2.1 192.0.2.2 192.0.2.3"},
	{"::1 ::2 192.0.2.1", "::1 192.0.2.1 ::2"},
	{"192.0.2.1 ::1 ::2", "192.0.2.1 ::1 ::2"},
	{"192.0.2.1 192.0.2.2 ::1 ::2", "192.0.2.1 ::1 192.0.2.2 ::2"},
	{"::1 ::2 ::3 192.0.2.1 192.0.2.2", "::1 192.0.2.1 ::2 192.0.2.2 ::3"},
	{"::1 ::2 ::3 ::4 192.0.2.1", "::1 192.0.2.1 ::2 ::3 ::4"},
};

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct lai_race race;

		begin(&race, orders[i].resolved);
		expect_order(&race, orders[i].tried);
	}
}

static void test_stagger(void **state)
{
	struct lai_race race;
	uint64_t now_ns = START_NS;

	(void)state;
	begin(&race, "::1 192.0.2.1 ::2");
	for (int attempt = 0; attempt < 3; attempt++) {
		assert_int_equal(lai_race_deadline(&race), now_ns);
		assert_int_equal(lai_race_next(&race, now_ns), attempt);
		assert_true(race.running[attempt]);
		assert_int_equal(lai_race_next(&race, now_ns), -1);
		assert_int_equal(lai_race_next(&race, now_ns + LAI_RACE_STAGGER_NS - 1), -1);
		now_ns += LAI_RACE_STAGGER_NS;
	}
	assert_int_equal(lai_race_next(&race, now_ns + LAI_S), -1);
	assert_true(lai_race_deadline(&race) == LA_NEVER);
	assert_false(lai_race_lost(&race));
}

static void test_failure_starts_next(void **state)
{
	struct lai_race race;

	(void)state;
	begin(&race, "::1 192.0.2.1 ::2");
	assert_int_equal(lai_race_next(&race, START_NS), 0);
	lai_race_failed(&race, 0, START_NS + 3);
	assert_int_equal(lai_race_deadline(&race), START_NS + 3);
	assert_int_equal(lai_race_next(&race, START_NS + 3), 1);
	/* The stagger counts from the start of the last one. */
	assert_int_equal(lai_race_deadline(&race), START_NS + 3 + LAI_RACE_STAGGER_NS);
	lai_race_failed(&race, 1, START_NS + 4);
	assert_false(lai_race_lost(&race));
	assert_int_equal(lai_race_next(&race, START_NS + 4), 2);
	lai_race_failed(&race, 2, START_NS + 5);
	assert_true(lai_race_lost(&race));
	assert_int_equal(lai_race_next(&race, START_NS + LAI_S), -1);
	assert_true(lai_race_deadline(&race) == LA_NEVER);
}

/* Attempts fail in any order: lost only with the last of them. */
static void test_lost(void **state)
{
	struct lai_race race;

	(void)state;
	begin(&race, "::1 192.0.2.1");
	assert_int_equal(lai_race_next(&race, START_NS), 0);
	assert_int_equal(lai_race_next(&race, START_NS + LAI_RACE_STAGGER_NS), 1);
	lai_race_failed(&race, 1, START_NS + LAI_S);
	assert_false(lai_race_lost(&race));
	assert_true(race.running[0]);
	lai_race_failed(&race, 0, START_NS + 2 * LAI_S);
	assert_true(lai_race_lost(&race));
}

static const struct {
	const char *resolved, *preferred, *tried;
} preferences[] = {
	{"::1 192.0.2.1 ::2", "::2", "::2 ::1 192.0.2.1"},
	{"::1 192.0.2.1 ::2", "192.0.2.1", "192.0.2.1 ::1 ::2"},
	{"::1 192.0.2.1 ::2", "::1", "::1 192.0.2.1 ::2"},
	{"::1 192.0.2.1 ::2", "192.0.2.9", "::1 192.0.2.1 ::2"},
	{"::1", "::1", "::1"},
};

static void test_prefer(void **state)
{
	const struct lai_address none = {.length = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(preferences) / sizeof(preferences[0]); i++) {
		struct lai_address preferred;
		struct lai_race race;

		begin(&race, preferences[i].resolved);
		assert_int_equal(lai_address_parse(preferences[i].preferred, 0, &preferred), 0);
		lai_race_prefer(&race, &preferred);
		expect_order(&race, preferences[i].tried);
		lai_race_prefer(&race, &none);
		expect_order(&race, preferences[i].tried);
	}
}

static void test_full(void **state)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	struct lai_race race;

	(void)state;
	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		assert_int_equal(lai_address_parse("192.0.2.1", (uint16_t)(i + 1), &addresses[i]),
				 0);
	lai_race_init(&race, addresses, LAI_ADDRESSES_MAX, START_NS);
	for (int i = 0; i < LAI_ADDRESSES_MAX; i++) {
		assert_int_equal(lai_race_next(&race, START_NS), i);
		lai_race_failed(&race, i, START_NS);
	}
	assert_true(lai_race_lost(&race));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "families alternate, beginning with the resolver's first",
		 .test_func = test_order},
		{.name = "the next attempt starts after 250 ms", .test_func = test_stagger},
		{.name = "a failure starts the next one at once",
		 .test_func = test_failure_starts_next},
		{.name = "lost when every address has failed", .test_func = test_lost},
		{.name = "the preferred address goes first, if it is there",
		 .test_func = test_prefer},
		{.name = "as many addresses as there can be", .test_func = test_full},
	};

	return cmocka_run_group_tests_name("link.race", tests, NULL, NULL);
}
