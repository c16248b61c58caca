/* SPDX-License-Identifier: MIT */
/* Look-ups in threads of their own: answers, cancelling, and that nothing stays behind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"
#include "io/resolver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PORT 4711
/* A name server may be asked and not answer; the C library gives up after some 10 s. */
#define ANSWER_MS 60000
#define MANY 40
#define TRIES 2000
#define TRY_MS 10

static size_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Entries of /proc/self/task before any look-up. */
static size_t threads_alone;

/* Threads end a moment after their answer is there. */
static void wait_until_as_before(const char *path, size_t before)
{
	for (int i = 0; i < TRIES && count_entries(path) > before; i++)
		(void)poll(NULL, 0, TRY_MS);
	assert_int_equal(count_entries(path), before);
}

static int answer_of(const char *host, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	struct lai_lookup *lookup = NULL;
	struct pollfd readable;
	int result;

	assert_int_equal(lai_lookup_start(&lookup, host, PORT), 0);
	readable = (struct pollfd){.fd = lai_lookup_fd(lookup), .events = POLLIN};
	assert_int_equal(fcntl(readable.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(poll(&readable, 1, ANSWER_MS), 1);
	result = lai_lookup_take(lookup, addresses);
	/* It can be taken again; it is the same answer. */
	assert_int_equal(lai_lookup_take(lookup, addresses), result);
	lai_lookup_free(lookup);
	return result;
}

static void test_localhost(void **state)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX] = {{.length = 0}};
	int count = answer_of("localhost", addresses);
	bool loopback = false;

	(void)state;
	assert_in_range(count, 1, LAI_ADDRESSES_MAX);
	for (int i = 0; i < count; i++) {
		char text[LA_ADDRESS_TEXT_MAX];

		lai_address_format(text, &addresses[i]);
		loopback |= strcmp(text, "127.0.0.1:4711") == 0 || strcmp(text, "[::1]:4711") == 0;
		assert_int_equal(lai_address_port(&addresses[i]), PORT);
	}
	assert_true(loopback);
}

static void test_numeric(void **state)
{
	static const char *const hosts[] = {"192.0.2.7", "2001:db8::7"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lai_address addresses[LAI_ADDRESSES_MAX], expected;

		assert_int_equal(answer_of(hosts[i], addresses), 1);
		assert_int_equal(lai_address_parse(hosts[i], PORT, &expected), 0);
		assert_true(lai_address_equal(&addresses[0], &expected));
	}
}

/* RFC 6761: .invalid never exists. Without a name server nobody can say so. */
static void test_no_such_name(void **state)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX], before[LAI_ADDRESSES_MAX];
	int result;

	(void)state;
	memset(addresses, 0x5a, sizeof(addresses));
	memcpy(before, addresses, sizeof(before));
	result = answer_of("no-such-name.invalid", addresses);
	assert_true(result == -ENOENT || result == -EAGAIN);
	assert_memory_equal(addresses, before, sizeof(before));
}

static void test_nonsense(void **state)
{
	static const char *const hosts[] = {"", " ", "..", "a..b"};
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	char label[200];

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		assert_true(answer_of(hosts[i], addresses) < 0);
	assert_true(answer_of(label, addresses) < 0);
}

static void test_not_yet(void **state)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	struct lai_lookup *lookup = NULL;
	struct pollfd readable;
	int result;

	(void)state;
	assert_int_equal(lai_lookup_start(&lookup, "localhost", PORT), 0);
	do {
		result = lai_lookup_take(lookup, addresses);
		assert_true(result > 0 || result == -EINPROGRESS);
	} while (result == -EINPROGRESS);
	readable = (struct pollfd){.fd = lai_lookup_fd(lookup), .events = POLLIN};
	assert_int_equal(poll(&readable, 1, ANSWER_MS), 1);
	lai_lookup_free(lookup);
}

static void test_cancelled(void **state)
{
	size_t descriptors;

	(void)state;
	/* The thread of an earlier test may be on its way out still, with its descriptor. */
	wait_until_as_before("/proc/self/task", threads_alone);
	descriptors = count_entries("/proc/self/fd");
	for (int i = 0; i < MANY; i++) {
		struct lai_lookup *lookup = NULL;

		assert_int_equal(lai_lookup_start(&lookup, "localhost", PORT), 0);
		lai_lookup_free(lookup);
	}
	lai_lookup_free(NULL);
	wait_until_as_before("/proc/self/task", threads_alone);
	wait_until_as_before("/proc/self/fd", descriptors);
}

static void test_no_descriptor(void **state)
{
	size_t descriptors = count_entries("/proc/self/fd");
	struct lai_lookup *lookup = (void *)&descriptors;
	struct rlimit before, none;
	int result;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = lai_lookup_start(&lookup, "localhost", PORT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -EMFILE);
	assert_ptr_equal(lookup, &descriptors);
	assert_int_equal(count_entries("/proc/self/fd"), descriptors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "localhost is a loopback address, with the port",
		 .test_func = test_localhost},
		{.name = "a numeric host is itself", .test_func = test_numeric},
		{.name = "no such name, or nobody to ask: an error, nothing written",
		 .test_func = test_no_such_name},
		{.name = "what is no name has an answer too", .test_func = test_nonsense},
		{.name = "taken too early it is in progress", .test_func = test_not_yet},
		{.name = "cancelled look-ups leave no thread and no descriptor",
		 .test_func = test_cancelled},
		{.name = "out of descriptors: EMFILE, and nothing is left",
		 .test_func = test_no_descriptor},
	};

	threads_alone = count_entries("/proc/self/task");
	return cmocka_run_group_tests_name("io.resolver", tests, NULL, NULL);
}
