/* SPDX-License-Identifier: MIT */
/*
 * claim.h - one thing that people say about closing, reusing and TIME_WAIT, and how it is tried.
 *
 * A claim is one file in lab/claims/ that defines `const struct lai_claim lai_claim_NAME`, and one
 * row in LAI_CLAIMS. Its texts are for readers who know TCP and not this program.
 *
 * CONFIRMED and REFUTED each have a condition of their own, and so has DEPENDS (a sysctl that turns
 * the claim is one); what is none of them is INCONCLUSIVE. Texts that are sentences (claim,
 * procedure, outcome, control) end with a full stop, the others are fragments without one.
 */
#ifndef LAI_LAB_CLAIM_H
#define LAI_LAB_CLAIM_H

#include "lab/verdict.h"

#include <stdbool.h>
#include <stddef.h>

struct lai_trial;

/* What stands between the two hosts. */
enum lai_claim_network {
	LAI_NETWORK_PAIR,   /* client ---- server */
	LAI_NETWORK_ROUTER, /* client ---- router ---- server; the router forwards IPv4 */
};

/* How a trial gets on with others at the same time. */
enum lai_claim_lane {
	LAI_LANE_WAITS, /* decides by states, packets and errno: runs beside others */
	LAI_LANE_ALONE, /* decides by rates or latencies: nothing else of ours runs meanwhile */
};

/* From this kernel on (its first two numbers) the verdict is this one. */
struct lai_claim_expected {
	unsigned major, minor;
	enum lai_lab_verdict verdict;
	const char *since; /* what changed there; NULL for the first row */
};
#define LAI_CLAIM_EXPECTED_MAX 4

struct lai_claim {
	const char *id;	       /* words-with-hyphens, stable */
	const char *claim;     /* one sentence, as people say it */
	const char *said;      /* where they say it */
	const char *decides;   /* RFC section, and kernel function in file */
	const char *setup;     /* the network, the sysctls that are not the kernel's defaults */
	const char *procedure; /* what is done, step by step */
	const char *outcome;   /* what Linux does, in one or two sentences */
	const char *control;   /* what must come out the opposite way, or the run tells nothing */
	const char *
		shortened; /* which long time is read from the kernel instead of waited for; or NULL */
	/* Oldest kernel first, ends at the first row with verdict NONE. At least one row {0, 0, ...}. */
	struct lai_claim_expected expected[LAI_CLAIM_EXPECTED_MAX];
	enum lai_claim_network network;
	enum lai_claim_lane lane;
	bool both_families;   /* even seeds run over IPv6, odd ones over IPv4; otherwise IPv4 */
	bool no_capture;      /* makes more packets than a capture is good for */
	unsigned seconds_max; /* a trial that takes longer is ended: INCONCLUSIVE. 0: 20 */
	/* Tries it. Says what it finds by lab/trial.h; must have said a control and a conclusion. */
	void (*run)(struct lai_trial *trial);
};

/* All claims, in the order of the article and of the life of a connection. */
extern const struct lai_claim *const lai_claims[];
extern const size_t lai_claim_count;

/* NULL: there is none with this id. */
const struct lai_claim *lai_claim_find(const char *id);

/* What is documented for a kernel. */
enum lai_lab_verdict lai_claim_expects(const struct lai_claim *claim, unsigned major,
				       unsigned minor);

#endif
