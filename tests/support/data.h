/* SPDX-License-Identifier: MIT */
/*
 * data.h - numbered data: whoever reads a piece of it can tell which piece it is.
 *
 * Raw: words of 8 bytes, each the word's number in a code that can be undone, so that any 15 bytes
 * tell their place. Lines: the record's number, a blank, letters, a newline; the length is drawn
 * from the number. Both are functions of the seed alone; nothing is stored but the lines' offsets.
 */
#ifndef T_DATA_H
#define T_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T_RECORD_MAX 2048u /* longest record, with its newline */
#define T_RECORD_MIN 16u   /* room for the number */
#define T_WORD 8u
#define T_PLACE_BYTES (2 * T_WORD - 1) /* so many bytes always hold one whole word */

struct t_data {
	uint64_t seed;
	bool lines;
	uint32_t record_max;
	uint32_t accept_max; /* lines: longer records are refused by the link */
	uint64_t bytes;	     /* length of the whole stream */
	uint64_t records;    /* lines */
	uint64_t *offsets;   /* lines: where record n begins; offsets[records] == bytes */
	uint64_t *places;    /* the same among what is not refused */
};

/* About `bytes` bytes, for lines whole records of at most record_max. 0 or -ENOMEM. */
int t_data_init(struct t_data *data, uint64_t seed, bool lines, uint32_t record_max,
		uint32_t accept_max, uint64_t bytes);
void t_data_done(struct t_data *data);

/* Writes the stream's bytes [from, from + size). */
void t_data_fill(const struct t_data *data, uint64_t from, uint8_t *bytes, size_t size);

/* Lines: the number of the record that holds this offset; whether a record is refused. */
uint64_t t_data_record_at(const struct t_data *data, uint64_t offset);
bool t_data_refused(const struct t_data *data, uint64_t n);

/* Lines: writes record number n into text[T_RECORD_MAX]; returns its length. */
size_t t_data_record(const struct t_data *data, uint64_t n, uint8_t *text);

/* Raw: the place of bytes[0] in the stream, told from at least T_PLACE_BYTES bytes; UINT64_MAX: not
 * ours. */
uint64_t t_data_place(const struct t_data *data, const uint8_t *bytes);

#endif
