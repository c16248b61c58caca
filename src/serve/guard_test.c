/* SPDX-License-Identifier: MIT */
/* How often an address may try, row by row; and that a million addresses change nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/time.h"
#include "serve/guard.h"

#include <arpa/inet.h>
#include <string.h>

#define T0 (100 * LAI_S)
#define WINDOW_NS (60 * LAI_S)
#define CROWD 1000000
#define SEED 20261122

static struct lai_address at(const char *text)
{
	struct lai_address address;

	assert_int_equal(lai_address_parse(text, 1234, &address), 0);
	return address;
}

static struct lai_guard *new_guard(uint32_t failures_max)
{
	struct lai_guard *guard;

	assert_int_equal(lai_guard_new(&guard, failures_max, WINDOW_NS, SEED), 0);
	return guard;
}

/* Three failures a minute. Seconds from the start, who, and after how many seconds it may try again. */
static const struct {
	unsigned at_s;
	const char *address;
	bool succeeds;
	unsigned wait_s;
} rows[] = {
	{0, "192.0.2.1", false, 0},
	{10, "192.0.2.1", false, 0},
	{20, "192.0.2.1", false, 0},
	{20, "192.0.2.1", false, 40}, /* the first is forgotten at 60 */
	{30, "192.0.2.1", true, 30},  /* not even with the right password */
	{30, "192.0.2.2", false, 0},  /* its neighbour is somebody else */
	{59, "192.0.2.1", false, 1},
	{60, "192.0.2.1", false, 0},
	{60, "192.0.2.1", false, 10},
	{70, "192.0.2.1", true, 0}, /* a success takes no place */
	{70, "192.0.2.1", true, 0},
	{70, "192.0.2.1", false, 0},
	{71, "192.0.2.1", false, 9},
	{71, "::ffff:192.0.2.1", false, 9}, /* the same host */
	/* A /64 is one. */
	{100, "2001:db8::1", false, 0},
	{100, "2001:db8::ffff:2", false, 0},
	{100, "2001:db8::3:4:5", false, 0},
	{101, "2001:db8::6", false, 59},
	{101, "2001:db8:0:1::6", false, 0},
	{1000, "192.0.2.1", false, 0},
};

static void test_rows(void **state)
{
	struct lai_guard *guard = new_guard(3);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_address address = at(rows[i].address);
		uint64_t now_ns = T0 + rows[i].at_s * LAI_S;
		uint64_t wait_ns = lai_guard_try(guard, &address, now_ns);

		if (wait_ns != rows[i].wait_s * LAI_S)
			fail_msg("row %zu: %llu s, not %u", i,
				 (unsigned long long)(wait_ns / LAI_S), rows[i].wait_s);
		if (wait_ns == 0 && rows[i].succeeds)
			lai_guard_succeeded(guard, &address, now_ns);
	}
	lai_guard_free(guard);
}

/* In no window of that length are there more failures, however they are spread. */
static void test_never_more(void **state)
{
	struct lai_random random = {.state = 5};
	struct lai_guard *guard = new_guard(7);
	struct lai_address address = at("192.0.2.1");
	static uint64_t failures[20000];
	uint64_t now_ns = T0;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t wait_ns;

		now_ns += lai_random_below(&random, 5 * LAI_S);
		wait_ns = lai_guard_try(guard, &address, now_ns);
		assert_true(wait_ns <= WINDOW_NS);
		if (wait_ns > 0)
			continue;
		if (lai_random_below(&random, 4) == 0)
			lai_guard_succeeded(guard, &address, now_ns);
		else
			failures[count++] = now_ns;
	}
	assert_true(count > 1000);
	for (size_t i = 7; i < count; i++)
		assert_true(failures[i] - failures[i - 7] >= WINDOW_NS);
	lai_guard_free(guard);
}

/* Many at once count before any of them is decided. */
static void test_at_once(void **state)
{
	struct lai_guard *guard = new_guard(10);
	struct lai_address address = at("192.0.2.1");

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(lai_guard_try(guard, &address, T0), 0);
	assert_true(lai_guard_try(guard, &address, T0) == WINDOW_NS);
	lai_guard_succeeded(guard, &address, T0);
	assert_int_equal(lai_guard_try(guard, &address, T0), 0);
	lai_guard_free(guard);
}

static void test_bounds(void **state)
{
	static const struct {
		uint32_t given, counts_as;
	} bounds[] = {{0, 1}, {1, 1}, {1000, 1000}, {1001, 1000}, {UINT32_MAX, 1000}};
	struct lai_address address = at("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct lai_guard *guard = new_guard(bounds[i].given);
		uint32_t tries = 0;

		while (tries < 5000 && lai_guard_try(guard, &address, T0) == 0)
			tries++;
		assert_int_equal(tries, bounds[i].counts_as);
		lai_guard_free(guard);
	}
	lai_guard_free(NULL);
}

/* The table stays as it is; one that is heard again and again is not forgotten among them. */
static void test_crowd(void **state)
{
	struct lai_guard *guard = new_guard(2);
	struct lai_random random = {.state = 77};
	struct lai_address guesser = at("192.0.2.1"), other = at("198.51.100.1");
	size_t let_in = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		other.v4.sin_addr.s_addr = (uint32_t)lai_random_next(&random) | htonl(1u << 31);
		(void)lai_guard_try(guard, &other, T0);
		assert_true(lai_guard_count(guard) <= LAI_GUARD_ADDRESSES_MAX);
		if (i % 1000 == 0)
			let_in += lai_guard_try(guard, &guesser, T0) == 0;
	}
	assert_int_equal(lai_guard_count(guard), LAI_GUARD_ADDRESSES_MAX);
	assert_int_equal(let_in, 2);
	/* One of which nothing was heard for so long was forgotten, and that is all. */
	for (int i = 0; i < 2 * LAI_GUARD_ADDRESSES_MAX; i++) {
		other.v4.sin_addr.s_addr = htonl((1u << 31) + (unsigned)i);
		(void)lai_guard_try(guard, &other, T0);
	}
	lai_guard_succeeded(guard, &guesser, T0);
	assert_int_equal(lai_guard_try(guard, &guesser, T0), 0);
	lai_guard_free(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "who may try when", .test_func = test_rows},
		{.name = "never more failures in any window", .test_func = test_never_more},
		{.name = "attempts count before they are decided", .test_func = test_at_once},
		{.name = "the bounds of failures_max", .test_func = test_bounds},
		{.name = "a million addresses fit into the table", .test_func = test_crowd},
	};

	return cmocka_run_group_tests_name("serve.guard", tests, NULL, NULL);
}
