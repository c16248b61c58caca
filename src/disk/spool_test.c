/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk/t_spool.h"

#include <malloc.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void put_range(struct lai_spool *spool, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++) {
		if (lai_spool_uncommitted(spool) > 300000)
			assert_int_equal(lai_spool_commit(spool), 0);
		t_put(spool, n);
	}
	assert_int_equal(lai_spool_commit(spool), 0);
}

static void load_range(struct lai_spool *spool, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++)
		t_load(spool, n);
}

static void bytes_are(struct lai_spool *spool, uint64_t from, uint64_t to)
{
	struct la_spool_info info = t_info(spool);
	uint64_t bytes = 0;

	for (uint64_t n = from; n <= to; n++)
		bytes += t_size(n);
	assert_int_equal(info.bytes, bytes);
	assert_int_equal(info.records, to - from + 1);
	assert_int_equal(info.first_seq, from <= to ? from : 0);
	assert_int_equal(info.last_seq, from <= to ? to : 0);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void test_order(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);

	(void)state;
	assert_int_equal(strlen(lai_spool_sender(spool)), 16);
	t_load_none(spool);
	t_put(spool, 1);
	t_load_none(spool); /* not committed */
	assert_true(lai_spool_uncommitted(spool) > 0);
	put_range(spool, 2, 3000);
	assert_int_equal(lai_spool_uncommitted(spool), 0);
	bytes_are(spool, 1, 3000);
	load_range(spool, 1, 1500);
	lai_spool_unload(spool);
	load_range(spool, 1500, 3000);
	t_load_none(spool);
	lai_spool_confirm(spool, 1234);
	bytes_are(spool, 1235, 3000);
	lai_spool_confirm(spool, 1000); /* late: nothing new */
	bytes_are(spool, 1235, 3000);
	assert_int_equal(lai_spool_commit(spool), 0);
	put_range(spool, 3001, 3100);
	load_range(spool, 3001, 3100);
	lai_spool_confirm(spool, UINT64_MAX);
	assert_int_equal(t_info(spool).records, 0);
	assert_int_equal(t_info(spool).bytes, 0);
	assert_int_equal(t_info(spool).confirmed_seq, 3100);
	lai_spool_close(spool);
}

static void test_backlog(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	uint64_t loaded = 0;

	(void)state;
	/* More than is kept in memory; then the reader catches up while more comes. */
	put_range(spool, 1, 60000);
	for (uint64_t n = 60001; n <= 80000; n++) {
		t_put(spool, n);
		if (n % 500 == 0) {
			assert_int_equal(lai_spool_commit(spool), 0);
			load_range(spool, loaded + 1, loaded + 2000);
			loaded += 2000;
			lai_spool_confirm(spool, loaded - 700);
		}
	}
	load_range(spool, loaded + 1, 80000);
	t_load_none(spool);
	lai_spool_confirm(spool, 80000);
	assert_int_equal(t_info(spool).records, 0);
	lai_spool_close(spool);
}

static void test_reopen(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	char sender[LA_SENDER_MAX];

	(void)state;
	(void)strcpy(sender, lai_spool_sender(spool));
	put_range(spool, 1, 2000);
	load_range(spool, 1, 700);
	lai_spool_confirm(spool, 333);
	t_put(spool, 2001); /* committed by close */
	lai_spool_close(spool);

	assert_int_equal(t_inspect().records, 2001 - 333);
	spool = t_open(&settings);
	assert_string_equal(lai_spool_sender(spool), sender);
	bytes_are(spool, 334, 2001);
	put_range(spool, 2002, 2010);
	load_range(spool, 334, 2010);
	t_load_none(spool);
	lai_spool_confirm(spool, 2010);
	lai_spool_close(spool);

	settings.sender = sender;
	spool = t_open(&settings);
	bytes_are(spool, 2011, 2010);
	t_load_none(spool);
	put_range(spool, 2011, 2012);
	load_range(spool, 2011, 2012);
	lai_spool_close(spool);
	settings.sender = "another";
	t_refuses(&settings, -EINVAL, sender);
}

static void test_two(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	char link[160];

	(void)state;
	t_refuses(&settings, -EBUSY, "sending from this spool");
	(void)snprintf(link, sizeof(link), "%s/link", t_folder);
	assert_int_equal(symlink(t_path, link), 0);
	settings.config.path = link;
	t_refuses(&settings, -EBUSY, "sending from this spool");
	assert_true(t_inspect().in_use);
	lai_spool_close(spool);
	assert_false(t_inspect().in_use);
	spool = t_open(&settings);
	lai_spool_close(spool);
	(void)strcat(t_path, ".lock");
	assert_int_equal(access(t_path, F_OK), -1);
}

