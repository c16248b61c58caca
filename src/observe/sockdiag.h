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

#include "observe/facts.h"

/* Bit of a state mask. */
#define LAI_SOCKDIAG_STATE(state) (1u << (state))

/* Asks for tcp_info and memory as well; may stand in a state mask, being no state's bit. */
#define LAI_SOCKDIAG_INFO (1u << 31)

/* All states that have a name in enum lai_tcp_state. */
#define LAI_SOCKDIAG_ALL (LAI_SOCKDIAG_STATE(LAI_TCP_COUNT) - LAI_SOCKDIAG_STATE(1))

/* Called once per socket; a value other than 0 ends the listing, which then returns it. */
typedef int lai_sockdiag_each(void *arg, const struct lai_socket_fact *fact);

/*
 * Lists the sockets in the states of the mask, IPv4 then IPv6, filtered by the kernel, of the
 * network namespace that the calling thread is in. each() is called after all of them have been
 * fetched, so it may do whatever it likes. Without LAI_SOCKDIAG_INFO in the mask the fields that
 * come from tcp_info and memory_bytes are not asked for, which is faster.
 *
 * 0; what each() returned; -EINVAL: no valid state in the mask; -EPROTONOSUPPORT: this kernel has
 * no sock_diag for TCP; -EAGAIN: the tables changed during each of several tries, try later;
 * -ENOMEM, or another negative errno of the netlink socket (-EMFILE, ...); -EBADMSG: the kernel's
 * answer was not understood. After an error each() has not been called.
 */
int lai_sockdiag_dump(uint32_t state_mask, lai_sockdiag_each *each, void *arg);

/*
 * The one socket with this four-tuple (family and addresses of *wanted; its cookie too unless that
 * is 0), in whatever state, with tcp_info. 0: *found is it; -ENOENT: there is none (or another
 * cookie has the tuple); the errors of lai_sockdiag_dump().
 */
int lai_sockdiag_find(const struct lai_socket_fact *wanted, struct lai_socket_fact *found);

/* How well a dump went, for the coverage. */
struct lai_sockdiag_quality {
	uint32_t repeats; /* begun again since the tables changed meanwhile */
	bool complete;	  /* false: the last try was interrupted as well, and was taken all the same */
};

/* As lai_sockdiag_dump(), but instead of -EAGAIN takes what the last try gave, and says so. */
int lai_sockdiag_dump_anyway(uint32_t state_mask, struct lai_sockdiag_quality *quality,
			     lai_sockdiag_each *each, void *arg);

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
