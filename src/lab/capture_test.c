/* SPDX-License-Identifier: MIT */
/*
 * capture_test.c - capture files written by hand, byte by byte, and captures of a real wire, which
 * the runner takes; those are skipped where namespaces are not allowed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/call.h"
#include "lab/capture.h"
#include "lab/raw.h"
#include "lab/runner.h"

#include <errno.h>
#include <stdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINK_ETHERNET 1u
#define LINK_RAW 101u
#define LINK_WIFI 105u
#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define WAIT_NS (5 * LAI_S)

/* ---- files by hand -------------------------------------------------------------------------- */

struct bytes {
	uint8_t data[4096];
	size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void put32(struct bytes *bytes, uint32_t value)
{
	put(bytes, &value, sizeof(value));
}

static void put_ethernet(struct bytes *bytes, uint16_t type)
{
	const uint8_t header[14] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(type >> 8), (uint8_t)type};

	put(bytes, header, sizeof(header));
}

static void pcap_begin(struct bytes *bytes, uint32_t magic, uint32_t link_type)
{
	const uint16_t version[2] = {2, 4};

	put32(bytes, magic);
	put(bytes, version, sizeof(version));
	put32(bytes, 0);
	put32(bytes, 0);
	put32(bytes, 65535);
	put32(bytes, link_type);
}

static struct bytes packet_of(uint32_t seq, size_t payload_bytes)
{
	struct lai_segment segment = {.flags = LAI_FLAG_ACK, .seq = seq};
	struct bytes packet = {0};
	int size;

	(void)lai_address_parse("10.0.0.1", 1, &segment.from);
	(void)lai_address_parse("10.0.0.2", 2, &segment.to);
	segment.payload_bytes = payload_bytes;
	size = lai_segment_build(&segment, packet.data, sizeof(packet.data));
	assert_true(size > 0);
	packet.size = (size_t)size;
	return packet;
}

/* One packet of a pcap file; type 0: raw IP. kept: how much of it the capture kept. */
static void pcap_put(struct bytes *bytes, uint32_t s, uint32_t fraction, uint16_t type,
		     const struct bytes *packet, size_t kept)
{
	uint32_t link_bytes = type ? 14 : 0;

	put32(bytes, s);
	put32(bytes, fraction);
	put32(bytes, (uint32_t)kept + link_bytes);
	put32(bytes, (uint32_t)packet->size + link_bytes);
	if (type)
		put_ethernet(bytes, type);
	put(bytes, packet->data, kept);
}

static int read_bytes(struct bytes *bytes, struct lai_captured **list, size_t *count,
		      size_t *malformed, char **error)
{
	FILE *file = fmemopen(bytes->data, bytes->size, "r");
	int result;

	assert_non_null(file);
	result = lai_capture_read(file, list, count, malformed, error);
	assert_int_equal(fclose(file), 0); /* it stayed ours */
	return result;
}

static void pcap_of_ethernet_and_of_raw_ip_is_read(void **state)
{
	static const struct {
		uint32_t magic, link_type, fraction_ns;
	} rows[] = {
		{MAGIC_US, LINK_ETHERNET, 1000},
		{MAGIC_NS, LINK_ETHERNET, 1},
		{MAGIC_US, LINK_RAW, 1000},
		{MAGIC_NS, LINK_RAW, 1},
	};
	struct bytes packet = packet_of(7, 20);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lai_captured *list = NULL;
		struct bytes file = {0};
		size_t count, malformed;
		char *error = NULL;

		pcap_begin(&file, rows[i].magic, rows[i].link_type);
		pcap_put(&file, 1700000000, 999, rows[i].link_type == LINK_ETHERNET ? 0x0800 : 0,
			 &packet, packet.size);
		assert_int_equal(read_bytes(&file, &list, &count, &malformed, &error), 0);
		assert_int_equal(count, 1);
		assert_int_equal(malformed, 0);
		assert_true(list[0].time_ns == 1700000000 * LAI_S + 999 * rows[i].fraction_ns);
		assert_int_equal(list[0].segment.seq, 7);
		assert_int_equal(list[0].segment.payload_bytes, 20);
		assert_null(list[0].segment.payload);
		free(list);
	}
}

static void pcapng_is_read(void **state)
{
	struct bytes packet = packet_of(9, 0), file = {0};
	struct lai_captured *list = NULL;
	size_t count, malformed;
	char *error = NULL;
	const uint16_t version[2] = {1, 0}, link[2] = {LINK_RAW, 0};

	(void)state;
	put32(&file, 0x0a0d0d0a); /* section header */
	put32(&file, 28);
	put32(&file, 0x1a2b3c4d);
	put(&file, version, sizeof(version));
	put32(&file, UINT32_MAX); /* of unknown length */
	put32(&file, UINT32_MAX);
	put32(&file, 28);
	put32(&file, 1); /* interface */
	put32(&file, 20);
	put(&file, link, sizeof(link));
	put32(&file, 65535);
	put32(&file, 20);
	put32(&file, 6); /* enhanced packet: 32 bytes around 40 */
	put32(&file, 32 + 40);
	put32(&file, 0);
	put32(&file, 0); /* 5 s in microseconds */
	put32(&file, 5000000);
	put32(&file, 40);
	put32(&file, 40);
	assert_int_equal(packet.size, 40);
	put(&file, packet.data, packet.size);
	put32(&file, 32 + 40);
	assert_int_equal(read_bytes(&file, &list, &count, &malformed, &error), 0);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].segment.seq, 9);
	assert_true(list[0].time_ns == 5 * LAI_S);
	free(list);
}

