/* SPDX-License-Identifier: MIT */
#include "drive/server_memo.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_BYTES 32
/* A digest has one place, which a later one takes from it: then it is checked slowly again. Users are
   people and programs: a few hundred, rarely more than this. */
#define SLOTS 4096u
/* LAI_USER_MAX and LAI_PASSWORD_MAX of the session, and what crypt(3) makes at most, with room. */
#define TEXT_MAX 2048

struct lai_memo {
	uint8_t key[KEY_BYTES];
	struct slot {
		bool used;
		uint8_t digest[LAI_MEMO_DIGEST_BYTES];
	} slots[SLOTS];
};

int lai_memo_new(struct lai_memo **memo)
{
	struct lai_memo *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	if (getrandom(made->key, sizeof(made->key), 0) != sizeof(made->key)) {
		free(made);
		return -EIO;
	}
	*memo = made;
	return 0;
}

void lai_memo_free(struct lai_memo *memo)
{
	if (memo)
		OPENSSL_cleanse(memo, sizeof(*memo));
	free(memo);
}

/* With its NUL, which no text contains: nothing moves from one part into the next. */
static bool append(char *text, size_t *used, const char *part)
{
	size_t size = strlen(part) + 1;

	if (size > TEXT_MAX - *used)
		return false;
	memcpy(text + *used, part, size);
	*used += size;
	return true;
}

bool lai_memo_digest(const struct lai_memo *memo, const char *user, const char *password,
		     const char *hash, uint8_t digest[LAI_MEMO_DIGEST_BYTES])
{
	unsigned length = 0;
	char text[TEXT_MAX];
	size_t used = 0;
	bool done = append(text, &used, user) && append(text, &used, password) &&
		    append(text, &used, hash) &&
		    HMAC(EVP_sha256(), memo->key, KEY_BYTES, (const unsigned char *)text, used,
			 digest, &length) != NULL &&
		    length == LAI_MEMO_DIGEST_BYTES;

	OPENSSL_cleanse(text, used);
	return done;
}

static unsigned place_of(const uint8_t *digest)
{
	return (digest[0] | (unsigned)digest[1] << 8) % SLOTS;
}

bool lai_memo_has(const struct lai_memo *memo, const uint8_t digest[LAI_MEMO_DIGEST_BYTES])
{
	const struct slot *slot = &memo->slots[place_of(digest)];

	return slot->used && CRYPTO_memcmp(slot->digest, digest, LAI_MEMO_DIGEST_BYTES) == 0;
}

void lai_memo_add(struct lai_memo *memo, const uint8_t digest[LAI_MEMO_DIGEST_BYTES])
{
	struct slot *slot = &memo->slots[place_of(digest)];

	slot->used = true;
	memcpy(slot->digest, digest, LAI_MEMO_DIGEST_BYTES);
}
