/* SPDX-License-Identifier: MIT */
/*
 * race.h - Happy Eyeballs (RFC 8305): which of a name's addresses is tried when.
 *
 * The families alternate, beginning with the resolver's first; a new attempt starts when the last
 * one has failed, or 250 ms after it began. The first connection wins and the others are closed.
 */
#ifndef LAI_LINK_RACE_H
#define LAI_LINK_RACE_H

#include "base/address.h"
#include "base/time.h"

/* RFC 8305, section 5: Connection Attempt Delay, 250 ms recommended. */
#define LAI_RACE_STAGGER_NS (250 * LAI_MS)

struct lai_race {
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	int count;   /* of addresses */
	int started; /* of these, tried or being tried; they start in order */
	int failed;
	bool running[LAI_ADDRESSES_MAX];
	uint64_t next_ns; /* when the next one starts, if none succeeds before */
};

/* Takes the resolver's addresses, in its order. */
void lai_race_init(struct lai_race *race, const struct lai_address *addresses, int count,
		   uint64_t now_ns);

/* Puts the address that worked last time first, if it is among them. */
void lai_race_prefer(struct lai_race *race, const struct lai_address *address);

/* The attempt to start now, or -1. It is running from then on. */
int lai_race_next(struct lai_race *race, uint64_t now_ns);

/* This attempt has failed: the next one starts at once. */
void lai_race_failed(struct lai_race *race, int attempt, uint64_t now_ns);

bool lai_race_lost(const struct lai_race *race); /* every address has failed */
uint64_t lai_race_deadline(const struct lai_race *race);

#endif
