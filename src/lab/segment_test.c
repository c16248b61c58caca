/* SPDX-License-Identifier: MIT */
/*
 * segment_test.c - segments and their bytes. Packets are written here by hand, shaped as Linux
 * sends them, or damaged on purpose.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/segment.h"

#include "../../tests/support/segment_same.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUNDS 5000
#define PACKET_ROOM 2048

static struct lai_address address(const char *text, uint16_t port)
{
	struct lai_address result;

	assert_int_equal(lai_address_parse(text, port, &result), 0);
	return result;
}

static struct lai_segment small_segment(int family)
{
	return (struct lai_segment){
		.from = address(family == AF_INET ? "10.0.0.1" : "fd00::1", 2345),
		.to = address(family == AF_INET ? "10.0.0.2" : "fd00::2", 80),
		.seq = 17,
		.flags = LAI_FLAG_SYN,
		.window = 65535,
	};
}

static struct lai_segment parse(const uint8_t *packet, size_t size)
{
	struct lai_segment segment;
	const char *why = "none";

	if (lai_segment_parse(packet, size, &segment, &why) != 0)
		fail_msg("not parsed: %s", why);
	return segment;
}

/* ---- from bytes ----------------------------------------------------------------------------- */

/* The options of a Linux SYN; 10.9.1.1:40000 > 10.9.1.2:80, its TCP sum not filled in. */
static const uint8_t linux_syn[] = {
	0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x08, 0x61, 0x0a, 0x09, 0x01,
	0x01, 0x0a, 0x09, 0x01, 0x02, 0x9c, 0x40, 0x00, 0x50, 0x00, 0x00, 0x00, 0x11, 0x00, 0x00,
	0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04,
	0x02, 0x08, 0x0a, 0x00, 0x00, 0x30, 0x39, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
};

static void a_syn_of_linux_is_read(void **state)
{
	struct lai_segment segment = parse(linux_syn, sizeof(linux_syn));
	struct lai_address from = address("10.9.1.1", 40000), to = address("10.9.1.2", 80);

	(void)state;
	assert_true(lai_address_equal(&segment.from, &from));
	assert_true(lai_address_equal(&segment.to, &to));
	assert_int_equal(segment.seq, 17);
	assert_int_equal(segment.ack, 0);
	assert_int_equal(segment.flags, LAI_FLAG_SYN);
	assert_int_equal(segment.window, 64240);
	assert_int_equal(segment.hops, 64);
	assert_int_equal(segment.mss, 1460);
	assert_true(segment.sack_permitted && segment.has_timestamp && segment.has_scale);
	assert_int_equal(segment.ts_value, 12345);
	assert_int_equal(segment.ts_echo, 0);
	assert_int_equal(segment.scale, 7);
	assert_int_equal(segment.sack_count, 0);
	assert_int_equal(segment.payload_bytes, 0);
	assert_null(segment.payload);
	assert_int_equal(lai_segment_length(&segment), 1);
}

static void wrong_sums_are_told_and_no_error(void **state)
{
	struct lai_segment segment = small_segment(AF_INET);
	uint8_t packet[PACKET_ROOM];
	int size = lai_segment_build(&segment, packet, sizeof(packet));

	(void)state;
	assert_int_equal(size, 40);
	segment = parse(packet, (size_t)size);
	assert_false(segment.bad_ip_checksum || segment.bad_tcp_checksum);
	packet[25] ^= 1; /* seq */
	segment = parse(packet, (size_t)size);
	assert_true(segment.bad_tcp_checksum && !segment.bad_ip_checksum);
	packet[25] ^= 1;
	packet[8] ^= 1; /* hops, which TCP does not sum */
	segment = parse(packet, (size_t)size);
	assert_true(segment.bad_ip_checksum && !segment.bad_tcp_checksum);
	/* The sum of the hand-made packet above is not filled in, as before a device. */
	assert_true(parse(linux_syn, sizeof(linux_syn)).bad_tcp_checksum);
}

static void what_ethernet_fills_up_is_no_payload(void **state)
{
	struct lai_segment segment = small_segment(AF_INET);
	uint8_t packet[PACKET_ROOM] = {0};
	int size = lai_segment_build(&segment, packet, sizeof(packet));

	(void)state;
	memset(packet + size, 0xff, 6);
	segment = parse(packet, (size_t)size + 6);
	assert_int_equal(segment.payload_bytes, 0);
	assert_false(segment.bad_tcp_checksum);
}

