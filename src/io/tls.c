/* SPDX-License-Identifier: MIT */
/*
 * The face of TLS: struct lai_net_ops over another network's. Sockets are the inner network's
 * numbers; a listener is passed on untouched.
 */
#include "io/tls_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- sockets ------------------------------------------------------------------------------- */

static int tls_watch(struct lai_net *net, int number, uint32_t events)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_tls_socket *socket = lai_tls_socket_find(tls, number);

	if (!socket)
		return tls->inner->ops->watch(tls->inner, number, events);
	socket->watched = events;
	/* The inner network is told even of what it knows: with 0, errors are then said again. */
	if (events == 0)
		socket->inner_watched = UINT32_MAX;
	return lai_tls_socket_settle(socket);
}

static int tls_fd(struct lai_net *net)
{
	return lai_tls_of(net)->epoll;
}

/* "fe80::1%eth0" is called by its address in certificates; a peer known by nothing else as well. */
static const char *expected_name(const struct lai_tls *tls, const struct lai_address *remote,
				 const struct lai_socket_options *options, char *text, size_t size)
{
	const char *name = tls->name ? tls->name : options->server_name;
	const void *address = lai_address_family(remote) == AF_INET
				      ? (const void *)&remote->v4.sin_addr
				      : (const void *)&remote->v6.sin6_addr;

	if (name && *name && !strchr(name, '%'))
		return name;
	return inet_ntop(lai_address_family(remote), address, text, (socklen_t)size);
}

static int tls_connect(struct lai_net *net, const struct lai_address *remote,
		       const struct lai_socket_options *options)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_socket_options prompt = *options;
	char text[INET6_ADDRSTRLEN];
	const char *name;
	int number, status;

	if (tls->server)
		return -EOPNOTSUPP;
	name = expected_name(tls, remote, options, text, sizeof(text));
	/* The first record follows our last word of the handshake, which nobody answers: Nagle's
	   algorithm would have it wait 40 ms for the delayed ACK. */
	prompt.no_delay = true;
	number = tls->inner->ops->connect(tls->inner, remote, &prompt);
	if (number < 0)
		return number;
	status = lai_tls_socket_new(tls, number, name);
	if (status != 0)
		tls->inner->ops->abort(tls->inner, number);
	return status == 0 ? number : status;
}

static int tls_accept(struct lai_net *net, int listener, struct lai_address *remote)
{
	struct lai_tls *tls = lai_tls_of(net);
	int number, status;

	if (!tls->server)
		return -EOPNOTSUPP;
	number = tls->inner->ops->accept(tls->inner, listener, remote);
	if (number < 0)
		return number;
	status = lai_tls_socket_new(tls, number, NULL);
	if (status != 0)
		tls->inner->ops->abort(tls->inner, number);
	return status == 0 ? number : status;
}

static ssize_t tls_send(struct lai_net *net, int number, const struct iovec *iov, int count,
			unsigned flags)
{
	struct lai_tls_socket *socket = lai_tls_socket_find(lai_tls_of(net), number);

	return socket ? lai_tls_stream_send(socket, iov, count, flags) : -EBADF;
}

static ssize_t tls_recv(struct lai_net *net, int number, void *data, size_t size)
{
	struct lai_tls_socket *socket = lai_tls_socket_find(lai_tls_of(net), number);

	return socket ? lai_tls_stream_recv(socket, data, size) : -EBADF;
}

static ssize_t tls_discard(struct lai_net *net, int number, size_t size)
{
	struct lai_tls_socket *socket = lai_tls_socket_find(lai_tls_of(net), number);

	return socket ? lai_tls_stream_discard(socket, size) : -EBADF;
}

static int tls_error(struct lai_net *net, int number)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_tls_socket *socket = lai_tls_socket_find(tls, number);

	return socket ? lai_tls_stream_error(socket) : tls->inner->ops->error(tls->inner, number);
}

static int tls_view(struct lai_net *net, int number, struct lai_view *view)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_tls_socket *socket = lai_tls_socket_find(tls, number);

	return socket ? lai_tls_stream_view(socket, view)
		      : tls->inner->ops->view(tls->inner, number, view);
}

static int tls_shutdown(struct lai_net *net, int number)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_tls_socket *socket = lai_tls_socket_find(tls, number);

	return socket ? lai_tls_stream_shutdown(socket)
		      : tls->inner->ops->shutdown(tls->inner, number);
}

/*
 * A kernel that still holds unread bytes answers close() with RST, and the peer knows that they were
 * not read. Those that OpenSSL holds must have the same effect. true: so it is.
 */
static bool forget(struct lai_tls *tls, int number, bool politely)
{
	struct lai_tls_socket *socket = lai_tls_socket_find(tls, number);
	bool unread = false;

	if (!socket)
		return false;
	if (politely)
		unread = socket->stage == LAI_TLS_OPEN && !socket->read_over &&
			 SSL_has_pending(socket->ssl);
	if (politely && !unread)
		lai_tls_stream_farewell(socket);
	lai_tls_socket_free(socket);
	return unread;
}

static void tls_close(struct lai_net *net, int number)
{
	struct lai_tls *tls = lai_tls_of(net);

	if (forget(tls, number, true))
		tls->inner->ops->abort(tls->inner, number);
	else
		tls->inner->ops->close(tls->inner, number);
}

