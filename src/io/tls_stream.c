/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a socket.
 *
 * send() takes a record's worth at a time, as long as the inner network takes all of what that
 * becomes. What of the last record it does not take is pending, and counts as sent. recv() reads
 * until the buffer is full or OpenSSL wants more; what OpenSSL then holds back, wait() will tell.
 *
 * Ends: close_notify is the peer's FIN, whether or not the FIN itself has come (RFC 8446, 6.1). A
 * FIN without it is taken as one too, since many peers send no more than that, and why() says that
 * it could have been cut short. Within a record it is no end but a violation: -EPROTO.
 */
#include "io/tls_inside.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

/* ---- sending ------------------------------------------------------------------------------- */

/* Walks over the pieces that the program sends. */
struct pieces {
	const struct iovec *iov;
	int left;
	size_t done; /* of *iov */
};

/* The next bytes for a record: where they lie if they are long enough, or else put together. */
static size_t pieces_next(struct pieces *pieces, char *record, const char **data)
{
	size_t size = 0;

	while (pieces->left > 0 && size < LAI_TLS_RECORD_BYTES) {
		const char *piece = (const char *)pieces->iov->iov_base + pieces->done;
		size_t rest = pieces->iov->iov_len - pieces->done;
		size_t part = LAI_TLS_RECORD_BYTES - size;

		part = part < rest ? part : rest;
		pieces->done += part;
		if (part == rest) {
			pieces->iov++;
			pieces->left--;
			pieces->done = 0;
		}
		if (size == 0 && (part == LAI_TLS_RECORD_BYTES || pieces->left == 0)) {
			*data = piece;
			return part;
		}
		if (part > 0)
			memcpy(record + size, piece, part);
		size += part;
	}
	*data = record;
	return size;
}

static int take_error(struct lai_tls_socket *socket)
{
	int error = socket->error;

	socket->error = 0;
	if (error)
		socket->told = true;
	return error;
}

/* The inner connection was reset: what the peer said before may still be there, and say more. */
static int last_word(struct lai_tls_socket *socket, int error)
{
	char *why = NULL;
	char byte;
	int got;

	if (socket->stage != LAI_TLS_OPEN || socket->read_over ||
	    (error != ECONNRESET && error != EPIPE))
		return error;
	ERR_clear_error();
	got = SSL_peek(socket->ssl, &byte, 1);
	if (got > 0) {
		socket->kept = true;
	} else if (SSL_get_error(socket->ssl, got) == SSL_ERROR_SSL) {
		error = lai_tls_why(socket, &why);
		lai_tls_socket_fail(socket, error, why);
		(void)take_error(socket);
		socket->news = 0;
	}
	return error;
}

/* Marks of what has been acknowledged meanwhile make room for new ones. */
static int reserve_mark(struct lai_tls_socket *socket)
{
	struct lai_net *inner = socket->tls->inner;
	struct lai_view view;

	if (lai_tls_marks_full(&socket->marks) && socket->marks.count > 0 &&
	    inner->ops->view(inner, socket->number, &view) == 0)
		(void)lai_tls_marks_acked(&socket->marks, view.acked_bytes);
	return lai_tls_marks_reserve(&socket->marks);
}

static ssize_t send_record(struct lai_tls_socket *socket, const char *data, size_t size)
{
	char *why = NULL;
	int status = reserve_mark(socket), taken, error;

	if (status != 0)
		return status;
	ERR_clear_error();
	taken = SSL_write(socket->ssl, data, (int)size);
	if (taken <= 0) {
		error = lai_tls_why(socket, &why);
		lai_tls_socket_fail(socket, error, why);
		return -take_error(socket);
	}
	socket->plain_bytes += (uint64_t)taken;
	lai_tls_marks_add(&socket->marks, socket->wire_bytes, socket->plain_bytes);
	return taken;
}

static ssize_t send_pieces(struct lai_tls_socket *socket, const struct iovec *iov, int count,
			   unsigned flags)
{
	struct pieces pieces = {.iov = iov, .left = count};
	ssize_t sent = 0;

	while (pieces.left > 0 && !socket->error && lai_buffer_used(&socket->pending) == 0) {
		const char *data;
		size_t size = pieces_next(&pieces, socket->tls->record, &data);
		ssize_t taken;

		if (size == 0)
			break;
		socket->ask = (flags & LAI_ASK_ACK) && pieces.left == 0;
		taken = send_record(socket, data, size);
		if (taken < 0)
			return sent > 0 ? sent : taken;
		sent += taken;
		socket->ask = socket->ask && lai_buffer_used(&socket->pending) > 0;
	}
	return sent;
}

