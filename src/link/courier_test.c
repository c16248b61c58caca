/* SPDX-License-Identifier: MIT */
/*
 * The courier at its desk: the test is the server and the wire. In texts a ^ stands for the NUL that
 * ends a frame, as in the specification.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/courier_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define LOGIN_NS (10 * LAI_S)
#define RECEIPT_NS (60 * LAI_S)
#define WITHIN_NS (20 * LAI_MS)
#define BEAT_NS (10 * LAI_S)
#define TEXT_MAX 4096
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#define OURS "CONNECTED\nversion:1.2\nserver:lastack/0.1.0\n\n^"
#define THEIRS "CONNECTED\nversion:1.2\nserver:Broker/3\n\n^"
#define CONNECT                                                                                    \
	"CONNECT\naccept-version:1.0,1.1,1.2\nhost:example.org\nlogin:ann\n"                       \
	"heart-beat:10000,10000\n\n^"
#define DISCONNECT "DISCONNECT\nreceipt:bye\n\n^"

struct desk {
	struct lai_courier *courier;
	struct lai_outbox outbox;
	struct lai_courier_config config;
	uint64_t now_ns;
	uint64_t seq; /* the last one put */
	unsigned refused;
	uint64_t refused_seq;
	char refused_body[64], refused_message[64], refused_details[64];
	char text[TEXT_MAX]; /* of take() */
};

static void keep(char *to, size_t size, struct lai_slice slice)
{
	assert_true(slice.size < size);
	if (slice.size > 0)
		memcpy(to, slice.data, slice.size);
	to[slice.size] = '\0';
}

static bool on_refused(void *arg, const struct lai_courier_refusal *refusal)
{
	struct desk *desk = arg;
	char half[64];

	desk->refused++;
	desk->refused_seq = refusal->seq;
	keep(desk->refused_body, sizeof(desk->refused_body), refusal->body[0]);
	keep(half, sizeof(half), refusal->body[1]);
	strcat(desk->refused_body, half);
	keep(desk->refused_message, sizeof(desk->refused_message), refusal->message);
	keep(desk->refused_details, sizeof(desk->refused_details), refusal->details);
	return true;
}

static struct la_stomp_config settings(void)
{
	return (struct la_stomp_config){
		.receipt_every = 64,
		.receipt_within_ns = WITHIN_NS,
		.window_records = 10000,
		.heartbeat_ns = BEAT_NS,
		.login_ns = LOGIN_NS,
		.receipt_ns = RECEIPT_NS,
	};
}

static void desk_open(struct desk *desk, const struct la_stomp_config *stomp)
{
	*desk = (struct desk){.now_ns = START_NS};
	desk->config = (struct lai_courier_config){
		.stomp = stomp ? *stomp : settings(), .on_refused = on_refused, .arg = desk};
	assert_int_equal(lai_outbox_init(&desk->outbox, 1 << 20, 1 << 19, LA_FULL_BLOCK), 0);
	assert_int_equal(lai_courier_new(&desk->courier, &desk->config, "a-b", &desk->outbox), 0);
}

static void desk_close(struct desk *desk)
{
	lai_courier_free(desk->courier);
	lai_outbox_done(&desk->outbox);
}

static void begin(struct desk *desk)
{
	lai_courier_begin(desk->courier,
			  &(struct lai_courier_endpoint){
				  .host = "example.org", .login = "ann", .destination = "/queue/a"},
			  desk->now_ns);
}

static void put(struct desk *desk, const char *body)
{
	struct iovec iov = {(char *)(uintptr_t)body, strlen(body)};

	assert_int_equal(lai_outbox_put(&desk->outbox, ++desk->seq, &iov, 1), 0);
}

/* All that is to be written, as text. */
static const char *take(struct desk *desk)
{
	struct iovec iov[2];
	size_t size = 0;
	int pieces;

	while ((pieces = lai_courier_to_send(desk->courier, iov, desk->now_ns)) > 0) {
		assert_int_equal(pieces, 1);
		assert_true(size + iov[0].iov_len < TEXT_MAX);
		memcpy(desk->text + size, iov[0].iov_base, iov[0].iov_len);
		size += iov[0].iov_len;
		lai_courier_on_written(desk->courier, iov[0].iov_len, desk->now_ns);
	}
	assert_false(lai_courier_wants_write(desk->courier, desk->now_ns));
	for (size_t i = 0; i < size; i++)
		desk->text[i] = desk->text[i] == '\0' ? '^' : desk->text[i];
	desk->text[size] = '\0';
	return desk->text;
}

static void say(struct desk *desk, const char *text)
{
	char bytes[TEXT_MAX];
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++)
		bytes[i] = text[i] == '^' ? '\0' : text[i];
	lai_courier_on_received(desk->courier, bytes, size, desk->now_ns);
}

static void receipt(struct desk *desk, uint64_t seq)
{
	char text[64];

	snprintf(text, sizeof(text), "RECEIPT\nreceipt-id:%lu\n\n^", (unsigned long)seq);
	say(desk, text);
}

