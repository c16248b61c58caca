/* SPDX-License-Identifier: MIT */
/* sim_path.c - what happens to a segment between two hosts: loss, delay, black holes, NAT,
 * firewall. */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LATENCY_NS (1 * LAI_MS)	     /* a local network */
#define LATENCY_OWN_NS (10 * LAI_US) /* loopback */
#define MILLION 1000000u

struct sim_segment *sim_segment_new(struct lai_sim *sim, size_t bytes)
{
	struct sim_segment *segment;

	if (sim_event_reserve(sim) < 0)
		return NULL;
	segment = malloc(sizeof(*segment) + bytes);
	if (!segment) {
		sim->events--;
		return NULL;
	}
	memset(segment, 0, sizeof(*segment));
	segment->event.kind = SIM_SEGMENT;
	segment->bytes = (uint32_t)bytes;
	return segment;
}

void sim_segment_free(struct lai_sim *sim, struct sim_segment *segment)
{
	sim_event_release(sim, &segment->event);
	free(segment);
}

/* ---- paths ------------------------------------------------------------------------------- */

/* NULL: out of memory. */
static struct sim_link *link_get(struct lai_sim_host *from, struct lai_sim_host *to)
{
	struct sim_link **links;

	if (to->index >= from->link_count) {
		size_t count = to->index + 1;

		links = realloc(from->links, count * sizeof(struct sim_link *));
		if (!links)
			return NULL;
		for (size_t i = from->link_count; i < count; i++)
			links[i] = NULL;
		from->links = links;
		from->link_count = count;
	}
	links = from->links;
	if (!links[to->index]) {
		links[to->index] = calloc(1, sizeof(struct sim_link));
		if (links[to->index])
			links[to->index]->path.latency_ns =
				from == to ? LATENCY_OWN_NS : LATENCY_NS;
	}
	return links[to->index];
}

struct lai_sim_path *lai_sim_path(struct lai_sim_host *from, struct lai_sim_host *to)
{
	struct sim_link *link = link_get(from, to);

	return link ? &link->path : NULL;
}

void lai_sim_cut(struct lai_sim_host *a, struct lai_sim_host *b, bool cut)
{
	struct sim_link *there = link_get(a, b), *back = link_get(b, a);

	if (there)
		there->path.black_hole = cut;
	if (back)
		back->path.black_hole = cut;
}

/* ---- NAT --------------------------------------------------------------------------------- */

static struct sim_link *nat_link(struct lai_sim_host *a, struct lai_sim_host *b)
{
	return a->index < b->index ? link_get(a, b) : link_get(b, a);
}

void lai_sim_nat_drop(struct lai_sim_host *a, struct lai_sim_host *b)
{
	struct sim_link *link = nat_link(a, b);

	if (!link)
		return;
	link->nat = true;
	sim_queue_drop(&link->nat_passes, link->nat_passes.used);
}

/* A SYN makes an entry; anything else needs one. */
static bool nat_passes(const struct sim_segment *segment)
{
	struct sim_link *link = nat_link(segment->from, segment->to);
	uint16_t source = lai_address_port(&segment->source);
	uint16_t target = lai_address_port(&segment->target);
	bool forward = segment->from->index < segment->to->index;
	struct sim_tuple tuple = {forward ? source : target, forward ? target : source};
	const struct sim_tuple *known;

	if (!link || !link->nat)
		return true;
	known = (const void *)sim_queue_front(&link->nat_passes);
	for (size_t i = 0; i < link->nat_passes.used / sizeof(tuple); i++)
		if (known[i].low_port == tuple.low_port && known[i].high_port == tuple.high_port)
			return true;
	return (segment->flags & (SIM_SYN | SIM_ACK)) == SIM_SYN &&
	       sim_queue_push(&link->nat_passes, &tuple, sizeof(tuple)) == 0;
}

/* ---- one segment's way ------------------------------------------------------------------- */

