/* SPDX-License-Identifier: MIT */
/*
 * A client that says anything, towards the parser and towards a whole session, whose store, clock
 * and network do what the seed says. Laws: frames are the same in whatever pieces they come; what
 * the session answers is STOMP; no receipt goes out for what is not stored; it ends, once.
 *
 *   input: version and login, 3 bytes of seed, then what the client sends (with phrases)
 */
#include "serve/stomp_session.h"
#include "base/time.h"
#include "stomp_pieces.h"

#include <errno.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 4
#define STEPS_MAX 600
#define ENDS (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT)

static const struct lai_stomp_limits answer_limits = {LAI_STOMP_HEADERS_MAX, 4096, 8192, 65536};

#define PHRASE(literal)                                                                            \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static const struct lai_slice phrases[] = {
	PHRASE("CONNECT\n"),
	PHRASE("STOMP\n"),
	PHRASE("SEND\n"),
	PHRASE("SEND\ndestination:/q\n"),
	PHRASE("SEND\ndestination:/q\nreceipt:r\n"),
	PHRASE("SEND\ndestination:/q\nrecord-id:s-1\nreceipt:1\n\nbody\0"),
	PHRASE("DISCONNECT\n"),
	PHRASE("DISCONNECT\nreceipt:bye\n\n\0"),
	PHRASE("SUBSCRIBE\nid:1\ndestination:/q\n"),
	PHRASE("BEGIN\ntransaction:t\n"),
	PHRASE("ACK\nid:1\n"),
	PHRASE("RECEIPT\n"),
	PHRASE("accept-version:1.0,1.1,1.2\n"),
	PHRASE("heart-beat:"),
	PHRASE("login:user\npasscode:pass\n"),
	PHRASE("destination:"),
	PHRASE("receipt:"),
	PHRASE("record-id:"),
	PHRASE("record-id:a-b-7\n"),
	PHRASE("content-length:"),
	PHRASE("content-length:5\n"),
	PHRASE("content-type:text/plain\n"),
	PHRASE("transaction:t\n"),
	PHRASE("receipt-id:"),
	PHRASE("\\c"),
	PHRASE("\\n"),
	PHRASE("\\r"),
	PHRASE("\\\\"),
	PHRASE("18446744073709551615"),
	PHRASE("a long value that fills a line of the head, and that a small limit will refuse"),
	PHRASE("\n\n"),
	PHRASE("\n\n\0"),
	PHRASE("\n\nhello\0"),
	PHRASE("\r\n"),
	PHRASE("\xff"),
};

struct world {
	struct lai_stomp_session session;
	struct lai_random random;
	struct t_reader reader; /* of what the session answers */
	const char *data;	/* what the client has not sent yet */
	size_t size;
	uint64_t now_ns, tickets, stored, receipts;
	unsigned ends;
	bool fin_sent;
};

static int on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket)
{
	struct world *world = arg;
	uint64_t fate = lai_random_below(&world->random, 16);

	assert(record->sender.size > 0 && record->destination.data);
	if (fate == 0)
		return -EAGAIN;
	if (fate == 1)
		return -EINVAL;
	*ticket = ++world->tickets;
	return 0;
}

static void read_answers(struct world *world, const void *data, size_t size)
{
	struct lai_stomp_frame frame;
	size_t used = 0;

	assert(lai_buffer_append(&world->reader.in, data, size));
	world->reader.parser.version = world->session.version;
	while (t_reader_next(&world->reader, &frame, &used)) {
		if (frame.command == LAI_STOMP_RECEIPT)
			world->receipts++;
		else
			assert(frame.command == LAI_STOMP_BEAT ||
			       frame.command == LAI_STOMP_CONNECTED ||
			       frame.command == LAI_STOMP_ERROR);
	}
	/* DISCONNECT, and frames that carry no record, have receipts of their own. */
	assert(world->session.receipts >= world->receipts);
}

static void send_some(struct world *world)
{
	const void *answer;
	size_t size = lai_stomp_session_to_send(&world->session, &answer);

	if (size == 0)
		return;
	size = 1 + (size_t)lai_random_below(&world->random, size);
	read_answers(world, answer, size);
	lai_stomp_session_on_sent(&world->session, size, world->now_ns);
}

