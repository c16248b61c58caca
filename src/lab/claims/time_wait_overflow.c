/* SPDX-License-Identifier: MIT */
/*
 * time_wait_overflow.c - what TIME_WAIT is good for, seen where there is none: the peer's FIN comes
 * again because the last ACK was lost.
 *
 *	client (held, FIN_WAIT2)                    server (held, CLOSE_WAIT)
 *	             <------------------- FIN ---
 *	TIME_WAIT    --- ACK --------- X (dropped)  LAST_ACK
 *	or nothing   <------------------- FIN ---   its timer
 *	             --- ACK ------------------->   closed, no error
 *	             or RST -------------------->   closed, ECONNRESET
 */
#include "lab/call.h"
#include "lab/claim.h"
#include "lab/claims/shared_dial.h"
#include "lab/gauge.h"
#include "lab/rules.h"
#include "lab/trial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define PAIRS 8
#define FEW (PAIRS / 2) /* TIME_WAITs are allowed, of as many as there are pairs */
#define BUCKETS "net.ipv4.tcp_max_tw_buckets"
#define BUCKETS_ENOUGH 1024

/* Of the last ACK: it has no other flag, while the answer to a FIN from nowhere is a RST. */
#define PURE_ACK "tcp flags & (fin | syn | rst | ack) == ack"

/* What became of all pairs. */
struct ends {
	unsigned time_waits;	/* on the client's side, right after the FINs */
	unsigned clean, resets; /* on the server's side */
	uint64_t overflows;	/* by the client's counter */
	uint64_t dropped;	/* ACKs, by the server's rule */
};

/* A socket in LAST_ACK is told of nothing but by its error. */
static int server_error(struct lai_trial *trial, const struct lai_pair *pair)
{
	socklen_t length = sizeof(int);
	int error = 0;

	lai_gauge_need(trial, trial->server, &pair->at_server, LAI_TCP_NONE);
	(void)getsockopt(pair->server, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

/* The client has sent its FIN and waits for ours. */
static struct lai_pair pair_half_closed(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);

	(void)shutdown(pair.client, SHUT_WR);
	lai_gauge_need(trial, trial->server, &pair.at_server, LAI_TCP_CLOSE_WAIT);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT2);
	return pair;
}

/* Whether the client's end has gone from FIN_WAIT2 to there, and not from all tables. */
static bool became_time_wait(struct lai_trial *trial, const struct lai_pair *pair)
{
	(void)lai_dial_settle(trial, trial->client, &pair->at_client);
	return lai_gauge_state(trial, trial->client, &pair->at_client) == LAI_TCP_TIME_WAIT;
}

static struct ends pairs_close(struct lai_trial *trial, long buckets, const char *counter)
{
	struct lai_counters *then;
	struct lai_pair pairs[PAIRS];
	struct ends ends = {0};
	int error;

	lai_host_set_number(trial, trial->client, BUCKETS, buckets);
	for (unsigned i = 0; i < PAIRS; i++)
		pairs[i] = pair_half_closed(trial);
	then = lai_counters_read(trial, trial->client);
	lai_rules_drop_first(trial, trial->server, PURE_ACK, PAIRS, counter);
	for (unsigned i = 0; i < PAIRS; i++)
		(void)shutdown(pairs[i].server, SHUT_WR);
	for (unsigned i = 0; i < PAIRS; i++)
		ends.time_waits += became_time_wait(trial, &pairs[i]);
	for (unsigned i = 0; i < PAIRS; i++) {
		error = server_error(trial, &pairs[i]);
		ends.clean += error == 0;
		ends.resets += error == ECONNRESET;
		if (i == 0 || i == PAIRS - 1)
			lai_trial_say(trial,
				      "%s=%ld: the server's %s socket (to port %u) ends with %s",
				      BUCKETS, buckets, i == 0 ? "first" : "last",
				      (unsigned)lai_address_port(&pairs[i].at_server.remote),
				      lai_call_errno(error));
		lai_pair_close(&pairs[i]);
	}
	ends.overflows = lai_counters_since(trial, trial->client, then, "TCPTimeWaitOverflow");
	ends.dropped = lai_rules_counter(trial, trial->server, counter);
	lai_counters_free(then);
	lai_rules_clear(trial, trial->server);
	lai_trial_say(trial,
		      "%s=%ld: %u of %d client ends in TIME_WAIT, TCPTimeWaitOverflow %llu; %llu "
		      "last ACKs lost; server: %u without error, %u ECONNRESET",
		      BUCKETS, buckets, ends.time_waits, PAIRS, (unsigned long long)ends.overflows,
		      (unsigned long long)ends.dropped, ends.clean, ends.resets);
	return ends;
}

