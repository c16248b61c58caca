/* SPDX-License-Identifier: MIT */
/* Opening and closing a spool, and its numbers. */
#include "disk/spool_inside.h"

#include "base/entropy.h"
#include "base/error.h"
#include "base/random.h"
#include "base/sender_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUOTA_BYTES_DEFAULT (1ull << 30)
#define RECORD_BYTES_DEFAULT (1u << 20)

/* An empty file above this is made small when it is closed. */
#define SHRINK_AT_CLOSE (1u << 20)

/* ---- blocks that are used again ------------------------------------------------------------ */

struct lai_spool_block *lai_spool_block_take(struct lai_spool *spool, size_t size)
{
	struct lai_spool_block *block = spool->spare;

	if (size > LAI_SPOOL_BLOCK_BYTES || !block)
		return lai_spool_block_new(size);
	spool->spare = block->next;
	spool->spare_count--;
	lai_spool_block_empty(block);
	return block;
}

void lai_spool_block_give(struct lai_spool *spool, struct lai_spool_block *block)
{
	if (!block)
		return;
	if (block->room > LAI_SPOOL_BLOCK_BYTES || spool->spare_count == LAI_SPOOL_SPARE_MAX) {
		free(block);
		return;
	}
	block->next = spool->spare;
	spool->spare = block;
	spool->spare_count++;
}

void lai_spool_forget(struct lai_spool *spool, uint64_t records, uint64_t bytes)
{
	spool->records -= records < spool->records ? records : spool->records;
	spool->bytes -= bytes < spool->bytes ? bytes : spool->bytes;
}

void lai_spool_forget_block(struct lai_spool *spool, const struct lai_spool_head *head,
			    bool dropped)
{
	uint64_t records = head->records, bytes = head->bytes;

	if (head->first_seq == spool->partial.first_seq) {
		records -= spool->partial.records;
		bytes -= spool->partial.bytes;
	}
	lai_spool_forget(spool, records, bytes);
	if (dropped) {
		spool->state.dropped_records += records;
		spool->state.dropped_bytes += bytes;
		spool->dirty = true;
	}
}

/* ---- whose it is --------------------------------------------------------------------------- */

/* "": unknown. */
static void read_boot(char *boot, size_t room)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, boot, room - 1);

	boot[size > 0 ? size : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	if (fd >= 0)
		(void)close(fd);
}

/* ---- opening ------------------------------------------------------------------------------- */

static int lock(struct lai_spool *spool, const struct lai_spool_settings *settings, char **error)
{
	if (settings->vfs)
		return 0; /* SQLite's exclusive lock is enough there */
	return lai_lock_take(&spool->lock, settings->config.path, "is sending from this spool",
			     error);
}

/* Adds to the database's sentence what to do about it. */
static int file_failed(struct lai_spool *spool, int result, char **error)
{
	const char *path = spool->database.path, *why = spool->database.why;

	if (result == -EBADMSG)
		return lai_error(
			error, result,
			"%s; 'lastack spool export %s' saves the records that can be read, then "
			"begin with a new file",
			why ? why : "damaged", path ? path : "FILE");
	return lai_error(error, result, "%s", why ? why : strerror(-result));
}

/*
 * Behind all that were reserved. A drive that lied about fsync may have lost reservations as well,
 * and a clean end after them: somewhere behind, where hardly anything has been.
 */
static int jump(uint64_t *next_seq, const struct lai_spool_state *state, uint64_t seed)
{
	struct lai_random random = {.state = seed};
	uint64_t first =
		state->next_seq > state->reserved_seq ? state->next_seq : state->reserved_seq + 1;
	int error = seed ? 0 : lai_entropy(&random.state);

	if (!error)
		*next_seq = first + lai_random_below(&random, LAI_SPOOL_JUMP_MAX);
	return error;
}

