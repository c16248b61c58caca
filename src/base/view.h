/* SPDX-License-Identifier: MIT */
/*
 * view.h - what the kernel knows of one connection at one moment, as plain numbers.
 *
 * io fills it from TCP_INFO (or the simulator does), conn judges it. Source of each field: struct
 * tcp_info in linux/tcp.h. The numbers stay readable after an RST or a time-out, until close():
 * acked_bytes is then exact to the byte, which is what makes exact replay possible.
 */
#ifndef LAI_BASE_VIEW_H
#define LAI_BASE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* The states of net/tcp_states.h that decisions depend on; names by la_tcp_state_name(). */
enum lai_tcp_state {
	LAI_TCP_NONE = 0,
	LAI_TCP_ESTABLISHED = 1,
	LAI_TCP_SYN_SENT,
	LAI_TCP_SYN_RECV,
	LAI_TCP_FIN_WAIT1,
	LAI_TCP_FIN_WAIT2,
	LAI_TCP_TIME_WAIT,
	LAI_TCP_CLOSE,
	LAI_TCP_CLOSE_WAIT,
	LAI_TCP_LAST_ACK,
	LAI_TCP_LISTEN,
	LAI_TCP_CLOSING,
	LAI_TCP_NEW_SYN_RECV,
	LAI_TCP_BOUND_INACTIVE, /* bound, neither listening nor connected: Linux 6.8 lists it */
	LAI_TCP_COUNT
};

struct lai_view {
	/* of our data, without SYN and FIN (tcpi_bytes_acked less its base) */
	uint64_t acked_bytes;
	uint64_t ack_age_ns; /* since the last segment with an ACK came in (tcpi_last_ack_recv) */
	/* segments sent again in the connection's life (tcpi_total_retrans) */
	uint64_t retransmits;
	uint32_t in_flight;  /* segments sent and not acknowledged (tcpi_unacked) */
	uint32_t unanswered; /* retransmissions and probes since the last ACK (tcpi_retransmits,
				tcpi_probes) */
	uint32_t window_bytes; /* the peer's window as last advertised (tcpi_snd_wnd) */
	uint32_t window_scale; /* the shift the peer chose at connect (tcpi_snd_wscale) */
	uint32_t tcp_state;    /* enum lai_tcp_state */
	bool fin_acked;	       /* our FIN has been sent and acknowledged */
};

#endif
