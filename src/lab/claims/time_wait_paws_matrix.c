/* SPDX-License-Identifier: MIT */
/*
 * The full matrix of what a SYN says to a TIME_WAIT: sequence number x timestamp, for a connection
 * that had timestamps and one that had none. Each cell has a TIME_WAIT of its own, since a second
 * answer within tcp_invalid_ratelimit would be left out.
 */
#include "lab/claims/shared_time_wait.h"

#define SETTING "net.ipv4.tcp_timestamps"
/* So long they age before they are asked: a timer that begins again is then easily told. */
#define AGE_NS (500 * LAI_MS)
/* T, the peer's last timestamp. Below 2^31, so that 0 is older, as it is for most clocks. */
#define T_MIN (1u << 30)
#define T_RANGE (1u << 30)
#define DISTANCE_MAX 100000u

enum number { LOWER, EXPECTED, HIGHER, NUMBER_COUNT };
enum stamp { NEWER, EQUAL, OLDER, ZERO, ABSENT, STAMP_COUNT };

static const char *const number_names[] = {"below R", "at R", "above R"};
static const char *const stamp_names[] = {"newer than T", "T", "older than T", "0", "none"};

/* What Linux does (true: it reopens the connection), and what RFC 6191 section 2 wants. */
struct rule {
	bool linux_reopens, rfc_reopens;
};
static const struct rule with_stamps[NUMBER_COUNT][STAMP_COUNT] = {
	[LOWER] = {{true, true}, {false, false}, {false, false}, {false, false}, {false, false}},
	[EXPECTED] = {{true, true}, {false, true}, {false, false}, {false, false}, {false, true}},
	[HIGHER] = {{true, true}, {true, true}, {false, false}, {false, false}, {true, true}},
};
/* A connection that had none: only whether the SYN has one makes a difference, to the RFC. */
static const struct rule without_stamps[NUMBER_COUNT][STAMP_COUNT] = {
	[LOWER] = {[NEWER] = {false, true}, [ABSENT] = {false, false}},
	[EXPECTED] = {[NEWER] = {false, true}, [ABSENT] = {false, true}},
	[HIGHER] = {[NEWER] = {true, true}, [ABSENT] = {true, true}},
};

struct cell {
	bool stamps; /* the peer offered timestamps */
	enum number number;
	enum stamp stamp;
	struct lai_tw tw;
	struct lai_segment syn;
	enum lai_tw_answer answer;
	uint32_t before_ms, after_ms;
	const struct rule *rule;
};
#define CELLS_MAX (NUMBER_COUNT * (STAMP_COUNT + 2))

struct matrix {
	struct cell cells[CELLS_MAX];
	size_t count;
	uint32_t t;	   /* T */
	uint32_t distance; /* of numbers from R and of timestamps from T */
};

static void cell_add(struct matrix *matrix, struct lai_tw_bench *bench, bool stamps,
		     enum number number, enum stamp stamp)
{
	struct cell *cell = &matrix->cells[matrix->count++];
	const uint32_t numbers[] = {0u - matrix->distance, 0, matrix->distance};
	const uint32_t values[] = {matrix->t + matrix->distance, matrix->t,
				   matrix->t - matrix->distance, 0, 0};

	cell->stamps = stamps;
	cell->number = number;
	cell->stamp = stamp;
	cell->tw = lai_tw_make(bench, stamps, matrix->t);
	cell->syn = lai_tw_syn(&cell->tw, cell->tw.expects + numbers[number]);
	cell->syn.has_timestamp = stamp != ABSENT;
	cell->syn.ts_value = values[stamp];
	cell->rule = cell->tw.end.timestamps
			     ? &with_stamps[number][stamp]
			     : &without_stamps[number][stamp == ABSENT ? ABSENT : NEWER];
}

static void cell_ask(struct cell *cell, struct lai_tw_bench *bench)
{
	bool reopened, restarted;

	(void)lai_tw_alive(bench, &cell->tw, &cell->before_ms);
	cell->answer = lai_tw_ask(bench, &cell->tw, &cell->syn, NULL);
	(void)lai_tw_alive(bench, &cell->tw, &cell->after_ms);
	reopened = cell->answer == LAI_TW_SYN_ACK;
	restarted = cell->after_ms > cell->before_ms;
	lai_trial_say(bench->trial, "connection %s timestamps; SYN %s, timestamp %s: %s%s%s%s",
		      cell->tw.end.timestamps ? "with" : "without", number_names[cell->number],
		      stamp_names[cell->stamp], lai_tw_answer_name(cell->answer),
		      restarted ? ", timer begins again" : "",
		      reopened == cell->rule->linux_reopens ? ""
							    : " (not what is documented for Linux)",
		      reopened == cell->rule->rfc_reopens ? "" : " (RFC 6191 wants the opposite)");
}

static void matrix_fill(struct matrix *matrix, struct lai_tw_bench *bench)
{
	for (unsigned number = 0; number < NUMBER_COUNT; number++) {
		for (unsigned stamp = 0; stamp < STAMP_COUNT; stamp++)
			cell_add(matrix, bench, true, number, stamp);
		cell_add(matrix, bench, false, number, NEWER);
		cell_add(matrix, bench, false, number, ABSENT);
	}
	lai_trial_pass(bench->trial, AGE_NS);
	for (size_t i = 0; i < matrix->count; i++)
		cell_ask(&matrix->cells[i], bench);
}

static enum lai_tw_answer answer_at(const struct matrix *matrix, bool stamps, enum number number,
				    enum stamp stamp)
{
	for (size_t i = 0; i < matrix->count; i++) {
		const struct cell *cell = &matrix->cells[i];

		if (cell->stamps == stamps && cell->number == number && cell->stamp == stamp)
			return cell->answer;
	}
	return LAI_TW_OTHER;
}