static void later(struct desk *desk, uint64_t at_ns)
{
	desk->now_ns = at_ns;
	lai_courier_on_timer(desk->courier, at_ns);
}

static void expect_state(struct desk *desk, enum lai_courier_state state, enum la_cause cause)
{
	assert_string_equal(lai_courier_state_name(lai_courier_state(desk->courier)),
			    lai_courier_state_name(state));
	assert_string_equal(la_cause_name(lai_courier_cause(desk->courier)), la_cause_name(cause));
}

static void log_in(struct desk *desk, const char *connected)
{
	begin(desk);
	assert_string_equal(take(desk), CONNECT);
	say(desk, connected);
	expect_state(desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
}

static unsigned count(const char *text, const char *part)
{
	unsigned found = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		found++;
	return found;
}

/* ---- every state meets every event ----------------------------------------------------------- */

enum event {
	CONNECTED_COMES,
	RECEIPT_COMES, /* of a record */
	BYE_COMES,
	ERROR_COMES,
	MESSAGE_COMES,
	BEAT_COMES,
	GARBAGE_COMES,
	COMMAND_COMES, /* one that only clients send */
	FINISH,
	DEADLINE, /* of the state */
	END,
	EVENT_COUNT
};

static const char *const event_names[EVENT_COUNT] = {
	"CONNECTED", "RECEIPT", "RECEIPT bye", "ERROR",	   "MESSAGE", "heart-beat",
	"garbage",   "SEND",	"finish",      "deadline", "end",
};

static const char *const event_texts[EVENT_COUNT] = {
	[CONNECTED_COMES] = THEIRS,
	[RECEIPT_COMES] = "RECEIPT\nreceipt-id:1\n\n^",
	[BYE_COMES] = "RECEIPT\nreceipt-id:bye\n\n^",
	[ERROR_COMES] = "ERROR\nmessage:no\n\n^",
	[MESSAGE_COMES] = "MESSAGE\nsubscription:0\nmessage-id:1\ndestination:d\n\nhi^",
	[BEAT_COMES] = "\n",
	[GARBAGE_COMES] = "HTTP/1.1 400 Bad Request\r\n",
	[COMMAND_COMES] = "SEND\ndestination:d\n\n^",
};

struct meeting {
	enum lai_courier_state to;
	enum la_cause cause;
};

#define STAYS(state)                                                                               \
	{                                                                                          \
		LAI_COURIER_##state, LA_CAUSE_ALIVE                                                \
	}
#define FAILS(cause)                                                                               \
	{                                                                                          \
		LAI_COURIER_FAILED, LA_CAUSE_##cause                                               \
	}

static const struct meeting meetings[LAI_COURIER_COUNT][EVENT_COUNT] = {
	[LAI_COURIER_AWAY] = {STAYS(AWAY), STAYS(AWAY), STAYS(AWAY), STAYS(AWAY), STAYS(AWAY),
			      STAYS(AWAY), STAYS(AWAY), STAYS(AWAY), STAYS(AWAY), STAYS(AWAY),
			      STAYS(AWAY)},
	[LAI_COURIER_LOGIN] = {STAYS(UP), FAILS(PROTOCOL_ERROR), FAILS(PROTOCOL_ERROR),
			       FAILS(LOGIN_REJECTED), FAILS(PROTOCOL_ERROR), STAYS(LOGIN),
			       FAILS(PROTOCOL_ERROR), FAILS(PROTOCOL_ERROR), STAYS(LOGIN),
			       FAILS(LOGIN_TIMEOUT), STAYS(AWAY)},
	/* With one record in flight. */
	[LAI_COURIER_UP] = {FAILS(PROTOCOL_ERROR), STAYS(UP), STAYS(UP), FAILS(SERVER_ERROR),
			    STAYS(UP), STAYS(UP), FAILS(PROTOCOL_ERROR), FAILS(PROTOCOL_ERROR),
			    STAYS(UP), FAILS(RECEIPT_TIMEOUT), STAYS(AWAY)},
	[LAI_COURIER_LEAVING] = {FAILS(PROTOCOL_ERROR), STAYS(LEAVING), STAYS(LEFT),
				 FAILS(SERVER_ERROR), STAYS(LEAVING), STAYS(LEAVING),
				 FAILS(PROTOCOL_ERROR), FAILS(PROTOCOL_ERROR), STAYS(LEAVING),
				 FAILS(RECEIPT_TIMEOUT), STAYS(AWAY)},
	[LAI_COURIER_LEFT] = {STAYS(LEFT), STAYS(LEFT), STAYS(LEFT), STAYS(LEFT), STAYS(LEFT),
			      STAYS(LEFT), STAYS(LEFT), STAYS(LEFT), STAYS(LEFT), STAYS(LEFT),
			      STAYS(AWAY)},
	[LAI_COURIER_FAILED] = {FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST),
				FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST),
				FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST), FAILS(HEARTBEAT_LOST),
				FAILS(HEARTBEAT_LOST), STAYS(AWAY)},
};