/* ---- what does not fit --------------------------------------------------------------------- */

static void test_sizes(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool;
	uint64_t seq = 77;
	const void *body;
	size_t size;

	(void)state;
	settings.config.quota_bytes = 60000;
	spool = t_open(&settings);
	assert_int_equal(t_put_sized(spool, 1, T_BODY_MAX + 1, &seq), -EMSGSIZE);
	assert_int_equal(t_put_sized(spool, 1, 60001, &seq), -EMSGSIZE);
	assert_int_equal(seq, 77);
	assert_int_equal(t_put_sized(spool, 1, 60000, &seq), 0);
	assert_int_equal(t_put_sized(spool, 2, 0, &seq), 0);
	assert_int_equal(lai_spool_put(spool, NULL, 0, &seq), 0);
	assert_int_equal(seq, 3);
	assert_int_equal(lai_spool_commit(spool), 0);
	assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
	assert_int_equal(size, 60000);
	assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
	assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
	assert_int_equal(seq, 3);
	assert_int_equal(size, 0);
	lai_spool_close(spool);
}

static void test_huge(void **state)
{
	struct lai_spool_settings settings = t_settings();
	const size_t huge = 40u << 20;
	uint8_t *bytes = malloc(huge);
	const struct iovec iov = {bytes, huge};
	struct lai_spool *spool;
	const void *body;
	uint64_t seq;
	size_t size;

	(void)state;
	assert_non_null(bytes);
	t_fill(bytes, 5, huge);
	settings.record_bytes_max = huge;
	spool = t_open(&settings);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lai_spool_put(spool, &iov, 1, &seq), 0);
		assert_int_equal(lai_spool_put(spool, &iov, 1, &seq), -EAGAIN);
		assert_int_equal(lai_spool_commit(spool), 0);
	}
	lai_spool_close(spool);
	spool = t_open(&settings);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
		assert_int_equal(seq, i);
		assert_int_equal(size, huge);
		assert_memory_equal(body, bytes, huge);
	}
	lai_spool_close(spool);
	free(bytes);
}

static void test_block(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool;
	uint64_t seq = 0, n = 0;

	(void)state;
	settings.config.quota_bytes = 300000;
	spool = t_open(&settings);
	while (t_put_sized(spool, n + 1, 100, &seq) == 0)
		assert_int_equal(seq, ++n);
	assert_int_equal(n, 3000);
	assert_int_equal(lai_spool_commit(spool), 0);
	assert_int_equal(t_put_sized(spool, n, 1, &seq), -EAGAIN);
	for (int i = 0; i < 3000; i++) {
		const void *body;
		size_t size;

		assert_int_equal(lai_spool_load(spool, &seq, &body, &size), 0);
	}
	lai_spool_confirm(spool, 1);
	assert_int_equal(t_put_sized(spool, n, 100, &seq), 0);
	assert_int_equal(seq, 3001);
	assert_int_equal(t_info(spool).dropped_records, 0);
	lai_spool_close(spool);
}

static void test_drop_new(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool;
	uint64_t seq = 0;

	(void)state;
	settings.config.quota_bytes = 1000;
	settings.on_full = LA_FULL_DROP_NEW;
	spool = t_open(&settings);
	for (uint64_t n = 1; n <= 15; n++) {
		assert_int_equal(t_put_sized(spool, n, 100, &seq), 0);
		assert_int_equal(seq, n <= 10 ? n : 0);
	}
	assert_int_equal(t_info(spool).dropped_records, 5);
	lai_spool_close(spool);
	assert_int_equal(t_inspect().dropped_records, 5);
	assert_int_equal(t_inspect().dropped_bytes, 500);
	assert_int_equal(t_inspect().records, 10);
	spool = t_open(&settings);
	assert_int_equal(t_info(spool).dropped_bytes, 500);
	assert_int_equal(t_info(spool).accepted_seq, 10);
	lai_spool_close(spool);
}

/* What comes out is in order, without the dropped ones, and the numbers add up. */
static void drain(struct lai_spool *spool, uint64_t *last, uint64_t *count)
{
	const void *body;
	uint64_t seq;
	size_t size;

	while (lai_spool_load(spool, &seq, &body, &size) == 0) {
		assert_true(seq > *last);
		assert_int_equal(size, 1000);
		*last = seq;
		(*count)++;
	}
}

