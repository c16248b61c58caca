/* SPDX-License-Identifier: MIT */
/* t_store.h - what the tests of the store share: a place, records, waiting with a deadline. */
#ifndef T_STORE_H
#define T_STORE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "disk/store.h"

#include <errno.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing here takes longer unless it hangs, whatever the load. */
#define T_DEADLINE_NS (30 * LAI_S)
#define T_PATH_MAX 512

struct t_place {
	char directory[T_PATH_MAX / 2];
	char into[T_PATH_MAX];
};

/* A fresh directory, and a name in it. */
static inline void t_place_init(struct t_place *place, const char *name)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(place->directory, sizeof(place->directory), "%s/lastack-store.XXXXXX",
		       tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(place->into, sizeof(place->into), "%s/%s", place->directory, name);
}

static inline void t_place_done(struct t_place *place)
{
	char command[T_PATH_MAX];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", place->directory);
	assert_int_equal(system(command), 0);
}

static inline struct lai_store_settings t_settings(const char *into)
{
	return (struct lai_store_settings){
		.into = into,
		.output = 1,
		.rotate_bytes = 1ull << 30,
		.buffer_bytes = 64ull << 20,
		.durability = LA_DURABILITY_FULL,
	};
}

static inline struct lai_store *t_open(const struct lai_store_settings *settings)
{
	struct lai_store *store = NULL;
	char *error = NULL;
	int result = lai_store_open(&store, settings, &error);

	if (result)
		print_error("%d: %s\n", result, error ? error : "no reason");
	free(error);
	assert_int_equal(result, 0);
	return store;
}

static inline int t_try(struct lai_store *store, const char *sender, uint64_t seq,
			struct lai_slice destination, struct lai_slice body, uint64_t *ticket)
{
	const struct lai_store_record record = {
		.sender = lai_slice_of(sender),
		.seq = seq,
		.destination = destination,
		.headers = LAI_SLICE("content-type:text/plain\n"),
		.received_us = 1766430000123456ull,
		.body = body,
	};

	return lai_store_put(store, &record, ticket);
}

static inline uint64_t t_put(struct lai_store *store, const char *sender, uint64_t seq,
			     const char *destination, const char *body)
{
	uint64_t ticket = 0;

	assert_int_equal(
		t_try(store, sender, seq, lai_slice_of(destination), lai_slice_of(body), &ticket),
		0);
	return ticket;
}

/* One turn of a loop: hands over, and waits for news a moment. */
static inline void t_turn(struct lai_store *store, int timeout_ms)
{
	struct pollfd fd = {.fd = lai_store_fd(store), .events = POLLIN};

	(void)lai_store_submit(store);
	(void)poll(&fd, 1, timeout_ms);
	lai_store_take_news(store);
}

static inline bool t_stored_in_time(struct lai_store *store, uint64_t ticket)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);

	while (lai_store_stored(store) < ticket && lai_clock_now() < until_ns)
		t_turn(store, 100);
	return lai_store_stored(store) >= ticket;
}

static inline void t_wait(struct lai_store *store, uint64_t ticket)
{
	if (!t_stored_in_time(store, ticket))
		fail_msg("ticket %llu is not stored in time: %s", (unsigned long long)ticket,
			 lai_store_trouble(store) ? lai_store_trouble(store) : "no trouble");
}

/* The first column of the first row, as a person with sqlite3 gets it; -1: an error. */
static inline int64_t t_query(const char *path, const char *sql)
{
	sqlite3 *handle = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(handle, 10000) == SQLITE_OK &&
	    sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(handle);
	return value;
}

/* All of a small file, with a NUL behind it; to be released with free(). NULL: none. */
static inline char *t_read(const char *directory, const char *name, size_t *size)
{
	char path[T_PATH_MAX + 256], *data;
	long length;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	(void)fseek(file, 0, SEEK_END);
	length = ftell(file);
	rewind(file);
	data = calloc(1, (size_t)length + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)length, file), length);
	(void)fclose(file);
	*size = (size_t)length;
	return data;
}

static inline void t_file_is(const char *directory, const char *name, const char *wanted)
{
	size_t size = 0;
	char *data = t_read(directory, name, &size);

	if (!data)
		fail_msg("there is no %s/%s", directory, name);
	assert_string_equal(data, wanted);
	free(data);
}

#endif
