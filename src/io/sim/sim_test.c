/* SPDX-License-Identifier: MIT */
/* What only the simulator can do: faults on demand, the same run from the same seed, counting. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "io/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT 4711 /* nobody else lives in this world */
#define SERVER "10.0.0.1"
#define READY_MAX 16
#define TRANSFER_BYTES 300000u
#define SEED 42

static const struct lai_socket_options plain = {.tos = -1};

/* One client, driven by the test, and one server, run by the simulator: it reads, and closes at
 * EOF. */
struct world {
	struct lai_sim *sim;
	struct lai_sim_host *client_host, *server_host;
	struct lai_net *client, *service;
	struct lai_address address;
	int listener;
	unsigned boots; /* the boot that the listener belongs to */
	uint8_t *got;
	size_t got_bytes;
	size_t ended; /* connections that ended by FIN */
	int error;    /* the last errno value from recv() */
};

static void server_listen(struct world *world)
{
	struct lai_address address = world->address;

	world->listener = world->service->ops->listen(world->service, &address, 64);
	assert_true(world->listener >= 0);
	world->boots = lai_sim_boots(world->server_host);
}

static void server_read(struct world *world, int socket)
{
	const struct lai_net_ops *ops = world->service->ops;
	ssize_t bytes;

	do {
		bytes = ops->recv(world->service, socket, world->got + world->got_bytes,
				  TRANSFER_BYTES - world->got_bytes + 1);
		world->got_bytes += bytes > 0 ? (size_t)bytes : 0;
	} while (bytes > 0);
	if (bytes == -EAGAIN)
		return;
	if (bytes == 0)
		world->ended++;
	else
		world->error = (int)-bytes;
	ops->close(world->service, socket);
}

static uint64_t server_run(struct lai_net *net, void *context)
{
	struct world *world = context;
	struct lai_ready ready[READY_MAX];
	struct lai_address from;
	int count;

	if (world->boots != lai_sim_boots(world->server_host))
		server_listen(world);
	while (net->ops->accept(net, world->listener, &from) >= 0)
		;
	count = net->ops->wait(net, ready, READY_MAX, 0);
	for (int i = 0; i < count; i++)
		server_read(world, ready[i].socket);
	return count == READY_MAX ? net->ops->now(net) : LA_NEVER;
}

static void world_open(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	assert_int_equal(lai_sim_new(&world->sim, seed), 0);
	world->client_host = lai_sim_client(world->sim);
	world->server_host = lai_sim_host(world->sim, SERVER);
	world->client = lai_sim_net(world->sim);
	world->service = lai_sim_host_net(world->server_host);
	world->got = malloc(TRANSFER_BYTES + 1);
	assert_non_null(world->got);
	assert_int_equal(lai_address_parse(SERVER, PORT, &world->address), 0);
	server_listen(world);
	lai_sim_program(world->service, server_run, world);
}

static void world_close(struct world *world)
{
	free(world->got);
	lai_sim_free(world->sim);
}

static void world_pass(struct world *world, uint64_t duration_ns)
{
	lai_sim_advance(world->sim, lai_sim_now(world->sim) + duration_ns);
}

static int client_connect(struct world *world, const struct lai_socket_options *options)
{
	return world->client->ops->connect(world->client, &world->address, options);
}

/* Connects and expects success. */
static int client_open(struct world *world, const struct lai_socket_options *options)
{
	int socket = client_connect(world, options);
	struct lai_view view;

	assert_true(socket >= 0);
	world_pass(world, 10 * LAI_MS);
	assert_int_equal(world->client->ops->error(world->client, socket), 0);
	assert_int_equal(world->client->ops->view(world->client, socket, &view), 0);
	assert_int_equal(view.tcp_state, LAI_TCP_ESTABLISHED);
	return socket;
}

static ssize_t client_send(struct world *world, int socket, const void *data, size_t bytes)
{
	struct iovec iov = {(void *)(uintptr_t)data, bytes};

	return world->client->ops->send(world->client, socket, &iov, 1, 0);
}

static struct lai_view client_view(struct world *world, int socket)
{
	struct lai_view view;

	assert_int_equal(world->client->ops->view(world->client, socket, &view), 0);
	return view;
}

