/* SPDX-License-Identifier: MIT */
/*
 * store_directory.c - a store that is a directory: a file per destination, and an index (SQLite)
 * that says how long each file is and which records are there.
 *
 *      index     file a: 700 bytes, records 1..7      file b: ...
 *
 *      a.log     |============ 700 bytes ============|--- the batch ---|
 *                 what the index knows                written, fsynced, then the index is told
 *
 * What is behind a file's length in the index never counted as stored: it is cut off when the store
 * is opened, and before a batch that failed is tried again. So that this holds for new files as
 * well, a file is in the index before its first byte is written.
 */
#include "disk/store_groups.h"
#include "base/error.h"
#include "disk/store_handles.h"
#include "disk/store_known.h"
#include "disk/store_output.h"
#include "disk/store_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct lai_store_schema schema = {
	.application_id = 0x6c614469, /* "laDi" */
	.page_bytes = 4096,	      /* rows are small, and few change in a batch */
	.tables = "CREATE TABLE file(destination PRIMARY KEY, length INTEGER NOT NULL,"
		  " rotated INTEGER NOT NULL) WITHOUT ROWID;" LAI_STORE_KNOWN_TABLE,
	.what = "the index of a store of lastack's",
};

/* What is written at once; larger bodies go by themselves. */
#define CHUNK_BYTES (256u << 10)

struct directory {
	struct lai_store_output output;
	char *path;
	int fd;
	uint64_t rotate_bytes;
	enum la_durability durability;
	struct lai_store_file index;
	sqlite3_stmt *find, *write;
	struct lai_store_known known;
	bool leftover; /* the last batch failed: what is too long is ours, and to be cut off */
	struct lai_store_handles handles;
	struct lai_buffer chunk;
	struct lai_store_groups groups; /* of the present batch */
};

static struct directory *directory_of(struct lai_store_output *output)
{
	return (struct directory *)output;
}

static int index_failed(struct directory *directory, int error)
{
	const char *why = directory->index.database.why;

	return lai_error(&directory->output.why, error, "%s", why ? why : strerror(-error));
}

static int file_failed(struct directory *directory, int error, const char *name)
{
	return lai_error(&directory->output.why, error, "%s/%s: %s", directory->path, name,
			 error == -ENOSPC ? "there is no room on the disk" : strerror(-error));
}

/* ---- open files ---------------------------------------------------------------------------- */

static int open_file(struct directory *directory, const char *name, int *fd)
{
	int error = lai_store_handles_open(&directory->handles, name, fd);

	return error ? file_failed(directory, error, name) : 0;
}

/* ---- the batch ----------------------------------------------------------------------------- */

/* Which records are new, in the order in which they came. */
static int sort_out(struct directory *directory, const struct lai_store_batch *batch,
		    struct lai_store_counts *counts)
{
	struct lai_store_record record;
	struct lai_store_item *item = lai_store_item_at(&directory->groups, 0);
	size_t place = 0;
	int error;

	for (; lai_store_batch_next(batch, &place, &record); item++) {
		error = lai_store_known_add(&directory->known, record.sender, record.seq);
		if (error && error != -EEXIST)
			return index_failed(directory, error);
		item->known = error == -EEXIST;
		if (item->known) {
			counts->duplicate_records++;
			continue;
		}
		lai_store_group_at(&directory->groups, item->group)->count++;
		counts->records++;
		counts->bytes += record.body.size;
	}
	return 0;
}

/* ---- files and their lengths in the index -------------------------------------------------- */

/* -ENOENT: not in the index. */
static int find_row(struct directory *directory, struct lai_store_group *group)
{
	int result, error = 0;

	(void)lai_store_bind(directory->find, 1, group->destination);
	result = sqlite3_step(directory->find);
	if (result == SQLITE_ROW) {
		group->length = sqlite3_column_int64(directory->find, 0);
		group->rotated = sqlite3_column_int64(directory->find, 1);
	} else {
		error = result == SQLITE_DONE
				? -ENOENT
				: lai_database_failed(&directory->index.database, result);
	}
	(void)sqlite3_reset(directory->find);
	return error;
}

static int write_row(struct directory *directory, const struct lai_store_group *group)
{
	int error;

	(void)lai_store_bind(directory->write, 1, group->destination);
	(void)sqlite3_bind_int64(directory->write, 2, group->length);
	(void)sqlite3_bind_int64(directory->write, 3, group->rotated);
	error = lai_database_step(&directory->index.database, directory->write);
	return error ? index_failed(directory, error) : 0;
}

