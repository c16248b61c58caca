/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the twin of the Linux network: virtual clock, hosts, TCP and DNS driven by one seed.
 *
 *     program A            program B          each program uses lai_net_ops and nothing else
 *        |                    |
 *     lai_net              lai_net            a set of sockets with its own watch set
 *        |                    |
 *     host 192.0.2.100     host 10.0.0.1      socket table, ports, addresses, power, firewall
 *        |                    |
 *        +------- paths ------+               latency, jitter, loss, black hole, NAT state
 *
 * The same seed and the same calls in the same order give the same run, to the last segment.
 * Bytes really travel: the receiver reads what the sender wrote. Nothing here makes a system call.
 *
 * Clocks. lai_sim_now() is the world's time, which never stands still. A host's own monotonic clock
 * (net->ops->now) is that, less the time the host has been suspended; they are the same as long
 * as no one suspends it. Both start at LAI_SIM_START_NS, so that 0 stays free for "never".
 *
 * TCP as modelled: segments of LAI_SIM_MSS bytes, cumulative ACKs sent at once, no congestion
 * window, no tail loss probes, no delayed ACKs. What decisions depend on (timers, errors, states,
 * resets, buffers, ports) follows Linux 6.18; tests/kernel_facts_test.c holds both to the same
 * sentences.
 *
 * A pointer to a host, path or net stays valid until lai_sim_free(), a net at most until its own
 * free(). Not thread-safe. When memory runs out, segments are lost and calls say so.
 */
#ifndef LAI_IO_SIM_SIM_H
#define LAI_IO_SIM_SIM_H

#include "base/time.h"
#include "io/net.h"

#include <stdio.h>

struct lai_sim;
struct lai_sim_host;

#define LAI_SIM_START_NS (1000 * LAI_S)
#define LAI_SIM_MSS 1448u /* of an Ethernet path with TCP timestamps */
#define LAI_SIM_CLIENT_V4 "192.0.2.100"
#define LAI_SIM_CLIENT_V6 "2001:db8::100"

/* 0, or -ENOMEM. Free with lai_sim_free(), which also frees every host, socket and remaining net.
 */
int lai_sim_new(struct lai_sim **sim, uint64_t seed);
void lai_sim_free(struct lai_sim *sim); /* NULL is fine */

/* A new net on the client host, which has the two addresses above. NULL: out of memory. */
struct lai_net *lai_sim_net(struct lai_sim *sim);
struct lai_sim_host *lai_sim_client(struct lai_sim *sim);

/* The host with this numeric address, made if there is none. NULL: no address, or out of memory. */
struct lai_sim_host *lai_sim_host(struct lai_sim *sim, const char *address);
/* Gives the host one more address. 0, -EINVAL, -EEXIST (somebody has it) or -ENOSPC. */
int lai_sim_host_address(struct lai_sim_host *host, const char *address);
/* A new net (think: process) on this host. NULL: out of memory. */
struct lai_net *lai_sim_host_net(struct lai_sim_host *host);

/* ---- the clock --------------------------------------------------------------------------- */

uint64_t lai_sim_now(const struct lai_sim *sim);
uint64_t lai_sim_next(const struct lai_sim *sim); /* time of the next internal event, or LA_NEVER */
/* Runs what happens up to until_ns, in order, and sets the clock to it. LA_NEVER: until nothing is
   left to happen, which does not come while a keepalive runs. */
void lai_sim_advance(struct lai_sim *sim, uint64_t until_ns);
/* When (in the world's time) a host's own clock will show host_ns. */
uint64_t lai_sim_host_when(const struct lai_sim_host *host, uint64_t host_ns);

/*
 * A program that the simulator runs by itself, so that servers live on while the client sits in
 * wait(). run() is called when something became ready on its net, when the time it returned last
 * has come (the host's clock; LA_NEVER: none), after thawing and after power on. It must take what
 * it can: it is not called again for what it left. Inside it wait() never moves the clock. It may
 * call anything of this header but lai_sim_advance(), lai_sim_free() and free() of its own net.
 */
typedef uint64_t lai_sim_run(struct lai_net *net, void *context);
void lai_sim_program(struct lai_net *net, lai_sim_run *run, void *context); /* run NULL: none */

/* ---- faults: each may be changed at any moment ------------------------------------------- */

/* One direction between two hosts (or within one: from == to). Write the fields as you like. */
struct lai_sim_path {
	uint64_t latency_ns; /* default 1 ms; 10 us within a host */
	uint64_t jitter_ns;  /* up to this is added to each segment */
	uint32_t loss_ppm;   /* of a million segments */
	bool reorder;	     /* jitter may reorder; otherwise first in, first out */
	bool black_hole;     /* what is sent or still under way is lost without a word */
	bool no_route;	     /* the sender knows: connect() and why_silent() say -ENETUNREACH */
};
/* NULL: out of memory. */
struct lai_sim_path *lai_sim_path(struct lai_sim_host *from, struct lai_sim_host *to);
/* Both directions: all segments lost, or none. */
void lai_sim_cut(struct lai_sim_host *a, struct lai_sim_host *b, bool cut);
/* The NAT or firewall between the two forgets its connections: silence, until a SYN passes. */
void lai_sim_nat_drop(struct lai_sim_host *a, struct lai_sim_host *b);

