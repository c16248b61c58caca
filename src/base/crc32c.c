/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include <string.h>

/* The remainders of four bits by the polynomial 0x1edc6f41 of RFC 3720, bits reversed (0x82f63b78).
   Small and constant: nothing to fill, and who needs it has other cares than speed. */
static const uint32_t table[16] = {
	0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u,
	0x61c69362u, 0x7198540du, 0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u,
	0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u,
};

uint32_t lai_crc32c_by_table(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_processor(uint32_t crc, const void *data,
							       size_t size)
{
	const uint8_t *bytes = data;
	uint64_t word, state = ~crc;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		state = __builtin_ia32_crc32di(state, word);
	}
	for (; size > 0; size--)
		state = __builtin_ia32_crc32qi((uint32_t)state, *bytes++);
	return ~(uint32_t)state;
}

uint32_t lai_crc32c(uint32_t crc, const void *data, size_t size)
{
	if (__builtin_cpu_supports("sse4.2"))
		return by_processor(crc, data, size);
	return lai_crc32c_by_table(crc, data, size);
}

#else

uint32_t lai_crc32c(uint32_t crc, const void *data, size_t size)
{
	return lai_crc32c_by_table(crc, data, size);
}

#endif
