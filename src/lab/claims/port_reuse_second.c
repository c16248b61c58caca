/* SPDX-License-Identifier: MIT */
/*
 * port_reuse_second.c - what it costs to use a port again while the server keeps the old
 * connection in TIME_WAIT and takes the new SYN for an old one.
 *
 *	client                                     server, TIME_WAIT, expects R (RCV.NXT)
 *	  | SYN, seq before R ----------------------> |
 *	  | <-------------------------------- ACK R   |   "that is not what I expect"
 *	  | RST, seq R -----------------------------> |   ends the TIME_WAIT; not with tcp_rfc1337
 *	  |   two ticks; a second before Linux 5.6    |
 *	  | SYN ------------------------------------> |
 *	  | <------------------------------- SYN-ACK  |
 *
 * The kernel numbers a new connection by a clock of 15.6 MB/s (one step in 64 ns), so the SYN lies
 * before R only if the old connection was faster than that for the whole of its life.
 */
#include "base/text.h"
#include "lab/capture.h"
#include "lab/claim.h"
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"
#include "lab/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ISN_BYTES_PER_S 15625000ull
/* Ahead of that clock by so much more: it may run for two seconds until the SYN is sent. */
#define AHEAD_BYTES (2 * ISN_BYTES_PER_S)
#define PUSH_BYTES (256 * 1024)
/* The most that IP carries: 30 MB in 500 packets instead of 20,000, which a capture holds. */
#define MTU_WIDE 65535
#define PUSH_NS_MAX (4 * LAI_S)
/* A host that does not outrun the clock in this many tries will not. */
#define TRIES_MAX 3
/* Longer than the first two ordinary waits of a SYN would be. */
#define CONNECT_NS (3500 * LAI_MS)
/* With tcp_rfc1337 there is nothing to wait for: past the second after which the SYN comes again. */
#define HANG_NS (1600 * LAI_MS)
/* Timestamps count milliseconds: the new connection's has to be a later one. */
#define TICK_NS (3 * LAI_MS)
#define BUCKETS 1000 /* entries in TIME_WAIT that the control lets the server keep */
/* Between two ticks (2 to 20 ms) and a second. */
#define QUICK_MS 500.0

/* What was on the wire when the port was used again. */
struct reuse {
	struct lai_call connect;
	bool stale;		 /* the first SYN lay before what TIME_WAIT expects */
	bool refused;		 /* by an ACK without SYN */
	bool reset;		 /* the client answered that */
	unsigned syns, refusals; /* SYNs in all; ACKs instead of SYN-ACK */
	bool accepted;		 /* SYN-ACK */
	double retry_ms;	 /* from the first SYN to the second */
	bool still_there;	 /* the old TIME_WAIT, afterwards */
	char pattern[256];
};

/* An old connection's end. */
struct old {
	struct lai_ends at_client, at_server;
	int listener;
	uint32_t expects; /* R: one past the client's FIN */
};

static void wire_widen(struct lai_trial *trial, const struct lai_host *host)
{
	struct ifreq request = {.ifr_mtu = MTU_WIDE};
	int fd = lai_call_socket(trial, host);

	memcpy(request.ifr_name, host->ports[0].name, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCSIFMTU, &request) < 0)
		lai_trial_fail(trial, "an MTU of %d on %s of the %s: %s", MTU_WIDE,
			       host->ports[0].name, host->name, lai_call_errno(errno));
	(void)close(fd);
}

/* Moves bytes from client to server as fast as they go, until they are ahead of the clock. */
static uint64_t push(struct lai_trial *trial, const struct lai_pair *pair)
{
	uint64_t began_ns = lai_clock_now(), sent = 0, received = 0, passed_ns = 0;

	do {
		struct lai_call call = lai_call_send(pair->client, PUSH_BYTES, 0);

		sent += call.bytes;
		call = lai_call_receive(pair->server, NULL, PUSH_BYTES, LAI_MS);
		received += call.bytes;
		lai_capture_drain(trial->captures[0]);
		passed_ns = lai_time_since(began_ns, lai_clock_now());
	} while (sent < AHEAD_BYTES + ISN_BYTES_PER_S * passed_ns / LAI_S &&
		 passed_ns < PUSH_NS_MAX);
	while (received < sent) { /* closing with input unread would be a reset */
		struct lai_call call = lai_call_receive(pair->server, NULL, PUSH_BYTES, LAI_S);

		if (call.error || !call.bytes)
			lai_trial_fail(trial, "the server received %llu of %llu bytes",
				       (unsigned long long)received, (unsigned long long)sent);
		received += call.bytes;
	}
	lai_trial_say(trial, "sent %.1f MB in %.1f ms", (double)sent / 1e6,
		      (double)passed_ns / (double)LAI_MS);
	return sent;
}

