/* SPDX-License-Identifier: MIT */
/*
 * A connection ends with four segments, and CLOSE_WAIT lies between the second and the third:
 *
 *	we                          peer
 *	               <--- FIN --- shutdown(SHUT_WR)
 *	CLOSE_WAIT      --- ACK --> FIN_WAIT2
 *	   :
 *	shutdown()      --- FIN -->
 *	LAST_ACK       <--- ACK --- TIME_WAIT
 */
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"

#include <sys/socket.h>

#define SEGMENTS 4
/* How long our program lets the peer wait: long beside what packets take, short for the reader. */
#define HOLD_NS_MIN (50 * LAI_MS)
#define HOLD_NS_RANGE (200 * LAI_MS)
/* The kernels are done with it long before. */
#define WAIT_NS (5 * LAI_S)

/* One connection seen from its two sides; the first is the one that closes first. */
struct side {
	const struct lai_host *host;
	struct lai_ends ends;
	int fd;
};

struct run {
	struct side first, second;
	enum lai_tcp_state first_between, second_between, first_after, second_after;
	uint64_t held_ns;
	struct lai_talk talk; /* the closing, without repetitions */
};

/* A FIN that the sender's timer sent again tells nothing new. */
static void talk_drop_repeated(struct lai_talk *talk)
{
	size_t kept = 0;

	for (size_t i = 0; i < talk->count; i++) {
		const struct lai_segment *segment = &talk->segments[i].segment;
		bool repeated = false;

		for (size_t j = 0; j < kept && !repeated; j++)
			repeated =
				talk->segments[j].segment.flags == segment->flags &&
				talk->segments[j].segment.seq == segment->seq &&
				talk->segments[j].segment.ack == segment->ack &&
				lai_address_equal(&talk->segments[j].segment.from, &segment->from);
		if (!repeated)
			talk->segments[kept++] = talk->segments[i];
	}
	talk->count = kept;
}

/* The FIN of close(), but without giving up the socket: what it becomes does not depend on the room
   that the kernel has for connections without a program. */
static void side_finish(struct lai_trial *trial, const struct side *side)
{
	(void)shutdown(side->fd, SHUT_WR);
	lai_trial_say(trial, "the %s's program has finished", side->host->name);
}

static void states_say(struct lai_trial *trial, const char *when, const struct run *run,
		       enum lai_tcp_state first, enum lai_tcp_state second)
{
	lai_trial_say(trial, "%s: %s %s, %s %s", when, run->first.host->name,
		      lai_gauge_state_name(first), run->second.host->name,
		      lai_gauge_state_name(second));
}

/* The first side finishes, the second holds, then finishes as well. */
static void run_close(struct lai_trial *trial, struct run *run)
{
	size_t mark = lai_talk_mark(trial);

	run->held_ns = HOLD_NS_MIN + lai_random_below(&trial->random, HOLD_NS_RANGE);
	side_finish(trial, &run->first);
	/* From here on the record of states has it in CLOSE_WAIT; what it is later counts. */
	(void)lai_gauge_await(trial, run->second.host, &run->second.ends, LAI_TCP_CLOSE_WAIT,
			      WAIT_NS);
	/* The ACK may be delayed (40 ms), and with it the first side's FIN_WAIT2. */
	(void)lai_gauge_await(trial, run->first.host, &run->first.ends, LAI_TCP_FIN_WAIT2, WAIT_NS);
	lai_trial_pass(trial, run->held_ns);
	run->first_between = lai_gauge_state(trial, run->first.host, &run->first.ends);
	run->second_between = lai_gauge_state(trial, run->second.host, &run->second.ends);
	states_say(trial, "between the two FINs", run, run->first_between, run->second_between);
	side_finish(trial, &run->second);
	(void)lai_gauge_await(trial, run->second.host, &run->second.ends, LAI_TCP_NONE, WAIT_NS);
	run->first_after = lai_gauge_state(trial, run->first.host, &run->first.ends);
	run->second_after = lai_gauge_state(trial, run->second.host, &run->second.ends);
	states_say(trial, "after both", run, run->first_after, run->second_after);
	lai_talk_read(trial, mark, &run->first.ends, &run->talk);
	lai_talk_say(trial, &run->talk);
	talk_drop_repeated(&run->talk);
}

/* FIN of the first, ACK of it, FIN of the second, ACK of it, and nothing else. */
static bool run_has_four(const struct run *run)
{
	const struct lai_captured *segments = run->talk.segments;

	if (run->talk.count != SEGMENTS)
		return false;
	for (size_t i = 0; i < SEGMENTS; i++) {
		const struct lai_segment *segment = &segments[i].segment;
		bool fin = i % 2 == 0, of_first = i == 0 || i == SEGMENTS - 1;

		if (!(segment->flags & LAI_FLAG_ACK) || (segment->flags & LAI_FLAG_RST) ||
		    !!(segment->flags & LAI_FLAG_FIN) != fin ||
		    lai_talk_is_from(&segments[i], &run->first.ends) != of_first)
			return false;
		if (!fin && segment->ack != segments[i - 1].segment.seq + 1)
			return false;
	}
	return true;
}

