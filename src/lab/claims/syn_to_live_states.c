/* SPDX-License-Identifier: MIT */
/*
 * syn_to_live_states.c - a SYN that meets a connection of the same four-tuple that still lives, as
 * that of a client does which lost its power and uses the port again.
 *
 * A matrix: in each state of the server's end, a SYN at each place of the sequence space. Every
 * cell has a connection of its own, made by a peer that is no kernel.
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

/* Where the SYN lies, from the next number that the server expects. */
static const struct {
	const char *name;
	int32_t offset;
	bool inside; /* the receive window */
} offsets[] = {
	{"exact", 0, true},
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
	bool freed; /* by a RST at the exact place, if it was alive */
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
	lai_trial_say(trial, "%-17s SYN at %-5s: %s, %s; RST at the exact place: %s",
		      places[place].name, offsets[offset].name, answer_names[cell.answer],
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

/* How many of the cells went which way. */
struct tally {
	unsigned cells, challenged, reset_alive; /* not of the closed FIN_WAIT2 */
	unsigned orphan_reset, orphan_challenged, orphan_inside, orphan_outside;
	bool all_freed;
};

static void tally_add(struct tally *tally, enum place place, size_t offset, const struct cell *cell)
{
	bool challenged = cell->answer == ANSWER_ACK && cell->alive;
	bool reset = cell->answer == ANSWER_RST && !cell->alive;

	tally->all_freed = tally->all_freed && cell->freed;
	if (place != PLACE_FIN_WAIT2_ORPHAN) {
		tally->cells++;
		tally->challenged += challenged;
		tally->reset_alive += !cell->alive;
	} else if (offsets[offset].inside) {
		tally->orphan_inside++;
		tally->orphan_reset += reset;
	} else {
		tally->orphan_outside++;
		tally->orphan_challenged += challenged;
	}
}

static void conclude(struct lai_trial *trial, const struct tally *tally)
{
	bool held = tally->challenged == tally->cells;
	bool orphan = tally->orphan_reset == tally->orphan_inside &&
		      tally->orphan_challenged == tally->orphan_outside;

	lai_trial_number(trial, "challenge_acks", "", tally->challenged);
	lai_trial_number(trial, "cells_but_closed_fin_wait2", "", tally->cells);
	lai_trial_number(trial, "resets_in_closed_fin_wait2", "", tally->orphan_reset);
	if (held && orphan && tally->orphan_inside)
		lai_trial_conclude(trial, LAI_LAB_DEPENDS,
				   "on the state: in ESTABLISHED, CLOSE_WAIT, LAST_ACK and a held "
				   "FIN_WAIT2 %u of %u SYNs drew an ACK and changed nothing; in "
				   "FIN_WAIT2 of a closed socket those inside the window drew RST "
				   "and ended it, the others an ACK",
				   tally->challenged, tally->cells);
	else if (held && tally->orphan_reset == 0)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "in every state%s %u of %u SYNs drew an ACK and changed nothing",
				   tally->orphan_inside ? "" : " that is kept",
				   tally->challenged + tally->orphan_challenged,
				   tally->cells + tally->orphan_inside + tally->orphan_outside);
	else if (tally->reset_alive)
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%u of %u SYNs ended a living connection", tally->reset_alive,
				   tally->cells);
	else
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u of %u SYNs drew an ACK, and in FIN_WAIT2 of a closed socket "
				   "%u of %u RST",
				   tally->challenged, tally->cells, tally->orphan_reset,
				   tally->orphan_inside);
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
			  "where there is no connection the same SYN gets %s, and a RST at the "
			  "exact place did end every one of the connections%s",
			  answer_names[fresh], tally.all_freed ? "" : " (not all)");
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
	.setup = "In the client's place a peer that is no kernel; no timestamps. "
		 "tcp_invalid_ratelimit=0 at the server, so that every SYN is answered.",
	.procedure =
		"A connection is brought to ESTABLISHED, CLOSE_WAIT, LAST_ACK, FIN_WAIT2 that a "
		"program holds, and FIN_WAIT2 that its program has closed; then a SYN with the "
		"same ports comes, at the next expected sequence number, 1000 above, 1000 below, "
		"2^30 above. A connection for each. Then a RST at the exact place.",
	.outcome = "An ACK that tells the exact place (challenge ACK), whatever the SYN's number; "
		   "a client that comes back answers it with the RST that frees the connection. "
		   "Only FIN_WAIT2 of a closed socket ends by a SYN inside its window: RST.",
	.control = "A SYN without a connection must get SYN-ACK, and a RST at the exact place must "
		   "end the connection.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL},
		     {3, 6, LAI_LAB_DEPENDS, "RFC 5961: challenge ACKs instead of RST"}},
	.network = LAI_NETWORK_PAIR,
	.lane = LAI_LANE_WAITS,
	.both_families = true,
	.run = run,
};
