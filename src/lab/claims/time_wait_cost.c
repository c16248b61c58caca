/* SPDX-License-Identifier: MIT */
/*
 * time_wait_cost.c - what 60,000 connections in TIME_WAIT cost the server that has them: as many
 * as 1,000 connections a second leave behind in 60 s.
 *
 *	before: 5,000 connections   their processor time each
 *	        55,000 more         memory, by the size of their objects
 *	after:  5,000 more          their processor time each, among 60,000 others
 *	ends:   500 entries         the processor time of an entry's end
 *
 * The server closes first, so that the entries are the server's; the client's ports are bound one
 * after the other, each for all of the server's ports, so that no four-tuple comes twice.
 */
#include "base/clock.h"
#include "lab/call.h"
#include "lab/claim.h"
#include "lab/claims/kernel_objects.h"
#include "lab/gauge.h"
#include "lab/raw.h"
#include "lab/statistics.h"
#include "lab/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 60000u /* 1,000 a second for 60 s */
#define LISTENERS 4u
#define CLIENT_PORT_FIRST 2000u
/* Connections that are timed together; the first quartile of many batches leaves out the
   disturbed. */
#define BATCH 250u
#define BATCHES 20u
#define TIMED (BATCH * BATCHES)
#define HELD 1000u	      /* established connections, the control */
#define DESCRIPTORS_OTHER 64u /* that are not connections' */
/* Fewer entries than this say nothing about thousands. */
#define ENTRIES_MIN 5000u
/* Twice the time may be a neighbour's doing; a table that got slow would show ten times. */
#define SLOWER_MAX 2.0
#define CHEAPER_MIN 4.0
#define SMALL_BYTES 1024.0 /* an entry: 60 MB in all, of a server that has 1,000 clients a second */
/* A disturbance makes connections dearer, never cheaper: the best of so many looks counts. */
#define LOOKS_MAX 3
#define LOOK_NS (100 * LAI_MS)
/* The kernel frees sockets some time after they are closed. */
#define SETTLE_NS (500 * LAI_MS)
#define SETTLE_STEP_NS (40 * LAI_MS)
#define SETTLE_BYTES (256.0 * 1024)
#define ACCEPT_NS (2 * LAI_S)
/* The price of an entry's end is measured on so many. */
#define ENDS 500u
#define PEER 16 /* its address on the wire */
#define PEER_PORT_FIRST 30000u
/* A sequence number at which a RST does not end an entry. */
#define BESIDE 1000u
/* An end, with the packet that causes it, by a whole connection's processor time. */
#define END_SHARE_MAX 0.5

struct stage {
	int listeners[LISTENERS];
	struct lai_address servers[LISTENERS];
	unsigned made;	 /* connections so far: the next one's ports come from it */
	uint32_t series; /* of the result */
};

/* Entries in TIME_WAIT of the server, as it counts them itself. */
static double entries_now(struct lai_trial *trial)
{
	double entries;

	lai_host_enter(trial, trial->server);
	entries = lai_kernel_number("/proc/thread-self/net/sockstat",
				    "TCP: inuse %*u orphan %*u tw %lf");
	if (entries < 0)
		lai_trial_lacks(trial, "/proc/net/sockstat tells no TIME_WAIT");
	return entries;
}

static int accept_one(struct lai_trial *trial, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd >= 0 ? fd : lai_call_accept(trial, listener, ACCEPT_NS);
}

/* A connection from the next four-tuple; its client end in *client, its server end returned. */
static int connection_make(struct lai_trial *trial, struct stage *stage, int *client)
{
	struct lai_address from = lai_host_address(
		trial, trial->client, (uint16_t)(CLIENT_PORT_FIRST + stage->made / LISTENERS));
	unsigned which = stage->made++ % LISTENERS;
	const struct lai_address *to = &stage->servers[which];

	*client = lai_call_socket(trial, trial->client);
	lai_call_option(trial, *client, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(*client, &from.sa, from.length) < 0)
		lai_trial_fail(trial, "bind() to port %u: %s", lai_address_port(&from),
			       lai_call_errno(errno));
	if (connect(*client, &to->sa, to->length) < 0 && errno != EINPROGRESS)
		lai_trial_fail(trial, "connect(): %s", lai_call_errno(errno));
	return accept_one(trial, stage->listeners[which]);
}

