/* SPDX-License-Identifier: MIT */
/*
 * segments_test.c - a capture read back is what was written: segments go into a pcap file, and come
 * out of lai_capture_read() as they went in.
 *
 * With LAB_PCAPS in the environment (paths, separated by blanks) it is no test, but prints what we
 * read in those captures, a line per segment, for tests/lab/tshark.sh to compare:
 *
 *	ns since 1970, source, port, destination, port, flags, seq, ack, bytes, window, mss, scale,
 *	timestamp value, echo; an option that is not there is empty
 */
#include "base/time.h"
#include "lab/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* --- what tshark.sh compares --- */

static void print_end(const struct lai_address *address)
{
	const void *bytes = lai_address_family(address) == AF_INET
				    ? (const void *)&address->v4.sin_addr
				    : (const void *)&address->v6.sin6_addr;
	char text[INET6_ADDRSTRLEN];

	(void)printf("\t%s\t%u", inet_ntop(lai_address_family(address), bytes, text, sizeof(text)),
		     lai_address_port(address));
}

static void print_option(bool there, uint32_t value)
{
	if (there)
		(void)printf("\t%" PRIu32, value);
	else
		(void)printf("\t");
}

static void print_segment(const struct lai_captured *captured)
{
	const struct lai_segment *segment = &captured->segment;

	(void)printf("%llu.%09llu", captured->time_ns / LAI_S, captured->time_ns % LAI_S);
	print_end(&segment->from);
	print_end(&segment->to);
	(void)printf("\t0x%04x\t%" PRIu32 "\t%" PRIu32 "\t%zu\t%u", segment->flags, segment->seq,
		     segment->ack, segment->payload_bytes, segment->window);
	print_option(segment->mss != 0, segment->mss);
	print_option(segment->has_scale, segment->scale);
	print_option(segment->has_timestamp, segment->ts_value);
	print_option(segment->has_timestamp, segment->ts_echo);
	(void)printf("\n");
}

static bool print_capture(const char *path)
{
	struct lai_captured *list = NULL;
	size_t count = 0, malformed = 0;
	char *error = NULL;
	FILE *file = fopen(path, "re");
	int result = file ? lai_capture_read(file, &list, &count, &malformed, &error) : -1;

	if (result != 0)
		(void)fprintf(stderr, "%s: %s\n", path, error ? error : "cannot be read");
	if (malformed)
		(void)fprintf(stderr, "%s: %zu malformed packets\n", path, malformed);
	for (size_t i = 0; result == 0 && i < count; i++)
		print_segment(&list[i]);
	if (file)
		(void)fclose(file);
	free(error);
	free(list);
	return result == 0 && malformed == 0;
}

static int print_captures(const char *paths)
{
	char *copy = strdup(paths), *rest = copy;
	int status = copy ? 0 : 1;

	for (char *path; copy && (path = strtok_r(rest, " ", &rest));)
		if (!print_capture(path))
			status = 1;
	free(copy);
	return status;
}

/* --- the test --- */

#define LINKTYPE_RAW 101 /* of a pcap file: IP packets without a frame */
#define MAGIC_NS 0xa1b23c4du
#define SNAP_BYTES 256u

static void put32(FILE *file, uint32_t value)
{
	assert_int_equal(fwrite(&value, sizeof(value), 1, file), 1);
}

static FILE *pcap_begin(void)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	put32(file, MAGIC_NS);
	put32(file, 2 | 4u << 16); /* version 2.4, in the byte order of this machine */
	put32(file, 0);
	put32(file, 0);
	put32(file, SNAP_BYTES);
	put32(file, LINKTYPE_RAW);
	return file;
}

static void pcap_put(FILE *file, uint64_t time_ns, const uint8_t *packet, uint32_t size)
{
	uint32_t kept = size < SNAP_BYTES ? size : SNAP_BYTES;

	put32(file, (uint32_t)(time_ns / LAI_S));
	put32(file, (uint32_t)(time_ns % LAI_S));
	put32(file, kept);
	put32(file, size);
	assert_int_equal(fwrite(packet, 1, kept, file), kept);
}

