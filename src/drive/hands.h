/* SPDX-License-Identifier: MIT */
/*
 * hands.h - one connection's socket: does what its lai_conn asks for, and tells what came of it.
 *
 *     lai_conn --- actions ---> hands ---> network
 *     owner <----- answers ---- hands <--- network
 *
 * The owner is whoever has the conn and passes its events on to it: a link (driver.c), a session of
 * the server (server_client.c), a connection of lastack receive. What has to be known of the
 * kernel's habits at the end of a connection is known here, once.
 */
#ifndef LAI_DRIVE_HANDS_H
#define LAI_DRIVE_HANDS_H

#include "conn/conn.h"
#include "io/net.h"

/* Longest sentence of TLS that is kept, with its NUL. */
#define LAI_HANDS_WHY_MAX 256

/* What the owner is told. on_error: positive errno value; the view of that moment came before. */
struct lai_hands_ops {
	void (*on_view)(void *owner, const struct lai_view *view, uint64_t now_ns);
	void (*on_fin)(void *owner, uint64_t now_ns);
	void (*on_error)(void *owner, int error, uint64_t now_ns);
	void (*on_why_silent)(void *owner, int error, uint64_t now_ns);
	/* Asked to read what is there without waiting, and to say then that it is read. */
	void (*read_rest)(void *owner);
	/* Asked to end it by lai_hands_end(), at once or when its own last wish is done. */
	void (*end)(void *owner, unsigned how);
};

struct lai_hands {
	struct lai_net *net;
	const struct lai_conn *conn;
	const struct lai_hands_ops *ops;
	void *owner;
	uint64_t linger_ns; /* of LAI_CONN_LINGER */
	const char *device; /* that the connection is bound to, or NULL */

	int socket; /* -1: none */
	uint32_t watched;
	bool send_blocked;		  /* the send buffer was full */
	struct lai_address local, remote; /* the kernel forgets them at death */
	bool tls_failed;
	char why[LAI_HANDS_WHY_MAX]; /* what TLS says of that; "": nothing */
};

/* All pointers stay the caller's and outlive the hands. There is no socket yet. */
void lai_hands_init(struct lai_hands *hands, struct lai_net *net, const struct lai_conn *conn,
		    const struct lai_hands_ops *ops, void *owner);

/* The socket is connected, and watched as connect() left it. */
void lai_hands_connected(struct lai_hands *hands, int socket, const struct lai_address *local,
			 const struct lai_address *remote);
/* The socket came from accept(), and so did remote; listener: the address that it came to. Both ends
   are written into the report. */
void lai_hands_accepted(struct lai_hands *hands, int socket, const struct lai_address *remote,
			const struct lai_address *listener, struct la_report *report);

/* Does what the conn asks for (a set of LAI_CONN_*): not below another call of the owner's ops. */
void lai_hands_carry_out(struct lai_hands *hands, unsigned actions);

/* Closes the socket: by RST, lingering, or else plainly. */
void lai_hands_end(struct lai_hands *hands, unsigned how);

/* Takes a view. */
void lai_hands_look(struct lai_hands *hands);

/* An operation on the socket has failed with this positive errno value. */
void lai_hands_fail(struct lai_hands *hands, int error);

/* recv() brought no bytes but this: 0, the peer's FIN, or a negative errno value. */
void lai_hands_on_no_bytes(struct lai_hands *hands, ssize_t status);

/* LAI_ERROR or LAI_HANGUP may be among the events, and what came before them has been read. */
void lai_hands_on_ready(struct lai_hands *hands, uint32_t events);

/* The bytes that the kernel took; 0: it has no room now (send_blocked), or failed. */
size_t lai_hands_send(struct lai_hands *hands, const struct iovec *iov, int count, unsigned flags);

/* What to wait for from now on: LAI_READABLE, LAI_WRITABLE. */
void lai_hands_watch(struct lai_hands *hands, uint32_t events);

#endif
