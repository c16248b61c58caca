/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_label.h"

#include "base/size.h"
#include "base/time.h"
#include "base/view.h"
#include "observe/facts.h"

#include <lastack/report.h>

#include <inttypes.h>

/* Timers beyond this are told to a tenth of a second. */
#define TIMER_COARSE_MS 10000u

const char *lai_sequence_state_name(uint8_t state)
{
	return state == LAI_TCP_NONE ? "not in the table" : la_tcp_state_name(state);
}

static void label_timer(struct lai_text *text, const struct lai_result_state *state)
{
	static const char *const verbs[LAI_TIMER_COUNT] = {
		[LAI_TIMER_RETRANSMIT] = "repeats in",
		[LAI_TIMER_KEEPALIVE] = "probes in",
		[LAI_TIMER_TIME_WAIT] = "ends in",
		[LAI_TIMER_PROBE] = "probes in",
	};
	uint32_t ms = state->timer_ms;
	char time[LAI_TIME_TEXT_MAX];

	if (state->timer >= LAI_TIMER_COUNT || !verbs[state->timer] || ms == 0 ||
	    state->state == LAI_TCP_NONE)
		return;
	if (ms >= TIMER_COARSE_MS)
		ms = (ms + 50) / 100 * 100;
	lai_text_append(text, ", %s %s", verbs[state->timer], lai_time_format(time, ms * LAI_MS));
}

static void label_seq(struct lai_text *text, const struct lai_sequence_row *row)
{
	const struct lai_segment *segment = &row->captured->segment;
	bool syn = segment->flags & LAI_FLAG_SYN;

	/* As tcpdump: absolute while the numbers are agreed on, relative from then on. */
	if (syn)
		lai_text_append(text, " seq %" PRIu32, segment->seq);
	else if (segment->payload_bytes > 0)
		lai_text_append(text, " seq %" PRId32 ":%" PRId32, row->seq,
				row->seq + (int32_t)segment->payload_bytes);
	else if (segment->flags & (LAI_FLAG_FIN | LAI_FLAG_RST) || row->mark == LAI_MARK_KEEPALIVE)
		lai_text_append(text, " seq %" PRId32, row->seq);
	if (segment->flags & LAI_FLAG_ACK && syn)
		lai_text_append(text, " ack %" PRIu32, segment->ack);
	else if (segment->flags & LAI_FLAG_ACK)
		lai_text_append(text, " ack %" PRId32, row->ack);
	if (segment->payload_bytes > 0)
		lai_text_append(text, " len %zu", segment->payload_bytes);
}

static void label_mark(struct lai_text *text, const struct lai_sequence_row *row)
{
	static const char *const words[] = {
		[LAI_MARK_RETRANSMISSION] = " retransmission",
		[LAI_MARK_KEEPALIVE] = " keep-alive or window probe",
	};

	if (row->mark == LAI_MARK_SYN_AGAIN)
		lai_text_append(text, " = expected %c %" PRIu32, row->distance < 0 ? '-' : '+',
				row->distance < 0 ? 0u - (uint32_t)row->distance
						  : (uint32_t)row->distance);
	else if (row->mark != LAI_MARK_NONE)
		lai_text_append(text, "%s", words[row->mark]);
}

void lai_sequence_label_segment(struct lai_text *text, const struct lai_sequence_group *group,
				unsigned wires, const struct lai_sequence_row *row)
{
	const struct lai_segment *segment = &row->captured->segment;
	const struct lai_address *left = row->rightward ? &segment->from : &segment->to;
	char flags[LAI_FLAGS_TEXT_MAX];

	/* Only a NAT changes a connection's ports, and then it matters which ones. */
	if (wires > 1 && (segment->flags & (LAI_FLAG_SYN | LAI_FLAG_ACK)) == LAI_FLAG_SYN &&
	    !lai_address_equal(left, &group->left))
		lai_text_append(text, "port %u ", lai_address_port(left));
	lai_text_append(text, "[%s]", lai_segment_flags(segment->flags, flags));
	label_seq(text, row);
	label_mark(text, row);
	if (segment->window == 0 && !(segment->flags & LAI_FLAG_RST))
		lai_text_append(text, " win 0");
	for (size_t i = 0; i < segment->sack_count; i++)
		lai_text_append(text, " sack %" PRIu32,
				segment->sacks[i].to - segment->sacks[i].from);
	if (segment->has_timestamp)
		lai_text_append(text, " TS %" PRIu32 "/%" PRIu32, segment->ts_value,
				segment->ts_echo);
}

static void label_count(struct lai_text *text, size_t count, const char *what)
{
	lai_text_append(text, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

/* What lies in the middle of a connection too long to be folded. */
static void label_cut(struct lai_text *text, const struct lai_sequence_row *row)
{
	label_count(text, row->omitted_segments, "segment");
	if (row->omitted_flagged)
		lai_text_append(text, " (%zu SYN, FIN or RST)", row->omitted_flagged);
	if (row->omitted_states) {
		lai_text_append(text, " and ");
		label_count(text, row->omitted_states, "state");
	}
	lai_text_append(text, " not drawn");
}

void lai_sequence_label_omitted(struct lai_text *text, const struct lai_sequence_row *row)
{
	size_t acks = row->omitted_segments - row->omitted_data;
	char size[LAI_SIZE_TEXT_MAX];

	if (row->omitted_flagged || row->omitted_states) {
		label_cut(text, row);
		return;
	}
	if (row->omitted_data) {
		label_count(text, row->omitted_data, "segment");
		lai_text_append(text, " of data, %s", lai_size_format(size, row->omitted_bytes));
		if (row->omitted_again)
			lai_text_append(text, " (%zu sent again)", row->omitted_again);
	}
	if (row->omitted_data && acks)
		lai_text_append(text, ", and ");
	if (acks)
		label_count(text, acks, "ACK");
}

void lai_sequence_label_state(struct lai_text *text, const struct lai_result_state *state)
{
	lai_text_append(text, "%s", lai_sequence_state_name(state->state));
	label_timer(text, state);
}