static void client_says(struct world *world)
{
	struct lai_stomp_session *session = &world->session;
	size_t discards = lai_stomp_session_discards(session), room_bytes, some;
	void *room = NULL;

	if (world->size == 0) {
		if (!world->fin_sent && lai_stomp_session_wants_read(session)) {
			world->fin_sent = true;
			lai_stomp_session_on_fin(session, world->now_ns);
		}
		return;
	}
	some = 1 + (size_t)lai_random_below(&world->random, world->size);
	room_bytes = discards ? discards : lai_stomp_session_room(session, &room);
	some = some < room_bytes ? some : room_bytes;
	if (some == 0)
		return;
	if (!discards)
		memcpy(room, world->data, some);
	world->data += some;
	world->size -= some;
	if (discards)
		lai_stomp_session_on_discarded(session, some, world->now_ns);
	else
		lai_stomp_session_on_read(session, some, world->now_ns);
}

static void look(struct world *world)
{
	struct lai_stomp_session *session = &world->session;
	const struct la_report *report = &session->conn.report;
	uint64_t left = report->written_bytes - report->acked_bytes;
	bool all = lai_random_below(&world->random, 2);
	struct lai_view view = {
		.acked_bytes = report->acked_bytes + (all ? left : left / 2),
		.in_flight = all ? 0 : 1,
		.window_bytes = 65536,
		.tcp_state = LAI_TCP_ESTABLISHED,
		.fin_acked = all && session->conn.send.state == LAI_SEND_FIN_SENT,
	};

	lai_stomp_session_on_view(session, &view, world->now_ns);
}

static void act(struct world *world)
{
	struct lai_stomp_session *session = &world->session;
	unsigned actions;

	while ((actions = lai_conn_take(&session->conn)) != 0) {
		assert(!(world->ends & ENDS)); /* nothing follows the end */
		world->ends |= actions & ENDS;
		if (actions & ENDS)
			continue;
		if (actions & LAI_CONN_LOOK)
			look(world);
		if (actions & LAI_CONN_WHY_SILENT)
			lai_stomp_session_on_why_silent(session, 0, world->now_ns);
		if (actions & LAI_CONN_READ_REST)
			lai_stomp_session_on_rest_read(session, world->now_ns);
	}
}

static void let_time_pass(struct world *world)
{
	uint64_t deadline_ns = lai_stomp_session_deadline(&world->session);

	if (deadline_ns == LA_NEVER)
		return;
	if (deadline_ns > world->now_ns)
		world->now_ns = deadline_ns;
	lai_stomp_session_on_timer(&world->session, world->now_ns);
}

static void checked(struct world *world)
{
	static const enum la_session_end verdicts[] = {
		LA_SESSION_OPEN, LA_SESSION_OPEN, LA_SESSION_LOGIN_REJECTED,
		LA_SESSION_TOO_MANY_FAILURES, LA_SESSION_NOT_AUTHORIZED};

	lai_stomp_session_on_checked(&world->session, verdicts[lai_random_below(&world->random, 5)],
				     LAI_S, world->now_ns);
}

static void rarely(struct world *world)
{
	struct lai_stomp_session *session = &world->session;

	switch (lai_random_below(&world->random, 40)) {
	case 0: lai_stomp_session_on_error(session, ECONNRESET, world->now_ns); break;
	case 1: lai_stomp_session_reclaim(session, world->now_ns); break;
	case 2: lai_stomp_session_stop(session, world->now_ns + LAI_S, world->now_ns); break;
	case 3: lai_stomp_session_abort(session, world->now_ns); break;
	case 4:
		lai_stomp_session_refuse(session, LA_SESSION_TOO_MANY_CONNECTIONS, NULL,
					 world->now_ns);
		break;
	case 5: lai_stomp_session_on_resumed(session, world->now_ns); break;
	default: break;
	}
}

