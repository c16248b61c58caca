/* SPDX-License-Identifier: MIT */
/* A session from outside: what a peer sends in, what comes out to be stored, and when our
   FIN goes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "serve/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define T0 (100 * LAI_S)

struct fixture {
	struct lai_session_config config;
	struct lai_session session;
	uint64_t now_ns;
	struct lai_view view;
	unsigned actions; /* all that were ever asked for */
	char stored[4096];
	size_t stored_bytes;
};

static struct fixture *new_fixture(const struct lai_wire *wire, size_t record_bytes_max)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct la_report report = {.serial = 1, .began_ns = T0};

	assert_non_null(f);
	f->config = (struct lai_session_config){
		.wire = wire,
		.read_timeout_ns = 30 * LAI_S,
		.record_bytes_max = record_bytes_max,
		.limits = {.dead_ns = 20 * LAI_S, .stall_ns = LA_NEVER, .read_ns = 30 * LAI_S},
	};
	f->now_ns = T0;
	f->view.tcp_state = LAI_TCP_ESTABLISHED;
	assert_int_equal(lai_session_init(&f->session, &f->config, &report, T0), 0);
	return f;
}

static void free_fixture(struct fixture *f)
{
	lai_session_done(&f->session);
	free(f);
}

/* Carries out what is asked for on a network where everything arrives at once. */
static void act(struct fixture *f)
{
	unsigned actions;

	while ((actions = lai_conn_take(&f->session.conn)) != 0) {
		f->actions |= actions;
		if (actions & LAI_CONN_SEND_FIN)
			f->view.fin_acked = true;
		if (actions & LAI_CONN_READ_REST)
			lai_session_on_rest_read(&f->session, f->now_ns);
		if (actions & (LAI_CONN_LOOK | LAI_CONN_SEND_FIN))
			lai_session_on_view(&f->session, &f->view, f->now_ns);
	}
}

static void receive(struct fixture *f, const char *data, size_t size)
{
	while (size > 0) {
		void *room;
		size_t piece = lai_session_room(&f->session, &room);

		assert_true(piece > 0);
		piece = piece < size ? piece : size;
		memcpy(room, data, piece);
		lai_session_on_read(&f->session, piece, f->now_ns);
		data += piece;
		size -= piece;
	}
	act(f);
}

static void receive_text(struct fixture *f, const char *text)
{
	receive(f, text, strlen(text));
}

/* At most size bytes go out. */
static void store(struct fixture *f, size_t size)
{
	struct iovec iov[2];

	while (size > 0 && lai_session_to_store(&f->session, iov) > 0) {
		size_t piece = iov[0].iov_len < size ? iov[0].iov_len : size;

		assert_true(f->stored_bytes + piece <= sizeof(f->stored));
		memcpy(f->stored + f->stored_bytes, iov[0].iov_base, piece);
		f->stored_bytes += piece;
		lai_session_on_stored(&f->session, piece, f->now_ns);
		size -= piece;
	}
	act(f);
}

static void assert_stored(struct fixture *f, const char *text)
{
	store(f, SIZE_MAX);
	assert_int_equal(f->stored_bytes, strlen(text));
	assert_memory_equal(f->stored, text, f->stored_bytes);
	assert_int_equal(f->session.stored_bytes, f->stored_bytes);
}

static void fin(struct fixture *f)
{
	lai_session_on_fin(&f->session, f->now_ns);
	act(f);
}

static void test_whole_records_only(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo");
	assert_stored(f, "one\n");
	receive_text(f, " halves\n\nth");
	assert_stored(f, "one\ntwo halves\n\n");
	assert_int_equal(lai_session_records(&f->session), 3);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	free_fixture(f);
}

static void test_raw(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_raw, 1);

	(void)state;
	receive_text(f, "no bounds");
	assert_stored(f, "no bounds");
	fin(f);
	assert_true(lai_session_proper(&f->session));
	assert_int_equal(lai_session_records(&f->session), 0);
	assert_int_equal(f->session.kept_tail_bytes, 0);
	free_fixture(f);
}

