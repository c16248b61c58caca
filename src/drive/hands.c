/* SPDX-License-Identifier: MIT */
#include "drive/hands.h"
#include "conn/cause.h"

#include <errno.h>
#include <stdio.h>

/* A hurried keepalive fails after this part of the time in which a peer is dead anyway. */
#define HURRY_PART 4

void lai_hands_init(struct lai_hands *hands, struct lai_net *net, const struct lai_conn *conn,
		    const struct lai_hands_ops *ops, void *owner)
{
	*hands = (struct lai_hands){
		.net = net, .conn = conn, .ops = ops, .owner = owner, .socket = -1};
}

static void hold(struct lai_hands *hands, int socket, uint32_t watched,
		 const struct lai_address *remote)
{
	hands->socket = socket;
	hands->watched = watched;
	hands->remote = *remote;
	hands->send_blocked = hands->tls_failed = false;
	hands->why[0] = '\0';
}

void lai_hands_connected(struct lai_hands *hands, int socket, const struct lai_address *local,
			 const struct lai_address *remote)
{
	hold(hands, socket, LAI_WRITABLE, remote);
	hands->local = *local;
}

void lai_hands_accepted(struct lai_hands *hands, int socket, const struct lai_address *remote,
			const struct lai_address *listener, struct la_report *report)
{
	struct lai_address ignored;

	hold(hands, socket, LAI_READABLE, remote);
	/* A peer that has reset the connection already has no name; accept() told it. */
	if (LAI_NET(hands, names, socket, &hands->local, &ignored) != 0)
		hands->local = *listener;
	(void)lai_address_format(report->local, &hands->local);
	(void)lai_address_format(report->remote, &hands->remote);
}

/* ---- news ------------------------------------------------------------------------------- */

void lai_hands_look(struct lai_hands *hands)
{
	struct lai_view view;
	int status = LAI_NET(hands, view, hands->socket, &view);

	if (status == 0)
		hands->ops->on_view(hands->owner, &view, lai_net_now(hands->net));
	else /* blind: no deadline could ever be judged */
		hands->ops->on_error(hands->owner, -status, lai_net_now(hands->net));
}

/* What TLS has against it is known as long as the socket is there. */
static void note_why(struct lai_hands *hands, int error)
{
	const char *why;

	if (error != EPROTO && error != EKEYREJECTED)
		return;
	hands->tls_failed = true;
	why = LAI_NET(hands, why, hands->socket);
	(void)snprintf(hands->why, sizeof(hands->why), "%s", why ? why : "");
}

/* What the kernel knows of acknowledged bytes is final now: first the view, then the error. */
void lai_hands_fail(struct lai_hands *hands, int error)
{
	struct lai_view view = {.tcp_state = LAI_TCP_CLOSE};

	note_why(hands, error);
	if (LAI_NET(hands, view, hands->socket, &view) == 0)
		hands->ops->on_view(hands->owner, &view, lai_net_now(hands->net));
	if (!lai_cause_is_soft(error, view.tcp_state))
		hands->ops->on_error(hands->owner, error, lai_net_now(hands->net));
}

void lai_hands_on_no_bytes(struct lai_hands *hands, ssize_t status)
{
	if (status == 0) {
		lai_hands_look(hands); /* the state in which the FIN found us is for the report */
		hands->ops->on_fin(hands->owner, lai_net_now(hands->net));
	} else if (status != -EAGAIN && status != -EINTR) {
		lai_hands_fail(hands, (int)-status);
	}
}

/* Both directions are over, without an error to fetch: proper if our FIN is acknowledged. */
static void hang_up(struct lai_hands *hands)
{
	struct lai_view view;

	if (LAI_NET(hands, view, hands->socket, &view) != 0)
		return;
	hands->ops->on_view(hands->owner, &view, lai_net_now(hands->net));
	if (!lai_conn_over(hands->conn) && view.tcp_state == LAI_TCP_CLOSE)
		hands->ops->on_error(hands->owner, ECONNRESET, lai_net_now(hands->net));
}

void lai_hands_on_ready(struct lai_hands *hands, uint32_t events)
{
	int error;

	if (!(events & (LAI_ERROR | LAI_HANGUP)) || lai_conn_over(hands->conn))
		return;
	/* The error that recv() brought is gone: what hangs up now is its consequence. */
	if (hands->conn->report.error)
		return;
	error = LAI_NET(hands, error, hands->socket);
	if (error != 0)
		lai_hands_fail(hands, error);
	else if (events & LAI_HANGUP)
		hang_up(hands);
}

/* ---- actions ---------------------------------------------------------------------------- */

static void why_silent(struct lai_hands *hands)
{
	int error = LAI_NET(hands, why_silent, &hands->local, &hands->remote, hands->device);

	hands->ops->on_why_silent(hands->owner, -error, lai_net_now(hands->net));
}

/* A connection that an RST has just ended says ENOTCONN here, and the reason only when asked. */
static void send_fin(struct lai_hands *hands)
{
	int error = -LAI_NET(hands, shutdown, hands->socket), reason;

	if (error == 0 || lai_conn_over(hands->conn))
		return;
	reason = LAI_NET(hands, error, hands->socket);
	lai_hands_fail(hands, reason ? reason : error);
}

void lai_hands_end(struct lai_hands *hands, unsigned how)
{
	if (how & LAI_CONN_ABORT)
		LAI_NET(hands, abort, hands->socket);
	else if (how & LAI_CONN_LINGER)
		LAI_NET(hands, linger, hands->socket, hands->linger_ns);
	else
		LAI_NET(hands, close, hands->socket);
	hands->socket = -1;
}

void lai_hands_carry_out(struct lai_hands *hands, unsigned actions)
{
	if ((actions & LAI_CONN_LOOK) && !lai_conn_over(hands->conn))
		lai_hands_look(hands);
	if (actions & LAI_CONN_WHY_SILENT)
		why_silent(hands);
	if (actions & LAI_CONN_READ_REST)
		hands->ops->read_rest(hands->owner);
	if (actions & LAI_CONN_HURRY)
		LAI_NET(hands, hurry, hands->socket, hands->conn->limits.dead_ns / HURRY_PART);
	if (actions & LAI_CONN_CALM)
		LAI_NET(hands, hurry, hands->socket, 0);
	if (actions & LAI_CONN_SEND_FIN)
		send_fin(hands);
	if (actions & (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT))
		hands->ops->end(hands->owner, actions);
}

/* ---- bytes ------------------------------------------------------------------------------ */

size_t lai_hands_send(struct lai_hands *hands, const struct iovec *iov, int count, unsigned flags)
{
	ssize_t size = LAI_NET(hands, send, hands->socket, iov, count, flags);

	if (size == -EAGAIN)
		hands->send_blocked = true;
	else if (size < 0 && size != -EINTR)
		lai_hands_fail(hands, (int)-size);
	return size > 0 ? (size_t)size : 0;
}

void lai_hands_watch(struct lai_hands *hands, uint32_t events)
{
	if (hands->socket >= 0 && events != hands->watched &&
	    LAI_NET(hands, watch, hands->socket, events) == 0)
		hands->watched = events;
}
