/* SPDX-License-Identifier: MIT */
/*
 * net.h - the network as lastack sees it: one table of operations, two implementations.
 *
 * kernel.c is Linux; sim/ is a virtual clock, network and DNS driven by one seed. All code above
 * this table runs unchanged on both, and tests/kernel_facts_test.c holds both to the same facts.
 *
 * A socket is a small integer >= 0 (a descriptor, in Linux), always non-blocking and close-on-exec.
 * Every operation that can fail returns a negative errno value and leaves nothing half done.
 */
#ifndef LAI_IO_NET_H
#define LAI_IO_NET_H

#include "base/address.h"
#include "base/time.h"
#include "base/view.h"

#include <sys/types.h>
#include <sys/uio.h>

struct lai_net;

/* What a socket is told before connect(). Zero or NULL: leave it to the kernel. */
struct lai_socket_options {
	/* length 0: any; port 0: the kernel's choice; else SO_REUSEADDR */
	struct lai_address local;
	const char *device; /* SO_BINDTODEVICE */
	int tos;	    /* -1: leave */
	bool no_delay;
	/* an idle peer that answers nothing dies after this; 0: no keepalive */
	uint64_t keepalive_ns;
	uint64_t user_timeout_ns;  /* TCP_USER_TIMEOUT */
	uint32_t unsent_max_bytes; /* TCP_NOTSENT_LOWAT: the kernel takes no more than this ahead;
				      0: off */
	uint64_t rto_max_ns;	   /* TCP_RTO_MAX_MS (Linux 6.15), ignored where missing */
	const char *server_name;   /* for TLS: whose certificate is expected; else ignored */
};

enum {
	LAI_READABLE = 1, /* bytes, or the peer's FIN, or an error to fetch */
	LAI_WRITABLE = 2, /* room in the send buffer; after connect(): it is decided */
	LAI_PEER_FIN = 4, /* the peer's FIN has come (EPOLLRDHUP) */
	LAI_HANGUP = 8,	  /* both directions are over (EPOLLHUP) */
	LAI_ERROR = 16,	  /* error() has something to say (EPOLLERR) */
	LAI_ACKED = 32,	  /* a send with LAI_ASK_ACK has been acknowledged */
};

struct lai_ready {
	int socket;	 /* or LAI_RESOLVER */
	uint32_t events; /* set of the above */
};

#define LAI_RESOLVER (-1) /* lai_ready.socket: resolved() has an answer */

/* Flag of send(): when these bytes are acknowledged, say LAI_ACKED. It may get lost; never rely on
 * it. */
#define LAI_ASK_ACK 1u

struct lai_net_ops {
	/* CLOCK_MONOTONIC; and how long the host has slept since boot (CLOCK_BOOTTIME less the
	 * former). */
	uint64_t (*now)(struct lai_net *net);
	uint64_t (*slept)(struct lai_net *net);

	/* Starts one look-up, replacing any earlier one. Numeric hosts never come here.
	   The answer comes as LAI_RESOLVER; resolved() then gives the number of addresses, in the
	   resolver's order (RFC 6724), or a negative errno (-ENOENT: no such name, -EAGAIN: try
	   later). */
	int (*resolve)(struct lai_net *net, const char *host, uint16_t port);
	int (*resolved)(struct lai_net *net, struct lai_address addresses[LAI_ADDRESSES_MAX]);
	void (*resolve_cancel)(struct lai_net *net);

	/* A new socket, bound and connecting. >= 0: the socket; LAI_WRITABLE will say that it is
	   decided, error() how. Negative: it failed at once and there is no socket. -ENODEV: this
	   host does not have the local address or the device; -EADDRNOTAVAIL: no port is free. */
	int (*connect)(struct lai_net *net, const struct lai_address *remote,
		       const struct lai_socket_options *options);
	/* A listening socket; the port of *local is filled in. accept(): a socket, or -EAGAIN. */
	int (*listen)(struct lai_net *net, struct lai_address *local, int backlog);
	int (*accept)(struct lai_net *net, int listener, struct lai_address *remote);

	/* As keepalive_ns of the options, for a socket of listen(); those it accepts inherit it. */
	int (*keepalive)(struct lai_net *net, int listener, uint64_t keepalive_ns);

