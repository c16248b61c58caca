/* SPDX-License-Identifier: MIT */
/* One client's I/O: read, send, and what its lai_conn asks for. */
#include "drive/server.h"

#include "conn/cause.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many reads of one client before the others have their turn. */
#define READS_PER_TURN 8
/* A peer that goes on talking is not listened to for ever before close(). */
#define READS_OF_REST 64
/* After a TLS handshake that failed: read away and thrown away at once. */
#define DISCARD_BYTES (64u << 10)

static uint64_t now_of(struct la_server *server)
{
	return lai_server_now(server);
}

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
	bool here = client->socket >= 0 && !lai_stomp_session_over(session);
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

static void look(struct la_server *server, struct lai_client *client)
{
	struct lai_view view;

	if (LAI_NET(server, view, client->socket, &view) == 0)
		lai_stomp_session_on_view(&client->session, &view, now_of(server));
}

/* What TLS has against it is known as long as the socket is there. */
static void note_why(struct la_server *server, struct lai_client *client, int error)
{
	const char *why;

	if (error != EPROTO && error != EKEYREJECTED)
		return;
	client->tls_failed = true;
	why = LAI_NET(server, why, client->socket);
	(void)snprintf(client->why, sizeof(client->why), "%s", why ? why : "");
}

/* What the kernel knows of acknowledged bytes is final now: first the view, then the error. */
static void fail(struct la_server *server, struct lai_client *client, int error)
{
	struct lai_view view = {.tcp_state = LAI_TCP_CLOSE};

	note_why(server, client, error);
	if (LAI_NET(server, view, client->socket, &view) == 0)
		lai_stomp_session_on_view(&client->session, &view, now_of(server));
	if (!lai_cause_is_soft(error, view.tcp_state))
		lai_stomp_session_on_error(&client->session, error, now_of(server));
}

static void send_waiting(struct la_server *server, struct lai_client *client)
{
	const void *data;
	size_t size;

	while (!client->send_blocked && lai_conn_may_write(&client->session.conn) &&
	       (size = lai_stomp_session_to_send(&client->session, &data)) > 0) {
		const struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
		ssize_t sent = LAI_NET(server, send, client->socket, &iov, 1, 0);

		if (sent == -EAGAIN)
			client->send_blocked = true;
		else if (sent < 0 && sent != -EINTR)
			fail(server, client, (int)-sent);
		else if (sent > 0)
			lai_stomp_session_on_sent(&client->session, (size_t)sent, now_of(server));
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
		size = LAI_NET(server, discard, client->socket, discards);
		if (size > 0)
			lai_stomp_session_on_discarded(session, (size_t)size, now_of(server));
		return size;
	}
	room_bytes = lai_stomp_session_room(session, &room);
	if (room_bytes == 0)
		return -EAGAIN;
	size = LAI_NET(server, recv, client->socket, room, room_bytes);
	lai_server_listen_to(server, client);
	if (size > 0)
		lai_stomp_session_on_read(session, (size_t)size, now_of(server));
	return size;
}

/* true: go on. */
static bool read_once(struct la_server *server, struct lai_client *client)
{
	ssize_t size = receive(server, client);

	if (size == 0) {
		look(server, client); /* the state in which the FIN found us is for the report */
		lai_stomp_session_on_fin(&client->session, now_of(server));
	} else if (size < 0 && size != -EAGAIN && size != -EINTR) {
		fail(server, client, (int)-size);
	}
	return size > 0 || size == -EINTR;
}

/* Its TLS failed, and the alert that says why is on its way: an RST now would destroy it. */
static void drain(struct la_server *server, struct lai_client *client)
{
	ssize_t size = -EINTR;

	for (int i = 0; i < READS_PER_TURN && (size > 0 || size == -EINTR); i++)
		size = LAI_NET(server, discard, client->socket, DISCARD_BYTES);
	if (size > 0 || size == -EAGAIN || size == -EINTR)
		return;
	LAI_NET(server, close, client->socket);
	server->by_socket[client->socket] = NULL;
	client->socket = -1;
}