/* One past the last FIN from this address. */
static uint32_t fin_end(struct lai_trial *trial, const struct lai_address *from)
{
	size_t count;
	const struct lai_captured *all = lai_capture_segments(trial->captures[0], &count);

	while (count-- > 0)
		if ((all[count].segment.flags & LAI_FLAG_FIN) &&
		    lai_address_equal(&all[count].segment.from, from))
			return all[count].segment.seq + lai_segment_length(&all[count].segment);
	lai_trial_fail(trial, "the client's FIN is not in the capture");
}

/* A connection that is fast, and closed by the server first. */
static struct old old_make(struct lai_trial *trial, uint16_t port)
{
	struct lai_pair_plan plan = {.client_port = port, .reuse = true};
	struct lai_pair pair = lai_pair_open(trial, &plan);
	struct old old = {.at_client = pair.at_client,
			  .at_server = pair.at_server,
			  .listener = pair.listener};

	(void)push(trial, &pair);
	(void)close(pair.server);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_CLOSE_WAIT);
	(void)close(pair.client);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	old.expects = fin_end(trial, &pair.at_client.local);
	return old;
}

/* Takes one segment of the new connection's beginning into account. */
static void reuse_add(struct reuse *reuse, const struct old *old, const struct lai_segment *segment,
		      double ms, struct lai_text *pattern)
{
	bool from_client = lai_address_equal(&segment->from, &old->at_client.local);
	char flags[LAI_FLAGS_TEXT_MAX];

	(void)lai_segment_flags(segment->flags, flags);
	lai_text_append(pattern, "%s%s[%s] %.1f", pattern->length ? ", " : "",
			from_client ? "" : "<", flags, ms);
	if (from_client && (segment->flags & LAI_FLAG_SYN)) {
		if (++reuse->syns == 1)
			reuse->stale = lai_seq_before(segment->seq, old->expects);
		else if (reuse->syns == 2)
			reuse->retry_ms = ms;
	} else if (from_client) {
		reuse->reset |= (segment->flags & LAI_FLAG_RST) != 0;
	} else if (segment->flags & LAI_FLAG_SYN) {
		reuse->accepted = true;
	} else if (segment->flags & LAI_FLAG_ACK) {
		reuse->refused = true;
		reuse->refusals++;
	}
}

/* Reads the capture from an index on, up to the SYN-ACK. */
static void reuse_read(struct lai_trial *trial, struct reuse *reuse, const struct old *old,
		       size_t first)
{
	struct lai_text pattern = LAI_TEXT_INIT(sizeof(reuse->pattern) - 1);
	const struct lai_captured *all;
	uint64_t began_ns = 0;
	size_t count;

	all = lai_capture_segments(trial->captures[0], &count);
	for (size_t i = first; i < count && !reuse->accepted; i++) {
		const struct lai_segment *segment = &all[i].segment;

		if (!lai_address_equal(&segment->from, &old->at_client.local) &&
		    !lai_address_equal(&segment->to, &old->at_client.local))
			continue;
		if (!began_ns)
			began_ns = all[i].time_ns;
		reuse_add(reuse, old, segment, (double)(all[i].time_ns - began_ns) / (double)LAI_MS,
			  &pattern);
	}
	(void)snprintf(reuse->pattern, sizeof(reuse->pattern), "%s", lai_text_string(&pattern));
	lai_text_done(&pattern);
}