/* Makes and closes a batch; the processor time of one, in microseconds. */
static double batch_run(struct lai_trial *trial, struct stage *stage)
{
	uint64_t began_ns = lai_clock_read(CLOCK_THREAD_CPUTIME_ID);
	double each_us;

	for (unsigned i = 0; i < BATCH; i++) {
		int client, server = connection_make(trial, stage, &client);

		(void)close(server); /* first: the entry is the server's */
		(void)close(client);
	}
	each_us = (double)(lai_clock_read(CLOCK_THREAD_CPUTIME_ID) - began_ns) / BATCH /
		  (double)LAI_US;
	lai_trial_point(trial, stage->series, stage->made, each_us);
	return each_us;
}

/* As many connections as there can be descriptors for both ends of them. */
static unsigned held_possible(struct lai_trial *trial)
{
	size_t descriptors = lai_trial_descriptors(trial);

	if (descriptors <= 2 * DESCRIPTORS_OTHER)
		lai_trial_lacks(trial, "only %zu descriptors are allowed", descriptors);
	return descriptors > 2 * HELD + DESCRIPTORS_OTHER
		       ? HELD
		       : (unsigned)(descriptors - DESCRIPTORS_OTHER) / 2;
}

/* Bytes of the kernel's, as soon as what was closed before has been freed as well. */
static double settled(struct lai_trial *trial)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), SETTLE_NS);
	double last, now = lai_kernel_sockets_bytes();

	do {
		last = now;
		lai_trial_pass(trial, SETTLE_STEP_NS);
		now = lai_kernel_sockets_bytes();
	} while ((now > last + SETTLE_BYTES || last > now + SETTLE_BYTES) &&
		 lai_clock_now() < deadline_ns);
	return now;
}

/* Kernel memory of one end of so many connections that say nothing. */
static double held_once(struct lai_trial *trial, struct stage *stage, unsigned count)
{
	static int fds[2 * HELD];
	double bytes, before = settled(trial);

	for (unsigned i = 0; i < count; i++)
		fds[2 * i] = connection_make(trial, stage, &fds[2 * i + 1]);
	bytes = (lai_kernel_sockets_bytes() - before) / (2 * count);
	/* By RST: the table is to be empty for what follows. */
	for (unsigned i = 0; i < count; i++) {
		lai_call_linger(trial, fds[2 * i + 1], true, 0);
		(void)close(fds[2 * i + 1]);
		(void)close(fds[2 * i]);
	}
	return bytes;
}

/* Other sockets of this machine come and go meanwhile: the median of some looks. Without root it
   is the sizes of the structures. */
static double held_bytes(struct lai_trial *trial, struct stage *stage)
{
	unsigned count = held_possible(trial);
	double looks[LOOKS_MAX], bytes;

	if (lai_kernel_sockets_bytes() < 0)
		return lai_kernel_socket_bytes();
	for (int i = 0; i < LOOKS_MAX; i++)
		looks[i] = held_once(trial, stage, count);
	bytes = lai_median(looks, LOOKS_MAX);
	lai_trial_say(trial, "%u established connections: %.0f bytes of kernel memory for each end",
		      count, bytes);
	return bytes;
}

static void stage_open(struct lai_trial *trial, struct stage *stage)
{
	stage->series = lai_trial_series(trial, "processor time", "connections made so far",
					 "per connection, us");
	for (unsigned i = 0; i < LISTENERS; i++)
		stage->listeners[i] =
			lai_call_listen(trial, trial->server, 0, true, &stage->servers[i]);
}

