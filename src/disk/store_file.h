/* SPDX-License-Identifier: MIT */
/* store_file.h - an SQLite file of a store's: one server at a time, tables of one kind. */
#ifndef LAI_DISK_STORE_FILE_H
#define LAI_DISK_STORE_FILE_H

#include "base/slice.h"
#include "disk/database.h"
#include "disk/lock.h"

struct lai_store_file {
	struct lai_database database;
	struct lai_lock lock; /* none on the simulator's disk */
	char *path;
};

struct lai_store_schema {
	uint32_t application_id; /* which SQLite keeps in its header, and file(1) shows */
	uint32_t page_bytes;	 /* of a new file */
	const char *tables;	 /* statements that create them */
	const char *what;	 /* "a store of lastack's" */
};

/*
 * Opens or creates. 0, or a negative errno with *error, a sentence (NULL: out of memory), and the
 * file need not be closed: -EBUSY: another server has it; -EBADMSG: not of this kind.
 */
int lai_store_file_open(struct lai_store_file *file, const char *path, const char *vfs,
			enum la_durability durability, const struct lai_store_schema *schema,
			char **error);
void lai_store_file_close(struct lai_store_file *file);

int lai_store_file_begin(struct lai_store_file *file);
int lai_store_file_commit(struct lai_store_file *file);
/* Back to the last commit, whatever happened since; fine outside a transaction. */
void lai_store_file_rollback(struct lai_store_file *file);

/* FNV-1a. Whoever finds names that collide makes himself slow, not wrong. */
static inline uint64_t lai_store_hash(struct lai_slice name)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < name.size; i++)
		sum = (sum ^ (unsigned char)name.data[i]) * 0x100000001b3ull;
	return sum ^ (sum >> 32);
}

/*
 * Binds bytes as SQLite's text where they are text (UTF-8 without NUL), so that a person can
 * compare and search them, else as a blob. The bytes must stay until the statement is reset.
 */
int lai_store_bind(sqlite3_stmt *statement, int place, struct lai_slice bytes);

#endif
