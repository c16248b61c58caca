/* SPDX-License-Identifier: MIT */
/*
 * peer.h - a server program of a simulated world: accepts, reads, closes when the client has
 * closed; and everything a program can do wrong, on request.
 */
#ifndef T_PEER_H
#define T_PEER_H

#include "ledger.h"

#include "io/sim/sim.h"

struct t_peer_conn {
	int socket;
	bool ended; /* it read the client's FIN, and holds on */
	struct t_reader reader;
};

struct t_peer {
	struct lai_sim *sim;
	struct lai_sim_host *host;
	struct lai_net *net;
	struct t_ledger *ledger;
	int listener;	/* -1: none */
	unsigned boots; /* the boot that the listener belongs to */
	struct t_peer_conn **conns;
	size_t count, size;
	bool stopped;	   /* reads nothing */
	bool holds;	   /* never closes */
	size_t slow_bytes; /* reads so much per connection every slow_ns; 0: everything at once */
	uint64_t slow_ns, read_at_ns;
};

/* A program on this host, running; sim and ledger must outlive it. 0 or -ENOMEM. */
int t_peer_init(struct t_peer *peer, struct lai_sim *sim, struct lai_sim_host *host,
		struct t_ledger *ledger);
void t_peer_done(struct t_peer *peer);

void t_peer_wake(
	struct t_peer *peer); /* after its ways have changed; also starts it anew after a crash */
void t_peer_crash(struct t_peer *peer); /* SIGKILL */
void t_peer_lost(struct t_peer *peer);	/* its host lost power: its connections are gone */
void t_peer_fin(struct t_peer *peer);	/* reads what is there and closes every connection */
void t_peer_half_close(struct t_peer *peer);
void t_peer_reset(struct t_peer *peer); /* aborts every connection */
void t_peer_talk(struct t_peer *peer, size_t bytes);

#endif
