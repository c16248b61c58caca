/* SPDX-License-Identifier: MIT */
/* The stories of stomp:// links: login, rejection, receipts, farewell, and what each does to the
 * connection. The dialogue itself is in courier_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define SERVERS 2
#define TEXT_MAX 4096

struct story {
	struct lai_link link;
	struct lai_endpoint servers[SERVERS];
	struct lai_view view;
	uint64_t now_ns, wait_ns;
	struct la_report report; /* the last one */
	unsigned reports;
	char states[TEXT_MAX];	/* since last asked */
	char actions[TEXT_MAX]; /* likewise */
	char written[TEXT_MAX]; /* what went to the server on this connection */
};

/* All accepted bytes reached the proof. */
static bool all_delivered(struct story *story)
{
	const struct la_totals *totals = lai_cargo_totals(&story->link.cargo);

	return totals->delivered_bytes == totals->accepted_bytes;
}

static void on_event(void *arg, const struct la_event *event)
{
	struct story *story = arg;
	size_t used = strlen(story->states);

	if (event->kind == LA_EVENT_STATE)
		snprintf(story->states + used, sizeof(story->states) - used, "%s%s",
			 used ? " " : "", la_link_state_name(event->to));
	if (event->kind == LA_EVENT_REPORT) {
		story->report = *event->report;
		story->reports++;
	}
	if (event->kind == LA_EVENT_WAIT)
		story->wait_ns = event->delay_ns;
}

static void begin(struct story *story)
{
	static const char *const urls[SERVERS] = {"stomp://ann@192.0.2.1:80/queue/a",
						  "stomp://ann@192.0.2.2:80/queue/a"};
	struct la_link_config config = {
		.proof = LA_PROOF_CONFIRMED,
		.buffer_bytes = 1024,
		.record_bytes_max = 256,
		.connect_ns = 6 * LAI_S,
		.dead_ns = 20 * LAI_S,
		.stall_ns = 30 * LAI_S,
		.read_ns = 40 * LAI_S,
		.stable_ns = 10 * LAI_S,
		.backoff_min_ns = 500 * LAI_MS,
		.backoff_max_ns = 60 * LAI_S,
		.give_up_ns = LA_NEVER,
		.retries_max = UINT32_MAX,
		.seed = 5,
		.stomp = {.passcode = "secret",
			  .receipt_every = 64,
			  .receipt_within_ns = 20 * LAI_MS,
			  .window_records = 100,
			  .heartbeat_ns = LA_NEVER,
			  .login_ns = 7 * LAI_S,
			  .receipt_ns = 60 * LAI_S,
			  .rejected_min_ns = 5 * LAI_S,
			  .rejected_max_ns = 300 * LAI_S},
		.on_event = on_event,
		.arg = story,
	};
	struct lai_courier_config courier = {.stomp = config.stomp};
	char *error = NULL;

	*story = (struct story){.now_ns = START_NS};
	for (int i = 0; i < SERVERS; i++)
		assert_int_equal(lai_endpoint_parse(&story->servers[i], urls[i], false, &error), 0);
	assert_int_equal(lai_link_init_dialogue(&story->link, &config, story->servers, SERVERS,
						&courier, "me"),
			 0);
	lai_link_start(&story->link, story->now_ns);
}

static void end(struct story *story)
{
	const struct la_totals *totals = &story->link.cargo.outbox.totals;

	assert_int_equal(totals->accepted_records, totals->delivered_records +
							   totals->abandoned_records +
							   story->link.cargo.outbox.records);
	lai_link_done(&story->link);
}

static void note_action(struct story *story, const char *name)
{
	size_t used = strlen(story->actions);

	snprintf(story->actions + used, sizeof(story->actions) - used, "%s%s", used ? " " : "",
		 name);
}