/* Writes everything as room comes, then sends the FIN; waits for the peer's. True: in time. */
static bool client_transfer(struct world *world, int socket, const uint8_t *data, size_t bytes)
{
	const struct lai_net_ops *ops = world->client->ops;
	uint64_t deadline_ns = ops->now(world->client) + 600 * LAI_S;
	struct lai_ready ready;
	size_t written = 0;
	char nothing;

	while (written < bytes) {
		ssize_t taken = client_send(world, socket, data + written, bytes - written);

		written += taken > 0 ? (size_t)taken : 0;
		if (taken == -EAGAIN && !ops->wait(world->client, &ready, 1, deadline_ns))
			return false;
		assert_true(taken > 0 || taken == -EAGAIN);
	}
	assert_int_equal(ops->shutdown(world->client, socket), 0);
	assert_int_equal(ops->watch(world->client, socket, LAI_READABLE), 0);
	return ops->wait(world->client, &ready, 1, deadline_ns) == 1 &&
	       ops->recv(world->client, socket, &nothing, 1) == 0;
}

static uint8_t *random_bytes(uint64_t seed)
{
	struct lai_random random = {seed};
	uint8_t *data = malloc(TRANSFER_BYTES);

	assert_non_null(data);
	for (size_t i = 0; i < TRANSFER_BYTES; i++)
		data[i] = (uint8_t)lai_random_next(&random);
	return data;
}

static void bad_weather(struct world *world)
{
	struct lai_sim_path *there = lai_sim_path(world->client_host, world->server_host);
	struct lai_sim_path *back = lai_sim_path(world->server_host, world->client_host);

	there->loss_ppm = back->loss_ppm = 50000;
	there->jitter_ns = back->jitter_ns = 5 * LAI_MS;
	there->reorder = back->reorder = true;
}

/* ---- what the network does -------------------------------------------------------------- */

static void transfer_under_loss(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world world;
		uint8_t *data = random_bytes(seed);
		int socket;

		world_open(&world, seed);
		socket = client_open(&world, &plain);
		bad_weather(&world);
		assert_true(client_transfer(&world, socket, data, TRANSFER_BYTES));
		assert_int_equal(world.got_bytes, TRANSFER_BYTES);
		assert_memory_equal(world.got, data, TRANSFER_BYTES);
		assert_int_equal(client_view(&world, socket).acked_bytes, TRANSFER_BYTES);
		assert_true(client_view(&world, socket).retransmits > 0);
		world.client->ops->close(world.client, socket);
		free(data);
		world_close(&world);
	}
}

static uint64_t run_hash(uint64_t seed)
{
	struct world world;
	uint8_t *data = random_bytes(SEED);
	uint64_t hash;

	world_open(&world, seed);
	bad_weather(&world);
	assert_true(client_transfer(&world, client_connect(&world, &plain), data, TRANSFER_BYTES));
	hash = lai_sim_hash(world.sim);
	free(data);
	world_close(&world);
	return hash;
}

static void same_seed_same_run(void **state)
{
	uint64_t hash = run_hash(SEED);

	(void)state;
	assert_true(run_hash(SEED) == hash);
	assert_true(run_hash(SEED + 1) != hash);
}

static void black_hole_is_silent(void **state)
{
	struct world world;
	struct lai_ready ready;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_cut(world.client_host, world.server_host, true);
	assert_int_equal(client_send(&world, socket, "x", 1), 1);
	assert_int_equal(world.client->ops->watch(world.client, socket, LAI_READABLE), 0);
	assert_int_equal(
		world.client->ops->wait(world.client, &ready, 1,
					world.client->ops->now(world.client) + 900 * LAI_S),
		0);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_ESTABLISHED);
	assert_int_equal(client_view(&world, socket).in_flight, 1);
	assert_true(client_view(&world, socket).unanswered > 5);
	/* tcp_retries2: 924.6 s after the first time-out, rounded up to the next one */
	world_pass(&world, 200 * LAI_S);
	assert_int_equal(world.client->ops->error(world.client, socket), ETIMEDOUT);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_CLOSE);
	world_close(&world);
}

static void hole_in_one_direction(void **state)
{
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_path(world.server_host, world.client_host)->black_hole = true;
	assert_int_equal(client_send(&world, socket, "abc", 3), 3);
	world_pass(&world, LAI_S);
	assert_int_equal(world.got_bytes, 3);
	assert_int_equal(client_view(&world, socket).acked_bytes, 0);
	lai_sim_path(world.server_host, world.client_host)->black_hole = false;
	world_pass(&world, 10 * LAI_S);
	assert_int_equal(world.got_bytes, 3);
	assert_int_equal(client_view(&world, socket).acked_bytes, 3);
	world_close(&world);
}

