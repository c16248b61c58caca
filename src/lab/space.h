/* SPDX-License-Identifier: MIT */
/*
 * space.h - a process in pid, mount and network namespaces of its own, and in a user namespace
 * where privilege is missing. Nothing in it has a name outside, and it cannot outlive us:
 *
 *	us                       the keeper, process 1         process 2
 *	clone() ---------------> closes what is not its own
 *	                         own mounts, own /proc
 *	                         prepare(arg)
 *	                         fork() ---------------------> run(arg)
 *	 lifeline .............. waits for either end
 *	   closed, or we died -> kills all processes <-------- ended
 *	                         clear(arg), ends
 *
 * Nobody else holds our end of the lifeline: every keeper closes its copies first of all. If the
 * keeper is killed, the kernel kills what is in its pid namespace with it.
 *
 * Why there is a keeper, and not a process that dies with us (PR_SET_PDEATHSIG): a network
 * namespace lives as long as a closed socket in it still sends its FIN, which with nobody there to
 * answer takes the kernel 100 seconds. The keeper can tell it to give up (clear).
 */
#ifndef LAI_LAB_SPACE_H
#define LAI_LAB_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a space could not do, so that it cannot be had here. */
enum lai_space_step {
	LAI_SPACE_DONE,
	LAI_SPACE_CLONE,  /* new namespaces, and processes in them */
	LAI_SPACE_MAP,	  /* being root in its user namespace */
	LAI_SPACE_MOUNTS, /* mounts that nobody else sees */
	LAI_SPACE_WATCH,  /* waiting for a process by pidfd_open(2) */
};

/* Stands in memory that is shared with the space. */
struct lai_space_report {
	enum lai_space_step step; /* that failed */
	int error;		  /* its errno */
	int status;		  /* of process 2, as of waitpid() */
};

/* Of descriptors that a space may keep. */
#define LAI_SPACE_KEEP_MAX 4

struct lai_space_plan {
	bool user;		      /* in a user namespace, as its root */
	int keep[LAI_SPACE_KEEP_MAX]; /* its descriptors beside the standard ones; 0: none */
	int output; /* becomes its standard output and error; 0: /dev/null does. Kept as well */
	struct lai_space_report *report;
	void (*prepare)(void *arg); /* in the keeper; may exit. NULL: nothing */
	void (*run)(void *arg);	    /* what the space is for, which ends when it returns */
	void (*clear)(void *arg);   /* in the keeper, when all others have ended. NULL: nothing */
	void *arg;
};

struct lai_space {
	pid_t pid;    /* 0: there is none */
	int process;  /* pidfd */
	int lifeline; /* -1: cut */
};

/* Whether a space needs a user namespace: CAP_SYS_ADMIN, CAP_NET_ADMIN or CAP_NET_RAW is missing. */
bool lai_space_needs_user(void);

/* 0, or a negative errno, with plan->report filled. What went wrong later is there as well. */
int lai_space_start(struct lai_space *space, const struct lai_space_plan *plan);

/* Cuts the lifeline: everything in it ends now. May be called when it has ended by itself. */
void lai_space_end(struct lai_space *space);

/* Waits until it has ended, for ever if its lifeline is not cut; *space is then as new. The
   keeper's status, as of waitpid(): it is not killed unless from outside. */
int lai_space_wait(struct lai_space *space);

/*
 * space_refusal.c: names what has run out, by the errno of a call that makes processes, namespaces
 * or descriptors, and the limit of it. For free(), or NULL.
 */
char *lai_space_shortage(int error);

/*
 * space_refusal.c: says precisely why there can be no space here, and what would allow it. A
 * sentence for free(), or NULL if there is no memory for it.
 */
char *lai_space_refusal(const struct lai_space_report *report, bool user);

#endif
