/* SPDX-License-Identifier: MIT */
#include "disk/store_known.h"

#include <errno.h>
#include <stdlib.h>

/* Runs kept at hand; a place is taken over by the next sender that falls on it. */
#define RUN_COUNT 8192
/* Senders with longer names are looked up each time. */
#define SENDER_MAX 92

/*
 * Numbers are SQLite's: signed, in the order in which the table has them. Numbers of 2^63 and more
 * are negative there, which does no harm: they are runs like others.
 */
struct lai_store_run {
	int64_t first, last; /* first > last: nothing known there */
	int64_t next_first;  /* where the sender's next run begins; INT64_MAX: no matter */
	bool used, changed;
	uint32_t size;
	char sender[SENDER_MAX];
};

int lai_store_known_init(struct lai_store_known *known, struct lai_database *database)
{
	int error;

	*known = (struct lai_store_known){
		.database = database,
		.runs = calloc(RUN_COUNT, sizeof(*known->runs)),
	};
	if (!known->runs)
		return -ENOMEM;
	error = lai_database_prepare(database, &known->before,
				     "SELECT first, last FROM run WHERE sender = ? AND first <= ?"
				     " ORDER BY first DESC LIMIT 1");
	if (!error)
		error = lai_database_prepare(database, &known->after,
					     "SELECT first, last FROM run WHERE sender = ?"
					     " AND first > ? ORDER BY first LIMIT 1");
	if (!error)
		error = lai_database_prepare(database, &known->write,
					     "INSERT OR REPLACE INTO run VALUES(?, ?, ?)");
	if (!error)
		error = lai_database_prepare(database, &known->remove,
					     "DELETE FROM run WHERE sender = ? AND first = ?");
	return error;
}

void lai_store_known_done(struct lai_store_known *known)
{
	free(known->runs);
	known->runs = NULL;
}

/* ---- the table ----------------------------------------------------------------------------- */

/* The row that the statement finds; first > last: none. */
static int look(struct lai_store_known *known, sqlite3_stmt *statement, struct lai_slice sender,
		int64_t seq, int64_t *first, int64_t *last)
{
	int result, error = 0;

	(void)lai_store_bind(statement, 1, sender);
	(void)sqlite3_bind_int64(statement, 2, seq);
	result = sqlite3_step(statement);
	*first = 1;
	*last = 0;
	if (result == SQLITE_ROW) {
		*first = sqlite3_column_int64(statement, 0);
		*last = sqlite3_column_int64(statement, 1);
	} else if (result != SQLITE_DONE) {
		error = lai_database_failed(known->database, result);
	}
	(void)sqlite3_reset(statement);
	return error;
}

static int write_run(struct lai_store_known *known, struct lai_store_run *run,
		     struct lai_slice sender)
{
	int error;

	if (!run->changed)
		return 0;
	(void)lai_store_bind(known->write, 1, sender);
	(void)sqlite3_bind_int64(known->write, 2, run->first);
	(void)sqlite3_bind_int64(known->write, 3, run->last);
	error = lai_database_step(known->database, known->write);
	if (!error)
		run->changed = false;
	return error;
}

static int remove_row(struct lai_store_known *known, struct lai_slice sender, int64_t first)
{
	(void)lai_store_bind(known->remove, 1, sender);
	(void)sqlite3_bind_int64(known->remove, 2, first);
	return lai_database_step(known->database, known->remove);
}

/* The run that has seq, or ends before it; and where the one behind it begins. */
static int load(struct lai_store_known *known, struct lai_slice sender, int64_t seq,
		struct lai_store_run *run)
{
	int64_t first, last, ignored;
	int error = look(known, known->before, sender, seq, &first, &last);

	if (error)
		return error;
	run->first = first;
	run->last = last;
	run->changed = false;
	error = look(known, known->after, sender, seq, &first, &ignored);
	if (!error)
		run->next_first = first <= ignored ? first : INT64_MAX;
	return error;
}

/* ---- runs ---------------------------------------------------------------------------------- */

static struct lai_slice sender_of(const struct lai_store_run *run)
{
	return (struct lai_slice){run->sender, run->size};
}

static bool follows(const struct lai_store_run *run, int64_t seq)
{
	return run->first <= run->last && run->last < INT64_MAX && seq == run->last + 1;
}

/* Whether the run decides about seq without a look at the table. */
static bool covers(const struct lai_store_run *run, int64_t seq)
{
	if (run->first > run->last || seq < run->first)
		return false;
	return seq <= run->last || (follows(run, seq) && seq < run->next_first);
}

/* The run grows by seq, which is right behind it, and takes in the next one if they meet. */
static int grow(struct lai_store_known *known, struct lai_store_run *run, struct lai_slice sender,
		int64_t seq)
{
	int64_t first, last;
	int error;

	run->last = seq;
	run->changed = true;
	if (run->next_first == INT64_MAX || run->next_first - 1 != seq)
		return 0;
	error = look(known, known->after, sender, seq, &first, &last);
	if (!error)
		error = remove_row(known, sender, first);
	if (error)
		return error;
	run->last = last;
	error = look(known, known->after, sender, last, &first, &last);
	if (!error)
		run->next_first = first <= last ? first : INT64_MAX;
	return error;
}

static int begin(struct lai_store_known *known, struct lai_store_run *run, struct lai_slice sender,
		 int64_t seq)
{
	run->first = seq;
	return grow(known, run, sender, seq);
}

static int add(struct lai_store_known *known, struct lai_store_run *run, struct lai_slice sender,
	       int64_t seq)
{
	int error = 0;

	if (!covers(run, seq)) {
		error = write_run(known, run, sender);
		if (!error)
			error = load(known, sender, seq, run);
	}
	if (error)
		return error;
	if (run->first <= run->last && seq <= run->last)
		return -EEXIST;
	if (follows(run, seq))
		return grow(known, run, sender, seq);
	return begin(known, run, sender, seq);
}

/* A name too long to be kept: what is noted of it is written at once. */
static int add_long(struct lai_store_known *known, struct lai_slice sender, int64_t seq)
{
	struct lai_store_run run = {.first = 1};
	int error = add(known, &run, sender, seq);

	return error ? error : write_run(known, &run, sender);
}

int lai_store_known_add(struct lai_store_known *known, struct lai_slice sender, uint64_t seq)
{
	struct lai_store_run *run = &known->runs[lai_store_hash(sender) % RUN_COUNT];
	int error;

	if (sender.size > SENDER_MAX)
		return add_long(known, sender, (int64_t)seq);
	if (!run->used || !lai_slice_equal(sender_of(run), sender)) {
		error = run->used ? write_run(known, run, sender_of(run)) : 0;
		if (error)
			return error;
		*run = (struct lai_store_run){
			.first = 1, .used = true, .size = (uint32_t)sender.size};
		if (sender.size > 0)
			memcpy(run->sender, sender.data, sender.size);
	}
	return add(known, run, sender, (int64_t)seq);
}

int lai_store_known_flush(struct lai_store_known *known)
{
	int error = 0;

	for (size_t i = 0; !error && i < RUN_COUNT; i++)
		error = write_run(known, &known->runs[i], sender_of(&known->runs[i]));
	return error;
}

void lai_store_known_forget(struct lai_store_known *known)
{
	for (size_t i = 0; i < RUN_COUNT; i++)
		known->runs[i] = (struct lai_store_run){0};
}
