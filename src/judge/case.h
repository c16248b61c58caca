/* SPDX-License-Identifier: MIT */
/*
 * case.h - the files of a court: one snapshot with its indices, and one suspect with all that is
 * known about it.
 */
#ifndef LAI_JUDGE_CASE_H
#define LAI_JUDGE_CASE_H

#include "judge/age.h"
#include "judge/attention.h"
#include "judge/growth.h"
#include "judge/leg.h"
#include "judge/pair.h"

/* What was decided about one suspect. Zero with verdict LAI_VERDICT_COUNT: nothing. */
struct lai_ruling {
	enum lai_verdict verdict;
	enum lai_confidence confidence;
	pid_t pid;	/* whose fault */
	uint8_t reason; /* which of its signs the rule saw; each rule has its own enum */
	uint32_t other; /* a socket that explains it: the other leg; or LAI_NO_INDEX */
	uint32_t clue;	/* a thread, a watch or a stash, as the rule says; or LAI_NO_INDEX */
};

struct lai_case;

/* Everything that rules may ask, made once per lai_judge(). */
struct lai_court {
	const struct lai_snapshot *now, *before; /* before may be NULL */
	uint64_t interval_ms;			 /* between them; 0 without before */
	bool covered; /* no process hid its descriptors: what no table shows is in none */
	struct lai_roll roll, roll_before; /* the second only with before */
	struct lai_listeners listeners;
	uint32_t *suspects; /* indices of sockets, in an order that is theirs and not the dump's */
	size_t suspect_count;
	struct lai_growth growth;
	struct lai_attentions attentions;
	struct lai_pairs *pairs; /* of the suspects */
	struct lai_legs legs;
	struct lai_table stashes;   /* of now->stashes, those with an inode */
	struct lai_case *cases;	    /* of the suspects, each opened once */
	struct lai_ruling *rulings; /* of the suspects; filled as they are judged */
	uint32_t *asking; /* of each process: its requests elsewhere that wait for an answer */
	/* The last answer of lai_court_acceptor(), as neighbours ask the same. */
	uint32_t acceptor_of;
	pid_t acceptor;
};

/* One suspect. */
struct lai_case {
	struct lai_court *court;
	uint32_t place; /* among the suspects */
	uint32_t index; /* of the socket */
	const struct lai_socket_fact *socket;
	const struct lai_socket_fact *earlier; /* the same, before; NULL: unknown or not there */
	const struct lai_holder *holders;
	uint32_t holder_count;
	uint32_t process_count; /* different ones that hold it */
	pid_t pid;		/* lai_first_pid() */
	enum lai_role role;
	enum lai_age_kind age_kind;
	uint64_t age_ms; /* 0 if unknown */
	const struct lai_sign *exact, *whole;
	/* Of CLOSE_WAIT and FIN_WAIT2 with one process; otherwise LAI_ATTENTION_UNSEEN and NULL. */
	enum lai_attention attention;
	const struct lai_watch *watch;
};

/* 0 or -ENOMEM; court is then as zeroes. */
int lai_court_init(struct lai_court *court, const struct lai_snapshot *now,
		   const struct lai_snapshot *before);
void lai_court_done(struct lai_court *court);

const struct lai_case *lai_court_case(const struct lai_court *court, uint32_t place);

/* Unknown ages count as old: what cannot be seen to be young is looked at. */
bool lai_case_is_older(const struct lai_case *own, uint64_t bound_ms);
/* A CLOSE_WAIT that a healthy program may have. */
bool lai_case_is_young(const struct lai_case *own);
/* Seen twice, and its like have become more. */
bool lai_case_grows(const struct lai_case *own);

/* It is known not to be older than an answer may take. */
bool lai_case_is_recent(const struct lai_case *own);
/* The other end is here, half-closed and held, and its program waits for data: for the answer. */
bool lai_case_peer_waits(const struct lai_case *own);
/* The other end is here and held, and its program has data from us that it has not read yet. */
bool lai_case_peer_is_slow(const struct lai_case *own);
/* Threads of the holder that may be at work for a connection: not in an event loop, not in accept(),
   not stopped; busy: not waiting for a lock either, which may be a queue of jobs. */
uint32_t lai_case_workers(const struct lai_case *own, bool busy);
/* Requests that its process has sent to others within LAI_ANSWER_MS and that are not answered yet. */
uint32_t lai_case_asking(const struct lai_case *own);
/* A client's connection that was closed by the server, with nothing of weight unread. */
bool lai_case_is_idle_client(const struct lai_case *own);

/* Data was written to it within LAI_ANSWER_MS, and nothing has come back since. */
bool lai_is_asking(const struct lai_socket_fact *socket, enum lai_role role);

/* Of the holders of this listener the one that accepts from it, or should: acceptor.c. 0: none. */
pid_t lai_court_acceptor(struct lai_court *court, uint32_t listener);

/* Without the FIN. */
uint64_t lai_unread_bytes(const struct lai_socket_fact *socket);
/* What the program has read so far, without the FIN; 0 if not known. */
uint64_t lai_read_bytes(const struct lai_socket_fact *socket);
/* The program has read something since the earlier snapshot. */
bool lai_case_reads_on(const struct lai_case *own);

/* The stash with this inode, or NULL. */
const struct lai_stash *lai_court_stash(const struct lai_court *court, uint64_t inode);

/* The index of the other end, LAI_NO_INDEX: not in the snapshot. */
uint32_t lai_case_peer(const struct lai_case *own);
/* The ruling on another socket; NULL: it is no suspect, or not judged yet. */
const struct lai_ruling *lai_court_ruling(const struct lai_court *court, uint32_t socket);

#endif
