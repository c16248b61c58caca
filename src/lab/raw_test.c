/* SPDX-License-Identifier: MIT */
/*
 * raw_test.c - raw peers before a real kernel, over IPv4 and IPv6. Each test is a claim made by
 * hand, run by the runner; where namespaces are not allowed it is skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/call.h"
#include "lab/capture.h"
#include "lab/gauge.h"
#include "lab/raw.h"
#include "lab/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_NUMBER 77
#define WAIT_NS (5 * LAI_S)
#define SHORT_NS (20 * LAI_MS)
#define SEEDS 2 /* one for each family */

/* In a trial, where cmocka is not. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			lai_trial_fail(trial, "line %d: %s", __LINE__, #condition);                \
	} while (0)

static void try_it(void run(struct lai_trial *))
{
	struct lai_claim claim = {
		.id = "by-hand",
		.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
		.both_families = true,
		.run = run,
	};
	const struct lai_claim *claims[] = {&claim};
	struct lai_run_plan plan = {
		.claims = claims, .claim_count = 1, .seeds = SEEDS, .jobs = 2, .first_seed = 1};
	struct lai_run *result = NULL;
	char *error = NULL;
	int status = lai_run_plan(&plan, &result, &error);

	if (status == -EPERM || (status == 0 && result->outcomes[0].verdict == LAI_LAB_LACKS)) {
		print_message("# skipped: %s\n", status ? error : result->outcomes[0].why);
		free(error);
		lai_run_free(result);
		skip();
	}
	if (status != 0)
		fail_msg("the runner: %s", error ? error : strerror(-status));
	if (result->outcomes[0].verdict != LAI_LAB_CONFIRMED)
		fail_msg("%s", result->outcomes[0].why);
	lai_run_free(result);
}

static void well(struct lai_trial *trial)
{
	lai_trial_control(trial, true, "none");
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

/* Nothing but TCP between the two ends has passed: no ARP, no ICMPv6, and nothing that the kernel
   of the host where the raw peer sits would say to segments that are not its own. */
static void check_wire(struct lai_trial *trial, const struct lai_address *raw)
{
	const struct lai_captured *list;
	uint64_t packets, lost;
	size_t count;

	list = lai_capture_segments(trial->captures[0], &count);
	lai_capture_counts(trial->captures[0], &packets, &lost);
	CHECK(lost == 0 && packets == count);
	for (size_t i = 0; i < count; i++) {
		struct lai_address ends[] = {list[i].segment.from, list[i].segment.to};

		lai_address_set_port(&ends[0], 0);
		lai_address_set_port(&ends[1], 0);
		CHECK(lai_address_equal(&ends[0], raw) || lai_address_equal(&ends[1], raw));
		CHECK(!list[i].segment.bad_ip_checksum && !list[i].segment.bad_tcp_checksum);
	}
}

static void run_client(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, RAW_NUMBER);
	struct lai_address server, address = lai_raw_address(raw, 0);
	int listener = lai_call_listen(trial, trial->server, 0, false, &server), fd;
	struct lai_raw_plan plan = {.timestamps = true, .sack = true, .ts_value = 1000};
	struct lai_raw_end end = lai_raw_connect(trial, raw, &server, &plan);
	struct lai_segment heard;
	uint32_t rcv_nxt = end.rcv_nxt;

	fd = lai_call_accept(trial, listener, WAIT_NS);
	CHECK(end.snd_nxt == end.isn + 1 && end.rcv_nxt == end.peer_isn + 1);
	lai_raw_say(&end, LAI_FLAG_ACK | LAI_FLAG_PSH, 100);
	CHECK(lai_call_receive(fd, NULL, 1000, WAIT_NS).bytes == 100);
	CHECK(lai_call_send(fd, 200, WAIT_NS).bytes == 200);
	heard = lai_raw_hear_flags(trial, &end, LAI_FLAG_PSH, WAIT_NS);
	CHECK(heard.payload_bytes == 200 && heard.ack == end.snd_nxt && heard.seq == rcv_nxt);
	CHECK(end.rcv_nxt == rcv_nxt + 200);
	CHECK(heard.has_timestamp == end.timestamps);
	CHECK(!end.timestamps || (heard.ts_echo == 1000 && end.ts_recent == heard.ts_value));
	lai_raw_say(&end, LAI_FLAG_ACK, 0);
	lai_raw_say(&end, LAI_FLAG_RST | LAI_FLAG_ACK, 0);
	CHECK(lai_call_receive(fd, NULL, 10, WAIT_NS).error == ECONNRESET);
	check_wire(trial, &address);
	well(trial);
}

