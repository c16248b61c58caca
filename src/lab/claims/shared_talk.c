/* SPDX-License-Identifier: MIT */
/* shared_talk.c - one connection out of a capture. */
#include "lab/claims/shared_talk.h"

#include <stdio.h>

#define WHEN_BYTES_MAX 48 /* "  wire at 12.345678" */

static const struct lai_captured *segments_of(struct lai_trial *trial, size_t *count)
{
	if (!trial->captures[0])
		lai_trial_fail(trial, "the wire was not captured");
	return lai_capture_segments(trial->captures[0], count);
}

size_t lai_talk_mark(struct lai_trial *trial)
{
	size_t count;

	(void)segments_of(trial, &count);
	return count;
}

static bool is_between(const struct lai_captured *captured, const struct lai_address *from,
		       const struct lai_address *to)
{
	return lai_address_equal(&captured->segment.from, from) &&
	       lai_address_equal(&captured->segment.to, to);
}

bool lai_talk_is_from(const struct lai_captured *captured, const struct lai_ends *ends)
{
	return is_between(captured, &ends->local, &ends->remote);
}

void lai_talk_read(struct lai_trial *trial, size_t mark, const struct lai_ends *ends,
		   struct lai_talk *talk)
{
	size_t count;
	const struct lai_captured *all = segments_of(trial, &count);

	talk->count = 0;
	for (size_t i = mark; i < count && talk->count < LAI_TALK_MAX; i++)
		if (is_between(&all[i], &ends->local, &ends->remote) ||
		    is_between(&all[i], &ends->remote, &ends->local))
			talk->segments[talk->count++] = all[i];
}

size_t lai_talk_find(const struct lai_talk *talk, const struct lai_address *from, uint8_t flags,
		     uint8_t not_flags, const struct lai_captured **first)
{
	size_t found = 0;

	for (size_t i = 0; i < talk->count; i++) {
		const struct lai_segment *segment = &talk->segments[i].segment;

		if ((segment->flags & flags) != flags || (segment->flags & not_flags) ||
		    !lai_address_equal(&segment->from, from))
			continue;
		if (found == 0 && first)
			*first = &talk->segments[i];
		found++;
	}
	return found;
}

void lai_talk_say(struct lai_trial *trial, const struct lai_talk *talk)
{
	char when[WHEN_BYTES_MAX];

	for (size_t i = 0; i < talk->count; i++) {
		double since_s =
			(double)lai_time_since(trial->result->began_ns, talk->segments[i].time_ns) /
			LAI_S;

		(void)snprintf(when, sizeof(when), "  wire at %.6f", since_s);
		lai_trial_say_segment(trial, when, &talk->segments[i].segment);
	}
}
