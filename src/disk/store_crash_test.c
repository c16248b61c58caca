/* SPDX-License-Identifier: MIT */
/*
 * store_crash_test.c - what was confirmed is there, once, whatever happens to the process or to the
 * disk: kill -9 in the middle, and a file system without room.
 */
#include "disk/t_store.h"

#include "base/random.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define DESTINATION_COUNT 5
#define SKIP_CODE 77

static const struct {
	const char *name;
	enum la_durability durability;
} stores[] = {
	{"s.db", LA_DURABILITY_FULL},
	{"s.db", LA_DURABILITY_NONE},
	{"d/", LA_DURABILITY_FULL},
	{"d/", LA_DURABILITY_BATCH},
};

static int put_seq(struct lai_store *store, uint64_t seq, uint64_t *ticket)
{
	char destination[16], body[32];

	(void)snprintf(destination, sizeof(destination), "q%u",
		       (unsigned)(seq % DESTINATION_COUNT));
	(void)snprintf(body, sizeof(body), "record %llu", (unsigned long long)seq);
	return t_try(store, "a", seq, lai_slice_of(destination), lai_slice_of(body), ticket);
}

/* All from 1 to last, waiting for room; the last one's ticket. */
static uint64_t put_all(struct lai_store *store, uint64_t last)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS), ticket = 0, seq = 1;

	while (seq <= last && lai_clock_now() < until_ns) {
		if (put_seq(store, seq, &ticket) == 0)
			seq++;
		else
			t_turn(store, 100);
	}
	assert_int_equal(seq, last + 1);
	return ticket;
}

/* How often each record stands in the files; those up to count. */
static void count_lines(const struct t_place *place, uint8_t *counts, uint64_t count)
{
	char name[32];
	size_t size;

	for (int i = 0; i < DESTINATION_COUNT; i++) {
		char *data, *line, *rest;

		(void)snprintf(name, sizeof(name), "q%d.log", i);
		data = rest = t_read(place->into, name, &size);
		while (rest && (line = strsep(&rest, "\n"))) {
			unsigned long long seq;

			if (!*line)
				continue;
			assert_int_equal(sscanf(line, "record %llu", &seq), 1);
			assert_int_equal(seq % DESTINATION_COUNT, i);
			assert_in_range(seq, 1, count);
			counts[seq]++;
		}
		free(data);
	}
}

static void check_files(const struct t_place *place, uint64_t confirmed, uint64_t count)
{
	uint8_t *counts = calloc(count + 1, 1);

	assert_non_null(counts);
	count_lines(place, counts, count);
	for (uint64_t seq = 1; seq <= count; seq++)
		if (counts[seq] > 1 || (seq <= confirmed && counts[seq] != 1))
			fail_msg("record %llu stands there %d times; %llu were confirmed",
				 (unsigned long long)seq, counts[seq],
				 (unsigned long long)confirmed);
	free(counts);
}

/* Each record up to confirmed is there; none up to count is there twice. */
static void check(const struct t_place *place, bool is_directory, uint64_t confirmed,
		  uint64_t count)
{
	char sql[256];

	if (is_directory) {
		check_files(place, confirmed, count);
		return;
	}
	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM records WHERE sender = 'a' AND seq BETWEEN 1 AND %llu"
		       " AND body = 'record ' || seq AND destination = 'q' || (seq %% %d)",
		       (unsigned long long)confirmed, DESTINATION_COUNT);
	assert_int_equal(t_query(place->into, sql), confirmed);
	assert_int_equal(t_query(place->into, "SELECT count(*) - count(DISTINCT seq) FROM record"),
			 0);
}

struct shared {
	_Atomic uint64_t confirmed;
};

/* The child: records from the first unconfirmed one on, until it is killed. */
static void run_until_killed(const struct lai_store_settings *settings, struct shared *shared)
{
	struct lai_store *store = t_open(settings);
	uint64_t seq = shared->confirmed + 1, ticket = 0, marked_seq = 0, marked_ticket = 0;

	for (;;) {
		for (int i = 0; i < 50; i++, seq++)
			if (put_seq(store, seq, &ticket) != 0)
				break;
		if (marked_ticket == 0) {
			marked_ticket = ticket;
			marked_seq = seq - 1;
		}
		t_turn(store, lai_store_has_room(store, 1000) ? 0 : 100);
		/* The marked record went with its batch or an earlier one. */
		if (lai_store_stored(store) >= marked_ticket) {
			shared->confirmed = marked_seq;
			marked_ticket = 0;
		}
	}
}

