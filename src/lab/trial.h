/* SPDX-License-Identifier: MIT */
/*
 * trial.h - one run of one claim with one seed.
 *
 * A trial is a process with namespaces of its own: user (without privilege), pid, mount, and one
 * network namespace per host. None of them has a name, so the kernel takes away all of it, with
 * rules, devices, sockets and children, when the process ends, however it ends.
 *
 * So there is no error to carry through a claim: an instrument that fails ends the trial with a
 * sentence (lai_trial_fail(), lai_trial_lacks()), which becomes its INCONCLUSIVE or LACKS. Claims
 * check what they measure, not whether the measuring worked.
 *
 *	static void run(struct lai_trial *trial)
 *	{
 *		struct lai_pair pair = lai_pair_open(trial, NULL);
 *
 *		(void)close(pair.server);
 *		lai_gauge_await(trial, trial->client, &pair.at_client, LAI_TCP_CLOSE_WAIT, LAI_S);
 *		...
 *		lai_trial_control(trial, errno_without == EADDRINUSE, "without it: %s", ...);
 *		lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "200 of 200 connects");
 *	}
 */
#ifndef LAI_LAB_TRIAL_H
#define LAI_LAB_TRIAL_H

#include "base/clock.h"
#include "base/random.h"
#include "lab/claim.h"
#include "lab/result.h"

#include <stdint.h>

struct lai_host;
struct lai_capture;
struct lai_segment;

#define LAI_TRIAL_WIRES_MAX 2

struct lai_trial {
	const struct lai_claim *claim;
	uint64_t seed;		  /* 1, 2, ...: the same seed makes the same choices */
	struct lai_random random; /* from seed and id */
	int family;		  /* AF_INET or AF_INET6, for addresses and sockets of the trial */
	struct lai_host *client, *server;
	struct lai_host *router; /* NULL in a pair */
	/* [0] is the client's wire; in a pair it is the server's too. NULL: not captured. */
	struct lai_capture *captures[LAI_TRIAL_WIRES_MAX];
	struct lai_result *result;
};

/* A line of raw evidence, with the time since the beginning put before it. */
void lai_trial_say(struct lai_trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of a segment, in words; what it is to the claim stands before it: "delivered". */
void lai_trial_say_segment(struct lai_trial *trial, const char *what,
			   const struct lai_segment *segment);

/* A measured value, listed and compared over the seeds by its name, which one trial may use once. */
void lai_trial_number(struct lai_trial *trial, const char *name, const char *unit, double value);

/* A curve: its index for lai_trial_point(). x and y name the axes with their units. */
uint32_t lai_trial_series(struct lai_trial *trial, const char *name, const char *x, const char *y);
void lai_trial_point(struct lai_trial *trial, uint32_t series, double x, double y);

/*
 * Says whether the control came out the opposite way, as it must. Several may be said: all have to
 * hold. The sentence tells what was seen, in both cases.
 */
void lai_trial_control(struct lai_trial *trial, bool held, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The verdict on the claim itself, once: CONFIRMED, REFUTED, DEPENDS or INCONCLUSIVE. */
void lai_trial_conclude(struct lai_trial *trial, enum lai_lab_verdict verdict, const char *format,
			...) __attribute__((format(printf, 3, 4)));

/* A port that the trial's random numbers choose in [min, max]. */
uint16_t lai_trial_port(struct lai_trial *trial, uint16_t min, uint16_t max);

/* How many descriptors it may have: the limit has been raised as far as it goes. */
size_t lai_trial_descriptors(struct lai_trial *trial);

/* Lets time go by, for claims about time. Not for waiting that something has happened:
   lai_gauge_await(). */
void lai_trial_pass(struct lai_trial *trial, uint64_t ns);

/* An instrument did not work as it must: ends the trial, INCONCLUSIVE. */
void lai_trial_fail(struct lai_trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Kernel, privilege or host lack something: ends the trial, LACKS (exit status 77). */
void lai_trial_lacks(struct lai_trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
