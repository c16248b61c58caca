/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - the names of what can be wrong with a connection's end. One name each, everywhere:
 * here, in JSON, in lastack-verdicts(7), in the reproducers of tests/leaks.
 */
#ifndef LAI_JUDGE_VERDICT_H
#define LAI_JUDGE_VERDICT_H

/* Worst first: the order in which findings are shown. */
enum lai_severity {
	LAI_SEVERITY_LEAK,    /* a program lost track of a descriptor: it will not end by itself */
	LAI_SEVERITY_WARNING, /* it will hurt, now or soon */
	LAI_SEVERITY_INFO,    /* looks odd, is no fault */
	LAI_SEVERITY_COUNT
};

/* id, name, severity, title: what is the case, as a clause about "it", the process. */
#define LAI_VERDICTS(X)                                                                            \
	X(EOF_IGNORED, "eof-ignored", LEAK, "was told that the peer closed, and has not closed")   \
	X(NEVER_ACCEPTED, "never-accepted", LEAK, "connections wait for an accept() in vain")      \
	X(OWNER_STUCK, "owner-stuck", LEAK, "the thread that should read is blocked or spins")     \
	X(NOT_POLLED, "not-polled", LEAK, "the event loop does not watch the descriptor")          \
	X(UNREAD_BACKLOG, "unread-backlog", LEAK, "stopped reading with data left before the FIN") \
	X(HALF_CLOSE_NOT_FORWARDED, "half-close-not-forwarded", LEAK,                              \
	  "one leg of a proxy was closed by its peer, the other leg is still open")                \
	X(INHERITED_FD, "inherited-fd", LEAK, "another process holds the descriptor as well")      \
	X(GHOST_FD, "ghost-fd", LEAK, "holds descriptors of connections that are gone")            \
	X(IO_URING_HELD, "io-uring-held", LEAK, "an io_uring holds what no descriptor refers to")  \
	X(FD_IN_FLIGHT, "fd-in-flight", LEAK, "a message that nobody receives holds the socket")   \
	X(WRITES_AFTER_FIN, "writes-after-fin", WARNING, "still sends to a peer that has closed")  \
	X(FIN_WAIT2_HELD, "fin-wait2-held", WARNING, "half-closed and held: no timer ends it")     \
	X(POISONED_TUPLE, "poisoned-tuple", WARNING,                                               \
	  "the peer of a CLOSE_WAIT is gone: a connect() that draws its port may hang")            \
	X(PORTS_EXHAUSTING, "ports-exhausting", WARNING, "source ports to one address run out")    \
	X(DATA_DESTROYED, "data-destroyed", WARNING, "a close threw away bytes")                   \
	X(IDLE_POOL, "idle-pool", INFO, "idle pooled connections; they close at their next use")   \
	X(LONG_TIMEOUT, "long-timeout", INFO, "all younger than one bound: works as configured")   \
	X(TIME_WAIT_HARMLESS, "time-wait-harmless", INFO, "TIME_WAIT that costs next to nothing")

enum lai_verdict {
#define LAI_VERDICT_ID(id, name, severity, title) LAI_VERDICT_##id,
	LAI_VERDICTS(LAI_VERDICT_ID)
#undef LAI_VERDICT_ID
		LAI_VERDICT_COUNT
};

const char *lai_verdict_name(enum lai_verdict verdict);	 /* "eof-ignored" */
const char *lai_verdict_title(enum lai_verdict verdict); /* the clause */
enum lai_severity lai_verdict_severity(enum lai_verdict verdict);
const char *lai_severity_name(enum lai_severity severity); /* "leak", "warning", "info" */

/* LAI_VERDICT_COUNT: there is no such name. */
enum lai_verdict lai_verdict_of_name(const char *name);

#endif