	/* As send(2)/recv(2): bytes, 0 at the peer's FIN (recv), -EAGAIN, -EPIPE without a signal,
	 * ... */
	ssize_t (*send)(struct lai_net *net, int socket, const struct iovec *iov, int count,
			unsigned flags);
	ssize_t (*recv)(struct lai_net *net, int socket, void *data, size_t size);
	/* As recv() of at most size bytes that nobody wants: they are not copied (MSG_TRUNC). */
	ssize_t (*discard)(struct lai_net *net, int socket, size_t size);
	/* Fetches and CLEARS the socket's error as SO_ERROR does: 0 or a positive errno value. */
	int (*error)(struct lai_net *net, int socket);
	/* Fills *view; also after the connection died, until close. */
	int (*view)(struct lai_net *net, int socket, struct lai_view *view);
	int (*names)(struct lai_net *net, int socket, struct lai_address *local,
		     struct lai_address *remote);

	int (*shutdown)(struct lai_net *net, int socket); /* SHUT_WR: our FIN */
	void (*close)(struct lai_net *net, int socket);	  /* plain close() */
	void (*abort)(struct lai_net *net, int socket);	  /* SO_LINGER{1,0} and close(): RST */
	void (*linger)(struct lai_net *net, int socket,
		       uint64_t linger_ns); /* SO_LINGER{1,n} and close() */
	/* Makes the kernel probe an idle peer at once (after a suspend): dead after within_ns.
	   0: back to the pace of the socket's options. */
	void (*hurry)(struct lai_net *net, int socket, uint64_t within_ns);

	/* TLS: the name in the peer's verified certificate, or what went wrong with the handshake; NULL:
	   none, or no TLS. Valid until the next call on this socket. */
	const char *(*peer_name)(struct lai_net *net, int socket);
	const char *(*why)(struct lai_net *net, int socket);
	/* Takes over a listening descriptor that somebody else made. >= 0: the socket, *local is
	   where it listens. */
	int (*adopt)(struct lai_net *net, int listener, struct lai_address *local);

	/* What silence means: 0, or -ENETUNREACH (no route now), -EADDRNOTAVAIL (the local address
	 * is gone). */
	int (*why_silent)(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device);

	/* Which of LAI_READABLE | LAI_WRITABLE to wait for; errors, hang-up and LAI_PEER_FIN with
	   LAI_READABLE come always. Level-triggered, so that nothing is missed, except with 0: then
	   errors and hang-up are said when they come and not again, since they may last. A socket
	   of connect() waits for WRITABLE, one of accept() or listen() for READABLE. */
	int (*watch)(struct lai_net *net, int socket, uint32_t events);
	/* What is ready now, waiting until deadline_ns if nothing is (LA_NEVER: for ever).
	   The number of entries written, 0 at the deadline or on a signal. */
	int (*wait)(struct lai_net *net, struct lai_ready *ready, int max, uint64_t deadline_ns);
	/* Descriptor that polls readable when wait() would return at once; -1 in the simulator. */
	int (*fd)(struct lai_net *net);
	void (*free)(struct lai_net *net); /* does not close sockets: their owners do, before */
};

struct lai_net {
	const struct lai_net_ops *ops;
};

/* Calls an operation on the network of anything that has a member `net`. */
#define LAI_NET(owner, operation, ...) ((owner)->net->ops->operation((owner)->net, ##__VA_ARGS__))

static inline uint64_t lai_net_now(struct lai_net *net)
{
	return net->ops->now(net);
}

/* A jump between the two clocks that is no rounding: the host has slept. */
#define LAI_SLEEP_MIN_NS (500 * LAI_MS)

/* Whether the host has slept since slept() said *slept_ns, which is brought up to date. */
static inline bool lai_net_has_slept(struct lai_net *net, uint64_t *slept_ns)
{
	uint64_t before_ns = *slept_ns;

	*slept_ns = net->ops->slept(net);
	return lai_time_since(before_ns, *slept_ns) >= LAI_SLEEP_MIN_NS;
}

/* Whether this error of accept() says that we lack descriptors or memory, and nothing of the caller. */
bool lai_net_is_exhaustion(int error);

/* The first address of a host, for a program that has no sockets yet: nothing else is waited for. 0,
   or what resolved() says; -EAGAIN also if nothing has come by by_ns. */
int lai_net_resolve(struct lai_net *net, const char *host, uint16_t port, uint64_t by_ns,
		    struct lai_address *address);

/* The Linux network; 0, or a negative errno. */
int lai_net_kernel_new(struct lai_net **net);

#endif
