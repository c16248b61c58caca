/* SPDX-License-Identifier: MIT */
/*
 * The facts about TCP that lastack relies on, each one sentence, written once against lai_net_ops
 * and held against both networks: the simulator, and the Linux kernel that runs this test.
 *
 * The kernel's half lives in a network namespace of its own, both ends on lo. Segments to a socket
 * are lost there by a classic BPF filter on that socket that refuses everything, which needs
 * neither privilege nor a firewall. Where the two networks differ, the simulator is wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"
#include "io/net.h"
#include "io/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENT LAI_SIM_CLIENT_V4
#define SERVER "10.0.0.1"
#define READY_MAX 8
#define PATIENCE_NS (10 * LAI_S) /* for what must happen; nothing measures itself by it */
#define TICK_NS LAI_MS
#define SECOND_SLACK_NS (3 * LAI_S) /* how late a timer of whole seconds may seem to be here */

struct world {
	struct lai_net *client, *service;
	struct lai_sim *sim; /* NULL: the kernel */
	struct lai_sim_host *client_host, *server_host;
};

/* One connection, seen from both ends. */
struct pair {
	int listener, client, server;
	struct lai_address address; /* of the listener */
};

/* ---- the two worlds --------------------------------------------------------------------- */

static void world_open(struct world *world, bool kernel)
{
	memset(world, 0, sizeof(*world));
	if (kernel) {
		assert_int_equal(lai_net_kernel_new(&world->client), 0);
		assert_int_equal(lai_net_kernel_new(&world->service), 0);
		return;
	}
	assert_int_equal(lai_sim_new(&world->sim, 1), 0);
	world->client_host = lai_sim_client(world->sim);
	world->server_host = lai_sim_host(world->sim, SERVER);
	world->client = lai_sim_net(world->sim);
	world->service = lai_sim_host_net(world->server_host);
}

static void world_close(struct world *world)
{
	if (world->client)
		world->client->ops->free(world->client);
	if (world->service)
		world->service->ops->free(world->service);
	lai_sim_free(world->sim);
}

static uint64_t world_now(struct world *world)
{
	return world->client->ops->now(world->client);
}

/* Lets the networks work until then. Sockets that nobody watches say little; whatever they say, is
   left to those who ask. */
static void world_pass_until(struct world *world, uint64_t deadline_ns)
{
	struct lai_ready ready[READY_MAX];

	if (world->sim)
		lai_sim_advance(world->sim, deadline_ns);
	while (world_now(world) < deadline_ns)
		(void)world->client->ops->wait(world->client, ready, READY_MAX, deadline_ns);
}

static void world_pass(struct world *world, uint64_t duration_ns)
{
	world_pass_until(world, world_now(world) + duration_ns);
}

/* The condition is asked until it is true, and not once more. */
#define EVENTUALLY(world, condition)                                                               \
	do {                                                                                       \
		uint64_t until_ns = world_now(world) + PATIENCE_NS;                                \
		bool come;                                                                         \
		while (!(come = (condition)) && world_now(world) < until_ns)                       \
			world_pass(world, TICK_NS);                                                \
		if (!come)                                                                         \
			fail_msg("this never came: %s", #condition);                               \
	} while (0)

/* From now on nothing reaches this socket (of the server), or everything does again. */
static void world_deafen(struct world *world, int socket, bool deaf)
{
	struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &refuse};
	int none = 0;

	if (world->sim)
		lai_sim_path(world->client_host, world->server_host)->black_hole = deaf;
	else if (deaf)
		assert_int_equal(
			setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
			0);
	else
		assert_int_equal(
			setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
}

static void world_timestamps(struct world *world, bool on)
{
	int fd;

	if (world->sim) {
		lai_sim_timestamps(world->client_host, on);
		lai_sim_timestamps(world->server_host, on);
		return;
	}
	fd = open("/proc/sys/net/ipv4/tcp_timestamps", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, on ? "1" : "0", 1), 1);
	(void)close(fd);
}

/* Gives lo an address by way of an alias ("lo:1"), or takes it away. 0 or -1 with errno. */
static int alias_set(const char *alias, const char *address, bool present)
{
	struct lai_address parsed;
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", alias);
	if (present) {
		(void)lai_address_parse(address, 0, &parsed);
		memcpy(&request.ifr_addr, &parsed.v4, sizeof(parsed.v4));
		result = ioctl(fd, SIOCSIFADDR, &request);
	} else {
		request.ifr_flags = 0;
		result = ioctl(fd, SIOCSIFFLAGS, &request);
	}
	(void)close(fd);
	return result;
}

static void world_address(struct world *world, bool present)
{
	if (world->sim)
		assert_int_equal(lai_sim_address_set(world->client_host, CLIENT, present), 0);
	else
		assert_int_equal(alias_set("lo:1", CLIENT, present), 0);
}

/* ---- one connection --------------------------------------------------------------------- */

static uint32_t wait_for(struct world *world, struct lai_net *net, int socket, uint32_t events)
{
	uint64_t deadline_ns = net->ops->now(net) + PATIENCE_NS;
	struct lai_ready ready[READY_MAX];
	uint32_t said = 0;

	(void)world;
	assert_int_equal(net->ops->watch(net, socket, events & (LAI_READABLE | LAI_WRITABLE)), 0);
	while (!said && net->ops->now(net) < deadline_ns) {
		int count = net->ops->wait(net, ready, READY_MAX, deadline_ns);

		for (int i = 0; i < count; i++)
			if (ready[i].socket == socket)
				said = ready[i].events;
	}
	assert_int_equal(net->ops->watch(net, socket, 0), 0);
	return said;
}

static struct lai_address address_of(const char *text, uint16_t port)
{
	struct lai_address address;

	assert_int_equal(lai_address_parse(text, port, &address), 0);
	return address;
}

static struct lai_socket_options client_options(uint16_t port)
{
	return (struct lai_socket_options){.local = address_of(CLIENT, port), .tos = -1};
}

static void pair_listen(struct world *world, struct pair *pair)
{
	pair->address = address_of(SERVER, 0);
	pair->listener = world->service->ops->listen(world->service, &pair->address, 16);
	assert_true(pair->listener >= 0);
	assert_int_not_equal(lai_address_port(&pair->address), 0);
	assert_int_equal(world->service->ops->watch(world->service, pair->listener, 0), 0);
}