/* The first quartile of many batches, each connection's processor time in microseconds. */
static double connection_us(struct lai_trial *trial, struct stage *stage)
{
	double batches[BATCHES];

	for (unsigned i = 0; i < BATCHES; i++)
		batches[i] = batch_run(trial, stage);
	return lai_quantile(batches, BATCHES, 0.25);
}

/* How many entries the server may have beside those of the second timing. */
static unsigned entries_possible(struct lai_trial *trial)
{
	long limit = lai_host_get(trial, trial->server, "net.ipv4.tcp_max_tw_buckets");

	if (limit >= (long)(ENTRIES + LOOKS_MAX * TIMED))
		return ENTRIES;
	lai_trial_say(trial, "tcp_max_tw_buckets is %ld: scaled down", limit);
	return limit > (long)(LOOKS_MAX * TIMED) ? (unsigned)limit - LOOKS_MAX * TIMED : 0;
}

/* What was found. */
struct cost {
	double entries;
	double entry_bytes;	    /* the size of its object or, without root, of its structure */
	double held_bytes;	    /* of an end of an established connection */
	double before_us, after_us; /* of a connection */
	double end_us, beside_us;   /* of a RST that ends an entry, and of one that does not */
	double ended;
	double walk_before_us, walk_after_us; /* of a walk over all entries */
};

static double cost_slower(const struct cost *cost)
{
	return cost->after_us / cost->before_us;
}

static double cost_end_share(const struct cost *cost)
{
	return cost->end_us / cost->after_us;
}

static double cost_walk_slower(const struct cost *cost)
{
	return cost->walk_after_us / cost->walk_before_us;
}

static double cost_megabytes(const struct cost *cost)
{
	return cost->entries * cost->entry_bytes / 1e6;
}

/* An entry at the server, of which we know the sequence numbers. */
static struct lai_raw_end entry_make(struct lai_trial *trial, struct lai_raw *raw,
				     const struct stage *stage, unsigned i)
{
	struct lai_raw_plan plan = {.port = (uint16_t)(PEER_PORT_FIRST + i)};
	struct lai_raw_end end = lai_raw_connect(trial, raw, &stage->servers[0], &plan);

	(void)close(accept_one(trial, stage->listeners[0]));
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_FIN, ACCEPT_NS);
	lai_raw_say(&end, LAI_FLAG_FIN | LAI_FLAG_ACK, 0);
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_ACK, ACCEPT_NS);
	return end;
}

/* The processor time of one RST so far from the place that ends an entry. */
static double reset_us(const struct lai_raw_end *ends, uint32_t beside)
{
	uint64_t began_ns = lai_clock_read(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < ENDS; i++) {
		struct lai_segment reset = lai_raw_segment(&ends[i], LAI_FLAG_RST);

		reset.seq += beside;
		lai_raw_send(ends[i].raw, &reset);
	}
	return (double)(lai_clock_read(CLOCK_THREAD_CPUTIME_ID) - began_ns) / ENDS / (double)LAI_US;
}

/*
 * The timer of an entry fires once, after 60 s, for which nobody waits; a RST with
 * SEG.SEQ = RCV.NXT ends it by the same function of the kernel.
 */
static void ends_measure(struct lai_trial *trial, const struct stage *stage, struct cost *cost)
{
	static struct lai_raw_end ends[ENDS];
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, PEER);
	double before;

	for (unsigned i = 0; i < ENDS; i++)
		ends[i] = entry_make(trial, raw, stage, i);
	before = entries_now(trial);
	cost->beside_us = reset_us(ends, BESIDE);
	cost->end_us = reset_us(ends, 0);
	cost->ended = before - entries_now(trial);
}

/* A price that does rise with the entries, by the same clock: that of listing all of them. */
static double walk_us(struct lai_trial *trial)
{
	double best_us = 0;

	for (int i = 0; i < LOOKS_MAX; i++) {
		uint64_t began_ns = lai_clock_read(CLOCK_THREAD_CPUTIME_ID);
		double us;

		(void)lai_gauge_count(trial, trial->server, LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT));
		us = (double)(lai_clock_read(CLOCK_THREAD_CPUTIME_ID) - began_ns) / (double)LAI_US;
		best_us = i == 0 || us < best_us ? us : best_us;
	}
	return best_us;
}