static void bring_to(struct desk *desk, enum lai_courier_state state)
{
	static const char beating[] = "CONNECTED\nversion:1.2\nheart-beat:1000,0\n\n^";

	if (state == LAI_COURIER_AWAY)
		return;
	begin(desk);
	(void)take(desk);
	if (state == LAI_COURIER_LOGIN)
		return;
	say(desk, state == LAI_COURIER_FAILED ? beating : THEIRS);
	if (state == LAI_COURIER_FAILED)
		later(desk, START_NS + 3 * BEAT_NS);
	if (state == LAI_COURIER_UP)
		put(desk, "body");
	else
		lai_courier_finish(desk->courier, desk->now_ns);
	(void)take(desk);
	if (state == LAI_COURIER_LEFT)
		say(desk, event_texts[BYE_COMES]);
	assert_int_equal(lai_courier_state(desk->courier), state);
}

static void happen(struct desk *desk, enum event event)
{
	if (event_texts[event])
		say(desk, event_texts[event]);
	else if (event == FINISH)
		lai_courier_finish(desk->courier, desk->now_ns);
	else if (event == DEADLINE && lai_courier_deadline(desk->courier) != LA_NEVER)
		later(desk, lai_courier_deadline(desk->courier));
	else if (event == END)
		(void)lai_courier_end(desk->courier);
}

static void test_meetings(void **state)
{
	(void)state;
	for (int from = 0; from < LAI_COURIER_COUNT; from++) {
		for (int event = 0; event < EVENT_COUNT; event++) {
			const struct meeting *meeting = &meetings[from][event];
			struct desk desk;

			desk_open(&desk, NULL);
			bring_to(&desk, (enum lai_courier_state)from);
			happen(&desk, (enum event)event);
			if (lai_courier_state(desk.courier) != meeting->to ||
			    lai_courier_cause(desk.courier) != meeting->cause)
				fail_msg("%s in %s: %s, %s", event_names[event],
					 lai_courier_state_name((enum lai_courier_state)from),
					 lai_courier_state_name(lai_courier_state(desk.courier)),
					 la_cause_name(lai_courier_cause(desk.courier)));
			desk_close(&desk);
		}
	}
}

/* Of the states that wait for somebody. */
static void test_deadlines(void **state)
{
	static const uint64_t after_ns[LAI_COURIER_COUNT] = {
		[LAI_COURIER_AWAY] = LA_NEVER,
		[LAI_COURIER_LOGIN] = LOGIN_NS,
		[LAI_COURIER_UP] = RECEIPT_NS,
		[LAI_COURIER_LEAVING] = RECEIPT_NS,
		[LAI_COURIER_LEFT] = LA_NEVER,
		[LAI_COURIER_FAILED] = LA_NEVER,
	};

	(void)state;
	for (int at = 0; at < LAI_COURIER_COUNT; at++) {
		struct desk desk;
		uint64_t due_ns;

		desk_open(&desk, NULL);
		bring_to(&desk, (enum lai_courier_state)at);
		due_ns = lai_courier_deadline(desk.courier);
		assert_int_equal(due_ns, lai_time_after(desk.now_ns, after_ns[at]));
		if (due_ns != LA_NEVER) {
			later(&desk, due_ns - 1);
			assert_int_equal(lai_courier_state(desk.courier), at);
			later(&desk, due_ns);
			/* What is said of it is said once. */
			assert_int_equal(lai_courier_deadline(desk.courier), LA_NEVER);
		}
		desk_close(&desk);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < LAI_COURIER_COUNT; i++)
		assert_true(strlen(lai_courier_state_name((enum lai_courier_state)i)) > 0);
	assert_string_equal(lai_courier_state_name(LAI_COURIER_COUNT), "?");
}

/* ---- login ----------------------------------------------------------------------------------- */

static void expect_connect(const struct la_stomp_config *stomp, const char *wanted)
{
	struct desk desk;

	desk_open(&desk, stomp);
	begin(&desk);
	put(&desk, "early");
	assert_string_equal(take(&desk), wanted); /* and nothing behind it */
	desk_close(&desk);
}

static void test_connect(void **state)
{
	struct la_stomp_config stomp = settings();

	(void)state;
	expect_connect(&stomp, CONNECT);
	stomp.login = "ann:b\\";
	stomp.passcode = "pa:ss\\n";
	stomp.vhost = "/";
	stomp.heartbeat_ns = LA_NEVER;
	expect_connect(&stomp, "CONNECT\naccept-version:1.0,1.1,1.2\nhost:/\nlogin:ann:b\\\n"
			       "passcode:pa:ss\\n\nheart-beat:0,0\n\n^");
	stomp = settings();
	stomp.heartbeat_ns = 1;
	expect_connect(&stomp, "CONNECT\naccept-version:1.0,1.1,1.2\nhost:example.org\nlogin:ann\n"
			       "heart-beat:1,1\n\n^");
}

struct connected_case {
	const char *text;
	enum la_receipts receipts;
	bool up, cumulative;
	enum lai_stomp_version version;
};

