/* SPDX-License-Identifier: MIT */
/*
 * fixed_port_2345.c - requests from one client port, each of whose connections the server closes
 * first: every SYN meets a TIME_WAIT at the server. Half of them have no timestamps, one of which
 * would be enough to be let in.
 *
 *	client 2345                     server
 *	  SYN isn 1 -------------------->  ...  FIN first: TIME_WAIT, expects R
 *	  SYN isn 2 > R ---------------->  SYN-ACK
 *	packet socket, port 2345
 *	  SYN below R ------------------>  ACK, which is no SYN-ACK: refused
 *
 * The kernel's initial sequence numbers of one four-tuple advance by one each 64 ns, so they grow
 * unless a connection has sent more than 15.6 MB for each second that it lasted.
 */
#include "lab/capture.h"
#include "lab/claims/shared_dial.h"
#include "lab/raw.h"

#include <unistd.h>

#define CLIENT_PORT 2345
#define REQUESTS 50
#define BARE_FROM (REQUESTS / 2) /* from this one on without timestamps */
#define TIMESTAMPS "net.ipv4.tcp_timestamps"
#define REQUEST_BYTES 100
#define RESPONSE_BYTES 500
#define WAIT_NS (5 * LAI_S)
/* The place on the wire of the crafted SYNs' address, and by how much they are off. */
#define RAW_PLACE 16
#define SEQ_OFF 1000
/* A busy machine may lose a SYN, or answer it late; a TIME_WAIT that stayed silent would do that
   each time. */
#define LOST_MAX 2
/* So many SYNs are evidence in full. */
#define SYNS_SAID 4

/* What the client and its server saw. */
struct requests {
	unsigned answered;
	unsigned time_waits; /* at the server, after so many of them */
	unsigned syns_again; /* that the client's kernel had to repeat */
	uint64_t slowest_ns; /* connect() */
	struct lai_dial_try last;
};

static void request(struct lai_trial *trial, struct requests *requests, int listener)
{
	int client = requests->last.fd, server = lai_call_accept(trial, listener, WAIT_NS);
	struct lai_ends ends = lai_call_ends(trial, client), turned = lai_ends_turned(&ends);
	struct lai_call call;

	(void)lai_call_send(client, REQUEST_BYTES, WAIT_NS);
	for (size_t got = 0; got < REQUEST_BYTES; got += call.bytes) {
		call = lai_call_receive(server, NULL, REQUEST_BYTES, WAIT_NS);
		if (call.error || call.bytes == 0)
			lai_trial_fail(trial, "the request did not come");
	}
	(void)lai_call_send(server, RESPONSE_BYTES, WAIT_NS);
	(void)close(server);
	call = lai_call_receive_all(client, WAIT_NS);
	(void)close(client);
	if (call.error == 0 && call.bytes == RESPONSE_BYTES)
		requests->answered++;
	if (lai_dial_settle(trial, trial->client, &ends) != LAI_TCP_NONE)
		lai_trial_fail(trial, "TIME_WAIT at the client, which closed second");
	if (lai_dial_settle(trial, trial->server, &turned) == LAI_TCP_TIME_WAIT)
		requests->time_waits++;
}

static struct requests requests_run(struct lai_trial *trial, const struct lai_address *from,
				    const struct lai_address *to, int listener)
{
	struct lai_dial_way way = {.from = from, .reuse = true};
	struct lai_counters *before = lai_counters_read(trial, trial->client);
	long found = lai_host_get(trial, trial->client, TIMESTAMPS);
	struct requests requests = {0};

	for (unsigned i = 0; i < REQUESTS; i++) {
		if (i == BARE_FROM)
			lai_host_set_number(trial, trial->client, TIMESTAMPS, 0);
		requests.last = lai_dial_try(trial, &way, to);
		if (requests.last.refused)
			break;
		if (requests.last.took_ns > requests.slowest_ns)
			requests.slowest_ns = requests.last.took_ns;
		request(trial, &requests, listener);
	}
	requests.syns_again =
		(unsigned)lai_counters_since(trial, trial->client, before, "TCPSynRetrans");
	lai_counters_free(before);
	lai_host_set_number(trial, trial->client, TIMESTAMPS, found);
	return requests;
}

/* What the wire saw of them. */
struct wire {
	unsigned syns;	/* with those sent again */
	unsigned grown; /* whose number is after that of the SYN before */
	unsigned bare;	/* without a timestamp */
	unsigned again; /* the same SYN as before */
	unsigned syn_acks;
	unsigned refusals; /* other answers to a SYN */
	uint32_t isn_step_min;
	double isn_per_us; /* from the first to the last */
	uint32_t series;
	struct lai_captured first, last;
};

