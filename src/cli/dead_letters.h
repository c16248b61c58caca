/* SPDX-License-Identifier: MIT */
/* dead_letters.h - records that a server refuses for ever: kept in a file, one JSON object a line. */
#ifndef LAI_CLI_DEAD_LETTERS_H
#define LAI_CLI_DEAD_LETTERS_H

#include <lastack/link.h>

/* Appends {"sender", "seq", "time", "message", "body" or "body_base64"} to path and syncs it, so that it is on
   disk before a spool forgets the record. 0, or a negative errno. */
int lai_dead_letters_add(const char *path, const struct la_refusal *refusal);

#endif
