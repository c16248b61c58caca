/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t lai_utf8_sequence(const unsigned char *data, size_t size, bool *valid)
{
	unsigned char first = data[0], low = 0x80, high = 0xbf;
	size_t length, i;

	*valid = first < 0x80;
	if (first < 0xc2 || first > 0xf4)
		return 1;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	switch (first) { /* overlong forms, surrogates, and what is over U+10FFFF */
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	default: break;
	}
	for (i = 1; i < length && i < size; i++) {
		if (data[i] < low || data[i] > high)
			return i;
		low = 0x80;
		high = 0xbf;
	}
	*valid = i == length;
	return i;
}

/* Eight bytes at once while they are ASCII and not NUL, which is what most texts are. */
static bool is_ascii_word(const unsigned char *data)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
	uint64_t word;

	(void)memcpy(&word, data, sizeof(word));
	return !((word | (word - ones)) & tops);
}

bool lai_utf8_is_text(const void *data, size_t size)
{
	const unsigned char *at = data;
	bool valid = true;

	while (size > 0 && valid) {
		bool word = size >= sizeof(uint64_t) && is_ascii_word(at);
		size_t length = word ? sizeof(uint64_t) : lai_utf8_sequence(at, size, &valid);

		valid = valid && *at != '\0';
		at += length;
		size -= length;
	}
	return valid;
}