static const struct connected_case connected_cases[] = {
	{THEIRS, LA_RECEIPTS_AUTO, true, false, LAI_STOMP_1_2},
	{OURS, LA_RECEIPTS_AUTO, true, true, LAI_STOMP_1_2},
	{OURS, LA_RECEIPTS_EACH, true, false, LAI_STOMP_1_2},
	{THEIRS, LA_RECEIPTS_CUMULATIVE, true, true, LAI_STOMP_1_2},
	{"CONNECTED\n\n^", LA_RECEIPTS_AUTO, true, false, LAI_STOMP_1_0},
	{"\n\nCONNECTED\r\nversion:1.1\r\n\r\n^\n", LA_RECEIPTS_AUTO, true, false, LAI_STOMP_1_1},
	{"CONNECTED\nserver:lastack\n\n^", LA_RECEIPTS_AUTO, true, false, LAI_STOMP_1_0},
	{"CONNECTED\nserver:notlastack/1\n\n^", LA_RECEIPTS_AUTO, true, false, LAI_STOMP_1_0},
	{"CONNECTED\nversion:2.0\n\n^", LA_RECEIPTS_AUTO, false, false, LAI_STOMP_1_2},
	{"CONNECTED\nversion:\n\n^", LA_RECEIPTS_AUTO, false, false, LAI_STOMP_1_2},
	{"CONNECTED\nversion:1.2\nheart-beat:5\n\n^", LA_RECEIPTS_AUTO, false, false,
	 LAI_STOMP_1_2},
};

static void test_connected(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(connected_cases); i++) {
		const struct connected_case *c = &connected_cases[i];
		struct la_stomp_config stomp = settings();
		struct desk desk;

		stomp.receipts = c->receipts;
		desk_open(&desk, &stomp);
		begin(&desk);
		(void)take(&desk);
		say(&desk, c->text);
		if (c->up)
			expect_state(&desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
		else
			expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_PROTOCOL_ERROR);
		assert_int_equal(strlen(lai_courier_why(desk.courier)) > 0, !c->up);
		assert_int_equal(desk.courier->cumulative, c->cumulative);
		assert_int_equal(desk.courier->version, c->version);
		desk_close(&desk);
	}
}

struct words_case {
	const char *text, *words;
	uint64_t retry_after;
};

static const struct words_case words_cases[] = {
	{"ERROR\nmessage:go away\n\nlong story^", "go away: long story", 0},
	{"ERROR\nmessage:a\\cb\\\\c\n\n^", "a:b\\c", 0},
	{"ERROR\nmessage:odd \\x\n\n^", "odd \\x", 0},
	{"ERROR\nretry-after:30\n\nfirst line\r\nsecond^", "first line", 30},
	{"ERROR\nmessage:\nretry-after:-1\n\nbody^", "body", 0},
	{"ERROR\nretry-after:99999999999999999999\n\n^", "", 0},
	{"ERROR\nretry-after:18446744073709551615\n\n^", "", UINT64_MAX},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(words_cases); i++) {
		struct desk desk;

		desk_open(&desk, NULL);
		begin(&desk);
		(void)take(&desk);
		say(&desk, words_cases[i].text);
		expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_LOGIN_REJECTED);
		(void)lai_courier_end(desk.courier);
		assert_string_equal(lai_courier_words(desk.courier), words_cases[i].words);
		assert_int_equal(lai_courier_retry_after(desk.courier), words_cases[i].retry_after);
		begin(&desk);
		assert_string_equal(lai_courier_words(desk.courier), "");
		assert_int_equal(lai_courier_retry_after(desk.courier), 0);
		desk_close(&desk);
	}
}

/* Longer than what is kept: its beginning. */
static void test_long_words(void **state)
{
	char text[TEXT_MAX] = "ERROR\nmessage:";
	struct desk desk;

	(void)state;
	memset(text + strlen(text), 'w', 2000);
	strcat(text, "\n\n^");
	desk_open(&desk, NULL);
	begin(&desk);
	(void)take(&desk);
	say(&desk, text);
	assert_int_equal(strlen(lai_courier_words(desk.courier)), LAI_COURIER_WORDS_MAX - 1);
	desk_close(&desk);
}

/* ---- records out ----------------------------------------------------------------------------- */

static void test_send(void **state)
{
	static const char *const headers[] = {"priority:4", "odd\\:a:b\\"};
	struct la_stomp_config stomp = settings();
	struct desk desk;

	(void)state;
	stomp.headers = headers;
	stomp.header_count = ROWS(headers);
	stomp.content_type = "text/plain";
	desk_open(&desk, &stomp);
	log_in(&desk, THEIRS);
	put(&desk, "hello");
	put(&desk, "");
	assert_string_equal(
		take(&desk),
		"SEND\ndestination:/queue/a\ncontent-type:text/plain\npriority:4\n"
		"odd\\\\:a\\cb\\\\\nrecord-id:a-b-1\nreceipt:1\ncontent-length:5\n\nhello^"
		"SEND\ndestination:/queue/a\ncontent-type:text/plain\npriority:4\n"
		"odd\\\\:a\\cb\\\\\nrecord-id:a-b-2\nreceipt:2\ncontent-length:0\n\n^");
	/* The same id at the next try; version 1.0 escapes nothing. */
	assert_int_equal(lai_courier_end(desk.courier), 5);
	log_in(&desk, "CONNECTED\nserver:lastack/1\n\n^");
	assert_string_equal(take(&desk),
			    "SEND\ndestination:/queue/a\ncontent-type:text/plain\npriority:4\n"
			    "odd\\:a:b\\\nrecord-id:a-b-1\ncontent-length:5\n\nhello^"
			    "SEND\ndestination:/queue/a\ncontent-type:text/plain\npriority:4\n"
			    "odd\\:a:b\\\nrecord-id:a-b-2\nreceipt:2\ncontent-length:0\n\n^");
	desk_close(&desk);
}

