/* SPDX-License-Identifier: MIT */
/* fact_sane.h - what holds for every fact that comes out of the parser, whatever went in. */
#ifndef T_FACT_SANE_H
#define T_FACT_SANE_H

#include "observe/facts.h"

/* NULL, or the text of what does not hold. */
static inline const char *t_fact_insane(const struct lai_socket_fact *fact)
{
#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return #condition;                                                         \
	} while (0)
	HOLDS(fact->state > LAI_TCP_NONE && fact->state < LAI_TCP_COUNT);
	HOLDS(fact->state != LAI_TCP_NEW_SYN_RECV);
	HOLDS(fact->family == AF_INET || fact->family == AF_INET6);
	HOLDS(lai_address_family(&fact->local) == fact->family);
	HOLDS(lai_address_family(&fact->remote) == fact->family);
	HOLDS(fact->timer < LAI_TIMER_COUNT);
	HOLDS(fact->timer != LAI_TIMER_NONE || (fact->timer_ms == 0 && fact->retransmits == 0));
	HOLDS((fact->shutdown & ~(LAI_SHUT_RECEIVE | LAI_SHUT_SEND)) == 0);
	HOLDS(fact->namespace_index == 0 && fact->past == LAI_PAST_UNKNOWN);
	HOLDS(fact->holder_first == 0 && fact->holder_count == 0);
	HOLDS(fact->listener == LAI_NO_INDEX);
	HOLDS(!fact->has_info ||
	      (fact->state != LAI_TCP_LISTEN && fact->state != LAI_TCP_SYN_SENT &&
	       fact->state != LAI_TCP_CLOSE && fact->state != LAI_TCP_BOUND_INACTIVE));
	HOLDS(fact->has_info ||
	      (!fact->sent_age_ms && !fact->received_age_ms && !fact->ack_age_ms && !fact->rtt_us &&
	       !fact->received_bytes && !fact->sent_bytes && !fact->acked_bytes));
	HOLDS(fact->state != LAI_TCP_BOUND_INACTIVE || lai_address_port(&fact->remote) == 0);
	return NULL;
#undef HOLDS
}

#endif