static void a_raw_client_talks_to_a_kernel(void **state)
{
	(void)state;
	try_it(run_client);
}

static void run_server(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, RAW_NUMBER);
	struct lai_raw_plan plan = {.port = 80, .isn = UINT32_MAX, .timestamps = true};
	struct lai_address address = lai_raw_address(raw, 80);
	int fd = lai_call_socket(trial, trial->server);
	struct lai_raw_end end;
	struct lai_ends ends;

	CHECK(lai_call_connect(fd, &address, 0).error == EINPROGRESS);
	end = lai_raw_accept(trial, raw, &plan, WAIT_NS);
	ends = lai_call_ends(trial, fd);
	CHECK(lai_address_equal(&ends.local, &end.remote));
	CHECK(lai_gauge_await(trial, trial->server, &ends, LAI_TCP_ESTABLISHED, WAIT_NS));
	CHECK(end.snd_nxt == 0); /* sequence numbers wrap */
	lai_raw_say(&end, LAI_FLAG_ACK | LAI_FLAG_FIN, 10);
	lai_gauge_need(trial, trial->server, &ends, LAI_TCP_CLOSE_WAIT);
	CHECK(lai_call_receive_all(fd, WAIT_NS).bytes == 10);
	(void)close(fd);
	(void)lai_raw_hear_flags(trial, &end, LAI_FLAG_FIN, WAIT_NS);
	lai_raw_say(&end, LAI_FLAG_ACK, 0);
	CHECK(lai_gauge_await(trial, trial->server, &ends, LAI_TCP_NONE, WAIT_NS));
	lai_address_set_port(&address, 0);
	check_wire(trial, &address);
	well(trial);
}

static void a_kernel_connects_to_a_raw_server(void **state)
{
	(void)state;
	try_it(run_server);
}

/* A SYN to a port where nobody listens, which is answered with a RST. */
static void knock(struct lai_trial *trial, struct lai_raw *raw, uint16_t port, uint32_t seq)
{
	struct lai_segment syn = {
		.from = lai_raw_address(raw, port),
		.to = lai_host_address(trial, trial->server, 9),
		.flags = LAI_FLAG_SYN,
		.seq = seq,
	};

	lai_raw_send(raw, &syn);
}

#define KNOCKS 300
#define KEPT 256

static void run_ports(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, RAW_NUMBER);
	struct lai_segment heard;
	unsigned count = 0;

	CHECK(!lai_raw_receive(raw, 0, &heard, SHORT_NS));
	knock(trial, raw, 1, 10);
	knock(trial, raw, 2, 20);
	CHECK(lai_raw_receive(raw, 2, &heard, WAIT_NS) && heard.ack == 21);
	CHECK(lai_raw_receive(raw, 0, &heard, WAIT_NS) && heard.ack == 11);
	CHECK(!lai_raw_receive(raw, 0, &heard, 0));
	knock(trial, raw, 1, 10);
	knock(trial, raw, 3, 30);
	CHECK(lai_raw_receive(raw, 3, &heard, WAIT_NS));
	lai_raw_forget(raw);
	CHECK(!lai_raw_receive(raw, 0, &heard, SHORT_NS));
	/* What nobody asks for stays waiting, but not for ever more. */
	for (uint32_t i = 0; i < KNOCKS; i++) {
		knock(trial, raw, 1, i);
		knock(trial, raw, 2, i);
		CHECK(lai_raw_receive(raw, 2, &heard, WAIT_NS) && heard.ack == i + 1);
	}
	CHECK(lai_raw_receive(raw, 1, &heard, 0) && heard.ack > KNOCKS - KEPT);
	for (count = 1; lai_raw_receive(raw, 1, &heard, 0); count++)
		;
	CHECK(count > KEPT / 2 && count <= KEPT && heard.ack == KNOCKS);
	well(trial);
}

static void ports_are_heard_apart(void **state)
{
	(void)state;
	try_it(run_ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a raw client talks to a kernel",
		 .test_func = a_raw_client_talks_to_a_kernel},
		{.name = "a kernel connects to a raw server",
		 .test_func = a_kernel_connects_to_a_raw_server},
		{.name = "ports are heard apart", .test_func = ports_are_heard_apart},
	};

	return cmocka_run_group_tests_name("lab.raw", tests, NULL, NULL);
}
