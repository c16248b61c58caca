/* SPDX-License-Identifier: MIT */
/*
 * Random calls under random faults, many seeds: every byte that arrives is the one that was sent at
 * its place, and when the storm is over and all is closed, nothing is left on any host.
 */
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

#define SERVER "10.0.0.1"
#define PORT 4711
#define SOCKETS_MAX 64
#define CHUNK_MAX 5000u
#define STEPS 600
#define SEEDS 150
#define READY_MAX 16
/* Orphans are given up after some 200 s, TIME_WAIT and FIN_WAIT2 take a minute more each. */
#define CALM_NS (600 * LAI_S)

struct end {
	int socket;		 /* -1: none */
	uint16_t port;		 /* the client's: it seeds both streams */
	uint64_t sent, received; /* bytes */
	bool done;		 /* nothing more will be sent */
};

struct side {
	struct lai_net *net;
	struct end ends[SOCKETS_MAX];
	uint64_t salt_out, salt_in;
};

struct storm {
	struct lai_sim *sim;
	struct lai_random random;
	struct lai_sim_host *client_host, *server_host;
	struct side client, server;
	struct lai_address address;
	int listener;
	uint64_t bytes; /* read in all, to see that anything happened */
};

/* The byte that stands at this place of this stream. */
static uint8_t stream_byte(uint16_t port, uint64_t salt, uint64_t place)
{
	struct lai_random random = {(uint64_t)port << 48 ^ salt << 40 ^ place};

	return (uint8_t)lai_random_next(&random);
}

static uint64_t below(struct storm *storm, uint64_t bound)
{
	return lai_random_below(&storm->random, bound);
}

static void end_close(struct storm *storm, struct side *side, struct end *end)
{
	if (below(storm, 3) == 0)
		side->net->ops->abort(side->net, end->socket);
	else
		side->net->ops->close(side->net, end->socket);
	end->socket = -1;
}

static void end_send(struct storm *storm, struct side *side, struct end *end)
{
	static uint8_t data[CHUNK_MAX];
	struct iovec iov = {data, below(storm, CHUNK_MAX) + 1};
	ssize_t taken;

	for (size_t i = 0; i < iov.iov_len; i++)
		data[i] = stream_byte(end->port, side->salt_out, end->sent + i);
	taken = side->net->ops->send(side->net, end->socket, &iov, 1, (unsigned)below(storm, 2));
	if (taken > 0)
		end->sent += (uint64_t)taken;
	if (end->done)
		assert_true(taken < 0);
}

static void end_receive(struct storm *storm, struct side *side, struct end *end)
{
	static uint8_t data[CHUNK_MAX];
	ssize_t got =
		side->net->ops->recv(side->net, end->socket, data, below(storm, CHUNK_MAX) + 1);

	for (ssize_t i = 0; i < got; i++)
		assert_int_equal(data[i], stream_byte(end->port, side->salt_in,
						      end->received + (uint64_t)i));
	if (got > 0) {
		end->received += (uint64_t)got;
		storm->bytes += (uint64_t)got;
	}
}

static void end_act(struct storm *storm, struct side *side, struct end *end)
{
	struct lai_view view;

	if (side->net->ops->view(side->net, end->socket, &view) < 0) {
		end->socket = -1; /* the host was powered off */
		return;
	}
	assert_true(view.acked_bytes <= end->sent);
	assert_true(!view.fin_acked || end->done);
	switch (below(storm, 12)) {
	case 0: end_close(storm, side, end); break;
	case 1: end->done |= side->net->ops->shutdown(side->net, end->socket) == 0; break;
	case 2: (void)side->net->ops->error(side->net, end->socket); break;
	case 3: side->net->ops->hurry(side->net, end->socket, below(storm, 3) * LAI_S); break;
	case 4:
		(void)side->net->ops->watch(side->net, end->socket, (uint32_t)below(storm, 4));
		break;
	case 5:
	case 6:
	case 7: end_receive(storm, side, end); break;
	default: end_send(storm, side, end); break;
	}
}

static struct end *end_free(struct side *side)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (side->ends[i].socket < 0)
			return &side->ends[i];
	return NULL;
}

static void client_connect(struct storm *storm)
{
	struct end *end = end_free(&storm->client);
	struct lai_socket_options options = {.no_delay = below(storm, 2)};
	struct lai_net *net = storm->client.net;

	if (!end)
		return;
	assert_int_equal(lai_address_parse(LAI_SIM_CLIENT_V4, (uint16_t)(2000 + below(storm, 20)),
					   &options.local),
			 0);
	options.keepalive_ns = below(storm, 2) * 10 * LAI_S;
	options.user_timeout_ns = below(storm, 2) * 10 * LAI_S;
	*end = (struct end){.port = lai_address_port(&options.local)};
	end->socket = net->ops->connect(net, &storm->address, &options);
	if (end->socket < 0)
		end->socket = -1;
}

static void server_accept(struct storm *storm)
{
	struct end *end = end_free(&storm->server);
	struct lai_net *net = storm->server.net;
	struct lai_address address = storm->address, from;
	int socket;

	if (!end)
		return;
	socket = net->ops->accept(net, storm->listener, &from);
	if (socket == -EBADF)
		storm->listener = net->ops->listen(net, &address, 4);
	if (socket >= 0)
		*end = (struct end){.socket = socket, .port = lai_address_port(&from)};
}

