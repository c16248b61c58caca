/* SPDX-License-Identifier: MIT */
/*
 * Five ways into FIN_WAIT2; the peer never closes. Which of them does tcp_fin_timeout end?
 *
 *	half		shutdown(SHUT_WR), and the program waits
 *	closed		close()
 *	linger2		close() with TCP_LINGER2 = 1 s
 *	never		shutdown(SHUT_WR), then close() with TCP_LINGER2 = -1
 *	probing		shutdown(SHUT_WR) with keepalive
 */
#include "lab/claims/shared_talk.h"
#include "base/text.h"
#include "lab/gauge.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#define FIN_TIMEOUT_S 2
#define FIN_TIMEOUT_LONG_S 40 /* for a look at the timer only */
#define LINGER2_S 1
#define KEEPALIVE_S 1
#define KEEPALIVE_PROBES 3
/* The closed one ends after FIN_TIMEOUT_S. */
#define END_WAIT_NS (10 * LAI_S)
/* A timer that was started a moment ago on a busy machine has not lost more. */
#define TIMER_SLACK_MS 1900
#define NAMES_MAX 200 /* of all ways, with what stands between them */

enum way { HALF, CLOSED, LINGER2, NEVER, PROBING, COUNT };
static const char *const names[COUNT] = {
	"shutdown()",
	"close()",
	"close(), TCP_LINGER2 1 s",
	"close(), TCP_LINGER2 -1",
	"shutdown(), keepalive",
};

struct run {
	struct lai_pair pairs[COUNT];
	uint32_t timers_ms[COUNT]; /* at the beginning; 0: none */
	bool half_has_timer;
	bool survived[COUNT];
	double linger2_ms, closed_ms; /* when they had ended */
	bool never_gone, reset;	      /* the NEVER one was gone at once; said so by a RST */
};

