/* SPDX-License-Identifier: MIT */
/*
 * spool.h - records on disk until they are confirmed: one file, one sender.
 *
 * A link that is given a path (la_link_config.spool) keeps its records there; what an earlier run
 * left is sent first. The functions below look at such a file from outside.
 */
#ifndef LASTACK_SPOOL_H
#define LASTACK_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What survives what. X(enumerator, name, sentence). */
#define LA_DURABILITIES(X)                                                                         \
	X(FULL, "full", "survives a crash of the program and loss of power")                       \
	X(BATCH, "batch",                                                                          \
	  "survives a crash of the program; loss of power may take the last second")               \
	X(NONE, "none",                                                                            \
	  "survives a crash of the program; loss of power may take anything that the kernel "      \
	  "has not written yet")

enum la_durability {
#define X(id, name, sentence) LA_DURABILITY_##id,
	LA_DURABILITIES(X)
#undef X
	LA_DURABILITY_COUNT
};

const char *la_durability_name(enum la_durability durability);
const char *la_durability_sentence(enum la_durability durability);

/* What happens when quota_bytes are full: as enum la_full_policy of link.h. */
struct la_spool_config {
	const char *path;     /* SQLite file, created with mode 0600; NULL: no spool */
	uint64_t quota_bytes; /* of records' bodies; default 1 GiB */
	enum la_durability durability;
};

/* A sender's id: letters, digits, '.', '_', '-'. With the final NUL. */
#define LA_SENDER_MAX 64
/* Where a sender's input stands, in the sender's words. With the final NUL. */
#define LA_PLACE_MAX 256

struct la_spool_info {
	char sender[LA_SENDER_MAX];   /* id of the sender whose records these are */
	uint64_t first_seq, last_seq; /* of the waiting records; 0: none waits */
	uint64_t accepted_seq;	      /* the last one ever accepted */
	uint64_t confirmed_seq;	      /* every one up to here was confirmed or given up */
	uint64_t records, bytes;      /* waiting and whole */
	uint64_t dropped_records, dropped_bytes; /* by the quota */
	uint64_t damaged_blocks; /* groups of records whose checksum is wrong, or unreadable */
	bool in_use;		 /* a sender has it open now */
	char place[LA_PLACE_MAX]; /* where its input stood, in its words (la_link_set_place()) */
};

/*
 * Looks at a spool without changing it, even while a sender uses it. 0; -ENOENT; -EBADMSG: not a
 * spool, or so damaged that nothing can be read; -EACCES or another negative errno. *error is a
 * sentence then (NULL: out of memory), to be released with free(); error may be NULL.
 */
int la_spool_inspect(const char *path, struct la_spool_info *info, char **error);

/* Calls on_record for every whole record that waits, oldest first, until it returns non-zero, which
   is then returned. 0, or as above; damaged parts are passed over, and counted in *info. */
int la_spool_export(const char *path,
		    int (*on_record)(void *arg, uint64_t seq, const void *body, size_t size),
		    void *arg, struct la_spool_info *info, char **error);

#ifdef __cplusplus
}
#endif
#endif
