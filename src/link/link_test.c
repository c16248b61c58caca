/* SPDX-License-Identifier: MIT */
/*
 * The stories of connections in succession, one per claim: attempts, failover, back-off, giving up,
 * replay, ends. What holds in every story is in link_walk_test.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define SERVERS_MAX 3
#define TEXT_MAX 512

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	fail_msg("%s:%u: %s: assertion %s", file, line, function, assertion);
	abort();
}

struct story {
	struct lai_link link;
	struct lai_endpoint servers[SERVERS_MAX];
	struct lai_view view;
	uint64_t now_ns, wait_ns;
	struct la_report report; /* the last one */
	char text[64];		 /* of its event; "": none */
	enum la_aftermath aftermath;
	unsigned reports, aftermaths;
	char states[TEXT_MAX]; /* names of the states since last asked */
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
		snprintf(story->text, sizeof(story->text), "%s", event->text ? event->text : "");
		story->reports++;
	}
	if (event->kind == LA_EVENT_AFTERMATH) {
		story->aftermath = event->report->aftermath;
		story->aftermaths++;
	}
	if (event->kind == LA_EVENT_WAIT)
		story->wait_ns = event->delay_ns;
}

static struct la_link_config usual(void)
{
	return (struct la_link_config){
		.proof = LA_PROOF_ACKED,
		.buffer_bytes = 1024,
		.record_bytes_max = 256,
		.resolve_ns = 5 * LAI_S,
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
	};
}

/* urls: separated by blanks. */
static void begin(struct story *story, const struct la_link_config *settings, const char *urls)
{
	struct la_link_config config = *settings;
	char list[TEXT_MAX], *rest = NULL, *error = NULL;
	size_t count = 0;

	*story = (struct story){.now_ns = START_NS};
	snprintf(list, sizeof(list), "%s", urls);
	for (char *url = strtok_r(list, " ", &rest); url; url = strtok_r(NULL, " ", &rest))
		assert_int_equal(lai_endpoint_parse(&story->servers[count++], url, false, &error),
				 0);
	config.on_event = on_event;
	config.arg = story;
	assert_int_equal(lai_link_init(&story->link, &config, story->servers, count), 0);
}

static void end(struct story *story)
{
	const struct la_totals *totals = &story->link.cargo.replay.totals;

	assert_int_equal(totals->accepted_bytes,
			 totals->delivered_bytes + lai_ring_used(&story->link.cargo.replay.ring) +
				 totals->dropped_bytes + totals->abandoned_bytes);
	lai_link_done(&story->link);
}

static void append(char text[TEXT_MAX], const char *one)
{
	strncat(text, text[0] ? ", " : "", TEXT_MAX - strlen(text) - 1);
	strncat(text, one, TEXT_MAX - strlen(text) - 1);
}

static void append_conn(char text[TEXT_MAX], unsigned actions)
{
	static const struct {
		unsigned bit;
		const char *name;
	} order[] = {
		{LAI_CONN_LOOK, "look"},	   {LAI_CONN_WHY_SILENT, "why"},
		{LAI_CONN_READ_REST, "read-rest"}, {LAI_CONN_HURRY, "hurry"},
		{LAI_CONN_CALM, "calm"},	   {LAI_CONN_SEND_FIN, "fin"},
		{LAI_CONN_CLOSE, "close"},	   {LAI_CONN_LINGER, "linger"},
		{LAI_CONN_ABORT, "abort"},
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (actions & order[i].bit)
			append(text, order[i].name);
}

/* Takes all actions: "connect 0 192.0.2.1:80, discard 1, look". */
static void expect_actions(struct story *story, const char *expected)
{
	struct lai_link_action action;
	char text[TEXT_MAX] = "", one[128], address[LA_ADDRESS_TEXT_MAX];

	while (lai_link_next(&story->link, &action)) {
		switch (action.kind) {
		case LAI_LINK_CONNECT:
			snprintf(one, sizeof(one), "connect %d %s", action.attempt,
				 lai_address_format(address, &action.address));
			append(text, one);
			break;
		case LAI_LINK_DISCARD:
			snprintf(one, sizeof(one), "discard %d", action.attempt);
			append(text, one);
			break;
		case LAI_LINK_RESOLVE:
			snprintf(one, sizeof(one), "resolve %s", action.endpoint->text);
			append(text, one);
			break;
		case LAI_LINK_RESOLVE_CANCEL: append(text, "cancel"); break;
		case LAI_LINK_CONN: append_conn(text, action.conn); break;
		}
	}
	assert_string_equal(text, expected);
}

static void expect_state(const struct story *story, const char *name)
{
	assert_string_equal(la_link_state_name(story->link.state), name);
}

static void expect_cause(const struct story *story, const char *name)
{
	assert_string_equal(la_cause_name(story->report.cause), name);
}

static void pass(struct story *story, uint64_t duration_ns)
{
	story->now_ns += duration_ns;
	lai_link_on_timer(&story->link, story->now_ns);
}

/* To the link's own deadline. */
static void pass_to_deadline(struct story *story)
{
	uint64_t deadline_ns = lai_link_deadline(&story->link);

	assert_true(deadline_ns != LA_NEVER);
	pass(story, deadline_ns > story->now_ns ? deadline_ns - story->now_ns : 0);
}

static void start(struct story *story)
{
	lai_link_start(&story->link, story->now_ns);
}

/* names: addresses separated by blanks; "": no such name. */
static void resolve(struct story *story, const char *names)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	char list[TEXT_MAX], *rest = NULL;
	int count = 0;

	snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		assert_int_equal(lai_address_parse(name, 80, &addresses[count++]), 0);
	lai_link_on_resolved(&story->link, addresses, count ? count : -ENOENT, story->now_ns);
}

