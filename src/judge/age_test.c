/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "judge/age.h"

#include <string.h>

#define NOT_WRITTEN 12345

static void expect_age(const struct lai_socket_fact *socket, enum lai_age_kind kind, uint64_t ms)
{
	uint64_t age_ms = NOT_WRITTEN;

	assert_int_equal(lai_age_of(socket, &age_ms), kind);
	assert_int_equal(age_ms, kind == LAI_AGE_UNKNOWN ? NOT_WRITTEN : ms);
}

static struct lai_socket_fact close_wait(uint32_t sent_age_ms, uint32_t ack_age_ms)
{
	return (struct lai_socket_fact){.state = LAI_TCP_CLOSE_WAIT,
					.has_info = true,
					.sent_bytes = 100,
					.acked_bytes = 100,
					.rtt_us = 50000,
					.sent_age_ms = sent_age_ms,
					.ack_age_ms = ack_age_ms};
}

static void test_close_wait(void **state)
{
	struct lai_socket_fact own = close_wait(9000, 5000);

	(void)state;
	expect_age(&own, LAI_AGE_EXACT, 5000);
	/* Sent just before the last ACK: that may be the FIN's, or answer it. */
	own.sent_age_ms = 5250;
	expect_age(&own, LAI_AGE_LOWER_BOUND, 5000);
	own.sent_age_ms = 5251;
	expect_age(&own, LAI_AGE_EXACT, 5000);
	own.sent_age_ms = 100;
	expect_age(&own, LAI_AGE_LOWER_BOUND, 5000);
	/* Nothing was ever sent: the client's SYN counts as one. */
	own.sent_bytes = 0;
	own.acked_bytes = 1;
	expect_age(&own, LAI_AGE_EXACT, 5000);
	/* Probes are answered. */
	own.timer = LAI_TIMER_KEEPALIVE;
	expect_age(&own, LAI_AGE_LOWER_BOUND, 5000);
	own = close_wait(9000, 5000);
	own.wqueue_bytes = 1;
	expect_age(&own, LAI_AGE_LOWER_BOUND, 5000);
	own = close_wait(9000, 5000);
	own.has_info = false;
	expect_age(&own, LAI_AGE_UNKNOWN, 0);
}

static void test_extremes(void **state)
{
	struct lai_socket_fact own = close_wait(UINT32_MAX, UINT32_MAX);

	(void)state;
	own.rtt_us = UINT32_MAX;
	expect_age(&own, LAI_AGE_LOWER_BOUND, UINT32_MAX);
}

static void test_fin_wait2(void **state)
{
	struct lai_socket_fact own = close_wait(9000, 5000);

	(void)state;
	own.state = LAI_TCP_FIN_WAIT2;
	own.received_age_ms = 7000;
	expect_age(&own, LAI_AGE_EXACT, 5000);
	own.received_age_ms = 5000; /* data came, with an ACK */
	expect_age(&own, LAI_AGE_LOWER_BOUND, 5000);
	own.has_info = false; /* the kernel's mini-socket */
	expect_age(&own, LAI_AGE_UNKNOWN, 0);
}

static void test_time_wait(void **state)
{
	struct lai_socket_fact own = {
		.state = LAI_TCP_TIME_WAIT, .timer = LAI_TIMER_TIME_WAIT, .timer_ms = 59000};

	(void)state;
	expect_age(&own, LAI_AGE_EXACT, 1000);
	own.timer_ms = 60001; /* a kernel with another constant */
	expect_age(&own, LAI_AGE_UNKNOWN, 0);
	own.timer_ms = 1;
	own.timer = LAI_TIMER_NONE;
	expect_age(&own, LAI_AGE_UNKNOWN, 0);
}

static void test_others(void **state)
{
	struct lai_socket_fact own = close_wait(9000, 5000);

	(void)state;
	own.state = LAI_TCP_ESTABLISHED;
	own.received_age_ms = 9500;
	expect_age(&own, LAI_AGE_LOWER_BOUND, 9500);
	for (own.state = LAI_TCP_NONE; own.state < LAI_TCP_COUNT; own.state++) {
		if (own.state == LAI_TCP_ESTABLISHED || own.state == LAI_TCP_CLOSE_WAIT ||
		    own.state == LAI_TCP_FIN_WAIT2)
			continue;
		expect_age(&own, LAI_AGE_UNKNOWN, 0);
	}
}

static void test_twice(void **state)
{
	struct lai_socket_fact then = close_wait(9000, 5000), now = close_wait(9, 9);
	uint64_t age_ms = 0;

	(void)state;
	/* It was exact; an ACK has come since. */
	assert_int_equal(lai_age_since(&now, &then, 2000, &age_ms), LAI_AGE_EXACT);
	assert_int_equal(age_ms, 7000);
	then.timer = LAI_TIMER_KEEPALIVE;
	assert_int_equal(lai_age_since(&now, &then, 2000, &age_ms), LAI_AGE_LOWER_BOUND);
	assert_int_equal(age_ms, 7000);
	/* It was in another state: no help. */
	then.state = LAI_TCP_ESTABLISHED;
	assert_int_equal(lai_age_since(&now, &then, 2000, &age_ms), LAI_AGE_LOWER_BOUND);
	assert_int_equal(age_ms, 9);
	assert_int_equal(lai_age_since(&now, NULL, 2000, &age_ms), LAI_AGE_LOWER_BOUND);
	/* Nothing else is known: it was there. */
	now.has_info = then.has_info = false;
	then.state = now.state;
	assert_int_equal(lai_age_since(&now, &then, 2000, &age_ms), LAI_AGE_LOWER_BOUND);
	assert_int_equal(age_ms, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "CLOSE_WAIT: exact, unless an ACK may have come since the FIN",
		 .test_func = test_close_wait},
		{.name = "the largest numbers", .test_func = test_extremes},
		{.name = "FIN_WAIT2: exact, unless data came since", .test_func = test_fin_wait2},
		{.name = "TIME_WAIT: from its timer", .test_func = test_time_wait},
		{.name = "other states: a bound, or not known", .test_func = test_others},
		{.name = "seen twice", .test_func = test_twice},
	};

	return cmocka_run_group_tests_name("judge.age", tests, NULL, NULL);
}
