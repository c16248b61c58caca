/* SPDX-License-Identifier: MIT */
/*
 * receiver_inside.h - shared by receiver.c (the loop), receiver_listen.c, receiver_connection.c
 * (one connection's I/O) and receiver_say.c (what is said).
 *
 * One output at a time may be full. Until the connection whose bytes did not fit has got them out,
 * nothing is read from any socket: the windows close, and no record is ever cut by another one.
 */
#ifndef LAI_CLI_RECEIVER_INSIDE_H
#define LAI_CLI_RECEIVER_INSIDE_H

#include "cli/log.h"
#include "cli/receiver.h"
#include "cli/receiver_output.h"
#include "drive/hands.h"
#include "serve/serve.h"

struct connection {
	struct receiver *receiver;
	struct lai_session session;
	struct lai_hands hands;
	struct lai_output *output; /* the receiver's, or own */
	struct lai_output own;
};

struct receiver {
	const struct lai_receiver_config *config;
	struct lai_session_config session_config;
	struct lai_serve serve;
	struct lai_log log;
	struct lai_net *net;
	struct lai_address local;
	int listener; /* -1: closed */
	uint32_t listener_watched;
	int signals;
	struct lai_output output;   /* fd -1 with --into-each */
	struct connection *blocked; /* whose bytes its output did not take, or NULL */
	struct connection **open;   /* serve.open of them */
	size_t open_room;
	struct connection **by_socket;
	size_t by_socket_room;
	uint64_t slept_ns;
	bool reopen_wished;
	bool interrupted; /* stopping already */
	bool exhausted;	  /* the lack of descriptors has been said */
	int exit_code;
};

/* receiver.c */

/*
 * An output cannot be written any more: says so, and ends everything by RST. path: NULL for
 * standard output; error: positive errno value.
 */
void lai_receiver_output_failed(struct receiver *receiver, const char *path, int error);

/* receiver_listen.c */

/* Listens, says where, writes the port file. 0, or a negative errno that has been said. */
int lai_receiver_listen(struct receiver *receiver);

/* receiver_connection.c */

/* Takes what waits in the backlog, as much as the limits allow. */
void lai_receiver_accept(struct receiver *receiver);
/* The kernel has news of the connection. */
void lai_connection_on_ready(struct receiver *receiver, struct connection *connection,
			     uint32_t events);
/* Timers, actions, writing; true: it has ended. */
bool lai_connection_tend(struct receiver *receiver, struct connection *connection);
/* Writes what waits; may end everything. */
void lai_connection_store(struct receiver *receiver, struct connection *connection);
/* Releases it and what it has open. */
void lai_connection_free(struct receiver *receiver, struct connection *connection);

/* receiver_say.c */

void lai_receiver_say_report(struct receiver *receiver, const struct connection *connection);
/* The state of things, "status" or "end", with the self-check; returns the sockets
   in CLOSE_WAIT. */
int lai_receiver_say_totals(struct receiver *receiver, const char *event);
/* Why it cannot listen. error: positive errno value. */
void lai_receiver_say_cannot_listen(const struct receiver *receiver, int error);

#endif