static void test_fin_is_a_receipt(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo\n");
	fin(f);
	store(f, 7);
	assert_false(f->actions & LAI_CONN_SEND_FIN); /* one byte is not stored yet */
	assert_int_equal(lai_session_records(&f->session), 1);
	store(f, 1);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	assert_true(f->actions & LAI_CONN_CLOSE);
	assert_true(lai_session_proper(&f->session));
	assert_int_equal(f->session.conn.report.cause, LA_CAUSE_PEER_CLOSED);
	free_fixture(f);
}

static void test_tail_kept(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo");
	fin(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN); /* the tail is to be stored first */
	assert_stored(f, "one\ntwo\n");
	assert_true(lai_session_proper(&f->session));
	assert_int_equal(f->session.kept_tail_bytes, 3);
	assert_int_equal(f->session.dropped_tail_bytes, 0);
	assert_int_equal(lai_session_records(&f->session), 2);
	free_fixture(f);
}

static void test_tail_dropped(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo");
	lai_session_on_error(&f->session, ECONNRESET, f->now_ns);
	act(f);
	assert_false(lai_session_over(&f->session)); /* what is whole still has to go out */
	assert_stored(f, "one\n");
	assert_true(lai_session_over(&f->session));
	assert_false(lai_session_proper(&f->session));
	assert_int_equal(f->session.dropped_tail_bytes, 3);
	assert_int_equal(f->session.kept_tail_bytes, 0);
	assert_int_equal(lai_session_records(&f->session), 1);
	/* The EOF behind the error is not a FIN. */
	fin(f);
	assert_stored(f, "one\n");
	free_fixture(f);
}

static void test_longest_record(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 8);

	(void)state;
	receive_text(f, "1234567\n1234567\n");
	assert_stored(f, "1234567\n1234567\n");
	assert_int_equal(f->session.why, LAI_SESSION_NONE);
	free_fixture(f);
}

/* text is refused; before it, stored goes out. */
static void refuse(const char *text, const char *stored)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 8);
	const void *data;

	receive_text(f, text);
	assert_stored(f, stored);
	assert_int_equal(f->session.why, LAI_SESSION_RECORD_TOO_LONG);
	assert_string_equal(f->session.reply, "record over 8 bytes\n");
	assert_int_equal(lai_session_to_send(&f->session, &data), f->session.reply_bytes);
	assert_memory_equal(data, "record", 6);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	lai_session_on_sent(&f->session, 5, f->now_ns);
	lai_session_on_sent(&f->session, f->session.reply_bytes - 5, f->now_ns);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN); /* not before it is acknowledged */
	f->view.acked_bytes = f->session.reply_bytes;
	lai_session_on_view(&f->session, &f->view, f->now_ns);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN); /* nor while the peer's own may be there */
	lai_session_on_dry(&f->session, f->now_ns);
	act(f);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	assert_true(lai_session_discards(&f->session));
	receive_text(f, "more and more\n");
	assert_stored(f, stored);
	assert_int_equal(f->session.discarded_bytes, strlen(text) + 14 - strlen(stored));
	fin(f);
	assert_true(f->actions & LAI_CONN_CLOSE);
	assert_true(lai_session_over(&f->session));
	assert_false(lai_session_proper(&f->session));
	free_fixture(f);
}

/* The peer's FIN is here: ours would be the receipt for what is thrown away. */
static void test_refusal_after_fin(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 8);

	(void)state;
	receive_text(f, "12345678\n");
	lai_session_on_sent(&f->session, f->session.reply_bytes, f->now_ns);
	lai_session_on_fin(&f->session, f->now_ns);
	act(f);
	assert_false(f->actions & (LAI_CONN_SEND_FIN | LAI_CONN_ABORT));
	f->view.acked_bytes = f->session.reply_bytes;
	lai_session_on_view(&f->session, &f->view, f->now_ns);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	assert_true(f->actions & LAI_CONN_ABORT);
	assert_true(lai_session_over(&f->session));
	assert_false(lai_session_proper(&f->session));
	free_fixture(f);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse("one\n12345678", "one\n");	 /* without an end in sight */
	refuse("one\n12345678\ntwo\n", "one\n"); /* with its end, and more */
	refuse("123456789", "");
}

