/* SPDX-License-Identifier: MIT */
/*
 * leg.h - finds the other leg of a proxy's connection inside the same process.
 *
 *	client ===A=== proxy ===B=== backend
 *	       read(A) == written(B)   and   read(B) == written(A)
 *
 * One of the two was accepted, the other connected. What the program has read and written is known to
 * the byte from the kernel's counters: received - unread, acknowledged + queued.
 */
#ifndef LAI_JUDGE_LEG_H
#define LAI_JUDGE_LEG_H

#include "judge/attention.h"
#include "judge/pair.h"
#include "judge/role.h"

/* What makes two sockets legs of one connection. */
enum lai_leg_sign {
	LAI_LEG_BYTES,	 /* both directions have the same counts, and not few */
	LAI_LEG_WAITING, /* the same counts at least one way, and somebody waits on the other leg */
};

struct lai_leg {
	uint32_t socket; /* LAI_NO_INDEX: none */
	enum lai_leg_sign sign;
	bool finished; /* our FIN has been sent on it: the end was passed on */
};

struct lai_legs {
	struct lai_leg *of; /* in the order of the suspects; NULL: nobody has a leg */
};

/*
 * One pass over the snapshot, if there is any suspect that a leg is looked for: CLOSE_WAIT whose FIN
 * has been read and which one process holds. Each leg is given to one suspect at most. The other end
 * of a suspect in the same process, as in a test of a server, is no leg. pairs: of the suspects. 0 or
 * -ENOMEM; legs is then as zeroes.
 */
int lai_legs_init(struct lai_legs *legs, const struct lai_listeners *listeners,
		  struct lai_attentions *attentions, const struct lai_pairs *pairs,
		  const uint32_t *suspects, size_t count);
void lai_legs_done(struct lai_legs *legs);

/* The single process that holds this socket; 0: none or several. */
pid_t lai_only_pid(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket);

/* How much the program has read from it or written to it, FIN and SYN left out. */
uint64_t lai_leg_read(const struct lai_socket_fact *socket);
uint64_t lai_leg_written(const struct lai_socket_fact *socket, enum lai_role role);

#endif
