/* SPDX-License-Identifier: MIT */
/*
 * text.h - a string that grows up to a maximum.
 *
 * The first failure is latched: every later append does nothing, and lai_text_steal() returns it.
 * So a long text can be written without a check on each line.
 */
#ifndef LAI_BASE_TEXT_H
#define LAI_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For init as a definition: struct lai_text text = LAI_TEXT_INIT(1024); */
#define LAI_TEXT_INIT(max) {.length_max = (max)}

struct lai_text {
	char *data;	   /* NULL or NUL-terminated; valid until the next call */
	size_t length;	   /* without the NUL */
	size_t length_max; /* an append that would go over it fails as a whole */
	size_t room_bytes; /* allocated */
	int error;	   /* the first failure: 0, -ENOMEM, or -EMSGSIZE (over length_max) */
};

/* Allocates nothing. length_max > 0. */
void lai_text_init(struct lai_text *text, size_t length_max);

/* Frees the text; it is then empty, without error, and usable again. */
void lai_text_done(struct lai_text *text);

/* As printf. */
void lai_text_append(struct lai_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void lai_text_append_list(struct lai_text *text, const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));

/* data may be NULL if size is 0. Zero bytes are kept: length counts them. */
void lai_text_append_bytes(struct lai_text *text, const void *data, size_t size);

/* The same character count times: padding. */
void lai_text_append_repeated(struct lai_text *text, char character, size_t count);

/* What has been written so far, "" if nothing; never NULL, valid until the next call. */
const char *lai_text_string(const struct lai_text *text);

/*
 * 0: *string is the caller's, to be released with free(), and the text is empty again.
 * Otherwise the latched error, and nothing changes.
 */
int lai_text_steal(struct lai_text *text, char **string);

/* Reads a decimal number that fills the text, without a sign or spaces; false: it is none, or over
   UINT32_MAX, and *number is untouched. */
bool lai_number_parse(const char *text, uint32_t *number);

#endif
