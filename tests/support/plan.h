/* SPDX-License-Identifier: MIT */
/*
 * plan.h - everything that is to happen in one simulated world: settings, work, faults.
 *
 * A plan is a value, drawn from a seed or written by a test. The faults are a list, so that the
 * minimiser can leave some out and the rest stays the same. Times count from the world's beginning.
 */
#ifndef T_PLAN_H
#define T_PLAN_H

#include "data.h"

#include "base/random.h"
#include "base/time.h"
#include "io/sim/sim.h"

#include <lastack/link.h>

#define T_SERVERS_MAX 3u
#define T_URLS_MAX 4u
#define T_URL_MAX 64u
#define T_FAULTS_MAX 24u
#define T_PORT 4711u	    /* of every server: nobody else lives in these worlds */
#define T_ALL T_SERVERS_MAX /* t_fault.server: every server */

#define T_CAUSE(name) (1ull << LA_CAUSE_##name)
/* What it looks like when segments do not get through for a while. */
#define T_SILENCE                                                                                  \
	(T_CAUSE(SILENT_IDLE) | T_CAUSE(SILENT_BUSY) | T_CAUSE(CONNECT_TIMEOUT) |                  \
	 T_CAUSE(STALLED) | T_CAUSE(NEVER_CLOSED) | T_CAUSE(RESET_AFTER_SILENCE) |                 \
	 T_CAUSE(DRAIN_TIMEOUT))
/* And when the server's kernel has forgotten the connection, or one like it. */
#define T_FORGOTTEN                                                                                \
	(T_CAUSE(PEER_RESET) | T_CAUSE(RESET_UNREAD) | T_CAUSE(RESET_AFTER_SILENCE) |              \
	 T_CAUSE(CONNECT_REFUSED))

/*
 * X(enumerator, name, whether it lasts, causes that it can bring about). `value` and `extra`:
 *   LOSS ppm; JITTER ns, extra 1: may reorder; SLOW bytes per read, extra ns between reads;
 *   FIREWALL enum lai_sim_firewall; DNS 0 fails, 1 never answers, 2 says another host;
 *   CONNECT errno value, extra: how often; ADDRESS 4 or 6; TALK bytes
 */
#define T_FAULTS(X)                                                                                \
	X(LOSS, "loss", true, T_SILENCE)                                                           \
	X(JITTER, "jitter", true, 0)                                                               \
	X(HOLE, "hole", true, T_SILENCE)                                                           \
	X(HOLE_THERE, "hole-there", true, T_SILENCE)                                               \
	X(HOLE_BACK, "hole-back", true, T_SILENCE)                                                 \
	X(NAT, "nat", false, T_SILENCE | T_FORGOTTEN)                                              \
	X(FIREWALL, "firewall", true,                                                              \
	  T_CAUSE(CONNECT_TIMEOUT) | T_CAUSE(CONNECT_REFUSED) | T_CAUSE(UNREACHABLE))              \
	X(ROUTE, "route", true, T_SILENCE | T_CAUSE(UNREACHABLE) | T_CAUSE(ROUTE_LOST))            \
	X(ADDRESS, "address", true,                                                                \
	  T_SILENCE | T_CAUSE(UNREACHABLE) | T_CAUSE(ADDRESS_LOST) | T_CAUSE(ROUTE_LOST) |         \
		  T_CAUSE(TUPLE_IN_USE))                                                           \
	X(POWER, "power", true, T_SILENCE | T_FORGOTTEN)                                           \
	X(FIN, "fin", false,                                                                       \
	  T_CAUSE(PEER_CLOSED) | T_CAUSE(PEER_RESET) | T_CAUSE(RESET_UNREAD) |                     \
		  T_CAUSE(RESET_AFTER_SILENCE))                                                    \
	X(HALF_CLOSE, "half-close", false, T_CAUSE(PEER_CLOSED))                                   \
	X(RST, "rst", false, T_FORGOTTEN)                                                          \
	X(CRASH, "crash", true, T_FORGOTTEN | T_CAUSE(PEER_CLOSED))                                \
	X(FREEZE, "freeze", true,                                                                  \
	  T_CAUSE(STALLED) | T_CAUSE(NEVER_CLOSED) | T_CAUSE(CONNECT_TIMEOUT))                     \
	X(STOP, "stop-reading", true, T_CAUSE(STALLED) | T_CAUSE(NEVER_CLOSED))                    \
	X(SLOW, "slow", true, T_CAUSE(STALLED) | T_CAUSE(NEVER_CLOSED))                            \
	X(HOLD, "never-closes", true, T_CAUSE(NEVER_CLOSED))                                       \
	X(TALK, "talk", false, 0)                                                                  \
	X(SUSPEND, "suspend", true, T_SILENCE | T_FORGOTTEN | T_CAUSE(LOST_IN_SUSPEND))            \
	X(DNS, "dns", true, T_CAUSE(RESOLVE_FAILED) | T_CAUSE(RESOLVE_TIMEOUT))                    \
	X(CONNECT, "connect", false,                                                               \
	  T_CAUSE(LOCAL_LIMIT) | T_CAUSE(LOCAL_ERROR) | T_CAUSE(DENIED))                           \
	X(NO_NEWS, "no-ack-news", true, 0)

