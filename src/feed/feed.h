/* SPDX-License-Identifier: MIT */
/*
 * feed.h - where the records come from: standard input, files one after another, or one file that
 * is followed through rotation and truncation.
 *
 * For an event loop around poll(2), which asks again before each poll (the descriptor changes):
 *
 *	while there is room for more:
 *		poll {lai_feed_fd(), POLLIN}, if it is >= 0, until lai_feed_deadline()
 *		lai_feed_read()
 *	while there is none: lai_feed_tend() each second, and do not poll the feed
 *
 * No call blocks, except that reading a regular file waits for its disk.
 */
#ifndef LAI_FEED_FEED_H
#define LAI_FEED_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lai_feed;

/* A place in a followed file, that outlives us. */
struct lai_feed_place {
	uint64_t device, inode;
	uint64_t offset; /* of the first byte that is not done */
	/* CRC32C of the (at most 64) bytes before it: an inode number can be used again. */
	uint32_t check;
};

/* Room for its text, "8:2:1234:5678:9abcdef0". */
#define LAI_FEED_PLACE_MAX 96

/* Zero is a good value for every field: standard input, as it is. */
struct lai_feed_config {
	const char *const *files; /* read in this order; "-" is standard input. Copied */
	size_t file_count;	  /* 0: standard input alone */
	const char *follow;	  /* read this file for ever instead; no files then. Copied */
	bool from_end;		  /* follow: begin at the end of what is there; with records,
				     at the beginning of an unfinished last line */
	/* follow: begin here, in whatever name the file has now, and then go on with what has the
	   name; NULL: at the beginning */
	const struct lai_feed_place *resume;
	bool records;		  /* end a piece that has no newline with one if another follows */
	int stdin_fd;		  /* what "standard input" is: 0 in real life. Stays the caller's */
	uint64_t recheck_ns;	  /* follow: LAI_FEED_RECHECK_NS if 0 */
	bool no_inotify;	  /* follow: rely on re-checks alone */
};

/*
 * How often a followed name is looked at without being told to: NFS and other network file systems
 * do not report what other hosts do. It is also how long a rotated file must have been silent,
 * while its successor has bytes, before it is left: its writers may still be finishing.
 */
#define LAI_FEED_RECHECK_NS 1000000000ull

struct lai_feed_counts {
	uint64_t bytes;	      /* given out by lai_feed_read(), inserted newlines included */
	uint64_t newlines;    /* inserted because of .records */
	uint64_t rotations;   /* follow: times the name has become another file */
	uint64_t truncations; /* follow: times the file was cut and written anew */
};

/*
 * Checks everything that can be checked before the first byte: each file must exist and be readable
 * (a followed one may be missing, its directory not), and no directory or socket. Standard input
 * must be open for reading. Sets nothing on standard input but the size of a pipe (F_SETPIPE_SZ).
 * 0: *feed is the caller's. -ENOMEM: *error is NULL. Else a negative errno: *error is a sentence
 * without a full stop, naming the file, to be released with free().
 */
int lai_feed_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error);

/* NULL is fine. Standard input is left open. */
void lai_feed_free(struct lai_feed *feed);

/* Descriptor to poll for POLLIN; -1: lai_feed_read() has something to do at once. */
int lai_feed_fd(const struct lai_feed *feed);

/* CLOCK_MONOTONIC time at which to call lai_feed_read() even if the descriptor says nothing; 0: at
   once, when lai_feed_fd() is -1; LA_NEVER: the descriptor is enough. */
uint64_t lai_feed_deadline(const struct lai_feed *feed);

/*
 * Bytes, at most size (> 0), written to room. -EAGAIN: nothing now. 0: the end of all input; never
 * when following. Another negative errno: see lai_feed_error(); calling again tries again.
 */
ssize_t lai_feed_read(struct lai_feed *feed, void *room, size_t size);

/* Notices rotations while nothing can be read for lack of room, so that no file is missed when
   several (up to 15 at a time) come in a row. Cheap: looks at the clock first. */
void lai_feed_tend(struct lai_feed *feed);

/* SIGHUP: looks at a followed name at the next read, without waiting for the re-check. */
void lai_feed_reopen(struct lai_feed *feed);

/* A sentence naming the file: why the last read failed, or why a followed name cannot be opened at
   the moment (reads give -EAGAIN then). NULL: nothing is wrong. Valid until the next call. */
const char *lai_feed_error(const struct lai_feed *feed);

/* What is being read: a file's name as given, or "standard input". Never NULL. */
const char *lai_feed_name(const struct lai_feed *feed);

/*
 * Where a followed file stands, `left` bytes before what is read next (they are with the caller,
 * and not done). false: nothing is followed or open, or those bytes are not all of this file.
 */
bool lai_feed_place(const struct lai_feed *feed, size_t left, struct lai_feed_place *place);
/* As a text, and back. false: it is none. */
void lai_feed_place_format(char text[LAI_FEED_PLACE_MAX], const struct lai_feed_place *place);
bool lai_feed_place_parse(const char *text, struct lai_feed_place *place);
/* follow with .resume: the file was found, under this name or another. */
bool lai_feed_resumed(const struct lai_feed *feed);

void lai_feed_counts(const struct lai_feed *feed, struct lai_feed_counts *counts);

#endif
