/* SPDX-License-Identifier: MIT */
/*
 * Senders that are killed in the middle of their work.
 *
 * A child puts, commits, loads and confirms; it tells the parent by a pipe what it has been
 * promised: "committed up to n" after each commit, "confirmed up to n" before each one that notes
 * it. The parent kills it at a random moment, opens the spool again, and finds every record that
 * was promised, whole and in order, and no number used twice.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk/t_spool.h"

#include "base/random.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 40
/* A record says its own number, in a body as long as t_size() of it. */
#define WORD sizeof(uint64_t)

struct promise {
	uint64_t committed, confirmed;
};

static void body_of(uint8_t *body, uint64_t seq, size_t *size)
{
	*size = WORD + t_size(seq);
	t_fill(body, seq, *size);
	memcpy(body, &seq, WORD);
}

static bool is_body_of(uint64_t seq, const void *body, size_t size)
{
	static uint8_t wanted[T_BODY_MAX + WORD];
	size_t wanted_size;

	body_of(wanted, seq, &wanted_size);
	return size == wanted_size && memcmp(body, wanted, size) == 0;
}

static void tell(int pipe, const struct promise *promise)
{
	if (write(pipe, promise, sizeof(*promise)) != sizeof(*promise))
		_exit(2);
}

/* Never comes back. */
static void work(const struct lai_spool_settings *settings, int pipe, uint64_t seed)
{
	static uint8_t body[T_BODY_MAX + WORD];
	struct lai_random random = {.state = seed};
	struct lai_spool *spool = t_open(settings);
	struct la_spool_info info = t_info(spool);
	struct promise promise = {.confirmed = info.confirmed_seq};
	uint64_t next = info.accepted_seq + 1, loaded = info.confirmed_seq;

	for (;;) {
		uint64_t seq;
		const void *data;
		size_t size;

		for (uint64_t i = lai_random_below(&random, 400); i > 0; i--, next++) {
			struct iovec iov = {body, 0};

			body_of(body, next, &iov.iov_len);
			if (lai_spool_put(spool, &iov, 1, &seq) != 0 || seq != next)
				_exit(3);
		}
		for (uint64_t i = lai_random_below(&random, 400); i > 0; i--) {
			if (lai_spool_load(spool, &seq, &data, &size) != 0)
				break;
			if (seq != loaded + 1 || !is_body_of(seq, data, size))
				_exit(4);
			loaded = seq;
		}
		promise.confirmed += lai_random_below(&random, loaded - promise.confirmed + 1);
		tell(pipe, &promise);
		lai_spool_confirm(spool, promise.confirmed);
		if (lai_spool_commit(spool) != 0)
			_exit(5);
		promise.committed = next - 1;
		tell(pipe, &promise);
	}
}

/* What the child has told; it dies somewhere behind a random number of sentences. */
static struct promise kill_somewhere(pid_t pid, int pipe, struct lai_random *random)
{
	uint64_t sentences = 1 + lai_random_below(random, 60);
	struct timespec moment = {.tv_nsec = (long)lai_random_below(random, 3000000)};
	struct promise promise = {0}, next;
	int status;

	for (uint64_t i = 0; i < sentences; i++)
		if (read(pipe, &next, sizeof(next)) == sizeof(next))
			promise = next;
	/* Not to wait for something: to hit any moment. */
	(void)nanosleep(&moment, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (read(pipe, &next, sizeof(next)) == sizeof(next))
		promise = next;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("the child ended with %d", WEXITSTATUS(status));
	return promise;
}

static void check_after(const struct lai_spool_settings *settings, const struct promise *promise,
			struct lai_spool **again)
{
	struct lai_spool *spool = t_open(settings);
	struct la_spool_info info = t_info(spool);
	uint64_t seq, expected = info.confirmed_seq + 1;
	const void *body;
	size_t size;

