/* SPDX-License-Identifier: MIT */
/*
 * replay.h - what was accepted and is not yet delivered, and where the present connection stands in
 * it.
 *
 *     ring.begin            base + acked        sent          complete         ring.end
 *   ...|======================|==================|===============|---------------|
 *  delivered   perhaps lost       in flight          waiting       an unfinished record
 *
 * "Delivered" is what has reached the configured proof; only that leaves the ring. A record leaves
 * and restarts as a whole: begin is a record boundary of the wire, always. When a connection dies,
 * sent goes back to begin, and the next one sends again exactly what was not delivered.
 */
#ifndef LAI_LINK_REPLAY_H
#define LAI_LINK_REPLAY_H

#include "wire/wire.h"

#include <lastack/link.h>

struct lai_replay {
	struct lai_ring ring;
	const struct lai_wire *wire;
	enum la_proof proof;
	enum la_full_policy on_full;
	size_t buffer_bytes;
	size_t record_bytes_max;
	uint64_t complete; /* what may be sent ends here */
	uint64_t stop;	   /* this connection sends nothing from here on; LA_NEVER: no such bound */
	uint64_t sent;	   /* what the present connection has been given ends here */
	uint64_t base;	   /* where the present connection began */
	uint64_t delivered_here_bytes; /* by the present connection */
	/* written to the last connection, to be sent again by the next */
	uint64_t sent_before_bytes;
	struct la_totals totals;    /* the byte and record counts of it */
};

/* 0, or -ENOMEM. */
int lai_replay_init(struct lai_replay *replay, const struct lai_wire *wire,
		    const struct la_link_config *config);
void lai_replay_done(struct lai_replay *replay);

/* ---- the accepting side ---- */

/* Room to fill, after the on_full policy has done what it does; 0: full. */
size_t lai_replay_room(struct lai_replay *replay, void **room);

/*
 * size bytes were put into the room. Returns how many of them were accepted (dropped ones count as
 * accepted and dropped); -EMSGSIZE: the record they belong to is too long, and all of it is taken
 * back.
 */
ssize_t lai_replay_commit(struct lai_replay *replay, size_t size);

/* Ends an unfinished record at the end of the input; false: no room for it yet. */
bool lai_replay_terminate(struct lai_replay *replay);

/* ---- the connection's side ---- */

void lai_replay_begin(struct lai_replay *replay); /* a new connection, at its byte 0 */
int lai_replay_to_send(const struct lai_replay *replay, struct iovec iov[2]);
void lai_replay_on_written(struct lai_replay *replay, size_t size);
void lai_replay_on_acked(struct lai_replay *replay, uint64_t acked_bytes);

/* The connection sends what is waiting now and nothing that comes later. */
void lai_replay_stop_here(struct lai_replay *replay);

/*
 * The connection is over: fills the intervals of its report, adds them to the totals, and goes back
 * to the first byte that was not delivered. peer_buffer_bytes: the most the peer's kernel can hold.
 */
void lai_replay_end(struct lai_replay *replay, struct la_report *report,
		    uint64_t peer_buffer_bytes);

/* Gives up everything that is left. */
void lai_replay_abandon(struct lai_replay *replay);

bool lai_replay_empty(const struct lai_replay *replay); /* everything accepted is delivered */
bool lai_replay_nothing_to_send(const struct lai_replay *replay);
bool lai_replay_full(const struct lai_replay *replay); /* the input finds no room */
/* So much waits for its proof that news of it is worth a question. */
bool lai_replay_crowded(const struct lai_replay *replay);

#endif