static void test_read_timeout(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	f->now_ns = T0 + 10 * LAI_S;
	receive_text(f, "one\n");
	assert_stored(f, "one\n");
	assert_true(lai_session_deadline(&f->session) == T0 + 40 * LAI_S);
	lai_session_pause(&f->session, true);
	assert_true(lai_session_deadline(&f->session) == LA_NEVER);
	lai_session_pause(&f->session, false);
	f->now_ns = T0 + 39 * LAI_S;
	lai_session_on_dry(&f->session, f->now_ns);
	assert_false(lai_session_wants_try(&f->session, f->now_ns));
	f->now_ns = T0 + 40 * LAI_S;
	assert_true(lai_session_wants_try(&f->session, f->now_ns));
	lai_session_on_dry(&f->session, f->now_ns);
	act(f);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	assert_false(f->actions & LAI_CONN_CLOSE); /* the peer may still say something */
	receive_text(f, "two\n");
	fin(f);
	assert_stored(f, "one\ntwo\n");
	assert_true(f->actions & LAI_CONN_CLOSE);
	assert_int_equal(f->session.why, LAI_SESSION_READ_TIMEOUT);
	assert_false(lai_session_proper(&f->session));
	free_fixture(f);
}

static void test_finish_reads_first(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	lai_session_finish(&f->session, LAI_SESSION_STOPPED, T0 + 5 * LAI_S, T0);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	assert_true(lai_session_wants_try(&f->session, T0));
	receive_text(f, "last\n");
	lai_session_on_dry(&f->session, T0);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN); /* not stored yet */
	assert_stored(f, "last\n");
	lai_session_on_dry(&f->session, T0);
	act(f);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	f->now_ns = lai_session_deadline(&f->session);
	assert_in_range(f->now_ns, T0, T0 + 5 * LAI_S);
	f->now_ns = T0 + 5 * LAI_S;
	lai_session_on_timer(&f->session, f->now_ns);
	act(f);
	assert_true(lai_session_over(&f->session));
	assert_int_equal(f->session.conn.report.cause, LA_CAUSE_NEVER_CLOSED);
	free_fixture(f);
}

static void test_finish_without_pause(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	lai_session_finish(&f->session, LAI_SESSION_STOPPED, T0 + 5 * LAI_S, T0);
	f->now_ns = lai_session_deadline(&f->session);
	assert_in_range(f->now_ns, T0 + 1, T0 + LAI_S);
	lai_session_pause(&f->session, true); /* what we do not read may be its FIN */
	lai_session_on_timer(&f->session, f->now_ns);
	act(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	lai_session_pause(&f->session, false);
	receive_text(f, "more\n");
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	assert_stored(f, "more\n");
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	free_fixture(f);
}

static void test_stuck_output(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo\nth");
	fin(f);
	store(f, 5);
	lai_session_finish(&f->session, LAI_SESSION_STOPPED, T0 + 5 * LAI_S, T0);
	assert_true(lai_session_deadline(&f->session) == T0 + 5 * LAI_S);
	f->now_ns = T0 + 5 * LAI_S;
	lai_session_on_timer(&f->session, f->now_ns);
	act(f);
	assert_true(f->actions & LAI_CONN_ABORT); /* a FIN would say that all is well */
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	assert_true(lai_session_over(&f->session));
	assert_int_equal(f->session.why, LAI_SESSION_NOT_STORED);
	assert_int_equal(f->session.discarded_bytes, 5);
	assert_int_equal(lai_session_records(&f->session), 1);
	free_fixture(f);
}

static void test_large_record_grows(void **state)
{
	enum { SIZE = 1 << 20 };
	struct fixture *f = new_fixture(&lai_wire_lines, SIZE);
	char *record = malloc(SIZE);
	struct iovec iov[2];
	size_t sum = 0;
	int count;

	(void)state;
	assert_non_null(record);
	receive_text(f, "short\n");
	store(f, SIZE_MAX);
	memset(record, 'x', SIZE - 1);
	record[SIZE - 1] = '\n';
	receive(f, record, SIZE);
	count = lai_session_to_store(&f->session, iov);
	for (int i = 0; i < count; i++)
		sum += iov[i].iov_len;
	assert_int_equal(sum, SIZE);
	assert_int_equal(f->session.why, LAI_SESSION_NONE);
	assert_true(f->session.ring.capacity <= 2 * SIZE);
	free(record);
	free_fixture(f);
}

/* However the bytes are cut into pieces, the same records come out. */
static void test_any_pieces(void **state)
{
	static const char text[] = "a\n\nbc\ndefghij\nk\n123456789012345\nxyz";

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct fixture *f = new_fixture(&lai_wire_lines, 16);
		struct lai_random random = {.state = seed};
		size_t at = 0;

		/* A buffer so small that it wraps, fills and grows. */
		lai_ring_done(&f->session.ring);
		assert_int_equal(
			lai_ring_init(&f->session.ring, 1u << lai_random_below(&random, 5)), 0);
		while (at < sizeof(text) - 1) {
			void *room;
			size_t left = sizeof(text) - 1 - at;
			size_t piece = 1 + (size_t)lai_random_below(&random, 9);
			size_t room_bytes = lai_session_room(&f->session, &room);

			piece = piece < left ? piece : left;
			piece = piece < room_bytes ? piece : room_bytes;
			receive(f, text + at, piece);
			at += piece;
			store(f, (size_t)lai_random_below(&random, 9) + (room_bytes == 0));
		}
		fin(f);
		assert_stored(f, "a\n\nbc\ndefghij\nk\n123456789012345\nxyz\n");
		assert_int_equal(lai_session_records(&f->session), 7);
		assert_true(lai_session_proper(&f->session));
		free_fixture(f);
	}
}

