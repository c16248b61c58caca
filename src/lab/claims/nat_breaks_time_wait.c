/* SPDX-License-Identifier: MIT */
/*
 * nat_breaks_time_wait.c - many clients, one address, few ports.
 *
 * A TIME_WAIT lets a connection in that goes on where the former one ended: a higher sequence number
 * or a later timestamp. One client's kernel sees to that. Two clients behind one address and port
 * have nothing to do with each other's numbers:
 *
 *	client B           router                     server (TIME_WAIT of client A)
 *	  SYN -----------> port 40003 --------------> an old number
 *	  <--------------------------------- ACK ---  of A's connection
 *	  RST -----------> the router forgets ------> TIME_WAIT gone
 *	  SYN -----------> port 40001, by chance ---> the next TIME_WAIT, and now it takes a second
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
#include <unistd.h>

#define CLIENTS 40
#define CLIENT_FIRST 20 /* their addresses: .20 to .59 */

#define PORT_FIRST 40000
#define PORTS_FEW 8   /* enough that the router itself nearly always finds one that it may take */
#define PORTS_FEWER 4 /* few enough that in one of 16 cases it finds none */
#define PORTS_MANY 20000

/* So many connections at most, until what is looked for has been seen. */
#define CONNECTS_MAX 400
#define CONNECTS_CONTROL 100
#define SLOW_MAX 3 /* each takes a second or more */

#define CONNECT_WAIT_NS (1200 * LAI_MS) /* the repetition after 1 s is inside */
#define PHASE_NS (4 * LAI_S)
#define WAIT_NS (2 * LAI_S)

/* The first repetition of a SYN by the clock comes after 1 s (RFC 6298 2). */
#define SLOW_NS (900 * LAI_MS)

#define TIMESTAMPS "net.ipv4.tcp_timestamps"

enum closes_first { CLIENT_FIRST_CLOSES, SERVER_FIRST_CLOSES };

/* What a series of connects came to. */
struct load {
	unsigned connects;
	unsigned at_once; /* by their first SYN */
	unsigned second;  /* by another SYN, sent because of an answer */
	unsigned slow;	  /* another SYN, sent by the clock a second later; or none was enough */
	uint64_t slowest_ns;
	uint64_t paws;		       /* segments that the server's TIME_WAITs found too old */
	uint64_t insert_failed, drops; /* the router found no free port, and dropped the SYN */
	unsigned changed_ports; /* SYNs of one connect that reached the server from two ports */
	unsigned acks;		/* of the server's, as the answer to a SYN */
	bool told;		/* the segments of a slow one whose port changed */
	size_t time_waits;	/* at the server, in the end */
};

struct plan {
	const char *name;
	uint32_t series;
	enum closes_first first;
	unsigned connects;
	bool until_seen; /* ends when it has seen what must not be in a control */
	uint16_t ports;	 /* of the NAT; 0: none */
	struct lai_address clients[CLIENTS];
	int listener;
	struct lai_address to;
};

/* The wire between router and server. */
static const struct lai_captured *outside(struct lai_trial *trial, size_t *count)
{
	*count = 0;
	return trial->captures[1] ? lai_capture_segments(trial->captures[1], count) : NULL;
}

static bool is_syn(const struct lai_segment *segment)
{
	return (segment->flags & (LAI_FLAG_SYN | LAI_FLAG_ACK)) == LAI_FLAG_SYN;
}

static bool is_syn_ack(const struct lai_segment *segment)
{
	return (segment->flags & LAI_FLAG_SYN) && (segment->flags & LAI_FLAG_ACK);
}

/*
 * The ports from which the SYNs of the latest connect came to the server, and its answers. Connects
 * follow one another, so what is on the wire since `from` is of this one. True: two ports.
 */
static bool look_outside(struct lai_trial *trial, const struct plan *plan, struct load *load,
			 size_t from)
{
	uint16_t server_port = lai_address_port(&plan->to), port = 0;
	bool changed = false, waits = false;
	const struct lai_captured *all;
	size_t count;

	all = outside(trial, &count);
	for (size_t i = from; i < count && !is_syn_ack(&all[i].segment); i++) {
		const struct lai_segment *segment = &all[i].segment;
		bool syn = is_syn(segment) && lai_address_port(&segment->to) == server_port;
		bool ack = segment->flags == LAI_FLAG_ACK &&
			   lai_address_port(&segment->from) == server_port;

		if (syn && port && lai_address_port(&segment->from) != port)
			changed = true;
		if (syn)
			port = lai_address_port(&segment->from);
		load->acks += waits && ack;
		waits = syn;
	}
	load->changed_ports += changed;
	return changed;
}