/* The host's routes to everything but itself: present or lost. */
void lai_sim_route(struct lai_sim_host *host, bool present);
/* Takes a local address away or gives it back. 0, or -EADDRNOTAVAIL: never was its address. */
int lai_sim_address_set(struct lai_sim_host *host, const char *address, bool present);

/* Off: sockets, connections and watch sets vanish without a segment; every socket number is -EBADF.
   On: as after a boot, with empty tables, so that old peers get RST. */
void lai_sim_power(struct lai_sim_host *host, bool on);
unsigned lai_sim_boots(const struct lai_sim_host *host); /* how often it was powered on again */
/* From now on, for this long of the world's time, the host sleeps: its clock and its timers stand
   still, segments to it are lost, its programs are not run. slept() then counts it. */
void lai_sim_suspend(struct lai_sim_host *host, uint64_t duration_ns);

/* The program is stopped (SIGSTOP) and its kernel is not: sockets go on acknowledging until their
   buffers are full; wait() on this net finds nothing ready and its program is not run. */
void lai_sim_freeze(struct lai_net *net, bool frozen);
/* The program dies as by SIGKILL: each of its sockets is closed, with RST where data was unread. */
void lai_sim_kill(struct lai_net *net);

enum lai_sim_firewall {
	LAI_SIM_ACCEPT,
	LAI_SIM_DROP,	  /* SYNs vanish */
	LAI_SIM_REJECT,	  /* SYNs are answered by RST: ECONNREFUSED */
	LAI_SIM_PROHIBIT, /* SYNs are answered by ICMP "administratively prohibited": EHOSTUNREACH
			   */
};
void lai_sim_firewall(struct lai_sim_host *host, enum lai_sim_firewall rule);

/* The next `count` connect() on this host fail with this negative errno before anything is sent. */
void lai_sim_fail_connect(struct lai_sim_host *host, int error, unsigned count);
/* LAI_ACKED events on this host get lost, all of them, or none. */
void lai_sim_lose_acked(struct lai_sim_host *host, bool lose);
/* Limits of new sockets; default LAI_SIM_BUFFER_BYTES each. At least one segment, or it is raised.
 */
#define LAI_SIM_BUFFER_BYTES (64u * 1024)
void lai_sim_buffers(struct lai_sim_host *host, uint32_t send_bytes, uint32_t receive_bytes);
/* Ephemeral ports [low, high]; default 32768 to 60999. Few of them: exhaustion, self-connect. */
void lai_sim_ports(struct lai_sim_host *host, uint16_t low, uint16_t high);
/* Off: a pinned port cannot be connected out of TIME_WAIT (EADDRNOTAVAIL). Default on. */
void lai_sim_timestamps(struct lai_sim_host *host, bool on);

/*
 * What the resolver answers for a name from now on: addresses, separated by blanks, in its order;
 * or error, negative (-ENOENT, -EAGAIN), where addresses is NULL; after delay_ns, LA_NEVER: never.
 * The answer is looked up when it is due. Unknown names: -ENOENT. 0, -EINVAL or -ENOMEM.
 */
int lai_sim_dns(struct lai_sim *sim, const char *name, const char *addresses, int error,
		uint64_t delay_ns);

/* ---- looking inside, for invariants ------------------------------------------------------ */

/* Sockets that the owner has not closed: of one net; of one host, those of freed nets included. */
size_t lai_sim_open(const struct lai_net *net);
size_t lai_sim_host_open(const struct lai_sim_host *host);
/* The host's connections in this state, orphans and TIME_WAIT included. LAI_TCP_CLOSE counts those
   that died and are not closed yet; LAI_TCP_COUNT counts all. */
size_t lai_sim_in_state(const struct lai_sim_host *host, enum lai_tcp_state state);
/* Sockets made by connect() on this net and not closed yet: now, and the most there ever were. */
size_t lai_sim_live(const struct lai_net *net);
size_t lai_sim_live_max(const struct lai_net *net);

struct lai_sim_attempt {
	uint64_t at_ns; /* the host's clock */
	struct lai_address remote;
	int result; /* what connect() returned */
};
/* Every connect() on this net so far, oldest first; valid until the next one. */
const struct lai_sim_attempt *lai_sim_attempts(const struct lai_net *net, size_t *count);

/* Changes with every segment sent, lost or delivered and its time: equal hashes, equal runs. */
uint64_t lai_sim_hash(const struct lai_sim *sim);
/* Writes one line per segment, as tcpdump would; NULL: stop. The stream stays the caller's. */
void lai_sim_trace(struct lai_sim *sim, FILE *stream);

#endif