static void decide(struct story *story, int attempt, int error)
{
	struct lai_address local, remote = story->link.race.addresses[attempt];

	assert_int_equal(lai_address_parse("192.0.2.200", 40000, &local), 0);
	lai_link_on_attempt(&story->link, attempt, error, &local, &remote, story->now_ns);
	story->view = (struct lai_view){.window_bytes = 65536, .tcp_state = LAI_TCP_ESTABLISHED};
}

static void submit(struct story *story, const char *text)
{
	void *room;

	assert_true(lai_replay_room(&story->link.cargo.replay, &room) >= strlen(text));
	memcpy(room, text, strlen(text));
	assert_int_equal(lai_replay_commit(&story->link.cargo.replay, strlen(text)), strlen(text));
}

static void write_all(struct story *story, const char *expected)
{
	struct iovec iov[2] = {{0}};
	int count = lai_link_to_send(&story->link, iov, story->now_ns);

	assert_int_equal(count == 1 ? iov[0].iov_len : 0, strlen(expected));
	assert_memory_equal(iov[0].iov_base, expected, strlen(expected));
	if (count > 0)
		lai_link_on_written(&story->link, iov[0].iov_len, story->now_ns);
}

static void acked(struct story *story, uint64_t bytes, bool fin)
{
	story->view.acked_bytes = bytes;
	story->view.fin_acked = fin;
	lai_link_on_view(&story->link, &story->view, story->now_ns);
}

static void reset(struct story *story)
{
	story->view.tcp_state = LAI_TCP_CLOSE;
	lai_link_on_view(&story->link, &story->view, story->now_ns);
	lai_link_on_error(&story->link, ECONNRESET, story->now_ns);
	lai_link_on_rest_read(&story->link, story->now_ns);
}

static void fin(struct story *story)
{
	lai_link_on_fin(&story->link, story->now_ns);
}

/* One numeric server, connected, the actions taken. */
static void connect_one(struct story *story, const struct la_link_config *config)
{
	begin(story, config, "lines://192.0.2.1:80");
	start(story);
	expect_actions(story, "connect 0 192.0.2.1:80");
	decide(story, 0, 0);
	expect_actions(story, "");
	expect_state(story, "up");
}

/* ---- attempts ------------------------------------------------------------------------------ */

static void test_whole_life(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "lines://a.example:80");
	assert_int_equal(lai_link_deadline(&story.link), 0);
	start(&story);
	start(&story);
	expect_actions(&story, "resolve a.example:80");
	resolve(&story, "192.0.2.1");
	expect_actions(&story, "connect 0 192.0.2.1:80");
	decide(&story, 0, 0);
	submit(&story, "hello\n");
	write_all(&story, "hello\n");
	acked(&story, 6, false);
	assert_true(all_delivered(&story));
	lai_link_finish(&story.link, LA_NEVER, story.now_ns);
	expect_actions(&story, "look");
	acked(&story, 6, false);
	expect_actions(&story, "fin");
	acked(&story, 6, true);
	fin(&story);
	expect_actions(&story, "close");
	expect_state(&story, "done");
	assert_string_equal(story.states, "resolving connecting up closing done");
	expect_cause(&story, "finished");
	assert_string_equal(story.report.remote, "192.0.2.1:80");
	assert_string_equal(story.report.local, "192.0.2.200:40000");
	end(&story);
}

