/* SPDX-License-Identifier: MIT */
/*
 * sim_tcp.c - what an arriving segment does to a connection (RFC 9293 3.10.7, as Linux does it).
 *
 *   segment --> TIME_WAIT        remembers, and gives way to a new SYN
 *           --> LISTEN           a SYN makes a child
 *           --> SYN_SENT         an answer, a refusal, a ghost's challenge, a simultaneous open
 *           --> SYN_RECV         the last ACK
 *           --> the others       acceptable? RST, SYN, ACK, data, FIN, in this order
 *           --> nobody           RST
 */
#include "io/sim/sim_internal.h"

#include <errno.h>

#define SYN_AGAIN_NS (8 * LAI_MS) /* TCP_TIMEOUT_MIN, two ticks at 250 Hz */

static void socket_heard(struct sim_socket *socket)
{
	socket->heard_ns = socket->heard_ack_ns = sim_host_now(socket->host);
	socket->probes = 0;
	socket->soft_error = 0;
}

/* ---- the handshake ----------------------------------------------------------------------- */

static bool accept_full(const struct sim_socket *listener)
{
	return listener->accept_count > listener->backlog;
}

static void accept_queue(struct sim_socket *listener, struct sim_socket *child)
{
	if (listener->accept_last)
		listener->accept_last->accept_next = child;
	else
		listener->accept_first = child;
	listener->accept_last = child;
	listener->accept_count++;
	sim_socket_notify(listener);
}

static void peer_begins(struct sim_socket *socket, const struct sim_segment *syn)
{
	socket->irs = syn->seq;
	socket->rcv_nxt = socket->rcv_edge = syn->seq + 1;
	socket->snd_wl1 = syn->seq;
	socket->snd_wnd = syn->window;
}

static void establish(struct sim_socket *socket, const struct sim_segment *segment)
{
	socket->state = LAI_TCP_ESTABLISHED;
	socket->snd_una = socket->iss + 1;
	socket->snd_wnd = segment->window;
	socket->backoff = socket->retransmits = 0;
	socket->retransmitting_ns = 0;
	if (socket->retransmits_total == 0) /* until now, heard_ns is when the socket was made */
		sim_output_rtt(socket,
			       lai_time_since(socket->heard_ns, sim_host_now(socket->host)));
	socket_heard(socket);
	sim_timer_send(socket, SIM_NO_TIMER, 0);
	sim_timer_pace(socket);
	if (socket->listener)
		accept_queue(socket->listener, socket);
	else
		sim_socket_notify(socket);
}

static void listener_arrive(struct sim_socket *listener, const struct sim_segment *segment)
{
	struct sim_socket *child;

	if (segment->flags & SIM_RST)
		return;
	if (segment->flags & SIM_ACK) {
		sim_output_reply_reset(listener->host, segment);
		return;
	}
	if (!(segment->flags & SIM_SYN) || accept_full(listener))
		return;
	child = sim_socket_new(listener->host);
	if (!child)
		return;
	child->local = segment->target;
	child->remote = segment->source;
	child->bound = child->reuse = true;
	child->listener = listener;
	child->keepalive_ns = listener->keepalive_ns;
	child->mapped = lai_address_family(&listener->local) != lai_address_family(&child->local);
	child->state = LAI_TCP_SYN_RECV;
	child->snd_una = child->iss;
	child->snd_nxt = child->queue_seq = child->iss + 1;
	peer_begins(child, segment);
	sim_socket_insert(child);
	sim_output_control(child, SIM_SYN | SIM_ACK, child->iss);
	sim_timer_send(child, SIM_RETRANSMIT, child->rto_ns);
}

static void syn_sent_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	bool acked = (segment->flags & SIM_ACK) && segment->ack == socket->snd_nxt;

	if ((segment->flags & SIM_ACK) && !acked) {
		/* A ghost of this tuple answers: RST kills it, and the SYN follows at once. */
		if (segment->flags & SIM_RST)
			return;
		if (socket->retransmits == 0)
			sim_timer_send(socket, SIM_RETRANSMIT, SYN_AGAIN_NS);
		sim_output_reply_reset(socket->host, segment);
		return;
	}
	if (segment->flags & SIM_RST) {
		if (acked)
			sim_close_done(socket, ECONNREFUSED);
		return;
	}
	if (!(segment->flags & SIM_SYN))
		return;
	peer_begins(socket, segment);
	if (acked) {
		establish(socket, segment);
		sim_output_ack(socket);
	} else { /* both sides called each other, or this one itself */
		socket->state = LAI_TCP_SYN_RECV;
		sim_output_control(socket, SIM_SYN | SIM_ACK, socket->iss);
	}
}

