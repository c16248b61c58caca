/* SPDX-License-Identifier: MIT */
/*
 * conntrack_liberal.c - one segment outside the window, and a healthy connection is reset.
 *
 *	client               router (destination NAT)        server
 *	connected to router  <== translated ===============  connected to client
 *	never heard of this  <-- NOT translated: invalid --  a segment outside the window
 *	RST ------------------> not translated either ---->  ECONNRESET
 */
#include "lab/call.h"
#include "lab/capture.h"
#include "lab/claim.h"
#include "lab/gauge.h"
#include "lab/raw.h"
#include "lab/rules.h"
#include "lab/trial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIBERAL "net.netfilter.nf_conntrack_tcp_be_liberal"

#define SCRIPT_BYTES 512
#define BYTES 100	  /* of each message */
#define BEYOND 0x1000000u /* 16 MB: no window that the client may have opened reaches so far */
#define RAW_NUMBER 20	  /* the address of whom we send by; it sends with the server's own */

#define WAIT_NS (5 * LAI_S)
#define SILENCE_NS (300 * LAI_MS) /* for a RST that has two wires of microseconds to go */

/* What a connection came to after the segment. */
struct fate {
	int server_error; /* of its next recv(): EINPROGRESS if nothing came */
	enum lai_tcp_state client, server;
	bool works; /* a message and its answer came through afterwards */
	unsigned untranslated,
		resets; /* segments on the client's wire, with the server's address */
};

struct scene {
	struct lai_raw *raw;
	int listener;
	struct lai_address real, shown; /* where it listens, and where clients connect to */
};

/* What is sent to the router's own address at this port goes to the server. */
static struct scene scene_make(struct lai_trial *trial)
{
	const struct lai_host_port *inside = &trial->router->ports[0];
	char shown[INET_ADDRSTRLEN], real[INET_ADDRSTRLEN], script[SCRIPT_BYTES];
	struct scene scene = {
		.raw = lai_raw_new(trial, trial->server, trial->router, RAW_NUMBER),
		.shown = inside->v4,
	};

	scene.listener = lai_call_listen(trial, trial->server, 0, false, &scene.real);
	lai_address_set_port(&scene.shown, lai_address_port(&scene.real));
	(void)inet_ntop(AF_INET, &scene.shown.v4.sin_addr, shown, sizeof(shown));
	(void)inet_ntop(AF_INET, &scene.real.v4.sin_addr, real, sizeof(real));
	(void)snprintf(script, sizeof(script),
		       "table ip nat {\n"
		       "	chain in {\n"
		       "		type nat hook prerouting priority dstnat;\n"
		       "		ip daddr %s tcp dport %u dnat to %s\n"
		       "	}\n"
		       "}\n",
		       shown, lai_address_port(&scene.real), real);
	lai_rules_add(trial, trial->router, script);
	return scene;
}

/* What a router does that somebody has set up with care. */
static void drop_invalid(struct lai_trial *trial)
{
	lai_rules_add(trial, trial->router,
		      "table ip firewall {\n"
		      "	chain through {\n"
		      "		type filter hook forward priority filter;\n"
		      "		ct state invalid drop\n"
		      "	}\n"
		      "}\n");
}

static struct lai_pair pair_open(struct lai_trial *trial, const struct scene *scene)
{
	struct lai_pair pair = {.listener = -1};
	struct lai_call call;

	pair.client = lai_call_socket(trial, trial->client);
	call = lai_call_connect(pair.client, &scene->shown, WAIT_NS);
	if (call.error)
		lai_trial_fail(trial, "connect() through the router: %s",
			       lai_call_errno(call.error));
	pair.server = lai_call_accept(trial, scene->listener, WAIT_NS);
	pair.at_client = lai_call_ends(trial, pair.client);
	pair.at_server = lai_call_ends(trial, pair.server);
	return pair;
}

static bool message(int from, int to)
{
	return lai_call_send(from, BYTES, WAIT_NS).error == 0 &&
	       lai_call_receive(to, NULL, BYTES, WAIT_NS).bytes == BYTES;
}

/* The server's latest segment of this connection, as it went over its wire. */
static struct lai_segment latest(struct lai_trial *trial, const struct lai_ends *ends)
{
	const struct lai_captured *all;
	size_t count, i;

	if (!trial->captures[1])
		lai_trial_lacks(trial, "the sequence numbers are read from the capture, and there "
				       "is none");
	all = lai_capture_segments(trial->captures[1], &count);
	for (i = count; i > 0; i--)
		if (lai_address_equal(&all[i - 1].segment.from, &ends->local) &&
		    lai_address_equal(&all[i - 1].segment.to, &ends->remote))
			return all[i - 1].segment;
	lai_trial_fail(trial, "the server's segments are not in the capture");
}

/* In the server's name: so far from where the connection is. */
static void stray_send(struct lai_trial *trial, const struct scene *scene,
		       const struct lai_pair *pair, uint32_t distance)
{
	struct lai_segment segment = latest(trial, &pair->at_server);

	segment.seq += lai_segment_length(&segment) + distance;
	segment.flags = LAI_FLAG_ACK | LAI_FLAG_PSH;
	segment.payload = NULL;
	segment.payload_bytes = BYTES;
	lai_raw_send(scene->raw, &segment);
}

