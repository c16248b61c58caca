/* SPDX-License-Identifier: MIT */
/*
 * A server that says anything, towards the parser and towards a whole courier with records to
 * deliver, over several connections. Laws: frames are the same in whatever pieces they come; what
 * the courier says is STOMP, and every record in it is the record that was put; each is waiting,
 * confirmed or refused, and never two of these.
 *
 *   input: version and server, 3 bytes of seed, then what the server sends (with phrases)
 */
#include "link/courier_inside.h"
#include "base/time.h"
#include "stomp_pieces.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 4
#define STEPS_MAX 400
#define RECORDS_MAX 60
#define SENDER "fuzz-1"
#define BODY "record"

static const struct lai_stomp_limits speech_limits = {LAI_STOMP_HEADERS_MAX, 4096, 8192, 65536};

#define PHRASE(literal)                                                                            \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static const struct lai_slice phrases[] = {
	PHRASE("CONNECTED\n"),
	PHRASE("CONNECTED\nversion:1.2\nserver:lastack/0\nheart-beat:1000,1000\n\n\0"),
	PHRASE("CONNECTED\nversion:1.1\n\n\0"),
	PHRASE("version:1."),
	PHRASE("server:lastack/0\n"),
	PHRASE("heart-beat:"),
	PHRASE("RECEIPT\nreceipt-id:"),
	PHRASE("RECEIPT\nreceipt-id:1\n\n\0"),
	PHRASE("RECEIPT\nreceipt-id:4\n\n\0"),
	PHRASE("RECEIPT\nreceipt-id:8\n\n\0"),
	PHRASE("RECEIPT\nreceipt-id:bye\n\n\0"),
	PHRASE("ERROR\n"),
	PHRASE("ERROR\nmessage:no\nreceipt-id:1\n\nThe record is bad.\0"),
	PHRASE("ERROR\nmessage:login\nretry-after:7\n\n\0"),
	PHRASE("MESSAGE\nmessage-id:1\nsubscription:1\ndestination:/q\n"),
	PHRASE("receipt-id:"),
	PHRASE("record-id:" SENDER "-2\n"),
	PHRASE("message:"),
	PHRASE("retry-after:"),
	PHRASE("content-length:"),
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
	struct lai_courier *courier;
	struct lai_outbox outbox;
	struct lai_random random;
	struct t_reader reader; /* of what the courier says on this connection */
	const char *data;	/* what the server has not said yet */
	size_t size;
	uint64_t now_ns, put, refused;
	bool connected; /* CONNECT was written */
};

static bool on_refused(void *arg, const struct lai_courier_refusal *refusal)
{
	struct world *world = arg;

	assert(refusal->seq > 0 && refusal->seq <= world->put);
	world->refused++;
	return true;
}

/* "SENDER-SEQ" */
static uint64_t seq_of(struct lai_slice id)
{
	uint64_t seq = 0;
	size_t at = sizeof(SENDER);

	assert(id.size > at && memcmp(id.data, SENDER "-", at) == 0);
	for (; at < id.size; at++)
		seq = seq * 10 + (uint64_t)(id.data[at] - '0');
	return seq;
}

static void hear(struct world *world, const struct lai_stomp_frame *frame)
{
	char body[32];
	uint64_t seq;
	int length;

	if (frame->command == LAI_STOMP_BEAT)
		return;
	assert((frame->command == LAI_STOMP_CONNECT || frame->command == LAI_STOMP_STOMP) ==
	       !world->connected);
	world->connected = true;
	if (frame->command != LAI_STOMP_SEND)
		return;
	seq = seq_of(lai_stomp_header(frame, "record-id"));
	length = snprintf(body, sizeof(body), BODY " %llu", (unsigned long long)seq);
	assert(frame->body.size == (size_t)length);
	assert(memcmp(frame->body.data, body, frame->body.size) == 0);
}

static void write_some(struct world *world)
{
	struct lai_stomp_frame frame;
	struct iovec iov[2];
	int count = lai_courier_to_send(world->courier, iov, world->now_ns);
	size_t used = 0, size = 0;

	assert(count >= 0 && count <= 2);
	for (int i = 0; i < count; i++) {
		size_t some = 1 + (size_t)lai_random_below(&world->random, iov[i].iov_len);

		assert(lai_buffer_append(&world->reader.in, iov[i].iov_base, some));
		size += some;
		if (some < iov[i].iov_len)
			break;
	}
	if (size == 0)
		return;
	world->reader.parser.version = world->courier->version;
	while (t_reader_next(&world->reader, &frame, &used))
		hear(world, &frame);
	lai_courier_on_written(world->courier, size, world->now_ns);
}