/* True: established, and the segment is to be looked at once more. */
static bool syn_recv_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	bool acked = (segment->flags & SIM_ACK) && segment->ack == socket->snd_nxt;

	if (segment->flags & SIM_RST) {
		if (segment->seq == socket->rcv_nxt)
			sim_close_done(socket, ECONNREFUSED);
		return false;
	}
	if ((segment->flags & SIM_SYN) && !acked) {
		sim_output_control(socket, SIM_SYN | SIM_ACK, socket->iss);
		return false;
	}
	if (!acked) {
		if (segment->flags & SIM_ACK)
			sim_output_reply_reset(socket->host, segment);
		return false;
	}
	if (socket->listener && accept_full(socket->listener))
		return false;
	establish(socket, segment);
	if (segment->flags & SIM_SYN)
		sim_output_ack(socket);
	return !(segment->flags & SIM_SYN);
}

/* ---- TIME_WAIT --------------------------------------------------------------------------- */

static void time_wait_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	struct lai_sim_host *host = socket->host;
	bool newer = !host->no_timestamps || segment->seq >= socket->rcv_nxt;
	struct sim_socket *listener;

	if (segment->flags & SIM_RST) {
		if (segment->seq == socket->rcv_nxt)
			sim_close_done(socket, 0);
		return;
	}
	if ((segment->flags & (SIM_SYN | SIM_ACK)) == SIM_SYN && newer) {
		listener = sim_socket_listener(host, &segment->target);
		if (listener) {
			sim_close_done(socket, 0);
			listener_arrive(listener, segment);
			return;
		}
	}
	/* The last ACK was lost, or something old comes along. */
	if (segment->bytes || (segment->flags & (SIM_SYN | SIM_FIN)) ||
	    segment->seq != socket->rcv_nxt)
		sim_output_ack(socket);
	if (segment->flags & SIM_FIN)
		sim_close_time_wait(socket);
}

/* ---- synchronised states ----------------------------------------------------------------- */

/* RFC 5961 3.2: only an exact RST counts; one elsewhere in the window is challenged. */
static void reset_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	bool before_fin = socket->got_fin && segment->seq + 1 == socket->rcv_nxt;

	if (segment->seq == socket->rcv_nxt || before_fin)
		sim_close_done(socket, socket->state == LAI_TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
	else if (segment->seq > socket->rcv_nxt && segment->seq < socket->rcv_edge)
		sim_output_ack(socket);
}

static void window_update(struct sim_socket *socket, const struct sim_segment *segment, bool newer)
{
	if (!newer && segment->seq <= socket->snd_wl1 &&
	    !(segment->seq == socket->snd_wl1 &&
	      (segment->window > socket->snd_wnd || segment->window == 0)))
		return;
	socket->snd_wl1 = segment->seq;
	socket->snd_wnd = segment->window;
	if (socket->send_timer == SIM_PROBE && socket->snd_wnd > 0) {
		socket->probing_ns = 0;
		socket->backoff = 0;
		sim_timer_send(socket, SIM_NO_TIMER, 0);
	}
}

static void ack_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	bool newer = segment->ack > socket->snd_una;

	if (segment->ack < socket->snd_una)
		return;
	socket_heard(socket);
	if (newer)
		sim_output_acknowledged(socket, segment->ack);
	else if (!segment->bytes && !(segment->flags & SIM_FIN) &&
		 segment->window == socket->snd_wnd)
		sim_output_duplicate(socket);
	window_update(socket, segment, newer);
	sim_output_push(socket);
	if (!socket->fin_acked)
		return;
	if (socket->state == LAI_TCP_FIN_WAIT1)
		sim_close_fin_wait2(socket);
	else if (socket->state == LAI_TCP_CLOSING)
		sim_close_time_wait(socket);
	else if (socket->state == LAI_TCP_LAST_ACK)
		sim_close_done(socket, 0);
}

static void fin_arrive(struct sim_socket *socket)
{
	socket->got_fin = socket->no_read = true;
	if (socket->state == LAI_TCP_ESTABLISHED)
		socket->state = LAI_TCP_CLOSE_WAIT;
	else if (socket->state == LAI_TCP_FIN_WAIT1)
		socket->state = LAI_TCP_CLOSING;
	else if (socket->state == LAI_TCP_FIN_WAIT2)
		sim_close_time_wait(socket);
}

