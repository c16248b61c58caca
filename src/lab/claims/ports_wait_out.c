/* SPDX-License-Identifier: MIT */
/*
 * ports_wait_out.c - without tuning connect() leaves each port in TIME_WAIT alone for its 60 s.
 *
 *	ports 1..10 -> server, closed by the client    10 TIME_WAITs, 60 s left
 *	connect() -> the same server                   EADDRNOTAVAIL, and so it stays
 *	connect() -> another port of the server        connected
 */
#include "lab/claims/shared_used_up.h"

#include <unistd.h>

#define TW_REUSE "net.ipv4.tcp_tw_reuse"

static void control(struct lai_trial *trial)
{
	struct lai_address other;
	int listener = lai_call_listen(trial, trial->server, 0, false, &other);
	struct lai_dial_try try = lai_dial_try(trial, NULL, &other);
	char text[LAI_DIAL_TEXT_MAX];

	lai_trial_control(trial, !try.refused,
			  "another port of the same server, from the same ports: %s",
			  lai_dial_try_text(text, &try));
	if (!try.refused)
		(void)close(try.fd);
	(void)close(listener);
}

static void conclude(struct lai_trial *trial, const struct lai_used_up *used)
{
	long reuse = lai_host_get(trial, trial->client, TW_REUSE);

	if (used->time_waits == 0 || !used->last.refused)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u connections from %d ports left %u TIME_WAITs and none was "
				   "refused, so no port had to wait",
				   used->made, LAI_USED_UP_PORTS, used->time_waits);
	else if (used->came_back)
		lai_trial_conclude(
			trial, LAI_LAB_DEPENDS,
			"on tcp_tw_reuse, which is %ld: a port came back after %.0f ms, of "
			"the %.1f s that its TIME_WAIT had",
			reuse, used->after_ms, used->left_ms / 1000.0);
	else
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"%u connections from %d ports, then connect(): %s; in %.0f ms none "
			"came back, and the kernel's timer says %.1f s (tcp_tw_reuse=%ld)",
			used->made, LAI_USED_UP_PORTS, lai_call_errno(used->last.error),
			used->after_ms, used->left_ms / 1000.0, reuse);
}

static void run(struct lai_trial *trial)
{
	struct lai_address to;
	int listener = lai_call_listen(trial, trial->server, 0, false, &to);
	struct lai_used_up used;

	used = lai_used_up_try(trial, trial->server, listener, &to, lai_used_up_wait_ns(trial));
	control(trial);
	lai_trial_number(trial, "connections", "", used.made);
	lai_trial_number(trial, "TIME_WAIT left", "ms", used.left_ms);
	conclude(trial, &used);
}

const struct lai_claim lai_claim_ports_wait_out = {
	.id = "ports-wait-out",
	.claim = "A client that connects to one server again and again, and closes first, runs out "
		 "of ports: for that server each is unusable for the 60 s of its TIME_WAIT.",
	.said = "Load tests that end in \"Cannot assign requested address\"; the arithmetic \"28,000 "
		"ports / 60 s = "
		"470 connections a second\"",
	.decides = "__inet_hash_connect() in net/ipv4/inet_hashtables.c and tcp_twsk_unique() in "
		   "net/ipv4/tcp_ipv4.c: tcp_tw_reuse is 2 by default, which means loopback alone",
	.setup = "Client and server on one wire, a range of 10 automatic ports at the client",
	.procedure =
		"Connect to one listener and close at the client first, until connect() is refused. Go on trying "
		"for longer than tcp_tw_reuse_delay.",
	.outcome =
		"EADDRNOTAVAIL after as many connections as ports. The limit is one per (source, destination, "
		"destination port), and goes away with tcp_tw_reuse=1 or where the server closes first.",
	.control = "From the same ports another port of the same server must be reachable at once.",
	.shortened =
		"The 60 s are read from the timer of the last TIME_WAIT; a port that could come back would do so "
		"within tcp_tw_reuse_delay (1 s), which is waited for",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
