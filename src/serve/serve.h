/* SPDX-License-Identifier: MIT */
/*
 * serve.h - many accepted connections: how many at once, how many in all, how fast, and the sums.
 *
 * The sessions themselves are their owner's; this decides when the next one may come and when it is
 * over, and adds up what the ended ones tell.
 */
#ifndef LAI_SERVE_SERVE_H
#define LAI_SERVE_SERVE_H

#include "serve/rate.h"
#include "serve/session.h"

struct lai_serve_limits {
	uint32_t open_max;    /* connections at once, > 0; more wait in the backlog */
	uint64_t accept_max;  /* connections in all; UINT64_MAX: for ever */
	uint64_t bytes_per_s; /* over all connections; 0: no limit */
	uint64_t retry_ns;    /* after a failed accept() */
};

struct lai_serve_totals {
	uint64_t connections; /* accepted */
	uint64_t proper;      /* ended with the peer's FIN, everything stored */
	uint64_t refused;     /* for a record that was too long */
	uint64_t received_bytes;
	uint64_t stored_bytes; /* with the newlines that kept tails were given */
	uint64_t records;
	uint64_t kept_tails;
	uint64_t dropped_tails, dropped_tail_bytes;
	uint64_t not_stored; /* of which bytes were thrown away, but for the refused ones */
	uint64_t discarded_bytes;
};

struct lai_serve {
	struct lai_serve_limits limits;
	struct lai_rate rate;
	struct lai_serve_totals totals; /* of ended sessions, but for .connections */
	uint32_t open;
	bool stopping;
	uint64_t finish_by_ns;	  /* of the stop */
	uint64_t accept_again_ns; /* after a failed accept(); 0: at once */
};

void lai_serve_init(struct lai_serve *serve, const struct lai_serve_limits *limits,
		    uint64_t now_ns);

/* Whether accept() may be called. When it may again: lai_serve_deadline(), or after an end. */
bool lai_serve_may_accept(const struct lai_serve *serve, uint64_t now_ns);
/* Whether no connection will ever be accepted again: the listener can go. */
bool lai_serve_has_enough(const struct lai_serve *serve);

/* How many bytes one session may take of the rate at once, so that each gets its share; 0: none
 * now. */
size_t lai_serve_share(struct lai_serve *serve, uint64_t now_ns);

/* A connection was accepted and has become a session. */
void lai_serve_on_accepted(struct lai_serve *serve);
/* accept() failed for want of descriptors or memory: not again at once. */
void lai_serve_on_exhausted(struct lai_serve *serve, uint64_t now_ns);
/* accept() found nobody. */
void lai_serve_on_nobody(struct lai_serve *serve);
/* A session is over. */
void lai_serve_on_ended(struct lai_serve *serve, const struct lai_session *session);

/* Adds what an open session has brought so far to *totals. */
void lai_serve_add(struct lai_serve_totals *totals, const struct lai_session *session);

uint64_t lai_serve_deadline(const struct lai_serve *serve);

/* Accept nothing more; the sessions are to be finished by then. The first call counts. */
void lai_serve_stop(struct lai_serve *serve, uint64_t finish_by_ns);

/* Nothing is open and nothing will be. */
bool lai_serve_over(const struct lai_serve *serve);
/* Of a fixed number of connections, not all ended with the peer's FIN. */
bool lai_serve_missed(const struct lai_serve *serve);

#endif
