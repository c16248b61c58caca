/* SPDX-License-Identifier: MIT */
/*
 * past.h - what the connection of a TCP descriptor was that is in none of the kernel's tables.
 *
 * The kernel keeps the numbers of struct tcp_info until close(), also after an RST. They are read
 * through a duplicate of the foreign descriptor (pidfd_getfd), which exists for microseconds and
 * changes nothing of the connection; SO_ERROR is never asked for, since asking clears it. (Where
 * cgroup v1 marks packets, net_cls and net_prio, the kernel sets a socket's mark anew for whoever
 * gets a descriptor of it.)
 */
#ifndef LAI_OBSERVE_PAST_H
#define LAI_OBSERVE_PAST_H

#include "observe/facts.h"

struct lai_past_fact {
	int family;		  /* AF_INET, AF_INET6 */
	enum lai_tcp_state state; /* LAI_TCP_NONE: not permitted to see */
	/* LAI_TCP_CLOSE only. A connect() that was refused, or never answered, is LAI_PAST_NONE:
	   there was no connection. */
	enum lai_past past;
	/* Of the socket; of its process if that is not told; 0: neither. */
	uint64_t namespace_inode;
};

/*
 * 0: it is TCP (the xattr system.sockprotoname tells that to whoever may see the link), *fact is
 * filled as far as permitted. -ENOPROTOOPT: it is no TCP socket. -ESRCH, -EBADF: process or
 * descriptor is gone, or the descriptor refers to another inode by now. -EACCES: not even its
 * descriptors may be seen. -EMFILE and the like.
 */
int lai_past_of(pid_t pid, int32_t fd, uint64_t inode, struct lai_past_fact *fact);

#endif
