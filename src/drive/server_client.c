/* SPDX-License-Identifier: MIT */
/* One client's I/O: read, send, and what its lai_conn asks for. */
#include "drive/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many reads of one client before the others have their turn. */
#define READS_PER_TURN 8
/* A peer that goes on talking is not listened to for ever before close(). */
#define READS_OF_REST 64
/* After a TLS handshake that failed: read away and thrown away at once. */
#define DISCARD_BYTES (64u << 10)

/* ---- lists -------------------------------------------------------------------------------- */

static void count_login(struct la_server *server, struct lai_client *client, bool is_in)
{
	if (is_in != client->counted)
		server->logged_in += is_in ? 1 : -1ull;
	client->counted = is_in;
	if (!is_in || client->logged_in)
		return;
	client->logged_in = true;
	lai_server_say(server, LA_SERVER_LOGIN, client, NULL);
}

void lai_client_sort(struct la_server *server, struct lai_client *client)
{
	const struct lai_stomp_session *session = &client->session;
	bool here = client->hands.socket >= 0 && !lai_stomp_session_over(session);
	bool unconfirmed =
		lai_buffer_used(&session->tickets) > 0 || session->last_ticket > server->stored;

	lai_list_set(&server->unconfirmed, &client->unconfirmed, here && unconfirmed);
	/* A crowded one goes on by itself, when its receipts go out. */
	lai_list_set(&server->paused, &client->paused,
		     here && session->paused && !session->crowded);
	lai_list_set(&server->lingering, &client->lingering,
		     here && session->state == LAI_STOMP_SESSION_REFUSED);
	count_login(server, client,
		    here && (session->state == LAI_STOMP_SESSION_OPEN ||
			     session->state == LAI_STOMP_SESSION_FAREWELL));
}

/* ---- the network's answers ---------------------------------------------------------------- */

static struct lai_stomp_session *session_of(void *client)
{
	return &((struct lai_client *)client)->session;
}

static void on_view(void *client, const struct lai_view *view, uint64_t now_ns)
{
	lai_stomp_session_on_view(session_of(client), view, now_ns);
}

static void on_fin(void *client, uint64_t now_ns)
{
	lai_stomp_session_on_fin(session_of(client), now_ns);
}

static void on_error(void *client, int error, uint64_t now_ns)
{
	lai_stomp_session_on_error(session_of(client), error, now_ns);
}

static void on_why_silent(void *client, int error, uint64_t now_ns)
{
	lai_stomp_session_on_why_silent(session_of(client), error, now_ns);
}

static void send_waiting(struct la_server *server, struct lai_client *client)
{
	const void *data;
	size_t size;

	while (!client->hands.send_blocked && lai_conn_may_write(&client->session.conn) &&
	       (size = lai_stomp_session_to_send(&client->session, &data)) > 0) {
		const struct iovec iov = {.iov_base = (void *)data, .iov_len = size};

		size = lai_hands_send(&client->hands, &iov, 1, 0);
		if (size > 0)
			lai_stomp_session_on_sent(&client->session, size, lai_net_now(server->net));
	}
}

/* ---- reading ------------------------------------------------------------------------------ */

/* One recv(), or of what nobody wants one discard(); -EAGAIN also when there is no room. */
static ssize_t receive(struct la_server *server, struct lai_client *client)
{
	struct lai_stomp_session *session = &client->session;
	size_t discards = lai_stomp_session_discards(session), room_bytes;
	ssize_t size;
	void *room;

	if (discards > 0) {
		size = LAI_NET(server, discard, client->hands.socket, discards);
		if (size > 0)
			lai_stomp_session_on_discarded(session, (size_t)size,
						       lai_net_now(server->net));
		return size;
	}
	room_bytes = lai_stomp_session_room(session, &room);
	if (room_bytes == 0)
		return -EAGAIN;
	size = LAI_NET(server, recv, client->hands.socket, room, room_bytes);
	lai_server_listen_to(server, client);
	if (size > 0)
		lai_stomp_session_on_read(session, (size_t)size, lai_net_now(server->net));
	return size;
}

/* true: go on. */
static bool read_once(struct la_server *server, struct lai_client *client)
{
	ssize_t size = receive(server, client);

	if (size <= 0)
		lai_hands_on_no_bytes(&client->hands, size);
	return size > 0 || size == -EINTR;
}