/* What came to the client under the server's own address, and what the client said to that. */
static void client_wire(struct lai_trial *trial, const struct lai_pair *pair, struct fate *fate)
{
	const struct lai_captured *all;
	size_t count;

	if (!trial->captures[0])
		return;
	all = lai_capture_segments(trial->captures[0], &count);
	for (size_t i = 0; i < count; i++) {
		const struct lai_segment *segment = &all[i].segment;
		bool from = lai_address_equal(&segment->from, &pair->at_server.local) &&
			    lai_address_equal(&segment->to, &pair->at_server.remote);
		bool to = lai_address_equal(&segment->to, &pair->at_server.local) &&
			  lai_address_equal(&segment->from, &pair->at_server.remote);

		fate->untranslated += from;
		fate->resets += to && (segment->flags & LAI_FLAG_RST);
		if (from || to)
			lai_trial_say_segment(trial, "on the client's wire", segment);
	}
}

static struct fate try_stray(struct lai_trial *trial, const struct scene *scene, const char *name,
			     uint32_t distance)
{
	struct lai_pair pair = pair_open(trial, scene);
	struct fate fate = {0};

	if (!message(pair.client, pair.server) || !message(pair.server, pair.client))
		lai_trial_fail(trial, "no message came through the router");
	stray_send(trial, scene, &pair, distance);
	fate.server_error = lai_call_receive(pair.server, NULL, BYTES, SILENCE_NS).error;
	fate.client = lai_gauge_state(trial, trial->client, &pair.at_client);
	fate.server = lai_gauge_state(trial, trial->server, &pair.at_server);
	fate.works = fate.server_error == EINPROGRESS && message(pair.client, pair.server) &&
		     message(pair.server, pair.client);
	client_wire(trial, &pair, &fate);
	lai_trial_say(trial,
		      "%s: %u segments came untranslated, %u answered by RST; client %s, server %s "
		      "(recv: %s); afterwards it %s",
		      name, fate.untranslated, fate.resets, lai_gauge_state_name(fate.client),
		      lai_gauge_state_name(fate.server),
		      fate.server_error == EINPROGRESS ? "nothing came"
						       : lai_call_errno(fate.server_error),
		      fate.works ? "works" : "is dead");
	lai_pair_close(&pair);
	return fate;
}

static void run(struct lai_trial *trial)
{
	struct scene scene = scene_make(trial);
	long liberal = lai_host_get(trial, trial->router, LIBERAL);
	struct fate strict, late, tolerant, careful;

	lai_host_set_number(trial, trial->router, LIBERAL, 0);
	strict = try_stray(trial, &scene, "be_liberal=0, 16 MB ahead", BEYOND);
	late = try_stray(trial, &scene, "be_liberal=0, 16 MB behind", 0u - BEYOND);
	lai_host_set_number(trial, trial->router, LIBERAL, 1);
	tolerant = try_stray(trial, &scene, "be_liberal=1, 16 MB ahead", BEYOND);
	lai_host_set_number(trial, trial->router, LIBERAL, 0);
	drop_invalid(trial);
	careful = try_stray(trial, &scene, "be_liberal=0, invalid dropped, 16 MB ahead", BEYOND);
	lai_host_set_number(trial, trial->router, LIBERAL, liberal);
	lai_trial_number(trial, "reset_strict", "connections", strict.resets > 0);
	lai_trial_number(trial, "reset_strict_behind", "connections", late.resets > 0);
	lai_trial_number(trial, "reset_liberal", "connections", tolerant.resets > 0);
	lai_trial_number(trial, "reset_invalid_dropped", "connections", careful.resets > 0);
	lai_trial_control(
		trial, tolerant.works && tolerant.untranslated == 0 && careful.works,
		"with nf_conntrack_tcp_be_liberal=1 the same segment is translated and the "
		"connection %s; with a rule that drops what is invalid it %s",
		tolerant.works ? "works on" : "is dead as well",
		careful.works ? "works on too" : "is dead as well");
	if (strict.server_error == ECONNRESET && strict.untranslated > 0)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"a segment 16 MB ahead was invalid to the router, which let it "
			"through with the server's own address; the client answered RST, "
			"and the server's recv() says ECONNRESET (client: %s). One 16 MB "
			"behind %s",
			lai_gauge_state_name(strict.client),
			late.works ? "did no harm" : "killed it as well");
	else if (strict.works)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "a segment 16 MB ahead did no harm to the connection");
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "the connection died of a segment 16 MB ahead, but not by RST "
				   "(server: %s)",
				   lai_call_errno(strict.server_error));
}

const struct lai_claim lai_claim_conntrack_liberal = {
	.id = "conntrack-liberal",
	.claim = "A NAT router resets healthy connections because of one segment outside the "
		 "window; nf_conntrack_tcp_be_liberal=1 prevents it.",
	.said = "kubernetes/kubernetes#74839 and #117924 (\"connection reset by peer\" in clusters)",
	.decides = "RFC 9293 3.10.7.4 wants such a segment answered by an ACK; tcp_in_window() in "
		   "net/netfilter/nf_conntrack_proto_tcp.c calls it invalid, so that NAT leaves it "
		   "alone, and forwarding does not care; the client's tcp_v4_rcv() then finds no "
		   "socket for the address and sends RST",
	.setup = "client ---- router ---- server; the client connects to the router's address, "
		 "which nftables translates to the server's",
	.procedure = "On a connection that works, one segment is sent in the server's name, 16 MB "
		     "ahead of its sequence numbers (then on others 16 MB behind, with "
		     "be_liberal=1, and with a rule \"ct state invalid drop\"). Does the "
		     "connection still work?",
	.outcome = "Invalid is not dropped but forwarded without translation: the client gets a "
		   "segment from an address it never spoke with and answers RST, whose numbers fit "
		   "the server's connection exactly.",
	.control =
		"With nf_conntrack_tcp_be_liberal=1, and with a rule that drops what is invalid, "
		"the connection works on.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.network = LAI_NETWORK_ROUTER,
	.run = run,
};