static void retransmissions_as_often_as_told(void **state)
{
	struct lai_socket_options options = {.rto_max_ns = LAI_S};
	struct world world;
	int often, seldom;

	(void)state;
	world_open(&world, SEED);
	often = client_open(&world, &options);
	seldom = client_open(&world, &plain);
	lai_sim_cut(world.client_host, world.server_host, true);
	assert_int_equal(client_send(&world, often, "x", 1), 1);
	assert_int_equal(client_send(&world, seldom, "x", 1), 1);
	world_pass(&world, 10 * LAI_S);
	assert_int_equal(client_view(&world, often).retransmits, 11); /* .2 .6 1.4 2.4 ... 9.4 s */
	assert_int_equal(client_view(&world, seldom).retransmits, 5); /* .2 .6 1.4 3.0 6.2 s */
	world_close(&world);
}

static void trace_shows_segments(void **state)
{
	struct world world;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	world_open(&world, SEED);
	lai_sim_trace(world.sim, stream);
	(void)client_open(&world, &plain);
	lai_sim_trace(world.sim, NULL);
	(void)client_open(&world, &plain);
	assert_int_equal(fclose(stream), 0);
	assert_non_null(strstr(text, "> 10.0.0.1:4711 [S] "));
	assert_non_null(strstr(text, "10.0.0.1:4711 > 192.0.2.100:"));
	assert_int_equal(strtok(text, "\n") != NULL, true);
	for (int lines = 1; lines < 3; lines++)
		assert_non_null(strtok(NULL, "\n"));
	assert_null(strtok(NULL, "\n")); /* SYN, SYN-ACK, ACK */
	free(text);
	world_close(&world);
}

static void syn_into_black_hole(void **state)
{
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	lai_sim_cut(world.client_host, world.server_host, true);
	socket = client_connect(&world, &plain);
	world_pass(&world, 130 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_SYN_SENT);
	assert_int_equal(world.client->ops->error(world.client, socket), 0);
	world_pass(&world, 2 * LAI_S);
	assert_int_equal(world.client->ops->error(world.client, socket), ETIMEDOUT);
	world_close(&world);
}

static void power_off_and_on(void **state)
{
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_power(world.server_host, false);
	assert_int_equal(lai_sim_in_state(world.server_host, LAI_TCP_COUNT), 0);
	assert_int_equal(lai_sim_open(world.service), 0);
	assert_int_equal(client_send(&world, socket, "x", 1), 1);
	world_pass(&world, 5 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_ESTABLISHED);
	lai_sim_power(world.server_host, true);
	world_pass(&world, 5 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_CLOSE);
	assert_int_equal(world.client->ops->error(world.client, socket), ECONNRESET);
	world.client->ops->close(world.client, socket);
	socket = client_open(&world, &plain);
	assert_int_equal(client_send(&world, socket, "again", 5), 5);
	world_pass(&world, LAI_S);
	assert_int_equal(world.got_bytes, 5);
	world_close(&world);
}

static void frozen_program_closes_the_window(void **state)
{
	struct world world;
	uint8_t *data = random_bytes(SEED);
	size_t written = 0;
	ssize_t taken;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_freeze(world.service, true);
	while ((taken = client_send(&world, socket, data + written, TRANSFER_BYTES - written)) >
	       0) {
		written += (size_t)taken;
		world_pass(&world, 100 * LAI_MS);
	}
	assert_int_equal(taken, -EAGAIN);
	world_pass(&world, 3600 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_ESTABLISHED);
	assert_int_equal(client_view(&world, socket).window_bytes, 0);
	assert_int_equal(client_view(&world, socket).in_flight, 0);
	assert_true(client_view(&world, socket).ack_age_ns <= 121 * LAI_S);
	assert_int_equal(world.got_bytes, 0);
	lai_sim_freeze(world.service, false);
	assert_true(client_transfer(&world, socket, data + written, TRANSFER_BYTES - written));
	assert_int_equal(world.got_bytes, TRANSFER_BYTES);
	assert_memory_equal(world.got, data, TRANSFER_BYTES);
	free(data);
	world_close(&world);
}

