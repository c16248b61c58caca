/* SPDX-License-Identifier: MIT */
/* Full jitter: bounds, doubling, the ceiling, an even spread, and the reset. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/backoff.h"

#define MIN_NS (500 * LAI_MS)
#define MAX_NS (60 * LAI_S)
#define SAMPLES 20000
#define BUCKETS 10

/* The ceiling of the n-th wait (1: the first that waits), written down and not computed. */
static const uint64_t ceilings_ms[] = {500,   1000,  2000,  4000,  8000,
				       16000, 32000, 60000, 60000, 60000};

#define CEILINGS (sizeof(ceilings_ms) / sizeof(ceilings_ms[0]))

static void test_first_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct lai_backoff backoff = {.min_ns = MIN_NS, .max_ns = MAX_NS};
		struct lai_random random = {.state = seed};

		assert_int_equal(lai_backoff_next(&backoff, &random), 0);
	}
}

/* Over many seeds: never at or over the ceiling, and close to it at times. */
static void test_bounds(void **state)
{
	uint64_t longest_ns[CEILINGS] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct lai_backoff backoff = {.min_ns = MIN_NS, .max_ns = MAX_NS};
		struct lai_random random = {.state = seed};

		(void)lai_backoff_next(&backoff, &random);
		for (size_t i = 0; i < CEILINGS; i++) {
			uint64_t delay_ns = lai_backoff_next(&backoff, &random);

			assert_true(delay_ns < ceilings_ms[i] * LAI_MS);
			if (delay_ns > longest_ns[i])
				longest_ns[i] = delay_ns;
		}
	}
	for (size_t i = 0; i < CEILINGS; i++)
		assert_true(longest_ns[i] > ceilings_ms[i] * LAI_MS / 100 * 99);
}

/* Full jitter is uniform: each tenth of the range gets its tenth, within five standard deviations.
 */
static void test_spread(void **state)
{
	unsigned buckets[BUCKETS] = {0};
	struct lai_random random = {.state = 11};

	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		struct lai_backoff backoff = {.min_ns = MIN_NS, .max_ns = MAX_NS, .failures = 1};

		buckets[lai_backoff_next(&backoff, &random) * BUCKETS / MIN_NS]++;
	}
	for (int i = 0; i < BUCKETS; i++) {
		assert_true(buckets[i] >
			    SAMPLES / BUCKETS - 5 * 43); /* sqrt(20000 * 0.1 * 0.9) = 42.4 */
		assert_true(buckets[i] < SAMPLES / BUCKETS + 5 * 43);
	}
}

static void test_seeds_differ(void **state)
{
	struct lai_random first = {.state = 1}, again = {.state = 1}, second = {.state = 2};
	struct lai_backoff a = {.min_ns = MIN_NS, .max_ns = MAX_NS, .failures = 5}, b = a, c = a;
	uint64_t delay_ns = lai_backoff_next(&a, &first);

	(void)state;
	assert_int_equal(delay_ns, lai_backoff_next(&b, &again));
	assert_int_not_equal(delay_ns, lai_backoff_next(&c, &second));
}

static void test_reset(void **state)
{
	struct lai_backoff backoff = {.min_ns = MIN_NS, .max_ns = MAX_NS};
	struct lai_random random = {.state = 3};

	(void)state;
	for (int i = 0; i < 20; i++)
		(void)lai_backoff_next(&backoff, &random);
	lai_backoff_reset(&backoff);
	assert_int_equal(lai_backoff_next(&backoff, &random), 0);
	assert_true(lai_backoff_next(&backoff, &random) < MIN_NS);
}

/* Failing for years, with the widest bounds there are. */
static void test_saturation(void **state)
{
	struct lai_backoff forever = {.min_ns = 1, .max_ns = LA_NEVER, .failures = UINT32_MAX - 2};
	struct lai_backoff huge = {.min_ns = LA_NEVER - 1, .max_ns = LA_NEVER, .failures = 1000000};
	struct lai_backoff zero = {.failures = 1000};
	struct lai_backoff rising = {.min_ns = 0, .max_ns = LAI_S, .failures = 9};
	struct lai_backoff equal = {.min_ns = LAI_S, .max_ns = LAI_S, .failures = 100};
	struct lai_random random = {.state = 4};
	uint64_t longest_ns = 0;

	(void)state;
	/* Doubling begins at 1 ms then, and goes up to the maximum. */
	for (int i = 0; i < 100; i++) {
		uint64_t delay_ns = lai_backoff_next(&rising, &random);

		assert_true(delay_ns < LAI_S);
		longest_ns = delay_ns > longest_ns ? delay_ns : longest_ns;
	}
	assert_true(longest_ns > LAI_S / 2);
	assert_true(lai_backoff_next(&forever, &random) > 0);
	assert_true(lai_backoff_next(&huge, &random) > 0);
	assert_int_equal(lai_backoff_next(&zero, &random), 0);
	for (int i = 0; i < 100; i++)
		assert_true(lai_backoff_next(&equal, &random) < LAI_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the first failure is retried at once", .test_func = test_first_at_once},
		{.name = "waits double up to the maximum and use the whole range",
		 .test_func = test_bounds},
		{.name = "full jitter: an even spread", .test_func = test_spread},
		{.name = "the same seed waits the same time, another one does not",
		 .test_func = test_seeds_differ},
		{.name = "a reset starts anew", .test_func = test_reset},
		{.name = "nothing overflows", .test_func = test_saturation},
	};

	return cmocka_run_group_tests_name("link.backoff", tests, NULL, NULL);
}
