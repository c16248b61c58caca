/* SPDX-License-Identifier: MIT */
/*
 * spool_block.h - many records in one piece: what one row of a spool holds.
 *
 *      data:  { seq: 8 bytes, size: 4 bytes, body: size bytes } ...        numbers little-endian
 *
 * Sequence numbers grow from record to record. The row says beside it what must be inside: the
 * first and last number, how many records, how many bytes of bodies, and the CRC32C of data.
 */
#ifndef LAI_DISK_SPOOL_BLOCK_H
#define LAI_DISK_SPOOL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Enough records for a row's cost to vanish, few enough for a damaged one to hurt little. A longer
   record has a block of its own. */
#define LAI_SPOOL_BLOCK_BYTES 65536
#define LAI_SPOOL_RECORD_HEAD 12

struct lai_spool_head {
	uint64_t first_seq, last_seq;
	uint64_t records, bytes; /* of bodies */
	uint32_t crc;
};

struct lai_spool_block {
	struct lai_spool_block *next;
	struct lai_spool_head head; /* crc: only once it is sealed */
	size_t size, room;	    /* of data */
	uint8_t data[];
};

struct lai_spool_record {
	uint64_t seq;
	const uint8_t *body; /* in the block's data */
	uint32_t size;
};

/* room is at least LAI_SPOOL_BLOCK_BYTES in it. NULL: out of memory. To be released with free(). */
struct lai_spool_block *lai_spool_block_new(size_t room);
/* Makes it as new. */
void lai_spool_block_empty(struct lai_spool_block *block);
bool lai_spool_block_has_room(const struct lai_spool_block *block, size_t size);
/* There must be room for it; size is that of all pieces. seq is higher than any before. */
void lai_spool_block_append(struct lai_spool_block *block, uint64_t seq, const struct iovec *iov,
			    int count, size_t size);
void lai_spool_block_seal(struct lai_spool_block *block);

/* Whether data is what the head says: false: damaged. */
bool lai_spool_block_whole(const struct lai_spool_head *head, const void *data, size_t size);
/* The record at this offset; returns the offset of the next, or 0: what is there is no record. */
size_t lai_spool_record_at(const uint8_t *data, size_t size, size_t offset,
			   struct lai_spool_record *record);
/* How many records, and how many bytes of bodies, have numbers up to seq. data must be whole. */
void lai_spool_block_count(const uint8_t *data, size_t size, uint64_t seq, uint64_t *records,
			   uint64_t *bytes);

/* First in, first out. Zero: empty. */
struct lai_spool_queue {
	struct lai_spool_block *head, *tail;
	size_t bytes; /* of data */
	size_t room;  /* what its blocks occupy, however little is in them */
};

void lai_spool_queue_push(struct lai_spool_queue *queue, struct lai_spool_block *block);
/* NULL: empty. */
struct lai_spool_block *lai_spool_queue_pop(struct lai_spool_queue *queue);

#endif
