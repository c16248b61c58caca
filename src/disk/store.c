/* SPDX-License-Identifier: MIT */
/*
 * store.c - two batches: one is being filled, the other is in flight or empty. While the thread
 * writes, everything that comes gathers in the first one: the busier the server, the larger the
 * batches, and one fsync serves all of it.
 */
#include "disk/store.h"

#include "base/error.h"

#include "disk/store_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct lai_store {
	uint64_t buffer_bytes;
	struct lai_store_batch batches[2];
	struct lai_store_batch *filling, *other; /* other: in flight until its ticket is stored */
	struct lai_store_output *output;
	struct lai_store_writer *writer;
	uint64_t refused_at; /* stored when the last record found no room; UINT64_MAX: it did */
	char *trouble;
	bool failed;
};

/* ---- opening ------------------------------------------------------------------------------- */

static bool is_directory(const char *into)
{
	size_t length = strlen(into);
	struct stat status;

	return (length > 0 && into[length - 1] == '/') ||
	       (stat(into, &status) == 0 && S_ISDIR(status.st_mode));
}

static int open_output(struct lai_store *store, const struct lai_store_settings *settings,
		       char **error)
{
	if (strcmp(settings->into, "-") == 0)
		return lai_store_stream_open(&store->output, settings, error);
	if (!settings->vfs && is_directory(settings->into))
		return lai_store_directory_open(&store->output, settings, error);
	return lai_store_sqlite_open(&store->output, settings, error);
}

static void store_free(struct lai_store *store)
{
	if (store->output)
		store->output->kind->close(store->output);
	for (int i = 0; i < 2; i++)
		lai_store_batch_done(&store->batches[i]);
	free(store->trouble);
	free(store->writer);
	free(store);
}

static int store_new(struct lai_store **store, const struct lai_store_settings *settings)
{
	struct lai_store *new = calloc(1, sizeof(*new));
	int error = -ENOMEM;

	if (!new)
		return error;
	*new = (struct lai_store){
		.buffer_bytes = settings->buffer_bytes,
		.filling = &new->batches[0],
		.other = &new->batches[1],
		.refused_at = UINT64_MAX,
		.writer = malloc(sizeof(*new->writer)),
	};
	new->filling->ticket = 1;
	if (new->writer)
		error = lai_store_writer_init(new->writer, settings->durability,
					      !settings->no_thread);
	if (error)
		store_free(new);
	else
		*store = new;
	return error;
}

int lai_store_open(struct lai_store **store, const struct lai_store_settings *settings,
		   char **error)
{
	struct lai_store *new;
	char *why = NULL;
	int result = store_new(&new, settings);

	if (error)
		*error = NULL;
	if (result)
		return result;
	result = open_output(new, settings, &why);
	if (!result)
		result = lai_store_writer_start(new->writer, new->output);
	if (!result) {
		*store = new;
		return 0;
	}
	if (!why)
		(void)lai_error(&why, result, "%s: %s", settings->into, strerror(-result));
	(void)lai_error_pass(error, result, &why);
	lai_store_writer_done(new->writer);
	store_free(new);
	return result;
}

void lai_store_close(struct lai_store *store)
{
	if (!store)
		return;
	lai_store_writer_done(store->writer);
	store_free(store);
}

/* ---- batches ------------------------------------------------------------------------------- */

uint64_t lai_store_stored(const struct lai_store *store)
{
	return atomic_load_explicit(&store->writer->stored, memory_order_acquire);
}

static bool in_flight(const struct lai_store *store)
{
	return lai_store_stored(store) < store->other->ticket;
}

static uint64_t used_bytes(const struct lai_store *store)
{
	uint64_t used = lai_store_batch_bytes(store->filling);

	return in_flight(store) ? used + lai_store_batch_bytes(store->other) : used;
}

static bool fits(const struct lai_store *store, uint64_t cost)
{
	uint64_t used = used_bytes(store);

	return used <= store->buffer_bytes && cost <= store->buffer_bytes - used;
}

int lai_store_put(struct lai_store *store, const struct lai_store_record *record, uint64_t *ticket)
{
	size_t cost = lai_store_batch_cost(record);

	if (cost == 0 || cost > store->buffer_bytes)
		return -EMSGSIZE;
	if (!fits(store, cost)) {
		store->refused_at = lai_store_stored(store);
		return -EAGAIN;
	}
	if (!lai_store_batch_put(store->filling, record))
		return -ENOMEM;
	*ticket = store->filling->ticket;
	return 0;
}

bool lai_store_has_room(const struct lai_store *store, size_t size)
{
	const struct lai_store_record record = {.body = {.size = size}};
	size_t cost = lai_store_batch_cost(&record);

	return cost > 0 && store->refused_at != lai_store_stored(store) && fits(store, cost);
}

static void look_for_trouble(struct lai_store *store)
{
	free(store->trouble);
	store->trouble = lai_store_writer_trouble(store->writer, &store->failed);
}

bool lai_store_submit(struct lai_store *store)
{
	struct lai_store_batch *batch = store->filling;

	if (batch->count == 0)
		return true;
	if (in_flight(store))
		return false;
	lai_store_batch_clear(store->other);
	store->filling = store->other;
	store->filling->ticket = batch->ticket + 1;
	store->other = batch;
	lai_store_writer_hand(store->writer, batch);
	if (!store->writer->threaded)
		look_for_trouble(store);
	return true;
}

void lai_store_retry(struct lai_store *store)
{
	lai_store_writer_retry(store->writer);
	if (!store->writer->threaded)
		look_for_trouble(store);
}

/* ---- news ---------------------------------------------------------------------------------- */

int lai_store_fd(const struct lai_store *store)
{
	return store->writer->news_fd;
}

void lai_store_take_news(struct lai_store *store)
{
	uint64_t count;

	if (store->writer->news_fd >= 0)
		(void)!read(store->writer->news_fd, &count, sizeof(count));
	look_for_trouble(store);
}

const char *lai_store_trouble(const struct lai_store *store)
{
	return store->trouble;
}

bool lai_store_failed(const struct lai_store *store)
{
	return store->failed;
}

void lai_store_reopen(struct lai_store *store)
{
	lai_store_writer_reopen(store->writer);
}

void lai_store_counts(const struct lai_store *store, struct lai_store_counts *counts)
{
	lai_store_writer_counts(store->writer, counts);
}
