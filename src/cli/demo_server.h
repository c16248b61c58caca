/* SPDX-License-Identifier: MIT */
/*
 * demo_server.h - the server of the demo: a process of its own that reads records, counts what
 * arrived, and does on order what servers do to their clients.
 *
 *	orders     parent --(seqpacket)--> server     SERVE, CLOSE, RESET, VANISH, END
 *	freezing   parent --(SIGSTOP)----> server     the program stops, its kernel goes on
 *	the count  parent <-(shared page)- server     which sequence numbers a program has read
 */
#ifndef LAI_CLI_DEMO_SERVER_H
#define LAI_CLI_DEMO_SERVER_H

#include "cli/demo_records.h"

#include <sys/types.h>

enum lai_demo_fault {
	LAI_DEMO_SERVE, /* reads everything for ever */
	LAI_DEMO_CLOSE, /* sends FIN after every few records, reads to the client's FIN, closes */
	LAI_DEMO_RESET, /* the same with RST; what its kernel had acknowledged it has read before */
	LAI_DEMO_FREEZE, /* SIGSTOP, ended by the next order */
	LAI_DEMO_VANISH, /* closes all connections and its listener: who connects is refused */
	LAI_DEMO_END,	 /* it exits, after a last look at its connections */
	LAI_DEMO_FAULT_COUNT
};

/* Written by the server, read by the parent at any time. */
struct lai_demo_tally {
	_Atomic uint32_t connections; /* accepted so far */
	_Atomic uint32_t damaged;     /* lines that are no record */
	_Atomic uint32_t torn;	      /* connections that ended inside a record */
	_Atomic uint32_t end;	      /* the highest sequence number that arrived, plus 1 */
	_Atomic uint8_t arrived[LAI_DEMO_RECORDS_MAX]; /* how often each did; stays at 255 */
};

struct lai_demo_server {
	pid_t pid;  /* 0: none */
	int orders; /* -1: none */
	int keeper; /* bound to the port, silent: nobody else gets it while the server is away */
	uint16_t port;
	struct lai_demo_tally *tally; /* NULL: none; shared */
};

/*
 * Starts a server on a port of the kernel's choice at 127.0.0.1. It ends with its parent at the
 * latest. 0: *server is the caller's, for lai_demo_server_stop(). Negative errno: nothing is left.
 */
int lai_demo_server_start(struct lai_demo_server *server);

/* after_records: for CLOSE and RESET. The order is taken at once, unless the server is frozen. */
void lai_demo_server_order(struct lai_demo_server *server, enum lai_demo_fault fault,
			   uint32_t after_records);

/* Ends the process; the tally stays readable. Does nothing if there is none. */
void lai_demo_server_stop(struct lai_demo_server *server);

/* Releases the tally, after lai_demo_server_stop(). */
void lai_demo_server_done(struct lai_demo_server *server);

/* ---- between demo_server.c and demo_serving.c ---- */

struct lai_demo_order {
	enum lai_demo_fault fault;
	uint32_t after_records;
};

/* What runs in the process. The listener listens at this port, which another socket keeps. */
_Noreturn void lai_demo_serve(int orders, int listener, uint16_t port,
			      struct lai_demo_tally *tally);

/* A socket at 127.0.0.1:*port (0: the kernel chooses and *port is written), or -errno. */
int lai_demo_bind(uint16_t *port);

/* The same, listening. */
int lai_demo_listen(uint16_t *port);

#endif
