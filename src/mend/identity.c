/* SPDX-License-Identifier: MIT */
/*
 * identity.c - is what we hold still what was chosen? Pure.
 *
 * A connection only ever moves towards its end, except when its owner disconnects the socket and
 * connects it anew: then inode and cookie stay, and only addresses and state tell.
 *
 *	ESTABLISHED -> FIN_WAIT1 -> FIN_WAIT2 -> TIME_WAIT -> gone
 *	     |             '-----> CLOSING ----------'
 *	     '-----> CLOSE_WAIT -> LAST_ACK ------------> gone
 */
#include "mend/mend_inside.h"

#include <string.h>

#define BIT(state) (1u << LAI_TCP_##state)

/* States that can come later without anybody starting anew; index: the state before. */
static const uint32_t later[LAI_TCP_COUNT] = {
	[LAI_TCP_ESTABLISHED] = BIT(FIN_WAIT1) | BIT(FIN_WAIT2) | BIT(CLOSING) | BIT(TIME_WAIT) |
				BIT(CLOSE_WAIT) | BIT(LAST_ACK),
	[LAI_TCP_FIN_WAIT1] = BIT(FIN_WAIT2) | BIT(CLOSING) | BIT(TIME_WAIT),
	[LAI_TCP_FIN_WAIT2] = BIT(TIME_WAIT),
	[LAI_TCP_CLOSING] = BIT(TIME_WAIT),
	[LAI_TCP_CLOSE_WAIT] = BIT(LAST_ACK),
};

enum lai_mend_outcome lai_identity_state(enum lai_tcp_state then, enum lai_tcp_state now)
{
	if (then == now)
		return LAI_MENDED;
	if (now == LAI_TCP_CLOSE)
		return LAI_MEND_GONE;
	/* The peer's FIN has come meanwhile: all the more reason. */
	if (then == LAI_TCP_ESTABLISHED && now == LAI_TCP_CLOSE_WAIT)
		return LAI_MENDED;
	if (then < LAI_TCP_COUNT && now < LAI_TCP_COUNT && later[then] & (1u << now))
		return LAI_MEND_GONE;
	return LAI_MEND_CHANGED;
}

bool lai_identity_address(const struct lai_address *a, const struct lai_address *b)
{
	int family = lai_address_family(a);

	if (family != lai_address_family(b) || lai_address_port(a) != lai_address_port(b))
		return false;
	if (family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	if (family != AF_INET6)
		return false;
	if (a->v6.sin6_scope_id && b->v6.sin6_scope_id &&
	    a->v6.sin6_scope_id != b->v6.sin6_scope_id)
		return false;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}