	assert_true(info.accepted_seq >= promise->committed);
	assert_true(info.confirmed_seq <= promise->confirmed);
	assert_int_equal(info.records, info.accepted_seq - info.confirmed_seq);
	for (; lai_spool_load(spool, &seq, &body, &size) == 0; expected++) {
		assert_int_equal(seq, expected);
		assert_true(is_body_of(seq, body, size));
	}
	assert_int_equal(expected, info.accepted_seq + 1);
	*again = spool;
}

static void crash(enum la_durability durability, uint64_t seed)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_random random = {.state = seed};

	if (access("/proc/sys/kernel/random/boot_id", R_OK) != 0)
		skip(); /* then every start counts as one of the host, and leaves a gap */
	settings.config.durability = durability;
	settings.record_bytes_max = T_BODY_MAX + WORD;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t child_seed = lai_random_next(&random);
		struct lai_spool *spool;
		struct promise promise;
		int ends[2];
		pid_t pid;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			work(&settings, ends[1], child_seed);
		assert_int_equal(close(ends[1]), 0);
		promise = kill_somewhere(pid, ends[0], &random);
		assert_int_equal(close(ends[0]), 0);
		check_after(&settings, &promise, &spool);
		/* Small again now and then, by the way of a sender that ends well. */
		if (round % 5 == 4)
			lai_spool_confirm(spool, UINT64_MAX);
		lai_spool_close(spool);
	}
}

static void test_none(void **state)
{
	(void)state;
	crash(LA_DURABILITY_NONE, 1);
}

static void test_full(void **state)
{
	(void)state;
	crash(LA_DURABILITY_FULL, 2);
}

/* ---- two processes ------------------------------------------------------------------------- */

static void test_lock(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool;
	char word[32], byte;
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint64_t seq;

		spool = t_open(&settings);
		if (t_put_sized(spool, 1, 100, &seq) != 0 || lai_spool_commit(spool) != 0 ||
		    write(ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)snprintf(word, sizeof(word), "process %d ", (int)pid);
	t_refuses(&settings, -EBUSY, word);
	assert_true(t_inspect().in_use);
	assert_int_equal(t_inspect().records, 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(t_inspect().in_use);
	assert_int_equal(t_inspect().records, 1);
	spool = t_open(&settings);
	assert_int_equal(t_info(spool).records, 1);
	lai_spool_close(spool);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

/* Numbers of a host that has been restarted since: those that were reserved are not used again. */
static void test_restart(void **state)
{
	struct lai_spool_settings settings = t_settings();
	struct lai_spool *spool;
	char command[256];
	uint64_t seq;
	int status;
	pid_t pid;

	(void)state;
	if (access("/proc/sys/kernel/random/boot_id", R_OK) != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		spool = t_open(&settings);
		if (t_put_sized(spool, 1, 100, &seq) != 0 || lai_spool_commit(spool) != 0)
			_exit(1);
		_exit(0); /* not closed */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	spool = t_open(&settings);
	assert_int_equal(t_put_sized(spool, 2, 100, &seq), 0);
	assert_int_equal(seq, 2);
	lai_spool_close(spool);
	spool = t_open(&settings);
	assert_int_equal(t_put_sized(spool, 3, 100, &seq), 0);
	assert_int_equal(lai_spool_commit(spool), 0);
	assert_int_equal(seq, 3);
	lai_spool_close(spool);
	if (system("command -v sqlite3 >/dev/null") != 0)
		skip();
	(void)snprintf(command, sizeof(command),
		       "sqlite3 '%s' \"UPDATE spool SET boot = 'x', reserved_seq = 1000\"", t_path);
	assert_int_equal(system(command), 0);
	spool = t_open(&settings);
	assert_int_equal(t_info(spool).records, 3);
	lai_spool_close(spool);
	spool = t_open(&settings);
	assert_int_equal(t_put_sized(spool, 4, 100, &seq), 0);
	assert_true(seq > 1000);
	lai_spool_close(spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_TEST("killed at random moments: what was committed is there, durability none",
		       test_none),
		T_TEST("the same with durability full", test_full),
		T_TEST("the lock holds against another process, and dies with it", test_lock),
		T_TEST("after a restart of the host no number is used twice", test_restart),
	};

	return cmocka_run_group_tests_name("disk.spool_crash", tests, NULL, NULL);
}
