/* SPDX-License-Identifier: MIT */
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

static struct lai_address at(const char *text, uint16_t port)
{
	struct lai_address address;

	assert_int_equal(lai_address_parse(text, port, &address), 0);
	return address;
}

static struct wire *wire_new(void)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	assert_non_null(wire);
	return wire;
}

static void pass(struct wire *wire, unsigned number, uint64_t us, struct lai_address from,
		 struct lai_address to, uint8_t flags, uint32_t seq, uint32_t ack, size_t bytes)
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

static void be(struct wire *wire, uint64_t us, uint8_t host, uint8_t state, uint16_t local,
	       uint16_t remote)
{
	wire->states[wire->state_count++] =
		(struct lai_result_state){.time_ns = BEGAN_NS + us * LAI_US,
					  .host = host,
					  .state = state,
					  .local_port = local,
					  .remote_port = remote};
}

static struct lai_sequence sequence_of(const struct wire *wire, unsigned wires)
{
	return (struct lai_sequence){.segments = {wire->list[0], wire->list[1]},
				     .counts = {wire->counts[0], wire->counts[1]},
				     .wires = wires,
				     .states = wire->states,
				     .state_count = wire->state_count,
				     .began_ns = BEGAN_NS};
}

static struct lai_sequence_plan plan_of(const struct wire *wire, unsigned wires)
{
	struct lai_sequence sequence = sequence_of(wire, wires);
	struct lai_sequence_plan plan;

	assert_int_equal(lai_sequence_plan(&sequence, &plan), 0);
	return plan;
}

/* The n-th segment that is drawn. */
static const struct lai_sequence_row *segment(const struct lai_sequence_group *group, size_t n)
{
	for (size_t i = 0; i < group->row_count; i++)
		if (group->rows[i].kind == LAI_ROW_SEGMENT && n-- == 0)
			return &group->rows[i];
	fail_msg("there are not that many segments");
	return NULL;
}

static void assert_label(const struct lai_sequence_group *group, size_t n, const char *wanted)
{
	struct lai_text text = LAI_TEXT_INIT(256);

	lai_sequence_label_segment(&text, group, 1, segment(group, n));
	assert_string_equal(lai_text_string(&text), wanted);
	lai_text_done(&text);
}

/* Rows go downwards in time, none over another, each high enough for a line of text. */
static void assert_readable(const struct lai_sequence_plan *plan)
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
static void shake_hands(struct wire *wire, uint64_t us, struct lai_address client,
			struct lai_address server, uint32_t isn, uint32_t peer_isn)
{
	pass(wire, 0, us, client, server, S, isn, 0, 0);
	pass(wire, 0, us + 10, server, client, S | A, peer_isn, isn + 1, 0);
	pass(wire, 0, us + 20, client, server, A, isn + 1, peer_isn + 1, 0);
}