/* What is done to a good packet of 60 bytes, in which options begin at 40. */
static const struct damage {
	const char *name;
	struct {
		uint8_t at, value;
	} bytes[4]; /* at 0 ends, for all but the first */
	uint8_t size;
	int error;
	const char *why;
} damages[] = {
	{"nothing at all", {{0, 0x45}}, 0, -EBADMSG, "the packet is empty"},
	{"version 5", {{0, 0x55}}, 60, -EBADMSG, "the packet is neither IPv4 nor IPv6"},
	{"19 bytes", {{0, 0x45}}, 19, -EBADMSG, "the packet is shorter than an IPv4 header"},
	{"IHL 4",
	 {{0, 0x44}},
	 60,
	 -EBADMSG,
	 "the IPv4 header says that it is shorter than 20 bytes"},
	{"total length 10",
	 {{0, 0x45}, {3, 10}},
	 60,
	 -EBADMSG,
	 "the IPv4 header is longer than the packet that it heads"},
	{"IHL 15 of 40 bytes", {{0, 0x4f}}, 40, -EBADMSG, "the packet ends within its IPv4 header"},
	{"UDP", {{0, 0x45}, {9, 17}}, 60, -ENOMSG, NULL},
	{"first fragment", {{0, 0x45}, {6, 0x20}}, 60, -ENOMSG, NULL},
	{"later fragment", {{0, 0x45}, {7, 1}}, 60, -ENOMSG, NULL},
	{"39 bytes of TCP", {{0, 0x45}}, 39, -EBADMSG, "the packet ends within its TCP header"},
	{"total length 39",
	 {{0, 0x45}, {3, 39}},
	 60,
	 -EBADMSG,
	 "the packet ends within its TCP header"},
	{"data offset 4",
	 {{0, 0x45}, {32, 0x40}},
	 60,
	 -EBADMSG,
	 "the TCP header says that it is shorter than 20 bytes"},
	{"data offset 15",
	 {{0, 0x45}, {32, 0xf0}},
	 60,
	 -EBADMSG,
	 "the packet ends within its TCP options"},
	{"cut within options", {{0, 0x45}}, 59, -EBADMSG, "the packet ends within its TCP options"},
	{"cut within payload",
	 {{0, 0x45}, {32, 0x50}},
	 59,
	 -EBADMSG,
	 "the packet is shorter than its IP header says"},
	{"option length 0",
	 {{0, 0x45}, {41, 0}},
	 60,
	 -EBADMSG,
	 "a TCP option goes beyond the TCP header"},
	{"option length 1",
	 {{0, 0x45}, {41, 1}},
	 60,
	 -EBADMSG,
	 "a TCP option goes beyond the TCP header"},
	{"option beyond the header",
	 {{0, 0x45}, {40, 99}, {41, 21}},
	 60,
	 -EBADMSG,
	 "a TCP option goes beyond the TCP header"},
	{"kind without a length",
	 {{0, 0x45}, {56, 2}, {57, 3}, {59, 2}},
	 60,
	 -EBADMSG,
	 "a TCP option has not the length of its kind"},
	{"MSS of 3 bytes",
	 {{0, 0x45}, {41, 3}},
	 60,
	 -EBADMSG,
	 "a TCP option has not the length of its kind"},
	{"timestamp of 9 bytes",
	 {{0, 0x45}, {47, 9}},
	 60,
	 -EBADMSG,
	 "a TCP option has not the length of its kind"},
	{"SACK of 6 bytes",
	 {{0, 0x45}, {40, 5}, {41, 6}},
	 60,
	 -EBADMSG,
	 "a TCP option has not the length of its kind"},
	{"empty SACK",
	 {{0, 0x45}, {40, 5}, {41, 2}},
	 60,
	 -EBADMSG,
	 "a TCP option has not the length of its kind"},
	{"end of options first, damage behind it", {{0, 0x45}, {40, 0}, {41, 0}}, 60, 0, NULL},
	{"unknown option", {{0, 0x45}, {40, 99}}, 60, 0, NULL},
};