static void conclude(struct lai_trial *trial, const struct ends *few)
{
	if (few->resets == PAIRS - FEW && few->overflows == PAIRS - FEW && few->time_waits == FEW)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"with tcp_max_tw_buckets=%d only %u of %d ends got a TIME_WAIT "
			"(TCPTimeWaitOverflow %llu), and each of the %u peers of the others, "
			"which sent their FINs again since the last ACK was lost, got RST: "
			"ECONNRESET at the end of a connection on which nothing was wrong",
			FEW, few->time_waits, PAIRS, (unsigned long long)few->overflows,
			few->resets);
	else if (few->clean == PAIRS && few->time_waits == FEW)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "with tcp_max_tw_buckets=%d only %u of %d ends got a TIME_WAIT, "
				   "and none of the %d peers in LAST_ACK was reset",
				   FEW, few->time_waits, PAIRS, PAIRS);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "with tcp_max_tw_buckets=%d, %u of %d ends are in TIME_WAIT and "
				   "%u peers were reset",
				   FEW, few->time_waits, PAIRS, few->resets);
}

static void run(struct lai_trial *trial)
{
	long buckets = lai_host_get(trial, trial->client, BUCKETS);
	struct ends with, few;

	/* Few first: TIME_WAITs stay, and count. */
	few = pairs_close(trial, FEW, "acks_few");
	with = pairs_close(trial, buckets < PAIRS + FEW ? BUCKETS_ENOUGH : buckets, "acks_with");
	lai_host_set_number(trial, trial->client, BUCKETS, buckets);
	lai_trial_number(trial, "time_waits_missing", "sockets", (double)few.overflows);
	lai_trial_number(trial, "servers_reset", "sockets", few.resets);
	lai_trial_number(trial, "servers_reset_with_time_wait", "sockets", with.resets);
	lai_trial_control(trial,
			  with.time_waits == PAIRS && with.clean == PAIRS && with.overflows == 0 &&
				  with.dropped == PAIRS,
			  "with TIME_WAIT allowed, %u of %d ends are in it and %u of %d peers end "
			  "without an error though their last ACK was lost",
			  with.time_waits, PAIRS, with.clean, PAIRS);
	conclude(trial, &few);
}

const struct lai_claim lai_claim_time_wait_overflow = {
	.id = "time-wait-overflow",
	.claim = "A small tcp_max_tw_buckets is a harmless way to be rid of TIME_WAIT.",
	.said = "tuning guides that set net.ipv4.tcp_max_tw_buckets to a few thousand or to 0; the "
		"kernel's ip-sysctl.rst warns: it \"exists only to prevent simple DoS attacks, you "
		"must not lower the limit artificially\"",
	.decides = "RFC 9293 3.6.1: TIME_WAIT is there to acknowledge the peer's FIN once more; "
		   "inet_twsk_alloc() in net/ipv4/inet_timewait_sock.c makes none above the limit, "
		   "tcp_time_wait() in net/ipv4/tcp_minisocks.c counts TCPTimeWaitOverflow; then "
		   "tcp_v4_rcv() finds no socket for the FIN and answers RST",
	.setup = "client ---- server; tcp_max_tw_buckets=4 on the client; a rule on the server "
		 "drops the first 8 segments with no flag but ACK",
	.procedure =
		"8 connections; the client sends its FIN on all of them, then the server; the "
		"ACKs of the server's FINs are dropped, so that each server end stays in "
		"LAST_ACK and its FIN comes again after 200 ms. What answers it, and what does "
		"the server's socket say (SO_ERROR)?",
	.outcome = "Beyond the limit there is no TIME_WAIT, so nobody is left to acknowledge the "
		   "repeated FIN: the peer gets RST, and ECONNRESET if its program still holds the "
		   "socket.",
	.control = "The same with the limit as it was: 8 TIME_WAITs acknowledge the repeated FINs, "
		   "and all peers end without an error.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