/* Numbers of a file that was used before. */
static int go_on(struct lai_spool *spool, const struct lai_spool_settings *settings,
		 const struct lai_spool_state *state, char **error)
{
	bool same_boot = state->boot[0] && strcmp(state->boot, spool->state.boot) == 0;
	uint64_t next_seq = state->next_seq;
	char boot[sizeof(state->boot)];
	int result;

	if (!lai_sender_id_is(lai_slice_of(state->sender)))
		return lai_error(error, -EBADMSG,
				 "%s: the file is damaged: its sender's id is none",
				 settings->config.path);
	if (settings->sender && strcmp(settings->sender, state->sender) != 0)
		return lai_error(
			error, -EINVAL,
			"%s: this spool is that of sender '%s', not of '%s'; give that id, or "
			"another file",
			settings->config.path, state->sender, settings->sender);
	result = same_boot ? 0 : jump(&next_seq, state, settings->seed);
	if (result)
		return lai_error(error, result, "%s: no random numbers: %s", settings->config.path,
				 strerror(-result));
	(void)memcpy(boot, spool->state.boot, sizeof(boot));
	spool->state = *state;
	spool->state.next_seq = next_seq;
	(void)memcpy(spool->state.boot, boot, sizeof(boot));
	(void)memcpy(spool->place, state->place, sizeof(state->place));
	return 0;
}

/* The first block may have been confirmed in part. A damaged one is counted when it is loaded. */
static int find_partial(struct lai_spool *spool)
{
	struct lai_spool_block *block = NULL;
	struct lai_spool_head head;
	int error = lai_spool_file_next(spool, 0, spool->state.confirmed_seq, &head);

	if (error == -ENOENT)
		return 0;
	if (error || head.first_seq > spool->state.confirmed_seq)
		return error;
	error = lai_spool_file_fetch(spool, &head, &block);
	if (error)
		return error == -EBADMSG ? 0 : error;
	spool->partial.first_seq = head.first_seq;
	lai_spool_block_count(block->data, block->size, spool->state.confirmed_seq,
			      &spool->partial.records, &spool->partial.bytes);
	lai_spool_forget(spool, spool->partial.records, spool->partial.bytes);
	lai_spool_block_give(spool, block);
	return 0;
}

static int find_records(struct lai_spool *spool)
{
	uint64_t rows = 0;
	int error = lai_spool_file_count(spool, &rows, &spool->records, &spool->bytes);

	if (error)
		return error;
	spool->committed_seq = spool->state.accepted_seq;
	spool->cursor_seq = spool->state.confirmed_seq;
	spool->fetched_seq = rows ? spool->cursor_seq : spool->committed_seq;
	return find_partial(spool);
}

/* A new file. */
static int begin(struct lai_spool *spool, const struct lai_spool_settings *settings)
{
	int result = 0;

	spool->state.next_seq = settings->first_seq ? settings->first_seq : 1;
	if (settings->sender)
		(void)snprintf(spool->state.sender, LA_SENDER_MAX, "%s", settings->sender);
	else
		result = lai_sender_id_make(spool->state.sender, settings->seed);
	return result ? result : lai_spool_file_write_state(spool, &spool->state);
}

static int open_file(struct lai_spool *spool, const struct lai_spool_settings *settings,
		     char **error)
{
	struct lai_spool_state state = {0};
	int result = lai_database_open(&spool->database, settings->config.path, settings->vfs,
				       settings->config.durability);

	if (!result)
		result = lai_spool_file_open(spool);
	if (result)
		return file_failed(spool, result, error);
	if (!settings->vfs)
		read_boot(spool->state.boot, sizeof(spool->state.boot));
	result = lai_spool_file_read_state(spool, &state);
	if (result == -ENOENT) {
		result = begin(spool, settings);
	} else if (result == 0) {
		result = go_on(spool, settings, &state, error);
		if (result)
			return result;
	}
	if (!result)
		result = find_records(spool);
	return result ? file_failed(spool, result, error) : 0;
}

static void release(struct lai_spool *spool)
{
	struct lai_spool_block *block;

	lai_database_close(&spool->database);
	lai_lock_release(&spool->lock);
	while ((block = lai_spool_queue_pop(&spool->pending)))
		free(block);
	while ((block = lai_spool_queue_pop(&spool->ready)))
		free(block);
	while ((block = spool->spare)) {
		spool->spare = block->next;
		free(block);
	}
	free(spool->reading);
	free(spool->loaded.items);
	free(spool);
}