static void damaged_packets_are_refused_with_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(damages); i++) {
		const struct damage *damage = &damages[i];
		struct lai_segment untouched, segment;
		const char *why = NULL;
		/* A block of its own: a read beyond it is seen by the sanitizer. */
		uint8_t *packet = malloc(damage->size ? damage->size : 1), whole[60];

		assert_non_null(packet);
		memset(&segment, 0x5a, sizeof(segment));
		untouched = segment;
		memcpy(whole, linux_syn, sizeof(whole));
		whole[0] = damage->bytes[0].value;
		for (size_t j = 1; j < COUNT(damage->bytes) && damage->bytes[j].at; j++)
			whole[damage->bytes[j].at] = damage->bytes[j].value;
		memcpy(packet, whole, damage->size);
		if (lai_segment_parse(packet, damage->size, &segment, &why) != damage->error)
			fail_msg("%s: %s", damage->name, why ? why : "no reason");
		if (damage->why)
			assert_string_equal(why, damage->why);
		if (damage->error)
			assert_memory_equal(&segment, &untouched, sizeof(segment));
		free(packet);
	}
}

/* IPv6: a header, extension headers of 8 bytes each, and TCP. */
static size_t extended(uint8_t *packet, const uint8_t *kinds, size_t count, uint8_t fragment)
{
	struct lai_segment segment = small_segment(AF_INET6);
	int size = lai_segment_build(&segment, packet, PACKET_ROOM);

	assert_int_equal(size, 60);
	memmove(packet + 40 + 8 * count, packet + 40, 20);
	memset(packet + 40, 0, 8 * count);
	packet[5] = (uint8_t)(20 + 8 * count);
	packet[6] = count ? kinds[0] : IPPROTO_TCP;
	for (size_t i = 0; i < count; i++)
		packet[40 + 8 * i] = i + 1 < count ? kinds[i + 1] : IPPROTO_TCP;
	if (fragment)
		packet[43] = fragment;
	return (size_t)size + 8 * count;
}

static void extension_headers_are_passed_over(void **state)
{
	static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT,
					IPPROTO_ROUTING};
	struct lai_segment plain = small_segment(AF_INET6), segment;
	uint8_t packet[PACKET_ROOM];
	size_t size = extended(packet, kinds, COUNT(kinds), 0);

	(void)state;
	segment = parse(packet, size);
	assert_true(t_segment_same(&plain, &segment));
	assert_false(segment.bad_tcp_checksum);
}

static void extension_headers_that_lead_nowhere_are_refused(void **state)
{
	static const uint8_t fragment[] = {IPPROTO_FRAGMENT}, none[] = {IPPROTO_NONE};
	static const uint8_t many[17] = {60, 60, 60, 60, 60, 60, 60, 60, 60,
					 60, 60, 60, 60, 60, 60, 60, 60};
	uint8_t packet[PACKET_ROOM];
	struct lai_segment segment;
	const char *why = NULL;
	size_t size = extended(packet, fragment, 1, 1); /* more fragments */

	(void)state;
	assert_int_equal(lai_segment_parse(packet, size, &segment, &why), -ENOMSG);
	size = extended(packet, none, 1, 0);
	assert_int_equal(lai_segment_parse(packet, size, &segment, &why), -ENOMSG);
	size = extended(packet, many, COUNT(many), 0);
	assert_int_equal(lai_segment_parse(packet, size, &segment, &why), -EBADMSG);
	assert_string_equal(why, "the chain of IPv6 extension headers does not end");
	size = extended(packet, many, 2, 0);
	packet[41] = 200; /* its length, in units of 8 */
	assert_int_equal(lai_segment_parse(packet, size, &segment, &why), -EBADMSG);
	assert_string_equal(why, "the packet ends within an IPv6 extension header");
	assert_int_equal(lai_segment_parse(packet, 39, &segment, &why), -EBADMSG);
	assert_string_equal(why, "the packet is shorter than an IPv6 header");
}

static void a_packet_cut_by_a_capture_keeps_its_length(void **state)
{
	struct lai_segment segment = small_segment(AF_INET6), cut;
	uint8_t packet[PACKET_ROOM];
	const char *why = NULL;
	int size;

	(void)state;
	segment.payload_bytes = 1000;
	size = lai_segment_build(&segment, packet, sizeof(packet));
	assert_int_equal(size, 1060);
	assert_int_equal(lai_segment_parse(packet, 100, &cut, &why), -EBADMSG);
	assert_int_equal(lai_segment_parse_cut(packet, 100, &cut, &why), 0);
	assert_int_equal(cut.payload_bytes, 1000);
	assert_null(cut.payload);
	assert_false(cut.bad_tcp_checksum);
	assert_int_equal(lai_segment_parse_cut(packet, 59, &cut, &why), -EBADMSG);
}

