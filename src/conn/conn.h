/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connection's life and end, without a system call in it.
 *
 * Events come in with the time; they change state and ask for actions. Actions go out as a set of
 * bits; carrying them out changes no state, only what they bring back does, as the next event. The
 * next deadline goes out as a value. The closing ladder, of which every policy is a part:
 *
 *   drain what is queued -> wait for the ACK -> FIN -> read to the peer's FIN -> close()
 */
#ifndef LAI_CONN_CONN_H
#define LAI_CONN_CONN_H

#include "conn/half.h"
#include "conn/pulse.h"

#include <lastack/link.h>

/* What the owner of the socket is asked to do. Each is asked once and taken by lai_conn_take(). */
enum {
	LAI_CONN_LOOK = 1,	 /* take a view of the kernel's numbers: lai_conn_on_view() */
	LAI_CONN_WHY_SILENT = 2, /* is there still a way to the peer: lai_conn_on_why_silent() */
	LAI_CONN_READ_REST = 4,	 /* read what is there, without waiting: lai_conn_on_rest_read() */
	LAI_CONN_HURRY = 8,	 /* have the kernel probe the idle peer at once */
	LAI_CONN_CALM = 16,	 /* it answered: probe at the usual pace again */
	LAI_CONN_SEND_FIN = 32,	 /* shutdown(SHUT_WR) */
	/* One of these three ends it. No event may follow. */
	LAI_CONN_CLOSE = 64,   /* close(): nothing is left to be destroyed by it */
	LAI_CONN_LINGER = 128, /* SO_LINGER{1,n} and close(), as the policy asked */
	/* SO_LINGER{1,0} and close(): the kernel must forget what is queued */
	LAI_CONN_ABORT = 256,
};

struct lai_conn_limits {
	uint64_t dead_ns, stall_ns, read_ns;
	enum la_close_policy close_policy;
	enum la_peer_fin_policy on_peer_fin;
	enum la_stall_policy on_stall;
};

struct lai_conn {
	struct lai_conn_limits limits;
	struct lai_half send, recv;
	struct lai_pulse pulse;
	struct la_report report; /* complete once lai_conn_over() */
	unsigned actions;
	bool stalled;
	bool aborting;	       /* it must end by RST */
	bool lingering;	       /* it must end by SO_LINGER, as the policy asked */
	bool fin_answers_ours; /* the peer's FIN came after ours */
	uint64_t stalled_since_ns;
	uint64_t finish_by_ns; /* for draining and await-ack */
	uint64_t look_ns, look_every_ns;
	/* the peer has been told that nothing follows, and is to send its FIN first; LA_NEVER: not */
	uint64_t fin_expected_by_ns;
	bool waking; /* the host has slept, and the peer was not heard since woken_ns */
	uint64_t woken_ns;
};

/* report holds what is already known of the attempt: serial, addresses, began_ns. */
void lai_conn_init(struct lai_conn *conn, const struct lai_conn_limits *limits,
		   const struct la_report *report, uint64_t now_ns);

/* Events. */
void lai_conn_on_written(struct lai_conn *conn, size_t size, uint64_t now_ns);
void lai_conn_on_queue_empty(struct lai_conn *conn, uint64_t now_ns); /* nothing left to write */
void lai_conn_on_received(struct lai_conn *conn, const void *data, size_t size, uint64_t now_ns);
void lai_conn_on_fin(struct lai_conn *conn, uint64_t now_ns);
/* Take a view first: what it says of acknowledged bytes is final. error: positive errno value. */
void lai_conn_on_error(struct lai_conn *conn, int error, uint64_t now_ns);
void lai_conn_on_view(struct lai_conn *conn, const struct lai_view *view, uint64_t now_ns);
void lai_conn_on_why_silent(struct lai_conn *conn, int error,
			    uint64_t now_ns); /* 0: there is a way */
void lai_conn_on_rest_read(struct lai_conn *conn, uint64_t now_ns);
void lai_conn_on_resumed(struct lai_conn *conn, uint64_t now_ns); /* the host slept */
void lai_conn_on_timer(struct lai_conn *conn, uint64_t now_ns);

/* Wishes. Finish: write what is queued, then close by the policy, draining no later than
 * finish_by_ns. */
void lai_conn_finish(struct lai_conn *conn, uint64_t finish_by_ns, uint64_t now_ns);
void lai_conn_abort(struct lai_conn *conn, uint64_t now_ns);
/* Nothing more will be written, and a protocol has told the peer so: its FIN is awaited, so that it
   is the one to sit in TIME_WAIT; by by_ns we go first. */
void lai_conn_expect_fin(struct lai_conn *conn, uint64_t by_ns, uint64_t now_ns);
/* A protocol knows why this connection is of no more use; the end itself is still to come. */
void lai_conn_blame(struct lai_conn *conn, enum la_cause cause, uint64_t now_ns);
/* The same, and it ends now, by RST. */
void lai_conn_give_up(struct lai_conn *conn, enum la_cause cause, uint64_t now_ns);

/* Whether bytes may be written now. */
bool lai_conn_may_write(const struct lai_conn *conn);

/* Takes the actions asked for since the last call. */
unsigned lai_conn_take(struct lai_conn *conn);
uint64_t lai_conn_deadline(const struct lai_conn *conn);
bool lai_conn_over(const struct lai_conn *conn);

#endif
