/* SPDX-License-Identifier: MIT */
/*
 * Long random walks of a STOMP session: a client that sends anything in any pieces and reads or does
 * not, a kernel that acknowledges or does not, a store that is quick or full, an owner who refuses,
 * stops, reclaims. After every event the same laws are checked:
 *
 *   records come in order and once, and only to an open session
 *   receipts leave in the order of their frames, none before its ticket is stored
 *   nothing is said behind an ERROR
 *   a deadline, or a reason; and a deadline that has passed is not asked for again
 *   an end is asked for once, stays, and what it says of the words is true
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/time.h"
#include "serve/stomp_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 (1000 * LAI_S)
#define WALKS 3000
#define EVENTS 150
#define SEED 20261122
#define SAID_MAX (256 * 1024)
#define STREAM_MAX 8192
#define STEPS_MAX 10000
#define RECEIPTS_MAX 4096
#define ENDS (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT)

struct world {
	struct lai_stomp_session_config config;
	struct lai_stomp_session session;
	struct lai_random random;
	uint64_t now_ns, ticket, stored_ticket;
	struct lai_view view;
	/* The client. */
	char stream[STREAM_MAX]; /* what it has to send */
	size_t stream_begin, stream_end;
	unsigned frames;  /* numbered as they are made */
	bool closed;	  /* its FIN has been sent */
	bool reads, acks; /* its window is open; its kernel answers */
	bool full;	  /* the store */
	char said[SAID_MAX];
	size_t said_bytes, judged_bytes;
	/* What an observer remembers. */
	uint64_t tickets[RECEIPTS_MAX]; /* of the frame that was a record, 0: none */
	unsigned last_record, last_receipt;
	bool error_said, fin_sent, ended, refused_before;
	unsigned ends;
	unsigned long seed;
	char trace[8192];
};

static struct world *current;

#define LAW(condition, text)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s\n  seed %lu, state %s, end %s, after:%s", text,               \
				 current->seed,                                                    \
				 lai_stomp_session_state_name(current->session.state),             \
				 la_session_end_name(current->session.end), current->trace);       \
	} while (0)

static uint64_t below(uint64_t bound)
{
	return lai_random_below(&current->random, bound);
}

static void trace(const char *event)
{
	size_t length = strlen(current->trace);

	(void)snprintf(current->trace + length, sizeof(current->trace) - length, " %s", event);
}