/* connect() and its outcome: a socket, or the negative errno value it gave at once or later. */
static int pair_try(struct world *world, struct pair *pair,
		    const struct lai_socket_options *options)
{
	struct lai_net *net = world->client;
	int socket = net->ops->connect(net, &pair->address, options);
	int error;

	if (socket < 0)
		return socket;
	assert_true(wait_for(world, net, socket, LAI_WRITABLE) & (LAI_WRITABLE | LAI_ERROR));
	error = net->ops->error(net, socket);
	if (error) {
		net->ops->close(net, socket);
		return -error;
	}
	return socket;
}

static int pair_accept(struct world *world, struct pair *pair)
{
	struct lai_address from;
	int socket = -EAGAIN;

	EVENTUALLY(world, (socket = world->service->ops->accept(world->service, pair->listener,
								&from)) >= 0);
	assert_int_equal(world->service->ops->watch(world->service, socket, 0), 0);
	return socket;
}

static void pair_connect(struct world *world, struct pair *pair,
			 const struct lai_socket_options *options)
{
	pair->client = pair_try(world, pair, options);
	assert_true(pair->client >= 0);
	pair->server = pair_accept(world, pair);
}

static void pair_open(struct world *world, struct pair *pair)
{
	struct lai_socket_options options = client_options(0);

	pair_listen(world, pair);
	pair_connect(world, pair, &options);
}

static void pair_close(struct world *world, struct pair *pair)
{
	if (pair->client >= 0)
		world->client->ops->abort(world->client, pair->client);
	if (pair->server >= 0)
		world->service->ops->abort(world->service, pair->server);
	world->service->ops->close(world->service, pair->listener);
}

static ssize_t send_to(struct lai_net *net, int socket, const void *data, size_t bytes)
{
	struct iovec iov = {(void *)(uintptr_t)data, bytes};

	return net->ops->send(net, socket, &iov, 1, 0);
}

static void client_says(struct world *world, struct pair *pair, const char *text)
{
	assert_int_equal(send_to(world->client, pair->client, text, strlen(text)), strlen(text));
}

static void server_says(struct world *world, struct pair *pair, const char *text)
{
	assert_int_equal(send_to(world->service, pair->server, text, strlen(text)), strlen(text));
}

static struct lai_view view_of(struct lai_net *net, int socket)
{
	struct lai_view view;

	assert_int_equal(net->ops->view(net, socket, &view), 0);
	return view;
}

static struct lai_view client_view(struct world *world, struct pair *pair)
{
	return view_of(world->client, pair->client);
}

static uint32_t client_state(struct world *world, struct pair *pair)
{
	return client_view(world, pair).tcp_state;
}

static int client_error(struct world *world, struct pair *pair)
{
	return world->client->ops->error(world->client, pair->client);
}

static ssize_t client_recv(struct world *world, struct pair *pair, char *data, size_t size)
{
	return world->client->ops->recv(world->client, pair->client, data, size);
}

static ssize_t server_recv(struct world *world, struct pair *pair, char *data, size_t size)
{
	return world->service->ops->recv(world->service, pair->server, data, size);
}

/* Waits until the server's queue holds something, or the end, and reads it. */
static ssize_t server_reads(struct world *world, struct pair *pair, char *data, size_t size)
{
	assert_true(wait_for(world, world->service, pair->server, LAI_READABLE) & LAI_READABLE);
	return server_recv(world, pair, data, size);
}

static ssize_t client_reads(struct world *world, struct pair *pair, char *data, size_t size)
{
	assert_true(wait_for(world, world->client, pair->client, LAI_READABLE) & LAI_READABLE);
	return client_recv(world, pair, data, size);
}

/* Writes until nothing more fits on either side. */
static size_t client_fills(struct world *world, struct pair *pair)
{
	static const char data[65536];
	size_t written = 0;
	int idle = 0;

	while (idle < 20) {
		ssize_t taken = send_to(world->client, pair->client, data, sizeof(data));

		written += taken > 0 ? (size_t)taken : 0;
		idle = taken > 0 ? 0 : idle + 1;
		world_pass(world, TICK_NS);
	}
	return written;
}

/* ---- K1, K2, K3: what the kernel tells of a connection ---------------------------------- */

static void syn_and_fin_are_no_bytes(struct world *world)
{
	struct pair pair;
	char data[2000];

	memset(data, 'x', sizeof(data));
	pair_open(world, &pair);
	assert_int_equal(client_view(world, &pair).acked_bytes, 0);
	assert_int_equal(send_to(world->client, pair.client, data, 1000), 1000);
	assert_int_equal(send_to(world->service, pair.server, data, 500), 500);
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 1000);
	EVENTUALLY(world, view_of(world->service, pair.server).acked_bytes == 500);
	assert_false(client_view(world, &pair).fin_acked);
	assert_int_equal(client_view(world, &pair).in_flight, 0);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	EVENTUALLY(world, client_view(world, &pair).fin_acked);
	assert_int_equal(client_view(world, &pair).acked_bytes, 1000);
	assert_int_equal(client_state(world, &pair), LAI_TCP_FIN_WAIT2);
	assert_int_equal(world->service->ops->shutdown(world->service, pair.server), 0);
	EVENTUALLY(world, view_of(world->service, pair.server).fin_acked);
	assert_int_equal(view_of(world->service, pair.server).acked_bytes, 500);
	pair_close(world, &pair);
}

static void view_outlives_reset(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	client_says(world, &pair, "acknowledged");
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 12);
	world_deafen(world, pair.server, true);
	client_says(world, &pair, "lost");
	world_pass(world, 10 * TICK_NS);
	assert_int_equal(client_view(world, &pair).in_flight, 1);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_view(world, &pair).acked_bytes, 12);
	assert_false(client_view(world, &pair).fin_acked);
	assert_int_equal(client_error(world, &pair), ECONNRESET);
	assert_int_equal(client_view(world, &pair).acked_bytes, 12);
	pair_close(world, &pair);
}

static void fin_alone_can_be_unacknowledged(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	client_says(world, &pair, "all");
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 3);
	world_deafen(world, pair.server, true);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	world_pass(world, 10 * TICK_NS);
	assert_int_equal(client_view(world, &pair).acked_bytes, 3);
	assert_false(client_view(world, &pair).fin_acked);
	assert_int_equal(client_state(world, &pair), LAI_TCP_FIN_WAIT1);
	world_deafen(world, pair.server, false);
	EVENTUALLY(world, client_view(world, &pair).fin_acked);
	assert_int_equal(client_view(world, &pair).acked_bytes, 3);
	assert_true(client_view(world, &pair).retransmits > 0);
	pair_close(world, &pair);
}

