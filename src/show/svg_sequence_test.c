/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_wire_test.h"

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
