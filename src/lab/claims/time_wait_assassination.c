/* SPDX-License-Identifier: MIT */
/* A RST with the one right sequence number ends a TIME_WAIT before its time. */
#include "lab/claims/shared_time_wait.h"

#define SETTING "net.ipv4.tcp_rfc1337"
#define DATA_BYTES 10

static const struct {
	uint32_t ahead;
	const char *name;
} others[] = {{1, "R+1"}, {0u - 1, "R-1"}, {100, "R+100"}};
#define OTHER_COUNT (sizeof(others) / sizeof(*others))

/* How many of the RSTs beside R were survived. */
static unsigned others_outlived(struct lai_tw_bench *bench)
{
	unsigned outlived = 0;

	for (size_t i = 0; i < OTHER_COUNT; i++)
		outlived += lai_tw_outlives_reset(bench, others[i].ahead, others[i].name);
	return outlived;
}

/*
 * As it happens in nature: an old segment strays to the TIME_WAIT, its ACK comes to a host that has
 * forgotten the connection, and that one answers, as it must, with a RST (RFC 1337 section 1).
 */
static bool outlives_stray_data(struct lai_tw_bench *bench)
{
	struct lai_tw tw = lai_tw_make(bench, false, 0);
	struct lai_segment stray = lai_raw_segment(&tw.end, LAI_FLAG_ACK), heard, reset;
	bool alive;

	stray.seq -= DATA_BYTES;
	stray.payload_bytes = DATA_BYTES;
	if (lai_tw_ask(bench, &tw, &stray, &heard) != LAI_TW_ACK)
		lai_trial_fail(bench->trial, "the TIME_WAIT does not acknowledge old data");
	reset = lai_raw_segment(&tw.end, LAI_FLAG_RST);
	reset.seq = heard.ack; /* RFC 9293 3.10.7.1 */
	(void)lai_tw_ask(bench, &tw, &reset, NULL);
	alive = lai_tw_alive(bench, &tw, NULL);
	lai_trial_say(bench->trial,
		      "old data at R-%d: ACK %u; RST at %u in reply: the TIME_WAIT is "
		      "%s",
		      DATA_BYTES, heard.ack, reset.seq, alive ? "still there" : "gone");
	return alive;
}

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	long found = lai_host_get(trial, trial->server, SETTING);
	bool outlived = lai_tw_outlives_reset(&bench, 0, "R");
	bool outlived_stray = outlives_stray_data(&bench), outlived_turned;
	unsigned beside = others_outlived(&bench), beside_turned;

	lai_host_set_number(trial, trial->server, SETTING, !found);
	outlived_turned = lai_tw_outlives_reset(&bench, 0, "R");
	beside_turned = others_outlived(&bench);
	lai_host_set_number(trial, trial->server, SETTING, found);
	lai_trial_control(trial, outlived_turned != outlived,
			  "with tcp_rfc1337=%d the same RST %s the TIME_WAIT", !found,
			  outlived_turned ? "leaves" : "ends");
	lai_trial_control(trial, beside == OTHER_COUNT && beside_turned == OTHER_COUNT,
			  "%u and %u of %zu RSTs that are 1 or 100 above or 1 below leave it alone",
			  beside, beside_turned, OTHER_COUNT);
	if (!outlived && !outlived_stray)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"with tcp_rfc1337=%ld a RST with exactly the expected number ends "
			"the TIME_WAIT at once, and so does the RST that answers the ACK "
			"of old data",
			found);
	else if (!outlived || !outlived_stray)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "with tcp_rfc1337=%ld the TIME_WAIT outlives %s, and not the "
				   "other RST",
				   found,
				   outlived ? "a RST with the expected number"
					    : "the RST that answers the ACK of old data");
	else if (found)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on " SETTING ", which is %ld here: the TIME_WAIT outlives a "
				   "RST with exactly the expected number, and the RST that answers "
				   "the ACK of old data",
				   found);
	else
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "with tcp_rfc1337=0 the TIME_WAIT outlives a RST with exactly "
				   "the expected number, and the RST that answers the ACK of old "
				   "data");
}

const struct lai_claim lai_claim_time_wait_assassination = {
	.id = "time-wait-assassination",
	.claim = "One RST with the right sequence number ends a TIME_WAIT long before its time "
		 "(\"TIME-WAIT assassination\").",
	.said = "RFC 1337, which names the hazard and says that a RST in TIME_WAIT should be "
		"ignored",
	.decides = "RFC 9293 3.10.7.4 (a RST in TIME-WAIT enters CLOSED), RFC 1337 section 3 (fix "
		   "F1); tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c, by "
		   "sysctl_tcp_rfc1337",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there. The server closes first, so the TIME_WAIT is "
		 "on its side. R is its RCV.NXT",
	.procedure = "Send a RST with SEG.SEQ = R, R+1, R-1 and R+100, each to a TIME_WAIT of its "
		     "own; then the "
		     "natural way: old data, its ACK, a RST that answers it. All RSTs again with "
		     "the other value of net.ipv4.tcp_rfc1337.",
	.outcome = "Exactly R kills, unless net.ipv4.tcp_rfc1337 is 1. A host that has forgotten "
		   "the connection answers the ACK of any stray segment with exactly that RST.",
	.control = "With the other value of net.ipv4.tcp_rfc1337 the same RST has the opposite "
		   "effect; RSTs beside R have none with either.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