static void test_resolve_each_cycle(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	for (int i = 0; i < 4; i++) {
		expect_actions(&story, "resolve a.example:80");
		resolve(&story, "192.0.2.1");
		expect_actions(&story, "connect 0 192.0.2.1:80");
		decide(&story, 0, ECONNREFUSED);
		expect_state(&story, "waiting");
		expect_cause(&story, "connect-refused");
		assert_int_equal(story.report.error, ECONNREFUSED);
		assert_int_equal(story.report.serial, i + 1);
		assert_false(story.report.connected);
		pass_to_deadline(&story);
	}
	assert_int_equal(story.link.cargo.replay.totals.failed_attempts, 4);
	end(&story);
}

static void test_resolve_fails(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	resolve(&story, "");
	expect_cause(&story, "resolve-failed");
	assert_int_equal(story.report.error, ENOENT);
	assert_string_equal(story.report.remote, "a.example:80");
	expect_state(&story, "waiting");
	end(&story);
}

static void test_resolve_timeout(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	assert_int_equal(lai_link_deadline(&story.link), START_NS + 5 * LAI_S);
	pass(&story, 5 * LAI_S - 1);
	expect_actions(&story, "resolve a.example:80");
	pass(&story, 1);
	expect_actions(&story, "cancel");
	expect_cause(&story, "resolve-timeout");
	/* The answer comes too late. */
	resolve(&story, "192.0.2.1");
	expect_actions(&story, "");
	expect_state(&story, "waiting");
	end(&story);
}

static void test_race(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	expect_actions(&story, "resolve a.example:80");
	resolve(&story, "2001:db8::1 2001:db8::2 192.0.2.1");
	expect_actions(&story, "connect 0 [2001:db8::1]:80");
	pass(&story, LAI_RACE_STAGGER_NS - 1);
	expect_actions(&story, "");
	pass(&story, 1);
	expect_actions(&story, "connect 1 192.0.2.1:80");
	decide(&story, 0, ENETUNREACH);
	expect_actions(&story, "connect 2 [2001:db8::2]:80");
	decide(&story, 1, 0);
	expect_actions(&story, "discard 2");
	expect_state(&story, "up");
	/* Losers may still say something. */
	decide(&story, 2, 0);
	decide(&story, 2, ECONNREFUSED);
	expect_actions(&story, "");
	expect_state(&story, "up");
	assert_int_equal(story.link.cargo.replay.totals.connections, 1);
	end(&story);
}

/* The first failure of a race is its cause. */
static void test_race_lost(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	resolve(&story, "2001:db8::1 192.0.2.1");
	decide(&story, 0, ENETUNREACH);
	expect_state(&story, "connecting");
	assert_int_equal(story.reports, 0);
	decide(&story, 1, ECONNREFUSED);
	expect_cause(&story, "unreachable");
	assert_int_equal(story.report.error, ENETUNREACH);
	assert_int_equal(story.reports, 1);
	end(&story);
}

/* What TLS has against the one that gave the cause, not against those that came after it. */
static void test_tls_why(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tls://a.example:80");
	start(&story);
	resolve(&story, "2001:db8::1 192.0.2.1");
	lai_link_note_why(&story.link, "it is for 'b', not 'a'");
	decide(&story, 0, EKEYREJECTED);
	lai_link_note_why(&story.link, "it has expired");
	decide(&story, 1, EKEYREJECTED);
	expect_cause(&story, "certificate-refused");
	assert_string_equal(story.text, "it is for 'b', not 'a'");

	/* The next attempt knows nothing of it, nor does a connection of those it has beaten. */
	pass_to_deadline(&story);
	resolve(&story, "2001:db8::1 192.0.2.1");
	lai_link_note_why(&story.link, "it has expired");
	decide(&story, 0, EKEYREJECTED);
	decide(&story, 1, 0);
	expect_state(&story, "up");
	lai_link_note_why(&story.link, "the server refuses our certificate");
	lai_link_on_error(&story.link, EKEYREJECTED, story.now_ns);
	lai_link_on_rest_read(&story.link, story.now_ns);
	expect_cause(&story, "certificate-refused");
	assert_string_equal(story.text, "the server refuses our certificate");

	/* Of another end it is not said. */
	pass_to_deadline(&story);
	resolve(&story, "192.0.2.1");
	lai_link_note_why(&story.link, "said too early");
	decide(&story, 0, ECONNREFUSED);
	expect_cause(&story, "connect-refused");
	assert_string_equal(story.text, "");
	end(&story);
}

static void test_connect_timeout(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	resolve(&story, "2001:db8::1 192.0.2.1");
	pass(&story, LAI_RACE_STAGGER_NS);
	expect_actions(&story,
		       "resolve a.example:80, connect 0 [2001:db8::1]:80, connect 1 192.0.2.1:80");
	assert_int_equal(lai_link_deadline(&story.link), START_NS + 6 * LAI_S);
	pass(&story, 6 * LAI_S - LAI_RACE_STAGGER_NS);
	expect_actions(&story, "discard 0, discard 1");
	expect_cause(&story, "connect-timeout");
	expect_state(&story, "waiting");
	end(&story);
}

