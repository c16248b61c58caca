/* SPDX-License-Identifier: MIT */
/*
 * conntrack_forgets.c - a router that forgets a connection while both ends still have it.
 *
 *	client              router (source NAT)             server
 *	FIN_WAIT2           CLOSE_WAIT, 60 s to live        CLOSE_WAIT: still working
 *	FIN_WAIT2           nothing                         CLOSE_WAIT
 *	FIN_WAIT2           nobody's  <------------- FIN -- LAST_ACK
 *	for ever            its own address: RST, or dropped
 */
#include "lab/call.h"
#include "lab/capture.h"
#include "lab/claim.h"
#include "lab/claims/shared_nat.h"
#include "lab/gauge.h"
#include "lab/rules.h"
#include "lab/trial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT "net.netfilter.nf_conntrack_tcp_timeout_close_wait"
#define TIMEOUT_SHORT_S 1
/* It counts from the last segment of the half-close; and a little for the clock's ticks. */
#define FORGOTTEN_NS (1500 * LAI_MS)

#define ROUTER_FIRST 41000
#define ROUTER_LAST 41999

#define WAIT_NS (5 * LAI_S)
/* For a FIN that has a wire of microseconds to go; its repetition comes after 200 ms. */
#define SILENCE_NS (700 * LAI_MS)

/* What the router does with a segment that belongs to nothing it knows. */
enum manner { REMEMBERS, FORGETS, FORGETS_AND_DROPS, MANNERS };

static const char *const names[MANNERS] = {
	[REMEMBERS] = "remembered",
	[FORGETS] = "forgotten",
	[FORGETS_AND_DROPS] = "forgotten, invalid dropped",
};

struct half_closed {
	struct lai_pair pair;
	enum lai_tcp_state client, server; /* after the server's FIN */
	uint8_t client_timer;
	unsigned fins;	  /* of the server's, that came to the client's wire */
	bool eof;	  /* the client has read it */
	int server_error; /* SO_ERROR */
};

/* The client has sent its FIN; the server answers nothing yet. */
static struct half_closed half_close(struct lai_trial *trial, enum manner manner)
{
	struct lai_address to;
	struct lai_pair_plan plan = {.listener =
					     lai_call_listen(trial, trial->server, 0, false, &to)};
	struct half_closed half = {0};
	char script[256];

	lai_nat_source(trial, lai_address_port(&to), ROUTER_FIRST, ROUTER_LAST);
	if (manner == FORGETS_AND_DROPS) {
		(void)snprintf(script, sizeof(script),
			       "table ip firewall {\n"
			       "	chain in {\n"
			       "		type filter hook prerouting priority filter;\n"
			       "		tcp sport %u ct state invalid drop\n"
			       "	}\n"
			       "}\n",
			       lai_address_port(&to));
		lai_rules_add(trial, trial->router, script);
	}
	half.pair = lai_pair_open(trial, &plan);
	half.pair.listener = plan.listener;
	lai_nat_need(trial, half.pair.server, ROUTER_FIRST, ROUTER_LAST);
	(void)shutdown(half.pair.client, SHUT_WR);
	lai_gauge_need(trial, trial->server, &half.pair.at_server, LAI_TCP_CLOSE_WAIT);
	lai_gauge_need(trial, trial->client, &half.pair.at_client, LAI_TCP_FIN_WAIT2);
	return half;
}

/* Both ends are as they were, and no timer of theirs would change that. */
static bool still_there(struct lai_trial *trial, const struct half_closed *half, const char *name)
{
	struct lai_socket_fact client = {0}, server = {0};
	bool there = lai_gauge_find(trial, trial->client, &half->pair.at_client, &client) &&
		     lai_gauge_find(trial, trial->server, &half->pair.at_server, &server);

	lai_trial_say(trial, "%s, after %.1f s: client %s, timer %s; server %s, timer %s", name,
		      (double)FORGOTTEN_NS / LAI_S, lai_gauge_state_name(client.state),
		      lai_gauge_timer(&client), lai_gauge_state_name(server.state),
		      lai_gauge_timer(&server));
	return there && client.state == LAI_TCP_FIN_WAIT2 && client.timer == LAI_TIMER_NONE &&
	       server.state == LAI_TCP_CLOSE_WAIT && server.timer == LAI_TIMER_NONE;
}

/* FINs to this client's port on the client's own wire. */
static unsigned fins_arrived(struct lai_trial *trial, const struct half_closed *half)
{
	uint16_t port = lai_address_port(&half->pair.at_client.local);
	const struct lai_captured *all;
	unsigned fins = 0;
	size_t count;

	if (!trial->captures[0])
		return 0;
	all = lai_capture_segments(trial->captures[0], &count);
	for (size_t i = 0; i < count; i++)
		fins += (all[i].segment.flags & LAI_FLAG_FIN) &&
			lai_address_port(&all[i].segment.to) == port;
	return fins;
}