/* Newer: always accepted; older and 0: never. One cell that is the other way round refutes it, one
   that is neither tells nothing. */
static enum lai_lab_verdict stamp_decides(const struct matrix *matrix)
{
	enum lai_lab_verdict verdict = LAI_LAB_CONFIRMED;

	for (size_t i = 0; i < matrix->count; i++) {
		const struct cell *cell = &matrix->cells[i];
		bool newer = cell->stamp == NEWER;

		if (!cell->stamps || cell->stamp == EQUAL || cell->stamp == ABSENT)
			continue;
		if (cell->answer == (newer ? LAI_TW_ACK : LAI_TW_SYN_ACK))
			return LAI_LAB_REFUTED;
		if (cell->answer != (newer ? LAI_TW_SYN_ACK : LAI_TW_ACK))
			verdict = LAI_LAB_INCONCLUSIVE;
	}
	return verdict;
}

static unsigned count_cells(const struct matrix *matrix, bool rfc)
{
	unsigned count = 0;

	for (size_t i = 0; i < matrix->count; i++) {
		const struct cell *cell = &matrix->cells[i];
		bool reopened = cell->answer == LAI_TW_SYN_ACK;

		count += reopened == (rfc ? cell->rule->rfc_reopens : cell->rule->linux_reopens);
	}
	return count;
}

/* The same SYN, a lower number with a newer timestamp, where the opposite must come out. */
static void control_say(struct lai_tw_bench *bench, const struct matrix *matrix, bool agreed)
{
	struct lai_trial *trial = bench->trial;
	struct matrix other = {.t = matrix->t, .distance = matrix->distance};
	enum lai_tw_answer answer;
	long found;

	if (agreed) {
		answer = answer_at(matrix, false, LOWER, NEWER);
		lai_trial_control(trial, answer == LAI_TW_ACK,
				  "after a connection without timestamps the SYN with a newer "
				  "timestamp and a lower number is answered by %s",
				  lai_tw_answer_name(answer));
		return;
	}
	found = lai_host_get(trial, trial->server, SETTING);
	lai_host_set_number(trial, trial->server, SETTING, 1);
	cell_add(&other, bench, true, LOWER, NEWER);
	cell_ask(&other.cells[0], bench);
	lai_host_set_number(trial, trial->server, SETTING, found);
	lai_trial_control(trial, other.cells[0].answer == LAI_TW_SYN_ACK,
			  "with tcp_timestamps=1 the SYN with a newer timestamp and a lower number "
			  "is answered by %s",
			  lai_tw_answer_name(other.cells[0].answer));
}

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	struct matrix matrix = {
		.t = T_MIN + (uint32_t)lai_random_below(&trial->random, T_RANGE),
		.distance = 1 + (uint32_t)lai_random_below(&trial->random, DISTANCE_MAX),
	};
	enum lai_lab_verdict verdict;
	unsigned as_linux, as_rfc;
	bool agreed;

	matrix_fill(&matrix, &bench);
	agreed = matrix.cells[0].tw.end.timestamps;
	verdict = stamp_decides(&matrix);
	as_linux = count_cells(&matrix, false);
	as_rfc = count_cells(&matrix, true);
	lai_trial_number(trial, "cells", "cells", (double)matrix.count);
	lai_trial_number(trial, "as_rfc6191", "cells", as_rfc);
	control_say(&bench, &matrix, agreed);
	if (!agreed)
		lai_trial_conclude(
			trial, LAI_LAB_DEPENDS,
			"on net.ipv4.tcp_timestamps, which is %ld here: connections have "
			"no timestamps, and the sequence number alone decides",
			lai_host_get(trial, trial->server, SETTING));
	else
		lai_trial_conclude(trial, verdict,
				   "%s: %u of %zu cells are as documented for Linux, %u as RFC "
				   "6191 wants",
				   verdict == LAI_LAB_CONFIRMED
					   ? "a newer timestamp reopens at any sequence number, an "
					     "older one or 0 at none"
				   : verdict == LAI_LAB_REFUTED
					   ? "a newer timestamp did not reopen everywhere, or an "
					     "older one did"
					   : "not every SYN was answered by ACK or SYN-ACK",
				   as_linux, matrix.count, as_rfc);
}

const struct lai_claim lai_claim_time_wait_paws_matrix = {
	.id = "time-wait-paws-matrix",
	.claim = "With timestamps it is the timestamp that decides whether a SYN reopens a "
		 "TIME_WAIT: a newer one does whatever the sequence number, an older one never "
		 "does.",
	.said = "RFC 6191; RFC 7323 section 5 (PAWS); articles on tcp_tw_reuse",
	.decides = "RFC 6191 section 2, RFC 7323 5.3; tcp_timewait_state_process() in "
		   "net/ipv4/tcp_minisocks.c, tcp_paws_reject() in include/net/tcp.h",
	.setup =
		"A listener on the server; a packet socket on the client's host speaks for the "
		"client, so no kernel answers there, with a timestamp clock of its own. The server "
		"closes first, so the TIME_WAIT is on its side. R is its RCV.NXT, T its TS.Recent",
	.procedure = "Send SYNs below, at and above R, each with a timestamp newer than T, T "
		     "itself, older, 0, and none; the same after a connection without timestamps. "
		     "21 cells, each with a TIME_WAIT of its own that is half a second old.",
	.outcome = "A newer timestamp reopens at any number; an older one, or 0, is refused with "
		   "an ACK at any number, and the TIME_WAIT begins again. Where RFC 6191 "
		   "differs: it would accept R itself, and any SYN with a timestamp after a "
		   "connection that had none; and it would drop where Linux sends an ACK.",
	.control = "After a connection that had no timestamps a newer one does not help a SYN with "
		   "a lower number.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
