/* SPDX-License-Identifier: MIT */
/*
 * syn_retry_once.c - what a connecting kernel does when its SYN is answered by an ACK that
 * belongs to something else, again and again.
 *
 *	client                       a crafted peer
 *	  | SYN ------------------------> |
 *	  | <------- ACK of another time  |
 *	  | RST ------------------------> |
 *	  |  two ticks                    |
 *	  | SYN ------------------------> |   at once, the first time
 *	  | <------- ACK of another time  |
 *	  | RST ------------------------> |
 *	  |  a second                     |
 *	  | SYN ------------------------> |   as slow as any other SYN, from then on
 */
#include "lab/capture.h"
#include "lab/claim.h"
#include "lab/host.h"
#include "lab/call.h"
#include "lab/raw.h"
#include "lab/trial.h"

#include <errno.h>
#include <unistd.h>

#define PEER 16 /* its address on the wire */
/* The SYN's own timer begins with a second; before Linux 6.5 the second wait is two. */
#define WAIT_NS (2700 * LAI_MS)
/* After the third SYN: were it answered by another quick one, that would come within ticks. */
#define AFTER_NS (300 * LAI_MS)
/* Between a quick repetition (two ticks, 2 to 20 ms) and a slow one (1,000 ms and more). */
#define QUICK_MS 500.0
#define SYNS_MAX 8
/* How far the stale ACK is behind the SYN. */
#define STALE_BYTES 100000u

/* The SYNs to one port of the peer, and the RSTs that its answers drew. */
struct knocks {
	uint16_t port;
	uint64_t at_ns[SYNS_MAX];
	uint64_t answered_ns[SYNS_MAX]; /* 0: not */
	size_t syns, resets;
};

static int knock(struct lai_trial *trial, struct lai_raw *raw, uint16_t port)
{
	struct lai_address to = lai_raw_address(raw, port);
	int fd = lai_call_socket(trial, trial->client);
	struct lai_call call = lai_call_connect(fd, &to, 0);

	if (call.error != EINPROGRESS)
		lai_trial_fail(trial, "connect() to the silent peer: %s",
			       lai_call_errno(call.error));
	return fd;
}

/* As a TIME_WAIT of an earlier connection answers: its own place in the sequence space. */
static void answer_stale(struct lai_trial *trial, struct lai_raw *raw,
			 const struct lai_segment *syn)
{
	struct lai_segment ack = {
		.from = syn->to,
		.to = syn->from,
		.seq = (uint32_t)lai_random_next(&trial->random),
		.ack = syn->seq - STALE_BYTES,
		.flags = LAI_FLAG_ACK,
		.window = 512,
	};

	lai_raw_send(raw, &ack);
}

/* Answers what comes to one port, until its third SYN has been answered and some time is over. */
static void peer_play(struct lai_trial *trial, struct lai_raw *raw, uint16_t answered)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), WAIT_NS);
	struct lai_segment heard;
	unsigned syns = 0;

	while (lai_raw_receive(raw, 0, &heard, lai_time_since(lai_clock_now(), deadline_ns))) {
		if (!(heard.flags & LAI_FLAG_SYN) || lai_address_port(&heard.to) != answered)
			continue;
		answer_stale(trial, raw, &heard);
		if (++syns == 3)
			deadline_ns = lai_time_after(lai_clock_now(), AFTER_NS);
	}
}

static void knocks_count(struct lai_trial *trial, struct knocks *knocks)
{
	size_t count;
	const struct lai_captured *all = lai_capture_segments(trial->captures[0], &count);

	for (size_t i = 0; i < count; i++) {
		const struct lai_segment *segment = &all[i].segment;

		if (lai_address_port(&segment->from) == knocks->port && knocks->syns)
			knocks->answered_ns[knocks->syns - 1] = all[i].time_ns;
		if (lai_address_port(&segment->to) != knocks->port)
			continue;
		if ((segment->flags & LAI_FLAG_SYN) && knocks->syns < SYNS_MAX)
			knocks->at_ns[knocks->syns++] = all[i].time_ns;
		knocks->resets += (segment->flags & LAI_FLAG_RST) != 0;
	}
}

/*
 * From the answer to the (i)th SYN, or from itself if there was none, to the next SYN, in
 * milliseconds; 0: there is no next. Our answer may be late on a busy machine.
 */
static double gap_ms(const struct knocks *knocks, size_t i)
{
	uint64_t began_ns = knocks->answered_ns[i] ? knocks->answered_ns[i] : knocks->at_ns[i];

	return i + 1 < knocks->syns ? (double)(knocks->at_ns[i + 1] - began_ns) / (double)LAI_MS
				    : 0;
}

