/* SPDX-License-Identifier: MIT */
/*
 * sockdiag.h - the TCP sockets of this network namespace, as the kernel lists them (sock_diag(7)).
 *
 * No privilege is needed. A socket that never connected nor listened is not listed; neither is one
 * whose connection ended by RST or time-out, though a program may still hold it. The kernel gives
 * the list in pieces and not as one moment: while sockets come and go, one may be listed twice or
 * not at all.
 */
#ifndef LAI_OBSERVE_SOCKDIAG_H
#define LAI_OBSERVE_SOCKDIAG_H

#include "base/address.h"
#include "base/view.h"

/* Bit of a state mask. */
#define LAI_SOCKDIAG_STATE(state) (1u << (state))

/* All states that have a name in enum lai_tcp_state. */
#define LAI_SOCKDIAG_ALL (LAI_SOCKDIAG_STATE(LAI_TCP_COUNT) - LAI_SOCKDIAG_STATE(1))

/* A value: nothing in it points anywhere. */
struct lai_socket_fact {
	int family;		  /* AF_INET or AF_INET6; a v4-mapped socket is AF_INET6 */
	enum lai_tcp_state state; /* never LAI_TCP_NONE or LAI_TCP_COUNT */
	struct lai_address local;
	struct lai_address remote;
	uint64_t inode;	 /* 0: held by no descriptor: TIME_WAIT, orphaned, or not accepted yet */
	uint64_t cookie; /* SO_COOKIE, unique while the system runs */
	uint32_t uid;	 /* of the user who made it; 0 also for TIME_WAIT */
	/* Not read yet by the program. The peer's FIN counts as one byte until the program has read
	   EOF: in CLOSE_WAIT 0 means "was told", 1 "no data lost, does not read". LISTEN:
	   connections waiting to be accepted. */
	uint32_t rqueue_bytes;
	uint32_t wqueue_bytes; /* written and not acknowledged. LISTEN: the backlog */
};

/* Called once per socket; a value other than 0 ends the listing, which then returns it. */
typedef int lai_sockdiag_each(void *arg, const struct lai_socket_fact *fact);

/*
 * Lists the sockets in the states of the mask, IPv4 then IPv6, filtered by the kernel. each() is
 * called after all of them have been fetched, so it may do whatever it likes.
 *
 * 0; what each() returned; -EINVAL: no valid state in the mask; -EPROTONOSUPPORT: this kernel has
 * no sock_diag for TCP; -EAGAIN: the tables changed during each of several tries, try later;
 * -ENOMEM, or another negative errno of the netlink socket (-EMFILE, ...); -EBADMSG: the kernel's
 * answer was not understood. After an error each() has not been called.
 */
int lai_sockdiag_dump(uint32_t state_mask, lai_sockdiag_each *each, void *arg);

/*
 * Pure, sockdiag_parse.c: one datagram of a dump's answer, of any content and alignment. Messages
 * that do not carry this sequence number and port (netlink address) are ignored.
 *
 * 1: more datagrams follow; 0: the dump is complete; -EINTR: the kernel says that the dump is
 * inconsistent; -EBADMSG: malformed; -EPROTONOSUPPORT or another negative errno: sent by the
 * kernel, or what each() returned, which must be 0 or negative here. each() may have been called
 * before any of these.
 */
int lai_sockdiag_parse(const void *bytes, size_t size, uint32_t sequence, uint32_t port,
		       lai_sockdiag_each *each, void *arg);

#endif
