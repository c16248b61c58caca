/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "serve/rate.h"

/* Takes all it gets for that long, as a reader with a fast peer does; returns the sum. */
static uint64_t read_for(struct lai_rate *rate, uint64_t from_ns, uint64_t duration_ns,
			 unsigned *rests)
{
	uint64_t now_ns = from_ns, sum_bytes = 0;

	*rests = 0;
	while (now_ns < from_ns + duration_ns) {
		size_t size = lai_rate_allows(rate, now_ns);

		if (size == 0) {
			assert_true(lai_rate_ready(rate) > now_ns);
			now_ns = lai_rate_ready(rate);
			(*rests)++;
			continue;
		}
		lai_rate_take(rate, size);
		sum_bytes += size;
	}
	return sum_bytes;
}

static void test_rates(void **state)
{
	static const uint64_t rates[] = {1, 7, 10, 1000, 12345, 1 << 20, 10ull << 30};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct lai_rate rate;
		unsigned rests;
		uint64_t sum_bytes;

		lai_rate_init(&rate, rates[i], 5 * LAI_S);
		sum_bytes = read_for(&rate, 5 * LAI_S, 100 * LAI_S, &rests);
		/* One bucket full at the start, at most one still missing at the end. */
		assert_in_range(sum_bytes, rates[i] * 100 - rate.burst_bytes,
				rates[i] * 100 + rate.burst_bytes);
		assert_in_range(rests, 1, 100 * 20 + 1);
	}
}

static void test_no_limit(void **state)
{
	struct lai_rate rate;

	(void)state;
	lai_rate_init(&rate, 0, 0);
	assert_true(lai_rate_allows(&rate, 0) == SIZE_MAX);
	lai_rate_take(&rate, SIZE_MAX);
	assert_true(lai_rate_allows(&rate, 0) == SIZE_MAX);
}

static void test_pause_saves_little(void **state)
{
	struct lai_rate rate;

	(void)state;
	lai_rate_init(&rate, 1000, 0);
	lai_rate_take(&rate, lai_rate_allows(&rate, 0));
	assert_int_equal(lai_rate_allows(&rate, 0), 0);
	/* An hour without a byte does not entitle to an hour's worth. */
	assert_int_equal(lai_rate_allows(&rate, 3600 * LAI_S), 100);
}

static void test_extremes(void **state)
{
	struct lai_rate rate;

	(void)state;
	lai_rate_init(&rate, INT64_MAX, 0);
	assert_int_equal(lai_rate_allows(&rate, 0), INT64_MAX / 10);
	lai_rate_take(&rate, INT64_MAX / 10);
	assert_int_equal(lai_rate_allows(&rate, 0), 0);
	assert_int_equal(lai_rate_allows(&rate, LA_NEVER - 1), INT64_MAX / 10);
	/* Time that goes back changes nothing. */
	assert_int_equal(lai_rate_allows(&rate, 0), INT64_MAX / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "over 100 s a reader gets the rate, give or take one bucket",
		 .test_func = test_rates},
		{.name = "no limit is no limit", .test_func = test_no_limit},
		{.name = "a long pause saves one bucket at most",
		 .test_func = test_pause_saves_little},
		{.name = "the largest rate and the longest time do not overflow",
		 .test_func = test_extremes},
	};

	return cmocka_run_group_tests_name("serve.rate", tests, NULL, NULL);
}