static void wire_syn(struct lai_trial *trial, struct wire *wire, const struct lai_captured *syn)
{
	const struct lai_segment *segment = &syn->segment, *last = &wire->last.segment;
	uint32_t step = segment->seq - last->seq, sum;
	bool again = wire->syns > 0 && step == 0;
	double since_us;

	if (wire->syns++ == 0) {
		wire->first = *syn;
	} else if (again) {
		wire->again++;
	} else {
		wire->grown += lai_seq_before(last->seq, segment->seq);
		wire->isn_step_min = step < wire->isn_step_min ? step : wire->isn_step_min;
	}
	wire->bare += !again && !segment->has_timestamp;
	wire->last = *syn;
	since_us = (double)lai_time_since(wire->first.time_ns, syn->time_ns) / LAI_US;
	sum = segment->seq - wire->first.segment.seq;
	wire->isn_per_us = since_us > 0 ? sum / since_us : 0;
	lai_trial_point(trial, wire->series, since_us / 1000, sum / 1000.0);
	if (again || wire->syns <= SYNS_SAID ||
	    (!segment->has_timestamp && wire->bare <= SYNS_SAID))
		lai_trial_say_segment(trial, "the client's SYN", segment);
}

static void wire_refusal(struct lai_trial *trial, struct wire *wire,
			 const struct lai_segment *answer)
{
	wire->refusals++;
	lai_trial_say_segment(trial, "no SYN-ACK, but", answer);
}

static struct wire wire_read(struct lai_trial *trial, const struct lai_address *from)
{
	struct wire wire = {.isn_step_min = UINT32_MAX};
	bool asked = false; /* the segment before was a SYN of the client's */
	const struct lai_captured *list;
	size_t count;

	if (!trial->captures[0])
		lai_trial_fail(trial, "there is no capture");
	wire.series = lai_trial_series(trial, "sequence number of each SYN",
				       "since the first SYN (ms)", "above the first (thousands)");
	list = lai_capture_segments(trial->captures[0], &count);
	for (size_t i = 0; i < count; i++) {
		const struct lai_segment *segment = &list[i].segment;
		bool syn = segment->flags & LAI_FLAG_SYN;

		if (syn && lai_address_equal(&segment->from, from))
			wire_syn(trial, &wire, &list[i]);
		else if (syn && lai_address_equal(&segment->to, from))
			wire.syn_acks++;
		else if (asked && lai_address_equal(&segment->to, from))
			wire_refusal(trial, &wire, segment);
		asked = syn && lai_address_equal(&segment->from, from);
	}
	return wire;
}

/* A crafted SYN, and the flags of the server's answer; 0: none. */
static uint8_t knock(struct lai_trial *trial, const struct lai_raw_end *end, int32_t off)
{
	struct lai_segment syn = lai_raw_segment(end, LAI_FLAG_SYN), answer;
	char flags[LAI_FLAGS_TEXT_MAX];

	syn.seq = end->snd_nxt + (uint32_t)off;
	syn.ack = 0;
	syn.mss = 1460;
	lai_raw_forget(end->raw);
	lai_trial_say_segment(trial, "crafted", &syn);
	lai_raw_send(end->raw, &syn);
	if (lai_raw_receive(end->raw, CLIENT_PORT, &answer, LAI_S))
		lai_trial_say_segment(trial, "answer", &answer);
	else
		answer.flags = 0;
	lai_trial_say(trial, "crafted SYN, SEG.SEQ %+d from the TIME_WAIT's RCV.NXT: %s", (int)off,
		      answer.flags ? lai_segment_flags(answer.flags, flags) : "silence");
	return answer.flags;
}

/* The article's crafted SYN: the same port and the same TIME_WAIT, but a lower number. */
static void control(struct lai_trial *trial, const struct lai_address *to, int listener)
{
	struct lai_raw_plan plan = {.port = CLIENT_PORT};
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, RAW_PLACE);
	struct lai_raw_end end = lai_raw_connect(trial, raw, to, &plan);
	uint8_t lower, higher;

	(void)close(lai_call_accept(trial, listener, WAIT_NS));
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_FIN, WAIT_NS);
	lai_raw_say(&end, LAI_FLAG_FIN | LAI_FLAG_ACK, 0);
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_ACK, WAIT_NS);
	lower = knock(trial, &end, -SEQ_OFF);
	higher = knock(trial, &end, SEQ_OFF);
	lai_trial_control(trial, lower == LAI_FLAG_ACK && higher == (LAI_FLAG_SYN | LAI_FLAG_ACK),
			  "a crafted SYN with a number %d lower than expected %s, %d higher %s",
			  SEQ_OFF,
			  lower == LAI_FLAG_ACK ? "got an ACK, no SYN-ACK" : "was not refused",
			  SEQ_OFF, higher & LAI_FLAG_SYN ? "got a SYN-ACK" : "got none");
}

