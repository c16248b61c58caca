/* SPDX-License-Identifier: MIT */
#include "lab/claims/shared_time_wait.h"

#include <unistd.h>

/* Of the raw peer on its wire. */
#define RAW_NUMBER 66
/* Its ports: the first is drawn, so that there are enough behind it. */
#define PORT_MIN 10000
#define PORT_MAX 60000
#define MSS 1460
/* Most answers are there before the call that sends has returned. */
#define ANSWER_SOON_NS (5 * LAI_MS)
#define ANSWER_WAIT_NS (5 * LAI_S)
/* Another processor may have taken the later of two packets first; it is not that late. */
#define OVERTAKEN_NS (30 * LAI_MS)

struct lai_tw_bench lai_tw_bench_open(struct lai_trial *trial)
{
	struct lai_tw_bench bench = {
		.trial = trial,
		.raw = lai_raw_new(trial, trial->client, trial->server, RAW_NUMBER),
		.next_port = (uint16_t)(PORT_MIN +
					lai_random_below(&trial->random, PORT_MAX - PORT_MIN)),
	};

	bench.listener = lai_call_listen(trial, trial->server, 0, false, &bench.server);
	return bench;
}

/* The server closes first; the peer says ACK, then FIN, and hears the last ACK; or a RST, from a
   kernel that has kept nothing. */
static void close_server_first(struct lai_tw_bench *bench, struct lai_raw_end *end)
{
	int fd = lai_call_accept(bench->trial, bench->listener, ANSWER_WAIT_NS);
	struct lai_segment last;

	(void)close(fd);
	(void)lai_raw_hear_flags(bench->trial, end, LAI_FLAG_FIN, ANSWER_WAIT_NS);
	lai_raw_say(end, LAI_FLAG_ACK, 0);
	lai_raw_say(end, LAI_FLAG_FIN | LAI_FLAG_ACK, 0);
	do {
		if (!lai_raw_hear(end, &last, ANSWER_WAIT_NS))
			lai_trial_fail(bench->trial, "the server does not answer the peer's FIN");
		if (last.flags & LAI_FLAG_RST)
			lai_trial_fail(bench->trial,
				       "the server that closed first keeps no TIME_WAIT, but "
				       "answers the peer's FIN with a RST "
				       "(net.ipv4.tcp_max_tw_buckets is %ld)",
				       lai_host_get(bench->trial, bench->trial->server,
						    "net.ipv4.tcp_max_tw_buckets"));
	} while (last.ack != end->snd_nxt);
}

struct lai_tw lai_tw_make(struct lai_tw_bench *bench, bool timestamps, uint32_t ts_value)
{
	struct lai_raw_plan plan = {
		.port = bench->next_port++, .timestamps = timestamps, .ts_value = ts_value};
	struct lai_tw tw = {
		.end = lai_raw_connect(bench->trial, bench->raw, &bench->server, &plan)};

	tw.at_server = (struct lai_ends){.local = bench->server, .remote = tw.end.local};
	close_server_first(bench, &tw.end);
	lai_gauge_need(bench->trial, bench->trial->server, &tw.at_server, LAI_TCP_TIME_WAIT);
	tw.expects = tw.end.snd_nxt;
	return tw;
}

struct lai_segment lai_tw_syn(const struct lai_tw *tw, uint32_t seq)
{
	struct lai_segment syn = lai_raw_segment(&tw->end, LAI_FLAG_SYN);

	syn.seq = seq;
	syn.mss = MSS;
	syn.has_timestamp = false;
	syn.ts_value = syn.ts_echo = 0;
	return syn;
}

const char *lai_tw_answer_name(enum lai_tw_answer answer)
{
	static const char *const names[] = {
		[LAI_TW_SILENCE] = "silence",	   [LAI_TW_ACK] = "ACK",
		[LAI_TW_SYN_ACK] = "SYN-ACK",	   [LAI_TW_RST] = "RST",
		[LAI_TW_OTHER] = "something else",
	};

	return names[answer];
}