static void segment_print(FILE *stream, uint64_t now_ns, const struct sim_segment *segment,
			  const char *fate)
{
	char source[LA_ADDRESS_TEXT_MAX], target[LA_ADDRESS_TEXT_MAX];

	fprintf(stream,
		"%.6f %s > %s [%s%s%s%s%s] seq %" PRIu64 ":%" PRIu64 " ack %" PRIu64 " win %" PRIu32
		" %s\n",
		(double)now_ns / 1e9, lai_address_format(source, &segment->source),
		lai_address_format(target, &segment->target), segment->flags & SIM_SYN ? "S" : "",
		segment->flags & SIM_FIN ? "F" : "", segment->flags & SIM_RST ? "R" : "",
		segment->flags & SIM_ICMP ? "I" : "", segment->flags & SIM_ACK ? "." : "",
		segment->seq, segment->seq + segment->bytes, segment->ack, segment->window, fate);
}

static void segment_record(struct lai_sim *sim, const struct sim_segment *segment, const char *fate)
{
	sim_hash(sim, sim->now_ns);
	sim_hash(sim, segment->seq ^ segment->ack << 17);
	sim_hash(sim,
		 (uint64_t)segment->bytes << 32 | segment->flags << 16 | (unsigned char)fate[0]);
	sim_hash(sim, (uint64_t)lai_address_port(&segment->source) << 16 |
			      lai_address_port(&segment->target));
	if (sim->trace)
		segment_print(sim->trace, sim->now_ns, segment, fate);
}

/* Drops the segment and says why; returns error for the sender. */
static int segment_lose(struct lai_sim *sim, struct sim_segment *segment, const char *fate,
			int error)
{
	segment_record(sim, segment, fate);
	sim_segment_free(sim, segment);
	return error;
}

static uint64_t path_arrival(struct lai_sim *sim, struct sim_link *link)
{
	uint64_t at_ns = sim->now_ns + link->path.latency_ns;

	if (link->path.jitter_ns)
		at_ns += lai_random_below(&sim->random, link->path.jitter_ns + 1);
	if (!link->path.reorder && at_ns < link->arrival_ns)
		at_ns = link->arrival_ns;
	link->arrival_ns = at_ns;
	return at_ns;
}

int sim_path_send(struct lai_sim_host *from, struct sim_segment *segment)
{
	struct lai_sim *sim = from->sim;
	struct lai_sim_host *to = sim_host_of(from, &segment->target);
	struct sim_link *link = to ? link_get(from, to) : NULL;
	int error = sim_host_why_silent(from, &segment->source, &segment->target);

	segment->from = from;
	segment->to = to;
	if (error < 0)
		return segment_lose(sim, segment, "no route", error);
	if (!link)
		return segment_lose(sim, segment, "lost: no such host", 0);
	if (link->path.black_hole)
		return segment_lose(sim, segment, "hole", 0);
	if (link->path.loss_ppm && lai_random_below(&sim->random, MILLION) < link->path.loss_ppm)
		return segment_lose(sim, segment, "lost", 0);
	if (!nat_passes(segment))
		return segment_lose(sim, segment, "unknown to NAT", 0);
	segment_record(sim, segment, "");
	sim_event_set(sim, &segment->event, path_arrival(sim, link));
	return 0;
}

/* What a firewall does to a SYN. True: the segment has been dealt with. */
static bool firewall_stops(struct lai_sim_host *host, struct sim_segment *segment)
{
	struct sim_segment *answer;

	if (host->firewall == LAI_SIM_ACCEPT || (segment->flags & (SIM_SYN | SIM_ACK)) != SIM_SYN)
		return false;
	if (host->firewall == LAI_SIM_REJECT)
		sim_output_reply_reset(host, segment);
	answer = host->firewall == LAI_SIM_PROHIBIT ? sim_segment_new(host->sim, 0) : NULL;
	if (answer) {
		answer->flags = SIM_ICMP;
		answer->icmp_error = EHOSTUNREACH;
		answer->source = segment->target;
		answer->target = segment->source;
		answer->ack = segment->seq;
		(void)sim_path_send(host, answer);
	}
	return true;
}

void sim_path_arrive(struct sim_segment *segment)
{
	struct lai_sim_host *host = segment->to;
	struct lai_sim *sim = host->sim;

	if (link_get(segment->from, host)->path.black_hole)
		(void)segment_lose(sim, segment, "hole", 0);
	else if (!sim_host_up(host) || !sim_host_owns(host, &segment->target))
		(void)segment_lose(sim, segment, "nobody there", 0);
	else if (firewall_stops(host, segment))
		(void)segment_lose(sim, segment, "firewall", 0);
	else
		sim_tcp_arrive(host, segment);
}
