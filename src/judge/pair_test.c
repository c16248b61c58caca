/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "judge/pair.h"
#include "judge/t_snapshot.h"

/* The peer of the socket at index; then the snapshot goes on. */
static uint32_t peer_of(struct t_snapshot *t, uint32_t index)
{
	struct lai_pairs *all, *one;
	uint32_t peer;

	assert_int_equal(lai_pairs_new(t_snapshot_ready(t), &all), 0);
	assert_int_equal(lai_pairs_new_of(&t->snapshot, &index, 1, &one), 0);
	peer = lai_pairs_peer(all, index);
	/* Asked about one or about all: the same answer. */
	assert_int_equal(lai_pairs_peer(one, index), peer);
	assert_int_equal(lai_pairs_place(all, index), index);
	lai_pairs_free(all);
	lai_pairs_free(one);
	return peer;
}

static void expect_peer(struct t_snapshot *t, uint32_t peer)
{
	assert_int_equal(peer_of(t, 0), peer);
	if (peer != LAI_NO_INDEX)
		assert_int_equal(peer_of(t, peer), 0);
	t_snapshot_done(t);
}

static struct t_snapshot one_end(void)
{
	struct t_snapshot t = t_snapshot_new();

	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 10, 3);
	t_connected(&t, LAI_TCP_ESTABLISHED, 10, 4);
	return t;
}

static void test_none(void **state)
{
	struct t_snapshot t = one_end();

	(void)state;
	expect_peer(&t, LAI_NO_INDEX);
}

static void test_swapped(void **state)
{
	struct t_snapshot t = one_end();

	(void)state;
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 3);
	expect_peer(&t, 2);
}

static void test_mapped(void **state)
{
	struct t_snapshot t = one_end();
	struct lai_socket_fact *end;
	uint16_t port = lai_address_port(&t.snapshot.sockets[0].remote);

	(void)state;
	end = t_socket(&t, LAI_TCP_FIN_WAIT2, 20, 3);
	end->family = AF_INET6;
	end->local = t_address("::ffff:192.0.2.7", port);
	end->remote = t_address("::ffff:192.0.2.1", T_SERVICE_PORT);
	expect_peer(&t, 2);
}

static void test_namespaces(void **state)
{
	struct t_snapshot t = one_end();
	uint32_t one = t_namespace(&t, 1), two = t_namespace(&t, 2);

	(void)state;
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 3)->namespace_index = one;
	assert_int_equal(peer_of(&t, 0), 2);
	/* Two that fit: which one it is cannot be known. */
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 4)->namespace_index = two;
	assert_int_equal(peer_of(&t, 0), LAI_NO_INDEX);
	/* One in its own: that is it. */
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 5);
	assert_int_equal(peer_of(&t, 0), 4);
	t_snapshot_done(&t);
}

/* The same socket, listed twice, is one. */
static void test_twin(void **state)
{
	struct t_snapshot t = one_end();
	struct lai_socket_fact *twin;

	(void)state;
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 3)->namespace_index = t_namespace(&t, 1);
	twin = T_ADD(&t, sockets, socket_count);
	*twin = t.snapshot.sockets[2];
	assert_int_not_equal(peer_of(&t, 0), LAI_NO_INDEX);
	t_snapshot_done(&t);
}

static void test_loopback_stays(void **state)
{
	struct t_snapshot t = one_end();

	(void)state;
	t.snapshot.sockets[0].local = t_address("127.0.0.1", 80);
	t.snapshot.sockets[0].remote = t_address("127.0.0.1", 40000);
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 20, 3)->namespace_index = t_namespace(&t, 1);
	expect_peer(&t, LAI_NO_INDEX);
}

static void test_self_connected(void **state)
{
	struct t_snapshot t = one_end();

	(void)state;
	t.snapshot.sockets[0].remote = t.snapshot.sockets[0].local;
	expect_peer(&t, LAI_NO_INDEX);
}

static void test_the_living(void **state)
{
	struct t_snapshot t = one_end();

	(void)state;
	t_other_end(&t, 0, LAI_TCP_TIME_WAIT, 0, 0);
	t_other_end(&t, 0, LAI_TCP_ESTABLISHED, 20, 3);
	assert_int_equal(peer_of(&t, 0), 3);
	t_snapshot_done(&t);
}

static void test_not_connected(void **state)
{
	static const enum lai_tcp_state states[] = {LAI_TCP_LISTEN, LAI_TCP_CLOSE,
						    LAI_TCP_BOUND_INACTIVE};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct t_snapshot t = one_end();
		struct lai_pairs *pairs;

		t_other_end(&t, 0, states[i], 20, 3);
		assert_int_equal(peer_of(&t, 0), LAI_NO_INDEX);
		assert_int_equal(lai_pairs_new(&t.snapshot, &pairs), 0);
		assert_int_equal(lai_pairs_peer(pairs, 2), LAI_NO_INDEX);
		lai_pairs_free(pairs);
		t_snapshot_done(&t);
	}
	lai_pairs_free(NULL);
}

static void test_remote_is_local(void **state)
{
	struct t_snapshot t = one_end();
	struct lai_pairs *pairs;

	(void)state;
	assert_int_equal(lai_pairs_new(t_snapshot_ready(&t), &pairs), 0);
	assert_false(lai_pairs_remote_is_local(pairs, 0));
	lai_pairs_free(pairs);
	t_connected(&t, LAI_TCP_ESTABLISHED, 10, 5)->local = t_address("192.0.2.7", 1);
	assert_int_equal(lai_pairs_new(t_snapshot_ready(&t), &pairs), 0);
	assert_true(lai_pairs_remote_is_local(pairs, 0));
	assert_false(lai_pairs_remote_is_local(pairs, 1));
	lai_pairs_free(pairs);
	/* Another namespace has other addresses. */
	t.snapshot.sockets[2].namespace_index = t_namespace(&t, 1);
	assert_int_equal(lai_pairs_new(t_snapshot_ready(&t), &pairs), 0);
	assert_false(lai_pairs_remote_is_local(pairs, 0));
	lai_pairs_free(pairs);
	t_snapshot_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "no other end", .test_func = test_none},
		{.name = "the other end has the addresses swapped", .test_func = test_swapped},
		{.name = "a v4-mapped address is the IPv4 address", .test_func = test_mapped},
		{.name = "its own namespace first, then any if one fits",
		 .test_func = test_namespaces},
		{.name = "a socket that is listed twice is one", .test_func = test_twin},
		{.name = "loopback does not lead to another namespace",
		 .test_func = test_loopback_stays},
		{.name = "a socket connected to itself has no other end",
		 .test_func = test_self_connected},
		{.name = "the living before TIME_WAIT", .test_func = test_the_living},
		{.name = "what is not connected has no other end", .test_func = test_not_connected},
		{.name = "addresses of this host are known from its sockets",
		 .test_func = test_remote_is_local},
	};

	return cmocka_run_group_tests_name("judge.pair", tests, NULL, NULL);
}
