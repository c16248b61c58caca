/* SPDX-License-Identifier: MIT */
/* One connection's I/O: accept, read, store, reply, and what its lai_conn asks for. */
#include "cli/receiver_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many reads of one connection before the others have their turn. */
#define READS_PER_TURN 8
/* A peer that goes on talking is not listened to for ever before close(). */
#define READS_OF_REST 64
/* New connections in one turn. */
#define ACCEPTS_PER_TURN 64

/* ---- storing and replying --------------------------------------------------------------- */

void lai_connection_store(struct receiver *receiver, struct connection *connection)
{
	struct iovec iov[2];
	int count;

	if (receiver->blocked && receiver->blocked != connection)
		return;
	receiver->blocked = NULL;
	while ((count = lai_session_to_store(&connection->session, iov)) > 0) {
		ssize_t size = lai_output_write(connection->output, iov, count);

		if (size == -EAGAIN) {
			receiver->blocked = connection;
			return;
		}
		if (size < 0) {
			lai_receiver_output_failed(receiver, connection->output->path, (int)-size);
			return;
		}
		lai_session_on_stored(&connection->session, (size_t)size,
				      lai_net_now(receiver->net));
	}
}

static void reply(struct receiver *receiver, struct connection *connection)
{
	const void *data;
	size_t size;

	while (!connection->hands.send_blocked &&
	       (size = lai_session_to_send(&connection->session, &data)) > 0) {
		const struct iovec iov = {.iov_base = (void *)data, .iov_len = size};

		size = lai_hands_send(&connection->hands, &iov, 1, 0);
		if (size > 0)
			lai_session_on_sent(&connection->session, size, lai_net_now(receiver->net));
	}
}

/* ---- reading ---------------------------------------------------------------------------- */

/* When asked to stop, what has come is wanted now: the rate was for the time before. */
static bool is_limited(const struct receiver *receiver, const struct connection *connection)
{
	return receiver->serve.rate.bytes_per_s > 0 && !receiver->serve.stopping &&
	       !lai_session_discards(&connection->session);
}

/* How much may be read now. */
static size_t allowance(struct receiver *receiver, struct connection *connection)
{
	if (!lai_session_wants_read(&connection->session) || connection->hands.socket < 0)
		return 0;
	if (receiver->blocked && !lai_session_discards(&connection->session))
		return 0;
	if (!is_limited(receiver, connection))
		return SIZE_MAX;
	return lai_serve_share(&receiver->serve, lai_net_now(receiver->net));
}

static void take(struct receiver *receiver, struct connection *connection, size_t size)
{
	if (is_limited(receiver, connection))
		lai_rate_take(&receiver->serve.rate, size);
	lai_session_on_read(&connection->session, size, lai_net_now(receiver->net));
	lai_connection_store(receiver, connection);
	reply(receiver, connection);
}

/* One recv(); true: go on. */
static bool read_once(struct receiver *receiver, struct connection *connection)
{
	size_t allowed = allowance(receiver, connection), room_bytes;
	ssize_t size;
	void *room;

	room_bytes = allowed > 0 ? lai_session_room(&connection->session, &room) : 0;
	if (room_bytes == 0)
		return false;
	size = LAI_NET(receiver, recv, connection->hands.socket, room,
		       room_bytes < allowed ? room_bytes : allowed);
	if (size > 0)
		take(receiver, connection, (size_t)size);
	else if (size == -EAGAIN)
		lai_session_on_dry(&connection->session, lai_net_now(receiver->net));
	else
		lai_hands_on_no_bytes(&connection->hands, size);
	return size > 0 || size == -EINTR;
}

static void read_some(struct receiver *receiver, struct connection *connection)
{
	/* Of a rate everyone takes its share in turn. */
	int reads = is_limited(receiver, connection) ? 1 : READS_PER_TURN;

	for (int i = 0; i < reads; i++)
		if (!read_once(receiver, connection))
			return;
}

