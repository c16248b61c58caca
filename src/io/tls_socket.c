/* SPDX-License-Identifier: MIT */
/* One socket: its life, its handshake, and what it waits for. */
#include "io/tls_inside.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct lai_tls_socket *lai_tls_socket_find(struct lai_tls *tls, int number)
{
	return number >= 0 && (size_t)number < tls->socket_room ? tls->sockets[number] : NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int make_room(struct lai_tls *tls, size_t wanted)
{
	size_t room = tls->socket_room ? tls->socket_room : 64;
	struct lai_tls_socket **sockets;

	if (wanted <= tls->socket_room)
		return 0;
	while (room < wanted)
		room *= 2;
	sockets = realloc(tls->sockets, room * sizeof(struct lai_tls_socket *));
	if (!sockets)
		return -ENOMEM;
	for (size_t i = tls->socket_room; i < room; i++)
		sockets[i] = NULL;
	tls->sockets = sockets;
	tls->socket_room = room;
	return 0;
}

/* Whose certificate it must be: an address is compared with addresses, a name with names. */
static bool expect_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return true;
	ERR_clear_error();
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool add_ssl(struct lai_tls_socket *socket)
{
	BIO *bio = BIO_new(socket->tls->wire);

	socket->ssl = SSL_new(socket->tls->context);
	if (!bio || !socket->ssl) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, socket);
	BIO_set_init(bio, 1);
	SSL_set_bio(socket->ssl, bio, bio); /* takes it over */
	SSL_set_app_data(socket->ssl, socket);
	if (!socket->expected) {
		SSL_set_accept_state(socket->ssl);
		return true;
	}
	SSL_set_connect_state(socket->ssl);
	return expect_name(socket->ssl, socket->expected);
}

int lai_tls_socket_new(struct lai_tls *tls, int number, const char *expected)
{
	struct lai_tls_socket *socket;

	if (make_room(tls, (size_t)number + 1) != 0)
		return -ENOMEM;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket->tls = tls;
	socket->number = number;
	socket->stage = expected ? LAI_TLS_CONNECTING : LAI_TLS_SHAKING;
	socket->watched = socket->inner_watched = expected ? LAI_WRITABLE : LAI_READABLE;
	socket->expected = expected ? strdup(expected) : NULL;
	if ((expected && !socket->expected) || !add_ssl(socket)) {
		ERR_clear_error();
		lai_tls_socket_free(socket);
		return -ENOMEM;
	}
	tls->sockets[number] = socket;
	return 0;
}

void lai_tls_socket_free(struct lai_tls_socket *socket)
{
	lai_tls_unlist(socket);
	if (socket->tls->sockets[socket->number] == socket)
		socket->tls->sockets[socket->number] = NULL;
	SSL_free(socket->ssl);
	lai_buffer_done(&socket->pending);
	lai_tls_marks_done(&socket->marks);
	free(socket->expected);
	free(socket->peer_name);
	free(socket->refusal);
	free(socket->why);
	free(socket);
}

/* ---- the handshake ------------------------------------------------------------------------- */

void lai_tls_socket_fail(struct lai_tls_socket *socket, int error, char *why)
{
	socket->stage = LAI_TLS_FAILED;
	socket->error = error;
	socket->read_over = true;
	socket->read_end = -error;
	socket->kept = socket->told = false;
	socket->news |= LAI_ERROR;
	free(socket->why);
	socket->why = why;
}

static void opened(struct lai_tls_socket *socket)
{
	X509 *shown = SSL_get1_peer_certificate(socket->ssl);

	if (shown && SSL_get_verify_result(socket->ssl) == X509_V_OK)
		socket->peer_name = lai_tls_common_name(shown);
	X509_free(shown);
	socket->stage = LAI_TLS_OPEN;
	socket->kept = SSL_has_pending(socket->ssl);
	socket->news |= socket->watched & LAI_WRITABLE;
}

/* A connection that ends in the middle of its handshake was no connection. */
static void cut_short(struct lai_tls_socket *socket, int error)
{
	const char *how = error == 0 ? "closed" : "reset";
	char *why = NULL;

	if (error == 0 || error == ECONNRESET || error == EPIPE) {
		error = EPROTO;
		if (asprintf(&why, "the peer %s the connection before the TLS handshake was done",
			     how) < 0)
			why = NULL;
	}
	lai_tls_socket_fail(socket, error, why);
}