/* The segments of the latest connect, until it was accepted. */
static void tell_outside(struct lai_trial *trial, size_t from)
{
	const struct lai_captured *all;
	size_t count;

	all = outside(trial, &count);
	for (size_t i = from; i < count; i++) {
		char what[48];

		(void)snprintf(what, sizeof(what), "on the server's wire after %.1f ms",
			       (double)(all[i].time_ns - all[from].time_ns) / LAI_MS);
		lai_trial_say_segment(trial, what, &all[i].segment);
		if (is_syn_ack(&all[i].segment))
			break;
	}
}

/* Each of both closes, and reads what the other one said. */
static void close_both(struct lai_trial *trial, const struct plan *plan, int client)
{
	int server = lai_call_accept(trial, plan->listener, WAIT_NS);
	int first = plan->first == SERVER_FIRST_CLOSES ? server : client;
	int second = first == server ? client : server;

	if (plan->ports)
		lai_nat_need(trial, server, PORT_FIRST, (uint16_t)(PORT_FIRST + plan->ports - 1));
	(void)close(first);
	(void)lai_call_receive_all(second, WAIT_NS);
	(void)close(second);
}

static uint64_t syns_again(struct lai_trial *trial, const struct lai_counters *then)
{
	return lai_counters_since(trial, trial->client, then, "TCPSynRetrans");
}

/* Counts one connect; *then are the counters from before it. */
static void judge(struct lai_trial *trial, const struct plan *plan, struct load *load,
		  const struct lai_call *call, const struct lai_counters *then, size_t wire_from)
{
	bool again = syns_again(trial, then) > 0;
	bool slow = again && call->took_ns >= SLOW_NS;
	bool changed;

	load->connects++;
	load->at_once += !again;
	load->second += again && !slow;
	load->slow += slow;
	if (call->took_ns > load->slowest_ns)
		load->slowest_ns = call->took_ns;
	lai_trial_point(trial, plan->series, load->connects, (double)call->took_ns / LAI_MS);
	if (!again)
		return;
	changed = look_outside(trial, plan, load, wire_from);
	if (!slow)
		return;
	lai_trial_say(trial, "%s, connect %u: %s after %.0f ms", plan->name, load->connects,
		      call->error ? "nothing yet" : "established", (double)call->took_ns / LAI_MS);
	if (changed && !load->told)
		tell_outside(trial, wire_from);
	load->told |= changed;
}

static void connect_once(struct lai_trial *trial, const struct plan *plan, struct load *load)
{
	const struct lai_address *from = &plan->clients[load->connects % CLIENTS];
	int client = lai_call_socket(trial, trial->client);
	struct lai_counters *then = lai_counters_read(trial, trial->client);
	struct lai_call call = lai_call_bind(client, from);
	size_t wire_from;

	(void)outside(trial, &wire_from);
	if (call.error)
		lai_trial_fail(trial, "bind(): %s", lai_call_errno(call.error));
	call = lai_call_connect(client, &plan->to, CONNECT_WAIT_NS);
	if (call.error && call.error != EINPROGRESS)
		lai_trial_fail(trial, "connect(): %s", lai_call_errno(call.error));
	judge(trial, plan, load, &call, then, wire_from);
	lai_counters_free(then);
	if (call.error == 0)
		close_both(trial, plan, client);
	else
		(void)close(client);
}

/* Server first: a slow one, and a TIME_WAIT that refused; client first: there are none, so a slow
   one is all that can be seen. */
static bool seen_enough(const struct plan *plan, const struct load *load)
{
	bool seen = plan->first == CLIENT_FIRST_CLOSES || load->told;

	return plan->until_seen && (load->slow >= SLOW_MAX || (load->slow > 0 && seen));
}

static void load_say(struct lai_trial *trial, const struct plan *plan, const struct load *load)
{
	lai_trial_say(
		trial,
		"%s: %u connects: %u by the first SYN, %u by a second one at once, %u slower; "
		"slowest %.1f ms",
		plan->name, load->connects, load->at_once, load->second, load->slow,
		(double)load->slowest_ns / LAI_MS);
	lai_trial_say(
		trial,
		"%s: %u SYNs answered by an ACK (server: PAWSTimewait %llu), %u connects came "
		"from two ports; router: insert_failed %llu, drop %llu",
		plan->name, load->acks, (unsigned long long)load->paws, load->changed_ports,
		(unsigned long long)load->insert_failed, (unsigned long long)load->drops);
}

