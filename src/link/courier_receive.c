/* SPDX-License-Identifier: MIT */
/* courier_receive.c - what the server says: CONNECTED, RECEIPT, ERROR, and what it means. */
#include "link/courier_inside.h"

#include <string.h>

/* How our own server names itself in CONNECTED; a version follows. */
#define OWN_SERVER "lastack/"

static void fail_protocol(struct lai_courier *courier, const char *why)
{
	courier->why = why;
	lai_courier_fail(courier, LA_CAUSE_PROTOCOL_ERROR);
}

/* ---- CONNECTED ------------------------------------------------------------------------------- */

/* -1: none of ours. */
static int version_of(const struct lai_stomp_frame *frame)
{
	struct lai_slice text = lai_stomp_header(frame, "version");

	if (!text.data)
		return LAI_STOMP_1_0; /* which had no such header */
	for (int version = 0; version < LAI_STOMP_VERSION_COUNT; version++) {
		if (lai_slice_is(text, lai_stomp_version_text((enum lai_stomp_version)version)))
			return version;
	}
	return -1;
}

static bool is_cumulative(const struct lai_courier *courier, const struct lai_stomp_frame *frame)
{
	struct lai_slice server = lai_stomp_header(frame, "server");
	size_t own_size = strlen(OWN_SERVER);

	if (courier->config.stomp.receipts != LA_RECEIPTS_AUTO)
		return courier->config.stomp.receipts == LA_RECEIPTS_CUMULATIVE;
	return server.size >= own_size && memcmp(server.data, OWN_SERVER, own_size) == 0;
}

static void on_connected(struct lai_courier *courier, const struct lai_stomp_frame *frame,
			 uint64_t now_ns)
{
	int version = version_of(frame);

	if (courier->state != LAI_COURIER_LOGIN) {
		fail_protocol(courier, "a second CONNECTED");
		return;
	}
	if (version < 0) {
		fail_protocol(courier, "CONNECTED names a version that was not offered");
		return;
	}
	if (lai_stomp_beat_init(&courier->beat, lai_stomp_header(frame, "heart-beat"),
				courier->config.stomp.heartbeat_ns, now_ns) < 0) {
		fail_protocol(courier, "the heart-beat header of CONNECTED is not two numbers");
		return;
	}
	courier->version = courier->parser.version = (enum lai_stomp_version)version;
	courier->cumulative = is_cumulative(courier, frame);
	if (lai_courier_make_prefix(courier))
		lai_courier_set_state(courier, LAI_COURIER_UP, LA_NEVER);
	else
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
}

/* ---- RECEIPT --------------------------------------------------------------------------------- */

/* Ids that nobody asked for are ignored. */
static void confirm(struct lai_courier *courier, uint64_t seq)
{
	uint64_t before = courier->outbox->totals.delivered_records, confirmed;

	if (courier->state != LAI_COURIER_UP || seq > courier->asked_seq)
		return;
	if (courier->cumulative)
		lai_outbox_confirm_upto(courier->outbox, seq);
	else
		(void)lai_outbox_confirm_one(courier->outbox, seq);
	confirmed = courier->outbox->totals.delivered_records - before;
	courier->suspects -= confirmed < courier->suspects ? confirmed : courier->suspects;
}

static void on_receipt(struct lai_courier *courier, const struct lai_stomp_frame *frame)
{
	struct lai_slice id = lai_stomp_header(frame, "receipt-id");
	uint64_t seq;

	if (courier->state == LAI_COURIER_LOGIN)
		fail_protocol(courier, "a RECEIPT before CONNECTED");
	else if (lai_slice_number(id, &seq))
		confirm(courier, seq);
	else if (courier->state == LAI_COURIER_LEAVING && lai_slice_is(id, LAI_COURIER_BYE))
		lai_courier_set_state(courier, LAI_COURIER_LEFT, LA_NEVER);
}

/*
 * Nearly everything that a server says is a RECEIPT with nothing but its number. Returns its bytes,
 * or 0: the parser may look at it.
 */