int lai_spool_open(struct lai_spool **spool, const struct lai_spool_settings *settings,
		   char **error)
{
	struct lai_spool *fresh;
	int result;

	if (error)
		*error = NULL;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	fresh->on_full = settings->on_full;
	fresh->on_vfs = settings->vfs;
	fresh->durability = settings->config.durability;
	fresh->quota_bytes =
		settings->config.quota_bytes ? settings->config.quota_bytes : QUOTA_BYTES_DEFAULT;
	fresh->record_bytes_max =
		settings->record_bytes_max ? settings->record_bytes_max : RECORD_BYTES_DEFAULT;
	if (fresh->record_bytes_max > LAI_SPOOL_RECORD_MAX)
		fresh->record_bytes_max = LAI_SPOOL_RECORD_MAX;
	result = lock(fresh, settings, error);
	if (!result)
		result = open_file(fresh, settings, error);
	if (result) {
		release(fresh);
		return result;
	}
	*spool = fresh;
	return 0;
}

/* ---- closing ------------------------------------------------------------------------------ */

void lai_spool_close(struct lai_spool *spool)
{
	struct lai_spool_state state;

	if (!spool)
		return;
	if (lai_spool_commit(spool) == 0) {
		/* Nothing is reserved any more: the next run goes on with the next number. */
		state = spool->state;
		state.reserved_seq = state.next_seq - 1;
		if (state.reserved_seq != spool->state.reserved_seq)
			(void)lai_spool_file_write_state(spool, &state);
		if (spool->records == 0)
			lai_spool_file_shrink(spool, SHRINK_AT_CLOSE);
	}
	release(spool);
}

/* ---- numbers ------------------------------------------------------------------------------- */

int lai_spool_set_place(struct lai_spool *spool, const char *text)
{
	if (strlen(text) >= sizeof(spool->state.place))
		return -EMSGSIZE;
	if (strcmp(spool->state.place, text) == 0)
		return 0;
	(void)snprintf(spool->state.place, sizeof(spool->state.place), "%s", text);
	spool->dirty = true;
	return 0;
}

const char *lai_spool_place(const struct lai_spool *spool)
{
	return spool->place;
}

const char *lai_spool_sender(const struct lai_spool *spool)
{
	return spool->state.sender;
}

const char *lai_spool_why(const struct lai_spool *spool)
{
	return spool->database.why ? spool->database.why : "";
}

size_t lai_spool_uncommitted(const struct lai_spool *spool)
{
	return spool->pending.bytes;
}

bool lai_spool_is_dirty(const struct lai_spool *spool)
{
	return spool->dirty;
}

void lai_spool_pending(const struct lai_spool *spool, uint64_t *records, uint64_t *bytes)
{
	*records = *bytes = 0;
	for (const struct lai_spool_block *block = spool->pending.head; block;
	     block = block->next) {
		*records += block->head.records;
		*bytes += block->head.bytes;
	}
}

void lai_spool_damaged(const struct lai_spool *spool, uint64_t *records, uint64_t *bytes)
{
	*records = spool->damaged_records;
	*bytes = spool->damaged_bytes;
}

/* Of the records that wait; of rows that were not read yet it is not known better than "behind". */
static uint64_t oldest(const struct lai_spool *spool)
{
	const struct lai_spool_sizes *loaded = &spool->loaded;
	struct lai_spool_record record;

	if (loaded->begin < loaded->end)
		return loaded->items[loaded->begin & (loaded->capacity - 1)].seq;
	if (spool->reading && spool->offset < spool->reading->size &&
	    lai_spool_record_at(spool->reading->data, spool->reading->size, spool->offset, &record))
		return record.seq;
	if (spool->ready.head)
		return spool->ready.head->head.first_seq;
	if (spool->fetched_seq < spool->committed_seq || !spool->pending.head)
		return spool->fetched_seq + 1;
	return spool->pending.head->head.first_seq;
}

void lai_spool_info(const struct lai_spool *spool, struct la_spool_info *info)
{
	*info = (struct la_spool_info){
		.accepted_seq = spool->state.accepted_seq,
		.confirmed_seq = spool->state.confirmed_seq,
		.records = spool->records,
		.bytes = spool->bytes,
		.dropped_records = spool->state.dropped_records,
		.dropped_bytes = spool->state.dropped_bytes,
		.damaged_blocks = spool->damaged_blocks,
		.in_use = true,
	};
	(void)memcpy(info->sender, spool->state.sender, sizeof(info->sender));
	(void)memcpy(info->place, spool->place, sizeof(info->place));
	if (spool->records > 0) {
		info->first_seq = oldest(spool);
		info->last_seq = spool->state.accepted_seq;
	}
}
