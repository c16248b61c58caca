/* SPDX-License-Identifier: MIT */
/*
 * mend.h - ends another program's connection, in three grades of force.
 *
 *	keepalive  arms SO_KEEPALIVE on the foreign descriptor: the kernel finds a dead peer
 *	fin        shutdown(SHUT_RDWR) on it: FIN, unread data stays readable, the owner is woken
 *	rst        SOCK_DESTROY: RST, at once; works also where nobody holds a descriptor
 *
 * The target was chosen from a snapshot, and the host has moved on since. So each grade first takes
 * hold of what it will act upon (a pidfd, a duplicate of the descriptor), then compares it with the
 * target (start time, inode, cookie, addresses, state), and acts on what it holds: whatever is
 * recycled in between, another socket is never touched. The kernel compares the cookie for rst.
 *
 * What the grades do on the wire, to unread data and to the owner: lastack-close(1), measured by
 * tests/close/grades_test.c.
 */
#ifndef LAI_MEND_MEND_H
#define LAI_MEND_MEND_H

#include "observe/facts.h"

enum lai_mend_how {
	LAI_MEND_KEEPALIVE, /* needs PTRACE_MODE_ATTACH on the owner, as fin does */
	LAI_MEND_FIN,
	LAI_MEND_RST, /* needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for another network namespace */
	LAI_MEND_COUNT
};

enum lai_mend_outcome {
	LAI_MENDED,	  /* done */
	LAI_MEND_GONE,	  /* process, descriptor or connection is no more, or it has begun to end
				by itself: nothing to do */
	LAI_MEND_CHANGED, /* the descriptor or the state is another by now, or the socket is there
				and cannot be reached by it: not touched */
	LAI_MEND_DENIED,  /* not permitted; error tells which errno */
	LAI_MEND_IMPOSSIBLE, /* this kernel cannot, or lai_mend_possible() says no */
	LAI_MEND_FAILED,     /* another error */
	LAI_MEND_OUTCOME_COUNT
};

struct lai_mend_target {
	struct lai_socket_fact socket;	 /* as the snapshot had it */
	struct lai_namespace name_space; /* for rst: its inode, and how it is entered */
	pid_t pid;			 /* a holder; 0: none, only rst is possible */
	uint64_t start_ticks;		 /* of that process */
	int32_t fd;
};

struct lai_mend_result {
	enum lai_mend_outcome outcome;
	int error; /* a negative errno, 0 if none */
	/* What the kernel said right after the deed: LAI_TCP_CLOSE means that it is in none of its
	   tables any more. LAI_TCP_NONE unless mended. */
	enum lai_tcp_state state;
};

/*
 * A silent peer is found after idle_s, counted from its last sign of life, plus probes times
 * interval_s. A socket that has keepalive armed already, and as quick as this, is left as it is.
 * The kernel takes 1 to 32767 s and 1 to 127 probes.
 */
struct lai_mend_keepalive {
	uint32_t idle_s, interval_s, probes;
};

/* 10 s, 5 s, 4 probes: found 30 s after its last sign of life, or 20 s from now. */
extern const struct lai_mend_keepalive lai_mend_keepalive_default;

/*
 * What is kept between targets: the pidfd of the last one's process and its start time's check, the
 * netlink socket of the last one's namespace. So give targets of one process in a row. The
 * descriptor itself is identified anew each time.
 */
struct lai_mend_session;

int lai_mend_session_new(struct lai_mend_session **session);  /* -ENOMEM */
void lai_mend_session_free(struct lai_mend_session *session); /* NULL is fine */

/*
 * Acts once on one target. keepalive may be NULL: the default, or another grade.
 *
 * While it compares and acts (some 20 us) it holds a second reference to the socket. If the owner
 * closes its own meanwhile, the kernel's close happens when ours is given up, and does the same: a
 * FIN, or RST if there is unread data; with SO_LINGER it may block us for as long as it says.
 */
struct lai_mend_result lai_mend_in(struct lai_mend_session *session,
				   const struct lai_mend_target *target, enum lai_mend_how how,
				   const struct lai_mend_keepalive *keepalive);

/* The same in a session of its own. */
struct lai_mend_result lai_mend(const struct lai_mend_target *target, enum lai_mend_how how,
				const struct lai_mend_keepalive *keepalive);

/*
 * Can this grade do anything for a socket like this one? NULL: yes. Otherwise a clause that says
 * why not: "nobody holds a descriptor of it". Pure. held: a process has a descriptor of it.
 */
const char *lai_mend_possible(const struct lai_socket_fact *socket, bool held,
			      enum lai_mend_how how);

/* The names that users write: "keepalive", "fin", "rst". */
extern const char *const lai_mend_names[LAI_MEND_COUNT + 1];	  /* NULL at the end */
const char *lai_mend_outcome_name(enum lai_mend_outcome outcome); /* "mended", "gone", ... */

#endif
