/* SPDX-License-Identifier: MIT */
/*
 * Three connections whose peer has sent its FIN, and our program does nothing:
 *
 *	plain	CLOSE_WAIT, no timer           peer: closed, FIN_WAIT2 with a timer
 *	probed	CLOSE_WAIT, keepalive          peer: the same
 *	held	CLOSE_WAIT, keepalive          peer: FIN_WAIT2, half closed and held by its program
 */
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

/* tcp_fin_timeout of the peer: one probe is answered before, the next is not. */
#define FIN_TIMEOUT_S 2
/* The shortest that TCP_KEEPIDLE and TCP_KEEPINTVL take. */
#define KEEPALIVE_S 1
#define KEEPALIVE_PROBES 5
/* Two probes after the peer's half is gone would do. */
#define END_WAIT_NS (10 * LAI_S)
#define ACK_WAIT_NS (LAI_S / 2)
#define SEND_BYTES 1000
#define SEND_WAIT_NS (2 * LAI_S)

enum which { PLAIN, PROBED, HELD, COUNT };

struct run {
	struct lai_pair pairs[COUNT];
	struct lai_socket_fact facts[COUNT]; /* our end, when the peer's FIN had come */
	size_t mark;
	uint64_t began_ns; /* when the peer sent its FINs */
	bool probed_ended, probed_stays, plain_stays, held_stays;
	double ended_ms; /* probed: from the peer's FIN */
};

static const char *const names[COUNT] = {"plain", "with keepalive", "with keepalive, peer held"};