static void fill(struct lai_trial *trial, struct stage *stage, unsigned entries, struct cost *cost)
{
	unsigned end = stage->made + entries;

	cost->walk_before_us = walk_us(trial);
	cost->before_us = connection_us(trial, stage);
	while (stage->made < end)
		(void)batch_run(trial, stage);
	cost->entries = entries_now(trial);
	cost->walk_after_us = walk_us(trial);
	cost->after_us = connection_us(trial, stage);
	for (int look = 1; look < LOOKS_MAX && cost_slower(cost) > SLOWER_MAX; look++) {
		double again_us;

		lai_trial_pass(trial, LOOK_NS);
		again_us = connection_us(trial, stage);
		cost->after_us = again_us < cost->after_us ? again_us : cost->after_us;
	}
}

static void cost_say(struct lai_trial *trial, const struct cost *cost)
{
	lai_trial_say(trial, "%.0f entries in TIME_WAIT, each of %.0f bytes", cost->entries,
		      cost->entry_bytes);
	lai_trial_say(trial, "a connection takes %.1f us of processor time before, %.1f us after",
		      cost->before_us, cost->after_us);
	lai_trial_say(trial, "listing all entries takes %.0f us before, %.0f us after",
		      cost->walk_before_us, cost->walk_after_us);
	lai_trial_say(trial,
		      "%.0f of %u entries ended by RST: %.1f us of processor time each with "
		      "the packet, %.1f us for a RST that ends none",
		      cost->ended, ENDS, cost->end_us, cost->beside_us);
	lai_trial_number(trial, "entries", "", cost->entries);
	lai_trial_number(trial, "an entry", "bytes", cost->entry_bytes);
	lai_trial_number(trial, "all entries", "MB", cost_megabytes(cost));
	lai_trial_number(trial, "an established end", "bytes", cost->held_bytes);
	lai_trial_number(trial, "a connection before", "us", cost->before_us);
	lai_trial_number(trial, "a connection among entries", "us", cost->after_us);
	lai_trial_number(trial, "a connection, after by before", "", cost_slower(cost));
	lai_trial_number(trial, "listing all before", "us", cost->walk_before_us);
	lai_trial_number(trial, "listing all entries", "us", cost->walk_after_us);
	lai_trial_number(trial, "end of an entry", "us", cost->end_us);
	lai_trial_number(trial, "end of an entry by a connection", "", cost_end_share(cost));
}

static void conclude(struct lai_trial *trial, const struct cost *cost)
{
	bool small = cost->entry_bytes < SMALL_BYTES;
	/* tcp_rfc1337=1 keeps the RST from ending them: then there is no price to compare. */
	bool ended = cost->ended > ENDS / 2;
	bool quick =
		cost_slower(cost) < SLOWER_MAX && (!ended || cost_end_share(cost) < END_SHARE_MAX);
	enum lai_lab_verdict verdict = LAI_LAB_DEPENDS;
	char end[80] = "";

	if (ended)
		(void)snprintf(end, sizeof(end),
			       ", and the end of an entry %.2f of what a connection takes",
			       cost_end_share(cost));
	if (small == quick)
		verdict = small ? LAI_LAB_REFUTED : LAI_LAB_CONFIRMED;
	lai_trial_conclude(
		trial, verdict,
		"%s%.0f entries take %.1f MB (%.0f bytes each); among them a new "
		"connection takes %.2f times the processor time that it took without%s",
		verdict == LAI_LAB_DEPENDS ? "on whether memory or processor time is meant: " : "",
		cost->entries, cost_megabytes(cost), cost->entry_bytes, cost_slower(cost), end);
}