static void killed_program_with_unread_data_resets(void **state)
{
	struct world world;
	int idle, busy;

	(void)state;
	world_open(&world, SEED);
	idle = client_open(&world, &plain);
	busy = client_open(&world, &plain);
	lai_sim_freeze(world.service, true);
	assert_int_equal(client_send(&world, busy, "unread", 6), 6);
	world_pass(&world, LAI_S);
	lai_sim_kill(world.service);
	assert_int_equal(lai_sim_open(world.service), 0);
	world_pass(&world, LAI_S);
	assert_int_equal(client_view(&world, idle).tcp_state, LAI_TCP_CLOSE_WAIT);
	assert_int_equal(world.client->ops->error(world.client, busy), ECONNRESET);
	world_close(&world);
}

static void nat_forgets(void **state)
{
	struct world world;
	int old, new;

	(void)state;
	world_open(&world, SEED);
	old = client_open(&world, &plain);
	lai_sim_nat_drop(world.client_host, world.server_host);
	assert_int_equal(client_send(&world, old, "x", 1), 1);
	world_pass(&world, 10 * LAI_S);
	assert_int_equal(client_view(&world, old).acked_bytes, 0);
	new = client_open(&world, &plain);
	assert_int_equal(client_send(&world, new, "y", 1), 1);
	world_pass(&world, LAI_S);
	assert_int_equal(client_view(&world, new).acked_bytes, 1);
	world_pass(&world, 10 * LAI_S);
	assert_int_equal(client_view(&world, old).acked_bytes, 0);
	world_close(&world);
}

static void firewall_rules(void **state)
{
	struct world world;
	int dropped, rejected, prohibited;

	(void)state;
	world_open(&world, SEED);
	lai_sim_firewall(world.server_host, LAI_SIM_DROP);
	dropped = client_connect(&world, &plain);
	world_pass(&world, LAI_S / 2);
	lai_sim_firewall(world.server_host, LAI_SIM_REJECT);
	rejected = client_connect(&world, &plain);
	world_pass(&world, LAI_S / 4);
	lai_sim_firewall(world.server_host, LAI_SIM_PROHIBIT);
	prohibited = client_connect(&world, &plain);
	world_pass(&world, LAI_S / 8);
	assert_int_equal(client_view(&world, dropped).tcp_state, LAI_TCP_SYN_SENT);
	assert_int_equal(world.client->ops->error(world.client, rejected), ECONNREFUSED);
	assert_int_equal(world.client->ops->error(world.client, prohibited), EHOSTUNREACH);
	lai_sim_firewall(world.server_host, LAI_SIM_ACCEPT);
	world_pass(&world, LAI_S); /* the SYN is sent again */
	assert_int_equal(client_view(&world, dropped).tcp_state, LAI_TCP_ESTABLISHED);
	world_close(&world);
}

/* ---- the client's host ------------------------------------------------------------------ */

static void lost_route_and_address(void **state)
{
	struct world world;
	const struct lai_net_ops *ops;
	struct lai_address local, remote;
	int socket;

	(void)state;
	world_open(&world, SEED);
	ops = world.client->ops;
	socket = client_open(&world, &(struct lai_socket_options){.user_timeout_ns = 10 * LAI_S});
	assert_int_equal(ops->names(world.client, socket, &local, &remote), 0);
	assert_int_equal(ops->why_silent(world.client, &local, &remote, NULL), 0);
	lai_sim_route(world.client_host, false);
	assert_int_equal(client_connect(&world, &plain), -ENETUNREACH);
	assert_int_equal(ops->why_silent(world.client, &local, &remote, NULL), -ENETUNREACH);
	lai_sim_route(world.client_host, true);
	assert_int_equal(lai_sim_address_set(world.client_host, LAI_SIM_CLIENT_V4, false), 0);
	assert_int_equal(ops->why_silent(world.client, &local, &remote, NULL), -EADDRNOTAVAIL);
	assert_int_equal(client_connect(&world, &plain), -ENETUNREACH);
	assert_int_equal(client_connect(&world, &(struct lai_socket_options){.local = local}),
			 -ENODEV);
	assert_int_equal(client_send(&world, socket, "x", 1), 1);
	world_pass(&world, LAI_S);
	assert_int_equal(world.got_bytes, 0);
	assert_int_equal(lai_sim_address_set(world.client_host, LAI_SIM_CLIENT_V4, true), 0);
	world_pass(&world, 5 * LAI_S);
	assert_int_equal(world.got_bytes, 1);
	world_close(&world);
}

