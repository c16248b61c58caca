/* SPDX-License-Identifier: MIT */
/*
 * result.h - what one trial has said. A plain value of fixed size without pointers: the trial is a
 * process of its own, which may be killed at any moment, and writes here through shared memory.
 */
#ifndef LAI_LAB_RESULT_H
#define LAI_LAB_RESULT_H

#include "lab/verdict.h"

#include <stdbool.h>
#include <stdint.h>

#define LAI_RESULT_WORDS_MAX 512
#define LAI_RESULT_EVIDENCE_MAX 16384 /* lines, each ended by a newline */
#define LAI_RESULT_NUMBERS_MAX 48
#define LAI_RESULT_SERIES_MAX 6
#define LAI_RESULT_POINTS_MAX 8192
#define LAI_RESULT_STATES_MAX 512

/* A measured value: "connect_ms" is 9.6 "ms". */
struct lai_result_number {
	char name[48];
	char unit[16];
	double value;
};

/* A curve of a plot. Points of all series stand in one array. */
struct lai_result_series {
	char name[48];	   /* the curve's own name */
	char x[48], y[48]; /* the axes, with units; series with the same axes share a plot */
};
struct lai_result_point {
	uint32_t series;
	double x, y;
};

/* From this moment a host's end of a connection is in this state. */
struct lai_result_state {
	uint64_t time_ns; /* CLOCK_REALTIME, as in the captures */
	uint8_t host;	  /* 0 client, 1 server, 2 router */
	uint8_t state;	  /* enum lai_tcp_state; LAI_TCP_NONE: in no table any more */
	uint8_t timer;	  /* enum lai_socket_timer */
	uint16_t local_port, remote_port;
	uint32_t timer_ms; /* until it fires */
};

enum lai_result_control {
	LAI_CONTROL_NONE, /* not said */
	LAI_CONTROL_HELD, /* came out the opposite way, as it must */
	LAI_CONTROL_FAILED,
};

struct lai_result {
	/* As the trial said it; lai_result_verdict() is what counts. */
	enum lai_lab_verdict said;
	char words
		[LAI_RESULT_WORDS_MAX]; /* the finding in a sentence; for DEPENDS on what, with the value */
	enum lai_result_control control;
	char control_words[LAI_RESULT_WORDS_MAX];
	uint64_t began_ns, ended_ns; /* CLOCK_REALTIME; ended 0: it did not end by itself */
	uint32_t evidence_bytes;
	uint32_t number_count, series_count, point_count, state_count;
	uint32_t dropped; /* said beyond a maximum, and not kept */
	char evidence[LAI_RESULT_EVIDENCE_MAX];
	struct lai_result_number numbers[LAI_RESULT_NUMBERS_MAX];
	struct lai_result_series series[LAI_RESULT_SERIES_MAX];
	struct lai_result_point points[LAI_RESULT_POINTS_MAX];
	struct lai_result_state states[LAI_RESULT_STATES_MAX];
};

/*
 * The verdict: what was said, but INCONCLUSIVE if the control failed or was never said, if nothing
 * was concluded, or if the trial did not come to its end. *why becomes the sentence that goes with
 * it, in the result or constant.
 */
enum lai_lab_verdict lai_result_verdict(const struct lai_result *result, const char **why);

#endif