static void test_last_good_first(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://a.example:80");
	start(&story);
	resolve(&story, "2001:db8::1 192.0.2.1");
	expect_actions(&story, "resolve a.example:80, connect 0 [2001:db8::1]:80");
	decide(&story, 0, ECONNREFUSED);
	expect_actions(&story, "connect 1 192.0.2.1:80");
	decide(&story, 1, 0);
	reset(&story);
	pass_to_deadline(&story);
	expect_actions(&story, "read-rest, close, resolve a.example:80");
	resolve(&story, "2001:db8::1 192.0.2.1");
	expect_actions(&story, "connect 0 192.0.2.1:80");
	end(&story);
}

static void test_self_connect(void **state)
{
	struct la_link_config config = usual();
	struct lai_address self;
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://127.0.0.1:40000");
	start(&story);
	expect_actions(&story, "connect 0 127.0.0.1:40000");
	self = story.link.race.addresses[0];
	lai_link_on_attempt(&story.link, 0, 0, &self, &self, story.now_ns);
	expect_actions(&story, "discard 0");
	expect_cause(&story, "self-connect");
	expect_state(&story, "waiting");
	assert_int_equal(story.link.cargo.replay.totals.connections, 0);
	end(&story);
}

static void test_failover(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	begin(&story, &config, "tcp://192.0.2.1:80 tcp://192.0.2.2:80 tcp://192.0.2.3:80");
	start(&story);
	expect_actions(&story, "connect 0 192.0.2.1:80");
	decide(&story, 0, ECONNREFUSED);
	expect_actions(&story, "connect 0 192.0.2.2:80");
	decide(&story, 0, ECONNREFUSED);
	expect_actions(&story, "connect 0 192.0.2.3:80");
	decide(&story, 0, ECONNREFUSED);
	/* Only the end of a round waits. */
	expect_state(&story, "waiting");
	pass_to_deadline(&story);
	expect_actions(&story, "connect 0 192.0.2.1:80");
	decide(&story, 0, ECONNREFUSED);
	decide(&story, 0, 0);
	expect_actions(&story, "connect 0 192.0.2.2:80");
	expect_state(&story, "up");
	/* It stays with the server that worked. */
	reset(&story);
	pass_to_deadline(&story);
	expect_actions(&story, "read-rest, close, connect 0 192.0.2.2:80");
	assert_int_equal(story.reports, 5);
	end(&story);
}

/* ---- patience ------------------------------------------------------------------------------ */

static void test_backoff(void **state)
{
	struct la_link_config config = usual();
	struct story story;
	uint64_t ceiling_ns = 0;

	(void)state;
	begin(&story, &config, "tcp://192.0.2.1:80");
	start(&story);
	for (int i = 0; i < 20; i++) {
		expect_actions(&story, "connect 0 192.0.2.1:80");
		decide(&story, 0, ECONNREFUSED);
		assert_true(story.wait_ns <= ceiling_ns);
		assert_int_equal(lai_link_deadline(&story.link), story.now_ns + story.wait_ns);
		if (story.wait_ns > 0)
			pass(&story, story.wait_ns - 1);
		if (story.wait_ns > 0)
			expect_actions(&story, "");
		pass(&story, story.wait_ns > 0);
		ceiling_ns = ceiling_ns == 0 ? config.backoff_min_ns
					     : lai_time_min(2 * ceiling_ns, config.backoff_max_ns);
	}
	end(&story);
}

/* A server that accepts and resets at once is not hammered; one that was stable is tried at once.
 */
static void test_stable_resets_backoff(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	for (uint32_t i = 0; i < 5; i++) {
		reset(&story);
		assert_int_equal(story.link.backoff.failures, i + 1);
		pass_to_deadline(&story);
		decide(&story, 0, 0);
	}
	pass(&story, config.stable_ns - 1);
	reset(&story);
	assert_int_equal(story.link.backoff.failures, 6);
	pass_to_deadline(&story);
	decide(&story, 0, 0);
	pass(&story, config.stable_ns);
	reset(&story);
	assert_int_equal(story.wait_ns, 0);
	assert_int_equal(story.link.backoff.failures, 1);
	end(&story);
}

static void test_retries(void **state)
{
	(void)state;
	for (uint32_t retries = 0; retries < 4; retries++) {
		struct la_link_config config = usual();
		struct story story;
		unsigned cycles = 0;

		config.retries_max = retries;
		begin(&story, &config, "tcp://192.0.2.1:80");
		submit(&story, "x");
		for (start(&story); story.link.state != LA_LINK_DONE; cycles++) {
			decide(&story, 0, ECONNREFUSED);
			if (story.link.state != LA_LINK_DONE)
				pass_to_deadline(&story);
		}
		assert_int_equal(cycles, retries + 1);
		assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes, 1);
		assert_false(all_delivered(&story));
		assert_true(lai_link_deadline(&story.link) == LA_NEVER);
		end(&story);
	}
}

