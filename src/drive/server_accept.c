/* SPDX-License-Identifier: MIT */
/*
 * Listening, and who is let in.
 *
 *     served < connections_max       accepted; a lingering one makes room if all places are taken
 *     else open < that + reserve     accepted to be told that there is no room: ERROR, lingering
 *     else                           stays in the backlog
 */
#include "drive/server.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As many as the kernel allows (net.core.somaxconn cuts it). */
#define BACKLOG 4096
/* New connections in one turn. */
#define ACCEPTS_PER_TURN 64
/* After a lack of descriptors, if no connection ends meanwhile. */
#define ACCEPT_RETRY_NS (1 * LAI_S)

static const char *reason(int error)
{
	switch (error) {
	case EADDRINUSE: return "another socket listens on this port ('ss -ltnp' shows which)";
	case EADDRNOTAVAIL: return "no interface of this host has this address";
	case EACCES:
		return "this port needs CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start)";
	case ENOTSOCK:
	case EINVAL:
	case EBADF: return "the descriptor that was handed over is not a listening TCP socket";
	default: return strerror(error);
	}
}

int lai_server_listen(struct la_server *server, char **error)
{
	char text[LA_ADDRESS_TEXT_MAX];
	uint64_t dead_ns = server->config.dead_ns;
	int status;

	if (server->config.listener >= 0)
		status = LAI_NET(server, adopt, server->config.listener, &server->local);
	else
		status = LAI_NET(server, listen, &server->local, BACKLOG);
	if (status >= 0) {
		server->listener = status;
		server->listener_watched = LAI_READABLE;
		status = LAI_NET(server, keepalive, server->listener,
				 dead_ns == LA_NEVER ? 0 : dead_ns);
	}
	if (status == 0)
		return 0;
	return lai_error(error, status, "cannot listen on %s: %s",
			 lai_address_format(text, &server->local), reason(-status));
}

void lai_server_unlisten(struct la_server *server)
{
	if (server->listener >= 0)
		LAI_NET(server, close, server->listener);
	server->listener = -1;
}

static bool is_full(const struct la_server *server)
{
	return server->open.count - server->lingering.count >= server->config.connections_max;
}

static bool may_accept(struct la_server *server)
{
	size_t room = server->config.connections_max;

	if (server->listener < 0 || lai_net_now(server->net) < server->accept_again_ns)
		return false;
	return !is_full(server) || server->open.count < room + LAI_SERVER_RESERVE;
}

/* true: the longest lingering one has made room. */
static bool reclaim(struct la_server *server)
{
	struct lai_list_link *link = lai_list_first(&server->lingering);

	if (link)
		lai_client_reclaim(server, LAI_LIST_OWNER(link, struct lai_client, lingering));
	return link != NULL;
}

static void lack(struct la_server *server, int error)
{
	char text[LAI_SERVER_TROUBLE_MAX];

	server->accept_again_ns = lai_time_after(lai_net_now(server->net), ACCEPT_RETRY_NS);
	if (server->exhausted)
		return;
	server->exhausted = true;
	(void)snprintf(text, sizeof(text), "cannot accept more connections: %s; the others wait",
		       strerror(error));
	lai_server_say(server, LA_SERVER_TROUBLE, NULL, text);
}

static void add(struct la_server *server, int socket, const struct lai_address *remote)
{
	bool full = is_full(server);
	struct lai_client *client;

	if (!full && server->open.count >= server->config.connections_max)
		(void)reclaim(server);
	client = lai_client_new(server, socket, remote);
	if (!client) {
		LAI_NET(server, abort, socket);
		lack(server, ENOMEM);
		return;
	}
	if (full)
		lai_stomp_session_refuse(&client->session, LA_SESSION_TOO_MANY_CONNECTIONS, "",
					 lai_net_now(server->net));
	lai_client_sort(server, client);
}

static void accept_some(struct la_server *server)
{
	for (int i = 0; i < ACCEPTS_PER_TURN && server->callers_came && may_accept(server); i++) {
		struct lai_address remote = {0};
		int socket = LAI_NET(server, accept, server->listener, &remote);

		if (socket == -EAGAIN) {
			server->exhausted = server->callers_came = false;
			server->accept_again_ns = 0;
			return;
		}
		if (socket >= 0) {
			add(server, socket, &remote);
		} else if (lai_net_is_exhaustion(-socket) && !reclaim(server)) {
			lack(server, -socket);
			return;
		}
		/* accept(2): it has errors of the new connection as well; then the next one. */
	}
}

void lai_server_accept(struct la_server *server)
{
	uint32_t wanted;

	accept_some(server);
	if (server->listener < 0)
		return;
	wanted = may_accept(server) ? LAI_READABLE : 0;
	if (wanted != server->listener_watched &&
	    LAI_NET(server, watch, server->listener, wanted) == 0)
		server->listener_watched = wanted;
}

uint64_t lai_server_accept_deadline(const struct la_server *server)
{
	return server->listener >= 0 && server->accept_again_ns != 0 ? server->accept_again_ns
								     : LA_NEVER;
}