/* ---- to bytes ------------------------------------------------------------------------------- */

static void a_built_packet_has_these_bytes(void **state)
{
	/* The timestamp lies as RFC 7323 appendix A has it; sums worked out by hand. */
	static const uint8_t expected[] = {
		0x45, 0x00, 0x00, 0x36, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x26, 0xc0, 0x0a, 0x00,
		0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, 0x09, 0x29, 0x00, 0x50, 0x00, 0x00, 0x00, 0x11,
		0x00, 0x00, 0x00, 0x12, 0x80, 0x18, 0xff, 0xff, 0xf0, 0xa0, 0x00, 0x00, 0x01, 0x01,
		0x08, 0x0a, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x06, 'h',  'i',
	};
	struct lai_segment segment = small_segment(AF_INET);
	uint8_t packet[PACKET_ROOM];

	(void)state;
	segment.flags = LAI_FLAG_ACK | LAI_FLAG_PSH;
	segment.ack = 18;
	segment.has_timestamp = true;
	segment.ts_value = 5;
	segment.ts_echo = 6;
	segment.payload = (const uint8_t *)"hi";
	segment.payload_bytes = 2;
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), sizeof(expected));
	assert_memory_equal(packet, expected, sizeof(expected));
}

static void what_cannot_be_built_is_refused(void **state)
{
	struct lai_segment segment = small_segment(AF_INET);
	uint8_t packet[PACKET_ROOM];
	static uint8_t large[70000];

	(void)state;
	segment.from = address("fd00::1", 1);
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), -EINVAL);
	segment.from.length = 0;
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), -EINVAL);
	segment = small_segment(AF_INET);
	segment.sack_count = LAI_SEGMENT_SACK_MAX; /* 34 bytes */
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), 76);
	segment.mss = 1460;	       /* and 4 */
	segment.sack_permitted = true; /* and 2: just fits */
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), 80);
	segment.has_scale = true;
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), -EINVAL);
	segment.sack_count = LAI_SEGMENT_SACK_MAX + 1;
	assert_int_equal(lai_segment_build(&segment, packet, sizeof(packet)), -EINVAL);
	segment = small_segment(AF_INET6);
	segment.payload_bytes = 1;
	assert_int_equal(lai_segment_build(&segment, packet, 60), -EMSGSIZE);
	assert_int_equal(lai_segment_build(&segment, packet, 61), 61);
	segment.payload_bytes = 65535 - 20; /* IPv6 does not count its own header */
	assert_int_equal(lai_segment_build(&segment, large, sizeof(large)), 65575);
	segment.payload_bytes++;
	assert_int_equal(lai_segment_build(&segment, large, sizeof(large)), -EMSGSIZE);
	segment = small_segment(AF_INET);
	segment.payload_bytes = 65535 - 40;
	assert_int_equal(lai_segment_build(&segment, large, sizeof(large)), 65535);
	segment.payload_bytes++;
	assert_int_equal(lai_segment_build(&segment, large, sizeof(large)), -EMSGSIZE);
	segment.payload_bytes = SIZE_MAX;
	assert_int_equal(lai_segment_build(&segment, large, sizeof(large)), -EMSGSIZE);
}

/* ---- there and back ------------------------------------------------------------------------- */

static struct lai_address random_address(struct lai_random *random, int family)
{
	struct lai_address result = {0};
	uint64_t words[2] = {lai_random_next(random), lai_random_next(random)};

	result.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&result.v4.sin_addr, words, 4);
		result.length = sizeof(result.v4);
	} else {
		memcpy(&result.v6.sin6_addr, words, 16);
		result.length = sizeof(result.v6);
	}
	lai_address_set_port(&result, (uint16_t)lai_random_next(random));
	return result;
}

static bool one_in(struct lai_random *random, uint64_t n)
{
	return lai_random_below(random, n) == 0;
}

static uint32_t random32(struct lai_random *random)
{
	return (uint32_t)lai_random_next(random);
}

