/* SPDX-License-Identifier: MIT */
/* show_socket_summary.h - how many sockets are in which state, in all and by process. */
#ifndef LAI_SHOW_SOCKET_SUMMARY_H
#define LAI_SHOW_SOCKET_SUMMARY_H

#include "show/show_socket.h"

/* Counts of one process, or of what no process holds. */
struct lai_summary_row {
	const struct lai_process *process; /* NULL: of an ownership, or all */
	enum lai_ownership ownership;	   /* without a process; LAI_OWNERSHIP_COUNT: all */
	uint32_t sockets;		   /* each once, however many descriptors it has */
	uint32_t by_state[LAI_TCP_COUNT];  /* both kinds of SYN_RECV under LAI_TCP_SYN_RECV */
	uint32_t unaccepted;		   /* wait for the accept() of this process */
};

/* A socket that several processes hold is counted by each of them, and once in all. */
struct lai_summary {
	struct lai_summary_row all;
	struct lai_summary_row *rows; /* processes, most sockets first; then ownerships */
	size_t row_count;
};

/* Counts the sockets with these indices. 0: for lai_summary_done(), the snapshot must outlive it;
   -ENOMEM. */
int lai_summary_init(struct lai_summary *summary, const struct lai_snapshot *snapshot,
		     const uint32_t *sockets, size_t count);
void lai_summary_done(struct lai_summary *summary);

/*
 * The first row is of all. A table has only what occurs: the columns of states that are not all 0,
 * the most frequent first. TSV has all of them, in an order of its own.
 */
void lai_show_summary(struct lai_text *text, const struct lai_summary *summary,
		      enum lai_columns_form form, bool headed, size_t width_max);

/* Members of an object that the caller has begun: sockets, states, processes, others. */
void lai_show_summary_json(struct lai_json *json, const struct lai_summary *summary);

#endif