static struct lai_segment example(unsigned n)
{
	const char *const places[][2] = {{"10.1.0.1", "10.1.0.2"}, {"fd00:1::1", "fd00:1::2"}};
	struct lai_segment segment = {.flags = (uint8_t)(n * 37),
				      .seq = n * 2654435761u,
				      .ack = n * 40503u,
				      .window = (uint16_t)(n * 101),
				      .payload_bytes = n * 13 % 1000};

	assert_int_equal(lai_address_parse(places[n % 2][0], (uint16_t)(n + 1), &segment.from), 0);
	assert_int_equal(lai_address_parse(places[n % 2][1], 80, &segment.to), 0);
	if (n % 3 == 0) {
		segment.has_timestamp = true;
		segment.ts_value = n * 77;
		segment.ts_echo = n * 78;
	}
	if (n % 5 == 0) {
		segment.mss = 1400;
		segment.has_scale = true;
		segment.scale = (uint8_t)(n % 15);
	}
	return segment;
}

#define EXAMPLES 200

static void assert_same(const struct lai_segment *got, const struct lai_segment *put)
{
	assert_true(lai_address_equal(&got->from, &put->from));
	assert_true(lai_address_equal(&got->to, &put->to));
	assert_int_equal(got->flags, put->flags);
	assert_int_equal(got->seq, put->seq);
	assert_int_equal(got->ack, put->ack);
	assert_int_equal(got->window, put->window);
	assert_int_equal(got->payload_bytes, put->payload_bytes);
	assert_int_equal(got->mss, put->mss);
	assert_int_equal(got->has_scale, put->has_scale);
	assert_int_equal(got->scale, put->scale);
	assert_int_equal(got->has_timestamp, put->has_timestamp);
	assert_int_equal(got->ts_value, put->ts_value);
	assert_int_equal(got->ts_echo, put->ts_echo);
}

static void what_was_written_is_read(void **state)
{
	struct lai_captured *list = NULL;
	size_t count = 0, malformed = 0;
	char *error = NULL;
	FILE *file = pcap_begin();

	(void)state;
	for (unsigned n = 0; n < EXAMPLES; n++) {
		struct lai_segment segment = example(n);
		uint8_t packet[LAI_PACKET_BYTES_MAX];
		int size = lai_segment_build(&segment, packet, sizeof(packet));

		assert_true(size > 0);
		pcap_put(file, n * LAI_S + n, packet, (uint32_t)size);
	}
	rewind(file);
	assert_int_equal(lai_capture_read(file, &list, &count, &malformed, &error), 0);
	assert_int_equal(count, EXAMPLES);
	assert_int_equal(malformed, 0);
	for (unsigned n = 0; n < EXAMPLES; n++) {
		struct lai_segment segment = example(n);

		assert_int_equal(list[n].time_ns, n * LAI_S + n);
		assert_same(&list[n].segment, &segment);
	}
	free(list);
	(void)fclose(file);
}

static void what_is_no_capture_is_refused(void **state)
{
	struct lai_captured *list = NULL;
	size_t count = 0, malformed = 0;
	char *error = NULL;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	(void)fputs("this is no capture, and says so at some length", file);
	rewind(file);
	assert_int_equal(lai_capture_read(file, &list, &count, &malformed, &error), -EINVAL);
	assert_non_null(error);
	assert_null(list);
	free(error);
	(void)fclose(file);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "segments written to a pcap file are read as they were",
		 .test_func = what_was_written_is_read},
		{.name = "what is no capture is refused, and why",
		 .test_func = what_is_no_capture_is_refused},
	};
	const char *paths = getenv("LAB_PCAPS");

	if (paths)
		return print_captures(paths);
	return cmocka_run_group_tests_name("lab.segments", tests, NULL, NULL);
}
