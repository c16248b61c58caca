/* SPDX-License-Identifier: MIT */
/*
 * sim_output.c - what a connection sends.
 *
 *   iss+1        snd_una          snd_nxt        end = queue_seq + queue.used     end + 1
 *     |---acked-----|---in flight----|-----unsent--------|---------FIN--------------|
 *                   [ sent: one entry per segment ]
 */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RTO_MIN_NS (200 * LAI_MS) /* TCP_RTO_MIN */
#define WINDOW_UNIT 128u	  /* 1 << SIM_WINDOW_SCALE */
#define RESEND_BURST 2		  /* segments resent per ACK in recovery: doubles each round trip */
#define DUPLICATES 3u		  /* RFC 5681: the third duplicate ACK means a loss */

uint64_t sim_output_end(const struct sim_socket *socket)
{
	return socket->queue_seq + socket->queue.used;
}

uint64_t sim_output_unsent(const struct sim_socket *socket)
{
	return lai_time_since(socket->snd_nxt, sim_output_end(socket));
}

/* ---- one segment ------------------------------------------------------------------------- */

/*
 * The window to advertise: free space in units of the scale, nothing while less than a segment or
 * half the buffer is free (RFC 9293 3.8.6.2.2), and never less than was promised before.
 */
static uint32_t window_offer(const struct sim_socket *socket)
{
	uint64_t free_bytes = socket->receive_bytes_max > socket->received.used
				      ? socket->receive_bytes_max - socket->received.used
				      : 0;
	uint64_t worth = socket->receive_bytes_max / 2;

	if (free_bytes < lai_time_min(worth, LAI_SIM_MSS))
		free_bytes = 0;
	free_bytes -= free_bytes % WINDOW_UNIT;
	if (socket->rcv_nxt + free_bytes < socket->rcv_edge)
		free_bytes = socket->rcv_edge - socket->rcv_nxt;
	return (uint32_t)free_bytes;
}

static struct sim_segment *segment_of(struct sim_socket *socket, uint32_t flags, uint64_t seq,
				      size_t bytes)
{
	struct sim_segment *segment = sim_segment_new(socket->host->sim, bytes);

	if (!segment)
		return NULL;
	segment->source = socket->local;
	segment->target = socket->remote;
	segment->flags = flags;
	segment->seq = seq;
	segment->window = window_offer(socket);
	if (flags & SIM_ACK) {
		segment->ack = socket->rcv_nxt;
		socket->rcv_edge = socket->rcv_nxt + segment->window;
	}
	return segment;
}

/*
 * Over IPv6 a routing failure is remembered as a soft error: SO_ERROR hands it out while the
 * connection lives, or it is what a later time-out will be called. Over IPv4 it is not: measured on
 * 6.18 with routes, addresses and links taken away, a connection then dies of ETIMEDOUT.
 */
static void segment_send(struct sim_socket *socket, struct sim_segment *segment)
{
	int error = segment ? sim_path_send(socket->host, segment) : 0;

	if (error < 0 && lai_address_family(&socket->remote) == AF_INET6)
		socket->soft_error = ENETUNREACH;
}

void sim_output_control(struct sim_socket *socket, uint32_t flags, uint64_t seq)
{
	segment_send(socket, segment_of(socket, flags, seq, 0));
}

void sim_output_ack(struct sim_socket *socket)
{
	sim_output_control(socket, SIM_ACK, socket->snd_nxt);
}

/* tcp_cleanup_rbuf(): worth a segment when the window at least doubles. */
void sim_output_window(struct sim_socket *socket)
{
	uint64_t promised = socket->rcv_edge - socket->rcv_nxt;
	uint64_t offer = window_offer(socket);

	if (socket->no_read || socket->state == LAI_TCP_SYN_SENT || socket->state == LAI_TCP_CLOSE)
		return;
	if (promised * 2 <= socket->receive_bytes_max && offer && offer >= promised * 2)
		sim_output_ack(socket);
}

