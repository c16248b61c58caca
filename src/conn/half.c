/* SPDX-License-Identifier: MIT */
/*
 *  send:  open -> draining -> await-ack -> fin-sent -> fin-acked
 *           \________________^                 every state but the last -> dead
 *
 *  recv:  open -> fin-received -> dead (an RST after the FIN)
 *           \---> last-words ---> dead (an error; what the peer had said is read first)
 */
#include "conn/half.h"

#include <assert.h>

#define BIT(state) (1u << (state))

struct lai_half_kind {
	const char *const *names;
	const unsigned *next; /* set of states that may follow */
	unsigned count;
};

static const char *const send_names[] = {
#define X(id, name, deadline) name,
	LAI_SEND_STATES(X)
#undef X
};

static const unsigned send_next[LAI_SEND_COUNT] = {
	/* The peer's FIN skips draining: what is not written yet waits for the next connection. */
	[LAI_SEND_OPEN] = BIT(LAI_SEND_DRAINING) | BIT(LAI_SEND_AWAIT_ACK) | BIT(LAI_SEND_DEAD),
	[LAI_SEND_DRAINING] = BIT(LAI_SEND_AWAIT_ACK) | BIT(LAI_SEND_DEAD),
	[LAI_SEND_AWAIT_ACK] = BIT(LAI_SEND_FIN_SENT) | BIT(LAI_SEND_DEAD),
	[LAI_SEND_FIN_SENT] = BIT(LAI_SEND_FIN_ACKED) | BIT(LAI_SEND_DEAD),
	/* RFC 9293 3.10.7.4: an RST in FIN-WAIT-2 still aborts. */
	[LAI_SEND_FIN_ACKED] = BIT(LAI_SEND_DEAD),
	[LAI_SEND_DEAD] = 0,
};

static const char *const recv_names[] = {
#define X(id, name, deadline) name,
	LAI_RECV_STATES(X)
#undef X
};

static const unsigned recv_next[LAI_RECV_COUNT] = {
	[LAI_RECV_OPEN] = BIT(LAI_RECV_FIN_RECEIVED) | BIT(LAI_RECV_LAST_WORDS),
	[LAI_RECV_LAST_WORDS] = BIT(LAI_RECV_DEAD),
	[LAI_RECV_FIN_RECEIVED] = BIT(LAI_RECV_DEAD),
	[LAI_RECV_DEAD] = 0,
};

const struct lai_half_kind lai_half_send = {send_names, send_next, LAI_SEND_COUNT};
const struct lai_half_kind lai_half_recv = {recv_names, recv_next, LAI_RECV_COUNT};

void lai_half_init(struct lai_half *half, const struct lai_half_kind *kind, uint64_t now_ns)
{
	*half = (struct lai_half){.kind = kind, .since_ns = now_ns};
}

bool lai_half_allows(const struct lai_half_kind *kind, unsigned from, unsigned to)
{
	return from < kind->count && to < kind->count && (kind->next[from] & BIT(to));
}

void lai_half_set(struct lai_half *half, unsigned state, enum la_cause cause, uint64_t now_ns)
{
	assert(lai_half_allows(half->kind, half->state, state));
	half->from = half->state;
	half->state = state;
	half->cause = cause;
	half->since_ns = now_ns;
}

const char *lai_half_name(const struct lai_half_kind *kind, unsigned state)
{
	return state < kind->count ? kind->names[state] : "?";
}

unsigned lai_half_count(const struct lai_half_kind *kind)
{
	return kind->count;
}
