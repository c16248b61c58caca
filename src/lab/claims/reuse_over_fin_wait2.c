/* SPDX-License-Identifier: MIT */
/*
 * reuse_over_fin_wait2.c - the client has closed and its server has not: whoever binds the same
 * port again takes over the FIN_WAIT2, and the server's half of the old connection is reset.
 *
 *	client                            server
 *	FIN_WAIT2, held by nobody        CLOSE_WAIT
 *	SYN  ---------------------------->
 *	     <---------------------------  challenge ACK of the old connection (RFC 5961 section 4)
 *	RST  ---------------------------->  the old connection ends: EPIPE
 *	SYN  ---------------------------->
 *	     <---------------------------  SYN-ACK
 */
#include "lab/claims/shared_dial.h"
#include "lab/claims/shared_talk.h"

#include <errno.h>
#include <unistd.h>

#define TIMESTAMPS "net.ipv4.tcp_timestamps"

/* An automatic connect() that may only take this port, even with tcp_tw_reuse=1. */
static struct lai_dial_try automatic_try(struct lai_trial *trial, uint16_t port,
					 const struct lai_address *to)
{
	long found = lai_host_get(trial, trial->client, "net.ipv4.tcp_tw_reuse");
	struct lai_dial_try try;

	lai_dial_range(trial, port, 1);
	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_tw_reuse", 1);
	try = lai_dial_try(trial, NULL, to);
	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_tw_reuse", found);
	return try;
}

static void control(struct lai_trial *trial, const struct lai_pair *pair, uint16_t port,
		    const struct lai_address *from)
{
	struct lai_dial_way plain = {.from = from};
	struct lai_dial_try automatic = automatic_try(trial, port, &pair->at_client.remote);
	struct lai_dial_try bound = lai_dial_try(trial, &plain, &pair->at_client.remote);
	char text[2][LAI_DIAL_TEXT_MAX];
	enum lai_tcp_state state = lai_gauge_state(trial, trial->server, &pair->at_server);

	lai_trial_control(trial,
			  lai_dial_try_was(&automatic, "connect()", EADDRNOTAVAIL) &&
				  lai_dial_try_was(&bound, "bind()", EADDRINUSE) &&
				  state == LAI_TCP_CLOSE_WAIT,
			  "left to the kernel, the port is not taken (%s), nor bound without "
			  "SO_REUSEADDR (%s), and the server %s CLOSE_WAIT",
			  lai_dial_try_text(text[0], &automatic),
			  lai_dial_try_text(text[1], &bound),
			  state == LAI_TCP_CLOSE_WAIT ? "stays in" : "left");
}

/* What the server's program gets from its old socket. */
static struct lai_call old_send(struct lai_trial *trial, const struct lai_pair *pair)
{
	struct lai_call call = lai_call_send(pair->server, 1, LAI_S);

	lai_trial_say(trial, "send() on the server's old socket: %s", lai_call_errno(call.error));
	return call;
}

/* It did not get through: only a connection that had timestamps is taken over. */
static void conclude_refused(struct lai_trial *trial, const struct lai_pair *pair,
			     const struct lai_dial_try *again)
{
	enum lai_tcp_state state = lai_gauge_state(trial, trial->server, &pair->at_server);
	bool stamped = lai_host_get(trial, trial->client, TIMESTAMPS) != 0;
	char text[LAI_DIAL_TEXT_MAX];

	lai_trial_conclude(trial, stamped ? LAI_LAB_REFUTED : LAI_LAB_DEPENDS,
			   "%s%s, and the server's end is %s",
			   stamped ? "" : "on " TIMESTAMPS ", which is 0 here: ",
			   lai_dial_try_text(text, again), lai_gauge_state_name(state));
}

static void conclude(struct lai_trial *trial, const struct lai_pair *pair,
		     const struct lai_dial_try *again)
{
	struct lai_call old;

	if (again->refused) {
		conclude_refused(trial, pair, again);
		return;
	}
	old = old_send(trial, pair);
	if (old.error == EPIPE || old.error == ECONNRESET)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "connected in %.1f ms over the FIN_WAIT2; the server's old "
				   "socket was reset: send() says %s",
				   (double)again->took_ns / LAI_MS, lai_call_errno(old.error));
	else
		lai_trial_conclude(
			trial, old.error == 0 ? LAI_LAB_REFUTED : LAI_LAB_INCONCLUSIVE,
			"connected in %.1f ms, but the server's old socket is not reset: "
			"send() says %s",
			(double)again->took_ns / LAI_MS, lai_call_errno(old.error));
}

