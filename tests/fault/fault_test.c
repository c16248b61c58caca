/* SPDX-License-Identifier: MIT */
/*
 * fault_test.c - one small scenario, again and again: the Nth allocation fails, or the Nth call of
 * the network, for every N until the scenario goes through without the fault. Never
 *
 *   a crash, a hang, a leak of memory or of a descriptor, a torn record,
 *   a "delivered" that is not so, or a "not delivered" after everything was.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"
#include "drive/la_link.h"
#include "faulty_heap.h"
#include "faulty_net.h"
#include "line_server.h"

#include <dirent.h>
#include <time.h>

#define LINES 20
#define LINES_FIRST 10 /* these are flushed, the others finished */
#define URL_MAX 64
/* A run takes milliseconds; one that takes this long hangs. */
#define BOUND_NS (10 * LAI_S)
#define BOUND_MS 10000
/* How long a run may go on when an error stays for good. */
#define FINISH_NS (100 * LAI_MS)
/* More than any scenario here makes: an endless loop of runs is a failure, too. */
#define FAULTS_MAX 2000

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static struct t_server server;
static int descriptors;			/* open while no link is */
static const struct t_net *current_net; /* of the run under way, for what is said of a failure */
static char numeric_url[URL_MAX], name_url[URL_MAX];

static const char *fault_name(void)
{
	return current_net && current_net->failed ? t_op_names[current_net->failed_op]
						  : "an allocation";
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Until the server has seen the end of every connection, and a cancelled look-up's thread is gone.
 */
static void settle(void)
{
	unsigned port = t_server_probe(&server);

	assert_int_not_equal(port, 0);
	for (int i = 0; i < BOUND_MS; i++) {
		if (atomic_load(&server.last_port) == port && atomic_load(&server.open) == 0 &&
		    count_descriptors() == descriptors)
			return;
		(void)poll(NULL, 0, 1);
	}
	fail_msg("with a fault in %s: %d connections open, %d descriptors more than before",
		 fault_name(), atomic_load(&server.open), count_descriptors() - descriptors);
}

static struct la_link_config config_for(const char *const *url)
{
	struct la_link_config config;

	la_link_config_default(&config);
	config.urls = url;
	config.url_count = 1;
	config.backoff_min_ns = config.backoff_max_ns = LAI_MS;
	config.buffer_bytes = config.record_bytes_max = 4096;
	config.seed = 1;
	return config;
}

/* ---- the scenario -------------------------------------------------------------------------- */

static void submit_lines(struct la_link *link, int from, int to)
{
	for (int i = from; i < to; i++) {
		char line[16];

		snprintf(line, sizeof(line), "%05d\n", i);
		assert_int_equal(la_link_submit(link, line, T_LINE_BYTES), T_LINE_BYTES);
	}
}

/* What the link says afterwards must fit together, and fit to what the server has. */
static void check_truth(struct la_link *link, int status)
{
	struct la_totals totals;

	la_link_totals(link, &totals);
	assert_int_equal(totals.accepted_bytes, LINES * T_LINE_BYTES);
	assert_int_equal(totals.accepted_bytes, totals.delivered_bytes + totals.waiting_bytes +
							totals.dropped_bytes +
							totals.abandoned_bytes);
	assert_int_equal(la_link_state(link), LA_LINK_DONE);
	assert_true(status == 0 || status == -EIO);
	assert_int_equal(status == 0, totals.delivered_bytes == totals.accepted_bytes);
}

/* Delivered in order and acknowledged: with everything closed, the server has read it. */
static void check_server(int status)
{
	assert_false(atomic_load(&server.torn));
	for (int i = 0; status == 0 && i < LINES; i++)
		if (!atomic_load(&server.seen[i]))
			fail_msg("with a fault in %s: said to be delivered, and line %d never came",
				 fault_name(), i);
}

static int run_link(struct la_link *link, uint64_t finish_ns)
{
	int status;

	submit_lines(link, 0, LINES_FIRST);
	status = la_link_flush(link, finish_ns < BOUND_NS ? finish_ns : BOUND_NS);
	assert_true(status == 0 || finish_ns < BOUND_NS);
	if (la_link_state(link) != LA_LINK_DONE)
		submit_lines(link, LINES_FIRST, LINES);
	la_link_finish(link, finish_ns);
	status = la_link_wait(link, BOUND_NS);
	if (status == -ETIMEDOUT)
		fail_msg("with a fault in %s it hangs, in state %s", fault_name(),
			 la_link_state_name(la_link_state(link)));
	check_truth(link, status);
	return status;
}

/* ---- allocations --------------------------------------------------------------------------- */

/* true: the fault has happened. */
static bool run_heap_fault(unsigned nth, const char *url)
{
	struct la_link_config config = config_for(&url);
	struct la_link *link = NULL;
	char *error = NULL;
	int status;
	bool failed;

	t_server_forget(&server);
	t_heap_arm(nth);
	status = la_link_new(&link, &config, &error);
	if (status == 0) {
		status = run_link(link, LA_NEVER);
		assert_int_equal(status, 0); /* memory comes back, so everything goes through */
		la_link_free(link);
	} else {
		assert_int_equal(status, -ENOMEM);
		assert_null(error);
	}
	failed = t_heap_disarm();
	assert_true(failed || status == 0);
	settle();
	/* A link that could not be made has promised nothing. */
	check_server(status);
	return failed;
}

static void heap_faults(const char *url, bool count_memory)
{
	unsigned nth = 0;
	bool failed;
	int live;

	if (!t_heap_works())
		skip();
	/* The C library keeps some memory from the first time on. */
	(void)run_heap_fault(FAULTS_MAX, url);
	live = atomic_load(&t_heap_live);
	do {
		failed = run_heap_fault(++nth, url);
		if (count_memory && atomic_load(&t_heap_live) != live)
			fail_msg("allocation %u fails: %d blocks are not freed", nth,
				 atomic_load(&t_heap_live) - live);
	} while (failed && nth < FAULTS_MAX);
	assert_in_range(nth, 5, FAULTS_MAX - 1);
}

static void test_heap(void **state)
{
	(void)state;
	heap_faults(numeric_url, true);
}

static void test_heap_by_name(void **state)
{
	(void)state;
	if (SANITIZED)
		skip(); /* the sanitizer itself ends the program when a thread has no memory */
	/* What the resolver of the C library keeps or loses then is not ours. */
	heap_faults(name_url, false);
}

static void test_heap_and_bad_settings(void **state)
{
	static const char *const urls[] = {"nonsense", "tcp://example.org", "tcp://example.org:0"};
	int live = atomic_load(&t_heap_live);
	bool failed;

	(void)state;
	/* glibc 2.36's vasprintf() writes a byte too far when memory ends at 100 characters. */
	if (SANITIZED || !t_heap_works())
		skip();
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		unsigned nth = 0;

		do {
			struct la_link_config config = config_for(&urls[i]);
			struct la_link *link = NULL;
			char *error = NULL;
			int status;

			t_heap_arm(++nth);
			status = la_link_new(&link, &config, &error);
			failed = t_heap_disarm();
			assert_true(status == -EINVAL || (failed && status == -ENOMEM));
			assert_true(error || failed);
			free(error);
			assert_int_equal(atomic_load(&t_heap_live), live);
		} while (failed && nth < FAULTS_MAX);
		assert_in_range(nth, 3, FAULTS_MAX - 1);
	}
}