void lai_client_read(struct la_server *server, struct lai_client *client)
{
	bool more = true;

	if (client->socket < 0 || client->read_turn == server->turn)
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
static void read_rest(struct la_server *server, struct lai_client *client)
{
	for (int i = 0; i < READS_OF_REST; i++)
		if (receive(server, client) <= 0)
			break;
	lai_stomp_session_on_rest_read(&client->session, now_of(server));
}

/* Both directions are over, without an error to fetch: proper if our FIN is acknowledged. */
static void hang_up(struct la_server *server, struct lai_client *client)
{
	struct lai_view view;

	if (LAI_NET(server, view, client->socket, &view) != 0)
		return;
	lai_stomp_session_on_view(&client->session, &view, now_of(server));
	if (!lai_conn_over(&client->session.conn) && view.tcp_state == LAI_TCP_CLOSE)
		lai_stomp_session_on_error(&client->session, ECONNRESET, now_of(server));
}

void lai_client_on_ready(struct la_server *server, struct lai_client *client, uint32_t events)
{
	int error;

	lai_server_note(server, client);
	if (events & LAI_WRITABLE)
		client->send_blocked = false;
	/* What came before an error is read before it: recv() says both, in this order. */
	if (client->drain_by_ns != 0 || lai_stomp_session_wants_read(&client->session)) {
		lai_client_read(server, client);
		return;
	}
	if (!(events & (LAI_ERROR | LAI_HANGUP)) || lai_conn_over(&client->session.conn))
		return;
	error = LAI_NET(server, error, client->socket);
	if (error != 0)
		fail(server, client, error);
	else if (events & LAI_HANGUP)
		hang_up(server, client);
}

/* ---- actions ------------------------------------------------------------------------------ */

static void end_socket(struct la_server *server, struct lai_client *client, unsigned actions)
{
	bool abort = actions & LAI_CONN_ABORT;

	if (!abort && client->tls_failed && client->drain_by_ns == 0 &&
	    LAI_NET(server, shutdown, client->socket) == 0) {
		client->drain_by_ns = lai_time_after(now_of(server), server->config.linger_idle_ns);
		return;
	}
	if (abort)
		LAI_NET(server, abort, client->socket);
	else
		LAI_NET(server, close, client->socket);
	server->by_socket[client->socket] = NULL;
	client->socket = -1;
}

/* A connection that an RST has just ended says ENOTCONN here, and the reason only when asked. */
static void send_fin(struct la_server *server, struct lai_client *client, unsigned actions)
{
	int error = -LAI_NET(server, shutdown, client->socket), reason;

	if (error <= 0 || (actions & (LAI_CONN_CLOSE | LAI_CONN_ABORT)))
		return;
	reason = LAI_NET(server, error, client->socket);
	fail(server, client, reason ? reason : error);
}

static void carry_out(struct la_server *server, struct lai_client *client, unsigned actions)
{
	struct lai_stomp_session *session = &client->session;

	if (actions & LAI_CONN_LOOK)
		look(server, client);
	if (actions & LAI_CONN_WHY_SILENT) {
		int error = LAI_NET(server, why_silent, &client->local, &client->remote, NULL);

		lai_stomp_session_on_why_silent(session, -error, now_of(server));
	}
	if (actions & LAI_CONN_READ_REST)
		read_rest(server, client);
	if (actions & LAI_CONN_HURRY)
		LAI_NET(server, hurry, client->socket, session->config->limits.dead_ns / 4);
	if (actions & LAI_CONN_CALM)
		LAI_NET(server, hurry, client->socket, 0);
	if (actions & LAI_CONN_SEND_FIN)
		send_fin(server, client, actions);
	if (actions & (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT))
		end_socket(server, client, actions);
}

static void act(struct la_server *server, struct lai_client *client)
{
	unsigned actions;

	if (client->socket < 0 || client->drain_by_ns != 0)
		return;
	send_waiting(server, client);
	while (client->socket >= 0 && (actions = lai_conn_take(&client->session.conn)) != 0) {
		carry_out(server, client, actions);
		if (client->socket >= 0)
			send_waiting(server, client);
	}
}

static void update_watch(struct la_server *server, struct lai_client *client)
{
	bool reads = client->drain_by_ns != 0 || lai_stomp_session_wants_read(&client->session);
	uint32_t wanted = (reads ? LAI_READABLE : 0u) | (client->send_blocked ? LAI_WRITABLE : 0u);

	if (client->socket >= 0 && wanted != client->watched &&
	    LAI_NET(server, watch, client->socket, wanted) == 0)
		client->watched = wanted;
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
	if (client->drain_by_ns != 0 && client->socket >= 0 &&
	    now_of(server) >= client->drain_by_ns)
		end_socket(server, client, LAI_CONN_CLOSE);
	act(server, client);
	lai_client_sort(server, client);
	if (client->socket < 0) {
		end(server, client);
		return;
	}
	update_watch(server, client);
	update_timer(server, client);
}

void lai_client_abort(struct la_server *server, struct lai_client *client)
{
	lai_stomp_session_abort(&client->session, now_of(server));
	act(server, client);
	if (client->socket >= 0)
		end_socket(server, client, LAI_CONN_ABORT);
	end(server, client);
}

void lai_client_reclaim(struct la_server *server, struct lai_client *client)
{
	client->reclaimed = true;
	server->totals.reclaimed++;
	lai_stomp_session_reclaim(&client->session, now_of(server));
	act(server, client);
	if (client->socket >= 0)
		end_socket(server, client, LAI_CONN_ABORT);
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

static void name_ends(struct la_server *server, struct lai_client *client, struct la_report *report)
{
	struct lai_address ignored;

	/* A peer that has reset the connection already has no name; accept() told it. */
	if (LAI_NET(server, names, client->socket, &client->local, &ignored) != 0)
		client->local = server->local;
	(void)lai_address_format(report->local, &client->local);
	(void)lai_address_format(report->remote, &client->remote);
}

struct lai_client *lai_client_new(struct la_server *server, int socket,
				  const struct lai_address *remote)
{
	struct lai_client *client = calloc(1, sizeof(*client));
	uint64_t now_ns = now_of(server);
	struct la_report report = {.serial = server->totals.connections + 1, .began_ns = now_ns};

	if (!client || make_room(server, socket) != 0 ||
	    lai_heap_set(&server->timers, &client->timer, LAI_CLIENT_NEVER_NS) != 0) {
		free(client);
		return NULL;
	}
	client->socket = socket;
	client->remote = *remote;
	client->watched = LAI_READABLE;
	name_ends(server, client, &report);
	lai_stomp_session_init(&client->session, &server->session_config, &report, server->epoch,
			       now_ns);
	server->totals.connections++;
	server->by_socket[socket] = client;
	lai_list_add(&server->open, &client->open);
	lai_server_note(server, client);
	lai_server_say(server, LA_SERVER_ACCEPTED, client, NULL);
	return client;
}