void sim_output_reply_reset(struct lai_sim_host *host, const struct sim_segment *segment)
{
	struct sim_segment *reset;

	if (segment->flags & (SIM_RST | SIM_ICMP))
		return;
	reset = sim_segment_new(host->sim, 0);
	if (!reset)
		return;
	reset->source = segment->target;
	reset->target = segment->source;
	reset->flags = SIM_RST;
	if (segment->flags & SIM_ACK) {
		reset->seq = segment->ack;
	} else {
		reset->flags |= SIM_ACK;
		reset->ack = segment->seq + segment->bytes + !!(segment->flags & SIM_SYN) +
			     !!(segment->flags & SIM_FIN);
	}
	(void)sim_path_send(host, reset);
}

/* Sends [seq, end) of the stream, data or the FIN. */
static void range_send(struct sim_socket *socket, uint64_t seq, uint64_t end)
{
	uint64_t data_end = lai_time_min(end, sim_output_end(socket));
	size_t bytes = data_end > seq ? (size_t)(data_end - seq) : 0;
	struct sim_segment *segment = segment_of(
		socket, end > sim_output_end(socket) ? SIM_ACK | SIM_FIN : SIM_ACK, seq, bytes);

	if (segment && bytes)
		memcpy(segment->data, sim_queue_front(&socket->queue) + (seq - socket->queue_seq),
		       bytes);
	segment_send(socket, segment);
}

/* ---- new data ---------------------------------------------------------------------------- */

/* How many sequence numbers may go out now as one segment: window, Nagle, silly windows. 0: none.
 */
static uint64_t output_next(const struct sim_socket *socket)
{
	uint64_t edge = socket->snd_una + socket->snd_wnd;
	uint64_t room = edge > socket->snd_nxt ? edge - socket->snd_nxt : 0;
	uint64_t unsent = sim_output_unsent(socket);
	uint64_t size = lai_time_min(lai_time_min(unsent, LAI_SIM_MSS), room);
	bool flying = socket->sent.used > 0;

	if (unsent == 0)
		return socket->fin_queued && !socket->fin_sent && room ? 1 : 0;
	if (flying && size < unsent && size < LAI_SIM_MSS)
		return 0;
	if (flying && size < LAI_SIM_MSS && !socket->no_delay && !socket->fin_queued)
		return 0;
	return size;
}

static bool output_allowed(const struct sim_socket *socket)
{
	return socket->state == LAI_TCP_ESTABLISHED || socket->state == LAI_TCP_CLOSE_WAIT ||
	       socket->state == LAI_TCP_FIN_WAIT1 || socket->state == LAI_TCP_CLOSING ||
	       socket->state == LAI_TCP_LAST_ACK;
}

void sim_output_push(struct sim_socket *socket)
{
	uint64_t size;

	if (!output_allowed(socket))
		return;
	while ((size = output_next(socket)) > 0) {
		struct sim_sent sent = {socket->snd_nxt + size, sim_host_now(socket->host), false};

		if (sim_queue_push(&socket->sent, &sent, sizeof(sent)) < 0)
			break; /* the probe timer below tries again */
		socket->fin_sent = sent.end > sim_output_end(socket);
		range_send(socket, socket->snd_nxt, sent.end);
		socket->snd_nxt = sent.end;
	}
	if (socket->unsent_bytes_max)
		sim_socket_notify(socket);
	if (socket->sent.used && socket->send_timer != SIM_RETRANSMIT)
		sim_timer_send(socket, SIM_RETRANSMIT, sim_timer_rto(socket));
	else if (!socket->sent.used && socket->send_timer == SIM_NO_TIMER &&
		 (sim_output_unsent(socket) || (socket->fin_queued && !socket->fin_sent)))
		sim_timer_send(socket, SIM_PROBE, sim_timer_rto(socket));
}

void sim_output_connect(struct sim_socket *socket)
{
	socket->state = LAI_TCP_SYN_SENT;
	socket->snd_una = socket->iss;
	socket->snd_nxt = socket->queue_seq = socket->iss + 1;
	sim_output_control(socket, SIM_SYN, socket->iss);
	sim_timer_send(socket, SIM_RETRANSMIT, socket->rto_ns);
}

/* ---- sending again ----------------------------------------------------------------------- */

/* Sends the first segment again that ends after `from`; returns its end, `from` if there is none.
 */
