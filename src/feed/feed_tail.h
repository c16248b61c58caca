/* SPDX-License-Identifier: MIT */
/*
 * feed_tail.h - one open file that grows, read up to where it ends at the moment, and noticing when
 * it is truncated and written anew.
 *
 * "copytruncate" gives three pictures:
 *	shorter than what was read: plainly truncated.
 *	at least as long, other bytes before our place: truncated and already grown past it. So the
 *	last bytes read are kept and compared before each read.
 *	a hole, then data: a writer without O_APPEND goes on at its old place. The hole is not data.
 */
#ifndef LAI_FEED_FEED_TAIL_H
#define LAI_FEED_FEED_TAIL_H

#include "feed/feed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Bytes kept for comparison: two log lines differ in their time stamps, well within this. */
#define LAI_FEED_TAIL_KEPT 64

struct lai_feed_tail {
	int fd;	   /* the tail's own; -1: none */
	int watch; /* of feed_watch.h, kept here for its owner */
	dev_t device;
	ino_t inode;
	uint64_t offset; /* next byte to read */
	unsigned kept_bytes;
	unsigned char kept[LAI_FEED_TAIL_KEPT]; /* the bytes before offset */
	bool anew;    /* truncated: what comes next may be behind a hole */
	bool in_hole; /* zeros that come next belong to a hole */
};

/* Takes fd, and the file's identity from *status. Starts at the beginning. */
void lai_feed_tail_init(struct lai_feed_tail *tail, int fd, const struct stat *status);

/* Closes the descriptor. */
void lai_feed_tail_done(struct lai_feed_tail *tail);

/* Moves to the end; with records, to the beginning of a last line that has no newline yet. */
void lai_feed_tail_to_end(struct lai_feed_tail *tail, bool records);

/* Moves to this place; false: this is another file, or it is not what it was. */
bool lai_feed_tail_resume(struct lai_feed_tail *tail, const struct lai_feed_place *place);
/* The place `left` bytes before the next byte to read. false: they do not all belong to this
   file. */
bool lai_feed_tail_place(const struct lai_feed_tail *tail, size_t left,
			 struct lai_feed_place *place);

/* How long the file is now; 0 if even that cannot be said. */
uint64_t lai_feed_tail_size(const struct lai_feed_tail *tail);

/* Bytes; 0: the end for now; or a negative errno. *truncated is set, with the result 0, when the
   file was truncated: the next read begins it anew. */
ssize_t lai_feed_tail_read(struct lai_feed_tail *tail, void *room, size_t size, bool *truncated);

#endif
