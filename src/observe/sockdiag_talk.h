/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_talk.h - one question to sock_diag and its answer, datagram by datagram. For the
 * sockdiag_*.c files alone.
 */
#ifndef LAI_OBSERVE_SOCKDIAG_TALK_H
#define LAI_OBSERVE_SOCKDIAG_TALK_H

#include "observe/sockdiag.h"

#include <linux/inet_diag.h>

struct mnl_socket;

struct lai_sockdiag_question {
	/* AF_INET, AF_INET6. AF_UNSPEC: both in one walk through the kernel's tables, which a
	   search for one socket cannot have. */
	int family;
	uint32_t state_mask;		     /* as in lai_sockdiag_dump() */
	const struct inet_diag_sockid *only; /* NULL: a dump; otherwise this one socket */
	uint16_t port_min, port_max; /* of a dump: local ports, filtered by the kernel; 0: all */
};

/* A question asked. What is left of an abandoned answer goes with its netlink socket. */
struct lai_sockdiag_talk {
	struct mnl_socket *netlink;
	char *bytes;
	uint32_t port; /* our netlink address */
};

/* 0, and the caller has to call _close() some day; or a negative errno. */
int lai_sockdiag_talk_open(struct lai_sockdiag_talk *talk,
			   const struct lai_sockdiag_question *question);

/* Waits for one datagram. As lai_sockdiag_parse(), or an error of recv(2). */
int lai_sockdiag_talk_read(struct lai_sockdiag_talk *talk, bool *interrupted,
			   lai_sockdiag_each *each, void *arg);

void lai_sockdiag_talk_close(struct lai_sockdiag_talk *talk);

/*
 * Pure, sockdiag_attr.c: the attributes behind an inet_diag_msg, of any content and alignment, into
 * a fact whose other fields are there. 0; -EBADMSG: a length that cannot be.
 */
int lai_sockdiag_attributes(const uint8_t *bytes, size_t size, struct lai_socket_fact *fact);

#endif