static void knocks_say(struct lai_trial *trial, const struct knocks *knocks, const char *how)
{
	for (size_t i = 0; i < knocks->syns; i++)
		lai_trial_say(trial, "%s: SYN %zu at %.1f ms", how, i + 1,
			      (double)(knocks->at_ns[i] - knocks->at_ns[0]) / (double)LAI_MS);
	lai_trial_say(trial, "%s: %zu RST", how, knocks->resets);
}

static void conclude(struct lai_trial *trial, const struct knocks *answered)
{
	double first_ms = gap_ms(answered, 0), second_ms = gap_ms(answered, 1);
	double third_ms = gap_ms(answered, 2);
	/* An answer that came only after the SYN's own timer tells nothing. */
	bool first_answered = answered->answered_ns[0] != 0;
	bool quick = first_answered && first_ms > 0 && first_ms < QUICK_MS;
	bool second_quick = second_ms > 0 && second_ms < QUICK_MS;
	bool third_quick = third_ms > 0 && third_ms < QUICK_MS;

	lai_trial_number(trial, "second SYN after the first wrong ACK", "ms", first_ms);
	lai_trial_number(trial, "third SYN after the second wrong ACK", "ms", second_ms);
	if (quick && answered->answered_ns[1] && second_ms >= QUICK_MS && !third_quick)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "the first wrong ACK had the SYN repeated after %.1f ms, the "
				   "second only after %.0f ms, the third not at once",
				   first_ms, second_ms);
	else if (quick && (second_quick || third_quick))
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "repeated at once more than once: %zu SYNs, after %.1f, %.1f "
				   "and %.1f ms",
				   answered->syns, first_ms, second_ms, third_ms);
	else if (first_answered && first_ms >= QUICK_MS && !second_quick)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"never repeated at once: the first repetition came %.0f ms after "
			"the wrong ACK",
			first_ms);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%zu SYNs, the second %.1f ms and the third %.1f ms after the "
				   "answer before it, tell nothing",
				   answered->syns, first_ms, second_ms);
}

static void run(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->server, trial->client, PEER);
	uint16_t port = lai_trial_port(trial, 1024, 32767);
	struct knocks answered = {.port = port}, silent = {.port = (uint16_t)(port + 1)};
	int to_answered = knock(trial, raw, answered.port);
	int to_silent = knock(trial, raw, silent.port);

	peer_play(trial, raw, answered.port);
	knocks_count(trial, &answered);
	knocks_count(trial, &silent);
	(void)close(to_answered);
	(void)close(to_silent);
	knocks_say(trial, &answered, "answered by wrong ACKs");
	knocks_say(trial, &silent, "not answered");
	lai_trial_number(trial, "second SYN if nobody answers", "ms", gap_ms(&silent, 0));
	lai_trial_control(trial, gap_ms(&silent, 0) > QUICK_MS,
			  "a SYN that nobody answers is repeated only after %.0f ms",
			  gap_ms(&silent, 0));
	conclude(trial, &answered);
}

const struct lai_claim lai_claim_syn_retry_once = {
	.id = "syn-retry-once",
	.claim = "A SYN that an old TIME_WAIT answers with an ACK is repeated at once, but only "
		 "the first time; a second such answer costs a second.",
	.said = "the kernel's commit 9603d47bad46 (\"Reduce SYN resend delay\"); google/gvisor#7619 "
		"asks for the same; load balancers that meet two TIME_WAITs in a row wait a second",
	.decides = "RFC 9293 3.10.7.3; tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c "
		   "(icsk_retransmits == 0, TCP_TIMEOUT_MIN)",
	.setup = "the client and, in the server's place, a crafted peer (a packet socket)",
	.procedure =
		"The client connects. The peer answers every SYN with an ACK whose SEG.ACK lies "
		"100,000 before ISS, as a TIME_WAIT of an earlier connection would. The times between the "
		"SYNs are taken from the capture.",
	.outcome = "RST, then a second SYN two ticks later (about 8 ms with 250 ticks a second). "
		   "From then on the SYN's ordinary timer: 1 s (2 s before Linux 6.5).",
	.control = "A SYN that is not answered at all must wait a second before it is repeated.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL},
		     {5, 6, LAI_LAB_CONFIRMED, "the quick second SYN (commit 9603d47bad46)"}},
	.both_families = true,
	.run = run,
};
