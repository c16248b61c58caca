/* SPDX-License-Identifier: MIT */
/* Opening and closing a spool, and its numbers. */
#include "disk/spool_inside.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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
		spool->note.dropped_records += records;
		spool->note.dropped_bytes += bytes;
		spool->dirty = true;
	}
}

/* ---- whose it is --------------------------------------------------------------------------- */

static bool sender_is_fine(const char *sender)
{
	size_t length = strlen(sender);

	return length > 0 && length < LA_SENDER_MAX &&
	       strspn(sender,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

static void new_sender(char *sender, uint64_t seed)
{
	struct lai_random random = {.state = seed};
	uint64_t id = 0;

	if (seed != 0 || getrandom(&id, sizeof(id), 0) != sizeof(id))
		id = lai_random_next(&random);
	(void)snprintf(sender, LA_SENDER_MAX, "%016" PRIx64, id);
}

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

static int fail(char **error, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char **error, int result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(error, format, args) < 0)
		*error = NULL;
	va_end(args);
	return result;
}

/* ---- opening ------------------------------------------------------------------------------- */

static int check(const struct lai_spool_settings *settings, char **error)
{
	if (settings->sender && !sender_is_fine(settings->sender))
		return fail(error, -EINVAL,
			    "the sender id '%s' is not 1 to %d letters, digits, '.', '_' or '-'",
			    settings->sender, LA_SENDER_MAX - 1);
	return 0;
}

static int lock(struct lai_spool *spool, const struct lai_spool_settings *settings, char **error)
{
	const char *path = settings->config.path;
	int holder, result;

	if (settings->vfs)
		return 0; /* SQLite's exclusive lock is enough there */
	result = lai_spool_lock_take(&spool->lock, path, &holder);
	if (result == -EBUSY && holder > 0)
		return fail(error, result, "%s: process %d is sending from this spool", path,
			    holder);
	if (result == -EBUSY)
		return fail(error, result, "%s: another process is sending from this spool", path);
	if (result)
		return fail(error, result, "%s: cannot lock %s.lock: %s", path, path,
			    strerror(-result));
	return 0;
}

/* Adds to the database's sentence what to do about it. */
static int file_failed(struct lai_spool *spool, int result, char **error)
{
	const char *path = spool->database.path, *why = spool->database.why;

	if (result == -EBADMSG)
		return fail(
			error, result,
			"%s; 'lastack spool export %s' saves the records that can be read, then "
			"begin with a new file",
			why ? why : "damaged", path ? path : "FILE");
	return fail(error, result, "%s", why ? why : strerror(-result));
}

/*
 * Behind all that were reserved. A drive that lied about fsync may have lost reservations as well,
 * and a clean end after them: somewhere behind, where hardly anything has been.
 */
static uint64_t new_place(const struct lai_spool_note *note, uint64_t seed)
{
	struct lai_random random = {.state = seed};
	uint64_t first = note->next_seq > note->reserved_seq ? note->next_seq
							      : note->reserved_seq + 1;

	if (seed == 0)
		(void)getrandom(&random.state, sizeof(random.state), 0);
	return first + lai_random_below(&random, LAI_SPOOL_JUMP_MAX);
}

/* Numbers of a file that was used before. */
static int go_on(struct lai_spool *spool, const struct lai_spool_settings *settings,
		 const struct lai_spool_note *note, char **error)
{
	bool same_boot = note->boot[0] && strcmp(note->boot, spool->note.boot) == 0;

	if (settings->sender && strcmp(settings->sender, note->sender) != 0)
		return fail(error, -EINVAL,
			    "%s: this spool is that of sender '%s', not of '%s'; give that id, or "
			    "another file",
			    settings->config.path, note->sender, settings->sender);
	(void)memcpy(spool->note.sender, note->sender, sizeof(note->sender));
	(void)memcpy(spool->note.input, note->input, sizeof(note->input));
	(void)memcpy(spool->input, note->input, sizeof(note->input));
	spool->note.accepted_seq = note->accepted_seq;
	spool->note.confirmed_seq = note->confirmed_seq;
	spool->note.reserved_seq = note->reserved_seq;
	spool->note.dropped_records = note->dropped_records;
	spool->note.dropped_bytes = note->dropped_bytes;
	spool->note.next_seq = note->next_seq;
	if (!same_boot)
		spool->note.next_seq = new_place(note, settings->seed);
	return 0;
}

/* The first block may have been confirmed in part. A damaged one is counted when it is loaded. */
static int find_partial(struct lai_spool *spool)
{
	struct lai_spool_block *block = NULL;
	struct lai_spool_head head;
	int error = lai_spool_file_next(spool, 0, spool->note.confirmed_seq, &head);

	if (error == -ENOENT)
		return 0;
	if (error || head.first_seq > spool->note.confirmed_seq)
		return error;
	error = lai_spool_file_fetch(spool, &head, &block);
	if (error)
		return error == -EBADMSG ? 0 : error;
	spool->partial.first_seq = head.first_seq;
	lai_spool_block_count(block->data, block->size, spool->note.confirmed_seq,
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
	spool->committed_seq = spool->note.accepted_seq;
	spool->cursor_seq = spool->note.confirmed_seq;
	spool->fetched_seq = rows ? spool->cursor_seq : spool->committed_seq;
	return find_partial(spool);
}

static int open_file(struct lai_spool *spool, const struct lai_spool_settings *settings,
		     char **error)
{
	struct lai_spool_note note = {0};
	int result = lai_database_open(&spool->database, settings->config.path, settings->vfs,
				       settings->config.durability);

	if (!result)
		result = lai_spool_file_open(spool);
	if (result)
		return file_failed(spool, result, error);
	if (!settings->vfs)
		read_boot(spool->note.boot, sizeof(spool->note.boot));
	result = lai_spool_file_read_note(spool, &note);
	if (result == -ENOENT) {
		if (settings->sender)
			(void)snprintf(spool->note.sender, LA_SENDER_MAX, "%s", settings->sender);
		else
			new_sender(spool->note.sender, settings->seed);
		spool->note.next_seq = settings->first_seq ? settings->first_seq : 1;
		result = lai_spool_file_write_note(spool, &spool->note);
	} else if (result == 0) {
		result = go_on(spool, settings, &note, error);
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
	lai_spool_lock_release(&spool->lock);
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

	*error = NULL;
	result = check(settings, error);
	if (result)
		return result;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	fresh->lock.fd = -1;
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
	struct lai_spool_note note;

	if (!spool)
		return;
	if (lai_spool_commit(spool) == 0) {
		/* Nothing is reserved any more: the next run goes on with the next number. */
		note = spool->note;
		note.reserved_seq = note.next_seq - 1;
		if (note.reserved_seq != spool->note.reserved_seq)
			(void)lai_spool_file_write_note(spool, &note);
		if (spool->records == 0)
			lai_spool_file_shrink(spool, SHRINK_AT_CLOSE);
	}
	release(spool);
}

/* ---- numbers ------------------------------------------------------------------------------- */

int lai_spool_note(struct lai_spool *spool, const char *text)
{
	if (strlen(text) >= sizeof(spool->note.input))
		return -EMSGSIZE;
	if (strcmp(spool->note.input, text) == 0)
		return 0;
	(void)snprintf(spool->note.input, sizeof(spool->note.input), "%s", text);
	spool->dirty = true;
	return 0;
}

const char *lai_spool_noted(const struct lai_spool *spool)
{
	return spool->input;
}

const char *lai_spool_sender(const struct lai_spool *spool)
{
	return spool->note.sender;
}

const char *lai_spool_why(const struct lai_spool *spool)
{
	return spool->database.why ? spool->database.why : "";
}

size_t lai_spool_uncommitted(const struct lai_spool *spool)
{
	return spool->pending.bytes;
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
		.accepted_seq = spool->note.accepted_seq,
		.confirmed_seq = spool->note.confirmed_seq,
		.records = spool->records,
		.bytes = spool->bytes,
		.dropped_records = spool->note.dropped_records,
		.dropped_bytes = spool->note.dropped_bytes,
		.damaged_blocks = spool->damaged_blocks,
		.in_use = true,
	};
	(void)memcpy(info->sender, spool->note.sender, sizeof(info->sender));
	if (spool->records > 0) {
		info->first_seq = oldest(spool);
		info->last_seq = spool->note.accepted_seq;
	}
}
