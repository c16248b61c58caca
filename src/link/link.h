/* SPDX-License-Identifier: MIT */
/*
 * link.h - connections in succession, without a system call in it: endpoints, backoff, replay.
 *
 *   idle -> resolving -> connecting -> [login ->] up <-> stalled -> closing -> waiting -> resolving ...
 *                                                                              any -> done
 *
 * The driver (src/drive) feeds events with the time, then carries out every action that
 * lai_link_next() gives, in order; carrying one out may bring the next event.
 */
#ifndef LAI_LINK_LINK_H
#define LAI_LINK_LINK_H

#include "conn/conn.h"
#include "link/backoff.h"
#include "link/cargo.h"
#include "link/race.h"

enum lai_link_action_kind {
	LAI_LINK_RESOLVE,	 /* endpoint: lai_link_on_resolved() */
	LAI_LINK_RESOLVE_CANCEL, /* its answer is not wanted any more */
	LAI_LINK_CONNECT,	 /* attempt, address: lai_link_on_attempt() */
	LAI_LINK_DISCARD,	 /* attempt: close its socket, RST if it is connected */
	LAI_LINK_CONN,		 /* conn: what the connection asks for, a set of LAI_CONN_* */
};

struct lai_link_action {
	enum lai_link_action_kind kind;
	int attempt;
	unsigned conn;
	const struct lai_endpoint *endpoint;
	struct lai_address address;
};

/* A race can be discarded and a connection ended between two takes: 16 + 16 + 8, rounded up. */
#define LAI_LINK_ACTIONS_MAX 64

/* Longest sentence of TLS that is kept, with its NUL. */
#define LAI_LINK_WHY_MAX 256

struct lai_link {
	struct la_link_config config;	/* its pointers are the owner's */
	struct lai_endpoint *endpoints; /* the owner's */
	size_t endpoint_count;
	size_t endpoint;	 /* the one in use */
	size_t endpoints_failed; /* in this round through the list */
	struct lai_random random;
	struct lai_backoff backoff;
	struct lai_backoff rejected; /* its own, longer schedule: a refused login is no accident */
	uint64_t up_ns; /* since when the present connection is of use; LA_NEVER: not yet */
	struct lai_cargo cargo;
	struct lai_race race;
	int family; /* of the local address, which only reaches its like; AF_UNSPEC: any */
	struct lai_conn conn; /* meaningful while connected */
	bool connected;
	bool finishing;
	unsigned
		stretch; /* proof CONSUMED: read_ns is doubled so often, for a peer that reads slowly */
	bool aborted; /* whatever this connection's cause of death, it is the last */
	enum la_link_state state;
	uint64_t deadline_ns; /* of the state; LA_NEVER: it has none of its own */
	uint64_t finish_by_ns;
	uint64_t apart_since_ns; /* since when there is no connection; LA_NEVER: there is one */
	struct la_report report; /* of the attempt under way, or the last end */
	struct la_report silent_report; /* a silent death not explained yet; serial 0: none */
	enum la_cause attempt_cause;	/* first failure within the race */
	char why[LAI_LINK_WHY_MAX];	/* TLS failed in this attempt: a sentence; "": it did not */
	int attempt_error;
	struct lai_address last_good;
	struct lai_link_action actions[LAI_LINK_ACTIONS_MAX];
	unsigned action_head, action_count;
};

/* endpoints: at least one, all of one scheme, outliving the link. 0 or -ENOMEM. */
int lai_link_init(struct lai_link *link, const struct la_link_config *config,
		  struct lai_endpoint *endpoints, size_t count);
/* The same, for a wire with receipts. sender: as for lai_courier_new(). */
int lai_link_init_dialogue(struct lai_link *link, const struct la_link_config *config,
			   struct lai_endpoint *endpoints, size_t count,
			   const struct lai_courier_config *courier, const char *sender);
void lai_link_done(struct lai_link *link);

/* The next action to carry out; false: none. */
bool lai_link_next(struct lai_link *link, struct lai_link_action *action);

/* Events. */
void lai_link_start(struct lai_link *link, uint64_t now_ns);
void lai_link_on_resolved(struct lai_link *link, const struct lai_address *addresses,
			  int count_or_error, uint64_t now_ns);
/* error: 0, then the socket's own names are given; or a positive errno value. */
void lai_link_on_attempt(struct lai_link *link, int attempt, int error,
			 const struct lai_address *local, const struct lai_address *remote,
			 uint64_t now_ns);
/* Before on_attempt() or on_error() says that TLS failed: what exactly, for the report's event. NULL
   or "": nothing is known. */
void lai_link_note_why(struct lai_link *link, const char *why);
void lai_link_on_written(struct lai_link *link, size_t size, uint64_t now_ns);
void lai_link_on_received(struct lai_link *link, const void *data, size_t size, uint64_t now_ns);
void lai_link_on_fin(struct lai_link *link, uint64_t now_ns);
void lai_link_on_error(struct lai_link *link, int error, uint64_t now_ns);
void lai_link_on_view(struct lai_link *link, const struct lai_view *view, uint64_t now_ns);
void lai_link_on_why_silent(struct lai_link *link, int error, uint64_t now_ns);
void lai_link_on_rest_read(struct lai_link *link, uint64_t now_ns);
void lai_link_on_resumed(struct lai_link *link, uint64_t now_ns);
void lai_link_on_timer(struct lai_link *link, uint64_t now_ns);

/* Wishes. */
void lai_link_finish(struct lai_link *link, uint64_t finish_by_ns, uint64_t now_ns);
void lai_link_abort(struct lai_link *link, uint64_t now_ns);
/* Ends this connection properly and goes on with another: proof CONSUMED for what was sent. */
void lai_link_checkpoint(struct lai_link *link, uint64_t now_ns);
/* The input found little or no room: news of what was acknowledged, or a checkpoint, makes some. */
void lai_link_crowd(struct lai_link *link, uint64_t now_ns);

/* What may be written now; 0: nothing. wants_write: whether there is something. */
int lai_link_to_send(struct lai_link *link, struct iovec iov[2], uint64_t now_ns);
bool lai_link_wants_write(const struct lai_link *link, uint64_t now_ns);
uint64_t lai_link_deadline(const struct lai_link *link);

/* Whether the transition table allows it. */
bool lai_link_allows(enum la_link_state from, enum la_link_state to);

#endif
