/* SPDX-License-Identifier: MIT */
/*
 * Below OpenSSL: a BIO over a socket of the inner network. It takes whatever OpenSSL has to write,
 * so that a record is never half taken: what the inner network does not take at once is kept, and
 * until that is gone send() takes nothing new. So there is never much of it.
 */
#include "io/tls_inside.h"

#include <errno.h>

/*
 * A peer that makes OpenSSL answer and never reads could have this grow without end. OpenSSL is told
 * to wait from here on; a record of the program's is never refused, since none is begun before the
 * one before it is gone.
 */
#define PENDING_MAX (4 * LAI_TLS_RECORD_BYTES)

static bool comes_later(ssize_t status)
{
	return status == -EAGAIN || status == -EINTR;
}

/* What the inner network takes now. Its errors wait for error() and for the next send(). */
static size_t wire_give(struct lai_tls_socket *socket, const void *data, size_t size)
{
	struct iovec iov = {(void *)(uintptr_t)data, size};
	struct lai_net *inner = socket->tls->inner;
	ssize_t given =
		inner->ops->send(inner, socket->number, &iov, 1, socket->ask ? LAI_ASK_ACK : 0);

	if (given >= 0)
		return (size_t)given;
	if (comes_later(given))
		return 0;
	if (socket->error == 0)
		socket->error = (int)-given;
	/* Other errors may be of the moment (no route, no memory); after this one all fail. */
	if (given == -EPIPE)
		socket->broken = true;
	return 0;
}

static int wire_write(BIO *bio, const char *data, int size)
{
	struct lai_tls_socket *socket = BIO_get_data(bio);
	size_t given = 0;

	BIO_clear_retry_flags(bio);
	if (lai_buffer_used(&socket->pending) > PENDING_MAX) {
		BIO_set_retry_write(bio);
		return -1;
	}
	if (lai_buffer_used(&socket->pending) == 0 && !socket->broken)
		given = wire_give(socket, data, (size_t)size);
	if (given < (size_t)size && !socket->broken &&
	    !lai_buffer_append(&socket->pending, data + given, (size_t)size - given)) {
		socket->error = ENOMEM;
		socket->broken = true; /* a hole in the stream: nothing may follow */
	}
	socket->wire_bytes += (uint64_t)size;
	return size;
}

static int wire_read(BIO *bio, char *data, int size)
{
	struct lai_tls_socket *socket = BIO_get_data(bio);
	struct lai_net *inner = socket->tls->inner;
	ssize_t got = inner->ops->recv(inner, socket->number, data, (size_t)size);

	BIO_clear_retry_flags(bio);
	if (got >= 0) {
		socket->wire_over = got == 0;
		return (int)got;
	}
	if (comes_later(got))
		BIO_set_retry_read(bio);
	else
		socket->read_error = (int)-got;
	return -1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	const struct lai_tls_socket *socket = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return socket->wire_over;
	return command == BIO_CTRL_FLUSH; /* what is written is on its way */
}

BIO_METHOD *lai_tls_wire_new(void)
{
	BIO_METHOD *wire = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lastack");

	if (wire && BIO_meth_set_write(wire, wire_write) && BIO_meth_set_read(wire, wire_read) &&
	    BIO_meth_set_ctrl(wire, wire_control))
		return wire;
	BIO_meth_free(wire);
	return NULL;
}

void lai_tls_wire_flush(struct lai_tls_socket *socket)
{
	struct lai_buffer *pending = &socket->pending;
	struct lai_net *inner = socket->tls->inner;
	size_t given = 1;

	while (given > 0 && !socket->broken && lai_buffer_used(pending) > 0) {
		given = wire_give(socket, lai_buffer_data(pending), lai_buffer_used(pending));
		lai_buffer_consume(pending, given);
	}
	if (socket->broken || lai_buffer_used(pending) == 0) {
		lai_buffer_done(pending);
		socket->ask = false;
	}
	if (socket->fin_due && lai_buffer_used(pending) == 0) {
		socket->fin_due = false;
		(void)inner->ops->shutdown(inner, socket->number);
	}
}
