/* SPDX-License-Identifier: MIT */
/*
 * fixed_port_close_wait.c - a client that never closes what its server has closed: how much it
 * leaks from a fixed port, and what the price is.
 *
 *	automatic port:  connect, CLOSE_WAIT, connect, CLOSE_WAIT, connect ...   one each
 *	fixed port:      connect, CLOSE_WAIT, EADDRNOTAVAIL, EADDRNOTAVAIL ...   one
 */
#include "lab/claims/shared_dial.h"

#include <errno.h>
#include <unistd.h>

#define TRIES 20
#define OTHERS 5 /* more destinations */
#define WAIT_NS (5 * LAI_S)

/* What a leaking client has got by TRIES tries. */
struct leak {
	struct lai_dial_held held;
	size_t close_waits, ports;
	unsigned refused;
	struct lai_dial_try last; /* the last one that was refused, if any was */
};

/* The server accepts and closes; the client does not, and its kernel has CLOSE_WAIT. */
static void hang_up(struct lai_trial *trial, int client, int listener)
{
	struct lai_ends ends = lai_call_ends(trial, client);

	(void)close(lai_call_accept(trial, listener, WAIT_NS));
	lai_gauge_need(trial, trial->client, &ends, LAI_TCP_CLOSE_WAIT);
}

static size_t close_waits(struct lai_trial *trial)
{
	return lai_gauge_count(trial, trial->client, LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT));
}

static void leak_run(struct lai_trial *trial, const struct lai_dial_way *way,
		     const struct lai_address *to, int listener, struct leak *leak)
{
	size_t before = close_waits(trial);

	for (unsigned i = 0; i < TRIES; i++) {
		struct lai_dial_try try;

		if (lai_dial_hold(trial, &leak->held, way, to, 1, &try) == 1) {
			hang_up(trial, try.fd, listener);
			continue;
		}
		leak->refused++;
		leak->last = try;
	}
	leak->close_waits = close_waits(trial) - before;
	leak->ports = lai_dial_different(&leak->held);
}

/* The same port to other destinations, while the first socket is in CLOSE_WAIT. */
static size_t others_run(struct lai_trial *trial, const struct lai_dial_way *way, struct leak *leak)
{
	size_t before = close_waits(trial), after;

	for (unsigned i = 0; i < OTHERS; i++) {
		struct lai_address to;
		int listener = lai_call_listen(trial, trial->server, 0, false, &to);
		struct lai_dial_try try;

		if (lai_dial_hold(trial, &leak->held, way, &to, 1, &try) == 1)
			hang_up(trial, try.fd, listener);
	}
	after = close_waits(trial);
	lai_trial_say(trial, "to %d other destinations from the same port: %zu CLOSE_WAITs more",
		      OTHERS, after - before);
	return after - before;
}

/* When the leaked socket is closed at last, the port is free at once. */
static struct lai_dial_try mend(struct lai_trial *trial, const struct lai_dial_way *way,
				const struct lai_address *to, int listener, const struct leak *leak)
{
	struct lai_ends ends = lai_call_ends(trial, leak->held.fds[0]);
	struct lai_dial_try try;
	char text[LAI_DIAL_TEXT_MAX];

	(void)close(leak->held.fds[0]);
	if (!lai_gauge_await(trial, trial->client, &ends, LAI_TCP_NONE, WAIT_NS))
		lai_trial_fail(trial, "LAST_ACK does not end");
	try = lai_dial_try(trial, way, to);
	if (!try.refused) {
		(void)close(lai_call_accept(trial, listener, WAIT_NS));
		(void)close(try.fd);
	}
	lai_trial_say(trial, "after close() of the leaked socket: %s",
		      lai_dial_try_text(text, &try));
	return try;
}

