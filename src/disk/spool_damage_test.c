/* SPDX-License-Identifier: MIT */
/*
 * Spools that are damaged: the sender goes on with what is whole and counts what is not; from
 * outside all that can be read comes out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk/t_spool.h"

#include "base/random.h"

#include <sqlite3.h>

#define RECORDS 6000
#define PAGE_BYTES 4096
/* Bodies of one byte value, which blocks full of them show in the file. */
#define BODY_BYTES 200

static void make(void)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool = t_open(&settings);
	uint8_t body[BODY_BYTES];
	const struct iovec iov = {body, sizeof(body)};
	uint64_t seq;

	for (uint64_t n = 1; n <= RECORDS; n++) {
		memset(body, (int)(n & 0xff), sizeof(body));
		assert_int_equal(lai_spool_put(spool, &iov, 1, &seq), 0);
		assert_int_equal(seq, n);
	}
	lai_spool_close(spool);
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(t_path, &st), 0);
	return st.st_size;
}

static void change(off_t offset, const void *data, size_t size)
{
	int fd = open(t_path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, offset), size);
	assert_int_equal(close(fd), 0);
}

static void flip(off_t offset)
{
	uint8_t byte;
	int fd = open(t_path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	assert_int_equal(close(fd), 0);
	byte ^= 0x10;
	change(offset, &byte, 1);
}

/* Where the body of this record stands in the file. */
static off_t find(uint8_t value)
{
	static uint8_t bytes[8 << 20];
	int fd = open(t_path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, bytes, sizeof(bytes));
	uint8_t wanted[BODY_BYTES];
	uint8_t *at;

	assert_true(size > 0);
	assert_int_equal(close(fd), 0);
	memset(wanted, value, sizeof(wanted));
	at = memmem(bytes, (size_t)size, wanted, sizeof(wanted));
	assert_non_null(at);
	return at - bytes;
}

struct seen {
	uint64_t records, last_seq;
};

/* cmocka's assertions would leap over the library's cleaning up. */
static int see(void *arg, uint64_t seq, const void *body, size_t size)
{
	struct seen *seen = arg;
	uint8_t wanted[BODY_BYTES];

	memset(wanted, (int)(seq & 0xff), sizeof(wanted));
	if (size != sizeof(wanted) || memcmp(body, wanted, size) != 0 || seq <= seen->last_seq)
		return 1;
	seen->last_seq = seq;
	seen->records++;
	return 0;
}

/* 0 or the error; what comes out is whole and in order. */
static int export(struct seen *seen, struct la_spool_info *info)
{
	char *error = NULL;
	int result;

	*seen = (struct seen){0};
	result = la_spool_export(t_path, see, seen, info, &error);
	if (result < 0 && (!error || !strstr(error, t_path)))
		fail_msg("no sentence: %s", error ? error : "none");
	free(error);
	if (result == 0)
		assert_int_equal(seen->records, info->records);
	return result;
}

/* ---- blocks -------------------------------------------------------------------------------- */

static void test_whole(void **state)
{
	struct la_spool_info info;
	struct seen seen;

	(void)state;
	make();
	assert_int_equal(export(&seen, &info), 0);
	assert_int_equal(seen.records, RECORDS);
	assert_int_equal(info.damaged_blocks, 0);
	assert_int_equal(info.bytes, RECORDS * BODY_BYTES);
	assert_int_equal(info.first_seq, 1);
	assert_int_equal(info.last_seq, RECORDS);
}

static void test_flip(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct la_spool_info info;
	struct lai_spool *spool;
	uint64_t seq, records = 0, damaged = 0;
	struct seen seen;
	const void *body;
	size_t size;
	int result;

	(void)state;
	make();
	flip(find(200) + 7); /* its first records may stand in a tree page's old copy */
	assert_int_equal(export(&seen, &info), 0);
	assert_int_equal(info.damaged_blocks, 1);
	assert_true(seen.records < RECORDS && seen.records > RECORDS - 400);
	spool = t_open(&settings);
	assert_int_equal(t_info(spool).records, RECORDS);
	while ((result = lai_spool_load(spool, &seq, &body, &size)) != -ENOENT) {
		if (result == -EBADMSG) {
			assert_non_null(strstr(lai_spool_why(spool), "damaged and passed over"));
			damaged++;
		} else {
			assert_int_equal(result, 0);
			records++;
		}
	}
	assert_int_equal(damaged, 1);
	assert_int_equal(records, seen.records);
	assert_int_equal(t_info(spool).damaged_blocks, 1);
	assert_int_equal(t_info(spool).records, records);
	lai_spool_confirm(spool, UINT64_MAX);
	assert_int_equal(t_info(spool).records, 0);
	lai_spool_close(spool);
	assert_int_equal(t_inspect().records, 0);
	assert_int_equal(t_inspect().damaged_blocks, 0);
}

/* Whole pages of nonsense, one in each place but the first: no more than some blocks are lost. */
static void test_pages(void **state)
{
	static uint8_t nonsense[PAGE_BYTES];
	uint64_t worst = RECORDS, roots = 0;
	off_t size;

	(void)state;
	memset(nonsense, 0xa5, sizeof(nonsense));
	make();
	size = file_size();
	for (off_t page = 1; page * PAGE_BYTES < size; page += 1 + page / 20) {
		struct la_spool_info info;
		struct seen seen;
		int result;

		assert_int_equal(unlink(t_path), 0);
		make();
		change(page * PAGE_BYTES, nonsense, sizeof(nonsense));
		result = export(&seen, &info);
		assert_int_equal(result, 0);
		assert_true(info.damaged_blocks > 0);
		if (seen.records < RECORDS / 2)
			roots++;
		else if (seen.records < worst)
			worst = seen.records;
	}
	/* The root of the tree is one page; a leaf has the beginnings of some blocks. */
	assert_true(roots <= 1);
	assert_true(worst > RECORDS - 8 * 400);
}

static void test_truncated(void **state)
{
	struct lai_spool_settings settings = t_settings();
	off_t whole;

	(void)state;
	make();
	whole = file_size();
	for (off_t size = whole - PAGE_BYTES - 1; size > 3 * PAGE_BYTES; size -= whole / 9) {
		struct la_spool_info info;
		struct seen seen;

		assert_int_equal(unlink(t_path), 0);
		make();
		assert_int_equal(truncate(t_path, size), 0);
		assert_int_equal(export(&seen, &info), 0);
		assert_true(info.damaged_blocks > 0);
		if (size > whole / 2)
			assert_true(seen.records > 0);
		t_refuses(&settings, -EBADMSG, "lastack spool export");
	}
}

/* ---- no spool at all ----------------------------------------------------------------------- */

static void is_refused(int expected)
{
	struct la_spool_info info;
	struct seen seen;

	assert_int_equal(export(&seen, &info), expected);
	assert_int_equal(seen.records, 0);
	assert_int_equal(la_spool_inspect(t_path, &info, NULL), expected);
}

static void test_strangers(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_random random = {.state = 3};
	uint8_t garbage[3 * PAGE_BYTES];
	char command[256];
	int fd;

	(void)state;
	is_refused(-ENOENT);
	fd = open(t_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	is_refused(-EBADMSG); /* empty; a sender may begin there */
	lai_spool_close(t_open(&settings));
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (uint8_t)lai_random_next(&random);
	change(0, garbage, sizeof(garbage));
	is_refused(-EBADMSG);
	t_refuses(&settings, -EBADMSG, "not an SQLite database");
	assert_int_equal(unlink(t_path), 0);
	assert_int_equal(mkdir(t_path, 0700), 0);
	is_refused(-EISDIR);
	assert_int_equal(rmdir(t_path), 0);
	assert_int_equal(mkfifo(t_path, 0600), 0);
	is_refused(-EBADMSG);
	assert_int_equal(unlink(t_path), 0);
	if (system("command -v sqlite3 >/dev/null") != 0)
		skip();
	(void)snprintf(command, sizeof(command), "sqlite3 '%s' 'CREATE TABLE t (n)'", t_path);
	assert_int_equal(system(command), 0);
	is_refused(-EBADMSG);
	t_refuses(&settings, -EINVAL, "something else, not a spool");
}

/* ---- any bit ------------------------------------------------------------------------------- */

/* Whatever is wrong: no crash, nothing that is not whole, no end that does not come. */
static void test_any_bit(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_random random = {.state = 11};

	(void)state;
	make();
	for (int round = 0; round < 300; round++) {
		struct lai_spool *spool = NULL;
		struct la_spool_info info;
		struct seen seen;
		const void *body;
		uint64_t seq;
		size_t size;
		char *error = NULL;
		off_t offset;

		/* The head of the file and its first pages more often than their share. */
		if (round % 2 == 0)
			offset = (off_t)lai_random_below(&random, 4 * PAGE_BYTES);
		else
			offset = (off_t)lai_random_below(&random, (uint64_t)file_size());
		flip(offset);
		assert_true(export(&seen, &info) <= 0);
		if (lai_spool_open(&spool, &settings, &error) == 0) {
			int result;

			for (int i = 0; i < 2 * RECORDS; i++) {
				result = lai_spool_load(spool, &seq, &body, &size);
				if (result == 0)
					assert_true(size <= T_BODY_MAX);
				else if (result != -EBADMSG)
					break;
			}
			(void)lai_spool_commit(spool);
			lai_spool_close(spool);
		} else {
			assert_non_null(error);
		}
		free(error);
		if (round % 3 == 2) {
			assert_int_equal(unlink(t_path), 0);
			make();
		}
	}
}

/* The records of a sender whose id cannot be sent: said when the file is opened, and not met later. */
static void test_bad_sender(void **state)
{
	struct lai_spool_settings settings = t_settings();
	sqlite3 *handle;

	(void)state;
	lai_spool_close(t_open(&settings));
	assert_int_equal(sqlite3_open(t_path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, "UPDATE spool SET sender = 'a b'", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	t_refuses(&settings, -EBADMSG, "sender's id");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_TEST("all records come out of a whole file", test_whole),
		T_TEST("a wrong byte in a block costs this block alone", test_flip),
		T_TEST("a page of nonsense anywhere costs some blocks", test_pages),
		T_TEST("a truncated file: the rest comes out, a sender is refused", test_truncated),
		T_TEST("garbage, nothing, a directory, a pipe, a stranger's database",
		       test_strangers),
		T_TEST("a sender's id that is none", test_bad_sender),
		T_TEST("any bits flipped: nothing but whole records, and an end", test_any_bit),
	};

	return cmocka_run_group_tests_name("disk.spool_damage", tests, NULL, NULL);
}
