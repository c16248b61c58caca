/* SPDX-License-Identifier: MIT */
/* claims.h - the list of all claims: one row and one file in lab/claims/ each, of the same name. */
#ifndef LAI_LAB_CLAIMS_H
#define LAI_LAB_CLAIMS_H

/* The halves of a connection and what becomes of them; closing hard; ports used again;
   TIME_WAIT and what may wake it; NAT. */
#define LAI_CLAIMS(X)                                                                              \
	X(close_wait_segments)                                                                     \
	X(close_wait_for_ever)                                                                     \
	X(fin_wait2_guilty)                                                                        \
	X(fin_wait2_bounded)                                                                       \
	X(receive_timeout_leak)                                                                    \
	X(simultaneous_close)                                                                      \
	X(syn_to_live_states)                                                                      \
	X(linger_zero_loses)                                                                       \
	X(linger_waits)                                                                            \
	X(unread_input_resets)                                                                     \
	X(login_text_linger_zero)                                                                  \
	X(login_text_plain_close)                                                                  \
	X(keepalive_or_per_request)                                                                \
	X(reuseaddr_listener)                                                                      \
	X(reuseaddr_client_port)                                                                   \
	X(fixed_port_close_wait)                                                                   \
	X(fixed_port_2345)                                                                         \
	X(reuse_over_fin_wait2)                                                                    \
	X(bind_without_port)                                                                       \
	X(ports_exhausted)                                                                         \
	X(parity_cliff)                                                                            \
	X(ports_wait_out)                                                                          \
	X(loopback_ports_return)                                                                   \
	X(tw_reuse_at_once)                                                                        \
	X(tw_reuse_delay)                                                                          \
	X(time_wait_length)                                                                        \
	X(time_wait_cost)                                                                          \
	X(time_wait_overflow)                                                                      \
	X(time_wait_syn_higher)                                                                    \
	X(time_wait_syn_lower)                                                                     \
	X(time_wait_syn_boundary)                                                                  \
	X(time_wait_paws_matrix)                                                                   \
	X(time_wait_assassination)                                                                 \
	X(rfc1337_documented)                                                                      \
	X(time_wait_answers_limited)                                                               \
	X(port_reuse_second)                                                                       \
	X(syn_retry_once)                                                                          \
	X(nat_breaks_time_wait)                                                                    \
	X(nat_limit)                                                                               \
	X(conntrack_forgets)                                                                       \
	X(conntrack_liberal)

#endif