static void server_closes(struct lai_trial *trial, struct half_closed *half, const char *name)
{
	struct lai_socket_fact client = {0};
	socklen_t length = sizeof(half->server_error);
	struct lai_call call;

	(void)shutdown(half->pair.server, SHUT_WR);
	call = lai_call_receive(half->pair.client, NULL, 1, SILENCE_NS);
	half->eof = call.error == 0 && call.bytes == 0;
	half->fins = fins_arrived(trial, half);
	half->server = lai_gauge_state(trial, trial->server, &half->pair.at_server);
	(void)getsockopt(half->pair.server, SOL_SOCKET, SO_ERROR, &half->server_error, &length);
	if (lai_gauge_find(trial, trial->client, &half->pair.at_client, &client))
		half->client = client.state;
	half->client_timer = client.timer;
	lai_trial_say(trial,
		      "%s: the server sends its FIN: %u came to the client, which reads %s; client "
		      "%s, timer %s; server %s, its socket says %s",
		      name, half->fins,
		      half->eof			  ? "EOF"
		      : call.error == EINPROGRESS ? "nothing"
						  : lai_call_errno(call.error),
		      lai_gauge_state_name(half->client), lai_gauge_timer(&client),
		      lai_gauge_state_name(half->server), lai_call_errno(half->server_error));
}

static bool left_behind(const struct half_closed *half)
{
	return !half->eof && half->fins == 0 && half->client == LAI_TCP_FIN_WAIT2 &&
	       half->client_timer == LAI_TIMER_NONE;
}

static void run(struct lai_trial *trial)
{
	long timeout_s = 0;
	struct half_closed halves[MANNERS];
	unsigned there = 0, left;

	/* A connection's life in the table is set by the segment that changes its state. The
	   setting may be there only since a rule has asked for connection tracking. */
	for (unsigned i = 0; i < MANNERS; i++) {
		if (i == FORGETS) {
			timeout_s = lai_host_get(trial, trial->router, TIMEOUT);
			lai_host_set_number(trial, trial->router, TIMEOUT, TIMEOUT_SHORT_S);
		}
		halves[i] = half_close(trial, (enum manner)i);
	}
	lai_host_set_number(trial, trial->router, TIMEOUT, timeout_s);
	lai_trial_pass(trial, FORGOTTEN_NS);
	for (unsigned i = 0; i < MANNERS; i++)
		there += still_there(trial, &halves[i], names[i]);
	for (unsigned i = 0; i < MANNERS; i++)
		server_closes(trial, &halves[i], names[i]);
	left = left_behind(&halves[FORGETS]) + left_behind(&halves[FORGETS_AND_DROPS]);
	lai_trial_number(trial, "close_wait_timeout", "s", (double)timeout_s);
	lai_trial_number(trial, "left_in_fin_wait2", "of 2", left);
	lai_trial_control(trial, halves[REMEMBERS].eof && halves[REMEMBERS].fins > 0,
			  "with the timeout of %ld s as it was, the FIN that came %.1f s later %s",
			  timeout_s, (double)FORGOTTEN_NS / LAI_S,
			  halves[REMEMBERS].eof ? "reached the client, which read EOF"
						: "did not reach the client either");
	if (left == 2 && there == MANNERS)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"the router's entry lives %ld s, while no timer runs at the ends: after it "
			"the server's FIN never arrived, and the client stays in FIN_WAIT2 "
			"without a timer; the server got %s from a router that answers, "
			"and is %s behind one that drops",
			timeout_s, lai_call_errno(halves[FORGETS].server_error),
			lai_gauge_state_name(halves[FORGETS_AND_DROPS].server));
	else if (halves[FORGETS].eof && halves[FORGETS_AND_DROPS].eof)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "the server's FIN reached the client though the router's entry "
				   "had ended");
	else
		lai_trial_conclude(
			trial, LAI_LAB_INCONCLUSIVE,
			"%u of 2 clients were left in FIN_WAIT2, and %u of %d pairs were "
			"half closed until then",
			left, there, MANNERS);
	for (unsigned i = 0; i < MANNERS; i++)
		lai_pair_close(&halves[i].pair);
}

const struct lai_claim lai_claim_conntrack_forgets = {
	.id = "conntrack-forgets",
	.claim = "Connection tracking forgets a half-closed connection before its ends do, and the "
		 "second FIN never arrives.",
	.said = "istio/istio#43297 and #43301 (FIN_WAIT2 that leaks for an hour), "
		"kubernetes/kubernetes#32551; "
		"nf_conntrack-sysctl.rst: nf_conntrack_tcp_timeout_close_wait, default 60 seconds",
	.decides = "RFC 9293 3.6 lets a half-closed connection last as long as the other side "
		   "likes; RFC 5382 5 asks NATs for 4 minutes; tcp_timeouts[] and "
		   "nf_conntrack_tcp_packet() in net/netfilter/nf_conntrack_proto_tcp.c, where a "
		   "FIN that belongs to nothing is invalid",
	.setup = "client ---- router ---- server, source NAT by nftables; "
		 "nf_conntrack_tcp_timeout_close_wait=1 on the router",
	.procedure = "The client ends its half of a connection, the server does nothing for 1.5 s "
		     "and then ends its own. Does its FIN reach the client? With a router that "
		     "answers what it does not know, and with one that drops what is invalid.",
	.outcome = "Neither end notices that the entry is gone, since neither has a timer. The "
		   "server's FIN goes to the router's own address: RST, or silence until LAST_ACK "
		   "gives up. The client stays in FIN_WAIT2 as long as its program holds it.",
	.control = "The same with the timeout as it was: the FIN arrives and the client reads EOF.",
	.shortened = "the router's timeout for CLOSE_WAIT (60 s) by its sysctl",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.network = LAI_NETWORK_ROUTER,
	.run = run,
};