ssize_t lai_tls_stream_send(struct lai_tls_socket *socket, const struct iovec *iov, int count,
			    unsigned flags)
{
	ssize_t sent;

	if (socket->stage == LAI_TLS_OPEN && !socket->error)
		lai_tls_wire_flush(socket);
	if (socket->error)
		sent = -last_word(socket, take_error(socket));
	else if (socket->goodbye || socket->broken || socket->stage == LAI_TLS_FAILED)
		sent = -last_word(socket, EPIPE);
	else if (socket->stage != LAI_TLS_OPEN || lai_buffer_used(&socket->pending) > 0)
		sent = -EAGAIN;
	else
		sent = send_pieces(socket, iov, count, flags);
	(void)lai_tls_socket_settle(socket);
	return sent;
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void end_of_reading(struct lai_tls_socket *socket)
{
	socket->read_over = true;
	socket->read_end = 0;
	if (!socket->wire_over)
		return; /* close_notify */
	if (SSL_has_pending(socket->ssl))
		lai_tls_socket_fail(socket, EPROTO,
				    strdup("the connection ended in the middle of a TLS record"));
	else
		socket->why = strdup("the peer closed the connection without saying so in TLS "
				     "(close_notify): what it sent may be cut short");
}

/* OpenSSL has given nothing: nothing yet, nothing more, or an error. */
static void stopped_reading(struct lai_tls_socket *socket, int status)
{
	char *why = NULL;
	int error;

	switch (SSL_get_error(socket->ssl, status)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: break;
	case SSL_ERROR_ZERO_RETURN: end_of_reading(socket); break;
	case SSL_ERROR_SSL:
		error = lai_tls_why(socket, &why);
		lai_tls_socket_fail(socket, error, why);
		break;
	default:
		if (socket->wire_over)
			end_of_reading(socket);
		else if (socket->error == 0)
			socket->error = socket->read_error;
	}
}

static size_t read_plain(struct lai_tls_socket *socket, char *data, size_t size)
{
	size_t got = 0;

	socket->kept = false;
	while (got < size) {
		size_t part = size - got < INT_MAX ? size - got : INT_MAX;
		int status;

		ERR_clear_error();
		socket->read_error = 0;
		status = SSL_read(socket->ssl, data + got, (int)part);
		if (status <= 0) {
			stopped_reading(socket, status);
			return got;
		}
		got += (size_t)status;
	}
	socket->kept = SSL_has_pending(socket->ssl);
	return got;
}

/* What comes in place of bytes. */
static ssize_t read_status(struct lai_tls_socket *socket)
{
	int error = take_error(socket);

	if (error)
		return -error;
	return socket->read_over ? socket->read_end : -EAGAIN;
}

static size_t read_some(struct lai_tls_socket *socket, char *data, size_t size)
{
	if (socket->stage == LAI_TLS_SHAKING)
		lai_tls_socket_shake(socket);
	if (socket->stage != LAI_TLS_OPEN || socket->read_over)
		return 0;
	return read_plain(socket, data, size);
}

ssize_t lai_tls_stream_recv(struct lai_tls_socket *socket, void *data, size_t size)
{
	ssize_t got = (ssize_t)read_some(socket, data, size);

	if (got == 0 && size > 0)
		got = read_status(socket);
	(void)lai_tls_socket_settle(socket);
	return got;
}

ssize_t lai_tls_stream_discard(struct lai_tls_socket *socket, size_t size)
{
	struct lai_net *inner = socket->tls->inner;
	char scratch[LAI_TLS_RECORD_BYTES];
	size_t got = 0, part;

	/* Nothing of it means anything any more. */
	if (socket->stage == LAI_TLS_FAILED && socket->told)
		return inner->ops->discard(inner, socket->number, size);
	do {
		part = size - got < sizeof(scratch) ? size - got : sizeof(scratch);
		part = read_some(socket, scratch, part);
		got += part;
	} while (part > 0 && got < size);
	if (got == 0 && size > 0) {
		ssize_t status = read_status(socket);

		(void)lai_tls_socket_settle(socket);
		return status;
	}
	(void)lai_tls_socket_settle(socket);
	return (ssize_t)got;
}

/* ---- the rest ------------------------------------------------------------------------------ */

int lai_tls_stream_error(struct lai_tls_socket *socket)
{
	struct lai_net *inner = socket->tls->inner;
	int error = take_error(socket);

	if (error == 0 && socket->stage == LAI_TLS_OPEN)
		error = inner->ops->error(inner, socket->number);
	error = last_word(socket, error);
	(void)lai_tls_socket_settle(socket);
	return error;
}

int lai_tls_stream_view(struct lai_tls_socket *socket, struct lai_view *view)
{
	struct lai_net *inner = socket->tls->inner;
	struct lai_view wire;
	int status = inner->ops->view(inner, socket->number, &wire);

	if (status != 0)
		return status;
	wire.acked_bytes = lai_tls_marks_acked(&socket->marks, wire.acked_bytes);
	*view = wire;
	return 0;
}

static void say_goodbye(struct lai_tls_socket *socket)
{
	bool first = !socket->goodbye;

	socket->goodbye = true;
	if (first && socket->stage == LAI_TLS_OPEN && !socket->broken) {
		ERR_clear_error();
		(void)SSL_shutdown(socket->ssl);
	}
	lai_tls_wire_flush(socket);
}

int lai_tls_stream_shutdown(struct lai_tls_socket *socket)
{
	struct lai_net *inner = socket->tls->inner;
	int status = 0;

	say_goodbye(socket);
	if (lai_buffer_used(&socket->pending) > 0)
		socket->fin_due = true;
	else
		status = inner->ops->shutdown(inner, socket->number);
	(void)lai_tls_socket_settle(socket);
	return status;
}

void lai_tls_stream_farewell(struct lai_tls_socket *socket)
{
	say_goodbye(socket);
}