/* With at most 40 bytes of options, which it counts in *options. */
static struct lai_segment random_segment(struct lai_random *random, const uint8_t *payload,
					 size_t payload_max)
{
	int family = one_in(random, 2) ? AF_INET : AF_INET6;
	struct lai_segment segment = {
		.from = random_address(random, family),
		.to = random_address(random, family),
		.seq = random32(random),
		.ack = random32(random),
		.flags = (uint8_t)lai_random_next(random),
		.window = (uint16_t)lai_random_next(random),
		.urgent = (uint16_t)lai_random_next(random),
		.hops = (uint8_t)lai_random_next(random),
		.payload = one_in(random, 3) ? NULL : payload,
		.payload_bytes = one_in(random, 2) ? 0 : lai_random_below(random, payload_max + 1),
	};

	segment.mss = one_in(random, 2) ? (uint16_t)lai_random_next(random) : 0;
	segment.has_scale = one_in(random, 2);
	segment.scale = (uint8_t)lai_random_next(random);
	segment.sack_permitted = one_in(random, 2);
	segment.has_timestamp = one_in(random, 2);
	segment.ts_value = random32(random);
	segment.ts_echo = random32(random);
	segment.sack_count = (uint8_t)lai_random_below(random, LAI_SEGMENT_SACK_MAX + 1);
	for (uint8_t i = 0; i < segment.sack_count; i++)
		segment.sacks[i] = (struct lai_segment_sack){random32(random), random32(random)};
	return segment;
}

static size_t options_bytes(const struct lai_segment *segment)
{
	return (segment->mss ? 4u : 0) + (segment->has_scale ? 3u : 0) +
	       (segment->sack_permitted ? 2u : 0) + (segment->has_timestamp ? 10u : 0) +
	       (segment->sack_count ? 2u + 8u * segment->sack_count : 0);
}

static void random_segments_come_back_as_they_went(void **state)
{
	struct lai_random random = {.state = 20261122};
	uint8_t packet[PACKET_ROOM], payload[1000];
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)lai_random_next(&random);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lai_segment segment = random_segment(&random, payload, sizeof(payload));
		int size = lai_segment_build(&segment, packet, sizeof(packet));
		struct lai_segment again;

		if (options_bytes(&segment) > 40) {
			assert_int_equal(size, -EINVAL);
			refused++;
			continue;
		}
		assert_true(size > 0);
		again = parse(packet, (size_t)size);
		assert_true(t_segment_same(&segment, &again));
		assert_false(again.bad_ip_checksum || again.bad_tcp_checksum);
	}
	assert_in_range(refused, 1, ROUNDS / 2);
}

static void a_flipped_bit_is_seen_by_a_sum_or_refused(void **state)
{
	struct lai_random random = {.state = 7};
	uint8_t packet[PACKET_ROOM], payload[64] = {1, 2, 3};
	unsigned seen = 0;

	(void)state;
	while (seen < ROUNDS) {
		struct lai_segment segment = random_segment(&random, payload, sizeof(payload));
		int size = lai_segment_build(&segment, packet, sizeof(packet));
		uint64_t bit;
		const char *why;
		int error;

		/* IPv6 sums nothing of its own header but the addresses and the length. */
		if (size <= 0 || lai_address_family(&segment.from) == AF_INET6)
			continue;
		bit = lai_random_below(&random, (uint64_t)size * 8);
		packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
		error = lai_segment_parse(packet, (size_t)size, &segment, &why);
		assert_true(error != 0 || segment.bad_ip_checksum || segment.bad_tcp_checksum);
		seen++;
	}
}

static void random_bytes_never_hurt(void **state)
{
	struct lai_random random = {.state = 42};

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t size = lai_random_below(&random, 120);
		uint8_t *packet = malloc(size ? size : 1);
		struct lai_segment segment;
		const char *why = NULL;
		int error;

		assert_non_null(packet);
		for (size_t j = 0; j < size; j++)
			packet[j] = (uint8_t)lai_random_next(&random);
		if (size > 9) { /* so that most are not refused at once */
			packet[0] = one_in(&random, 2) ? 0x45 : 0x60;
			packet[6] = packet[0] == 0x60 ? IPPROTO_TCP : 0;
			packet[7] = 0;
			packet[9] = IPPROTO_TCP;
		}
		error = lai_segment_parse(packet, size, &segment, &why);
		assert_true(error == 0 || error == -ENOMSG || (error == -EBADMSG && why));
		free(packet);
	}
}

/* ---- in words ------------------------------------------------------------------------------- */

