/* SPDX-License-Identifier: MIT */
/*
 * age.h - how long a socket has been in its state, told from one look.
 *
 * The kernel keeps no such time. A FIN carries an ACK and no data, so in CLOSE_WAIT the time since
 * the last ACK is the age of the FIN, unless ACKs came later (of what we sent since, or of
 * keepalive probes): then it is a lower bound. TIME_WAIT has a timer of fixed length.
 */
#ifndef LAI_JUDGE_AGE_H
#define LAI_JUDGE_AGE_H

#include "judge/judge.h"

/* *age_ms is written unless the kind is LAI_AGE_UNKNOWN. */
enum lai_age_kind lai_age_of(const struct lai_socket_fact *socket, uint64_t *age_ms);

/* The same, when it was seen in an earlier snapshot too, interval_ms before; earlier may be NULL. */
enum lai_age_kind lai_age_since(const struct lai_socket_fact *socket,
				const struct lai_socket_fact *earlier, uint64_t interval_ms,
				uint64_t *age_ms);

#endif
