/* SPDX-License-Identifier: MIT */
/*
 * To SYNs that it refuses a TIME_WAIT says ACK once, and then nothing for half a second.
 *
 *	SYN, SYN, SYN, bare old ACK      one answer: more could be a war of ACKs between two hosts
 *	old data, old FIN                an answer each: a peer sends those again until it hears one
 */
#include "lab/claims/shared_time_wait.h"

#define SETTING "net.ipv4.tcp_invalid_ratelimit"
#define LIMIT_DEFAULT_MS 500
#define COUNTER "TCPACKSkippedTimeWait"
#define LOWER_MAX 100000u
#define DATA_BYTES 10
/* A machine may be so slow that the interval ends while segments are still sent. */
#define TRIES 5
/* Over the interval, which ends with a tick of the kernel's. */
#define BEYOND_NS (50 * LAI_MS)

/* What a TIME_WAIT cannot accept: of the limited kinds, and of the others. */
enum { SYN_FIRST, SYN_AGAIN, SYN_THIRD, OLD_ACK, LIMITED_COUNT };
enum { OLD_DATA, OLD_FIN, EXEMPT_COUNT };

struct burst {
	struct lai_tw tw;
	struct lai_segment limited[LIMITED_COUNT], exempt[EXEMPT_COUNT];
	unsigned limited_answers, exempt_answers;
	uint64_t skipped; /* what the kernel counted */
};

static void segments_make(struct lai_tw_bench *bench, struct burst *burst)
{
	uint32_t lower = 1 + (uint32_t)lai_random_below(&bench->trial->random, LOWER_MAX);
	const struct lai_tw *tw = &burst->tw;

	for (unsigned i = SYN_FIRST; i <= SYN_THIRD; i++)
		burst->limited[i] = lai_tw_syn(tw, tw->expects - lower);
	burst->limited[OLD_ACK] = lai_raw_segment(&tw->end, LAI_FLAG_ACK);
	burst->limited[OLD_ACK].seq -= lower;
	burst->exempt[OLD_DATA] = lai_raw_segment(&tw->end, LAI_FLAG_ACK);
	burst->exempt[OLD_DATA].seq -= DATA_BYTES;
	burst->exempt[OLD_DATA].payload_bytes = DATA_BYTES;
	burst->exempt[OLD_FIN] = lai_raw_segment(&tw->end, LAI_FLAG_ACK | LAI_FLAG_FIN);
	burst->exempt[OLD_FIN].seq -= 1;
}

/* All of them within half the interval, if there is one. False: it took longer. */
static bool burst_try(struct lai_tw_bench *bench, long limit_ms, struct burst *burst)
{
	struct lai_trial *trial = bench->trial;
	struct lai_counters *counters;
	uint64_t began_ns;

	burst->tw = lai_tw_make(bench, false, 0);
	segments_make(bench, burst);
	counters = lai_counters_read(trial, trial->server);
	began_ns = lai_clock_now();
	burst->limited_answers = lai_tw_ask_all(bench, &burst->tw, burst->limited, LIMITED_COUNT);
	burst->exempt_answers = lai_tw_ask_all(bench, &burst->tw, burst->exempt, EXEMPT_COUNT);
	burst->skipped = lai_counters_since(trial, trial->server, counters, COUNTER);
	if (limit_ms && lai_clock_now() - began_ns > (uint64_t)limit_ms * LAI_MS / 2)
		return false;
	lai_trial_say(
		trial,
		"tcp_invalid_ratelimit=%ld: of 3 SYNs and a bare ACK, all at R-%u, %u answered; "
		"of old data and an old FIN, %u; " COUNTER " +%llu",
		limit_ms, burst->tw.expects - burst->limited[SYN_FIRST].seq, burst->limited_answers,
		burst->exempt_answers, (unsigned long long)burst->skipped);
	return true;
}

static struct burst burst_make(struct lai_tw_bench *bench, long limit_ms)
{
	struct burst burst;

	for (int i = 0; i < TRIES; i++)
		if (burst_try(bench, limit_ms, &burst))
			return burst;
	lai_trial_fail(bench->trial, "six segments could not be sent within %ld ms", limit_ms / 2);
}

static bool is_limited(const struct burst *burst)
{
	return burst->limited_answers == 1 && burst->skipped == LIMITED_COUNT - 1;
}

static bool is_unlimited(const struct burst *burst)
{
	return burst->limited_answers == LIMITED_COUNT && burst->skipped == 0;
}