static int on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket)
{
	struct world *world = arg;
	unsigned number;

	LAW(world->session.state == LAI_STOMP_SESSION_OPEN, "a record of one that is not open");
	if (world->full)
		return -EAGAIN;
	LAW(record->body.size > 0, "a body is lost");
	number = (unsigned)strtoul(record->body.data, NULL, 10);
	/* 1 is the login; every other number so far is a record. */
	LAW(number == (world->last_record ? world->last_record + 1 : 2),
	    "records out of order, twice, or lost");
	LAW(number < RECEIPTS_MAX && number <= world->frames, "a record that nobody sent");
	if (number % 50 == 49)
		return -EINVAL; /* a poisonous one */
	world->last_record = number;
	world->tickets[number] = world->ticket;
	*ticket = world->ticket;
	return 0;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void judge_frame(const char *frame)
{
	unsigned number = 0;

	LAW(!current->error_said, "something is said behind an ERROR");
	if (strncmp(frame, "ERROR\n", 6) == 0) {
		current->error_said = true;
		LAW(current->session.state == LAI_STOMP_SESSION_REFUSED ||
			    current->session.state == LAI_STOMP_SESSION_OVER,
		    "an ERROR of one that is not refused");
		return;
	}
	if (strncmp(frame, "CONNECTED\n", 10) == 0)
		return;
	LAW(sscanf(frame, "RECEIPT\nreceipt-id:%u\n", &number) == 1, "an unknown frame");
	LAW(number > current->last_receipt, "receipts out of order, or twice");
	LAW(number <= current->frames, "a receipt that nobody asked for");
	LAW(current->tickets[number] <= current->stored_ticket, "a receipt before its ticket");
	/* All records before it are stored as well. */
	for (unsigned i = current->last_receipt; i < number; i++)
		LAW(current->tickets[i] <= current->stored_ticket, "a receipt that jumps ahead");
	current->last_receipt = number;
}

static void judge_said(void)
{
	for (;;) {
		const char *frame = current->said + current->judged_bytes;
		size_t left = current->said_bytes - current->judged_bytes;
		const char *end;

		if (left > 0 && *frame == '\n') {
			LAW(!current->error_said, "a heart-beat behind an ERROR");
			current->judged_bytes++;
			continue;
		}
		end = left > 0 ? memchr(frame, '\0', left) : NULL;
		if (!end)
			return;
		judge_frame(frame);
		current->judged_bytes += (size_t)(end - frame) + 1;
	}
}

static void write_out(uint64_t most)
{
	const void *data;
	size_t size = lai_stomp_session_to_send(&current->session, &data);

	if (!current->reads || size == 0 || most == 0)
		return;
	size = size < most ? size : (size_t)most;
	LAW(current->said_bytes + size < SAID_MAX, "the test has no room");
	memcpy(current->said + current->said_bytes, data, size);
	current->said_bytes += size;
	current->view.in_flight = 1;
	lai_stomp_session_on_sent(&current->session, size, current->now_ns);
	judge_said();
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static void acknowledge(void)
{
	uint64_t open = current->said_bytes - current->view.acked_bytes;

	if (!current->acks)
		return;
	current->view.acked_bytes += below(2) ? open : below(open + 1);
	current->view.fin_acked =
		current->fin_sent && current->view.acked_bytes == current->said_bytes;
	current->view.in_flight = current->view.acked_bytes < current->said_bytes;
	current->view.ack_age_ns = 0;
}

static void act(void)
{
	struct lai_stomp_session *session = &current->session;
	unsigned actions;

	while ((actions = lai_conn_take(&session->conn)) != 0) {
		if (actions & LAI_CONN_SEND_FIN) {
			LAW(!current->fin_sent, "a second FIN");
			current->fin_sent = true;
		}
		if (actions & ENDS) {
			LAW(++current->ends == 1, "a second end");
			LAW(lai_stomp_session_over(session), "ended, and not over");
		}
		if (actions & LAI_CONN_READ_REST)
			lai_stomp_session_on_rest_read(session, current->now_ns);
		if (actions & LAI_CONN_WHY_SILENT)
			lai_stomp_session_on_why_silent(session, 0, current->now_ns);
		if ((actions & (LAI_CONN_LOOK | LAI_CONN_SEND_FIN)) && !current->ends) {
			acknowledge();
			lai_stomp_session_on_view(session, &current->view, current->now_ns);
		}
	}
}

/* ---- the client ----------------------------------------------------------------------------- */

static void add(const char *text, size_t size)
{
	if (current->stream_end + size > STREAM_MAX)
		return;
	memcpy(current->stream + current->stream_end, text, size);
	current->stream_end += size;
}

static void make_frame(void)
{
	static const char *const bad[] = {"BOGUS\n\n", "SEND\n\n", "SUBSCRIBE\nid:1\n\n",
					  "SEND\ndestination:a\ncontent-length:5000\n\n",
					  "CONNECT\n\n"};
	char text[256];
	int size;

	if (current->stream_begin == current->stream_end)
		current->stream_begin = current->stream_end = 0;
	if (current->stream_end + sizeof(text) > STREAM_MAX || current->frames + 1 >= RECEIPTS_MAX)
		return;
	if (current->frames == 0) {
		current->frames = 1;
		size = snprintf(text, sizeof(text),
				"CONNECT\naccept-version:1.2\nlogin:u\npasscode:p\n"
				"heart-beat:%d,%d\n\n%c",
				(int)below(2) * 5000, (int)below(2) * 5000, 0);
	} else if (below(40) == 0) {
		size = snprintf(text, sizeof(text), "%s%c", bad[below(5)], 0);
	} else if (below(60) == 0) {
		size = snprintf(text, sizeof(text), "DISCONNECT\nreceipt:%u\n\n%c",
				++current->frames, 0);
	} else if (below(8) == 0) {
		size = snprintf(text, sizeof(text), "\n");
	} else {
		unsigned number = ++current->frames;

		size = snprintf(text, sizeof(text), "SEND\ndestination:a\nx:y\\c\nrecord-id:w-%u\n",
				number);
		if (below(2))
			size += snprintf(text + size, sizeof(text) - (size_t)size, "receipt:%u\n",
					 number);
		size += snprintf(text + size, sizeof(text) - (size_t)size, "\n%u %.*s%c", number,
				 (int)below(60),
				 "012345678901234567890123456789012345678901234567890123456789", 0);
	}
	add(text, (size_t)size);
}

static void send_piece(void)
{
	struct lai_stomp_session *session = &current->session;
	const char *data = current->stream + current->stream_begin;
	size_t size = current->stream_end - current->stream_begin, piece;
	void *room;

	LAW(lai_stomp_session_wants_read(session) == (lai_stomp_session_discards(session) > 0 ||
						      lai_stomp_session_room(session, &room) > 0),
	    "it wants to read and has no room, or the other way round");
	if (!lai_stomp_session_wants_read(session) || size == 0 || current->closed)
		return;
	size = below(2) ? size : below(size) + 1;
	piece = lai_stomp_session_discards(session);
	if (piece > 0) {
		size = size < piece ? size : piece;
		lai_stomp_session_on_discarded(session, size, current->now_ns);
	} else {
		piece = lai_stomp_session_room(session, &room);
		size = size < piece ? size : piece;
		memcpy(room, data, size);
		lai_stomp_session_on_read(session, size, current->now_ns);
	}
	current->stream_begin += size;
}

static void check(void);

static void pass(void)
{
	static const uint64_t steps_ns[] = {LAI_MS, 100 * LAI_MS, LAI_S, 5 * LAI_S, 20 * LAI_S};
	uint64_t until_ns = current->now_ns + steps_ns[below(5)];

	for (int i = 0;; i++) {
		uint64_t due_ns = lai_stomp_session_deadline(&current->session);

		if (due_ns > until_ns)
			break;
		LAW(i < STEPS_MAX, "its deadlines do not end");
		if (due_ns > current->now_ns) {
			current->view.ack_age_ns += due_ns - current->now_ns;
			current->now_ns = due_ns;
		}
		lai_stomp_session_on_timer(&current->session, current->now_ns);
		act();
		check();
		write_out(below(2) ? UINT64_MAX : below(50));
		act();
		check();
		LAW(lai_stomp_session_deadline(&current->session) > current->now_ns,
		    "a deadline that has passed is still asked for");
	}
	current->view.ack_age_ns += until_ns - current->now_ns;
	current->now_ns = until_ns;
}

/* ---- events --------------------------------------------------------------------------------- */

static void check_login(void)
{
	static const enum la_session_end verdicts[] = {LA_SESSION_OPEN, LA_SESSION_OPEN,
						       LA_SESSION_OPEN, LA_SESSION_LOGIN_REJECTED,
						       LA_SESSION_TOO_MANY_FAILURES};

	lai_stomp_session_on_checked(&current->session, verdicts[below(5)], 3 * LAI_S,
				     current->now_ns);
}

static void store(void)
{
	current->stored_ticket = current->ticket++;
	lai_stomp_session_on_stored(&current->session, current->stored_ticket, current->now_ns);
}

static void change_client(void)
{
	current->reads = below(4) > 0;
	current->acks = below(5) > 0;
}

static void change_store(void)
{
	current->full = !current->full && below(3) == 0;
	lai_stomp_session_resume(&current->session, current->now_ns);
}

static void close_client(void)
{
	if (below(4) || current->closed || !lai_stomp_session_wants_read(&current->session))
		return;
	current->closed = true;
	lai_stomp_session_on_fin(&current->session, current->now_ns);
}

static void reset(void)
{
	if (below(10))
		return;
	lai_stomp_session_on_view(&current->session, &current->view, current->now_ns);
	lai_stomp_session_on_error(&current->session, ECONNRESET, current->now_ns);
}

static void wish(void)
{
	struct lai_stomp_session *session = &current->session;

	switch (below(60)) {
	case 0:
		lai_stomp_session_refuse(session, LA_SESSION_NO_MEMORY, "why", current->now_ns);
		break;
	case 1:
		lai_stomp_session_stop(session, current->now_ns + LAI_S * 3, current->now_ns);
		break;
	case 2: lai_stomp_session_reclaim(session, current->now_ns); break;
	case 3: lai_stomp_session_abort(session, current->now_ns); break;
	case 4: lai_stomp_session_on_resumed(session, current->now_ns); break;
	default: break;
	}
}

static void write_some(void)
{
	write_out(below(2) ? UINT64_MAX : below(100));
}

static const struct {
	const char *name;
	void (*run)(void);
	unsigned weight;
} events[] = {
	{"frame", make_frame, 8},
	{"read", send_piece, 8},
	{"write", write_some, 5},
	{"pass", pass, 2},
	{"store", store, 3},
	{"checked", check_login, 2},
	{"client", change_client, 1},
	{"room", change_store, 1},
	{"fin", close_client, 1},
	{"reset", reset, 1},
	{"wish", wish, 2},
};

/* ---- laws ----------------------------------------------------------------------------------- */

/* Why a session may wait without a deadline of its own. */
static bool has_reason(const struct lai_stomp_session *session)
{
	bool store_decides = lai_buffer_used(&session->held) > 0 || session->paused;
	bool listens = session->beat.expect_ns == LA_NEVER && !session->fin_came;

	switch (session->state) {
	case LAI_STOMP_SESSION_CHECKING: return true;		      /* the server's own work */
	case LAI_STOMP_SESSION_OPEN: return listens || store_decides; /* keepalive guards it */
	case LAI_STOMP_SESSION_FAREWELL: return !session->said && store_decides;
	case LAI_STOMP_SESSION_OVER: return true;
	default: return false;
	}
}

static void check_end(const struct lai_stomp_session *session)
{
	LAW(current->ends == 1, "over without an end");
	LAW(session->end != LA_SESSION_OPEN, "over, and open");
	LAW(!lai_stomp_session_wants_read(session), "over, and it reads");
	LAW(session->in.bytes == NULL && session->out.bytes == NULL && session->held.bytes == NULL,
	    "over, and it holds memory");
	switch (session->words) {
	case LA_WORDS_NONE: LAW(!current->error_said, "an ERROR was said"); break;
	case LA_WORDS_ACKED:
	case LA_WORDS_CONSUMED:
		LAW(current->error_said, "no ERROR was said");
		LAW(session->conn.report.acked_bytes >= session->words_to, "not acknowledged");
		break;
	case LA_WORDS_UNCONFIRMED:
		LAW(!session->said || session->conn.report.acked_bytes < session->words_to,
		    "it was acknowledged");
		break;
	default: LAW(false, "no such word");
	}
	LAW(session->words != LA_WORDS_CONSUMED || (current->closed && current->fin_sent),
	    "consumed by one that never closed");
}

static void check(void)
{
	const struct lai_stomp_session *session = &current->session;

	LAW(lai_stomp_session_deadline(session) != LA_NEVER || has_reason(session),
	    "neither a deadline nor a reason");
	LAW(!session->password[0] || session->state == LAI_STOMP_SESSION_CHECKING,
	    "a password is kept");
	if (current->refused_before)
		LAW(session->state >= LAI_STOMP_SESSION_FAREWELL, "back from a refusal");
	current->refused_before = session->state >= LAI_STOMP_SESSION_FAREWELL;
	if (session->state >= LAI_STOMP_SESSION_FAREWELL)
		LAW(session->in.bytes == NULL, "what came is kept");
	if (current->ended)
		LAW(session->state == LAI_STOMP_SESSION_OVER, "back from the end");
	current->ended = session->state == LAI_STOMP_SESSION_OVER;
	if (current->ended)
		check_end(session);
}

static void step(void)
{
	unsigned all = 0, chosen;
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		all += events[i].weight;
	chosen = (unsigned)below(all);
	for (i = 0; chosen >= events[i].weight; i++)
		chosen -= events[i].weight;
	trace(events[i].name);
	events[i].run();
	act();
	check();
}

static struct world *new_world(unsigned long seed)
{
	struct world *world = calloc(1, sizeof(*world));
	struct la_report report = {.serial = 1, .began_ns = T0};

	assert_non_null(world);
	*world = (struct world){
		.random = {.state = seed},
		.seed = seed,
		.now_ns = T0,
		.ticket = 1,
		.reads = true,
		.acks = true,
		.view = {.tcp_state = LAI_TCP_ESTABLISHED},
		.config = {.limits = {.dead_ns = 20 * LAI_S, .stall_ns = LA_NEVER},
			   .handshake_ns = 10 * LAI_S,
			   .idle_ns = LA_NEVER,
			   .heartbeat_ns = 10 * LAI_S,
			   .linger_idle_ns = 5 * LAI_S,
			   .linger_ns = 30 * LAI_S,
			   .linger_bytes = 4000,
			   .record_bytes_max = 1000,
			   .replies_bytes_max = 300,
			   .server = "lastack/walk",
			   .on_record = on_record},
	};
	world->config.arg = world;
	lai_stomp_session_init(&world->session, &world->config, &report, 1, T0);
	return world;
}

static void test_walks(void **state)
{
	unsigned long ends[LA_SESSION_END_COUNT] = {0}, words[LA_WORDS_COUNT] = {0}, records = 0;

	(void)state;
	for (unsigned long walk = 0; walk < WALKS; walk++) {
		current = new_world(SEED + walk);
		for (int i = 0; i < EVENTS && !current->ended; i++)
			step();
		/* Then nothing happens any more but what must: told to stop, it ends. */
		trace("stop");
		lai_stomp_session_stop(&current->session, current->now_ns + 3 * LAI_S,
				       current->now_ns);
		act();
		for (int i = 0; i < 10 && !lai_stomp_session_over(&current->session); i++)
			pass();
		for (int i = 0; i < 200 && !lai_stomp_session_over(&current->session); i++)
			pass();
		LAW(lai_stomp_session_over(&current->session), "it does not end");
		check();
		ends[current->session.end]++;
		words[current->session.words]++;
		records += current->last_record;
		lai_stomp_session_done(&current->session);
		free(current);
	}
	/* The walks went everywhere. */
	assert_true(records > WALKS);
	for (int i = LA_SESSION_OPEN + 1; i < LA_SESSION_END_COUNT; i++)
		if (i != LA_SESSION_NOT_AUTHORIZED && i != LA_SESSION_IDLE &&
		    i != LA_SESSION_TOO_MANY_CONNECTIONS && ends[i] == 0)
			fail_msg("no walk ended with %s",
				 la_session_end_name((enum la_session_end)i));
	for (int i = 0; i < LA_WORDS_COUNT; i++)
		assert_true(words[i] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "random walks obey the laws", .test_func = test_walks},
	};

	return cmocka_run_group_tests_name("serve.stomp_session_walk", tests, NULL, NULL);
}
