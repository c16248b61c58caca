/* SPDX-License-Identifier: MIT */
/* segment.c - what a segment says, in numbers and in words. */
#include "lab/segment.h"

uint32_t lai_segment_length(const struct lai_segment *segment)
{
	return (uint32_t)segment->payload_bytes + !!(segment->flags & LAI_FLAG_SYN) +
	       !!(segment->flags & LAI_FLAG_FIN);
}

const char *lai_segment_flags(uint8_t flags, char text[LAI_FLAGS_TEXT_MAX])
{
	static const char letters[8] = "FSRP.UEW"; /* from bit 0 on, in tcpdump's order */
	size_t length = 0;

	for (unsigned bit = 0; bit < sizeof(letters); bit++)
		if (flags & 1u << bit)
			text[length++] = letters[bit];
	text[length] = '\0';
	return length ? text : "none";
}

/* Between options a comma, before the first one a space and a bracket. */
static const char *separator(bool *first)
{
	const char *text = *first ? " <" : ",";

	*first = false;
	return text;
}

static void options_describe(const struct lai_segment *segment, struct lai_text *text)
{
	bool first = true;

	if (segment->mss)
		lai_text_append(text, "%smss %u", separator(&first), segment->mss);
	if (segment->sack_permitted)
		lai_text_append(text, "%ssackOK", separator(&first));
	if (segment->has_timestamp)
		lai_text_append(text, "%sTS %u %u", separator(&first), segment->ts_value,
				segment->ts_echo);
	if (segment->has_scale)
		lai_text_append(text, "%swscale %u", separator(&first), segment->scale);
	for (uint8_t i = 0; i < segment->sack_count; i++)
		lai_text_append(text, "%ssack %u-%u", separator(&first), segment->sacks[i].from,
				segment->sacks[i].to);
	if (!first)
		lai_text_append(text, ">");
}

void lai_segment_describe(const struct lai_segment *segment, struct lai_text *text)
{
	char from[LA_ADDRESS_TEXT_MAX], to[LA_ADDRESS_TEXT_MAX], flags[LAI_FLAGS_TEXT_MAX];

	lai_text_append(text, "%s > %s [%s] seq %u", lai_address_format(from, &segment->from),
			lai_address_format(to, &segment->to),
			lai_segment_flags(segment->flags, flags), segment->seq);
	if (segment->flags & LAI_FLAG_ACK)
		lai_text_append(text, " ack %u", segment->ack);
	lai_text_append(text, " win %u", segment->window);
	if (segment->flags & LAI_FLAG_URG)
		lai_text_append(text, " urg %u", segment->urgent);
	if (segment->payload_bytes)
		lai_text_append(text, " len %zu", segment->payload_bytes);
	options_describe(segment, text);
}
