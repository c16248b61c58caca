/* SPDX-License-Identifier: MIT */
/*
 * simultaneous_close.c - both ends close before either hears of it.
 *
 * That needs a wire with a delay, which two hosts on one machine do not have. So the trial is the
 * wire: rules drop what the two kernels say to each other, and the same segments are put in again
 * some time later, with a TTL one lower, as if a router had carried them.
 *
 *	ESTABLISHED  -- FIN --.      .-- FIN --  ESTABLISHED
 *	FIN_WAIT1              \    /              FIN_WAIT1
 *	                        \  /
 *	                         \/
 *	                         /\
 *	CLOSING     <-----------'  '----------->     CLOSING
 *	             -- ACK --.      .-- ACK --
 *	TIME_WAIT   <----------'    '---------->   TIME_WAIT
 */
#include "lab/capture.h"
#include "lab/claim.h"
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"
#include "lab/raw.h"
#include "lab/rules.h"
#include "lab/trial.h"

#include <stdio.h>
#include <sys/socket.h>

#define HOPS_CARRIED 63 /* one less than a kernel sends with; the rules let it pass */
#define CARRIER 16	/* address of the raw peers, which nobody sends to */
/* How long the wire is. Far below the 200 ms after which a FIN is sent again. */
#define DELAY_NS (20 * LAI_MS)
#define HEAR_NS (2 * LAI_S)

/* One direction of the wire. */
struct way {
	struct lai_raw *raw;	 /* puts in what comes out at its end */
	struct lai_address from; /* who speaks */
	size_t next;		 /* of the capture: not carried yet */
};

/* What the ends went through. */
struct ending {
	/* When the FINs had crossed; or, one after the other, when the first had been acknowledged. */
	enum lai_tcp_state client_between, server_between;
	enum lai_tcp_state client_last, server_last;
	uint32_t client_ms, server_ms; /* left in TIME_WAIT */
};

/* The next segment of this direction with these flags and without those, on its way again. */
static void carry(struct lai_trial *trial, struct way *way, uint8_t flags, uint8_t not_flags)
{
	struct lai_captured found;

	if (!lai_capture_await(trial->captures[0], &way->next, &way->from, flags, not_flags,
			       HEAR_NS, &found))
		lai_trial_fail(trial, "the wire never carried what had to be delayed");
	found.segment.hops = HOPS_CARRIED;
	found.segment.payload = NULL;
	lai_raw_send(way->raw, &found.segment);
	lai_trial_say_segment(trial, "delivered", &found.segment);
}

static void wire_lengthen(struct lai_trial *trial)
{
	char match[96];

	(void)snprintf(match, sizeof(match), "meta l4proto tcp %s != %d",
		       trial->family == AF_INET6 ? "ip6 hoplimit" : "ip ttl", HOPS_CARRIED);
	lai_rules_drop(trial, trial->client, match, "held");
	lai_rules_drop(trial, trial->server, match, "held");
}

static enum lai_tcp_state last_state(struct lai_trial *trial, const struct lai_host *host,
				     const struct lai_ends *ends, uint32_t *left_ms)
{
	struct lai_socket_fact fact;

	if (!lai_gauge_find(trial, host, ends, &fact))
		return LAI_TCP_NONE;
	*left_ms = fact.timer_ms;
	return fact.state;
}

static struct ending ending_read(struct lai_trial *trial, const struct lai_pair *pair)
{
	struct ending ending = {0};

	ending.client_last = last_state(trial, trial->client, &pair->at_client, &ending.client_ms);
	ending.server_last = last_state(trial, trial->server, &pair->at_server, &ending.server_ms);
	return ending;
}

/* The state that it comes to; if it does not, the one that it has. */
static enum lai_tcp_state state_between(struct lai_trial *trial, const struct lai_host *host,
					const struct lai_ends *ends, enum lai_tcp_state wanted)
{
	(void)lai_gauge_await(trial, host, ends, wanted, HEAR_NS);
	return lai_gauge_state(trial, host, ends);
}

/* The FIN of close(), but the socket stays the program's: FIN_WAIT2 of one that it has given up
   is a mini-socket, of which a kernel may keep none. */
static void finish(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

/* Waits until it is no more in CLOSING; what then is, ending_read() tells. */
static void settle(struct lai_trial *trial, const struct lai_host *host,
		   const struct lai_ends *ends)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), HEAR_NS);

	while (lai_gauge_state(trial, host, ends) == LAI_TCP_CLOSING) {
		if (lai_clock_now() > deadline_ns)
			lai_trial_fail(trial, "%s stays in CLOSING", host->name);
		lai_trial_pass(trial, LAI_MS);
	}
}

/* Both close while the other's FIN is still on the wire. */
static struct ending close_together(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct way out = {.raw = lai_raw_new(trial, trial->client, trial->server, CARRIER),
			  .from = pair.at_client.local};
	struct way back = {.raw = lai_raw_new(trial, trial->server, trial->client, CARRIER),
			   .from = pair.at_server.local};
	enum lai_tcp_state client, server;
	struct ending ending;

	wire_lengthen(trial);
	out.next = back.next = lai_talk_mark(trial);
	finish(pair.client);
	finish(pair.server);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT1);
	lai_gauge_need(trial, trial->server, &pair.at_server, LAI_TCP_FIN_WAIT1);
	lai_trial_say(trial, "both have finished: client FIN_WAIT1, server FIN_WAIT1");
	lai_trial_pass(trial, DELAY_NS);
	carry(trial, &out, LAI_FLAG_FIN, 0);
	carry(trial, &back, LAI_FLAG_FIN, 0);
	client = state_between(trial, trial->client, &pair.at_client, LAI_TCP_CLOSING);
	server = state_between(trial, trial->server, &pair.at_server, LAI_TCP_CLOSING);
	lai_trial_say(trial, "the FINs have crossed: client %s, server %s",
		      lai_gauge_state_name(client), lai_gauge_state_name(server));
	lai_trial_pass(trial, DELAY_NS);
	carry(trial, &out, LAI_FLAG_ACK, LAI_FLAG_FIN);
	carry(trial, &back, LAI_FLAG_ACK, LAI_FLAG_FIN);
	settle(trial, trial->client, &pair.at_client);
	settle(trial, trial->server, &pair.at_server);
	ending = ending_read(trial, &pair);
	ending.client_between = client;
	ending.server_between = server;
	lai_rules_clear(trial, trial->client);
	lai_rules_clear(trial, trial->server);
	lai_pair_close(&pair);
	return ending;
}