static void test_drop_oldest(void **state)
{
	struct lai_spool_settings settings = t_settings();
	uint64_t last = 0, count = 0, put = 0, seq;
	struct lai_spool *spool;

	(void)state;
	settings.config.quota_bytes = 2000000;
	settings.on_full = LA_FULL_DROP_OLDEST;
	spool = t_open(&settings);
	for (int round = 0; round < 20; round++) {
		/* Pending, ready and rows alone: each is dropped in some round. */
		for (int i = 0; i < 500 + round * 200; i++) {
			assert_int_equal(t_put_sized(spool, put, 1000, &seq), 0);
			assert_int_equal(seq, ++put);
			if (round % 3 != 2 && i % 100 == 0)
				assert_int_equal(lai_spool_commit(spool), 0);
			assert_true(t_info(spool).bytes <= 2000000);
		}
		assert_int_equal(lai_spool_commit(spool), 0);
		if (round % 4 == 3) {
			lai_spool_close(spool);
			spool = t_open(&settings);
		}
		if (round % 2 == 0) {
			drain(spool, &last, &count);
			lai_spool_confirm(spool, last);
			assert_int_equal(last, put);
			assert_int_equal(t_info(spool).records, 0);
		}
		assert_int_equal(count + t_info(spool).records + t_info(spool).dropped_records,
				 put);
	}
	drain(spool, &last, &count);
	assert_int_equal(count + t_info(spool).dropped_records, put);
	assert_true(t_info(spool).dropped_records > 1000);
	/* All is loaded, and what is loaded stays. */
	while ((put = (uint64_t)t_put_sized(spool, 1, 1000, &seq)) == 0 &&
	       lai_spool_commit(spool) == 0)
		drain(spool, &last, &count);
	assert_int_equal((int)put, -EAGAIN);
	lai_spool_close(spool);
}

/* ---- the disk ------------------------------------------------------------------------------ */

static void test_bounded(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	uint64_t last = 0, count = 0, seq;
	struct stat st;
	char wal[160];

	(void)state;
	/* 200 MB go through; then 20 MB wait at once. */
	for (int i = 0; i < 200000; i++) {
		assert_int_equal(t_put_sized(spool, 1, 1000, &seq), 0);
		if (i % 1000 == 999 && i < 180000) {
			assert_int_equal(lai_spool_commit(spool), 0);
			drain(spool, &last, &count);
			lai_spool_confirm(spool, last);
		} else if (i % 1000 == 999) {
			assert_int_equal(lai_spool_commit(spool), 0);
		}
	}
	(void)snprintf(wal, sizeof(wal), "%s-wal", t_path);
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size < 40 << 20);
	drain(spool, &last, &count);
	lai_spool_confirm(spool, last);
	assert_int_equal(count, 200000);
	lai_spool_close(spool);
	assert_int_equal(stat(t_path, &st), 0);
	assert_true(st.st_size <= 1 << 20);
	assert_int_equal(stat(wal, &st), -1);
}

/* The server is away, and every line of a log is committed on its own. */
static void test_single_commits(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	size_t before = mallinfo2().uordblks, seen;
	uint64_t last = 0, count = 0, seq;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(t_put_sized(spool, 1, 1000, &seq), 0);
		assert_int_equal(lai_spool_commit(spool), 0);
	}
	seen = mallinfo2().uordblks;
	assert_true(seen < before + (32u << 20)); /* SQLite's cache, and 4 MiB */
	drain(spool, &last, &count);
	assert_int_equal(count, 3000);
	lai_spool_close(spool);
}

/* A child must not come back into the runner of tests. */
#define NEED(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition);              \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void fill_disk(const char *path)
{
	static const char zeros[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t wrote;

	NEED(fd >= 0);
	while ((wrote = write(fd, zeros, sizeof(zeros))) > 0)
		;
	NEED(wrote < 0 && errno == ENOSPC);
	NEED(close(fd) == 0);
}

/* A disk of its own, for this process alone. Not possible: exit status 77. */
static void own_disk(const char *options)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", t_folder, "tmpfs", 0, options) != 0)
		_exit(77);
}

