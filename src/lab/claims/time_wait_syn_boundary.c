/* SPDX-License-Identifier: MIT */
/* From which sequence number on a SYN is new: Linux begins one later than the RFC. */
#include "lab/claims/shared_time_wait.h"

#define HALF 0x80000000u

/* How far from R, in the order of the circle, and what Linux answers. */
static const struct row {
	uint32_t ahead;
	const char *name;
	enum lai_tw_answer expected;
} rows[] = {
	{0u - 1, "R-1 (the FIN's own)", LAI_TW_ACK},
	{0, "R", LAI_TW_ACK},
	{1, "R+1", LAI_TW_SYN_ACK},
	{HALF - 1, "R+2^31-1", LAI_TW_SYN_ACK},
	{HALF, "R+2^31 (ahead and behind alike)", LAI_TW_SYN_ACK},
	{HALF + 1, "R+2^31+1", LAI_TW_ACK},
};
#define ROW_COUNT (sizeof(rows) / sizeof(*rows))
enum { AT_R = 1, AT_NEXT = 2, AT_FARTHEST = 3 };

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	enum lai_tw_answer answers[ROW_COUNT];
	bool all = true;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct lai_tw tw = lai_tw_make(&bench, false, 0);
		struct lai_segment syn = lai_tw_syn(&tw, tw.expects + rows[i].ahead);

		answers[i] = lai_tw_ask(&bench, &tw, &syn, NULL);
		all = all && answers[i] == rows[i].expected;
		lai_trial_say(trial, "R %u, SYN at %s (%u): %s", tw.expects, rows[i].name, syn.seq,
			      lai_tw_answer_name(answers[i]));
	}
	lai_trial_control(
		trial, answers[AT_NEXT] == LAI_TW_SYN_ACK && answers[AT_FARTHEST] == LAI_TW_SYN_ACK,
		"SYNs 1 and 2^31-1 above the expected number are answered by %s and %s",
		lai_tw_answer_name(answers[AT_NEXT]), lai_tw_answer_name(answers[AT_FARTHEST]));
	if (answers[AT_R] == LAI_TW_SYN_ACK)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "a SYN with exactly the expected number is answered by SYN-ACK");
	else if (answers[AT_R] == LAI_TW_ACK || answers[AT_R] == LAI_TW_RST)
		lai_trial_conclude(
			trial, LAI_LAB_REFUTED,
			"a SYN with exactly the expected number is answered by %s; %s",
			lai_tw_answer_name(answers[AT_R]),
			all ? "those 1 to 2^31 above it reopen the connection, 2^31+1 counts as below"
			    : "the other numbers are not answered as documented, see the "
			      "evidence");
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "a SYN with exactly the expected number meets with %s",
				   lai_tw_answer_name(answers[AT_R]));
}

const struct lai_claim lai_claim_time_wait_syn_boundary = {
	.id = "time-wait-syn-boundary",
	.claim = "Every SYN from the next expected sequence number on reopens a connection in "
		 "TIME_WAIT, that number itself included.",
	.said = "RFC 6191 section 2: a sequence number larger than the last one seen is enough; "
		"the next expected one is larger",
	.decides = "RFC 9293 3.4 (comparison modulo 2^32); after(seq, rcv_nxt) in "
		   "tcp_timewait_state_process(), net/ipv4/tcp_minisocks.c",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there, and uses no timestamps. The server closes "
		 "first, so the TIME_WAIT is on its side. R is its RCV.NXT: one more than the "
		 "client's FIN had",
	.procedure = "Send a SYN with SEG.SEQ = R-1, R, R+1, R+2^31-1, R+2^31 and R+2^31+1, each "
		     "to a TIME_WAIT of its own.",
	.outcome = "R itself is refused with an ACK: Linux wants more than RFC 6191 does. The "
		   "numbers ahead end at R+2^31, which the comparison takes for later.",
	.control = "The SYNs with R+1 and R+2^31-1 are answered by SYN-ACK.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