/* One after the other, on the wire as it is. */
static struct ending close_in_turn(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	enum lai_tcp_state client, server;
	struct ending ending;

	finish(pair.client);
	server = state_between(trial, trial->server, &pair.at_server, LAI_TCP_CLOSE_WAIT);
	client = state_between(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT2);
	lai_trial_say(trial, "the client has finished: client %s, server %s",
		      lai_gauge_state_name(client), lai_gauge_state_name(server));
	finish(pair.server);
	(void)lai_gauge_await(trial, trial->server, &pair.at_server, LAI_TCP_NONE, HEAR_NS);
	ending = ending_read(trial, &pair);
	ending.client_between = client;
	ending.server_between = server;
	lai_pair_close(&pair);
	return ending;
}

static void ending_say(struct lai_trial *trial, const char *how, const struct ending *ending)
{
	lai_trial_say(trial, "%s: client %s, then %s (%u ms left), server %s, then %s (%u ms left)",
		      how, lai_gauge_state_name(ending->client_between),
		      lai_gauge_state_name(ending->client_last), ending->client_ms,
		      lai_gauge_state_name(ending->server_between),
		      lai_gauge_state_name(ending->server_last), ending->server_ms);
}

static unsigned time_waits(const struct ending *ending)
{
	return (ending->client_last == LAI_TCP_TIME_WAIT) +
	       (ending->server_last == LAI_TCP_TIME_WAIT);
}

static void conclude(struct lai_trial *trial, const struct ending *together)
{
	unsigned closing = (together->client_between == LAI_TCP_CLOSING) +
			   (together->server_between == LAI_TCP_CLOSING);
	unsigned both = time_waits(together);
	long buckets = lai_host_get(trial, trial->client, "net.ipv4.tcp_max_tw_buckets");

	lai_trial_number(trial, "ends in CLOSING", "", closing);
	lai_trial_number(trial, "ends in TIME_WAIT", "", both);
	if (closing < 2)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u of two ends in CLOSING: the FINs did not cross", closing);
	else if (both == 2)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "both were in FIN_WAIT1, both in CLOSING, both in TIME_WAIT, "
				   "with %.1f s and %.1f s left",
				   together->client_ms / 1000.0, together->server_ms / 1000.0);
	else if (buckets == 0)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on tcp_max_tw_buckets, which is 0: from CLOSING %u of two ends "
				   "came into TIME_WAIT",
				   both);
	else
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "both were in CLOSING, and %u of two ends in TIME_WAIT: client "
				   "%s, server %s",
				   both, lai_gauge_state_name(together->client_last),
				   lai_gauge_state_name(together->server_last));
}

static void run(struct lai_trial *trial)
{
	struct ending together = close_together(trial);
	struct ending in_turn = close_in_turn(trial);
	/* From FIN_WAIT2 and from CLOSE_WAIT no way leads to CLOSING. */
	bool no_closing = in_turn.client_between == LAI_TCP_FIN_WAIT2 &&
			  in_turn.server_between == LAI_TCP_CLOSE_WAIT;

	ending_say(trial, "both at once", &together);
	ending_say(trial, "one after the other", &in_turn);
	lai_trial_control(trial, no_closing && in_turn.server_last == LAI_TCP_NONE,
			  "one after the other: %s and %s instead of CLOSING; then the end that "
			  "finished first is %s, the other %s",
			  lai_gauge_state_name(in_turn.client_between),
			  lai_gauge_state_name(in_turn.server_between),
			  lai_gauge_state_name(in_turn.client_last),
			  lai_gauge_state_name(in_turn.server_last));
	conclude(trial, &together);
}

const struct lai_claim lai_claim_simultaneous_close = {
	.id = "simultaneous-close",
	.claim = "When both ends close at the same time, both go through CLOSING and both end in "
		 "TIME_WAIT.",
	.said = "RFC 9293 3.6, figure 13; the state diagram in every textbook; hardly anybody has "
		"seen CLOSING in netstat",
	.decides = "RFC 9293 3.6 case 3, 3.10.7.4; tcp_fin() and tcp_rcv_state_process() in "
		   "net/ipv4/tcp_input.c (TCP_CLOSING)",
	.setup = "client ---- server; rules hold up every segment, and each one is put in 20 ms "
		 "later with a TTL (hop limit) one lower: a long wire",
	.procedure =
		"Both programs finish (shutdown(SHUT_WR)), so that the FINs cross. States of both "
		"ends before and after the FINs arrive, and after the ACKs have. Once more one "
		"after the other.",
	.outcome = "FIN_WAIT1, CLOSING, TIME_WAIT at both ends, 60 s each.",
	.control =
		"One after the other it must be FIN_WAIT2 and CLOSE_WAIT instead of CLOSING, and "
		"nothing may be left at the end that finished second.",
	.shortened = "the 60 s in TIME_WAIT are read from the kernel's timer",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