static void four_segments_and_both_ends_states(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	shake_hands(wire, 0, c, s, 100, 500);
	pass(wire, 0, 100, c, s, F | A, 101, 501, 0);
	pass(wire, 0, 110, s, c, A, 501, 102, 0);
	be(wire, 200, 0, LAI_TCP_FIN_WAIT2, 4000, 80);
	be(wire, 210, 1, LAI_TCP_CLOSE_WAIT, 80, 4000);
	be(wire, 220, 1, LAI_TCP_CLOSE_WAIT, 80, 4000); /* looked at again: no change */
	pass(wire, 0, 2000000, s, c, F | A, 501, 102, 0);
	pass(wire, 0, 2000010, c, s, A, 102, 502, 0);
	be(wire, 2000100, 0, LAI_TCP_TIME_WAIT, 4000, 80);
	be(wire, 2000100, 0, LAI_TCP_TIME_WAIT, 4001, 80); /* somebody else's */
	plan = plan_of(wire, 1);
	assert_int_equal(plan.group_count, 1);
	group = &plan.groups[0];
	assert_int_equal(group->drawn, 7);
	/* 7 segments, both ends in one row, a pause, a state */
	assert_int_equal(group->row_count, 7 + 1 + 1 + 1);
	assert_int_equal(group->rows[5].kind, LAI_ROW_STATES);
	assert_int_equal(group->rows[5].states[0]->state, LAI_TCP_FIN_WAIT2);
	assert_int_equal(group->rows[5].states[1]->state, LAI_TCP_CLOSE_WAIT);
	assert_int_equal(group->rows[6].kind, LAI_ROW_PAUSE);
	assert_int_equal(group->rows[6].pause_ns, 1999800 * LAI_US);
	assert_int_equal(group->rows[9].states[0]->state, LAI_TCP_TIME_WAIT);
	assert_null(group->rows[9].states[1]);
	assert_label(group, 0, "[S] seq 100");
	assert_label(group, 1, "[S.] seq 500 ack 101");
	assert_label(group, 2, "[.] ack 1");
	assert_label(group, 3, "[F.] seq 1 ack 1");
	assert_label(group, 6, "[.] ack 2");
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

static void what_was_sent_before_is_marked(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("fd00:1:0::1", 4000), s = at("fd00:1:0::2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	pass(wire, 0, 0, c, s, S, 0xfffffff0, 0, 0);
	pass(wire, 0, 1000, c, s, S, 0xfffffff0, 0, 0); /* again */
	pass(wire, 0, 1010, s, c, S | A, 7, 0xfffffff1, 0);
	pass(wire, 0, 1020, c, s, A, 0xfffffff1, 8, 100); /* the numbers wrap */
	pass(wire, 0, 1030, c, s, A, 0xfffffff1, 8, 100);
	pass(wire, 0, 1040, c, s, A, 0xfffffff1 + 100, 8, 50);
	pass(wire, 0, 1050, c, s, A, 0xfffffff1 + 149, 8, 0); /* keep-alive */
	pass(wire, 0, 1060, c, s, A, 0xfffffff1 + 150, 8, 0); /* an ACK */
	pass(wire, 0, 1070, c, s, R, 0xfffffff1 + 10, 0, 0);
	plan = plan_of(wire, 1);
	assert_int_equal(plan.group_count, 1);
	group = &plan.groups[0];
	assert_int_equal(segment(group, 0)->mark, LAI_MARK_NONE);
	assert_int_equal(segment(group, 1)->mark, LAI_MARK_RETRANSMISSION);
	assert_int_equal(segment(group, 3)->mark, LAI_MARK_NONE);
	assert_int_equal(segment(group, 4)->mark, LAI_MARK_RETRANSMISSION);
	assert_int_equal(segment(group, 5)->mark, LAI_MARK_NONE);
	assert_int_equal(segment(group, 6)->mark, LAI_MARK_KEEPALIVE);
	assert_int_equal(segment(group, 7)->mark, LAI_MARK_NONE);
	assert_int_equal(segment(group, 8)->mark, LAI_MARK_NONE);
	assert_label(group, 4, "[.] seq 1:101 ack 1 len 100 retransmission");
	assert_label(group, 8, "[R] seq 11");
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

static void a_syn_on_used_ports_is_compared_with_what_was_expected(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 2345), s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	shake_hands(wire, 0, c, s, 1000, 500);
	pass(wire, 0, 100, c, s, F | A, 1001, 501, 0);
	pass(wire, 0, 110, s, c, F | A, 501, 1002, 0);
	pass(wire, 0, 120, c, s, A, 1002, 502, 0);
	pass(wire, 0, 200, c, s, S, 902, 0, 0);		 /* 100 below */
	pass(wire, 0, 210, s, c, A, 502, 1002, 0);	 /* refused: still the old connection */
	pass(wire, 0, 220, c, s, S, 5002, 0, 0);	 /* 4000 above */
	pass(wire, 0, 230, s, c, S | A, 90000, 5003, 0); /* taken: a new one */
	pass(wire, 0, 240, c, s, A, 5003, 90001, 10);
	plan = plan_of(wire, 1);
	assert_int_equal(plan.group_count, 1);
	group = &plan.groups[0];
	assert_label(group, 6, "[S] seq 902 = expected - 100");
	assert_label(group, 7, "[.] ack 2");
	assert_label(group, 8, "[S] seq 5002 = expected + 4000");
	assert_label(group, 10, "[.] seq 1:11 ack 1 len 10");
	lai_sequence_plan_done(&plan);
	free(wire);
}

/* Two clients of a NAT, of which the second gets the ports of the first. */
static void behind_a_nat_both_wires_are_one_connection(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address a = at("10.1.0.20", 1111), b = at("10.1.0.21", 2222);
	struct lai_address s = at("10.1.1.2", 80), n = at("10.1.1.1", 50000);
	struct lai_sequence_plan plan;

	(void)state;
	pass(wire, 0, 0, a, s, S, 100, 0, 0);
	pass(wire, 1, 2, n, s, S, 100, 0, 0);
	pass(wire, 1, 10, s, n, S | A, 500, 101, 0);
	pass(wire, 0, 12, s, a, S | A, 500, 101, 0);
	pass(wire, 0, 100, b, s, S, 50, 0, 0);
	pass(wire, 1, 102, n, s, S, 50, 0, 0);
	pass(wire, 1, 110, s, n, A, 501, 101, 0); /* the old connection answers */
	pass(wire, 0, 112, s, b, A, 501, 101, 0);
	be(wire, 50, 1, LAI_TCP_SYN_RECV, 80, 50000);
	be(wire, 120, 0, LAI_TCP_SYN_SENT, 2222, 80);
	plan = plan_of(wire, 2);
	assert_int_equal(plan.group_count, 2);
	assert_int_equal(plan.groups[0].drawn, 4);
	assert_int_equal(plan.groups[1].drawn, 4);
	assert_true(lai_address_equal(&plan.groups[1].left, &b));
	assert_true(segment(&plan.groups[1], 0)->rightward);
	assert_false(segment(&plan.groups[1], 2)->rightward);
	assert_int_equal(segment(&plan.groups[1], 1)->mark, LAI_MARK_SYN_AGAIN);
	assert_int_equal(segment(&plan.groups[1], 1)->distance, 50 - 101);
	assert_int_equal(plan.groups[0].row_count, 4 + 1);
	assert_int_equal(plan.groups[0].rows[4].states[1]->state, LAI_TCP_SYN_RECV);
	assert_int_equal(plan.groups[1].row_count, 4 + 1);
	assert_int_equal(plan.groups[1].rows[4].states[0]->state, LAI_TCP_SYN_SENT);
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

static size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *found = text; (found = strstr(found, what)); found += strlen(what))
		count++;
	return count;
}

static char *draw(const struct wire *wire, unsigned wires)
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

/* The n-th line about what is not drawn. */
static void assert_omitted(const struct lai_sequence_group *group, size_t n, const char *wanted)
{
	struct lai_text text = LAI_TEXT_INIT(256);
	size_t i = 0;

	while (i < group->row_count && (group->rows[i].kind != LAI_ROW_OMITTED || n-- > 0))
		i++;
	assert_true(i < group->row_count);
	lai_sequence_label_omitted(&text, &group->rows[i]);
	assert_string_equal(lai_text_string(&text), wanted);
	lai_text_done(&text);
}

/* Every segment is drawn, or counted in a line. */
static void assert_whole(const struct lai_sequence_group *group)
{
	size_t omitted = 0, drawn = 0;

	for (size_t i = 0; i < group->row_count; i++) {
		omitted += group->rows[i].omitted_segments;
		drawn += group->rows[i].kind == LAI_ROW_SEGMENT;
	}
	assert_int_equal(drawn, group->drawn);
	assert_int_equal(omitted + drawn, group->segments);
}

/* Where 300 segments of data pass, the SYN, FIN, RST, what answers them and a state are drawn. */
static void of_a_long_connection_runs_of_data_are_folded(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	shake_hands(wire, 0, c, s, 100, 500);
	for (uint32_t i = 0; i < 300; i++)
		pass(wire, 0, 100 + i, c, s, A, 101 + 1024 * i, 501, 1024);
	be(wire, 199, 0, LAI_TCP_ESTABLISHED, 4000, 80); /* behind the 100th */
	for (uint32_t i = 0; i < 4; i++)
		pass(wire, 0, 500 + i, s, c, A, 501, 101 + 1024 * i, 0);
	pass(wire, 0, 510, c, s, F | A, 307301, 501, 0);
	pass(wire, 0, 520, s, c, A, 501, 300000, 0); /* not of the FIN */
	pass(wire, 0, 530, s, c, A, 501, 307302, 0);
	pass(wire, 0, 540, s, c, A, 501, 307302, 100);
	pass(wire, 0, 550, c, s, R, 307302, 0, 0);
	plan = plan_of(wire, 1);
	group = &plan.groups[0];
	assert_int_equal(group->segments, 312);
	assert_int_equal(group->drawn, 8);
	assert_label(group, 3, "[F.] seq 307201 ack 1");
	assert_label(group, 4, "[.] ack 299900");
	assert_label(group, 6, "[.] seq 1:101 ack 307202 len 100");
	assert_label(group, 7, "[R] seq 307202");
	assert_omitted(group, 0, "100 segments of data, 100 KiB");
	assert_omitted(group, 1, "200 segments of data, 200 KiB, and 4 ACKs");
	assert_whole(group);
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

/* What is no run of data stays, as long as there is room: a window that shuts, a probe, a pause. */
static void a_shut_window_and_its_probes_stay(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	shake_hands(wire, 0, c, s, 100, 500);
	for (uint32_t i = 0; i < 50; i++)
		pass(wire, 0, 100 + i, c, s, A, 101 + i, 501, 1);
	pass(wire, 0, 160, s, c, A, 501, 151, 0);
	wire->list[0][wire->counts[0] - 1].segment.window = 0;
	pass(wire, 0, 300000, c, s, A, 150, 501, 0); /* a probe */
	pass(wire, 0, 300010, s, c, A, 501, 151, 0); /* the window is open again */
	for (uint32_t i = 0; i < 50; i++)
		pass(wire, 0, 300100 + i + (i >= 20 ? 90000 : 0), c, s, A, 151 + i, 501, 1);
	plan = plan_of(wire, 1);
	group = &plan.groups[0];
	assert_int_equal(group->drawn, 6);
	assert_label(group, 3, "[.] ack 51 win 0");
	assert_label(group, 4, "[.] seq 50 ack 1 keep-alive or window probe");
	assert_omitted(group, 0, "50 segments of data, 50 B");
	assert_omitted(group, 1, "20 segments of data, 20 B");
	assert_omitted(group, 2, "30 segments of data, 30 B");
	assert_whole(group);
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

/* Ports used again and again: nothing of it can be folded, so the middle is cut out. */
static void what_cannot_be_folded_is_cut(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	const struct lai_sequence_group *group;

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		shake_hands(wire, i * 100, c, s, 100 + 1000 * i, 500 + 1000 * i);
		pass(wire, 0, i * 100 + 50, c, s, R, 101 + 1000 * i, 0, 0);
	}
	be(wire, 1525, 0, LAI_TCP_ESTABLISHED, 4000, 80);
	plan = plan_of(wire, 1);
	group = &plan.groups[0];
	assert_int_equal(group->segments, 120);
	assert_int_equal(group->drawn, LAI_SEQUENCE_SEGMENTS_MAX);
	assert_omitted(group, 0, "72 segments (54 SYN, FIN or RST) and 1 state not drawn");
	assert_label(group, 0, "[S] seq 100");
	assert_label(group, group->drawn - 1, "[R] seq 1");
	assert_whole(group);
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	free(wire);
}

static void of_many_connections_one_of_a_kind_is_drawn(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;
	char *text;

	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		struct lai_address c = at("10.1.0.1", (uint16_t)(4000 + i));

		shake_hands(wire, i * 100u, c, s, 100, 500);
		if (i == 70 || i == 80)
			pass(wire, 0, i * 100u + 50, s, c, R, 501, 0, 0);
	}
	be(wire, 9090, 0, LAI_TCP_ESTABLISHED, 4090, 80); /* like the others but for its state */
	plan = plan_of(wire, 1);
	assert_int_equal(plan.connections, 100);
	assert_int_equal(plan.group_count, 3);
	assert_int_equal(plan.groups[0].number, 1);
	assert_int_equal(plan.groups[0].alike, 96);
	assert_int_equal(plan.groups[1].number, 71);
	assert_int_equal(plan.groups[1].alike, 1);
	assert_int_equal(plan.groups[2].number, 91);
	assert_int_equal(plan.groups[2].alike, 0);
	assert_int_equal(plan.drawn, 3 + 4 + 3);
	assert_int_equal(plan.segments, 302);
	assert_readable(&plan);
	lai_sequence_plan_done(&plan);
	text = draw(wire, 1);
	assert_non_null(strstr(text, "10.1.0.2:80, and 96 more like it"));
	free(text);
	free(wire);
}

/* A handful of connections is drawn whole, although they are of one kind. */
static void a_few_of_one_kind_are_all_drawn(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address s = at("10.1.0.2", 80);
	struct lai_sequence_plan plan;

	(void)state;
	for (uint16_t i = 0; i < LAI_SEQUENCE_GROUPS_MAX; i++)
		shake_hands(wire, i * 100u, at("10.1.0.1", (uint16_t)(4000 + i)), s, 100, 500);
	plan = plan_of(wire, 1);
	assert_int_equal(plan.group_count, LAI_SEQUENCE_GROUPS_MAX);
	for (size_t i = 0; i < plan.group_count; i++)
		assert_int_equal(plan.groups[i].alike, 0);
	lai_sequence_plan_done(&plan);
	free(wire);
}

/* The lab's own SYNs to a closed port come last, and one of them does. */
static void refused_connections_come_last(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address s = at("10.1.0.2", 80), closed = at("10.1.0.2", 9);
	struct lai_sequence_plan plan;

	(void)state;
	for (uint16_t i = 0; i < 6; i++) {
		struct lai_address c = at("10.1.0.1", (uint16_t)(4000 + i));

		if (i % 2) {
			shake_hands(wire, i * 100u, c, s, 100, 500);
			continue;
		}
		pass(wire, 0, i * 100u, c, closed, S, 100, 0, 0);
		pass(wire, 0, i * 100u + 1, closed, c, R | A, 0, 101, 0);
	}
	plan = plan_of(wire, 1);
	assert_int_equal(plan.group_count, 4);
	assert_int_equal(plan.groups[0].number, 2);
	assert_int_equal(plan.groups[1].number, 4);
	assert_int_equal(plan.groups[2].number, 6);
	assert_int_equal(plan.groups[3].number, 1);
	assert_int_equal(plan.groups[3].alike, 2);
	lai_sequence_plan_done(&plan);
	free(wire);
}

static void the_drawing_has_an_arrow_for_each_segment(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), raw = at("10.1.0.16", 80);
	char *text;

	(void)state;
	shake_hands(wire, 0, c, raw, 100, 500);
	pass(wire, 0, 100, raw, c, R, 501, 0, 0);
	be(wire, 50, 0, LAI_TCP_ESTABLISHED, 4000, 80);
	be(wire, 200, 0, LAI_TCP_NONE, 4000, 80);
	text = draw(wire, 1);
	assert_int_equal(occurrences(text, "class=\"arrow\""), 4);
	assert_int_equal(occurrences(text, "class=\"cross\""), 1);
	assert_non_null(strstr(text, "data-segments=\"4\" data-left-out=\"0\""));
	assert_non_null(strstr(text, ">raw peer<"));
	assert_non_null(strstr(text, ">client<"));
	assert_null(strstr(text, ">server<"));
	assert_int_equal(occurrences(text, "class=\"bar open\""), 1);
	assert_non_null(strstr(text, ">0.000100<"));
	assert_non_null(strstr(text, ">not in the table<"));
	free(text);
	free(wire);
}