static void run(struct lai_trial *trial)
{
	uint16_t port = lai_trial_port(trial, 2000, 30000);
	struct lai_address from = lai_host_address(trial, trial->client, port);
	struct lai_dial_way way = {.from = &from, .reuse = true};
	struct lai_pair_plan plan = {.client_port = port, .reuse = true};
	struct lai_pair pair = lai_pair_open(trial, &plan);
	struct lai_dial_try again;
	char text[LAI_DIAL_TEXT_MAX];
	struct lai_talk talk;
	size_t mark;

	(void)close(pair.client);
	pair.client = -1;
	lai_gauge_need(trial, trial->server, &pair.at_server, LAI_TCP_CLOSE_WAIT);
	if (!lai_gauge_await(trial, trial->client, &pair.at_client, LAI_TCP_FIN_WAIT2, LAI_S)) {
		lai_trial_conclude(
			trial, LAI_LAB_INCONCLUSIVE,
			"the client's kernel keeps no FIN_WAIT2 that could be taken "
			"over (tcp_max_tw_buckets=%ld)",
			lai_host_get(trial, trial->client, "net.ipv4.tcp_max_tw_buckets"));
		return;
	}
	control(trial, &pair, port, &from);
	mark = lai_talk_mark(trial);
	again = lai_dial_try(trial, &way, &pair.at_client.remote);
	/* For the diagram: the new connection has the ends of the old one. */
	(void)lai_gauge_state(trial, trial->client, &pair.at_client);
	(void)lai_gauge_state(trial, trial->server, &pair.at_server);
	lai_trial_say(trial, "bound to port %u again with SO_REUSEADDR: %s", (unsigned)port,
		      lai_dial_try_text(text, &again));
	lai_trial_number(trial, "connect", "ms", (double)again.took_ns / LAI_MS);
	lai_talk_read(trial, mark, &pair.at_client, &talk);
	lai_talk_say(trial, &talk);
	lai_trial_number(trial, "syns", "segments",
			 (double)lai_talk_find(&talk, &from, LAI_FLAG_SYN, 0, NULL));
	lai_trial_number(trial, "resets", "segments",
			 (double)lai_talk_find(&talk, &from, LAI_FLAG_RST, 0, NULL));
	conclude(trial, &pair, &again);
}

const struct lai_claim lai_claim_reuse_over_fin_wait2 = {
	.id = "reuse-over-fin-wait2",
	.claim = "A client that binds its old port again gets through although the server has not "
		 "closed the old connection yet, and the server's CLOSE_WAIT goes away by that.",
	.said = "Clients with a fixed port rely on it to drive their ghost out of the server; for a "
		"load balancer with its own list of ports it is a trap",
	.decides = "tcp_twsk_unique() in net/ipv4/tcp_ipv4.c treats an orphaned FIN_WAIT2 like a "
		   "TIME_WAIT if the port was bound explicitly; tcp_validate_incoming() and "
		   "tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c make the ACK and the "
		   "RST. RFC 9293 section 3.10.7.4, RFC 5961 section 4",
	.setup = "Client and server on one wire; for the control tcp_tw_reuse=1 and a range of one "
		 "automatic port",
	.procedure = "Connect from a bound port, close at the client alone: FIN_WAIT2 there, "
		     "CLOSE_WAIT at the server. Bind the same port again with SO_REUSEADDR, "
		     "connect, and send on the server's old socket.",
	.outcome =
		"connect() succeeds after about 10 ms (1 s before Linux 5.6) and a second SYN; the "
		"server's old socket says EPIPE. Without timestamps connect() says EADDRNOTAVAIL.",
	.control =
		"The same port left to the kernel's choice, or bound without SO_REUSEADDR, must be "
		"refused and leave the CLOSE_WAIT alone.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
