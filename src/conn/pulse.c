/* SPDX-License-Identifier: MIT */
#include "conn/pulse.h"

/*
 * A peer that was quiet for this long and answers our next segment with RST has lost the
 * connection; one that was talking a moment ago has decided to reset it.
 */
#define QUIET_NS (1 * LAI_S)

void lai_pulse_init(struct lai_pulse *pulse, uint64_t now_ns)
{
	*pulse = (struct lai_pulse){
		.asking_since_ns = LA_NEVER, .heard_ns = now_ns, .progress_ns = now_ns};
}

static void ask(struct lai_pulse *pulse, uint64_t now_ns)
{
	if (pulse->asking_since_ns != LA_NEVER)
		return;
	pulse->asking_since_ns = now_ns;
	pulse->silence_before_ns = lai_time_since(pulse->heard_ns, now_ns);
}

void lai_pulse_on_written(struct lai_pulse *pulse, bool outstanding, uint64_t now_ns)
{
	if (!outstanding)
		pulse->progress_ns = now_ns;
	ask(pulse, now_ns);
}

void lai_pulse_on_view(struct lai_pulse *pulse, const struct lai_view *view, bool outstanding,
		       uint64_t now_ns)
{
	uint64_t heard_ns = lai_time_since(view->ack_age_ns, now_ns);

	if (heard_ns > pulse->heard_ns)
		pulse->heard_ns = heard_ns;
	if (view->acked_bytes > pulse->acked_bytes || !outstanding)
		pulse->progress_ns = now_ns;
	pulse->acked_bytes = view->acked_bytes;
	if (view->window_bytes > pulse->window_max_bytes)
		pulse->window_max_bytes = view->window_bytes;
	pulse->last = *view;
	/* The kernel empties its queue when a connection dies: what was asked stays asked. */
	if (view->tcp_state == LAI_TCP_CLOSE)
		return;
	if (view->in_flight > 0 || view->unanswered > 0)
		ask(pulse, now_ns);
	else
		pulse->asking_since_ns = LA_NEVER;
}

uint64_t lai_pulse_silent_for(const struct lai_pulse *pulse, uint64_t now_ns)
{
	uint64_t since_ns = pulse->asking_since_ns;

	if (since_ns == LA_NEVER)
		return 0;
	return lai_time_since(since_ns > pulse->heard_ns ? since_ns : pulse->heard_ns, now_ns);
}

uint64_t lai_pulse_stuck_for(const struct lai_pulse *pulse, uint64_t now_ns)
{
	return lai_time_since(pulse->progress_ns, now_ns);
}

uint64_t lai_pulse_unread_bytes(const struct lai_pulse *pulse)
{
	/* A Linux receiver that has read everything announces it only once its window has doubled
	   (__tcp_cleanup_rbuf()): what lacks less than half says nothing. */
	uint64_t lacking = pulse->window_max_bytes - pulse->last.window_bytes;

	return lacking > pulse->window_max_bytes / 2 ? lacking : 0;
}

bool lai_pulse_was_silent(const struct lai_pulse *pulse, uint64_t now_ns)
{
	/* Not by the count alone: Linux answers window probes at most twice a second
	   (tcp_invalid_ratelimit), so a live peer often leaves one unanswered. */
	if (pulse->last.unanswered > 0)
		return lai_time_since(pulse->heard_ns, now_ns) >= QUIET_NS;
	return pulse->asking_since_ns != LA_NEVER && pulse->heard_ns <= pulse->asking_since_ns &&
	       pulse->silence_before_ns >= QUIET_NS;
}

uint64_t lai_pulse_peer_buffer_max(const struct lai_pulse *pulse)
{
	return 65536ull << pulse->last.window_scale;
}
