/* SPDX-License-Identifier: MIT */
/*
 * The pulse as a table: what happened when, and what it must say a while later. Each row is a
 * list of moments; the clock stands at the row's end when the questions are asked.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conn/pulse.h"

#define START_NS (1000 * LAI_S)
#define MOMENTS_MAX 8
#define WINDOW 65536u

enum kind {
	END,
	WRITE,	 /* bytes went to the kernel */
	FLY,	 /* a view: something in flight, nothing new */
	PROBE,	 /* a view: window closed, a probe or retransmission unanswered */
	CLOSED,	 /* a view: window closed, the last probe answered at this moment */
	ACK,	 /* a view: the last segment was acknowledged at this moment; more in flight */
	ACK_ALL, /* the same, and nothing is outstanding any more */
	DEATH,	 /* a view of a connection that the kernel has ended */
};

struct moment {
	uint64_t at_s;
	enum kind kind;
};

static const struct row {
	const char *sentence;
	struct moment moments[MOMENTS_MAX];
	struct {
		uint64_t at_s; /* when the questions are asked */
		uint64_t silent_s, stuck_s;
		bool was_silent;
	} asked;
} rows[] = {
	{"nothing was ever written: not silent, however long", {{0, END}}, {3600, 0, 3600, false}},
	{"in flight and unanswered: silent since the write",
	 {{0, WRITE}, {1, FLY}},
	 {20, 20, 20, false}},
	{"in flight, answered now and then: silent since the last ACK",
	 {{0, WRITE}, {1, FLY}, {10, ACK}, {11, FLY}},
	 {25, 15, 15, false}},
	{"a quiet time, a write, no answer yet: an RST would end a silence",
	 {{5, WRITE}, {5, FLY}},
	 {5, 0, 0, true}},
	{"a quiet time, a stream that was answered since: it would not",
	 {{5, WRITE}, {6, ACK}, {7, ACK}, {8, ACK}},
	 {8, 0, 0, false}},
	{"an idle hour, then a write: the time counts from the write",
	 {{5, WRITE}, {6, ACK_ALL}, {3606, WRITE}},
	 {3610, 4, 4, true}},
	{"the same with a look after it",
	 {{5, WRITE}, {6, ACK_ALL}, {3606, WRITE}, {3607, FLY}},
	 {3616, 10, 10, true}},
	{"all acknowledged: not silent, however long after",
	 {{5, WRITE}, {6, ACK_ALL}},
	 {3600, 0, 3594, false}},
	{"a closed window, probes answered: never silent, but stuck",
	 {{5, WRITE}, {6, FLY}, {7, ACK}, {20, CLOSED}, {40, CLOSED}, {60, CLOSED}},
	 {61, 0, 54, false}},
	{"a trickle into the buffer behind a closed window: stuck all the same",
	 {{5, WRITE}, {7, ACK}, {20, CLOSED}, {21, WRITE}, {22, CLOSED}, {23, WRITE}},
	 {30, 7, 23, true}},
	{"between two answered probes a day passes: not silent",
	 {{5, WRITE}, {7, ACK}, {20, CLOSED}},
	 {86400, 0, 86393, false}},
	{"a closed window, probes unanswered: silent since the last answer",
	 {{5, WRITE}, {7, ACK}, {20, CLOSED}, {22, PROBE}, {30, PROBE}},
	 {45, 23, 38, true}},
	{"a probe answered after all: not silent",
	 {{5, WRITE}, {7, ACK}, {22, PROBE}, {30, CLOSED}},
	 {45, 0, 38, false}},
	{"the kernel empties its queue at death: what was asked stays asked",
	 {{0, WRITE}, {1, FLY}, {20, DEATH}},
	 {20, 20, 20, false}},
	{"more written does not make the silence shorter",
	 {{0, WRITE}, {1, FLY}, {15, WRITE}},
	 {25, 25, 25, false}},
	{"an unanswered retransmission half a second after an ACK is no silence yet",
	 {{5, WRITE}, {7, ACK}, {7, PROBE}},
	 {7, 0, 0, false}},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The kernel as it goes through a row. */
struct kernel {
	struct lai_view view;
	uint64_t heard_ns;
	bool outstanding;
};

static void happen(struct lai_pulse *pulse, struct kernel *kernel, const struct moment *moment)
{
	uint64_t now_ns = START_NS + moment->at_s * LAI_S;
	struct lai_view *view = &kernel->view;

	if (moment->kind == WRITE) {
		lai_pulse_on_written(pulse, kernel->outstanding, now_ns);
		kernel->outstanding = true;
		return;
	}
	view->tcp_state = moment->kind == DEATH ? LAI_TCP_CLOSE : LAI_TCP_ESTABLISHED;
	view->in_flight = moment->kind == FLY || moment->kind == ACK;
	view->unanswered = moment->kind == PROBE;
	view->window_bytes = moment->kind == PROBE || moment->kind == CLOSED ? 0 : WINDOW;
	if (moment->kind == ACK || moment->kind == ACK_ALL)
		view->acked_bytes += 10;
	if (moment->kind == ACK || moment->kind == ACK_ALL || moment->kind == CLOSED)
		kernel->heard_ns = now_ns;
	view->ack_age_ns = now_ns - kernel->heard_ns;
	kernel->outstanding &= moment->kind != ACK_ALL;
	lai_pulse_on_view(pulse, view, kernel->outstanding, now_ns);
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct kernel kernel = {.heard_ns = START_NS};
	uint64_t asked_ns = START_NS + row->asked.at_s * LAI_S;
	struct lai_pulse pulse;

	lai_pulse_init(&pulse, START_NS);
	for (int i = 0; i < MOMENTS_MAX && row->moments[i].kind != END; i++)
		happen(&pulse, &kernel, &row->moments[i]);
	assert_int_equal(lai_pulse_silent_for(&pulse, asked_ns), row->asked.silent_s * LAI_S);
	assert_int_equal(lai_pulse_stuck_for(&pulse, asked_ns), row->asked.stuck_s * LAI_S);
	assert_int_equal(lai_pulse_was_silent(&pulse, asked_ns), row->asked.was_silent);
}

static void see_window(struct lai_pulse *pulse, uint32_t window_bytes, uint32_t scale)
{
	const struct lai_view view = {.window_bytes = window_bytes,
				      .window_scale = scale,
				      .tcp_state = LAI_TCP_ESTABLISHED};

	lai_pulse_on_view(pulse, &view, false, START_NS);
}

static void test_unread(void **state)
{
	static const struct {
		uint32_t first, then, scale;
		uint64_t unread;
	} windows[] = {
		{65536, 65536, 7, 0}, /* open as it ever was */
		{65536, 0, 7, 65536},
		/* A receiver that has read everything says so only once its window has doubled. */
		{65536, 32768, 7, 0},
		{65536, 32767, 7, 32769},
		{1000, 70000, 7, 0}, /* it grew */
		{0, 0, 7, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct lai_pulse pulse;

		lai_pulse_init(&pulse, START_NS);
		see_window(&pulse, windows[i].first, windows[i].scale);
		see_window(&pulse, windows[i].then, windows[i].scale);
		assert_int_equal(lai_pulse_unread_bytes(&pulse), windows[i].unread);
	}
}

/* RFC 7323, section 2.3: the largest shift is 14. */
static void test_buffer_max(void **state)
{
	(void)state;
	for (uint32_t scale = 0; scale <= 14; scale++) {
		struct lai_pulse pulse;

		lai_pulse_init(&pulse, START_NS);
		see_window(&pulse, WINDOW, scale);
		assert_true(lai_pulse_peer_buffer_max(&pulse) >= 65535ull << scale);
		assert_true(lai_pulse_peer_buffer_max(&pulse) <= 65536ull << scale);
	}
}

/* Clocks of different grain: the kernel's milliseconds may point before the start. */
static void test_coarse_clock(void **state)
{
	const struct lai_view view = {.ack_age_ns = START_NS + LAI_S, .in_flight = 1};
	struct lai_pulse pulse;

	(void)state;
	lai_pulse_init(&pulse, START_NS);
	lai_pulse_on_written(&pulse, false, START_NS);
	lai_pulse_on_view(&pulse, &view, true, START_NS);
	assert_int_equal(lai_pulse_silent_for(&pulse, START_NS), 0);
	assert_int_equal(lai_pulse_silent_for(&pulse, START_NS - 1), 0);
	assert_int_equal(lai_pulse_silent_for(&pulse, START_NS + 1), 1);
}

/* The kernel counts milliseconds: the same ACK may look a little older at the next look. */
static void test_rounding(void **state)
{
	struct lai_view view = {.ack_age_ns = 0, .in_flight = 1, .tcp_state = LAI_TCP_ESTABLISHED};
	struct lai_pulse pulse;

	(void)state;
	lai_pulse_init(&pulse, START_NS);
	lai_pulse_on_written(&pulse, false, START_NS);
	lai_pulse_on_view(&pulse, &view, true, START_NS + LAI_S);
	view.ack_age_ns = 5 * LAI_MS;
	lai_pulse_on_view(&pulse, &view, true, START_NS + LAI_S + LAI_MS);
	assert_int_equal(lai_pulse_silent_for(&pulse, START_NS + LAI_S + LAI_MS), LAI_MS);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		{.name = "unread: what the window lacks, if that is more than half",
		 .test_func = test_unread},
		{.name = "the peer's kernel holds at most what it can advertise",
		 .test_func = test_buffer_max},
		{.name = "an ACK older than everything makes no silence",
		 .test_func = test_coarse_clock},
		{.name = "an ACK that looks older than before is the same ACK",
		 .test_func = test_rounding},
	};
	struct CMUnitTest tests[ROWS + 4];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].sentence,
					       .test_func = test_row,
					       .initial_state = (void *)&rows[i]};
	for (size_t i = 0; i < 4; i++)
		tests[ROWS + i] = others[i];
	return cmocka_run_group_tests_name("conn.pulse", tests, NULL, NULL);
}
