/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_groups.h"

#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Buckets of the table of legs: a fraction of the most that a capture of 20,000 packets holds. */
#define LEG_BUCKETS 4096u
#define NO_LEG SIZE_MAX

/* How far back, in segments and in time, the same segment on the other wire is looked for. A
   router passes it on within microseconds, or never. */
#define PAIR_LOOKS_MAX 64
#define PAIR_NS (200 * LAI_MS)

/* Raw peers have addresses from .16 on; 1 and 2 are the wire's ends (lab/host.h). */
#define RAW_ADDRESS_MIN 16

/* --- who is left, who is right --- */

/* The wire and the number of an address of the lab: 10.S.W.n, fd00:S:W::n. */
static void address_place(const struct lai_address *address, unsigned *wire, unsigned *number)
{
	if (lai_address_family(address) == AF_INET) {
		uint32_t host = ntohl(address->v4.sin_addr.s_addr);

		*wire = host >> 8 & 0xff;
		*number = host & 0xff;
	} else {
		const uint8_t *bytes = address->v6.sin6_addr.s6_addr;

		*wire = (unsigned)bytes[4] << 8 | bytes[5];
		*number = (unsigned)bytes[14] << 8 | bytes[15];
	}
}

/* -1: the left side of this wire; 1: the right side; 0: its number does not tell. */
static int address_side(const struct lai_address *address, unsigned wire, unsigned wires)
{
	unsigned of_wire, number;

	address_place(address, &of_wire, &number);
	if (of_wire != wire)
		return wires < 2 ? 0 : of_wire < wire ? -1 : 1;
	return number == 1 ? -1 : number == 2 ? 1 : 0;
}

bool lai_sequence_address_is_raw(const struct lai_sequence *sequence,
				 const struct lai_address *address)
{
	unsigned wire, number;

	address_place(address, &wire, &number);
	/* Behind a router the higher numbers are a host's many addresses. */
	return sequence->wires == 1 && number >= RAW_ADDRESS_MIN;
}

/* --- legs and groups --- */

static size_t leg_bucket(uint16_t left_port, uint16_t right_port, unsigned wire)
{
	uint32_t ports = (uint32_t)left_port << 16 | right_port;

	return ((ports ^ wire) * 2654435761u >> 16) % LEG_BUCKETS; /* Knuth's multiplier */
}

static size_t leg_find(const struct lai_sequence_groups *groups, const struct lai_address *left,
		       const struct lai_address *right, unsigned wire)
{
	size_t at =
		groups->buckets[leg_bucket(lai_address_port(left), lai_address_port(right), wire)];

	while (at != NO_LEG &&
	       !(groups->legs[at].wire == wire && lai_address_equal(&groups->legs[at].left, left) &&
		 lai_address_equal(&groups->legs[at].right, right)))
		at = groups->legs[at].next;
	return at;
}

/* There is room for a leg and a group per event. */
static size_t leg_add(struct lai_sequence_groups *groups, const struct lai_address *left,
		      const struct lai_address *right, unsigned wire)
{
	size_t *bucket =
		&groups->buckets[leg_bucket(lai_address_port(left), lai_address_port(right), wire)];
	size_t at = groups->leg_count++;

	groups->legs[at] = (struct lai_sequence_leg){.left = *left,
						     .right = *right,
						     .wire = wire,
						     .group = LAI_SEQUENCE_NO_GROUP,
						     .next = *bucket};
	*bucket = at;
	return at;
}

/* The ports go to another connection, which finds there what the one before it has left. */
static size_t leg_hand_on(struct lai_sequence_groups *groups, size_t from)
{
	struct lai_sequence_leg *old = &groups->legs[from];
	size_t at = leg_add(groups, &old->left, &old->right, old->wire);

	memcpy(groups->legs[at].sides, old->sides, sizeof(old->sides));
	return at;
}

static size_t connection_add(struct lai_sequence_groups *groups, const struct lai_sequence_leg *leg,
			     uint64_t time_ns)
{
	groups->connections[groups->connection_count] = (struct lai_sequence_connection){
		.left = leg->left, .right = leg->right, .first_ns = time_ns};
	return groups->connection_count++;
}

/* Which way a segment goes. Two strangers: the one that speaks first is left. */
static bool segment_rightward(const struct lai_sequence_groups *groups,
			      const struct lai_segment *segment, unsigned wire)
{
	int from = address_side(&segment->from, wire, groups->sequence->wires);
	int to = address_side(&segment->to, wire, groups->sequence->wires);

	if (from || to)
		return from ? from < 0 : to > 0;
	return leg_find(groups, &segment->to, &segment->from, wire) == NO_LEG;
}

