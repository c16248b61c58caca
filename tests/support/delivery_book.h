/* SPDX-License-Identifier: MIT */
/*
 * delivery_book.h - what was promised, and what is there: the user's own book, which knows nothing
 * of spools and stores.
 *
 *      put -> owed (la_link_sync() said so, or the link ended well)   -> found in stores
 *                 \-> excused (a lying drive lost power, ...)          -> buried, if it is poison
 *
 * A record is known by what is in it: "s1.17:" and bytes that follow from the number.
 */
#ifndef T_DELIVERY_BOOK_H
#define T_DELIVERY_BOOK_H

#include "delivery_plan.h"

#include <stddef.h>

/* X(enumerator, name, sentence) */
#define T_DELIVERY_INVARIANTS(X)                                                                   \
	X(SOUND, "D0", "no assertion of the code fails, and the same seed gives the same run")     \
	X(KEPT, "D1", "every record that was promised is in a store, or is a dead letter")         \
	X(ONCE, "D2", "no record is twice in a store of ours")                                     \
	X(TRUE, "D3", "nothing is in a store that was not put, and one id stands for one record")  \
	X(SUM, "D4",                                                                               \
	  "accepted = delivered + waiting + dropped + buried + abandoned, at each step")           \
	X(BURIED, "D5", "what a broker refuses is a dead letter, and nothing else is")             \
	X(TIMERS, "D6", "every state has a deadline or nothing is owed, and nothing spins")        \
	X(SOCKETS, "D7", "one socket at most, and none after the end")                             \
	X(PROGRESS, "D8", "once the world is healed, everything is delivered and all ends")        \
	X(OPENS, "D9", "what an honest disk holds can be opened after any loss of power")

enum t_delivery_invariant {
#define X(id, name, sentence) T_DELIVERY_##id,
	T_DELIVERY_INVARIANTS(X)
#undef X
		T_DELIVERY_INVARIANT_COUNT
};

const char *t_delivery_invariant_name(enum t_delivery_invariant invariant);
const char *t_delivery_invariant_sentence(enum t_delivery_invariant invariant);

enum t_entry_state {
	T_ENTRY_AHEAD,	 /* not put yet */
	T_ENTRY_PUT,	 /* promised to nobody: there or not, but not twice */
	T_ENTRY_OWED,	 /* must be there */
	T_ENTRY_EXCUSED, /* was owed, until a disk lied */
};

#define T_ENTRY_ID 96u

struct t_entry {
	enum t_entry_state state;
	uint64_t owed_since_ns;
	bool poison;
	unsigned buried;		    /* as often */
	unsigned found[T_DELIVERY_SERVERS]; /* in the store of each */
	char id[T_ENTRY_ID];		    /* SENDER-SEQ of the first one found */
};

struct t_book {
	const struct t_delivery_plan *plan;
	struct t_entry entries[T_DELIVERY_SENDERS][T_DELIVERY_RECORDS];
	uint64_t dropped[T_DELIVERY_SENDERS]; /* by quotas, as the totals told: so many may miss */
	unsigned crashes[T_DELIVERY_SENDERS]; /* of the process or its host */
	enum t_delivery_invariant broken;     /* T_DELIVERY_INVARIANT_COUNT: none */
	char sentence[256];
};

void t_book_begin(struct t_book *book, const struct t_delivery_plan *plan);

__attribute__((format(printf, 3, 4))) void
t_book_break(struct t_book *book, enum t_delivery_invariant invariant, const char *format, ...);

/* Writes the body of a record, T_DELIVERY_RECORD_BYTES at most; returns its size. */
size_t t_book_body(const struct t_book *book, unsigned sender, unsigned number, char *body);
/* The record with this body; NULL: nobody has put it. */
struct t_entry *t_book_find(struct t_book *book, const void *body, size_t size);
bool t_book_is_poison(const void *body, size_t size);

/* All that were put by this sender and not promised yet are promised now. */
void t_book_owe(struct t_book *book, unsigned sender, uint64_t now_ns);
/* What this sender was promised since then is so no more. */
void t_book_excuse(struct t_book *book, unsigned sender, uint64_t since_ns);

/* A store has this; id is SENDER-SEQ, without a user. */
void t_book_found(struct t_book *book, unsigned server, const char *id, const void *body,
		  size_t size);
void t_book_buried(struct t_book *book, const void *body, size_t size);
/* Everything has been found that there is. */
void t_book_balance(struct t_book *book);

#endif