static void other_protocols_are_passed_over_and_damage_is_counted(void **state)
{
	struct bytes good = packet_of(1, 0), cut = packet_of(2, 500), bad = packet_of(3, 0);
	struct bytes udp = packet_of(4, 0), file = {0};
	struct lai_captured *list = NULL;
	size_t count, malformed;
	char *error = NULL;

	(void)state;
	bad.data[32] = 0; /* the TCP header's length */
	udp.data[9] = 17;
	pcap_begin(&file, MAGIC_NS, LINK_ETHERNET);
	pcap_put(&file, 1, 0, 0x0800, &good, good.size);
	pcap_put(&file, 2, 0, 0x0806, &good, 28); /* ARP */
	pcap_put(&file, 3, 0, 0x0800, &cut, 100);
	pcap_put(&file, 4, 0, 0x0800, &bad, bad.size);
	pcap_put(&file, 5, 0, 0x0800, &udp, udp.size);
	pcap_put(&file, 6, 0, 0x0800, &good, 30); /* within the header */
	assert_int_equal(read_bytes(&file, &list, &count, &malformed, &error), 0);
	assert_int_equal(count, 2);
	assert_int_equal(malformed, 2);
	assert_int_equal(list[1].segment.seq, 2);
	assert_int_equal(list[1].segment.payload_bytes, 500);
	free(list);
}

static void an_empty_capture_has_no_segments(void **state)
{
	struct lai_captured *list = NULL;
	size_t count = 99, malformed;
	struct bytes file = {0};
	char *error = NULL;

	(void)state;
	pcap_begin(&file, MAGIC_US, LINK_ETHERNET);
	assert_int_equal(read_bytes(&file, &list, &count, &malformed, &error), 0);
	assert_int_equal(count, 0);
	free(list);
}