/* The same four-tuple again. */
static struct reuse reuse_once(struct lai_trial *trial, uint16_t port, uint64_t wait_ns)
{
	struct old old = old_make(trial, port);
	struct reuse reuse = {0};
	size_t first;
	int fd;

	lai_trial_pass(trial, TICK_NS);
	first = lai_talk_mark(trial);
	fd = lai_call_socket(trial, trial->client);
	lai_call_option(trial, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (lai_call_bind(fd, &old.at_client.local).error)
		lai_trial_fail(trial, "the client's port cannot be bound again");
	reuse.connect = lai_call_connect(fd, &old.at_client.remote, wait_ns);
	reuse_read(trial, &reuse, &old, first);
	reuse.still_there =
		lai_gauge_state(trial, trial->server, &old.at_server) == LAI_TCP_TIME_WAIT;
	(void)close(fd);
	(void)close(old.listener);
	return reuse;
}

static void reuse_say(struct lai_trial *trial, const char *how, const struct reuse *reuse)
{
	lai_trial_say(trial, "%s: connect() %s after %.2f ms; first SYN %s what TIME_WAIT expects",
		      how, lai_call_errno(reuse->connect.error),
		      (double)reuse->connect.took_ns / (double)LAI_MS,
		      reuse->stale ? "before" : "not before");
	lai_trial_say(trial, "%s: %s", how, reuse->pattern);
}

/* With a SYN that lies before R, which the old connection's speed decides. */
static struct reuse reuse_try(struct lai_trial *trial, const char *how, uint64_t wait_ns)
{
	struct reuse reuse;

	for (int i = 0; i < TRIES_MAX; i++) {
		reuse = reuse_once(trial, lai_trial_port(trial, 20000, 29999), wait_ns);
		reuse_say(trial, how, &reuse);
		if (reuse.stale)
			return reuse;
	}
	lai_trial_fail(trial, "connections on this host are too slow to outrun the clock of the "
			      "sequence numbers, 15.6 MB/s");
}

static void timestamps_set(struct lai_trial *trial, long client, long server)
{
	lai_host_set_number(trial, trial->client, "net.ipv4.tcp_timestamps", client);
	lai_host_set_number(trial, trial->server, "net.ipv4.tcp_timestamps", server);
}

static double took_ms(const struct reuse *reuse)
{
	return (double)reuse->connect.took_ns / (double)LAI_MS;
}

static void conclude(struct lai_trial *trial, const struct reuse *reuse)
{
	bool quick = reuse->retry_ms > 0 && reuse->retry_ms < QUICK_MS;
	bool slow = reuse->retry_ms >= QUICK_MS;
	long buckets = lai_host_get(trial, trial->server, "net.ipv4.tcp_max_tw_buckets");
	long rfc1337 = lai_host_get(trial, trial->server, "net.ipv4.tcp_rfc1337");

	lai_trial_number(trial, "connect()", "ms", took_ms(reuse));
	lai_trial_number(trial, "second SYN after", "ms", reuse->retry_ms);
	if (!reuse->refused && buckets == 0)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on tcp_max_tw_buckets, which is 0: no TIME_WAIT is there to "
				   "refuse the SYN, and it takes %.2f ms",
				   took_ms(reuse));
	else if (!reuse->refused)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE, "no TIME_WAIT refused the SYN: %s",
				   reuse->pattern);
	else if (!reuse->accepted && reuse->still_there && rfc1337)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on tcp_rfc1337, which is %ld at the server: not one second but "
				   "as long as the TIME_WAIT; %u of %u SYNs answered by ACK in "
				   "%.1f s",
				   rfc1337, reuse->refusals, reuse->syns, took_ms(reuse) / 1000);
	else if (reuse->accepted && quick && reuse->reset)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "%.1f ms: the first SYN was answered by ACK, that by RST, and "
				   "the second SYN went %.1f ms after the first",
				   took_ms(reuse), reuse->retry_ms);
	else if (reuse->accepted && slow)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%.0f ms: the second SYN went %.0f ms after the first",
				   took_ms(reuse), reuse->retry_ms);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "the first SYN was refused, and what followed is neither a "
				   "quick second one nor one after a second: %s",
				   reuse->pattern);
}