enum t_fault_kind {
#define X(id, name, lasts, causes) T_FAULT_##id,
	T_FAULTS(X)
#undef X
	T_FAULT_COUNT
};

struct t_fault {
	uint64_t at_ns;
	uint64_t duration_ns; /* of those that last; 0: until the world is healed */
	enum t_fault_kind kind;
	unsigned server; /* which, or T_ALL; ignored where it is the client's matter */
	uint64_t value, extra;
};

/* Two series of submissions with a pause between them. */
struct t_work {
	uint64_t bytes; /* in all */
	uint64_t piece_bytes, every_ns;
	uint64_t pause_after_bytes, pause_ns;
	uint32_t flush_ppm; /* how often la_link_flush() is asked for after a piece, */
	uint64_t flush_ns;  /* and for how long it may block: nothing else happens meanwhile */
	bool unterminated;  /* lines: the last newline is left to la_link_finish() */
};

struct t_plan {
	uint64_t seed;
	bool lines;
	struct la_link_config config; /* urls, local_address: set by t_plan_config() */
	char urls[T_URLS_MAX][T_URL_MAX];
	char local_address[T_URL_MAX]; /* "": none */
	unsigned servers;
	bool names; /* "server0" has two addresses, "all" those of every server */
	uint64_t latency_ns;
	uint32_t client_buffer, server_buffer;
	uint16_t ports; /* the client has so few ephemeral ports; 0: as usual */
	bool no_timestamps;
	uint32_t record_max; /* of the data; at most config.record_bytes_max */
	struct t_work work;
	uint64_t finish_ns,
		finish_timeout_ns; /* when all is submitted, but not before; its bound */
	uint64_t abort_ns;	   /* LA_NEVER: no */
	uint64_t heal_ns;	   /* all faults are over by then */
	bool trace;		   /* with a log: every segment too */
	struct t_fault faults[T_FAULTS_MAX];
	unsigned fault_count;
};

/* A quiet world with one server, all settings at their defaults, nothing to do. */
void t_plan_default(struct t_plan *plan);
void t_plan_draw(struct t_plan *plan, uint64_t seed);

/* The settings as la_link_new() wants them; they point into *plan and urls[T_URLS_MAX]. */
struct la_link_config t_plan_config(const struct t_plan *plan, const char *urls[T_URLS_MAX]);

/* The causes of death that this plan's settings and faults can bring about: a set of T_CAUSE(). */
uint64_t t_plan_causes(const struct t_plan *plan);

const char *t_fault_name(enum t_fault_kind kind);
bool t_fault_lasts(enum t_fault_kind kind);

/* The schedule as one word, "1500ms:power:0:3s, ...", and back. 0 or -EINVAL. */
void t_plan_print_faults(const struct t_plan *plan, FILE *stream);
int t_plan_parse_faults(struct t_plan *plan, const char *text);
/* Settings and work, for people, each line beginning with `indent`. */
void t_plan_print(const struct t_plan *plan, const char *indent, FILE *stream);

#endif
