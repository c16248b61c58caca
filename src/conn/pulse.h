/* SPDX-License-Identifier: MIT */
/*
 * pulse.h - is the peer alive, and does it take what we send? Pure judgement over kernel views.
 *
 * DEAD and STALLED are different things. A peer whose kernel acknowledges is alive even if its
 * program has not read for a day; TCP_USER_TIMEOUT would kill it, so its clock is not used. The
 * question asked here is: since when do we wait for an answer that the peer's kernel owes us?
 *
 *     in flight, or a probe unanswered  ->  the clock runs, from the later of
 *                                           "we began to ask" and "we last heard an ACK"
 *     nothing in flight (window closed, between two probes)  ->  the clock stands
 */
#ifndef LAI_CONN_PULSE_H
#define LAI_CONN_PULSE_H

#include "base/time.h"
#include "base/view.h"

struct lai_pulse {
	uint64_t asking_since_ns; /* LA_NEVER: nobody owes us an ACK */
	uint64_t heard_ns;	  /* last ACK */
	uint64_t progress_ns;	  /* last time that acked_bytes grew, or nothing was outstanding */
	uint64_t acked_bytes;
	uint64_t silence_before_ns; /* how long the peer had been quiet when we began to ask */
	uint32_t window_max_bytes;  /* the largest window seen */
	struct lai_view last;
};

void lai_pulse_init(struct lai_pulse *pulse, uint64_t now_ns);

/* Bytes went to the kernel; outstanding: others were there before. */
void lai_pulse_on_written(struct lai_pulse *pulse, bool outstanding, uint64_t now_ns);

/* The kernel's numbers; outstanding: something is written and not acknowledged. */
void lai_pulse_on_view(struct lai_pulse *pulse, const struct lai_view *view, bool outstanding,
		       uint64_t now_ns);

/* For how long the peer has owed us an ACK. */
uint64_t lai_pulse_silent_for(const struct lai_pulse *pulse, uint64_t now_ns);

/* For how long something outstanding has not moved. */
uint64_t lai_pulse_stuck_for(const struct lai_pulse *pulse, uint64_t now_ns);

/* About what the peer's program has not read, as far as its window tells; 0: nothing to be seen. */
uint64_t lai_pulse_unread_bytes(const struct lai_pulse *pulse);

/* An RST now would end a silence: retransmissions were unanswered, or we broke a long quiet. */
bool lai_pulse_was_silent(const struct lai_pulse *pulse, uint64_t now_ns);

/*
 * The most that the peer's kernel can hold unread: RFC 7323 lets it advertise at most 65535 <<
 * scale, and Linux chooses the scale so that this covers its largest receive buffer
 * (tcp_select_initial_window()).
 */
uint64_t lai_pulse_peer_buffer_max(const struct lai_pulse *pulse);

#endif
