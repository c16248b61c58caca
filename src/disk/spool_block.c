/* SPDX-License-Identifier: MIT */
#include "disk/spool_block.h"
#include "base/crc32c.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct lai_spool_block *lai_spool_block_new(size_t room)
{
	struct lai_spool_block *block;

	if (room < LAI_SPOOL_BLOCK_BYTES)
		room = LAI_SPOOL_BLOCK_BYTES;
	if (room > SIZE_MAX / 2)
		return NULL;
	block = malloc(sizeof(*block) + room);
	if (!block)
		return NULL;
	block->room = room;
	lai_spool_block_empty(block);
	return block;
}

void lai_spool_block_empty(struct lai_spool_block *block)
{
	block->next = NULL;
	block->head = (struct lai_spool_head){0};
	block->size = 0;
}

bool lai_spool_block_has_room(const struct lai_spool_block *block, size_t size)
{
	return block->room - block->size >= LAI_SPOOL_RECORD_HEAD &&
	       block->room - block->size - LAI_SPOOL_RECORD_HEAD >= size;
}

void lai_spool_block_append(struct lai_spool_block *block, uint64_t seq, const struct iovec *iov,
			    int count, size_t size)
{
	uint64_t seq_le = htole64(seq);
	uint32_t size_le = htole32((uint32_t)size);
	uint8_t *to = block->data + block->size;

	assert(lai_spool_block_has_room(block, size) && size <= UINT32_MAX &&
	       seq > block->head.last_seq);
	memcpy(to, &seq_le, sizeof(seq_le));
	memcpy(to + sizeof(seq_le), &size_le, sizeof(size_le));
	to += LAI_SPOOL_RECORD_HEAD;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	block->size += LAI_SPOOL_RECORD_HEAD + size;
	if (block->head.records++ == 0)
		block->head.first_seq = seq;
	block->head.last_seq = seq;
	block->head.bytes += size;
}

void lai_spool_block_seal(struct lai_spool_block *block)
{
	block->head.crc = lai_crc32c(0, block->data, block->size);
}

size_t lai_spool_record_at(const uint8_t *data, size_t size, size_t offset,
			   struct lai_spool_record *record)
{
	uint64_t seq_le;
	uint32_t size_le;

	if (offset > size || size - offset < LAI_SPOOL_RECORD_HEAD)
		return 0;
	memcpy(&seq_le, data + offset, sizeof(seq_le));
	memcpy(&size_le, data + offset + sizeof(seq_le), sizeof(size_le));
	offset += LAI_SPOOL_RECORD_HEAD;
	if (size - offset < le32toh(size_le))
		return 0;
	record->seq = le64toh(seq_le);
	record->size = le32toh(size_le);
	record->body = data + offset;
	return offset + record->size;
}

bool lai_spool_block_whole(const struct lai_spool_head *head, const void *data, size_t size)
{
	struct lai_spool_record record;
	struct lai_spool_head found = {0};
	size_t offset = 0;

	if (!data || lai_crc32c(0, data, size) != head->crc)
		return false;
	while (offset < size) {
		offset = lai_spool_record_at(data, size, offset, &record);
		if (offset == 0 || record.seq <= found.last_seq)
			return false;
		if (found.records++ == 0)
			found.first_seq = record.seq;
		found.last_seq = record.seq;
		found.bytes += record.size;
	}
	return found.first_seq == head->first_seq && found.last_seq == head->last_seq &&
	       found.records == head->records && found.bytes == head->bytes;
}

void lai_spool_block_count(const uint8_t *data, size_t size, uint64_t seq, uint64_t *records,
			   uint64_t *bytes)
{
	struct lai_spool_record record;
	size_t offset = 0;

	*records = 0;
	*bytes = 0;
	while ((offset = lai_spool_record_at(data, size, offset, &record)) && record.seq <= seq) {
		*records += 1;
		*bytes += record.size;
	}
}

void lai_spool_queue_push(struct lai_spool_queue *queue, struct lai_spool_block *block)
{
	block->next = NULL;
	if (queue->tail)
		queue->tail->next = block;
	else
		queue->head = block;
	queue->tail = block;
	queue->bytes += block->size;
	queue->room += block->room;
}

struct lai_spool_block *lai_spool_queue_pop(struct lai_spool_queue *queue)
{
	struct lai_spool_block *block = queue->head;

	if (!block)
		return NULL;
	queue->head = block->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->bytes -= block->size;
	queue->room -= block->room;
	block->next = NULL;
	return block;
}
