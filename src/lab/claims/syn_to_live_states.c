/* SPDX-License-Identifier: MIT */
/*
 * syn_to_live_states.c - a SYN that meets a connection of the same four-tuple that still lives, as
 * that of a client does which lost its power and uses the port again.
 *
 * A matrix: in each state of the server's end, a SYN at each place of the sequence space. Every
 * cell has a connection of its own, made by a crafted peer.
 */
#include "lab/claim.h"
#include "lab/gauge.h"
#include "lab/raw.h"
#include "lab/trial.h"

#include <string.h>
#include <unistd.h>

#define PEER 16 /* its address on the wire */
#define HEAR_NS (500 * LAI_MS)
#define PEER_MSS 1460

/* How the server's end is brought where it shall be. */
enum place {
	PLACE_ESTABLISHED,
	PLACE_CLOSE_WAIT,
	PLACE_LAST_ACK,
	PLACE_FIN_WAIT2_HELD,
	PLACE_FIN_WAIT2_ORPHAN,
	PLACE_COUNT
};
static const struct {
	const char *name;
	enum lai_tcp_state state;
	bool peer_first; /* our FIN comes first */
} places[PLACE_COUNT] = {
	{"ESTABLISHED", LAI_TCP_ESTABLISHED, false},
	{"CLOSE_WAIT", LAI_TCP_CLOSE_WAIT, true},
	{"LAST_ACK", LAI_TCP_LAST_ACK, true},
	{"FIN_WAIT2, held", LAI_TCP_FIN_WAIT2, false},
	{"FIN_WAIT2, closed", LAI_TCP_FIN_WAIT2, false},
};

/* Where the SYN lies, from the server's RCV.NXT. */
static const struct {
	const char *name;
	int32_t offset;
	bool inside; /* the receive window */
} offsets[] = {
	{"RCV.NXT", 0, true},
	{"+1000", 1000, true},
	{"-1000", -1000, false},
	{"+2^30", 1 << 30, false},
};
#define OFFSETS (sizeof(offsets) / sizeof(offsets[0]))

enum answer { ANSWER_NONE, ANSWER_ACK, ANSWER_RST, ANSWER_SYN_ACK, ANSWER_OTHER, ANSWER_COUNT };
static const char *const answer_names[ANSWER_COUNT] = {"silence", "ACK", "RST", "SYN-ACK", "other"};

struct cell {
	enum answer answer;
	bool alive; /* the same state afterwards */
	bool freed; /* by a RST with SEG.SEQ = RCV.NXT, if it was alive */
};

/* A peer's connection to the server. */
struct meeting {
	struct lai_raw_end end;
	struct lai_ends at_server;
	int fd; /* the server's; -1: closed */
};

static struct meeting meeting_open(struct lai_trial *trial, struct lai_raw *raw, int listener,
				   const struct lai_address *address)
{
	struct lai_raw_plan plan = {0};
	struct meeting meeting;

	meeting.end = lai_raw_connect(trial, raw, address, &plan);
	meeting.fd = lai_call_accept(trial, listener, LAI_S);
	meeting.at_server = lai_call_ends(trial, meeting.fd);
	return meeting;
}

static void server_closes(struct lai_trial *trial, struct meeting *meeting, enum place place)
{
	if (place == PLACE_FIN_WAIT2_HELD) {
		(void)shutdown(meeting->fd, SHUT_WR);
	} else {
		(void)close(meeting->fd);
		meeting->fd = -1;
	}
	(void)lai_raw_hear_flags(trial, &meeting->end, LAI_FLAG_FIN, LAI_S);
	if (place != PLACE_LAST_ACK) /* there our ACK is what it waits for */
		lai_raw_say(&meeting->end, LAI_FLAG_ACK, 0);
}

static void meeting_lead(struct lai_trial *trial, struct meeting *meeting, enum place place)
{
	if (places[place].peer_first) {
		lai_raw_say(&meeting->end, LAI_FLAG_FIN | LAI_FLAG_ACK, 0);
		lai_gauge_need(trial, trial->server, &meeting->at_server, LAI_TCP_CLOSE_WAIT);
	}
	if (place != PLACE_ESTABLISHED && place != PLACE_CLOSE_WAIT)
		server_closes(trial, meeting, place);
	lai_gauge_need(trial, trial->server, &meeting->at_server, places[place].state);
}

static struct lai_segment syn_of(const struct lai_raw_end *end, int32_t offset)
{
	struct lai_segment syn = lai_raw_segment(end, LAI_FLAG_SYN);

	syn.seq = end->snd_nxt + (uint32_t)offset;
	syn.ack = 0;
	syn.mss = PEER_MSS;
	return syn;
}