static void on_action(struct story *story, const struct lai_link_action *action)
{
	if (action->kind == LAI_LINK_CONNECT)
		note_action(story, "connect");
	if (action->kind == LAI_LINK_DISCARD)
		note_action(story, "discard");
	if (action->conn & LAI_CONN_LOOK) {
		if (story->link.connected)
			lai_link_on_view(&story->link, &story->view, story->now_ns);
		else
			note_action(story, "look");
	}
	if (action->conn & LAI_CONN_READ_REST)
		lai_link_on_rest_read(&story->link, story->now_ns);
	if (action->conn & LAI_CONN_SEND_FIN)
		note_action(story, "fin");
	if (action->conn & LAI_CONN_CLOSE)
		note_action(story, "close");
	if (action->conn & LAI_CONN_ABORT)
		note_action(story, "abort");
}

/* Carries out what is asked, writes what can be written; everything is acknowledged at once. */
static void settle(struct story *story)
{
	struct lai_link_action action;
	struct iovec iov[2];
	int count;

	do {
		while (lai_link_next(&story->link, &action))
			on_action(story, &action);
		count = lai_link_to_send(&story->link, iov, story->now_ns);
		for (int i = 0; i < count; i++) {
			size_t used = strlen(story->written);

			/* NUL ends a frame: shown as a bar. */
			for (size_t k = 0; k < iov[i].iov_len && used + 1 < TEXT_MAX; k++) {
				char c = ((const char *)iov[i].iov_base)[k];

				story->written[used++] = c ? c : '|';
			}
			story->written[used] = '\0';
			story->view.acked_bytes += iov[i].iov_len;
		}
		if (count > 0) {
			size_t size = iov[0].iov_len + (count > 1 ? iov[1].iov_len : 0);

			lai_link_on_written(&story->link, size, story->now_ns);
			lai_link_on_view(&story->link, &story->view, story->now_ns);
		}
	} while (count > 0);
}

static void connected(struct story *story)
{
	struct lai_address local, remote = story->link.race.addresses[0];

	settle(story);
	assert_int_equal(lai_address_parse("192.0.2.200", 40000, &local), 0);
	story->written[0] = '\0';
	story->view = (struct lai_view){.window_bytes = 65536, .tcp_state = LAI_TCP_ESTABLISHED};
	lai_link_on_attempt(&story->link, 0, 0, &local, &remote, story->now_ns);
	settle(story);
}

/* text: a bar for the NUL that ends a frame. */
static void say(struct story *story, const char *text)
{
	char frame[TEXT_MAX];
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++)
		frame[i] = text[i] == '|' ? '\0' : text[i];
	lai_link_on_received(&story->link, frame, size, story->now_ns);
	settle(story);
}

static void log_in(struct story *story)
{
	connected(story);
	say(story, "CONNECTED\nversion:1.2\nserver:lastack/1\n\n|");
}

static void fin(struct story *story)
{
	lai_link_on_fin(&story->link, story->now_ns);
	settle(story);
}

static void our_fin_acked(struct story *story)
{
	story->view.fin_acked = true;
	lai_link_on_view(&story->link, &story->view, story->now_ns);
	settle(story);
}

static void pass(struct story *story, uint64_t duration_ns)
{
	story->now_ns += duration_ns;
	lai_link_on_timer(&story->link, story->now_ns);
	settle(story);
}

static void put(struct story *story, uint64_t seq, const char *body)
{
	const struct iovec iov = {.iov_base = (void *)body, .iov_len = strlen(body)};

	assert_int_equal(lai_outbox_put(&story->link.cargo.outbox, seq, &iov, 1), 0);
	settle(story);
}

static void expect(char *got, const char *wanted)
{
	assert_string_equal(got, wanted);
	got[0] = '\0';
}

static void expect_cause(const struct story *story, const char *name)
{
	assert_string_equal(la_cause_name(story->report.cause), name);
}

/* ---- stories ---------------------------------------------------------------------------- */