static void close_socket(struct la_server *server, struct lai_client *client, unsigned how)
{
	server->by_socket[client->hands.socket] = NULL;
	lai_hands_end(&client->hands, how);
}

/* Its TLS failed, and the alert that says why is on its way: an RST now would destroy it. */
static void drain(struct la_server *server, struct lai_client *client)
{
	ssize_t size = -EINTR;

	for (int i = 0; i < READS_PER_TURN && (size > 0 || size == -EINTR); i++)
		size = LAI_NET(server, discard, client->hands.socket, DISCARD_BYTES);
	if (size <= 0 && size != -EAGAIN && size != -EINTR)
		close_socket(server, client, LAI_CONN_CLOSE);
}

void lai_client_read(struct la_server *server, struct lai_client *client)
{
	bool more = true;

	if (client->hands.socket < 0 || client->read_turn == server->turn)
		return;
	client->read_turn = server->turn;
	lai_server_note(server, client);
	if (client->drain_by_ns != 0) {
		drain(server, client);
		return;
	}
	for (int i = 0; more && i < READS_PER_TURN; i++)
		more = lai_stomp_session_wants_read(&client->session) && read_once(server, client);
	lai_list_set(&server->hungry, &client->hungry, more);
	lai_client_sort(server, client);
}

/* The connection is dead; what it brought may still be there. */
static void read_rest(void *arg)
{
	struct lai_client *client = arg;

	for (int i = 0; i < READS_OF_REST; i++)
		if (receive(client->server, client) <= 0)
			break;
	lai_stomp_session_on_rest_read(&client->session, lai_net_now(client->server->net));
}

void lai_client_on_ready(struct la_server *server, struct lai_client *client, uint32_t events)
{
	lai_server_note(server, client);
	if (events & LAI_WRITABLE)
		client->hands.send_blocked = false;
	/* What came before an error is read before it: recv() says both, in this order. */
	if (client->drain_by_ns != 0 || lai_stomp_session_wants_read(&client->session)) {
		lai_client_read(server, client);
		return;
	}
	lai_hands_on_ready(&client->hands, events);
}

/* ---- actions ------------------------------------------------------------------------------ */

static void end_socket(void *arg, unsigned how)
{
	struct lai_client *client = arg;
	struct la_server *server = client->server;

	if (!(how & LAI_CONN_ABORT) && client->hands.tls_failed && client->drain_by_ns == 0 &&
	    LAI_NET(server, shutdown, client->hands.socket) == 0)
		client->drain_by_ns =
			lai_time_after(lai_net_now(server->net), server->config.linger_idle_ns);
	else
		close_socket(server, client, how);
}

static const struct lai_hands_ops hands_ops = {
	.on_view = on_view,
	.on_fin = on_fin,
	.on_error = on_error,
	.on_why_silent = on_why_silent,
	.read_rest = read_rest,
	.end = end_socket,
};

static void act(struct la_server *server, struct lai_client *client)
{
	unsigned actions;

	if (client->hands.socket < 0 || client->drain_by_ns != 0)
		return;
	send_waiting(server, client);
	while (client->hands.socket >= 0 && (actions = lai_conn_take(&client->session.conn)) != 0) {
		lai_hands_carry_out(&client->hands, actions);
		if (client->hands.socket >= 0)
			send_waiting(server, client);
	}
}

static void update_watch(struct lai_client *client)
{
	bool reads = client->drain_by_ns != 0 || lai_stomp_session_wants_read(&client->session);
	uint32_t wanted =
		(reads ? LAI_READABLE : 0u) | (client->hands.send_blocked ? LAI_WRITABLE : 0u);

	lai_hands_watch(&client->hands, wanted);
}

static void update_timer(struct la_server *server, struct lai_client *client)
{
	uint64_t deadline_ns = client->drain_by_ns != 0
				       ? client->drain_by_ns
				       : lai_stomp_session_deadline(&client->session);

	/* Never out of the heap, so that it always has its place there. */
	(void)lai_heap_set(&server->timers, &client->timer,
			   deadline_ns == LA_NEVER ? LAI_CLIENT_NEVER_NS : deadline_ns);
}

/* ---- beginning and end -------------------------------------------------------------------- */

