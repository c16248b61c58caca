/* SPDX-License-Identifier: MIT */
/*
 * world.h - one plan, carried out on the simulator, with the invariants checked after every step.
 *
 *   begin -> step, step, ... -> the link is DONE -> settle: healed, servers read the rest -> end
 *
 * A step: faults and work that are due, then one wait of the link's driver and one
 * la_link_dispatch(). The first invariant that is broken ends the run.
 */
#ifndef T_WORLD_H
#define T_WORLD_H

#include "peer.h"
#include "plan.h"

#include "drive/la_link.h"

/* X(enumerator, name, sentence) */
#define T_INVARIANTS(X)                                                                            \
	X(SOUND, "I0", "no assertion of the code fails, and the same seed gives the same run")     \
	X(SUM, "I1", "accepted = delivered + waiting + dropped + abandoned, within the buffer")    \
	X(WHOLE, "I2",                                                                             \
	  "servers read whole records in order; replay is exact, repeats are reported")            \
	X(PROOF, "I3",                                                                             \
	  "delivered bytes have reached their proof, and no more is lost than reported")           \
	X(SOCKETS, "I4", "one socket at most, none after the end, none for long in CLOSE_WAIT")    \
	X(TIMERS, "I5", "every state has a deadline or needs none, and nothing spins")             \
	X(BACKOFF, "I6", "no attempt before its back-off is over")                                 \
	X(CAUSES, "I7",                                                                            \
	  "every end is found in time and has one cause, the first, and a fault behind it")        \
	X(PROGRESS, "I8", "once the world is healed, everything is delivered and the link ends")   \
	X(SLOW, "I9", "a peer whose kernel answers is never called dead")

enum t_invariant {
#define X(id, name, sentence) T_##id,
	T_INVARIANTS(X)
#undef X
	T_INVARIANT_COUNT
};

const char *t_invariant_name(enum t_invariant invariant);
const char *t_invariant_sentence(enum t_invariant invariant);

enum t_fault_phase { T_FAULT_AHEAD, T_FAULT_ON, T_FAULT_OVER };

/* What the checks remember from step to step. Times are the client's clock. */
struct t_watch {
	uint64_t last_ns;
	unsigned same_time_steps;
	enum la_link_state state;
	uint64_t state_since_ns;
	uint64_t serial;	   /* of the last report */
	uint64_t delivered_before; /* when the present connection began */
	bool connected;
	enum la_cause cause;	/* latched by the present connection */
	uint64_t busy_since_ns; /* something is outstanding since; LA_NEVER: nothing is */
	uint64_t idle_since_ns;
	uint64_t close_wait_since_ns; /* LA_NEVER: no socket is in CLOSE_WAIT */
	size_t attempts;	      /* checked */
	uint64_t wait_until_ns;	      /* no attempt before */
	bool owes_wait;		      /* no attempt at all before the next LA_EVENT_WAIT */
	uint32_t failures;	      /* since the last stable connection */
	unsigned unclosed;      /* ends by NEVER_CLOSED since the last FINISHED */
	size_t failed_in_a_row;	      /* attempts since the last LA_EVENT_WAIT or connection */
	struct la_report silent;      /* the last silent death */
};

struct t_world {
	const struct t_plan *plan;
	struct la_link_config config; /* with the defaults filled in */
	struct lai_sim *sim;
	struct lai_sim_host *client;
	struct lai_net *net; /* the client's */
	struct la_link *link;
	struct lai_sim_host *hosts[T_SERVERS_MAX];
	struct t_peer peers[T_SERVERS_MAX];
	struct t_data data;
	struct t_ledger ledger;
	enum t_fault_phase phases[T_FAULTS_MAX];
	bool healed;
	/* Work. */
	uint64_t due_bytes, submitted_bytes;
	uint64_t refused_bytes; /* of those submitted */
	uint64_t next_piece_ns; /* LA_NEVER: all is due */
	bool paused, finishing, aborted;
	struct lai_random random;
	/* Judgement. */
	struct t_watch watch;
	enum t_invariant broken; /* T_INVARIANT_COUNT: none */
	char sentence[T_SENTENCE_MAX];
	FILE *log; /* NULL: say nothing */
	/* Counts. */
	uint64_t steps, faults, time_ns;
	uint64_t hash;	 /* of the whole run, once it is over */
	uint64_t causes; /* set of T_CAUSE() of the reports so far */
	uint64_t reports[LA_CAUSE_COUNT];
	struct la_report first; /* the first report; serial 0: none yet */
	uint64_t first_ns;	/* when it came, t_world_time() */
	struct la_report last;	/* the last report of a connection that lived, with its aftermath */
};

/* 0, or a negative errno: the plan cannot be carried out. *world need not be initialised. */
int t_world_begin(struct t_world *world, const struct t_plan *plan, FILE *log);
/* False: the link is DONE, or an invariant is broken. */
bool t_world_step(struct t_world *world);
/* After the link is DONE: heals, lets the servers read, and draws the balance. */
void t_world_settle(struct t_world *world);
void t_world_end(struct t_world *world);

/* All of it; what is left in *world are values. */
int t_world_run(struct t_world *world, const struct t_plan *plan, FILE *log);

uint64_t t_world_time(const struct t_world *world); /* since the beginning */
uint64_t t_world_limit(const struct t_plan *plan);  /* by then the link must be DONE */

/* world_fault.c */
void t_fault_begin(struct t_world *world, const struct t_fault *fault);
void t_fault_end(struct t_world *world, const struct t_fault *fault);
void t_fault_heal(struct t_world *world); /* whatever there was */
int t_fault_names(struct t_world *world); /* the resolver as it should be */

/* world_check.c, world_event.c */
void t_check_begin(struct t_world *world);
void t_check_step(struct t_world *world);
void t_check_event(struct t_world *world, const struct la_event *event);
void t_check_end(struct t_world *world);
__attribute__((format(printf, 3, 4))) void
t_broken(struct t_world *world, enum t_invariant invariant, const char *format, ...);
/* How long a silent peer may go unnoticed: with something outstanding, and idle. */
uint64_t t_check_busy_ns(const struct la_link_config *config);
uint64_t t_check_idle_ns(const struct la_link_config *config);

#endif