static void test_life(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	connected(&story);
	expect(story.states, "connecting login");
	assert_non_null(strstr(story.written, "login:ann"));
	assert_null(strstr(story.written, "SEND")); /* nothing before the login is accepted */
	say(&story, "CONNECTED\nversion:1.2\nserver:lastack/1\n\n|");
	expect(story.states, "up");
	assert_non_null(strstr(story.written, "record-id:me-1\n"));
	assert_non_null(strstr(story.written, "destination:/queue/a\n"));
	assert_false(all_delivered(&story)); /* the kernel's ACK proves nothing here */
	say(&story, "RECEIPT\nreceipt-id:1\n\n|");
	assert_true(all_delivered(&story));

	/* The farewell: the server closes first. */
	lai_link_finish(&story.link, LA_NEVER, story.now_ns);
	settle(&story);
	assert_non_null(strstr(story.written, "DISCONNECT\n"));
	expect(story.actions, "connect");
	say(&story, "RECEIPT\nreceipt-id:bye\n\n|");
	expect(story.actions, "");
	fin(&story);
	our_fin_acked(&story);
	expect(story.actions, "fin close");
	expect(story.states, "closing done");
	expect_cause(&story, "finished");
	assert_int_equal(story.report.closed_first, LA_SIDE_PEER);
	assert_int_equal(story.report.proof, LA_PROOF_CONFIRMED);
	end(&story);
}

static void test_server_never_closes(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	log_in(&story);
	lai_link_finish(&story.link, LA_NEVER, story.now_ns);
	settle(&story);
	say(&story, "RECEIPT\nreceipt-id:bye\n\n|");
	expect(story.actions, "connect");
	assert_true(lai_link_deadline(&story.link) <= story.now_ns + 2 * LAI_S);
	pass(&story, 2 * LAI_S);
	expect(story.actions, "fin");
	our_fin_acked(&story);
	pass(&story, 40 * LAI_S);
	expect(story.actions, "close");
	expect_cause(&story, "never-closed");
	assert_int_equal(story.link.state, LA_LINK_DONE);
	end(&story);
}

static void test_nothing_to_deliver(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	lai_link_finish(&story.link, LA_NEVER, story.now_ns);
	settle(&story);
	assert_int_equal(story.link.state, LA_LINK_DONE);
	end(&story);
}

static void reject(struct story *story, const char *more)
{
	char text[TEXT_MAX];

	connected(story);
	snprintf(text, sizeof(text), "ERROR\nmessage:Bad CONNECT\n%s\nwrong password\n|", more);
	say(story, text);
	fin(story);
	our_fin_acked(story);
	expect_cause(story, "login-rejected");
}

static void test_rejection(void **state)
{
	struct story story;
	const char *words;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	reject(&story, "");
	words = story.report.last_words;
	assert_non_null(memmem(words, story.report.last_words_bytes, "Bad CONNECT", 11));
	/* The other server is asked at once, then the longer schedule begins. */
	expect(story.states, "connecting login closing connecting");
	reject(&story, "");
	expect(story.states, "login closing waiting");
	assert_true(story.wait_ns >= 5 * LAI_S);
	assert_int_equal(story.link.backoff.failures, 0);
	pass(&story, story.wait_ns);
	reject(&story, "retry-after:200\n");
	reject(&story, "retry-after:200\n");
	assert_true(story.wait_ns >= 200 * LAI_S); /* the server's hint */
	/* The schedule begins anew with an accepted login. */
	pass(&story, story.wait_ns);
	assert_true(story.link.rejected.failures > 0);
	log_in(&story);
	assert_int_equal(story.link.rejected.failures, 0);
	assert_non_null(strstr(story.written, "record-id:me-1\n"));
	end(&story);
}

/* A server that is full says nothing about the password. */
static void test_full_server(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	connected(&story);
	say(&story, "ERROR\nmessage:full\nshutdown:true\n\n|");
	fin(&story);
	our_fin_acked(&story);
	expect_cause(&story, "server-error");
	assert_int_equal(story.link.rejected.failures, 0);
	end(&story);
}

