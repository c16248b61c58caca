/* SPDX-License-Identifier: MIT */
/* raw_end.c - a connection between a raw peer and a kernel, of which we remember what a kernel
   would, and do what the claim wants. */
#include "lab/raw.h"

#define MSS_DEFAULT 1460
#define WINDOW 65535
/* Ports that are drawn: none that a program listens on by custom. */
#define PORT_MIN 10000
#define PORT_MAX 65000
/* Two namespaces on one machine: an answer takes microseconds, on a busy one milliseconds. */
#define HANDSHAKE_WAIT_NS (5 * LAI_S)

/* Never 0, which means "not set" in a plan and in a header. */
static uint32_t random_number(struct lai_trial *trial)
{
	return 1 + (uint32_t)lai_random_below(&trial->random, UINT32_MAX);
}

static struct lai_raw_end end_new(struct lai_trial *trial, struct lai_raw *raw,
				  const struct lai_raw_plan *plan)
{
	uint16_t port = plan->port ? plan->port
				   : (uint16_t)(PORT_MIN + lai_random_below(&trial->random,
									    PORT_MAX - PORT_MIN));
	struct lai_raw_end end = {
		.raw = raw,
		.local = lai_raw_address(raw, port),
		.isn = plan->isn ? plan->isn : random_number(trial),
		.timestamps = plan->timestamps,
		.ts_value = plan->ts_value ? plan->ts_value : random_number(trial),
		.window = WINDOW,
	};

	end.snd_nxt = end.isn;
	return end;
}

static void offer(struct lai_raw_end *end, const struct lai_raw_plan *plan, uint8_t flags)
{
	struct lai_segment syn = lai_raw_segment(end, flags);

	syn.mss = plan->mss ? plan->mss : MSS_DEFAULT;
	syn.sack_permitted = plan->sack;
	lai_raw_send(end->raw, &syn);
	end->snd_nxt += lai_segment_length(&syn);
}

/* What the peer's SYN or SYN-ACK says. */
static void learn(struct lai_raw_end *end, const struct lai_segment *syn)
{
	end->peer_isn = syn->seq;
	end->rcv_nxt = syn->seq + 1;
	end->timestamps = end->timestamps && syn->has_timestamp;
	end->ts_recent = end->timestamps ? syn->ts_value : 0;
}

struct lai_raw_end lai_raw_connect(struct lai_trial *trial, struct lai_raw *raw,
				   const struct lai_address *to, const struct lai_raw_plan *plan)
{
	struct lai_raw_end end = end_new(trial, raw, plan);
	char text[LA_ADDRESS_TEXT_MAX], flags[LAI_FLAGS_TEXT_MAX];
	struct lai_segment answer;

	end.remote = *to;
	offer(&end, plan, LAI_FLAG_SYN);
	if (!lai_raw_hear(&end, &answer, HANDSHAKE_WAIT_NS))
		lai_trial_fail(trial, "%s does not answer the raw peer's SYN",
			       lai_address_format(text, to));
	if (answer.flags != (LAI_FLAG_SYN | LAI_FLAG_ACK) || answer.ack != end.snd_nxt)
		lai_trial_fail(trial, "%s answers the raw peer's SYN with [%s]",
			       lai_address_format(text, to),
			       lai_segment_flags(answer.flags, flags));
	learn(&end, &answer);
	lai_raw_say(&end, LAI_FLAG_ACK, 0);
	return end;
}

struct lai_raw_end lai_raw_accept(struct lai_trial *trial, struct lai_raw *raw,
				  const struct lai_raw_plan *plan, uint64_t wait_ns)
{
	struct lai_raw_end end;
	struct lai_segment syn;

	do {
		if (!lai_raw_receive(raw, plan->port, &syn, wait_ns))
			lai_trial_fail(trial, "no SYN has come to the raw peer's port %u",
				       plan->port);
	} while ((syn.flags & (LAI_FLAG_SYN | LAI_FLAG_ACK)) != LAI_FLAG_SYN);
	end = end_new(trial, raw, plan);
	end.local = syn.to;
	end.remote = syn.from;
	learn(&end, &syn);
	offer(&end, plan, LAI_FLAG_SYN | LAI_FLAG_ACK);
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_ACK, HANDSHAKE_WAIT_NS);
	return end;
}

struct lai_segment lai_raw_segment(const struct lai_raw_end *end, uint8_t flags)
{
	return (struct lai_segment){
		.from = end->local,
		.to = end->remote,
		.flags = flags,
		.seq = end->snd_nxt,
		.ack = flags & LAI_FLAG_ACK ? end->rcv_nxt : 0,
		.window = end->window,
		.has_timestamp = end->timestamps,
		.ts_value = end->timestamps ? end->ts_value : 0,
		.ts_echo = end->timestamps && flags & LAI_FLAG_ACK ? end->ts_recent : 0,
	};
}

void lai_raw_say(struct lai_raw_end *end, uint8_t flags, size_t payload_bytes)
{
	struct lai_segment segment = lai_raw_segment(end, flags);

	segment.payload_bytes = payload_bytes;
	lai_raw_send(end->raw, &segment);
	end->snd_nxt += lai_segment_length(&segment);
}

static void take(struct lai_raw_end *end, const struct lai_segment *segment)
{
	if (segment->seq != end->rcv_nxt || segment->flags & LAI_FLAG_SYN)
		return;
	end->rcv_nxt += lai_segment_length(segment);
	if (end->timestamps && segment->has_timestamp)
		end->ts_recent = segment->ts_value;
}

bool lai_raw_hear(struct lai_raw_end *end, struct lai_segment *segment, uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	uint16_t port = lai_address_port(&end->local);

	while (lai_raw_receive(end->raw, port, segment,
			       lai_time_since(lai_clock_now(), deadline_ns))) {
		if (!lai_address_equal(&segment->from, &end->remote))
			continue;
		take(end, segment);
		return true;
	}
	return false;
}

struct lai_segment lai_raw_hear_flags(struct lai_trial *trial, struct lai_raw_end *end,
				      uint8_t flags, uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	char text[LAI_FLAGS_TEXT_MAX];
	struct lai_segment segment;

	while (lai_raw_hear(end, &segment, lai_time_since(lai_clock_now(), deadline_ns)))
		if ((segment.flags & flags) == flags)
			return segment;
	lai_trial_fail(trial, "the raw peer waited in vain for a segment with [%s]",
		       lai_segment_flags(flags, text));
}
