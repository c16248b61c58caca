/* SPDX-License-Identifier: MIT */
/*
 * sender_id.h - what a sender is called: 1 to LA_SENDER_MAX - 1 letters, digits, '.', '_' and '-'.
 *
 * A record is known by its sender and its number. Two senders of one id are one to the server: it
 * would take the records of the one for repeats of the other's.
 */
#ifndef LAI_BASE_SENDER_ID_H
#define LAI_BASE_SENDER_ID_H

#include "base/slice.h"

#include <lastack/spool.h>

#include <stdint.h>

/* Whether it can be an id. */
bool lai_sender_id_is(struct lai_slice text);

/* Makes a new one in id, which has LA_SENDER_MAX bytes. seed: the simulator's, the same gives the
   same; 0: by the system's random numbers. 0, or the negative errno of lai_entropy(). */
int lai_sender_id_make(char *id, uint64_t seed);

#endif
