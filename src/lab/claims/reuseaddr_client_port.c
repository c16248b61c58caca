/* SPDX-License-Identifier: MIT */
/*
 * reuseaddr_client_port.c - SO_REUSEADDR is said to be for listeners; on Linux it decides whether a
 * client gets its port again.
 *
 *	bind(port)  over TIME_WAIT:   EADDRINUSE without the option
 *	connect()   over TIME_WAIT:   taken over if the old connection had timestamps,
 *	                              EADDRNOTAVAIL otherwise
 */
#include "lab/claims/shared_dial.h"

#include <errno.h>

#define CONNECTIONS 200
#define TIMESTAMPS "net.ipv4.tcp_timestamps"

/* Connections from one port, one after the other, each closed by the client first. */
struct loop {
	unsigned connected;
	unsigned time_waits; /* so many of them were in TIME_WAIT after that */
	struct lai_dial_try last;
};

static struct loop loop_run(struct lai_trial *trial, uint16_t port, bool reuse)
{
	struct lai_address from = lai_host_address(trial, trial->client, port), to;
	struct lai_dial_way way = {.from = &from, .reuse = reuse};
	int listener = lai_call_listen(trial, trial->server, 0, false, &to);
	struct loop loop = {0};
	char text[LAI_DIAL_TEXT_MAX];

	while (loop.connected < CONNECTIONS) {
		loop.last = lai_dial_try(trial, &way, &to);
		if (loop.last.refused)
			break;
		loop.connected++;
		if (lai_dial_close_first(trial, loop.last.fd, listener) == LAI_TCP_TIME_WAIT)
			loop.time_waits++;
	}
	lai_trial_say(trial,
		      "port %u %s SO_REUSEADDR, tcp_timestamps=%ld: %u of %d connected, %u "
		      "times TIME_WAIT; last: %s",
		      (unsigned)port, reuse ? "with" : "without",
		      lai_host_get(trial, trial->client, TIMESTAMPS), loop.connected, CONNECTIONS,
		      loop.time_waits, lai_dial_try_text(text, &loop.last));
	return loop;
}

static void conclude(struct lai_trial *trial, const struct loop *with,
		     const struct loop *without_timestamps)
{
	long timestamps = lai_host_get(trial, trial->client, TIMESTAMPS);
	char text[LAI_DIAL_TEXT_MAX];

	if (with->connected == CONNECTIONS && with->time_waits == CONNECTIONS)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "with it one port made %d of %d connections, each over the "
				   "TIME_WAIT of the one before (tcp_tw_reuse=%ld); without TCP "
				   "timestamps %u, then %s",
				   CONNECTIONS, CONNECTIONS,
				   lai_host_get(trial, trial->client, "net.ipv4.tcp_tw_reuse"),
				   without_timestamps->connected,
				   lai_dial_try_text(text, &without_timestamps->last));
	else if (with->connected == 1 && lai_dial_try_was(&with->last, "bind()", EADDRINUSE))
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "with it a port made 1 connection as without it, then %s",
				   lai_dial_try_text(text, &with->last));
	else if (with->connected == 1 && timestamps == 0)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on net.ipv4.tcp_timestamps, which is 0 here: with it bind() "
				   "over the TIME_WAIT succeeds, but the port made 1 connection "
				   "too, then %s",
				   lai_dial_try_text(text, &with->last));
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "with it %u of %d connections, %u of them over a TIME_WAIT; "
				   "last: %s",
				   with->connected, CONNECTIONS, with->time_waits,
				   lai_dial_try_text(text, &with->last));
}

static void run(struct lai_trial *trial)
{
	uint16_t port = lai_trial_port(trial, 2000, 30000);
	long found = lai_host_get(trial, trial->client, TIMESTAMPS);
	struct loop with, without, old;
	char text[LAI_DIAL_TEXT_MAX];

	with = loop_run(trial, port, true);
	without = loop_run(trial, (uint16_t)(port + 1), false);
	lai_host_set_number(trial, trial->client, TIMESTAMPS, 0);
	old = loop_run(trial, (uint16_t)(port + 2), true);
	lai_host_set_number(trial, trial->client, TIMESTAMPS, found);
	lai_trial_number(trial, "with_option", "connections", with.connected);
	lai_trial_number(trial, "without_option", "connections", without.connected);
	lai_trial_number(trial, "with_option_no_timestamps", "connections", old.connected);
	lai_trial_control(trial,
			  without.connected == 1 &&
				  lai_dial_try_was(&without.last, "bind()", EADDRINUSE),
			  "without the option a port made %u, then %s", without.connected,
			  lai_dial_try_text(text, &without.last));
	conclude(trial, &with, &old);
}

const struct lai_claim lai_claim_reuseaddr_client_port = {
	.id = "reuseaddr-client-port",
	.claim = "SO_REUSEADDR is for servers that restart; it has nothing to do with outgoing "
		 "connections.",
	.said = "socket(7) explains the option by listening sockets alone; tutorials of socket "
		"programming add that clients do not need it",
	.decides = "inet_csk_get_port() in net/ipv4/inet_connection_sock.c for bind(); "
		   "__inet_check_established() in net/ipv4/inet_hashtables.c and "
		   "tcp_twsk_unique() in net/ipv4/tcp_ipv4.c for connect(): a port that was bound "
		   "explicitly takes over a TIME_WAIT with timestamps whatever tcp_tw_reuse says. "
		   "RFC 6191 section 2, RFC 9293 section 3.6.1",
	.setup = "Client and server on one wire. One loop with net.ipv4.tcp_timestamps=0 at the "
		 "client",
	.procedure = "200 times: bind the same client port, connect to the same listener, close at "
		     "the client first so that it has the TIME_WAIT, and begin again at once: "
		     "with the option, without it on another port, and with it but without "
		     "timestamps on a third one.",
	.outcome = "With the option all 200 connects succeed at once; without it the second bind() "
		   "says EADDRINUSE; without timestamps bind() succeeds and connect() says "
		   "EADDRNOTAVAIL for 60 s.",
	.control = "Without the option the same loop must end at its second bind().",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
