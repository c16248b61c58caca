/* SPDX-License-Identifier: MIT */
/*
 * linger_zero_loses.c - what becomes of data when its sender closes with SO_LINGER {1, 0}: of what
 * the other kernel has, of what is still queued, and of what was lost on the way.
 *
 *	server: send() ... [its queue] ... wire ... [client's queue] ... recv() :client
 *	                   thrown away   not again   stays readable
 */
#include "lab/claims/shared_queue.h"
#include "lab/claims/shared_talk.h"

#include <unistd.h>

#define SMALL_BYTES 4000
#define WAIT_NS (5 * LAI_S)

/* What the client got, and how it ended. */
struct got {
	size_t sent;
	struct lai_call read;
};

static void close_hard(struct lai_trial *trial, struct lai_pair *pair)
{
	lai_call_linger(trial, pair->server, true, 0);
	(void)lai_call_close(pair->server);
	pair->server = -1;
	/* For the record of states: it is in no table any more. */
	(void)lai_gauge_state(trial, trial->server, &pair->at_server);
}

/* The RST has to be there before the client reads, or it would show nothing. */
static void await_reset(struct lai_trial *trial, const struct lai_pair *pair)
{
	struct lai_captured found;
	size_t next = 0;

	if (trial->captures[0] &&
	    !lai_capture_await(trial->captures[0], &next, &pair->at_server.local, LAI_FLAG_RST, 0,
			       WAIT_NS, &found))
		lai_trial_fail(trial, "no RST was on the wire after SO_LINGER {1, 0} and close()");
	(void)lai_gauge_await(trial, trial->client, &pair->at_client, LAI_TCP_NONE, WAIT_NS);
}

static void say_got(struct lai_trial *trial, const char *what, const struct got *got)
{
	lai_trial_say(trial, "%s: %zu bytes sent, %zu read, then %s", what, got->sent,
		      got->read.bytes, lai_queue_end(&got->read));
}

/* (a) Everything is in the client's receive queue before the RST. */
static struct got received(struct lai_trial *trial)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct got got = {.sent = lai_call_send(pair.server, SMALL_BYTES, WAIT_NS).bytes};

	lai_queue_await_unread(trial, trial->client, &pair.at_client, SMALL_BYTES);
	close_hard(trial, &pair);
	await_reset(trial, &pair);
	got.read = lai_call_receive_all(pair.client, WAIT_NS);
	say_got(trial, "received, not read yet, then SO_LINGER {1, 0}", &got);
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
	return got;
}

/* (b) Most of it is in the server's send queue. hard: SO_LINGER {1, 0}; otherwise plain close(). */
static struct got queued(struct lai_trial *trial, bool hard, struct lai_backlog *backlog)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct got got = {0};

	*backlog = lai_queue_fill(trial, trial->server, pair.server, &pair.at_server);
	got.sent = backlog->written;
	if (hard) {
		close_hard(trial, &pair);
		await_reset(trial, &pair);
	} else {
		(void)lai_call_close(pair.server);
		pair.server = -1;
	}
	got.read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(trial, "queued: %zu bytes not acknowledged at close()", backlog->unacked);
	say_got(trial, hard ? "queued, SO_LINGER {1, 0}" : "queued, plain close()", &got);
	lai_pair_close(&pair);
	return got;
}

/* (c) It was sent, but its segment is lost: a sender that lives on sends it again. */
static struct got lost(struct lai_trial *trial, bool hard)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct got got = {0};

	lai_queue_deafen(trial, pair.client, true);
	got.sent = lai_call_send(pair.server, SMALL_BYTES, WAIT_NS).bytes;
	if (!hard)
		(void)lai_call_close(pair.server);
	else
		close_hard(trial, &pair);
	pair.server = -1;
	if (hard)
		await_reset(trial, &pair);
	lai_queue_deafen(trial, pair.client, false);
	got.read = lai_call_receive_all(pair.client, WAIT_NS);
	say_got(trial,
		hard ? "lost on the way, SO_LINGER {1, 0}" : "lost on the way, plain close()",
		&got);
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
	return got;
}

/* (d) Half close first, and SO_LINGER {1, 0} when the other kernel has acknowledged the FIN. */
static struct got shut_first(struct lai_trial *trial)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct got got = {.sent = lai_call_send(pair.server, SMALL_BYTES, WAIT_NS).bytes};

	(void)shutdown(pair.server, SHUT_WR);
	lai_gauge_need(trial, trial->server, &pair.at_server, LAI_TCP_FIN_WAIT2);
	close_hard(trial, &pair);
	await_reset(trial, &pair);
	got.read = lai_call_receive_all(pair.client, WAIT_NS);
	say_got(trial, "shutdown(SHUT_WR), FIN acknowledged, then SO_LINGER {1, 0}", &got);
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
	return got;
}

