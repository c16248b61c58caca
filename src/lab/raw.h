/* SPDX-License-Identifier: MIT */
/*
 * raw.h - a peer that is no kernel: it has an address on a wire for which only we answer, and says
 * and hears exactly the segments that the claim wants.
 *
 *	claim -- raw peer -- packet socket at a port of `at` ---- wire ---- `to`, a kernel
 *
 * A permanent neighbour at `to` takes the place of ARP and of neighbour discovery. The kernel of
 * `at` sees what comes for the address too, and drops it without a word, the address being nobody's
 * there.
 */
#ifndef LAI_LAB_RAW_H
#define LAI_LAB_RAW_H

#include "lab/host.h"
#include "lab/segment.h"

struct lai_raw;

/*
 * Sits at a port of `at` and speaks with `to`'s kernel; the two are the ends of one wire. Its
 * address is .n of that wire (16 <= n < 255), of the trial's family. `at` must not be the router,
 * which would forward what comes for the address. Ends with the trial.
 */
struct lai_raw *lai_raw_new(struct lai_trial *trial, struct lai_host *at, struct lai_host *to,
			    unsigned n);
struct lai_address lai_raw_address(const struct lai_raw *raw, uint16_t port);

/* Sends it as it is. from and to must be set. The wire's MTU (1500) bounds it. */
void lai_raw_send(struct lai_raw *raw, const struct lai_segment *segment);

/*
 * The next segment to this peer's port (0: any). What comes for its other ports meanwhile stays
 * waiting (the last 256). False: silence until the wait was over. payload is NULL.
 */
bool lai_raw_receive(struct lai_raw *raw, uint16_t port, struct lai_segment *segment,
		     uint64_t wait_ns);
/* Throws away what has come. */
void lai_raw_forget(struct lai_raw *raw);

/* A connection that it has with the kernel, and what it has to remember of it. */
struct lai_raw_end {
	struct lai_raw *raw;
	struct lai_address local, remote;
	uint32_t isn, peer_isn;
	uint32_t snd_nxt;   /* what we send next */
	uint32_t rcv_nxt;   /* what we expect next */
	bool timestamps;    /* both ends agreed */
	uint32_t ts_value;  /* ours, of the next segment: the claim moves it */
	uint32_t ts_recent; /* the peer's last */
	uint16_t window;
};

struct lai_raw_plan {
	uint16_t port;	   /* ours; 0: from the trial's random numbers */
	uint32_t isn;	   /* 0: from the trial's random numbers */
	bool timestamps;   /* offered */
	bool sack;	   /* offered */
	uint32_t ts_value; /* 0: from the trial's random numbers */
	uint16_t mss;	   /* 0: 1460 */
};

/* Opens a connection to a listening kernel by a handshake. Ends the trial if it refuses. */
struct lai_raw_end lai_raw_connect(struct lai_trial *trial, struct lai_raw *raw,
				   const struct lai_address *to, const struct lai_raw_plan *plan);

/* Answers the SYN of a kernel that connects to our port (call connect() first, non-blocking); port
   0: to any. Ends the trial if none comes within the wait. */
struct lai_raw_end lai_raw_accept(struct lai_trial *trial, struct lai_raw *raw,
				  const struct lai_raw_plan *plan, uint64_t wait_ns);

/* A segment of this connection: its ends, snd_nxt, rcv_nxt (with the ACK flag) and timestamp filled
   in; the rest is the caller's. */
struct lai_segment lai_raw_segment(const struct lai_raw_end *end, uint8_t flags);
/* Sends such a segment and moves snd_nxt by its length. */
void lai_raw_say(struct lai_raw_end *end, uint8_t flags, size_t payload_bytes);
/* The next segment of this connection: moves rcv_nxt and ts_recent if it is in order, and no SYN.
   False: silence. */
bool lai_raw_hear(struct lai_raw_end *end, struct lai_segment *segment, uint64_t wait_ns);
/* Hears until one has all these flags, and ends the trial if none comes. */
struct lai_segment lai_raw_hear_flags(struct lai_trial *trial, struct lai_raw_end *end,
				      uint8_t flags, uint64_t wait_ns);

#endif
