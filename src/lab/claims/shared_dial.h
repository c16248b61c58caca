/* SPDX-License-Identifier: MIT */
/*
 * shared_dial.h - what the claims about ports share: connections of the client from ports that
 * they choose, or that the kernel does, and which call refuses them; and closing in an order.
 */
#ifndef LAI_LAB_CLAIMS_SHARED_DIAL_H
#define LAI_LAB_CLAIMS_SHARED_DIAL_H

#include "lab/call.h"
#include "lab/claim.h"
#include "lab/gauge.h"

/* How the client comes to its port. */
struct lai_dial_way {
	const struct lai_address *from; /* bound to, port number included; NULL: not bound */
	bool reuse;			/* SO_REUSEADDR before bind() */
	bool without_port;		/* IP_BIND_ADDRESS_NO_PORT before bind() */
	uint16_t low, high;		/* IP_LOCAL_PORT_RANGE; 0: the host's range */
};

/* Whether this kernel has IP_LOCAL_PORT_RANGE (Linux 6.3). */
bool lai_dial_has_range(struct lai_trial *trial);

/* A connection that was tried. */
struct lai_dial_try {
	const char *refused; /* by this call: "bind()", "connect()"; NULL: it is connected */
	int error;	     /* with this errno */
	int fd;		     /* connected: the caller's; otherwise -1 */
	uint16_t port;	     /* the client's; 0 if refused */
	uint64_t took_ns;    /* bind() and connect(), until it was established or refused */
	uint64_t busy_ns;    /* processor time of that, which other processes do not disturb */
};

/* way may be NULL. Nobody has to accept: the listener's queue is long. */
struct lai_dial_try lai_dial_try(struct lai_trial *trial, const struct lai_dial_way *way,
				 const struct lai_address *to);

/* "connect(): EADDRNOTAVAIL", "connected from port 2345". */
#define LAI_DIAL_TEXT_MAX 64
const char *lai_dial_try_text(char text[LAI_DIAL_TEXT_MAX], const struct lai_dial_try *try);

/* Whether this call refused it with this errno. */
bool lai_dial_try_was(const struct lai_dial_try *try, const char *call, int error);

/* Connections that are held. */
#define LAI_DIAL_HELD_MAX 4096
struct lai_dial_held {
	size_t count;
	int fds[LAI_DIAL_HELD_MAX];
	uint16_t ports[LAI_DIAL_HELD_MAX];
};

/* Connects and holds until `count` more are held or one is refused: *last says which. Returns how
   many it has connected. */
size_t lai_dial_hold(struct lai_trial *trial, struct lai_dial_held *held,
		     const struct lai_dial_way *way, const struct lai_address *to, size_t count,
		     struct lai_dial_try *last);
/* How many of the ports are different ones. */
size_t lai_dial_different(const struct lai_dial_held *held);
/* Resets them all: their ports are free at once. */
void lai_dial_drop(struct lai_trial *trial, struct lai_dial_held *held);

/* The client's range of automatic ports becomes [low, low + count); count is even, since
   connect() does not use the last port of an odd range. */
void lai_dial_range(struct lai_trial *trial, uint16_t low, uint16_t count);

/*
 * How old a TIME_WAIT must be until tcp_tw_reuse=1 gives its port to connect(): tcp_tw_reuse_delay.
 * Before Linux 6.14, which has that first, a clock of seconds has to tick, so it is 0 to 1 s
 * (before 4.19 two ticks: 1 to 2 s); this says 1000 ms then.
 */
long lai_dial_reuse_delay_ms(struct lai_trial *trial);

/* A listener at one of the server's addresses that may be one more. *address gets its port. */
int lai_dial_listen(struct lai_trial *trial, struct lai_address *address);

/* Waits until this end, which is being closed, is in TIME_WAIT or in no table any more: says which.
   Not recorded either. */
enum lai_tcp_state lai_dial_settle(struct lai_trial *trial, const struct lai_host *host,
				   const struct lai_ends *ends);

/*
 * Closes a connection that waits at the listener, the client first, and waits until its end is in
 * TIME_WAIT (or gone, if the kernel keeps none) and the server's is gone. Returns the state of the
 * end that closed first. lai_dial_close_second(): the server closes first.
 */
enum lai_tcp_state lai_dial_close_first(struct lai_trial *trial, int client, int listener);
/* The same with a listener that may be at another host than the server, the client's own say. */
enum lai_tcp_state lai_dial_close_first_at(struct lai_trial *trial, const struct lai_host *at,
					   int client, int listener);
enum lai_tcp_state lai_dial_close_second(struct lai_trial *trial, int client, int listener);

#endif