/* The connection is dead; what it brought may still be there. A full output cannot take it. */
static void read_rest(void *arg)
{
	struct connection *connection = arg;
	struct receiver *receiver = connection->receiver;

	for (int i = 0; i < READS_OF_REST && !receiver->blocked; i++) {
		void *room;
		size_t room_bytes = lai_session_room(&connection->session, &room);
		ssize_t size;

		if (room_bytes == 0)
			break;
		size = LAI_NET(receiver, recv, connection->hands.socket, room, room_bytes);
		if (size <= 0)
			break;
		lai_session_on_read(&connection->session, (size_t)size, lai_net_now(receiver->net));
		lai_connection_store(receiver, connection);
	}
	lai_session_on_rest_read(&connection->session, lai_net_now(receiver->net));
}

/* ---- news ------------------------------------------------------------------------------- */

static struct lai_session *session_of(void *connection)
{
	return &((struct connection *)connection)->session;
}

static void on_view(void *connection, const struct lai_view *view, uint64_t now_ns)
{
	lai_session_on_view(session_of(connection), view, now_ns);
}

static void on_fin(void *connection, uint64_t now_ns)
{
	lai_session_on_fin(session_of(connection), now_ns);
}

static void on_error(void *connection, int error, uint64_t now_ns)
{
	lai_session_on_error(session_of(connection), error, now_ns);
}

static void on_why_silent(void *connection, int error, uint64_t now_ns)
{
	lai_session_on_why_silent(session_of(connection), error, now_ns);
}

static void end_socket(void *arg, unsigned how)
{
	struct connection *connection = arg;

	connection->receiver->by_socket[connection->hands.socket] = NULL;
	lai_hands_end(&connection->hands, how);
}

static const struct lai_hands_ops hands_ops = {
	.on_view = on_view,
	.on_fin = on_fin,
	.on_error = on_error,
	.on_why_silent = on_why_silent,
	.read_rest = read_rest,
	.end = end_socket,
};

void lai_connection_on_ready(struct receiver *receiver, struct connection *connection,
			     uint32_t events)
{
	if (events & LAI_WRITABLE)
		connection->hands.send_blocked = false;
	/* What came before an error is read before it: recv() says both, in this order. */
	if (lai_session_wants_read(&connection->session)) {
		read_some(receiver, connection);
		return;
	}
	lai_hands_on_ready(&connection->hands, events);
}

/* ---- tending ---------------------------------------------------------------------------- */

static void update_watch(struct receiver *receiver, struct connection *connection)
{
	bool reads = allowance(receiver, connection) > 0;
	uint32_t wanted = reads ? LAI_READABLE : 0;

	lai_session_pause(&connection->session, !reads);
	if (connection->hands.send_blocked)
		wanted |= LAI_WRITABLE;
	lai_hands_watch(&connection->hands, wanted);
}

bool lai_connection_tend(struct receiver *receiver, struct connection *connection)
{
	struct lai_session *session = &connection->session;
	uint64_t now_ns = lai_net_now(receiver->net);
	unsigned actions;

	if (now_ns >= lai_session_deadline(session))
		lai_session_on_timer(session, now_ns);
	if (lai_session_wants_try(session, now_ns))
		read_some(receiver, connection);
	lai_connection_store(receiver, connection);
	while (connection->hands.socket >= 0 && (actions = lai_conn_take(&session->conn)) != 0) {
		lai_hands_carry_out(&connection->hands, actions);
		if (connection->hands.socket >= 0)
			reply(receiver, connection);
	}
	update_watch(receiver, connection);
	return lai_session_over(session) && connection->hands.socket < 0;
}

/* ---- beginning and end ------------------------------------------------------------------ */

/* Room for one more in both tables. */
static int make_room(struct receiver *receiver, int socket)
{
	size_t room = (size_t)socket + 1;
	void *table;

	if (room > receiver->by_socket_room) {
		room *= 2;
		table = realloc(receiver->by_socket, room * sizeof(*receiver->by_socket));
		if (!table)
			return -ENOMEM;
		receiver->by_socket = table;
		memset(receiver->by_socket + receiver->by_socket_room, 0,
		       (room - receiver->by_socket_room) * sizeof(*receiver->by_socket));
		receiver->by_socket_room = room;
	}
	if (receiver->serve.open >= receiver->open_room) {
		room = receiver->open_room ? receiver->open_room * 2 : 16;
		table = realloc(receiver->open, room * sizeof(*receiver->open));
		if (!table)
			return -ENOMEM;
		receiver->open = table;
		receiver->open_room = room;
	}
	return 0;
}

