/* SPDX-License-Identifier: MIT */
#include "judge/age.h"

#include "judge/bounds.h"

/* An ACK of our data comes within a round trip and the longest delay of an ACK (TCP_DELACK_MAX). */
#define DELAYED_ACK_MS 200

static uint64_t greatest(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t most = a > b ? a : b;

	return most > c ? most : c;
}

/*
 * The last ACK is that of the FIN itself, unless it answered something of ours: data, or a probe.
 * Data sent just before it leaves both readings open.
 */
static enum lai_age_kind kind_of_fin(const struct lai_socket_fact *socket)
{
	uint64_t answer_ms = (uint64_t)socket->rtt_us / 1000 + DELAYED_ACK_MS;
	/* The peer's ACK of our SYN counts as one byte if it was we who connected. */
	bool silent = socket->sent_bytes == 0 && socket->acked_bytes <= 1;

	if (socket->timer != LAI_TIMER_NONE || socket->wqueue_bytes > 0)
		return LAI_AGE_LOWER_BOUND;
	return silent || socket->sent_age_ms > socket->ack_age_ms + answer_ms ? LAI_AGE_EXACT
									      : LAI_AGE_LOWER_BOUND;
}

/* Our FIN has been acknowledged; later the peer sends ACKs with its data only, or for probes. */
static enum lai_age_kind kind_of_half_close(const struct lai_socket_fact *socket)
{
	return socket->timer == LAI_TIMER_NONE && socket->received_age_ms > socket->ack_age_ms
		       ? LAI_AGE_EXACT
		       : LAI_AGE_LOWER_BOUND;
}

static enum lai_age_kind age_of_time_wait(const struct lai_socket_fact *socket, uint64_t *age_ms)
{
	if (socket->timer != LAI_TIMER_TIME_WAIT || socket->timer_ms > LAI_TIME_WAIT_MS)
		return LAI_AGE_UNKNOWN;
	*age_ms = LAI_TIME_WAIT_MS - socket->timer_ms;
	return LAI_AGE_EXACT;
}

enum lai_age_kind lai_age_of(const struct lai_socket_fact *socket, uint64_t *age_ms)
{
	if (socket->state == LAI_TCP_TIME_WAIT)
		return age_of_time_wait(socket, age_ms);
	if (!socket->has_info)
		return LAI_AGE_UNKNOWN;
	switch (socket->state) {
	case LAI_TCP_CLOSE_WAIT: *age_ms = socket->ack_age_ms; return kind_of_fin(socket);
	case LAI_TCP_FIN_WAIT2: *age_ms = socket->ack_age_ms; return kind_of_half_close(socket);
	case LAI_TCP_ESTABLISHED:
		/* The kernel starts all three clocks when the connection is made. */
		*age_ms =
			greatest(socket->sent_age_ms, socket->received_age_ms, socket->ack_age_ms);
		return LAI_AGE_LOWER_BOUND;
	/* These begin with our FIN, which may be younger than the last ACK. */
	default: return LAI_AGE_UNKNOWN;
	}
}

enum lai_age_kind lai_age_since(const struct lai_socket_fact *socket,
				const struct lai_socket_fact *earlier, uint64_t interval_ms,
				uint64_t *age_ms)
{
	uint64_t now_ms = 0, then_ms = 0;
	enum lai_age_kind kind = lai_age_of(socket, &now_ms), before;

	if (earlier && earlier->state == socket->state) {
		before = lai_age_of(earlier, &then_ms);
		if (kind != LAI_AGE_EXACT && then_ms + interval_ms > now_ms) {
			now_ms = then_ms + interval_ms;
			kind = before == LAI_AGE_EXACT ? before : LAI_AGE_LOWER_BOUND;
		}
	}
	if (kind != LAI_AGE_UNKNOWN)
		*age_ms = now_ms;
	return kind;
}