static void test_abort(void **state)
{
	struct fixture *f = new_fixture(&lai_wire_lines, 100);

	(void)state;
	receive_text(f, "one\ntwo\nth");
	store(f, 4);
	lai_session_abort(&f->session, LAI_SESSION_NOT_STORED, f->now_ns);
	act(f);
	assert_true(f->actions & LAI_CONN_ABORT);
	assert_true(lai_session_over(&f->session));
	assert_int_equal(f->session.discarded_bytes, 6);
	assert_int_equal(f->session.dropped_tail_bytes, 0);
	assert_int_equal(lai_session_records(&f->session), 1);
	assert_int_equal(f->session.conn.report.cause, LA_CAUSE_ABORTED);
	free_fixture(f);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(lai_session_why_name(LAI_SESSION_READ_TIMEOUT), "read-timeout");
	assert_string_equal(lai_session_why_name(LAI_SESSION_WHY_COUNT), "?");
	for (unsigned i = 0; i < LAI_SESSION_WHY_COUNT; i++)
		assert_true(strlen(lai_session_why_sentence(i)) > 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "lines: only whole records go out", .test_func = test_whole_records_only},
		{.name = "raw bytes go out as they come", .test_func = test_raw},
		{.name = "our FIN waits until everything is stored",
		 .test_func = test_fin_is_a_receipt},
		{.name = "a tail before a FIN is kept and given a newline",
		 .test_func = test_tail_kept},
		{.name = "a tail before a reset is dropped, and the EOF behind it is no FIN",
		 .test_func = test_tail_dropped},
		{.name = "a record of exactly the longest length passes",
		 .test_func = test_longest_record},
		{.name = "a longer one is refused: sentence, FIN, drain, close",
		 .test_func = test_refusals},
		{.name = "refused after the peer's FIN: sentence, then RST, no receipt",
		 .test_func = test_refusal_after_fin},
		{.name = "read time-out: our FIN, and what still comes is stored",
		 .test_func = test_read_timeout},
		{.name = "finish: read and store what is there, then FIN, then the deadline",
		 .test_func = test_finish_reads_first},
		{.name = "finish: a peer that never pauses gets our FIN all the same",
		 .test_func = test_finish_without_pause},
		{.name = "finish with an output that takes nothing: RST",
		 .test_func = test_stuck_output},
		{.name = "the buffer grows to the longest record",
		 .test_func = test_large_record_grows},
		{.name = "500 ways to cut the stream give the same records",
		 .test_func = test_any_pieces},
		{.name = "abort throws away and counts", .test_func = test_abort},
		{.name = "every reason has a name and a sentence", .test_func = test_names},
	};

	return cmocka_run_group_tests_name("serve.session", tests, NULL, NULL);
}