static bool whole(const struct got *got)
{
	return got->read.bytes == got->sent && got->sent > 0;
}

static void run(struct lai_trial *trial)
{
	struct lai_backlog backlog = {0}, plain_backlog = {0};
	struct got at_peer = received(trial);
	struct got in_queue = queued(trial, true, &backlog);
	struct got on_way = lost(trial, true);
	struct got after_fin = shut_first(trial);
	struct got plain = queued(trial, false, &plain_backlog);
	struct got plain_lost = lost(trial, false);
	unsigned kept_there = whole(&at_peer) + whole(&after_fin);
	unsigned kept_here = whole(&in_queue) + whole(&on_way);
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	lai_trial_number(trial, "received before, read after", "bytes", (double)at_peer.read.bytes);
	lai_trial_number(trial, "written, queue full", "bytes", (double)in_queue.sent);
	lai_trial_number(trial, "not acknowledged at close", "bytes", (double)backlog.unacked);
	lai_trial_number(trial, "read after", "bytes", (double)in_queue.read.bytes);
	lai_trial_control(trial,
			  whole(&plain) && !plain.read.error && whole(&plain_lost) &&
				  !plain_lost.read.error,
			  "with a plain close() all of it arrives: %zu of %zu queued bytes and %zu "
			  "of %zu lost once, then %s",
			  plain.read.bytes, plain.sent, plain_lost.read.bytes, plain_lost.sent,
			  lai_queue_end(&plain.read));
	if (kept_here == 0)
		verdict = kept_there == 2   ? LAI_LAB_DEPENDS
			  : kept_there == 0 ? LAI_LAB_CONFIRMED
					    : verdict;
	else if (kept_here == 2 && kept_there == 2)
		verdict = LAI_LAB_REFUTED;
	lai_trial_conclude(
		trial, verdict,
		"%sWith the receiver already: %zu of %zu bytes are read, then %s. In "
		"the sender's queue: of %zu bytes written %zu were not acknowledged, %zu are read, "
		"then %s. Lost on the way and not sent again: %zu of %zu. After shutdown(SHUT_WR) "
		"and the FIN's ACK: %zu of %zu, then %s",
		verdict == LAI_LAB_DEPENDS ? "on where it is. " : "", at_peer.read.bytes,
		at_peer.sent, lai_queue_end(&at_peer.read), in_queue.sent, backlog.unacked,
		in_queue.read.bytes, lai_queue_end(&in_queue.read), on_way.read.bytes, on_way.sent,
		after_fin.read.bytes, after_fin.sent, lai_queue_end(&after_fin.read));
}

const struct lai_claim lai_claim_linger_zero_loses = {
	.id = "linger-zero-loses",
	.claim = "Closing with SO_LINGER {1, 0} destroys what was sent.",
	.said = "those who recommend SO_LINGER with a time of 0 against TIME_WAIT, and those who "
		"warn that it discards data",
	.decides = "RFC 9293 3.10.5 (ABORT); tcp_disconnect(), called by __tcp_close() in "
		   "net/ipv4/tcp.c, throws the send queue away and sends RST; tcp_reset() of the "
		   "receiver in net/ipv4/tcp_input.c leaves the receive queue alone (RFC 9293 "
		   "3.10.7.4 would flush it)",
	.setup = "client ---- server; the server sends and closes; a lost segment is made by a "
		 "socket filter at the client that lets only RSTs through",
	.procedure =
		"The server closes with SO_LINGER {1, 0} when (a) 4000 bytes wait unread in the "
		"client's queue, (b) its own queue is full and the window shut, (c) 4000 bytes "
		"were sent and lost, (d) it has called shutdown(SHUT_WR) and the FIN is "
		"acknowledged. When the RST has arrived the client reads to the end.",
	.outcome = "What the other kernel has received stays readable, and ECONNRESET comes after "
		   "it. What is queued, or was lost and has to be sent again, is gone. Nothing of "
		   "what we sent is lost if our FIN has been acknowledged before; what the peer "
		   "still sends is reset away.",
	.control = "The same full queue and the same lost segment with a plain close(): everything "
		   "arrives, then EOF.",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