/* Over IPv6 SO_ERROR tells of a lost route, over IPv4 it does not: see sim_output.c. */
static void soft_error_over_ipv6(void **state)
{
	struct lai_socket_options options = {.user_timeout_ns = 3 * LAI_S};
	struct world world;
	struct lai_net *service;
	int socket;

	(void)state;
	world_open(&world, SEED);
	service = lai_sim_host_net(world.server_host);
	assert_non_null(service);
	assert_int_equal(lai_sim_host_address(world.server_host, "2001:db8::1"), 0);
	assert_int_equal(lai_sim_host_address(world.client_host, "2001:db8::1"), -EEXIST);
	assert_ptr_equal(lai_sim_host(world.sim, "2001:db8::1"), world.server_host);
	assert_int_equal(lai_address_parse("2001:db8::1", PORT, &world.address), 0);
	assert_true(service->ops->listen(service, &world.address, 1) >= 0);
	socket = client_open(&world, &options);
	lai_sim_route(world.client_host, false);
	assert_int_equal(client_send(&world, socket, "x", 1), 1);
	assert_int_equal(world.client->ops->error(world.client, socket), ENETUNREACH);
	assert_int_equal(world.client->ops->error(world.client, socket), 0);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_ESTABLISHED);
	world_pass(&world, 5 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_CLOSE);
	assert_int_equal(world.client->ops->error(world.client, socket), ENETUNREACH);
	world_close(&world);
}

static void suspend_stops_one_clock(void **state)
{
	struct world world;
	const struct lai_net_ops *ops;
	uint64_t before_ns;
	struct lai_ready ready;

	(void)state;
	world_open(&world, SEED);
	ops = world.client->ops;
	(void)client_open(&world, &plain);
	before_ns = ops->now(world.client);
	lai_sim_suspend(world.client_host, 3600 * LAI_S);
	world_pass(&world, 1800 * LAI_S);
	assert_true(ops->now(world.client) == before_ns);
	assert_true(lai_sim_host_when(world.client_host, before_ns + LAI_S) ==
		    lai_sim_now(world.sim) + 1801 * LAI_S);
	while (ops->wait(world.client, &ready, 1, before_ns + LAI_S))
		assert_int_equal(ops->watch(world.client, ready.socket, 0), 0);
	assert_true(ops->now(world.client) == before_ns + LAI_S);
	assert_true(ops->slept(world.client) == 3600 * LAI_S);
	assert_true(ops->now(world.service) == before_ns + 3601 * LAI_S);
	assert_true(ops->slept(world.service) == 0);
	world_close(&world);
}

/* The server's host dies in the client's sleep; the client's keepalive does not count the sleep. */
static void timers_sleep_too(void **state)
{
	struct lai_socket_options options = {.keepalive_ns = 20 * LAI_S};
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &options);
	lai_sim_suspend(world.client_host, 3600 * LAI_S);
	world_pass(&world, 1800 * LAI_S);
	lai_sim_power(world.server_host, false);
	world_pass(&world, 1815 * LAI_S);
	assert_int_equal(client_view(&world, socket).tcp_state, LAI_TCP_ESTABLISHED);
	world_pass(&world, 7 * LAI_S);
	assert_int_equal(world.client->ops->error(world.client, socket), ETIMEDOUT);
	world_close(&world);
}

static void connect_fails_on_demand(void **state)
{
	struct world world;
	const struct lai_sim_attempt *attempts;
	size_t count;

	(void)state;
	world_open(&world, SEED);
	lai_sim_fail_connect(world.client_host, -EMFILE, 2);
	assert_int_equal(client_connect(&world, &plain), -EMFILE);
	world_pass(&world, LAI_S);
	assert_int_equal(client_connect(&world, &plain), -EMFILE);
	assert_true(client_connect(&world, &plain) >= 0);
	attempts = lai_sim_attempts(world.client, &count);
	assert_int_equal(count, 3);
	assert_int_equal(attempts[0].result, -EMFILE);
	assert_true(attempts[1].at_ns - attempts[0].at_ns == LAI_S);
	assert_true(attempts[2].result >= 0);
	assert_int_equal(lai_sim_live(world.client), 1);
	world_close(&world);
}