/* What the server says to it. A FIN that it repeats meanwhile is no answer. */
static enum answer answer_hear(struct lai_raw_end *end, uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	struct lai_segment heard;

	while (lai_raw_hear(end, &heard, lai_time_since(lai_clock_now(), deadline_ns))) {
		if (heard.flags & LAI_FLAG_RST)
			return ANSWER_RST;
		if (heard.flags & LAI_FLAG_SYN)
			return heard.flags & LAI_FLAG_ACK ? ANSWER_SYN_ACK : ANSWER_OTHER;
		if (heard.flags == LAI_FLAG_ACK && heard.ack == end->snd_nxt)
			return ANSWER_ACK;
		if (!(heard.flags & LAI_FLAG_FIN))
			return ANSWER_OTHER;
	}
	return ANSWER_NONE;
}

static void reset_say(const struct lai_raw_end *end)
{
	struct lai_segment reset = lai_raw_segment(end, LAI_FLAG_RST);

	reset.ack = 0;
	lai_raw_send(end->raw, &reset);
}

static struct cell cell_try(struct lai_trial *trial, struct lai_raw *raw, int listener,
			    const struct lai_address *address, enum place place, size_t offset)
{
	struct meeting meeting = meeting_open(trial, raw, listener, address);
	struct lai_segment syn;
	struct cell cell;

	meeting_lead(trial, &meeting, place);
	lai_raw_forget(raw);
	syn = syn_of(&meeting.end, offsets[offset].offset);
	lai_raw_send(raw, &syn);
	cell.answer = answer_hear(&meeting.end, HEAR_NS);
	cell.alive =
		lai_gauge_state(trial, trial->server, &meeting.at_server) == places[place].state;
	reset_say(&meeting.end);
	cell.freed = lai_gauge_await(trial, trial->server, &meeting.at_server, LAI_TCP_NONE, LAI_S);
	if (meeting.fd >= 0)
		(void)close(meeting.fd);
	lai_trial_say(trial, "%-17s SYN at %-7s: %s, %s; RST at RCV.NXT: %s", places[place].name,
		      offsets[offset].name, answer_names[cell.answer],
		      cell.alive ? "still there" : "gone", cell.freed ? "gone" : "still there");
	return cell;
}

/* A SYN from a port without a connection: the listener answers it. */
static enum answer listener_try(struct lai_trial *trial, struct lai_raw *raw,
				const struct lai_address *address)
{
	struct lai_raw_end end = {
		.raw = raw,
		.local = lai_raw_address(raw, lai_trial_port(trial, 1024, 32767)),
		.remote = *address,
		.snd_nxt = (uint32_t)lai_random_next(&trial->random),
		.window = 65535,
	};
	struct lai_segment syn = syn_of(&end, 0);
	enum answer answer;

	lai_raw_send(raw, &syn);
	end.snd_nxt++;
	answer = answer_hear(&end, HEAR_NS);
	reset_say(&end);
	lai_trial_say(trial, "no connection    SYN to the listener: %s", answer_names[answer]);
	return answer;
}

/* FIN_WAIT2 of a closed socket is kept as TIME_WAIT is, and under the same limit. */
static bool orphans_kept(struct lai_trial *trial)
{
	if (lai_host_get(trial, trial->server, "net.ipv4.tcp_max_tw_buckets") > 0)
		return true;
	lai_trial_say(trial, "tcp_max_tw_buckets = 0: there is no FIN_WAIT2 of a closed socket");
	return false;
}

/* How many of the SYNs at some places went which way. */
struct group {
	unsigned syns;
	unsigned challenged; /* an ACK, and the connection is as it was */
	unsigned reset;	     /* RST, and the connection is gone */
	unsigned as_said;    /* the connection is gone, or the SYN was not answered */
};

/* Outside and inside the window. */
struct tally {
	struct group living[2]; /* all states but the next */
	struct group closed[2]; /* FIN_WAIT2 of a closed socket */
	bool all_freed;
};

static void tally_add(struct tally *tally, enum place place, size_t offset, const struct cell *cell)
{
	struct group *groups = place == PLACE_FIN_WAIT2_ORPHAN ? tally->closed : tally->living;
	struct group *group = &groups[offsets[offset].inside];

	group->syns++;
	group->challenged += cell->answer == ANSWER_ACK && cell->alive;
	group->reset += cell->answer == ANSWER_RST && !cell->alive;
	group->as_said += !cell->alive || cell->answer == ANSWER_NONE;
	tally->all_freed = tally->all_freed && cell->freed;
}

static struct group both(const struct group groups[2])
{
	return (struct group){
		.syns = groups[false].syns + groups[true].syns,
		.challenged = groups[false].challenged + groups[true].challenged,
		.reset = groups[false].reset + groups[true].reset,
		.as_said = groups[false].as_said + groups[true].as_said,
	};
}

