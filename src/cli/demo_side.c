/* SPDX-License-Identifier: MIT */
#include "cli/demo_side.h"

#include "observe/sockdiag.h"

#include <errno.h>

/* ---- the kernel's numbers ----------------------------------------------------------------- */

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t sockets_count(const struct lai_census *census)
{
	uint32_t count = 0;

	for (int state = 0; state < LAI_TCP_COUNT; state++)
		count += census->by_state[state];
	return count;
}

struct queues {
	uint16_t port;
	uint64_t bytes;
};

/* What the client wrote and the server's kernel has not, and what that has and its program not. */
static int add_queues(void *arg, const struct lai_socket_fact *fact)
{
	struct queues *queues = arg;

	if (fact->state == LAI_TCP_LISTEN)
		return 0;
	if (lai_address_port(&fact->remote) == queues->port)
		queues->bytes += fact->wqueue_bytes;
	else if (lai_address_port(&fact->local) == queues->port)
		queues->bytes += fact->rqueue_bytes;
	return 0;
}

static int census_take(struct lai_demo_side *side)
{
	struct queues queues = {.port = side->server.port};
	int error = 0;

	if (side->client.ended)
		side->held = (struct lai_census){0};
	else
		error = lai_census_of_process(side->client.pid, &side->held);
	if (!error)
		error = lai_census_of_port(0, side->server.port, &side->outer);
	if (!error)
		error = lai_census_of_port(side->server.port, 0, &side->inner);
	if (!error)
		error = lai_sockdiag_dump(LAI_SOCKDIAG_ALL, add_queues, &queues);
	if (!error)
		side->queued_bytes = queues.bytes;
	return error;
}

/* ---- the server's count ------------------------------------------------------------------- */

static void arrivals_count(const struct lai_demo_tally *tally,
			   struct lai_demo_records_count *records)
{
	uint32_t end = tally->end;

	records->delivered = records->duplicated = 0;
	for (uint32_t i = 0; i < end; i++) {
		uint32_t times = tally->arrived[i];

		records->delivered += times > 0;
		records->duplicated += times > 1 ? times - 1 : 0;
	}
}

/*
 * What is lost while the story goes on. Records arrive in order: one that was passed over does not
 * come any more. And a client that remembers nothing has lost what is in no queue of the kernel.
 */
static uint32_t lost_count(const struct lai_demo_side *side, uint32_t delivered)
{
	uint32_t missing = side->client.accepted_records - delivered;
	uint32_t end = side->server.tally->end, passed_over = end > delivered ? end - delivered : 0;

	if (!side->remembers && side->queued_bytes == 0 &&
	    lai_demo_client_unread(&side->client) == 0)
		return missing;
	return passed_over < missing ? passed_over : missing;
}

static void records_count(struct lai_demo_side *side)
{
	struct lai_demo_records_count *records = &side->records;

	records->accepted = side->client.accepted_records;
	arrivals_count(side->server.tally, records);
	records->lost = lost_count(side, records->delivered);
	records->waiting = records->accepted - records->delivered - records->lost +
			   side->client.queued_records;
}

/* ---- both --------------------------------------------------------------------------------- */

int lai_demo_side_sample(struct lai_demo_side *side)
{
	int error = census_take(side);

	/* It may have ended under our hands. */
	if (error && !side->client.ended)
		lai_demo_client_reap(&side->client);
	records_count(side);
	/* On its way out it has lost its descriptors, and can be waited for a moment later. */
	if (error)
		return side->client.ended || error == -ESRCH ? 0 : error;
	side->sockets_most = most(side->sockets_most, sockets_count(&side->held));
	side->close_wait_most =
		most(side->close_wait_most, side->held.by_state[LAI_TCP_CLOSE_WAIT]);
	side->fds_most = most(side->fds_most, side->held.fds);
	return 0;
}

void lai_demo_side_conclude(struct lai_demo_side *side)
{
	lai_demo_client_stop(&side->client);
	lai_demo_server_stop(&side->server);
	records_count(side);
	side->records.lost = side->records.accepted - side->records.delivered;
	side->records.waiting = side->client.queued_records;
}

bool lai_demo_side_exhausted(const struct lai_demo_side *side)
{
	return side->client.fds_max > 0 && side->held.fds >= side->client.fds_max;
}

const char *lai_demo_side_state(const struct lai_demo_side *side)
{
	if (side->client.ended)
		return "ended";
	if (side->remembers)
		return side->client.state[0] ? side->client.state : "starting";
	/* It says nothing of itself; its sockets do. */
	if (side->held.by_state[LAI_TCP_ESTABLISHED] > 0)
		return "connected";
	if (lai_demo_side_exhausted(side))
		return "no descriptors left";
	return side->held.by_state[LAI_TCP_SYN_SENT] > 0 ? "connecting" : "not connected";
}

void lai_demo_side_done(struct lai_demo_side *side)
{
	lai_demo_client_stop(&side->client);
	lai_demo_client_done(&side->client);
	lai_demo_server_stop(&side->server);
	lai_demo_server_done(&side->server);
}