static void test_give_up(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	config.give_up_ns = 3 * LAI_S;
	begin(&story, &config, "tcp://192.0.2.1:80");
	start(&story);
	expect_actions(&story, "connect 0 192.0.2.1:80");
	assert_int_equal(lai_link_deadline(&story.link), START_NS + 3 * LAI_S);
	pass(&story, 3 * LAI_S - 1);
	expect_state(&story, "connecting");
	pass(&story, 1);
	expect_state(&story, "done");
	expect_actions(&story, "discard 0");
	assert_int_equal(story.reports, 1);
	assert_int_not_equal(story.report.cause, LA_CAUSE_ALIVE);
	end(&story);
}

/* The time without a connection begins anew after each one. */
static void test_give_up_counts_apart(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	config.give_up_ns = 3 * LAI_S;
	connect_one(&story, &config);
	pass(&story, 3600 * LAI_S);
	expect_state(&story, "up");
	reset(&story);
	expect_state(&story, "waiting");
	pass_to_deadline(&story);
	pass(&story, 3 * LAI_S - 1);
	expect_state(&story, "connecting");
	pass(&story, 1);
	expect_state(&story, "done");
	end(&story);
}

/* ---- replay -------------------------------------------------------------------------------- */

static void test_replay(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\ntwo\nthree\n");
	write_all(&story, "one\ntwo\nthree\n");
	story.view.acked_bytes = 6; /* in the middle of "two" */
	reset(&story);
	expect_cause(&story, "peer-reset");
	assert_int_equal(story.report.acked_bytes, 6);
	assert_int_equal(story.report.duplicated.max_bytes, 10);
	assert_int_equal(story.link.cargo.replay.totals.delivered_bytes, 4);
	submit(&story, "four\n");
	pass_to_deadline(&story);
	decide(&story, 0, 0);
	write_all(&story, "two\nthree\nfour\n");
	acked(&story, 15, false);
	assert_true(all_delivered(&story));
	assert_int_equal(story.link.cargo.replay.totals.delivered_bytes, 19);
	end(&story);
}

static void test_peer_fin(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	fin(&story);
	expect_state(&story, "closing");
	submit(&story, "two\n");
	write_all(&story, "");
	acked(&story, 4, false);
	expect_actions(&story, "look, fin");
	acked(&story, 4, true);
	expect_cause(&story, "peer-closed");
	expect_state(&story, "waiting");
	pass_to_deadline(&story);
	expect_actions(&story, "close, connect 0 192.0.2.1:80");
	decide(&story, 0, 0);
	write_all(&story, "two\n");
	end(&story);
}

/* Proof consumed: the connection is closed to get it, and the next one begins without a wait. */
static void test_checkpoint(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	config.proof = LA_PROOF_CONSUMED;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	acked(&story, 4, false);
	assert_false(all_delivered(&story));
	lai_link_checkpoint(&story.link, story.now_ns);
	lai_link_checkpoint(&story.link, story.now_ns);
	submit(&story, "two\n");
	write_all(&story, "");
	acked(&story, 4, false);
	acked(&story, 4, true);
	expect_actions(&story, "look, fin");
	assert_false(all_delivered(&story));
	fin(&story);
	assert_int_equal(story.report.proof, LA_PROOF_CONSUMED);
	assert_int_equal(story.link.cargo.replay.totals.delivered_bytes, 4);
	assert_int_equal(story.report.lost.max_bytes, 0);
	expect_state(&story, "connecting");
	expect_actions(&story, "close, connect 0 192.0.2.1:80");
	decide(&story, 0, 0);
	write_all(&story, "two\n");
	end(&story);
}

/* The peer's FIN crossed ours before it can have read all: no proof, so it is sent again. */
static void test_checkpoint_refused(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	config.proof = LA_PROOF_CONSUMED;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	fin(&story);
	acked(&story, 4, false);
	acked(&story, 4, true);
	expect_state(&story, "waiting");
	assert_int_equal(story.link.cargo.replay.totals.delivered_bytes, 0);
	pass_to_deadline(&story);
	decide(&story, 0, 0);
	write_all(&story, "one\n");
	end(&story);
}

/* A FIN that is not acknowledged in time ends the connection, not a link that nobody wants to
 * finish. */