static struct run run_of(const struct lai_trial *trial, const struct lai_pair *pair,
			 bool server_first)
{
	struct side at_client = {trial->client, pair->at_client, pair->client};
	struct side at_server = {trial->server, pair->at_server, pair->server};

	return (struct run){.first = server_first ? at_server : at_client,
			    .second = server_first ? at_client : at_server};
}

/* Nobody waits in between: how many segments does it take then? */
static void close_at_once(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	size_t mark = lai_talk_mark(trial);
	struct lai_talk talk;

	(void)lai_call_close(pair.server);
	pair.server = -1;
	/* EOF tells our program of the FIN. */
	(void)lai_call_receive(pair.client, NULL, 1, WAIT_NS);
	(void)lai_call_close(pair.client);
	pair.client = -1;
	(void)lai_gauge_await(trial, trial->client, &pair.at_client, LAI_TCP_NONE, WAIT_NS);
	lai_talk_read(trial, mark, &pair.at_client, &talk);
	lai_trial_say(trial, "when our program closes at once, on EOF:");
	lai_talk_say(trial, &talk);
	lai_trial_number(trial, "segments if closed at once", "", (double)talk.count);
	lai_pair_close(&pair);
}

/* From the ACK of the peer's FIN until our FIN. */
static double between_ms(const struct run *run)
{
	const struct lai_captured *segments = run->talk.segments;

	return run_has_four(run) ? (double)(segments[2].time_ns - segments[1].time_ns) / LAI_MS : 0;
}

static void control(struct lai_trial *trial, const struct run *ours)
{
	bool held = ours->first_between == LAI_TCP_FIN_WAIT2 &&
		    ours->first_after != LAI_TCP_CLOSE_WAIT && run_has_four(ours);

	lai_trial_control(trial, held,
			  "when our side closes first it is never in CLOSE_WAIT: %s between the "
			  "two FINs and %s afterwards",
			  lai_gauge_state_name(ours->first_between),
			  lai_gauge_state_name(ours->first_after));
}

static void conclude(struct lai_trial *trial, const struct run *peer)
{
	bool four = run_has_four(peer);
	bool between = peer->second_between == LAI_TCP_CLOSE_WAIT;
	bool after = peer->second_after == LAI_TCP_CLOSE_WAIT;
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	/* Without the four segments there is no second and third between which it could be. */
	if (four && between && !after && peer->first_between == LAI_TCP_FIN_WAIT2)
		verdict = LAI_LAB_CONFIRMED;
	else if (four && (!between || after))
		verdict = LAI_LAB_REFUTED;
	lai_trial_conclude(trial, verdict,
			   "%s on the wire; %s here and %s at the peer for %.0f ms between the "
			   "peer's FIN and ours; after ours it is %s here",
			   four ? "FIN, ACK, FIN, ACK" : "not the four segments",
			   lai_gauge_state_name(peer->second_between),
			   lai_gauge_state_name(peer->first_between), between_ms(peer),
			   lai_gauge_state_name(peer->second_after));
}

static void run(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL), other = lai_pair_open(trial, NULL);
	struct run peer = run_of(trial, &pair, true);
	struct run ours = run_of(trial, &other, false);

	run_close(trial, &peer);
	lai_trial_number(trial, "closing segments", "", (double)peer.talk.count);
	lai_trial_number(trial, "CLOSE_WAIT on the wire", "ms", between_ms(&peer));
	run_close(trial, &ours);
	control(trial, &ours);
	close_at_once(trial);
	conclude(trial, &peer);
	lai_pair_close(&pair);
	lai_pair_close(&other);
}

const struct lai_claim lai_claim_close_wait_segments = {
	.id = "close-wait-segments",
	.claim = "CLOSE_WAIT means that the peer has closed and we have not sent our FIN: it lies "
		 "between the second and the third of the four closing segments.",
	.said = "RFC 9293 3.3.2 and figure 12 (normal close sequence); every text book of TCP",
	.decides = "RFC 9293 3.10.7.4 (eighth, check the FIN bit) and 3.6; tcp_fin() in "
		   "net/ipv4/tcp_input.c, tcp_close_state() in net/ipv4/tcp.c",
	.setup = "client ---- server; kernel defaults",
	.procedure =
		"The server's program says that it has finished (shutdown(SHUT_WR)); ours "
		"waits 50 to 250 ms, then does the same. Both sides' states are asked of their "
		"kernels in between and afterwards, the segments are taken from the wire. Once more with the "
		"sides exchanged; once more with two programs that call close(), ours as soon as "
		"it reads EOF.",
	.outcome = "FIN, ACK, FIN, ACK. From the ACK of the peer's FIN until its own FIN the side "
		   "that closes second is in CLOSE_WAIT, exactly as long as its program takes. If "
		   "it closes at once, the ACK can travel with the FIN, and three segments do.",
	.control = "Our side closes first: it is in FIN_WAIT2 and TIME_WAIT, never in CLOSE_WAIT.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
