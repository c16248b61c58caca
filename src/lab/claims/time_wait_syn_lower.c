/* SPDX-License-Identifier: MIT */
/* A SYN with a lower sequence number: neither silence nor RST, but an ACK. */
#include "lab/claims/shared_time_wait.h"

#define LOWER_MAX 100000u
/* So long a TIME_WAIT ages before it is asked: a timer that begins again is then easily told. */
#define AGE_NS (500 * LAI_MS)
#define DATA_BYTES 10

/* What one segment does to a TIME_WAIT that is AGE_NS old. */
struct reaction {
	enum lai_tw_answer answer;
	struct lai_segment heard;
	uint32_t before_ms, after_ms; /* what its timer says */
	bool alive;
};

static void react(struct lai_tw_bench *bench, const struct lai_tw *tw,
		  const struct lai_segment *segment, struct reaction *reaction)
{
	(void)lai_tw_alive(bench, tw, &reaction->before_ms);
	reaction->answer = lai_tw_ask(bench, tw, segment, &reaction->heard);
	reaction->alive = lai_tw_alive(bench, tw, &reaction->after_ms);
}

/* A timer that goes on only falls. */
static bool restarted(const struct reaction *reaction)
{
	return reaction->alive && reaction->after_ms > reaction->before_ms;
}

static void say(struct lai_trial *trial, const char *what, const struct reaction *reaction)
{
	lai_trial_say(trial, "%s: %s; TIME_WAIT %s, its timer says %u ms before, %u after", what,
		      lai_tw_answer_name(reaction->answer), reaction->alive ? "stays" : "is gone",
		      reaction->before_ms, reaction->after_ms);
}

/* What a RST looks like here: the answer of a port where nobody listens. */
static enum lai_tw_answer ask_nobody(struct lai_tw_bench *bench)
{
	struct lai_tw none = {0};
	struct lai_segment syn;

	none.end = (struct lai_raw_end){
		.raw = bench->raw,
		.local = lai_raw_address(bench->raw, bench->next_port++),
		.remote = bench->server,
		.snd_nxt = (uint32_t)lai_random_next(&bench->trial->random),
	};
	lai_address_set_port(&none.end.remote, LAI_TW_PORT_OF_NOBODY);
	syn = lai_tw_syn(&none, none.end.snd_nxt);
	return lai_tw_ask(bench, &none, &syn, NULL);
}

static void conclude(struct lai_trial *trial, uint32_t lower, const struct lai_tw *tw,
		     const struct reaction *syn)
{
	bool acked = syn->answer == LAI_TW_ACK && syn->heard.ack == tw->expects;

	lai_trial_number(trial, "timer_before", "ms", syn->before_ms);
	lai_trial_number(trial, "timer_after", "ms", syn->after_ms);
	if (acked && syn->alive)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"a SYN %u below the expected number is answered by an ACK of that "
			"number, neither dropped nor refused; the TIME_WAIT stays, and its "
			"timer %s",
			lower, restarted(syn) ? "begins again" : "goes on");
	else if (syn->answer == LAI_TW_SILENCE || syn->answer == LAI_TW_RST)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "a SYN %u below the expected number is met with %s", lower,
				   lai_tw_answer_name(syn->answer));
	else
		lai_trial_conclude(
			trial,
			syn->answer == LAI_TW_SYN_ACK ? LAI_LAB_REFUTED : LAI_LAB_INCONCLUSIVE,
			"a SYN %u below the expected number is answered by %s; TIME_WAIT %s", lower,
			lai_tw_answer_name(syn->answer), syn->alive ? "stays" : "is gone");
}

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	struct lai_tw tw = lai_tw_make(&bench, false, 0), other = lai_tw_make(&bench, false, 0);
	struct lai_tw higher = lai_tw_make(&bench, false, 0);
	uint32_t lower = 1 + (uint32_t)lai_random_below(&trial->random, LOWER_MAX);
	struct lai_segment syn = lai_tw_syn(&tw, tw.expects - lower);
	struct lai_segment ahead = lai_tw_syn(&higher, higher.expects + lower), old;
	struct reaction by_syn = {0}, by_data = {0};
	enum lai_tw_answer nobody = ask_nobody(&bench), reopened;

	lai_trial_pass(trial, AGE_NS);
	react(&bench, &tw, &syn, &by_syn);
	say(trial, "SYN with a lower number", &by_syn);
	old = lai_raw_segment(&other.end, LAI_FLAG_ACK);
	old.seq -= DATA_BYTES;
	old.payload_bytes = DATA_BYTES;
	react(&bench, &other, &old, &by_data);
	say(trial, "old data, no SYN", &by_data);
	reopened = lai_tw_ask(&bench, &higher, &ahead, NULL);
	lai_trial_control(trial, reopened == LAI_TW_SYN_ACK,
			  "a SYN %u above the expected number is answered by %s", lower,
			  lai_tw_answer_name(reopened));
	lai_trial_control(trial, nobody == LAI_TW_RST,
			  "a SYN to a port where nobody listens is answered by %s",
			  lai_tw_answer_name(nobody));
	lai_trial_control(trial, restarted(&by_data) && !restarted(&by_syn),
			  "old data %s the timer (%u ms before, %u after), the SYN %s (%u, %u)",
			  restarted(&by_data) ? "restarts" : "does not restart", by_data.before_ms,
			  by_data.after_ms, restarted(&by_syn) ? "too" : "does not",
			  by_syn.before_ms, by_syn.after_ms);
	conclude(trial, lower, &tw, &by_syn);
}

const struct lai_claim lai_claim_time_wait_syn_lower = {
	.id = "time-wait-syn-lower",
	.claim = "A SYN with a lower sequence number that meets a TIME_WAIT is dropped, or "
		 "refused with a RST.",
	.said = "articles on port reuse: Windows is said to drop such a SYN silently, others "
		"expect \"connection refused\"; RFC 6191 section 2: \"silently drop the incoming "
		"SYN segment\"; the mailing list netdev discussed in November 2024 that Linux does "
		"not",
	.decides = "RFC 9293 3.10.7.4 (a segment that is not acceptable is answered by an ACK); "
		   "tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c: TCP_TW_ACK, without "
		   "inet_twsk_reschedule() for a SYN",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there, and uses no timestamps. The server closes "
		 "first, so the TIME_WAIT is on its side. R is its RCV.NXT",
	.procedure =
		"Let the TIME_WAIT become 500 ms old, read its timer, send a SYN whose SEG.SEQ "
		"is a random distance below R, take the answer, read the timer again.",
	.outcome = "An ACK of R. A client that is still in SYN_SENT answers it with a RST, which "
		   "ends the TIME_WAIT, and tries again: that is how Linux reopens connections "
		   "whose numbers went back.",
	.control = "A SYN above R is answered by SYN-ACK, one to a port where nobody listens by "
		   "RST; old data restarts the timer.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