static void keepalive_on(struct lai_trial *trial, int fd)
{
	lai_call_option(trial, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	lai_call_option(trial, fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
	lai_call_option(trial, fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
	lai_call_option(trial, fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* Opens all three, and lets the peer send its FINs. */
static void run_begin(struct lai_trial *trial, struct run *run)
{
	lai_host_set_number(trial, trial->server, "net.ipv4.tcp_fin_timeout", FIN_TIMEOUT_S);
	for (size_t i = 0; i < COUNT; i++)
		run->pairs[i] = lai_pair_open(trial, NULL);
	keepalive_on(trial, run->pairs[PROBED].client);
	keepalive_on(trial, run->pairs[HELD].client);
	run->mark = lai_talk_mark(trial);
	run->began_ns = lai_clock_now();
	(void)shutdown(run->pairs[HELD].server, SHUT_WR);
	for (size_t i = PLAIN; i < HELD; i++) {
		(void)lai_call_close(run->pairs[i].server);
		run->pairs[i].server = -1;
	}
	for (size_t i = 0; i < COUNT; i++) {
		lai_gauge_need(trial, trial->client, &run->pairs[i].at_client, LAI_TCP_CLOSE_WAIT);
		(void)lai_gauge_find(trial, trial->client, &run->pairs[i].at_client,
				     &run->facts[i]);
		lai_trial_say(trial, "%s: CLOSE_WAIT, timer %s, %u ms", names[i],
			      lai_gauge_timer(&run->facts[i]), run->facts[i].timer_ms);
	}
}

/* The ACK of a FIN may be delayed (40 ms, 200 at most), and with it the sender's FIN_WAIT2. */
static void peers_await(struct lai_trial *trial, const struct run *run)
{
	for (size_t i = 0; i < COUNT; i++)
		(void)lai_gauge_await(trial, trial->server, &run->pairs[i].at_server,
				      LAI_TCP_FIN_WAIT2, ACK_WAIT_NS);
}

/* The peer's end of the plain connection, which no program holds, is what has a timer. */
static void peer_say(struct lai_trial *trial, const struct run *run)
{
	struct lai_socket_fact peer;

	if (lai_gauge_find(trial, trial->server, &run->pairs[PLAIN].at_server, &peer))
		lai_trial_say(trial, "the peer of the plain one: %s, timer %s, %u ms",
			      lai_gauge_state_name(peer.state), lai_gauge_timer(&peer),
			      peer.timer_ms);
	else
		lai_trial_say(trial, "the peer of the plain one: in no table any more");
}

/* Waits until what can end has ended. */
static void run_await(struct lai_trial *trial, struct run *run)
{
	struct lai_socket_fact fact;

	run->probed_ended = lai_gauge_await(trial, trial->client, &run->pairs[PROBED].at_client,
					    LAI_TCP_NONE, END_WAIT_NS);
	run->ended_ms = (double)(lai_clock_now() - run->began_ns) / LAI_MS;
	run->probed_stays = run->facts[PROBED].timer == LAI_TIMER_KEEPALIVE &&
			    lai_gauge_state(trial, trial->client, &run->pairs[PROBED].at_client) ==
				    LAI_TCP_CLOSE_WAIT;
	(void)lai_gauge_await(trial, trial->server, &run->pairs[PLAIN].at_server, LAI_TCP_NONE,
			      END_WAIT_NS);
	run->held_stays = lai_gauge_state(trial, trial->client, &run->pairs[HELD].at_client) ==
			  LAI_TCP_CLOSE_WAIT;
	run->plain_stays =
		lai_gauge_find(trial, trial->client, &run->pairs[PLAIN].at_client, &fact) &&
		fact.state == LAI_TCP_CLOSE_WAIT && fact.timer == LAI_TIMER_NONE;
	lai_trial_say(trial, "plain: %s; with keepalive: %s after %.0f ms; peer held: %s",
		      run->plain_stays ? "CLOSE_WAIT without a timer" : "not CLOSE_WAIT any more",
		      run->probed_ended ? "gone" : "still there", run->ended_ms,
		      run->held_stays ? "CLOSE_WAIT" : "not CLOSE_WAIT any more");
}

/* Keepalive probes of ours, and what the peer said to them. */
static void run_say_wire(struct lai_trial *trial, const struct run *run)
{
	struct lai_talk talk;

	for (size_t i = 0; i < COUNT; i++) {
		const struct lai_ends *ends = &run->pairs[i].at_client;
		size_t probes, answers, resets;

		lai_talk_read(trial, run->mark, ends, &talk);
		lai_trial_say(trial, "%s:", names[i]);
		lai_talk_say(trial, &talk);
		probes = lai_talk_find(&talk, &ends->local, LAI_FLAG_ACK, LAI_FLAG_FIN, NULL);
		/* The first of ours is the ACK of the FIN. */
		probes -= probes > 0;
		answers = lai_talk_find(&talk, &ends->remote, LAI_FLAG_ACK,
					LAI_FLAG_FIN | LAI_FLAG_RST, NULL);
		resets = lai_talk_find(&talk, &ends->remote, LAI_FLAG_RST, 0, NULL);
		lai_trial_say(trial, "  %zu probes, %zu answered, %zu RST", probes, answers,
			      resets);
		if (i == PROBED)
			lai_trial_number(trial, "probes answered", "", (double)answers);
	}
}

/* What the program learns when it touches the socket at last. */
static void run_write(struct lai_trial *trial, struct run *run)
{
	struct lai_pair *plain = &run->pairs[PLAIN], *probed = &run->pairs[PROBED];
	struct lai_call first = lai_call_send(plain->client, SEND_BYTES, SEND_WAIT_NS), second;
	struct lai_call after_reset = lai_call_send(probed->client, SEND_BYTES, SEND_WAIT_NS);

	(void)lai_gauge_await(trial, trial->client, &plain->at_client, LAI_TCP_NONE, SEND_WAIT_NS);
	second = lai_call_send(plain->client, SEND_BYTES, SEND_WAIT_NS);
	lai_trial_say(
		trial, "plain: the first send() of %d bytes gives %s, %zu bytes; the second %s",
		SEND_BYTES, lai_call_errno(first.error), first.bytes, lai_call_errno(second.error));
	lai_trial_say(trial, "with keepalive: send() gives %s", lai_call_errno(after_reset.error));
}

static void conclude(struct lai_trial *trial, const struct run *run)
{
	if (!run->plain_stays || run->facts[PLAIN].timer != LAI_TIMER_NONE)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "without keepalive, and its program doing nothing, the socket "
				   "left CLOSE_WAIT or had a timer (%s)",
				   lai_gauge_timer(&run->facts[PLAIN]));
	else if (run->probed_ended)
		lai_trial_conclude(
			trial, LAI_LAB_DEPENDS,
			"on SO_KEEPALIVE: without it the kernel has no timer for CLOSE_WAIT and "
			"nothing ends it; with it (%d s) the socket was reset after %.1f s, when "
			"the peer's FIN_WAIT2 (%d s) was gone, but %s while the peer's program "
			"still held its half",
			KEEPALIVE_S, run->ended_ms / 1000, FIN_TIMEOUT_S,
			run->held_stays ? "lived on" : "ended as well");
	else if (run->probed_stays)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "CLOSE_WAIT has no timer, and keepalive (%d s) did not end it "
				   "either, in %.1f s",
				   KEEPALIVE_S, run->ended_ms / 1000);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "without keepalive CLOSE_WAIT has no timer; with it the timer "
				   "was %s instead of keepalive, or the state another",
				   lai_gauge_timer(&run->facts[PROBED]));
}

static void run(struct lai_trial *trial)
{
	struct run run = {0};
	enum lai_tcp_state peer;

	run_begin(trial, &run);
	peers_await(trial, &run);
	peer_say(trial, &run);
	run_await(trial, &run);
	run_say_wire(trial, &run);
	lai_trial_number(trial, "reset by keepalive after", "ms", run.ended_ms);
	peer = lai_gauge_state(trial, trial->server, &run.pairs[PLAIN].at_server);
	lai_trial_control(trial, peer == LAI_TCP_NONE,
			  "the other half of the same connection, FIN_WAIT2 without a program, "
			  "%s by itself (tcp_fin_timeout is %d s)",
			  peer == LAI_TCP_NONE ? "went away" : "did not go away", FIN_TIMEOUT_S);
	run_write(trial, &run);
	conclude(trial, &run);
	for (size_t i = 0; i < COUNT; i++)
		lai_pair_close(&run.pairs[i]);
}

const struct lai_claim lai_claim_close_wait_for_ever = {
	.id = "close-wait-for-ever",
	.claim = "A socket in CLOSE_WAIT stays for ever: nothing but its program can end it.",
	.said = "RFC 9293 has no time-out for CLOSE-WAIT; against it, hosting guides that recommend "
		"tcp_fin_timeout and tcp_keepalive_time against CLOSE_WAIT",
	.decides = "RFC 9293 3.3.2 and 3.8.4 (keep-alives), RFC 1122 4.2.3.6; tcp_fin() in "
		   "net/ipv4/tcp_input.c starts no timer, tcp_keepalive_timer() in "
		   "net/ipv4/tcp_timer.c probes in CLOSE_WAIT too",
	.setup = "client ---- server; tcp_fin_timeout is 2 s on the server",
	.procedure = "The server sends its FIN on three connections of which our program takes no "
		     "notice: a plain one, one with SO_KEEPALIVE (1 s), one with SO_KEEPALIVE "
		     "whose other half stays open (shutdown() instead of close()). When the second "
		     "is gone the others are looked at, and written to.",
	.outcome = "Without keepalive there is no timer at all. A keepalive probe is answered as "
		   "long as the peer's FIN_WAIT2 exists, also one whose program is gone; after "
		   "that it draws a RST, which ends our side (EPIPE). tcp_fin_timeout of our "
		   "own host changes nothing.",
	.control =
		"A socket that does end by itself is seen to: the other half of the plain connection, a FIN_WAIT2 that no program holds, has "
		"a timer and goes away by itself.",
	.shortened = "for ever is read from sock_diag: no timer runs; keepalive probes after 1 s "
		     "instead of 2 h, the peer's FIN_WAIT2 lasts 2 s instead of 60",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
