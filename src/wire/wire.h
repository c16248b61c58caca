/* SPDX-License-Identifier: MIT */
/*
 * wire.h - where records begin and end in a stream of bytes. One struct per protocol, chosen by
 * the URL's scheme. Pure functions over a ring.
 */
#ifndef LAI_WIRE_WIRE_H
#define LAI_WIRE_WIRE_H

#include "base/ring.h"

struct lai_wire {
	const char *scheme; /* "tcp" */
	const char *what;   /* "raw bytes": for texts */
	bool has_records;
	/* A dialogue with logins and receipts (stomp.h) and no plain stream: the functions below are
	   NULL, and records are kept one by one. */
	bool has_receipts;
	/*
	 * The last record boundary in (from, to], given that from is one: everything before it is
	 * whole records. from itself if no record ends there.
	 */
	uint64_t (*last_boundary)(const struct lai_ring *ring, uint64_t from, uint64_t to);
	/* The first record boundary in (from, to], LAI_RING_NONE if none. */
	uint64_t (*next_boundary)(const struct lai_ring *ring, uint64_t from, uint64_t to);
	/* Number of records that end in (from, to]. */
	uint64_t (*count)(const struct lai_ring *ring, uint64_t from, uint64_t to);
	/* What turns an unfinished record at the end of the input into a whole one; ""
	   for nothing. */
	const char *terminator;
};

extern const struct lai_wire lai_wire_raw;   /* tcp://: bytes without bounds */
extern const struct lai_wire lai_wire_lines; /* lines://: records end in newline */

extern const struct lai_wire lai_wire_stomp; /* stomp://: frames, each record confirmed */

/* By scheme; NULL if there is no such protocol. *tls: whether the scheme wraps it in TLS. */
const struct lai_wire *lai_wire_find(const char *scheme, bool *tls);

/* For error messages. */
#define LAI_WIRE_SCHEMES                                                                           \
	"tcp://HOST:PORT (raw bytes), lines://HOST:PORT (records ending in newline), "             \
	"stomp://[USER@]HOST:PORT/DESTINATION (records with receipts), and with TLS tls:// "       \
	"(raw bytes) and stomps://"

#endif
