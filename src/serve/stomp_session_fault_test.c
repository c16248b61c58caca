/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of a session fails once, and the users' file and the guard's too: nothing leaks, a
 * session either goes on or ends with NO_MEMORY, and what it confirmed had been handed on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../tests/fault/faulty_heap.h"
#include "base/time.h"
#include "serve/guard.h"
#include "serve/stomp_session.h"
#include "serve/users.h"

#include <string.h>

#define NOW_NS (1000 * LAI_S)
#define BODY_BYTES 100000 /* the buffer has to grow for it */
#define FAULTS_MAX 1000

struct visit {
	struct lai_stomp_session session;
	struct lai_view view;
	unsigned records, receipts;
	size_t said_bytes;
	bool over;
};

static int on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket)
{
	struct visit *visit = arg;

	assert_int_equal(record->body.size, BODY_BYTES);
	*ticket = ++visit->records;
	return 0;
}

static void act(struct visit *visit)
{
	struct lai_stomp_session *session = &visit->session;
	unsigned actions;

	do {
		const void *data;
		size_t size;

		while ((size = lai_stomp_session_to_send(session, &data)) > 0) {
			visit->receipts += memmem(data, size, "RECEIPT", 7) != NULL;
			visit->said_bytes += size;
			lai_stomp_session_on_sent(session, size, NOW_NS);
		}
		actions = lai_conn_take(&session->conn);
		visit->view.acked_bytes = visit->said_bytes;
		visit->view.fin_acked = visit->view.fin_acked || (actions & LAI_CONN_SEND_FIN);
		if (actions & LAI_CONN_READ_REST)
			lai_stomp_session_on_rest_read(session, NOW_NS);
		if (actions & (LAI_CONN_LOOK | LAI_CONN_SEND_FIN))
			lai_stomp_session_on_view(session, &visit->view, NOW_NS);
	} while (actions != 0);
	/* A buffer that could not grow is seen at the next event. */
	if (lai_stomp_session_deadline(session) <= NOW_NS)
		lai_stomp_session_on_timer(session, NOW_NS);
}

static void send_bytes(struct visit *visit, const char *data, size_t size)
{
	while (size > 0) {
		size_t piece = lai_stomp_session_discards(&visit->session);
		void *room;

		if (piece > 0) {
			piece = piece < size ? piece : size;
			lai_stomp_session_on_discarded(&visit->session, piece, NOW_NS);
		} else {
			piece = lai_stomp_session_room(&visit->session, &room);
			piece = piece < size ? piece : size;
			if (piece > 0) {
				memcpy(room, data, piece);
				lai_stomp_session_on_read(&visit->session, piece, NOW_NS);
			}
		}
		act(visit);
		if (piece == 0 && !lai_stomp_session_discards(&visit->session))
			return;
		data += piece;
		size -= piece;
	}
}

static void send_record(struct visit *visit)
{
	static const char head[] =
		"SEND\ndestination:a\\c\nx:y\nreceipt:1\ncontent-length:100000\n\n";
	static const char body[BODY_BYTES + 1];

	send_bytes(visit, head, sizeof(head) - 1);
	send_bytes(visit, body, sizeof(body));
	lai_stomp_session_on_stored(&visit->session, visit->records, NOW_NS);
	act(visit);
}

static void run(struct visit *visit, const struct lai_stomp_session_config *config)
{
	static const char connect[] = "CONNECT\naccept-version:1.2\nlogin:u\n\n";
	static const char bye[] = "DISCONNECT\nreceipt:2\n\n";
	const struct la_report report = {.serial = 1, .began_ns = NOW_NS};

	lai_stomp_session_init(&visit->session, config, &report, 1, NOW_NS);
	send_bytes(visit, connect, sizeof(connect));
	lai_stomp_session_on_checked(&visit->session, LA_SESSION_OPEN, 0, NOW_NS);
	act(visit);
	send_record(visit);
	send_bytes(visit, bye, sizeof(bye));
	lai_stomp_session_on_fin(&visit->session, NOW_NS);
	act(visit);
	visit->over = lai_stomp_session_over(&visit->session);
}

/* False: the fault lay beyond the last allocation. */
static bool live_with_fault(unsigned nth)
{
	struct lai_stomp_session_config config = {
		.limits = {.dead_ns = LAI_S, .stall_ns = LA_NEVER},
		.handshake_ns = LAI_S,
		.idle_ns = LA_NEVER,
		.heartbeat_ns = LA_NEVER,
		.linger_idle_ns = LAI_S,
		.linger_ns = LAI_S,
		.linger_bytes = UINT64_MAX,
		.record_bytes_max = BODY_BYTES,
		.replies_bytes_max = 1000,
		.server = "lastack/fault",
		.on_record = on_record,
	};
	static struct visit visit;
	int live = atomic_load(&t_heap_live);
	enum la_session_end end;
	bool happened;

	visit = (struct visit){.view = {.tcp_state = LAI_TCP_ESTABLISHED}};
	config.arg = &visit;
	t_heap_arm(nth);
	run(&visit, &config);
	happened = t_heap_disarm();
	end = visit.session.end;
	lai_stomp_session_done(&visit.session);
	assert_int_equal(atomic_load(&t_heap_live), live);
	assert_true(visit.over);
	assert_true(end == LA_SESSION_FAREWELL || end == LA_SESSION_NO_MEMORY);
	assert_true(happened || end == LA_SESSION_FAREWELL);
	/* The record's and the farewell's, which may go in one piece. */
	assert_true(end == LA_SESSION_NO_MEMORY || visit.receipts > 0);
	assert_true(visit.receipts == 0 || visit.records == 1);
	return happened;
}

static void test_session(void **state)
{
	unsigned nth = 1;

	(void)state;
	if (!t_heap_works())
		skip();
	while (live_with_fault(nth)) {
		nth++;
		assert_in_range(nth, 1, FAULTS_MAX);
	}
	assert_true(nth > 6); /* in, out, larger in, scratch, held, tickets */
}

static void test_users_and_guard(void **state)
{
	static const char text[] = "a:$y$j9T$salt$0123456789012345678901234567890123456789012\nb\n";
	bool happened = true;

	(void)state;
	if (!t_heap_works())
		skip();
	for (unsigned nth = 1; happened; nth++) {
		int live = atomic_load(&t_heap_live), refused, made;
		struct lai_users *users = NULL;
		struct lai_guard *guard = NULL;
		char *error = NULL;

		t_heap_arm(nth);
		made = lai_guard_new(&guard, 10, LAI_S, 1);
		refused = lai_users_new(&users, lai_slice_of(text), &error);
		happened = t_heap_disarm();
		assert_true(made == 0 || made == -ENOMEM);
		assert_true(refused == -ENOMEM || refused == -EINVAL);
		assert_null(users);
		free(error);
		lai_guard_free(guard);
		assert_int_equal(atomic_load(&t_heap_live), live);
		assert_in_range(nth, 1, FAULTS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a session without memory says so and ends", .test_func = test_session},
		{.name = "users and guard", .test_func = test_users_and_guard},
	};

	return cmocka_run_group_tests_name("serve.stomp_session_fault", tests, NULL, NULL);
}
