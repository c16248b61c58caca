/* SPDX-License-Identifier: MIT */
/*
 * demo_side.h - one of the two things that the demo compares: a client, its server, and what the
 * kernel and that server say of them.
 */
#ifndef LAI_CLI_DEMO_SIDE_H
#define LAI_CLI_DEMO_SIDE_H

#include "cli/demo_client.h"
#include "cli/demo_server.h"
#include "observe/census.h"

struct lai_demo_records_count {
	uint32_t accepted;   /* the client took them from us */
	uint32_t delivered;  /* the server's program read them */
	uint32_t lost;	     /* they will not come any more */
	uint32_t waiting;    /* the rest: with us, in the client, in a kernel */
	uint32_t duplicated; /* arrivals beyond the first */
};

struct lai_demo_side {
	const char *name;
	/* the client keeps what was not delivered, so what is nowhere is not lost */
	bool remembers;
	struct lai_demo_client client;
	struct lai_demo_server server;

	/* The last sample: the kernel's numbers. */
	struct lai_census held;	 /* sockets that the client's process holds */
	struct lai_census outer; /* sockets with the client's end of a connection, held or not */
	struct lai_census inner; /* the same at the server's end */
	uint64_t queued_bytes;	 /* in sockets, on the way from program to program */
	struct lai_demo_records_count records;

	/* The largest that any sample saw. */
	uint32_t sockets_most, close_wait_most, fds_most;
	/* As it was when the story ended, before the client was told to. */
	uint32_t close_wait_left, fds_left;
};

/* Takes a sample. 0, or an error of lai_census_of_process() while the client lives. */
int lai_demo_side_sample(struct lai_demo_side *side);

/* Ends both processes, if they have not ended. What has not arrived then is lost. */
void lai_demo_side_conclude(struct lai_demo_side *side);

/* What the client is doing, in at most 19 characters. */
const char *lai_demo_side_state(const struct lai_demo_side *side);

/* It holds as many descriptors as it may. */
bool lai_demo_side_exhausted(const struct lai_demo_side *side);

/* Ends both processes and releases what is left. Does nothing for a zeroed side. */
void lai_demo_side_done(struct lai_demo_side *side);

#endif