static void ephemeral_ports_run_out(void **state)
{
	struct lai_address self;
	struct world world;
	struct lai_view view;
	int socket;

	(void)state;
	world_open(&world, SEED);
	lai_sim_ports(world.client_host, 50000, 50002);
	for (int i = 0; i < 3; i++)
		(void)client_open(&world, &plain);
	assert_int_equal(client_connect(&world, &plain), -EADDRNOTAVAIL);
	/* To another remote the same ports are free; to oneself there is no other. */
	lai_sim_ports(world.client_host, 50001, 50001);
	assert_int_equal(lai_address_parse("127.0.0.1", 50001, &self), 0);
	socket = world.client->ops->connect(world.client, &self, &plain);
	assert_true(socket >= 0);
	world_pass(&world, LAI_S);
	assert_int_equal(world.client->ops->view(world.client, socket, &view), 0);
	assert_int_equal(view.tcp_state, LAI_TCP_ESTABLISHED);
	world_close(&world);
}

static void acked_events_get_lost(void **state)
{
	struct world world;
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	struct lai_ready ready;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	assert_int_equal(world.client->ops->watch(world.client, socket, LAI_READABLE), 0);
	assert_int_equal(world.client->ops->send(world.client, socket, &iov, 1, LAI_ASK_ACK), 1);
	assert_int_equal(world.client->ops->wait(world.client, &ready, 1, LA_NEVER), 1);
	assert_true(ready.events & LAI_ACKED);
	lai_sim_lose_acked(world.client_host, true);
	assert_int_equal(world.client->ops->send(world.client, socket, &iov, 1, LAI_ASK_ACK), 1);
	assert_int_equal(world.client->ops->wait(world.client, &ready, 1, LA_NEVER), 0);
	assert_int_equal(client_view(&world, socket).acked_bytes, 2);
	world_close(&world);
}

/* ---- the end of connections ------------------------------------------------------------- */

static void nothing_is_left_behind(void **state)
{
	struct world world;
	struct lai_ready ready;
	int sockets[8];

	(void)state;
	world_open(&world, SEED);
	for (int i = 0; i < 8; i++)
		sockets[i] = client_open(&world, &plain);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_ESTABLISHED), 8);
	for (int i = 0; i < 8; i++)
		world.client->ops->close(world.client, sockets[i]);
	assert_int_equal(lai_sim_open(world.client), 0);
	assert_int_equal(lai_sim_live_max(world.client), 8);
	world_pass(&world, LAI_S);
	assert_int_equal(world.ended, 8);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_TIME_WAIT), 8);
	assert_int_equal(lai_sim_in_state(world.server_host, LAI_TCP_COUNT), 1); /* the listener */
	world_pass(&world, 61 * LAI_S);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_COUNT), 0);
	assert_int_equal(world.client->ops->wait(world.client, &ready, 1, LA_NEVER), 0);
	assert_true(lai_sim_next(world.sim) == LA_NEVER);
	world_close(&world);
}

static void orphan_waits_a_minute_for_the_fin(void **state)
{
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_freeze(world.service, true);
	world.client->ops->close(world.client, socket);
	world_pass(&world, 59 * LAI_S);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_FIN_WAIT2), 1);
	assert_int_equal(lai_sim_in_state(world.server_host, LAI_TCP_CLOSE_WAIT), 1);
	world_pass(&world, 2 * LAI_S);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_COUNT), 0);
	lai_sim_freeze(world.service, false);
	world_pass(&world, LAI_S);
	assert_int_equal(world.ended, 1); /* and its FIN is answered by RST */
	assert_int_equal(lai_sim_in_state(world.server_host, LAI_TCP_COUNT), 1);
	world_close(&world);
}

static void orphan_with_silent_peer_is_given_up(void **state)
{
	struct world world;
	int socket;

	(void)state;
	world_open(&world, SEED);
	socket = client_open(&world, &plain);
	lai_sim_cut(world.client_host, world.server_host, true);
	assert_int_equal(client_send(&world, socket, "x", 1), 1);
	world.client->ops->close(world.client, socket);
	world_pass(&world, 60 * LAI_S);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_FIN_WAIT1), 1);
	world_pass(&world, 180 * LAI_S);
	assert_int_equal(lai_sim_in_state(world.client_host, LAI_TCP_COUNT), 0);
	world_close(&world);
}

/* ---- names ------------------------------------------------------------------------------ */