struct asking_case {
	uint32_t every, window;
	unsigned records;
	unsigned sent, asked; /* with one go */
};

/* Cumulative: every n-th, the last one, and the one that fills the window. */
static const struct asking_case asking_cases[] = {
	{64, 1000, 1, 1, 1}, {4, 1000, 8, 8, 2}, {4, 1000, 9, 9, 3},
	{64, 5, 12, 5, 1},   {1, 5, 12, 5, 5},	 {3, 5, 12, 5, 2},
};

static void test_asking(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(asking_cases); i++) {
		const struct asking_case *c = &asking_cases[i];
		struct la_stomp_config stomp = settings();
		struct desk desk;
		const char *text;

		stomp.receipt_every = c->every;
		stomp.window_records = c->window;
		desk_open(&desk, &stomp);
		log_in(&desk, OURS);
		for (unsigned n = 0; n < c->records; n++)
			put(&desk, "x");
		text = take(&desk);
		assert_int_equal(count(text, "SEND\n"), c->sent);
		assert_int_equal(count(text, "\nreceipt:"), c->asked);
		receipt(&desk, c->sent);
		assert_int_equal(desk.outbox.totals.delivered_records, c->sent);
		assert_int_equal(lai_courier_wants_write(desk.courier, desk.now_ns),
				 c->sent < c->records);
		desk_close(&desk);
	}
}

/* What was encoded long ago and not asked for is asked for with the next record. */
static void test_asking_in_time(void **state)
{
	enum { BODY = LAI_COURIER_AHEAD_BYTES / 2 };
	static char body[BODY + 1];
	struct iovec iov[2];
	struct desk desk;

	(void)state;
	memset(body, 'x', BODY);
	desk_open(&desk, NULL);
	log_in(&desk, OURS);
	for (int i = 0; i < 3; i++)
		put(&desk, body);
	put(&desk, "short");
	assert_int_equal(lai_courier_to_send(desk.courier, iov, desk.now_ns), 1);
	assert_int_equal(desk.outbox.in_flight, 1); /* the second would be too far ahead */
	assert_int_equal(desk.courier->asked_seq, 0);
	desk.now_ns += WITHIN_NS;
	lai_courier_on_written(desk.courier, iov[0].iov_len, desk.now_ns);
	assert_int_equal(lai_courier_to_send(desk.courier, iov, desk.now_ns), 1);
	assert_int_equal(desk.courier->asked_seq, 2);
	desk_close(&desk);
}

/* Never more than the bound ahead, but for one record that is larger by itself. */
static void test_ahead(void **state)
{
	static char body[LAI_COURIER_AHEAD_BYTES + 1000];
	struct iovec iov[2];
	struct desk desk;
	size_t most = 0;

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	desk_open(&desk, NULL);
	log_in(&desk, OURS);
	body[100] = '\0';
	for (int i = 0; i < 5000; i++)
		put(&desk, body);
	body[100] = 'x';
	put(&desk, body);
	for (size_t written = 0; desk.outbox.in_flight < desk.outbox.records;) {
		assert_int_equal(lai_courier_to_send(desk.courier, iov, desk.now_ns), 1);
		if (desk.outbox.in_flight == desk.outbox.records)
			break;
		assert_true(iov[0].iov_len <= LAI_COURIER_AHEAD_BYTES);
		written = written * 7 % 100000 + 1; /* pieces of many sizes */
		if (written > iov[0].iov_len)
			written = iov[0].iov_len;
		lai_courier_on_written(desk.courier, written, desk.now_ns);
		most = iov[0].iov_len > most ? iov[0].iov_len : most;
	}
	assert_true(most > LAI_COURIER_AHEAD_BYTES / 2); /* the bound was met */
	assert_true(iov[0].iov_len > LAI_COURIER_AHEAD_BYTES);
	desk_close(&desk);
}

/* ---- receipts -------------------------------------------------------------------------------- */

struct receipt_case {
	const char *connected, *text;
	uint64_t delivered, upto;
};

