/* SPDX-License-Identifier: MIT */
/*
 * courier_send.c - what a courier says. A SEND frame, of which only the marked parts differ:
 *
 *   SEND destination content-type headers record-id:SENDER- | SEQ EOL [receipt:SEQ EOL]
 *   -------- prefix, made once per connection ------------- | content-length:N EOL EOL body NUL
 */
#include "link/courier_inside.h"

#include <string.h>

/* Refilled when no more than this waits: to_front() of the buffer then has little to move. */
#define REFILL_BYTES (LAI_COURIER_AHEAD_BYTES / 4)
#define DIGITS_MAX 20

#define RECEIPT "\nreceipt:"
#define LENGTH "\ncontent-length:"
/* All that stands behind the prefix but the body. */
#define TAIL_BYTES_MAX (sizeof(RECEIPT) + sizeof(LENGTH) + 3 * DIGITS_MAX + sizeof("\n\n"))

/* ---- frames that come once ------------------------------------------------------------------- */

static bool put_text(struct lai_buffer *out, const char *name, const char *value)
{
	return !value || lai_stomp_put(out, LAI_STOMP_1_0, name, lai_slice_of(value));
}

/* Digits of value, which end at end; returns where they begin. */
static char *digits_before(char *end, uint64_t value)
{
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return end;
}

/* CONNECT is never escaped, whatever version is agreed on later. */
bool lai_courier_put_connect(struct lai_courier *courier)
{
	const struct la_stomp_config *stomp = &courier->config.stomp;
	struct lai_buffer *out = &courier->out;

	return lai_stomp_begin(out, LAI_STOMP_CONNECT) &&
	       put_text(out, "accept-version", "1.0,1.1,1.2") &&
	       put_text(out, "host", stomp->vhost ? stomp->vhost : courier->endpoint.host) &&
	       put_text(out, "login", stomp->login ? stomp->login : courier->endpoint.login) &&
	       put_text(out, "passcode", stomp->passcode) &&
	       lai_stomp_put_beat(out, stomp->heartbeat_ns) &&
	       lai_stomp_end(out, (struct lai_slice){0});
}

bool lai_courier_put_disconnect(struct lai_courier *courier)
{
	struct lai_buffer *out = &courier->out;

	return lai_stomp_begin(out, LAI_STOMP_DISCONNECT) &&
	       put_text(out, "receipt", LAI_COURIER_BYE) &&
	       lai_stomp_end(out, (struct lai_slice){0});
}

void lai_courier_put_beat(struct lai_courier *courier, uint64_t now_ns)
{
	if (lai_buffer_used(&courier->out) > 0 || !lai_stomp_beat_due(&courier->beat, now_ns))
		return;
	if (!lai_buffer_append(&courier->out, "\n", 1))
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
}

/* One of the user's headers, "name:value". */
static bool put_header(struct lai_buffer *out, enum lai_stomp_version version, const char *header)
{
	const char *colon = strchr(header, ':');
	struct lai_slice name = {header, colon ? (size_t)(colon - header) : strlen(header)};

	return lai_stomp_escape(out, version, name) && lai_buffer_append(out, ":", 1) &&
	       lai_stomp_escape(out, version, lai_slice_of(colon ? colon + 1 : NULL)) &&
	       lai_buffer_append(out, "\n", 1);
}

bool lai_courier_make_prefix(struct lai_courier *courier)
{
	const struct la_stomp_config *stomp = &courier->config.stomp;
	enum lai_stomp_version version = courier->version;
	struct lai_buffer *prefix = &courier->prefix;
	const char *destination =
		stomp->destination ? stomp->destination : courier->endpoint.destination;
	bool good = lai_stomp_begin(prefix, LAI_STOMP_SEND) &&
		    lai_stomp_put(prefix, version, "destination", lai_slice_of(destination));

	if (good && stomp->content_type)
		good = lai_stomp_put(prefix, version, "content-type",
				     lai_slice_of(stomp->content_type));
	for (size_t i = 0; good && i < stomp->header_count; i++)
		good = put_header(prefix, version, stomp->headers[i]);
	return good && lai_buffer_append(prefix, "record-id:", strlen("record-id:")) &&
	       lai_buffer_append(prefix, courier->sender, strlen(courier->sender)) &&
	       lai_buffer_append(prefix, "-", 1);
}

/* ---- records ------------------------------------------------------------------------------- */

static char *put_bytes(char *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	return to + size;
}

static uint32_t window_of(const struct lai_courier *courier)
{
	return courier->suspects > 0 ? 1 : courier->config.stomp.window_records;
}

/* Whether this newest record asks for a receipt. */
static bool asks(struct lai_courier *courier, uint64_t now_ns)
{
	const struct la_stomp_config *stomp = &courier->config.stomp;

	if (!courier->cumulative)
		return true;
	if (courier->unasked++ == 0)
		courier->unasked_ns = now_ns;
	return courier->unasked >= stomp->receipt_every || !lai_outbox_has_next(courier->outbox) ||
	       courier->outbox->in_flight >= window_of(courier) ||
	       lai_time_since(courier->unasked_ns, now_ns) >= stomp->receipt_within_ns;
}