static void on_full_disk(void)
{
	struct lai_spool_settings settings = t_settings();
	uint64_t committed, n = 0, last = 0, seq = 0;
	struct lai_spool *spool;
	char other[160];
	const void *body;
	size_t size;

	own_disk("size=64m,mode=700");
	(void)snprintf(other, sizeof(other), "%s/other", t_folder);
	spool = t_open(&settings);
	for (; n < 1000; n++)
		NEED(t_put_sized(spool, n, 1000, &seq) == 0);
	NEED(lai_spool_commit(spool) == 0);
	fill_disk(other);
	do {
		committed = n;
		for (int i = 0; i < 10; i++, n++)
			NEED(t_put_sized(spool, n, 1000, &seq) == 0);
	} while (lai_spool_commit(spool) == 0);
	NEED(lai_spool_commit(spool) == -ENOSPC);
	NEED(strstr(lai_spool_why(spool), "no room"));
	NEED(t_inspect().records == committed);
	/* Memory is bounded, whatever the disk does. */
	while (t_put_sized(spool, n, 1000, &seq) == 0)
		NEED(seq == ++n);
	NEED(t_put_sized(spool, n, 1000, &seq) == -EAGAIN);
	NEED(lai_spool_uncommitted(spool) > 7 << 20 && lai_spool_uncommitted(spool) <= 8 << 20);
	/* What is on disk is sent meanwhile. */
	while (lai_spool_load(spool, &seq, &body, &size) == 0)
		NEED(seq == ++last);
	NEED(last == committed);
	NEED(unlink(other) == 0);
	NEED(lai_spool_commit(spool) == 0);
	while (lai_spool_load(spool, &seq, &body, &size) == 0)
		NEED(seq == ++last);
	NEED(last == n);
	lai_spool_close(spool);
	_exit(0);
}

/* Nobody makes room but the spool itself, by what is confirmed; it has less than its quota. */
static void on_small_disk(void)
{
	struct lai_spool_settings settings = t_settings();
	uint64_t n = 0, last = 0, seq = 0, full = 0;
	struct lai_spool *spool;
	const void *body;
	size_t size;

	own_disk("size=6m,mode=700");
	spool = t_open(&settings);
	while (last < 60000) {
		int error = 0;

		while (n < 60000 && (error = t_put_sized(spool, n, 1000, &seq)) == 0)
			n++;
		NEED(error == 0 || error == -EAGAIN);
		error = lai_spool_commit(spool);
		NEED(error == 0 || error == -ENOSPC);
		full += error != 0;
		NEED(full < 1000); /* it does not stand still */
		while (lai_spool_load(spool, &seq, &body, &size) == 0)
			NEED(seq == ++last && size == 1000);
		lai_spool_confirm(spool, last);
	}
	NEED(full > 0);
	lai_spool_close(spool);
	NEED(t_inspect().records == 0);
	_exit(0);
}

static void in_child(void (*work)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		work();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_full_disk(void **state)
{
	(void)state;
	in_child(on_full_disk);
}

static void test_small_disk(void **state)
{
	(void)state;
	in_child(on_small_disk);
}

static void test_elsewhere(void **state)
{
	struct lai_spool_settings settings = t_settings();

	(void)state;
	assert_int_equal(mkdir(t_path, 0700), 0);
	t_refuses(&settings, -EISDIR, t_path);
	assert_int_equal(rmdir(t_path), 0);
	settings.config.path = "/nonexistent/a.db";
	t_refuses(&settings, -ENOENT, "/nonexistent/a.db");
}

static void as_stranger(void)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = NULL;
	struct la_spool_info info;
	char *error = NULL;

	if (setresuid(65534, 65534, 65534) != 0)
		_exit(77);
	NEED(la_spool_inspect(t_path, &info, &error) == -EACCES);
	NEED(error && strstr(error, "ermission"));
	free(error);
	NEED(lai_spool_open(&spool, &settings, &error) == -EACCES);
	NEED(error && strstr(error, "ermission"));
	free(error);
	_exit(0);
}

static void test_permission(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct stat st;

	(void)state;
	lai_spool_close(t_open(&settings));
	assert_int_equal(stat(t_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(t_folder, 0755), 0);
	in_child(as_stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_TEST("records come out once, whole and in order, when they are committed",
		       test_order),
		T_TEST("a reader far behind reads from disk, and catches up", test_backlog),
		T_TEST("a spool goes on where it was closed, in the middle of a block",
		       test_reopen),
		T_TEST("one sender at a time, under any name of the file", test_two),
		T_TEST("empty records, and those over a limit", test_sizes),
		T_TEST("records of 40 MiB", test_huge),
		T_TEST("policy block: full is full until something is confirmed", test_block),
		T_TEST("policy drop-new: counted, forgotten, remembered by the file",
		       test_drop_new),
		T_TEST("policy drop-oldest: whole old blocks go, and nothing that is loaded",
		       test_drop_oldest),
		T_TEST("neither log nor file grow for ever", test_bounded),
		T_TEST("3,000 commits of one record each: what waits is on disk, not in memory",
		       test_single_commits),
		T_TEST("a full disk: kept in memory, bounded, and committed when there is room",
		       test_full_disk),
		T_TEST("a disk smaller than the quota: what is confirmed makes room, for ever",
		       test_small_disk),
		T_TEST("a spool is its owner's alone", test_permission),
		T_TEST("a directory and a missing folder are refused", test_elsewhere),
	};

	return cmocka_run_group_tests_name("disk.spool", tests, NULL, NULL);
}