/* An object in its slab, or the structure that it holds: 256 or 248 bytes, say. */
static double entry_bytes(struct lai_trial *trial)
{
	double bytes = lai_kernel_object_bytes("tw_sock_TCP");

	if (bytes > 0) {
		lai_trial_say(trial, "tw_sock_TCP in /proc/slabinfo: objects of %.0f bytes", bytes);
		return bytes;
	}
	bytes = lai_kernel_struct_bytes("tcp_timewait_sock");
	if (bytes <= 0 || lai_kernel_socket_bytes() <= 0)
		lai_trial_lacks(trial, "the size of an entry is told neither by /proc/slabinfo, "
				       "which is root's, nor by /sys/kernel/btf/vmlinux");
	lai_trial_say(trial, "struct tcp_timewait_sock in /sys/kernel/btf/vmlinux: %.0f bytes",
		      bytes);
	return bytes;
}

static void run(struct lai_trial *trial)
{
	unsigned entries = entries_possible(trial);
	struct stage stage = {0};
	struct cost cost = {.entry_bytes = entry_bytes(trial)};

	stage_open(trial, &stage);
	cost.held_bytes = held_bytes(trial, &stage);
	if (entries < ENTRIES_MIN) {
		lai_trial_conclude(
			trial, LAI_LAB_INCONCLUSIVE,
			"tcp_max_tw_buckets=%ld keeps the server from having thousands",
			lai_host_get(trial, trial->server, "net.ipv4.tcp_max_tw_buckets"));
		return;
	}
	fill(trial, &stage, entries, &cost);
	ends_measure(trial, &stage, &cost);
	cost_say(trial, &cost);
	lai_trial_control(trial, cost.held_bytes > CHEAPER_MIN * cost.entry_bytes,
			  "an end of an established connection without any data takes %.0f bytes "
			  "against %.0f of an entry",
			  cost.held_bytes, cost.entry_bytes);
	lai_trial_control(trial, cost_walk_slower(&cost) > SLOWER_MAX,
			  "listing all entries, which has to take longer the more there are, took "
			  "%.1f times the processor time",
			  cost_walk_slower(&cost));
	conclude(trial, &cost);
}

const struct lai_claim lai_claim_time_wait_cost = {
	.id = "time-wait-cost",
	.claim = "Thousands of sockets in TIME_WAIT cost a server much memory and processor time.",
	.said = "tuning guides and answers since the 1990s, which give memory and processor time "
		"as reasons for tcp_tw_recycle, tcp_max_tw_buckets and SO_LINGER 0; disputed by "
		"V. Bernat, \"Coping with the TCP TIME-WAIT state\" (2014)",
	.decides = "struct tcp_timewait_sock, inet_twsk_alloc() and inet_twsk_schedule() in "
		   "net/ipv4/inet_timewait_sock.c; the hash table that __inet_lookup_established() "
		   "walks in net/ipv4/inet_hashtables.c",
	.setup = "client ---- server, which listens on four ports",
	.procedure =
		"1,000 connections are held and their kernel memory measured, three times. Then "
		"60,000 are made as fast as they go and closed by the server first, as many as "
		"1,000 a second leave in TIME_WAIT. The size of the kernel's objects is read from "
		"/proc/slabinfo or, without root, that of its structures from its type "
		"information (BTF). The processor time of 5,000 connections is taken, the best "
		"quarter of their batches (what else the machine does makes peaks), among few "
		"and among 60,000 entries, and that of an entry's end, of which a server then has "
		"1,000 a second, on 500 that a RST ends.",
	.outcome = "About 260 bytes an entry, 16 MB for 60,000, against some 3 kB for an end of an "
		   "established connection; connections take as much processor time as before, "
		   "an entry's end a fraction of that; in between its timer rests. What runs out "
		   "is ports, at the end that chose them, not memory.",
	.control = "An end of an established connection must take several times the memory, and a "
		   "listing of all entries several times the processor time that it takes of none.",
	.shortened =
		"the 60,000 entries of 60 s at 1,000 connections a second are made in about 2 s, "
		"and exist all at once",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.lane = LAI_LANE_ALONE,
	.no_capture = true,
	.seconds_max = 60, /* 2 s on an idle machine */
	.run = run,
};
