/* SPDX-License-Identifier: MIT */
/* shared_queue.h - the queues of a connection, brought to where a claim about close() has them. */
#ifndef LAI_LAB_CLAIMS_SHARED_QUEUE_H
#define LAI_LAB_CLAIMS_SHARED_QUEUE_H

#include "lab/gauge.h"

/* More than the receiver takes unread, whatever its defaults, and little enough to be quick. */
#define LAI_QUEUE_BYTES 4000000

/* What stands between a program that writes and one that does not read. */
struct lai_backlog {
	size_t written;	 /* the kernel took it from the program */
	size_t unacked;	 /* of it, not acknowledged by the other kernel (SIOCOUTQ) */
	size_t received; /* of it, in the other kernel's hands */
};

/*
 * Writes into a connection whose other end does not read, until the kernel takes no more or
 * LAI_QUEUE_BYTES are written, and waits until the window is shut and nothing is under way.
 */
struct lai_backlog lai_queue_fill(struct lai_trial *trial, const struct lai_host *host, int fd,
				  const struct lai_ends *ends);

/* Waits until this many bytes wait to be read; a FIN among them counts as none. */
void lai_queue_await_unread(struct lai_trial *trial, const struct lai_host *host,
			    const struct lai_ends *ends, size_t bytes);

/* Loses every segment that comes for this socket, as a bad line would, until it is taken back. Only
   RSTs pass, so that a reset does not have to be waited for. */
void lai_queue_deafen(struct lai_trial *trial, int fd, bool deaf);

/* How reading ended: "EOF", or the name of the errno. */
const char *lai_queue_end(const struct lai_call *receive);

/* What went over the wire on this connection since lai_talk_mark(), as evidence. */
void lai_queue_say(struct lai_trial *trial, const struct lai_pair *pair, size_t mark);

#endif
