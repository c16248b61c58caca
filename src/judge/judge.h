/* SPDX-License-Identifier: MIT */
/*
 * judge.h - one or two snapshots -> findings. Pure: no system call, no clock, no random number.
 *
 * Every socket gets at most one verdict, the first that matches in the decision list (judge.c).
 * Sockets with the same verdict, process and peer make one finding. With a second, earlier snapshot
 * growth is known, which tells a leak from a pool and gives rates and forecasts.
 *
 * Severity follows the verdict; confidence says how much of the evidence could be seen.
 */
#ifndef LAI_JUDGE_JUDGE_H
#define LAI_JUDGE_JUDGE_H

#include "judge/verdict.h"
#include "observe/facts.h"

enum lai_confidence {
	LAI_CONFIDENCE_CERTAIN,	 /* the kernel's own numbers leave no other reading */
	LAI_CONFIDENCE_LIKELY,	 /* an inference that is nearly always right */
	LAI_CONFIDENCE_POSSIBLE, /* some evidence could not be seen; the sentence says which */
	LAI_CONFIDENCE_COUNT
};

enum lai_age_kind {
	LAI_AGE_UNKNOWN,
	LAI_AGE_LOWER_BOUND, /* at least so long: later ACKs reset the kernel's clock */
	LAI_AGE_EXACT,
	LAI_AGE_COUNT
};

/* growth_per_min of a finding that was not compared. */
#define LAI_GROWTH_UNKNOWN INT64_MIN

/* The other end, if it is on this host. */
struct lai_finding_peer {
	pid_t pid;		  /* 0: not on this host, or not known */
	enum lai_tcp_state state; /* LAI_TCP_NONE: not there */
	uint32_t namespace_index;
	char comm[LAI_COMM_MAX];
};

struct lai_finding {
	enum lai_verdict verdict;
	enum lai_severity severity;
	enum lai_confidence confidence;
	pid_t pid; /* whose fault it is; 0: no process (ports, in flight) */
	char comm[LAI_COMM_MAX];
	const char *command_line; /* of the snapshot; may be NULL */
	uint32_t *sockets;	  /* indices in the snapshot's sockets; for ports: none */
	size_t socket_count; /* for ports: the number of sockets of the tuple, sockets is NULL */
	int32_t *fds;	     /* of pid, ascending */
	size_t fd_count;
	uint32_t namespace_index;
	/* Length 0: not one address. Port 0: not one port. */
	struct lai_address local, remote;
	enum lai_tcp_state state; /* LAI_TCP_NONE: several */
	uint64_t oldest_age_ms;	  /* meaningless if unknown */
	enum lai_age_kind age_kind;
	uint64_t unread_bytes; /* the FIN not counted */
	struct lai_finding_peer peer;
	int64_t growth_per_min; /* sockets; LAI_GROWTH_UNKNOWN */
	uint64_t exhaustion_s;	/* until descriptors or ports run out; 0: not forecast */
	char *evidence;		/* sentences */
	char *advice;		/* how to mend the program, a sentence */
	char *remedy;		/* a command that ends it now; NULL: there is none */
};

struct lai_findings {
	struct lai_finding *list; /* worst first: severity, then number of sockets */
	size_t count;
};

/*
 * before: an earlier snapshot of the same request, or NULL. Both must outlive *findings.
 * 0: *findings is the caller's, for lai_findings_done(). -ENOMEM.
 */
int lai_judge(const struct lai_snapshot *now, const struct lai_snapshot *before,
	      struct lai_findings *findings);
void lai_findings_done(struct lai_findings *findings);

/* The socket of this snapshot that is the other end of the one at index, in any namespace;
   LAI_NO_INDEX: none. For users of the pairing other than the rules: make once, ask often. */
struct lai_pairs;
int lai_pairs_new(const struct lai_snapshot *snapshot, struct lai_pairs **pairs); /* -ENOMEM */
void lai_pairs_free(struct lai_pairs *pairs);
uint32_t lai_pairs_peer(const struct lai_pairs *pairs, uint32_t socket);

const char *lai_confidence_name(enum lai_confidence confidence); /* "certain", ... */
const char *lai_age_kind_name(enum lai_age_kind kind); /* "unknown", "lower-bound", "exact" */

#endif
