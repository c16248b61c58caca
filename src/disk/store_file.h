/* SPDX-License-Identifier: MIT */
/* store_file.h - an SQLite file of a store's: one server at a time, tables of one kind. */
#ifndef LAI_DISK_STORE_FILE_H
#define LAI_DISK_STORE_FILE_H

#include "base/slice.h"
#include "disk/database.h"
#include "disk/lock.h"

struct lai_store_schema {
	uint32_t application_id; /* which SQLite keeps in its header, and file(1) shows */
	uint32_t page_bytes;	 /* of a new file */
	const char *tables;	 /* statements that create them */
	const char *what;	 /* "a store of lastack's" */
};

struct lai_store_file {
	struct lai_database database; /* handle NULL: it was moved, and cannot be opened anew yet */
	struct lai_lock lock;	      /* none on the simulator's disk */
	int place_fd; /* the same file (O_PATH), -1: none; closing it leaves SQLite's locks alone */
	char *path;
	const struct lai_store_schema *schema;
	enum la_durability durability;
};

/*
 * Opens or creates. 0, or a negative errno with *error, a sentence (NULL: out of memory), and the
 * file need not be closed: -EBUSY: another server has it; -EBADMSG: not of this kind; -ENOENT: it
 * is not there, but its log (FILE-wal) is: records of a file that was moved away. The schema stays
 * in use.
 */
int lai_store_file_open(struct lai_store_file *file, const char *path, const char *vfs,
			enum la_durability durability, const struct lai_store_schema *schema,
			char **error);
/* All that was committed is in the one file then, wherever it was moved to, if the disk lets it. */
void lai_store_file_close(struct lai_store_file *file);

/*
 * Before a transaction: is the lock still ours, and does the name still lead to the open file? If
 * not, that file is completed and closed, and the one that has the name now is opened or made;
 * then *is_new is set: statements are gone, nothing that was known of the old one holds, and
 * *notice says it (store_place.h). 0, or a negative errno with *error (NULL: out of memory).
 */
int lai_store_file_look(struct lai_store_file *file, bool *is_new, char **notice, char **error);
/*
 * After a commit: can what was committed be found? A file that was moved meanwhile is completed,
 * since its log does not move with it. -ESTALE: it was removed; or another negative errno, with
 * *error.
 */
int lai_store_file_look_back(struct lai_store_file *file, char **error);
/* Outside a transaction: brings the log into the file, if no reader hinders it, for up to 200 ms. */
void lai_store_file_settle(struct lai_store_file *file);

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
