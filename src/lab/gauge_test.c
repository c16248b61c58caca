/* SPDX-License-Identifier: MIT */
/*
 * gauge_test.c - calls and what the kernel says of their sockets, on a host that is a network
 * namespace with loopback alone, client and server at once. A failing instrument ends the process,
 * so each test is a child, which tells by its result what happened.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/gauge.h"

#include "cli/demo_space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATIENCE_NS (10 * LAI_S)

static struct lai_trial trial;
static struct lai_host host = {.name = "loopback"};
/* cmocka's assertions belong to the parent: the child leaves by the first check that fails. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			lai_trial_fail(&trial, "line %d: %s", __LINE__, #condition);               \
	} while (0)

static bool world_make(int family)
{
	if (lai_demo_space_enter() == LAI_DEMO_SPACE_DENIED)
		return false;
	host.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (lai_address_parse("127.0.0.1", 0, &host.ports[0].v4) < 0 ||
	    lai_address_parse("::1", 0, &host.ports[0].v6) < 0)
		return false;
	trial.client = trial.server = &host;
	trial.family = family;
	return host.netns >= 0;
}

static void child(int family, void run(void))
{
	if (!world_make(family))
		lai_trial_lacks(&trial, "no network namespace of our own is allowed here");
	run();
	lai_trial_control(&trial, true, "none");
	lai_trial_conclude(&trial, LAI_LAB_CONFIRMED, "done");
	trial.result->ended_ns = lai_clock_read(CLOCK_REALTIME);
	_exit(0);
}

/* The result stays in trial.result. False: skipped. */
static bool run_child(int family, void run(void))
{
	const char *why;
	int status = -1;
	pid_t pid;

	trial.result = mmap(NULL, sizeof(*trial.result), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(trial.result, MAP_FAILED);
	trial.result->began_ns = lai_clock_read(CLOCK_REALTIME);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(family, run);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	switch (lai_result_verdict(trial.result, &why)) {
	case LAI_LAB_CONFIRMED: return true;
	case LAI_LAB_LACKS: print_message("# skipped: %s\n", why); return false;
	default: fail_msg("%s", why); return false;
	}
}

static void closing(void)
{
	struct lai_pair pair = lai_pair_open(&trial, NULL);
	struct lai_socket_fact fact;

	CHECK(lai_gauge_state(&trial, &host, &pair.at_client) == LAI_TCP_ESTABLISHED);
	CHECK(lai_gauge_state(&trial, &host, &pair.at_server) == LAI_TCP_ESTABLISHED);
	CHECK(lai_gauge_count(&trial, &host, LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED)) == 2);
	CHECK(lai_call_close(pair.client).error == 0);
	pair.client = -1;
	lai_gauge_need(&trial, &host, &pair.at_server, LAI_TCP_CLOSE_WAIT);
	/* A mini-socket, which the look-up of one tuple has to find as well. */
	lai_gauge_need(&trial, &host, &pair.at_client, LAI_TCP_FIN_WAIT2);
	CHECK(lai_gauge_find(&trial, &host, &pair.at_client, &fact));
	CHECK(fact.state == LAI_TCP_FIN_WAIT2 && fact.timer == LAI_TIMER_TIME_WAIT);
	CHECK(fact.timer_ms > 0 && fact.inode == 0);
	CHECK(lai_call_close(pair.server).error == 0);
	pair.server = -1;
	lai_gauge_need(&trial, &host, &pair.at_client, LAI_TCP_TIME_WAIT);
	CHECK(lai_gauge_find(&trial, &host, &pair.at_client, &fact));
	CHECK(fact.timer == LAI_TIMER_TIME_WAIT && fact.timer_ms > 30000);
	CHECK(!strcmp(lai_gauge_timer(&fact), "time-wait"));
	lai_gauge_need(&trial, &host, &pair.at_server, LAI_TCP_NONE);
	/* Of the listener there is an end, but no connection. */
	CHECK(!lai_gauge_await(&trial, &host, &pair.at_client, LAI_TCP_NONE, 30 * LAI_MS));
	lai_pair_close(&pair);
}

static void check_states(void)
{
	static const struct {
		bool client;
		enum lai_tcp_state state;
	} rows[] = {
		{true, LAI_TCP_ESTABLISHED}, {false, LAI_TCP_ESTABLISHED},
		{false, LAI_TCP_CLOSE_WAIT}, {true, LAI_TCP_FIN_WAIT2},
		{true, LAI_TCP_TIME_WAIT},   {false, LAI_TCP_NONE},
	};
	const struct lai_result *result = trial.result;
	uint16_t client_port = result->states[0].local_port;
	size_t at = 0;

	/* States in between may have been seen too. */
	for (size_t i = 0; i < result->state_count && at < COUNT(rows); i++) {
		assert_true(result->states[i].time_ns >= result->began_ns);
		assert_true(i == 0 || result->states[i].time_ns >= result->states[i - 1].time_ns);
		if (result->states[i].state == rows[at].state &&
		    (result->states[i].local_port == client_port) == rows[at].client)
			at++;
	}
	assert_int_equal(at, COUNT(rows));
}

static void test_closing(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++)
		if (run_child(families[i], closing))
			check_states();
}