static void test_checkpoint_fails(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	config.proof = LA_PROOF_CONSUMED;
	config.dead_ns = LA_NEVER;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	lai_link_checkpoint(&story.link, story.now_ns);
	acked(&story, 4, false);
	expect_actions(&story, "look, fin");
	story.now_ns += config.read_ns;
	acked(&story, 4, false);
	lai_link_on_rest_read(&story.link, story.now_ns);
	assert_int_equal(story.reports, 1);
	expect_state(&story, "waiting");
	assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes, 0);
	end(&story);
}

/* A peer that reads slowly owes its FIN for long: each never-closed doubles the time, an end resets
 * it. */
static void test_patience_with_slow_readers(void **state)
{
	struct la_link_config config = usual();
	struct story story;
	uint64_t owed_ns = config.read_ns;

	(void)state;
	config.proof = LA_PROOF_CONSUMED;
	connect_one(&story, &config);
	submit(&story, "one\n");
	for (int i = 0; i < 4; i++, owed_ns *= 2) {
		write_all(&story, "one\n");
		lai_link_checkpoint(&story.link, story.now_ns);
		acked(&story, 4, false);
		acked(&story, 4, true);
		assert_int_equal(lai_link_deadline(&story.link), story.now_ns + owed_ns);
		story.now_ns += owed_ns;
		acked(&story, 4, true);
		lai_link_on_rest_read(&story.link, story.now_ns);
		expect_cause(&story, "never-closed");
		pass_to_deadline(&story);
		decide(&story, 0, 0);
	}
	write_all(&story, "one\n");
	lai_link_checkpoint(&story.link, story.now_ns);
	acked(&story, 4, false);
	acked(&story, 4, true);
	fin(&story);
	assert_true(all_delivered(&story));
	decide(&story, 0, 0);
	submit(&story, "two\n");
	write_all(&story, "two\n");
	lai_link_checkpoint(&story.link, story.now_ns);
	acked(&story, 4, false);
	acked(&story, 4, true);
	assert_int_equal(lai_link_deadline(&story.link), story.now_ns + config.read_ns);
	end(&story);
}

static void test_crowd(void **state)
{
	struct la_link_config config = usual();
	struct story story;
	char line[] = "0123456789012345678901234567890\n";

	(void)state;
	config.proof = LA_PROOF_CONSUMED;
	connect_one(&story, &config);
	lai_link_crowd(&story.link, story.now_ns);
	expect_actions(&story, "");
	while (!lai_replay_full(&story.link.cargo.replay)) {
		lai_link_crowd(&story.link, story.now_ns);
		expect_state(&story, "up"); /* crowded is not full */
		submit(&story, line);
		write_all(&story, line);
	}
	lai_link_crowd(&story.link, story.now_ns);
	expect_state(&story, "closing");
	end(&story);
}

/* ---- ends -------------------------------------------------------------------------------- */

/* Each row goes to a state and finishes there. What it must wait for, and what it must not. */
static const struct end_row {
	const char *sentence;
	bool name, submitted, started, resolved, connected, failed;
	const char *after;   /* the state right after finish */
	const char *aborted; /* the actions of an abort instead */
} ends[] = {
	{"idle, nothing to send", true, false, false, false, false, false, "done", ""},
	{"idle, something to send", true, true, false, false, false, false, "idle", ""},
	{"resolving, nothing to send", true, false, true, false, false, false, "done", "cancel"},
	{"resolving, something to send", true, true, true, false, false, false, "resolving",
	 "cancel"},
	{"connecting, nothing to send", false, false, true, false, false, false, "done",
	 "discard 0"},
	{"connecting, something to send", false, true, true, false, false, false, "connecting",
	 "discard 0"},
	{"up, nothing to send", false, false, true, false, true, false, "closing", "read-rest"},
	{"up, something to send", false, true, true, false, true, false, "closing", "read-rest"},
	{"waiting, nothing to send", false, false, true, false, false, true, "done", ""},
	{"waiting, something to send", false, true, true, false, false, true, "waiting", ""},
};

static void go_to(struct story *story, const struct end_row *row)
{
	struct la_link_config config = usual();
	struct lai_link_action action;

	begin(story, &config, row->name ? "lines://a.example:80" : "lines://192.0.2.1:80");
	if (row->submitted)
		submit(story, "last\n");
	if (row->started)
		start(story);
	if (row->connected || row->failed)
		decide(story, 0, row->failed ? ECONNREFUSED : 0);
	while (lai_link_next(&story->link, &action))
		;
}

static void test_finish(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct story story;

		go_to(&story, &ends[i]);
		lai_link_finish(&story.link, story.now_ns + 2 * LAI_S, story.now_ns);
		if (strcmp(la_link_state_name(story.link.state), ends[i].after) != 0)
			fail_msg("%s: %s after finish, not %s", ends[i].sentence,
				 la_link_state_name(story.link.state), ends[i].after);
		start(&story);
		if (story.link.state != LA_LINK_DONE)
			assert_true(lai_link_deadline(&story.link) <= story.now_ns + 2 * LAI_S);
		end(&story);
	}
}

