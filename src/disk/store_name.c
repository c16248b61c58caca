/* SPDX-License-Identifier: MIT */
#include "disk/store_name.h"

#include <openssl/sha.h>

#include <stdio.h>

/* Longer ones are cut to the second, and told apart by so much of their hash. */
#define PLAIN_MAX 200
#define CUT_LENGTH 128
#define HASH_BYTES 16

_Static_assert(PLAIN_MAX + sizeof(".log") <= LAI_STORE_NAME_MAX &&
		       CUT_LENGTH + 2 + 2 * HASH_BYTES + sizeof(".log") <= LAI_STORE_NAME_MAX,
	       "every name fits");

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

/* "%" is followed by two digits wherever else it stands, so "%~" and a lone "%" are marks. */
static char *cut(char *name, struct lai_slice destination)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char *at = name + CUT_LENGTH;

	(void)SHA256((const unsigned char *)destination.data, destination.size, hash);
	*at++ = '%';
	*at++ = '~';
	for (int i = 0; i < HASH_BYTES; i++, at += 2)
		(void)snprintf(at, 3, "%02x", hash[i]);
	return at;
}

void lai_store_name(char name[LAI_STORE_NAME_MAX], struct lai_slice destination)
{
	char *at = name;
	size_t i;

	for (i = 0; i < destination.size && at + 3 <= name + PLAIN_MAX; i++) {
		if (is_plain(destination.data[i]) && !(i == 0 && destination.data[i] == '.'))
			*at++ = destination.data[i];
		else
			at += snprintf(at, 4, "%%%02X", (unsigned char)destination.data[i]);
	}
	if (i < destination.size)
		at = cut(name, destination);
	if (destination.size == 0)
		*at++ = '%';
	memcpy(at, ".log", sizeof(".log"));
}
