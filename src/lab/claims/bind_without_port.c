/* SPDX-License-Identifier: MIT */
/*
 * bind_without_port.c - bind(address, port 0) has to choose the port before it knows where the
 * connection will go, so it takes one that is free for all destinations.
 *
 *	range of N ports             to A     to B     in all
 *	bind(address, 0)              N        0         N
 *	IP_BIND_ADDRESS_NO_PORT       N        N        2N
 */
#include "lab/claims/shared_dial.h"

#include <errno.h>

#define PORTS 16

/* How many connections each destination got. */
struct shares {
	size_t to_first, to_second, ports;
	struct lai_dial_try first_last, second_last;
};

static struct shares shares_run(struct lai_trial *trial, const char *name,
				const struct lai_dial_way *way)
{
	static struct lai_dial_held held;
	struct lai_address first = lai_host_address(trial, trial->server, 0), second = first;
	struct shares shares = {0};
	char text[LAI_DIAL_TEXT_MAX];

	(void)lai_dial_listen(trial, &first);
	(void)lai_dial_listen(trial, &second);
	shares.to_first = lai_dial_hold(trial, &held, way, &first, PORTS, &shares.first_last);
	shares.to_second = lai_dial_hold(trial, &held, way, &second, PORTS, &shares.second_last);
	shares.ports = lai_dial_different(&held);
	lai_trial_say(trial,
		      "%s: %zu connections to one destination, %zu to another, from %zu "
		      "ports; last: %s",
		      name, shares.to_first, shares.to_second, shares.ports,
		      lai_dial_try_text(text, &shares.second_last));
	lai_dial_drop(trial, &held);
	return shares;
}

static void conclude(struct lai_trial *trial, const struct shares *bound)
{
	char text[LAI_DIAL_TEXT_MAX];

	(void)lai_dial_try_text(text, &bound->second_last);
	if (bound->to_first == PORTS && bound->to_second == 0 &&
	    lai_dial_try_was(&bound->second_last, "bind()", EADDRINUSE))
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"%zu connections to one destination used up the %d ports for every "
			"other: %s; IP_BIND_ADDRESS_NO_PORT shares them",
			bound->to_first, PORTS, text);
	else if (bound->to_first == PORTS && bound->to_second == PORTS)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "%d connections each to two destinations from %zu ports", PORTS,
				   bound->ports);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%zu connections to one destination and %zu to another from a "
				   "range of %d ports; last: %s",
				   bound->to_first, bound->to_second, PORTS, text);
}

static void run(struct lai_trial *trial)
{
	struct lai_address from = lai_host_address(trial, trial->client, 0);
	struct lai_dial_way bound = {.from = &from};
	struct lai_dial_way reused = {.from = &from, .reuse = true};
	struct lai_dial_way late = {.from = &from, .without_port = true};
	struct shares by_bind, by_reuse, by_connect;
	char text[LAI_DIAL_TEXT_MAX];

	lai_dial_range(trial, lai_trial_port(trial, 10000, 60000), PORTS);
	by_bind = shares_run(trial, "bind(address, 0)", &bound);
	by_reuse = shares_run(trial, "the same with SO_REUSEADDR", &reused);
	by_connect = shares_run(trial, "with IP_BIND_ADDRESS_NO_PORT", &late);
	lai_trial_number(trial, "bind", "connections",
			 (double)(by_bind.to_first + by_bind.to_second));
	lai_trial_number(trial, "bind_reuseaddr", "connections",
			 (double)(by_reuse.to_first + by_reuse.to_second));
	lai_trial_number(trial, "bind_no_port", "connections",
			 (double)(by_connect.to_first + by_connect.to_second));
	lai_trial_control(trial,
			  by_connect.to_first == PORTS && by_connect.to_second == PORTS &&
				  by_connect.ports == PORTS,
			  "with IP_BIND_ADDRESS_NO_PORT the %zu ports gave %zu connections and %zu "
			  "more to another destination; last: %s",
			  by_connect.ports, by_connect.to_first, by_connect.to_second,
			  lai_dial_try_text(text, &by_connect.second_last));
	conclude(trial, &by_bind);
}

const struct lai_claim lai_claim_bind_without_port = {
	.id = "bind-without-port",
	.claim = "A client that binds only its address (port 0) has one range of ports for all "
		 "destinations together.",
	.said = "ip(7) on IP_BIND_ADDRESS_NO_PORT; envoyproxy/envoy#44747, where proxies with a "
		"bound source address ran out of ports",
	.decides =
		"inet_csk_find_open_port() in net/ipv4/inet_connection_sock.c chooses at bind(), "
		"when there is no destination yet; with the option __inet_hash_connect() in "
		"net/ipv4/inet_hashtables.c does it by the whole four-tuple (Linux 4.2)",
	.setup = "Client and server on one wire, a range of 16 automatic ports at the client",
	.procedure = "Connect 16 times to one listener and then to another, and hold all "
		     "connections: after bind(address, 0), with SO_REUSEADDR as well, and with "
		     "IP_BIND_ADDRESS_NO_PORT.",
	.outcome = "After 16 connections to one destination bind() says EADDRINUSE, whatever the "
		   "next destination; SO_REUSEADDR does not help.",
	.control = "With IP_BIND_ADDRESS_NO_PORT the same 16 ports must serve both destinations.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