static void acknowledgement_is_news(struct world *world)
{
	struct iovec iov = {(void *)(uintptr_t) "news", 4};
	struct pair pair;

	pair_open(world, &pair);
	assert_int_equal(world->client->ops->send(world->client, pair.client, &iov, 1, LAI_ASK_ACK),
			 4);
	assert_true(wait_for(world, world->client, pair.client, LAI_READABLE) & LAI_ACKED);
	assert_int_equal(client_view(world, &pair).acked_bytes, 4);
	assert_int_equal(client_error(world, &pair), 0);
	pair_close(world, &pair);
}

static void unanswered_counts_retransmissions(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	world_deafen(world, pair.server, true);
	client_says(world, &pair, "x");
	EVENTUALLY(world, client_view(world, &pair).unanswered >= 1);
	assert_true(client_view(world, &pair).ack_age_ns >= 150 * LAI_MS);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	world_deafen(world, pair.server, false);
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 1);
	assert_int_equal(client_view(world, &pair).unanswered, 0);
	assert_true(client_view(world, &pair).retransmits >= 1);
	pair_close(world, &pair);
}

/* ---- K4 to K8: the ends ----------------------------------------------------------------- */

static void close_with_unread_data_resets(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	client_says(world, &pair, "unread");
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 6);
	world->service->ops->close(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), ECONNRESET);
	assert_int_equal(client_view(world, &pair).acked_bytes, 6); /* and nobody has read them */
	pair_close(world, &pair);
}

static void close_after_reading_is_a_fin(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	client_says(world, &pair, "read");
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 4);
	assert_memory_equal(data, "read", 4);
	world->service->ops->close(world->service, pair.server);
	pair.server = -1;
	assert_int_equal(wait_for(world, world->client, pair.client, LAI_READABLE),
			 LAI_READABLE | LAI_PEER_FIN);
	assert_int_equal(client_state(world, &pair), LAI_TCP_CLOSE_WAIT);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	assert_int_equal(client_error(world, &pair), 0);
	pair_close(world, &pair);
}

static void graceful_end_of_both(struct world *world)
{
	struct lai_address local, remote;
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	client_says(world, &pair, "last");
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	assert_int_equal(send_to(world->client, pair.client, "more", 4), -EPIPE);
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 4);
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 0);
	server_says(world, &pair, "answer"); /* our FIN does not keep the peer from sending */
	assert_int_equal(client_reads(world, &pair, data, sizeof(data)), 6);
	assert_int_equal(client_state(world, &pair), LAI_TCP_FIN_WAIT2);
	world->service->ops->close(world->service, pair.server);
	pair.server = -1;
	assert_int_equal(client_reads(world, &pair, data, sizeof(data)), 0);
	assert_int_equal(client_state(world, &pair), LAI_TCP_CLOSE);
	assert_true(client_view(world, &pair).fin_acked);
	assert_int_equal(client_view(world, &pair).acked_bytes, 4);
	assert_int_equal(client_error(world, &pair), 0);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), -ENOTCONN);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote),
			 -ENOTCONN);
	pair_close(world, &pair);
}

static void queue_outlives_reset(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	server_says(world, &pair, "words");
	EVENTUALLY(world, view_of(world->service, pair.server).acked_bytes == 5);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(wait_for(world, world->client, pair.client, LAI_READABLE),
			 LAI_READABLE | LAI_PEER_FIN | LAI_HANGUP | LAI_ERROR);
	assert_int_equal(client_recv(world, &pair, data, 2), 2);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 3);
	assert_memory_equal(data, "rds", 3);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), -ECONNRESET);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	pair_close(world, &pair);
}

static void error_is_fetched_once(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	server_says(world, &pair, "words");
	EVENTUALLY(world, view_of(world->service, pair.server).acked_bytes == 5);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), ECONNRESET);
	assert_int_equal(client_error(world, &pair), 0);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 5);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	assert_int_equal(send_to(world->client, pair.client, "x", 1), -EPIPE);
	pair_close(world, &pair);
}

static void send_fetches_the_error(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	server_says(world, &pair, "words");
	EVENTUALLY(world, view_of(world->service, pair.server).acked_bytes == 5);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(send_to(world->client, pair.client, "x", 1), -ECONNRESET);
	assert_int_equal(send_to(world->client, pair.client, "x", 1), -EPIPE);
	assert_int_equal(client_error(world, &pair), 0);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 5);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	pair_close(world, &pair);
}

static void reset_in_close_wait_is_a_broken_pipe(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	assert_int_equal(world->service->ops->shutdown(world->service, pair.server), 0);
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE_WAIT);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	assert_int_equal(client_error(world, &pair), EPIPE);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), 0);
	pair_close(world, &pair);
}

static void first_send_after_peer_closed_succeeds(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	world->service->ops->close(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE_WAIT);
	client_says(world, &pair, "lost");
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_view(world, &pair).acked_bytes, 0);
	assert_int_equal(send_to(world->client, pair.client, "x", 1), -EPIPE);
	assert_int_equal(client_error(world, &pair), 0);
	pair_close(world, &pair);
}

static void half_closed_peer_still_reads(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	assert_int_equal(world->service->ops->shutdown(world->service, pair.server), 0);
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE_WAIT);
	client_says(world, &pair, "still");
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 5);
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 5);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), 0);
	assert_true(client_view(world, &pair).fin_acked);
	pair_close(world, &pair);
}

static void closed_socket_still_delivers(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	client_says(world, &pair, "orphan");
	world->client->ops->close(world->client, pair.client);
	pair.client = -1;
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 6);
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 0);
	pair_close(world, &pair);
}

static void data_for_a_closed_socket_is_reset(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	world->client->ops->close(world->client, pair.client);
	pair.client = -1;
	EVENTUALLY(world, view_of(world->service, pair.server).tcp_state == LAI_TCP_CLOSE_WAIT);
	server_says(world, &pair, "to nobody");
	EVENTUALLY(world, view_of(world->service, pair.server).tcp_state == LAI_TCP_CLOSE);
	assert_int_equal(world->service->ops->error(world->service, pair.server), EPIPE);
	pair_close(world, &pair);
}