static void step(struct world *world)
{
	struct lai_stomp_session *session = &world->session;

	switch (lai_random_below(&world->random, 10)) {
	case 0:
	case 1:
	case 2: client_says(world); break;
	case 3:
	case 4: send_some(world); break;
	case 5: checked(world); break;
	case 6:
		world->stored +=
			lai_random_below(&world->random, world->tickets - world->stored + 1);
		lai_stomp_session_on_stored(session, world->stored, world->now_ns);
		break;
	case 7: lai_stomp_session_resume(session, world->now_ns); break;
	case 8: let_time_pass(world); break;
	default: rarely(world);
	}
	act(world);
}

/* Whatever happened: from now on everybody does his part, so it comes to an end. */
static void finish(struct world *world)
{
	for (int i = 0; i < STEPS_MAX && !lai_stomp_session_over(&world->session); i++) {
		if (world->session.state == LAI_STOMP_SESSION_CHECKING)
			checked(world);
		world->stored = world->tickets;
		lai_stomp_session_on_stored(&world->session, world->stored, world->now_ns);
		if (!lai_stomp_session_over(&world->session))
			lai_stomp_session_resume(&world->session, world->now_ns);
		act(world);
		if (!lai_stomp_session_over(&world->session))
			client_says(world);
		act(world);
		if (!lai_stomp_session_over(&world->session))
			send_some(world);
		act(world);
		if (!lai_stomp_session_over(&world->session))
			let_time_pass(world);
		act(world);
	}
	assert(lai_stomp_session_over(&world->session));
	assert(world->ends != 0 && (world->ends & (world->ends - 1)) == 0);
	assert(lai_stomp_session_deadline(&world->session) == LA_NEVER);
}

static void serve(const uint8_t *head, struct lai_slice text, struct lai_random random)
{
	struct world world = {.random = random, .now_ns = 1000 * LAI_S};
	const struct lai_stomp_session_config config = {
		.limits = {.dead_ns = 20 * LAI_S, .stall_ns = 30 * LAI_S, .read_ns = 30 * LAI_S},
		.handshake_ns = 10 * LAI_S,
		.idle_ns = head[0] & 8 ? LA_NEVER : 60 * LAI_S,
		.heartbeat_ns = 10 * LAI_S,
		.linger_idle_ns = 5 * LAI_S,
		.linger_ns = 60 * LAI_S,
		.linger_bytes = 1000,
		.record_bytes_max = 200,
		.replies_bytes_max = 500,
		.server = "lastack/fuzz",
		.on_record = on_record,
		.arg = &world,
	};
	const struct la_report report = {.serial = 1};
	struct lai_buffer said = {0};
	char login[80];

	/* Most inputs get past the login, with a version and heart-beats as the input says. */
	if (head[0] & 3)
		(void)snprintf(login, sizeof(login),
			       "CONNECT\naccept-version:1.%u\nheart-beat:%u,%u\nlogin:a\n\n",
			       (head[0] & 3u) - 1, head[0] & 4u ? 1000u : 0u,
			       head[0] & 16u ? 500u : 0u);
	if (head[0] & 3)
		assert(lai_buffer_append(&said, login, strlen(login) + 1));
	assert(lai_buffer_append(&said, text.data, text.size));
	world.data = lai_buffer_data(&said);
	world.size = lai_buffer_used(&said);
	t_reader_init(&world.reader, &answer_limits);
	lai_stomp_session_init(&world.session, &config, &report, 7, world.now_ns);
	for (int i = 0; i < STEPS_MAX && !lai_stomp_session_over(&world.session); i++)
		step(&world);
	finish(&world);
	lai_stomp_session_done(&world.session);
	lai_buffer_done(&world.reader.in);
	lai_buffer_done(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lai_buffer text = {0};
	struct lai_random random;
	struct lai_slice said;

	if (size <= HEAD)
		return 0;
	random.state = (uint64_t)data[1] << 16 | (uint64_t)data[2] << 8 | data[3];
	t_decode(&text, phrases, sizeof(phrases) / sizeof(phrases[0]), data + HEAD, size - HEAD);
	said = (struct lai_slice){lai_buffer_data(&text), lai_buffer_used(&text)};
	t_check_pieces(said.data, said.size, data[0] % LAI_STOMP_VERSION_COUNT, random);
	serve(data, said, random);
	lai_buffer_done(&text);
	return 0;
}
