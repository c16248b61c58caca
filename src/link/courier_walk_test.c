/* SPDX-License-Identifier: MIT */
/*
 * Long random walks of a courier through connections to a server that confirms late, twice, in any
 * order or never, refuses, stops, babbles and vanishes. Whatever happens, the courier keeps its laws:
 *
 *   accepted = delivered + waiting + dropped + buried + abandoned; every record that was not
 *   dropped or buried is received, whole; on one connection numbers only grow; nothing goes out
 *   before the login; what was confirmed is not sent again; never more than the window is under way;
 *   a timer that has come is not due again; at the end of every walk, with a server that behaves,
 *   all is delivered and the courier has left.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "link/courier_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define WALKS 1500
#define WALK_EVENTS 400
#define DRAIN_STEPS 20000
#define SEED 9
#define SEQ_MAX 2048
#define BODY_MAX 200
#define MARKS_MAX 8192
#define POISON_EVERY 23

static const struct lai_stomp_limits server_limits = {
	.headers_max = 16,
	.line_bytes_max = 256,
	.head_bytes_max = 1024,
	.body_bytes_max = BODY_MAX,
};

/* A receipt, in the bytes that the server has said. */
struct mark {
	uint64_t end;
	uint64_t seq;
};

struct server {
	bool ours; /* cumulative receipts, in order */
	bool connected, silent;
	struct lai_stomp_parser parser;
	struct lai_buffer in, out;
	uint64_t said;	   /* bytes of out that the courier has been given */
	uint64_t last_seq; /* on this connection */
	uint32_t unconfirmed;
	uint64_t owed[SEQ_MAX]; /* receipts asked for and not given */
	size_t owed_count;
	struct mark marks[MARKS_MAX];
	size_t mark_count, mark_first;
	bool bye;
};

struct world {
	struct lai_courier *courier;
	struct lai_courier_config config;
	struct lai_outbox outbox;
	struct lai_random random;
	struct server server;
	uint64_t now_ns, seed, seq;
	bool honest; /* an ERROR is always about a record that deserves it */
	bool poisoned, draining, blocked;
	uint64_t sent_ns; /* last bytes written */
	/* By number. */
	bool was_put[SEQ_MAX], received[SEQ_MAX], confirmed[SEQ_MAX], buried[SEQ_MAX];
	bool flying[SEQ_MAX]; /* on this connection, as the server saw it */
};

#define LAW(condition, text)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s (seed %lu, state %s)", text, (unsigned long)world->seed,      \
				 lai_courier_state_name(lai_courier_state(world->courier)));       \
	} while (0)

static uint64_t below(struct world *world, uint64_t bound)
{
	return lai_random_below(&world->random, bound);
}

static bool chance(struct world *world, uint64_t of)
{
	return below(world, of) == 0;
}

static bool is_poison(const struct world *world, uint64_t seq)
{
	return world->poisoned && seq % POISON_EVERY == 0;
}