static void abort_resets(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	client_says(world, &pair, "before");
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == 6);
	world->client->ops->abort(world->client, pair.client);
	pair.client = -1;
	EVENTUALLY(world, view_of(world->service, pair.server).tcp_state == LAI_TCP_CLOSE);
	assert_int_equal(server_recv(world, &pair, data, sizeof(data)), 6);
	assert_int_equal(server_recv(world, &pair, data, sizeof(data)), -ECONNRESET);
	pair_close(world, &pair);
}

static void hangup_is_said_once_when_nothing_is_watched(struct world *world)
{
	struct lai_ready ready[READY_MAX];
	struct lai_net *net = world->client;
	struct pair pair;

	pair_open(world, &pair);
	assert_int_equal(net->ops->watch(net, pair.client, 0), 0);
	world->service->ops->abort(world->service, pair.server);
	pair.server = -1;
	assert_int_equal(net->ops->wait(net, ready, READY_MAX, world_now(world) + PATIENCE_NS), 1);
	assert_int_equal(ready[0].socket, pair.client);
	assert_int_equal(ready[0].events, LAI_HANGUP | LAI_ERROR);
	assert_int_equal(net->ops->wait(net, ready, READY_MAX, world_now(world) + 20 * LAI_MS), 0);
	assert_int_equal(net->ops->watch(net, pair.client, LAI_READABLE), 0);
	assert_int_equal(net->ops->wait(net, ready, READY_MAX, world_now(world)), 1);
	assert_int_equal(net->ops->wait(net, ready, READY_MAX, world_now(world)), 1);
	pair_close(world, &pair);
}

/* ---- K9: lingering ---------------------------------------------------------------------- */

static void linger_ends_with_the_acknowledgement(struct world *world)
{
	uint64_t began_ns;
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	client_says(world, &pair, "small");
	began_ns = world_now(world);
	world->client->ops->linger(world->client, pair.client, 5 * LAI_S);
	pair.client = -1;
	assert_true(world_now(world) - began_ns < 4 * LAI_S);
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 5);
	assert_int_equal(server_reads(world, &pair, data, sizeof(data)), 0);
	pair_close(world, &pair);
}

static void linger_gives_up_without_a_word(struct world *world)
{
	uint64_t began_ns;
	struct pair pair;

	pair_open(world, &pair);
	(void)client_fills(world, &pair);
	began_ns = world_now(world);
	world->client->ops->linger(world->client, pair.client, LAI_S);
	pair.client = -1;
	assert_in_range(world_now(world) - began_ns, LAI_S - 50 * LAI_MS, LAI_S + SECOND_SLACK_NS);
	pair_close(world, &pair);
}

static void linger_with_unread_data_resets(struct world *world)
{
	uint64_t began_ns;
	struct pair pair;

	pair_open(world, &pair);
	server_says(world, &pair, "unread");
	EVENTUALLY(world, view_of(world->service, pair.server).acked_bytes == 6);
	began_ns = world_now(world);
	world->client->ops->linger(world->client, pair.client, 5 * LAI_S);
	pair.client = -1;
	assert_true(world_now(world) - began_ns < 4 * LAI_S);
	EVENTUALLY(world, view_of(world->service, pair.server).tcp_state == LAI_TCP_CLOSE);
	assert_int_equal(world->service->ops->error(world->service, pair.server), ECONNRESET);
	pair_close(world, &pair);
}

/* ---- K11: silence ----------------------------------------------------------------------- */

/* Opens a connection with these two options and, if asked to, makes the server deaf. */
static void pair_silent(struct world *world, struct pair *pair, uint64_t keepalive_ns,
			uint64_t user_timeout_ns, bool deaf)
{
	struct lai_socket_options options = client_options(0);

	options.keepalive_ns = keepalive_ns;
	options.user_timeout_ns = user_timeout_ns;
	pair_listen(world, pair);
	pair_connect(world, pair, &options);
	if (deaf)
		world_deafen(world, pair->server, true);
}

/* The connection must die between these times from now, of a time-out. */
static void client_dies(struct world *world, struct pair *pair, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t began_ns = world_now(world);

	while (client_state(world, pair) != LAI_TCP_CLOSE && world_now(world) - began_ns < to_ns)
		world_pass(world, 10 * TICK_NS);
	assert_int_equal(client_state(world, pair), LAI_TCP_CLOSE);
	assert_true(world_now(world) - began_ns >= from_ns);
	assert_int_equal(client_error(world, pair), ETIMEDOUT);
}

static void keepalive_finds_an_idle_silent_peer(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 2 * LAI_S, 0, true);
	client_dies(world, &pair, 1900 * LAI_MS, 2 * LAI_S + SECOND_SLACK_NS);
	pair_close(world, &pair);
}

static void keepalive_keeps_a_live_peer(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 2 * LAI_S, 0, false);
	world_pass(world, 3500 * LAI_MS);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	assert_true(client_view(world, &pair).ack_age_ns <= 2 * LAI_S);
	pair_close(world, &pair);
}

static void keepalive_is_blind_while_data_flies(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 2 * LAI_S, 0, true);
	client_says(world, &pair, "x");
	world_pass(world, 4 * LAI_S);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	assert_true(client_view(world, &pair).unanswered >= 3);
	pair_close(world, &pair);
}

static void user_timeout_is_blind_while_idle(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 0, LAI_S, true);
	world_pass(world, 2500 * LAI_MS);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	pair_close(world, &pair);
}

static void user_timeout_ends_a_busy_silent_peer(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 0, LAI_S, true);
	client_says(world, &pair, "x");
	client_dies(world, &pair, 900 * LAI_MS, LAI_S + SECOND_SLACK_NS);
	assert_int_equal(client_view(world, &pair).acked_bytes, 0);
	pair_close(world, &pair);
}

static void user_timeout_overrides_the_count_of_keepalive(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 2 * LAI_S, 4 * LAI_S, true);
	world_pass(world, 3 * LAI_S);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	client_dies(world, &pair, 500 * LAI_MS, LAI_S + SECOND_SLACK_NS);
	pair_close(world, &pair);
}

static void live_peer_that_does_not_read_stays(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 2 * LAI_S, 0, false);
	assert_true(client_fills(world, &pair) > 0);
	world_pass(world, 3 * LAI_S);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	assert_int_equal(client_view(world, &pair).window_bytes, 0);
	assert_int_equal(client_view(world, &pair).in_flight, 0);
	assert_true(client_view(world, &pair).ack_age_ns < 3 * LAI_S);
	assert_true(client_view(world, &pair).unanswered <= 1);
	pair_close(world, &pair);
}

