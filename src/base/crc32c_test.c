/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "base/random.h"

#include <string.h>

/* The examples of RFC 3720, B.4, as numbers, and the check value of the CRC catalogues. */
static void test_examples(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(lai_crc32c(0, NULL, 0), 0);
	assert_int_equal(lai_crc32c(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(lai_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(lai_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(lai_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(lai_crc32c_by_table(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static void test_equal(void **state)
{
	struct lai_random random = {.state = 17};
	uint8_t bytes[600];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)lai_random_next(&random);
	for (int i = 0; i < 2000; i++) {
		size_t from = lai_random_below(&random, sizeof(bytes));
		size_t size = lai_random_below(&random, sizeof(bytes) - from);
		size_t half = lai_random_below(&random, size + 1);
		uint32_t crc = lai_crc32c(0, bytes + from, size);

		assert_int_equal(crc, lai_crc32c_by_table(0, bytes + from, size));
		assert_int_equal(crc, lai_crc32c(lai_crc32c(0, bytes + from, half),
						 bytes + from + half, size - half));
	}
}

static void test_one_bit(void **state)
{
	uint8_t bytes[100] = {1, 2, 3};
	uint32_t crc = lai_crc32c(0, bytes, sizeof(bytes));

	(void)state;
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(lai_crc32c(0, bytes, sizeof(bytes)), crc);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the examples of RFC 3720", .test_func = test_examples},
		{.name = "processor and table agree, in one piece and in two",
		 .test_func = test_equal},
		{.name = "one wrong bit changes it", .test_func = test_one_bit},
	};

	return cmocka_run_group_tests_name("base.crc32c", tests, NULL, NULL);
}