/* The same segment on the other wire, just before: its group; LAI_SEQUENCE_NO_GROUP. */
static size_t pair_find(struct lai_sequence_groups *groups, size_t index)
{
	struct lai_sequence_event *event = &groups->events[index];
	const struct lai_segment *segment = &event->captured->segment;

	for (size_t back = 1; back <= PAIR_LOOKS_MAX && back <= index; back++) {
		struct lai_sequence_event *other = &groups->events[index - back];
		const struct lai_segment *twin = &other->captured->segment;

		if (lai_time_since(other->captured->time_ns, event->captured->time_ns) > PAIR_NS)
			break;
		if (other->wire == event->wire || other->paired ||
		    other->rightward != event->rightward || twin->seq != segment->seq ||
		    twin->flags != segment->flags || twin->ack != segment->ack ||
		    twin->payload_bytes != segment->payload_bytes)
			continue;
		other->paired = event->paired = true;
		return other->group;
	}
	return LAI_SEQUENCE_NO_GROUP;
}

/* --- sequence numbers --- */

static void side_begin(struct lai_sequence_side *side, uint32_t base, uint32_t next)
{
	*side = (struct lai_sequence_side){
		.known = true, .base = base, .next = next, .last_syn = base};
}

static void side_advance(struct lai_sequence_side *side, uint32_t end)
{
	if (lai_seq_before(side->next, end))
		side->next = end;
}

/* A SYN without ACK. What it means on ports that were used before only its answer will tell. */
static void syn_follow(struct lai_sequence_event *event, struct lai_sequence_side *self)
{
	uint32_t seq = event->captured->segment.seq;

	if (!self->known) {
		side_begin(self, seq, seq + lai_segment_length(&event->captured->segment));
		return;
	}
	event->mark = seq == self->last_syn ? LAI_MARK_RETRANSMISSION : LAI_MARK_SYN_AGAIN;
	event->distance = (int32_t)(seq - self->next);
	self->last_syn = seq;
}

/* SYN and ACK: a connection begins, perhaps a new one on the same ports. */
static void syn_ack_follow(struct lai_sequence_event *event, struct lai_sequence_side *self,
			   struct lai_sequence_side *peer)
{
	const struct lai_segment *segment = &event->captured->segment;

	if (self->known && segment->seq == self->last_syn) {
		event->mark = LAI_MARK_RETRANSMISSION;
		return;
	}
	side_begin(self, segment->seq, segment->seq + lai_segment_length(segment));
	if (!peer->known || segment->ack == peer->last_syn + 1)
		side_begin(peer, segment->ack - 1, segment->ack);
}

static void segment_follow(struct lai_sequence_event *event, struct lai_sequence_side *self,
			   struct lai_sequence_side *peer)
{
	const struct lai_segment *segment = &event->captured->segment;
	uint32_t length = lai_segment_length(segment), end = segment->seq + length;

	if (!self->known)
		side_begin(self, segment->seq - 1, segment->seq);
	else if (segment->flags & LAI_FLAG_RST)
		; /* says nothing of the stream */
	else if (length > 0 && !lai_seq_before(self->next, end))
		event->mark = LAI_MARK_RETRANSMISSION;
	else if (length == 0 && segment->flags == LAI_FLAG_ACK && segment->seq == self->next - 1)
		event->mark = LAI_MARK_KEEPALIVE;
	if (!(segment->flags & LAI_FLAG_RST))
		side_advance(self, end);
	if (!peer->known && segment->flags & LAI_FLAG_ACK)
		side_begin(peer, segment->ack - 1, segment->ack);
}

static void leg_follow(struct lai_sequence_leg *leg, struct lai_sequence_event *event)
{
	struct lai_sequence_side *self = &leg->sides[!event->rightward];
	struct lai_sequence_side *peer = &leg->sides[event->rightward];
	const struct lai_segment *segment = &event->captured->segment;
	uint8_t flags = segment->flags;

	if (!(flags & LAI_FLAG_SYN))
		segment_follow(event, self, peer);
	else if (flags & LAI_FLAG_ACK)
		syn_ack_follow(event, self, peer);
	else
		syn_follow(event, self);
	event->seq = (int32_t)(segment->seq - self->base);
	event->ack = (int32_t)(segment->ack - peer->base);
}

/* --- from captures to groups --- */

