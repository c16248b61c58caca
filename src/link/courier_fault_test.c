/* SPDX-License-Identifier: MIT */
/* Each allocation of outbox and courier fails once: it is said, and the next connection delivers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../tests/fault/faulty_heap.h"
#include "link/courier_inside.h"

#include <errno.h>
#include <string.h>

#define NOW_NS (1000 * LAI_S)
#define RECORDS 3
#define BODY_BYTES (LAI_COURIER_AHEAD_BYTES + 1000) /* the buffer has to grow for it */
#define TRIES_MAX 3
#define FAULTS_MAX 1000

static char body[BODY_BYTES];

static void write_all(struct lai_courier *courier)
{
	struct iovec iov[2];

	while (lai_courier_to_send(courier, iov, NOW_NS) > 0)
		lai_courier_on_written(courier, iov[0].iov_len, NOW_NS);
}

/* In two pieces, so that the first has to be kept. */
static void hear(struct lai_courier *courier, const char *text, size_t size)
{
	lai_courier_on_received(courier, text, 9, NOW_NS);
	lai_courier_on_received(courier, text + 9, size - 9, NOW_NS);
}

/* One connection, from CONNECT to the farewell. */
static void visit(struct lai_courier *courier)
{
	static const char connected[] = "CONNECTED\nversion:1.2\nserver:lastack/1\n\n";
	static const char receipt[] = "RECEIPT\nreceipt-id:3\n\n";
	static const char bye[] = "RECEIPT\nreceipt-id:bye\n\n";

	lai_courier_begin(courier, &(struct lai_courier_endpoint){.host = "h", .destination = "d"},
			  NOW_NS);
	write_all(courier);
	hear(courier, connected, sizeof(connected));
	write_all(courier);
	hear(courier, receipt, sizeof(receipt));
	write_all(courier);
	hear(courier, bye, sizeof(bye));
}

static void deliver(struct lai_courier *courier, struct lai_outbox *outbox)
{
	struct iovec iov = {body, sizeof(body)};
	unsigned tries = 0;

	for (uint64_t seq = 1; seq <= RECORDS; seq++)
		assert_int_equal(lai_outbox_put(outbox, seq, &iov, 1), 0);
	lai_courier_finish(courier, NOW_NS);
	do {
		assert_in_range(++tries, 1, TRIES_MAX);
		visit(courier);
		if (lai_courier_state(courier) == LAI_COURIER_FAILED)
			assert_int_equal(lai_courier_cause(courier), LA_CAUSE_LOCAL_LIMIT);
		else
			assert_int_equal(lai_courier_state(courier), LAI_COURIER_LEFT);
		(void)lai_courier_end(courier);
	} while (!lai_outbox_empty(outbox));
	assert_int_equal(outbox->totals.delivered_records, RECORDS);
}

/* False: the fault lay beyond the last allocation. */
static bool live_with_fault(unsigned nth)
{
	struct lai_courier_config config = {.stomp = {.receipt_every = 64,
						      .window_records = 100,
						      .heartbeat_ns = LA_NEVER,
						      .login_ns = LAI_S,
						      .receipt_within_ns = LAI_S,
						      .receipt_ns = LAI_S}};
	struct lai_courier *courier = NULL;
	struct lai_outbox outbox;
	int live = atomic_load(&t_heap_live), error;
	bool happened;

	t_heap_arm(nth);
	error = lai_outbox_init(&outbox, 4 * BODY_BYTES, BODY_BYTES, LA_FULL_BLOCK);
	if (!error) {
		error = lai_courier_new(&courier, &config, "s", &outbox);
		if (!error)
			deliver(courier, &outbox);
		lai_courier_free(courier);
		lai_outbox_done(&outbox);
	}
	happened = t_heap_disarm();
	if (error)
		assert_int_equal(error, -ENOMEM);
	assert_int_equal(atomic_load(&t_heap_live), live);
	return happened;
}

static void test_faults(void **state)
{
	unsigned nth = 1;

	(void)state;
	if (!t_heap_works())
		skip();
	while (live_with_fault(nth)) {
		nth++;
		assert_in_range(nth, 1, FAULTS_MAX);
	}
	assert_true(nth > 6); /* outbox, courier, prefix, out, a larger out, in */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "each allocation fails once, and all is delivered",
		 .test_func = test_faults},
	};

	return cmocka_run_group_tests_name("link.courier_fault", tests, NULL, NULL);
}
