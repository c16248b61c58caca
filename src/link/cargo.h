/* SPDX-License-Identifier: MIT */
/*
 * cargo.h - what a link carries: a stream that the kernel's ACKs release (replay), or records that
 * receipts release (courier and outbox). The link asks here and knows no difference.
 */
#ifndef LAI_LINK_CARGO_H
#define LAI_LINK_CARGO_H

#include "link/courier.h"
#include "link/endpoint.h"
#include "link/replay.h"

/* A link has one of the two. */
struct lai_cargo {
	struct lai_replay replay;
	struct lai_outbox outbox;
	struct lai_courier *courier; /* NULL: it is a stream */
	bool kept; /* the outbox is a copy of what a spool keeps: nothing in it is given up */
};

/* 0, or -ENOMEM. courier: what it needs beside the link's config, for a wire with receipts. */
int lai_cargo_init(struct lai_cargo *cargo, const struct lai_wire *wire,
		   const struct la_link_config *config, const struct lai_courier_config *courier,
		   const char *sender);
void lai_cargo_done(struct lai_cargo *cargo);

static inline struct la_totals *lai_cargo_totals(struct lai_cargo *cargo)
{
	return cargo->courier ? &cargo->outbox.totals : &cargo->replay.totals;
}

/* A new connection, to this server. */
void lai_cargo_begin(struct lai_cargo *cargo, const struct lai_endpoint *endpoint, uint64_t now_ns);
int lai_cargo_to_send(struct lai_cargo *cargo, struct iovec iov[2], uint64_t now_ns);
bool lai_cargo_wants_write(const struct lai_cargo *cargo, uint64_t now_ns);
void lai_cargo_on_written(struct lai_cargo *cargo, size_t size, uint64_t now_ns);
void lai_cargo_on_acked(struct lai_cargo *cargo, uint64_t acked_bytes);
/* The connection is over: completes its report, and goes back to the first byte or record that was
   not delivered. As lai_replay_end(). */
void lai_cargo_end(struct lai_cargo *cargo, struct la_report *report, uint64_t peer_buffer_bytes);
/* The link is: what is left is given up. */
void lai_cargo_abandon(struct lai_cargo *cargo);

bool lai_cargo_empty(const struct lai_cargo *cargo);
bool lai_cargo_nothing_to_send(const struct lai_cargo *cargo, uint64_t now_ns);
/* The input finds no room; so much waits that news of it is worth a question. */
bool lai_cargo_full(const struct lai_cargo *cargo);
bool lai_cargo_crowded(const struct lai_cargo *cargo);

#endif