static void options_set(struct lai_trial *trial, struct run *run)
{
	lai_call_option(trial, run->pairs[LINGER2].client, IPPROTO_TCP, TCP_LINGER2, LINGER2_S);
	lai_call_option(trial, run->pairs[NEVER].client, IPPROTO_TCP, TCP_LINGER2, -1);
	lai_call_option(trial, run->pairs[PROBING].client, SOL_SOCKET, SO_KEEPALIVE, 1);
	lai_call_option(trial, run->pairs[PROBING].client, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
	lai_call_option(trial, run->pairs[PROBING].client, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
	lai_call_option(trial, run->pairs[PROBING].client, IPPROTO_TCP, TCP_KEEPCNT,
			KEEPALIVE_PROBES);
}

static bool is_closed(enum way way)
{
	return way == CLOSED || way == LINGER2 || way == NEVER;
}

static void client_close(struct lai_pair *pair)
{
	(void)lai_call_close(pair->client);
	pair->client = -1;
}

/* All of them are in FIN_WAIT2 first, held by the program; then it closes those that it closes. */
static void run_begin(struct lai_trial *trial, struct run *run)
{
	struct lai_socket_fact fact;

	for (size_t i = 0; i < COUNT; i++)
		run->pairs[i] = lai_pair_open(trial, NULL);
	options_set(trial, run);
	for (size_t i = 0; i < COUNT; i++)
		(void)shutdown(run->pairs[i].client, SHUT_WR);
	for (size_t i = 0; i < COUNT; i++)
		lai_gauge_need(trial, trial->client, &run->pairs[i].at_client, LAI_TCP_FIN_WAIT2);
	for (size_t i = 0; i < COUNT; i++) {
		bool found;

		if (is_closed(i))
			client_close(&run->pairs[i]);
		found = lai_gauge_find(trial, trial->client, &run->pairs[i].at_client, &fact);
		run->timers_ms[i] = found && fact.timer == LAI_TIMER_TIME_WAIT ? fact.timer_ms : 0;
		if (i == HALF)
			run->half_has_timer = found && fact.timer != LAI_TIMER_NONE;
		if (i == NEVER)
			run->never_gone = !found;
		lai_trial_say(trial, "%s: %s, timer %s, %u ms", names[i],
			      lai_gauge_state_name(found ? fact.state : LAI_TCP_NONE),
			      found ? lai_gauge_timer(&fact) : "none", found ? fact.timer_ms : 0);
	}
}

static double gone_ms(struct lai_trial *trial, const struct lai_pair *pair, uint64_t began_ns)
{
	(void)lai_gauge_await(trial, trial->client, &pair->at_client, LAI_TCP_NONE, END_WAIT_NS);
	return (double)(lai_clock_now() - began_ns) / LAI_MS;
}

static void run_await(struct lai_trial *trial, struct run *run)
{
	uint64_t began_ns = lai_clock_now();

	run->linger2_ms = gone_ms(trial, &run->pairs[LINGER2], began_ns);
	run->closed_ms = gone_ms(trial, &run->pairs[CLOSED], began_ns);
	for (size_t i = 0; i < COUNT; i++) {
		run->survived[i] = lai_gauge_state(trial, trial->client,
						   &run->pairs[i].at_client) == LAI_TCP_FIN_WAIT2;
		lai_trial_say(trial, "%s: %s after %.0f ms", names[i],
			      run->survived[i] ? "FIN_WAIT2" : "gone", run->closed_ms);
	}
}

/* What the peer heard of the end of the one that never waits. */
static void run_look_for_reset(struct lai_trial *trial, struct run *run, size_t mark)
{
	const struct lai_pair *pair = &run->pairs[NEVER];
	struct lai_call peer = lai_call_send(pair->server, 1, 0);
	struct lai_captured found;

	run->reset = lai_capture_await(trial->captures[0], &mark, &pair->at_client.local,
				       LAI_FLAG_RST, 0, 0, &found);
	lai_trial_say(trial, "%s: a RST was %s; the peer's send() gives %s", names[NEVER],
		      run->reset ? "sent" : "not sent", lai_call_errno(peer.error));
}

/* The timer of a connection closed under another tcp_fin_timeout; 0: there is none. */
static uint32_t timer_under(struct lai_trial *trial, int fin_timeout_s)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct lai_socket_fact fact = {0};

	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_fin_timeout", fin_timeout_s);
	(void)shutdown(pair.client, SHUT_WR);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT2);
	client_close(&pair);
	(void)lai_gauge_find(trial, trial->client, &pair.at_client, &fact);
	lai_trial_say(trial, "close() with tcp_fin_timeout %d s: timer %s, %u ms", fin_timeout_s,
		      lai_gauge_timer(&fact), fact.timer_ms);
	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_fin_timeout", FIN_TIMEOUT_S);
	lai_pair_close(&pair);
	return fact.timer_ms;
}

static bool is_about(uint32_t timer_ms, int seconds)
{
	return timer_ms <= (uint32_t)seconds * 1000 &&
	       timer_ms + TIMER_SLACK_MS >= (uint32_t)seconds * 1000;
}

/* Who is still there. */
static void survivors_list(const struct run *run, struct lai_text *text)
{
	for (size_t i = 0; i < COUNT; i++)
		if (run->survived[i])
			lai_text_append(text, "%s%s", text->length ? "; " : "", names[i]);
}

