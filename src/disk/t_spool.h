/* SPDX-License-Identifier: MIT */
/*
 * t_spool.h - what the tests of the spool share: a folder of their own, and records whose bodies
 * follow from their numbers, so that each can be checked wherever it turns up.
 */
#ifndef LAI_DISK_T_SPOOL_H
#define LAI_DISK_T_SPOOL_H

#include "disk/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define T_BODY_MAX 70000

static char t_folder[64];
static char t_path[128];

static inline int t_set_up(void **state)
{
	(void)state;
	(void)strcpy(t_folder, "/tmp/lastack-spool.XXXXXX");
	if (!mkdtemp(t_folder))
		return -1;
	(void)snprintf(t_path, sizeof(t_path), "%s/a.db", t_folder);
	return 0;
}

static inline int t_tear_down(void **state)
{
	char text[96];

	(void)state;
	(void)snprintf(text, sizeof(text), "rm -rf '%s'", t_folder);
	return system(text);
}

static inline struct lai_spool_settings t_settings(void)
{
	return (struct lai_spool_settings){
		.config = {.path = t_path, .durability = LA_DURABILITY_NONE},
		.record_bytes_max = T_BODY_MAX,
	};
}

static inline struct lai_spool *t_open(const struct lai_spool_settings *settings)
{
	struct lai_spool *spool = NULL;
	char *error = NULL;
	int result = lai_spool_open(&spool, settings, &error);

	if (result)
		fail_msg("%d: %s", result, error ? error : "no sentence");
	return spool;
}

/* Its sentence has this word in it. */
static inline void t_refuses(const struct lai_spool_settings *settings, int expected,
			     const char *word)
{
	struct lai_spool *spool = NULL;
	char *error = NULL;
	int result = lai_spool_open(&spool, settings, &error);

	if (result != expected || !error || !strstr(error, word))
		fail_msg("%d: %s", result, error ? error : "no sentence");
	free(error);
	assert_null(spool);
}

/* Sizes from nothing to more than a block, mostly small; of the n-th record of a test. */
static inline size_t t_size(uint64_t n)
{
	if (n % 97 == 0)
		return 0;
	if (n % 501 == 0)
		return T_BODY_MAX - n % 1000;
	return 1 + n * 7919 % 300;
}

static inline void t_fill(uint8_t *body, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		body[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

static inline int t_put_sized(struct lai_spool *spool, uint64_t n, size_t size, uint64_t *seq)
{
	static uint8_t body[T_BODY_MAX + 1];
	size_t half = size / 2;
	const struct iovec iov[] = {{body, half}, {NULL, 0}, {body + half, size - half}};

	t_fill(body, n, size);
	return lai_spool_put(spool, iov, 3, seq);
}

/* Puts the n-th record; in a fresh spool its number is n. */
static inline void t_put(struct lai_spool *spool, uint64_t n)
{
	uint64_t seq = 0;

	assert_int_equal(t_put_sized(spool, n, t_size(n), &seq), 0);
	assert_int_equal(seq, n);
}

static inline void t_check(uint64_t n, const void *body, size_t size)
{
	static uint8_t wanted[T_BODY_MAX + 1];

	assert_int_equal(size, t_size(n));
	t_fill(wanted, n, size);
	if (size > 0)
		assert_memory_equal(body, wanted, size);
}

/* The next one to be loaded is the n-th. */
static inline void t_load(struct lai_spool *spool, uint64_t n)
{
	const void *body;
	uint64_t seq;
	size_t size;

	assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
	assert_int_equal(seq, n);
	t_check(n, body, size);
}

static inline void t_load_none(struct lai_spool *spool)
{
	const void *body;
	uint64_t seq;
	size_t size;

	assert_int_equal(lai_spool_load(spool, &seq, &body, &size), -ENOENT);
}

static inline struct la_spool_info t_info(const struct lai_spool *spool)
{
	struct la_spool_info info;

	lai_spool_info(spool, &info);
	return info;
}

static inline struct la_spool_info t_inspect(void)
{
	struct la_spool_info info;
	char *error = NULL;

	if (la_spool_inspect(t_path, &info, &error) != 0)
		fail_msg("%s", error);
	return info;
}

#define T_TEST(sentence, function)                                                                 \
	{                                                                                          \
		.name = (sentence), .test_func = (function), .setup_func = t_set_up,               \
		.teardown_func = t_tear_down                                                       \
	}

#endif