/* Five records are in flight. */
static const struct receipt_case receipt_cases[] = {
	{OURS, "RECEIPT\nreceipt-id:5\n\n^", 5, 5},
	{OURS, "RECEIPT\nreceipt-id:3\n\n^", 3, 3},
	{OURS, "RECEIPT\nreceipt-id:6\n\n^", 0, 0}, /* never asked for */
	{OURS, "RECEIPT\nreceipt-id:18446744073709551615\n\n^", 0, 0},
	{OURS, "RECEIPT\nreceipt-id:99999999999999999999\n\n^", 0, 0},
	{THEIRS, "RECEIPT\nreceipt-id:5\n\n^", 1, 0},
	{THEIRS, "RECEIPT\nreceipt-id:1\n\n^\nRECEIPT\nreceipt-id:1\n\n^", 1, 1},
	{THEIRS, "RECEIPT\r\nreceipt-id:2\r\n\r\n^RECEIPT\nx:y\nreceipt-id:1\n\n^\n", 2, 2},
	{THEIRS, "RECEIPT\nreceipt-id:0\n\n^RECEIPT\nreceipt-id:\n\n^RECEIPT\n\n^", 0, 0},
	{THEIRS, "RECEIPT\nreceipt-id:2x\n\n^RECEIPT\nreceipt-id:-2\n\n^", 0, 0},
	{THEIRS,
	 "RECEIPT\nreceipt-id:5\n\n^RECEIPT\nreceipt-id:4\n\n^\n\nRECEIPT\nreceipt-id:1\n\n^", 3,
	 1},
};

/* In one piece, and in any two or all single bytes. */
static void run_receipt_case(const struct receipt_case *c, size_t first, size_t step)
{
	struct desk desk;
	char bytes[TEXT_MAX];
	size_t size = strlen(c->text), at = 0;

	desk_open(&desk, NULL);
	log_in(&desk, c->connected);
	for (int i = 0; i < 5; i++)
		put(&desk, "x");
	(void)take(&desk);
	for (size_t i = 0; i < size; i++)
		bytes[i] = c->text[i] == '^' ? '\0' : c->text[i];
	while (at < size) {
		size_t piece = at == 0 ? first : step;

		piece = piece < size - at ? piece : size - at;
		lai_courier_on_received(desk.courier, bytes + at, piece, desk.now_ns);
		at += piece;
	}
	expect_state(&desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
	if (desk.outbox.totals.delivered_records != c->delivered)
		fail_msg("%s in pieces of %zu and %zu", c->text, first, step);
	assert_int_equal(lai_outbox_confirmed_upto(&desk.outbox), c->upto);
	desk_close(&desk);
}

static void test_receipts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(receipt_cases); i++) {
		size_t size = strlen(receipt_cases[i].text);

		for (size_t first = 1; first <= size; first++)
			run_receipt_case(&receipt_cases[i], first, size);
		run_receipt_case(&receipt_cases[i], 1, 1);
	}
}

/* One that does not come is missed, however many others do. */
static void test_receipt_timeout(void **state)
{
	uint64_t part_ns = RECEIPT_NS / LAI_COURIER_ASK_PARTS;
	uint64_t lost_ns;
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	log_in(&desk, THEIRS);
	put(&desk, "fine");
	(void)take(&desk);
	receipt(&desk, 1);
	assert_int_equal(lai_courier_deadline(desk.courier), LA_NEVER);
	desk.now_ns += LAI_S;
	lost_ns = desk.now_ns;
	put(&desk, "lost");
	while (lai_courier_deadline(desk.courier) > desk.now_ns ||
	       lai_courier_state(desk.courier) == LAI_COURIER_UP) {
		put(&desk, "x");
		(void)take(&desk);
		receipt(&desk, desk.seq);
		later(&desk, desk.now_ns + part_ns / 8);
		if (lai_courier_state(desk.courier) != LAI_COURIER_UP)
			break;
		assert_true(desk.now_ns < lost_ns + RECEIPT_NS + part_ns + part_ns / 8);
	}
	expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_RECEIPT_TIMEOUT);
	assert_true(desk.now_ns >= lost_ns + RECEIPT_NS);
	desk_close(&desk);
}

