/* SPDX-License-Identifier: MIT */
/*
 * delivery_plan.h - what is to happen in one world of acknowledged delivery: senders with and without
 * a spool, servers with a store each, or a foreign broker; their settings, their work, their faults.
 *
 * A plan is a value, drawn from a seed. Times count from the world's beginning.
 */
#ifndef T_DELIVERY_PLAN_H
#define T_DELIVERY_PLAN_H

#include "base/random.h"
#include "base/time.h"

#include <lastack/link.h>
#include <lastack/server.h>

#include <stdio.h>

#define T_DELIVERY_SENDERS 2u
#define T_DELIVERY_SERVERS 2u
#define T_DELIVERY_FAULTS 24u
#define T_DELIVERY_RECORDS 200u	       /* of one sender */
#define T_DELIVERY_RECORD_BYTES 20000u /* the longest body */
#define T_DELIVERY_URL 48u

/* Power goes at the next moment at which something has become durable, so that what follows from it
   (a receipt, a forgotten record) is on its way already. */
#define T_AT_STORED UINT64_MAX

/*
 * X(enumerator, name, whether it lasts, what it strikes). `value`:
 *   POWER_* 0: now; T_AT_STORED; else: in the n-th disk operation from now
 *   LIE_* 1: and the power goes at its end     FULL_* room in bytes     ERROR_* the n-th operation
 *   LOSS ppm     JITTER ns, reordering         REFUSE_ONE how many receipts come late, of a hundred
 */
#define T_DELIVERY_FAULT_KINDS(X)                                                                  \
	X(KILL_SENDER, "kill-sender", true, SENDER)                                                \
	X(KILL_SERVER, "kill-server", true, SERVER)                                                \
	X(STOP_SENDER, "stop-sender", true, SENDER)                                                \
	X(POWER_SENDER, "power-sender", true, SENDER)                                              \
	X(POWER_SERVER, "power-server", true, SERVER)                                              \
	X(LIE_SENDER, "lie-sender", true, SENDER)                                                  \
	X(LIE_SERVER, "lie-server", true, SERVER)                                                  \
	X(FULL_SENDER, "full-sender", true, SENDER)                                                \
	X(FULL_SERVER, "full-server", true, SERVER)                                                \
	X(ERROR_SENDER, "error-sender", false, SENDER)                                             \
	X(ERROR_SERVER, "error-server", false, SERVER)                                             \
	X(FREEZE_SENDER, "freeze-sender", true, SENDER)                                            \
	X(FREEZE_SERVER, "freeze-server", true, SERVER)                                            \
	X(SUSPEND_SENDER, "suspend-sender", true, SENDER)                                          \
	X(STOP_SERVER, "stop-server", true, SERVER)                                                \
	X(PASSWORD, "password", true, SERVER)                                                      \
	X(HANG_UP, "hang-up", false, SERVER)                                                       \
	X(CUT, "cut", true, PAIR)                                                                  \
	X(HOLE_BACK, "hole-back", true, PAIR)                                                      \
	X(NAT, "nat", false, PAIR)                                                                 \
	X(LOSS, "loss", true, PAIR)                                                                \
	X(JITTER, "jitter", true, PAIR)

enum t_delivery_fault_kind {
#define X(id, name, lasts, strikes) T_DELIVERY_##id,
	T_DELIVERY_FAULT_KINDS(X)
#undef X
		T_DELIVERY_FAULT_COUNT
};

struct t_delivery_fault {
	uint64_t at_ns, duration_ns;
	enum t_delivery_fault_kind kind;
	unsigned sender, server;
	uint64_t value;
};

struct t_delivery_work {
	bool spool;
	unsigned records;   /* in all */
	unsigned piece;	    /* put at once, */
	uint64_t every_ns;  /* so often */
	unsigned sync_of_8; /* how many pieces of eight are followed by la_link_sync() */
	enum la_durability durability;
	uint64_t quota_bytes;
	enum la_full_policy on_full;
};

/* What a foreign broker does; percent of records or frames. */
struct t_delivery_broker_plan {
	unsigned late, twice, never; /* receipts */
	unsigned hang_up;	     /* it closes instead of an answer, without ERROR */
	unsigned poison;	     /* of the records that senders put */
	bool names_record;	     /* its ERROR has a receipt-id */
	uint64_t late_ns;
};

struct t_delivery_plan {
	uint64_t seed;
	unsigned senders, servers;
	unsigned foreign; /* set of servers that are foreign brokers */
	bool users;	  /* logins are checked */
	struct la_link_config link;
	struct la_server_config server;
	struct t_delivery_work work[T_DELIVERY_SENDERS];
	struct t_delivery_broker_plan broker;
	uint64_t latency_ns;
	uint64_t heal_ns; /* all faults are over by then */
	struct t_delivery_fault faults[T_DELIVERY_FAULTS];
	unsigned fault_count;
};

void t_delivery_plan_draw(struct t_delivery_plan *plan, uint64_t seed);

const char *t_delivery_fault_name(enum t_delivery_fault_kind kind);
bool t_delivery_fault_lasts(enum t_delivery_fault_kind kind);

/* As t_plan_print_faults(), t_plan_parse_faults() and t_plan_print() of plan.h. */
void t_delivery_plan_print_faults(const struct t_delivery_plan *plan, FILE *stream);
int t_delivery_plan_parse_faults(struct t_delivery_plan *plan, const char *text);
void t_delivery_plan_print(const struct t_delivery_plan *plan, const char *indent, FILE *stream);

#endif