static void conclude(struct lai_trial *trial, const struct leak *fixed, size_t others,
		     const struct lai_dial_try *mended)
{
	char text[LAI_DIAL_TEXT_MAX];

	if (fixed->close_waits == 1 && fixed->refused == TRIES - 1 && fixed->ports == 1)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"%d tries left 1 CLOSE_WAIT on 1 port; the price: the %u others "
			"were refused (%s) until the old socket was closed%s, and %zu of %d other "
			"destinations leaked one each from the same port",
			TRIES, fixed->refused, lai_dial_try_text(text, &fixed->last),
			mended->refused ? " and after that" : "", others, OTHERS);
	else
		lai_trial_conclude(trial,
				   fixed->close_waits > 1 ? LAI_LAB_REFUTED : LAI_LAB_INCONCLUSIVE,
				   "%d tries left %zu CLOSE_WAITs on %zu ports, %u were refused",
				   TRIES, fixed->close_waits, fixed->ports, fixed->refused);
}

static void run(struct lai_trial *trial)
{
	struct lai_address from, to;
	struct lai_dial_way way = {.from = &from, .reuse = true};
	static struct leak automatic, fixed;
	struct lai_dial_try plain, mended;
	int listener = lai_call_listen(trial, trial->server, 0, false, &to);
	char text[LAI_DIAL_TEXT_MAX];
	size_t others;

	from = lai_host_address(trial, trial->client, lai_trial_port(trial, 2000, 30000));
	leak_run(trial, &way, &to, listener, &fixed);
	lai_trial_say(trial, "port %u with SO_REUSEADDR, %d tries: %zu CLOSE_WAITs, %u refused: %s",
		      (unsigned)lai_address_port(&from), TRIES, fixed.close_waits, fixed.refused,
		      lai_dial_try_text(text, &fixed.last));
	way.reuse = false;
	plain = lai_dial_try(trial, &way, &to);
	lai_trial_say(trial, "the same without SO_REUSEADDR: %s", lai_dial_try_text(text, &plain));
	way.reuse = true;
	others = others_run(trial, &way, &fixed);
	mended = mend(trial, &way, &to, listener, &fixed);
	leak_run(trial, NULL, &to, listener, &automatic);
	lai_trial_number(trial, "close_waits_fixed", "sockets", (double)fixed.close_waits);
	lai_trial_number(trial, "close_waits_automatic", "sockets", (double)automatic.close_waits);
	lai_trial_number(trial, "close_waits_other_destinations", "sockets", (double)others);
	lai_trial_control(trial, automatic.close_waits == TRIES && automatic.ports == TRIES,
			  "%d tries from automatic ports left %zu CLOSE_WAITs on %zu ports", TRIES,
			  automatic.close_waits, automatic.ports);
	conclude(trial, &fixed, others, &mended);
}

const struct lai_claim lai_claim_fixed_port_close_wait = {
	.id = "fixed-port-close-wait",
	.claim = "A fixed client port with SO_REUSEADDR keeps the damage of a leak to one port, "
		 "however often the program forgets to close.",
	.said = "Advice for long-running clients: should the program forget close() after an error "
		"of recv(), bind a fixed port so that CLOSE_WAITs cannot pile up",
	.decides = "inet_csk_get_port() in net/ipv4/inet_connection_sock.c lets bind() through if "
		   "both sockets have SO_REUSEADDR and none listens; "
		   "__inet_check_established() in net/ipv4/inet_hashtables.c refuses the second "
		   "connection with the same four-tuple. RFC 9293 section 3.4.1: a connection is "
		   "named by both ends",
	.setup = "Client and server on one wire; nothing is set",
	.procedure = "20 times: bind the fixed port, connect, the server closes, the client does "
		     "not. Then five other destinations from the same port, without SO_REUSEADDR, "
		     "and after close() of the first socket. The same 20 tries with automatic "
		     "ports.",
	.outcome = "One CLOSE_WAIT, and 19 times EADDRNOTAVAIL from connect(): the leak is bounded "
		   "because the client is cut off. Each other destination leaks one socket more "
		   "from the same port.",
	.control = "With automatic ports the same program must leak a socket and a port each time.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