/* Since then; 0 if this kernel does not count it. */
static uint64_t counted(struct lai_trial *trial, const struct lai_host *host,
			const struct lai_counters *then, const char *name)
{
	return lai_counters_have(then, name) ? lai_counters_since(trial, host, then, name) : 0;
}

static struct load connects(struct lai_trial *trial, const struct plan *plan)
{
	uint64_t deadline_ns = lai_clock_now() + PHASE_NS;
	struct lai_counters *server = lai_counters_read(trial, trial->server);
	struct lai_counters *router = lai_counters_read(trial, trial->router);
	struct load load = {0};

	while (load.connects < plan->connects && !seen_enough(plan, &load) &&
	       lai_clock_now() < deadline_ns)
		connect_once(trial, plan, &load);
	load.paws = counted(trial, trial->server, server, "PAWSTimewait");
	load.insert_failed = counted(trial, trial->router, router, "conntrack_insert_failed");
	load.drops = counted(trial, trial->router, router, "conntrack_drop");
	load.time_waits =
		lai_gauge_count(trial, trial->server, LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT));
	lai_counters_free(server);
	lai_counters_free(router);
	load_say(trial, plan, &load);
	return load;
}

/* A listener and the NAT before it; ports 0: none. */
static struct load try_nat(struct lai_trial *trial, struct plan *plan, const char *name,
			   enum closes_first first, uint16_t ports)
{
	struct load load;

	plan->name = name;
	plan->first = first;
	plan->ports = ports;
	plan->series = lai_trial_series(trial, name, "connect", "time to connect, ms");
	plan->listener = lai_call_listen(trial, trial->server, 0, false, &plan->to);
	if (ports)
		lai_nat_source(trial, lai_address_port(&plan->to), PORT_FIRST,
			       (uint16_t)(PORT_FIRST + ports - 1));
	load = connects(trial, plan);
	(void)close(plan->listener);
	lai_rules_clear(trial, trial->router);
	return load;
}

static void number(struct lai_trial *trial, const char *who, const char *what, double value)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "%s_%s", who, what);
	lai_trial_number(trial, name, "connects", value);
}

static void numbers(struct lai_trial *trial, const char *who, const struct load *load)
{
	number(trial, who, "connects", load->connects);
	number(trial, who, "second_syn", load->second);
	number(trial, who, "slow", load->slow);
	number(trial, who, "port_changed", load->changed_ports);
}

/* What the claim hangs on, when connects were slow and no TIME_WAIT had a part in it. */
static void conclude_depends(struct lai_trial *trial, const struct load *server_first,
			     const struct load *client_first)
{
	long timestamps = lai_host_get(trial, trial->server, TIMESTAMPS);
	char on[96];

	if (timestamps == 0)
		(void)snprintf(on, sizeof(on), TIMESTAMPS ", which is 0 here");
	else if (server_first->time_waits == 0)
		(void)snprintf(on, sizeof(on), "net.ipv4.tcp_max_tw_buckets, which is %ld here",
			       lai_host_get(trial, trial->server, "net.ipv4.tcp_max_tw_buckets"));
	else
		(void)snprintf(on, sizeof(on), "whether the router takes ports in TIME_WAIT again");
	lai_trial_conclude(trial, LAI_LAB_DEPENDS,
			   "on %s: the server (%zu TIME_WAITs) answered no SYN by an ACK in %u "
			   "connects, and yet %u of %u connects took a second or more, since the "
			   "router had no port for them and dropped their SYNs",
			   on, server_first->time_waits, server_first->connects,
			   server_first->slow + client_first->slow,
			   server_first->connects + client_first->connects);
}

