/* SPDX-License-Identifier: MIT */
/* crc32c.h - the checksum of RFC 3720 (Castagnoli), by the processor where it can (SSE 4.2). */
#ifndef LAI_BASE_CRC32C_H
#define LAI_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of size bytes; data may be NULL if size is 0. To go on: crc is the result for what came before;
   0 at the beginning. */
uint32_t lai_crc32c(uint32_t crc, const void *data, size_t size);
/* The same by table, for processors without the instruction; for tests. */
uint32_t lai_crc32c_by_table(uint32_t crc, const void *data, size_t size);

#endif
