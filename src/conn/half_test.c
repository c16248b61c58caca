/* SPDX-License-Identifier: MIT */
/* The transition tables of both halves, drawn here a second time and compared pair by pair. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conn/half.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NOW 7000
#define LATER 9000

static jmp_buf expected;
static bool expecting;

/* An assertion of the code under test becomes what the test expects, or its failure. */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	if (expecting)
		longjmp(expected, 1);
	fail_msg("%s:%u: %s: assertion %s", file, line, function, assertion);
	abort();
}

static bool set_asserts(struct lai_half *half, unsigned state)
{
	volatile bool asserted = true;

	expecting = true;
	if (setjmp(expected) == 0) {
		lai_half_set(half, state, LA_CAUSE_FINISHED, LATER);
		asserted = false;
	}
	expecting = false;
	return asserted;
}

/* The drawing of half.h and half.c in words: a state, and all that may follow it. */
struct drawn {
	const char *from, *to;
};

static const struct drawn send_drawn[] = {
	{"open", "draining await-ack dead"},
	{"draining", "await-ack dead"},
	{"await-ack", "fin-sent dead"},
	{"fin-sent", "fin-acked dead"},
	{"fin-acked", "dead"},
	{"dead", ""},
};

/* What the peer had said is read before a half that was open dies: there is no way past last-words.
 */
static const struct drawn recv_drawn[] = {
	{"open", "fin-received last-words"},
	{"last-words", "dead"},
	{"fin-received", "dead"},
	{"dead", ""},
};

static const char *const send_reasons[] = {
#define X(id, name, deadline) deadline,
	LAI_SEND_STATES(X)
#undef X
};

static const char *const recv_reasons[] = {
#define X(id, name, deadline) deadline,
	LAI_RECV_STATES(X)
#undef X
};

/* Whether the list of words has this one. */
static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static bool is_drawn(const struct drawn *rows, size_t count, const char *from, const char *to)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].from, from) == 0)
			return has_word(rows[i].to, to);
	fail_msg("the state '%s' is not drawn", from);
	return false;
}

/* Goes from one state to the other, asserting what the drawing says of it. */
static void try_pair(const struct lai_half_kind *kind, unsigned from, unsigned to, bool drawn)
{
	struct lai_half half = {.kind = kind, .state = from, .since_ns = NOW};

	if (lai_half_allows(kind, from, to) != drawn)
		fail_msg("%s -> %s: the table %s it, the drawing %s", lai_half_name(kind, from),
			 lai_half_name(kind, to), drawn ? "forbids" : "allows",
			 drawn ? "has it" : "has no such line");
	if (!drawn) {
		assert_true(set_asserts(&half, to));
		assert_int_equal(half.state, from);
		return;
	}
	lai_half_set(&half, to, LA_CAUSE_PEER_RESET, LATER);
	assert_int_equal(half.state, to);
	assert_int_equal(half.from, from);
	assert_int_equal(half.cause, LA_CAUSE_PEER_RESET);
	assert_int_equal(half.since_ns, LATER);
}

static void compare(const struct lai_half_kind *kind, const struct drawn *rows, size_t count)
{
	assert_int_equal(lai_half_count(kind), count);
	for (unsigned from = 0; from < count; from++)
		for (unsigned to = 0; to < count; to++)
			try_pair(kind, from, to,
				 is_drawn(rows, count, lai_half_name(kind, from),
					  lai_half_name(kind, to)));
}

static void test_send(void **state)
{
	(void)state;
	compare(&lai_half_send, send_drawn, sizeof(send_drawn) / sizeof(send_drawn[0]));
}

static void test_recv(void **state)
{
	(void)state;
	compare(&lai_half_recv, recv_drawn, sizeof(recv_drawn) / sizeof(recv_drawn[0]));
}

static void check_names(const struct lai_half_kind *kind)
{
	unsigned count = lai_half_count(kind);

	for (unsigned i = 0; i < count; i++) {
		assert_true(strlen(lai_half_name(kind, i)) > 1);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(lai_half_name(kind, i), lai_half_name(kind, k));
	}
	assert_string_equal(lai_half_name(kind, count), "?");
	assert_string_equal(lai_half_name(kind, UINT32_MAX), "?");
}

static void test_names(void **state)
{
	(void)state;
	check_names(&lai_half_send);
	check_names(&lai_half_recv);
}

static void test_out_of_range(void **state)
{
	const unsigned wild[] = {LAI_SEND_COUNT, LAI_SEND_COUNT + 1, 31, 32, 33, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		assert_false(lai_half_allows(&lai_half_send, LAI_SEND_OPEN, wild[i]));
		assert_false(lai_half_allows(&lai_half_send, wild[i], LAI_SEND_DEAD));
		assert_false(lai_half_allows(&lai_half_recv, LAI_RECV_OPEN, wild[i]));
		assert_false(lai_half_allows(&lai_half_recv, wild[i], LAI_RECV_DEAD));
	}
}

static void test_init(void **state)
{
	struct lai_half half;

	(void)state;
	memset(&half, 0xa5, sizeof(half));
	lai_half_init(&half, &lai_half_send, NOW);
	assert_string_equal(lai_half_name(half.kind, half.state), "open");
	assert_int_equal(half.since_ns, NOW);
	assert_int_equal(half.cause, LA_CAUSE_ALIVE);
	lai_half_init(&half, &lai_half_recv, NOW);
	assert_string_equal(lai_half_name(half.kind, half.state), "open");
}

/* Every state has a deadline or a written reason; an end state says that it is one. */
static void check_reasons(const struct lai_half_kind *kind, const char *const *reasons)
{
	for (unsigned from = 0; from < lai_half_count(kind); from++) {
		bool left = false;

		for (unsigned to = 0; to < lai_half_count(kind); to++)
			left |= lai_half_allows(kind, from, to);
		assert_true(strlen(reasons[from]) > strlen("none: "));
		if (!left)
			assert_string_equal(reasons[from], "none: an end state");
	}
}

static void test_reasons(void **state)
{
	(void)state;
	check_reasons(&lai_half_send, send_reasons);
	check_reasons(&lai_half_recv, recv_reasons);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "send half: every pair of states is as drawn", .test_func = test_send},
		{.name = "receive half: every pair of states is as drawn", .test_func = test_recv},
		{.name = "state names are unique, and ? beyond the last", .test_func = test_names},
		{.name = "a state out of range is never allowed", .test_func = test_out_of_range},
		{.name = "a half begins open", .test_func = test_init},
		{.name = "every state has a deadline or a reason", .test_func = test_reasons},
	};

	return cmocka_run_group_tests_name("conn.half", tests, NULL, NULL);
}