static int resolve(struct world *world, const char *name, struct lai_address *addresses)
{
	const struct lai_net_ops *ops = world->client->ops;
	struct lai_ready ready = {0};

	assert_int_equal(ops->resolve(world->client, name, PORT), 0);
	assert_int_equal(ops->resolved(world->client, addresses), -EINPROGRESS);
	if (!ops->wait(world->client, &ready, 1, ops->now(world->client) + 10 * LAI_S))
		return -ETIME;
	assert_int_equal(ready.socket, LAI_RESOLVER);
	return ops->resolved(world->client, addresses);
}

static void names_change(void **state)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	struct world world;
	char text[LA_ADDRESS_TEXT_MAX];

	(void)state;
	world_open(&world, SEED);
	assert_int_equal(resolve(&world, "a.example", addresses), -ENOENT);
	assert_int_equal(lai_sim_dns(world.sim, "a.example", "2001:db8::1 10.0.0.1", 0, LAI_MS), 0);
	assert_int_equal(resolve(&world, "a.example", addresses), 2);
	assert_string_equal(lai_address_format(text, &addresses[0]), "[2001:db8::1]:4711");
	assert_string_equal(lai_address_format(text, &addresses[1]), "10.0.0.1:4711");
	assert_int_equal(lai_sim_dns(world.sim, "a.example", NULL, -EAGAIN, LAI_S), 0);
	assert_int_equal(resolve(&world, "a.example", addresses), -EAGAIN);
	assert_int_equal(lai_sim_dns(world.sim, "a.example", "10.0.0.1", 0, LA_NEVER), 0);
	assert_int_equal(resolve(&world, "a.example", addresses), -ETIME);
	world.client->ops->resolve_cancel(world.client);
	assert_int_equal(lai_sim_dns(world.sim, "a.example", "nonsense", 0, 0), -EINVAL);
	assert_int_equal(lai_sim_dns(world.sim, "a.example", NULL, 1, 0), -EINVAL);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a transfer over a lossy, reordering path is byte-exact",
		 .test_func = transfer_under_loss},
		{.name = "the same seed gives the same run, another seed another one",
		 .test_func = same_seed_same_run},
		{.name = "a black hole is silent until tcp_retries2 gives up",
		 .test_func = black_hole_is_silent},
		{.name = "a hole in one direction loses only the acknowledgements",
		 .test_func = hole_in_one_direction},
		{.name = "a bound on the retransmission time-out makes them come more often",
		 .test_func = retransmissions_as_often_as_told},
		{.name = "a trace has one line per segment", .test_func = trace_shows_segments},
		{.name = "a SYN into a black hole is given up after 131 s",
		 .test_func = syn_into_black_hole},
		{.name = "a host without power is silent, after its boot it answers RST",
		 .test_func = power_off_and_on},
		{.name = "a frozen program closes the window and keeps the connection alive",
		 .test_func = frozen_program_closes_the_window},
		{.name = "a killed program resets connections with unread data, ends others by FIN",
		 .test_func = killed_program_with_unread_data_resets},
		{.name = "after NAT lost its state old connections are silent and new ones work",
		 .test_func = nat_forgets},
		{.name = "a firewall drops, rejects or prohibits a SYN",
		 .test_func = firewall_rules},
		{.name = "a lost route and a lost address have their own names",
		 .test_func = lost_route_and_address},
		{.name = "over IPv6 a lost route is a soft error of a live connection",
		 .test_func = soft_error_over_ipv6},
		{.name = "suspend stops one host's clock", .test_func = suspend_stops_one_clock},
		{.name = "timers of a sleeping host sleep too", .test_func = timers_sleep_too},
		{.name = "connect() fails on demand and every attempt is listed",
		 .test_func = connect_fails_on_demand},
		{.name = "ephemeral ports run out, and the last one may connect to itself",
		 .test_func = ephemeral_ports_run_out},
		{.name = "news of acknowledgements may get lost",
		 .test_func = acked_events_get_lost},
		{.name = "after close() on both sides and TIME_WAIT nothing is left",
		 .test_func = nothing_is_left_behind},
		{.name = "an orphan waits a minute for the peer's FIN",
		 .test_func = orphan_waits_a_minute_for_the_fin},
		{.name = "an orphan whose peer is silent is given up within four minutes",
		 .test_func = orphan_with_silent_peer_is_given_up},
		{.name = "names change their answers", .test_func = names_change},
	};

	return cmocka_run_group_tests_name("io.sim", tests, NULL, NULL);
}
