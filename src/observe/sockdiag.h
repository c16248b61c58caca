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
 * Lists the sockets in the states of the mask, filtered by the kernel, of the network namespace
 * that the calling thread is in, IPv4 and IPv6 in no order. each() is called after all of them have
 * been fetched, so it may do whatever it likes. Without LAI_SOCKDIAG_INFO in the mask the fields
 * that come from tcp_info and memory_bytes are not asked for, which is faster. Of the fields that
 * sock_diag does not know, namespace_index, past and holder_* are 0, listener is LAI_NO_INDEX.
 *
 * What is listed as what (measured on Linux 6.18):
 * - SYN_RECV: a handshake under way, inode 0, timer RETRANSMIT, no tcp_info. No fact is in
 *   NEW_SYN_RECV, the kernel's own name of it; the two bits of the mask mean the same here.
 * - FIN_WAIT2 with inode 0: its program has closed it. A mini-socket with timer TIME_WAIT, which
 *   tells the rest of tcp_fin_timeout; without tcp_info, memory and shutdown bits. Only if
 *   tcp_fin_timeout is more than 60 s it is a whole socket first, with timer KEEPALIVE for what is
 *   beyond those 60 s. FIN_WAIT2 with an inode: half closed and held, no timer, never ends.
 * - TIME_WAIT: a mini-socket too. uid and inode are 0; the cookie stays that of the socket it was,
 *   if that had been asked for one (by an earlier dump, say).
 * - BOUND_INACTIVE: Linux 6.8 and later; none before. It costs a walk past every bound socket
 *   (20 ms with 100,000 connections), so leave its bit out if it does not matter.
 * - CLOSE: only a socket that died under the kernel's hands during the dump.
 * - has_info is false where tcp_info is there but says nothing: LISTEN; SYN_SENT, whose ages count
 *   from the start of the kernel's clock.
 *
 * 0; what each() returned; -EINVAL: no valid state in the mask; -EPROTONOSUPPORT: this kernel has
 * no sock_diag for TCP; -EAGAIN: the tables changed during each of several tries, try later;
 * -ENOMEM, or another negative errno of the netlink socket (-EMFILE, ...); -EBADMSG: the kernel's
 * answer was not understood. After an error each() has not been called.
 */
int lai_sockdiag_dump(uint32_t state_mask, lai_sockdiag_each *each, void *arg);

/*
 * The one socket with this four-tuple (family and addresses of *wanted; its cookie too unless that
 * is 0), in whatever state, with tcp_info. Does not walk through the tables, unless *wanted has no
 * remote port. 0: *found is it; -ENOENT: there is none (or another cookie has the tuple); the
 * errors of lai_sockdiag_dump().
 */
int lai_sockdiag_find(const struct lai_socket_fact *wanted, struct lai_socket_fact *found);

/* How well a dump went, for the coverage. */
struct lai_sockdiag_quality {
	uint32_t repeats; /* begun again since the tables changed meanwhile */
	bool complete; /* false: the last try was interrupted as well, and was taken all the same */
};

/* As lai_sockdiag_dump(), but instead of -EAGAIN takes what the last try gave, and says so. */
int lai_sockdiag_dump_anyway(uint32_t state_mask, struct lai_sockdiag_quality *quality,
			     lai_sockdiag_each *each, void *arg);

/*
 * As lai_sockdiag_dump_anyway(), but hands the facts over in one array, which for 100,000 of them
 * is 20 MB not copied again. *list is for free() and may be NULL if *count is 0.
 */
int lai_sockdiag_list(uint32_t state_mask, struct lai_sockdiag_quality *quality,
		      struct lai_socket_fact **list, size_t *count);

/* The same of local ports from port_min to port_max alone, chosen by the kernel; 0 and 0: all. */
int lai_sockdiag_list_ports(uint32_t state_mask, uint16_t port_min, uint16_t port_max,
			    struct lai_sockdiag_quality *quality, struct lai_socket_fact **list,
			    size_t *count);

struct inet_diag_sockid;

/*
 * Pure: what names this socket in a question to the kernel: both ends, the device that is the scope
 * of one of them, and the cookie. A fact without a cookie names whatever has its four-tuple.
 */
void lai_sockdiag_identity(const struct lai_socket_fact *fact, struct inet_diag_sockid *id);

/*
 * Pure, sockdiag_parse.c: one datagram of a dump's answer, of any content and alignment. Messages
 * that do not carry this sequence number and port (netlink address) are ignored. *interrupted
 * becomes true (and never false) if the kernel says that the dump is inconsistent.
 *
 * 1: more datagrams follow (or none, if one socket was asked for); 0: the dump is complete;
 * -EBADMSG: malformed; -EPROTONOSUPPORT (the kernel's -ENOENT) or another negative errno: sent by
 * the kernel, or what each() returned, which must be 0 or negative here. each() may have been
 * called before any of these.
 */
int lai_sockdiag_parse(const void *bytes, size_t size, uint32_t sequence, uint32_t port,
		       bool *interrupted, lai_sockdiag_each *each, void *arg);

#endif