static void events_take(struct lai_sequence_groups *groups)
{
	size_t at[LAI_TRIAL_WIRES_MAX] = {0};

	for (size_t n = 0; n < groups->event_count; n++) {
		const struct lai_captured *next = NULL;
		unsigned wire = 0;

		for (unsigned w = 0; w < groups->sequence->wires; w++) {
			if (at[w] == groups->sequence->counts[w])
				continue;
			if (next && groups->sequence->segments[w][at[w]].time_ns >= next->time_ns)
				continue;
			next = &groups->sequence->segments[w][at[w]];
			wire = w;
		}
		assert(next); /* there are as many as were counted */
		at[wire]++;
		groups->events[n] =
			(struct lai_sequence_event){.captured = next, .wire = (uint8_t)wire};
	}
}

static void event_place(struct lai_sequence_groups *groups, size_t index)
{
	struct lai_sequence_event *event = &groups->events[index];
	const struct lai_segment *segment = &event->captured->segment;
	const struct lai_address *left, *right;
	size_t at, group;

	event->rightward = segment_rightward(groups, segment, event->wire);
	left = event->rightward ? &segment->from : &segment->to;
	right = event->rightward ? &segment->to : &segment->from;
	at = leg_find(groups, left, right, event->wire);
	if (at == NO_LEG)
		at = leg_add(groups, left, right, event->wire);
	group = pair_find(groups, index);
	if (group == LAI_SEQUENCE_NO_GROUP)
		group = groups->legs[at].group;
	if (group == LAI_SEQUENCE_NO_GROUP)
		group = connection_add(groups, &groups->legs[at], event->captured->time_ns);
	if (groups->legs[at].group != LAI_SEQUENCE_NO_GROUP && groups->legs[at].group != group)
		at = leg_hand_on(groups, at);
	groups->legs[at].group = event->group = group;
	leg_follow(&groups->legs[at], event);
	groups->connections[group].segments++;
}

int lai_sequence_groups_make(struct lai_sequence_groups *groups,
			     const struct lai_sequence *sequence)
{
	size_t count = 0;

	*groups = (struct lai_sequence_groups){.sequence = sequence};
	for (unsigned w = 0; w < sequence->wires; w++)
		count += sequence->counts[w];
	groups->event_count = count;
	groups->events = calloc(count + 1, sizeof(*groups->events));
	groups->legs = calloc(count + 1, sizeof(*groups->legs));
	groups->connections = calloc(count + 1, sizeof(*groups->connections));
	groups->buckets = calloc(LEG_BUCKETS, sizeof(*groups->buckets));
	if (!groups->events || !groups->legs || !groups->connections || !groups->buckets)
		return -ENOMEM;
	memset(groups->buckets, 0xff, LEG_BUCKETS * sizeof(*groups->buckets)); /* NO_LEG */
	events_take(groups);
	for (size_t i = 0; i < count; i++)
		event_place(groups, i);
	return lai_sequence_groups_weigh(groups);
}

void lai_sequence_groups_done(struct lai_sequence_groups *groups)
{
	free(groups->events);
	free(groups->legs);
	free(groups->connections);
	free(groups->buckets);
}

/* --- states --- */

/* Of two connections with the same ports a moment is of the later one, if it had begun by then. */
static bool is_nearer(const struct lai_sequence_connection *a,
		      const struct lai_sequence_connection *b, uint64_t time_ns)
{
	bool a_began = a->first_ns <= time_ns, b_began = b->first_ns <= time_ns;

	if (a_began != b_began)
		return a_began;
	return a_began ? a->first_ns > b->first_ns : a->first_ns < b->first_ns;
}

size_t lai_sequence_groups_state(const struct lai_sequence_groups *groups,
				 const struct lai_result_state *state)
{
	bool at_client = state->host == 0;
	unsigned wire = at_client ? 0 : groups->sequence->wires - 1;
	uint16_t left = at_client ? state->local_port : state->remote_port;
	uint16_t right = at_client ? state->remote_port : state->local_port;
	size_t best = LAI_SEQUENCE_NO_GROUP;

	for (size_t at = groups->buckets[leg_bucket(left, right, wire)]; at != NO_LEG;
	     at = groups->legs[at].next) {
		const struct lai_sequence_leg *leg = &groups->legs[at];

		if (leg->wire != wire || lai_address_port(&leg->left) != left ||
		    lai_address_port(&leg->right) != right)
			continue;
		if (best == LAI_SEQUENCE_NO_GROUP ||
		    is_nearer(&groups->connections[leg->group], &groups->connections[best],
			      state->time_ns))
			best = leg->group;
	}
	return best;
}