static size_t take_receipt(struct lai_courier *courier, const char *data, size_t size)
{
	static const char head[] = "RECEIPT\nreceipt-id:", tail[] = "\n\n"; /* and its NUL */
	const size_t head_size = sizeof(head) - 1;
	uint64_t seq = 0;
	size_t at = head_size;

	if (courier->state != LAI_COURIER_UP || size < head_size + 1 + sizeof(tail) ||
	    memcmp(data, head, head_size) != 0)
		return 0;
	/* Fewer digits than could overflow. */
	while (at < size && at < head_size + 19 && data[at] >= '0' && data[at] <= '9')
		seq = seq * 10 + (unsigned)(data[at++] - '0');
	if (at == head_size || size - at < sizeof(tail) ||
	    memcmp(data + at, tail, sizeof(tail)) != 0)
		return 0;
	confirm(courier, seq);
	return at + sizeof(tail);
}

/* ---- ERROR ----------------------------------------------------------------------------------- */

static struct lai_slice first_line(struct lai_slice text)
{
	const char *eol = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;

	if (eol)
		text.size = (size_t)(eol - text.data);
	if (text.size > 0 && text.data[text.size - 1] == '\r')
		text.size--;
	return text;
}

static void append_words(struct lai_courier *courier, struct lai_slice text)
{
	size_t used = strlen(courier->words), room = sizeof(courier->words) - 1 - used;
	size_t size = text.size < room ? text.size : room;

	if (size > 0)
		memcpy(courier->words + used, text.data, size);
	courier->words[used + size] = '\0';
}

/* The message, and the first line of the body where it says more: RabbitMQ gives the reason there. */
static void keep_words(struct lai_courier *courier, const struct lai_stomp_frame *frame)
{
	struct lai_slice message = lai_stomp_header(frame, "message");
	struct lai_slice line = first_line(frame->body);

	courier->words[0] = '\0';
	/* Too long, or escaped in a way of its own: as it came. */
	if (message.size > 0 && lai_stomp_unescape(message, courier->version, courier->words,
						   sizeof(courier->words)) < 0) {
		courier->words[0] = '\0';
		append_words(courier, message);
	}
	if (line.size == 0 || lai_slice_is(line, courier->words))
		return;
	if (courier->words[0])
		append_words(courier, LAI_SLICE(": "));
	append_words(courier, line);
}

/* This record is refused for ever. false: it is not in flight. */
static bool condemn(struct lai_courier *courier, uint64_t seq, const struct lai_stomp_frame *frame)
{
	struct lai_courier_refusal refusal = {
		.seq = seq,
		.message = lai_slice_of(courier->words),
		.details = frame->body,
	};
	struct lai_outbox_record record;

	if (!lai_outbox_find(courier->outbox, seq, &record))
		return false;
	for (int i = 0; i < record.pieces; i++)
		refusal.body[i] = (struct lai_slice){record.iov[i].iov_base, record.iov[i].iov_len};
	/* Before it is forgotten: what the owner puts meanwhile would take its place. */
	if (courier->config.on_refused &&
	    !courier->config.on_refused(courier->config.arg, &refusal))
		return true;
	(void)lai_outbox_bury(courier->outbox, seq, &record);
	if (courier->suspects > 0)
		courier->suspects--;
	return true;
}

/* A server of ours is full, stops, or has a trouble of its own: nobody here is to blame. */
static bool is_shutdown(const struct lai_stomp_frame *frame)
{
	return lai_slice_is(lai_stomp_header(frame, "shutdown"), "true");
}

/* Which record does the server mean? */
static void blame(struct lai_courier *courier, const struct lai_stomp_frame *frame)
{
	struct lai_slice id = lai_stomp_header(frame, "receipt-id");
	uint32_t in_flight = courier->outbox->in_flight;
	bool begun = courier->written_bytes > courier->last_begin;
	uint64_t seq;

	if (is_shutdown(frame) || lai_slice_is(id, LAI_COURIER_BYE))
		return;
	if (lai_slice_number(id, &seq) && condemn(courier, seq, frame))
		return;
	if (in_flight == 0)
		return;
	if (courier->suspects > 0 && in_flight == 1 && begun)
		(void)condemn(courier, lai_outbox_oldest_in_flight(courier->outbox), frame);
	else if (courier->suspects < (uint64_t)in_flight + 1)
		courier->suspects = (uint64_t)in_flight + 1;
}