/* false: out of memory. */
static bool encode(struct lai_courier *courier, const struct lai_outbox_record *record, bool ask)
{
	const struct lai_buffer *prefix = &courier->prefix;
	char digits[DIGITS_MAX], *digits_end = digits + DIGITS_MAX;
	char *seq = digits_before(digits_end, record->seq);
	size_t seq_size = (size_t)(digits_end - seq);
	char *room = lai_buffer_reserve(&courier->out,
					lai_buffer_used(prefix) + TAIL_BYTES_MAX + record->size);
	char *to = room;

	if (!room)
		return false;
	to = put_bytes(to, lai_buffer_data(prefix), lai_buffer_used(prefix));
	to = put_bytes(to, seq, seq_size);
	if (ask) {
		to = put_bytes(to, RECEIPT, sizeof(RECEIPT) - 1);
		to = put_bytes(to, seq, seq_size);
	}
	to = put_bytes(to, LENGTH, sizeof(LENGTH) - 1);
	seq = digits_before(digits_end, record->size);
	to = put_bytes(to, seq, (size_t)(digits_end - seq));
	*to++ = '\n';
	*to++ = '\n';
	for (int i = 0; i < record->pieces; i++)
		to = put_bytes(to, record->iov[i].iov_base, record->iov[i].iov_len);
	*to++ = '\0';
	lai_buffer_extend(&courier->out, (size_t)(to - room));
	return true;
}

static bool may_encode(const struct lai_courier *courier)
{
	return courier->state == LAI_COURIER_UP && lai_outbox_has_next(courier->outbox) &&
	       courier->outbox->in_flight < window_of(courier);
}

/* The largest body that still stays within what may be encoded ahead. */
static size_t body_max(const struct lai_courier *courier)
{
	size_t used = lai_buffer_used(&courier->out);
	size_t taken = used + lai_buffer_used(&courier->prefix) + TAIL_BYTES_MAX;

	if (used == 0)
		return SIZE_MAX;
	return taken < LAI_COURIER_AHEAD_BYTES ? LAI_COURIER_AHEAD_BYTES - taken : 0;
}

static void refill(struct lai_courier *courier, uint64_t now_ns)
{
	struct lai_outbox_record record;

	if (lai_buffer_used(&courier->out) > REFILL_BYTES || !may_encode(courier))
		return;
	/* At once what it may grow to: no record then has to wait for memory. */
	if (!lai_buffer_reserve(&courier->out,
				LAI_COURIER_AHEAD_BYTES - lai_buffer_used(&courier->out))) {
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
		return;
	}
	while (may_encode(courier) &&
	       lai_outbox_next_within(courier->outbox, &record, body_max(courier))) {
		uint64_t before = courier->written_bytes + lai_buffer_used(&courier->out);
		bool ask = asks(courier, now_ns);

		if (!encode(courier, &record, ask)) {
			lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
			return;
		}
		courier->last_begin = before;
		if (!ask)
			continue;
		courier->unasked = 0;
		courier->asked_seq = record.seq;
		lai_courier_ask(courier, record.seq,
				courier->written_bytes + lai_buffer_used(&courier->out), now_ns);
	}
}

/* ---- the way out ----------------------------------------------------------------------------- */

static bool speaks(const struct lai_courier *courier)
{
	return courier->state == LAI_COURIER_LOGIN || courier->state == LAI_COURIER_UP ||
	       courier->state == LAI_COURIER_LEAVING;
}

int lai_courier_to_send(struct lai_courier *courier, struct iovec iov[2], uint64_t now_ns)
{
	refill(courier, now_ns);
	if (courier->state == LAI_COURIER_UP)
		lai_courier_put_beat(courier, now_ns);
	if (!speaks(courier) || lai_buffer_used(&courier->out) == 0)
		return 0;
	iov[0] = (struct iovec){.iov_base = lai_buffer_data(&courier->out),
				.iov_len = lai_buffer_used(&courier->out)};
	return 1;
}

bool lai_courier_wants_write(const struct lai_courier *courier, uint64_t now_ns)
{
	if (!speaks(courier))
		return false;
	return lai_buffer_used(&courier->out) > 0 || may_encode(courier) ||
	       (courier->state == LAI_COURIER_UP && lai_stomp_beat_due(&courier->beat, now_ns));
}

void lai_courier_on_written(struct lai_courier *courier, size_t size, uint64_t now_ns)
{
	if (size == 0 || courier->state == LAI_COURIER_AWAY)
		return;
	lai_buffer_consume(&courier->out, size);
	courier->written_bytes += size;
	lai_stomp_beat_on_sent(&courier->beat, now_ns);
	lai_courier_ask_on_written(courier, now_ns);
}
