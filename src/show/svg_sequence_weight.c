/* SPDX-License-Identifier: MIT */
/*
 * svg_sequence_weight.c - what of a connection must not be missing in its diagram, and what makes
 * one connection like another.
 *
 *	kept	SYN, FIN, RST; the segment that a RST answers; what answers a SYN, FIN or RST
 *	soft	retransmissions, probes, a window that shuts or opens
 *	bulk	data and acknowledgements
 */
#include "show/svg_sequence_groups.h"

#include <errno.h>
#include <stdlib.h>

#define FLAGS_KEPT (LAI_FLAG_SYN | LAI_FLAG_FIN | LAI_FLAG_RST)

/* One end of a connection on one wire. */
struct voice {
	struct lai_sequence_event *last;
	bool asked; /* its SYN or RST waits for what the other end says to it */
	bool ended; /* so does its FIN */
	uint32_t end;
	bool shut; /* its window */
};

static struct voice *voice_of(struct voice *voices, const struct lai_sequence_event *event,
			      bool rightward)
{
	return &voices[(event->group * LAI_TRIAL_WIRES_MAX + event->wire) * 2 + rightward];
}

/* Whether it answers a SYN, FIN or RST of the other end, which then waits no more. */
static bool takes_answer(struct voice *peer, const struct lai_segment *segment)
{
	if (peer->asked) {
		peer->asked = false;
		return true;
	}
	if (peer->ended && segment->flags & LAI_FLAG_ACK &&
	    !lai_seq_before(segment->ack, peer->end)) {
		peer->ended = false;
		return true;
	}
	return false;
}

static void event_weigh(struct lai_sequence_event *event, struct voice *self, struct voice *peer)
{
	const struct lai_segment *segment = &event->captured->segment;
	bool shut = segment->window == 0 && !(segment->flags & (LAI_FLAG_SYN | LAI_FLAG_RST));

	event->answers_syn = peer->asked && !(segment->flags & LAI_FLAG_RST);
	if (takes_answer(peer, segment) || segment->flags & FLAGS_KEPT)
		event->weight = LAI_WEIGHT_KEPT;
	else if (event->mark != LAI_MARK_NONE || shut != self->shut)
		event->weight = LAI_WEIGHT_SOFT;
	if (segment->flags & LAI_FLAG_RST && peer->last)
		peer->last->weight = LAI_WEIGHT_KEPT;
	if (segment->flags & (LAI_FLAG_SYN | LAI_FLAG_RST))
		self->asked = true;
	if (segment->flags & LAI_FLAG_FIN) {
		self->ended = true;
		self->end = segment->seq + lai_segment_length(segment);
	}
	self->shut = shut;
	self->last = event;
}

/* --- kinds --- */

#define HASH_BEGIN 0xcbf29ce484222325ull /* FNV-1a */
#define HASH_FACTOR 0x100000001b3ull

static uint64_t hash_add(uint64_t hash, uint8_t value)
{
	return (hash ^ value) * HASH_FACTOR;
}

/* What a segment is to the story; 0: nothing. Neither how much was sent nor what acknowledged it,
   which differ from run to run; on two wires as its sender's has it. */
static uint8_t event_token(const struct lai_sequence_event *event)
{
	const struct lai_segment *segment = &event->captured->segment;
	uint8_t token = segment->flags & FLAGS_KEPT;

	if (event->paired && event->rightward == (event->wire > 0))
		return 0;
	if (event->answers_syn || (token & LAI_FLAG_SYN && segment->flags & LAI_FLAG_ACK))
		token |= LAI_FLAG_ACK;
	if (segment->payload_bytes > 0)
		token |= LAI_FLAG_PSH;
	if (token && event->mark != LAI_MARK_NONE)
		token |= LAI_FLAG_URG; /* sent again, or on used ports */
	return token ? token | (event->rightward ? LAI_FLAG_CWR : 0) : 0;
}

static bool is_refusal(const struct lai_sequence_event *event)
{
	uint8_t flags = event->captured->segment.flags;

	return event->mark == LAI_MARK_NONE &&
	       (flags & LAI_FLAG_RST || (flags & (LAI_FLAG_SYN | LAI_FLAG_ACK)) == LAI_FLAG_SYN);
}

static enum lai_interest event_interest(const struct lai_sequence_event *event)
{
	if (event->captured->segment.flags & LAI_FLAG_RST || event->mark == LAI_MARK_RETRANSMISSION)
		return LAI_INTEREST_TROUBLE;
	return event->mark == LAI_MARK_SYN_AGAIN ? LAI_INTEREST_PORTS : LAI_INTEREST_PLAIN;
}

static void connection_take(struct lai_sequence_connection *connection,
			    const struct lai_sequence_event *event)
{
	uint8_t token = event_token(event);

	if (event_interest(event) > connection->interest)
		connection->interest = event_interest(event);
	connection->spoken |= !is_refusal(event);
	if (token && !(connection->tokens[token / 64] >> token % 64 & 1)) {
		connection->kind = hash_add(connection->kind, token);
		connection->tokens[token / 64] |= 1ull << token % 64;
	}
}

/* Two connections with the same segments differ by what became of their ends. */
static void kinds_end(struct lai_sequence_groups *groups)
{
	for (size_t i = 0; i < groups->sequence->state_count; i++) {
		const struct lai_result_state *state = &groups->sequence->states[i];
		size_t group = lai_sequence_groups_state(groups, state);

		if (group != LAI_SEQUENCE_NO_GROUP && state->host <= 1)
			groups->connections[group].last_states[state->host] = state->state;
	}
	for (size_t i = 0; i < groups->connection_count; i++) {
		struct lai_sequence_connection *connection = &groups->connections[i];

		connection->kind = hash_add(connection->kind, connection->last_states[0]);
		connection->kind = hash_add(connection->kind, connection->last_states[1]);
		if (!connection->spoken && connection->interest == LAI_INTEREST_TROUBLE)
			connection->interest = LAI_INTEREST_REFUSED;
	}
}

int lai_sequence_groups_weigh(struct lai_sequence_groups *groups)
{
	struct voice *voices =
		calloc(groups->connection_count + 1, LAI_TRIAL_WIRES_MAX * 2 * sizeof(*voices));

	if (!voices)
		return -ENOMEM;
	for (size_t i = 0; i < groups->connection_count; i++)
		groups->connections[i].kind = HASH_BEGIN;
	for (size_t i = 0; i < groups->event_count; i++) {
		struct lai_sequence_event *event = &groups->events[i];

		event_weigh(event, voice_of(voices, event, event->rightward),
			    voice_of(voices, event, !event->rightward));
		connection_take(&groups->connections[event->group], event);
	}
	kinds_end(groups);
	free(voices);
	return 0;
}