static void server_says(struct world *world)
{
	size_t some = (size_t)lai_random_below(&world->random, world->size + 1);
	char *copy = malloc(some ? some : 1);

	assert(copy);
	if (some > 0)
		memcpy(copy, world->data, some);
	lai_courier_on_received(world->courier, copy, some, world->now_ns);
	free(copy);
	world->data += some;
	world->size -= some;
}

static void put(struct world *world)
{
	char body[32];
	int length = snprintf(body, sizeof(body), BODY " %llu", (unsigned long long)world->put + 1);
	struct iovec iov = {body, (size_t)length};

	if (world->put < RECORDS_MAX &&
	    lai_outbox_put(&world->outbox, world->put + 1, &iov, 1) == 0)
		world->put++;
}

static void let_time_pass(struct world *world)
{
	uint64_t deadline_ns = lai_courier_deadline(world->courier);

	if (deadline_ns == LA_NEVER)
		return;
	if (deadline_ns > world->now_ns)
		world->now_ns = deadline_ns;
	lai_courier_on_timer(world->courier, world->now_ns);
}

static void begin(struct world *world)
{
	static const struct lai_courier_endpoint endpoint = {"host", "login", "/queue/a b"};

	lai_buffer_consume(&world->reader.in, lai_buffer_used(&world->reader.in));
	lai_stomp_parser_init(&world->reader.parser, &speech_limits);
	world->connected = false;
	lai_courier_begin(world->courier, &endpoint, world->now_ns);
}

/* A server that lets in, by the first byte of the input. */
static void welcome(struct world *world, uint8_t head)
{
	char text[96];

	if ((head & 3) == 0 || lai_courier_state(world->courier) != LAI_COURIER_LOGIN)
		return;
	(void)snprintf(text, sizeof(text),
		       "CONNECTED\nversion:1.%u\nserver:%s\nheart-beat:%u,0\n\n", (head & 3u) - 1,
		       head & 4 ? "lastack/0" : "other/1", head & 8 ? 1000u : 0u);
	lai_courier_on_received(world->courier, text, strlen(text) + 1, world->now_ns);
}

static void check(const struct world *world)
{
	const struct la_totals *totals = &world->outbox.totals;

	assert(totals->delivered_records + world->refused + world->outbox.records == world->put);
	assert(lai_outbox_confirmed_upto(&world->outbox) <= world->put);
}

static void step(struct world *world, uint8_t head)
{
	enum lai_courier_state state = lai_courier_state(world->courier);

	if (state == LAI_COURIER_AWAY) {
		begin(world);
		return;
	}
	switch (lai_random_below(&world->random, 16)) {
	case 0:
	case 1:
	case 2: put(world); break;
	case 3:
	case 4:
	case 5:
	case 6: write_some(world); break;
	case 7:
	case 8:
	case 9:
		if (state != LAI_COURIER_FAILED)
			server_says(world);
		break;
	case 10:
	case 11: welcome(world, head); break;
	case 12: let_time_pass(world); break;
	case 13:
		world->now_ns += lai_random_below(&world->random, LAI_S);
		lai_courier_on_timer(world->courier, world->now_ns);
		break;
	case 14:
		if (state == LAI_COURIER_FAILED || lai_random_below(&world->random, 8) == 0)
			(void)lai_courier_end(world->courier);
		break;
	default:
		if (lai_random_below(&world->random, 8) == 0)
			lai_courier_finish(world->courier, world->now_ns);
	}
	check(world);
}

static void talk(const uint8_t *head, struct lai_slice text, struct lai_random random)
{
	struct world world = {
		.random = random, .data = text.data, .size = text.size, .now_ns = 1000 * LAI_S};
	static const char *const headers[] = {"kind:a:b\\c"};
	struct lai_courier_config config = {
		.stomp = {.passcode = "secret\\",
			  .headers = headers,
			  .header_count = 1,
			  .receipts = LA_RECEIPTS_AUTO,
			  .receipt_every = 4,
			  .receipt_within_ns = 20 * LAI_MS,
			  .window_records = 10,
			  .heartbeat_ns = head[0] & 16 ? LA_NEVER : LAI_S,
			  .login_ns = 10 * LAI_S,
			  .receipt_ns = 60 * LAI_S},
		.on_refused = on_refused,
		.arg = &world,
	};

	assert(lai_outbox_init(&world.outbox, 4096, 64, LA_FULL_BLOCK) == 0);
	assert(lai_courier_new(&world.courier, &config, SENDER, &world.outbox) == 0);
	t_reader_init(&world.reader, &speech_limits);
	for (size_t i = 0; i < STEPS_MAX && i < 40 + 8 * text.size; i++)
		step(&world, head[0]);
	lai_courier_free(world.courier);
	lai_outbox_done(&world.outbox);
	lai_buffer_done(&world.reader.in);
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
	talk(data, said, random);
	lai_buffer_done(&text);
	return 0;
}
