/* SPDX-License-Identifier: MIT */
/*
 * svg_sequence_groups.h - captures become connections: every segment with its direction, the
 * connection that it belongs to, and what its numbers mean there. Pure.
 */
#ifndef LAI_SHOW_SVG_SEQUENCE_GROUPS_H
#define LAI_SHOW_SVG_SEQUENCE_GROUPS_H

#include "show/svg_sequence_plan.h"

#define LAI_SEQUENCE_NO_GROUP SIZE_MAX

/* A segment of a capture. */
struct lai_sequence_event {
	const struct lai_captured *captured;
	size_t group;
	int32_t seq, ack, distance; /* as in struct lai_sequence_row */
	uint8_t wire, mark;
	uint8_t weight; /* enum lai_sequence_weight */
	bool rightward;
	bool paired;	  /* the same segment was seen on the other wire */
	bool answers_syn; /* or a RST: the first that the other end says to it */
};

/* What may be left out where room is short. */
enum lai_sequence_weight {
	LAI_WEIGHT_BULK, /* data and acknowledgements */
	LAI_WEIGHT_SOFT, /* sent again, a probe, a window that shuts or opens */
	LAI_WEIGHT_KEPT, /* SYN, FIN, RST, their answers, what a RST answers */
};

/* What one end has said on one wire. */
struct lai_sequence_side {
	bool known;
	uint32_t base; /* its initial sequence number */
	uint32_t next; /* behind all that it has said: what the other one expects */
	uint32_t last_syn;
};

/* A four-tuple on a wire, as one connection uses it. */
struct lai_sequence_leg {
	struct lai_address left, right;
	unsigned wire;
	size_t group;
	size_t next; /* in its bucket; a later user of the same ports stands first */
	struct lai_sequence_side sides[2]; /* [0] the left one's */
};

/* What makes a connection worth drawing, least first. */
enum lai_interest {
	LAI_INTEREST_REFUSED, /* a SYN, answered at once by a RST */
	LAI_INTEREST_PLAIN,
	LAI_INTEREST_PORTS,   /* its ports were used before */
	LAI_INTEREST_TROUBLE, /* RST, or something had to be sent again */
	LAI_INTEREST_COUNT
};

struct lai_sequence_connection {
	struct lai_address left, right; /* on the wire where it was seen first */
	uint64_t first_ns;
	size_t segments;
	enum lai_interest interest;
	/* Equal for connections in which the same flags came in the same order, however often each,
	   and with the same states in the end. */
	uint64_t kind;
	/* For making these two: */
	uint64_t tokens[4]; /* a bit each */
	uint8_t last_states[2];
	bool spoken; /* anything but a SYN and a RST */
};

struct lai_sequence_groups {
	const struct lai_sequence *sequence;
	struct lai_sequence_event *events; /* oldest first */
	size_t event_count;
	struct lai_sequence_connection *connections; /* in the order of their first segment */
	size_t connection_count;
	/* Its own: */
	struct lai_sequence_leg *legs;
	size_t leg_count;
	size_t *buckets;
};

/* 0 or -ENOMEM; _done() in either case. */
int lai_sequence_groups_make(struct lai_sequence_groups *groups,
			     const struct lai_sequence *sequence);
void lai_sequence_groups_done(struct lai_sequence_groups *groups);

/* Weighs the events, and says interest and kind of the connections: a step of _make(). 0, -ENOMEM. */
int lai_sequence_groups_weigh(struct lai_sequence_groups *groups);

/* The connection that a state is of: by ports, the latest that had begun by then;
   LAI_SEQUENCE_NO_GROUP: none that was captured. */
size_t lai_sequence_groups_state(const struct lai_sequence_groups *groups,
				 const struct lai_result_state *state);

/* An address that no kernel answers for (lab/raw.h). */
bool lai_sequence_address_is_raw(const struct lai_sequence *sequence,
				 const struct lai_address *address);

#endif