static void user_timeout_kills_a_live_peer_that_does_not_read(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 0, LAI_S, false);
	(void)client_fills(world, &pair);
	client_dies(world, &pair, 500 * LAI_MS, 2 * LAI_S + SECOND_SLACK_NS);
	pair_close(world, &pair);
}

static void window_opens_again(struct world *world)
{
	static char data[65536];
	struct pair pair;
	size_t written, got = 0;

	pair_open(world, &pair);
	written = client_fills(world, &pair);
	EVENTUALLY(world, client_view(world, &pair).window_bytes == 0);
	while (got < written) {
		ssize_t bytes = server_reads(world, &pair, data, sizeof(data));

		assert_true(bytes > 0);
		got += (size_t)bytes;
	}
	assert_int_equal(got, written);
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == written);
	assert_true(client_view(world, &pair).window_bytes > 0);
	pair_close(world, &pair);
}

/* The kernel counts in its own buffers of up to 64 KiB, of which one may be begun and one open. */
#define UNSENT_SLACK_BYTES (128 * 1024)

static void unsent_limit_bounds_the_queue(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct pair pair;
	size_t written;

	options.unsent_max_bytes = 16 * 1024;
	pair_listen(world, &pair);
	pair_connect(world, &pair, &options);
	written = client_fills(world, &pair);
	EVENTUALLY(world, client_view(world, &pair).window_bytes == 0);
	assert_in_range(written - client_view(world, &pair).acked_bytes, 1,
			options.unsent_max_bytes + UNSENT_SLACK_BYTES);
	pair_close(world, &pair);
}

static void fin_waits_for_the_window(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	(void)client_fills(world, &pair);
	EVENTUALLY(world, client_view(world, &pair).window_bytes == 0);
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	world_pass(world, 500 * LAI_MS);
	assert_false(client_view(world, &pair).fin_acked);
	assert_int_equal(client_state(world, &pair), LAI_TCP_FIN_WAIT1);
	pair_close(world, &pair);
}

static void hurry_finds_it_sooner(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 600 * LAI_S, 0, true);
	world_pass(world, 1100 * LAI_MS);
	world->client->ops->hurry(world->client, pair.client, 2 * LAI_S);
	client_dies(world, &pair, 1900 * LAI_MS, 2 * LAI_S + SECOND_SLACK_NS);
	pair_close(world, &pair);
}

static void hurry_can_be_taken_back(struct world *world)
{
	struct pair pair;

	pair_silent(world, &pair, 600 * LAI_S, 0, false);
	world->client->ops->hurry(world->client, pair.client, LAI_S);
	world_pass(world, 1200 * LAI_MS);
	assert_true(client_view(world, &pair).ack_age_ns < 1150 * LAI_MS);
	world->client->ops->hurry(world->client, pair.client, 0);
	world_deafen(world, pair.server, true);
	world_pass(world, 3 * LAI_S);
	assert_int_equal(client_state(world, &pair), LAI_TCP_ESTABLISHED);
	pair_close(world, &pair);
}

/* ---- connecting ------------------------------------------------------------------------- */

static void nobody_listens(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct pair pair;

	pair_listen(world, &pair);
	world->service->ops->close(world->service, pair.listener);
	assert_int_equal(pair_try(world, &pair, &options), -ECONNREFUSED);
}

static void before_the_answer(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct lai_address local, remote;
	struct pair pair;
	char data[4];

	pair_listen(world, &pair);
	world_deafen(world, pair.listener, true);
	pair.client = world->client->ops->connect(world->client, &pair.address, &options);
	pair.server = -1;
	assert_true(pair.client >= 0);
	assert_int_equal(world->client->ops->watch(world->client, pair.client, 0), 0);
	world_pass(world, 20 * TICK_NS);
	assert_int_equal(client_state(world, &pair), LAI_TCP_SYN_SENT);
	assert_int_equal(client_view(world, &pair).acked_bytes, 0);
	assert_int_equal(client_view(world, &pair).in_flight, 1);
	assert_int_equal(client_error(world, &pair), 0);
	assert_int_equal(send_to(world->client, pair.client, "x", 1), -EAGAIN);
	assert_int_equal(client_recv(world, &pair, data, sizeof(data)), -EAGAIN);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote),
			 -ENOTCONN);
	world_deafen(world, pair.listener, false);
	EVENTUALLY(world,
		   client_state(world, &pair) == LAI_TCP_ESTABLISHED); /* the SYN goes again */
	assert_true(client_view(world, &pair).retransmits >= 1);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote), 0);
	assert_true(lai_address_equal(&remote, &pair.address));
	pair_close(world, &pair);
}

static void full_accept_queue_leaves_the_syn_waiting(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct lai_net *net = world->client;
	struct lai_address from;
	struct pair pair = {.address = address_of(SERVER, 0)};
	int sockets[3];

	pair.listener = world->service->ops->listen(world->service, &pair.address, 1);
	assert_true(pair.listener >= 0);
	for (int i = 0; i < 3; i++) {
		sockets[i] = net->ops->connect(net, &pair.address, &options);
		assert_true(sockets[i] >= 0);
		assert_int_equal(net->ops->watch(net, sockets[i], 0), 0);
		world_pass(world, 10 * TICK_NS);
	}
	/* Linux lets in one more than the backlog. */
	assert_int_equal(view_of(net, sockets[1]).tcp_state, LAI_TCP_ESTABLISHED);
	assert_int_equal(view_of(net, sockets[2]).tcp_state, LAI_TCP_SYN_SENT);
	assert_true(world->service->ops->accept(world->service, pair.listener, &from) >= 0);
	EVENTUALLY(world, view_of(net, sockets[2]).tcp_state == LAI_TCP_ESTABLISHED);
}

static void listener_of_both_families(struct world *world)
{
	struct lai_address mapped, local, remote;
	struct lai_socket_options options = client_options(0);
	struct pair pair = {.address = address_of("::", 0)};

	pair.listener = world->service->ops->listen(world->service, &pair.address, 1);
	assert_true(pair.listener >= 0);
	pair.address = address_of(SERVER, lai_address_port(&pair.address));
	pair_connect(world, &pair, &options);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote), 0);
	mapped = address_of("::ffff:" CLIENT, lai_address_port(&local));
	assert_int_equal(world->service->ops->names(world->service, pair.server, &local, &remote),
			 0);
	assert_true(lai_address_equal(&remote, &mapped));
	pair_close(world, &pair);
}

