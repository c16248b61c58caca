/* SPDX-License-Identifier: MIT */
/*
 * half.h - one direction of a connection: a small machine with a transition table.
 *
 * A connection is two of these, never their product. Which states may follow which stands in one
 * table per direction (half.c); lai_half_set() is the only place that writes a state.
 */
#ifndef LAI_CONN_HALF_H
#define LAI_CONN_HALF_H

#include <lastack/report.h>

/* X(enumerator, name, why it has or needs no deadline) */
#define LAI_SEND_STATES(X)                                                                         \
	X(OPEN, "open", "none: the pulse guards what is in flight, keepalive what is idle")        \
	X(DRAINING, "draining", "finish_by: what is queued goes to the kernel")                    \
	X(AWAIT_ACK, "await-ack", "finish_by, read_ns if the peer has closed, and the pulse")      \
	X(FIN_SENT, "fin-sent", "read_ns, and the pulse")                                          \
	X(FIN_ACKED, "fin-acked", "read_ns while the peer owes its FIN")                           \
	X(DEAD, "dead", "none: an end state")

#define LAI_RECV_STATES(X)                                                                         \
	X(OPEN, "open", "none: ends with the other half at the latest")                            \
	X(LAST_WORDS, "last-words", "none: left in the same step, the read never blocks")          \
	X(FIN_RECEIVED, "fin-received", "none: an end state")                                      \
	X(DEAD, "dead", "none: an end state")

enum lai_send_state {
#define X(id, name, deadline) LAI_SEND_##id,
	LAI_SEND_STATES(X)
#undef X
	LAI_SEND_COUNT
};

enum lai_recv_state {
#define X(id, name, deadline) LAI_RECV_##id,
	LAI_RECV_STATES(X)
#undef X
	LAI_RECV_COUNT
};

struct lai_half_kind; /* the table of one direction */
extern const struct lai_half_kind lai_half_send, lai_half_recv;

struct lai_half {
	const struct lai_half_kind *kind;
	unsigned state;
	unsigned from;	     /* the state before, for the log */
	enum la_cause cause; /* of the last transition */
	uint64_t since_ns;
};

void lai_half_init(struct lai_half *half, const struct lai_half_kind *kind, uint64_t now_ns);

/* Goes to another state; asserts that the table allows it. */
void lai_half_set(struct lai_half *half, unsigned state, enum la_cause cause, uint64_t now_ns);

/* Whether the table allows it. */
bool lai_half_allows(const struct lai_half_kind *kind, unsigned from, unsigned to);
const char *lai_half_name(const struct lai_half_kind *kind, unsigned state);
unsigned lai_half_count(const struct lai_half_kind *kind);

#endif
