/* SPDX-License-Identifier: MIT */
/*
 * sim_close.c - the ways a connection ends, as __tcp_close(), inet_shutdown() and tcp_done() go
 * them.
 *
 *   a program's socket   close() --> orphan --> FIN_WAIT2 or TIME_WAIT, 60 s --> gone
 *                        dies (RST, time-out) --> CLOSE, readable until close() --> gone
 *   TIME_WAIT            is never a program's: one that holds on sees CLOSE, a stand-in waits
 */
#include "io/sim/sim_internal.h"

#include <errno.h>

#define FIN_TIMEOUT_NS (60 * LAI_S) /* net.ipv4.tcp_fin_timeout */
#define TIME_WAIT_NS (60 * LAI_S)   /* TCP_TIMEWAIT_LEN */

/* Nobody can ask for it any more, and nobody will. */
static bool close_orphan(const struct sim_socket *socket)
{
	return socket->fd < 0 && (!socket->listener || socket->state == LAI_TCP_SYN_RECV ||
				  socket->listener->state != LAI_TCP_LISTEN);
}

static void queues_empty(struct sim_socket *socket)
{
	sim_queue_done(&socket->queue);
	sim_queue_done(&socket->sent);
	sim_queue_done(&socket->marks);
}

void sim_close_done(struct sim_socket *socket, int error)
{
	bool orphan = close_orphan(socket);

	if (socket->state == LAI_TCP_CLOSE)
		return;
	socket->state = LAI_TCP_CLOSE;
	socket->no_read = socket->no_write = true;
	if (error)
		socket->error = error;
	sim_socket_remove(socket);
	queues_empty(socket);
	sim_timer_send(socket, SIM_NO_TIMER, 0);
	sim_timer_keep(socket, LA_NEVER);
	if (orphan)
		sim_socket_bury(socket);
	else
		sim_socket_notify(socket);
}

/* ---- waiting states ---------------------------------------------------------------------- */

/* A stand-in for a connection whose program still holds the socket. NULL: out of memory. */
static struct sim_socket *time_wait_new(const struct sim_socket *socket)
{
	struct sim_socket *waiting = sim_socket_new(socket->host);

	if (!waiting)
		return NULL;
	waiting->local = socket->local;
	waiting->remote = socket->remote;
	waiting->bound = socket->bound;
	waiting->reuse = socket->reuse;
	waiting->snd_una = waiting->snd_nxt = socket->snd_nxt;
	waiting->rcv_nxt = socket->rcv_nxt;
	waiting->rcv_edge = socket->rcv_edge;
	waiting->no_read = waiting->no_write = true;
	return waiting;
}

void sim_close_time_wait(struct sim_socket *socket)
{
	struct sim_socket *waiting = socket;

	if (socket->fd >= 0 || socket->listener) {
		waiting = time_wait_new(socket);
		sim_close_done(socket, 0);
		if (waiting)
			sim_socket_insert(waiting);
	}
	if (!waiting)
		return;
	waiting->state = LAI_TCP_TIME_WAIT;
	queues_empty(waiting);
	sim_timer_send(waiting, SIM_NO_TIMER, 0);
	sim_timer_keep(waiting, TIME_WAIT_NS);
}

void sim_close_fin_wait2(struct sim_socket *socket)
{
	socket->state = LAI_TCP_FIN_WAIT2;
	if (socket->fd < 0)
		sim_timer_keep(socket, FIN_TIMEOUT_NS);
	else
		sim_socket_notify(socket);
}

/* ---- shutdown and close ------------------------------------------------------------------ */

static void fin_queue(struct sim_socket *socket)
{
	socket->no_write = true;
	if (socket->fin_queued)
		return;
	socket->fin_queued = true;
	socket->state = socket->state == LAI_TCP_CLOSE_WAIT ? LAI_TCP_LAST_ACK : LAI_TCP_FIN_WAIT1;
	sim_output_push(socket);
}

int sim_close_write(struct sim_socket *socket)
{
	switch (socket->state) {
	case LAI_TCP_CLOSE: return -ENOTCONN;
	case LAI_TCP_LISTEN: return 0;
	case LAI_TCP_SYN_SENT: sim_close_done(socket, ECONNRESET); return 0;
	default: break;
	}
	fin_queue(socket);
	sim_socket_notify(socket);
	return 0;
}

static void reset_send(struct sim_socket *socket)
{
	sim_output_control(socket, SIM_RST | SIM_ACK, socket->snd_nxt);
}

/* inet_csk_listen_stop(): whoever has not been accepted is reset, half-open ones are forgotten. */
static void listener_close(struct sim_socket *listener)
{
	listener->state = LAI_TCP_CLOSE;
	for (struct sim_socket *s = listener->host->sockets, *next; s; s = next) {
		next = s->host_next;
		if (s->listener != listener)
			continue;
		s->listener = NULL;
		if (s->state != LAI_TCP_SYN_RECV && s->state != LAI_TCP_CLOSE)
			reset_send(s);
		sim_socket_remove(s);
		sim_socket_bury(s);
	}
	sim_socket_remove(listener);
	sim_socket_bury(listener);
}

/* Takes the socket from its program. False: that was all there was to do. */
static bool close_begin(struct sim_socket *socket)
{
	sim_socket_detach(socket);
	socket->no_read = socket->no_write = true;
	if (socket->state == LAI_TCP_LISTEN)
		listener_close(socket);
	else if (socket->state == LAI_TCP_CLOSE)
		sim_socket_bury(socket);
	else if (socket->state == LAI_TCP_SYN_SENT)
		sim_close_done(socket, 0);
	else
		return true;
	return false;
}

void sim_close_socket(struct sim_socket *socket)
{
	bool unread = socket->received.used > 0;

	if (!close_begin(socket))
		return;
	sim_queue_done(&socket->received);
	if (unread) { /* RFC 2525 2.17: the peer is told that data was destroyed */
		reset_send(socket);
		sim_close_done(socket, 0);
	} else if (socket->state == LAI_TCP_FIN_WAIT2) {
		sim_close_fin_wait2(socket);
	} else {
		fin_queue(socket);
	}
}

void sim_close_abort(struct sim_socket *socket)
{
	bool unread = socket->received.used > 0;
	bool ending = socket->state == LAI_TCP_CLOSING || socket->state == LAI_TCP_LAST_ACK;

	if (!close_begin(socket))
		return;
	/* tcp_disconnect(): a FIN that is already out ends the connection well enough. */
	if (!ending || unread || !socket->fin_sent)
		reset_send(socket);
	sim_close_done(socket, 0);
}

bool sim_close_lingering(const struct sim_socket *socket)
{
	return socket->state == LAI_TCP_FIN_WAIT1 || socket->state == LAI_TCP_CLOSING ||
	       socket->state == LAI_TCP_LAST_ACK;
}
