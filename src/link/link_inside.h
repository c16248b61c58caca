/* SPDX-License-Identifier: MIT */
/* link_inside.h - what the files of a link share: states, actions, and the passage between attempts
 * and connection. */
#ifndef LAI_LINK_LINK_INSIDE_H
#define LAI_LINK_LINK_INSIDE_H

#include "link/link.h"

/* link_state.c: the setter; what the owner is told; what the driver is asked. */
void lai_link_set_state(struct lai_link *link, enum la_link_state state, uint64_t deadline_ns,
			uint64_t now_ns);
void lai_link_emit(struct lai_link *link, const struct la_event *event);
void lai_link_emit_report(struct lai_link *link, const struct la_report *report,
			  enum la_event_kind kind, uint64_t now_ns);
struct lai_link_action *lai_link_ask(struct lai_link *link, enum lai_link_action_kind kind);

/* link_attempt.c: the next attempt, at once or after the back-off; the end of a race. */
void lai_link_begin_attempt(struct lai_link *link, uint64_t now_ns);
/* The attempt under way ends and leaves its report; what comes next is the caller's business. */
void lai_link_end_attempt(struct lai_link *link, enum la_cause cause, int error, uint64_t now_ns);
void lai_link_attempt_failed(struct lai_link *link, enum la_cause cause, int error,
			     uint64_t now_ns);
/* The next server of the list at once; at the round's end the back-off. */
void lai_link_next_server(struct lai_link *link, uint64_t now_ns);
void lai_link_run_race(struct lai_link *link, uint64_t now_ns);
void lai_link_discard_race(struct lai_link *link, int but);
void lai_link_wait_or_give_up(struct lai_link *link, uint64_t now_ns);
/* What a new attempt tells about a peer that fell silent; ALIVE: it connected. */
void lai_link_explain_silence(struct lai_link *link, enum la_cause cause, uint64_t now_ns);

/* link_connection.c: the race is won; the connection's deadline has come. */
void lai_link_connection_won(struct lai_link *link, int attempt, const struct lai_address *local,
			     const struct lai_address *remote, uint64_t now_ns);
void lai_link_connection_timer(struct lai_link *link, uint64_t now_ns);
uint64_t lai_link_connection_deadline(const struct lai_link *link);
/* After every event of the courier: what its state means for the connection. */
void lai_link_follow_courier(struct lai_link *link, uint64_t now_ns);
/* A connection that drains has to be told when there is nothing left to write. */
void lai_link_check_queue(struct lai_link *link, uint64_t now_ns);

/* link.c: DONE; whatever was not delivered is given up. */
void lai_link_end(struct lai_link *link, uint64_t now_ns);
/* Finishing, and everything accepted is delivered. */
bool lai_link_nothing_left(const struct lai_link *link);

#endif