static void flags_read_as_in_tcpdump(void **state)
{
	static const struct {
		uint8_t flags;
		const char *text;
	} rows[] = {
		{0, "none"},
		{LAI_FLAG_SYN, "S"},
		{LAI_FLAG_SYN | LAI_FLAG_ACK, "S."},
		{LAI_FLAG_FIN | LAI_FLAG_ACK, "F."},
		{LAI_FLAG_FIN | LAI_FLAG_PSH | LAI_FLAG_ACK, "FP."},
		{LAI_FLAG_RST, "R"},
		{LAI_FLAG_ACK, "."},
		{0xff, "FSRP.UEW"},
	};
	char text[LAI_FLAGS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(lai_segment_flags(rows[i].flags, text), rows[i].text);
}

static void a_segment_is_described_in_a_line(void **state)
{
	struct lai_text text = LAI_TEXT_INIT(1024);
	struct lai_segment segment = small_segment(AF_INET);

	(void)state;
	segment.mss = 1460;
	segment.has_timestamp = true;
	segment.ts_value = 5;
	lai_segment_describe(&segment, &text);
	assert_string_equal(lai_text_string(&text),
			    "10.0.0.1:2345 > 10.0.0.2:80 [S] seq 17 win 65535 <mss 1460,TS 5 0>");
	lai_text_done(&text);
	segment = small_segment(AF_INET6);
	segment.flags = LAI_FLAG_PSH | LAI_FLAG_ACK | LAI_FLAG_URG;
	segment.urgent = 3;
	segment.ack = 18;
	segment.payload_bytes = 100;
	segment.sack_count = 2;
	segment.sacks[0] = (struct lai_segment_sack){1, 2};
	segment.sacks[1] = (struct lai_segment_sack){5, 9};
	lai_segment_describe(&segment, &text);
	assert_string_equal(lai_text_string(&text),
			    "[fd00::1]:2345 > [fd00::2]:80 [P.U] seq 17 ack 18 win 65535 urg 3 "
			    "len 100 <sack 1-2,sack 5-9>");
	assert_int_equal(text.error, 0);
	lai_text_done(&text);
}

static void sequence_numbers_wrap(void **state)
{
	(void)state;
	assert_true(lai_seq_before(1, 2));
	assert_false(lai_seq_before(2, 2));
	assert_true(lai_seq_before(UINT32_MAX, 0));
	assert_false(lai_seq_before(0, UINT32_MAX));
	assert_true(lai_seq_before(0, INT32_MAX));
}

static void length_counts_syn_and_fin(void **state)
{
	struct lai_segment segment = {.flags = LAI_FLAG_SYN | LAI_FLAG_FIN, .payload_bytes = 5};

	(void)state;
	assert_int_equal(lai_segment_length(&segment), 7);
	segment.flags = LAI_FLAG_RST | LAI_FLAG_ACK;
	assert_int_equal(lai_segment_length(&segment), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "a SYN of Linux is read", .test_func = a_syn_of_linux_is_read},
		{.name = "wrong sums are told, and no error",
		 .test_func = wrong_sums_are_told_and_no_error},
		{.name = "what Ethernet fills up is no payload",
		 .test_func = what_ethernet_fills_up_is_no_payload},
		{.name = "damaged packets are refused with the reason",
		 .test_func = damaged_packets_are_refused_with_the_reason},
		{.name = "IPv6 extension headers are passed over",
		 .test_func = extension_headers_are_passed_over},
		{.name = "IPv6 extension headers that lead nowhere are refused",
		 .test_func = extension_headers_that_lead_nowhere_are_refused},
		{.name = "a packet cut by a capture keeps its length",
		 .test_func = a_packet_cut_by_a_capture_keeps_its_length},
		{.name = "a built packet has exactly these bytes",
		 .test_func = a_built_packet_has_these_bytes},
		{.name = "what cannot be built is refused",
		 .test_func = what_cannot_be_built_is_refused},
		{.name = "thousands of random segments come back as they went",
		 .test_func = random_segments_come_back_as_they_went},
		{.name = "a flipped bit is seen by a sum, or refused",
		 .test_func = a_flipped_bit_is_seen_by_a_sum_or_refused},
		{.name = "random bytes never hurt", .test_func = random_bytes_never_hurt},
		{.name = "flags read as in tcpdump", .test_func = flags_read_as_in_tcpdump},
		{.name = "a segment is described in a line",
		 .test_func = a_segment_is_described_in_a_line},
		{.name = "sequence numbers wrap", .test_func = sequence_numbers_wrap},
		{.name = "the length counts SYN and FIN", .test_func = length_counts_syn_and_fin},
	};

	return cmocka_run_group_tests_name("lab.segment", tests, NULL, NULL);
}
