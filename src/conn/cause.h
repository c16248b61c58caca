/* SPDX-License-Identifier: MIT */
/* cause.h - from the kernel's error numbers to the causes of report.h. */
#ifndef LAI_CONN_CAUSE_H
#define LAI_CONN_CAUSE_H

#include <lastack/report.h>

/* The cause behind a positive errno value of a connect attempt with a chosen local port
   or address. */
enum la_cause lai_cause_of_attempt(int error, bool chosen_port, bool chosen_address);

/* The cause behind a positive errno value of an established connection. */
enum la_cause lai_cause_of_error(int error);

/*
 * Over IPv6 Linux reports each retransmission that finds no route, on a connection that lives and may
 * still get through (a soft error). Whether it is dead, the pulse finds out.
 */
bool lai_cause_is_soft(int error, uint32_t tcp_state);

/* The peer does not answer: nobody there to tell, and our kernel must not go on sending. */
bool lai_cause_is_silence(enum la_cause cause);

#endif
