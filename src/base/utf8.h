/* SPDX-License-Identifier: MIT */
/* utf8.h - whether bytes are text: UTF-8 as RFC 3629, section 4, has it. */
#ifndef LAI_BASE_UTF8_H
#define LAI_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How many bytes at data (size > 0) form one sequence, or, with *valid false, how many of them are
 * one broken sequence: the longest start of a good one, at least 1.
 */
size_t lai_utf8_sequence(const unsigned char *data, size_t size, bool *valid);

/* Whether all of it is UTF-8 without a NUL. data may be NULL if size is 0, which is text. */
bool lai_utf8_is_text(const void *data, size_t size);

#endif
