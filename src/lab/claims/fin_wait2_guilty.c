/* SPDX-License-Identifier: MIT */
/*
 * FIN_WAIT2 at the server, CLOSE_WAIT at the client. Who has to do something?
 *
 *	late	nobody does: FIN_WAIT2 runs out, CLOSE_WAIT stays, what it sends then is lost
 *	prompt	the program of the CLOSE_WAIT closes: both are done
 *	half	the FIN_WAIT2 is a half close: its program waits for the rest, which arrives
 */
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"

#include <sys/socket.h>

/* The least that the kernel takes: guides say 15 to 30 instead of 60. */
#define FIN_TIMEOUT_S 1
#define WAIT_NS (10 * LAI_S)
#define SEND_BYTES 1000

struct run {
	struct lai_pair late, prompt, half;
	size_t mark;
};

/* Both sides of all three are as the claim has them. */
static void run_begin(struct lai_trial *trial, struct run *run)
{
	lai_host_set_number(trial, trial->server, "net.ipv4.tcp_fin_timeout", FIN_TIMEOUT_S);
	run->late = lai_pair_open(trial, NULL);
	run->prompt = lai_pair_open(trial, NULL);
	run->half = lai_pair_open(trial, NULL);
	run->mark = lai_talk_mark(trial);
	(void)shutdown(run->half.server, SHUT_WR);
	lai_gauge_need(trial, trial->server, &run->half.at_server, LAI_TCP_FIN_WAIT2);
	lai_gauge_need(trial, trial->client, &run->half.at_client, LAI_TCP_CLOSE_WAIT);
}

static void pair_say(struct lai_trial *trial, const char *name, const struct lai_pair *pair)
{
	struct lai_socket_fact fact;
	bool found = lai_gauge_find(trial, trial->server, &pair->at_server, &fact);

	if (!found)
		fact = (struct lai_socket_fact){0};
	lai_trial_say(
		trial, "%s: server %s, timer %s, %u ms; client %s", name,
		lai_gauge_state_name(fact.state), lai_gauge_timer(&fact), fact.timer_ms,
		lai_gauge_state_name(lai_gauge_state(trial, trial->client, &pair->at_client)));
}

static void server_close(struct lai_trial *trial, const char *name, struct lai_pair *pair)
{
	(void)lai_call_close(pair->server);
	pair->server = -1;
	lai_gauge_need(trial, trial->client, &pair->at_client, LAI_TCP_CLOSE_WAIT);
	/* Its FIN's ACK may be delayed. */
	(void)lai_gauge_await(trial, trial->server, &pair->at_server, LAI_TCP_FIN_WAIT2, LAI_S / 2);
	pair_say(trial, name, pair);
}

/* The side in CLOSE_WAIT closes. True: neither side has anything left to wait for. */
static bool prompt_ends(struct lai_trial *trial, struct run *run, double *took_ms)
{
	enum lai_tcp_state server;
	uint64_t began_ns;
	bool gone;

	server_close(trial, "prompt", &run->prompt);
	(void)lai_call_close(run->prompt.client);
	run->prompt.client = -1;
	began_ns = lai_clock_now();
	gone = lai_gauge_await(trial, trial->client, &run->prompt.at_client, LAI_TCP_NONE, WAIT_NS);
	server = lai_gauge_state(trial, trial->server, &run->prompt.at_server);
	*took_ms = (double)(lai_clock_now() - began_ns) / LAI_MS;
	pair_say(trial, "prompt, after the client's close()", &run->prompt);
	/* TIME_WAIT is past all waiting for the peer; none at all if there is no room for more. */
	return gone && (server == LAI_TCP_TIME_WAIT || server == LAI_TCP_NONE);
}

/* What the client still sends on a half closed connection. */
static size_t half_arrives(struct lai_trial *trial, struct run *run)
{
	struct lai_call sent = lai_call_send(run->half.client, SEND_BYTES, WAIT_NS), received;

	(void)lai_call_close(run->half.client);
	run->half.client = -1;
	received = lai_call_receive_all(run->half.server, WAIT_NS);
	lai_trial_say(trial,
		      "half: %zu bytes sent in CLOSE_WAIT, %zu received in FIN_WAIT2, then %s",
		      sent.bytes, received.bytes,
		      received.error ? lai_call_errno(received.error) : "EOF");
	return received.bytes;
}

/* What becomes of the client that did not close. */
struct late {
	enum lai_tcp_state client; /* when the server's FIN_WAIT2 had ended */
	struct lai_call first, second;
	size_t lost_bytes, resets;
};

static struct late late_sends(struct lai_trial *trial, const struct run *run)
{
	const struct lai_pair *pair = &run->late;
	struct late late = {0};
	bool died;

