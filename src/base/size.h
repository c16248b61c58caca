/* SPDX-License-Identifier: MIT */
/* size.h - numbers of bytes as people write them. */
#ifndef LAI_BASE_SIZE_H
#define LAI_BASE_SIZE_H

#include <stdint.h>

/*
 * Reads a whole number of bytes with an optional factor: k M G T (powers of 1024; "K", "KiB",
 * "kB" and the like are the same). 0 on success, -EINVAL (not a size) or -ERANGE (over 2^63 - 1);
 * *bytes is written only on success.
 */
int lai_size_parse(const char *text, uint64_t *bytes);

/* Longest text of lai_size_format(), with its NUL. */
#define LAI_SIZE_TEXT_MAX 24

/* Writes a number of bytes as people say it ("817 B", "1.5 MiB"); returns text. */
const char *lai_size_format(char text[LAI_SIZE_TEXT_MAX], uint64_t bytes);

#endif
