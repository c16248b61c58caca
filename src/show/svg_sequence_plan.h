/* SPDX-License-Identifier: MIT */
/*
 * svg_sequence_plan.h - which segments and states a time-sequence diagram shows, in which order,
 * with which numbers and at which height. Pure; svg_sequence.c draws what stands here.
 *
 *	captures, by time --> connections (legs on each wire, paired by sequence numbers across NAT)
 *	    --> relative numbers, retransmissions --> weights, kinds --> a story each
 *	    --> rows: segments, states, pauses, omissions
 *
 * A connection is what uses one four-tuple; a later use of the same ports goes on in the same
 * group, because what its SYN is compared with is the connection before. Behind a NAT a client's
 * connection is one group though its four-tuple is another one on each wire.
 */
#ifndef LAI_SHOW_SVG_SEQUENCE_PLAN_H
#define LAI_SHOW_SVG_SEQUENCE_PLAN_H

#include "lab/capture.h"
#include "lab/result.h"
#include "lab/trial.h"

/* What one diagram holds: more connections or segments than this are counted, not drawn. */
#define LAI_SEQUENCE_GROUPS_MAX 4
#define LAI_SEQUENCE_SEGMENTS_MAX 48
/* State changes of one connection in the diagram. */
#define LAI_SEQUENCE_STATES_MAX 48
/* From this pause on time is not drawn to any scale but written down. */
#define LAI_SEQUENCE_PAUSE_NS (20 * 1000000ull)

/* What a trial left behind. */
struct lai_sequence {
	const struct lai_captured *segments[LAI_TRIAL_WIRES_MAX];
	size_t counts[LAI_TRIAL_WIRES_MAX];
	unsigned wires; /* 1: client and server; 2: a router between them */
	const struct lai_result_state *states;
	size_t state_count;
	uint64_t began_ns; /* time 0 of the diagram; CLOCK_REALTIME */
};

enum lai_sequence_mark {
	LAI_MARK_NONE,
	LAI_MARK_RETRANSMISSION, /* all of it was sent before */
	LAI_MARK_KEEPALIVE,	 /* the last byte again, without it: or a window probe */
	LAI_MARK_SYN_AGAIN,	 /* a SYN on ports that were used before: `distance` counts */
};

enum lai_sequence_kind {
	LAI_ROW_SEGMENT,
	LAI_ROW_STATES,
	LAI_ROW_PAUSE,	 /* nothing happened for pause_ns */
	LAI_ROW_OMITTED, /* segments and state changes that are not drawn */
};

struct lai_sequence_row {
	enum lai_sequence_kind kind;
	unsigned y, height; /* from the group's first row */
	uint64_t time_ns;
	/* SEGMENT */
	const struct lai_captured *captured;
	uint8_t wire;
	bool rightward; /* from the client's side to the server's */
	enum lai_sequence_mark mark;
	int32_t seq, ack; /* less the initial ones; negative: of an earlier connection */
	int32_t distance; /* SYN_AGAIN: from what the other end expected */
	/* STATES: of the client's and the server's side; either may be NULL */
	const struct lai_result_state *states[2];
	/* PAUSE */
	uint64_t pause_ns;
	/* OMITTED: `again` of the data and `flagged` of all are SYN, FIN, RST */
	size_t omitted_segments, omitted_data, omitted_again, omitted_flagged, omitted_states;
	uint64_t omitted_bytes;
	uint64_t until_ns; /* of the last of them */
};

/* One connection. */
struct lai_sequence_group {
	size_t number;			/* in the order of their first segments, from 1 */
	struct lai_address left, right; /* as on its first wire */
	bool left_raw, right_raw;	/* ends that no kernel answers for (lab/raw.h) */
	size_t alike;			/* others of the same kind that are not drawn */
	size_t segments;		/* on all wires; drawn of them: */
	size_t drawn;
	struct lai_sequence_row *rows;
	size_t row_count;
	unsigned height;
};

struct lai_sequence_plan {
	struct lai_sequence_group *groups; /* in the order of drawing */
	size_t group_count;		   /* those that are drawn; of */
	size_t connections;
	size_t segments, drawn; /* of all connections */
};

/* 0: *plan, which points into *sequence, for _done(); -ENOMEM. */
int lai_sequence_plan(const struct lai_sequence *sequence, struct lai_sequence_plan *plan);
void lai_sequence_plan_done(struct lai_sequence_plan *plan);

#endif