/* A server that does not read is not the receipt's fault: the time begins when it was written. */
static void test_receipt_of_unwritten(void **state)
{
	struct iovec iov[2];
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	log_in(&desk, THEIRS);
	put(&desk, "slow");
	assert_int_equal(lai_courier_to_send(desk.courier, iov, desk.now_ns), 1);
	lai_courier_on_written(desk.courier, iov[0].iov_len - 1, desk.now_ns);
	assert_int_equal(lai_courier_deadline(desk.courier), LA_NEVER);
	later(&desk, desk.now_ns + 2 * RECEIPT_NS);
	expect_state(&desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
	lai_courier_on_written(desk.courier, 1, desk.now_ns);
	assert_int_equal(lai_courier_deadline(desk.courier), desk.now_ns + RECEIPT_NS);
	desk_close(&desk);
}

/* ---- heart-beats ----------------------------------------------------------------------------- */

static void test_beats(void **state)
{
	struct la_stomp_config stomp = settings();
	struct desk desk;

	(void)state;
	stomp.heartbeat_ns = LAI_S;
	desk_open(&desk, &stomp);
	begin(&desk);
	(void)take(&desk);
	say(&desk, "CONNECTED\nversion:1.2\nheart-beat:500,2000\n\n^");
	assert_string_equal(take(&desk), "");
	/* We send every 2 s at least, they every second: twice that, and they are lost. */
	later(&desk, desk.now_ns + LAI_S);
	say(&desk, "\n");
	put(&desk, "x");
	assert_int_equal(count(take(&desk), "SEND"), 1);
	receipt(&desk, 1);
	later(&desk, desk.now_ns + LAI_S);
	assert_string_equal(take(&desk), ""); /* a record is as good as a heart-beat */
	say(&desk, "\n");
	assert_true(lai_courier_deadline(desk.courier) < desk.now_ns + LAI_S);
	later(&desk, lai_courier_deadline(desk.courier));
	assert_true(lai_courier_wants_write(desk.courier, desk.now_ns));
	assert_int_equal(lai_courier_deadline(desk.courier), START_NS + 4 * LAI_S);
	assert_string_equal(take(&desk), "\n");
	assert_string_equal(take(&desk), "");
	later(&desk, START_NS + 4 * LAI_S - 1);
	expect_state(&desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
	later(&desk, START_NS + 4 * LAI_S);
	expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_HEARTBEAT_LOST);
	desk_close(&desk);
}

/* ---- ERROR and suspicion --------------------------------------------------------------------- */

struct blame_case {
	const char *what, *text;
	unsigned records; /* in flight */
	uint64_t suspects_before, buried, suspects;
};

static const struct blame_case blame_cases[] = {
	{"names a record", "ERROR\nreceipt-id:2\nmessage:bad\n\nwhy^", 3, 0, 2, 0},
	{"names one that nobody knows", "ERROR\nreceipt-id:9\n\n^", 3, 0, 0, 4},
	{"names none", "ERROR\nmessage:bad\n\n^", 3, 0, 0, 4},
	{"names none, one record", "ERROR\nmessage:bad\n\n^", 1, 0, 0, 2},
	{"names none, nothing in flight", "ERROR\nmessage:bad\n\n^", 0, 0, 0, 0},
	{"of a server that stops", "ERROR\nshutdown:true\n\n^", 3, 0, 0, 0},
	{"of a server that stops, later", "ERROR\nshutdown:true\n\n^", 1, 4, 0, 4},
	{"a lone record", "ERROR\nmessage:bad\n\nwhy^", 1, 4, 1, 3},
	{"a lone record, named", "ERROR\nreceipt-id:1\nmessage:bad\n\nwhy^", 1, 4, 1, 3},
	{"not yet at it", "ERROR\nmessage:bad\n\n^", 0, 4, 0, 4},
	{"of the farewell", "ERROR\nreceipt-id:bye\n\n^", 3, 0, 0, 0},
};

static void test_blame(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(blame_cases); i++) {
		const struct blame_case *c = &blame_cases[i];
		struct desk desk;

		desk_open(&desk, NULL);
		log_in(&desk, THEIRS);
		desk.courier->suspects = c->suspects_before;
		for (unsigned n = 0; n < c->records; n++)
			put(&desk, "body");
		(void)take(&desk);
		say(&desk, c->text);
		expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_SERVER_ERROR);
		if (desk.refused_seq != c->buried || desk.courier->suspects != c->suspects)
			fail_msg("ERROR %s", c->what);
		assert_int_equal(desk.outbox.totals.buried_records, c->buried > 0);
		if (c->buried) {
			assert_string_equal(desk.refused_body, "body");
			assert_string_equal(desk.refused_message, "bad: why");
			assert_string_equal(desk.refused_details, "why");
		}
		desk_close(&desk);
	}
}

/* A lone record that has not begun to be written cannot be what the server means. */
static void test_blame_unwritten(void **state)
{
	struct iovec iov[2];
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	desk.courier->suspects = 3;
	log_in(&desk, THEIRS);
	put(&desk, "body");
	assert_int_equal(lai_courier_to_send(desk.courier, iov, desk.now_ns), 1);
	say(&desk, "ERROR\n\n^");
	assert_int_equal(desk.refused, 0);
	assert_int_equal(desk.courier->suspects, 3);
	desk_close(&desk);
}