void lai_tls_socket_shake(struct lai_tls_socket *socket)
{
	char *why = NULL;
	int done, error, reason;

	ERR_clear_error();
	socket->read_error = 0;
	done = SSL_do_handshake(socket->ssl);
	reason = done == 1 ? SSL_ERROR_NONE : SSL_get_error(socket->ssl, done);
	if (reason == SSL_ERROR_SSL) {
		error = lai_tls_why(socket, &why);
		lai_tls_socket_fail(socket, error, why);
	} else if (socket->read_error || socket->error) {
		cut_short(socket, socket->read_error ? socket->read_error : socket->error);
	} else if (socket->wire_over) {
		cut_short(socket, 0);
	} else if (done == 1) {
		opened(socket);
	}
}

/* ---- events -------------------------------------------------------------------------------- */

static void decided(struct lai_tls_socket *socket)
{
	struct lai_net *inner = socket->tls->inner;
	int error = inner->ops->error(inner, socket->number);

	if (error == ECONNRESET) {
		cut_short(socket, error);
	} else if (error) {
		lai_tls_socket_fail(socket, error, NULL);
	} else {
		socket->stage = LAI_TLS_SHAKING;
		lai_tls_socket_shake(socket);
	}
}

static void shaking(struct lai_tls_socket *socket, uint32_t events)
{
	struct lai_net *inner = socket->tls->inner;
	int error;

	if (events & LAI_WRITABLE)
		lai_tls_wire_flush(socket);
	lai_tls_socket_shake(socket);
	if (socket->stage != LAI_TLS_SHAKING || !(events & (LAI_ERROR | LAI_HANGUP)))
		return;
	error = inner->ops->error(inner, socket->number);
	if (error || (events & LAI_HANGUP))
		cut_short(socket, error);
}

/* OpenSSL may have stopped reading because its answers could not be written. */
static void writable(struct lai_tls_socket *socket)
{
	if (lai_buffer_used(&socket->pending) == 0)
		return;
	lai_tls_wire_flush(socket);
	if (socket->stage == LAI_TLS_OPEN && !socket->read_over)
		socket->kept = socket->kept || SSL_has_pending(socket->ssl);
}

uint32_t lai_tls_socket_on_ready(struct lai_tls_socket *socket, uint32_t events)
{
	uint32_t passed = 0;

	if (socket->stage == LAI_TLS_CONNECTING) {
		decided(socket);
	} else if (socket->stage == LAI_TLS_SHAKING) {
		shaking(socket, events);
	} else {
		if (events & LAI_WRITABLE)
			writable(socket);
		passed = events &
			 (socket->watched | LAI_PEER_FIN | LAI_HANGUP | LAI_ERROR | LAI_ACKED);
		if (lai_buffer_used(&socket->pending) > 0)
			passed &= ~(uint32_t)LAI_WRITABLE;
	}
	(void)lai_tls_socket_settle(socket);
	return passed;
}

uint32_t lai_tls_socket_events(const struct lai_tls_socket *socket)
{
	uint32_t events = 0;

	if (socket->kept)
		events |= LAI_READABLE;
	if (socket->read_over && socket->stage != LAI_TLS_FAILED)
		events |= LAI_READABLE | (socket->read_end == 0 ? LAI_PEER_FIN : 0u);
	if (socket->error || (socket->stage == LAI_TLS_FAILED && !socket->told))
		events |= LAI_READABLE | LAI_WRITABLE | LAI_ERROR;
	if (!(socket->watched & LAI_READABLE))
		events &= ~(uint32_t)(LAI_READABLE | LAI_PEER_FIN);
	if (!(socket->watched & LAI_WRITABLE))
		events &= ~(uint32_t)LAI_WRITABLE;
	if (socket->watched == 0)
		events = 0;
	return events | socket->news;
}

static uint32_t wanted_of(const struct lai_tls_socket *socket)
{
	uint32_t writing = lai_buffer_used(&socket->pending) > 0 ? LAI_WRITABLE : 0u;

	switch (socket->stage) {
	case LAI_TLS_CONNECTING: return LAI_WRITABLE;
	case LAI_TLS_SHAKING: return LAI_READABLE | writing;
	case LAI_TLS_OPEN:
		if (socket->read_over) /* the inner network would say so for ever */
			return (socket->watched & ~(uint32_t)LAI_READABLE) | writing;
		return socket->watched | writing;
	default: return (socket->told ? socket->watched : 0u) | writing;
	}
}

int lai_tls_socket_settle(struct lai_tls_socket *socket)
{
	struct lai_net *inner = socket->tls->inner;
	uint32_t wanted = wanted_of(socket);
	int status = 0;

	if (wanted != socket->inner_watched)
		status = inner->ops->watch(inner, socket->number, wanted);
	if (status == 0)
		socket->inner_watched = wanted;
	if (lai_tls_socket_events(socket))
		lai_tls_list(socket);
	else
		lai_tls_unlist(socket);
	return status;
}