static void test_finish_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct story story;

		go_to(&story, &ends[i]);
		lai_link_finish(&story.link, story.now_ns + 2 * LAI_S, story.now_ns);
		start(&story);
		for (int n = 0;
		     n < 1000 && !story.link.connected && story.link.state != LA_LINK_DONE; n++)
			pass_to_deadline(&story);
		if (!story.link.connected && story.now_ns > START_NS + 2 * LAI_S)
			fail_msg("%s: not in time", ends[i].sentence);
		if (!story.link.connected)
			assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes,
					 ends[i].submitted ? strlen("last\n") : 0);
		end(&story);
	}
}

static void test_abort(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct story story;

		go_to(&story, &ends[i]);
		lai_link_abort(&story.link, story.now_ns);
		expect_actions(&story, ends[i].aborted);
		if (story.link.connected) {
			lai_link_on_rest_read(&story.link, story.now_ns);
			expect_actions(&story, "abort");
			expect_cause(&story, "aborted");
		}
		expect_state(&story, "done");
		lai_link_abort(&story.link, story.now_ns);
		expect_actions(&story, "");
		if (ends[i].started && !ends[i].failed && story.report.cause == LA_CAUSE_ALIVE)
			fail_msg("%s: the attempt under way has left no report", ends[i].sentence);
		assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes,
				 ends[i].submitted ? strlen("last\n") : 0);
		end(&story);
	}
}

/* The cause is the peer's FIN then, and it is the link's end all the same. */
static void test_abort_after_fin(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	fin(&story);
	expect_state(&story, "closing");
	lai_link_abort(&story.link, story.now_ns);
	expect_actions(&story, "look, abort");
	expect_state(&story, "done");
	assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes, 4);
	end(&story);
}

static void test_drain_timeout(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\ntwo\n");
	write_all(&story, "one\ntwo\n");
	lai_link_finish(&story.link, story.now_ns + LAI_S, story.now_ns);
	story.now_ns += LAI_S;
	acked(&story, 4, false);
	expect_actions(&story, "look, read-rest");
	lai_link_on_rest_read(&story.link, story.now_ns);
	expect_cause(&story, "drain-timeout");
	expect_state(&story, "done");
	assert_int_equal(story.link.cargo.replay.totals.delivered_bytes, 4);
	assert_int_equal(story.link.cargo.replay.totals.abandoned_bytes, 4);
	assert_int_equal(story.report.destroyed_bytes, 4);
	end(&story);
}

/* A reconnect while finishing sends the rest, and is closed like any other. */
static void test_finish_through_a_reconnect(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	lai_link_finish(&story.link, LA_NEVER, story.now_ns);
	reset(&story);
	expect_state(&story, "waiting");
	pass_to_deadline(&story);
	decide(&story, 0, 0);
	expect_state(&story, "closing");
	write_all(&story, "one\n");
	acked(&story, 4, false);
	acked(&story, 4, true);
	fin(&story);
	expect_state(&story, "done");
	assert_true(all_delivered(&story));
	end(&story);
}

/* ---- aftermath ----------------------------------------------------------------------------- */

static void fall_silent(struct story *story)
{
	submit(story, "one\n");
	write_all(story, "one\n");
	story->view.in_flight = 1;
	story->now_ns += 20 * LAI_S;
	story->view.ack_age_ns = 20 * LAI_S;
	lai_link_on_view(&story->link, &story->view, story->now_ns);
	lai_link_on_why_silent(&story->link, 0, story->now_ns);
	lai_link_on_rest_read(&story->link, story->now_ns);
	expect_actions(story, "why, read-rest, abort");
	expect_cause(story, "silent-busy");
	assert_int_equal(story->report.aftermath, LA_AFTERMATH_UNKNOWN);
	pass_to_deadline(story);
	expect_actions(story, "connect 0 192.0.2.1:80");
}

