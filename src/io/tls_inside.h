/* SPDX-License-Identifier: MIT */
/*
 * tls_inside.h - what the files of TLS share; nobody else includes it.
 *
 *   tls.c            the face: struct lai_net_ops
 *   tls_wait.c       the ready list, wait() and fd()
 *   tls_context.c    files and settings: who is trusted, who we are
 *   tls_socket.c     one socket: life, handshake, what it waits for
 *   tls_stream.c     its bytes: send, receive, the farewell
 *   tls_wire.c       below OpenSSL: a BIO over the inner network, and what that could not take
 *   tls_marks.c      from acknowledged bytes of the wire to acknowledged bytes of the program
 *   tls_why.c        from OpenSSL's errors to ours, in a sentence
 *
 * A socket's way:
 *
 *   connect() -> CONNECTING -> SHAKING -> OPEN -> (close_notify, FIN)
 *                    |            |         |
 *   accept()  ------------------> '---------'-----> FAILED: recv() says how, why() says why
 */
#ifndef LAI_IO_TLS_INSIDE_H
#define LAI_IO_TLS_INSIDE_H

#include "base/buffer.h"
#include "io/tls.h"

#include <openssl/ssl.h>

/* One record of TLS carries at most this much (RFC 8446, 5.1). */
#define LAI_TLS_RECORD_BYTES 16384

enum lai_tls_stage { LAI_TLS_CONNECTING, LAI_TLS_SHAKING, LAI_TLS_OPEN, LAI_TLS_FAILED };

/* When the wire's byte wire_end is acknowledged, all bytes of the program before plain_end are. */
struct lai_tls_mark {
	uint64_t wire_end, plain_end;
};

struct lai_tls_marks {
	struct lai_tls_mark *items; /* a ring of `room`, a power of two */
	size_t first, count, room;
	uint64_t acked_bytes; /* the program's */
};

struct lai_tls {
	struct lai_net net; /* first: it is the same pointer */
	struct lai_net *inner;
	SSL_CTX *context;
	BIO_METHOD *wire;
	char *name; /* the server's name that config asks for, or NULL */
	bool server;
	struct lai_tls_socket **sockets; /* by number; NULL: a listener, or none */
	size_t socket_room;
	/* Sockets of which wait() has something to say that the inner network does not know. */
	struct lai_tls_socket *first, *last;
	uint64_t round; /* of wait() */
	int epoll;	/* the inner fd and the bell; -1 in the simulator */
	int bell;	/* an eventfd: readable while the list is not empty; -1 in the simulator */
	char record[LAI_TLS_RECORD_BYTES]; /* where small pieces are put together */
};

struct lai_tls_socket {
	struct lai_tls *tls;
	int number;
	SSL *ssl;
	enum lai_tls_stage stage;
	uint32_t watched;	/* by the owner */
	uint32_t inner_watched; /* what the inner network was told */
	uint32_t news;		/* to be said once, whatever is watched */
	struct lai_tls_socket *previous, *next;
	bool listed;
	uint64_t round; /* in which it was said last */

	struct lai_buffer pending; /* bytes of the wire that the inner network has yet to take */
	uint64_t wire_bytes;	   /* encrypted so far, handshake included */
	uint64_t plain_bytes;	   /* taken by send() */
	struct lai_tls_marks marks;
	bool ask;     /* LAI_ASK_ACK goes with the next bytes */
	bool broken;  /* the inner network takes nothing any more */
	bool goodbye; /* shutdown() was called */
	bool fin_due; /* the FIN waits for `pending` */

	bool kept;	/* OpenSSL holds bytes that the inner network does not know of any more */
	bool wire_over; /* the peer's FIN has been read */
	bool read_over; /* nothing more will be read: read_end */
	int read_end;	/* 0: the peer has said goodbye; or a negative errno */
	int read_error; /* positive: what the inner recv() has just said */
	int error;	/* positive, for error(), until it is fetched */
	bool told;	/* the owner knows that it failed */
	bool wants_client; /* the server has asked for our certificate, and we have none */
	char *expected;	   /* the name that the server must show */
	char *peer_name;   /* of its verified certificate, or NULL */
	char *refusal;	   /* what is wrong with its certificate, while that is being checked */
	char *why;
};

/* ---- tls_context.c ---- */

