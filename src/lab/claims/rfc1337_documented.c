/* SPDX-License-Identifier: MIT */
/* What the kernel's documentation says of tcp_rfc1337 is the wrong way round. */
#include "lab/claims/shared_time_wait.h"

#define SETTING "net.ipv4.tcp_rfc1337"

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	long found = lai_host_get(trial, trial->server, SETTING);
	bool outlived_unset, outlived_set;

	lai_host_set_number(trial, trial->server, SETTING, 0);
	outlived_unset = lai_tw_outlives_reset(&bench, 0, "R");
	lai_host_set_number(trial, trial->server, SETTING, 1);
	outlived_set = lai_tw_outlives_reset(&bench, 0, "R");
	lai_host_set_number(trial, trial->server, SETTING, found);
	lai_trial_control(trial, outlived_set != outlived_unset,
			  "with tcp_rfc1337=1 the RST %s the TIME_WAIT",
			  outlived_set ? "is ignored by" : "ends");
	if (outlived_unset)
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"with tcp_rfc1337=0 the TIME_WAIT outlives a RST with the expected "
			"number");
	else if (outlived_set)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "with tcp_rfc1337=0 a RST with the expected number ends the "
				   "TIME_WAIT, with 1 the TIME_WAIT outlives it: the documentation "
				   "has it the wrong way round");
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "a RST with the expected number ends the TIME_WAIT with either "
				   "value of tcp_rfc1337");
}

const struct lai_claim lai_claim_rfc1337_documented = {
	.id = "rfc1337-documented",
	.claim = "With net.ipv4.tcp_rfc1337 unset Linux prevents TIME_WAIT assassination.",
	.said = "the kernel's own Documentation/networking/ip-sysctl.rst: \"If unset, we are not "
		"conforming to RFC, but prevent TCP TIME_WAIT assassination\"; lists of "
		"sysctls copy it",
	.decides = "RFC 1337 section 3; sysctl_tcp_rfc1337 in tcp_timewait_state_process(), "
		   "net/ipv4/tcp_minisocks.c: if it is 0, a RST at the expected number goes to "
		   "the kill label",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there. The server closes first, so the TIME_WAIT is "
		 "on its side. R is its RCV.NXT",
	.procedure =
		"Set net.ipv4.tcp_rfc1337 to 0, send a RST with SEG.SEQ = R, look whether the TIME_WAIT is "
		"still there; the same with 1.",
	.outcome = "The other way round: 0, which is the default, lets the RST end the TIME_WAIT; "
		   "1 protects it.",
	.control = "With net.ipv4.tcp_rfc1337=1 the same RST has the opposite effect.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
