/* SPDX-License-Identifier: MIT */
/*
 * feed_source.h - what the two kinds of feed share; nobody outside this room includes it.
 *
 * A source gives pieces: the files of a list, the successive files of a followed name. The face
 * (feed.c) joins them, and puts the missing newline into a seam.
 */
#ifndef LAI_FEED_FEED_SOURCE_H
#define LAI_FEED_FEED_SOURCE_H

#include "feed/feed.h"

#include <sys/stat.h>

struct lai_feed_ops {
	void (*free)(struct lai_feed *feed);
	int (*fd)(const struct lai_feed *feed);
	uint64_t (*deadline)(const struct lai_feed *feed);
	/* As lai_feed_read(), but *seam (false before the call) may be set, with the result 0: a
	   piece has ended and another follows. */
	ssize_t (*read)(struct lai_feed *feed, void *room, size_t size, bool *seam);
	void (*tend)(struct lai_feed *feed);
	void (*reopen)(struct lai_feed *feed);
	const char *(*name)(const struct lai_feed *feed);
	/* NULL: it has no place. */
	bool (*place)(const struct lai_feed *feed, size_t left, struct lai_feed_place *place);
};

/* First member of each kind. */
struct lai_feed {
	const struct lai_feed_ops *ops;
	struct lai_feed_counts counts;
	char *error;  /* a sentence; NULL: none */
	bool records; /* as in the config */
	bool resumed; /* the place to begin at was found */
	bool midline; /* the last byte given out was not a newline */
};

/* Both kinds' lai_feed_new(): the contract of feed.h, on a zeroed *error. */
int lai_feed_list_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error);
int lai_feed_follow_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error);

/* Frees the sentence: nothing is wrong any more. */
void lai_feed_unsay(char **error);

/* Why a file of this kind cannot be read, as "is a directory"; NULL: it can. */
const char *lai_feed_refusal(mode_t mode);

#endif