/* Nobody asked the kernel again, but the segments tell that it is no more what it was. */
static void a_state_is_pale_behind_what_may_have_changed_it(void **state)
{
	struct wire *wire = wire_new();
	struct lai_address c = at("10.1.0.1", 4000), s = at("10.1.0.2", 80);
	char *text;

	(void)state;
	shake_hands(wire, 0, c, s, 100, 500);
	be(wire, 50, 0, LAI_TCP_ESTABLISHED, 4000, 80);
	be(wire, 50, 1, LAI_TCP_ESTABLISHED, 80, 4000);
	pass(wire, 0, 60, c, s, A, 101, 501, 100); /* changes nothing */
	text = draw(wire, 1);
	assert_int_equal(occurrences(text, "class=\"bar open\""), 2);
	assert_int_equal(occurrences(text, "doubt"), 0);
	free(text);
	pass(wire, 0, 100, c, s, F | A, 201, 501, 0);
	pass(wire, 0, 110, s, c, R, 501, 0, 0);
	text = draw(wire, 1);
	assert_int_equal(occurrences(text, "class=\"bar open\""), 2);
	assert_int_equal(occurrences(text, "class=\"bar open doubt\""), 2);
	free(text);
	be(wire, 200, 0, LAI_TCP_NONE, 4000, 80);
	be(wire, 300, 1, LAI_TCP_TIME_WAIT, 80, 4000);
	pass(wire, 0, 400, c, s, S, 1000, 0, 0); /* may be answered by a challenge ACK */
	text = draw(wire, 1);
	assert_int_equal(occurrences(text, "class=\"bar timewait\""), 1);
	assert_int_equal(occurrences(text, "class=\"bar timewait doubt\""), 0);
	free(text);
	pass(wire, 0, 410, s, c, S | A, 9000, 1001, 0); /* no TIME_WAIT says this */
	text = draw(wire, 1);
	assert_int_equal(occurrences(text, "class=\"bar timewait doubt\""), 1);
	free(text);
	free(wire);
}

