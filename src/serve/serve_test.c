/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "serve/serve.h"

#include <string.h>

static struct lai_serve serve_of(uint32_t open_max, uint64_t accept_max)
{
	struct lai_serve_limits limits = {
		.open_max = open_max, .accept_max = accept_max, .retry_ns = LAI_S};
	struct lai_serve serve;

	lai_serve_init(&serve, &limits, 0);
	return serve;
}

/* A session that received "a\n" and ended with the peer's FIN, or was cut off after "a". */
static void end_one(struct lai_serve *serve, bool proper)
{
	struct lai_session_config config = {.wire = &lai_wire_lines,
					    .read_timeout_ns = LA_NEVER,
					    .record_bytes_max = 100,
					    .limits = {.dead_ns = LAI_S, .read_ns = LAI_S}};
	struct la_report report = {.serial = 1};
	struct lai_view view = {.tcp_state = LAI_TCP_LAST_ACK, .fin_acked = true};
	struct lai_session session;
	void *room;

	assert_int_equal(lai_session_init(&session, &config, &report, 1), 0);
	assert_true(lai_session_room(&session, &room) >= 2);
	memcpy(room, "a\n", 2);
	lai_session_on_read(&session, proper ? 2 : 1, 2);
	if (proper) {
		lai_session_on_stored(&session, 2, 2);
		lai_session_on_fin(&session, 3);
		lai_session_on_view(&session, &view, 4); /* FIN may go */
		lai_session_on_view(&session, &view, 5); /* and is acknowledged */
	} else {
		lai_session_on_error(&session, 104, 3);
		lai_session_on_rest_read(&session, 4);
	}
	assert_true(lai_session_over(&session));
	lai_serve_on_ended(serve, &session);
	lai_session_done(&session);
}

static void test_open_max(void **state)
{
	struct lai_serve serve = serve_of(2, UINT64_MAX);

	(void)state;
	lai_serve_on_accepted(&serve);
	assert_true(lai_serve_may_accept(&serve, 0));
	lai_serve_on_accepted(&serve);
	assert_int_equal(serve.totals.connections, 2);
	assert_false(lai_serve_may_accept(&serve, 0));
	end_one(&serve, true);
	assert_true(lai_serve_may_accept(&serve, 0));
	assert_false(lai_serve_over(&serve));
}

static void test_accept_max(void **state)
{
	struct lai_serve serve = serve_of(10, 2);

	(void)state;
	lai_serve_on_accepted(&serve);
	end_one(&serve, true);
	assert_false(lai_serve_over(&serve));
	lai_serve_on_accepted(&serve);
	assert_true(lai_serve_has_enough(&serve));
	assert_false(lai_serve_may_accept(&serve, 0));
	assert_false(lai_serve_over(&serve));
	end_one(&serve, true);
	assert_true(lai_serve_over(&serve));
	assert_false(lai_serve_missed(&serve));
}

static void test_missed(void **state)
{
	struct lai_serve serve = serve_of(10, 2);

	(void)state;
	lai_serve_on_accepted(&serve);
	lai_serve_on_accepted(&serve);
	end_one(&serve, true);
	end_one(&serve, false);
	assert_true(lai_serve_over(&serve));
	assert_true(lai_serve_missed(&serve));
	assert_int_equal(serve.totals.proper, 1);
	assert_int_equal(serve.totals.records, 1);
	assert_int_equal(serve.totals.stored_bytes, 2);
	assert_int_equal(serve.totals.received_bytes, 3);
	assert_int_equal(serve.totals.dropped_tails, 1);
	assert_int_equal(serve.totals.dropped_tail_bytes, 1);
}

static void test_exhausted(void **state)
{
	struct lai_serve serve = serve_of(10, UINT64_MAX);

	(void)state;
	assert_true(lai_serve_deadline(&serve) == LA_NEVER);
	lai_serve_on_accepted(&serve);
	lai_serve_on_exhausted(&serve, 5 * LAI_S);
	assert_false(lai_serve_may_accept(&serve, 5 * LAI_S));
	assert_true(lai_serve_deadline(&serve) == 6 * LAI_S);
	assert_true(lai_serve_may_accept(&serve, 6 * LAI_S));
	/* An end gives its descriptor back: no need to wait. */
	end_one(&serve, true);
	assert_true(lai_serve_may_accept(&serve, 5 * LAI_S));
	lai_serve_on_exhausted(&serve, 5 * LAI_S);
	lai_serve_on_nobody(&serve);
	assert_true(lai_serve_deadline(&serve) == LA_NEVER);
}

static void test_share(void **state)
{
	struct lai_serve serve = serve_of(10, UINT64_MAX);
	size_t sum_bytes = 0, size;

	(void)state;
	assert_true(lai_serve_share(&serve, 0) == SIZE_MAX);
	lai_rate_init(&serve.rate, 1000, 0);
	for (int i = 0; i < 3; i++)
		lai_serve_on_accepted(&serve);
	assert_int_equal(lai_serve_share(&serve, 0), 33);
	while ((size = lai_serve_share(&serve, 0)) > 0) {
		lai_rate_take(&serve.rate, size);
		sum_bytes += size;
	}
	assert_int_equal(sum_bytes, 100);
	lai_rate_init(&serve.rate, 1, 0);
	assert_int_equal(lai_serve_share(&serve, 0), 1);
}

static void test_stop(void **state)
{
	struct lai_serve serve = serve_of(10, 5);

	(void)state;
	lai_serve_on_accepted(&serve);
	lai_serve_stop(&serve, 7 * LAI_S);
	lai_serve_stop(&serve, 9 * LAI_S);
	assert_true(serve.finish_by_ns == 7 * LAI_S);
	assert_false(lai_serve_may_accept(&serve, 0));
	assert_false(lai_serve_over(&serve));
	end_one(&serve, false);
	assert_true(lai_serve_over(&serve));
	/* Who was asked to stop has not missed anything. */
	assert_false(lai_serve_missed(&serve));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "at most so many at once; an end makes room", .test_func = test_open_max},
		{.name = "so many in all, then it is over", .test_func = test_accept_max},
		{.name = "one that did not end properly is missed, and the sums are right",
		 .test_func = test_missed},
		{.name = "out of descriptors: later, or as soon as one is free",
		 .test_func = test_exhausted},
		{.name = "each session gets its share of the rate", .test_func = test_share},
		{.name = "stop: no more, over when the last has ended", .test_func = test_stop},
	};

	return cmocka_run_group_tests_name("serve.serve", tests, NULL, NULL);
}