static void side_act(struct storm *storm, struct side *side)
{
	struct lai_ready ready[READY_MAX];
	struct end *end = &side->ends[below(storm, SOCKETS_MAX)];

	if (end->socket >= 0)
		end_act(storm, side, end);
	(void)side->net->ops->wait(side->net, ready, READY_MAX, side->net->ops->now(side->net));
}

static void path_fault(struct storm *storm, struct lai_sim_host *from, struct lai_sim_host *to)
{
	struct lai_sim_path *path = lai_sim_path(from, to);

	path->loss_ppm = (uint32_t)below(storm, 200000);
	path->jitter_ns = below(storm, 20) * LAI_MS;
	path->reorder = below(storm, 2);
	path->black_hole = below(storm, 4) == 0;
}

static void fault(struct storm *storm)
{
	switch (below(storm, 10)) {
	case 0: path_fault(storm, storm->client_host, storm->server_host); break;
	case 1: path_fault(storm, storm->server_host, storm->client_host); break;
	case 2: lai_sim_power(storm->server_host, below(storm, 2)); break;
	case 3: lai_sim_freeze(storm->server.net, below(storm, 2)); break;
	case 4: lai_sim_nat_drop(storm->client_host, storm->server_host); break;
	case 5: lai_sim_suspend(storm->client_host, below(storm, 20) * LAI_S); break;
	case 6: lai_sim_firewall(storm->server_host, (enum lai_sim_firewall)below(storm, 4)); break;
	case 7: lai_sim_route(storm->client_host, below(storm, 2)); break;
	case 8:
		assert_int_equal(
			lai_sim_address_set(storm->client_host, LAI_SIM_CLIENT_V4, below(storm, 2)),
			0);
		break;
	default: lai_sim_timestamps(storm->server_host, below(storm, 2)); break;
	}
}

static void storm_step(struct storm *storm)
{
	if (below(storm, 20) == 0)
		fault(storm);
	if (below(storm, 4) == 0)
		client_connect(storm);
	if (below(storm, 3) == 0)
		server_accept(storm);
	for (int i = 0; i < 4; i++) {
		side_act(storm, &storm->client);
		side_act(storm, &storm->server);
	}
	lai_sim_advance(storm->sim, lai_sim_now(storm->sim) + below(storm, 300) * LAI_MS);
}

static void storm_calms(struct storm *storm)
{
	const struct lai_sim_path calm = {.latency_ns = LAI_MS};

	*lai_sim_path(storm->client_host, storm->server_host) = calm;
	*lai_sim_path(storm->server_host, storm->client_host) = calm;
	lai_sim_power(storm->server_host, true);
	lai_sim_route(storm->client_host, true);
	assert_int_equal(lai_sim_address_set(storm->client_host, LAI_SIM_CLIENT_V4, true), 0);
	lai_sim_kill(storm->client.net);
	lai_sim_kill(storm->server.net);
	lai_sim_advance(storm->sim, lai_sim_now(storm->sim) + CALM_NS);
}

static uint64_t storm_run(uint64_t seed, uint64_t *bytes)
{
	struct storm storm = {.random = {seed}, .listener = -1};
	uint64_t hash;

	assert_int_equal(lai_sim_new(&storm.sim, seed), 0);
	storm.client_host = lai_sim_client(storm.sim);
	storm.server_host = lai_sim_host(storm.sim, SERVER);
	storm.client = (struct side){.net = lai_sim_net(storm.sim), .salt_out = 1, .salt_in = 2};
	storm.server = (struct side){
		.net = lai_sim_host_net(storm.server_host), .salt_out = 2, .salt_in = 1};
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		storm.client.ends[i].socket = storm.server.ends[i].socket = -1;
	assert_int_equal(lai_address_parse(SERVER, PORT, &storm.address), 0);
	for (int i = 0; i < STEPS; i++)
		storm_step(&storm);
	storm_calms(&storm);
	assert_int_equal(lai_sim_in_state(storm.client_host, LAI_TCP_COUNT), 0);
	assert_int_equal(lai_sim_in_state(storm.server_host, LAI_TCP_COUNT), 0);
	assert_int_equal(lai_sim_host_open(storm.client_host), 0);
	assert_int_equal(lai_sim_host_open(storm.server_host), 0);
	assert_true(lai_sim_next(storm.sim) == LA_NEVER);
	hash = lai_sim_hash(storm.sim);
	*bytes += storm.bytes;
	lai_sim_free(storm.sim);
	return hash;
}

static void storms_pass(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		(void)storm_run(seed, &bytes);
	assert_true(bytes > SEEDS * CHUNK_MAX);
}

static void storms_repeat(void **state)
{
	uint64_t first = 0, again = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		assert_true(storm_run(seed, &first) == storm_run(seed, &again));
	assert_true(first == again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "under random faults every byte is in its place, and nothing is left "
			 "behind",
		 .test_func = storms_pass},
		{.name = "a storm repeats itself from its seed", .test_func = storms_repeat},
	};

	return cmocka_run_group_tests_name("io.sim.storm", tests, NULL, NULL);
}