static void conclude(struct lai_trial *trial, const struct tally *tally)
{
	const struct group *outside = &tally->closed[false], *inside = &tally->closed[true];
	struct group living = both(tally->living), closed = both(tally->closed);
	bool all_challenged = living.challenged == living.syns;
	unsigned syns_inside = tally->living[true].syns + inside->syns;
	unsigned as_said = tally->living[true].as_said + inside->as_said;

	lai_trial_number(trial, "challenge ACKs", "", living.challenged);
	lai_trial_number(trial, "SYNs, but to closed FIN_WAIT2", "", living.syns);
	lai_trial_number(trial, "RSTs in closed FIN_WAIT2", "", closed.reset);
	if (all_challenged && closed.syns && inside->reset == inside->syns &&
	    outside->challenged == outside->syns)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on the state: in ESTABLISHED, CLOSE_WAIT, LAST_ACK and a held "
				   "FIN_WAIT2 %u of %u SYNs drew an ACK and changed nothing; in "
				   "FIN_WAIT2 of a closed socket those inside the window drew RST "
				   "and ended it, the others an ACK",
				   living.challenged, living.syns);
	else if (all_challenged && closed.challenged == closed.syns)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "in every state%s %u of %u SYNs drew an ACK and changed nothing",
				   closed.syns ? "" : " that is kept",
				   living.challenged + closed.challenged,
				   living.syns + closed.syns);
	else if (as_said == syns_inside)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%u of %u SYNs inside the window ended the connection or were "
				   "not answered",
				   as_said, syns_inside);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u of %u SYNs drew an ACK, and in FIN_WAIT2 of a closed socket "
				   "%u of %u inside the window RST",
				   living.challenged, living.syns, inside->reset, inside->syns);
}

static void run(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, PEER);
	struct tally tally = {.all_freed = true};
	struct lai_address address;
	int listener = lai_call_listen(trial, trial->server, 0, true, &address);
	struct lai_counters *before = lai_counters_read(trial, trial->server);
	enum answer fresh;

	/* What is measured is which answer, not how often it may be given. */
	lai_host_set_number(trial, trial->server, "net.ipv4.tcp_invalid_ratelimit", 0);
	fresh = listener_try(trial, raw, &address);
	for (enum place place = 0; place < PLACE_COUNT; place++) {
		if (place == PLACE_FIN_WAIT2_ORPHAN && !orphans_kept(trial))
			continue;
		for (size_t offset = 0; offset < OFFSETS; offset++) {
			struct cell cell = cell_try(trial, raw, listener, &address, place, offset);

			tally_add(&tally, place, offset, &cell);
		}
	}
	lai_trial_say(trial, "TCPSYNChallenge rose by %llu",
		      (unsigned long long)lai_counters_since(trial, trial->server, before,
							     "TCPSYNChallenge"));
	lai_trial_control(trial, fresh == ANSWER_SYN_ACK && tally.all_freed,
			  "where there is no connection the same SYN gets %s, and a RST with "
			  "SEG.SEQ = RCV.NXT ended %s of the connections",
			  answer_names[fresh], tally.all_freed ? "every one" : "not all");
	conclude(trial, &tally);
	(void)close(listener);
}

const struct lai_claim lai_claim_syn_to_live_states = {
	.id = "syn-to-live-states",
	.claim = "A SYN that arrives for a connection that still exists resets it, or is dropped.",
	.said = "RFC 793 (\"if the SYN is in the window it is an error, send a reset\"); advice to "
		"restart a client on the same port to get rid of its half-open connection",
	.decides = "RFC 9293 3.10.7.4 (RFC 5961 4); tcp_validate_incoming() in "
		   "net/ipv4/tcp_input.c; tcp_timewait_state_process() in "
		   "net/ipv4/tcp_minisocks.c for FIN_WAIT2 of a closed socket",
	.setup = "in the client's place a crafted peer (a packet socket); no timestamps; "
		 "tcp_invalid_ratelimit=0 at the server, so that every SYN is answered",
	.procedure =
		"A connection is brought to ESTABLISHED, CLOSE_WAIT, LAST_ACK, FIN_WAIT2 that a "
		"program holds, and FIN_WAIT2 that its program has closed; then a SYN with the "
		"same ports comes, with SEG.SEQ = RCV.NXT, 1000 above, 1000 below, 2^30 above. A "
		"connection for each. Then a RST with SEG.SEQ = RCV.NXT.",
	.outcome = "An ACK that tells RCV.NXT (challenge ACK), whatever the SYN's number; "
		   "a client that comes back answers it with the RST that frees the connection. "
		   "Only FIN_WAIT2 of a closed socket ends by a SYN inside its window: RST.",
	.control = "A SYN without a connection must get SYN-ACK, and a RST with SEG.SEQ = RCV.NXT "
		   "must end the connection.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL},
		     {3, 6, LAI_LAB_DEPENDS, "RFC 5961: challenge ACKs instead of RST"}},
	.both_families = true,
	.run = run,
};