static void data(void)
{
	struct lai_pair pair = lai_pair_open(&trial, NULL);
	struct lai_call call;
	char text[8] = "";

	call = lai_call_receive(pair.server, text, sizeof(text), 5 * LAI_MS);
	CHECK(call.error == EINPROGRESS && call.took_ns >= 5 * LAI_MS);
	call = lai_call_send(pair.client, 100000, PATIENCE_NS);
	CHECK(call.error == 0 && call.bytes == 100000);
	call = lai_call_receive(pair.server, text, 4, PATIENCE_NS);
	CHECK(call.error == 0 && call.bytes == 4 && !strcmp(text, "abcd"));
	call = lai_call_receive(pair.server, NULL, 6, PATIENCE_NS);
	CHECK(call.error == 0 && call.bytes == 6);
	CHECK(shutdown(pair.client, SHUT_WR) == 0);
	call = lai_call_receive_all(pair.server, PATIENCE_NS);
	CHECK(call.error == 0 && call.bytes == 100000 - 10);
	/* Nobody reads: it ends with the wait. */
	call = lai_call_send(pair.server, 100000000, 20 * LAI_MS);
	CHECK(call.error == EINPROGRESS && call.bytes > 0 && call.bytes < 100000000);
	lai_call_linger(&trial, pair.client, true, 0);
	CHECK(lai_call_close(pair.client).error == 0);
	pair.client = -1;
	lai_gauge_need(&trial, &host, &pair.at_server, LAI_TCP_NONE);
	call = lai_call_send(pair.server, 1, PATIENCE_NS);
	CHECK(!strcmp(lai_call_errno(call.error), "EPIPE"));
	lai_pair_close(&pair);
}

static void test_data(void **state)
{
	(void)state;
	(void)run_child(AF_INET, data);
}

static void ports(void)
{
	struct lai_pair pair, second;
	struct lai_address address;
	int fd;

	pair = lai_pair_open(
		&trial, &(struct lai_pair_plan){.client_port = lai_trial_port(&trial, 20000, 20999),
						.reuse = true});
	CHECK(lai_address_port(&pair.at_client.local) >= 20000);
	CHECK(lai_address_port(&pair.at_client.local) <= 20999);
	second = lai_pair_open(&trial, &(struct lai_pair_plan){.listener = pair.listener});
	CHECK(second.listener == -1);
	CHECK(lai_address_equal(&second.at_client.remote, &pair.at_client.remote));
	fd = lai_call_socket(&trial, &host);
	CHECK(lai_call_bind(fd, &pair.at_client.local).error == EADDRINUSE);
	address = lai_host_address(&trial, &host, 1);
	CHECK(lai_call_connect(fd, &address, PATIENCE_NS).error == ECONNREFUSED);
	(void)close(fd);
	lai_pair_close(&second);
	lai_pair_close(&pair);
}

static void test_ports(void **state)
{
	(void)state;
	(void)run_child(AF_INET, ports);
}

static void counters(void)
{
	struct lai_counters *then = lai_counters_read(&trial, &host);
	struct lai_pair pair = lai_pair_open(&trial, NULL);

	CHECK(lai_counters_since(&trial, &host, then, "PassiveOpens") == 1);
	CHECK(lai_counters_since(&trial, &host, then, "ActiveOpens") == 1);
	CHECK(lai_counters_since(&trial, &host, then, "TW") == 0);
	CHECK(lai_counters_since(&trial, &host, then, "InSegs") >= 3);
	CHECK(lai_counters_since(&trial, &host, then, "InOctets") > 0);
	lai_call_linger(&trial, pair.client, true, 0);
	(void)close(pair.client);
	pair.client = -1;
	CHECK(lai_counters_since(&trial, &host, then, "TCPAbortOnData") == 1);
	lai_counters_free(then);
	lai_pair_close(&pair);
}

static void test_counters(void **state)
{
	(void)state;
	(void)run_child(AF_INET, counters);
}

static void no_counter(void)
{
	struct lai_counters *then = lai_counters_read(&trial, &host);

	(void)lai_counters_since(&trial, &host, then, "NoSuchCounter");
}

static void test_no_counter(void **state)
{
	(void)state;
	assert_false(run_child(AF_INET, no_counter));
	assert_int_equal(trial.result->said, LAI_LAB_LACKS);
	assert_true(strstr(trial.result->words, "no counter NoSuchCounter") ||
		    strstr(trial.result->words, "no network namespace"));
}

static void no_state(void)
{
	struct lai_pair pair = lai_pair_open(&trial, NULL);
	struct lai_address nobody = lai_host_address(&trial, &host, 1);
	struct lai_ends ends = {.local = nobody, .remote = pair.at_client.remote};

	CHECK(!lai_gauge_find(&trial, &host, &ends, NULL));
	lai_pair_close(&pair);
	CHECK(trial.result->state_count == 0);
}

static void test_no_state(void **state)
{
	(void)state;
	(void)run_child(AF_INET, no_state);
}

static void test_errno_names(void **state)
{
	(void)state;
	assert_string_equal(lai_call_errno(0), "0");
	assert_string_equal(lai_call_errno(ECONNRESET), "ECONNRESET");
	assert_string_equal(lai_call_errno(EADDRNOTAVAIL), "EADDRNOTAVAIL");
	assert_string_equal(lai_call_errno(ETIMEDOUT), "ETIMEDOUT");
	assert_string_equal(lai_call_errno(EHOSTUNREACH), "EHOSTUNREACH");
	assert_string_equal(lai_call_errno(99999), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "both ends are followed from open to gone", .test_func = test_closing},
		{.name = "bytes are sent, received and thrown away", .test_func = test_data},
		{.name = "ports are chosen, refused and shared", .test_func = test_ports},
		{.name = "counters count what happened", .test_func = test_counters},
		{.name = "a counter the kernel has not is lacking", .test_func = test_no_counter},
		{.name = "an end without a connection is in no table", .test_func = test_no_state},
		{.name = "errors have their names", .test_func = test_errno_names},
	};

	return cmocka_run_group_tests_name("lab.gauge", tests, NULL, NULL);
}
