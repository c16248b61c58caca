/* SPDX-License-Identifier: MIT */
#include "peer.h"
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG 16
#define READ_BYTES 4096u
#define TALK_MAX 4096u

#define OPS(peer, operation, ...) (peer)->net->ops->operation((peer)->net, ##__VA_ARGS__)

static void conn_end(struct t_peer *peer, size_t i)
{
	struct t_peer_conn *conn = peer->conns[i];

	t_reader_end(&conn->reader, peer->ledger);
	free(conn);
	peer->conns[i] = peer->conns[--peer->count];
}

static void conn_close(struct t_peer *peer, size_t i)
{
	OPS(peer, close, peer->conns[i]->socket);
	conn_end(peer, i);
}

static void all_end(struct t_peer *peer)
{
	while (peer->count)
		conn_end(peer, peer->count - 1);
}

static bool conn_add(struct t_peer *peer, int socket, const struct lai_address *remote)
{
	struct t_peer_conn *conn = calloc(1, sizeof(*conn));

	if (conn && peer->count == peer->size) {
		size_t size = peer->size ? peer->size * 2 : 16;
		struct t_peer_conn **conns =
			realloc(peer->conns, size * sizeof(struct t_peer_conn *));

		if (conns) {
			peer->conns = conns;
			peer->size = size;
		}
	}
	if (!conn || peer->count == peer->size) {
		free(conn);
		return false;
	}
	conn->socket = socket;
	t_reader_init(&conn->reader, lai_address_port(remote));
	peer->conns[peer->count++] = conn;
	return true;
}

/* ---- running ----------------------------------------------------------------------------- */

static void listen_anew(struct t_peer *peer)
{
	struct lai_address any;

	peer->listener = -1;
	if (lai_address_parse("::", T_PORT, &any) == 0)
		peer->listener = OPS(peer, listen, &any, BACKLOG);
	peer->boots = lai_sim_boots(peer->host);
}

static void accept_all(struct t_peer *peer)
{
	struct lai_address remote;
	int socket;

	while ((socket = OPS(peer, accept, peer->listener, &remote)) >= 0)
		if (!conn_add(peer, socket, &remote))
			OPS(peer, abort, socket);
}

/* Reads at most `budget`. False: the connection has ended. */
static bool conn_read(struct t_peer *peer, size_t i, size_t budget)
{
	struct t_peer_conn *conn = peer->conns[i];
	uint8_t data[READ_BYTES];

	while (budget > 0 && !conn->ended) {
		size_t wish = budget < sizeof(data) ? budget : sizeof(data);
		ssize_t size = OPS(peer, recv, conn->socket, data, wish);

		if (size == -EAGAIN)
			return true;
		if (size < 0)
			return false;
		if (size == 0)
			conn->ended = true;
		t_reader_take(&conn->reader, peer->ledger, data, (size_t)size);
		budget -= (size_t)size;
	}
	return !conn->ended || peer->holds;
}

static void read_all(struct t_peer *peer, size_t budget)
{
	for (size_t i = peer->count; i-- > 0;)
		if (!conn_read(peer, i, budget))
			conn_close(peer, i);
}

static uint64_t run(struct lai_net *net, void *context)
{
	struct t_peer *peer = context;
	uint64_t now_ns = net->ops->now(net);

	if (peer->listener < 0 || peer->boots != lai_sim_boots(peer->host))
		listen_anew(peer);
	accept_all(peer);
	if (peer->stopped)
		return LA_NEVER;
	if (!peer->slow_bytes) {
		read_all(peer, SIZE_MAX);
		return LA_NEVER;
	}
	if (now_ns >= peer->read_at_ns) {
		read_all(peer, peer->slow_bytes);
		peer->read_at_ns = now_ns + peer->slow_ns;
	}
	return peer->read_at_ns;
}

int t_peer_init(struct t_peer *peer, struct lai_sim *sim, struct lai_sim_host *host,
		struct t_ledger *ledger)
{
	*peer = (struct t_peer){.sim = sim, .host = host, .ledger = ledger, .listener = -1};
	peer->net = lai_sim_host_net(host);
	if (!peer->net)
		return -ENOMEM;
	t_peer_wake(peer);
	return 0;
}

void t_peer_done(struct t_peer *peer)
{
	all_end(peer);
	free(peer->conns);
	peer->conns = NULL;
}

void t_peer_wake(struct t_peer *peer)
{
	lai_sim_program(peer->net, run, peer);
}

/* ---- on request -------------------------------------------------------------------------- */

void t_peer_crash(struct t_peer *peer)
{
	lai_sim_kill(peer->net);
	peer->listener = -1;
	all_end(peer);
}

void t_peer_lost(struct t_peer *peer)
{
	peer->listener = -1;
	all_end(peer);
}

void t_peer_fin(struct t_peer *peer)
{
	for (size_t i = peer->count; i-- > 0;) {
		(void)conn_read(peer, i, SIZE_MAX);
		conn_close(peer, i);
	}
}

void t_peer_half_close(struct t_peer *peer)
{
	for (size_t i = 0; i < peer->count; i++)
		(void)OPS(peer, shutdown, peer->conns[i]->socket);
}

void t_peer_reset(struct t_peer *peer)
{
	for (size_t i = peer->count; i-- > 0;) {
		OPS(peer, abort, peer->conns[i]->socket);
		conn_end(peer, i);
	}
}

void t_peer_talk(struct t_peer *peer, size_t bytes)
{
	char words[TALK_MAX];
	struct iovec iov = {words, bytes < sizeof(words) ? bytes : sizeof(words)};

	memset(words, '!', sizeof(words));
	for (size_t i = 0; i < peer->count; i++)
		(void)OPS(peer, send, peer->conns[i]->socket, &iov, 1, 0);
}
