/* SPDX-License-Identifier: MIT */
/*
 * capture.h - everything that went over a wire, in a file that Wireshark opens, and as segments for
 * claims and diagrams. libpcap writes and reads the files. Taken at the wire's nearer end, where
 * both directions pass.
 */
#ifndef LAI_LAB_CAPTURE_H
#define LAI_LAB_CAPTURE_H

#include "lab/segment.h"

#include <stdint.h>
#include <stdio.h>

struct lai_trial;
struct lai_host;
struct lai_capture;

/* So much is kept; what a busy trial sends beyond it is counted only. */
#define LAI_CAPTURE_PACKETS_MAX 20000
#define LAI_CAPTURE_BYTES_EACH 256 /* of a packet: headers, options, and the first words */

/*
 * Begins, at port 0 of a host (its first wire) or port 1. file is written as pcap from its present
 * position on, and stays the caller's. Every packet goes into it, those that are not TCP (ARP,
 * ICMPv6) too. Ends the trial if it is not possible. By the runner alone.
 */
struct lai_capture *lai_capture_start(struct lai_trial *trial, const struct lai_host *host,
				      unsigned port, FILE *file);
/* Takes in what has passed by now. The kernel keeps LAI_CAPTURE_PACKETS_MAX in between. */
void lai_capture_drain(struct lai_capture *capture);
/* The same, and flushes the file; says in the evidence how many packets are missing. Frees. */
void lai_capture_stop(struct lai_capture *capture);

/* One packet on a wire. */
struct lai_captured {
	uint64_t time_ns;	    /* CLOCK_REALTIME */
	struct lai_segment segment; /* payload NULL: only payload_bytes is kept */
};

/*
 * The TCP segments so far (drains first), oldest first; valid until the next call. Ends the trial if
 * packets are missing (lost, or beyond the maximum): what is not in the list was not on the wire.
 */
const struct lai_captured *lai_capture_segments(struct lai_capture *capture, size_t *count);

/* Passed, kept or not; and lost before we saw them. */
void lai_capture_counts(const struct lai_capture *capture, uint64_t *packets, uint64_t *lost);

/*
 * Reads a pcap or pcapng file of Ethernet or raw IP, from its present position on; it stays the
 * caller's. *list is for free(). 0; -EINVAL: no such file, -ENOSYS: no libpcap, *error says why
 * and is for free(); -ENOMEM. *malformed counts packets that lai_segment_parse_cut() refuses; a packet that is no TCP
 * is not counted.
 */
int lai_capture_read(FILE *file, struct lai_captured **list, size_t *count, size_t *malformed,
		     char **error);

/*
 * Waits until the wire has carried a segment from this address (port included; NULL: any) with all
 * of `flags` and none of `not_flags`. Looks from index *next on, and moves *next behind what it has
 * found. False: not within the wait; *next stays. Ends the trial as lai_capture_segments() does.
 */
bool lai_capture_await(struct lai_capture *capture, size_t *next, const struct lai_address *from,
		       uint8_t flags, uint8_t not_flags, uint64_t wait_ns,
		       struct lai_captured *found);

#endif