static void test_aftermath(void **state)
{
	static const struct {
		int error;
		const char *aftermath;
	} rows[] = {
		{0, "host-answers"},	 {ECONNREFUSED, "host-refuses"}, {ETIMEDOUT, "host-silent"},
		{ENETUNREACH, "no-way"}, {EHOSTUNREACH, "no-way"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct la_link_config config = usual();
		struct story story;

		connect_one(&story, &config);
		fall_silent(&story);
		/* Something local says nothing of the host. */
		decide(&story, 0, EMFILE);
		assert_int_equal(story.aftermaths, 0);
		pass_to_deadline(&story);
		decide(&story, 0, rows[i].error);
		assert_int_equal(story.aftermaths, 1);
		assert_string_equal(la_aftermath_name(story.aftermath), rows[i].aftermath);
		if (rows[i].error == 0)
			reset(&story);
		pass_to_deadline(&story);
		decide(&story, 0, 0);
		assert_int_equal(story.aftermaths, 1);
		end(&story);
	}
}

static void test_aftermath_of_a_timeout(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	fall_silent(&story);
	pass(&story, 6 * LAI_S);
	assert_int_equal(story.aftermaths, 1);
	assert_string_equal(la_aftermath_name(story.aftermath), "host-silent");
	end(&story);
}

/* What comes for a connection that has ended is nobody's. */
static void test_late_answers(void **state)
{
	struct la_link_config config = usual();
	struct story story;

	(void)state;
	connect_one(&story, &config);
	submit(&story, "one\n");
	write_all(&story, "one\n");
	story.view.acked_bytes = 2;
	reset(&story);
	expect_state(&story, "waiting");
	lai_link_on_view(&story.link, &story.view, story.now_ns);
	lai_link_on_why_silent(&story.link, 0, story.now_ns);
	lai_link_on_rest_read(&story.link, story.now_ns);
	lai_link_on_error(&story.link, EPIPE, story.now_ns);
	lai_link_on_resumed(&story.link, story.now_ns);
	expect_state(&story, "waiting");
	expect_actions(&story, "read-rest, close");
	assert_int_equal(story.reports, 1);
	end(&story);
}

static void test_states_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < LA_LINK_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(la_link_state_name((enum la_link_state)i),
						la_link_state_name((enum la_link_state)k));
	assert_string_equal(la_link_state_name(LA_LINK_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CLAIM(sentence, function) {.name = sentence, .test_func = function}
		CLAIM("resolve, connect, send, finish: the whole life", test_whole_life),
		CLAIM("each cycle resolves anew and leaves its report", test_resolve_each_cycle),
		CLAIM("a name that does not exist: resolve-failed", test_resolve_fails),
		CLAIM("no answer: resolve-timeout, and a late one is nobody's",
		      test_resolve_timeout),
		CLAIM("a race: staggered, a failure starts the next, losers discarded", test_race),
		CLAIM("a lost race: its first failure is the cause", test_race_lost),
		CLAIM("TLS failed: the report's text says why", test_tls_why),
		CLAIM("nothing answers: connect-timeout, all discarded", test_connect_timeout),
		CLAIM("the address that worked is tried first", test_last_good_first),
		CLAIM("a connection to itself is no connection", test_self_connect),
		CLAIM("failover: the list in order, a wait only after a round", test_failover),
		CLAIM("no attempt before the back-off is over; it doubles, and has a ceiling",
		      test_backoff),
		CLAIM("only a stable connection resets the back-off", test_stable_resets_backoff),
		CLAIM("retries_max: so many retries, then done", test_retries),
		CLAIM("give_up_ns ends it in whatever state, with a report", test_give_up),
		CLAIM("give_up_ns counts anew after each connection", test_give_up_counts_apart),
		CLAIM("a reset: the next connection begins at the first line not acknowledged",
		      test_replay),
		CLAIM("the peer's FIN: what comes after it waits for the next connection",
		      test_peer_fin),
		CLAIM("a checkpoint: proof consumed, and on without a wait", test_checkpoint),
		CLAIM("a peer that closed first has not consumed", test_checkpoint_refused),
		CLAIM("a checkpoint that fails ends the connection, not the link",
		      test_checkpoint_fails),
		CLAIM("with proof consumed a slow reader gets more and more time",
		      test_patience_with_slow_readers),
		CLAIM("a full buffer and proof consumed: a checkpoint of its own", test_crowd),
		CLAIM("finish in each state", test_finish),
		CLAIM("finish ends in time in each state", test_finish_in_time),
		CLAIM("abort in each state, and each attempt leaves a report", test_abort),
		CLAIM("abort after the peer's FIN ends the link", test_abort_after_fin),
		CLAIM("drain-timeout: the rest is abandoned and counted", test_drain_timeout),
		CLAIM("finishing goes through a reconnect", test_finish_through_a_reconnect),
		CLAIM("the next attempt explains a silent death, once", test_aftermath),
		CLAIM("a silent death and no answer to the next SYN: host-silent",
		      test_aftermath_of_a_timeout),
		CLAIM("answers for a connection that has ended change nothing", test_late_answers),
		CLAIM("state names are unique, and ? beyond the last", test_states_have_names),
#undef CLAIM
	};

	return cmocka_run_group_tests_name("link.link, stories", tests, NULL, NULL);
}
