/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "judge/role.h"
#include "judge/t_snapshot.h"

static enum lai_role role_at(struct t_snapshot *t, uint32_t index)
{
	struct lai_roll roll;
	struct lai_listeners listeners;
	enum lai_role role;

	assert_int_equal(lai_roll_init(&roll, t_snapshot_ready(t)), 0);
	assert_int_equal(lai_listeners_init(&listeners, &roll), 0);
	role = lai_role_of(&listeners, &t->snapshot.sockets[index]);
	lai_listeners_done(&listeners);
	lai_roll_done(&roll);
	return role;
}

/* As measured: the peer's ACK of our SYN counts as one byte, that of our FIN as another. */
static void test_counters(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;

	(void)state;
	t_accepted(&t, LAI_TCP_ESTABLISHED, 10, 3);
	t_connected(&t, LAI_TCP_ESTABLISHED, 10, 4);
	t_connected(&t, LAI_TCP_FIN_WAIT2, 10, 5);
	own = t_accepted(&t, LAI_TCP_FIN_WAIT2, 10, 6);
	own->local = t_address("192.0.2.1", 50000); /* of an ephemeral port, all the same */
	assert_int_equal(role_at(&t, 0), LAI_ROLE_ACCEPTED);
	assert_int_equal(role_at(&t, 1), LAI_ROLE_CONNECTED);
	assert_int_equal(role_at(&t, 2), LAI_ROLE_CONNECTED);
	assert_int_equal(role_at(&t, 3), LAI_ROLE_ACCEPTED);
	t_snapshot_done(&t);
}

/* After data was sent again the counters say nothing. */
static void test_ports(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	uint32_t listener;

	(void)state;
	t_accepted(&t, LAI_TCP_ESTABLISHED, 10, 3)->sent_bytes += 1000;
	t_connected(&t, LAI_TCP_ESTABLISHED, 10, 4)->sent_bytes += 1000;
	assert_int_equal(role_at(&t, 0), LAI_ROLE_ACCEPTED);  /* port 80 */
	assert_int_equal(role_at(&t, 1), LAI_ROLE_CONNECTED); /* an ephemeral port */
	/* Somebody listens on that one. */
	listener = t_listener(&t, 10, 5);
	t.snapshot.sockets[listener].local = t.snapshot.sockets[1].local;
	assert_int_equal(role_at(&t, 1), LAI_ROLE_ACCEPTED);
	/* In another namespace. */
	t.snapshot.sockets[listener].namespace_index = t_namespace(&t, 1);
	assert_int_equal(role_at(&t, 1), LAI_ROLE_CONNECTED);
	t_snapshot_done(&t);
}

static void test_listeners(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_roll roll;
	struct lai_listeners listeners;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) /* SO_REUSEPORT */
		t_listener(&t, 10 + (pid_t)i, 3);
	assert_int_equal(lai_roll_init(&roll, t_snapshot_ready(&t)), 0);
	assert_int_equal(roll.listeners.count, 100);
	assert_int_equal(lai_listeners_init(&listeners, &roll), 0);
	assert_true(lai_listeners_has(&listeners, 0, T_SERVICE_PORT));
	assert_false(lai_listeners_has(&listeners, 1, T_SERVICE_PORT));
	assert_false(lai_listeners_has(&listeners, 0, T_SERVICE_PORT + 1));
	assert_true(lai_listeners_held(&listeners, 0, T_SERVICE_PORT, 109));
	assert_true(lai_listeners_held(&listeners, 0, T_SERVICE_PORT, 0));
	assert_false(lai_listeners_held(&listeners, 0, T_SERVICE_PORT, 110));
	lai_listeners_done(&listeners);
	lai_roll_done(&roll);
	t_snapshot_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the counters tell who sent a SYN", .test_func = test_counters},
		{.name = "otherwise a listener, or the range of ports", .test_func = test_ports},
		{.name = "listeners by namespace, port and process", .test_func = test_listeners},
	};

	return cmocka_run_group_tests_name("judge.role", tests, NULL, NULL);
}
