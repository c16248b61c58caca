/* SPDX-License-Identifier: MIT */
/* store_stream_test.c - a store that is a descriptor: files, pipes, readers that sleep or go. */
#include "disk/t_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static struct lai_store *open_on(int fd)
{
	struct lai_store_settings settings = t_settings("-");

	settings.output = fd;
	return t_open(&settings);
}

static void a_pipe_gets_lines(void **state)
{
	struct lai_store_counts counts;
	struct lai_store *store;
	char got[64] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	store = open_on(fds[1]);
	(void)t_put(store, "a", 1, "q", "one");
	t_wait(store, t_put(store, "a", 2, "q", ""));
	assert_int_equal(read(fds[0], got, sizeof(got)), 5);
	assert_string_equal(got, "one\n\n");
	lai_store_counts(store, &counts);
	assert_int_equal(counts.records, 2);
	assert_int_equal(counts.bytes, 3);
	/* Somebody else's descriptor keeps its flags. */
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	lai_store_close(store);
	assert_int_equal(write(fds[1], "x", 1), 1);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Reads until all has come; no byte may be lost or doubled where a try ended half-way. */
static void reads_all(struct lai_store *store, int fd, size_t wanted, uint64_t ticket)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char chunk[4096];
	size_t sum = 0;
	ssize_t size;

	while (sum < wanted && lai_clock_now() < until_ns) {
		if (poll(&readable, 1, 100) <= 0)
			continue;
		size = read(fd, chunk, sizeof(chunk));
		assert_true(size > 0);
		for (ssize_t i = 0; i < size; i++, sum++)
			assert_int_equal(chunk[i], sum % 1001 == 1000 ? '\n' : 'b');
	}
	assert_int_equal(sum, wanted);
	t_wait(store, ticket);
	assert_int_equal(poll(&readable, 1, 0), 0);
}

static uint64_t put_many(struct lai_store *store, int count)
{
	uint64_t ticket = 0;
	char body[1000];

	memset(body, 'b', sizeof(body));
	for (int i = 0; i < count; i++)
		assert_int_equal(t_try(store, "a", (uint64_t)i + 1, LAI_SLICE("q"),
				       (struct lai_slice){body, sizeof(body)}, &ticket),
				 0);
	assert_true(lai_store_submit(store));
	return ticket;
}

static void waits_for_trouble(struct lai_store *store)
{
	uint64_t until_ns = lai_time_after(lai_clock_now(), T_DEADLINE_NS);

	while (!lai_store_trouble(store) && lai_clock_now() < until_ns)
		t_turn(store, 100);
	assert_non_null(lai_store_trouble(store));
}

static void a_reader_that_sleeps(void **state)
{
	struct lai_store *store;
	uint64_t ticket;
	int fds[2];

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		if (kind == 0)
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		else
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
					 0);
		store = open_on(fds[1]);
		ticket = put_many(store, 1000);
		waits_for_trouble(store);
		assert_false(lai_store_failed(store));
		assert_true(lai_store_stored(store) < ticket);
		reads_all(store, fds[0], 1001 * 1000, ticket);
		lai_store_take_news(store);
		assert_null(lai_store_trouble(store));
		lai_store_close(store);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

static void nobody_reads_and_it_ends_all_the_same(void **state)
{
	struct lai_store *store;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	store = open_on(fds[1]);
	(void)put_many(store, 1000);
	/* Without a bound this would hang, and the runner's deadline would tell. */
	lai_store_close(store);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void a_reader_that_goes_is_final(void **state)
{
	struct lai_store *store;
	uint64_t ticket;
	int fds[2];

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		if (kind == 0)
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		else
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
					 0);
		store = open_on(fds[1]);
		(void)close(fds[0]);
		ticket = t_put(store, "a", 1, "q", "x");
		assert_true(lai_store_submit(store));
		waits_for_trouble(store);
		assert_true(lai_store_failed(store));
		assert_int_equal(lai_store_stored(store), ticket - 1);
		lai_store_close(store);
		(void)close(fds[1]);
	}
}

static void a_file_gets_all(void **state)
{
	struct t_place place;
	struct lai_store *store;
	int fd;

	(void)state;
	t_place_init(&place, "out");
	fd = open(place.into, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0600);
	assert_true(fd >= 0);
	store = open_on(fd);
	(void)t_put(store, "a", 1, "q", "one");
	t_wait(store, t_put(store, "a", 2, "q", "two"));
	t_wait(store, t_put(store, "a", 3, "q", "three"));
	lai_store_close(store);
	(void)close(fd);
	t_file_is(place.directory, "out", "one\ntwo\nthree\n");
	t_place_done(&place);
}

static void a_closed_descriptor_is_refused(void **state)
{
	struct lai_store_settings settings = t_settings("-");
	struct lai_store *store = NULL;
	char *error = NULL;

	(void)state;
	settings.output = 1 << 20;
	assert_int_equal(lai_store_open(&store, &settings, &error), -EBADF);
	assert_non_null(error);
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a pipe gets bodies and newlines", .test_func = a_pipe_gets_lines},
		{.name = "a reader that sleeps gets every byte once",
		 .test_func = a_reader_that_sleeps},
		{.name = "nobody reads, and the store ends all the same",
		 .test_func = nobody_reads_and_it_ends_all_the_same},
		{.name = "a reader that goes is final trouble",
		 .test_func = a_reader_that_goes_is_final},
		{.name = "a file gets all of it", .test_func = a_file_gets_all},
		{.name = "a closed descriptor is refused",
		 .test_func = a_closed_descriptor_is_refused},
	};

	return cmocka_run_group_tests_name("disk.store_stream", tests, NULL, NULL);
}
