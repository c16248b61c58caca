/* SPDX-License-Identifier: MIT */
/* svg_sequence_story_test.c - what of long and of many connections is drawn, and what is counted. */
#include "show/svg_sequence_wire_test.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("show.svg_sequence_story", tests, NULL, NULL);
}
