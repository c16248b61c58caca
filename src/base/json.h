/* SPDX-License-Identifier: MIT */
/*
 * json.h - writes one JSON value (RFC 8259) on one line.
 *
 * Each function takes the key of the member it writes: a UTF-8 name inside an object, NULL inside
 * an array and at the top. Putting a key where none belongs, ending what was not begun, or a
 * second value at the top is a mistake of the program and asserts. Failures of memory are latched,
 * and lai_json_steal() returns them.
 *
 *	lai_json_object_begin(&json, NULL);
 *	lai_json_u64(&json, "acked_bytes", 17);                {"acked_bytes":17,"causes":["a","b"]}
 *	lai_json_array_begin(&json, "causes");
 *	lai_json_string(&json, NULL, "a");
 *	lai_json_string(&json, NULL, "b");
 *	lai_json_end(&json);
 *	lai_json_end(&json);
 */
#ifndef LAI_BASE_JSON_H
#define LAI_BASE_JSON_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Objects and arrays inside one another; one bit of a word each, and our deepest output has 5. */
#define LAI_JSON_DEPTH_MAX 31

struct lai_json {
	struct lai_text text;
	unsigned depth;	  /* open objects and arrays */
	uint32_t objects; /* bit n: level n is an object; level 0 is the top */
	uint32_t filled;  /* bit n: level n has a member already */
};

/* Allocates nothing. length_max > 0: the longest text that may come out. */
void lai_json_init(struct lai_json *json, size_t length_max);

/* Frees what was written; the writer is then as new. */
void lai_json_done(struct lai_json *json);

void lai_json_object_begin(struct lai_json *json, const char *key);
void lai_json_array_begin(struct lai_json *json, const char *key);
/* Ends the innermost object or array. */
void lai_json_end(struct lai_json *json);

/*
 * Strings come out as valid UTF-8 whatever goes in: each broken sequence becomes U+FFFD. Control
 * characters, DEL and C1 included, are escaped, so that a peer's bytes cannot drive a terminal.
 * NULL is written as null.
 */
void lai_json_string(struct lai_json *json, const char *key, const char *string);
void lai_json_bytes(struct lai_json *json, const char *key, const void *data, size_t size);
/* Bytes from which the same bytes can be made again: as a string if they are valid UTF-8 without
   NUL, else in base64 (RFC 4648) under the key with "_base64" behind it. */
void lai_json_blob(struct lai_json *json, const char *key, const void *data, size_t size);

void lai_json_u64(struct lai_json *json, const char *key, uint64_t value);
void lai_json_i64(struct lai_json *json, const char *key, int64_t value);
/* The shortest text that reads back as the same double; null for nan and inf. */
void lai_json_double(struct lai_json *json, const char *key, double value);
void lai_json_bool(struct lai_json *json, const char *key, bool value);
void lai_json_null(struct lai_json *json, const char *key);

/*
 * Asserts that exactly one value was written and everything begun was ended.
 * 0: *string is the caller's, without a newline, to be released with free(); the writer is as new.
 * -ENOMEM, or -EMSGSIZE (over length_max): nothing changes; lai_json_done() makes the writer new.
 */
int lai_json_steal(struct lai_json *json, char **string);

#endif
