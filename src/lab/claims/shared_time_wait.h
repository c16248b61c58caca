/* SPDX-License-Identifier: MIT */
/*
 * shared_time_wait.h - what all claims about segments that meet a TIME_WAIT begin with: a server's
 * kernel that has closed first, and a raw peer that may say to it whatever a claim wants.
 *
 *	raw peer                               kernel of the server
 *	 SYN, SYN-ACK, ACK  <--------------->  accept()
 *	                    <----- FIN ------  close()
 *	 ACK                -------------->    FIN_WAIT2
 *	 FIN, seq R-1       -------------->    TIME_WAIT, expects R next
 *	                    <----- ACK R ----
 *	 the segment in question ---------->   ?
 */
#ifndef LAI_LAB_CLAIMS_SHARED_TIME_WAIT_H
#define LAI_LAB_CLAIMS_SHARED_TIME_WAIT_H

#include "lab/gauge.h"
#include "lab/raw.h"

/* discard (RFC 863): nobody listens there in the server's namespace. */
#define LAI_TW_PORT_OF_NOBODY 9

/* What a server and a raw peer need for any number of connections, one port each. */
struct lai_tw_bench {
	struct lai_trial *trial;
	struct lai_raw *raw;
	int listener;
	struct lai_address server; /* where the listener listens */
	uint16_t next_port;	   /* of the raw peer */
};

struct lai_tw_bench lai_tw_bench_open(struct lai_trial *trial);

/* A TIME_WAIT of the server. */
struct lai_tw {
	struct lai_raw_end end; /* the peer's side; rcv_nxt is what the server would send next */
	struct lai_ends at_server;
	uint32_t expects; /* R: the next sequence number, behind the peer's FIN */
};

/*
 * Opens a connection and closes it, the server first. timestamps: the peer offers them;
 * tw.end.timestamps tells whether they were agreed on. ts_value: the peer's, 0: any. Ends the trial
 * if the server then is not in TIME_WAIT.
 */
struct lai_tw lai_tw_make(struct lai_tw_bench *bench, bool timestamps, uint32_t ts_value);

/* A SYN of the same four-tuple with this sequence number, without a timestamp. */
struct lai_segment lai_tw_syn(const struct lai_tw *tw, uint32_t seq);

enum lai_tw_answer {
	LAI_TW_SILENCE,
	LAI_TW_ACK,
	LAI_TW_SYN_ACK,
	LAI_TW_RST,
	LAI_TW_OTHER,
};
const char *lai_tw_answer_name(enum lai_tw_answer answer);

/*
 * Sends the segment and tells what came back; *heard (may be NULL) is it, if it is not silence.
 * Silence is no matter of patience: a SYN to a port where nobody listens is sent after it, and when
 * the RST for that one has come, an answer would have come as well.
 */
enum lai_tw_answer lai_tw_ask(struct lai_tw_bench *bench, const struct lai_tw *tw,
			      const struct lai_segment *segment, struct lai_segment *heard);

/* Sends all of them in a row and tells how many answers came to them. */
unsigned lai_tw_ask_all(struct lai_tw_bench *bench, const struct lai_tw *tw,
			const struct lai_segment *segments, size_t count);

/* Makes a TIME_WAIT, says RST to it with the sequence number R+ahead, and tells whether the
   TIME_WAIT is still there afterwards. */
bool lai_tw_outlives_reset(struct lai_tw_bench *bench, uint32_t ahead, const char *name);

/* Whether the TIME_WAIT is still there, and how long it has left (*left_ms may be NULL). */
bool lai_tw_alive(struct lai_tw_bench *bench, const struct lai_tw *tw, uint32_t *left_ms);

#endif
