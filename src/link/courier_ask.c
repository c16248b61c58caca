/* SPDX-License-Identifier: MIT */
/*
 * courier_ask.c - how long the oldest receipt is owed.
 *
 * To remember when each receipt was asked for would cost a list as long as the window. Those that
 * are asked for within a small part of receipt_ns are remembered together, by the last of them:
 * none is given up early, and each at most that part late. The time begins when the question has
 * been written: a peer that does not read is the business of the connection, which calls it stalled.
 */
#include "link/courier_inside.h"

static struct lai_courier_ask *ask_at(struct lai_courier *courier, unsigned index)
{
	return &courier->asks[(courier->ask_first + index) % LAI_COURIER_ASKS];
}

void lai_courier_ask(struct lai_courier *courier, uint64_t seq, uint64_t end, uint64_t now_ns)
{
	uint64_t part_ns = courier->config.stomp.receipt_ns / LAI_COURIER_ASK_PARTS;
	struct lai_courier_ask *ask = NULL;

	if (courier->ask_count > 0)
		ask = ask_at(courier, courier->ask_count - 1);
	if (!ask || (now_ns >= lai_time_after(ask->born_ns, part_ns) &&
		     courier->ask_count < LAI_COURIER_ASKS)) {
		ask = ask_at(courier, courier->ask_count++);
		ask->born_ns = now_ns;
	}
	ask->upto_seq = seq;
	ask->end = end;
	ask->since_ns = LA_NEVER;
}

void lai_courier_ask_on_written(struct lai_courier *courier, uint64_t now_ns)
{
	for (unsigned i = courier->ask_count; i > 0; i--) {
		struct lai_courier_ask *ask = ask_at(courier, i - 1);

		if (ask->since_ns != LA_NEVER)
			break;
		if (ask->end <= courier->written_bytes)
			ask->since_ns = now_ns;
	}
}

void lai_courier_ask_on_confirmed(struct lai_courier *courier)
{
	uint64_t oldest = lai_outbox_oldest_in_flight(courier->outbox);

	while (courier->ask_count > 0 &&
	       (oldest == 0 || courier->asks[courier->ask_first].upto_seq < oldest)) {
		courier->ask_first = (courier->ask_first + 1) % LAI_COURIER_ASKS;
		courier->ask_count--;
	}
}

uint64_t lai_courier_ask_deadline(const struct lai_courier *courier)
{
	if (courier->ask_count == 0)
		return LA_NEVER;
	return lai_time_after(courier->asks[courier->ask_first].since_ns,
			      courier->config.stomp.receipt_ns);
}