/* 0, or a negative errno with *error, a sentence. */
int lai_tls_context_new(SSL_CTX **context, const struct la_tls_config *config, bool server,
			char **error);

/* ---- tls_socket.c ---- */

static inline struct lai_tls *lai_tls_of(struct lai_net *net)
{
	return (struct lai_tls *)net;
}
/* NULL: a listener, or no socket of ours. */
struct lai_tls_socket *lai_tls_socket_find(struct lai_tls *tls, int number);
/* For a number of the inner network; expected: the server's name, NULL for a server. 0 or -ENOMEM. */
int lai_tls_socket_new(struct lai_tls *tls, int number, const char *expected);
/* Forgets it; the inner socket stays. */
void lai_tls_socket_free(struct lai_tls_socket *socket);
/* What the inner network says of it. What is left to say to the owner now, 0: nothing. */
uint32_t lai_tls_socket_on_ready(struct lai_tls_socket *socket, uint32_t events);
/* Goes on with the handshake; afterwards its stage says how far it is. */
void lai_tls_socket_shake(struct lai_tls_socket *socket);
/* The end, and its reason. Takes over why, which may be NULL. error: positive. */
void lai_tls_socket_fail(struct lai_tls_socket *socket, int error, char *why);
/* What the owner is to be told though the inner network does not say it. */
uint32_t lai_tls_socket_events(const struct lai_tls_socket *socket);
/* After each event and each call: what to wait for, and whether it is on the list. 0, or what the
   inner watch() said; it is then told at the next occasion. */
int lai_tls_socket_settle(struct lai_tls_socket *socket);

/* ---- tls_wait.c ---- */

int lai_tls_wait_init(struct lai_tls *tls); /* 0, or a negative errno; then done() as well */
void lai_tls_wait_done(struct lai_tls *tls);
int lai_tls_wait(struct lai_net *net, struct lai_ready *ready, int max, uint64_t deadline_ns);
void lai_tls_list(struct lai_tls_socket *socket);
void lai_tls_unlist(struct lai_tls_socket *socket);

/* ---- tls_stream.c: operations of net.h; each settles its socket ---- */

ssize_t lai_tls_stream_send(struct lai_tls_socket *socket, const struct iovec *iov, int count,
			    unsigned flags);
ssize_t lai_tls_stream_recv(struct lai_tls_socket *socket, void *data, size_t size);
ssize_t lai_tls_stream_discard(struct lai_tls_socket *socket, size_t size);
int lai_tls_stream_error(struct lai_tls_socket *socket);
int lai_tls_stream_view(struct lai_tls_socket *socket, struct lai_view *view);
int lai_tls_stream_shutdown(struct lai_tls_socket *socket);
/* Best effort: close_notify and what is pending. */
void lai_tls_stream_farewell(struct lai_tls_socket *socket);

/* ---- tls_wire.c ---- */

BIO_METHOD *lai_tls_wire_new(void); /* NULL: out of memory */
/* Gives pending bytes to the inner network, and the FIN behind them if it is due. */
void lai_tls_wire_flush(struct lai_tls_socket *socket);

/* ---- tls_marks.c ---- */

void lai_tls_marks_done(struct lai_tls_marks *marks);
/* Room for one more; where there is none left, the last one will stand for more. 0 or -ENOMEM. */
int lai_tls_marks_reserve(struct lai_tls_marks *marks);
bool lai_tls_marks_full(const struct lai_tls_marks *marks); /* the next one needs memory */
void lai_tls_marks_add(struct lai_tls_marks *marks, uint64_t wire_end, uint64_t plain_end);
/* The program's bytes that are acknowledged when this many of the wire are. Never decreases. */
uint64_t lai_tls_marks_acked(struct lai_tls_marks *marks, uint64_t wire_acked);

/* ---- tls_why.c ---- */

/*
 * What OpenSSL's error queue says of this socket: a positive errno, EPROTO or EKEYREJECTED, and
 * *why, a sentence to be freed, or NULL.
 */
int lai_tls_why(const struct lai_tls_socket *socket, char **why);
/* A verification callback (SSL_CTX_set_verify): notes in a sentence what is wrong. */
int lai_tls_why_refused(int accepted, X509_STORE_CTX *store);
/* The common name of a certificate, to be freed; NULL: it has none that is plain text. */
char *lai_tls_common_name(const X509 *certificate);

#endif
