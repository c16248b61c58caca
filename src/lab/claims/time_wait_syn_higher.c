/* SPDX-License-Identifier: MIT */
/* A SYN with a higher sequence number opens the connection again, out of TIME_WAIT. */
#include "lab/claims/shared_time_wait.h"

#include <unistd.h>

/* Half the sequence space lies ahead (RFC 9293 3.4). */
#define AHEAD_MAX 0x7fffffffu
#define LOWER_MAX 100000u
#define WAIT_NS (5 * LAI_S)

/* One SYN; *isn_ahead becomes the server's new ISN over the last number it had used. If a SYN-ACK
   answers, the server's program gets the new connection from accept(). */
static enum lai_tw_answer reopen(struct lai_tw_bench *bench, uint32_t ahead, uint32_t *isn_ahead)
{
	struct lai_trial *trial = bench->trial;
	struct lai_tw tw = lai_tw_make(bench, false, 0);
	struct lai_segment syn = lai_tw_syn(&tw, tw.expects + ahead), heard;
	enum lai_tw_answer answer = lai_tw_ask(bench, &tw, &syn, &heard);

	if (answer != LAI_TW_SYN_ACK) {
		lai_trial_say(trial, "SYN at R+%u (%u): answered by %s", ahead, syn.seq,
			      lai_tw_answer_name(answer));
		return answer;
	}
	*isn_ahead = heard.seq - tw.end.rcv_nxt;
	lai_trial_say(trial, "SYN at R+%u (%u): SYN-ACK ack %u, its ISN %u is %u ahead", ahead,
		      syn.seq, heard.ack, heard.seq, *isn_ahead);
	tw.end.snd_nxt = syn.seq + 1;
	tw.end.rcv_nxt = heard.seq + 1;
	lai_raw_say(&tw.end, LAI_FLAG_ACK, 0);
	(void)close(lai_call_accept(trial, bench->listener, WAIT_NS));
	return heard.ack == syn.seq + 1 ? answer : LAI_TW_OTHER;
}

static bool is_refusal(enum lai_tw_answer answer)
{
	return answer == LAI_TW_ACK || answer == LAI_TW_RST;
}

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	uint32_t far = 2 + (uint32_t)lai_random_below(&trial->random, AHEAD_MAX - 2);
	uint32_t lower = 1 + (uint32_t)lai_random_below(&trial->random, LOWER_MAX);
	uint32_t isn_ahead[2] = {0};
	enum lai_tw_answer next = reopen(&bench, 1, &isn_ahead[0]);
	enum lai_tw_answer later = reopen(&bench, far, &isn_ahead[1]);
	struct lai_tw tw = lai_tw_make(&bench, false, 0);
	struct lai_segment syn = lai_tw_syn(&tw, tw.expects - lower), heard = {0};
	enum lai_tw_answer answer = lai_tw_ask(&bench, &tw, &syn, &heard);

	lai_trial_control(
		trial, answer == LAI_TW_ACK && lai_tw_alive(&bench, &tw, NULL),
		"a SYN %u below the expected number is answered by %s, and the TIME_WAIT is "
		"%s",
		lower, lai_tw_answer_name(answer),
		lai_tw_alive(&bench, &tw, NULL) ? "still there" : "gone");
	lai_trial_number(trial, "isn_ahead", "sequence numbers", isn_ahead[0]);
	if (next == LAI_TW_SYN_ACK && later == LAI_TW_SYN_ACK)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"SYNs 1 and %u above the expected number are answered by SYN-ACK, and "
			"accept() returns the new connections; the server's new ISN is %u (and %u) "
			"ahead of all it had used",
			far, isn_ahead[0], isn_ahead[1]);
	else
		lai_trial_conclude(trial,
				   is_refusal(next) || is_refusal(later) ? LAI_LAB_REFUTED
									 : LAI_LAB_INCONCLUSIVE,
				   "a SYN 1 above the expected number is answered by %s, one %u "
				   "above it by %s",
				   lai_tw_answer_name(next), far, lai_tw_answer_name(later));
}

const struct lai_claim lai_claim_time_wait_syn_higher = {
	.id = "time-wait-syn-higher",
	.claim = "A SYN with a higher sequence number than the old connection used opens it "
		 "again, out of TIME_WAIT, without any waiting.",
	.said = "RFC 1122 4.2.2.13, which allows it (MAY); RFC 9293 3.6.1",
	.decides = "RFC 9293 3.6.1 (MAY-2), RFC 6191; tcp_timewait_state_process() in "
		   "net/ipv4/tcp_minisocks.c, which answers TCP_TW_SYN, and tcp_v4_rcv() in "
		   "net/ipv4/tcp_ipv4.c, which then looks for the listener",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there, and uses no timestamps. The server closes "
		 "first, so the TIME_WAIT is on its side. R is its RCV.NXT",
	.procedure = "Send a SYN with SEG.SEQ = R+1 to one TIME_WAIT, and one that is a random "
		     "distance below 2^31 ahead to another; complete the handshakes; accept().",
	.outcome = "SYN-ACK at once. The server chooses its new initial sequence number 65537 "
		   "ahead of the last one that it used, so no old segment fits.",
	.control = "A SYN with a lower sequence number does not reopen it.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