static void count_end(struct la_server_totals *totals, const struct lai_stomp_session *session)
{
	bool login = session->end == LA_SESSION_LOGIN_REJECTED ||
		     session->end == LA_SESSION_TOO_MANY_FAILURES ||
		     session->end == LA_SESSION_NOT_AUTHORIZED;

	totals->ends[session->end]++;
	totals->rejected_logins += login;
	totals->refused += !login && session->message[0] != '\0';
	totals->words_acked += session->words == LA_WORDS_ACKED;
	totals->words_consumed += session->words == LA_WORDS_CONSUMED;
	totals->words_unconfirmed += session->words == LA_WORDS_UNCONFIRMED;
}

/* Out of every list and table; the socket is closed. */
static void release(struct la_server *server, struct lai_client *client)
{
	lai_server_forget(server, client);
	lai_client_sort(server, client);
	lai_list_remove(&server->news, &client->news);
	lai_list_remove(&server->hungry, &client->hungry);
	lai_list_remove(&server->asking, &client->asking);
	lai_list_remove(&server->open, &client->open);
	(void)lai_heap_set(&server->timers, &client->timer, UINT64_MAX);
	lai_stomp_session_done(&client->session);
	free(client);
	server->accept_again_ns = 0; /* its descriptor is free */
}

static void end(struct la_server *server, struct lai_client *client)
{
	count_end(&server->totals, &client->session);
	lai_server_say(server, LA_SERVER_ENDED, client, NULL);
	release(server, client);
}

void lai_client_tend(struct la_server *server, struct lai_client *client)
{
	if (client->session.state == LAI_STOMP_SESSION_CHECKING)
		lai_server_ask(server, client);
	if (client->drain_by_ns != 0 && client->hands.socket >= 0 &&
	    lai_net_now(server->net) >= client->drain_by_ns)
		close_socket(server, client, LAI_CONN_CLOSE);
	act(server, client);
	lai_client_sort(server, client);
	if (client->hands.socket < 0) {
		end(server, client);
		return;
	}
	update_watch(client);
	update_timer(server, client);
}

void lai_client_abort(struct la_server *server, struct lai_client *client)
{
	lai_stomp_session_abort(&client->session, lai_net_now(server->net));
	act(server, client);
	if (client->hands.socket >= 0)
		close_socket(server, client, LAI_CONN_ABORT);
	end(server, client);
}

void lai_client_reclaim(struct la_server *server, struct lai_client *client)
{
	client->reclaimed = true;
	server->totals.reclaimed++;
	lai_stomp_session_reclaim(&client->session, lai_net_now(server->net));
	act(server, client);
	if (client->hands.socket >= 0)
		close_socket(server, client, LAI_CONN_ABORT);
	end(server, client);
}

static int make_room(struct la_server *server, int socket)
{
	size_t room = (size_t)socket + 1;
	void *table;

	if (room <= server->by_socket_room)
		return 0;
	room *= 2;
	table = realloc(server->by_socket, room * sizeof(struct lai_client *));
	if (!table)
		return -ENOMEM;
	server->by_socket = table;
	memset(server->by_socket + server->by_socket_room, 0,
	       (room - server->by_socket_room) * sizeof(struct lai_client *));
	server->by_socket_room = room;
	return 0;
}

struct lai_client *lai_client_new(struct la_server *server, int socket,
				  const struct lai_address *remote)
{
	struct lai_client *client = calloc(1, sizeof(*client));
	uint64_t now_ns = lai_net_now(server->net);
	struct la_report report = {.serial = server->totals.connections + 1, .began_ns = now_ns};

	if (!client || make_room(server, socket) != 0 ||
	    lai_heap_set(&server->timers, &client->timer, LAI_CLIENT_NEVER_NS) != 0) {
		free(client);
		return NULL;
	}
	client->server = server;
	lai_hands_init(&client->hands, server->net, &client->session.conn, &hands_ops, client);
	lai_hands_accepted(&client->hands, socket, remote, &server->local, &report);
	lai_stomp_session_init(&client->session, &server->session_config, &report, server->epoch,
			       now_ns);
	server->totals.connections++;
	server->by_socket[socket] = client;
	lai_list_add(&server->open, &client->open);
	lai_server_note(server, client);
	lai_server_say(server, LA_SERVER_ACCEPTED, client, NULL);
	return client;
}