static void tls_abort(struct lai_net *net, int number)
{
	struct lai_tls *tls = lai_tls_of(net);

	(void)forget(tls, number, false);
	tls->inner->ops->abort(tls->inner, number);
}

static void tls_linger(struct lai_net *net, int number, uint64_t linger_ns)
{
	struct lai_tls *tls = lai_tls_of(net);

	if (forget(tls, number, true))
		tls->inner->ops->abort(tls->inner, number);
	else
		tls->inner->ops->linger(tls->inner, number, linger_ns);
}

static const char *tls_peer_name(struct lai_net *net, int number)
{
	const struct lai_tls_socket *socket = lai_tls_socket_find(lai_tls_of(net), number);

	return socket ? socket->peer_name : NULL;
}

static const char *tls_why(struct lai_net *net, int number)
{
	const struct lai_tls_socket *socket = lai_tls_socket_find(lai_tls_of(net), number);

	return socket ? socket->why : NULL;
}

/* ---- what is passed on --------------------------------------------------------------------- */

#define INNER(net) (lai_tls_of(net)->inner)

static uint64_t tls_now(struct lai_net *net)
{
	return lai_net_now(INNER(net));
}

static uint64_t tls_slept(struct lai_net *net)
{
	return INNER(net)->ops->slept(INNER(net));
}

static int tls_resolve(struct lai_net *net, const char *host, uint16_t port)
{
	return INNER(net)->ops->resolve(INNER(net), host, port);
}

static int tls_resolved(struct lai_net *net, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	return INNER(net)->ops->resolved(INNER(net), addresses);
}

static void tls_resolve_cancel(struct lai_net *net)
{
	INNER(net)->ops->resolve_cancel(INNER(net));
}

static int tls_listen(struct lai_net *net, struct lai_address *local, int backlog)
{
	return INNER(net)->ops->listen(INNER(net), local, backlog);
}

static int tls_adopt(struct lai_net *net, int listener, struct lai_address *local)
{
	return INNER(net)->ops->adopt(INNER(net), listener, local);
}

static int tls_keepalive(struct lai_net *net, int listener, uint64_t keepalive_ns)
{
	return INNER(net)->ops->keepalive(INNER(net), listener, keepalive_ns);
}

static int tls_names(struct lai_net *net, int socket, struct lai_address *local,
		     struct lai_address *remote)
{
	return INNER(net)->ops->names(INNER(net), socket, local, remote);
}

static void tls_hurry(struct lai_net *net, int socket, uint64_t within_ns)
{
	INNER(net)->ops->hurry(INNER(net), socket, within_ns);
}

static int tls_why_silent(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device)
{
	return INNER(net)->ops->why_silent(INNER(net), local, remote, device);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* All but the inner network. */
static void tls_done(struct lai_tls *tls)
{
	for (size_t i = 0; i < tls->socket_room; i++)
		if (tls->sockets[i])
			lai_tls_socket_free(tls->sockets[i]);
	SSL_CTX_free(tls->context);
	BIO_meth_free(tls->wire);
	lai_tls_wait_done(tls);
	free(tls->sockets);
	free(tls->name);
	free(tls);
}

static void tls_free(struct lai_net *net)
{
	struct lai_net *inner = INNER(net);

	tls_done(lai_tls_of(net));
	inner->ops->free(inner);
}

static const struct lai_net_ops tls_ops = {
	.now = tls_now,
	.slept = tls_slept,
	.resolve = tls_resolve,
	.resolved = tls_resolved,
	.resolve_cancel = tls_resolve_cancel,
	.connect = tls_connect,
	.listen = tls_listen,
	.accept = tls_accept,
	.keepalive = tls_keepalive,
	.send = tls_send,
	.recv = tls_recv,
	.discard = tls_discard,
	.error = tls_error,
	.view = tls_view,
	.names = tls_names,
	.shutdown = tls_shutdown,
	.close = tls_close,
	.abort = tls_abort,
	.linger = tls_linger,
	.hurry = tls_hurry,
	.peer_name = tls_peer_name,
	.why = tls_why,
	.adopt = tls_adopt,
	.why_silent = tls_why_silent,
	.watch = tls_watch,
	.wait = lai_tls_wait,
	.fd = tls_fd,
	.free = tls_free,
};

int lai_net_tls_new(struct lai_net **net, struct lai_net *inner, const struct la_tls_config *config,
		    bool server, char **error)
{
	struct lai_tls *tls = calloc(1, sizeof(*tls));
	int status;

	if (error)
		*error = NULL;
	if (!tls)
		return -ENOMEM;
	tls->net.ops = &tls_ops;
	tls->inner = inner;
	tls->server = server;
	tls->epoll = tls->bell = -1;
	tls->wire = lai_tls_wire_new();
	tls->name = config->name ? strdup(config->name) : NULL;
	status = !tls->wire || (config->name && !tls->name) ? -ENOMEM : lai_tls_wait_init(tls);
	if (status == 0)
		status = lai_tls_context_new(&tls->context, config, server, error);
	if (status != 0) {
		tls_done(tls);
		return status;
	}
	*net = &tls->net;
	return 0;
}