/* A server that refuses a record with the word poison and never says which: it alone is buried. */
static void test_suspicion(void **state)
{
	struct desk desk;
	unsigned errors = 0, alone = 0;

	(void)state;
	desk_open(&desk, NULL);
	for (int i = 1; i <= 9; i++)
		put(&desk, i == 4 ? "poison" : "good");
	while (!lai_outbox_empty(&desk.outbox)) {
		unsigned sent;

		if (lai_courier_state(desk.courier) != LAI_COURIER_UP) {
			(void)lai_courier_end(desk.courier);
			log_in(&desk, THEIRS);
		}
		sent = count(take(&desk), "SEND\n");
		assert_true(sent > 0);
		alone += sent == 1;
		if (strstr(desk.text, "poison")) {
			assert_true(++errors <= 2);
			say(&desk, "ERROR\nmessage:no poison here\n\n^");
		} else {
			for (const char *at = desk.text; (at = strstr(at, "receipt:")); at++)
				receipt(&desk, strtoul(at + strlen("receipt:"), NULL, 10));
		}
	}
	assert_int_equal(errors, 2);
	assert_int_equal(desk.refused, 1);
	assert_int_equal(desk.refused_seq, 4);
	assert_string_equal(desk.refused_message, "no poison here");
	assert_int_equal(desk.outbox.totals.delivered_records, 8);
	/* Ten one by one: one more than were in flight. Here all nine are. */
	assert_int_equal(alone, 9);
	assert_int_equal(desk.courier->suspects, 1);
	put(&desk, "x");
	put(&desk, "y");
	put(&desk, "z");
	(void)lai_courier_end(desk.courier);
	log_in(&desk, THEIRS);
	assert_int_equal(count(take(&desk), "SEND\n"), 1);
	receipt(&desk, 10);
	assert_int_equal(count(take(&desk), "SEND\n"), 2); /* trusted again */
	desk_close(&desk);
}

/* ---- farewell -------------------------------------------------------------------------------- */

static void test_farewell(void **state)
{
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	put(&desk, "last");
	lai_courier_finish(desk.courier, desk.now_ns);
	expect_state(&desk, LAI_COURIER_AWAY, LA_CAUSE_ALIVE);
	log_in(&desk, OURS); /* first the login, then the record, then the farewell */
	assert_int_equal(count(take(&desk), "SEND\n"), 1);
	expect_state(&desk, LAI_COURIER_UP, LA_CAUSE_ALIVE);
	receipt(&desk, 1);
	expect_state(&desk, LAI_COURIER_LEAVING, LA_CAUSE_ALIVE);
	assert_string_equal(take(&desk), DISCONNECT);
	say(&desk, "RECEIPT\nreceipt-id:bye\n\n^");
	expect_state(&desk, LAI_COURIER_LEFT, LA_CAUSE_ALIVE);
	assert_string_equal(take(&desk), "");
	assert_int_equal(lai_courier_end(desk.courier), 0);
	expect_state(&desk, LAI_COURIER_AWAY, LA_CAUSE_ALIVE);
	desk_close(&desk);
}

static void test_farewell_at_login(void **state)
{
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	begin(&desk);
	(void)take(&desk);
	lai_courier_finish(desk.courier, desk.now_ns);
	expect_state(&desk, LAI_COURIER_LOGIN, LA_CAUSE_ALIVE);
	say(&desk, OURS);
	expect_state(&desk, LAI_COURIER_LEAVING, LA_CAUSE_ALIVE);
	assert_string_equal(take(&desk), DISCONNECT);
	desk_close(&desk);
}

/* Everything at once, as a fast server sends it. */
static void test_all_at_once(void **state)
{
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	log_in(&desk, OURS);
	put(&desk, "x");
	(void)take(&desk);
	lai_courier_finish(desk.courier, desk.now_ns);
	say(&desk,
	    "\nRECEIPT\nreceipt-id:1\n\n^\nERROR\nmessage:stop\nshutdown:true\n\n^RECEIPT\n");
	expect_state(&desk, LAI_COURIER_FAILED, LA_CAUSE_SERVER_ERROR);
	assert_int_equal(desk.outbox.totals.delivered_records, 1);
	assert_int_equal(lai_courier_end(desk.courier), 0);
	desk_close(&desk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "every state meets every event", .test_func = test_meetings},
		{.name = "every state that waits has its deadline", .test_func = test_deadlines},
		{.name = "states have names", .test_func = test_names},
		{.name = "CONNECT says who comes, unescaped, and nothing goes before its answer",
		 .test_func = test_connect},
		{.name = "CONNECTED settles version and receipts", .test_func = test_connected},
		{.name = "the server's words and its retry-after are kept",
		 .test_func = test_words},
		{.name = "long words are cut", .test_func = test_long_words},
		{.name = "a SEND frame, byte by byte, the same id at every try",
		 .test_func = test_send},
		{.name = "which records ask for a receipt", .test_func = test_asking},
		{.name = "a receipt is asked for in time", .test_func = test_asking_in_time},
		{.name = "no more is encoded ahead than the bound", .test_func = test_ahead},
		{.name = "receipts, in any pieces", .test_func = test_receipts},
		{.name = "a receipt that does not come is missed, whatever else comes",
		 .test_func = test_receipt_timeout},
		{.name = "what is not written is not owed", .test_func = test_receipt_of_unwritten},
		{.name = "heart-beats, both ways", .test_func = test_beats},
		{.name = "whom an ERROR blames", .test_func = test_blame},
		{.name = "what was not written is not blamed", .test_func = test_blame_unwritten},
		{.name = "suspicion finds the record that nobody names",
		 .test_func = test_suspicion},
		{.name = "login, record, farewell", .test_func = test_farewell},
		{.name = "nothing to deliver: login, farewell",
		 .test_func = test_farewell_at_login},
		{.name = "receipt and ERROR in one piece", .test_func = test_all_at_once},
	};

	return cmocka_run_group_tests_name("link.courier", tests, NULL, NULL);
}