static void conclude(struct lai_trial *trial, const struct requests *requests,
		     const struct wire *wire)
{
	bool refused = requests->answered < REQUESTS || wire->refusals > 0;
	bool grew = wire->syns > 0 && wire->grown + wire->again + 1 == wire->syns;
	char text[LAI_DIAL_TEXT_MAX];

	if (refused && grew && requests->time_waits > 0)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"%u of %d requests answered, %u SYNs refused by an ACK or a RST though "
			"each had a higher number than the one before; last: %s",
			requests->answered, REQUESTS, wire->refusals,
			lai_dial_try_text(text, &requests->last));
	else if (!refused && grew && requests->time_waits == REQUESTS && wire->again <= LOST_MAX &&
		 wire->bare >= REQUESTS - BARE_FROM)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"%d of %d requests from port %d answered, no SYN refused (%u sent again), "
			"over %u TIME_WAITs, %u SYNs without a timestamp; each sequence number was at "
			"least %u higher than the one before, the slowest connect() took %.1f ms",
			REQUESTS, REQUESTS, CLIENT_PORT, wire->again, requests->time_waits,
			wire->bare, (unsigned)wire->isn_step_min,
			(double)requests->slowest_ns / LAI_MS);
	else
		lai_trial_conclude(
			trial, LAI_LAB_INCONCLUSIVE,
			"%u of %d requests answered over %u TIME_WAITs, %u SYNs refused and %u "
			"sent again, and %u of %u had a higher number than the one before",
			requests->answered, REQUESTS, requests->time_waits, wire->refusals,
			wire->again, wire->grown, wire->syns);
}

static void run(struct lai_trial *trial)
{
	struct lai_address from = lai_host_address(trial, trial->client, CLIENT_PORT), to;
	int listener = lai_call_listen(trial, trial->server, 0, false, &to);
	struct requests requests = requests_run(trial, &from, &to, listener);
	struct wire wire = wire_read(trial, &from);

	lai_trial_say(trial,
		      "%u SYNs for %u connections, %u of them without a timestamp, %u SYN-ACKs; "
		      "%u numbers grew",
		      wire.syns, requests.answered, wire.bare, wire.syn_acks, wire.grown);
	lai_trial_number(trial, "answered", "requests", requests.answered);
	lai_trial_number(trial, "syns_sent_again", "segments", requests.syns_again);
	lai_trial_number(trial, "time_waits_met", "sockets", requests.time_waits);
	lai_trial_number(trial, "isn_step_min", "sequence numbers", wire.isn_step_min);
	lai_trial_number(trial, "isn_clock", "per us", wire.isn_per_us);
	lai_trial_number(trial, "connect_max", "ms", (double)requests.slowest_ns / LAI_MS);
	control(trial, &to, listener);
	conclude(trial, &requests, &wire);
}

const struct lai_claim lai_claim_fixed_port_2345 = {
	.id = "fixed-port-2345",
	.claim =
		"A client bound to port 2345 can repeat \"Connection: close\" requests and is never "
		"refused, as long as its sequence numbers grow.",
	.said = "A blog article that repeated such HTTP requests under a packet monitor; RFC 9293 "
		"section 3.6.1 and RFC 1122 section 4.2.2.13 allow it to the server (MAY)",
	.decides =
		"tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c reopens for a SYN with "
		"a higher number or timestamp; secure_tcp_seq() in net/core/secure_seq.c makes "
		"the numbers of one four-tuple grow with the clock (RFC 6528)",
	.setup = "Client and server on one wire; net.ipv4.tcp_timestamps=0 at the client for the "
		 "second half of the requests; for the control a packet socket at the client's end",
	.procedure =
		"50 times: bind port 2345, connect, 100 bytes of request, 500 of response, the "
		"server closes first, the next connection follows at once; from the 26th on without "
		"timestamps, so that the sequence number alone decides. Each SYN's number, "
		"timestamp and answer are read from the wire.",
	.outcome = "Every request is answered, and every SYN by a SYN-ACK.",
	.control =
		"A crafted SYN from port 2345 whose number is lower must get an ACK instead of a "
		"SYN-ACK, and one whose number is higher a SYN-ACK.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