static void test_login_unanswered(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	connected(&story);
	pass(&story, 7 * LAI_S);
	expect_cause(&story, "login-timeout");
	expect(story.actions, "connect abort connect");
	expect(story.states, "connecting login closing connecting");
	end(&story);
}

static void test_receipt_missing(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	log_in(&story);
	pass(&story, 60 * LAI_S);
	expect_cause(&story, "receipt-timeout");
	/* The next server gets the same record under the same id. */
	log_in(&story);
	assert_non_null(strstr(story.written, "record-id:me-1\n"));
	assert_int_equal(story.link.endpoint, 1);
	assert_int_equal(story.link.cargo.outbox.totals.resent_records, 1);
	end(&story);
}

static void test_server_error(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	log_in(&story);
	say(&story, "ERROR\nmessage:going down\nshutdown:true\n\n|");
	fin(&story);
	our_fin_acked(&story);
	expect_cause(&story, "server-error");
	expect(story.actions, "connect fin close connect");
	end(&story);
}

static void test_no_stomp(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	connected(&story);
	say(&story, "220 mail.example ESMTP\r\n\n|");
	expect_cause(&story, "protocol-error");
	end(&story);
}

static void test_out_of_time(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	log_in(&story);
	lai_link_finish(&story.link, story.now_ns + 3 * LAI_S, story.now_ns);
	settle(&story);
	assert_true(lai_link_deadline(&story.link) <= story.now_ns + 3 * LAI_S);
	pass(&story, 3 * LAI_S);
	expect_cause(&story, "drain-timeout");
	assert_int_equal(story.link.state, LA_LINK_DONE);
	assert_int_equal(story.link.cargo.outbox.totals.abandoned_records, 1);
	end(&story);
}

/* The answer was in the buffer already when we ended it: it changes nothing any more. */
static void test_abort_at_login(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	put(&story, 1, "one");
	connected(&story);
	lai_link_abort(&story.link, story.now_ns);
	say(&story, "CONNECTED\nversion:1.2\nserver:lastack/1\n\n|");
	expect_cause(&story, "aborted");
	assert_int_equal(story.link.state, LA_LINK_DONE);
	assert_null(strstr(story.written, "SEND"));
	end(&story);
}

static void test_give_up_counts_logins(void **state)
{
	struct story story;

	(void)state;
	begin(&story);
	story.link.config.give_up_ns = 10 * LAI_S;
	put(&story, 1, "one");
	reject(&story, "");
	reject(&story, "");
	/* It was connected twice and never of any use. */
	pass(&story, 10 * LAI_S);
	assert_int_equal(story.link.state, LA_LINK_DONE);
	end(&story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "login, record, receipt, farewell: the server closes first",
		 .test_func = test_life},
		{.name = "a server that does not close after the farewell: then we do",
		 .test_func = test_server_never_closes},
		{.name = "nothing to deliver: done without a word",
		 .test_func = test_nothing_to_deliver},
		{.name = "a refused login: the words are kept, the next server asked, then a longer "
			 "schedule and the server's hint",
		 .test_func = test_rejection},
		{.name = "a server that is full at login: the ordinary back-off",
		 .test_func = test_full_server},
		{.name = "a login that is not answered has its own deadline",
		 .test_func = test_login_unanswered},
		{.name = "a receipt that does not come: the next server gets the record under its id",
		 .test_func = test_receipt_missing},
		{.name = "ERROR: read to the server's FIN, then the next server",
		 .test_func = test_server_error},
		{.name = "what is not STOMP is called so", .test_func = test_no_stomp},
		{.name = "the time for the end is a bound for receipts as well",
		 .test_func = test_out_of_time},
		{.name = "an abort during the login, with the answer unread",
		 .test_func = test_abort_at_login},
		{.name = "giving up counts from the last accepted login",
		 .test_func = test_give_up_counts_logins},
	};

	return cmocka_run_group_tests_name("link.link_dialogue", tests, NULL, NULL);
}