static pid_t start(const struct lai_store_settings *settings, struct shared *shared)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		run_until_killed(settings, shared);
		_exit(1);
	}
	return pid;
}

static void kill_rounds(const char *name, enum la_durability durability, struct shared *shared,
			struct lai_random *random)
{
	struct t_place place;
	struct lai_store_settings settings;
	bool is_directory = name[strlen(name) - 1] == '/';
	uint64_t ticket = 0, last;
	struct lai_store *store;

	t_place_init(&place, name);
	settings = t_settings(place.into);
	settings.durability = durability;
	settings.buffer_bytes = 256 << 10;
	shared->confirmed = 0;
	for (int round = 0; round < 8; round++) {
		uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);
		uint64_t wanted = shared->confirmed + 1 + lai_random_below(random, 2000);
		pid_t pid = start(&settings, shared);

		while (shared->confirmed < wanted && lai_clock_now() < until_ns &&
		       waitpid(pid, NULL, WNOHANG) == 0)
			(void)sched_yield();
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_true(shared->confirmed >= wanted);
		/* Opening cuts off what was under way. */
		store = t_open(&settings);
		lai_store_close(store);
		check(&place, is_directory, shared->confirmed, shared->confirmed + 100000);
	}
	/* Everything once more, as a sender does who had no receipt. */
	store = t_open(&settings);
	last = shared->confirmed + 1000;
	ticket = put_all(store, last);
	t_wait(store, ticket);
	lai_store_close(store);
	check(&place, is_directory, last, last + 100000);
	t_place_done(&place);
}

static void killed_in_the_middle(void **state)
{
	struct lai_random random = {.state = 11};
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(shared != MAP_FAILED);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		kill_rounds(stores[i].name, stores[i].durability, shared, &random);
	(void)munmap(shared, sizeof(*shared));
}

/* ---- a disk without room ------------------------------------------------------------------- */

static bool mount_small(const char *directory)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	return mount("lastack", directory, "tmpfs", 0, "size=2m") == 0;
}

/* Puts until nothing more finds room and there is trouble: how many were taken. */
static uint64_t fill(struct lai_store *store, uint64_t *ticket)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS), seq = 1;
	bool full = false;

	while (lai_clock_now() < until_ns && !(full && lai_store_trouble(store))) {
		full = put_seq(store, seq, ticket) != 0;
		if (!full)
			seq++;
		if (full || seq % 100 == 0)
			t_turn(store, full ? 50 : 0);
	}
	assert_non_null(lai_store_trouble(store));
	assert_non_null(strstr(lai_store_trouble(store), "no room on the disk"));
	return seq - 1;
}

static void store_without_room(const char *name, bool closes)
{
	struct t_place place;
	struct lai_store_settings settings;
	struct lai_store_counts counts;
	struct lai_store *store;
	bool is_directory = name[strlen(name) - 1] == '/';
	uint64_t ticket = 0, last, stored;

	t_place_init(&place, name);
	if (!mount_small(place.directory))
		_exit(SKIP_CODE);
	settings = t_settings(place.into);
	settings.buffer_bytes = 4 << 20;
	store = t_open(&settings);
	last = fill(store, &ticket);
	stored = lai_store_stored(store);
	assert_true(stored < ticket);
	lai_store_counts(store, &counts);
	if (closes) /* which does not hang */
		lai_store_close(store);
	assert_int_equal(mount("lastack", place.directory, "tmpfs", MS_REMOUNT, "size=64m"), 0);
	if (closes) {
		store = t_open(&settings);
		check(&place, is_directory, counts.records, last);
		ticket = put_all(store, last);
	}
	t_wait(store, ticket);
	lai_store_take_news(store);
	assert_null(lai_store_trouble(store));
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records + counts.duplicate_records, last);
	lai_store_close(store);
	check(&place, is_directory, last, last);
	_exit(umount2(place.directory, MNT_DETACH) == 0 && rmdir(place.directory) == 0 ? 0 : 1);
}

static void a_disk_without_room(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		int status = 0;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			store_without_room(i % 2 ? "d/" : "s.db", i / 2);
			_exit(1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_CODE)
			skip(); /* no mount namespace, no tmpfs */
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "killed in the middle: what was confirmed is there, once",
		 .test_func = killed_in_the_middle},
		{.name = "a disk without room: says so, goes on when there is room, nothing lost",
		 .test_func = a_disk_without_room},
	};

	return cmocka_run_group_tests_name("disk.store_crash", tests, NULL, NULL);
}
