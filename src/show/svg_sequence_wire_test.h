/* SPDX-License-Identifier: MIT */
/* svg_sequence_wire_test.h - captures written by hand, and the diagrams that they become. */
#ifndef LAI_SHOW_SVG_SEQUENCE_WIRE_TEST_H
#define LAI_SHOW_SVG_SEQUENCE_WIRE_TEST_H

#include "base/time.h"
#include "base/view.h"
#include "show/svg_sequence.h"
#include "show/svg_sequence_label.h"

#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define BEGAN_NS (1000 * LAI_S)
#define SEGMENTS_MAX 400
#define SMALLEST_ROW 18u

/* A capture written by hand: wire after wire, each segment `us` after the beginning. */
struct wire {
	struct lai_captured list[2][SEGMENTS_MAX];
	size_t counts[2];
	struct lai_result_state states[64];
	size_t state_count;
};

#define F LAI_FLAG_FIN
#define S LAI_FLAG_SYN
#define R LAI_FLAG_RST
#define A LAI_FLAG_ACK

static inline struct lai_address at(const char *text, uint16_t port)
{
	struct lai_address address;

	assert_int_equal(lai_address_parse(text, port, &address), 0);
	return address;
}

static inline struct wire *wire_new(void)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	assert_non_null(wire);
	return wire;
}

static inline void pass(struct wire *wire, unsigned number, uint64_t us, struct lai_address from,
			struct lai_address to, uint8_t flags, uint32_t seq, uint32_t ack,
			size_t bytes)
{
	assert_true(wire->counts[number] < SEGMENTS_MAX);
	wire->list[number][wire->counts[number]++] =
		(struct lai_captured){.time_ns = BEGAN_NS + us * LAI_US,
				      .segment = {.from = from,
						  .to = to,
						  .flags = flags,
						  .seq = seq,
						  .ack = ack,
						  .window = 1000,
						  .payload_bytes = bytes}};
}

static inline void be(struct wire *wire, uint64_t us, uint8_t host, uint8_t state, uint16_t local,
		      uint16_t remote)
{
	wire->states[wire->state_count++] =
		(struct lai_result_state){.time_ns = BEGAN_NS + us * LAI_US,
					  .host = host,
					  .state = state,
					  .local_port = local,
					  .remote_port = remote};
}

static inline struct lai_sequence sequence_of(const struct wire *wire, unsigned wires)
{
	return (struct lai_sequence){.segments = {wire->list[0], wire->list[1]},
				     .counts = {wire->counts[0], wire->counts[1]},
				     .wires = wires,
				     .states = wire->states,
				     .state_count = wire->state_count,
				     .began_ns = BEGAN_NS};
}

static inline struct lai_sequence_plan plan_of(const struct wire *wire, unsigned wires)
{
	struct lai_sequence sequence = sequence_of(wire, wires);
	struct lai_sequence_plan plan;

	assert_int_equal(lai_sequence_plan(&sequence, &plan), 0);
	return plan;
}

/* The n-th segment that is drawn. */
static inline const struct lai_sequence_row *segment(const struct lai_sequence_group *group,
						     size_t n)
{
	for (size_t i = 0; i < group->row_count; i++)
		if (group->rows[i].kind == LAI_ROW_SEGMENT && n-- == 0)
			return &group->rows[i];
	fail_msg("there are not that many segments");
	return NULL;
}

static inline void assert_label(const struct lai_sequence_group *group, size_t n,
				const char *wanted)
{
	struct lai_text text = LAI_TEXT_INIT(256);

	lai_sequence_label_segment(&text, group, 1, segment(group, n));
	assert_string_equal(lai_text_string(&text), wanted);
	lai_text_done(&text);
}

/* Rows go downwards in time, none over another, each high enough for a line of text. */
static inline void assert_readable(const struct lai_sequence_plan *plan)
{
	for (size_t g = 0; g < plan->group_count; g++) {
		const struct lai_sequence_group *group = &plan->groups[g];
		unsigned end = 0;
		uint64_t time_ns = 0;

		for (size_t i = 0; i < group->row_count; i++) {
			assert_true(group->rows[i].height >= SMALLEST_ROW);
			assert_true(group->rows[i].y >= end);
			assert_true(group->rows[i].time_ns >= time_ns);
			end = group->rows[i].y + group->rows[i].height;
			time_ns = group->rows[i].time_ns;
		}
		assert_int_equal(group->height, end);
	}
}

/* Handshake at seq 100 and 500. */
static inline void shake_hands(struct wire *wire, uint64_t us, struct lai_address client,
			       struct lai_address server, uint32_t isn, uint32_t peer_isn)
{
	pass(wire, 0, us, client, server, S, isn, 0, 0);
	pass(wire, 0, us + 10, server, client, S | A, peer_isn, isn + 1, 0);
	pass(wire, 0, us + 20, client, server, A, isn + 1, peer_isn + 1, 0);
}

static inline size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *found = text; (found = strstr(found, what)); found += strlen(what))
		count++;
	return count;
}

static inline char *draw(const struct wire *wire, unsigned wires)
{
	struct lai_sequence sequence = sequence_of(wire, wires);
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	assert_int_equal(lai_svg_sequence(file, "claim", &sequence), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

#endif