/* The opposites: what does hang, and what is not even refused. */
static void controls_try(struct lai_trial *trial)
{
	static const char rfc1337[] = "net.ipv4.tcp_rfc1337",
			  max_tw_buckets[] = "net.ipv4.tcp_max_tw_buckets";
	long former = lai_host_get(trial, trial->server, rfc1337);
	long buckets = lai_host_get(trial, trial->server, max_tw_buckets);
	struct reuse kept, stamped;

	lai_host_set_number(trial, trial->server, rfc1337, 1);
	if (buckets == 0) /* there has to be a TIME_WAIT that can refuse */
		lai_host_set_number(trial, trial->server, max_tw_buckets, BUCKETS);
	kept = reuse_try(trial, "tcp_rfc1337=1", HANG_NS);
	lai_host_set_number(trial, trial->server, rfc1337, former);
	lai_host_set_number(trial, trial->server, max_tw_buckets, buckets);
	lai_trial_number(trial, "waited with tcp_rfc1337=1", "ms", took_ms(&kept));
	lai_trial_control(trial, kept.connect.error == EINPROGRESS && kept.refused && kept.syns > 1,
			  "with tcp_rfc1337=1 it is not made in %.1f s: %u SYNs, %u refused",
			  took_ms(&kept) / 1000, kept.syns, kept.refusals);

	timestamps_set(trial, 1, 1);
	stamped = reuse_try(trial, "with timestamps", CONNECT_NS);
	lai_trial_number(trial, "connect() with timestamps", "ms", took_ms(&stamped));
	lai_trial_control(trial, stamped.accepted && stamped.syns == 1 && !stamped.refused,
			  "with timestamps %u SYN, %u refused, %.2f ms", stamped.syns,
			  stamped.refusals, took_ms(&stamped));
}

static void run(struct lai_trial *trial)
{
	long client = lai_host_get(trial, trial->client, "net.ipv4.tcp_timestamps");
	long server = lai_host_get(trial, trial->server, "net.ipv4.tcp_timestamps");
	struct reuse reuse;

	wire_widen(trial, trial->client);
	wire_widen(trial, trial->server);
	timestamps_set(trial, 0, 0);
	reuse = reuse_try(trial, "without timestamps", CONNECT_NS);
	controls_try(trial);
	timestamps_set(trial, client, server);
	conclude(trial, &reuse);
}

const struct lai_claim lai_claim_port_reuse_second = {
	.id = "port-reuse-second",
	.claim = "Between two Linux hosts, using a port again while the server has it in TIME_WAIT "
		 "costs a second, or three.",
	.said = "reports of one-second (formerly three-second) latency spikes with load balancers "
		"that use source ports again: traefik/traefik#10250, envoyproxy/envoy#31729, "
		"kubernetes/kubernetes#70747",
	.decides = "RFC 9293 3.10.7.3, 3.10.7.4; tcp_timewait_state_process() in "
		   "net/ipv4/tcp_minisocks.c at the server, tcp_rcv_synsent_state_process() in "
		   "net/ipv4/tcp_input.c at the client",
	.setup = "client ---- server, packets of up to 65,535 bytes; tcp_timestamps=0 on both, "
		 "since with timestamps the server can tell new from old and refuses nothing",
	.procedure =
		"The client sends faster than 15.6 MB/s, so that the next connection's sequence "
		"number lies before the old one's end; the server closes first; the client "
		"connects again from the same port. The capture shows SYN, ACK, RST, SYN, SYN-ACK "
		"and when.",
	.outcome =
		"About 10 ms between two Linux hosts since 5.6: the RST ends the TIME_WAIT, and "
		"the SYN is repeated two ticks later. 1 s before, or with clients that do not "
		"do this; with timestamps nothing. Two such TIME_WAITs in a row still cost a second "
		"(syn-retry-once).",
	.control = "With tcp_rfc1337=1 at the server it must not be made at all while we wait; "
		   "with timestamps the first SYN must be accepted.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL},
		     {5, 6, LAI_LAB_REFUTED, "the quick second SYN (commit 9603d47bad46)"}},
	.both_families = true,
	.run = run,
};