static enum lai_tw_answer answer_of(const struct lai_segment *heard)
{
	if (heard->flags & LAI_FLAG_RST)
		return LAI_TW_RST;
	if (heard->flags == (LAI_FLAG_SYN | LAI_FLAG_ACK))
		return LAI_TW_SYN_ACK;
	return heard->flags == LAI_FLAG_ACK ? LAI_TW_ACK : LAI_TW_OTHER;
}

/* Returns when all that the peer has sent before has been dealt with. */
static void fence(struct lai_tw_bench *bench)
{
	uint16_t port = bench->next_port++;
	struct lai_segment syn = {
		.from = lai_raw_address(bench->raw, port),
		.to = bench->server,
		.flags = LAI_FLAG_SYN,
		.seq = (uint32_t)lai_random_next(&bench->trial->random),
	};

	lai_address_set_port(&syn.to, LAI_TW_PORT_OF_NOBODY);
	lai_raw_send(bench->raw, &syn);
	if (!lai_raw_receive(bench->raw, port, &syn, ANSWER_WAIT_NS))
		lai_trial_fail(bench->trial, "the server does not even refuse a SYN to port %d",
			       LAI_TW_PORT_OF_NOBODY);
}

enum lai_tw_answer lai_tw_ask(struct lai_tw_bench *bench, const struct lai_tw *tw,
			      const struct lai_segment *segment, struct lai_segment *heard)
{
	struct lai_raw_end end = tw->end; /* what it hears does not move the original */
	struct lai_segment answer;
	bool answered;

	lai_raw_send(bench->raw, segment);
	answered = lai_raw_hear(&end, &answer, ANSWER_SOON_NS);
	if (!answered) {
		fence(bench);
		answered = lai_raw_hear(&end, &answer, OVERTAKEN_NS);
	}
	if (!answered)
		return LAI_TW_SILENCE;
	if (heard)
		*heard = answer;
	return answer_of(&answer);
}

unsigned lai_tw_ask_all(struct lai_tw_bench *bench, const struct lai_tw *tw,
			const struct lai_segment *segments, size_t count)
{
	struct lai_raw_end end = tw->end;
	struct lai_segment answer;
	unsigned answers = 0;

	for (size_t i = 0; i < count; i++)
		lai_raw_send(bench->raw, &segments[i]);
	fence(bench);
	while (lai_raw_hear(&end, &answer, OVERTAKEN_NS))
		answers++;
	return answers;
}

bool lai_tw_outlives_reset(struct lai_tw_bench *bench, uint32_t ahead, const char *name)
{
	struct lai_tw tw = lai_tw_make(bench, false, 0);
	struct lai_segment reset = lai_raw_segment(&tw.end, LAI_FLAG_RST);
	enum lai_tw_answer answer;
	bool alive;

	reset.seq = tw.expects + ahead;
	answer = lai_tw_ask(bench, &tw, &reset, NULL);
	alive = lai_tw_alive(bench, &tw, NULL);
	lai_trial_say(bench->trial, "tcp_rfc1337=%ld, RST at %s (%u): %s, the TIME_WAIT is %s",
		      lai_host_get(bench->trial, bench->trial->server, "net.ipv4.tcp_rfc1337"),
		      name, reset.seq, lai_tw_answer_name(answer), alive ? "still there" : "gone");
	return alive;
}

bool lai_tw_alive(struct lai_tw_bench *bench, const struct lai_tw *tw, uint32_t *left_ms)
{
	struct lai_socket_fact fact;

	if (!lai_gauge_find(bench->trial, bench->trial->server, &tw->at_server, &fact) ||
	    fact.state != LAI_TCP_TIME_WAIT)
		return false;
	if (left_ms)
		*left_ms = fact.timer_ms;
	return true;
}