static void conclude(struct lai_trial *trial, long limit_ms, const struct burst *burst)
{
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	lai_trial_number(trial, "answers", "segments", burst->limited_answers);
	lai_trial_number(trial, "skipped", "segments", (double)burst->skipped);
	if (is_limited(burst) && limit_ms == LIMIT_DEFAULT_MS)
		verdict = LAI_LAB_CONFIRMED;
	else if (is_limited(burst) || (is_unlimited(burst) && limit_ms == 0))
		verdict = LAI_LAB_DEPENDS;
	else if (is_unlimited(burst))
		verdict = LAI_LAB_REFUTED;
	lai_trial_conclude(trial, verdict,
			   "%stcp_invalid_ratelimit=%ld: of 3 SYNs and a bare ACK in a row %u %s "
			   "answered, " COUNTER " counts %llu",
			   verdict == LAI_LAB_DEPENDS ? "on " : "with ", limit_ms,
			   burst->limited_answers, burst->limited_answers == 1 ? "is" : "are",
			   (unsigned long long)burst->skipped);
}

/* The same with the limit taken away; or, where there is none, with one. */
static void control(struct lai_tw_bench *bench, long limit_ms)
{
	struct lai_trial *trial = bench->trial;
	long other_ms = limit_ms ? 0 : LIMIT_DEFAULT_MS;
	struct burst other;

	lai_host_set_number(trial, trial->server, SETTING, other_ms);
	other = burst_make(bench, other_ms);
	lai_host_set_number(trial, trial->server, SETTING, limit_ms);
	lai_trial_control(trial, other_ms ? is_limited(&other) : is_unlimited(&other),
			  "with tcp_invalid_ratelimit=%ld %u of %d SYNs and bare ACKs are answered",
			  other_ms, other.limited_answers, LIMITED_COUNT);
}

static void run(struct lai_trial *trial)
{
	struct lai_tw_bench bench = lai_tw_bench_open(trial);
	long limit_ms = lai_host_get(trial, trial->server, SETTING);
	struct burst burst = burst_make(&bench, limit_ms);
	enum lai_tw_answer later;

	lai_trial_control(trial, burst.exempt_answers == EXEMPT_COUNT,
			  "of old data and an old FIN in the same interval %u of %d are answered",
			  burst.exempt_answers, EXEMPT_COUNT);
	lai_trial_pass(trial, (uint64_t)limit_ms * LAI_MS + BEYOND_NS);
	later = lai_tw_ask(&bench, &burst.tw, &burst.limited[SYN_FIRST], NULL);
	lai_trial_control(trial, later == LAI_TW_ACK, "%ld ms later the same SYN is answered by %s",
			  limit_ms, lai_tw_answer_name(later));
	control(&bench, limit_ms);
	conclude(trial, limit_ms, &burst);
}

const struct lai_claim lai_claim_time_wait_answers_limited = {
	.id = "time-wait-answers-limited",
	.claim = "Of SYNs that it refuses a TIME_WAIT answers one in half a second; the next ones "
		 "meet with silence, as if a firewall dropped them.",
	.said = "net.ipv4.tcp_invalid_ratelimit in Documentation/networking/ip-sysctl.rst; reports "
		"of SYNs that nothing answers when ports are reused fast",
	.decides = "RFC 9293 3.10.7.4 wants an ACK each time, RFC 5961 section 7 allows a limit; "
		   "tcp_timewait_check_oow_rate_limit() in net/ipv4/tcp_minisocks.c, "
		   "tcp_oow_rate_limited() in net/ipv4/tcp_input.c, which lets data and FIN pass",
	.setup = "A listener on the server; a packet socket on the client's host speaks for the "
		 "client, so no kernel answers there, and uses no timestamps. The server closes "
		 "first, so the TIME_WAIT is on its side. R is its RCV.NXT",
	.procedure =
		"Send three SYNs and a bare ACK with SEG.SEQ below R in a row to one TIME_WAIT, "
		"then old data and an old FIN; count answers and " COUNTER ". Wait for "
		"net.ipv4.tcp_invalid_ratelimit and send the SYN once more.",
	.outcome = "One ACK, then silence for 500 ms: a client that tries again within it waits "
		   "for its own timer. Data and FIN are acknowledged each time.",
	.control = "Old data and an old FIN are answered at once; after the interval the SYN is "
		   "too; with net.ipv4.tcp_invalid_ratelimit=0 all are.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