static void conclude(struct lai_trial *trial, const struct load *server_first,
		     const struct load *client_first)
{
	unsigned slow = server_first->slow + client_first->slow;

	if (server_first->slow > 0 && server_first->acks > 0)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"40 clients behind 8 ports of one address: when the server closes "
			"first, its TIME_WAITs answered %u SYNs of %u connects by an ACK, "
			"and %u took a second or more (%u came from another port at the "
			"second try); when the client closes first, the router let %u of "
			"%u wait for a second or more (insert_failed %llu)",
			server_first->acks, server_first->connects, server_first->slow,
			server_first->changed_ports, client_first->slow, client_first->connects,
			(unsigned long long)client_first->insert_failed);
	else if (slow > 0 && server_first->drops + client_first->drops > 0)
		conclude_depends(trial, server_first, client_first);
	else if (slow > 0 || server_first->connects < CONNECTS_MAX)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u of %u connects took a second, though no TIME_WAIT refused "
				   "a SYN and the router dropped none; %d were wanted",
				   slow, server_first->connects, CONNECTS_MAX);
	else
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"%u connects of 40 clients behind 8 ports of one address, and none "
			"took a second",
			server_first->connects + client_first->connects);
}

static void run(struct lai_trial *trial)
{
	struct plan plan = {.connects = CONNECTS_CONTROL};
	struct load none, many, server_first, client_first;

	for (unsigned i = 0; i < CLIENTS; i++)
		plan.clients[i] = lai_host_add_address(trial, trial->client, CLIENT_FIRST + i);
	none = try_nat(trial, &plan, "no NAT", SERVER_FIRST_CLOSES, 0);
	many = try_nat(trial, &plan, "20000 ports", SERVER_FIRST_CLOSES, PORTS_MANY);
	plan.connects = CONNECTS_MAX;
	plan.until_seen = true;
	server_first = try_nat(trial, &plan, "8 ports, server closes first", SERVER_FIRST_CLOSES,
			       PORTS_FEW);
	client_first = try_nat(trial, &plan, "4 ports, client closes first", CLIENT_FIRST_CLOSES,
			       PORTS_FEWER);
	numbers(trial, "server_first", &server_first);
	numbers(trial, "client_first", &client_first);
	numbers(trial, "many_ports", &many);
	lai_trial_control(trial, none.at_once == none.connects && many.at_once == many.connects,
			  "the same load without NAT, and through a NAT with 20,000 ports: %u of "
			  "%u connects by their first SYN",
			  none.at_once + many.at_once, none.connects + many.connects);
	conclude(trial, &server_first, &client_first);
}

const struct lai_claim lai_claim_nat_breaks_time_wait = {
	.id = "nat-breaks-time-wait",
	.claim = "A NAT router that shares one address among many clients breaks TIME_WAIT: as "
		 "soon as its ports come round within the 60 s, SYNs meet the TIME_WAIT of another "
		 "client, and connects take a second.",
	.said = "issues of load balancers and clusters behind source NAT: kubernetes/kubernetes#76699 "
		"and #81775, traefik/traefik#10250, envoyproxy/envoy#31729, cilium/cilium#45863, "
		"cloudfoundry/silk-release#29",
	.decides = "RFC 6191 2 and RFC 7323 5.3: a SYN into TIME_WAIT needs a later timestamp or a "
		   "higher sequence number, which different clients do not have in order; "
		   "tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c; "
		   "nf_nat_used_tuple_new() and get_unique_tuple() in net/netfilter/nf_nat_core.c "
		   "choose the port, tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c "
		   "repeats only the first SYN at once",
	.setup = "client (40 addresses) ---- router ---- server; nftables \"snat to\" the router's "
		 "address and 8 ports, then 4; all sysctls as they are. One kernel can stand for "
		 "40 hosts: it draws initial sequence numbers and the offset of its timestamps by "
		 "the address (secure_tcp_seq(), secure_tcp_ts_off())",
	.procedure = "One connect after another, each from the next client address, until one took "
		     "a second: with the server closing first (TIME_WAIT at the server), then with "
		     "the client closing first. SYNs, their ports on the server's side and the "
		     "answers are taken from the wires.",
	.outcome =
		"The server's TIME_WAIT belongs to another client, whose numbers are unrelated: it "
		"answers ACK to about half of the SYNs. The client's RST makes the router forget "
		"the port, the second SYN after 10 ms comes from another one, and if that is in "
		"TIME_WAIT as well the third one comes a second later. With the client closing "
		"first the router's own table is full, and it drops SYNs.",
	.control = "The same load without NAT, and through a NAT with 20,000 ports: every connect "
		   "succeeds with its first SYN.",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL},
		     {6, 5, LAI_LAB_CONFIRMED,
		      "NAT may take a port whose connection has ended (nf_nat_used_tuple_new()); "
		      "before, it dropped the SYN"}},
	.network = LAI_NETWORK_ROUTER,
	.run = run,
};