/* ---- the network --------------------------------------------------------------------------- */

struct net_row {
	const char *sentence;
	unsigned variant;
	bool for_good;
};

static bool run_net_fault(const struct net_row *row, unsigned nth)
{
	const char *url = name_url;
	struct la_link_config config = config_for(&url);
	struct la_link *link;
	struct t_net faulty;
	int status;

	t_server_forget(&server);
	assert_int_equal(t_net_open(&faulty), 0);
	current_net = &faulty;
	faulty.fail_at = nth;
	faulty.variant = row->variant;
	faulty.for_good = row->for_good;
	assert_int_equal(lai_link_new_on(&link, &config, &faulty.net, NULL), 0);
	status = run_link(link, row->for_good ? FINISH_NS : LA_NEVER);
	/* What has failed once goes through in the end. */
	if (!row->for_good)
		assert_int_equal(status, 0);
	la_link_free(link);
	t_net_close_kernel(&faulty);
	settle();
	check_server(status);
	current_net = NULL;
	return faulty.failed;
}

static void test_net(void **state)
{
	const struct net_row *row = *state;
	unsigned nth = 0;

	while (run_net_fault(row, ++nth) && nth < FAULTS_MAX)
		;
	assert_in_range(nth, 10, FAULTS_MAX - 1);
}

static const struct net_row net_rows[] = {
	{"each call of the network fails once: variant 1 of its errors", 0, false},
	{"each call of the network fails once: variant 2 of its errors", 1, false},
	{"each call of the network fails once: variant 3 of its errors", 2, false},
	{"each call of the network fails once: variant 4 of its errors", 3, false},
	{"each call of the network fails once: variant 5 of its errors", 4, false},
	{"each call of the network fails once: variant 6 of its errors", 5, false},
	/* Not those with EINTR: no send() says it for ever. */
	{"each call of the network fails, and its like from then on: variant 1", 0, true},
	{"each call of the network fails, and its like from then on: variant 2", 1, true},
	{"each call of the network fails, and its like from then on: variant 6", 5, true},
};

#define NET_ROWS (sizeof(net_rows) / sizeof(net_rows[0]))

static int start(void **state)
{
	(void)state;
	if (!t_server_start(&server))
		return -1;
	descriptors = count_descriptors();
	snprintf(numeric_url, sizeof(numeric_url), "lines://127.0.0.1:%u", server.port);
	snprintf(name_url, sizeof(name_url), "lines://localhost:%u", server.port);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	t_server_stop(&server);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest heap[] = {
#define CLAIM(sentence, function)                                                                  \
	{.name = sentence, .test_func = function, .setup_func = start, .teardown_func = stop}
		CLAIM("each allocation fails once: no leak, and it goes through", test_heap),
		CLAIM("the same with a name to look up", test_heap_by_name),
		CLAIM("each allocation fails while bad settings are refused",
		      test_heap_and_bad_settings),
#undef CLAIM
	};
	struct CMUnitTest tests[3 + NET_ROWS];

	memcpy(tests, heap, sizeof(heap));
	for (size_t i = 0; i < NET_ROWS; i++)
		tests[3 + i] = (struct CMUnitTest){.name = net_rows[i].sentence,
						   .test_func = test_net,
						   .setup_func = start,
						   .teardown_func = stop,
						   .initial_state = (void *)&net_rows[i]};
	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