static void listener_that_goes_resets_those_not_accepted(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct pair pair;

	pair_listen(world, &pair);
	pair.client = pair_try(world, &pair, &options);
	assert_true(pair.client >= 0);
	world_pass(world, 10 * TICK_NS);
	world->service->ops->close(world->service, pair.listener);
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), ECONNRESET);
	world->client->ops->close(world->client, pair.client);
}

static void socket_may_reach_itself(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	struct lai_address local, remote;
	struct pair pair;
	char data[8];

	/* A port that is free on the client's own address. */
	pair.address = address_of(CLIENT, 0);
	pair.listener = world->client->ops->listen(world->client, &pair.address, 1);
	assert_true(pair.listener >= 0);
	world->client->ops->close(world->client, pair.listener);
	options.local = pair.address;
	pair.client = pair_try(world, &pair, &options);
	assert_true(pair.client >= 0);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote), 0);
	assert_true(lai_address_equal(&local, &remote));
	client_says(world, &pair, "me");
	assert_int_equal(client_reads(world, &pair, data, sizeof(data)), 2);
	world->client->ops->abort(world->client, pair.client);
}

static void lost_address_is_silence(struct world *world)
{
	struct lai_address local, remote;
	struct pair pair;

	pair_silent(world, &pair, 0, LAI_S, false);
	assert_int_equal(world->client->ops->names(world->client, pair.client, &local, &remote), 0);
	assert_int_equal(world->client->ops->why_silent(world->client, &local, &remote, NULL), 0);
	world_address(world, false);
	assert_int_equal(world->client->ops->why_silent(world->client, &local, &remote, NULL),
			 -EADDRNOTAVAIL);
	client_says(world, &pair, "x");
	world_pass(world, 3 * LAI_S);
	assert_int_equal(client_state(world, &pair), LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), ETIMEDOUT);
	assert_int_equal(client_view(world, &pair).acked_bytes, 0);
	world_address(world, true);
	pair_close(world, &pair);
}

static void no_route_is_said_at_once(struct world *world)
{
	struct lai_socket_options options = client_options(0);
	/* Nobody has this address, and a new namespace has no route to it. */
	struct lai_address remote = address_of("198.51.100.1", 9);

	if (world->sim)
		lai_sim_route(world->client_host, false);
	assert_int_equal(world->client->ops->connect(world->client, &remote, &options),
			 -ENETUNREACH);
	assert_int_equal(
		world->client->ops->why_silent(world->client, &options.local, &remote, NULL),
		-ENETUNREACH);
}

/* ---- 2.4: a pinned local port ----------------------------------------------------------- */

/* Opens a connection from a port of the kernel's choice, which is pinned from then on. */
static struct lai_socket_options pair_pinned(struct world *world, struct pair *pair)
{
	struct lai_socket_options options = client_options(0);
	struct lai_address remote;

	pair_listen(world, pair);
	pair_connect(world, pair, &options);
	assert_int_equal(
		world->client->ops->names(world->client, pair->client, &options.local, &remote), 0);
	world->client->ops->abort(world->client, pair->client);
	EVENTUALLY(world, view_of(world->service, pair->server).tcp_state == LAI_TCP_CLOSE);
	world->service->ops->close(world->service, pair->server);
	pair_connect(world, pair, &options); /* after a RST of ours it is free at once */
	return options;
}

/* Both FINs, the client's first: TIME_WAIT is the client's. */
static void client_closes_first(struct world *world, struct pair *pair)
{
	char data[4];

	world->client->ops->close(world->client, pair->client);
	assert_int_equal(server_reads(world, pair, data, sizeof(data)), 0);
	world->service->ops->close(world->service, pair->server);
	world_pass(world, 20 * TICK_NS);
	pair->client = pair->server = -1;
}

static void pinned_again(struct world *world, struct pair *pair,
			 const struct lai_socket_options *options)
{
	uint64_t began_ns = world_now(world);

	pair_connect(world, pair, options);
	assert_true(world_now(world) - began_ns < 900 * LAI_MS); /* a lost SYN costs a second */
	client_says(world, pair, "again");
	EVENTUALLY(world, client_view(world, pair).acked_bytes == 5);
}

static void pinned_after_own_close(struct world *world)
{
	struct pair pair;
	struct lai_socket_options options = pair_pinned(world, &pair);

	client_closes_first(world, &pair);
	pinned_again(world, &pair, &options);
	pair_close(world, &pair);
}

static void pinned_after_own_close_without_timestamps(struct world *world)
{
	struct lai_socket_options options;
	struct pair pair;

	world_timestamps(world, false);
	options = pair_pinned(world, &pair);
	client_closes_first(world, &pair);
	assert_int_equal(pair_try(world, &pair, &options), -EADDRNOTAVAIL);
	world_timestamps(world, true);
	pair_close(world, &pair);
}

static void pinned_after_peers_close(struct world *world)
{
	struct pair pair;
	struct lai_socket_options options = pair_pinned(world, &pair);

	world->service->ops->close(world->service, pair.server);
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_CLOSE_WAIT);
	world->client->ops->close(world->client, pair.client);
	world_pass(world, 20 * TICK_NS);
	pinned_again(world, &pair, &options);
	pair_close(world, &pair);
}

static void pinned_evicts_a_peer_in_close_wait(struct world *world)
{
	struct pair pair;
	struct lai_socket_options options = pair_pinned(world, &pair);
	int ghost = pair.server;

	world->client->ops->close(world->client, pair.client);
	EVENTUALLY(world, view_of(world->service, ghost).tcp_state == LAI_TCP_CLOSE_WAIT);
	world_pass(world, 20 * TICK_NS);
	pinned_again(world, &pair, &options);
	assert_int_equal(view_of(world->service, ghost).tcp_state, LAI_TCP_CLOSE);
	assert_int_equal(world->service->ops->error(world->service, ghost), EPIPE);
	world->service->ops->close(world->service, ghost);
	pair_close(world, &pair);
}

static void pinned_evicts_a_ghost(struct world *world)
{
	struct pair pair;
	struct lai_socket_options options = pair_pinned(world, &pair);
	int ghost = pair.server;

	world_deafen(world, ghost, true);
	world->client->ops->abort(world->client, pair.client); /* the RST gets lost */
	world_pass(world, 20 * TICK_NS);
	world_deafen(world, ghost, false);
	assert_int_equal(view_of(world->service, ghost).tcp_state, LAI_TCP_ESTABLISHED);
	pinned_again(world, &pair, &options);
	assert_int_equal(view_of(world->service, ghost).tcp_state, LAI_TCP_CLOSE);
	assert_int_equal(world->service->ops->error(world->service, ghost), ECONNRESET);
	world->service->ops->close(world->service, ghost);
	pair_close(world, &pair);
}