static size_t fill(char *body, uint64_t seq)
{
	size_t size = (size_t)(seq * 7919 % (BODY_MAX + 1));

	for (size_t i = 0; i < size; i++)
		body[i] = (char)(seq + i); /* any byte, NUL and LF too */
	return size;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void server_say(struct world *world, const char *text, size_t size)
{
	assert_true(lai_buffer_append(&world->server.out, text, size));
}

static void server_receipt(struct world *world, uint64_t seq)
{
	struct server *server = &world->server;
	char text[64];
	int size = snprintf(text, sizeof(text), "RECEIPT\nreceipt-id:%lu\n\n%c", (unsigned long)seq,
			    0);

	if (server->silent || server->mark_count == MARKS_MAX)
		return;
	server_say(world, text, (size_t)size);
	server->marks[server->mark_count++] = (struct mark){
		.end = server->said + lai_buffer_used(&server->out),
		.seq = seq,
	};
	if (chance(world, 4))
		server_say(world, "\n", 1);
}

/* seq: the receipt that is named; 0: none. Nothing follows. */
static void server_error(struct world *world, uint64_t seq, const char *more)
{
	char text[128];
	int size;

	if (world->server.silent)
		return;
	size = snprintf(text, sizeof(text), "ERROR\nmessage:no\n%s", more);
	if (seq > 0)
		size += snprintf(text + size, sizeof(text) - (size_t)size, "receipt-id:%lu\n",
				 (unsigned long)seq);
	size += snprintf(text + size, sizeof(text) - (size_t)size, "\nbody%c", 0);
	server_say(world, text, (size_t)size);
	world->server.silent = true;
}

static void server_on_connect(struct world *world)
{
	static const char *const answers[] = {"server:Broker/1\n", "server:lastack/1\n"};
	struct server *server = &world->server;
	char text[128];
	int size;

	LAW(!server->connected, "one CONNECT");
	server->connected = true;
	if (!world->draining && chance(world, 10)) {
		server_error(world, 0, "retry-after:5\n");
		return;
	}
	if (!world->draining && chance(world, 20)) {
		server->silent = true;
		return;
	}
	size = snprintf(text, sizeof(text), "CONNECTED\nversion:1.2\nheart-beat:0,5000\n%s\n%c",
			answers[server->ours], 0);
	server_say(world, text, (size_t)size);
}

static uint64_t number_of(struct lai_slice text)
{
	char digits[32] = "";

	assert_true(text.size > 0 && text.size < sizeof(digits));
	memcpy(digits, text.data, text.size);
	return strtoull(digits, NULL, 10);
}

static void server_on_send(struct world *world, const struct lai_stomp_frame *frame)
{
	struct server *server = &world->server;
	struct lai_slice id = lai_stomp_header(frame, "record-id");
	struct lai_slice receipt = lai_stomp_header(frame, "receipt");
	char body[BODY_MAX];
	uint64_t seq;

	LAW(server->connected && lai_slice_is(lai_stomp_header(frame, "destination"), "/q"),
	    "SEND after the login, to its destination");
	LAW(id.size > 2 && memcmp(id.data, "s-", 2) == 0, "a record has its id");
	seq = number_of((struct lai_slice){id.data + 2, id.size - 2});
	LAW(seq > 0 && seq < SEQ_MAX && world->was_put[seq], "only what was put");
	LAW(seq > server->last_seq, "numbers grow");
	LAW(!world->confirmed[seq], "what was confirmed is not sent again");
	LAW(!world->buried[seq], "what was buried is not sent again");
	LAW(frame->body.size == fill(body, seq) &&
		    (frame->body.size == 0 ||
		     memcmp(frame->body.data, body, frame->body.size) == 0),
	    "a record arrives as it was put");
	LAW(server->ours || receipt.data, "towards others each asks for its own");
	server->last_seq = seq;
	server->unconfirmed++;
	LAW(server->unconfirmed <= world->config.stomp.window_records, "the window");
	if (is_poison(world, seq)) {
		server_error(world, chance(world, 2) && receipt.data ? seq : 0, "");
		return;
	}
	if (server->silent)
		return;
	world->received[seq] = true;
	world->flying[seq] = true;
	if (!receipt.data)
		return;
	LAW(number_of(receipt) == seq, "a receipt is named after its record");
	server->owed[server->owed_count++] = seq;
}

static void server_on_frame(struct world *world, const struct lai_stomp_frame *frame)
{
	static const char bye[] = "RECEIPT\nreceipt-id:bye\n\n"; /* and its NUL */

	LAW(!world->server.bye || frame->command == LAI_STOMP_BEAT, "nothing after DISCONNECT");
	if (frame->command == LAI_STOMP_CONNECT) {
		server_on_connect(world);
	} else if (frame->command == LAI_STOMP_SEND) {
		server_on_send(world, frame);
	} else if (frame->command == LAI_STOMP_DISCONNECT) {
		LAW(lai_outbox_empty(&world->outbox), "farewell when all is said");
		world->server.bye = true;
		if (!world->server.silent)
			server_say(world, bye, sizeof(bye));
	} else {
		LAW(frame->command == LAI_STOMP_BEAT, "only what a client says");
	}
}

static void server_read(struct world *world, const void *data, size_t size)
{
	struct lai_buffer *in = &world->server.in;
	struct lai_stomp_frame frame;
	size_t used;
	int result;

	assert_true(lai_buffer_append(in, data, size));
	while ((result = lai_stomp_parse(&world->server.parser, lai_buffer_data(in),
					 lai_buffer_used(in), &frame, &used)) > 0) {
		server_on_frame(world, &frame);
		lai_buffer_consume(in, used);
		if (lai_buffer_used(in) == 0)
			return;
	}
	LAW(result == 0, "what is sent is STOMP");
}

/* Gives some of the receipts that are owed. */
static void server_confirm(struct world *world)
{
	struct server *server = &world->server;

	for (uint64_t n = below(world, 8) + 1; n > 0 && server->owed_count > 0; n--) {
		size_t i = server->ours ? 0 : (size_t)below(world, server->owed_count);
		uint64_t seq = server->owed[i];

		server_receipt(world, seq);
		if (!world->draining && chance(world, 8))
			continue; /* and once more, later */
		memmove(&server->owed[i], &server->owed[i + 1],
			(server->owed_count - i - 1) * sizeof(seq));
		server->owed_count--;
	}
	if (!world->draining && chance(world, 30))
		server_receipt(world, SEQ_MAX + below(world, 100)); /* of nobody */
}

static void server_begin(struct world *world)
{
	struct server *server = &world->server;

	lai_buffer_done(&server->in);
	lai_buffer_done(&server->out);
	server->connected = server->silent = server->bye = false;
	server->said = server->last_seq = 0;
	server->unconfirmed = 0;
	server->owed_count = server->mark_count = server->mark_first = 0;
	memset(world->flying, 0, sizeof(world->flying));
	lai_stomp_parser_init(&server->parser, &server_limits);
}

/* ---- the courier's link ---------------------------------------------------------------------- */

static bool on_refused(void *arg, const struct lai_courier_refusal *refusal)
{
	struct world *world = arg;
	char body[BODY_MAX];
	size_t size = fill(body, refusal->seq), first = refusal->body[0].size;

	LAW(!world->honest || is_poison(world, refusal->seq), "only poison is buried");
	LAW(!world->buried[refusal->seq] && !world->confirmed[refusal->seq], "buried once");
	LAW(first + refusal->body[1].size == size, "a refused record is shown whole");
	LAW(first == 0 || memcmp(refusal->body[0].data, body, first) == 0, "its beginning");
	LAW(first == size || memcmp(refusal->body[1].data, body + first, size - first) == 0,
	    "its end");
	world->buried[refusal->seq] = true;
	return true;
}

static void land(struct world *world, uint64_t seq)
{
	if (!world->flying[seq])
		return;
	world->flying[seq] = false;
	world->confirmed[seq] = true;
	world->server.unconfirmed--;
}

/* What a receipt means that the courier has been given. */
static void note_receipts(struct world *world)
{
	struct server *server = &world->server;

	for (; server->mark_first < server->mark_count; server->mark_first++) {
		const struct mark *mark = &server->marks[server->mark_first];

		if (mark->end > server->said)
			return;
		if (mark->seq >= SEQ_MAX)
			continue;
		for (uint64_t seq = server->ours ? 1 : mark->seq; seq <= mark->seq; seq++)
			land(world, seq);
	}
}

/* The wire brings some of what the server has said. */
static void hear(struct world *world, size_t size)
{
	struct lai_buffer *out = &world->server.out;
	enum lai_courier_state state = lai_courier_state(world->courier);

	if (state == LAI_COURIER_AWAY || state == LAI_COURIER_FAILED)
		return; /* the connection is gone */
	if (size > lai_buffer_used(out))
		size = lai_buffer_used(out);
	if (size == 0)
		return;
	lai_courier_on_received(world->courier, lai_buffer_data(out), size, world->now_ns);
	lai_buffer_consume(out, size);
	world->server.said += size;
	note_receipts(world);
}

static void write_out(struct world *world, size_t size)
{
	struct iovec iov[2];
	bool wants = lai_courier_wants_write(world->courier, world->now_ns);
	int pieces = lai_courier_to_send(world->courier, iov, world->now_ns);

	LAW(wants == (pieces > 0), "it is known what is to be written");
	if (pieces == 0)
		return;
	if (lai_courier_state(world->courier) == LAI_COURIER_LOGIN)
		LAW(iov[0].iov_len < 200, "CONNECT and nothing else before the login");
	size = size < iov[0].iov_len ? size : iov[0].iov_len;
	server_read(world, iov[0].iov_base, size);
	lai_courier_on_written(world->courier, size, world->now_ns);
	world->sent_ns = world->now_ns;
	world->blocked = size < iov[0].iov_len;
}

static void begin(struct world *world)
{
	server_begin(world);
	world->blocked = false;
	world->sent_ns = world->now_ns;
	lai_courier_begin(world->courier,
			  &(struct lai_courier_endpoint){.host = "h", .destination = "/q"},
			  world->now_ns);
}

static void put(struct world *world)
{
	char body[BODY_MAX];
	struct iovec iov = {.iov_base = body};
	uint64_t seq = world->seq + 1 + (chance(world, 10) ? below(world, 3) : 0);

	if (seq >= SEQ_MAX)
		return;
	iov.iov_len = fill(body, seq);
	if (lai_outbox_put(&world->outbox, seq, &iov, 1) < 0)
		return;
	world->seq = seq;
	world->was_put[seq] = true;
}

static void pass_time(struct world *world)
{
	uint64_t due_ns = lai_courier_deadline(world->courier);
	uint64_t step_ns = below(world, 200 * LAI_MS);

	if (!world->draining && chance(world, 40))
		step_ns = due_ns == LA_NEVER ? LAI_S : lai_time_since(world->now_ns, due_ns);
	world->now_ns = lai_time_min(world->now_ns + step_ns, due_ns);
	if (world->now_ns < due_ns)
		return;
	lai_courier_on_timer(world->courier, world->now_ns);
	LAW(lai_courier_deadline(world->courier) > world->now_ns, "a timer is not due again");
	write_out(world, SIZE_MAX);
}

static void check(struct world *world)
{
	const struct la_totals *t = &world->outbox.totals;
	enum lai_courier_state state = lai_courier_state(world->courier);

	LAW(t->accepted_bytes == t->delivered_bytes + t->waiting_bytes + t->dropped_bytes +
					 t->buried_bytes + t->abandoned_bytes,
	    "bytes are kept");
	LAW(t->accepted_records == t->delivered_records + world->outbox.records +
					   t->dropped_records + t->buried_records +
					   t->abandoned_records,
	    "records are kept");
	LAW(world->outbox.in_flight <= world->config.stomp.window_records, "the window");
	LAW((state == LAI_COURIER_FAILED) == (lai_courier_cause(world->courier) != LA_CAUSE_ALIVE),
	    "a failure has its cause");
	if (state == LAI_COURIER_LOGIN || state == LAI_COURIER_LEAVING)
		LAW(lai_courier_deadline(world->courier) != LA_NEVER, "who waits has a deadline");
	if (state == LAI_COURIER_UP && !world->blocked)
		LAW(world->now_ns - world->sent_ns <= 5 * LAI_S, "heart-beats are on time");
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void misbehave(struct world *world)
{
	struct server *server = &world->server;

	switch (below(world, 6)) {
	case 0: (void)lai_courier_end(world->courier); break; /* the connection dies */
	case 1: server->silent = true; break;
	case 2:
		if (server->connected)
			server_error(world, 0, "shutdown:true\n");
		break;
	case 3:
		if (server->connected && !world->honest)
			server_error(world, 0, "");
		break;
	case 4:
		if (server->connected && !world->honest && server->owed_count > 0)
			server_error(world, server->owed[0], "");
		break;
	case 5:
		if (!server->silent)
			server_say(world, "what?\n", 6);
		server->silent = true;
	}
}

static void step(struct world *world)
{
	enum lai_courier_state state = lai_courier_state(world->courier);
	uint64_t dice = below(world, 100);

	if (state == LAI_COURIER_FAILED || (state == LAI_COURIER_LEFT && chance(world, 3)))
		(void)lai_courier_end(world->courier);
	else if (state == LAI_COURIER_AWAY && (world->draining || chance(world, 3)))
		begin(world);
	else if (dice < 25)
		put(world);
	else if (dice < 55)
		write_out(world, chance(world, 3) ? SIZE_MAX : (size_t)below(world, 600));
	else if (dice < 75)
		server_confirm(world);
	else if (dice < 90)
		hear(world, chance(world, 3) ? SIZE_MAX : (size_t)below(world, 100));
	else if (dice < 98 || state == LAI_COURIER_AWAY)
		pass_time(world);
	else
		misbehave(world);
	check(world);
}

/* From now on everybody behaves, and it has to come to an end. */
static void drain(struct world *world)
{
	world->draining = true;
	if (world->server.silent)
		(void)lai_courier_end(world->courier);
	lai_courier_finish(world->courier, world->now_ns);
	for (int i = 0; lai_courier_state(world->courier) != LAI_COURIER_LEFT; i++) {
		LAW(i < DRAIN_STEPS, "it comes to an end");
		if (lai_courier_state(world->courier) == LAI_COURIER_FAILED)
			(void)lai_courier_end(world->courier);
		if (lai_courier_state(world->courier) == LAI_COURIER_AWAY)
			begin(world);
		write_out(world, SIZE_MAX);
		server_confirm(world);
		hear(world, SIZE_MAX);
		check(world);
	}
}

static void check_end(struct world *world)
{
	uint64_t missing = 0, buried = 0, confirmed = 0;

	for (uint64_t seq = 1; seq < SEQ_MAX; seq++) {
		missing += world->was_put[seq] && !world->confirmed[seq] && !world->buried[seq];
		buried += world->buried[seq];
		confirmed += world->confirmed[seq];
		LAW(!world->confirmed[seq] || world->received[seq], "confirmed means received");
	}
	LAW(lai_outbox_empty(&world->outbox), "nothing waits at the end");
	LAW(missing == world->outbox.totals.dropped_records, "none is skipped");
	LAW(buried == world->outbox.totals.buried_records, "burials are counted");
	LAW(confirmed == world->outbox.totals.delivered_records, "deliveries are counted");
}

static void open_world(struct world *world, uint64_t seed)
{
	uint32_t window;

	*world = (struct world){.random = {.state = seed}, .seed = seed, .now_ns = START_NS};
	world->server.ours = chance(world, 2);
	world->honest = chance(world, 2);
	world->poisoned = chance(world, 2);
	window = chance(world, 2) ? 10000 : (uint32_t)below(world, 20) + 1;
	world->config = (struct lai_courier_config){
		.stomp = {.receipt_every = (uint32_t)below(world, 20) + 1,
			  .receipt_within_ns = 20 * LAI_MS,
			  .window_records = window,
			  .heartbeat_ns = 5 * LAI_S,
			  .login_ns = 10 * LAI_S,
			  .receipt_ns = 30 * LAI_S},
		.on_refused = on_refused,
		.arg = world,
	};
	assert_int_equal(lai_outbox_init(&world->outbox, (size_t)512 << below(world, 8), BODY_MAX,
					 (enum la_full_policy)below(world, LA_FULL_COUNT)),
			 0);
	assert_int_equal(lai_courier_new(&world->courier, &world->config, "s", &world->outbox), 0);
	server_begin(world);
}

static void test_walks(void **state)
{
	static struct world world;
	uint64_t delivered = 0, buried = 0, dropped = 0, resent = 0;

	(void)state;
	for (uint64_t seed = SEED; seed < SEED + WALKS; seed++) {
		open_world(&world, seed);
		for (int i = 0; i < WALK_EVENTS; i++)
			step(&world);
		drain(&world);
		check_end(&world);
		delivered += world.outbox.totals.delivered_records;
		buried += world.outbox.totals.buried_records;
		dropped += world.outbox.totals.dropped_records;
		resent += world.outbox.totals.resent_records;
		server_begin(&world);
		lai_courier_free(world.courier);
		lai_outbox_done(&world.outbox);
	}
	/* The walks have been everywhere. */
	assert_true(delivered > WALKS && buried > 0 && dropped > 0 && resent > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "whatever the server does, nothing is lost and all laws hold",
		 .test_func = test_walks},
	};

	return cmocka_run_group_tests_name("link.courier_walk", tests, NULL, NULL);
}
