/* SPDX-License-Identifier: MIT */
/*
 * call.h - the system calls that claims are about, with errno and latency. Sockets are non-blocking
 * and close-on-exec; each call waits by itself, up to a time.
 */
#ifndef LAI_LAB_CALL_H
#define LAI_LAB_CALL_H

#include "lab/host.h"

/* How a call ended. ETIMEDOUT may be the kernel's; EINPROGRESS is ours: the wait was over first. */
struct lai_call {
	int error;	  /* 0, or errno */
	uint64_t took_ns; /* from the call to its end */
	size_t bytes;	  /* of send and receive; 0 with error 0 is EOF */
};

/* "ECONNRESET"; "0" for none. */
const char *lai_call_errno(int error);

/* A TCP socket in this host, of the trial's family. */
int lai_call_socket(struct lai_trial *trial, const struct lai_host *host);

/* On or off. level SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP. An errno ends the trial; LACKS for
   ENOPROTOOPT. */
void lai_call_option(struct lai_trial *trial, int fd, int level, int name, int value);
void lai_call_linger(struct lai_trial *trial, int fd, bool on, int seconds);

struct lai_call lai_call_bind(int fd, const struct lai_address *address);
struct lai_call lai_call_connect(int fd, const struct lai_address *to, uint64_t wait_ns);
/* bytes: of a pattern, until all is written, the wait is over or an error comes. */
struct lai_call lai_call_send(int fd, size_t bytes, uint64_t wait_ns);
/* Up to size bytes, once: what is there, EOF, or an error. buffer may be NULL: thrown away. */
struct lai_call lai_call_receive(int fd, void *buffer, size_t size, uint64_t wait_ns);
/* Until EOF or an error: bytes is the sum. */
struct lai_call lai_call_receive_all(int fd, uint64_t wait_ns);
/* Measures close(), which may block. */
struct lai_call lai_call_close(int fd);

/* A listener on the host's address. port 0: one that is free. reuse: SO_REUSEADDR before bind. */
int lai_call_listen(struct lai_trial *trial, const struct lai_host *host, uint16_t port, bool reuse,
		    struct lai_address *address);
/* Waits for the next connection; its end of the trial if none comes in time. */
int lai_call_accept(struct lai_trial *trial, int listener, uint64_t wait_ns);

/* Which ends a socket has; port number and address, for lab/gauge.h. */
struct lai_ends {
	struct lai_address local, remote;
};
struct lai_ends lai_call_ends(struct lai_trial *trial, int fd);
struct lai_ends lai_ends_turned(const struct lai_ends *ends); /* seen from the other host */

/* A connection from client to server, both ends in our hands. */
struct lai_pair {
	int listener, client, server; /* descriptors; the listener -1 if the plan had one */
	/* Each as its own host sees it: a NAT between them makes them two different pairs. */
	struct lai_ends at_client, at_server;
};
struct lai_pair_plan {
	uint16_t client_port; /* 0: automatic; otherwise bound, with SO_REUSEADDR if reuse */
	bool reuse;
	int listener; /* 0: a new one; otherwise this one, which stays the caller's */
};
/* plan may be NULL. Ends the trial if there is no connection within 5 s. */
struct lai_pair lai_pair_open(struct lai_trial *trial, const struct lai_pair_plan *plan);
/* Closes what is still >= 0. */
void lai_pair_close(struct lai_pair *pair);

#endif
