/* SPDX-License-Identifier: MIT */
/* holder_test.c - what was found is put in order. */
#include "observe/holder_inside.h"

#include "base/random.h"
#include "observe/descriptor.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static int holder_compare(const void *a, const void *b)
{
	const struct lai_holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

/* Draws numbers of few and of many bits, so that some bytes are equal everywhere. */
static void draft_fill(struct lai_holders_draft *draft, struct lai_random *random, size_t count,
		       bool in_order)
{
	unsigned shift = (unsigned)lai_random_below(random, 64);

	for (size_t i = 0; i < count; i++) {
		uint64_t inode = lai_random_next(random) >> shift;
		uint32_t pid = (uint32_t)lai_random_below(random, 1u << 22) + 2;
		uint32_t fd = (uint32_t)lai_random_next(random) >> (shift % 32);
		struct lai_holder holder;

		if (in_order) {
			pid = 2 + (uint32_t)i / 10;
			fd = (uint32_t)i;
		}
		holder = (struct lai_holder){.inode = inode, .pid = pid, .fd = fd};
		assert_int_equal(lai_holders_add(draft, &holder), 0);
		if (lai_random_below(random, 4) == 0)
			assert_int_equal(lai_holders_add(draft, &holder), 0);
	}
}

static void order(void **state)
{
	struct lai_random random = {.state = 3};

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct lai_holders_draft draft = {0};
		struct lai_holders holders = {0};
		struct lai_holder *wanted;
		size_t given, kept = 0;

		draft_fill(&draft, &random, lai_random_below(&random, 300), round % 2 == 0);
		given = draft.found.count;
		wanted = calloc(given + 1, sizeof(*wanted));
		assert_non_null(wanted);
		if (given)
			memcpy(wanted, draft.found.list, given * sizeof(*wanted));
		qsort(wanted, given, sizeof(*wanted), holder_compare);
		for (size_t i = 0; i < given; i++)
			if (kept == 0 || holder_compare(&wanted[kept - 1], &wanted[i]) != 0)
				wanted[kept++] = wanted[i];
		assert_int_equal(lai_holders_finish(&draft, &holders), 0);
		assert_int_equal(holders.count, kept);
		for (size_t i = 0; i < kept; i++)
			assert_int_equal(holder_compare(&wanted[i], &holders.list[i]), 0);
		free(wanted);
		lai_holders_done(&holders);
		assert_null(holders.list);
	}
}

static void tables_added(void **state)
{
	struct lai_holders_draft draft = {0};
	struct lai_holders holders = {0};

	(void)state;
	assert_int_equal(lai_holders_add_read(&draft, 9, 5), 0);
	assert_int_equal(lai_holders_add_read(&draft, 1, 3), 0);
	assert_int_equal(lai_holders_add_read(&draft, 9, 2), 0);
	assert_int_equal(lai_holders_add_set(&draft, LAI_DESCRIPTOR_RING, 9, 4), 0);
	assert_int_equal(lai_holders_add_set(&draft, LAI_DESCRIPTOR_EPOLL, 1, 7), 0);
	assert_int_equal(lai_holders_add_set(&draft, LAI_DESCRIPTOR_RING, 9, 4), 0);
	assert_int_equal(lai_holders_finish(&draft, &holders), 0);
	assert_int_equal(holders.read_count, 2);
	assert_int_equal(holders.read[0].pid, 1);
	assert_int_equal(holders.read[1].fd_count, 7);
	assert_int_equal(holders.set_count, 2);
	assert_int_equal(holders.sets[0].pid, 1);
	assert_int_equal(holders.unreadable, 0);
	lai_holders_done(&holders);
}

/* A namespace without a process 1 there is not: it is hidden. */
static void init_hidden(void **state)
{
	struct lai_holders_draft draft = {.found = {.processes = 2}};
	struct lai_holders holders = {0};

	(void)state;
	assert_int_equal(lai_holders_finish(&draft, &holders), 0);
	assert_int_equal(holders.processes, 3);
	assert_int_equal(holders.unreadable, 1);
	lai_holders_done(&holders);
}

static void find(void **state)
{
	const struct lai_holder list[] = {{.inode = 3, .pid = 1},
					  {.inode = 5, .pid = 1},
					  {.inode = 5, .pid = 2},
					  {.inode = 9}};

	(void)state;
	assert_int_equal(lai_holders_find(list, 4, 3), 0);
	assert_int_equal(lai_holders_find(list, 4, 5), 1);
	assert_int_equal(lai_holders_find(list, 4, 9), 3);
	assert_int_equal(lai_holders_find(list, 4, 4), 4);
	assert_int_equal(lai_holders_find(list, 4, 10), 4);
	assert_int_equal(lai_holders_find(NULL, 0, 3), 0);
}

static void links(void **state)
{
	static const struct {
		const char *link;
		enum lai_descriptor_kind kind;
		uint64_t inode;
	} rows[] = {
		{"socket:[4711]", LAI_DESCRIPTOR_SOCKET, 4711},
		{"socket:[18446744073709551615]", LAI_DESCRIPTOR_SOCKET, UINT64_MAX},
		{"socket:[47", LAI_DESCRIPTOR_OTHER, 0},
		{"socket:[4x]", LAI_DESCRIPTOR_OTHER, 0},
		{"/tmp/socket:[4]", LAI_DESCRIPTOR_OTHER, 0},
		{"pipe:[4711]", LAI_DESCRIPTOR_OTHER, 0},
		{"anon_inode:[eventpoll]", LAI_DESCRIPTOR_EPOLL, 0},
		{"anon_inode:[io_uring]", LAI_DESCRIPTOR_RING, 0},
		{"anon_inode:[eventfd]", LAI_DESCRIPTOR_OTHER, 0},
		{"/[eventpoll]", LAI_DESCRIPTOR_OTHER, 0},
		{"", LAI_DESCRIPTOR_OTHER, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t inode = 0;

		assert_int_equal(lai_descriptor_parse(rows[i].link, &inode), rows[i].kind);
		assert_int_equal(inode, rows[i].inode);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "what was found comes sorted and once", .test_func = order},
		{.name = "tables of one process are added up", .test_func = tables_added},
		{.name = "a process 1 that is not shown counts as unreadable",
		 .test_func = init_hidden},
		{.name = "the first row of an inode is found", .test_func = find},
		{.name = "links of /proc/PID/fd are told apart", .test_func = links},
	};

	return cmocka_run_group_tests_name("observe.holder", tests, NULL, NULL);
}