static void what_is_no_capture_is_refused_with_a_sentence(void **state)
{
	struct bytes packet = packet_of(1, 0), files[3] = {0};

	(void)state;
	put(&files[0], "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 37);
	pcap_begin(&files[1], MAGIC_US, LINK_WIFI);
	pcap_begin(&files[2], MAGIC_US, LINK_RAW);
	pcap_put(&files[2], 1, 0, 0, &packet, packet.size);
	files[2].size -= 5; /* the file ends within its packet */
	for (size_t i = 0; i < COUNT(files); i++) {
		struct lai_captured *list = NULL;
		size_t count, malformed;
		char *error = NULL;

		assert_int_equal(read_bytes(&files[i], &list, &count, &malformed, &error), -EINVAL);
		assert_non_null(error);
		assert_true(strlen(error) > 10);
		assert_null(list);
		free(error);
	}
}

/* ---- a real wire ---------------------------------------------------------------------------- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			lai_trial_fail(trial, "line %d: %s", __LINE__, #condition);                \
	} while (0)

static struct lai_run *try_it(void run(struct lai_trial *), unsigned seeds)
{
	static struct lai_claim claim;
	const struct lai_claim *claims[] = {&claim};
	struct lai_run_plan plan = {
		.claims = claims, .claim_count = 1, .seeds = seeds, .jobs = 2, .first_seed = 1};
	struct lai_run *result = NULL;
	char *error = NULL;
	int status;

	claim = (struct lai_claim){
		.id = "by-hand",
		.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
		.both_families = true,
		.run = run,
	};
	status = lai_run_plan(&plan, &result, &error);
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
	return result;
}

static void well(struct lai_trial *trial)
{
	lai_trial_control(trial, true, "none");
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well");
}

#define PAYLOAD 1000

static void run_connection(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct lai_capture *capture = trial->captures[0];
	const struct lai_address *client = &pair.at_client.local, *server = &pair.at_server.local;
	struct lai_captured found;
	uint64_t packets, lost;
	size_t next = 0, count;

	CHECK(lai_capture_await(capture, &next, client, LAI_FLAG_SYN, LAI_FLAG_ACK, WAIT_NS,
				&found));
	CHECK(next == 1 && found.segment.mss > 0);
	CHECK(lai_capture_await(capture, &next, server, LAI_FLAG_SYN, 0, WAIT_NS, &found));
	CHECK(next == 2 && found.segment.flags == (LAI_FLAG_SYN | LAI_FLAG_ACK));
	CHECK(lai_call_send(pair.client, PAYLOAD, WAIT_NS).bytes == PAYLOAD);
	CHECK(lai_capture_await(capture, &next, NULL, LAI_FLAG_PSH, 0, WAIT_NS, &found));
	CHECK(found.segment.payload_bytes == PAYLOAD && !found.segment.payload);
	CHECK(lai_clock_read(CLOCK_REALTIME) - found.time_ns < 60 * LAI_S);
	count = next;
	CHECK(!lai_capture_await(capture, &next, NULL, LAI_FLAG_FIN, 0, 10 * LAI_MS, &found));
	CHECK(next == count);
	(void)close(pair.client);
	pair.client = -1;
	CHECK(lai_capture_await(capture, &next, client, LAI_FLAG_FIN, LAI_FLAG_SYN, WAIT_NS,
				&found));
	lai_pair_close(&pair);
	(void)lai_capture_segments(capture, &count);
	lai_capture_counts(capture, &packets, &lost);
	CHECK(count >= 6 && packets >= count && lost == 0);
	well(trial);
}

static void a_connection_is_captured_and_its_file_says_the_same(void **state)
{
	struct lai_run *run = try_it(run_connection, 2);

	(void)state;
	for (size_t i = 0; i < run->outcomes[0].trial_count; i++) {
		FILE *file = run->outcomes[0].trials[i].captures[0];
		struct lai_captured *list = NULL;
		size_t count = 0, malformed = 1;
		char *error = NULL;
		bool data = false;

		assert_non_null(file);
		assert_int_equal(lai_capture_read(file, &list, &count, &malformed, &error), 0);
		assert_int_equal(malformed, 0);
		assert_true(count >= 6);
		assert_int_equal(list[0].segment.flags & (LAI_FLAG_SYN | LAI_FLAG_ACK),
				 LAI_FLAG_SYN);
		for (size_t j = 0; j < count; j++) {
			assert_true(j == 0 || list[j].time_ns >= list[j - 1].time_ns);
			data = data || list[j].segment.payload_bytes == PAYLOAD;
		}
		assert_true(data);
		free(list);
	}
	lai_run_free(run);
}

#define BEYOND 100
#define AT_ONCE 2000
/* When it takes seconds, IPv6 says a word in between (multicast listeners). */
#define OTHERS 20

/* RSTs, which nobody answers. */
static void run_flood(struct lai_trial *trial)
{
	struct lai_raw *raw = lai_raw_new(trial, trial->client, trial->server, 77);
	struct lai_segment reset = {
		.from = lai_raw_address(raw, 1),
		.to = lai_host_address(trial, trial->server, 2),
		.flags = LAI_FLAG_RST,
	};
	uint64_t packets, lost;

	for (uint32_t i = 0; i < LAI_CAPTURE_PACKETS_MAX + BEYOND; i++) {
		reset.seq = i;
		lai_raw_send(raw, &reset);
		if (i % AT_ONCE == 0)
			lai_capture_drain(trial->captures[0]);
	}
	lai_capture_drain(trial->captures[0]);
	lai_capture_counts(trial->captures[0], &packets, &lost);
	if (packets < LAI_CAPTURE_PACKETS_MAX + BEYOND || lost > 0)
		lai_trial_fail(trial, "%" PRIu64 " packets, %" PRIu64 " lost", packets, lost);
	well(trial);
}

static void beyond_the_maximum_packets_are_counted_only(void **state)
{
	struct lai_run *run = try_it(run_flood, 1);
	struct lai_captured *list = NULL;
	size_t count = 0, malformed = 1;
	char *error = NULL;

	(void)state;
	assert_int_equal(lai_capture_read(run->outcomes[0].trials[0].captures[0], &list, &count,
					  &malformed, &error),
			 0);
	assert_in_range(count, LAI_CAPTURE_PACKETS_MAX - OTHERS, LAI_CAPTURE_PACKETS_MAX);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(list[i].segment.seq, i);
	free(list);
	lai_run_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "pcap of Ethernet and of raw IP is read, with its time stamps",
		 .test_func = pcap_of_ethernet_and_of_raw_ip_is_read},
		{.name = "pcapng is read", .test_func = pcapng_is_read},
		{.name = "other protocols are passed over, damage is counted",
		 .test_func = other_protocols_are_passed_over_and_damage_is_counted},
		{.name = "an empty capture has no segments",
		 .test_func = an_empty_capture_has_no_segments},
		{.name = "what is no capture is refused with a sentence",
		 .test_func = what_is_no_capture_is_refused_with_a_sentence},
		{.name = "a connection is captured, and its file says the same",
		 .test_func = a_connection_is_captured_and_its_file_says_the_same},
		{.name = "beyond the maximum packets are counted only",
		 .test_func = beyond_the_maximum_packets_are_counted_only},
	};

	return cmocka_run_group_tests_name("lab.capture", tests, NULL, NULL);
}