/* Its own file, or the one of all. 0, or a negative errno that has been said and
   ends everything. */
static int open_output(struct receiver *receiver, struct connection *connection, uint64_t serial)
{
	char *path = NULL;
	int status;

	connection->own.fd = -1;
	connection->output = &receiver->output;
	if (!receiver->config->into_each)
		return 0;
	connection->output = &connection->own;
	if (asprintf(&path, "%s.%llu", receiver->config->into_each, (unsigned long long)serial) < 0)
		return -ENOMEM;
	status = lai_output_open(&connection->own, path,
				 receiver->config->endpoint.wire->has_records);
	if (status != 0)
		lai_receiver_output_failed(receiver, path, -status);
	free(path);
	return status;
}

void lai_connection_free(struct receiver *receiver, struct connection *connection)
{
	int status;

	if (connection->hands.socket >= 0)
		end_socket(connection, LAI_CONN_ABORT);
	if (receiver->blocked == connection)
		receiver->blocked = NULL;
	lai_session_done(&connection->session);
	if (connection->own.fd >= 0) {
		status = lai_output_close(&connection->own);
		if (status != 0)
			lai_receiver_output_failed(receiver, receiver->config->into_each, -status);
	}
	free(connection);
}

static int add(struct receiver *receiver, int socket, const struct lai_address *remote)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct la_report report = {.serial = receiver->serve.totals.connections + 1};
	uint64_t now_ns = lai_net_now(receiver->net);
	int status = connection ? 0 : -ENOMEM;

	if (status == 0) {
		report.began_ns = now_ns;
		connection->receiver = receiver;
		lai_hands_init(&connection->hands, receiver->net, &connection->session.conn,
			       &hands_ops, connection);
		lai_hands_accepted(&connection->hands, socket, remote, &receiver->local, &report);
		status = open_output(receiver, connection, report.serial);
	}
	if (status == 0) {
		status = lai_session_init(&connection->session, &receiver->session_config, &report,
					  now_ns);
		if (status != 0 && connection->own.fd >= 0)
			(void)lai_output_close(&connection->own);
	}
	if (status != 0) {
		free(connection);
		return status;
	}
	receiver->open[receiver->serve.open] = connection;
	lai_serve_on_accepted(&receiver->serve);
	receiver->by_socket[socket] = connection;
	if (receiver->log.verbose)
		lai_log_say(&receiver->log, "connection %llu from %s",
			    (unsigned long long)report.serial, report.remote);
	return 0;
}

static void refuse_to_accept(struct receiver *receiver, int error)
{
	lai_serve_on_exhausted(&receiver->serve, lai_net_now(receiver->net));
	if (!receiver->exhausted)
		lai_log_say(&receiver->log, "cannot accept more connections: %s; the others wait",
			    strerror(error));
	receiver->exhausted = true;
}

void lai_receiver_accept(struct receiver *receiver)
{
	for (int i = 0; i < ACCEPTS_PER_TURN && receiver->listener >= 0; i++) {
		struct lai_address remote = {0};
		int socket, status;

		if (!lai_serve_may_accept(&receiver->serve, lai_net_now(receiver->net)))
			return;
		socket = LAI_NET(receiver, accept, receiver->listener, &remote);
		if (socket == -EAGAIN) {
			lai_serve_on_nobody(&receiver->serve);
			receiver->exhausted = false;
			return;
		}
		if (socket < 0 && lai_net_is_exhaustion(-socket)) {
			refuse_to_accept(receiver, -socket);
			return;
		}
		if (socket < 0)
			continue; /* accept(2): it has errors of the new connection as well */
		status = make_room(receiver, socket);
		if (status == 0)
			status = add(receiver, socket, &remote);
		if (status != 0) {
			LAI_NET(receiver, abort, socket);
			if (status == -ENOMEM)
				refuse_to_accept(receiver, ENOMEM);
			return;
		}
	}
}