/* A kernel that keeps no mini-sockets gives orphans up at once: that is a bound as well. */
static void control(struct lai_trial *trial, const struct run *run)
{
	uint32_t long_ms = timer_under(trial, FIN_TIMEOUT_LONG_S);
	bool follows = is_about(run->timers_ms[CLOSED], FIN_TIMEOUT_S) &&
		       run->timers_ms[LINGER2] <= LINGER2_S * 1000 &&
		       is_about(long_ms, FIN_TIMEOUT_LONG_S);
	bool none = run->timers_ms[CLOSED] == 0 && long_ms == 0;

	lai_trial_number(trial, "timer after close(), tcp_fin_timeout 2 s", "ms",
			 run->timers_ms[CLOSED]);
	lai_trial_number(trial, "timer after close(), tcp_fin_timeout 40 s", "ms", long_ms);
	lai_trial_number(trial, "timer with TCP_LINGER2 1 s", "ms", run->timers_ms[LINGER2]);
	lai_trial_control(trial, !run->survived[CLOSED] && (follows || none),
			  "a FIN_WAIT2 that its program has closed %s: its timer was %u ms with "
			  "tcp_fin_timeout 2 s, %u ms with 40 s, %u ms with TCP_LINGER2 1 s",
			  run->survived[CLOSED] ? "did not end" : "ends", run->timers_ms[CLOSED],
			  long_ms, run->timers_ms[LINGER2]);
}

static void conclude(struct lai_trial *trial, const struct run *run)
{
	struct lai_text left = LAI_TEXT_INIT(NAMES_MAX);
	bool closed_left = run->survived[CLOSED] || run->survived[LINGER2] || run->survived[NEVER];

	survivors_list(run, &left);
	if (run->survived[HALF] && run->survived[PROBING] && !closed_left)
		lai_trial_conclude(
			trial, LAI_LAB_DEPENDS,
			"on whether a program still holds the socket: after close() it was gone in "
			"%.1f s (%.1f s with TCP_LINGER2 1, %s with -1), after shutdown() it stays, "
			"%s a timer, with keepalive too",
			run->closed_ms / 1000, run->linger2_ms / 1000,
			run->never_gone && run->reset ? "at once by RST"
			: run->never_gone	      ? "at once without a RST"
						      : "later",
			run->half_has_timer ? "with" : "without");
	else if (left.length == 0)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "all five ways ended within %.1f s",
				   run->closed_ms / 1000);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "after %.1f s these were still there, which is neither all that "
				   "a program holds nor none: %s",
				   run->closed_ms / 1000, lai_text_string(&left));
	lai_text_done(&left);
}

static void run(struct lai_trial *trial)
{
	struct run run = {0};
	size_t mark = lai_talk_mark(trial);

	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_fin_timeout", FIN_TIMEOUT_S);
	run_begin(trial, &run);
	run_await(trial, &run);
	run_look_for_reset(trial, &run, mark);
	control(trial, &run);
	conclude(trial, &run);
	for (size_t i = 0; i < COUNT; i++)
		lai_pair_close(&run.pairs[i]);
}

const struct lai_claim lai_claim_fin_wait2_bounded = {
	.id = "fin-wait2-bounded",
	.claim = "tcp_fin_timeout bounds how long a connection stays in FIN_WAIT2.",
	.said = "many tuning guides; tcp(7) and ip-sysctl.rst say that it is about orphaned "
		"connections alone",
	.decides = "RFC 9293 3.6 has no time-out for FIN-WAIT-2; __tcp_close() and TCP_LINGER2 in "
		   "net/ipv4/tcp.c, tcp_rcv_state_process() in net/ipv4/tcp_input.c",
	.setup =
		"client ---- server; tcp_fin_timeout is 2 s on the client; the server never closes",
	.procedure = "Five connections go into FIN_WAIT2: shutdown(SHUT_WR) only; close(); close() "
		     "with TCP_LINGER2 1 s; close() with TCP_LINGER2 -1; shutdown(SHUT_WR) with "
		     "keepalive of 1 s. When the second is gone, who is still there?",
	.outcome = "Only those that the program has closed end: after tcp_fin_timeout, after "
		   "TCP_LINGER2 if that is set, at once and with a RST if it is negative. A half "
		   "closed connection that a program holds has no timer; keepalive does not end "
		   "it, since the peer's kernel answers.",
	.control = "A closed one ends by itself, and its timer follows the sysctl: 2 s and 40 s.",
	.shortened = "tcp_fin_timeout is 2 s instead of 60; that a socket stays is read from "
		     "sock_diag: it has no timer; the 40 s are read from the kernel's timer",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