static void pinned_port_in_use(struct world *world)
{
	struct lai_socket_options options;
	struct lai_address listening = address_of(CLIENT, 0);
	struct pair pair;
	int listener, drawn;

	options = pair_pinned(world, &pair);
	/* The same tuple is taken; the same port towards somebody else would not be. */
	assert_int_equal(pair_try(world, &pair, &options), -EADDRNOTAVAIL);
	/* A port that somebody listens on, or that was drawn without SO_REUSEADDR. */
	listener = world->client->ops->listen(world->client, &listening, 1);
	assert_true(listener >= 0);
	options.local = listening;
	assert_int_equal(pair_try(world, &pair, &options), -EADDRINUSE);
	world->client->ops->close(world->client, listener);
	options = client_options(0);
	drawn = pair_try(world, &pair, &options);
	assert_true(drawn >= 0);
	assert_int_equal(
		world->client->ops->names(world->client, drawn, &options.local, &listening), 0);
	assert_int_equal(pair_try(world, &pair, &options), -EADDRINUSE);
	world->client->ops->abort(world->client, drawn);
	options.local = address_of("203.0.113.77", 0);
	assert_int_equal(pair_try(world, &pair, &options), -ENODEV);
	pair_close(world, &pair);
}

/* ---- reading without wanting ------------------------------------------------------------ */

static ssize_t server_discards(struct world *world, struct pair *pair, size_t size)
{
	return world->service->ops->discard(world->service, pair->server, size);
}

static void discard_reads_and_keeps_nothing(struct world *world)
{
	struct pair pair;
	char data[16];

	pair_open(world, &pair);
	assert_int_equal(server_discards(world, &pair, 4), -EAGAIN);
	client_says(world, &pair, "unwanted, wanted");
	assert_true(wait_for(world, world->service, pair.server, LAI_READABLE) & LAI_READABLE);
	assert_int_equal(server_discards(world, &pair, 10), 10);
	assert_int_equal(server_recv(world, &pair, data, sizeof(data)), 6);
	assert_memory_equal(data, "wanted", 6);
	client_says(world, &pair, "more");
	assert_int_equal(world->client->ops->shutdown(world->client, pair.client), 0);
	EVENTUALLY(world, client_view(world, &pair).fin_acked);
	assert_int_equal(server_discards(world, &pair, SIZE_MAX / 4), 4);
	assert_int_equal(server_discards(world, &pair, 1), 0);
	/* Nothing was left unread: close() is a FIN. */
	world->service->ops->close(world->service, pair.server);
	pair.server = -1;
	EVENTUALLY(world, client_state(world, &pair) == LAI_TCP_TIME_WAIT ||
				  client_state(world, &pair) == LAI_TCP_CLOSE);
	assert_int_equal(client_error(world, &pair), 0);
	pair_close(world, &pair);
}

static void discard_opens_the_window(struct world *world)
{
	struct pair pair;
	size_t written, discarded = 0;

	pair_open(world, &pair);
	written = client_fills(world, &pair);
	EVENTUALLY(world, client_view(world, &pair).window_bytes == 0);
	while (discarded < written) {
		ssize_t size = server_discards(world, &pair, written - discarded);

		if (size == -EAGAIN)
			world_pass(world, TICK_NS);
		else
			assert_true(size > 0);
		discarded += size > 0 ? (size_t)size : 0;
	}
	EVENTUALLY(world, client_view(world, &pair).acked_bytes == written);
	pair_close(world, &pair);
}