static uint64_t resend_after(struct sim_socket *socket, uint64_t from)
{
	struct sim_sent *sent = (void *)sim_queue_front(&socket->sent);
	size_t count = socket->sent.used / sizeof(*sent);
	uint64_t seq = socket->snd_una;

	for (size_t i = 0; i < count; seq = sent[i++].end) {
		if (sent[i].end <= from)
			continue;
		sent[i].again = true;
		socket->retransmits_total++;
		if (!socket->retransmitting_ns)
			socket->retransmitting_ns = sim_host_now(socket->host);
		range_send(socket, seq, sent[i].end);
		return sent[i].end;
	}
	return from;
}

void sim_output_resend(struct sim_socket *socket)
{
	socket->recover = socket->snd_nxt;
	socket->resend_next = resend_after(socket, socket->snd_una);
}

void sim_output_duplicate(struct sim_socket *socket)
{
	if (socket->sent.used && ++socket->duplicate_acks == DUPLICATES &&
	    socket->snd_una >= socket->recover)
		sim_output_resend(socket);
}

/* RFC 6298 (2.2), (2.3). */
void sim_output_rtt(struct sim_socket *socket, uint64_t rtt_ns)
{
	uint64_t off_ns;

	if (!socket->srtt_ns) {
		socket->srtt_ns = rtt_ns;
		socket->rttvar_ns = rtt_ns / 2;
	} else {
		off_ns = rtt_ns > socket->srtt_ns ? rtt_ns - socket->srtt_ns
						  : socket->srtt_ns - rtt_ns;
		socket->rttvar_ns = (3 * socket->rttvar_ns + off_ns) / 4;
		socket->srtt_ns = (7 * socket->srtt_ns + rtt_ns) / 8;
	}
	/* Linux: the variation counts for at least RTO_MIN. */
	off_ns = 4 * socket->rttvar_ns;
	socket->rto_ns = lai_time_min(socket->srtt_ns + (off_ns > RTO_MIN_NS ? off_ns : RTO_MIN_NS),
				      sim_timer_rto_max(socket));
}

static void sent_acknowledged(struct sim_socket *socket, uint64_t ack)
{
	while (socket->sent.used) {
		struct sim_sent *sent = (void *)sim_queue_front(&socket->sent);

		if (sent->end > ack)
			break;
		if (!sent->again)
			sim_output_rtt(socket,
				       lai_time_since(sent->at_ns, sim_host_now(socket->host)));
		sim_queue_drop(&socket->sent, sizeof(*sent));
	}
}

static void marks_acknowledged(struct sim_socket *socket, uint64_t ack)
{
	while (socket->marks.used) {
		uint64_t *mark = (void *)sim_queue_front(&socket->marks);

		if (*mark > ack)
			break;
		sim_queue_drop(&socket->marks, sizeof(*mark));
		socket->acked = socket->acked || !socket->host->lose_acked;
	}
}

/* The peer has acknowledged up to ack, snd_una < ack <= snd_nxt. */
void sim_output_acknowledged(struct sim_socket *socket, uint64_t ack)
{
	uint64_t end = sim_output_end(socket);
	uint64_t data_ack = lai_time_min(ack, end);

	sent_acknowledged(socket, ack);
	socket->fin_acked = socket->fin_sent && ack > end;
	if (data_ack > socket->queue_seq) {
		sim_queue_drop(&socket->queue, (size_t)(data_ack - socket->queue_seq));
		socket->queue_seq = data_ack;
	}
	socket->snd_una = ack;
	socket->backoff = socket->retransmits = socket->duplicate_acks = 0;
	socket->retransmitting_ns = 0;
	marks_acknowledged(socket, ack);
	if (socket->resend_next < ack)
		socket->resend_next = ack;
	for (int i = 0; ack < socket->recover && i < RESEND_BURST; i++)
		if (socket->resend_next < socket->recover)
			socket->resend_next = resend_after(socket, socket->resend_next);
	sim_timer_send(socket, socket->sent.used ? SIM_RETRANSMIT : SIM_NO_TIMER, socket->rto_ns);
	sim_socket_notify(socket);
}
