/* SPDX-License-Identifier: MIT */
/*
 * sim.c - the world of the simulator: its clock and the heap of what happens next.
 *
 * Invariant: heap[i] happens no later than heap[2i + 1] and heap[2i + 2]; event->place is its index
 * plus one. `events` counts the events that may ever wait, and the heap has room for all of them.
 */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

#define HEAP_FIRST_SIZE 64u

/* FNV-1a's offset and prime (Fowler, Noll, Vo), here over 64-bit values instead of bytes. */
#define HASH_START 0xcbf29ce484222325ull
#define HASH_FACTOR 0x100000001b3ull

void sim_hash(struct lai_sim *sim, uint64_t value)
{
	sim->hash = (sim->hash ^ value) * HASH_FACTOR;
	sim->hash ^= sim->hash >> 29;
}

uint64_t lai_sim_hash(const struct lai_sim *sim)
{
	return sim->hash;
}

int sim_event_reserve(struct lai_sim *sim)
{
	if (sim->events == sim->heap_size) {
		size_t size = sim->heap_size ? sim->heap_size * 2 : HEAP_FIRST_SIZE;
		struct sim_event **heap = realloc(sim->heap, size * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		sim->heap = heap;
		sim->heap_size = size;
	}
	sim->events++;
	return 0;
}

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_put(struct lai_sim *sim, size_t index, struct sim_event *event)
{
	sim->heap[index] = event;
	event->place = index + 1;
}

/* Moves the event that belongs at or around index to where the invariant holds. */
static void heap_settle(struct lai_sim *sim, size_t index, struct sim_event *event)
{
	size_t child;

	while (index > 0 && event_before(event, sim->heap[(index - 1) / 2])) {
		heap_put(sim, index, sim->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	while ((child = 2 * index + 1) < sim->heap_count) {
		if (child + 1 < sim->heap_count &&
		    event_before(sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!event_before(sim->heap[child], event))
			break;
		heap_put(sim, index, sim->heap[child]);
		index = child;
	}
	heap_put(sim, index, event);
}

static void event_cancel(struct lai_sim *sim, struct sim_event *event)
{
	size_t index = event->place - 1;
	struct sim_event *last;

	if (event->place == 0)
		return;
	event->place = 0;
	last = sim->heap[--sim->heap_count];
	if (last != event)
		heap_settle(sim, index, last);
}

void sim_event_set(struct lai_sim *sim, struct sim_event *event, uint64_t at_ns)
{
	if (at_ns == LA_NEVER) {
		event_cancel(sim, event);
		return;
	}
	event->at_ns = at_ns > sim->now_ns ? at_ns : sim->now_ns;
	event->order = sim->order++;
	heap_settle(sim, event->place ? event->place - 1 : sim->heap_count++, event);
}

void sim_event_release(struct lai_sim *sim, struct sim_event *event)
{
	event_cancel(sim, event);
	sim->events--;
}

void sim_step(struct lai_sim *sim)
{
	struct sim_event *event = sim->heap[0];

	sim->now_ns = event->at_ns;
	event_cancel(sim, event);
	switch (event->kind) {
	case SIM_SEGMENT: sim_path_arrive(container_of(event, struct sim_segment, event)); break;
	case SIM_TIMER: sim_timer_fire(container_of(event, struct sim_socket, timer)); break;
	case SIM_ANSWER: sim_dns_answer(container_of(event, struct sim_net, answer)); break;
	case SIM_WAKE: sim_host_woken(container_of(event, struct lai_sim_host, wake)); break;
	case SIM_PROGRAM: sim_net_run(container_of(event, struct sim_net, program)); break;
	}
	sim_sockets_free(sim);
}

uint64_t lai_sim_now(const struct lai_sim *sim)
{
	return sim->now_ns;
}

uint64_t lai_sim_next(const struct lai_sim *sim)
{
	return sim->heap_count ? sim->heap[0]->at_ns : LA_NEVER;
}

void lai_sim_advance(struct lai_sim *sim, uint64_t until_ns)
{
	while (sim->heap_count && sim->heap[0]->at_ns <= until_ns)
		sim_step(sim);
	if (until_ns != LA_NEVER && until_ns > sim->now_ns)
		sim->now_ns = until_ns;
}

void lai_sim_trace(struct lai_sim *sim, FILE *stream)
{
	sim->trace = stream;
}

int lai_sim_new(struct lai_sim **sim, uint64_t seed)
{
	struct lai_sim *world = calloc(1, sizeof(*world));

	if (!world)
		return -ENOMEM;
	world->now_ns = LAI_SIM_START_NS;
	world->random.state = seed;
	world->hash = HASH_START;
	world->client = sim_host_new(world);
	if (!world->client || lai_sim_host_address(world->client, LAI_SIM_CLIENT_V4) < 0 ||
	    lai_sim_host_address(world->client, LAI_SIM_CLIENT_V6) < 0) {
		lai_sim_free(world);
		return -ENOMEM;
	}
	*sim = world;
	return 0;
}

/* Segments are owned by nobody but the heap; everything else is found from its host or net. */
static void segments_free(struct lai_sim *sim)
{
	size_t kept = 0;

	for (size_t i = 0; i < sim->heap_count; i++) {
		if (sim->heap[i]->kind == SIM_SEGMENT)
			free(container_of(sim->heap[i], struct sim_segment, event));
		else
			heap_put(sim, kept++, sim->heap[i]);
	}
	sim->heap_count = kept;
}

void lai_sim_free(struct lai_sim *sim)
{
	if (!sim)
		return;
	segments_free(sim);
	while (sim->nets)
		sim_net_free(sim->nets);
	while (sim->hosts) {
		struct lai_sim_host *host = sim->hosts;

		sim->hosts = host->next;
		sim_host_free(host);
	}
	sim_sockets_free(sim);
	sim_dns_free(sim);
	free(sim->heap);
	free(sim);
}