	if (!lai_gauge_await(trial, trial->server, &pair->at_server, LAI_TCP_NONE, WAIT_NS))
		lai_trial_fail(trial, "FIN_WAIT2 did not end after tcp_fin_timeout");
	late.client = lai_gauge_state(trial, trial->client, &pair->at_client);
	pair_say(trial, "late, after tcp_fin_timeout", pair);
	late.first = lai_call_send(pair->client, SEND_BYTES, WAIT_NS);
	died = lai_gauge_await(trial, trial->client, &pair->at_client, LAI_TCP_NONE, WAIT_NS);
	late.second = lai_call_send(pair->client, SEND_BYTES, WAIT_NS);
	late.lost_bytes = died ? late.first.bytes : 0;
	lai_trial_say(trial, "late: send() of %d bytes gives %s, %zu bytes; the next one %s",
		      SEND_BYTES, lai_call_errno(late.first.error), late.first.bytes,
		      lai_call_errno(late.second.error));
	return late;
}

static size_t resets_say(struct lai_trial *trial, const struct run *run,
			 const struct lai_pair *pair, const char *name)
{
	struct lai_talk talk;

	lai_talk_read(trial, run->mark, &pair->at_client, &talk);
	lai_trial_say(trial, "%s:", name);
	lai_talk_say(trial, &talk);
	return lai_talk_find(&talk, &pair->at_client.remote, LAI_FLAG_RST, 0, NULL);
}

static void conclude(struct lai_trial *trial, const struct late *late)
{
	lai_trial_number(trial, "bytes lost without an error", "", (double)late->lost_bytes);
	if (late->client == LAI_TCP_CLOSE_WAIT && late->lost_bytes > 0 && late->resets > 0)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "a shorter tcp_fin_timeout only made the server forget: the "
				   "client stayed in CLOSE_WAIT, its next %zu bytes drew %zu RST "
				   "and were lost (send() gave %s, the next one %s); the side that "
				   "did not close is the one in CLOSE_WAIT",
				   late->lost_bytes, late->resets,
				   lai_call_errno(late->first.error),
				   lai_call_errno(late->second.error));
	else if (late->client == LAI_TCP_NONE)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "when FIN_WAIT2 had ended, the other side's CLOSE_WAIT was gone "
				   "as well");
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "when FIN_WAIT2 had ended, the other side was in %s; %zu of the "
				   "%d bytes that it sent were lost, by %zu RST",
				   lai_gauge_state_name(late->client), late->lost_bytes, SEND_BYTES,
				   late->resets);
}

static void run(struct lai_trial *trial)
{
	struct run run;
	struct late late;
	size_t arrived;
	double took_ms;
	bool ended;

	run_begin(trial, &run);
	server_close(trial, "late", &run.late);
	ended = prompt_ends(trial, &run, &took_ms);
	arrived = half_arrives(trial, &run);
	late = late_sends(trial, &run);
	(void)resets_say(trial, &run, &run.prompt, "prompt");
	late.resets = resets_say(trial, &run, &run.late, "late");
	lai_trial_number(trial, "both done after close()", "ms", took_ms);
	lai_trial_control(trial, ended && arrived == SEND_BYTES,
			  "when the side in CLOSE_WAIT closes, %s (%.1f ms); and FIN_WAIT2 alone "
			  "is no fault: half closed, it received %zu of %d bytes",
			  ended ? "both sides are done" : "a side is still waiting", took_ms,
			  arrived, SEND_BYTES);
	conclude(trial, &late);
	lai_pair_close(&run.late);
	lai_pair_close(&run.prompt);
	lai_pair_close(&run.half);
}

const struct lai_claim lai_claim_fin_wait2_guilty = {
	.id = "fin-wait2-guilty",
	.claim =
		"With FIN_WAIT2 here and CLOSE_WAIT there, the side in FIN_WAIT2 is at fault, and a "
		"shorter tcp_fin_timeout cures it.",
	.said = "tuning guides that set net.ipv4.tcp_fin_timeout to 15 or 30 against hanging "
		"connections; the Apache manual (Connections in the FIN_WAIT_2 state and Apache) "
		"knew already that the other side does not close",
	.decides = "RFC 9293 3.6 (the side in CLOSE-WAIT has to close) and RFC 1122 4.2.2.13 "
		   "(half-duplex close: RST for data that nobody reads any more); "
		   "tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c, "
		   "tcp_v4_send_reset() in net/ipv4/tcp_ipv4.c",
	.setup = "client ---- server; tcp_fin_timeout is 1 s on the server",
	.procedure =
		"The server closes first on two connections. On one the client closes as well. "
		"On the other it does nothing until the server's FIN_WAIT2 has ended, then "
		"sends 1000 bytes twice. On a third the server only half closes, and the "
		"client sends.",
	.outcome = "The time-out frees the server's side alone. The CLOSE_WAIT stays, its first "
		   "send() succeeds, draws a RST and is lost without an error; the second one "
		   "gets EPIPE. Nothing but a close() at the side in CLOSE_WAIT ends both.",
	.control = "The side in CLOSE_WAIT closes: both sides are done at once, without any "
		   "time-out. And a FIN_WAIT2 of a half close receives all that comes.",
	.shortened = "tcp_fin_timeout is 1 s instead of 60",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