/* The present file is full: it gets the next number that nobody has, and never replaces a file. */
static int rotate(struct directory *directory, struct lai_store_group *group)
{
	char name[LAI_STORE_NAME_MAX + 24];
	int error;

	do {
		group->rotated++;
		(void)snprintf(name, sizeof(name), "%s.%06lld", group->name,
			       (long long)group->rotated);
		error = renameat2(directory->fd, group->name, directory->fd, name,
				  RENAME_NOREPLACE) == 0
				? 0
				: -errno;
	} while (error == -EEXIST);
	if (error)
		return file_failed(directory, error, name);
	lai_store_handles_drop(&directory->handles, group->name);
	group->length = 0;
	return 0;
}

/* ours: what is behind the length is. */
static int look_at_file(struct directory *directory, struct lai_store_group *group, bool ours,
			int64_t *size)
{
	struct stat status;
	int fd, error = open_file(directory, group->name, &fd);

	if (error)
		return error;
	if (fstat(fd, &status) == 0 && ours && status.st_size > group->length) {
		if (ftruncate(fd, group->length) == 0)
			status.st_size = group->length;
		else
			error = -errno;
	}
	*size = status.st_size;
	return error ? file_failed(directory, error, group->name) : 0;
}

/* Somebody else's rotation, without telling us. true: the name leads to another file now, or none. */
static bool let_go_of_moved(struct directory *directory, const struct lai_store_group *group)
{
	int fd = lai_store_handles_find(&directory->handles, group->name);
	enum lai_store_place place =
		fd < 0 ? LAI_STORE_THERE : lai_store_place(fd, directory->fd, group->name, false);
	char *name;

	if (place == LAI_STORE_THERE)
		return false;
	lai_store_handles_drop(&directory->handles, group->name);
	if (asprintf(&name, "%s/%s", directory->path, group->name) < 0)
		return true;
	lai_store_place_tell(&directory->output.notice, place, name);
	free(name);
	return true;
}

/* *changed: the index must be told before anything is written. */
static int prepare_group(struct directory *directory, struct lai_store_group *group, bool *changed)
{
	int64_t size = 0;
	int error = find_row(directory, group);
	bool is_new = error == -ENOENT, ours, rotates;

	if (error && !is_new)
		return index_failed(directory, error);
	ours = !let_go_of_moved(directory, group) && directory->leftover;
	error = look_at_file(directory, group, ours, &size);
	if (error)
		return error;
	rotates = size > 0 && (uint64_t)size >= directory->rotate_bytes;
	if (!is_new && !rotates && size == group->length)
		return 0;
	*changed = true;
	group->length = size; /* somebody else's hand, perhaps: it counts as it is */
	if (rotates) {
		int fd;

		error = rotate(directory, group);
		if (!error)
			error = open_file(directory, group->name, &fd);
	}
	return error ? error : write_row(directory, group);
}

static int sync_directory(struct directory *directory)
{
	if (directory->durability != LA_DURABILITY_FULL || fsync(directory->fd) == 0)
		return 0;
	return file_failed(directory, -errno, "");
}