/* Takes what is next in the stream out of a segment that begins at or before it. */
static void data_take(struct sim_socket *socket, const struct sim_segment *segment)
{
	uint64_t skip = socket->rcv_nxt - segment->seq;
	uint64_t bytes, room = socket->rcv_edge - socket->rcv_nxt;
	bool fin = segment->flags & SIM_FIN;

	if (socket->got_fin || skip > segment->bytes)
		return;
	bytes = segment->bytes - skip;
	if (bytes > room) {
		bytes = room;
		fin = false;
	}
	if (sim_queue_push(&socket->received, segment->data + skip, (size_t)bytes) < 0)
		return;
	socket->rcv_nxt += bytes;
	if (!fin)
		return;
	socket->rcv_nxt++;
	fin_arrive(socket);
}

/* Keeps a segment beyond a hole. False: it is not wanted. */
static bool early_keep(struct sim_socket *socket, struct sim_segment *segment)
{
	struct sim_segment **place = &socket->early;

	if (segment->seq + segment->bytes > socket->rcv_edge)
		return false;
	while (*place && (*place)->seq < segment->seq)
		place = &(*place)->next;
	if (*place && (*place)->seq == segment->seq && (*place)->bytes >= segment->bytes)
		return false;
	segment->next = *place;
	*place = segment;
	return true;
}

static void early_take(struct sim_socket *socket)
{
	while (socket->early && socket->early->seq <= socket->rcv_nxt) {
		struct sim_segment *segment = socket->early;

		socket->early = segment->next;
		data_take(socket, segment);
		sim_segment_free(socket->host->sim, segment);
	}
}

/* True: the segment has been kept. */
static bool data_arrive(struct sim_socket *socket, struct sim_segment *segment)
{
	bool kept = false;

	if (segment->bytes == 0 && !(segment->flags & SIM_FIN))
		return false;
	if (socket->fd < 0 && !socket->listener && !socket->got_fin &&
	    segment->seq + segment->bytes > socket->rcv_nxt) {
		/* Nobody will ever read this: RFC 9293 3.10.7.4, tcp_rcv_state_process(). */
		sim_output_reply_reset(socket->host, segment);
		sim_close_done(socket, ECONNRESET);
		return false;
	}
	if (segment->seq > socket->rcv_nxt) {
		kept = early_keep(socket, segment);
	} else {
		data_take(socket, segment);
		early_take(socket);
	}
	sim_output_ack(socket);
	sim_socket_notify(socket);
	return kept;
}

/* True: the segment has been kept. */
static bool synchronised_arrive(struct sim_socket *socket, struct sim_segment *segment)
{
	uint64_t end = segment->seq + segment->bytes + !!(segment->flags & SIM_FIN);

	if (segment->flags & SIM_RST) {
		reset_arrive(socket, segment);
		return false;
	}
	if (end < socket->rcv_nxt || segment->seq > socket->rcv_edge ||
	    (segment->flags & SIM_SYN) || segment->ack > socket->snd_nxt) {
		sim_output_ack(socket); /* old, beyond the window, or a challenge (RFC 5961 4.2) */
		return false;
	}
	if (!(segment->flags & SIM_ACK))
		return false;
	ack_arrive(socket, segment);
	return socket->state != LAI_TCP_CLOSE && socket->state != LAI_TCP_TIME_WAIT &&
	       data_arrive(socket, segment);
}

/* ---- the door ---------------------------------------------------------------------------- */

static bool socket_arrive(struct sim_socket *socket, struct sim_segment *segment)
{
	switch (socket->state) {
	case LAI_TCP_LISTEN: listener_arrive(socket, segment); return false;
	case LAI_TCP_SYN_SENT: syn_sent_arrive(socket, segment); return false;
	case LAI_TCP_TIME_WAIT: time_wait_arrive(socket, segment); return false;
	case LAI_TCP_SYN_RECV:
		return syn_recv_arrive(socket, segment) && synchronised_arrive(socket, segment);
	default: return synchronised_arrive(socket, segment);
	}
}

/* ICMP ends an attempt; an established connection is not impressed. */
static void icmp_arrive(struct sim_socket *socket, const struct sim_segment *segment)
{
	if (socket && socket->state == LAI_TCP_SYN_SENT && segment->ack == socket->iss)
		sim_close_done(socket, segment->icmp_error);
}

void sim_tcp_arrive(struct lai_sim_host *host, struct sim_segment *segment)
{
	struct sim_socket *socket = sim_socket_find(host, &segment->target, &segment->source);
	bool kept = false;

	if (segment->flags & SIM_ICMP) {
		icmp_arrive(socket, segment);
	} else {
		if (!socket)
			socket = sim_socket_listener(host, &segment->target);
		if (socket)
			kept = socket_arrive(socket, segment);
		else
			sim_output_reply_reset(host, segment);
	}
	if (!kept)
		sim_segment_free(host->sim, segment);
}