static void on_error(struct lai_courier *courier, const struct lai_stomp_frame *frame)
{
	bool login = courier->state == LAI_COURIER_LOGIN;
	bool rejected = login && !is_shutdown(frame);

	keep_words(courier, frame);
	if (!lai_slice_number(lai_stomp_header(frame, "retry-after"), &courier->retry_after))
		courier->retry_after = 0;
	if (!login)
		blame(courier, frame);
	lai_courier_fail(courier, rejected ? LA_CAUSE_LOGIN_REJECTED : LA_CAUSE_SERVER_ERROR);
}

/* ---- the way in ------------------------------------------------------------------------------ */

static bool listens(const struct lai_courier *courier)
{
	return courier->state == LAI_COURIER_LOGIN || courier->state == LAI_COURIER_UP ||
	       courier->state == LAI_COURIER_LEAVING;
}

static void on_frame(struct lai_courier *courier, const struct lai_stomp_frame *frame,
		     uint64_t now_ns)
{
	switch (frame->command) {
	case LAI_STOMP_BEAT: break;
	case LAI_STOMP_CONNECTED: on_connected(courier, frame, now_ns); break;
	case LAI_STOMP_RECEIPT: on_receipt(courier, frame); break;
	case LAI_STOMP_ERROR: on_error(courier, frame); break;
	case LAI_STOMP_MESSAGE:
		if (courier->state == LAI_COURIER_LOGIN)
			fail_protocol(courier, "a MESSAGE before CONNECTED");
		break; /* nothing was subscribed to; some servers say a word anyway */
	default: fail_protocol(courier, "a command that only clients send");
	}
}

/* Returns how many bytes were read; what is left is the beginning of a frame. */
static size_t read_frames(struct lai_courier *courier, const char *data, size_t size, bool midway,
			  uint64_t now_ns)
{
	struct lai_stomp_frame frame;
	size_t at = 0;

	while (at < size && listens(courier)) {
		size_t used = midway ? 0 : take_receipt(courier, data + at, size - at);
		int result = 1;

		if (used == 0) {
			result = lai_stomp_parse(&courier->parser, data + at, size - at, &frame,
						 &used);
			if (result == 0)
				break;
			if (result > 0)
				on_frame(courier, &frame, now_ns);
			else
				fail_protocol(courier, courier->parser.why);
		}
		if (result > 0)
			at += used;
		midway = false;
	}
	return at;
}

/* Reads on behind what is left of the last time, and keeps what is left of this one. */
static void read_on(struct lai_courier *courier, const char *data, size_t size, uint64_t now_ns)
{
	struct lai_buffer *in = &courier->in;
	bool midway = lai_buffer_used(in) > 0;
	bool good = !midway || lai_buffer_append(in, data, size);

	if (good && midway) {
		lai_buffer_consume(in, read_frames(courier, lai_buffer_data(in),
						   lai_buffer_used(in), true, now_ns));
	} else if (good) {
		size_t used = read_frames(courier, data, size, false, now_ns);

		if (used < size && listens(courier))
			good = lai_buffer_append(in, data + used, size - used);
	}
	if (!good)
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
}

void lai_courier_on_received(struct lai_courier *courier, const void *data, size_t size,
			     uint64_t now_ns)
{
	uint64_t before = courier->outbox->totals.delivered_records;

	if (size == 0 || !listens(courier))
		return;
	lai_stomp_beat_on_heard(&courier->beat, now_ns);
	read_on(courier, data, size, now_ns);
	if (courier->outbox->totals.delivered_records > before)
		courier->outbox->totals.confirmed_ns = now_ns;
	lai_courier_ask_on_confirmed(courier);
	lai_courier_leave_if_done(courier, now_ns);
}