static int prepare_groups(struct directory *directory)
{
	bool changed = false;
	int error = 0;

	for (size_t i = 0; !error && i < directory->groups.count; i++)
		error = prepare_group(directory, lai_store_group_at(&directory->groups, i),
				      &changed);
	if (error || !changed)
		return error;
	error = sync_directory(directory);
	if (error)
		return error;
	error = lai_store_file_commit(&directory->index);
	if (!error)
		error = lai_store_file_begin(&directory->index);
	return error ? index_failed(directory, error) : 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int write_bytes(struct directory *directory, struct lai_store_group *group, const char *data,
		       size_t size)
{
	ssize_t written;
	int fd, error = open_file(directory, group->name, &fd);

	group->written = true;
	while (!error && size > 0) {
		written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return file_failed(directory, -errno, group->name);
		data += written;
		size -= (size_t)written;
		group->length += written;
	}
	return error;
}

static int flush_chunk(struct directory *directory, struct lai_store_group *group)
{
	size_t used = lai_buffer_used(&directory->chunk);
	int error = 0;

	if (used > 0)
		error = write_bytes(directory, group, lai_buffer_data(&directory->chunk), used);
	lai_buffer_consume(&directory->chunk, used);
	return error;
}

static int write_part(struct directory *directory, struct lai_store_group *group,
		      struct lai_slice part)
{
	int error = 0;

	if (lai_buffer_used(&directory->chunk) + part.size > CHUNK_BYTES)
		error = flush_chunk(directory, group);
	if (error)
		return error;
	if (part.size > CHUNK_BYTES)
		return write_bytes(directory, group, part.data, part.size);
	if (!lai_buffer_append(&directory->chunk, part.data, part.size))
		return lai_error(&directory->output.why, -ENOMEM, "out of memory");
	return 0;
}

static int write_group(struct directory *directory, struct lai_store_group *group)
{
	int error = 0;

	lai_buffer_consume(&directory->chunk, lai_buffer_used(&directory->chunk));
	for (size_t i = 0; !error && i < group->count; i++) {
		error = write_part(directory, group,
				   lai_store_group_body(&directory->groups, group, i));
		if (!error)
			error = write_part(directory, group, LAI_SLICE("\n"));
	}
	return error ? error : flush_chunk(directory, group);
}

/* Beyond so many files their system is asked once, and not each file. */
static int sync_files(struct directory *directory)
{
	struct lai_store_group *group = lai_store_group_at(&directory->groups, 0);
	int fd, error = 0;

	if (directory->groups.count > LAI_STORE_HANDLE_COUNT)
		return syncfs(directory->fd) == 0 ? 0 : file_failed(directory, -errno, "");
	for (size_t i = 0; !error && i < directory->groups.count; i++, group++) {
		if (!group->written)
			continue;
		error = open_file(directory, group->name, &fd);
		if (!error && fdatasync(fd) != 0)
			error = file_failed(directory, -errno, group->name);
	}
	return error;
}

/* What was written to a file without a name must not be confirmed. Of files that are not open any
   more it is not known: each was found by its name just before. */
static int look_back(struct directory *directory)
{
	const struct lai_store_group *group = lai_store_group_at(&directory->groups, 0);
	int fd;

	for (size_t i = 0; i < directory->groups.count; i++, group++) {
		fd = group->written ? lai_store_handles_find(&directory->handles, group->name) : -1;
		if (fd >= 0 &&
		    lai_store_place(fd, directory->fd, group->name, false) == LAI_STORE_REMOVED)
			return lai_error(&directory->output.why, -ESTALE,
					 "%s/%s: it was removed while it was written",
					 directory->path, group->name);
	}
	return 0;
}

static int write_files(struct directory *directory)
{
	int error = 0;

	lai_store_groups_arrange(&directory->groups);
	for (size_t i = 0; !error && i < directory->groups.count; i++)
		error = write_group(directory, lai_store_group_at(&directory->groups, i));
	if (!error && directory->durability == LA_DURABILITY_FULL)
		error = sync_files(directory);
	if (!error)
		error = look_back(directory);
	for (size_t i = 0; !error && i < directory->groups.count; i++)
		if (lai_store_group_at(&directory->groups, i)->written)
			error = write_row(directory, lai_store_group_at(&directory->groups, i));
	return error;
}

static int write_batch(struct directory *directory, const struct lai_store_batch *batch,
		       struct lai_store_counts *counts)
{
	int error;

	if (!lai_store_groups_fill(&directory->groups, batch))
		return lai_error(&directory->output.why, -ENOMEM, "out of memory");
	error = prepare_groups(directory);
	if (!error)
		error = sort_out(directory, batch, counts);
	if (!error)
		error = write_files(directory);
	if (error)
		return error;
	error = lai_store_known_flush(&directory->known);
	if (!error)
		error = lai_store_file_commit(&directory->index);
	return error ? index_failed(directory, error) : 0;
}

/* ---- the index ----------------------------------------------------------------------------- */

static int cut_off(struct directory *directory, const char *name, int64_t length)
{
	struct stat status;
	int error = 0;
	int fd = openat(directory->fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : file_failed(directory, -errno, name);
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > length &&
	    ftruncate(fd, length) != 0)
		error = file_failed(directory, -errno, name);
	(void)close(fd);
	return error;
}

/* Whatever a crash left behind the ends that the index knows. */
static int recover(struct directory *directory)
{
	struct lai_database *database = &directory->index.database;
	char name[LAI_STORE_NAME_MAX];
	sqlite3_stmt *rows;
	struct lai_slice destination;
	int result, error = lai_database_prepare(database, &rows,
						 "SELECT destination, length FROM file");

	if (error)
		return index_failed(directory, error);
	while (!error && (result = sqlite3_step(rows)) != SQLITE_DONE) {
		if (result != SQLITE_ROW) {
			error = index_failed(directory, lai_database_failed(database, result));
			break;
		}
		destination.data = sqlite3_column_blob(rows, 0);
		destination.size = (size_t)sqlite3_column_bytes(rows, 0);
		lai_store_name(name, destination);
		error = cut_off(directory, name, sqlite3_column_int64(rows, 1));
	}
	(void)sqlite3_finalize(rows);
	return error;
}

/* Also of an index that has taken the place of another. */
static int prepare_index(struct directory *directory)
{
	struct lai_database *database = &directory->index.database;
	int result;

	lai_store_known_done(&directory->known);
	result = lai_database_prepare(database, &directory->find,
				      "SELECT length, rotated FROM file WHERE destination = ?");
	if (!result)
		result = lai_database_prepare(database, &directory->write,
					      "INSERT OR REPLACE INTO file VALUES(?, ?, ?)");
	if (!result)
		result = lai_store_known_init(&directory->known, database);
	return result ? index_failed(directory, result) : recover(directory);
}

/* ---- is it still there? --------------------------------------------------------------------- */

/* Another directory under its name takes its place; this one keeps what it has, and its index. */
static int look_at_directory(struct directory *directory)
{
	enum lai_store_place place =
		lai_store_place(directory->fd, AT_FDCWD, directory->path, true);
	int fd;

	if (place == LAI_STORE_THERE)
		return 0;
	fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return lai_error(
			&directory->output.why, -errno,
			"%s: the directory %s, and nothing is confirmed until there is one",
			directory->path, lai_store_place_words(place));
	lai_store_place_tell(&directory->output.notice, place, directory->path);
	lai_store_handles_close(&directory->handles);
	if (directory->durability != LA_DURABILITY_NONE)
		(void)syncfs(directory->fd);
	(void)close(directory->fd);
	directory->fd = fd;
	lai_store_handles_init(&directory->handles, fd);
	return 0;
}

static int look(struct directory *directory)
{
	bool is_new = false;
	int error = look_at_directory(directory);

	if (!error)
		error = lai_store_file_look(&directory->index, &is_new, &directory->output.notice,
					    &directory->output.why);
	if (!is_new)
		return error;
	error = prepare_index(directory);
	if (error) /* the next look opens it anew */
		lai_database_close(&directory->index.database);
	return error;
}

static int directory_reopen(struct lai_store_output *output)
{
	struct directory *directory = directory_of(output);

	lai_store_handles_close(&directory->handles);
	return look(directory);
}

static int directory_write(struct lai_store_output *output, const struct lai_store_batch *batch,
			   struct lai_store_counts *counts)
{
	struct directory *directory = directory_of(output);
	struct lai_store_counts sum = *counts;
	int error = look(directory);

	if (error)
		return error;
	error = lai_store_file_begin(&directory->index);
	error = error ? index_failed(directory, error) : write_batch(directory, batch, &sum);
	directory->leftover = error;
	if (!error) {
		*counts = sum;
		return 0;
	}
	lai_store_file_rollback(&directory->index);
	lai_store_known_forget(&directory->known);
	return error;
}

static int directory_sync(struct lai_store_output *output)
{
	struct directory *directory = directory_of(output);
	int error;

	if (syncfs(directory->fd) != 0)
		return file_failed(directory, -errno, "");
	error = directory->index.database.handle ? lai_database_sync(&directory->index.database)
						 : 0;
	return error ? index_failed(directory, error) : 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void directory_close(struct lai_store_output *output)
{
	struct directory *directory = directory_of(output);

	lai_store_handles_close(&directory->handles);
	lai_store_known_done(&directory->known);
	lai_store_file_close(&directory->index);
	if (directory->fd >= 0)
		(void)close(directory->fd);
	lai_buffer_done(&directory->chunk);
	lai_store_groups_done(&directory->groups);
	free(directory->path);
	free(output->why);
	free(output->notice);
	free(directory);
}

static const struct lai_store_output_kind kind = {
	.write = directory_write,
	.sync = directory_sync,
	.reopen = directory_reopen,
	.close = directory_close,
};

static int open_index(struct directory *directory, char **error)
{
	char *path;
	int result = -ENOMEM;

	if (asprintf(&path, "%s/.lastack.db", directory->path) < 0)
		return result;
	result = lai_store_file_open(&directory->index, path, NULL, directory->durability, &schema,
				     error);
	free(path);
	return result ? result : prepare_index(directory);
}

static int open_directory(struct directory *directory, const char *into)
{
	size_t length;

	directory->path = strdup(into);
	if (!directory->path)
		return -ENOMEM;
	if (mkdir(into, 0700) != 0 && errno != EEXIST)
		return lai_error(&directory->output.why, -errno,
				 "%s: the directory cannot be made: %s", into, strerror(errno));
	directory->fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0)
		return lai_error(&directory->output.why, -errno, "%s: %s", into, strerror(errno));
	lai_store_handles_init(&directory->handles, directory->fd);
	for (length = strlen(into); length > 1 && into[length - 1] == '/'; length--)
		directory->path[length - 1] = '\0';
	return 0;
}

int lai_store_directory_open(struct lai_store_output **output,
			     const struct lai_store_settings *settings, char **error)
{
	struct directory *directory = calloc(1, sizeof(*directory));
	int result;

	*error = NULL;
	if (!directory)
		return -ENOMEM;
	directory->output.kind = &kind;
	directory->fd = -1;
	directory->rotate_bytes = settings->rotate_bytes;
	directory->durability = settings->durability;
	lai_store_handles_init(&directory->handles, -1);
	result = open_directory(directory, settings->into);
	if (!result)
		result = open_index(directory, error);
	if (!result) {
		*output = &directory->output;
		return 0;
	}
	if (!*error)
		(void)lai_error_pass(error, result, &directory->output.why);
	directory_close(&directory->output);
	return result;
}
