/* SPDX-License-Identifier: MIT */
#include "cli/list_sort.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 5

static struct lai_process processes[] = {
	{.pid = 3, .comm = "zsh"},
	{.pid = 5, .comm = "apache"},
};
static struct lai_holder holders[] = {{.inode = 1, .pid = 5, .fd = 1},
				      {.inode = 2, .pid = 3, .fd = 1}};

/* Kept in the order of the snapshot: 0 to 4. */
static struct lai_socket_fact sockets[COUNT] = {
	{.state = LAI_TCP_TIME_WAIT,
	 .rqueue_bytes = 5,
	 .timer = LAI_TIMER_TIME_WAIT,
	 .timer_ms = 1000},
	{.state = LAI_TCP_ESTABLISHED,
	 .inode = 1,
	 .rqueue_bytes = 7,
	 .holder_first = 0,
	 .holder_count = 1},
	{.state = LAI_TCP_TIME_WAIT,
	 .rqueue_bytes = 7,
	 .timer = LAI_TIMER_TIME_WAIT,
	 .timer_ms = 50000},
	{.state = LAI_TCP_LISTEN,
	 .inode = 2,
	 .wqueue_bytes = 9,
	 .holder_first = 1,
	 .holder_count = 1},
	{.state = LAI_TCP_CLOSE_WAIT},
};
static struct lai_snapshot snapshot = {
	.sockets = sockets,
	.socket_count = COUNT,
	.holders = holders,
	.holder_count = 2,
	.processes = processes,
	.process_count = 2,
};

static int make_host(void **state)
{
	static const char *const locals[COUNT] = {"10.0.0.1", "::1", "::ffff:10.0.0.1", "9.0.0.1",
						  NULL};

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		sockets[i].listener = LAI_NO_INDEX;
		if (locals[i])
			assert_int_equal(lai_address_parse(locals[i], (uint16_t)(100 - i),
							   &sockets[i].local),
					 0);
	}
	return 0;
}

static void expect(const char *key, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	const uint32_t wanted[COUNT] = {a, b, c, d, e};
	uint32_t order[COUNT] = {0, 1, 2, 3, 4};
	struct lai_list_sort sort = {0};
	char *error = NULL;

	assert_int_equal(lai_list_sort_read(key, &sort, &error), 0);
	assert_int_equal(lai_list_sort_apply(&sort, &snapshot, order, COUNT), 0);
	for (int i = 0; i < COUNT; i++)
		if (order[i] != wanted[i])
			fail_msg("%s: place %d has %u, wanted %u", key, i, order[i], wanted[i]);
}

static void test_keys(void **state)
{
	(void)state;
	/* CLOSE_WAIT, ESTABLISHED, LISTEN, TIME_WAIT */
	expect("state", 4, 1, 3, 0, 2);
	expect("-state", 0, 2, 3, 1, 4);
	expect("recv-q", 3, 4, 0, 1, 2);
	expect("-recv-q", 1, 2, 0, 3, 4);
	expect("-send-q", 3, 0, 1, 2, 4);
	/* What has no age, address or owner comes last either way. */
	expect("age", 2, 0, 1, 3, 4);
	expect("-age", 0, 2, 1, 3, 4);
	expect("pid", 3, 1, 0, 2, 4);
	expect("-pid", 1, 3, 0, 2, 4);
	expect("comm", 1, 3, 0, 2, 4);
	/* ::1, 9.0.0.1, 10.0.0.1:98 (mapped), 10.0.0.1:100 */
	expect("local", 1, 3, 2, 0, 4);
	expect("remote", 0, 1, 2, 3, 4);
}

static void test_none(void **state)
{
	uint32_t order[COUNT] = {4, 3, 2, 1, 0};
	struct lai_list_sort sort = {0};

	(void)state;
	assert_int_equal(lai_list_sort_apply(&sort, &snapshot, order, COUNT), 0);
	assert_int_equal(order[0], 4);
	assert_int_equal(lai_list_sort_apply(&sort, &snapshot, order, 0), 0);
}

static void test_refused(void **state)
{
	struct lai_list_sort sort = {0};
	char *error = NULL;

	(void)state;
	assert_int_equal(lai_list_sort_read("-locl", &sort, &error), -EINVAL);
	assert_non_null(strstr(error, "--sort [-]KEY needs state, age, recv-q"));
	assert_non_null(strstr(error, "did you mean 'local'?"));
	free(error);
	assert_int_equal(lai_list_sort_read("", &sort, &error), -EINVAL);
	free(error);
	assert_int_equal(lai_list_sort_read("--age", &sort, &error), -EINVAL);
	free(error);
	assert_null(sort.order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "each key orders, - turns it round", .test_func = test_keys},
		{.name = "without a key the order stays", .test_func = test_none},
		{.name = "an unknown key is refused, a near miss named", .test_func = test_refused},
	};

	return cmocka_run_group_tests_name("cli.list_sort", tests, make_host, NULL);
}
