/* SPDX-License-Identifier: MIT */
/*
 * space.h - a process in pid, mount and network namespaces of its own, and in a user namespace
 * where privilege is missing. Nothing in it has a name outside, and it cannot outlive us:
 *
 *	us                      the space
 *	clone() --------------> closes every descriptor that is not its own
 *	                        PR_SET_PDEATHSIG: from now on it dies when we do
 *	        <---- ready ---
 *	  go   --------------->	(whoever died before saying go leaves an end of file: it ends as well)
 *	                        mounts made private, a /proc of its own, run(arg)
 *
 * It is process 1 of its pid namespace, so the kernel kills all that it has started when it ends,
 * and waiting for it waits for them.
 */
#ifndef LAI_LAB_SPACE_H
#define LAI_LAB_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a space could not do, so that it cannot be had here. */
enum lai_space_step {
	LAI_SPACE_DONE,
	LAI_SPACE_CLONE,  /* new namespaces */
	LAI_SPACE_BEGIN,  /* it ended before it had begun */
	LAI_SPACE_MAP,	  /* being root in its user namespace */
	LAI_SPACE_MOUNTS, /* mounts that nobody else sees */
};

/* Stands in memory that is shared with the space. */
struct lai_space_trouble {
	enum lai_space_step step;
	int error; /* errno */
};

/* Of descriptors that a space may keep. */
#define LAI_SPACE_KEEP_MAX 4

struct lai_space_plan {
	bool user;		      /* in a user namespace, as its root */
	int keep[LAI_SPACE_KEEP_MAX]; /* its descriptors beside the standard ones; 0: none */
	int output; /* becomes its standard output and error; 0: /dev/null does. Kept as well */
	struct lai_space_trouble *trouble;
	void (*run)(void *arg); /* what it is for; the space ends when it returns */
	void *arg;
};

struct lai_space {
	pid_t pid;   /* 0: there is none */
	int process; /* pidfd */
};

/* Whether a space needs a user namespace: CAP_SYS_ADMIN, CAP_NET_ADMIN or CAP_NET_RAW is missing. */
bool lai_space_needs_user(void);

/* 0, or a negative errno, with *plan->trouble filled. What went wrong later is there as well. */
int lai_space_start(struct lai_space *space, const struct lai_space_plan *plan);

/* Ends it now, with everything in it. May be called when it has ended by itself. */
void lai_space_kill(const struct lai_space *space);

/* Waits until it has ended; *space is then as new. Its status, as of waitpid(). */
int lai_space_wait(struct lai_space *space);

/*
 * space_refusal.c: says precisely why there can be no space here, and what would allow it. A
 * sentence for free(), or NULL if there is no memory for it.
 */
char *lai_space_refusal(const struct lai_space_trouble *trouble, bool user);

#endif