static void an_empty_capture_draws_nothing(void **state)
{
	struct wire *wire = wire_new();
	char *text;

	(void)state;
	be(wire, 1, 0, LAI_TCP_ESTABLISHED, 1, 2);
	text = draw(wire, 2);
	assert_string_equal(text, "");
	free(text);
	free(wire);
}

/* Any bytes may have been on the wire, at any times. */
static void random_segments_are_drawn_all_the_same(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct wire *wire = wire_new();
		char *text;

		for (size_t i = 0; i < 150; i++) {
			static const char *const places[] = {"10.1.0.1", "10.1.0.2",  "10.1.1.1",
							     "10.1.1.2", "10.1.0.16", "9.9.9.9"};

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17; /* xorshift */
			pass(wire, round % 2 ? random >> 7 & 1 : 0, random % 3000000,
			     at(places[random >> 8 & 3], random >> 10 & 3),
			     at(places[(random >> 12 & 3) + 2], random >> 14 & 3),
			     (uint8_t)(random >> 16), (uint32_t)(random >> 24) & 0x1ff,
			     (uint32_t)(random >> 33) & 0x1ff, random >> 42 & 0xff);
			if (wire->state_count < 64 && i % 3 == 0)
				be(wire, random % 3000000, random >> 50 & 3, random >> 52 & 15,
				   random >> 56 & 3, random >> 58 & 3);
		}
		text = draw(wire, 1 + round % 2);
		assert_non_null(strstr(text, "<svg"));
		assert_int_equal(occurrences(text, "<svg"), occurrences(text, "</svg>"));
		assert_int_equal(occurrences(text, "<g "), occurrences(text, "class=\"arrow\""));
		free(text);
		free(wire);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "four closing segments, with the states of both ends and the pause between",
		 .test_func = four_segments_and_both_ends_states},
		{.name = "what was sent before is marked, over the wrap of sequence numbers too",
		 .test_func = what_was_sent_before_is_marked},
		{.name = "a SYN on used ports is compared with what the other end expected",
		 .test_func = a_syn_on_used_ports_is_compared_with_what_was_expected},
		{.name = "behind a NAT both wires are one connection, also where ports are used again",
		 .test_func = behind_a_nat_both_wires_are_one_connection},
		{.name = "of a long connection runs of data and ACKs are a line, all else is drawn",
		 .test_func = of_a_long_connection_runs_of_data_are_folded},
		{.name = "a shut window, its probes and pauses stay",
		 .test_func = a_shut_window_and_its_probes_stay},
		{.name = "what cannot be folded is cut in the middle, and counted",
		 .test_func = what_cannot_be_folded_is_cut},
		{.name = "of many connections one of a kind is drawn, the troubled ones first",
		 .test_func = of_many_connections_one_of_a_kind_is_drawn},
		{.name = "a few connections of one kind are all drawn",
		 .test_func = a_few_of_one_kind_are_all_drawn},
		{.name = "connections that were refused come last",
		 .test_func = refused_connections_come_last},
		{.name = "the drawing has an arrow for each segment, crossed for RST",
		 .test_func = the_drawing_has_an_arrow_for_each_segment},
		{.name = "a state is pale behind a segment that may have changed it",
		 .test_func = a_state_is_pale_behind_what_may_have_changed_it},
		{.name = "an empty capture draws nothing",
		 .test_func = an_empty_capture_draws_nothing},
		{.name = "random segments at random times are drawn all the same",
		 .test_func = random_segments_are_drawn_all_the_same},
	};

	return cmocka_run_group_tests_name("show.svg_sequence", tests, NULL, NULL);
}
