/* SPDX-License-Identifier: MIT */
/*
 * error.h - the sentence that goes with a negative result.
 *
 * A function that can fail in more ways than its caller could put into words has a last argument
 * `char **error`. It may be NULL. Otherwise *error is NULL, or a sentence for free(), when the
 * function returns; NULL after a failure means that there was no memory for it.
 */
#ifndef LAI_BASE_ERROR_H
#define LAI_BASE_ERROR_H

/* *error, NULL or a sentence that is released, becomes this one. Returns result, so that a refusal
   is one line. */
int lai_error(char **error, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* *error becomes *why, which becomes NULL. Returns result. */
int lai_error_pass(char **error, int result, char **why);

#endif