static void discard_brings_the_error(struct world *world)
{
	struct pair pair;

	pair_open(world, &pair);
	world->client->ops->abort(world->client, pair.client);
	pair.client = -1;
	assert_true(wait_for(world, world->service, pair.server, LAI_READABLE));
	assert_int_equal(server_discards(world, &pair, 1), -ECONNRESET);
	assert_int_equal(server_discards(world, &pair, 1), 0);
	pair_close(world, &pair);
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct fact {
	const char *sentence;
	void (*holds)(struct world *world);
} facts[] = {
	{"acknowledged bytes count neither SYN nor FIN, on both sides", syn_and_fin_are_no_bytes},
	{"after an RST the acknowledged bytes stay readable and exact", view_outlives_reset},
	{"a FIN that is not acknowledged does not look acknowledged",
	 fin_alone_can_be_unacknowledged},
	{"a send that asks for it is told of its acknowledgement", acknowledgement_is_news},
	{"unanswered counts retransmissions and an ACK clears it",
	 unanswered_counts_retransmissions},
	{"a peer that closes with unread data sends RST", close_with_unread_data_resets},
	{"a peer that has read everything and closes sends FIN, and no error",
	 close_after_reading_is_a_fin},
	{"shutdown leaves the other direction open to the peer's FIN", graceful_end_of_both},
	{"after an RST the receive queue is still readable, then the error, then 0",
	 queue_outlives_reset},
	{"error() clears the error, and then the end looks clean", error_is_fetched_once},
	{"send() fetches the error too, and then the end looks clean", send_fetches_the_error},
	{"an RST in CLOSE_WAIT is EPIPE, and recv() says only 0",
	 reset_in_close_wait_is_a_broken_pipe},
	{"the first send after the peer closed succeeds and is lost",
	 first_send_after_peer_closed_succeeds},
	{"a peer that only half-closed still reads", half_closed_peer_still_reads},
	{"what was written before close() is still delivered", closed_socket_still_delivers},
	{"data for a closed socket is answered by RST", data_for_a_closed_socket_is_reset},
	{"an abort is an RST to the peer", abort_resets},
	{"with nothing watched a hang-up is said once",
	 hangup_is_said_once_when_nothing_is_watched},
	{"a lingering close ends when the FIN is acknowledged",
	 linger_ends_with_the_acknowledgement},
	{"a lingering close gives up after its time without a word",
	 linger_gives_up_without_a_word},
	{"a lingering close with unread data is an RST at once", linger_with_unread_data_resets},
	{"keepalive finds an idle silent peer", keepalive_finds_an_idle_silent_peer},
	{"keepalive keeps a live idle peer", keepalive_keeps_a_live_peer},
	{"keepalive does nothing while data is in flight", keepalive_is_blind_while_data_flies},
	{"TCP_USER_TIMEOUT does nothing while idle", user_timeout_is_blind_while_idle},
	{"TCP_USER_TIMEOUT ends a busy silent peer", user_timeout_ends_a_busy_silent_peer},
	{"TCP_USER_TIMEOUT overrides keepalive's count",
	 user_timeout_overrides_the_count_of_keepalive},
	{"a live peer that does not read stays, its window 0", live_peer_that_does_not_read_stays},
	{"TCP_USER_TIMEOUT kills a live peer that does not read",
	 user_timeout_kills_a_live_peer_that_does_not_read},
	{"a window that opens again lets everything through", window_opens_again},
	{"TCP_NOTSENT_LOWAT bounds what waits behind a closed window",
	 unsent_limit_bounds_the_queue},
	{"a FIN waits for the window like data", fin_waits_for_the_window},
	{"hurry() finds an idle silent peer in its time", hurry_finds_it_sooner},
	{"hurry(0) goes back to the usual pace", hurry_can_be_taken_back},
	{"where nobody listens the error is ECONNREFUSED", nobody_listens},
	{"before the answer to the SYN send and recv say EAGAIN", before_the_answer},
	{"a full accept queue leaves the SYN waiting", full_accept_queue_leaves_the_syn_waiting},
	{"a listener on [::] serves IPv4 too, by mapped addresses", listener_of_both_families},
	{"a listener that goes resets those it has not accepted",
	 listener_that_goes_resets_those_not_accepted},
	{"a socket may get connected to itself", socket_may_reach_itself},
	{"without a route connect() fails at once and why_silent() says so",
	 no_route_is_said_at_once},
	{"a lost local address is silence, and why_silent() knows", lost_address_is_silence},
	{"a pinned port reconnects at once after our own close", pinned_after_own_close},
	{"without TCP timestamps that is EADDRNOTAVAIL", pinned_after_own_close_without_timestamps},
	{"a pinned port reconnects at once after the peer's close", pinned_after_peers_close},
	{"a pinned port evicts a peer stuck in CLOSE_WAIT", pinned_evicts_a_peer_in_close_wait},
	{"a pinned port evicts a ghost that missed our RST", pinned_evicts_a_ghost},
	{"discard() reads as recv() does and leaves nothing unread",
	 discard_reads_and_keeps_nothing},
	{"discard() opens the window", discard_opens_the_window},
	{"discard() brings the error, and then 0", discard_brings_the_error},
	{"a port of others is EADDRINUSE, a tuple of ours EADDRNOTAVAIL", pinned_port_in_use},
};

#define FACT_COUNT (sizeof(facts) / sizeof(facts[0]))
#define NAME_BYTES_MAX 128
#define OUTPUT_BYTES_MAX 4096
#define EXIT_SKIPPED 77
#define EXIT_FAILED 1

/* One fact in one world. The kernel's run at the same time, each in a process and namespace of its
   own: most of what they do is to wait for the real clock. */
struct trial {
	const struct fact *fact;
	struct world world;
	pid_t process; /* 0: the simulator's, run in place */
	int output;    /* what the process had to say */
	char name[NAME_BYTES_MAX];
};

static void fact_run(void **state)
{
	struct trial *trial = *state;

	world_open(&trial->world, trial->process != 0);
	trial->fact->holds(&trial->world);
}

static int fact_end(void **state)
{
	world_close(&((struct trial *)*state)->world);
	return 0;
}

/* A network namespace of our own with lo up and both addresses on it. NULL, or what failed. */
static const char *namespace_enter(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, up;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return "no network namespace can be made here";
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
	if (fd >= 0)
		(void)close(fd);
	if (up != 0 || alias_set("lo:1", CLIENT, true) != 0 || alias_set("lo:2", SERVER, true) != 0)
		return "lo cannot be set up in a new network namespace";
	return NULL;
}

/* The child of a kernel trial: the fact alone, its messages into the file. Does not return. */
static void trial_child(struct trial *trial)
{
	const struct CMUnitTest tests[] = {{.name = trial->name,
					    .test_func = fact_run,
					    .teardown_func = fact_end,
					    .initial_state = trial}};
	const char *missing = namespace_enter();
	int failed;

	if (dup2(trial->output, STDOUT_FILENO) < 0 || dup2(trial->output, STDERR_FILENO) < 0)
		_exit(EXIT_FAILED);
	if (missing) {
		printf("%s\n", missing);
		(void)fflush(stdout);
		_exit(EXIT_SKIPPED);
	}
	trial->process = getpid();
	failed = cmocka_run_group_tests_name("fact", tests, NULL, NULL);
	exit(failed ? EXIT_FAILED : EXIT_SUCCESS);
}

static void trial_start(struct trial *trial)
{
	trial->output = memfd_create("kernel_facts", MFD_CLOEXEC);
	(void)fflush(NULL);
	trial->process = fork();
	if (trial->process == 0)
		trial_child(trial);
}

/* Hands on what a child wrote, as comments of TAP. */
static void trial_print(const struct trial *trial)
{
	char text[OUTPUT_BYTES_MAX];
	ssize_t size = pread(trial->output, text, sizeof(text) - 1, 0);

	text[size > 0 ? size : 0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		print_message("# %s\n", line);
}

static void trial_finish(void **state)
{
	struct trial *trial = *state;
	int status = 0;

	assert_true(trial->process > 0 && waitpid(trial->process, &status, 0) == trial->process);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
		trial_print(trial);
	(void)close(trial->output);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

int main(void)
{
	static struct trial trials[FACT_COUNT * 2];
	static struct CMUnitTest tests[FACT_COUNT * 2];

	for (size_t i = 0; i < FACT_COUNT * 2; i++) {
		bool kernel = i % 2;

		trials[i].fact = &facts[i / 2];
		snprintf(trials[i].name, sizeof(trials[i].name), "%s: %s",
			 kernel ? "kernel" : "simulator", facts[i / 2].sentence);
		tests[i] = (struct CMUnitTest){.name = trials[i].name,
					       .test_func = kernel ? trial_finish : fact_run,
					       .teardown_func = kernel ? NULL : fact_end,
					       .initial_state = &trials[i]};
		if (kernel)
			trial_start(&trials[i]);
	}
	return cmocka_run_group_tests_name("kernel_facts", tests, NULL, NULL);
}
