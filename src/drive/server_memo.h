/* SPDX-License-Identifier: MIT */
/*
 * server_memo.h - passwords that were right, by a keyed hash that is fast: thousands of senders of one
 * user log in at the cost of one slow check.
 *
 * The key is this process's own and random: what is in the table tells nothing to who has not
 * the key. Wrong passwords never enter it; a user's new hash makes what was remembered worthless,
 * since the hash is part of what is hashed.
 */
#ifndef LAI_DRIVE_SERVER_MEMO_H
#define LAI_DRIVE_SERVER_MEMO_H

#include "drive/server_checker.h"

struct lai_memo;

/* 0, -ENOMEM, or another negative errno: no random key can be had. */
int lai_memo_new(struct lai_memo **memo);
/* Wipes it. NULL is fine. */
void lai_memo_free(struct lai_memo *memo);

/* What a login is remembered by. false: it cannot be had, and nothing is to be remembered. */
bool lai_memo_digest(const struct lai_memo *memo, const char *user, const char *password,
		     const char *hash, uint8_t digest[LAI_MEMO_DIGEST_BYTES]);
bool lai_memo_has(const struct lai_memo *memo, const uint8_t digest[LAI_MEMO_DIGEST_BYTES]);
void lai_memo_add(struct lai_memo *memo, const uint8_t digest[LAI_MEMO_DIGEST_BYTES]);

#endif
