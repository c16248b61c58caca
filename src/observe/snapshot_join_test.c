/* SPDX-License-Identifier: MIT */
/* snapshot_join_test.c - lists made by hand: which descriptors belong to which sockets. */
#include "observe/snapshot_inside.h"
#include "observe/sockdiag.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#define SOCKETS_MAX 8
#define HOLDERS_MAX 8

struct draft {
	struct lai_snapshot_request request;
	struct lai_snapshot snapshot;
	struct lai_snapshot_draft whole;
};

/* Joining may free both lists and make them anew. */
static void draft_init(struct draft *draft)
{
	*draft = (struct draft){0};
	draft->snapshot.state_mask = LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED);
	draft->snapshot.sockets = calloc(SOCKETS_MAX, sizeof(*draft->snapshot.sockets));
	draft->whole.request = &draft->request;
	draft->whole.snapshot = &draft->snapshot;
	draft->whole.socket_room = SOCKETS_MAX;
	draft->whole.held.list = calloc(HOLDERS_MAX, sizeof(*draft->whole.held.list));
	assert_non_null(draft->snapshot.sockets);
	assert_non_null(draft->whole.held.list);
}

static void draft_done(struct draft *draft)
{
	free(draft->snapshot.sockets);
	free(draft->snapshot.holders);
	free(draft->whole.held.list);
}

static void draft_socket(struct draft *draft, uint64_t inode, uint64_t cookie, uint32_t rqueue)
{
	struct lai_snapshot *snapshot = &draft->snapshot;

	assert_true(snapshot->socket_count < SOCKETS_MAX);
	snapshot->sockets[snapshot->socket_count++] =
		(struct lai_socket_fact){.family = AF_INET,
					 .state = LAI_TCP_ESTABLISHED,
					 .inode = inode,
					 .cookie = cookie,
					 .rqueue_bytes = rqueue};
}

/* By ascending inodes, as the walk has them. */
static void draft_holder(struct draft *draft, uint64_t inode, uint32_t pid, uint32_t fd)
{
	struct lai_holders *held = &draft->whole.held;

	assert_true(held->count < HOLDERS_MAX);
	held->list[held->count++] = (struct lai_holder){.inode = inode, .pid = pid, .fd = fd};
}

static void expect_holders(const struct draft *draft, size_t index, uint32_t count, uint32_t pid)
{
	const struct lai_socket_fact *socket = &draft->snapshot.sockets[index];

	assert_int_equal(socket->holder_count, count);
	assert_true(socket->holder_first + count <= draft->snapshot.holder_count);
	for (uint32_t i = 0; i < count; i++) {
		const struct lai_holder *holder =
			&draft->snapshot.holders[socket->holder_first + i];

		assert_true(holder->inode == socket->inode);
		assert_int_equal(holder->pid, pid);
	}
}

static void shared(void **state)
{
	struct draft draft;

	(void)state;
	draft_init(&draft);
	draft_socket(&draft, 20, 1, 0);
	draft_socket(&draft, 30, 2, 0);
	draft_socket(&draft, 20, 3, 0);
	draft_socket(&draft, 20, 4, 0);
	draft_holder(&draft, 10, 5, 9);
	draft_holder(&draft, 20, 6, 3);
	draft_holder(&draft, 20, 6, 4);
	draft_holder(&draft, 30, 7, 3);
	assert_int_equal(lai_snapshot_join(&draft.whole), 0);
	assert_int_equal(draft.snapshot.socket_count, 4);
	assert_int_equal(draft.snapshot.holder_count, 3);
	expect_holders(&draft, 0, 2, 6);
	expect_holders(&draft, 1, 1, 7);
	expect_holders(&draft, 2, 2, 6);
	expect_holders(&draft, 3, 2, 6);
	draft_done(&draft);
}

static void twice(void **state)
{
	struct draft draft;

	(void)state;
	draft_init(&draft);
	draft_socket(&draft, 20, 1, 0);
	draft_socket(&draft, 30, 2, 0);
	draft_socket(&draft, 20, 1, 77);
	draft_holder(&draft, 20, 6, 3);
	draft_holder(&draft, 30, 7, 3);
	assert_int_equal(lai_snapshot_join(&draft.whole), 0);
	assert_int_equal(draft.snapshot.socket_count, 2);
	assert_int_equal(draft.snapshot.sockets[0].rqueue_bytes, 77);
	expect_holders(&draft, 0, 1, 6);
	expect_holders(&draft, 1, 1, 7);
	draft_done(&draft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "connections of one inode (MPTCP) have the same holders",
		 .test_func = shared},
		{.name = "a socket that was listed twice is there once, as it was last",
		 .test_func = twice},
	};

	return cmocka_run_group_tests_name("observe.snapshot_join", tests, NULL, NULL);
}
