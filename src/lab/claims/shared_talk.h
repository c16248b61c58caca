/* SPDX-License-Identifier: MIT */
/*
 * shared_talk.h - what the two kernels said to one another on one connection, taken from the
 * capture of the client's wire.
 */
#ifndef LAI_LAB_CLAIMS_SHARED_TALK_H
#define LAI_LAB_CLAIMS_SHARED_TALK_H

#include "lab/call.h"
#include "lab/capture.h"

/* A claim that talks more is not about single segments. */
#define LAI_TALK_MAX 48

/* Segments of one connection, oldest first. */
struct lai_talk {
	size_t count;
	struct lai_captured segments[LAI_TALK_MAX];
};

/* Where the capture stands now. A trial without a capture ends here. */
size_t lai_talk_mark(struct lai_trial *trial);

/* What has passed on this connection since the mark, in both directions; the first LAI_TALK_MAX. */
void lai_talk_read(struct lai_trial *trial, size_t mark, const struct lai_ends *ends,
		   struct lai_talk *talk);

/* Whether the owner of these ends sent it. */
bool lai_talk_is_from(const struct lai_captured *captured, const struct lai_ends *ends);

/* Segments from `from` with all of `flags` and none of `not_flags`. *first becomes the first of
   them, and may be NULL. */
size_t lai_talk_find(const struct lai_talk *talk, const struct lai_address *from, uint8_t flags,
		     uint8_t not_flags, const struct lai_captured **first);

/* Each of them is a line of evidence, with its time. */
void lai_talk_say(struct lai_trial *trial, const struct lai_talk *talk);

#endif
